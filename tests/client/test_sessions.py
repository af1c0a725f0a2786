"""The sessions of a goal."""

from __future__ import annotations

import asyncio
import warnings
from datetime import UTC, datetime, timedelta
from linecache import getline
from pathlib import Path
from typing import Any

import pytest

from rybbit_async import (
    APIResponseError,
    Filter,
    InvalidParameterError,
    NotFoundError,
    PermissionDeniedError,
    RybbitWarning,
    ServerError,
)
from rybbit_async.testing import Goal as StoredGoal
from rybbit_async.testing import Store, faults
from rybbit_async.testing.queries.cache import PageOf
from rybbit_async.testing.queries.sessions import goal_sessions_page
from rybbit_async.testing.windows import ALL_TIME

from .conftest import Connect, Serve
from .helpers import END, RELEASES, World, raw, raw_path

every_release = pytest.mark.parametrize("release", RELEASES)

# The stored text, the value in the response, and the value that the client returns.
TEXTS: list[tuple[str, Any, str | None]] = [
    ("404", 404, "404"),
    ("00123", 123, "123"),
    ("0x1F", 31, "31"),
    ("1e5", 100_000, "100000"),
    ("   ", 0, "0"),
    ("14.0", 14, "14"),
    ("-7", -7, "-7"),
    ("0.1", 0.1, "0.1"),
    ("1e-7", 1e-7, "1e-7"),
    ("12345678901234567890", 12345678901234567000, "12345678901234567000"),
    ("Infinity", None, None),
    ("NaN", "NaN", "NaN"),
    ("10.15.7", "10.15.7", "10.15.7"),
    ("", "", ""),
    ("東京 🌻", "東京 🌻", "東京 🌻"),
]


# fmt: off
TEXT_FIELDS = [
    "region", "city", "language", "device_type", "browser", "browser_version", "operating_system",
    "operating_system_version", "referrer", "channel", "hostname", "page_title", "querystring",
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
]
# fmt: on


@pytest.fixture
def goal(store: Store) -> int:
    return store.add_goal(1, "path", {"pathPattern": "/**"}, name="Any page")


async def test_text_that_is_sent_as_a_number_becomes_text_again(
    serve: Serve, connect: Connect, store: Store, goal: int
) -> None:
    fields = [*TEXT_FIELDS, "tag"]
    rows: list[dict[str, Any]] = [
        {
            "timestamp": END - timedelta(seconds=at),
            "session_id": f"s{at}",
            "user_id": "u",
            **dict.fromkeys(fields, stored),
        }
        for at, (stored, _, _) in enumerate(TEXTS)
    ]
    store.add_events(1, rows)
    client = connect(await serve("2.8", store))
    sent = (await raw(client, raw_path("2.8", 1, goal), page=1))["data"]
    sessions = await client.goals.sessions.list(1, goal)
    for (stored, wire, given), row, session in zip(TEXTS, sent, sessions, strict=True):
        assert [row[field] for field in fields] == [wire] * len(fields), stored
        assert [getattr(session, field) for field in fields] == [given] * len(fields), stored


