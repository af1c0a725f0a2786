"""The lists of a site, its sessions and its users: each row once though ties are shuffled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
from rybbit_async.testing import Store, faults
from rybbit_async.testing.wire import Response

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
        for at in range(400):
            made.add_session(
                site,
                end=END - timedelta(days=2, seconds=at * at % 60),
                session_id=f"s{at:03}",
                user_id=f"u{at:03}",
                country="US" if at % 4 else "GR",
            )
        yield made


async def truth(client: RybbitClient, name: str) -> list[Any]:
    """What the list holds, from one page that has all of it."""
    if name == "sessions":
        return [*await client.sessions.list(1, limit=1000, **WINDOW)]
    return [*await client.users.list(1, page_size=1000, **WINDOW)]


@every_list
# Many pages take long, so the releases share the sizes.
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("release", "size"), [("2.2", 7), ("2.8", 7), *((release, 100) for release in RELEASES),
                          ("2025.06", 1000), ("2.4", 1000)],
)  # fmt: skip
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
    for page in range(1, 59):
        if name == "sessions":
            rows: Any = await client.sessions.list(1, page=page, limit=7, **WINDOW)
        else:
            rows = await client.users.list(1, page=page, page_size=7, **WINDOW)
        seen.update(map(lists(client)[name].identity, rows))
    assert len(seen) < 400


@every_list
@pytest.mark.parametrize("size", [30, 150])
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
    for at in range(60):
        store.add_session(1, end=END - timedelta(minutes=at), session_id=f"s{at}", user_id=f"u{at}")
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
