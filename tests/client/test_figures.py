"""The figures of a site: overviews, metrics, names of events, live users."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import frozen

from rybbit_async import (
    EndpointNotFoundError,
    EventName,
    Filter,
    InvalidParameterError,
    MetricRow,
    Overview,
    OverviewBucket,
    Paginator,
    RybbitWarning,
)
from rybbit_async.testing import RybbitServer, Store

from .conftest import Connect, Serve
from .helpers import END, LAYOUT, RELEASES, answer, lines

Query = Mapping[str, str]
SETTLED: dict[str, Any] = {"start_date": "2026-03-01", "end_date": "2026-03-30"}
LIVE: dict[str, Any] = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
FIGURES = {
    "sessions": 3307, "pages_per_session": 1.951617780465679, "bounce_rate": 43.15089204717266,
    "session_duration": 10, "pageviews": 6454, "users": "2669", "of_tomorrow": 7,
}  # fmt: skip


def path_of(server: RybbitServer, name: str) -> str:
    return f"/api/{name}/1" if LAYOUT[server.release] == "goals" else f"/api/sites/1/{name}"


both_layouts = pytest.mark.parametrize("release", ["2.2", "2.8"])


# --- overviews -----------------------------------------------------------------------------------


@both_layouts
async def test_an_overview(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    answer(server, path_of(server, "overview"), {"data": FIGURES})
    found = await connect(server).overview(1, **SETTLED, filters=[Filter.equals("country", "DE")])
    assert found == Overview(
        3307, 1.951617780465679, 43.15089204717266, 10.0, 6454, 2669, extra={"of_tomorrow": 7}
    )
    query = server.requests[-1].query
    assert {**query, "filters": json.loads(query["filters"])} == {
        "start_date": "2026-03-01",
        "end_date": "2026-03-30",
        "time_zone": "UTC",
        "filters": [{"parameter": "country", "type": "equals", "value": ["DE"]}],
    }


@pytest.mark.parametrize("release", RELEASES)
async def test_overviews_agree_with_sessions(serve: Serve, connect: Connect, release: str) -> None:
    client = connect(await serve(release))
    sessions = await client.sessions.iter(1, **SETTLED).collect()
    found = await client.overview(1, **SETTLED)
    assert (found.sessions, found.pageviews) == (
        len(sessions),
        sum(session.pageviews or 0 for session in sessions),
    )
    assert found.extra == {}
    days = await client.overview.series(1, bucket="day", time_zone="Asia/Tokyo", **SETTLED)
    tokyo = ZoneInfo("Asia/Tokyo")
    assert [row.time for row in days] == [
        datetime(2026, 3, day + 1, tzinfo=tokyo) for day in range(30)
    ]
    in_tokyo = await client.overview(1, time_zone="Asia/Tokyo", **SETTLED)
    assert sum(row.pageviews or 0 for row in days) == in_tokyo.pageviews


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_a_site_without_sessions(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    client = connect(await serve(release, store))
    found = await client.overview(1, **SETTLED)
    assert (found.sessions, found.pageviews, found.users) == (0, 0, 0)
    assert await client.live_users(1) == 0
    assert await client.events.names(1) == []


def series_of(*times: str) -> Any:
    return {"data": [{"time": time, **FIGURES} for time in times]}


@pytest.mark.parametrize(
    ("release", "name"),
    [("2.2", "overview-bucketed"), ("2.4", "overview-bucketed"), ("2.8", "overview/time-series")],
)
async def test_an_overview_by_time(serve: Serve, connect: Connect, release: str, name: str) -> None:
    server = await serve(release)
    for other in ("overview-bucketed", "overview/time-series"):
        rows = series_of("2026-03-01 00:00:00", "2026-03-02 00:00:00")
        answer(server, path_of(server, other), rows if other == name else None)
    client = connect(server)
    found = await client.overview.series(1, bucket="day", **SETTLED)
    assert [row.time for row in found] == [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2)]
    assert isinstance(found[0], OverviewBucket)
    assert (found[0].sessions, found[0].users) == (3307, 2669)
    assert server.requests[-1].query["bucket"] == "day"
    # The route is known from now on, also to a view of the client.
    server.requests.clear()
    await client.with_options(concurrency=2).overview.series(1)
    assert lines(server) == [f"GET {path_of(server, name)}"]
    assert dict(server.requests[0].query) == {"bucket": "hour", "time_zone": "UTC"}


async def test_an_overview_by_time_of_a_server_that_becomes_another_release(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.8")
    rows = series_of("2026-03-01 00:00:00")
    old = answer(server, path_of(server, "overview/time-series"), None)
    bucketed = answer(server, path_of(server, "overview-bucketed"), rows)
    client = connect(server)
    assert await client.overview.series(1)
    old.remove()
    bucketed.remove()
    answer(server, path_of(server, "overview-bucketed"), None)
    answer(server, path_of(server, "overview/time-series"), rows)
    assert await client.overview.series(1)
    assert lines(server)[-1] == "GET /api/sites/1/overview/time-series"


async def test_a_server_without_any_overview_by_time(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    for name in ("overview-bucketed", "overview/time-series"):
        answer(server, path_of(server, name), None)
    with pytest.raises(EndpointNotFoundError) as caught:
        await connect(server).overview.series(1)
    assert caught.value.route == "/api/sites/{site}/overview/time-series"


async def test_times_are_those_of_the_zone(serve: Serve, connect: Connect) -> None:
    """Clocks were set back at 3 o'clock of 25 October, so that 2 o'clock came twice."""
    server = await serve("2.8")
    day = "2026-10-25 "
    times = [f"{day}0{hour}:00:00" for hour in (0, 1, 2, 2, 3)]
    answer(server, path_of(server, "overview/time-series"), series_of(*times))
    zone = {"time_zone": "Europe/Berlin"}
    found = await connect(server).overview.series(
        1, bucket="hour", start_date="2026-10-25", end_date="2026-10-25", **zone
    )
    first = datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert [row.time.astimezone(UTC) for row in found] == [
        first + timedelta(hours=at) for at in range(5)
    ]
    assert {row.time.tzinfo for row in found} == {ZoneInfo("Europe/Berlin")}
    assert [row.time.hour for row in found] == [0, 1, 2, 2, 3]
    assert server.requests[-1].query["time_zone"] == "Europe/Berlin"


@pytest.mark.parametrize("bucket", ["days", "", None, 1])
async def test_buckets_are_checked(serve: Serve, connect: Connect, bucket: Any) -> None:
    server = await serve()
    client = connect(server)
    for series in (
        client.overview.series(1, bucket=bucket),
        client.goals.series(1, 1, bucket=bucket),
    ):
        with pytest.raises(InvalidParameterError, match="bucket must be 'day', 'fifteen_minutes'"):
            await series
    assert not server.requests


# --- metrics -------------------------------------------------------------------------------------


@frozen
class Counts:
    """The values of a parameter with their counts; on each page, equal counts are shuffled."""

    rows: tuple[tuple[Any, int], ...]

    def __call__(self, query: Query) -> Any:
        size, number = int(query["limit"]), int(query["page"])
        shuffled = random.Random(f"{size}-{number}").sample(self.rows, len(self.rows))
        shuffled.sort(key=lambda row: -row[1])
        page = shuffled[(number - 1) * size :][:size]
        rows = [
            {"value": value, "count": count, "percentage": 1, "pageviews": count,
             "pageviews_percentage": 0.5, "bounce_rate": self.rows.index((value, count))}
            for value, count in page
        ]  # fmt: skip
        return {"data": {"data": rows, "totalCount": len(self.rows)}}


MANY = Counts(tuple((f"/{at}", 1 + (at % 7 == 0)) for at in range(432)))


@both_layouts
@pytest.mark.parametrize("window", [SETTLED, LIVE], ids=["settled", "live"])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("size", [10, 100, 1000])
async def test_every_value_comes_once(
    serve: Serve, connect: Connect, release: str, size: int, ordered: bool, window: dict[str, Any]
) -> None:
    server = await serve(release)
    answer(server, path_of(server, "metric"), MANY)
    walk = connect(server).metric(1, "entry_page", page_size=size, ordered=ordered, **window)
    assert isinstance(walk, Paginator)
    rows = await walk.collect()
    assert sorted(row.value or "" for row in rows) == sorted(value for value, _ in MANY.rows)
    assert [row.count for row in rows] == [2] * 62 + [1] * 370
    assert walk.report.complete
    assert walk.report.reason is None
    asked = [one.query for one in server.requests if one.path == path_of(server, "metric")]
    assert len(asked) == walk.report.requests == (1 if size > 432 else 2)
    assert {one["parameter"] for one in asked} == {"entry_page"}


@pytest.mark.parametrize("release", ["2.2", "2.4", "2.6", "2.8"])
@pytest.mark.parametrize("size", [10, 1000])
async def test_every_page_of_a_busy_site_comes_once(
    serve: Serve, connect: Connect, busy: Store, release: str, size: int
) -> None:
    client = connect(await serve(release, busy))
    for parameter, pages in (("pathname", 60), ("entry_page", 30), ("utm_campaign", 1)):
        rows = await client.metric(1, parameter, page_size=size, **SETTLED).collect()
        assert len({(row.value, row.hostname) for row in rows}) == len(rows) == pages
        counts = [row.count for row in rows]
        assert counts == sorted(counts, reverse=True)
        assert sum(counts) == 60 * (2 if parameter == "pathname" else 1)


@pytest.fixture(scope="module")
def busy() -> Iterator[Store]:
    """60 sessions that enter at 30 pages, and have 30 second pages."""
    with Store() as made:
        site = made.add_site("one")
        for at in range(60):
            pages = [f"/{at % 30}", f"/{at % 30}/more"]
            made.add_session(site, end=END - timedelta(days=2), pages=pages, utm_campaign="0012")
        yield made


async def test_turning_pages_by_hand_loses_values() -> None:
    """So the test above tests something."""
    pages = [MANY({"limit": "100", "page": str(page)}) for page in range(1, 6)]
    assert len({row["value"] for page in pages for row in page["data"]["data"]}) < 432


@pytest.mark.parametrize("window", [SETTLED, LIVE], ids=["settled", "live"])
async def test_values_that_are_sent_as_one_number(
    serve: Serve, connect: Connect, window: dict[str, Any]
) -> None:
    """``"12"`` and ``"0012"`` are both sent as 12; text such as ``"Infinity"`` as null."""
    server = await serve()
    answer(
        server,
        path_of(server, "metric"),
        Counts(((12, 3), (None, 2), (12, 1), (1e21, 1), ("NaN", 1), ("x", 1))),
    )
    for size in (3, 1000):
        walk = connect(server).metric(1, "utm_campaign", page_size=size, **window)
        rows = await walk.collect()
        assert Counter(row.value for row in rows) == Counter(
            ["12", "12", None, "1e+21", "NaN", "x"]
        )
        assert walk.report.complete
        assert walk.report.reason is None


async def test_values_that_are_sent_as_one_number_with_one_count(
    serve: Serve, connect: Connect
) -> None:
    """In a settled window the other figures tell them apart, whichever comes first."""
    server = await serve()
    rows = [{"value": 12, "count": 1, "bounce_rate": rate} for rate in range(4)]

    def page(query: Query) -> Any:
        first = (int(query["page"]) - 1) * (size := int(query["limit"]))
        return {"data": {"data": (rows if size == 2 else rows[::-1])[first:][:size],
                         "totalCount": 4}}  # fmt: skip

    answer(server, path_of(server, "metric"), page)
    walk = connect(server).metric(1, "utm_campaign", page_size=2, **SETTLED)
    assert sorted(row.bounce_rate or 0 for row in await walk.collect()) == [0, 1, 2, 3]
    assert walk.report.reason is None


async def test_a_value_that_becomes_more_frequent_comes_once(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    rows = [("a", 9), ("b", 8), ("c", 7)]

    def page(query: Query) -> Any:
        made = Counts(tuple(rows))(query)
        rows[0] = ("a", rows[0][1] + 1)
        return made

    answer(server, path_of(server, "metric"), page)
    found = await connect(server).metric(1, "country", page_size=2, **LIVE).collect()
    assert [row.value for row in found] == ["a", "b", "c"]


async def test_a_list_that_is_longer_than_it_says_is_doubtful(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    body = Counts((("a", 2), ("b", 1)))
    answer(
        server,
        path_of(server, "metric"),
        lambda query: {"data": {**body(query)["data"], "totalCount": 3}},
    )
    walk = connect(server).metric(1, "country", **SETTLED)
    with pytest.warns(RybbitWarning, match="3"):
        assert len(await walk.collect()) == 2
    assert walk.report.doubtful


async def test_a_row_of_a_metric(serve: Serve, connect: Connect) -> None:
    server = await serve()
    sent = {"value": "/signup", "hostname": "shop.example.com", "count": 170, "percentage": 2.76,
            "pageviews": 180, "pageviews_percentage": 2, "time_on_page_seconds": 7,
            "bounce_rate": 0, "later": [1]}  # fmt: skip
    answer(server, path_of(server, "metric"), {"data": {"data": [sent], "totalCount": 1}})
    assert await connect(server).metric(1, "pathname").first() == MetricRow(
        "/signup", 170, 2.76, 180, 2.0, 0.0, 7.0, None, "shop.example.com", extra={"later": [1]}
    )


@pytest.mark.parametrize(
    ("parameter", "error"),
    [("contry", "did you mean 'country'"), ("", "must be 'browser'"), (None, "must be 'browser'")],
)
async def test_parameters_are_checked(
    serve: Serve, connect: Connect, parameter: Any, error: str
) -> None:
    server = await serve()
    with pytest.raises(InvalidParameterError, match=f"parameter must be.*{error}|{error}"):
        connect(server).metric(1, parameter)
    assert not server.requests


# --- others --------------------------------------------------------------------------------------


@both_layouts
async def test_names_of_events(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    rows = [{"eventName": "purchase", "count": 552}, {"eventName": 404, "count": "3"}]
    path = "/api/events/names/1" if release == "2.2" else "/api/sites/1/events/names"
    answer(server, path, {"data": rows})
    names = await connect(server).events.names(1, **SETTLED)
    assert names == [EventName("purchase", 552), EventName("404", 3)]
    assert server.requests[-1].query["end_date"] == "2026-03-30"


@both_layouts
async def test_live_users(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    answer(
        server,
        path_of(server, "live-user-count"),
        lambda query: {"count": int(query["minutes"]) + 1},
    )
    client = connect(server)
    assert await client.live_users(1) == 6
    assert await client.live_users(1, minutes=30) == 31
    with pytest.raises(InvalidParameterError, match="minutes must be 1 or more, got 0"):
        await client.live_users(1, minutes=0)
