"""Overviews, their series, live users, and metrics."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from .conftest import NOW, Rig, Serve

DAY = {"start_date": "2026-11-24", "end_date": "2026-11-24", "time_zone": "UTC"}


async def data_of(rig: Rig, name: str, **query: object) -> Any:
    reply = await rig.get(rig.listed(name), query)
    assert reply.status == 200, reply.body
    return reply.json["data"]


def one(parameter: str, *values: object) -> str:
    return json.dumps([{"parameter": parameter, "type": "equals", "value": list(values)}])


# The overview


async def test_an_overview(rig: Rig) -> None:
    rig.store.add_session(rig.site, start=NOW, user_id="a", pages=["/a", "/b"], events=["e"])
    rig.store.add_session(rig.site, start=NOW, user_id="b")
    assert await data_of(rig, "overview") == {
        "sessions": 2,
        "pages_per_session": 1.5,
        "bounce_rate": 50,
        "session_duration": 10,
        "pageviews": 3,
        "users": 2,
    }


async def test_means_of_nothing_are_null(rig: Rig) -> None:
    figures = await data_of(rig, "overview")
    assert (figures["sessions"], figures["pageviews"], figures["users"]) == (0, 0, 0)
    assert figures["pages_per_session"] is figures["bounce_rate"] is None
    assert figures["session_duration"] is None


@pytest.mark.parametrize(("release", "users"), [("2.3", 2), ("2.4", 1)])
async def test_users_are_all_users_or_the_last_of_each_session(
    serve: Serve, release: str, users: int
) -> None:
    rig = await serve(release)
    for at, user in enumerate(("anonymous", "member")):
        start = NOW + timedelta(seconds=at)
        rig.store.add_session(rig.site, start=start, session_id="s", user_id=user)
    assert (await data_of(rig, "overview"))["users"] == users
    # The series counts all users on every release.
    series = "overview/time-series" if release == "2.8" else "overview-bucketed"
    assert [row["users"] for row in await data_of(rig, series, bucket="day")] == [2]


async def test_a_filter_on_events_leaves_the_pages_of_the_session(rig: Rig) -> None:
    rig.store.add_session(rig.site, start=NOW, pages=["/a", "/b", "/c"])
    figures = await data_of(rig, "overview", filters=one("pathname", "/b"))
    assert (figures["sessions"], figures["pageviews"], figures["session_duration"]) == (1, 1, 0)
    assert (figures["pages_per_session"], figures["bounce_rate"]) == (3, 0)


# Series


@pytest.mark.parametrize(
    ("release", "name", "other"),
    [
        ("2.2", "overview-bucketed", "overview/time-series"),
        ("2.6", "overview-bucketed", "overview/time-series"),
        ("2.7", "overview/time-series", "overview-bucketed"),
    ],
)
async def test_the_name_of_the_series(serve: Serve, release: str, name: str, other: str) -> None:
    rig = await serve(release)
    assert await data_of(rig, name) == []
    # On the older layout, `overview/time-series` reads like the overview of another site.
    assert (await rig.get(rig.listed(other))).status in {401, 404}
    wrong = await rig.get(rig.listed(name), {"bucket": "fortnight"})
    assert wrong.status == 500
    assert wrong.json["message"].startswith("[")


async def test_every_bucket_of_a_window_has_a_row_in_local_time(serve: Serve) -> None:
    rig = await serve("2.8")
    rig.store.add_session(rig.site, start=NOW, pages=["/", "/"], seconds_between=3600, user_id="u")
    zone = {**DAY, "time_zone": "Europe/Berlin"}
    rows = await data_of(rig, "overview/time-series", **zone, bucket="hour")
    # Until now, which is 13:00 there.
    assert [row["time"][11:13] for row in rows] == [f"{hour:02}" for hour in range(14)]
    zeros = dict.fromkeys(list(rows[0])[1:], 0)
    assert rows[0] == {"time": "2026-11-24 00:00:00", **zeros}
    assert rows[-1]["sessions"] == 1
    rig.clock.move(hours=2)
    rows = await data_of(rig, "overview/time-series", **zone)
    # Sessions count where they begin, page views and users where they are.
    figures = [(row["sessions"], row["pageviews"], row["users"]) for row in rows]
    assert figures[-3:] == [(1, 1, 1), (0, 1, 1), (0, 0, 0)]


async def test_buckets(serve: Serve) -> None:
    rig = await serve("2.8")
    rig.store.add_session(rig.site, start=NOW + timedelta(minutes=17))
    starts = {
        "minute": "2026-11-24 12:17:00",
        "five_minutes": "2026-11-24 12:15:00",
        "ten_minutes": "2026-11-24 12:10:00",
        "fifteen_minutes": "2026-11-24 12:15:00",
        "hour": "2026-11-24 12:00:00",
        "day": "2026-11-24 00:00:00",
        "week": "2026-11-22 00:00:00",
        "month": "2026-11-01 00:00:00",
        "year": "2026-01-01 00:00:00",
    }
    for bucket, start in starts.items():
        (row,) = await data_of(rig, "overview/time-series", bucket=bucket)
        assert row["time"] == start


async def test_live_users(rig: Rig) -> None:
    for minutes in (1, 2, 10):
        rig.store.add_session(rig.site, start=NOW - timedelta(minutes=minutes))
    reply = await rig.get(rig.listed("live-user-count"))
    assert reply.json == {"count": 2}
    assert (await rig.get(rig.listed("live-user-count"), {"minutes": 15})).json == {"count": 3}
    rig.clock.move(minutes=5)
    assert (await rig.get(rig.listed("live-user-count"))).json == {"count": 0}
    assert (await rig.get(rig.listed("live-user-count"), {"minutes": "x"})).status == 500


# Metrics


def two_browsers(rig: Rig) -> None:
    """A session that changes its browser, and one that does not and is one page view."""
    row = {"timestamp": NOW, "session_id": "s", "user_id": "u", "country": "\0\0"}
    rows = [{**row, "browser": browser} for browser in ("", "Chrome", "Safari", "Safari")]
    rig.store.add_events(
        rig.site, [{**row, "timestamp": NOW + timedelta(seconds=at)} for at, row in enumerate(rows)]
    )
    rig.store.add_session(rig.site, start=NOW, browser="Chrome")


@pytest.mark.parametrize(
    ("release", "rows"),
    [
        ("2.3", [("Chrome", 2, 66.67, 2, 50, 50), ("Safari", 1, 33.33, 2, 50, 0)]),
        ("2.4", [("Chrome", 2, 100, 2, 100, 50)]),
    ],
)
async def test_a_session_counts_for_each_value_or_once(
    serve: Serve, release: str, rows: list[tuple[object, ...]]
) -> None:
    rig = await serve(release)
    two_browsers(rig)
    found = await data_of(rig, "metric", parameter="browser")
    assert [tuple(row.values()) for row in found["data"]] == rows
    assert list(found["data"][0]) == [
        *("value", "count", "percentage", "pageviews", "pageviews_percentage", "bounce_rate")
    ]
    assert found["totalCount"] == len(rows)
    # An unknown country has no row.
    (country,) = (await data_of(rig, "metric", parameter="country"))["data"]
    assert country["value"] == "US"


async def test_metrics_of_pages(rig: Rig) -> None:
    rig.store.add_session(rig.site, start=NOW, pages=["/a", "/b", "/a"], hostname="one.example")
    by_key = {}
    for parameter in ("pathname", "entry_page", "exit_page"):
        rows = (await data_of(rig, "metric", parameter=parameter))["data"]
        by_key[parameter] = [
            (row["value"], row["count"], row["pageviews"], row["time_on_page_seconds"])
            for row in rows
        ]
        host = [] if rig.server.release == "2.2" else ["hostname"]
        assert list(rows[0])[:3] == ["value", *host, "count", "percentage"][:3]
    assert sorted(by_key["pathname"]) == [("/a", 1, 2, 5), ("/b", 1, 1, 10)]
    assert by_key["entry_page"] == [("/a", 1, 1, 10)]
    assert by_key["exit_page"] == [("/a", 1, 1, 0)]


async def test_metrics_of_titles_and_of_event_names(rig: Rig) -> None:
    rig.store.add_session(rig.site, start=NOW, page_title="404", pages=["/x"], events=["e", "e"])
    (title,) = (await data_of(rig, "metric", parameter="page_title"))["data"]
    assert list(title.items()) == [
        *(("value", 404), ("pathname", "/x"), ("count", 1), ("percentage", 100)),
        ("bounce_rate", 100),
    ]
    (event,) = (await data_of(rig, "metric", parameter="event_name"))["data"]
    assert event == {"value": "e", "count": 2, "percentage": 100}


@pytest.mark.parametrize(("release", "sorted_ties"), [("2.6", False), ("2.8", True)])
async def test_values_that_occur_equally_often(
    serve: Serve, release: str, sorted_ties: bool
) -> None:
    rig = await serve(release)
    values = [f"{at:02}-x" for at in range(20)]
    base = {"timestamp": NOW, "user_id": "u"}
    rig.store.add_events(
        rig.site,
        [{**base, "session_id": text, "tag": text, "pathname": f"/{text}"} for text in values],
    )

    async def walk(parameter: str) -> list[str]:
        pages = [
            (await data_of(rig, "metric", parameter=parameter, page=page, limit=5))["data"]
            for page in (1, 2, 3, 4)
        ]
        return [row["value"] for rows in pages for row in rows]

    assert (await walk("tag") == values) == sorted_ties
    # Some pages come twice and others never, on every release.
    assert len(set(await walk("entry_page"))) < 20


@pytest.mark.parametrize("release", ["2.6", "2.8"])
async def test_an_unknown_parameter_of_a_metric(serve: Serve, release: str) -> None:
    rig = await serve(release)
    for query in ({"parameter": "bogus"}, {"parameter": ""}, {}):
        reply = await rig.get(rig.listed("metric"), query)
        assert reply.status == 500
        start = "[" if release == "2.6" else "Cannot set property errors of"
        assert reply.json["message"].startswith(start)
