"""Responses that came but that cannot be read, and connections that were lost in truth."""

from __future__ import annotations

import asyncio
import gzip
import io
import sys
import traceback
import types
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from rybbit_async import (
    APIConnectionError,
    APIResponseError,
    PasswordLogin,
    PermissionDeniedError,
    RateLimitError,
    Retry,
    RybbitClient,
    ServerError,
    Timeout,
)
from rybbit_async.testing import faults
from rybbit_async.transport import encodings

from .conftest import Connect, Serve
from .helpers import ONCE
from .raw_server import RawServer, http, raw_server

FAST = Retry(attempts=3, wait_initial=0.001)
COOKIE = "Set-Cookie: better-auth.session_token=HIDDEN0123456789"
CHUNKED = "Transfer-Encoding: chunked"
ZIPPED = gzip.compress(b'{"a":1}')
STATUS_LINE = "does not begin with a status line"


@pytest.fixture
async def raw() -> AsyncIterator[RawServer]:
    async with raw_server() as server:
        yield server


# What is answered, the status in the error, and words of its message.
UNREADABLE: dict[str, tuple[bytes | tuple[bytes, ...], int | None, str]] = {
    "br": (http("Content-Encoding: br"), 200, "'br'.*install the package brotli"),
    "zstd": (http("Content-Encoding: zstd"), 200, "'zstd'.*install the package backports.zstd"),
    "unknown encoding": (http("Content-Encoding: lzw"), 200, "one of gzip, deflate.*got 'lzw'"),
    "two encodings": (
        http("Content-Encoding: gzip, gzip", body=gzip.compress(ZIPPED)), 200, "'gzip, gzip'"),
    "two headers": (
        http("Content-Encoding: gzip", "Content-Encoding: gzip", body=ZIPPED), 200, "'gzip, gzip'"),
    "false gzip": (http("Content-Encoding: gzip"), 200, "not valid gzip"),
    "false deflate": (http("Content-Encoding: deflate"), 200, "not valid deflate"),
    "garbage after gzip": (
        http("Content-Encoding: gzip", body=ZIPPED + b"garbage"), 200, "not valid gzip"),
    "gzip without its end": (
        http("Content-Encoding: gzip", body=ZIPPED[:-6]), 200, "not valid gzip"),
    "many gzips": (
        http("Content-Encoding: gzip", body=gzip.compress(b"") * 200), 200, "not valid gzip"),
    "long header": (http(COOKIE + "a" * 70_000), None, "more than 64 KB"),
    "long reason": (http(status="HTTP/1.1 200 " + "HIDDEN" * 20_000), None, "more than 64 KB"),
    "many headers": (http(*[f"X-{n}: 1" for n in range(2_000)]), None, "more than 1,000 headers"),
    "no colon": (http(COOKIE.replace(":", "")), None, "headers is malformed"),
    "NUL": (http(COOKIE + "\0"), None, "headers is malformed"),
    "two lengths": (
        http("Content-Length: 7", "Content-Length: 3"), None, "Content-Length is wrong"),
    "length and chunks": (http("Content-Length: 7", CHUNKED), None, "Content-Length is wrong"),
    "no length": (http("Content-Length: HIDDEN"), None, "Content-Length is wrong"),
    "too short a length": (http("Content-Length: 3"), None, "or goes on after its end"),
    "no chunk": (http(CHUNKED, body=b"HIDDEN\r\n"), None, "chunked encoding is wrong"),
    "no chunk later": (
        (http(CHUNKED, body=b'7\r\n{"a":1}\r\n'), b"HIDDEN\r\n"), 200, "chunked encoding is wrong"),
    "longer chunk": (
        (http(CHUNKED, body=b"3\r\n{"), b'"a":HIDDEN}\r\n'), 200, "chunked encoding is wrong"),
    "zipped chunks": (
        http("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 200, "must be chunked"),
    "another protocol": (b"220 HIDDEN ESMTP\r\n", None, STATUS_LINE),
    "HTTP/0.9": (b"<html>HIDDEN</html>", None, STATUS_LINE),
    "HTTP/2": (b"\0\0\x12\x04\0\0\0\0\0HIDDEN", None, STATUS_LINE),
    "HTTP/3": (http(status="HTTP/3 200 OK"), None, STATUS_LINE),
    "TLS alert": (b"\x15\x03\x01\0\2\2\x46", None, f"{STATUS_LINE}.*scheme and the port"),
    "four digits": (http(status="HTTP/1.1 1000 OK"), None, STATUS_LINE),
}  # fmt: skip


def everything(error: BaseException) -> str:
    """What an error shows, with the local variables of each frame, and of all behind it."""
    texts, link = [], error
    while link is not None:
        texts += [str(link), repr(link), repr(vars(link))]
        link = link.__cause__ or link.__context__  # type: ignore[assignment]
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = "".join(report.format()).split('  File "')
    texts += [frame for frame in frames if not frame.startswith(__file__)]
    return "\n".join(texts)


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As if no package were installed that decodes br or zstd."""
    for name in ("brotli", "brotlicffi", "compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    encodings._encodings.cache_clear()
    yield
    encodings._encodings.cache_clear()


@pytest.mark.usefixtures("without_packages")
@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("case", UNREADABLE)
async def test_a_response_that_cannot_be_read(
    raw: RawServer, caplog: pytest.LogCaptureFixture, case: str, method: str
) -> None:
    answer, status, words = UNREADABLE[case]
    raw.answer(*(answer if isinstance(answer, tuple) else (answer,)))
    async with RybbitClient("rb_key", base_url=raw.url, retry=FAST, timeout=5) as client:
        with pytest.raises(APIResponseError, match=words) as caught:
            await client.request(method, "/api/x")
    error = caught.value
    assert len(raw.heads) == 1
    assert (error.status, error.method, error.url) == (status, method, f"{raw.url}/api/x")
    assert "cannot be read" in str(error)
    assert "lost" not in str(error)
    assert ("may have been carried out" in str(error)) == (method == "PUT")
    assert "HIDDEN" not in everything(error) + caplog.text
    assert "HIDDEN" not in "".join(record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
async def test_what_can_be_read(raw: RawServer, passed_in: bool) -> None:
    async with (
        aiohttp.ClientSession(
            auto_decompress=False, max_field_size=100, headers={"Accept-Encoding": "br"}
        ) as mine,
        RybbitClient("rb_key", base_url=raw.url, session=mine if passed_in else None) as client,
    ):
        raw_deflate = zlib.compressobj(wbits=-15)
        for parts in (
            (http("X-Big: " + "a" * 65_536),),
            (http(*[f"X-{n}: {'v' * 200}" for n in range(300)]),),
            (http("Content-Encoding: gzip", body=ZIPPED),),
            (http("Content-Encoding: x-gzip",
                  body=gzip.compress(b'{"a"') + gzip.compress(b":1}")),),
            (http("Content-Encoding: deflate", body=zlib.compress(b'{"a":1}')),),
            (http("Content-Encoding: deflate",
                  body=raw_deflate.compress(b'{"a":1}') + raw_deflate.flush()),),
            (http("Content-Encoding: identity"),),
            (b"HTTP/1.1 100 Continue\r\n\r\n" + http(),),
            (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", http()),
            (http(CHUNKED, body=b'3\r\n{"a\r\n'), b'4\r\n":1}\r\n', b"0\r\n\r\n"),
            (http(status="HTTP/1.0 200 OK"),),
        ):  # fmt: skip
            raw.answer(*parts)
            assert await client.request("GET", "/api/x") == {"a": 1}
            assert len(raw.heads) == 1
        asked = [line for line in raw.heads[0].split("\r\n") if line.startswith("Accept-Encoding")]
        assert asked == [f"Accept-Encoding: {encodings.accept_encoding()}"]
        # A body that is not there need not be decoded.
        for head in (http("Content-Encoding: br", body=b""), http(status="HTTP/1.1 204 Gone")):
            raw.answer(head.replace(b'{"a":1}', b"").replace(b": 7", b": 0"))
            assert await client.request("GET", "/api/x") is None


async def test_a_header_that_takes_the_place_of_ours(raw: RawServer) -> None:
    raw.answer(http())
    more = {"accept-encoding": "identity", "ACCEPT": "application/problem+json"}
    async with RybbitClient("rb_key", base_url=raw.url, headers=more) as client:
        await client.request("GET", "/api/x")
    lines = sorted(line for line in raw.heads[0].split("\r\n") if line.lower().startswith("accept"))
    assert lines == ["ACCEPT: application/problem+json", "accept-encoding: identity"]


LOST: dict[str, tuple[bytes, ...]] = {
    "no answer": (b"",),
    "in the status line": (b"HTTP/1.1 20",),
    "in a header": (f"HTTP/1.1 200 OK\r\n{COOKIE}".encode(),),
    "after a header": (f"HTTP/1.1 200 OK\r\n{COOKIE}\r\n".encode(),),
    "after 100 Continue": (b"HTTP/1.1 100 Continue\r\n\r\n",),
    "in the body": (http(COOKIE, "Content-Length: 30"),),
    "in a chunk": (http(CHUNKED, body=b"70\r\nHIDDEN"),),
    "between chunks": (http(CHUNKED, body=b"3\r\n"), b'{"a\r\n'),
    "in gzip that the end of the connection ends": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + ZIPPED[:-6],
    ),
}


@pytest.mark.parametrize("case", LOST)
async def test_a_connection_that_is_lost(
    raw: RawServer, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    raw.answer(*LOST[case], closes=True)
    async with RybbitClient("rb_key", base_url=raw.url, retry=FAST) as client:
        with pytest.raises(APIConnectionError, match="the connection was lost") as caught:
            await client.request("GET", "/api/x")
    assert len(raw.heads) == 3
    assert (caught.value.reason, caught.value.sent) == ("lost", True)
    assert "HIDDEN" not in everything(caught.value) + caplog.text


@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
async def test_the_cookie_of_a_sign_in_with_too_long_a_header(
    raw: RawServer, passed_in: bool
) -> None:
    raw.answer(http(COOKIE + "a" * 70_000))
    async with aiohttp.ClientSession() as mine:
        client = RybbitClient(
            auth=PasswordLogin("me@example.com", "hunter2"), base_url=raw.url,
            session=mine if passed_in else None,
        )  # fmt: skip
        with pytest.raises(APIResponseError, match="64 KB") as caught:
            await client.goals.list(1)
        await client.close()
    assert len(raw.heads) == 1
    assert "carried out" not in str(caught.value)  # a sign-in changes nothing
    assert "HIDDEN" not in everything(caught.value)


async def test_the_status_of_an_error_says_more_than_its_body(raw: RawServer) -> None:
    async with RybbitClient("rb_key", base_url=raw.url, retry=ONCE, routes="sites") as client:
        raw.answer(http("Content-Encoding: lzw", status="HTTP/1.1 503 Busy"))
        with pytest.raises(ServerError, match=r"503 .*the body cannot be read: .*'lzw'"):
            await client.goals.list(1)
        raw.answer(
            http("Content-Encoding: lzw", "Retry-After: 7", status="HTTP/1.1 429 Too Many Requests")
        )
        with pytest.raises(RateLimitError) as limited:
            await client.goals.list(1)
        assert limited.value.retry_after == 7
    async with RybbitClient("rb_key", base_url=raw.url, routes="sites") as client:
        raw.answer(http("Content-Encoding: gzip", status="HTTP/1.1 403 Forbidden"))
        with pytest.raises(PermissionDeniedError, match="a proxy or a firewall"):
            await client.goals.list(1)
        for code in ("099", "999"):  # RFC 9110: these count as 5xx
            raw.answer(http(status=f"HTTP/1.1 {code} Odd"))
            with pytest.raises(ServerError):
                await client.goals.list(1)


async def test_wrong_chunks_end_a_response_before_the_timeout(raw: RawServer) -> None:
    """aiohttp closes the connection, but does not tell who reads the body."""
    raw.answer(http(CHUNKED, body=b'7\r\n{"a":1}\r\n'), b"no chunk\r\n")
    async with asyncio.timeout(5):
        async with RybbitClient("rb_key", base_url=raw.url, timeout=Timeout(60, 60, 60)) as client:
            for _ in range(3):
                with pytest.raises(APIResponseError, match="chunked"):
                    await client.request("GET", "/api/x")
            raw.answer(http(CHUNKED, body=b'7\r\n{"a":1}\r\n'), b"0\r\n\r\n")
            for _ in range(3):
                assert await client.request("GET", "/api/x") == {"a": 1}


async def test_https_to_a_port_without_tls(raw: RawServer) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(1))
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    seen: list[bytes] = []
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with RybbitClient("rb_key", base_url=url, retry=FAST) as client:
            with pytest.raises(APIResponseError, match=r"it is not TLS.*use http://") as caught:
                await client.request("POST", "/api/x")
    assert len(seen) == 1
    assert "carried out" not in str(caught.value)  # it was not sent


@pytest.mark.parametrize("fault", faults.unreadable(), ids=lambda fault: repr(fault)[:40])
async def test_the_faults_that_cannot_be_read(
    serve: Serve, connect: Connect, fault: faults.Fault
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    server.inject(fault)
    with pytest.raises(APIResponseError, match="cannot be read"):
        await client.goals.list(1)
    assert len(await client.goals.list(1)) == 10
    assert len(server.requests) == 2


# --- packages that decode -----------------------------------------------------------------------


class FakeBrotli:
    """Decodes as the package brotli does, but what zlib has compressed."""

    def __init__(self) -> None:
        self._object, self._rest = zlib.decompressobj(), b""

    def can_accept_more_data(self) -> bool:
        return not self._rest

    def is_finished(self) -> bool:
        return self._object.eof

    def process(self, data: bytes, output_buffer_limit: int) -> bytes:
        piece = self._object.decompress(self._rest + data, output_buffer_limit)
        self._rest = self._object.unconsumed_tail
        return piece


class FakeZstd:
    """Decodes as ``compression.zstd`` does, but what zlib has compressed."""

    def __init__(self) -> None:
        self._object, self._full = zlib.decompressobj(), False

    eof = property(lambda self: self._object.eof)
    unused_data = property(lambda self: self._object.unused_data)
    needs_input = property(lambda self: not self._full)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._object.decompress(self._object.unconsumed_tail + data, max_length)
        self._full = len(piece) == max_length and not self.eof
        return piece


@pytest.mark.usefixtures("without_packages")
async def test_packages_that_decode_are_used(
    raw: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    brotli, zstd = types.ModuleType("brotli"), types.ModuleType("backports.zstd")
    brotli.Decompressor = FakeBrotli  # type: ignore[attr-defined]
    zstd.ZstdDecompressor = FakeZstd  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "brotli", brotli)
    monkeypatch.setitem(sys.modules, "backports", types.ModuleType("backports"))
    monkeypatch.setitem(sys.modules, "backports.zstd", zstd)
    encodings._encodings.cache_clear()
    text = '{"a":"' + "x" * 1_000_000 + '"}'
    async with RybbitClient("rb_key", base_url=raw.url) as client:
        for name in ("br", "zstd"):
            body = zlib.compress(text.encode())
            raw.answer(http(f"Content-Encoding: {name}", body=body))
            assert await client.request("GET", "/api/x") == {"a": "x" * 1_000_000}
            raw.answer(http(f"Content-Encoding: {name}", body=body[:-5]))
            with pytest.raises(APIResponseError, match=f"not valid {name}"):
                await client.request("GET", "/api/x")
    assert "Accept-Encoding: gzip, deflate, br, zstd\r\n" in raw.heads[0]
    # An older version of brotli cannot limit what a piece becomes.
    brotli.Decompressor = object  # type: ignore[attr-defined]
    encodings._encodings.cache_clear()
    assert encodings.accept_encoding() == "gzip, deflate, zstd"


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("length", [0, 1, 262_143, 262_144, 262_145, 600_000])
def test_pieces_of_any_size(size: int, length: int) -> None:
    text = b"ab" * length
    for name, packed in (
        ("gzip", gzip.compress(text[:5]) + gzip.compress(text[5:])),
        ("deflate", zlib.compress(text)),
    ):
        decoder, whole = encodings.decoder_for(name, str), io.BytesIO()
        assert decoder is not None
        for start in range(0, len(packed), size):
            for piece in decoder.pieces(packed[start : start + size]):
                assert len(piece) <= 262_144
                whole.write(piece)
        assert whole.getvalue() == text
        assert decoder.is_complete
