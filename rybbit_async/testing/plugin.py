"""The pytest plugin: `rybbit_server` and `rybbit_client`.

Both are async fixtures for pytest-asyncio, in either of its modes. The server and the client are
imported when a test first asks for one of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_asyncio import fixture

    from rybbit_async import RybbitClient

    from .server import RybbitServer


else:
    try:
        from pytest_asyncio import fixture
    except ImportError:  # without pytest-asyncio, pytest reports a missing plugin for the fixtures
        from pytest import fixture  # noqa: PT013

__all__ = ["rybbit_client", "rybbit_server"]


@fixture
async def rybbit_server() -> AsyncIterator[RybbitServer]:
    """A running `RybbitServer` of the newest release, with an empty store."""
    from .server import RybbitServer

    async with RybbitServer() as server:
        yield server


@fixture
async def rybbit_client(rybbit_server: RybbitServer) -> AsyncIterator[RybbitClient]:
    """A `RybbitClient` with the key of `rybbit_server`."""
    from rybbit_async import RybbitClient

    async with RybbitClient(rybbit_server.api_key, base_url=rybbit_server.url) as client:
        yield client
