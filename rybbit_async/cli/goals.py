"""What ``goals list``, ``get``, ``create``, ``update`` and ``delete`` do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from .. import (
    ButtonClickGoal,
    CopyGoal,
    EventGoal,
    FormSubmitGoal,
    Goal,
    GoalConfig,
    GoalResult,
    OutboundGoal,
    PathGoal,
    PropertyFilter,
)
from .charts import check_chart, goal_chart
from .dry_run import dry_run
from .exits import CommandError, Exit
from .names import find_site, one_goal
from .options.filters import FilterOptions
from .options.goal import GoalOptions
from .options.output import ChartOptions, OneOutput, OutputOptions
from .options.window import WindowOptions, zone_of
from .output.show import show, show_one, tell_unmatched
from .output.values import counted, goal_name
from .output.views import GOALS
from .run import Job

__all__ = ["by", "create_goal", "delete_goal", "get_goal", "list_goals", "update_goal"]

_CAPTURED: Final = {
    "outbound": OutboundGoal,
    "button_click": ButtonClickGoal,
    "form_submit": FormSubmitGoal,
    "copy": CopyGoal,
}
_SORTS: Final[dict[str, Callable[[Goal], Any]]] = {
    "conversions": lambda goal: -(goal.total_conversions or 0),
    "rate": lambda goal: -(goal.conversion_rate or 0),
    "name": lambda goal: goal_name(goal).casefold(),
    "created": lambda goal: 0 if goal.created_at is None else -goal.created_at.timestamp(),
    "id": lambda goal: goal.goal_id,
}


def by(sort: str, goals: Sequence[Goal]) -> list[Goal]:
    """Goals in order."""
    return sorted(goals, key=lambda goal: (_SORTS[sort](goal), goal.goal_id))


async def list_goals(
    job: Job,
    site: str,
    sort: str,
    window: WindowOptions,
    filters: FilterOptions,
    output: OutputOptions,
    chart: ChartOptions,
) -> int | None:
    """The goals of a site, as a list, or as a picture, or both."""
    draws = chart.chart is not None
    if draws:
        check_chart(chart)
    when = window.resolve(job.time_zone)
    filtered = filters.resolve()
    key = await find_site(job, site)
    walk = job.client.goals.iter(key, filters=filtered, **when.common())
    goals = by(sort, await walk.collect())
    if draws:
        goal_chart(chart, goals, title=f"Goals of site {site}", caption=str(when))
        job.terminal.message(f"{chart.chart}: {counted(len(goals), 'goals')}")
    if not draws or output.is_chosen or job.terminal.out_is_terminal:
        zone = zone_of(when.zone)
        await show(job, goals, GOALS, output, caption=str(when), zone=zone, filtered=filtered)
    return Exit.PARTIAL if walk.report.doubtful else None


async def get_goal(
    job: Job,
    site: str,
    goal: str,
    window: WindowOptions,
    filters: FilterOptions,
    output: OneOutput,
) -> None:
    """One goal."""
    when = window.resolve(job.time_zone)
    key, filtered = await find_site(job, site), filters.resolve()
    number = await one_goal(job, key, goal)
    found = await job.client.goals.get(key, number, filters=filtered, **when.common())
    if not found.total_sessions:
        tell_unmatched(job.terminal, filtered)
    await show_one(job, found, output, view=GOALS, zone=zone_of(when.zone))


# --- writing -----------------------------------------------------------------------------------


async def create_goal(
    job: Job,
    site: str,
    name: str | None,
    counts: GoalOptions,
    output: OneOutput,
    *,
    duplicate: bool,
    is_dry: bool,
) -> None:
    """Create a goal, unless the site has it."""
    config = _config(counts)
    if config is None:
        raise CommandError(
            "what the goal counts must be given, such as --path '/signup/**' or --event purchase",
            Exit.USAGE,
        )
    with dry_run(job, enabled=is_dry):
        make = job.client.goals.create if duplicate else job.client.goals.ensure
        result = await make(await find_site(job, site), config, name=name)
        did = "was created" if result.created else "is there already, and none was created"
        await _tell(job, output, result, f"goal {result.goal_id} of site {site} {did}")


async def update_goal(
    job: Job,
    site: str,
    goal: str,
    name: str | None,
    counts: GoalOptions,
    output: OneOutput,
    *,
    no_name: bool,
    is_dry: bool,
) -> None:
    """Change a goal."""
    changes: dict[str, Any] = {}
    if name is not None and no_name:
        raise CommandError("--name and --no-name must not both be given", Exit.USAGE)
    if name is not None or no_name:
        changes["name"] = name
    key = await find_site(job, site)
    number = await one_goal(job, key, goal)
    old: Goal | None = None
    if counts.property and not _chosen(counts):
        old = await job.client.goals.get(key, number)
    config = _config(counts, old)
    if config is not None:
        changes["config"] = config
    if not changes:
        raise CommandError(
            "what to change must be given, such as --name 'Signed up' or --path /welcome",
            Exit.USAGE,
        )
    with dry_run(job, enabled=is_dry):
        result = await job.client.goals.update(key, number, **changes)
        await _tell(job, output, result, f"goal {number} of site {site} was changed")


async def delete_goal(
    job: Job, site: str, goal: str, output: OneOutput, *, yes: bool, is_dry: bool
) -> None:
    """Delete a goal, after a question."""
    key = await find_site(job, site)
    number = await one_goal(job, key, goal)
    if not (yes or is_dry):
        if not job.terminal.in_is_terminal:
            raise CommandError("goals delete must have --yes where nobody can be asked", Exit.USAGE)
        found = await job.client.goals.get(key, number)
        count = found.total_conversions or 0
        what = f"goal {number} ({goal_name(found)}; {counted(count, 'conversions')}) of site {site}"
        if not job.terminal.confirm(f"Delete {what}?"):
            raise CommandError("nothing was deleted")
    with dry_run(job, enabled=is_dry):
        result = await job.client.goals.delete(key, number)
        await _tell(job, output, result, f"goal {number} of site {site} was deleted")


async def _tell(job: Job, output: OneOutput, result: GoalResult, text: str) -> None:
    job.terminal.message(text)
    if output.format(job.terminal.out_is_terminal) == "json":
        await show_one(job, result, output)


# --- what a goal counts ------------------------------------------------------------------------


def _chosen(counts: GoalOptions) -> list[str]:
    names = ("path", "event", *_CAPTURED)
    return [name for name in names if getattr(counts, name) is not None]


def _config(counts: GoalOptions, old: Goal | None = None) -> GoalConfig | None:
    """What the options say that a goal counts; ``None`` if they say nothing.

    Raises:
        CommandError: they contradict each other.
    """
    chosen = _chosen(counts)
    if len(chosen) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in chosen)
        raise CommandError(f"a goal must count one kind of thing, got {flags}", Exit.USAGE)
    filters = tuple(map(_property, counts.property))
    if not chosen:
        if old is None and counts.property:
            raise CommandError("--property must come with what the goal counts", Exit.USAGE)
        if old is None:
            return None
        if isinstance(old.config, PathGoal):
            return PathGoal(old.config.path_pattern, property_filters=filters)
        if isinstance(old.config, EventGoal):
            return _event(old.config.event_name, filters)
        raise CommandError("--property must come with what the goal counts", Exit.USAGE)
    (kind,) = chosen
    value: str = getattr(counts, kind)
    if kind == "path":
        return PathGoal(value, property_filters=filters or None)
    if kind == "event":
        return _event(value, filters)
    pattern = None if value in ("", "*") else value
    return _CAPTURED[kind](pattern, property_filters=filters or None)


def _event(name: str, filters: tuple[PropertyFilter, ...]) -> EventGoal:
    # The pair is what every release knows.
    if len(filters) == 1:
        return EventGoal(name, filters[0].key, filters[0].value)
    return EventGoal(name, property_filters=filters or None)


def _property(text: str) -> PropertyFilter:
    """``plan=pro`` is text, and ``seats:=5`` a number or a boolean."""
    key, equals, value = text.partition("=")
    is_typed = key.endswith(":")
    key = key.removesuffix(":").strip()
    if not equals or not key:
        raise CommandError(
            f"--property must be a name and a value, such as plan=pro, got {text!r}", Exit.USAGE
        )
    if not is_typed:
        return PropertyFilter(key, value)
    try:
        typed = json.loads(value)
    except ValueError:
        typed = None
    if not isinstance(typed, (int, float)):  # a boolean is an int
        raise CommandError(
            f"--property with := must have a number, true or false, got {text!r}", Exit.USAGE
        )
    return PropertyFilter(key, typed)
