"""The lists of a site, its sessions and its users: each row once though ties are shuffled."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from operator import attrgetter
from typing import Any

import pytest
from attrs import frozen

from rybbit_async import (
    Filter,
    InvalidParameterError,
    Paginator,
    PermissionDeniedError,
    RybbitClient,
    RybbitWarning,
    SiteSession,
    User,
)
from rybbit_async.resources import users
from rybbit_async.resources.endpoints import BY_LAST_SEEN
from rybbit_async.testing import Store, faults
from rybbit_async.testing.wire import Response
from rybbit_async.walks.orders import ByRank

from .conftest import Connect, Serve
from .helpers import END, RELEASES, raw

WINDOW: dict[str, Any] = {"start_date": "2026-03-01", "end_date": "2026-03-30"}
"""Settled: the servers' clock is at noon of the 31st."""


@frozen
class SiteList:
    """One of the lists, as a client has it."""

    name: str
    walk: Callable[..., Paginator[Any]]
    identity: Callable[[Any], Any]


def lists(client: RybbitClient) -> dict[str, SiteList]:
    return {
        "sessions": SiteList("sessions", client.sessions.iter, attrgetter("session_id")),
        "users": SiteList("users", client.users.iter, attrgetter("effective_user_id")),
    }


every_list = pytest.mark.parametrize("name", ["sessions", "users"])


@pytest.fixture(scope="module")
def busy() -> Iterator[Store]:
    """400 visitors in 60 seconds of one day, so that most of them share their last second."""
    with Store() as made:
        site = made.add_site("one")
        made.add_events(
            site,
            [
                {
                    "timestamp": END - timedelta(days=2, seconds=at * at % 60),
                    "session_id": f"s{at:03}",
                    "user_id": f"u{at:03}",
                    "country": "US" if at % 4 else "GR",
                }
                for at in range(400)
            ],
        )
        yield made


async def truth(client: RybbitClient, name: str) -> list[Any]:
    """What the list holds, from one page that has all of it."""
    if name == "sessions":
        return [*await client.sessions.list(1, limit=1000, **WINDOW)]
    return [*await client.users.list(1, page_size=1000, **WINDOW)]


@every_list
# Many pages take long, so the releases share the sizes.
@pytest.mark.parametrize(
    ("release", "size", "ordered"),
    [
        ("2025.06", 100, True),
        ("2.2", 13, False),
        ("2.4", 100, False),
        ("2.4", 1000, True),
        ("2.8", 13, True),
    ],
)
async def test_every_row_comes_once(
    serve: Serve, connect: Connect, busy: Store, release: str, size: int, ordered: bool, name: str
) -> None:
    client = connect(await serve(release, busy))
    a_list = lists(client)[name]
    walk = a_list.walk(1, page_size=size, ordered=ordered, **WINDOW)
    rows = await walk.collect()
    expected = await truth(client, name)
    assert len(expected) == 400
    assert sorted(map(a_list.identity, rows)) == sorted(map(a_list.identity, expected))
    assert sorted(map(repr, rows)) == sorted(map(repr, expected))
    assert walk.report.complete
    assert walk.report.reason is None


@every_list
async def test_turning_pages_by_hand_loses_rows(
    serve: Serve, connect: Connect, busy: Store, name: str
) -> None:
    """So the test above tests something."""
    client = connect(await serve(store=busy))
    seen: set[Any] = set()
    for page in range(1, 11):
        if name == "sessions":
            rows: Any = await client.sessions.list(1, page=page, limit=40, **WINDOW)
        else:
            rows = await client.users.list(1, page=page, page_size=40, **WINDOW)
        seen.update(map(lists(client)[name].identity, rows))
    assert len(seen) < 400


@every_list
@pytest.mark.parametrize("size", [60, 150])
async def test_a_walk_that_stops_after_each_page_and_goes_on(
    serve: Serve, connect: Connect, busy: Store, size: int, name: str
) -> None:
    client = connect(await serve(store=busy))
    a_list = lists(client)[name]
    rows: list[Any] = []
    position: str | None = None
    for _ in range(30):
        walk = a_list.walk(1, page_size=size, **WINDOW)
        pages = walk.pages(start=position)
        page = await anext(pages, None)
        await pages.aclose()
        if page is None:
            break
        rows += page
        position = page.position or position
    else:
        raise AssertionError("the list has no end")
    assert len(rows) == 400
    assert len(set(map(a_list.identity, rows))) == 400


