"""What is passed to aiohttp (headers, proxy, TLS, tracing), and what is logged."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import ssl
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rybbit_async import (
    APIConnectionError,
    InvalidParameterError,
    PathGoal,
    RateLimitError,
    RybbitClient,
    ServerError,
)
from rybbit_async.testing import Store, faults

from .conftest import Connect, Serve
from .helpers import ONCE, login

# --- headers ------------------------------------------------------------------------------------


async def test_headers(serve: Serve, connect: Connect, store: Store) -> None:
    server = await serve("2.8", store)
    mine = {"X-Mine": "1", "user-agent": "mine/1.0", "Accept-Encoding": "identity"}
    client = connect(server, auth=login(server), headers=mine)
    await client.goals.create(1, PathGoal("/a"))
    await client.with_options(timeout=9).goals.list(1)
    assert len(server.requests) >= 4  # a sign-in among them
    for request in server.requests:
        assert request.headers.getall("X-Mine") == ["1"]
        assert request.headers["Accept-Encoding"] == "identity"
        assert request.headers["Accept"] == "application/json"
        assert request.headers["User-Agent"] == "mine/1.0"


async def test_headers_are_copied(serve: Serve, connect: Connect) -> None:
    server = await serve()
    mine = {"X-Mine": "1"}
    client = connect(server, routes="sites", headers=mine)
    mine["X-Mine"] = "2"
    mine["Authorization"] = "Bearer other"
    await client.goals.list(1)
    assert server.requests[0].headers["X-Mine"] == "1"
    assert server.requests[0].headers["Authorization"] == f"Bearer {server.api_key}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "x"},
        {"authorization": "x"},
        {"Cookie": "x"},
        {"Content-Type": "x"},
        {"Content-Length": "5"},
        {"Host": "x"},
        {"": "x"},
        {"a b": "x"},
        {"a:": "x"},
        {"X": 5},
        {5: "x"},
        {"X": None},
    ],
)
def test_invalid_headers(headers: Mapping[Any, Any]) -> None:
    with pytest.raises(InvalidParameterError, match="headers"):
        RybbitClient("rb_key", headers=headers)


# --- proxy --------------------------------------------------------------------------------------


@asynccontextmanager
async def a_proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy for plain HTTP, and the heads of the requests that it received."""
    heads: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        heads.append(head)
        found = re.match(r"(\w+) http://([^:/]+):(\d+)(\S*) (.*)", head, re.DOTALL)
        assert found is not None
        method, host, port, path, rest = found.groups()
        there, to = await asyncio.open_connection(host, int(port))
        rest = rest.replace("Connection: keep-alive", "Connection: close")
        if "Connection:" not in rest:
            rest = rest.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
        to.write(f"{method} {path} {rest}".encode())
        writer.write(await there.read())
        to.close()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"127.0.0.1:{port}", heads


@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
async def test_proxy(serve: Serve, connect: Connect, passed_in: bool) -> None:
    server = await serve()
    async with a_proxy() as (address, heads), aiohttp.ClientSession() as session:
        client = connect(
            server,
            proxy=f"http://me:hunter2@{address}",
            session=session if passed_in else None,
            routes="sites",
        )
        assert len(await client.goals.list(1)) == 10
        await client.close()
    (head,) = heads
    assert head.startswith(f"GET {server.url}/api/sites/1/goals?page=1")
    assert "Proxy-Authorization: Basic " in head
    assert server.requests[0].headers["Authorization"] == f"Bearer {server.api_key}"


@pytest.mark.parametrize("base_url", [None, "https://a.example"])
async def test_a_proxy_that_does_not_listen(
    serve: Serve, connect: Connect, base_url: str | None
) -> None:
    server = await serve()
    async with a_proxy() as (address, _):
        pass
    more = {} if base_url is None else {"base_url": base_url}
    client = connect(server, proxy=f"http://me:hunter2@{address}", retry=ONCE, **more)
    with pytest.raises(APIConnectionError, match="no connection could be made") as caught:
        await client.goals.list(1)
    assert not caught.value.sent
    assert address.rpartition(":")[2] in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_proxy_that_refuses_to_connect() -> None:
    """A CONNECT precedes TLS; if the proxy refuses it, the request was not sent."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"CONNECT a.example:443 ")
        assert b"\r\nAuthorization:" not in head
        writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with RybbitClient(
            "rb_key",
            base_url="https://a.example",
            proxy=f"http://me:hunter2@127.0.0.1:{port}",
            retry=ONCE,
        ) as client:
            with pytest.raises(APIConnectionError, match="407") as caught:
                await client.request("POST", "/api/x")
    assert not caught.value.sent
    assert "carried out" not in str(caught.value)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = "".join(report.format()).split('  File "')
    assert "hunter2" not in "".join(one for one in frames if not one.startswith(__file__))


@pytest.mark.parametrize("proxy", ["", "proxy.example", "http://", "http://me:hunter2@", 5, b"x"])
def test_invalid_proxies(proxy: Any) -> None:
    with pytest.raises(InvalidParameterError, match="proxy must be an address") as caught:
        RybbitClient("rb_key", proxy=proxy)
    assert "hunter2" not in str(caught.value)


# --- TLS ----------------------------------------------------------------------------------------

# Used by these tests only, for localhost, valid until 2126.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsJdd4IvEse26nwSN
qZ1XtIuzc60+v2Jk/vSJxGhayg6hRANCAAQK0tTozTQSA0Kq9F4zIJTdqLL6mIqP
q3u3EAhLVczkPGlrS49fPC0Uut21DaAq+fwJ+1nvVjM8sBih/rg1nWYk
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIURqHGjw3AY55AdRERXToukpTlRrYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDExNTQ0OVoYDzIxMjYxMDMx
MTE1NDQ5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQK0tTozTQSA0Kq9F4zIJTdqLL6mIqPq3u3EAhLVczkPGlrS49fPC0U
ut21DaAq+fwJ+1nvVjM8sBih/rg1nWYko28wbTAdBgNVHQ4EFgQULqTzMAnUdh98
QJISuwyxsXYx//MwHwYDVR0jBBgwFoAULqTzMAnUdh98QJISuwyxsXYx//MwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAOGACH7Mlid0Omu8C67iogvuWj7NIi5TQ+3x6zF9877EAiA2
6mmcLDSa73jTQpCIun2Jvb1inIMJ+/iSZWtGO+qhQQ==
-----END CERTIFICATE-----
"""


