"""Walks against the embedded server: requests in flight, number of requests, cleanup."""

from __future__ import annotations

import asyncio
import gc
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from aiohttp import web

from rybbit_async import (
    APIConnectionError,
    APIResponseError,
    ClientClosedError,
    Goal,
    Paginator,
    PermissionDeniedError,
    RybbitClient,
    RybbitError,
    ServerError,
)
from rybbit_async.testing import RecordedRequest, RybbitServer, Store, faults

from .conftest import Connect, Serve
from .helpers import ONCE, client_tasks, take, turns, until

LAST = datetime(2024, 3, 31, 12, tzinfo=UTC)
"""The end of the latest session."""
PAST: Any = {"start_date": "2024-03-01", "end_date": "2024-03-31"}
"""A window in which nothing changes, so that the head of the list is not read again."""


@pytest.fixture(scope="module")
def rows() -> Any:
    """Site 1 with 23 goals; goal ``/`` has 95 sessions that end at different times."""
    with Store() as store:
        site = store.add_site("one")
        store.add_goal(site, "path", {"pathPattern": "/"}, created_at=LAST)
        for at in range(22):
            store.add_goal(site, "path", {"pathPattern": f"/{at}"}, created_at=LAST)
        store.add_events(
            site,
            [
                {
                    "timestamp": LAST - timedelta(seconds=at),
                    "session_id": f"s{at:03}",
                    "user_id": f"u{at:03}",
                }
                for at in range(95)
            ],
        )
        yield store


ALL = [f"s{at:03}" for at in range(95)]
GOAL = 101


@pytest.fixture
async def server(serve: Serve, rows: Store) -> RybbitServer:
    return await serve("2.8", rows)


@pytest.fixture
def client(server: RybbitServer, connect: Connect) -> RybbitClient:
    return connect(server, routes="sites", retry=ONCE)


def page(*numbers: int) -> Any:
    def when(request: RecordedRequest) -> bool:
        return int(request.query.get("page", 0)) in numbers

    return when


def beyond(number: int) -> Any:
    def when(request: RecordedRequest) -> bool:
        return int(request.query.get("page", 0)) > number

    return when


async def assert_nothing_is_left(server: RybbitServer, client: RybbitClient) -> None:
    """Wait until no task and no request is left, and check that the client still works."""
    await until(lambda: not client_tasks())
    await until(lambda: server.in_flight == 0)
    if not client.closed:
        server.clear_faults()
        assert len(await client.goals.list(1)) == 10


# --- requests in flight -------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("concurrency", [1, 2, 5, 8])
async def test_requests_in_flight_with_a_known_total(
    server: RybbitServer, client: RybbitClient, concurrency: int, ordered: bool
) -> None:
    walk = client.goals.iter(1, page_size=1, concurrency=concurrency, ordered=ordered)
    with server.hold(beyond(1)) as held:
        task = asyncio.create_task(walk.collect())
        await held.reached(concurrency)
        await turns(200)
        assert held.waiting == concurrency
        assert len(server.requests) == 1 + concurrency
    assert len(await task) == 23
    assert server.peak_in_flight == concurrency
    assert len(server.requests) == walk.report.requests == walk.report.pages == 23


@pytest.mark.parametrize(("concurrency", "ordered"), [(1, True), (3, False), (8, True), (8, False)])
async def test_requests_in_flight_without_a_known_total(
    server: RybbitServer, client: RybbitClient, concurrency: int, ordered: bool
) -> None:
    walk = client.goals.sessions.iter(
        1, GOAL, page_size=4, concurrency=concurrency, ordered=ordered, **PAST
    )
    found = [session.session_id for session in await walk.collect()]
    assert sorted(found) == ALL
    assert server.peak_in_flight <= concurrency
    # 24 pages, the last of them short, and at most the pages requested ahead of it.
    assert 24 <= len(server.requests) <= 24 + concurrency - 1
    assert walk.report.complete is True


