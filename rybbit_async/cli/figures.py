"""What ``goals summary``, ``goals series`` and ``goals compare`` do."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from .. import RybbitError, Site
from .charts import check_chart, series_chart
from .exits import CommandError, Exit
from .failures import explain
from .goals import by
from .names import find_site, find_sites, several_goals
from .options.filters import FilterOptions
from .options.output import ChartOptions, OutputOptions
from .options.window import Window, WindowOptions, days_before, month, now, parse_day, zone_of
from .output.rows import GoalAtTime, GoalInTwoTimes, SiteSummary
from .output.show import show
from .output.values import counted, goal_name
from .output.views import BUCKETS, COMPARISONS, SUMMARIES, comparisons_of_sites, trends_view
from .refusals import REFUSED, explained
from .run import Job
from .series import By, filled, of_calendar

__all__ = ["compare_goals", "show_series", "summarize"]

_USUAL: Final = "30d"
_SITES_AT_ONCE: Final = 4


async def summarize(
    job: Job,
    sites: Sequence[str],
    window: WindowOptions,
    filters: FilterOptions,
    output: OutputOptions,
) -> int | None:
    """One line for each site."""
    when = window.resolve(job.time_zone)
    wanted: Sequence[int | str] = await find_sites(job, sites)
    known = await _sites(job, required=not sites)
    chosen = filters.resolve()
    walk = job.client.goals.iter_all(
        wanted or "all", on_error="skip", filters=chosen, **when.common()
    )
    found: dict[int | str, list[Any]] = defaultdict(list)
    async for row in walk:
        found[row.site].append(row.goal)
    named = dict.fromkeys(_number(known, site) for site in wanted) if wanted else known
    found = {_number(known, site): goals for site, goals in found.items()}
    skipped = {_number(known, skip.site) for skip in walk.report.skipped}
    rows = [
        SiteSummary.of(_site(known, site), found.get(site, []))
        for site in named
        if site not in skipped or site in found
    ]
    if walk.report.skipped and not rows:  # a wrong key, for example
        raise walk.report.skipped[0].error
    rows.sort(key=lambda row: -row.conversions)
    await show(job, rows, SUMMARIES, output, caption=str(when), filtered=chosen)
    return Exit.PARTIAL if walk.report.doubtful else None


async def show_series(
    job: Job,
    site: str,
    goals: Sequence[str],
    bucket: By,
    window: WindowOptions,
    filters: FilterOptions,
    output: OutputOptions,
    chart: ChartOptions,
) -> int | None:
    """The conversions of goals over time: a line for each goal, or a row for each bucket."""
    draws = chart.chart is not None
    if draws:
        check_chart(chart)
    when = window.resolve(job.time_zone, last=_USUAL)
    filtered = filters.resolve()
    query: dict[str, Any] = {"filters": filtered, "time_zone": when.zone, **when.common()}
    key = await find_site(job, site)
    walk = job.client.goals.iter(key, **query)
    listed = {goal.goal_id: goal for goal in by("conversions", await walk.collect())}
    numbers = await several_goals(job, key, goals)
    wanted = sorted(numbers) or [*listed]
    found = await job.client.goals.series(key, wanted, bucket=bucket, compute=True, **query)
    rows = filled(found, wanted, bucket, when, job.now())
    names = {number: goal_name(goal) for number, goal in listed.items()}
    caption = f"by {bucket}, {when}"
    if words := of_calendar(bucket, when, job.now()):
        caption = f"{caption}; {words}"
    if draws:
        series_chart(chart, rows, names, title=f"Conversions, site {site}", caption=caption)
        job.terminal.message(f"{chart.chart}: {counted(len(wanted), 'goals')}")
    is_table = output.format(job.terminal.out_is_terminal) == "table" and output.columns is None
    if is_table:
        lines: dict[int, list[float]] = defaultdict(list)
        for row in rows:
            lines[row.goal_id].append(row.conversions)
        chosen = [listed[number] for number in listed if number in {*wanted}]
        await show(job, chosen, trends_view(lines), output, caption=caption, filtered=filtered)
    elif not draws or output.is_chosen or job.terminal.out_is_terminal:
        named = GoalAtTime.all_of(rows, names)
        zone = zone_of(when.zone)
        await show(job, named, BUCKETS, output, caption=caption, zone=zone, filtered=filtered)
    return Exit.PARTIAL if walk.report.doubtful else None


async def compare_goals(
    job: Job,
    sites: Sequence[str],
    against: str,
    window: WindowOptions,
    filters: FilterOptions,
    output: OutputOptions,
) -> int | None:
    """Each goal in two windows. A site that fails does not stop the others."""
    when = window.resolve(job.time_zone, last=_USUAL)
    other = _other(against, when)
    filtered = filters.resolve()
    windows: tuple[Any, Any] = (
        {"filters": filtered, **when.common()},
        {"filters": filtered, **other.common()},
    )
    for line in _unequal(when, other, job.now()):
        job.terminal.message(line)
    is_one = len(sites) == 1
    known: Mapping[int, Site] = {} if is_one else await _sites(job, required=not sites)
    wanted: Sequence[int | str] = await find_sites(job, sites) or [*known]
    turns = asyncio.Semaphore(_SITES_AT_ONCE)
    failures: list[Exception] = []

    async def compare(site: int | str) -> list[GoalInTwoTimes]:
        async with turns:
            try:
                found = await job.client.goals.compare(site, *windows)
                return [*map(GoalInTwoTimes.of, found)]
            except RybbitError as error:
                if is_one:
                    raise
                cause = await explained(job.client, error) if isinstance(error, REFUSED) else error
                failures.append(cause)
                job.terminal.warn(f"site {site}: {explain(cause)[0]}")
                return []

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(compare(site)) for site in wanted]
    rows = sorted(
        (row for task in tasks for row in task.result()),
        key=lambda row: (row.site_id or 0, -(row.conversions or 0), row.goal_id),
    )
    if failures and len(failures) == len(wanted):
        raise failures[0]
    names = {number: site.domain or site.name or str(number) for number, site in known.items()}
    view = COMPARISONS if is_one else comparisons_of_sites(names)
    caption = f"{when}, against {other}"
    await show(job, rows, view, output, caption=caption, filtered=filtered)
    return Exit.PARTIAL if failures else None


def _unequal(when: Window, other: Window, now: datetime) -> Iterator[str]:
    """What makes two times hard to compare."""
    for one in (when, other):
        today = now.astimezone(zone_of(one.zone)).date()
        if one.last is not None and one.last > today:
            yield f"{one}, is not over: today is {today}"
    if when.days() and other.days() and when.days() != other.days():
        yield f"the two times have {when.days():,} and {counted(other.days(), 'days')}"


def _other(against: str, when: Window) -> Window:
    """The window to compare with.

    Raises:
        CommandError: it is none.
    """
    if against == "before":
        return days_before(when)
    if against == "year":
        if when.first is None or when.last is None:
            raise CommandError(
                f"--against year must come with days, such as --last 30d, got {when}", Exit.USAGE
            )
        return Window(_year_before(when.first), _year_before(when.last), zone=when.zone)
    first, dots, last = against.partition("..")
    if dots:
        today = now().astimezone(zone_of(when.zone)).date()
        window = Window(
            parse_day("--against", first, today), parse_day("--against", last, today),
            zone=when.zone,
        )  # fmt: skip
        if window.first and window.last and window.first > window.last:
            raise CommandError(
                f"the first day of --against must not be after its last, got {against}", Exit.USAGE
            )
        return window
    try:
        return Window(*month("--against", against), zone=when.zone)
    except CommandError:
        raise CommandError(
            "--against must be before, year, a month such as 2024-01, or days such as "
            f"2024-01-01..2024-01-31, got {against!r}",
            Exit.USAGE,
        ) from None


def _year_before(day: date) -> date:
    if day.year == 1:
        raise CommandError(f"there is no year before {day}", Exit.USAGE)
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)


async def _sites(job: Job, *, required: bool) -> Mapping[int, Site]:
    """The sites that the key can read, by number.

    Args:
        required: whether the command needs them; servers before 2.3 do not let a key list them.
    """
    try:
        return {site.site_id: site for site in await job.client.sites.list()}
    except REFUSED:
        if required:
            raise
        return {}


def _number(known: Mapping[int, Site], site: int | str) -> int | str:
    """The number of a site, where it is known, so that no site comes twice."""
    return next((number for number, one in known.items() if one.identifier == site), site)


def _site(known: Mapping[int, Site], site: int | str) -> Site:
    for number, one in known.items():
        if site in (number, one.identifier):
            return one
    return Site(site_id=site if isinstance(site, int) else 0, identifier=str(site))
