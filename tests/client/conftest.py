from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from rybbit_async import RybbitClient
from rybbit_async.testing import RybbitServer, Store, generate

from ..clock import FakeClock
from .helpers import END, World

Serve = Callable[..., Coroutine[Any, Any, RybbitServer]]
Connect = Callable[..., RybbitClient]


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with Store() as store:
        traffic = generate(store, sessions=1_500, goals=14, end=END, seed=7)
        second = store.add_site("second")
        foreign = store.add_site("foreign", organisation="elsewhere")
        public = store.add_site("public", organisation="elsewhere", public=True)
        ids = {}
        for site in (second, foreign, public):
            ids[site.site_id] = store.add_goal(
                site, "path", {"pathPattern": "/"}, name="Home", created_at=END
            )
            for at in range(3):
                store.add_session(site, end=END - timedelta(hours=at), country="GR")
        yield World(store, traffic.site, second, ids[second.site_id], foreign, public)


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store with site 1, for tests that write."""
    with Store() as made:
        made.add_site("one")
        yield made


@pytest.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    yield
    for _ in range(100):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"tasks are left: {left}")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RYBBIT_API_KEY", "RYBBIT_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    """The clock of every client created with ``connect``."""
    return FakeClock(END)


@pytest.fixture
def serve(stack: AsyncExitStack, world: World) -> Serve:
    """``await serve(release, store=..., ...)`` starts a server, which is stopped after the test."""

    async def serve(
        release: str = "2.8", store: Store | None = None, **options: Any
    ) -> RybbitServer:
        options.setdefault("clock", lambda: END)
        server = RybbitServer(release=release, store=store or world.store, **options)
        return await stack.enter_async_context(server)

    return serve


@pytest.fixture
def connect(stack: AsyncExitStack, clock: FakeClock) -> Connect:
    """``connect(server, ...)`` creates a client with the server's key.

    It is closed before the server is. Its time is that of ``clock``, so it does not really wait.
    """

    def connect(server: RybbitServer, api_key: str | None = None, **options: Any) -> RybbitClient:
        if api_key is None and "auth" not in options:
            api_key = server.api_key
        if options.get("auth", ...) is None:
            del options["auth"]
        client = RybbitClient(api_key, base_url=options.pop("base_url", server.url), **options)
        stack.push_async_callback(client.close)
        return clock.drive(client)

    return connect