async def test_without_a_known_total_the_requests_in_flight_double(
    server: RybbitServer, client: RybbitClient
) -> None:
    walk = client.goals.sessions.iter(1, GOAL, page_size=1, concurrency=8)
    for number, in_flight in ((0, 1), (1, 2), (2, 4), (3, 8), (7, 8)):
        server.requests.clear()
        with server.hold(beyond(number)) as held:
            task = asyncio.create_task(walk.collect())
            await held.reached(in_flight)
            await turns(200)
            assert held.waiting == in_flight
            task.cancel()
            await asyncio.wait([task])
        server.clear_faults()
        await until(lambda: server.in_flight == 0)


async def test_concurrency_1_does_not_read_ahead(
    server: RybbitServer, client: RybbitClient
) -> None:
    for walk in (
        client.goals.iter(1, page_size=2, concurrency=1),
        client.goals.sessions.iter(1, GOAL, page_size=20, concurrency=1),
    ):
        server.requests.clear()
        at = 0
        async for _ in walk:
            at += 1
            await turns(20)
            size = 2 if "goals of" in repr(walk) and "sessions" not in repr(walk) else 20
            assert len(server.requests) == math.ceil(at / size)
            assert server.in_flight == 0


async def test_no_requests_while_the_consumer_takes_no_items(
    server: RybbitServer, client: RybbitClient
) -> None:
    async with client.goals.iter(1, page_size=1, concurrency=4) as walk:
        iterator = aiter(walk)
        await anext(iterator)
        await until(lambda: server.in_flight == 0 and len(server.requests) >= 4)
        await turns(200)
        assert len(server.requests) == 4  # the current page, and three pages ahead
        await anext(iterator)
        await turns(200)
        assert len(server.requests) == 5


async def test_each_walk_has_its_own_limit_of_requests_in_flight(
    server: RybbitServer, client: RybbitClient
) -> None:
    walk = client.goals.iter(1, page_size=1, concurrency=3)
    with server.hold(beyond(1)) as held:
        tasks = [asyncio.create_task(walk.collect()) for _ in range(2)]
        await held.reached(6)
        await turns(100)
        assert held.waiting == 6
    first, second = await asyncio.gather(*tasks)
    assert first == second
    assert len(first) == 23


# --- number of requests -------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("page_size", "requests"), [(100, 1), (23, 1), (22, 2), (12, 2), (11, 3), (5, 5), (1, 23)]
)
async def test_number_of_requests_with_a_known_total(
    server: RybbitServer, client: RybbitClient, page_size: int, requests: int, concurrency: int
) -> None:
    walk = client.goals.iter(1, page_size=page_size, concurrency=concurrency)
    assert len(await walk.collect()) == 23
    assert len(server.requests) == walk.report.requests == requests
    assert walk.report.complete is True


@pytest.mark.parametrize(
    ("page_size", "requests"), [(1000, 1), (96, 1), (95, 2), (50, 2), (40, 3), (20, 5), (19, 6)]
)
async def test_number_of_requests_without_a_known_total_one_at_a_time(
    server: RybbitServer, client: RybbitClient, page_size: int, requests: int
) -> None:
    walk = client.goals.sessions.iter(1, GOAL, page_size=page_size, concurrency=1, **PAST)
    assert [session.session_id for session in await walk.collect()] == ALL
    assert len(server.requests) == walk.report.requests == requests
    assert walk.report.passes == 1


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("page_size", [96, 95, 94, 31, 30, 7])
async def test_the_head_of_a_window_that_reaches_the_present_is_read_again(
    server: RybbitServer, client: RybbitClient, page_size: int, concurrency: int
) -> None:
    """With one request for the rows of the last 30 seconds. A list of one page is not read again.

    Where the first page does not hold all of these rows, it is not known which of them were there
    at that time. If pages were read at once, rows may have slipped from one to another.
    """
    walk = client.goals.sessions.iter(1, GOAL, page_size=page_size, concurrency=concurrency)
    assert [session.session_id for session in await walk.collect()] == ALL
    asked = [(int(r.query["page"]), int(r.query["limit"])) for r in server.requests]
    through = 95 // page_size + 1
    further = [(1, 100), (1, max(100, page_size * concurrency))]  # the head, and a sweep
    if page_size >= 95:
        further = []
    elif page_size >= 31 or concurrency == 1:
        further = further[:1]
    assert asked[len(asked) - len(further) :] == further
    assert through <= len(asked) - len(further) <= through + concurrency - 1
    passes = 1 + len(further)
    assert (walk.report.passes, walk.report.duplicates) == (passes, 0)
    assert (walk.report.complete, walk.report.doubtful) == (True, False)
    assert str(walk.report.reason).startswith("the window was not settled when the walk began")


