"""One attempt is one request on the wire, whatever happens to its connection."""

from __future__ import annotations

import traceback
from typing import Any

import aiohttp
import pytest

from rybbit_async import (
    APIConnectionError,
    APITimeoutError,
    PathGoal,
)
from rybbit_async.testing import Store, faults

from .conftest import Connect, Serve
from .helpers import (
    ONCE,
    lines,
    turns,
    until,
)

LOSSES = [
    pytest.param(faults.Reset(), id="reset"),
    pytest.param(faults.Drop(), id="drop"),
    pytest.param(faults.ResetInBody(), id="reset in body"),
    pytest.param(faults.DropInBody(), id="drop in body"),
]
METHODS = ["GET", "PUT", "DELETE", "POST", "PATCH"]


@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("used", [False, True], ids=["new connection", "used connection"])
async def test_one_attempt_is_one_request(
    serve: Serve, connect: Connect, loss: Any, method: str, passed_in: bool, used: bool
) -> None:
    server = await serve("2.8")
    async with aiohttp.ClientSession() as session:
        client = connect(server, session=session if passed_in else None, retry=ONCE)
        if used:
            await client.request("GET", "/api/version")
            server.requests.clear()
        server.inject(loss)
        body = {"a": 1} if method in ("PUT", "POST", "PATCH") else None
        with pytest.raises(APIConnectionError) as caught:
            await client.request(method, "/api/sites/1/goals", json=body)
        await turns()
        assert lines(server) == [f"{method} /api/sites/1/goals"]
        assert not isinstance(caught.value, APITimeoutError)
        assert (caught.value.method, caught.value.sent) == (method, True)
        assert caught.value.url == f"{server.url}/api/sites/1/goals"
        assert await client.request("GET", "/api/version") == {"version": "2.8.0"}
        await client.close()


@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
@pytest.mark.parametrize("method", METHODS)
async def test_a_connection_that_closes_during_a_request(
    serve: Serve, connect: Connect, method: str, passed_in: bool
) -> None:
    server = await serve("2.8")
    server.inject(faults.CloseIdle(late=True))
    async with aiohttp.ClientSession() as session:
        client = connect(server, session=session if passed_in else None, retry=ONCE)
        await client.request("GET", "/api/version")
        with pytest.raises(APIConnectionError) as caught:
            await client.request(method, "/api/sites/1/goals")
        await turns()
        assert lines(server) == ["GET /api/version", f"{method} /api/sites/1/goals"]
        assert caught.value.sent
        await client.close()


async def test_aiohttp_by_itself_sends_twice(serve: Serve) -> None:
    """The reason for the tests above."""
    server = await serve("2.8")
    server.inject(faults.CloseIdle(late=True))
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(server.url + "/api/version") as answer:
                await answer.read()
    assert len(server.requests) == 3


async def test_a_connection_that_closed_while_idle_is_replaced(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.8")
    client = connect(server)
    server.inject(faults.CloseIdle())
    await client.request("GET", "/api/version")
    await until(lambda: server.connections == 0)
    await turns()
    assert await client.request("GET", "/api/version") == {"version": "2.8.0"}


async def test_a_write_without_a_response_may_have_been_carried_out(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    await client.goals.list(1)
    server.inject(faults.Reset(handled=True), when=lambda request: request.method == "POST")
    with pytest.raises(APIConnectionError) as caught:
        await client.goals.create(1, PathGoal("/a"))
    assert caught.value.sent
    assert len(store.goals(1)) == 1


async def test_a_server_that_does_not_listen(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server)
    await server.stop()
    with pytest.raises(APIConnectionError, match="no connection could be made") as caught:
        await client.goals.list(1)
    assert not caught.value.sent
    assert not isinstance(caught.value, APITimeoutError)
    shown = "".join(traceback.format_exception(caught.value))
    assert "ssl" not in shown  # aiohttp speaks of TLS for any address
    assert "aiohttp" not in shown.splitlines()[-1]
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    await server.start()
    assert len(await client.goals.list(1)) == 10
