"""One client in several threads and event loops: a clear error at once, and nothing that hangs."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rybbit_async import (
    ByRank,
    ClientClosedError,
    CommonParameters,
    Filter,
    Paginator,
    PathGoal,
    RybbitClient,
    RybbitError,
    RybbitWarning,
    Timeout,
)
from rybbit_async.resources.resource import Resource
from rybbit_async.testing import HeldRequests, RybbitServer, Store

from .helpers import World

ARGUMENTS = {
    "site": 1,
    "sites": [1],
    "goal": 1,
    "goal_id": 1,
    "config": PathGoal("/"),
    "name": "x",
    "method": "GET",
    "path": "/api/version",
    "goals": [1],
    "window": {"start_date": "2026-03-01", "end_date": "2026-03-02"},
    "other": {},
    "session_id": "s1",
    "user_id": "u1",
    "parameter": "browser",
    "order": ByRank(str),
}
RELATIVE = CommonParameters(past_minutes_start=60, past_minutes_end=0)
FILTERED = CommonParameters(filters=[Filter("country", "equals", ["GR"])])


def public_methods(owner: Any, name: str = "client") -> dict[str, Callable[..., Any]]:
    """Every public method of a client and of what hangs on it, by its dotted name."""
    found: dict[str, Callable[..., Any]] = {}
    for attribute in sorted(vars(type(owner)).keys() | vars(owner).keys()):
        if attribute.startswith("_") or isinstance(vars(type(owner)).get(attribute), property):
            continue
        value = getattr(owner, attribute)
        if isinstance(value, Resource):
            found |= public_methods(value, f"{name}.{attribute}")
        elif callable(value):
            found[f"{name}.{attribute}"] = value
    return found


def called(method: Callable[..., Any]) -> Any:
    """Call a method with what it requires, and with what makes it ask further questions."""
    parameters = inspect.signature(method).parameters
    optional = {"name": "x", **FILTERED, **RELATIVE}
    required = {name for name, one in parameters.items() if one.default is one.empty}
    return method(
        **{name: ARGUMENTS[name] for name in required},
        **{name: value for name, value in optional.items() if name in parameters.keys() - required},
    )


async def by_step(walk: Paginator[Any]) -> None:
    async for _ in walk:
        pass


async def in_a_block(walk: Paginator[Any]) -> None:
    async with walk:
        pass


async def by_page(walk: Paginator[Any]) -> None:
    async for _ in walk.pages():
        pass


WAYS: list[Callable[[Paginator[Any]], Coroutine[Any, Any, object]]] = [
    by_step,
    in_a_block,
    by_page,
    Paginator.collect,
    Paginator.first,
]


def uses(method: Callable[..., Any]) -> list[Callable[[], Coroutine[Any, Any, object]]]:
    """Every way to use a method: one that returns a walk can be used in several."""

    async def use(way: Callable[[Any], Any] | None) -> None:
        result = called(method)
        if way is not None:
            await way(result)
        elif isinstance(result, AsyncIterator):
            await anext(result)
        else:
            await result

    if inspect.iscoroutinefunction(inspect.unwrap(method)):
        return [lambda: use(None)]
    is_walk = "Paginator" in str(inspect.signature(method).return_annotation)
    return [lambda way=way: use(way) for way in (WAYS if is_walk else [None])]


def in_a_thread(work: Callable[[], Coroutine[Any, Any, object]]) -> BaseException | None:
    """Run a coroutine in a loop and a thread of its own, and return its error."""
    errors: list[BaseException | None] = []

    def run() -> None:
        try:
            asyncio.run(work())
            errors.append(None)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert errors, "the thread hangs"
    return errors[0]


async def test_no_method_can_be_used_in_another_thread(store: Store) -> None:
    store.add_goal(1, "path", {"pathPattern": "/**"})
    async with (
        RybbitServer(store=store) as server,
        RybbitClient(server.api_key, base_url=server.url, max_connections=1) as client,
    ):
        view = client.with_options(timeout=Timeout(total=2))
        methods = public_methods(client) | public_methods(view, "view")
        assert {"client.goals.ensure", "client.close", "view.goals.sessions.iter_all"} <= {*methods}
        with server.hold() as held:
            # They hold all that one can wait for: the only connection, the lock of ``ensure``, and
            # the questions about the layout, the filters and the times.
            own = [
                asyncio.create_task(client.goals.ensure(1, PathGoal("/**"))),
                asyncio.create_task(client.goals.sessions.list(1, 101, **FILTERED)),
                asyncio.create_task(client.sessions.iter(1, **RELATIVE).collect()),
            ]
            await held.reached()
            for name, method in methods.items():
                if name.endswith((".with_options", ".arguments")):
                    continue
                for use in uses(method):
                    error = await asyncio.to_thread(in_a_thread, use)
                    assert type(error) is RybbitError, name
                    assert "another event loop" in str(error), name
            assert len(server.requests) == 1
        assert not client.closed
        with pytest.warns(RybbitWarning, match="filters"):
            await asyncio.gather(*own)


@pytest.mark.parametrize("number", [2, 8])
async def test_one_of_several_threads_becomes_the_owner(world: World, number: int) -> None:
    async with RybbitServer(store=world.store) as server:
        client = RybbitClient(server.api_key, base_url=server.url, timeout=Timeout(total=2))
        start = threading.Barrier(number)

        async def use() -> None:
            start.wait()
            try:
                await client.goals.list(1)
                await client.close()
            finally:
                start.wait()

        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(number) as threads:
            calls = (loop.run_in_executor(threads, in_a_thread, use) for _ in range(number))
            errors = await asyncio.gather(*calls)
        assert errors.count(None) == 1
        assert {type(error) for error in errors} == {type(None), RybbitError}


# --- one loop after the other --------------------------------------------------------------------


def end(client: RybbitClient, server: RybbitServer) -> None:
    """Close a client in another loop, where nothing may hang, leak or warn."""
    asyncio.run(asyncio.wait_for(client.close(), 5))
    assert client.closed
    client.__dict__.clear()
    gc.collect()  # shows what was not closed, as a warning
    deadline = time.monotonic() + 5
    while server.connections and time.monotonic() < deadline:
        time.sleep(0.001)
    assert server.connections == 0


def test_closing_after_asyncio_run(world: World) -> None:
    with RybbitServer(store=world.store) as server:
        client = RybbitClient(server.api_key, base_url=server.url)
        asyncio.run(client.goals.list(1))
        assert server.connections == 1
        end(client, server)


@pytest.mark.parametrize("waits", [False, True])
def test_closing_after_the_loop_was_closed(world: World, waits: bool) -> None:
    loop = asyncio.new_event_loop()

    async def use(client: RybbitClient, held: HeldRequests) -> None:
        walk = aiter(client.goals.sessions.iter(1, 101, page_size=5))
        await anext(walk)
        walks.append(walk)
        if waits:
            calls.append(asyncio.create_task(client.users.list(1)))
            await held.reached()

    walks, calls = list[AsyncIterator[Any]](), list[asyncio.Task[Any]]()
    with RybbitServer(store=world.store) as server:
        client = RybbitClient(server.api_key, base_url=server.url)
        held = server.hold(when=lambda request: request.path.endswith("/users"))
        loop.run_until_complete(use(client, held))
        loop.close()
        end(client, server)
        for call in calls:
            call._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own


def test_closing_while_the_loop_does_not_run(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.new_event_loop()

    async def use(client: RybbitClient, held: HeldRequests) -> asyncio.Task[Any]:
        await client.goals.list(1)
        call = asyncio.create_task(client.users.list(1))
        await held.reached()
        return call

    with RybbitServer(store=world.store) as server:
        client = RybbitClient(server.api_key, base_url=server.url)
        held = server.hold(when=lambda request: request.path.endswith("/users"))
        call = loop.run_until_complete(use(client, held))
        end(client, server)
        with pytest.raises(ClientClosedError):
            loop.run_until_complete(call)
    loop.close()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_walk_goes_on_in_its_own_loop_only(world: World) -> None:
    loop = asyncio.new_event_loop()
    with RybbitServer(store=world.store) as server:
        client = RybbitClient(server.api_key, base_url=server.url)
        walk = client.goals.iter(1, page_size=2, concurrency=2)
        first, second = aiter(walk), aiter(walk)
        for one in (first, second):
            loop.run_until_complete(anext(one))  # the page has one more
        asyncio.run(anext(first))
        error = in_a_thread(lambda: anext(first))
        assert type(error) is RybbitError
        assert "belongs to another event loop" in str(error)

        async def rest() -> int:
            return len([goal async for goal in second])

        assert loop.run_until_complete(rest()) == 13
        loop.run_until_complete(client.close())
    loop.close()


async def test_a_client_that_was_never_used_can_be_closed_anywhere(world: World) -> None:
    client = RybbitClient("rb_key", base_url="https://analytics.example.com")
    assert await asyncio.to_thread(in_a_thread, client.close) is None
    assert client.closed