async def test_a_list_of_one_page_is_one_request(
    server: RybbitServer, client: RybbitClient
) -> None:
    await client.goals.sessions.iter(1, GOAL, concurrency=32).collect()
    assert len(server.requests) == 1
    assert server.requests[0].query["limit"] == "1000"


@pytest.mark.parametrize("page_size", [10, 30, 94, 96])
async def test_the_total_of_a_goal_saves_requests(
    server: RybbitServer, client: RybbitClient, page_size: int
) -> None:
    goal = await client.goals.get(1, GOAL, **PAST)
    assert goal.total_conversions == 95
    server.requests.clear()
    walk = client.goals.sessions.iter(1, goal, page_size=page_size, concurrency=8, **PAST)
    assert [session.session_id for session in await walk.collect()] == ALL
    assert len(server.requests) == math.ceil(95 / page_size)


async def test_with_the_total_of_a_goal_all_requests_start_at_once(
    server: RybbitServer, client: RybbitClient
) -> None:
    goal = await client.goals.get(1, GOAL, **PAST)
    with server.hold() as held:
        task = asyncio.create_task(
            client.goals.sessions.iter(1, goal, page_size=10, concurrency=8, **PAST).collect()
        )
        await held.reached(8)
    assert len(await task) == 95


async def test_in_a_live_window_the_first_page_is_requested_alone(
    server: RybbitServer, client: RybbitClient
) -> None:
    """The walk compares all other pages with the head of the list, so it reads the head first."""
    goal = await client.goals.get(1, GOAL)
    walk = client.goals.sessions.iter(1, goal, page_size=10, concurrency=8)
    with server.hold() as held:
        task = asyncio.create_task(walk.collect())
        await held.reached(1)
        await turns(200)
        assert held.waiting == 1
    assert len(await task) == 95
    server.requests.clear()
    with server.hold(beyond(1)) as held:
        task = asyncio.create_task(walk.collect())
        await held.reached(2)
    assert len(await task) == 95


@pytest.mark.parametrize("hint", [0, 1, 20, 94, 96, 500])
@pytest.mark.parametrize("concurrency", [1, 8])
async def test_a_wrong_total_of_a_goal_loses_nothing(
    server: RybbitServer, client: RybbitClient, hint: int, concurrency: int
) -> None:
    goal = attrs.evolve(await client.goals.get(1, GOAL), total_conversions=hint)
    walk = client.goals.sessions.iter(1, goal, page_size=20, concurrency=concurrency)
    assert [session.session_id for session in await walk.collect()] == ALL
    assert walk.report.complete is True


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("limit", "requests"), [(0, 0), (1, 1), (5, 1), (6, 2), (10, 2), (23, 5), (24, 5)]
)
async def test_limit_with_a_known_total(
    server: RybbitServer, client: RybbitClient, limit: int, requests: int, concurrency: int
) -> None:
    walk = client.goals.iter(1, page_size=5, concurrency=concurrency, limit=limit)
    goals = await walk.collect()
    assert [goal.goal_id for goal in goals] == list(range(101, 101 + min(limit, 23)))
    assert len(server.requests) == requests
    assert all(request.query["page_size"] == "5" for request in server.requests)
    if limit < 23:
        assert walk.report.complete is False
        assert f"limit={limit}" in str(walk.report.reason)


