"""The sessions of a goal."""

# ruff: noqa: SIM905 - a list of names is easier to read as words.

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import NOW, NUMBERED, Rig, Serve

KEYS = (
    "session_id user_id country region city language device_type browser browser_version "
    "operating_system operating_system_version screen_width screen_height referrer channel "
    "hostname page_title querystring utm_source utm_medium utm_campaign utm_term utm_content "
    "session_end session_start session_duration entry_page exit_page pageviews events errors "
    "outbound ip lat lon"
).split()


def everything(rig: Rig) -> int:
    return rig.store.add_goal(rig.site, "path", {"pathPattern": "/**"})


async def read(rig: Rig, goal: int, **query: object) -> list[dict[str, Any]]:
    reply = await rig.get(rig.sessions(goal), {"page": 1, **query})
    assert reply.status == 200, reply.body
    assert reply.json.keys() == {"data"}
    rows: list[dict[str, Any]] = reply.json["data"]
    return rows


async def test_the_documented_example(rig: Rig) -> None:
    goal = everything(rig)
    rig.store.add_session(
        rig.site,
        start=datetime(2026, 11, 20, 10, 15, tzinfo=UTC),
        session_id="small000000015",
        user_id="u000000000000015",
        pages=("/neg",),
        country="\0\0",
        city="1770",
        language="de-DE",
        device_type="Mobile",
        browser_version="120",
        operating_system_version="14",
        referrer="https://www.google.com/",
        channel="Organic Search",
        page_title="-7",
        querystring="?utm_source=x&utm_campaign=0012",
        utm_source="x",
        utm_campaign="0012",
        lat=-24.16,
        lon=151.88,
    )
    (session,) = await read(rig, goal)
    expected = {
        "session_id": "small000000015",
        "user_id": "u000000000000015",
        "country": "\0\0",
        "region": "",
        "city": 1770,
        "language": "de-DE",
        "device_type": "Mobile",
        "browser": "Chrome",
        "browser_version": 120,
        "operating_system": "macOS",
        "operating_system_version": 14,
        "screen_width": 1920,
        "screen_height": 1080,
        "referrer": "https://www.google.com/",
        "channel": "Organic Search",
        "hostname": "shop.example.com",
        "page_title": -7,
        "querystring": "?utm_source=x&utm_campaign=0012",
        "utm_source": "x",
        "utm_medium": "",
        "utm_campaign": 12,
        "utm_term": "",
        "utm_content": "",
        "session_end": "2026-11-20 10:15:00",
        "session_start": "2026-11-20 10:15:00",
        "session_duration": 0,
        "entry_page": "/neg",
        "exit_page": "/neg",
        "pageviews": 1,
        "events": 0,
        "errors": 0,
        "outbound": 0,
        "ip": None,
        "lat": -24.16,
        "lon": 151.88,
    }
    if rig.server.release != "2.2":
        assert session.pop("tag") == ""
    assert session == expected
    assert list(session) == KEYS
    assert len(KEYS) == 35


async def test_an_unknown_country_is_two_nul_characters_on_the_wire(rig: Rig) -> None:
    goal = everything(rig)
    rig.store.add_session(rig.site, start=NOW, country="\0\0")
    reply = await rig.get(rig.sessions(goal), {"page": 1})
    assert b'"country":"\\u0000\\u0000"' in reply.body


NUMERIC = [
    ("404", b"404"),
    ("00123", b"123"),
    ("0x1F", b"31"),
    ("0b11", b"3"),
    ("0o17", b"15"),
    ("1e5", b"100000"),
    ("   ", b"0"),
    ("\u00a0\ufeff", b"0"),
    (" 12\n", b"12"),
    ("14.0", b"14"),
    ("17.4", b"17.4"),
    (".5", b"0.5"),
    ("5.", b"5"),
    ("-7", b"-7"),
    ("+7", b"7"),
    ("12345678901234567890", b"12345678901234567000"),
    ("99999999999999999999", b"100000000000000000000"),
    ("1e400", b"null"),
    ("Infinity", b"null"),
    ("-Infinity", b"null"),
    ("NaN", b'"NaN"'),
    ("10.15.7", b'"10.15.7"'),
    ("", b'""'),
    ("1_000", b'"1_000"'),
    ("-0x1F", b'"-0x1F"'),
    ("\u0664\u0660\u0664", '"\u0664\u0660\u0664"'.encode()),
    ("infinity", b'"infinity"'),
    ("1,5", b'"1,5"'),
]


