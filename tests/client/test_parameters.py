"""Common parameters and filters that servers answer wrongly, and what the client does about them.

Whatever a server answers with data of all time or with a bare 500 is either rejected before
anything is sent, or sent in a form that works on every release. Each case is first sent raw, to
show that the server does answer it wrongly.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from rybbit_async import (
    AuthenticationError,
    Filter,
    InvalidParameterError,
    PathGoal,
    RybbitWarning,
    ServerError,
)
from rybbit_async.testing import RybbitServer, Store

from .conftest import Connect, Serve
from .helpers import END, RELEASES, World, raw, raw_path

every_release = pytest.mark.parametrize("release", RELEASES)
OLD = ("2.2", "2.4")

# --- time ---------------------------------------------------------------------------------------

MARCH: dict[str, Any] = {"start_date": "2026-03-01", "end_date": "2026-03-31"}

# What is given, and how 2.2 answers it when it is sent raw: "all" is 200 with data of all time,
# a small number is 200 with so many conversions, and 500 is the status.
TIME_LINES: list[tuple[str, dict[str, Any], Any]] = [
    ("only start_date", {"start_date": "2026-03-01", "time_zone": "UTC"}, "all"),
    ("only end_date", {"end_date": "2026-03-31", "time_zone": "UTC"}, "all"),
    ("a bad date", {**MARCH, "start_date": "2026-3-1", "time_zone": "UTC"}, "all"),
    ("a date with a time", {**MARCH, "start_date": "2026-03-01T00:00", "time_zone": "UTC"}, "all"),
    ("no date", {**MARCH, "end_date": "today", "time_zone": "UTC"}, "all"),
    ("an unknown zone", {**MARCH, "time_zone": "Mars/Olympus"}, "all"),
    ("an offset", {**MARCH, "time_zone": "+02:00"}, "all"),
    ("minutes reversed", {"past_minutes_start": 5, "past_minutes_end": 60}, "all"),
    ("minutes equal", {"past_minutes_start": 60, "past_minutes_end": 60}, "all"),
    ("only past_minutes_start", {"past_minutes_start": 60}, "all"),
    ("only past_minutes_end", {"past_minutes_end": 0}, "all"),
    ("minutes below zero", {"past_minutes_start": 60, "past_minutes_end": -1}, "all"),
    ("minutes with a fraction", {"past_minutes_start": 60.5, "past_minutes_end": 0}, "all"),
    (
        "exact datetimes",
        {"start_datetime": "2026-03-01 00:00:00", "end_datetime": "2026-03-02 00:00:00"},
        "all",
    ),
    ("utc in lower case", {**MARCH, "time_zone": "utc"}, 500),
    ("a zone in the wrong case", {**MARCH, "time_zone": "america/new_york"}, 500),
    ("end before start", {"start_date": "2026-03-31", "end_date": "2026-03-01"}, 0),
    ("30 February", {"start_date": "2026-02-30", "end_date": "2026-03-31"}, 2),
    ("31 November", {"start_date": "2025-11-31", "end_date": "2026-03-31"}, 2),
    ("32 November", {"start_date": "2025-11-32", "end_date": "2026-03-31"}, "all"),
    ("29 February of 2025", {"start_date": "2025-02-29", "end_date": "2026-03-31"}, 2),
    (
        "dates and minutes",
        {**MARCH, "time_zone": "UTC", "past_minutes_start": 5, "past_minutes_end": 0},
        2,
    ),
]


@pytest.fixture
def timed(store: Store) -> Store:
    """Two sessions this March, one of years ago."""
    store.add_goal(1, "path", {"pathPattern": "/"})
    moments = (
        END - timedelta(minutes=30),
        END - timedelta(days=20),
        datetime(2020, 1, 1, tzinfo=UTC),
    )
    store.add_events(
        1,
        [
            {"timestamp": moment, "session_id": f"s{at}", "user_id": "u"}
            for at, moment in enumerate(moments)
        ],
    )
    return store


async def test_windows_that_a_server_misreads_are_not_sent(
    serve: Serve, connect: Connect, timed: Store
) -> None:
    server = await serve("2.2", timed)
    client = connect(server)
    for case, given, said in TIME_LINES:
        on_the_wire = {name: str(value) for name, value in given.items()}
        if "start_date" in given and "end_date" in given:
            on_the_wire.setdefault("time_zone", "UTC")
        if said == 500:
            with pytest.raises(ServerError):
                await raw(client, "/api/goals/1", **on_the_wire)
        else:
            (row,) = (await raw(client, "/api/goals/1", **on_the_wire))["data"]
            assert row["total_conversions"] == (3 if said == "all" else said), case
        server.requests.clear()
        for call in (
            client.goals.list(1, **given),
            client.goals.get(1, 101, **given),
            client.goals.sessions.list(1, 101, **given),
        ):
            with pytest.raises(InvalidParameterError) as caught:
                await call
            assert any(name in str(caught.value) for name in given), case
        with pytest.raises(InvalidParameterError):
            client.goals.iter(1, **given)
        with pytest.raises(InvalidParameterError):
            client.goals.sessions.iter(1, 101, **given)
        assert not server.requests, case


@every_release
async def test_dates_without_a_zone_are_sent_with_one(
    serve: Serve, connect: Connect, timed: Store, release: str
) -> None:
    server = await serve(release, timed)
    client = connect(server)
    if release in OLD:
        (row,) = (await raw(client, raw_path(release, 1), **MARCH))["data"]
        assert row["total_conversions"] == 3  # of all time
    (goal,) = await client.goals.list(1, **MARCH)
    assert goal.total_conversions == 2
    assert len(await client.goals.sessions.list(1, goal, **MARCH)) == 2
    assert server.requests[-1].query["time_zone"] == "UTC"


@every_release
async def test_dates_are_days_of_their_zone(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    store.add_goal(1, "path", {"pathPattern": "/"})
    store.add_session(1, end=datetime(2026, 3, 9, 23, 30, tzinfo=UTC))
    client = connect(await serve(release, store))
    found = {}
    for zone in ("America/New_York", "UTC", "Europe/Berlin"):
        day = date(2026, 3, 9)
        (goal,) = await client.goals.list(1, start_date=day, end_date=day, time_zone=zone)
        found[zone] = goal.total_conversions
    assert found == {"America/New_York": 1, "UTC": 1, "Europe/Berlin": 0}


@every_release
async def test_a_zone_alone_changes_nothing(
    serve: Serve, connect: Connect, timed: Store, release: str
) -> None:
    client = connect(await serve(release, timed))
    (goal,) = await client.goals.list(1, time_zone="Asia/Tokyo")
    assert goal.total_conversions == 3


@every_release
async def test_minutes_count_back_from_each_request(
    serve: Serve, connect: Connect, timed: Store, release: str
) -> None:
    now = END
    server = await serve(release, timed, clock=lambda: now)
    client = connect(server)
    (goal,) = await client.goals.list(1, past_minutes_start=45, past_minutes_end=0)
    assert goal.total_conversions == 1
    now += timedelta(minutes=30)
    (goal,) = await client.goals.list(1, past_minutes_start=45, past_minutes_end=0)
    assert goal.total_conversions == 0
    assert len(await client.goals.sessions.list(
        1, goal, past_minutes_start=61, past_minutes_end=59
    )) == 1  # fmt: skip


# --- filters ------------------------------------------------------------------------------------

BAD_FILTERS: list[tuple[str, dict[str, Any]]] = [
    ("an unknown parameter", {"parameter": "planet", "type": "equals", "value": ["a"]}),
    ("an unknown type", {"parameter": "country", "type": "like", "value": ["a"]}),
    ("no value", {"parameter": "country", "type": "equals", "value": []}),
    ("a scalar value", {"parameter": "country", "type": "equals", "value": "US"}),
    ("null in the value", {"parameter": "country", "type": "equals", "value": [None]}),
    ("a boolean in the value", {"parameter": "country", "type": "equals", "value": [True]}),
    ("an object in the value", {"parameter": "country", "type": "equals", "value": [{}]}),
    ("an invalid regex", {"parameter": "pathname", "type": "regex", "value": ["("]}),
    ("a regex of over 500", {"parameter": "pathname", "type": "regex", "value": ["a" * 501]}),
    ("a regex with look-ahead", {"parameter": "pathname", "type": "regex", "value": ["a(?=b)"]}),
    ("a regex with a reference", {"parameter": "pathname", "type": "regex", "value": [r"(a)\1"]}),
    ("more than a text", {"parameter": "lat", "type": "greater_than", "value": ["north"]}),
]


# The validator of 2.8, whose error handling fails, finds the others.
FOUND_BY_THE_DATABASE = {
    "no value",
    "an invalid regex",
    "a regex of over 500",
    "a regex with look-ahead",
    "a regex with a reference",
    "more than a text",
}


@every_release
async def test_a_filter_that_servers_answer_with_500_is_not_sent(
    serve: Serve, connect: Connect, release: str
) -> None:
    server = await serve(release)
    client = connect(server)
    for name, bad in BAD_FILTERS:
        with pytest.raises(ServerError) as said:
            await raw(client, raw_path(release, 1), filters=json.dumps([bad]))
        if release == "2.8" and name not in FOUND_BY_THE_DATABASE:
            assert said.value.message.startswith("Cannot set property errors of"), name
        else:
            assert said.value.message == "Failed to fetch goals data", name
        server.requests.clear()
        with pytest.raises(InvalidParameterError, match="Filter"):
            await client.goals.list(1, filters=[Filter(**bad)])
        assert not server.requests, name


@pytest.mark.parametrize(
    "bad", ["[]", '[{"parameter":"country"}]', {"country": "US"}, Filter.equals("country", "US"), 5]
)
async def test_invalid_lists_of_filters_are_not_sent(
    serve: Serve, connect: Connect, bad: Any
) -> None:
    server = await serve()
    with pytest.raises(InvalidParameterError, match="filters"):
        await connect(server).goals.list(1, filters=bad)
    assert not server.requests


async def test_a_url_that_is_too_long_is_not_sent(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    fits = Filter.equals("pathname", "a" * 15_000)
    assert len(await client.goals.list(1, filters=[fits])) == 10
    server.requests.clear()
    with pytest.raises(InvalidParameterError, match="431"):
        await client.goals.list(1, filters=[Filter.equals("pathname", "/" * 7_000)])
    with pytest.raises(InvalidParameterError, match="431"):
        await client.goals.list(1, filters=[Filter.equals("pathname", "a" * 20_000)])
    assert not server.requests


@pytest.mark.parametrize("parameter", ["event_name", "entry_page", "exit_page"])
async def test_regex_on_a_property_of_the_whole_session(
    serve: Serve, connect: Connect, parameter: str
) -> None:
    """500 on 2.2, works on 2.8: the client does not know the release, so it sends them."""
    one = Filter.regex(parameter, "^/?s")
    new = await connect(await serve("2.8")).goals.list(1, filters=[one])
    assert len(new) == 10
    with pytest.raises(ServerError, match="Failed to fetch goals data"):
        await connect(await serve("2.2")).goals.list(1, filters=[one])


Answers = dict[str, list[tuple[int, int]]]


async def _on_each(
    serve: Serve, connect: Connect, filters: Sequence[Filter], store: Store | None = None
) -> Answers:
    """(conversions, sessions) of each goal, on each release."""
    found: Answers = {}
    for release in RELEASES:
        client = connect(await serve(release, store))
        goals = await client.goals.iter(1, filters=filters).collect()
        found[release] = [(g.total_conversions or 0, g.total_sessions or 0) for g in goals]
    return found


def _same(answers: Answers) -> list[tuple[int, int]]:
    first = answers["2.8"]
    assert all(answer == first for answer in answers.values())
    return first


PLAIN_FILTERS = [
    Filter.equals("country", "US", "DE"),
    Filter.equals("city", "GB-ENG-London"),
    Filter.equals("browser_version", "Chrome 120"),
    Filter.equals("referrer", "google.com"),
    Filter.equals("pathname", "/docs/api/goals"),
    Filter.equals("dimensions", "1920x1080"),
    Filter.equals("page_title", "夏のアップデート 🌻"),
    Filter.equals("utm_campaign", "0012"),
    Filter.equals("event_name", "signup"),
    Filter.equals("entry_page", "/"),
    Filter.not_equals("country", "US"),
    Filter.not_contains("pathname", "docs", "blog"),
    Filter.contains("pathname", "/blog/"),
    Filter.contains("querystring", "utm_source=google&utm_campaign"),
    Filter.regex("pathname", r"^/blog/\d{4}/[a-z]+$"),
    Filter.regex("pathname", "^/pricing$", "^/sale$"),
    Filter.regex("pathname", "^/PRICING$", "(?i)^/SALE$"),
    Filter.regex("pathname", "(?i)^/SALE$", "^/PRICING$"),
    Filter.regex("pathname", r"^\Q/sale", "^/(?P<page>pricing)$", "^/(?P<page>docs)"),
    Filter.not_regex("pathname", "^/blog", "^/docs"),
    Filter.starts_with("pathname", "/blog/", "/docs"),
    Filter.ends_with("pathname", "goals", "/pricing"),
    Filter.greater_than("lat", 50),
    Filter.less_than("lat", -20.5),
]


@pytest.mark.parametrize(
    "one", PLAIN_FILTERS, ids=[f"{f.parameter} {f.type}" for f in PLAIN_FILTERS]
)
async def test_a_filter_gives_the_same_on_every_release(
    serve: Serve, connect: Connect, one: Filter
) -> None:
    filtered = _same(await _on_each(serve, connect, [one]))
    everything = _same(await _on_each(serve, connect, []))
    assert 0 < filtered[0][1] < everything[0][1]


async def test_not_equals_with_several_values_means_none_of_them(
    serve: Serve, connect: Connect, world: World
) -> None:
    values = ("US", "GB", "DE")
    in_one = json.dumps([{"parameter": "country", "type": "not_equals", "value": values}])
    client = connect(await serve("2.2"))
    everything = (await raw(client, "/api/goals/1"))["data"][0]["total_sessions"]
    said = (await raw(client, "/api/goals/1", filters=in_one))["data"][0]["total_sessions"]
    assert said == everything  # combined by OR, they match every session
    none_of = _same(await _on_each(serve, connect, [Filter.not_equals("country", *values)]))
    any_of = _same(await _on_each(serve, connect, [Filter.equals("country", *values)]))
    assert none_of[0][1] + any_of[0][1] == everything
    assert none_of[0][1] > 0


async def test_all_of_several_filters_must_hold(serve: Serve, connect: Connect) -> None:
    us, chrome = Filter.equals("country", "US"), Filter.equals("browser", "Chrome")
    both = _same(await _on_each(serve, connect, [us, chrome]))[0][1]
    one = _same(await _on_each(serve, connect, [us]))[0][1]
    other = _same(await _on_each(serve, connect, [chrome]))[0][1]
    assert 0 < both < min(one, other)


async def test_contains_with_a_wildcard_character(
    serve: Serve, connect: Connect, store: Store
) -> None:
    """``%`` and ``_`` are wildcards before 2.8, and a regex means the same on every release."""
    store.add_goal(1, "path", {"pathPattern": "/**"})
    store.add_session(1, end=END, pages=("/100%_off",))
    store.add_session(1, end=END, pages=("/100x_off",))
    sent = [{"parameter": "pathname", "type": "contains", "value": ["100%_"]}]
    raw_goals = await raw(
        connect(await serve("2.2", store)), "/api/goals/1", filters=json.dumps(sent)
    )
    assert raw_goals["data"][0]["total_sessions"] == 2
    one = Filter.contains("pathname", "100%_", "nowhere")
    assert _same(await _on_each(serve, connect, [one], store)) == [(1, 1)]
    one = Filter.not_contains("pathname", "100%_", "nowhere")
    assert _same(await _on_each(serve, connect, [one], store)) == [(1, 1)]


async def test_user_id_with_contains_warns(serve: Serve, connect: Connect) -> None:
    client = connect(await serve("2.2"))
    one = [Filter.contains("user_id", "member")]
    with pytest.warns(RybbitWarning, match="not_equals") as told:
        await client.goals.list(1, filters=one)
    assert told[0].filename == __file__
    with pytest.warns(RybbitWarning, match="not_equals") as told:
        client.goals.iter(1, filters=one)
    assert told[0].filename == __file__


async def test_a_flag_of_one_regex_does_not_hold_for_the_others(
    serve: Serve, connect: Connect, store: Store
) -> None:
    store.add_goal(1, "path", {"pathPattern": "/**"})
    for page in ("/a", "/A", "/b", "/B"):
        store.add_session(1, end=END, pages=(page,))
    for first, second in (("(?i)^/a$", "^/b$"), ("^/b$", "^/(?i)a$")):
        one = Filter.regex("pathname", first, second)
        assert _same(await _on_each(serve, connect, [one], store)) == [(3, 3)]


async def test_filters_that_a_release_lacks(serve: Serve, connect: Connect, store: Store) -> None:
    store.add_goal(1, "path", {"pathPattern": "/**"})
    store.add_session(1, end=END, country="US", lat=1.5)
    store.add_session(1, end=END, country="\0\0", lat=2.5)
    new = connect(await serve(RELEASES[-1], store))
    for one, count in (
        (Filter.greater_than_or_equal("lat", 2.5), 1),
        (Filter.less_than_or_equal("lat", 2.5), 2),
        (Filter("lat", "less_than", [0, 2]), 1),
    ):
        (goal,) = await new.goals.list(1, filters=[one])
        assert (one, goal.total_sessions) == (one, count)
    old = connect(await serve("2.2", store))
    with pytest.raises(ServerError):
        await old.goals.list(1, filters=[Filter.is_null("country")])


@every_release
async def test_a_segment_is_sent(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    client = connect(server)
    await client.goals.list(1, segment_id=7)
    assert server.requests[-1].query["segment_id"] == "7"
    await client.goals.iter(1, segment_id="late").collect()
    assert server.requests[-1].query["segment_id"] == "late"


@every_release
async def test_no_match_is_zeros(serve: Serve, connect: Connect, release: str) -> None:
    client = connect(await serve(release))
    goals = await client.goals.list(1, filters=[Filter.equals("country", "XX")])
    assert {(g.total_conversions, g.total_sessions, g.conversion_rate) for g in goals} == {
        (0, 0, 0.0)
    }


# --- the wire -----------------------------------------------------------------------------------


async def test_a_slash_in_a_query_value_is_encoded(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = connect(server)
    await client.goals.list(
        1, filters=[Filter.equals("pathname", "/a b&c=d?e#f+g%2F/")], time_zone="Asia/Tokyo"
    )
    target = server.requests[-1].target
    path, _, query = target.partition("?")
    assert path == "/api/goals/1"
    assert "/" not in query
    assert "%2Fa%20b%26c%3Dd%3Fe%23f%2Bg%252F%2F" in query
    assert "time_zone=Asia%2FTokyo" in query
    (sent,) = json.loads(server.requests[-1].query["filters"])
    assert sent["value"] == ["/a b&c=d?e#f+g%2F/"]


async def test_a_path_in_a_query_makes_a_server_skip_authentication(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.2")
    async with aiohttp.ClientSession() as session:
        async with session.get(server.url + "/api/goals/1") as answer:
            assert answer.status == 401
        async with session.get(server.url + "/api/goals/1?x=/api/health") as answer:
            assert answer.status == 200


async def test_a_path_in_a_filter_does_not_skip_authentication(
    serve: Serve, connect: Connect
) -> None:
    client = connect(await serve("2.2"), auth=None)
    health: Any = {"filters": [Filter.equals("pathname", "/api/health")]}
    with pytest.raises(AuthenticationError):
        await client.goals.list(1, **health)
    with pytest.raises(AuthenticationError):
        await client.goals.iter(1, **health).collect()
    with pytest.raises(AuthenticationError):
        await client.request("GET", "/api/goals/1", params={"x": "/api/health"})
    with pytest.raises(AuthenticationError):
        await client.request("GET", "/api/goals/1", params={"/api/health": "x"})


@every_release
async def test_quotes_backslashes_and_line_breaks_go_through(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    text = 'it\'s "a" \\ b\n\t🌻 100%'
    store.add_goal(1, "path", {"pathPattern": "/"})
    store.add_session(1, end=END, page_title=text)
    store.add_session(1, end=END, page_title="other")
    client = connect(await serve(release, store))
    (goal,) = await client.goals.list(1, filters=[Filter.equals("page_title", text)])
    assert goal.total_sessions == 1


# --- goals that a release cannot compute --------------------------------------------------------


@pytest.fixture
async def native(serve: Serve, store: Store) -> RybbitServer:
    site = store.add_site("native", events_native_numbers=True)
    store.add_goal(
        site,
        "event",
        {"eventName": "e", "eventPropertyKey": "k", "eventPropertyValue": 5},
    )
    store.add_session(site, end=END, events=[("e", {"k": 5})])
    return await serve("2.2", store)


async def test_a_number_where_events_hold_native_numbers(
    native: RybbitServer, connect: Connect
) -> None:
    client = connect(native)
    site = native.store.sites()[1].site_id
    with pytest.raises(ServerError, match="Failed to fetch goals data"):
        await client.goals.list(site)
    native.release = "2.8"
    (goal,) = await client.goals.list(site)
    assert goal.total_conversions == 1


async def test_wildcards_of_a_path(serve: Serve, connect: Connect, store: Store) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    for pattern in ("/a/*", "/a/**", "/a/b"):
        await client.goals.create(1, PathGoal(pattern))
    for page in ("/a/b", "/a/c", "/a/b/c"):
        store.add_session(1, end=END, pages=(page,))
    assert [g.total_conversions async for g in client.goals.iter(1)] == [2, 3, 1]