async def test_limit_without_a_known_total(server: RybbitServer, client: RybbitClient) -> None:
    walk = client.goals.sessions.iter(1, GOAL, page_size=10, limit=25)
    assert [session.session_id for session in await walk.collect()] == ALL[:25]
    assert len(server.requests) == 3


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_max_pages(server: RybbitServer, client: RybbitClient, concurrency: int) -> None:
    walk = client.goals.iter(1, page_size=5, max_pages=2, concurrency=concurrency)
    assert len(await walk.collect()) == 10
    assert len(server.requests) == 2
    assert walk.report.complete is False
    assert "max_pages=2" in str(walk.report.reason)
    sessions = client.goals.sessions.iter(1, GOAL, page_size=10, max_pages=3)
    assert [session.session_id for session in await sessions.collect()] == ALL[:30]
    assert len(server.requests) == 5
    sufficient = client.goals.iter(1, page_size=5, max_pages=5)
    assert len(await sufficient.collect()) == 23
    assert sufficient.report.complete is True


async def test_first(server: RybbitServer, client: RybbitClient) -> None:
    goal = await client.goals.iter(1, page_size=5).first()
    assert goal is not None
    assert goal.goal_id == 101
    assert len(server.requests) == 1
    session = await client.goals.sessions.iter(1, GOAL).first()
    assert session is not None
    assert session.session_id == "s000"
    assert await client.goals.sessions.iter(1, 102).first() is None


async def test_pages(server: RybbitServer, client: RybbitClient) -> None:
    sizes = [len(page) async for page in client.goals.iter(1, page_size=10).pages()]
    assert sizes == [10, 10, 3]
    sizes = [len(p) async for p in client.goals.sessions.iter(1, GOAL, page_size=40).pages()]
    assert sizes == [40, 40, 15]


async def test_a_paginator_is_a_value(server: RybbitServer, client: RybbitClient) -> None:
    walk = client.goals.iter(1, page_size=10)
    await turns()
    assert server.requests == []
    assert await walk.collect() == await walk.collect()
    assert len(server.requests) == 6
    with pytest.raises(TypeError, match="async for"):
        for _ in walk:
            pass


# --- ordered and unordered ----------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8, 32])
async def test_ordered_and_unordered_yield_the_same_items(
    client: RybbitClient, concurrency: int
) -> None:
    found = {}
    for ordered in (True, False):
        walk = client.goals.sessions.iter(
            1, GOAL, page_size=6, ordered=ordered, concurrency=concurrency
        )
        found[ordered] = [session.session_id for session in await walk.collect()]
    assert found[True] == ALL
    assert sorted(found[False]) == ALL


async def test_unordered_yields_pages_as_they_arrive(
    server: RybbitServer, client: RybbitClient
) -> None:
    with server.hold(page(2)) as held:
        found = []
        async for goal in client.goals.iter(1, page_size=5, ordered=False):
            found.append(goal.goal_id)
            if len(found) == 18:  # all but the five of page 2
                held.release()
    assert sorted(found) == list(range(101, 124))
    assert found[-5:] == list(range(106, 111))


async def test_ordered_waits_for_the_next_page(server: RybbitServer, client: RybbitClient) -> None:
    with server.hold(page(2)) as held:
        found: list[Goal] = []
        task = asyncio.create_task(take(client.goals.iter(1, page_size=5, concurrency=8), found))
        await held.reached(1)
        await until(lambda: server.in_flight == 1)
        await turns(100)
        assert len(found) == 5
    await task
    assert [goal.goal_id for goal in found] == list(range(101, 124))


async def test_duplicate_rows_are_yielded_once(serve: Serve, connect: Connect) -> None:
    """A session that begins between two pages shifts all others by one, and comes last."""
    with Store() as store:
        site = store.add_site("one")
        goal = store.add_goal(site, "path", {"pathPattern": "/"})
        for at in range(30):
            store.add_session(site, end=LAST - timedelta(minutes=at + 1), session_id=f"s{at:03}")
        server = await serve("2.8", store)
        client = connect(server, routes="sites")
        server.inject(
            faults.Before(lambda: store.add_session(site, end=LAST, session_id="new")),
            when=page(2),
        )
        walk = client.goals.sessions.iter(1, goal, page_size=10, concurrency=1)
        found = [session.session_id for session in await walk.collect()]
    assert found == [*(f"s{at:03}" for at in range(30)), "new"]
    assert (walk.report.duplicates, walk.report.passes) == (1, 2)


