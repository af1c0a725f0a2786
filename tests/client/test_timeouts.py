"""Timeouts, and calls that are cancelled."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import pytest

from rybbit_async import (
    APIConnectionError,
    APITimeoutError,
    InvalidParameterError,
    RybbitClient,
    Timeout,
)
from rybbit_async.testing import faults

from .conftest import Connect, Serve
from .helpers import (
    ONCE,
    until,
)


async def test_total_timeout(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    server.inject(faults.Stall(), times=None)
    for client in (
        connect(server, timeout=0.05, retry=ONCE),
        connect(server, timeout=Timeout(total=0.05), retry=ONCE),
        connect(server, retry=ONCE).with_options(timeout=0.05),
    ):
        with pytest.raises(APITimeoutError, match=r"0\.05 s \(Timeout.total\)") as caught:
            await client.goals.list(1)
        assert caught.value.sent
        assert isinstance(caught.value, APIConnectionError)
    await until(lambda: server.in_flight == 0)


async def test_total_timeout_of_a_response_that_arrives_slowly(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.8")
    server.inject(faults.Trickle(chunk=1, seconds=0.005))
    client = connect(server, routes="sites", timeout=Timeout(read=1, total=0.1), retry=ONCE)
    with pytest.raises(APITimeoutError, match=r"Timeout\.total"):
        await client.goals.list(1)


@pytest.mark.parametrize(
    "fault", [faults.Stall(), faults.Trickle(chunk=10, seconds=60)], ids=["head", "body"]
)
async def test_read_timeout(serve: Serve, connect: Connect, fault: Any) -> None:
    server = await serve("2.8")
    server.inject(fault)
    client = connect(server, routes="sites", timeout=Timeout(read=0.05), retry=ONCE)
    with pytest.raises(APITimeoutError, match=r"0\.05 s \(Timeout.read\)") as caught:
        await client.goals.list(1)
    assert caught.value.sent
    assert len(server.requests) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's way with a full backlog")
async def test_connect_timeout() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fill = [socket.socket() for _ in range(4)]
        try:
            for one in fill:
                one.setblocking(False)
                one.connect_ex(listener.getsockname())
            port = listener.getsockname()[1]
            async with RybbitClient(
                "rb_key",
                base_url=f"http://127.0.0.1:{port}",
                timeout=Timeout(connect=0.05),
                retry=ONCE,
            ) as client:
                began = loop.time()
                with pytest.raises(APITimeoutError, match=r"0\.05 s \(Timeout.connect\)") as caught:
                    await client.goals.list(1)
                assert not caught.value.sent
                assert loop.time() - began < 5
        finally:
            for one in fill:
                one.close()


@pytest.mark.parametrize("seconds", [0, -1, True, "1", float("nan")])
def test_invalid_timeouts(seconds: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"Timeout\.total must be"):
        RybbitClient("rb_key", timeout=seconds)
    for name in ("connect", "read", "total"):
        with pytest.raises(InvalidParameterError, match=rf"Timeout\.{name} must be"):
            Timeout(**{name: seconds})


async def test_a_timeout_leaves_the_client_usable(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server, routes="sites")
    server.inject(faults.Stall())
    with pytest.raises(APITimeoutError):
        await client.with_options(timeout=0.05, retry=ONCE).goals.list(1)
    assert len(await client.goals.list(1)) == 10
    server.inject(faults.Stall())
    assert len(await client.with_options(timeout=0.05).goals.list(1)) == 10


async def test_cancelling_a_call_is_a_cancellation(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server, routes="sites")
    with server.hold() as held:
        call = asyncio.create_task(client.goals.list(1))
        await held.reached(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: server.in_flight == 0)
    with server.hold(), pytest.raises(TimeoutError):  # the caller's own, not an APITimeoutError
        await asyncio.wait_for(client.goals.list(1), 0.01)
    assert len(await client.goals.list(1)) == 10
