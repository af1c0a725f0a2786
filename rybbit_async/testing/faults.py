"""Ways for the server to misbehave, as values for `RybbitServer.inject` and `.chaos`.

Each request meets the injected faults that match it, oldest first. One that only waits or calls
back (`Latency`, `Before`, `After`) lets the next one have its turn; any other decides the
response. Those with `handled=True` let the request take effect first: the goal has been made, and
only the answer is lost.
"""

# ruff: noqa: D102 - what a fault does is said by its class.

from __future__ import annotations

import asyncio
import functools
import gzip
import inspect
import random
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Protocol

import attrs

from .wire import JSON_TYPE, Response, json_response, json_text

__all__ = [
    "After",
    "BadChunks",
    "Before",
    "Chaos",
    "CloseIdle",
    "DeepNesting",
    "Drop",
    "DropInBody",
    "ErrorBody",
    "FalseEncoding",
    "Fault",
    "Gzip",
    "GzipBomb",
    "Html",
    "Latency",
    "MoreHeaders",
    "Raw",
    "Redirect",
    "Reset",
    "ResetInBody",
    "Stall",
    "Status",
    "Trickle",
    "TruncatedJSON",
    "WrongContentType",
    "mixture",
    "unreadable",
]

Proceed = Callable[[], Awaitable["Response | None"]]


class Exchange(Protocol):
    """One request on its connection, as a fault sees it."""

    after: list[Callable[[], Awaitable[None]]]

    def reset(self) -> None: ...
    def drop(self) -> None: ...
    def close_at_next_request(self) -> None: ...
    async def send_part(self, response: Response, size: int) -> None: ...
    async def send_raw(self, data: bytes, rest: bytes = b"") -> None: ...
    async def trickle(self, response: Response, chunk: int, seconds: float) -> None: ...