# --- ending a walk early ------------------------------------------------------------------------


def _walks(client: RybbitClient) -> list[Paginator[Any]]:
    return [
        client.goals.iter(1, page_size=1),
        client.goals.iter(1, page_size=1, ordered=False),
        client.goals.sessions.iter(1, GOAL, page_size=2),
        client.goals.sessions.iter(1, GOAL, page_size=2, ordered=False),
    ]


@pytest.mark.parametrize("which", range(4))
async def test_break_in_async_with(server: RybbitServer, client: RybbitClient, which: int) -> None:
    with server.hold(beyond(3)) as held:
        async with _walks(client)[which] as walk:
            at = 0
            async for _ in walk:
                at += 1
                if at == 3:
                    await held.reached(1)
                    break
        assert not client_tasks()
        assert walk.report.complete is False
        await assert_nothing_is_left(server, client)


@pytest.mark.parametrize("which", range(4))
async def test_break_without_async_with(
    server: RybbitServer, client: RybbitClient, which: int
) -> None:
    with server.hold(beyond(3)) as held:
        at = 0
        async for _ in _walks(client)[which]:
            at += 1
            if at == 3:
                await held.reached(1)
                break
        gc.collect()
        await assert_nothing_is_left(server, client)


@pytest.mark.parametrize("which", range(4))
async def test_close_ends_a_walk_whose_iterator_is_still_referenced(
    server: RybbitServer, client: RybbitClient, which: int
) -> None:
    with server.hold(beyond(3)) as held:
        iterator = aiter(_walks(client)[which])
        for _ in range(3):
            await anext(iterator)
        await held.reached(1)
        await client.close()
        assert not client_tasks()
        await until(lambda: server.connections == 0)
    rest: list[Any] = []
    with pytest.raises(ClientClosedError):
        await take(iterator, rest)
    assert len(rest) <= 1


@pytest.mark.parametrize("which", range(4))
async def test_cancellation(server: RybbitServer, client: RybbitClient, which: int) -> None:
    with server.hold(beyond(3)) as held:
        task = asyncio.create_task(_walks(client)[which].collect())
        await held.reached(4 if which < 2 else 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not client_tasks()
        await assert_nothing_is_left(server, client)


@pytest.mark.parametrize("which", range(4))
async def test_an_exception_in_the_consumer(
    server: RybbitServer, client: RybbitClient, which: int
) -> None:
    async def consume() -> None:
        async with _walks(client)[which] as walk:
            at = 0
            async for _ in walk:
                at += 1
                if at == 3:
                    await held.reached(1)
                    raise ValueError("mine")

    with server.hold(beyond(3)) as held:
        with pytest.raises(ValueError, match="mine"):
            await consume()
        assert not client_tasks()
        await assert_nothing_is_left(server, client)


async def test_an_iterator_after_its_async_with_block(
    server: RybbitServer, client: RybbitClient
) -> None:
    async with client.goals.iter(1, page_size=1) as walk:
        iterator = aiter(walk)
        await anext(iterator)
    with pytest.raises(RybbitError, match="async with"):
        await anext(iterator)
    await assert_nothing_is_left(server, client)


async def test_aclose_of_the_iterator(server: RybbitServer, client: RybbitClient) -> None:
    with server.hold(beyond(1)) as held:
        iterator = client.goals.iter(1, page_size=1).pages()
        await anext(iterator)
        await held.reached(1)
        await iterator.aclose()
        assert not client_tasks()
        await assert_nothing_is_left(server, client)


# --- errors in the middle -----------------------------------------------------------------------

ERRORS: list[tuple[Any, type[Exception]]] = [
    (faults.Status(500), ServerError),
    (faults.Status(403), PermissionDeniedError),
    (faults.Reset(), APIConnectionError),
    (faults.DropInBody(), APIConnectionError),
    (faults.TruncatedJSON(), APIResponseError),
    (faults.ErrorBody(), APIResponseError),
]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("fault", "cls"), ERRORS, ids=[type(f).__name__ + str(i) for i, (f, _) in enumerate(ERRORS)]
)
async def test_an_error_in_the_middle(
    server: RybbitServer, client: RybbitClient, fault: Any, cls: type[Exception], ordered: bool
) -> None:
    server.inject(fault, when=page(3))
    found: list[Goal] = []
    walk = client.goals.iter(1, page_size=5, ordered=ordered)
    with server.hold(beyond(3)), pytest.raises(cls):
        await take(walk, found)
    if ordered:
        assert [goal.goal_id for goal in found] == list(range(101, 111))
    assert not client_tasks()
    assert walk.report.complete is False
    await assert_nothing_is_left(server, client)
    assert len(await walk.collect()) == 23


