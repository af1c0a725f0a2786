"""A plan for people, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.text import Text

from ...models import PathGoal
from ...resources.goal_warnings import pattern_warning
from ..output.text import visible, visible_json
from ..output.values import counted
from ..output.writers import json_text
from ..terminal import Terminal
from .content import Content, to_file
from .entry import FileGoal
from .file import FileSite, doubts
from .matching import StoredGoal
from .plan import Change, Plan, SitePlan

__all__ = [
    "named",
    "plan_as_json",
    "show_line",
    "show_plan",
    "summary",
    "warn_of_doubts",
    "warn_of_paths",
]

_STYLES: Final = {"+": "green", "~": "yellow", "-": "red", "!": "bold red"}
_MAX_NAMED: Final = 5


def show_line(terminal: Terminal, sign: str, text: str) -> None:
    """Write a line with a sign before it, in its color."""
    line = Text.assemble("  ", (sign, _STYLES[sign]), f" {visible(text)}")
    terminal.print(line)


def show_plan(terminal: Terminal, plan: Plan) -> None:
    """Write what would be done, a line for each goal, and a summary."""
    for site in plan.sites:
        if site.size or site.refusals:
            terminal.print(Text(f"site {site.site}", style="bold"))
        for sign, text in _lines(site):
            show_line(terminal, sign, text)
    terminal.print(Text(summary(plan)))
    for site in plan.sites:
        if site.left:
            terminal.print(Text(visible(_left(site))))


def warn_of_doubts(terminal: Terminal, sites: Sequence[FileSite]) -> None:
    """Warn of what is allowed in a file, and may be a mistake."""
    for text in doubts(sites):
        terminal.warn(text)


def warn_of_paths(terminal: Terminal, plan: Plan) -> None:
    """Warn of paths that never match. The client does that, too, when it writes."""
    for site in plan.sites:
        for goal in (*site.creates, *(one.goal for one in site.changes)):
            pattern = goal.content.config.get("pathPattern")
            warning = pattern_warning(PathGoal(pattern)) if isinstance(pattern, str) else None
            if warning is not None:
                terminal.warn(f"{goal.place}: {warning.replace('config.path_pattern', 'path')}")


def _lines(site: SitePlan) -> Iterator[tuple[str, str]]:
    for goal in site.creates:
        yield "+", f"{named(goal)}: {_described(goal.content)}{_new_id(goal)}"
    for change in site.changes:
        yield "~", f"{named(change)}: {_changed(change)}"
    for old in site.deletes:
        yield "-", f"{named(old)}: {_described(old.content)}{_doubled(site, old)}"
    for text in site.refusals:
        yield "!", text


def summary(plan: Plan) -> str:
    """What a plan does, in one line."""
    sites = plan.sites
    unchanged = sum(one.unchanged for one in sites)
    if not plan.size and not plan.refusals:
        return f"No changes: {counted(unchanged, 'goals')} {_are(unchanged)} as the file says."
    parts = {
        "to create": sum(len(one.creates) for one in sites),
        "to change": sum(len(one.changes) for one in sites),
        "to delete": plan.deletes,
        "as the file says": unchanged,
        "refused": len(plan.refusals),
    }
    return f"Plan: {', '.join(f'{n} {what}' for what, n in parts.items() if n)}."


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def named(goal: FileGoal | StoredGoal | Change) -> str:
    """The name of a goal, with its id if the server has it."""
    if isinstance(goal, Change):
        return named(goal.old)
    name = "a goal without a name" if goal.name is None else _json(goal.name)
    return f"{name} (id {goal.goal_id})" if isinstance(goal, StoredGoal) else name


def _described(content: Content) -> str:
    return ", ".join(f"{name} {_json(value)}" for name, value in to_file(content).items())


def _changed(change: Change) -> str:
    return ", ".join(f"{one.name} {_json(one.old)} → {_json(one.new)}" for one in change.fields)


def _json(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _new_id(goal: FileGoal) -> str:
    if goal.goal_id is None:
        return ""
    return f" (the site has no goal {goal.goal_id}: it gets another id)"


def _doubled(site: SitePlan, old: StoredGoal) -> str:
    for double in site.doubles:
        if old in double.surplus:
            return f" (the same as goal {double.kept.goal_id})"
    return ""


def _left(site: SitePlan) -> str:
    names = [named(one) for one in site.left[:_MAX_NAMED]]
    more = len(site.left) - len(names)
    also = f" and {more} more" if more else ""
    what = f"{counted(len(site.left), 'goals')} of site {site.site}"
    them = "it" if len(site.left) == 1 else "them"
    return f"Not in the file, --prune would delete {them}: {what}: {', '.join(names)}{also}"


# --- JSON ----------------------------------------------------------------------------------------


def plan_as_json(plan: Plan) -> str:
    """A plan as JSON: a list of sites, and how many goals are written."""
    sites = [_site(one) for one in plan.sites]
    return visible_json(json_text({"changes": plan.size, "sites": sites}, indent=2))


def _site(site: SitePlan) -> dict[str, Any]:
    return {
        "site": site.site,
        "create": [{"name": goal.name, **to_file(goal.content)} for goal in site.creates],
        "change": [
            {
                "id": one.old.goal_id,
                "name": one.old.name,
                "fields": {f.name: {"old": f.old, "new": f.new} for f in one.fields},
            }
            for one in site.changes
        ],
        "delete": _stored(site.deletes),
        "not_in_file": _stored(site.left),
        "doubles": [
            {"keep": one.kept.goal_id, "surplus": [goal.goal_id for goal in one.surplus]}
            for one in site.doubles
        ],
        "unchanged": site.unchanged,
        "refused": site.refusals,
    }


def _stored(goals: Sequence[StoredGoal]) -> list[dict[str, Any]]:
    return [{"id": one.goal_id, "name": one.name, **to_file(one.content)} for one in goals]
