"""The list of a site's events, and their names."""

# ruff: noqa: SIM905 - a list of names reads best as words.

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from .conftest import NOW, Rig, Serve

NUMBERED_KEYS = (
    "timestamp event_name properties user_id pathname querystring hostname page_title referrer "
    "browser operating_system country device_type type"
).split()
KEYS = (
    "timestamp event_name properties session_id user_id identified_user_id pathname querystring "
    "hostname page_title referrer browser browser_version operating_system "
    "operating_system_version language country region city lat lon screen_width screen_height "
    "device_type type traits"
).split()
FAILED = {"error": "Failed to fetch events"}
DAY = {"start_date": "2026-11-24", "end_date": "2026-11-24", "time_zone": "UTC"}


async def body_of(rig: Rig, **query: object) -> dict[str, Any]:
    reply = await rig.get(rig.listed("events"), query)
    assert reply.status == 200, reply.body
    body: dict[str, Any] = reply.json
    return body


async def paths(rig: Rig, **query: object) -> list[str]:
    return [row["pathname"] for row in (await body_of(rig, **query))["data"]]


def visit(rig: Rig, path: str, second: int, **columns: Any) -> None:
    """An event so many seconds before now, which is 12:00:00."""
    rig.store.add_session(rig.site, start=NOW - timedelta(seconds=second), pages=[path], **columns)


def one(parameter: str, *values: object) -> str:
    return json.dumps([{"parameter": parameter, "type": "equals", "value": list(values)}])


async def test_the_keys_of_each_release_and_the_envelope(rig: Rig) -> None:
    visit(rig, "/", 0)
    body = await body_of(rig, **DAY)
    if rig.server.release == "2.2":
        assert list(body) == ["data", "pagination"]
        assert body["pagination"] == {"total": 1, "page": 1, "pageSize": 20, "totalPages": 1}
        assert list(body["data"][0]) == NUMBERED_KEYS
    else:
        assert list(body) == ["data", "cursor"]
        assert body["cursor"] == {"hasMore": False, "oldestTimestamp": "2026-11-24 12:00:00"}
        assert list(body["data"][0]) == KEYS


async def test_equal_events_come_twice_and_errors_never(rig: Rig) -> None:
    event = {"timestamp": NOW, "session_id": "s", "user_id": "u", "pathname": "/twice"}
    props = {"b": "a/b", "a": 1, "at": {"y": "ö"}}
    rig.store.add_events(rig.site, [{**event, "props": props}] * 2 + [{**event, "type": "error"}])
    first, second = (await body_of(rig, **DAY))["data"]
    assert first == second
    assert first["timestamp"] == "2026-11-24 12:00:00"
    # Properties are text: compact, sorted, with escaped slashes, and with numbers as text.
    assert first["properties"] == r'{"a":"1","at":{"y":"ö"},"b":"a\/b"}'


async def test_traits_are_an_object_or_null(serve: Serve) -> None:
    rig = await serve("2.8")
    rig.store.set_traits(rig.site, "ann", {"plan": "pro"})
    visit(rig, "/", 1)
    visit(rig, "/", 0, user_id="ann", identified_user_id="ann")
    rows = (await body_of(rig))["data"]
    assert [row["traits"] for row in rows] == [{"plan": "pro"}, None]


# By cursor


async def test_before_is_strictly_less_and_more_is_a_full_page(serve: Serve) -> None:
    rig = await serve("2.8")
    for second in (0, 1, 1, 2):
        visit(rig, f"/{second}", second)
    body = await body_of(rig, page_size=2)
    assert body["cursor"] == {"hasMore": True, "oldestTimestamp": "2026-11-24 11:59:59"}
    assert await paths(rig, before_timestamp="2026-11-24 11:59:59") == ["/2"]
    # A page that is full says that there is more, even if it is the last one.
    last = await body_of(rig, page_size=1, before_timestamp="2026-11-24 11:59:59")
    assert last["cursor"] == {"hasMore": True, "oldestTimestamp": "2026-11-24 11:59:58"}
    end = await body_of(rig, before_timestamp="2026-11-24 11:59:58")
    assert end == {"data": [], "cursor": {"hasMore": False, "oldestTimestamp": None}}
    none = await body_of(rig, page_size=0)
    assert none == {"data": [], "cursor": {"hasMore": True, "oldestTimestamp": None}}


async def test_forms_of_a_time(serve: Serve) -> None:
    rig = await serve("2.4")
    for hours in (0, 13):
        visit(rig, f"/{hours}", hours * 3600)
    for given in ("2026-11-24 12:00:00", "2026-11-24T12:00:00Z", "2026-11-24T13:00:00%2B01:00"):
        assert await paths(rig, before_timestamp=given.replace("%2B", "+")) == ["/13"]
    assert await paths(rig, before_timestamp="2026-11-24 12:00:00.500") == ["/0", "/13"]
    assert await paths(rig, before_timestamp="2026-11-24") == ["/13"]
    assert await paths(rig, before_timestamp="") == ["/0", "/13"]
    for wrong in ("x", "2026-11-31 00:00:00", "12:00:00"):
        reply = await rig.get(rig.listed("events"), {"before_timestamp": wrong})
        assert (reply.status, reply.json) == (500, FAILED)


async def test_the_start_of_the_window_counts_beside_before_and_its_end_does_not(
    serve: Serve,
) -> None:
    rig = await serve("2.8")
    for hours in (0, 24, 48):
        visit(rig, f"/{hours}", hours * 3600)
    window = {"start_date": "2026-11-23", "end_date": "2026-11-23", "time_zone": "UTC"}
    assert await paths(rig, **window) == ["/24"]
    assert await paths(rig, **window, before_timestamp="2026-11-25") == ["/0", "/24"]