@every_list
async def test_a_position_of_the_other_list_is_refused(
    serve: Serve, connect: Connect, busy: Store, name: str
) -> None:
    client = connect(await serve(store=busy))
    mine, other = lists(client)[name], lists(client)[{"users": "sessions"}.get(name, "users")]
    async for page in mine.walk(1, page_size=30, **WINDOW).pages():
        with pytest.raises(InvalidParameterError, match="start"):
            other.walk(1, page_size=30, **WINDOW).pages(start=page.position)
        break


@every_list
@pytest.mark.parametrize("release", RELEASES)
async def test_rows_that_arrive_meanwhile_push_none_away(
    serve: Serve, connect: Connect, store: Store, release: str, name: str
) -> None:
    """In a window that reaches the present, a visitor who comes back moves to the head."""
    store.add_events(
        1,
        [
            {"timestamp": END - timedelta(minutes=at), "session_id": f"s{at}", "user_id": f"u{at}"}
            for at in range(60)
        ],
    )
    client = connect(await serve(release, store))
    today = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
    a_list = lists(client)[name]
    walk = a_list.walk(1, page_size=10, concurrency=1, **today)
    seen: list[Any] = []
    async for row in walk:
        seen.append(a_list.identity(row))
        if len(seen) == 25:  # those on the third page move to the first
            for at in range(26, 30):
                store.add_session(1, end=END, session_id=f"s{at}", user_id=f"u{at}")
    letter = "s" if name == "sessions" else "u"
    assert sorted(set(seen)) == sorted(f"{letter}{at}" for at in range(60))
    assert len(seen) == 60
    assert walk.report.complete


# --- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES)
async def test_a_session(serve: Serve, connect: Connect, store: Store, release: str) -> None:
    store.add_session(
        1, end=END, session_id="a", user_id="u", pages=["/", "/404"], country="\0\0",
        utm_campaign="0012", identified_user_id="auth0|42", timezone="Europe/Athens",
    )  # fmt: skip
    store.set_traits(1, "auth0|42", {"plan": "pro", "seats": 3})
    store.add_replay(1, "a")
    client = connect(await serve(release, store))
    (session,) = await client.sessions.list(1)
    assert isinstance(session, SiteSession)
    assert (session.session_id, session.user_id, session.country) == ("a", "u", "")
    assert (session.utm_campaign, session.pageviews, session.events) == ("12", 2, 0)
    assert (session.entry_page, session.exit_page) == ("/", "/404")
    assert (session.has_replay, session.traits) == (1, {"plan": "pro", "seats": 3})
    assert session.identified_user_id == "auth0|42"
    assert session.session_end == END
    assert session.timezone == ("Europe/Athens" if release in ("2.8", "2.9") else None)
    assert session.button_clicks == (None if release in ("2025.06", "2.2") else 0)
    assert session.extra == {}


@pytest.mark.parametrize("release", RELEASES)
async def test_a_user(serve: Serve, connect: Connect, store: Store, release: str) -> None:
    for hours, page in ((3, "/"), (0, "/404")):
        store.add_session(
            1, end=END - timedelta(hours=hours), user_id="u", pages=[page],
            identified_user_id="auth0|42", city="1770",
        )  # fmt: skip
    store.set_traits(1, "auth0|42", {"plan": "pro"})
    client = connect(await serve(release, store))
    page = await client.users.list(1, page_size=1)
    assert page.meta is not None
    assert (page.meta.total, page.meta.page_size, page.meta.total_pages) == (1, 1, 1)
    (user,) = page
    assert isinstance(user, User)
    assert (user.effective_user_id, user.user_id) == ("auth0|42", "u")
    assert (user.sessions, user.pageviews, user.events, user.city) == (2, 2, 0, "1770")
    assert (user.first_seen, user.last_seen) == (END - timedelta(hours=3), END)
    assert user.traits == {"plan": "pro"}
    assert user.extra == {}