async def test_text_that_looks_numeric_arrives_as_a_number(rig: Rig) -> None:
    goal = everything(rig)
    rows = [
        {
            "timestamp": NOW - timedelta(seconds=at),
            "session_id": f"s{at}",
            "user_id": "u",
            "page_title": text,
        }
        for at, (text, _) in enumerate(NUMERIC)
    ]
    rig.store.add_events(rig.site, rows)
    reply = await rig.get(rig.sessions(goal), {"page": 1, "limit": 100})
    sent = reply.body.split(b'{"session_id":')[1:]
    for (text, wire), row in zip(NUMERIC, sent, strict=True):
        assert b'"page_title":' + wire + b"," in row, text


async def test_every_text_field_but_two_is_coerced(rig: Rig) -> None:
    numbers: dict[str, Any] = {
        name: "7"
        for name in KEYS
        if not name.startswith(("session", "screen", "entry", "exit", "lat", "lon"))
        and name not in {"pageviews", "events", "errors", "outbound"}
    }
    goal = rig.store.add_goal(rig.site, "path", {"pathPattern": "7"})
    rig.store.add_session(rig.site, start=NOW, session_id="7", pages=("7",), **numbers)
    (session,) = await read(rig, goal)
    assert (session["session_id"], session["user_id"]) == ("7", "7")
    for name in (*numbers, "entry_page", "exit_page"):
        if name not in {"session_id", "user_id"}:
            assert session[name] == 7, name


async def test_a_session_is_the_sum_of_its_events(rig: Rig) -> None:
    goal = everything(rig)
    start = NOW - timedelta(hours=1)
    rig.store.add_session(
        rig.site,
        start=start,
        session_id="s",
        user_id="u",
        pages=("/a", "/b", "/c"),
        events=("signup", "buy"),
        seconds_between=7,
    )
    base = {"timestamp": start, "session_id": "s", "user_id": "u"}
    rows = [{**base, "type": kind} for kind in ("error", "outbound", "outbound")]
    rig.store.add_events(rig.site, rows)
    (session,) = await read(rig, goal)
    wanted = {
        "entry_page": "/a",
        "exit_page": "/c",
        "pageviews": 3,
        "events": 2,
        "errors": 1,
        "outbound": 2,
        "session_start": "2026-11-24 11:00:00",
        "session_end": "2026-11-24 11:00:28",
        "session_duration": 28,
    }
    assert {key: session[key] for key in wanted} == wanted


async def test_rows_are_per_session_and_user(rig: Rig) -> None:
    goal = rig.store.add_goal(rig.site, "event", {"eventName": "signup"})
    for user, events in (("anonymous", ()), ("member", ("signup",))):
        rig.store.add_session(rig.site, start=NOW, session_id="s", user_id=user, events=events)
    rows = await read(rig, goal)
    assert [row["session_id"] for row in rows] == ["s", "s"]
    assert {row["user_id"] for row in rows} == {"anonymous", "member"}
    (listed,) = (await rig.get(rig.goals())).json["data"]
    assert (listed["total_conversions"], listed["total_sessions"]) == (1, 1)


async def test_filters_are_ignored_altogether(rig: Rig) -> None:
    goal = everything(rig)
    rig.store.add_session(rig.site, start=NOW)
    for filters in ('[{"parameter":"country"}]', "not JSON", "["):
        assert len(await read(rig, goal, filters=filters)) == 1, filters


async def test_sorted_by_session_end_newest_first(rig: Rig) -> None:
    goal = everything(rig)
    for at in (3, 1, 2):
        rig.store.add_session(rig.site, end=NOW + timedelta(seconds=at), session_id=f"s{at}")
    assert [row["session_id"] for row in await read(rig, goal)] == ["s3", "s2", "s1"]
    # A session that gains an event moves to the head of the list.
    rig.store.add_session(
        rig.site,
        end=NOW + timedelta(minutes=1),
        session_id="s1",
        user_id=(await read(rig, goal))[2]["user_id"],
    )
    assert [row["session_id"] for row in await read(rig, goal)] == ["s1", "s3", "s2"]


# Ties