async def test_minutes_and_exact_times_are_ignored(serve: Serve) -> None:
    rig = await serve("2.8")
    for hours in (0, 48):
        visit(rig, f"/{hours}", hours * 3600)
    exact = {"start_datetime": "2026-11-24 11:00:00", "end_datetime": "2026-11-24 13:00:00"}
    for release in ("2.4", "2.6", "2.8"):
        rig.server.release = release
        for window in ({"past_minutes_start": 60, "past_minutes_end": 0}, exact, {}):
            assert await paths(rig, **window) == ["/0", "/48"]


async def test_invalid_windows(serve: Serve) -> None:
    rig = await serve("2.8")
    visit(rig, "/", 0)
    for query in ({"start_date": "2026-11-24"}, {"past_minutes_start": 60}):
        rig.server.release = "2.8"
        assert (await rig.get(rig.listed("events"), query)).status == 400
        rig.server.release = "2.6"
        assert await paths(rig, **query) == ["/"]


async def test_since_gives_the_newest_500_without_a_cursor(serve: Serve) -> None:
    rig = await serve("2.8")
    for second in (0, 1):
        row = {"timestamp": NOW - timedelta(seconds=second), "session_id": "s", "user_id": "u"}
        rig.store.add_events(rig.site, [{**row, "pathname": f"/{second}"}] * 300)
    body = await body_of(rig, page_size=2, since_timestamp="2026-11-24 00:00:00")
    assert list(body) == ["data"]
    assert [row["pathname"] for row in body["data"]] == ["/0"] * 300 + ["/1"] * 200
    assert len(await paths(rig, since_timestamp="2026-11-24 11:59:59")) == 300


@pytest.mark.parametrize(("release", "fixed"), [("2.4", False), ("2.8", True)])
async def test_the_order_within_a_second(serve: Serve, release: str, fixed: bool) -> None:
    rig = await serve(release)
    event = {"timestamp": NOW, "session_id": "s", "user_id": "u"}
    rig.store.add_events(rig.site, [{**event, "pathname": f"/{at}"} for at in range(20)])
    orders = {tuple((await paths(rig, page_size=size))[:10]) for size in (20, 30, 40)}
    assert (len(orders) == 1) == fixed


@pytest.mark.parametrize(("release", "chosen"), [("2.6", ["/", "/"]), ("2.8", ["/"])])
async def test_a_filter_on_names_chooses_sessions_or_events(
    serve: Serve, release: str, chosen: list[str]
) -> None:
    rig = await serve(release)
    rig.store.add_session(rig.site, start=NOW, events=["signup"])
    visit(rig, "/other", 0)
    assert await paths(rig, filters=one("event_name", "signup")) == chosen
    assert await paths(rig, filters=one("pathname", "/other")) == ["/other"]


async def test_a_cap_on_the_size_of_a_page(serve: Serve) -> None:
    rig = await serve("2.8", cache_pages=False)
    rig.server.cap_page_size = 2
    for second in range(3):
        visit(rig, f"/{second}", second)
    body = await body_of(rig, page_size=100)
    assert (len(body["data"]), body["cursor"]["hasMore"]) == (2, True)


# By page


async def test_numbered_pages(serve: Serve) -> None:
    rig = await serve("2.2")
    for second in range(5):
        visit(rig, f"/{second}", second)
    body = await body_of(rig, **DAY, page=2, page_size=2)
    assert [row["pathname"] for row in body["data"]] == ["/2", "/3"]
    assert body["pagination"] == {"total": 5, "page": 2, "pageSize": 2, "totalPages": 3}
    ignored = {"before_timestamp": "2026-11-24 11:59:59", "since_timestamp": "x"}
    assert await paths(rig, **DAY, **ignored) == [f"/{second}" for second in range(5)]
    none = await body_of(rig, **DAY, page_size=0)
    assert none["pagination"] == {"total": 5, "page": 1, "pageSize": 0, "totalPages": None}
    for wrong in ({"page": "x"}, {"page_size": ""}):
        reply = await rig.get(rig.listed("events"), {**DAY, **wrong})
        assert (reply.status, reply.json) == (500, FAILED)


async def test_without_dates_numbered_pages_are_empty(serve: Serve) -> None:
    rig = await serve("2.2")
    visit(rig, "/", 0)
    for window in ({}, {"past_minutes_start": 60, "past_minutes_end": 0}):
        body = await body_of(rig, **window)
        assert body["data"] == []
        assert body["pagination"] == {"total": 0, "page": 1, "pageSize": 20, "totalPages": 0}
    assert await paths(rig, start_date="2026-01-01") == ["/"]  # all time


# Names


async def test_names_of_custom_events_most_frequent_first(rig: Rig) -> None:
    rig.store.add_session(rig.site, end=NOW, events=["rare", "often", "often"])
    rig.store.add_session(rig.site, start=NOW - timedelta(days=2), events=["old"])
    name = {"timestamp": NOW, "session_id": "s", "user_id": "u", "event_name": "TypeError"}
    rig.store.add_events(rig.site, [{**name, "type": "error"}])
    reply = await rig.get(rig.listed("events/names"), DAY)
    assert reply.json == {
        "data": [{"eventName": "often", "count": 2}, {"eventName": "rare", "count": 1}]
    }
