"""The life of a client: creating, closing, pickling."""

from __future__ import annotations

import asyncio
import gc
import pickle
import traceback
import warnings
from typing import Any

import aiohttp
import pytest

from rybbit_async import (
    APIStatusError,
    ClientClosedError,
    Goal,
    PathGoal,
    RybbitClient,
    RybbitError,
)
from rybbit_async.testing import RybbitServer, faults

from .conftest import Connect, Serve
from .helpers import (
    World,
    client_tasks,
    settled,
    take,
    until,
)


async def test_close_ends_calls_in_flight(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server, routes="sites", max_connections=4)
    with server.hold() as held:
        calls = [asyncio.create_task(client.goals.list(1)) for _ in range(10)]
        await held.reached(4)
        await client.close()
        await client.close()
        results = await settled(*calls)
        assert {type(result) for result in results} == {ClientClosedError}
        await until(lambda: server.connections == server.in_flight == 0)
    assert client.closed
    assert not client_tasks()


@pytest.mark.parametrize("fault", [faults.Stall(), faults.Trickle(10, 60)], ids=["head", "body"])
async def test_close_with_a_session_passed_in_ends_only_its_own_calls(
    serve: Serve, connect: Connect, fault: Any
) -> None:
    server = await serve("2.8")
    async with aiohttp.ClientSession() as session:
        client = connect(server, session=session, routes="sites")
        injected = server.inject(fault, when=lambda request: "page" in request.query)
        call = asyncio.create_task(client.goals.list(1))
        await until(lambda: injected.hits)
        with server.hold() as held:
            theirs = asyncio.create_task(session.request("GET", server.url + "/api/version"))
            await held.reached(1)
            await client.close()
            with pytest.raises(ClientClosedError):
                await call
        async with await theirs as answer:
            assert answer.status == 200


async def test_close_ends_running_walks(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server, routes="sites")
    found: list[Goal] = []
    with server.hold(lambda request: request.query.get("page") == "4") as held:
        walks = [
            asyncio.create_task(take(client.goals.iter(1, page_size=2), found)) for _ in range(3)
        ]
        await held.reached(3)
        await client.close()
        results = await settled(*walks)
        assert {type(result) for result in results} == {ClientClosedError}
        assert len(found) <= 3 * 6
        await until(lambda: server.connections == server.in_flight == 0)
    assert not client_tasks()


async def test_closing_from_within_a_walk(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server)
    found: list[Goal] = []

    async def walk() -> None:
        async for goal in client.goals.iter(1, page_size=2):
            found.append(goal)
            await client.close()

    with pytest.raises(ClientClosedError, match="closed during this walk"):
        await walk()
    # The page that had arrived already is returned completely.
    assert len(found) == 2
    assert not client_tasks()


async def test_after_close(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server)
    await client.close()
    walk = client.goals.iter(1)
    for call in (
        lambda: client.goals.list(1),
        lambda: client.with_options(timeout=1).goals.list(1),
        lambda: client.goals.create(1, PathGoal("/")),
        lambda: client.goals.sessions.list(1, 101),
        lambda: client.request("GET", "/api/version"),
        walk.collect,
        walk.first,
    ):
        with pytest.raises(ClientClosedError):
            await call()
    assert server.requests == []
    assert isinstance(ClientClosedError("x"), RybbitError)


async def test_a_walk_that_is_continued_after_close(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server)
    iterator = aiter(client.goals.iter(1, page_size=2, concurrency=1))
    await anext(iterator)
    await client.close()
    await anext(iterator)
    with pytest.raises(ClientClosedError):
        await anext(iterator)


async def test_async_with(serve: Serve) -> None:
    server = await serve("2.8")
    async with RybbitClient(server.api_key, base_url=server.url) as client:
        assert len(await client.goals.list(1)) == 10
        assert not client.closed
    assert client.closed
    await until(lambda: server.connections == 0)
    other = RybbitClient(server.api_key, base_url=server.url)

    async def fail() -> None:
        async with other:
            await other.goals.list(1)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await fail()
    assert other.closed


async def test_closing_a_view_closes_the_client(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server)
    view = client.with_options(concurrency=2)
    await view.close()
    assert client.closed


