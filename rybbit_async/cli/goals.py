"""What ``goals list``, ``get``, ``create``, ``update`` and ``delete`` do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import evolve

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
from ..parameters.common import NO_EVENTS
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
_PATTERNS: Final[Mapping[type[GoalConfig], str]] = {
    PathGoal: "path_pattern",
    EventGoal: "event_name",
    OutboundGoal: "value_pattern",
    ButtonClickGoal: "value_pattern",
    FormSubmitGoal: "value_pattern",
    CopyGoal: "value_pattern",
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
    if config is None and counts.property:
        raise CommandError("--property must come with what the goal counts", Exit.USAGE)
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
    if _chosen(counts) or counts.property or counts.no_property:
        _config(counts)  # what is wrong is told before anything is read
        old = await job.client.goals.get(key, number, **NO_EVENTS)
        changes["config"] = _changed(counts, old)
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


def _config(counts: GoalOptions) -> GoalConfig | None:
    """What the options say that a goal counts; ``None`` if they do not say it.

    Raises:
        CommandError: they contradict each other.
    """
    chosen = _chosen(counts)
    if len(chosen) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in chosen)
        raise CommandError(f"a goal must count one kind of thing, got {flags}", Exit.USAGE)
    filters = tuple(map(_property, counts.property))
    if filters and counts.no_property:
        raise CommandError("--property and --no-property must not both be given", Exit.USAGE)
    if not chosen:
        return None
    (kind,) = chosen
    value: str = getattr(counts, kind)
    if kind == "path":
        return _with_properties(PathGoal(value), filters)
    if kind == "event":
        return _with_properties(EventGoal(value), filters)
    return _with_properties(_CAPTURED[kind](None if value in ("", "*") else value), filters)


def _with_properties(config: GoalConfig, filters: tuple[PropertyFilter, ...]) -> GoalConfig:
    """The same with these properties in place of its own."""
    changes: dict[str, Any] = {"property_filters": filters or None}
    if isinstance(config, EventGoal):
        changes |= {"property_key": None, "property_value": None}
        if len(filters) == 1:  # the pair is what every release knows
            (one,) = filters
            changes = {
                "property_filters": None,
                "property_key": one.key,
                "property_value": one.value,
            }
    changed: GoalConfig = evolve(config, **changes)
    return changed


def _changed(counts: GoalOptions, old: Goal) -> GoalConfig:
    """What a goal counts, with what the options say in place of what it is; the rest stays.

    Raises:
        CommandError: the rest cannot stay.
    """
    new, config = _config(counts), old.config
    if not isinstance(config, GoalConfig):
        raise CommandError(
            f"only the name of goal {old.goal_id} can be changed, since its type, "
            f"{old.goal_type}, is not known here"
        )
    properties = tuple(map(_property, counts.property))
    if new is None or type(new) is type(config):
        if new is not None:
            pattern = _PATTERNS[type(new)]
            config = evolve(config, **{pattern: getattr(new, pattern)})
        return _with_properties(config, properties) if properties or counts.no_property else config
    if _has_more(config) and not (properties or counts.no_property):
        raise CommandError(
            f"goal {old.goal_id} has properties, and is to count another kind of thing: give them "
            "again with --property, or remove them with --no-property",
            Exit.USAGE,
        )
    return new


def _has_more(config: GoalConfig) -> bool:
    names = ("property_key", "property_filters", "extra")
    return any(getattr(config, name, None) for name in names)


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
