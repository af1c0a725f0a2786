"""A server that is away for some time: who waits for it, and who does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rybbit_async import (
    APIConnectionError,
    ClientClosedError,
    Goal,
    PathGoal,
    Retry,
    RybbitClient,
    ServerError,
)
from rybbit_async.testing import BucketLimit, RybbitServer, Store, faults

from ..clock import FakeClock
from .conftest import Connect, Serve
from .helpers import ONCE, client_tasks, settled, turns, until


async def begun(client: RybbitClient, **walk: Any) -> tuple[AsyncIterator[Goal], list[Goal]]:
    """A walk over fourteen goals that has had its first page of two, and what it gave so far."""
    goals = aiter(client.goals.iter(1, page_size=2, **walk))
    first = await anext(goals)
    return goals, [first]


async def waiting(
    client: RybbitClient, server: RybbitServer, clock: FakeClock
) -> tuple[asyncio.Task[list[Goal]], list[Goal]]:
    """A walk that waits for a stopped server while the clock stands still."""
    before = client.stats.requests
    goals, seen = await begun(client, concurrency=2)
    pacer = client._transport._turns._pacer
    await until(lambda: client.stats.requests == before + 2 and not pacer._in_flight)
    await server.stop()
    await turns()  # the client sees that its connections are closed
    clock.stopped = True
    task = asyncio.create_task(rest(goals))
    await until(lambda: len(client._transport._outage._queue) == 2 == clock.sleeping)
    return task, seen


async def rest(goals: AsyncIterator[Goal]) -> list[Goal]:
    return [goal async for goal in goals]


# --- a server that cannot be reached -------------------------------------------------------------


@pytest.mark.parametrize("walk", [{}, {"concurrency": 1}, {"ordered": False}])
async def test_a_walk_outlasts_a_restart_of_thirty_seconds(
    serve: Serve, connect: Connect, clock: FakeClock, walk: dict[str, Any]
) -> None:
    server = await serve()
    clock.at(30, server.start)
    client = connect(server, routes="sites")
    goals, seen = await begun(client, **walk)
    await server.stop()
    before = client.stats.requests
    seen += await rest(goals)
    assert len({goal.goal_id for goal in seen}) == len(seen) == 14
    assert 30 <= clock.time() <= 36  # the clock moves on while a request is under way
    # One request a second asks, whatever the number of those that wait.
    assert client.stats.requests - before <= 30 + 3 * 7


async def test_a_merged_walk_outlasts_a_restart(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    clock.at(30, server.start)
    client = connect(server, routes="sites")
    expected = [(row.goal.goal_id, row.session) async for row in client.goals.sessions.iter_all(1)]
    rows = aiter(client.goals.sessions.iter_all(1))
    first = await anext(rows)
    await server.stop()
    seen = [first, *[row async for row in rows]]
    assert [(row.goal.goal_id, row.session) for row in seen] == expected
    assert clock.time() >= 30


async def test_a_walk_gives_up_after_the_timeout(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites", retry=Retry(timeout=20))
    goals, _ = await begun(client)
    await server.stop()
    with pytest.raises(APIConnectionError) as caught:
        await rest(goals)
    assert caught.value.reason == "unreachable"
    assert clock.time() == pytest.approx(20, abs=1)
    await until(lambda: not client_tasks())


async def test_only_the_first_page_of_a_walk_and_single_calls_give_up_at_once(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store
) -> None:
    server = await serve(store=store)
    client = connect(server, routes="sites")
    await client.goals.list(1)
    await server.stop()
    before = client.stats.requests
    for call in (
        client.goals.list(1),
        client.goals.iter(1).collect(),
        client.goals.get(1, 1),
        client.goals.create(1, PathGoal("/")),
        client.goals.sessions.iter_all(1).collect(),
        client.request("GET", "/api/version"),
    ):
        began = clock.time()
        with pytest.raises(APIConnectionError):
            await call
        assert clock.time() - began <= 1.6
    assert client.stats.requests - before == 6 * 5


async def test_a_single_call_gives_up_while_a_walk_waits(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    walk, seen = await waiting(client, server, clock)
    with pytest.raises(APIConnectionError):
        await client.with_options(retry=Retry(wait_initial=0)).goals.list(1)
    assert clock.time() == 0
    await server.start()
    clock.stopped = False
    clock.move(1)
    assert len(seen) + len(await walk) == 14


async def test_the_answer_to_a_single_call_ends_the_waiting(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    walk, seen = await waiting(client, server, clock)
    await server.start()
    await client.goals.list(1)
    assert len(seen) + len(await walk) == 14
    assert clock.time() == 0


async def test_one_attempt_is_one_attempt(serve: Serve, connect: Connect, clock: FakeClock) -> None:
    server = await serve()
    client = connect(server, routes="sites", retry=ONCE, concurrency=1)
    goals, _ = await begun(client)
    await server.stop()
    before = client.stats.requests
    with pytest.raises(APIConnectionError):
        await rest(goals)
    assert client.stats.requests - before == 1
    assert clock.time() == 0


async def test_asking_uses_no_attempt_and_no_retry_of_the_budget(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    clock.at(55, server.start)
    client = connect(server, routes="sites", retry=Retry(attempts=2))
    many = [await begun(client, concurrency=2) for _ in range(60)]
    await server.stop()
    results = await asyncio.gather(*(rest(goals) for goals, _ in many))
    assert {len(seen) + len(result) for (_, seen), result in zip(many, results, strict=True)} == {
        14
    }
    assert clock.time() >= 55


@pytest.mark.parametrize("end", ["close", "cancel"])
async def test_the_end_of_a_walk_that_waits(
    serve: Serve, connect: Connect, clock: FakeClock, end: str
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    walk, _ = await waiting(client, server, clock)
    if end == "close":
        await client.close()
    else:
        walk.cancel()
    (result,) = await settled(walk)
    assert type(result) is (ClientClosedError if end == "close" else asyncio.CancelledError)
    await until(lambda: not client_tasks())
    assert not client._transport._outage._queue


async def test_whoever_asks_may_be_cancelled(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    """Another one asks then."""
    server = await serve()
    client = connect(server, routes="sites")
    goals, seen = await begun(client, concurrency=1)
    first, _ = await waiting(client, server, clock)
    second = asyncio.create_task(rest(goals))
    await until(lambda: clock.sleeping == 3)
    await server.start()
    held = server.hold()
    clock.move(1)
    await until(lambda: server.in_flight)
    first.cancel()
    await settled(first)
    held.release()
    clock.move(1)
    assert len(seen) + len(await second) == 14


# --- a proxy that answers for the server ---------------------------------------------------------


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("concurrency", [1, 8])
async def test_a_walk_outlasts_a_restart_behind_a_proxy(
    serve: Serve, connect: Connect, clock: FakeClock, status: int, concurrency: int
) -> None:
    server = await serve()
    client = connect(server, routes="sites", concurrency=concurrency)
    goals, seen = await begun(client)
    down = server.inject(faults.Status(status, b"<html>nginx</html>"), times=None)

    async def recover() -> None:
        down.remove()

    clock.at(30, recover)
    seen += await rest(goals)
    assert len({goal.goal_id for goal in seen}) == len(seen) == 14
    assert down.hits <= 30 + 3 * 7
    assert "/api/version" in {request.path for request in server.requests} or concurrency > 1


async def test_one_page_that_always_fails_is_no_outage(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    server.inject(
        faults.Status(504), times=None, when=lambda request: request.query.get("page") == "3"
    )
    with pytest.raises(ServerError):
        await client.goals.iter(1, page_size=2).collect()
    assert clock.time() < 3


async def test_pages_that_always_fail_do_not_hold_up_others_for_ever(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    server.inject(
        faults.Status(504), times=None, when=lambda request: request.query.get("page") in "34"
    )
    with pytest.raises(ServerError):
        await client.goals.iter(1, page_size=2).collect()
    assert clock.time() <= 61
    assert len(await client.goals.list(1)) == 10


# --- single calls and walks under a limit --------------------------------------------------------


async def test_single_calls_go_ahead_of_walks(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve(clock=clock.now, rate_limit=BucketLimit(burst=5, refill=1))
    client = connect(server, routes="sites")
    walks = [asyncio.create_task(client.goals.iter(1, page_size=1).collect()) for _ in range(3)]
    await until(lambda: clock.time() > 5)
    began = len(server.requests)
    await client.goals.list(1, page_size=7)
    mine = [request.query["page_size"] for request in server.requests].index("7")
    assert mine - began <= 3  # what was on its way already
    assert {len(found) for found in await asyncio.gather(*walks)} == {14}


async def test_a_call_that_reads_several_pages_gives_up_like_any_other(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store
) -> None:
    """``get`` walks the goals, but whoever awaits it must not wait for a server that is away."""
    for number in range(150):
        store.add_goal(1, "path", {"pathPattern": f"/{number}"})
    server = await serve(store=store)
    client = connect(server, routes="sites")
    server.inject(
        faults.Status(502), times=None, when=lambda request: request.query.get("page") == "2"
    )
    with pytest.raises(ServerError):
        await client.goals.get(1, 250)
    assert clock.time() <= 2
