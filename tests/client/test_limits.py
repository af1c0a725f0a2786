"""Limits on responses, invalid uses of a client, and the hints in errors."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import rybbit_async
from rybbit_async import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    ClientClosedError,
    PermissionDeniedError,
    Retry,
    RybbitClient,
    RybbitError,
)
from rybbit_async.client import MAX_RESPONSE_BYTES
from rybbit_async.testing import RybbitServer, Store, faults

from ..clock import FakeClock
from .conftest import Connect, Serve
from .helpers import ONCE, UNKNOWN_ID, World, login

# --- size and nesting of responses --------------------------------------------------------------


async def test_a_gzip_bomb(serve: Serve, connect: Connect) -> None:
    server = await serve()
    server.inject(faults.GzipBomb(256 << 20))
    client = connect(server, routes="sites", max_response_bytes=1 << 20)
    with pytest.raises(
        APIResponseError, match=r"larger than 1,048,576 bytes.*max_response_bytes"
    ) as caught:
        await client.goals.list(1)
    assert (caught.value.status, caught.value.method) == (200, "GET")
    assert caught.value.url == f"{server.url}/api/sites/1/goals?page=1&page_size=10"
    assert client.stats.bytes < 3 << 20  # reading stopped soon after the limit
    assert len(server.requests) == 1  # not repeated, because the response would be the same
    assert len(await client.goals.list(1)) == 10


async def test_the_limit_is_exact_and_after_decompression(serve: Serve, connect: Connect) -> None:
    server = await serve()
    whole = len((await connect(server).request("GET", "/api/version"))["version"]) + 14
    for fault in (faults.After(lambda: None), faults.Gzip(), faults.Trickle(5, 0)):
        server.inject(fault, times=2)
        fits = connect(server, max_response_bytes=whole)
        assert await fits.request("GET", "/api/version") == {"version": "2.8.0"}
        with pytest.raises(APIResponseError, match=f"larger than {whole - 1} bytes"):
            await connect(server, max_response_bytes=whole - 1).request("GET", "/api/version")


async def test_an_error_body_is_limited_too(serve: Serve, connect: Connect) -> None:
    server = await serve()
    server.inject(faults.Status(500, "x" * 5_000))
    client = connect(server, routes="sites", max_response_bytes=4_000)
    with pytest.raises(APIResponseError, match="larger than 4,000 bytes") as caught:
        await client.goals.list(1)
    assert caught.value.status == 500


def test_the_default_limit() -> None:
    assert MAX_RESPONSE_BYTES == 256 * 2**20
    assert RybbitClient()._transport.http._options.max_response_bytes == MAX_RESPONSE_BYTES


def nested(depth: int) -> bytes:
    """A session with a total nesting of ``depth``, in a field that the model does not have."""
    row = b'{"session_id":"a","user_id":"b","x":' + b"[" * (depth - 3) + b"]" * (depth - 3) + b"}"
    return b'{"data":[' + row + b"]}"


@pytest.mark.parametrize("limit", [None, 4, 20, 500])
async def test_nesting(serve: Serve, connect: Connect, limit: int | None) -> None:
    server = await serve()
    options = {} if limit is None else {"max_depth": limit}
    client = connect(server, routes="sites", **options)
    maximum = limit or 64
    server.inject(faults.Status(200, nested(maximum)), times=2)
    (session,) = await client.goals.sessions.list(1, 101)
    assert session.extra["x"] == [] or session.extra["x"][0] is not None
    await client.request("GET", "/api/anything")
    server.inject(faults.Status(200, nested(maximum + 1)), times=2)
    for call in (
        lambda: client.goals.sessions.list(1, 101),
        lambda: client.request("GET", "/api/anything"),
    ):
        with pytest.raises(APIResponseError, match=rf"nested more than {maximum} deep.*max_depth"):
            await call()


async def test_nesting_in_the_config_of_a_goal(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    config: Any = {"a": 1}
    for _ in range(70):
        config = {"a": config}
    goal = {"goalId": 1, "siteId": 1, "name": "a", "goalType": "new", "config": config,
            "createdAt": "2026-01-01 00:00:00", "total_conversions": 0, "total_sessions": 0,
            "conversion_rate": 0}  # fmt: skip
    meta = {"total": "1", "page": 1, "pageSize": 10, "totalPages": 1}
    server.inject(faults.Status(200, {"data": [goal], "meta": meta}))
    with pytest.raises(APIResponseError, match="nested more than 64 deep"):
        await client.goals.list(1)


@pytest.mark.parametrize("depth", [100_000, 3_000_000])
async def test_extreme_nesting(serve: Serve, connect: Connect, depth: int) -> None:
    server = await serve()
    server.inject(faults.DeepNesting(depth), times=3)
    client = connect(server, routes="sites")
    for call in (
        lambda: client.goals.list(1),
        lambda: client.goals.sessions.list(1, 101),
        lambda: client.request("GET", "/api/anything"),
    ):
        with pytest.raises(APIResponseError, match="nested more than 64 deep"):
            await call()
    server.inject(faults.Status(400, b"[" * depth))
    with pytest.raises(APIStatusError, match="400"):
        await client.goals.list(1)


# --- event loops, processes, and closed clients -------------------------------------------------


def first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_second_event_loop(world: World) -> None:
    clients: list[RybbitClient] = []

    async def first() -> None:
        async with RybbitServer(store=world.store) as server:
            client = RybbitClient(server.api_key, base_url=server.url)
            clients.append(client)
            assert len(await client.goals.list(1)) == 10
            await client._transport.http._open_session().close()

    async def second() -> None:
        (client,) = clients
        for call in (
            lambda: client.goals.list(1),
            lambda: client.goals.iter(1).collect(),
            lambda: client.with_options(timeout=1).request("GET", "/api/version"),
        ):
            with pytest.raises(RybbitError) as caught:
                await call()
            assert "another event loop" in first_line(caught.value)
            assert "make a client in each loop" in first_line(caught.value)

    asyncio.run(first())
    asyncio.run(second())


FORK = """
import asyncio, os, sys
from rybbit_async import APIConnectionError, Retry, RybbitClient, RybbitError