@pytest.fixture
async def secure_url(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """A TLS server with a self-signed certificate."""
    file = tmp_path / "localhost.pem"
    file.write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context) as listening:
        yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}", file


async def test_ssl(secure_url: tuple[str, Path]) -> None:
    url, file = secure_url
    mine = ssl.create_default_context()
    # The certificate lacks the extensions that newer Pythons require.
    mine.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    mine.load_verify_locations(file)
    der = ssl.PEM_cert_to_DER_cert(CERTIFICATE[CERTIFICATE.index("-----BEGIN CERT") :])
    mark = hashlib.sha256(der).digest()
    for good in (mine, False, aiohttp.Fingerprint(mark)):
        async with RybbitClient("rb_key", base_url=url, ssl=good, retry=ONCE) as client:
            assert await client.request("GET", "/api/x") == {}
    for bad in (True, aiohttp.Fingerprint(mark[::-1])):
        async with RybbitClient("rb_key", base_url=url, ssl=bad, retry=ONCE) as client:
            with pytest.raises(APIConnectionError, match="no connection could be made") as caught:
                await client.request("POST", "/api/x")
            assert not caught.value.sent


# --- tracing ------------------------------------------------------------------------------------


async def test_trace_configs(serve: Serve, connect: Connect) -> None:
    server = await serve()
    ended = []

    async def end(_: object, context: Any, params: aiohttp.TraceRequestEndParams) -> None:
        ended.append((params.method, params.url.path, params.response.status))

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(end)
    server.inject(faults.Status(503))
    await connect(server, routes="sites", trace_configs=[trace]).goals.list(1)
    assert ended == [("GET", "/api/sites/1/goals", 503), ("GET", "/api/sites/1/goals", 200)]
    async with aiohttp.ClientSession() as session:
        with pytest.raises(InvalidParameterError, match="trace_configs and session"):
            RybbitClient("rb_key", session=session, trace_configs=[trace])


# --- logs ---------------------------------------------------------------------------------------


def logged(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "rybbit_async" and record.levelno == level
    ]


async def test_each_attempt_is_logged_at_debug(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve()
    client = connect(server)
    server.inject(faults.Reset(), skip=1)
    await client.goals.list(1)
    url = rf"GET {re.escape(server.url)}"
    expected = [
        rf"{url}/api/goals/1\?page=1&page_size=10: 404 in 0\.\d\d\d s",
        rf"{url}/api/sites/1/goals\?page=1&page_size=10: APIConnectionError in 0\.\d\d\d s",
        rf"{url}/api/sites/1/goals\?page=1&page_size=10: 200 in 0\.\d\d\d s",
    ]
    lines = logged(caplog, logging.DEBUG)
    assert len(lines) == 3
    assert [re.fullmatch(want, line) is not None for want, line in zip(expected, lines, strict=True)
            ] == [True] * 3  # fmt: skip


async def test_retries_and_pauses_are_logged_at_info(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    await client.goals.list(1)
    assert logged(caplog, logging.INFO) == []
    server.inject(faults.Status(503, {"error": f"busy {server.api_key}"}))
    server.inject(faults.Status(429, {"error": "x", "scope": "burst", "retryAfter": 2}))
    await client.goals.list(1)
    url = f"{server.url}/api/sites/1/goals?page=1&page_size=10"
    assert logged(caplog, logging.INFO) == [
        f"attempt 1 failed, next one in 0.100 s: 503 for GET {url}: busy ***",
        "burst rate limit: pausing for 2.000 s",
        f"attempt 2 failed, next one in 2.000 s: 429 for GET {url}: x. Try again in 2 s",
    ]
    assert {record.name for record in caplog.records if record.levelno > logging.DEBUG} == {
        "rybbit_async"
    }


async def test_giving_up_is_not_logged_as_a_retry(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve()
    client = connect(server, routes="sites", retry=ONCE)
    server.inject(faults.Status(503))
    with pytest.raises(ServerError):
        await client.goals.list(1)
    assert logged(caplog, logging.INFO) == []
    server.inject(faults.Status(429, {"error": "x", "scope": "daily", "retryAfter": 43_200}))
    for _ in range(3):
        with pytest.raises(RateLimitError):
            await client.goals.list(1)
    assert logged(caplog, logging.INFO) == ["daily rate limit: pausing for 43200.000 s"]
    assert len(logged(caplog, logging.DEBUG)) == 2


async def test_a_cancelled_attempt_is_logged(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    with server.hold() as held:
        call = asyncio.create_task(client.goals.list(1))
        await held.reached(1)
        call.cancel()
        await asyncio.wait([call])
    (line,) = logged(caplog, logging.DEBUG)
    assert ": cancelled in " in line