@attrs.frozen
class Fault:
    """The base of all faults."""

    passes_on: ClassVar[bool] = False
    """Whether `proceed` applies the later faults, instead of the real response."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        """The response to send. None if the fault has dealt with the connection itself."""
        raise NotImplementedError


async def _call(callback: Callable[[], object]) -> None:
    result = callback()
    if inspect.isawaitable(result):
        await result


@attrs.frozen
class Latency(Fault):
    """Waits for `seconds` before the request is answered."""

    passes_on: ClassVar[bool] = True
    seconds: float

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        await asyncio.sleep(self.seconds)
        return await proceed()


@attrs.frozen
class Before(Fault):
    """Calls `callback()` (sync or async) before the request is answered. What it writes to the
    store is in the response to this request, but not in the response before.
    """

    passes_on: ClassVar[bool] = True
    callback: Callable[[], object]

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        await _call(self.callback)
        return await proceed()


@attrs.frozen
class After(Fault):
    """Calls `callback()` (sync or async) after the response has been written to the socket."""

    passes_on: ClassVar[bool] = True
    callback: Callable[[], object]

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        exchange.after.append(functools.partial(_call, self.callback))
        return await proceed()


@attrs.frozen
class Stall(Fault):
    """Never responds: the request ends when the client disconnects or the server stops."""

    handled: bool = False

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        if self.handled:
            await proceed()
        await asyncio.Event().wait()
        return None


@attrs.frozen
class Status(Fault):
    """Responds with this status, body and headers. A mapping or a list is sent as JSON. Without
    a body, it is a JSON error body that names the status.
    """

    status: int
    body: object = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        body, headers = self.body, dict(self.headers)
        if body is None:
            body = {"error": f"Injected status {self.status}"}
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, bytes):
            body = json_text(body).encode()
            headers.setdefault("Content-Type", JSON_TYPE)
        return Response(self.status, body, headers)


@attrs.frozen
class Reset(Fault):
    """Resets the connection (TCP RST) before any byte of a response."""

    handled: bool = False

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        if self.handled:
            await proceed()
        exchange.reset()
        return None


@attrs.frozen
class Drop(Fault):
    """Closes the connection normally, without a response."""

    handled: bool = False

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        if self.handled:
            await proceed()
        exchange.drop()
        return None


@attrs.frozen
class ResetInBody(Fault):
    """Sends the headers and the first `after_bytes` of the body, then resets the connection."""

    after_bytes: int = 10

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        response = await proceed()
        if response is not None:
            await exchange.send_part(response, self.after_bytes)
            # A reset may discard bytes that are on their way: let the client read them first.
            await asyncio.sleep(0.01)
        exchange.reset()
        return None


@attrs.frozen
class DropInBody(Fault):
    """Sends the headers and the first `after_bytes` of the body, then closes the connection."""

    after_bytes: int = 10

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        response = await proceed()
        if response is not None:
            await exchange.send_part(response, self.after_bytes)
        exchange.drop()
        return None


@attrs.frozen
class CloseIdle(Fault):
    """Responds, then closes the connection although the headers did not say so.

    With `late`, it closes only when the next request arrives on the connection. No pool of
    connections can avoid this race.
    """

    late: bool = False

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        async def close() -> None:
            if self.late:
                exchange.close_at_next_request()
            else:
                exchange.drop()

        exchange.after.append(close)
        return await proceed()


@attrs.frozen
class TruncatedJSON(Fault):
    """Sends the first half of the body, with headers as if it were the whole body."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        response = await proceed()
        return response and attrs.evolve(response, body=response.body[: len(response.body) // 2])


@attrs.frozen
class WrongContentType(Fault):
    """Sends the right body with another content type."""

    content_type: str = "text/plain; charset=utf-8"

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        response = await proceed()
        return response and attrs.evolve(
            response, headers={**response.headers, "Content-Type": self.content_type}
        )


@attrs.frozen
class Html(Fault):
    """Sends an HTML error page, like a proxy in front of the server."""

    status: int = 502

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        page = f"<html><head><title>{self.status}</title></head><body>nginx</body></html>\n"
        return Response(self.status, page.encode(), {"Content-Type": "text/html"})


@attrs.frozen
class Trickle(Fault):
    """Sends the right response, `chunk` bytes at a time with `seconds` between them."""

    chunk: int = 64
    seconds: float = 0.01

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        response = await proceed()
        if response is not None:
            await exchange.trickle(response, self.chunk, self.seconds)
        return None


@attrs.frozen
class ErrorBody(Fault):
    """Sends status 200 with `{"error": message}` in place of the data."""

    message: str = "Something went wrong"

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        return json_response({"error": self.message})


@attrs.frozen
class Gzip(Fault):
    """Sends the right response with gzip compression, like a proxy. With `garbage`, these bytes
    follow the compressed body.
    """

    garbage: bytes = b""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        response = await proceed()
        return response and attrs.evolve(
            response,
            body=gzip.compress(response.body, mtime=0) + self.garbage,
            headers={**response.headers, "Content-Encoding": "gzip"},
        )


@attrs.frozen
class FalseEncoding(Fault):
    """Sends the right response as it is, and says that it is compressed."""

    encoding: str = "gzip"

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        response = await proceed()
        return response and attrs.evolve(
            response, headers={**response.headers, "Content-Encoding": self.encoding}
        )


@attrs.frozen
class MoreHeaders(Fault):
    """Sends the right response with a `number` of further headers, whose values have `size`
    bytes.
    """

    number: int
    size: int = 1

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        response = await proceed()
        more = {f"X-More-{at}": "x" * self.size for at in range(self.number)}
        return response and attrs.evolve(response, headers={**response.headers, **more})


@attrs.frozen
class Raw(Fault):
    """Sends these bytes in place of the response, which need not be HTTP, and closes the
    connection.
    """

    data: bytes
    handled: bool = False

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        if self.handled:
            await proceed()
        await exchange.send_raw(self.data)
        exchange.drop()
        return None


@attrs.frozen
class BadChunks(Fault):
    """Sends the first half of the right response as a chunk, and then what is not a chunk."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        response = await proceed()
        if response is not None:
            half = response.body[: len(response.body) // 2]
            head = f"HTTP/1.1 {response.status} \r\nTransfer-Encoding: chunked\r\n\r\n"
            chunk = b"%x\r\n%b\r\n" % (len(half), half)
            await exchange.send_raw(head.encode() + chunk, b"no chunk\r\n")
        return None


@attrs.frozen
class GzipBomb(Fault):
    """Sends a small gzip body that decompresses to `size` bytes of valid JSON."""

    size: int = 1 << 30

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        headers = {"Content-Type": JSON_TYPE, "Content-Encoding": "gzip"}
        return Response(200, _bomb(self.size), headers)


@functools.lru_cache(maxsize=4)
def _bomb(size: int) -> bytes:
    """`{"data":[]`, spaces up to `size`, and `}`, compressed.

    Each block ends in a full flush, so that one compressed block can be repeated, and only the
    checksum has to be computed over all bytes.
    """
    head, tail, block = b'{"data":[]', b"}", b" " * (1 << 20)
    whole, rest = divmod(max(0, size - len(head) - len(tail)), len(block))

    def packed(data: bytes, flush: int) -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(data) + packer.flush(flush)

    checksum = zlib.crc32(head)
    for _ in range(whole):
        checksum = zlib.crc32(block, checksum)
    checksum = zlib.crc32(tail, zlib.crc32(b" " * rest, checksum))
    return b"".join(
        (
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff",
            packed(head, zlib.Z_FULL_FLUSH),
            packed(block, zlib.Z_FULL_FLUSH) * whole,
            packed(b" " * rest + tail, zlib.Z_FINISH),
            checksum.to_bytes(4, "little"),
            (max(size, len(head) + len(tail)) & 0xFFFFFFFF).to_bytes(4, "little"),
        )
    )


@attrs.frozen
class DeepNesting(Fault):
    """Sends valid JSON with arrays nested `depth` levels deep."""

    depth: int = 100_000

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        body = b'{"data":' + b"[" * self.depth + b"]" * self.depth + b"}"
        return Response(200, body, {"Content-Type": JSON_TYPE})


@attrs.frozen
class Redirect(Fault):
    """Sends a redirect to another URL."""

    to: str
    status: int = 302

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        return Response(self.status, b"", {"Location": self.to})


def mixture() -> tuple[Fault, ...]:
    """One of each fault that a client can recover from, for `RybbitServer.chaos`."""
    return (
        Reset(),
        Drop(),
        ResetInBody(),
        DropInBody(),
        Stall(),
        CloseIdle(),
        CloseIdle(late=True),
        TruncatedJSON(),
        WrongContentType(),
        Html(502),
        Status(429),
        Status(429, headers={"Retry-After": "1"}),
        Status(500),
        Status(502),
        Status(503),
        Status(504),
        Trickle(4096, 0.001),
        ErrorBody(),
        GzipBomb(64 << 20),
        Latency(0.01),
        Gzip(),
        MoreHeaders(1, 60_000),
        *unreadable(),
    )


def unreadable() -> tuple[Fault, ...]:
    """Responses that come but that no client can read, one of each kind."""
    return (
        FalseEncoding("gzip"),
        FalseEncoding("br"),
        FalseEncoding("zstd"),
        FalseEncoding("gzip, gzip"),
        FalseEncoding("unknown"),
        Gzip(garbage=b"garbage"),
        MoreHeaders(1, 200_000),
        MoreHeaders(3_000),
        Raw(b"HTTP/1.1 200 OK\r\nNo Colon\r\nContent-Length: 2\r\n\r\n{}"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        Raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
        BadChunks(),
    )


@attrs.frozen(eq=False)
class Chaos(Fault):
    """Applies one of `kinds` at random, with probability `rate`.

    The same seed makes the same choices, in the order in which requests arrive.
    """

    passes_on: ClassVar[bool] = True
    seed: int
    rate: float
    kinds: Sequence[Fault]
    counts: Counter[str] = attrs.field(factory=Counter[str], init=False)
    """How often each kind was applied, by class name."""
    _random: random.Random = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # The seed makes runs repeatable. Nothing here is secret.
        object.__setattr__(self, "_random", random.Random(self.seed))  # noqa: S311

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        if self._random.random() >= self.rate:
            return await proceed()
        fault = self._random.choice(self.kinds)
        self.counts[type(fault).__name__] += 1
        return await fault(exchange, proceed)


@attrs.define(eq=False)
class Injection:
    """A fault that was injected. `hits` counts the requests that it was applied to."""

    fault: Fault
    times: int | None
    skip: int
    when: Callable[[Any], bool] | None
    _injections: list[Injection]
    hits: int = 0

    def takes(self, request: Any) -> bool:
        """Whether the fault applies to this request, which is then counted."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.when is not None and not self.when(request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        if self.hits == self.times:
            self.remove()
        return True

    def remove(self) -> None:
        """Remove the fault. Removing it twice does nothing."""
        with suppress(ValueError):  # it is removed already, perhaps by another thread
            self._injections.remove(self)
