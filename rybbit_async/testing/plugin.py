"""The pytest plugin: `rybbit_server`, `rybbit_session_server` and `rybbit_client`.

The servers run in threads of their own, so that tests of every kind can use them: synchronous ones,
and those of pytest-asyncio and anyio in whatever event loop they run. The server and the client are
imported when a test first asks for one of them.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rybbit_async import RybbitClient

    from .server import RybbitServer

__all__ = ["rybbit_client", "rybbit_server", "rybbit_session_server"]

_client = pytest.StashKey["RybbitClient"]()


@pytest.fixture
def rybbit_server() -> Iterator[RybbitServer]:
    """A running `RybbitServer` of the newest release, with an empty store."""
    from .server import RybbitServer

    with RybbitServer() as server:
        yield server


@pytest.fixture(scope="session")
def rybbit_session_server() -> Iterator[RybbitServer]:
    """The same for all tests of a run: what one of them stores, the others see."""
    from .server import RybbitServer

    with RybbitServer() as server:
        yield server


@pytest.fixture
def rybbit_client(request: pytest.FixtureRequest, rybbit_server: RybbitServer) -> RybbitClient:
    """A `RybbitClient` with the key of `rybbit_server`, for the event loop of the test.

    It is closed when the test has ended, before the fixtures are torn down.
    """
    from rybbit_async import RybbitClient

    client = RybbitClient(rybbit_server.api_key, base_url=rybbit_server.url)
    request.node.stash[_client] = client
    return client


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Close the client at the end of a coroutine: anyio closes the event loop right after it."""
    client, test = pyfuncitem.stash.get(_client, None), pyfuncitem.obj
    if client is not None and inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def closing(**fixtures: object) -> None:
            async with client:
                await test(**fixtures)

        pyfuncitem.obj = closing
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Close the client while the event loop of the test is still there."""
    client = item.stash.get(_client, None)
    if client is not None and not client.closed:
        # In a thread of its own, so that the event loops of this one stay as they are.
        thread = threading.Thread(target=lambda: asyncio.run(client.close()))
        thread.start()
        thread.join()
