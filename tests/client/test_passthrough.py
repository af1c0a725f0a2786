"""What is passed to aiohttp (headers, proxy, TLS, tracing), and what is logged."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import ssl
import sys
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from rybbit_async import (
    APIConnectionError,
    InvalidParameterError,
    PathGoal,
    PermissionDeniedError,
    RateLimitError,
    Retry,
    RybbitClient,
    ServerError,
)
from rybbit_async.testing import Store, faults

from ..certificate import CERTIFICATE
from .conftest import Connect, Serve
from .helpers import ONCE, login
from .raw_server import raw_server

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
    assert caught.value.reason == "proxy"
    assert "carried out" not in str(caught.value)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = "".join(report.format()).split('  File "')
    assert "hunter2" not in "".join(one for one in frames if not one.startswith(__file__))


@pytest.mark.parametrize("proxy", ["", "proxy.example", "http://", "http://me:hunter2@", 5, b"x"])
def test_invalid_proxies(proxy: Any) -> None:
    with pytest.raises(InvalidParameterError, match="proxy must be an address") as caught:
        RybbitClient("rb_key", proxy=proxy)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("socks5://me:hunter2@proxy.example:1080", "got socks5://.* connector of .*aiohttp-socks"),
        (URL("socks4a://proxy.example"), "got socks4a://"),
        ("ftp://proxy.example", "must be an address"),
        ("proxy.example:3128", "must be an address"),
        ("http://proxy.example:99999", "must be an address"),
        ("http://me:hunter2@proxy.example:port", "must be an address"),
    ],
)
def test_proxies_that_cannot_be_used(
    proxy: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidParameterError, match=f"proxy .*{words}") as caught:
        RybbitClient("rb_key", proxy=proxy)
    assert "hunter2" not in str(caught.value)
    if str(proxy) != "proxy.example:3128":  # which environments usually mean
        monkeypatch.setenv("HTTPS_PROXY", str(proxy))
        RybbitClient("rb_key")
        with pytest.raises(InvalidParameterError, match=f"HTTPS_PROXY .*{words}") as caught:
            RybbitClient("rb_key", trust_env=True)
        assert "hunter2" not in str(caught.value)


async def test_a_proxy_that_answers_in_another_protocol() -> None:
    async with raw_server() as proxy:
        proxy.answer(b"SSH-2.0-HIDDEN\r\n")
        client = RybbitClient(
            "rb_key", base_url="https://a.example", proxy=proxy.url, retry=Retry(attempts=1)
        )
        async with client:
            with pytest.raises(APIConnectionError, match="answer of the proxy") as caught:
                await client.request("POST", "/api/x")
    assert (caught.value.sent, caught.value.reason) == (False, "proxy")
    assert "HIDDEN" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"


# --- the environment ----------------------------------------------------------------------------


@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
async def test_the_proxy_of_the_environment(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, name: str, passed_in: bool
) -> None:
    server = await serve()
    async with a_proxy() as (address, heads), aiohttp.ClientSession() as mine:
        session = mine if passed_in else None
        monkeypatch.setenv(name, f"http://me:hunter2@{address}")
        await connect(server, session=session, routes="sites").goals.list(1)
        assert heads == []
        client = connect(server, session=session, routes="sites", trust_env=True)
        monkeypatch.setenv(name, address)  # for the next client, and without a scheme
        await client.goals.list(1)
        (head,) = heads
        assert "Proxy-Authorization: Basic " in head
        await connect(server, session=session, routes="sites", trust_env=True).goals.list(1)
        assert len(heads) == 2
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        await connect(server, session=session, routes="sites", trust_env=True).goals.list(1)
        assert len(heads) == 2
        other = connect(server, proxy="http://127.0.0.1:1", trust_env=True, retry=ONCE)
        with pytest.raises(APIConnectionError) as caught:  # a proxy that is passed comes first
            await other.goals.list(1)
        assert caught.value.reason == "proxy"


async def test_a_proxy_that_is_not_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def error(url: str, **options: Any) -> str:
        async with RybbitClient("rb_key", base_url=url, retry=ONCE, **options) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.goals.list(1)
        return str(caught.value)

    nowhere = "http://127.0.0.1:1"
    assert "trust_env" not in await error(nowhere)
    monkeypatch.setenv("HTTP_PROXY", "http://me:hunter2@127.0.0.1:2")
    text = await error(nowhere)
    assert text.endswith("HTTP_PROXY is set but was not used: trust_env=True uses it")
    assert "hunter2" not in text
    assert "trust_env" not in await error(nowhere, trust_env=True)
    assert "trust_env" not in await error(nowhere, proxy="http://127.0.0.1:3")
    assert "trust_env" not in await error("https://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert "trust_env" not in await error(nowhere)


@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
async def test_netrc_is_not_used(
    serve: Serve,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    passed_in: bool,
) -> None:
    server = await serve("2.8")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with aiohttp.ClientSession(trust_env=True) as mine:
        session = mine if passed_in else None
        options: dict[str, Any]
        for options in ({}, {"auth": login(server)}, {"auth": None, "api_key": None}):
            server.requests.clear()
            client = connect(server, session=session, trust_env=True, routes="sites", **options)
            with contextlib.suppress(PermissionDeniedError):
                await client.goals.list(1)
            assert server.requests
            for request in server.requests:
                sent = request.headers.getall("Authorization", [])
                assert sent == ([f"Bearer {server.api_key}"] if not options else [])
            await client.close()
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Basic eA=="}) as mine,
        RybbitClient(base_url=server.url, session=mine) as client,
    ):
        await client.request("GET", "/api/version")
    assert server.requests[-1].headers["Authorization"] == "Basic eA=="  # the session's own


# --- TLS ----------------------------------------------------------------------------------------


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
            assert caught.value.reason == "certificate"


async def test_a_certificate_that_is_not_accepted_is_tried_once(
    secure_url: tuple[str, Path],
) -> None:
    url, _ = secure_url
    async with RybbitClient("rb_key", base_url=url) as client:
        with pytest.raises(APIConnectionError, match=r"self-signed.*pass ssl='/path/to") as caught:
            await client.request("GET", "/api/x")
        assert client.stats.requests == 1
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
async def test_a_ca_file(secure_url: tuple[str, Path], kind: Any, passed_in: bool) -> None:
    url, file = secure_url
    made = RybbitClient(ssl=kind(file))._transport.http._options.ssl
    assert isinstance(made, ssl.SSLContext)
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
    assert [one["subject"][0][0][1] for one in made.get_ca_certs()] == ["localhost"]
    if sys.version_info >= (3, 13):
        return  # the certificate lacks the extensions that these versions require
    async with (
        aiohttp.ClientSession() as mine,
        RybbitClient(
            "rb_key", base_url=url, ssl=kind(file), session=mine if passed_in else None
        ) as client,
    ):
        assert await client.request("GET", "/api/x") == {}


def test_values_of_ssl_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    wrong: list[tuple[Any, str]] = [
        (str(tmp_path / "none.pem"), r"got '.*none\.pem' \(No such file"),
        (tmp_path / "empty.pem", r"CA certificates in PEM format, got .*\(it has none\)"),
        (tmp_path, "be the path of a file"),
        ("", r"be the path of a file.*\(it is empty\)"),
        ("\0", "ssl must be the path of a file"),
        (5, "be True, False, the path of a CA file, .* got int"),
        (None, "got None"),
        (b"ca.pem", "got bytes"),
        (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "for clients"),
    ]
    for value, words in wrong:
        with pytest.raises(
            InvalidParameterError, match=f"ssl must .*{words.removeprefix('ssl must ')}"
        ):
            RybbitClient("rb_key", ssl=value)


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
    wrong: Any
    for wrong in (trace, [trace, print], "trace", {"a": trace}, None, 5):
        with pytest.raises(InvalidParameterError, match=r"a list of aiohttp\.TraceConfig, got"):
            RybbitClient("rb_key", trace_configs=wrong)
    RybbitClient("rb_key", trace_configs=iter([trace]))  # type: ignore[arg-type]


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