@every_release
async def test_pages_that_look_numeric(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    goal = store.add_goal(1, "event", {"eventName": "e"})
    store.add_session(1, end=END, pages=("404", "1e3"), events=["e"])
    (session,) = await connect(await serve(release, store)).goals.sessions.list(1, goal)
    assert (session.entry_page, session.exit_page) == ("404", "1000")


@every_release
async def test_identifiers_that_look_numeric_are_unchanged(
    serve: Serve, connect: Connect, store: Store, goal: int, release: str
) -> None:
    store.add_session(1, end=END, session_id="00123", user_id="1e5")
    (session,) = await connect(await serve(release, store)).goals.sessions.list(1, goal)
    assert (session.session_id, session.user_id) == ("00123", "1e5")


@every_release
async def test_an_unknown_country_is_an_empty_string(
    serve: Serve, connect: Connect, store: Store, goal: int, release: str
) -> None:
    store.add_session(1, end=END, country="\0\0")
    client = connect(await serve(release, store))
    (row,) = (await raw(client, raw_path(release, 1, goal), page=1))["data"]
    assert row["country"] == "\0\0"
    (session,) = await client.goals.sessions.list(1, goal)
    assert session.country == ""


@every_release
async def test_every_field_of_a_session(
    serve: Serve, connect: Connect, store: Store, goal: int, release: str
) -> None:
    store.add_session(
        1,
        start=datetime(2026, 3, 30, 23, 59, 50, tzinfo=UTC),
        session_id="s",
        user_id="u",
        pages=("/", "/b"),
        events=["signup"],
        lat=-24.16,
        lon=151.88,
        screen_width=390,
        country="AU",
        ip="192.0.2.1",
    )
    (session,) = await connect(await serve(release, store)).goals.sessions.list(1, goal)
    assert session.session_start == datetime(2026, 3, 30, 23, 59, 50, tzinfo=UTC)
    assert session.session_end == datetime(2026, 3, 31, 0, 0, 10, tzinfo=UTC)
    assert session.session_start is not None
    assert session.session_start.tzinfo is UTC
    assert (session.session_duration, session.pageviews, session.events) == (20, 2, 1)
    assert (session.errors, session.outbound) == (0, 0)
    assert (session.entry_page, session.exit_page) == ("/", "/b")
    assert (session.lat, session.lon, session.ip) == (-24.16, 151.88, "192.0.2.1")
    assert (session.screen_width, session.country) == (390, "AU")
    assert session.tag == ("" if release in {"2.4", "2.8"} else None)
    assert session.extra == {}


async def test_times_in_the_documented_format_and_unknown_fields(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.2")
    row = {"session_id": "s", "session_end": "2024-01-10T12:00:00.000Z", "score": 7}
    server.inject(faults.Status(200, {"data": [row]}))
    (session,) = await connect(server).goals.sessions.list(1, 101)
    assert session.session_end == datetime(2024, 1, 10, 12, tzinfo=UTC)
    assert (session.extra, session.user_id) == ({"score": 7}, None)


@every_release
async def test_two_rows_with_one_session_id_are_two_sessions(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/**"})
    for user in ("stranger", "member"):
        store.add_session(1, end=END, session_id="same", user_id=user)
    client = connect(await serve(release, store))
    walk = client.goals.sessions.iter(1, goal, page_size=1)
    assert {s.user_id for s in await walk.collect()} == {"stranger", "member"}
    assert (walk.report.items, walk.report.duplicates) == (2, 0)
    assert (await client.goals.get(1, goal)).total_conversions == 1


@every_release
async def test_page_and_limit_are_always_sent(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    """Without ``page``, older servers return 500."""
    server = await serve(release)
    client = connect(server)
    page = await client.goals.sessions.list(1, world.goal("Pricing seen"))
    assert len(page) == 25
    assert page.meta is None
    query = server.requests[-1].query
    assert (query["page"], query["limit"]) == ("1", "25")
    page = await client.goals.sessions.list(1, world.goal("Pricing seen"), page=2, limit=7)
    assert len(page) == 7
    query = server.requests[-1].query
    assert (query["page"], query["limit"]) == ("2", "7")


@every_release
async def test_a_page_beyond_the_end(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    client = connect(await serve(release))
    page = await client.goals.sessions.list(1, world.goal("Pricing seen"), page=1_000)
    assert (page.items, page.meta) == ((), None)
    never = await client.goals.get(1, world.goal("Never reached"))
    assert await client.goals.sessions.iter(1, never).collect() == []


@every_release
async def test_a_goal_of_another_site(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    client = connect(await serve(release))
    with pytest.raises(PermissionDeniedError) as caught:
        await client.goals.sessions.list(1, world.second_goal)
    assert caught.value.message == "Goal does not belong to this site"
    with pytest.raises(PermissionDeniedError):
        await client.goals.sessions.iter(1, world.second_goal).collect()
    with pytest.raises(NotFoundError, match="Goal not found"):
        await client.goals.sessions.list(1, 999_999)


async def test_the_warning_names_what_is_ignored(
    serve: Serve, connect: Connect, world: World
) -> None:
    client = connect(await serve("2.8"))
    filters = [Filter.equals("country", "US")]
    for given, name in (
        ({"segment_id": 7}, "segment_id"),
        ({"filters": filters}, "filters"),
        ({"filters": filters, "segment_id": 7}, "filters and segment_id"),
    ):
        with pytest.warns(RybbitWarning, match=f"^{name}: the server ignores this"):
            await client.goals.sessions.list(2, world.second_goal, **given)  # type: ignore[arg-type]


@every_release
async def test_filters_that_the_server_ignores_cause_a_warning(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    server = await serve(release)
    client = connect(server)
    goal = world.goal("Pricing seen")
    assert goal is not None
    us = [Filter.equals("country", "US")]
    with pytest.warns(RybbitWarning, match="filters.*ignores") as caught:
        page = await client.goals.sessions.list(1, goal, filters=us)
    assert [Path(one.filename).name for one in caught] == [Path(__file__).name]
    assert len({session.country for session in page}) > 1
    for walk in (
        client.goals.sessions.iter(1, goal, filters=us),
        client.goals.sessions.iter_all(1, goals=[goal], filters=us),
    ):
        with pytest.warns(RybbitWarning, match="filters.*ignores") as caught:
            rows: list[Any] = await walk.collect()
        assert [Path(one.filename).name for one in caught] == [Path(__file__).name]
        assert len({getattr(row, "session", row).country for row in rows}) > 1
    # It was found out once, with a filter that is none.
    probes = [r.query["filters"] for r in server.requests if "filters" in r.query]
    assert probes in (["x"], ["x", "x"])  # in the other layout, too
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await client.goals.sessions.list(1, goal, filters=[])
        await client.goals.sessions.list(1, goal, filters=None)


async def test_filters_are_sent_to_a_server_that_applies_them(
    serve: Serve, connect: Connect, world: World
) -> None:
    server = await serve("2.9")
    client = connect(server, routes="sites")
    goal = world.goal("Pricing seen")
    assert goal is not None
    us: Any = {"filters": [Filter.equals("country", "US")]}
    walks = (
        client.goals.sessions.iter(1, goal, **us),
        client.goals.sessions.iter_all(1, goals=[goal], **us),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page, *walked = await asyncio.gather(
            client.goals.sessions.list(1, goal, limit=1000, **us),
            *(walk.collect() for walk in walks),
        )
    every = await client.goals.sessions.iter(1, goal).collect()
    wanted = {session.session_id for session in every if session.country == "US"}
    assert 0 < len(wanted) < len(every)
    for rows in (page.items, *walked):
        found = [getattr(row, "session", row) for row in rows]
        assert {session.session_id for session in found} == wanted
    (one,) = walked[1][:1]
    assert one.goal.total_conversions == (await client.goals.get(1, goal, **us)).total_conversions
    assert one.goal.total_conversions < (await client.goals.get(1, goal)).total_conversions
    probes = [r for r in server.requests if r.query.get("filters") == "x"]
    assert len(probes) <= 2  # a 500 is tried once again


@pytest.mark.parametrize("release", ["2.8", "2.9"])
async def test_a_server_that_is_down_does_not_show_whether_it_applies_filters(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    server = await serve(release)
    client = connect(server, routes="sites")
    goal = world.goal("Pricing seen")
    assert goal is not None
    us = [Filter.equals("country", "US")]
    down = server.inject(faults.Status(500), times=None)
    with pytest.warns(RybbitWarning, match="ignores"), pytest.raises(ServerError):
        await client.goals.sessions.list(1, goal, filters=us)
    down.remove()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        page = await client.goals.sessions.list(1, goal, limit=1000, filters=us)
    assert (len({session.country for session in page}) == 1) is (release == "2.9")
    assert len(caught) == (0 if release == "2.9" else 1)


async def test_a_server_that_has_become_another_release_is_asked_again(
    serve: Serve, connect: Connect, world: World
) -> None:
    """Its layout shows that."""
    server = await serve("2.9")
    client = connect(server)
    goal = world.goal("Pricing seen")
    assert goal is not None
    us: Any = {"filters": [Filter.equals("country", "US")], "limit": 1000}
    assert {s.country for s in await client.goals.sessions.list(1, goal, **us)} == {"US"}
    server.release = "2.2"
    await client.goals.list(1)
    with pytest.warns(RybbitWarning, match="ignores"):
        assert len(await client.goals.sessions.list(1, goal, **us)) > 0


async def test_the_warning_has_the_line_of_the_call(serve: Serve, connect: Connect) -> None:
    client = connect(await serve("2.2"))
    walk = client.goals.sessions.iter(1, 101, filters=[Filter.equals("country", "US")])
    with pytest.warns(RybbitWarning) as caught:
        await walk.first()
    assert "client.goals.sessions.iter(1, 101, filters" in getline(__file__, caught[0].lineno)


@every_release
async def test_a_session_is_cut_off_at_the_edge_of_the_window(
    serve: Serve, connect: Connect, store: Store, goal: int, release: str
) -> None:
    midnight = datetime(2026, 3, 31, tzinfo=UTC)
    store.add_session(1, start=midnight - timedelta(seconds=10), pages=("/a", "/b", "/c"))
    client = connect(await serve(release, store))
    days: Any = {"start_date": "2026-03-31", "end_date": "2026-03-31"}
    (session,) = await client.goals.sessions.list(1, goal, **days)
    assert (session.session_start, session.pageviews) == (midnight, 2)
    assert session.entry_page == "/b"
    (session,) = await client.goals.sessions.list(1, goal)
    assert session.pageviews == 3


@pytest.mark.parametrize(
    ("release", "page_size"),
    [("2.2", 20), ("2.8", 20), ("2025.06", 100), ("2.4", 100)],
)
async def test_a_walk_yields_the_sessions_of_the_store(
    serve: Serve, connect: Connect, world: World, release: str, page_size: int
) -> None:
    """Each row comes once although ties are shuffled, in the order of the list except for ties."""
    client = connect(await serve(release))
    goals = world.store.goals(world.site)
    requests = 0
    for goal in goals if page_size == 100 else goals[:2]:
        truth = _truth(world.store, goal)
        walk = client.goals.sessions.iter(1, goal.goal_id, page_size=page_size)
        sessions = await walk.collect()
        assert sorted((s.session_id, s.user_id) for s in sessions) == sorted(truth)
        assert (walk.report.complete, walk.report.doubtful) == (True, False)
        if walk.report.duplicates == 0:
            ends = [s.session_end for s in sessions if s.session_end is not None]
            assert ends == sorted(ends, reverse=True)
        else:
            requests += walk.report.requests
    assert (requests > 0) is (page_size == 20), "some ties straddle two pages"


def _truth(store: Store, goal: StoredGoal) -> list[tuple[str, str]]:
    within = store.queries.within(store.sites()[0], ALL_TIME)
    rows = goal_sessions_page(store.queries, within, goal.condition, PageOf(1, 10**6))
    return [(row[0], row[1]) for row in rows]


async def test_the_sessions_have_every_quirk(serve: Serve, connect: Connect, world: World) -> None:
    """The walks above read numeric text, unknown countries, ties, and sessions of two users."""
    client = connect(await serve("2.2"))
    sessions = []
    for name in ("Pricing seen", "Any product"):
        sessions += await client.goals.sessions.iter(1, world.goal(name)).collect()
    assert "" in {s.country for s in sessions}
    assert {s.utm_campaign for s in sessions} >= {"12", "100000", None}
    rows = {(s.session_id, s.user_id) for s in sessions}
    assert len({s.session_id for s in sessions}) < len(rows)
    assert len({s.session_end for s in sessions}) < len(rows)


@pytest.mark.parametrize(
    "wrong", [{"page": 0}, {"page": "1"}, {"limit": 0}, {"limit": -1}, {"limit": 2.0}]
)
async def test_invalid_pages_and_limits_are_not_sent(
    serve: Serve, connect: Connect, wrong: dict[str, Any]
) -> None:
    server = await serve()
    with pytest.raises(InvalidParameterError, match=next(iter(wrong))):
        await connect(server).goals.sessions.list(1, 101, **wrong)
    assert not server.requests


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({}, "data[0].session_id"),
        ({"session_id": None}, "data[0].session_id"),
        ({"session_id": "s", "session_end": 5}, "data[0].session_end"),
        ({"session_id": "s", "pageviews": "x"}, "data[0].pageviews"),
        ({"session_id": "s", "country": True}, "data[0].country"),
        ({"session_id": "s", "lat": []}, "data[0].lat"),
    ],
)
async def test_the_error_for_an_invalid_row_names_the_path(
    serve: Serve, connect: Connect, row: dict[str, Any], path: str
) -> None:
    server = await serve("2.2")
    server.inject(faults.Status(200, {"data": [row]}))
    with pytest.raises(APIResponseError) as caught:
        await connect(server).goals.sessions.list(1, 101)
    assert caught.value.path == path
