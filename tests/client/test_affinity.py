"""One client in several threads and event loops: a clear error at once, and nothing that hangs."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rybbit_async import ByRank, Paginator, PathGoal, RybbitClient, RybbitError, Timeout
from rybbit_async.resources.resource import Resource
from rybbit_async.testing import RybbitServer

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
    required = {
        one.name: ARGUMENTS[one.name]
        for one in inspect.signature(method).parameters.values()
        if one.default is one.empty or one.name == "name"
    }
    return method(**required)


async def used(result: Any) -> None:
    """Await what a method returned, or take the first item of it."""
    if isinstance(result, AsyncIterator):
        await anext(aiter(result))
    elif inspect.isawaitable(result):
        await result


async def pages(walk: Paginator[Any]) -> None:
    async for _ in walk.pages():
        pass


WALKS: dict[str, Callable[[Paginator[Any]], Coroutine[Any, Any, object]]] = {
    "collect": lambda walk: walk.collect(),
    "first": lambda walk: walk.first(),
    "pages": pages,
}


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


async def test_no_method_can_be_used_in_another_thread(world: World) -> None:
    async with (
        RybbitServer(store=world.store) as server,
        RybbitClient(server.api_key, base_url=server.url) as client,
    ):
        await client.goals.list(1)
        server.requests.clear()
        view = client.with_options(timeout=Timeout(total=2))
        methods = public_methods(client) | public_methods(view, "view")
        assert {"client.goals.ensure", "client.close", "view.goals.sessions.iter_all"} <= {*methods}
        for name, method in methods.items():
            if name.endswith("with_options"):
                continue
            results = [lambda method=method: used(called(method))]
            if name.rpartition(".")[2].startswith(("iter", "metric")):
                results = [
                    lambda method=method, how=how: how(called(method)) for how in WALKS.values()
                ]
            for result in results:
                error = await asyncio.to_thread(in_a_thread, result)
                assert type(error) is RybbitError, name
                assert "another event loop" in str(error), name
        assert server.requests == []
        assert len(await client.goals.list(1)) == 10


async def test_one_of_eight_threads_becomes_the_owner(world: World) -> None:
    async with RybbitServer(store=world.store) as server:
        client = RybbitClient(server.api_key, base_url=server.url, timeout=Timeout(total=2))
        start = threading.Barrier(8)

        async def use() -> None:
            start.wait()
            try:
                await client.goals.list(1)
                await client.close()
            finally:
                start.wait()

        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(8) as threads:
            calls = (loop.run_in_executor(threads, in_a_thread, use) for _ in range(8))
            errors = await asyncio.gather(*calls)
        assert errors.count(None) == 1
        assert {type(error) for error in errors} == {type(None), RybbitError}


@pytest.mark.parametrize("is_closed", [True, False])
def test_closing_after_the_loop_has_ended(world: World, is_closed: bool) -> None:
    loop = asyncio.new_event_loop()
    server = RybbitServer(store=world.store)

    async def use() -> RybbitClient:
        await server.start()
        client = RybbitClient(server.api_key, base_url=server.url)
        assert len(await client.goals.list(1)) == 10
        if is_closed:  # nobody can close its connections after that
            await client._transport.http._open_session().close()
        return client

    client = loop.run_until_complete(use())
    if is_closed:
        loop.run_until_complete(server.stop())
        loop.close()
    asyncio.run(client.close())
    assert client.closed
    if not is_closed:
        loop.run_until_complete(server.stop())
        loop.close()


async def test_a_client_that_was_never_used_can_be_closed_anywhere(world: World) -> None:
    client = RybbitClient("rb_key", base_url="https://analytics.example.com")
    assert await asyncio.to_thread(in_a_thread, client.close) is None
    assert client.closed