def test_a_plain_with_mentions_async_with() -> None:
    with pytest.raises(TypeError, match="async with"), RybbitClient("rb_key"):
        pass


def test_a_client_does_not_pickle() -> None:
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(RybbitClient("rb_key"))


def test_creating_a_client_needs_no_loop(world: World) -> None:
    """It is created in a plain function and used in a loop that starts later."""

    async def main(server: RybbitServer, client: RybbitClient) -> int:
        async with client:
            return len(await client.goals.list(1))

    async def run() -> int:
        async with RybbitServer(store=world.store) as server:
            client = await asyncio.to_thread(RybbitClient, server.api_key, base_url=server.url)
            return await main(server, client)

    early = RybbitClient("rb_key", base_url="http://127.0.0.1:1")
    assert asyncio.run(run()) == 10
    asyncio.run(early.close())


def test_the_repr_has_the_address_and_no_key() -> None:
    client = RybbitClient("rb_0123456789", base_url="https://a.example/base/")
    assert repr(client) == "<RybbitClient https://a.example/base>"
    asyncio.run(client.close())
    assert repr(client) == "<RybbitClient https://a.example/base (closed)>"


# --- clients that nobody closed -----------------------------------------------------------------


async def test_an_unclosed_client_warns_once_and_says_what_to_do(serve: Serve) -> None:
    server = await serve()
    client = RybbitClient(server.api_key, base_url=server.url)
    await client.goals.list(1)
    view = client.with_options(concurrency=2)
    del client
    gc.collect()
    assert len(await view.goals.list(1)) == 10
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        del view
        gc.collect()
    text = f"unclosed <RybbitClient {server.url}>: use 'async with', or call 'await client.close()'"
    assert [(one.category, str(one.message)) for one in warned] == [(ResourceWarning, text)]
    await until(lambda: server.connections == 0)


def test_an_unclosed_client_whose_loop_has_ended_warns_once() -> None:
    with RybbitServer() as server:

        async def leave() -> RybbitClient:
            client = RybbitClient(server.api_key, base_url=server.url)
            await client.request("GET", "/api/version")
            return client

        left = asyncio.run(leave())
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            del left
            gc.collect()
        assert [str(one.message).partition(" <")[0] for one in warned] == ["unclosed"]


async def test_clients_that_do_not_warn(serve: Serve) -> None:
    """Every warning is an error, see the configuration of pytest."""
    server = await serve()
    RybbitClient(server.api_key, base_url=server.url)
    async with aiohttp.ClientSession() as session:
        borrowing = RybbitClient(server.api_key, base_url=server.url, session=session)
        await borrowing.goals.list(1)
        del borrowing
        gc.collect()
    async with RybbitClient(server.api_key, base_url=server.url) as client:
        await client.goals.list(1)
    closing = RybbitClient(server.api_key, base_url=server.url)
    await closing.goals.list(1)
    task = asyncio.create_task(closing.close())
    await asyncio.sleep(0)
    task.cancel()
    await settled(task)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        del client, closing, task
        gc.collect()
    assert not warned


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_a_wrong_key_prints_one_traceback(serve: Serve, release: str) -> None:
    server = await serve(release)
    calls: list[Any] = [
        lambda client: client.goals.list(1),
        lambda client: client.goals.iter(1).collect(),
        lambda client: client.goals.ensure(1, PathGoal("/x")),
        lambda client: client.goals.create(1, PathGoal("/x")),
        lambda client: client.goals.update(1, 101, name="x"),
        lambda client: client.goals.delete(1, 101),
        lambda client: client.goals.sessions.iter_all(1).collect(),
        lambda client: client.users.list(1),
        lambda client: client.goals.list(1, past_minutes_start=60, past_minutes_end=0),
    ]
    for call in calls:
        async with RybbitClient("rb_wrong", base_url=server.url) as client:
            with pytest.raises(APIStatusError) as caught:
                await call(client)
        assert caught.value.status in (401, 403)
        shown = "".join(traceback.format_exception(caught.value))
        assert shown.count("Traceback (most recent call last)") == 1
