"""The pytest plugin: `rybbit_server`, `rybbit_session_server` and `rybbit_client`.

None of them is asynchronous, and the servers run in threads of their own. So tests of every kind
can use them: synchronous ones, and those of pytest-asyncio and anyio in whatever event loop.
The server and the client are imported when a test first asks for one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rybbit_async import RybbitClient

    from .server import RybbitServer

__all__ = ["rybbit_client", "rybbit_server", "rybbit_session_server"]


@pytest.fixture
def rybbit_server() -> Iterator[RybbitServer]:
    """A running `RybbitServer` of the newest release, with an empty store."""
    from . import RybbitServer

    with RybbitServer() as server:
        yield server


@pytest.fixture(scope="session")
def rybbit_session_server() -> Iterator[RybbitServer]:
    """One `RybbitServer` for all tests of a run, and for fixtures of every scope.

    Everything about it is shared: what a test stores, the faults it injects, the requests that were
    recorded, the keys, the release and the clock. Under pytest-xdist, each worker has its own.
    """
    from . import RybbitServer

    with RybbitServer() as server:
        yield server


@pytest.fixture
def rybbit_client(rybbit_server: RybbitServer) -> Iterator[RybbitClient]:
    """A `RybbitClient` with the key of `rybbit_server`, for the loop that first uses it."""
    from rybbit_async import RybbitClient

    client = RybbitClient(rybbit_server.api_key, base_url=rybbit_server.url)
    yield client
    # In another thread, because `asyncio.run` would change the current event loop of this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(client.close())).result()