async def test_an_error_of_the_last_page(server: RybbitServer, client: RybbitClient) -> None:
    """The page is requested ahead, but its error is raised after the items of the pages before."""
    server.inject(faults.Status(500), when=page(5))
    found: list[Goal] = []
    with pytest.raises(ServerError):
        await take(client.goals.iter(1, page_size=5), found)
    assert len(found) == 20
    await assert_nothing_is_left(server, client)


async def test_an_error_beyond_the_end_is_ignored(
    server: RybbitServer, client: RybbitClient
) -> None:
    """A page after the end of the list may fail, because the list is complete without it."""
    server.inject(faults.Status(500), when=beyond(10), times=None)
    walk = client.goals.sessions.iter(1, GOAL, page_size=10, concurrency=8)
    assert [session.session_id for session in await walk.collect()] == ALL
    assert walk.report.complete is True
    await assert_nothing_is_left(server, client)


async def test_an_error_of_the_first_page(server: RybbitServer, client: RybbitClient) -> None:
    server.inject(faults.Status(500))
    with pytest.raises(ServerError):
        await client.goals.sessions.iter(1, GOAL).collect()
    await assert_nothing_is_left(server, client)


# --- inside a web application -------------------------------------------------------------------


async def test_a_disconnected_client_of_a_web_application(
    server: RybbitServer, client: RybbitClient
) -> None:
    ended = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            async with client.goals.sessions.iter(1, GOAL, page_size=2) as sessions:
                async for session in sessions:
                    await response.write(session.session_id.encode() + b"\n")
        finally:
            ended.set()
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        with server.hold(beyond(4)) as held:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"s005\n")
            await held.reached(1)
            writer.close()
            await writer.wait_closed()
            await asyncio.wait_for(ended.wait(), 5)
            await until(lambda: not client_tasks())
            await until(lambda: server.in_flight == 0)
        server.clear_faults()
        assert len(await client.goals.sessions.iter(1, GOAL).collect()) == 95
    finally:
        await runner.cleanup()


async def test_concurrent_requests_of_a_web_application_share_a_client(
    server: RybbitServer, client: RybbitClient
) -> None:
    async def one() -> list[str]:
        goal = await client.goals.get(1, GOAL)
        walk = client.goals.sessions.iter(1, goal, page_size=10)
        return [session.session_id for session in await walk.collect()]

    results = await asyncio.gather(*(one() for _ in range(20)))
    assert results == [ALL] * 20
    assert server.peak_in_flight <= 100


async def test_a_walk_within_a_walk(server: RybbitServer, client: RybbitClient) -> None:
    """As in the first sample of the README."""
    found = 0
    async for goal in client.goals.iter(1, **PAST):
        async for _ in client.goals.sessions.iter(1, goal, **PAST):
            found += 1
    assert found == 95
    assert len(server.requests) == 1 + 23