async def walked(rig: Rig, goal: int, limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = 1
    while chunk := await read(rig, goal, page=page, limit=limit):
        rows += chunk
        page += 1
    return rows


@pytest.fixture
async def busy(serve: Serve) -> tuple[Rig, int]:
    """400 sessions, of which 130 end in one second and 100 in another."""
    rig = await serve("2.8")
    rows = []
    for at in range(400):
        second = 100 if at < 130 else 300 if at < 230 else 1000 + at
        moment = NOW - timedelta(seconds=second)
        rows.append({"timestamp": moment, "session_id": f"s{at}", "user_id": f"u{at}"})
    rig.store.add_events(rig.site, rows)
    return rig, everything(rig)


@pytest.mark.parametrize("limit", [25, 100])
async def test_a_walk_loses_and_doubles_rows_where_ties_straddle_pages(
    busy: tuple[Rig, int], limit: int
) -> None:
    rig, goal = busy
    rows = await walked(rig, goal, limit)
    counts = Counter(row["session_id"] for row in rows)
    assert len(rows) == 400
    assert len(counts) < 400
    # Each place has the session_end that it must have,
    (reply,) = [await read(rig, goal, limit=1000)]
    assert [row["session_end"] for row in rows] == [row["session_end"] for row in reply]
    assert len({row["session_id"] for row in reply}) == 400
    # and only rows of groups that cross the end of a page are lost.
    lost = {row["session_id"] for row in reply} - counts.keys()
    assert {int(name[1:]) for name in lost} <= set(range(230))


async def test_one_request_that_holds_the_whole_group_is_complete(busy: tuple[Rig, int]) -> None:
    rig, goal = busy
    for limit in (130, 230, 400):
        group = (await read(rig, goal, limit=limit))[:130]
        assert {row["session_id"] for row in group} == {f"s{at}" for at in range(130)}


async def test_the_same_request_gives_the_same_order(busy: tuple[Rig, int]) -> None:
    rig, goal = busy
    first = await read(rig, goal, limit=25, page=2)
    assert await read(rig, goal, limit=25, page=2) == first
    assert {row["session_id"] for row in await read(rig, goal, limit=50)} != {
        row["session_id"] for row in [*(await read(rig, goal, limit=25)), *first]
    }


async def test_without_ties_shuffled_a_walk_is_whole(busy: tuple[Rig, int]) -> None:
    rig, goal = busy
    rig.server.shuffle_ties = False
    rows = await walked(rig, goal, 25)
    assert len(rows) == len({row["session_id"] for row in rows}) == 400


# Paging


async def test_no_page(rig: Rig) -> None:
    goal = everything(rig)
    rig.store.add_session(rig.site, start=NOW)
    reply = await rig.get(rig.sessions(goal))
    if rig.server.release != "2.2":
        assert len(reply.json["data"]) == 1
    else:
        assert reply.status == 500


async def test_limits_are_as_asked_and_25_by_default(rig: Rig) -> None:
    goal = everything(rig)
    rows = [
        {"timestamp": NOW - timedelta(seconds=at), "session_id": f"s{at}", "user_id": "u"}
        for at in range(1200)
    ]
    rig.store.add_events(rig.site, rows)
    assert len(await read(rig, goal)) == 25
    for limit, expected in ((1, 1), (1000, 1000), (100_000, 1200), (0, 0)):
        assert len(await read(rig, goal, limit=limit)) == expected
    assert await read(rig, goal, page=2, limit=1200) == []
    rig.server.cap_page_size = 50
    assert len(await read(rig, goal, limit=1000)) == 50
    assert (await read(rig, goal, limit=1000, page=2))[0]["session_id"] == "s50"


async def test_an_invalid_page_or_limit_is_500(rig: Rig) -> None:
    goal = everything(rig)
    for query in (
        "page=1&limit=x",
        "page=x",
        "page=1.5",
        "page=1&page=2",
        "page=1&limit=1.5",
        "page=1&limit=1&limit=2",
    ):
        assert (await rig.get(rig.sessions(goal), query)).status == 500, query


async def test_unusual_pages(rig: Rig) -> None:
    goal = everything(rig)
    rows = [
        {"timestamp": NOW - timedelta(seconds=at), "session_id": f"s{at}", "user_id": "u"}
        for at in range(30)
    ]
    rig.store.add_events(rig.site, rows)

    async def ranks(query: str) -> list[int]:
        reply = await rig.get(rig.sessions(goal), query)
        assert reply.status == 200, reply.body
        return [int(row["session_id"][1:]) for row in reply.json["data"]]

    first = list(range(25))
    assert await ranks("page=") == first
    assert await ranks("page=0") == first
    assert await ranks("page=-1") == first
    assert await ranks("page=1&limit=") == first
    assert await ranks("page=1.5&limit=10") == list(range(5, 15))
    assert await ranks("page=1&limit=-1") == [29]


async def test_a_goal_of_another_site(rig: Rig) -> None:
    other = rig.store.add_site("second")
    goal = rig.store.add_goal(other, "path", {"pathPattern": "/"})
    reply = await rig.get(rig.sessions(goal), {"page": 1})
    assert (reply.status, reply.json) == (403, {"error": "Goal does not belong to this site"})


async def test_an_unknown_goal_and_a_goal_id_that_is_not_a_number(rig: Rig) -> None:
    reply = await rig.get(rig.sessions(99_999), {"page": 1})
    assert (reply.status, reply.json) == (404, {"error": "Goal not found"})
    assert (await rig.get(rig.sessions("abc"), {"page": 1})).status == 500


async def test_new_events_are_in_the_next_response(rig: Rig) -> None:
    goal = everything(rig)
    window = {"start_date": "2026-11-24", "end_date": "2026-11-24", "time_zone": "UTC"}
    for at in range(4):
        assert len(await read(rig, goal, **window)) == at
        rig.store.add_session(rig.site, end=NOW - timedelta(seconds=at))


# The series (2.7 and later)


async def test_time_series(serve: Serve) -> None:
    rig = await serve("2.8")
    goal, other = (
        rig.store.add_goal(rig.site, "path", {"pathPattern": f"/{name}"}) for name in "ab"
    )
    # 23:30 UTC is the next day in Paris.
    moment = datetime(2026, 11, 10, 23, 30, tzinfo=UTC)
    for minutes in (0, 1, 600):
        start = moment + timedelta(minutes=minutes)
        rig.store.add_session(rig.site, start=start, pages=("/a",))
    rig.store.add_session(rig.site, start=moment, pages=("/b",))
    path = rig.goals() + "/time-series"
    dates = {"start_date": "2026-11-01", "end_date": "2026-11-20", "time_zone": "Europe/Paris"}
    query = {**dates, "goal_ids": f"{goal},{other}", "bucket": "day"}
    assert (await rig.get(path, query)).json == {
        "data": [
            {
                "time": "2026-11-11 00:00:00",
                "goal_id": goal,
                "conversions": 3,
                "total_sessions": 4,
                "conversion_rate": 0.75,
            },
            {
                "time": "2026-11-11 00:00:00",
                "goal_id": other,
                "conversions": 1,
                "total_sessions": 4,
                "conversion_rate": 0.25,
            },
        ]
    }
    # A row for each goal in each bucket that has sessions, whether they convert or not.
    both = (await rig.get(path, {**query, "bucket": "hour"})).json["data"]
    assert [(row["time"], row["goal_id"], row["conversions"]) for row in both] == [
        ("2026-11-11 00:00:00", goal, 2),
        ("2026-11-11 00:00:00", other, 1),
        ("2026-11-11 10:00:00", goal, 1),
        ("2026-11-11 10:00:00", other, 0),
    ]
    hours = (await rig.get(path, {**dates, "goal_ids": goal})).json["data"]
    assert [(row["time"], row["conversions"]) for row in hours] == [
        ("2026-11-11 00:00:00", 2),
        ("2026-11-11 10:00:00", 1),
    ]
    assert (await rig.get(path, dates)).json == {"data": []}
    for bucket, first in (
        ("minute", "2026-11-11 00:30:00"),
        ("five_minutes", "2026-11-11 00:30:00"),
        ("ten_minutes", "2026-11-11 00:30:00"),
        ("fifteen_minutes", "2026-11-11 00:30:00"),
        ("week", "2026-11-08 00:00:00"),
        ("month", "2026-11-01 00:00:00"),
        ("year", "2026-01-01 00:00:00"),
    ):
        rows = (await rig.get(path, {**query, "bucket": bucket})).json["data"]
        assert rows[0]["time"] == first
    reply = await rig.get(path, {**query, "bucket": "fortnight"})
    assert (reply.status, reply.json) == (400, {"error": "Invalid bucket value: fortnight"})


@pytest.mark.parametrize("release", NUMBERED)
async def test_no_time_series_before_2_7(serve: Serve, release: str) -> None:
    rig = await serve(release)
    expected = {"2.2": 401, "2.7": 200, "2.8": 200, "2.9": 200}.get(release, 404)
    assert (await rig.get(rig.goals() + "/time-series")).status == expected
