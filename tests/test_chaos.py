"""A short run of ``chaos.py``; ``nox -s chaos`` is the long one."""

from __future__ import annotations

import asyncio

import pytest

from rybbit_async import ClientClosedError, RybbitClient
from rybbit_async.testing import RybbitServer

from .chaos import Chaos, _is_ours


async def test_nothing_is_lost_duplicated_leaked_or_hung() -> None:
    run = Chaos(500, seed=4, actors=20, epoch=110)
    await run.run()
    assert not run.violations, run.summary()
    assert run.epochs >= 2
    assert run.items > 300
    assert sum(times for (_, outcome), times in run.walks.items() if outcome == "finished") > 10


# --- bugs that long runs have found -------------------------------------------------------------


async def test_close_can_be_called_twice_at_once() -> None:
    async with RybbitServer() as server:
        client = RybbitClient(server.api_key, base_url=server.url)
        with server.hold() as held:
            call = asyncio.create_task(client.goals.list(1))
            await held.reached()
            async with asyncio.timeout(5):
                await asyncio.gather(client.close(), client.close())
        with pytest.raises(ClientClosedError):
            await call


async def test_a_cancelled_close_closes_the_client() -> None:
    async with RybbitServer() as server:
        client = RybbitClient(server.api_key, base_url=server.url)
        with server.hold() as held:
            call = asyncio.create_task(client.goals.list(1))
            await held.reached()
            closing = asyncio.create_task(client.close())
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
        with pytest.raises(ClientClosedError):
            await call
        session = client._transport.http._session
        assert session is not None
        assert session.closed


async def test_cancelling_twice_ends_every_sub_walk() -> None:
    async with (
        RybbitServer() as server,
        RybbitClient(server.api_key, base_url=server.url) as client,
    ):
        for at in range(3):
            server.store.add_goal(server.store.add_site(), "path", {"pathPattern": f"/{at}"})
        with server.hold(lambda request: "sessions" in request.path) as held:
            walk = client.goals.sessions.iter_all([1, 2, 3])
            task = asyncio.create_task(walk.collect())
            await held.reached(2)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0)
            assert not [left for left in asyncio.all_tasks() if _is_ours(left)]