used, fresh = (
    RybbitClient("rb_key", base_url="http://127.0.0.1:%d", retry=Retry(attempts=1))
    for _ in range(2)
)

async def use(client):
    try:
        await client.goals.list(1)
    except RybbitError as error:
        return f"{type(error).__name__} {str(error).splitlines()[0]}"

print(asyncio.run(use(used)), flush=True)
child = os.fork()
if not child:
    print(asyncio.run(use(used)), flush=True)
    print(asyncio.run(use(fresh)), flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_fork() -> None:
    run = subprocess.run(
        [sys.executable, "-c", FORK % closed_port()],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(rybbit_async.__file__).parent.parent,
    )
    before, used, fresh = run.stdout.splitlines()
    assert before.startswith("APIConnectionError ")
    assert used.startswith("RybbitError this client was used before the process forked")
    assert fresh.startswith("APIConnectionError ")


async def test_a_call_after_close(serve: Serve, connect: Connect) -> None:
    client = connect(await serve())
    await client.close()
    with pytest.raises(ClientClosedError) as caught:
        await client.goals.list(1)
    assert "the client is closed" in first_line(caught.value)


# --- unreachable servers ------------------------------------------------------------------------


def resolve_to(monkeypatch: pytest.MonkeyPatch, result: int | OSError) -> list[str]:
    """Resolve every host name to this port of localhost, or to an error; return the names."""
    asked: list[str] = []

    async def resolve(_: object, host: str, *__: object, **___: object) -> list[dict[str, Any]]:
        asked.append(host)
        if isinstance(result, OSError):
            raise result
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": result,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
        ]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    monkeypatch.setattr(aiohttp.AsyncResolver, "resolve", resolve)
    return asked


@pytest.mark.parametrize("cause", ["unknown host", "closed port"])
@pytest.mark.parametrize("base_url", [None, "https://api.rybbit.io/"])
async def test_no_connection_to_the_default_host(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock, cause: str, base_url: str | None
) -> None:
    unknown = OSError(None, "Name or service not known")
    asked = resolve_to(monkeypatch, unknown if cause == "unknown host" else closed_port())
    async with RybbitClient("rb_key", base_url=base_url, retry=Retry(attempts=2)) as client:
        clock.drive(client)
        with pytest.raises(APIConnectionError, match=r"base_url.*RYBBIT_BASE_URL") as caught:
            await client.goals.list(1)
        assert not caught.value.sent
        assert client.stats.requests == 2
    assert set(asked) == {"api.rybbit.io"}


async def test_no_connection_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, OSError(None, "Name or service not known"))
    async with RybbitClient("rb_key", base_url="https://a.example", retry=ONCE) as client:
        with pytest.raises(APIConnectionError, match="no connection could be made") as caught:
            await client.goals.list(1)
    assert "RYBBIT_BASE_URL" not in str(caught.value)


# --- rejected requests and their likely causes --------------------------------------------------


@pytest.mark.parametrize("release", ["2.2", "2.4", "2.8"])
async def test_a_key_that_never_worked(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    with pytest.raises(APIStatusError) as caught:
        await connect(server, "rb_wrong").goals.list(1)
    text = str(caught.value)
    for cause in ("wrong, expired or disabled", "another organisation", "used up"):
        assert cause in text
    assert "worked" not in text


@pytest.mark.parametrize("release", ["2.2", "2.4", "2.8"])
async def test_a_key_that_worked_a_moment_ago(
    serve: Serve, connect: Connect, clock: FakeClock, release: str
) -> None:
    server = await serve(release)
    client = connect(server)
    await client.goals.list(1)
    clock.move(3)
    server.disable_key(server.api_key)
    with pytest.raises(APIStatusError) as caught:
        await client.goals.list(1)
    assert "The key worked 3 s ago, so it is probably used up" in str(caught.value)
    assert "rate_limit=RateLimit(500, per=600)" in str(caught.value)


async def test_public_endpoints_do_not_show_that_a_key_works(
    serve: Serve, connect: Connect
) -> None:
    client = connect(await serve(), "rb_wrong")
    await client.request("GET", "/api/version")
    await client.request("GET", "/api/health")
    with pytest.raises(PermissionDeniedError) as caught:
        await client.goals.list(1)
    assert "worked" not in str(caught.value)


async def test_a_request_without_a_key(serve: Serve, connect: Connect) -> None:
    with pytest.raises(
        PermissionDeniedError, match=r"No key was sent \(see api_key and RYBBIT_API_KEY\)"
    ):
        await connect(await serve(), auth=None).goals.list(1)


async def test_an_account_without_permission(serve: Serve, connect: Connect, world: World) -> None:
    server = await serve()
    client = connect(server, auth=login(server))
    with pytest.raises(PermissionDeniedError, match="The account may not do this") as caught:
        await client.goals.list(world.foreign.site_id)
    assert "key" not in str(caught.value)


async def test_other_errors_have_no_hint_about_keys(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    with pytest.raises(APIStatusError) as caught:
        await connect(server, routes="sites").goals.list(UNKNOWN_ID)
    assert re.fullmatch(r"404 for GET \S+: Site not found\. There is no such site, or .*",
                        str(caught.value))  # fmt: skip