@every_list
async def test_filters_are_applied(serve: Serve, connect: Connect, busy: Store, name: str) -> None:
    client = connect(await serve(store=busy))
    walk = lists(client)[name].walk(1, filters=[Filter.equals("country", "GR")], **WINDOW)
    rows = await walk.collect()
    assert len(rows) == 100
    assert {row.country for row in rows} == {"GR"}


@every_list
async def test_a_site_of_others(serve: Serve, connect: Connect, name: str) -> None:
    client = connect(await serve())
    with pytest.raises(PermissionDeniedError):
        await lists(client)[name].walk(99).first()
    with pytest.raises(InvalidParameterError, match=r"^site must be"):
        lists(client)[name].walk("nowhere")


async def test_the_windows_of_walks_cost_no_more_than_their_pages(
    serve: Serve, connect: Connect, busy: Store
) -> None:
    """A list with a total is not read beyond its end."""
    server = await serve(store=busy)
    client = connect(server, routes="sites")
    assert len(await client.users.iter(1, page_size=1000, **WINDOW).collect()) == 400
    assert len(server.requests) == 1
    server.requests.clear()
    rows = await raw(client, "/api/sites/1/users", page_size=0)
    assert (rows["data"], rows["totalCount"]) == ([], 400)


# --- totals that are wrong, and users who vanish -------------------------------------------------


def users_page(users: str, number: int, size: int, total: int) -> dict[str, Any]:
    """A page of users called by one letter each, the first of them seen last."""
    first = (number - 1) * size
    rows = [
        {
            "effective_user_id": user,
            "last_seen": f"{END - timedelta(seconds=at):%Y-%m-%d %H:%M:%S}",
        }
        for at, user in [*enumerate(users)][first : first + size]
    ]
    return {"data": rows, "totalCount": total, "page": number, "pageSize": size}


@frozen
class Users(faults.Fault):
    """A list of users that the server answers with, page by page."""

    page: Callable[[int, int], dict[str, Any]]

    async def __call__(self, exchange: Any, proceed: Any) -> Any:
        query = exchange._request.rel_url.query
        return faults_response(self.page(int(query["page"]), int(query["page_size"])))


