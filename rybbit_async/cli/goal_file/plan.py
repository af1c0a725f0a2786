"""What would have to be created, changed and deleted so that sites have the goals of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from attrs import define, field, frozen

from ... import (
    APIStatusError,
    InvalidParameterError,
    NotFoundError,
    RybbitClient,
    Skipped,
)
from ...models import GOAL_CONFIGS
from ...parameters.common import NO_EVENTS
from ..exits import CommandError, Exit
from .content import Content, same_value, to_file, writable
from .entry import FileGoal
from .file import FileSite
from .matching import Double, Matching, StoredGoal, match

__all__ = ["Change", "Field", "Plan", "SitePlan", "Stored", "make_plan", "numbers_of", "read_goals"]

Site = TypeVar("Site", int, int | str)


@frozen
class Field:
    """A key of a file whose value changes; ``None`` where there is none."""

    name: str
    old: Any
    new: Any


@frozen
class Change:
    """A goal of the server that is to become as the file says."""

    goal: FileGoal
    old: StoredGoal
    fields: tuple[Field, ...]


@define
class SitePlan:
    """The plan of one site.

    Attributes:
        site: its number.
        creates: goals that are to be created.
        changes: goals that are to be changed.
        deletes: goals that are to be deleted.
        left: goals that only the server has, and that stay.
        unchanged: how many goals are as the file says.
        doubles: goals that the server has several times, the file once.
        refusals: why the file cannot be applied.
    """

    site: int
    creates: list[FileGoal] = field(factory=list[FileGoal])
    changes: list[Change] = field(factory=list[Change])
    deletes: list[StoredGoal] = field(factory=list[StoredGoal])
    left: list[StoredGoal] = field(factory=list[StoredGoal])
    unchanged: int = 0
    doubles: list[Double] = field(factory=list[Double])
    refusals: list[str] = field(factory=list[str])

    @property
    def size(self) -> int:
        """How many goals are written."""
        return len(self.creates) + len(self.changes) + len(self.deletes)


@frozen
class Plan:
    """The plans of all sites of a file."""

    sites: tuple[SitePlan, ...]

    @property
    def size(self) -> int:
        """How many goals are written."""
        return sum(one.size for one in self.sites)

    @property
    def refusals(self) -> list[str]:
        """Why the file cannot be applied."""
        return [text for one in self.sites for text in one.refusals]

    @property
    def deletes(self) -> int:
        """How many goals are deleted."""
        return sum(len(one.deletes) for one in self.sites)


@define
class Stored:
    """The goals that a site has, and those that the server cannot list."""

    goals: list[StoredGoal] = field(factory=list[StoredGoal])
    unreadable: list[Skipped] = field(factory=list[Skipped])


# --- reading -------------------------------------------------------------------------------------


async def numbers_of(client: RybbitClient, sites: Sequence[FileSite]) -> dict[int, FileSite]:
    """The sites of a file by their numbers.

    Raises:
        CommandError: a site stands in the file twice.
    """
    found: dict[int, FileSite] = {}
    for one in sites:
        number = int(one.site) if one.site.isdigit() and len(one.site) != 12 else None
        if number is None:
            number = (await client.sites.get(one.site)).site_id
        first = found.setdefault(number, one)
        if first is not one:
            must = f"site {number} must stand once in the file"
            where = first.place.rpartition(", ")[2]
            raise CommandError(f"{one.place}: {must}, and is in {where}, too", Exit.USAGE)
    return found


async def read_goals(client: RybbitClient, sites: Sequence[Site]) -> dict[Site, Stored]:
    """The goals of sites, by ``goal_id``.

    Raises:
        IncompleteWalkError: the list of a site changed all the time.
    """
    stored = {str(site): Stored() for site in sites}
    walk = client.goals.iter_all(list(sites), ordered=True, **NO_EVENTS)
    async for row in walk:
        stored[str(row.site)].goals.append(StoredGoal.of(row.goal))
    for skipped in walk.report.skipped:
        stored[str(skipped.site)].unreadable.append(skipped)
    if not walk.report.complete and not walk.report.skipped:
        raise CommandError(f"the goals cannot be told: {walk.report.reason}; try again")
    return {site: stored[str(site)] for site in sites}


# --- planning ------------------------------------------------------------------------------------


async def make_plan(client: RybbitClient, sites: Mapping[int, FileSite], *, prune: bool) -> Plan:
    """Compare the goals of a file with those of the server.

    Args:
        prune: whether goals are deleted that only the server has, or has several times.
    """
    stored = await read_goals(client, [*sites])
    plans: list[SitePlan] = []
    for number, site in sites.items():
        plan = _site_plan(number, site, stored[number], prune=prune)
        if _needs_properties(plan) and not _has_properties(stored[number].goals):
            plan.refusals += await _refused_properties(client, plan)
        plans.append(plan)
    return Plan(tuple(plans))


def _site_plan(number: int, site: FileSite, stored: Stored, *, prune: bool) -> SitePlan:
    plan = SitePlan(number)
    for one in stored.unreadable:
        plan.refusals.append(
            f"site {number} cannot be compared, since the server cannot list all of its goals, and "
            f"a goal of the file may be one of those: {one.error}"
        )
    if stored.unreadable:
        return plan
    matching = match(site.goals, stored.goals)
    plan.refusals += [f"{one.goal.place}: {one.text}" for one in matching.problems]
    for goal, old in matching.pairs:
        fields = tuple(_fields(old, goal))
        if not fields:
            plan.unchanged += 1
            continue
        plan.changes.append(Change(goal, old, fields))
    plan.creates = matching.new
    _settle_left(plan, matching, prune=prune)
    plan.refusals += _unwritable(plan)
    return plan


def _settle_left(plan: SitePlan, matching: Matching, *, prune: bool) -> None:
    plan.doubles = matching.doubles
    if prune:
        surplus = [one for double in matching.doubles for one in double.surplus]
        plan.deletes = sorted([*matching.left, *surplus], key=lambda goal: goal.goal_id)
        return
    plan.left = matching.left
    for double in matching.doubles:
        ids = " and ".join(str(one.goal_id) for one in (double.kept, *double.surplus))
        others = " and ".join(
            f"rybbit-async goals delete {plan.site} {one.goal_id}" for one in double.surplus
        )
        plan.refusals.append(
            f"goals {ids} of site {plan.site} have the same name and count the same: to keep only "
            f"the first, give --prune, or run {others}; to keep all of them, write each into the "
            "file with its id"
        )


def _fields(old: StoredGoal, goal: FileGoal) -> Iterator[Field]:
    if old.name != goal.name:
        yield Field("name", old.name, goal.name)
    if old.content.key == goal.content.key:
        return
    before, after = to_file(old.content), to_file(goal.content)
    if old.content.kind == goal.content.kind and "type" in {**before, **after}:
        before, after = dict(old.content.config), dict(goal.content.config)
    for name in dict.fromkeys([*before, *after]):
        was, will = before.get(name), after.get(name)
        if not same_value(was, will):
            yield Field(name, was, will)


def _unwritable(plan: SitePlan) -> Iterator[str]:
    """Why goals of the plan cannot be written."""
    changes = [(one.goal, one.old.content) for one in plan.changes]
    for goal, old in [*changes, *((goal, None) for goal in plan.creates)]:
        content = goal.content
        if old is not None and old.key == content.key:
            continue  # only its name changes
        if content.kind not in GOAL_CONFIGS:
            if old is None or old.kind != content.kind:
                known = ", ".join(GOAL_CONFIGS)
                yield (
                    f"{goal.place}: the type of a goal that is created, or that gets another type, "
                    f"must be one of {known}, got {content.kind!r}"
                )
            continue
        try:
            writable(content)
        except InvalidParameterError as error:
            yield f"{goal.place}: {error}"


# --- properties on servers that drop them --------------------------------------------------------


def _properties(content: Content) -> bool:
    return content.kind in GOAL_CONFIGS and "propertyFilters" in content.config


def _has_properties(goals: Sequence[StoredGoal]) -> bool:
    return any(_properties(goal.content) for goal in goals)


def _needs_properties(plan: SitePlan) -> list[FileGoal]:
    changed = [one.goal for one in plan.changes if one.goal.content.key != one.old.content.key]
    return [goal for goal in (*changed, *plan.creates) if _properties(goal.content)]


async def _refused_properties(client: RybbitClient, plan: SitePlan) -> list[str]:
    """Why ``properties`` cannot be applied, if the server drops them and reports no error.

    No answer tells that. The same servers (before 2.4) have no such list of events, or number its
    pages.
    """
    try:
        body = await client.request(
            "GET",
            "/api/sites/{site}/events",
            path_params={"site": plan.site},
            params={**NO_EVENTS, "page_size": 1},
        )
    except NotFoundError:
        drops = True
    except APIStatusError:
        drops = False  # a key that may not read events is one of a newer server
    else:
        drops = isinstance(body, dict) and "pagination" in body
    return [
        f"{goal.place}: this server (Rybbit before 2.4) drops properties and reports no error, so "
        "that every plan would have this change: use property, which it knows for events"
        for goal in _needs_properties(plan)
        if drops
    ]
