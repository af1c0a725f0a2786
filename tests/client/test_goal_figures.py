"""Conversions of goals by time, and the change between two windows."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rybbit_async import (
    Change,
    CommonParameters,
    EndpointNotFoundError,
    Filter,
    GoalBucket,
    InvalidParameterError,
    NotFoundError,
    RybbitClient,
    RybbitWarning,
)
from rybbit_async.parameters.figures import Bucket
from rybbit_async.parameters.window import Days
from rybbit_async.resources.buckets import begin_of, days_of
from rybbit_async.testing import Store

from .conftest import Connect, Serve
from .helpers import END, World, lines

OLD = ("2025.06", "2.2", "2.4", "2.6")
"""Releases without the endpoint."""
WEEKS: Any = {
    "start_date": "2026-03-10", "end_date": "2026-04-30", "time_zone": "America/New_York",
}  # fmt: skip


def keys(rows: list[GoalBucket]) -> list[tuple[datetime, int]]:
    return [(row.time, row.goal_id) for row in rows]


async def test_a_series(serve: Serve, connect: Connect, world: World) -> None:
    server = await serve("2.8")
    client = connect(server)
    first, second = (await client.goals.list(1)).items[:2]
    rows = await client.goals.series(1, [first, second.goal_id, first], bucket="day", **WEEKS)
    assert server.requests[-1].query["goal_ids"] == f"{first.goal_id},{second.goal_id}"
    zone = ZoneInfo("America/New_York")
    assert {row.time.tzinfo for row in rows} == {zone}
    assert keys(rows) == sorted(keys(rows))
    assert rows[0].time == datetime(2026, 3, 10, tzinfo=zone)
    assert rows[0].conversion_rate == rows[0].conversions / rows[0].total_sessions
    assert {row.goal_id for row in rows} == {first.goal_id, second.goal_id}
    whole = await client.goals.get(1, first.goal_id, **WEEKS)
    of_first = [row for row in rows if row.goal_id == first.goal_id]
    # A session that lies in two days counts in both.
    assert 0 <= sum(row.total_sessions for row in of_first) - (whole.total_sessions or 0) < 5


async def test_a_series_of_all_time_is_in_utc(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server)
    goal = await client.goals.iter(1).first()
    assert goal is not None
    (row, *_) = await client.goals.series(1, goal)
    assert row.time.tzinfo is UTC or row.time.utcoffset() == timedelta()
    assert server.requests[-1].query["time_zone"] == "UTC"
    assert server.requests[-1].query["bucket"] == "hour"


async def test_a_series_of_no_goals(serve: Serve, connect: Connect) -> None:
    server = await serve()
    assert await connect(server).goals.series(1, []) == []
    assert not server.requests


@pytest.mark.parametrize("release", ["2.4", "2.8"])
async def test_a_goal_of_another_site(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    client = connect(await serve(release))
    early: Any = {"start_date": "2001-01-01", "end_date": "2001-01-31"}
    own, other = world.goal(None), world.second_goal
    for goals, window in (([own, other], WEEKS), ([other], WEEKS), ([own, other], early)):
        with pytest.raises(NotFoundError, match=f"goal {other} is not among"):
            await client.goals.series(1, goals, bucket="month", compute=True, **window)
    assert await client.goals.series(1, own, bucket="month", compute=True, **early) == []


@pytest.mark.parametrize("release", OLD)
async def test_a_release_without_the_endpoint_says_so(
    serve: Serve, connect: Connect, release: str
) -> None:
    server = await serve(release)
    with pytest.raises(EndpointNotFoundError, match="Pass compute=True to have it") as caught:
        await connect(server).goals.series(1, 1, **WEEKS)
    assert caught.value.route == "/api/sites/{site}/goals/time-series"
    assert not any("sessions" in line for line in lines(server))


FILTERED = {"filters": [Filter.equals("country", "US", "DE")]}


@pytest.mark.parametrize("release", ["2.2", "2.4"])
@pytest.mark.parametrize("bucket", ["day", "week", "month", "year"])
async def test_days_and_longer_are_computed_exactly(
    serve: Serve, connect: Connect, world: World, release: str, bucket: Bucket
) -> None:
    goals = [goal.goal_id for goal in world.store.goals(world.site)][:3]
    common: Any = {**WEEKS, **(FILTERED if bucket == "week" else {})}
    wanted = await connect(await serve("2.8")).goals.series(1, goals, bucket=bucket, **common)
    server = await serve(release)
    client = connect(server)
    assert wanted
    assert await client.goals.series(1, goals, bucket=bucket, compute=True, **common) == wanted
    days = {"day": 22, "week": 4, "month": 1, "year": 1}[bucket]  # up to today
    lists = [line for line in lines(server) if line.endswith(("/goals", "/goals/1"))]
    assert len(lists) <= days + 3


@pytest.mark.parametrize("bucket", ["hour", "fifteen_minutes", "day"])
@pytest.mark.parametrize("filtered", [False, True])
async def test_others_are_computed_from_sessions(
    serve: Serve, connect: Connect, world: World, bucket: Bucket, filtered: bool
) -> None:
    """Not exact for sessions that convert and lie in two buckets, and the warning says so."""
    goals = [goal.goal_id for goal in world.store.goals(world.site)][:3]
    common: Any = {"past_minutes_start": 6000, "past_minutes_end": 0}
    common |= FILTERED if filtered else {}
    wanted = await connect(await serve("2.8")).goals.series(1, goals, bucket=bucket, **common)
    client = connect(await serve("2.4"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = await client.goals.series(1, goals, bucket=bucket, compute=True, **common)
    assert keys(got) == keys(wanted)
    assert [row.total_sessions for row in got] == [row.total_sessions for row in wanted]
    wrong = sum(mine.conversions != row.conversions for mine, row in zip(got, wanted, strict=True))
    texts = [str(one.message) for one in caught if "of the conversions" in str(one.message)]
    assert len(texts) == len(caught) <= 1
    across = int(texts[0].removeprefix("compute=True: ").split()[0]) if texts else 0
    assert wrong <= 2 * across
    assert sum(row.conversions for row in got) > 10
    assert across < 20


async def test_a_session_in_two_hours(serve: Serve, connect: Connect, store: Store) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/thanks"}, name="Thanks")
    hour = END - timedelta(days=2)
    store.add_session(1, start=hour - timedelta(seconds=5), pages=["/", "/thanks"])
    client = connect(await serve("2.2", store))
    with pytest.warns(RybbitWarning, match="compute=True: 1 of the conversions are of"):
        rows = await client.goals.series(1, goal, compute=True)
    assert [(row.time, row.conversions, row.total_sessions) for row in rows] == [
        (hour - timedelta(hours=1), 0, 1),
        (hour, 1, 1),
    ]


async def test_a_site_without_sessions(serve: Serve, connect: Connect, store: Store) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/thanks"}, name="Thanks")
    client = connect(await serve("2.4", store))
    for bucket in ("hour", "day"):
        assert await client.goals.series(1, goal, bucket=bucket, compute=True, **WEEKS) == []
    future = {"start_date": "2027-01-01", "end_date": "2027-01-31"}
    assert await client.goals.series(1, goal, bucket="day", compute=True, **future) == []


# --- buckets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bucket", "begin"),
    [
        ("minute", "2026-10-25T02:47+01:00"),
        ("five_minutes", "2026-10-25T02:45+01:00"),
        ("ten_minutes", "2026-10-25T02:40+01:00"),
        ("fifteen_minutes", "2026-10-25T02:45+01:00"),
        ("hour", "2026-10-25T02:00+01:00"),
        ("day", "2026-10-25T00:00+02:00"),
        ("week", "2026-10-25T00:00+02:00"),
        ("month", "2026-10-01T00:00+02:00"),
        ("year", "2026-01-01T00:00+01:00"),
    ],
)
def test_where_a_bucket_begins(bucket: Bucket, begin: str) -> None:
    """On a Sunday whose second hour comes twice; this is in the second one."""
    moment = datetime(2026, 10, 25, 1, 47, 31, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin"))
    assert begin_of(bucket, moment).isoformat(timespec="minutes") == begin


def test_the_days_of_buckets() -> None:
    days = Days(date(2023, 12, 30), date(2024, 3, 2))
    whole: list[Bucket] = ["day", "week", "month", "year"]
    for bucket in whole:
        parts = [part for _, part in days_of(bucket, days, date(2030, 1, 1))]
        assert (parts[0].first, parts[-1].last) == days
        assert all(a.last + timedelta(days=1) == b.first for a, b in pairwise(parts))
        for begin, part in days_of(bucket, days, date(2030, 1, 1)):
            for day in part:
                noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
                assert begin_of(bucket, noon).date() == begin
    months = [begin for begin, _ in days_of("month", days, date(2024, 2, 5))]
    assert months == [date(2023, 12, 1), date(2024, 1, 1), date(2024, 2, 1)]
    assert not [*days_of("day", days, date(2023, 12, 29))]


# --- two windows ---------------------------------------------------------------------------------


async def compared(client: RybbitClient, window: Any, other: Any) -> list[tuple[Any, ...]]:
    return [
        (row.goal.name, row.conversions, row.sessions, row.rate)
        for row in await client.goals.compare(1, window, other)
    ]


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_two_windows(serve: Serve, connect: Connect, store: Store, release: str) -> None:
    store.add_goal(1, "path", {"pathPattern": "/thanks"}, name="Thanks")
    store.add_goal(1, "path", {"pathPattern": "/never"}, name="Never")
    for days, pages in ((2, "/thanks"), (2, "/thanks"), (2, "/thanks"), (2, "/"),
                        (9, "/thanks"), (9, "/thanks"), (9, "/")):  # fmt: skip
        store.add_session(1, end=END - timedelta(days=days), pages=[pages])
    client = connect(await serve(release, store))
    this = CommonParameters(start_date="2026-03-25", end_date="2026-03-30")
    last = CommonParameters(start_date="2026-03-18", end_date="2026-03-24")
    thanks, never = await compared(client, this, last)
    assert thanks == (
        "Thanks", Change(1, 0.5), Change(1, 1 / 3), Change(3 / 4 - 2 / 3, (3 / 4 - 2 / 3) / (2 / 3))
    )  # fmt: skip
    assert never == ("Never", Change(0, None), Change(1, 1 / 3), Change(0, None))
    only_greece = CommonParameters(**this, filters=[Filter.equals("country", "GR")])
    assert (await compared(client, only_greece, last))[0][1] == Change(-2, -1.0)
    (row, _) = await client.goals.compare(1, this, last)
    assert (row.goal.total_conversions, row.other.total_conversions) == (3, 2)


async def test_windows_are_checked(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    good = CommonParameters(start_date="2026-03-25", end_date="2026-03-30")
    wrong: list[tuple[Any, str]] = [
        ("2026-03", "other: expected CommonParameters"),
        ({"start_date": "2026-03-25"}, "must be given together"),
        ({"start_dte": "2026-03-25"}, "did you mean 'start_date'"),
    ]
    for other, error in wrong:
        with pytest.raises(InvalidParameterError, match=error):
            await client.goals.compare(1, good, other)
    assert not server.requests
