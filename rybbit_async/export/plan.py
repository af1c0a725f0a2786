"""What there is to do, before it is done: the units, and about what they cost."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final

from attrs import evolve, field, frozen

from .. import Goal, IncompleteWalkError, Overview, RateLimitStatus, RybbitClient, RybbitError
from ..errors import (
    APIConnectionError,
    ClientClosedError,
    RateLimitError,
    without_traceback,
)
from ..walks.prefetch import SMALLEST_CAP
from .errors import ExportError
from .lists import GOALS_PAGE
from .manifest import Manifest, Series
from .report import REFUSALS, Failure
from .settings import Settings
from .settled import is_final
from .together import together
from .units import LISTS, Span, Unit, spans

__all__ = ["Found", "Plan", "SitePlan", "estimated", "find_sites", "make_plan"]

_AT_ONCE: Final = 4  # sites that are looked at at once
_DAY: Final = 86_400.0


@frozen
class Plan:
    """What an export has to do.

    Attributes:
        first, last: the days of the export, both included.
        units: what is to be exported, in this order.
        kept: how many units earlier runs have finished.
        failures: sites, and goals, that cannot be looked at.
        rows, requests: about how many; ``None`` if that was not asked for.
        limits: what the server says of its rate limit.
    """

    first: date
    last: date
    units: tuple[Unit, ...]
    kept: int = 0
    failures: tuple[Failure, ...] = ()
    rows: int | None = None
    requests: int | None = None
    limits: RateLimitStatus = field(factory=RateLimitStatus)

    @property
    def days(self) -> int | None:
        """On how many days the requests can be sent under the server's daily limit.

        ``None`` if the server tells no such limit.
        """
        daily = self.limits.daily
        if daily is None or self.requests is None or not daily.limit:
            return None
        return 1 + max(0, math.ceil((self.requests - daily.remaining) / daily.limit))

    @property
    def seconds(self) -> float | None:
        """About how long the server's limits make it last; ``None`` if it tells none."""
        if self.requests is None:
            return None
        daily, burst = self.limits.daily, self.limits.burst
        waits: list[float] = []
        if daily is not None and self.days is not None:
            waits.append(0.0 if self.days == 1 else daily.reset + (self.days - 2) * _DAY)
        if burst is not None and burst.limit > burst.remaining and burst.reset > 0:
            rate = (burst.limit - burst.remaining) / burst.reset
            waits.append(max(0.0, self.requests - burst.remaining) / rate)
        return max(waits, default=None)

    def __str__(self) -> str:
        kept = f" ({self.kept:,} are there)" if self.kept else ""
        parts = [f"{len(self.units):,} units{kept}"]
        if self.rows is not None:
            parts.append(f"about {self.rows:,} rows")
        if self.requests is not None:
            parts.append(f"about {self.requests:,} requests")
        text = ", ".join(parts)
        if (days := self.days) is not None and self.limits.daily is not None:
            limit = self.limits.daily.limit
            text += f"; the daily limit is {limit:,}: " + (
                "one day" if days == 1 else f"{days} days, resumable"
            )
        if self.seconds:
            text += f"; the limits make it last {_duration(self.seconds)} at least"
        return "\n".join([text, *(f"missing: {failure}" for failure in self.failures)])


