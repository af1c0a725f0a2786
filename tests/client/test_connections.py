"""Connections, and the aiohttp session that a client uses."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

import rybbit_async
from rybbit_async import (
    ClientClosedError,
    InvalidParameterError,
    NotFoundError,
    RybbitClient,
)

from .conftest import Connect, Serve
from .helpers import (
    turns,
    until,
)


async def test_creating_a_client_opens_no_connection(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    client.goals.iter(1)
    await turns()
    assert (server.connections, server.requests) == (0, [])
    await client.close()


async def test_connections_are_reused(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    for _ in range(10):
        await client.goals.list(1)
    assert server.connections == 1
    with server.hold() as held:
        calls = [asyncio.create_task(client.goals.list(1)) for _ in range(5)]
        await held.reached(5)
    await asyncio.gather(*calls)
    for _ in range(10):
        await client.with_options(timeout=5).goals.list(1)
    assert server.connections == 5
    await client.close()
    await until(lambda: server.connections == 0)


async def test_max_connections(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server, routes="sites", max_connections=3)
    with server.hold() as held:
        calls = [asyncio.create_task(client.goals.list(1)) for _ in range(10)]
        await held.reached(3)
        await turns(200)
        assert (held.waiting, server.connections) == (3, 3)
    await asyncio.gather(*calls)
    assert server.peak_in_flight == 3
    assert len(server.requests) == 10


async def test_waiting_for_a_connection_does_not_count_towards_the_timeout(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    client = connect(server, routes="sites", max_connections=1)
    with server.hold() as held:
        first = asyncio.create_task(client.goals.list(1))
        await held.reached(1)
        second = asyncio.create_task(client.with_options(timeout=0.05).goals.list(1))
        done, _ = await asyncio.wait([second], timeout=0.15)
        assert not done
    await asyncio.gather(first, second)


async def test_headers(serve: Serve, connect: Connect) -> None:
    server = await serve()
    await connect(server).goals.list(1)
    headers = server.requests[-1].headers
    assert headers["User-Agent"] == f"rybbit_async/{rybbit_async.__version__}"
    assert headers["Accept"] == "application/json"
    assert "Content-Type" not in headers


async def test_a_session_passed_in_is_used_and_not_closed(serve: Serve, connect: Connect) -> None:
    server = await serve()
    made = []

    async def count(*_: Any) -> None:
        made.append(1)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(count)
    async with aiohttp.ClientSession(
        trace_configs=[trace], headers={"X-Theirs": "1"}, raise_for_status=True
    ) as session:
        async with connect(server, session=session) as client:
            await client.goals.list(1)
            await client.goals.list(1)
            with pytest.raises(NotFoundError):
                await client.goals.sessions.list(1, 999_999)
        assert client.closed
        assert not session.closed
        assert len(made) == 1
        assert all(request.headers["X-Theirs"] == "1" for request in server.requests)
        assert all(
            request.headers["User-Agent"].startswith("rybbit_async/") for request in server.requests
        )
        async with session.get(server.url + "/api/version") as answer:
            assert answer.status == 200
        assert len(made) == 1


async def test_a_session_passed_in_may_have_middlewares_and_a_base_url(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    seen = []

    async def theirs(request: Any, handler: Any) -> Any:
        seen.append(request.method)
        return await handler(request)

    async with aiohttp.ClientSession("http://127.0.0.1:1/", middlewares=(theirs,)) as session:
        client = connect(server, session=session, routes="sites")
        assert len(await client.goals.list(1)) == 10
        await client.close()
    assert seen == ["GET"]


async def test_a_closed_session_passed_in(serve: Serve, connect: Connect) -> None:
    server = await serve()
    async with aiohttp.ClientSession() as session:
        client = connect(server, session=session)
    with pytest.raises(ClientClosedError, match="passed in is closed"):
        await client.goals.list(1)


def test_a_session_of_another_kind() -> None:
    with pytest.raises(InvalidParameterError, match=r"must be an aiohttp\.ClientSession"):
        RybbitClient("rb_key", session=object())  # type: ignore[arg-type]


async def test_aiohttp_keeps_the_middlewares_of_a_session_where_they_are_looked_for() -> None:
    """There is no public way to read them. If this fails, ``Http._send`` would drop them."""

    async def theirs(request: Any, handler: Any) -> Any:
        return await handler(request)

    async with aiohttp.ClientSession(middlewares=(theirs,)) as session:
        assert session._middlewares == (theirs,)
    async with aiohttp.ClientSession() as session:
        assert not session._middlewares