def faults_response(body: dict[str, Any]) -> Response:
    return Response(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_users_who_vanish_during_a_walk_take_no_other_along(
    serve: Serve, connect: Connect, concurrency: int
) -> None:
    server = await serve()
    users = ["abcdefghijkl"]

    def page(number: int, size: int) -> dict[str, Any]:
        if number == 5:
            users[0] = users[0].replace("d", "")  # so that "i" is on page 4 now
        return users_page(users[0], number, size, len(users[0]))

    server.inject(Users(page), times=None)
    walk = connect(server, routes="sites").users.iter(1, page_size=2, concurrency=concurrency)
    found = [user.effective_user_id for user in await walk.collect()]
    assert sorted(found) == [*"abcdefghijkl"]
    assert walk.report.complete


@pytest.mark.parametrize("window", [{}, WINDOW], ids=["live", "settled"])
async def test_a_total_that_is_far_too_large_ends_at_an_empty_page(
    serve: Serve, connect: Connect, window: dict[str, Any]
) -> None:
    server = await serve()
    server.inject(Users(lambda number, size: users_page("abcde", number, size, 10**15)), times=None)
    walk = connect(server, routes="sites").users.iter(1, page_size=2, concurrency=1, **window)
    with pytest.warns(RybbitWarning, match="total is 1000000000000000, but .* is 5"):
        assert len(await walk.collect()) == 5
    assert len(server.requests) < 12


@pytest.mark.parametrize("window", [{}, WINDOW], ids=["live", "settled"])
async def test_pages_that_are_smaller_than_the_server_says(
    serve: Serve, connect: Connect, window: dict[str, Any]
) -> None:
    server = await serve()
    users = "".join(map(chr, range(100, 400)))

    def page(number: int, size: int) -> dict[str, Any]:
        return users_page(users, number, 30, len(users)) | {"pageSize": size}

    server.inject(Users(page), times=None)
    walk = connect(server, routes="sites").users.iter(1, **window)
    assert {user.effective_user_id for user in await walk.collect()} == set(users)
    assert walk.report.complete


# --- users in other orders -----------------------------------------------------------------------

SORTS = ("last_seen", "first_seen", "pageviews", "sessions", "events")
LIVE: dict[str, Any] = {"start_date": "2026-03-01", "end_date": "2026-03-31"}


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", SORTS)
async def test_users_in_every_order(
    serve: Serve, connect: Connect, busy: Store, sort: Any, order: Any
) -> None:
    server = await serve(store=busy)
    client = connect(server, routes="sites")
    for window, size, ordered in ((WINDOW, 40, True), (LIVE, 100, False)):
        server.requests.clear()
        walk = client.users.iter(
            1, sort=sort, order=order, page_size=size, ordered=ordered, **window
        )
        users = await walk.collect()
        assert len({user.effective_user_id for user in users}) == len(users) == 400
        assert walk.report.complete
        assert len(server.requests) == walk.report.requests
        assert {request.query["sort_by"] for request in server.requests} == {sort}
        is_rank = sort not in ("last_seen", "first_seen")
        if is_rank or (window is LIVE and order == "asc"):
            # After the first page, one page has all of the list.
            values = [getattr(user, sort) for user in users]
            assert values == sorted(values, reverse=order == "desc")
            assert [r.query["page_size"] for r in server.requests] == [str(size), "450"]


async def test_a_long_list_by_a_count_is_completed_by_time(
    serve: Serve, connect: Connect, busy: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no page may hold all users, those who fell between two pages come last."""
    newest = BY_LAST_SEEN
    short = ByRank[User](newest.identity, newest, largest_page=90)
    monkeypatch.setattr(users, "_order", lambda sort, order: short)
    server = await serve(store=busy)
    client = connect(server, routes="sites")
    for window in (WINDOW, LIVE):
        server.requests.clear()
        walk = client.users.iter(1, sort="sessions", page_size=30, **window)
        found = await walk.collect()
        assert len({user.effective_user_id for user in found}) == len(found) == 400
        assert walk.report.complete
        assert re.search(r"\b\d+ rows came last, out of order: ", walk.report.reason or "")
        assert {r.query["sort_by"] for r in server.requests[6:]} == {"last_seen"}


@pytest.mark.parametrize("sort", ["last_seen", "first_seen"])
async def test_a_walk_over_users_goes_on_from_every_position(
    serve: Serve, connect: Connect, busy: Store, sort: Any
) -> None:
    client = connect(await serve(store=busy), routes="sites")
    walk = client.users.iter(1, sort=sort, order="asc", page_size=100, **WINDOW)
    given: list[str] = []
    async for page in walk.pages():
        given += [user.effective_user_id for user in page]
        if page.position is not None:
            rest = [
                user.effective_user_id
                async for more in walk.pages(start=page.position)
                for user in more
            ]
            assert sorted(given + rest) == sorted(f"u{at:03}" for at in range(400))
    assert len(given) == 400


async def test_the_first_users_by_a_count_cost_one_page(
    serve: Serve, connect: Connect, busy: Store
) -> None:
    server = await serve(store=busy)
    client = connect(server, routes="sites")
    walk = client.users.iter(1, sort="sessions", page_size=10, limit=10, **WINDOW)
    assert len(await walk.collect()) == 10
    assert [request.query["page_size"] for request in server.requests] == ["10"]
    assert [page.position async for page in walk.pages()] == [None]


async def test_a_search_for_users(serve: Serve, connect: Connect, store: Store) -> None:
    for user in ("auth0|anna", "auth0|bert", None):
        store.add_session(1, end=END, user_id=f"d{user}", identified_user_id=user or "")
    for release, found, warnings in (("2.3", 3, 2), ("2.4", 1, 0), ("2.8", 1, 0)):
        server = await serve(release, store)
        client = connect(server, routes="sites")
        with pytest.warns(RybbitWarning) if warnings else nullcontext() as caught:
            page = await client.users.list(1, search="ANNA")
            assert len(await client.users.iter(1, search="ANNA").collect()) == len(page) == found
        assert len(caught or ()) == warnings
        # It is found out once: with one request, and where nobody is found with another one.
        assert len(server.requests) == (3 if warnings else 4)
        assert len(await client.users.iter(1, identified_only=True).collect()) == 2


@pytest.mark.parametrize(
    ("passed", "message"),
    [
        ({"sort": "lastseen"}, r"sort must be .*got 'lastseen' \(did you mean 'last_seen'\?\)"),
        ({"order": "down"}, "order must be 'asc' or 'desc', got 'down'"),
        ({"search": ""}, "search must not be empty, got ''"),
        ({"search": 5}, r"search: expected str, got int \(5\)"),
        ({"identified_only": "yes"}, "identified_only: expected bool"),
        ({"searhc": "x"}, r"unknown parameter 'searhc' \(did you mean 'search'\?\)"),
    ],
)
async def test_users_that_cannot_be_asked_for(
    serve: Serve, connect: Connect, passed: dict[str, Any], message: str
) -> None:
    client = connect(await serve())
    with pytest.raises(InvalidParameterError, match=message):
        client.users.iter(1, **passed)
    with pytest.raises(InvalidParameterError, match=message):
        await client.users.list(1, **passed)


# --- which sessions ------------------------------------------------------------------------------


@pytest.fixture
def visits(store: Store) -> Store:
    """Sessions of one to five pages, a minute apart each, of two users."""
    store.add_events(
        1,
        [
            {
                "timestamp": END - timedelta(days=2, minutes=at // 3, seconds=10 * page),
                "session_id": f"s{at:02}",
                "user_id": f"u{at % 2}",
                "identified_user_id": "auth0|1" if at % 2 else "",
            }
            for at in range(30)
            for page in range(1 + at % 5)
        ],
    )
    return store


@pytest.mark.parametrize("release", ["2.3", "2.8"])
async def test_sessions_that_have_at_least_so_many(
    serve: Serve, connect: Connect, visits: Store, release: str
) -> None:
    """An older server ignores the minimums, so the client leaves out what has less."""
    server = await serve(release, visits)
    client = connect(server, routes="sites")
    every = await client.sessions.iter(1, **WINDOW).collect()
    least: dict[str, Any]
    for least in ({"min_pageviews": 4}, {"min_duration": 20, "min_pageviews": 2}):
        wanted = [
            session
            for session in every
            if (session.pageviews or 0) >= least["min_pageviews"]
            and (session.session_duration or 0) >= least.get("min_duration", 0)
        ]
        walk = client.sessions.iter(1, page_size=7, **least, **WINDOW)
        found = await walk.collect()
        assert sorted(map(repr, found)) == sorted(map(repr, wanted))
        assert 0 < len(found) < 30
        assert walk.report.complete
        assert (walk.report.reason is None) is (release == "2.8")
        assert await walk.first() == found[0]
        limited = client.sessions.iter(1, page_size=7, limit=3, **least, **WINDOW)
        assert await limited.collect() == found[:3]
        many = client.sessions.iter_all([1], page_size=7, **least, **WINDOW)
        assert [row.session.session_id async for row in many] == [s.session_id for s in found]
    if release == "2.8":
        assert len(await client.sessions.list(1, limit=5, min_pageviews=4)) == 5
    else:
        with pytest.warns(
            RybbitWarning, match="min_pageviews: the server ignores this, .* 12 of 30"
        ):
            assert len(await client.sessions.list(1, limit=30, min_pageviews=4)) == 12


@pytest.mark.parametrize("release", ["2.3", "2.8"])
async def test_sessions_of_some_users(
    serve: Serve, connect: Connect, visits: Store, release: str
) -> None:
    client = connect(await serve(release, visits), routes="sites")
    for choice in ({"user_id": "u1"}, {"user_id": "auth0|1"}, {"identified_only": True}):
        found = await client.sessions.iter(1, page_size=4, **choice, **WINDOW).collect()
        assert [s.user_id for s in found] == ["u1"] * 15
        assert len(await client.sessions.list(1, **choice, **WINDOW)) == 15
    for wrong in ({"user_id": ""}, {"min_events": -1}, {"min_duration": "1"}):
        with pytest.raises(InvalidParameterError, match=rf"^{next(iter(wrong))}"):
            client.sessions.iter(1, **wrong)