def _duration(seconds: float) -> str:
    for size, name in ((_DAY, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{math.ceil(seconds)} seconds"


@frozen
class SitePlan:
    """What is known of a site.

    Attributes:
        site: its number.
        goals: the numbers of its goals, and how many sessions of the range have reached each.
    """

    site: int
    goals: Mapping[int, int]


@frozen
class Found:
    """What there is on the server for an export.

    Attributes:
        now: the time of the server.
        first, last: the days of the export, both included.
        sites: the sites that can be looked at.
        failures: sites, and goals, that cannot.
    """

    now: datetime
    first: date
    last: date
    sites: tuple[SitePlan, ...]
    failures: tuple[Failure, ...]


def make_plan(settings: Settings, manifest: Manifest, found: Found, series: Series) -> Plan:
    """The units of an export, without those that are finished.

    Those that no run has finished come first, and then those that are to be read again: so runs
    that are interrupted come to the end of the former.

    Args:
        series: that of the run.
    """
    windows = [*spans(found.first, found.last, settings.partition)]
    units: list[Unit] = []
    again: list[Unit] = []
    kept = 0
    for site in found.sites:
        for unit in _units(settings, site, windows):
            record = manifest.of(unit)
            if record is None:
                units.append(unit)
                continue
            # A window that an earlier range had cut is read as far as either range goes.
            both = evolve(
                unit,
                first=min(unit.first, record.unit.first),
                last=max(unit.last, record.unit.last),
            )
            if both == record.unit and is_final(record, settings, series):
                kept += 1
            else:
                (again if record.state == "done" else units).append(both)
    return Plan(found.first, found.last, (*units, *again), kept, found.failures)


def _units(settings: Settings, site: SitePlan, windows: Iterable[Span]) -> Iterable[Unit]:
    for name in LISTS:
        if name in settings.what:
            for goal in site.goals if name == "goal_sessions" else [None]:
                for one in windows:
                    yield Unit(name, site.site, goal, one.window, one.first, one.last)


# --- looking at the server ----------------------------------------------------------------------


async def find_sites(
    client: RybbitClient, settings: Settings, now: datetime, *, goals: bool
) -> Found:
    """The sites with their goals, and those that cannot be looked at.

    Args:
        now: the time of the server.
        goals: whether the goals have to be known.

    Raises:
        RybbitError: the key cannot list its sites, or read none of them.
    """
    first, last = settings.days(now)
    if settings.sites is None:
        organizations = await client.organizations.list()
        numbers = [site.site_id for one in organizations for site in one.sites]
        sites = [str(number) for number in dict.fromkeys(numbers)]
        if not sites:
            raise ExportError(
                "the server lists no site that the key can read: name each site instead"
            )
    else:
        sites = [*settings.sites]

    async def look(site: str) -> tuple[SitePlan | None, list[Failure]]:
        return await _look(client, settings, site, first, last, goals=goals)

    looked = await together(look, sites, _AT_ONCE)
    plans = {plan.site: plan for plan, _ in looked if plan is not None}
    failures = tuple(failure for _, many in looked for failure in many)
    if failures and not plans:
        raise failures[0].error
    return Found(now, first, last, tuple(plans.values()), failures)


async def _look(
    client: RybbitClient, settings: Settings, site: str, first: date, last: date, *, goals: bool
) -> tuple[SitePlan | None, list[Failure]]:
    failures: list[Failure] = []
    found: list[Goal] = []
    number: int | None = None
    try:
        number = int(site) if site.isdigit() else (await client.sites.get(site)).site_id
        if not goals:
            return SitePlan(number, {}), []
        walk = client.goals.iter(
            number, start_date=first, end_date=last, time_zone=settings.time_zone, strict=True
        )
        try:
            async for page in walk.pages():
                found += page
        except IncompleteWalkError as error:
            failures += [
                Failure(number, None, one.goal, without_traceback(one.error))
                for one in error.report.skipped
            ] or [Failure(number, None, None, without_traceback(error))]
    except RybbitError as error:
        if _concerns_all(error):
            raise
        failures.append(Failure(site, None, None, without_traceback(error)))
        if number is None or isinstance(error, REFUSALS):
            return None, failures
        # Only its goals are not known: the other lists of the site may be there.
    numbers = {goal.goal_id: goal.total_conversions or 0 for goal in found}
    # The sessions of a goal may be there although the list fails over the goal.
    numbers |= {one.goal: 0 for one in failures if one.goal is not None}
    return SitePlan(number, dict(sorted(numbers.items()))), failures


def _concerns_all(error: RybbitError) -> bool:
    """Whether an error would meet every other site as well."""
    unreachable = isinstance(error, APIConnectionError) and not error.sent
    return unreachable or isinstance(error, (ClientClosedError, RateLimitError))


async def estimated(
    client: RybbitClient, settings: Settings, plan: Plan, sites: Iterable[SitePlan]
) -> Plan:
    """The plan, with about how many rows and requests its units take."""
    by_site = {site.site: site for site in sites}
    windows = len([*spans(plan.first, plan.last, settings.partition)])

    async def look(site: int) -> Overview | None:
        try:
            return await client.overview(
                site,
                start_date=plan.first,
                end_date=plan.last,
                time_zone=settings.time_zone,
                filters=settings.filters,
                segment_id=settings.segment_id,
            )
        except RybbitError as error:
            if _concerns_all(error):
                raise
            return None  # the units fail by themselves

    wanted = sorted({unit.site for unit in plan.units})
    figures = dict(zip(wanted, await together(look, wanted, _AT_ONCE), strict=True))
    rows = requests = 0
    for unit in plan.units:
        count = _rows(unit, figures[unit.site], by_site[unit.site], windows)
        size = min(settings.page_size, GOALS_PAGE if unit.list == "goals" else sys.maxsize)
        rows += round(count)
        requests += max(1, math.ceil(count / size)) + _beyond_the_end(unit, count)
    return evolve(plan, rows=rows, requests=requests, limits=client.rate_limit)


def _beyond_the_end(unit: Unit, rows: float) -> int:
    """How many requests a walk needs to be certain of the end of a list without a total."""
    return int(rows >= SMALLEST_CAP and unit.list in ("goal_sessions", "sessions"))


def _rows(unit: Unit, figures: Overview | None, site: SitePlan, windows: int) -> float:
    """About how many rows a unit has, if those of the range are spread evenly."""
    if unit.list == "goals":
        return len(site.goals)
    if unit.goal is not None:
        return site.goals[unit.goal] / windows
    if figures is None:
        return 0
    sessions = figures.sessions / windows
    if unit.list == "sessions":
        return sessions
    if unit.list == "users":
        return min(sessions, figures.users or 0)
    return (figures.pageviews or 0) / windows
