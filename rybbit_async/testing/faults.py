"""Ways for the server to misbehave, as values for `RybbitServer.inject` and `.chaos`.

Each request meets the injected faults that match it, oldest first. One that only waits or calls
back (`Latency`, `Hold`, `Before`, `After`) lets the next one have its turn; any other decides the
answer. Those with `handled=True` let the request take effect first: the goal has been made, and
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
from typing import Any, ClassVar, Protocol

import attrs

from .wire import JSON_TYPE, Answer, json_answer, json_text

__all__ = [
    "After",
    "Before",
    "Chaos",
    "CloseIdle",
    "DeepNesting",
    "Drop",
    "DropInBody",
    "ErrorBody",
    "Fault",
    "Gzip",
    "GzipBomb",
    "Hold",
    "Html",
    "Latency",
    "Redirect",
    "Reset",
    "ResetInBody",
    "Stall",
    "Status",
    "Trickle",
    "TruncatedJSON",
    "WrongContentType",
    "mixture",
]

Proceed = Callable[[], Awaitable["Answer | None"]]


class Exchange(Protocol):
    """One request on its connection, as a fault sees it."""

    after: list[Callable[[], Awaitable[None]]]

    def reset(self) -> None: ...
    def drop(self) -> None: ...
    def doom(self) -> None: ...
    async def send_part(self, answer: Answer, size: int) -> None: ...
    async def trickle(self, answer: Answer, chunk: int, seconds: float) -> None: ...


@attrs.frozen
class Fault:
    """The base of all faults."""

    passes_on: ClassVar[bool] = False
    """Whether `proceed` gives later faults their turn, rather than the true answer."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """The answer to send, or None where the fault dealt with the connection by itself."""
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

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        await asyncio.sleep(self.seconds)
        return await proceed()


@attrs.frozen
class Hold(Fault):
    """Waits for an `asyncio.Event` before the request is answered."""

    passes_on: ClassVar[bool] = True
    event: asyncio.Event

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        await self.event.wait()
        return await proceed()


@attrs.frozen
class Before(Fault):
    """Calls `callback()` (sync or async) before the request is answered: what it writes to the
    store is in the answer, and was not in the one before.
    """

    passes_on: ClassVar[bool] = True
    callback: Callable[[], object]

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        await _call(self.callback)
        return await proceed()


@attrs.frozen
class After(Fault):
    """Calls `callback()` (sync or async) when the answer has been written to the socket."""

    passes_on: ClassVar[bool] = True
    callback: Callable[[], object]

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        exchange.after.append(functools.partial(_call, self.callback))
        return await proceed()


@attrs.frozen
class Stall(Fault):
    """Never answers: the request ends when the client leaves or the server stops."""

    handled: bool = False

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        if self.handled:
            await proceed()
        await asyncio.Event().wait()
        return None


@attrs.frozen
class Status(Fault):
    """Answers with this status, body and headers. A mapping or a list is sent as JSON; None is
    the JSON error body that goes with the status.
    """

    status: int
    body: object = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        body, headers = self.body, dict(self.headers)
        if body is None:
            body = {"error": f"Injected status {self.status}"}
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, bytes):
            body = json_text(body).encode()
            headers.setdefault("Content-Type", JSON_TYPE)
        return Answer(self.status, body, headers)


@attrs.frozen
class Reset(Fault):
    """Resets the connection (TCP RST) before any byte of an answer."""

    handled: bool = False

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        if self.handled:
            await proceed()
        exchange.reset()
        return None


@attrs.frozen
class Drop(Fault):
    """Closes the connection in good order without an answer."""

    handled: bool = False

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        if self.handled:
            await proceed()
        exchange.drop()
        return None


@attrs.frozen
class ResetInBody(Fault):
    """Sends the headers and `after_bytes` of the body, then resets the connection."""

    after_bytes: int = 10

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        answer = await proceed()
        if answer is not None:
            await exchange.send_part(answer, self.after_bytes)
            # A reset overtakes bytes still in flight; let the client read them first.
            await asyncio.sleep(0.01)
        exchange.reset()
        return None


@attrs.frozen
class DropInBody(Fault):
    """Sends the headers and `after_bytes` of the body, short of its length, then closes."""

    after_bytes: int = 10

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        answer = await proceed()
        if answer is not None:
            await exchange.send_part(answer, self.after_bytes)
        exchange.drop()
        return None


@attrs.frozen
class CloseIdle(Fault):
    """Answers, then closes the connection without having announced it. With `late`, closes only
    when the next request arrives on it: the race that every pool of connections can lose.
    """

    late: bool = False

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        async def close() -> None:
            if self.late:
                exchange.doom()
            else:
                exchange.drop()

        exchange.after.append(close)
        return await proceed()


@attrs.frozen
class TruncatedJSON(Fault):
    """The first half of the body, with headers that say that this is all."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        answer = await proceed()
        return answer and attrs.evolve(answer, body=answer.body[: len(answer.body) // 2])


@attrs.frozen
class WrongContentType(Fault):
    """The right body under another content type."""

    content_type: str = "text/plain; charset=utf-8"

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        answer = await proceed()
        return answer and attrs.evolve(
            answer, headers={**answer.headers, "Content-Type": self.content_type}
        )


@attrs.frozen
class Html(Fault):
    """The error page of a proxy in front of the server."""

    status: int = 502

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        page = f"<html><head><title>{self.status}</title></head><body>nginx</body></html>\n"
        return Answer(self.status, page.encode(), {"Content-Type": "text/html"})


@attrs.frozen
class Trickle(Fault):
    """The right answer, `chunk` bytes at a time with `seconds` between."""

    chunk: int = 64
    seconds: float = 0.01

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        answer = await proceed()
        if answer is not None:
            await exchange.trickle(answer, self.chunk, self.seconds)
        return None


@attrs.frozen
class ErrorBody(Fault):
    """Status 200 with `{"error": message}` in place of the data."""

    message: str = "Something went wrong"

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        return json_answer({"error": self.message})


@attrs.frozen
class Gzip(Fault):
    """The right answer, compressed as a proxy would."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        answer = await proceed()
        return answer and attrs.evolve(
            answer,
            body=gzip.compress(answer.body, mtime=0),
            headers={**answer.headers, "Content-Encoding": "gzip"},
        )


@attrs.frozen
class GzipBomb(Fault):
    """A small gzip body that decompresses to `size` bytes of valid JSON."""

    size: int = 1 << 30

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        headers = {"Content-Type": JSON_TYPE, "Content-Encoding": "gzip"}
        return Answer(200, _bomb(self.size), headers)


@functools.lru_cache(maxsize=4)
def _bomb(size: int) -> bytes:
    """`{"data":[]` and white space up to `size`. Blocks end in a full flush, so that one
    compressed block can be repeated and only the checksum has to see every byte.
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
    """Valid JSON of arrays `depth` levels deep."""

    depth: int = 100_000

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        body = b'{"data":' + b"[" * self.depth + b"]" * self.depth + b"}"
        return Answer(200, body, {"Content-Type": JSON_TYPE})


@attrs.frozen
class Redirect(Fault):
    """A redirect to another URL."""

    to: str
    status: int = 302

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        return Answer(self.status, b"", {"Location": self.to})


def mixture() -> tuple[Fault, ...]:
    """One of each fault that a client can outlive, for `RybbitServer.chaos`."""
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
    )


@attrs.frozen(eq=False)
class Chaos(Fault):
    """With probability `rate`, one of `kinds` at random; else the request goes on unharmed. The
    same seed makes the same choices in the order in which requests arrive.
    """

    passes_on: ClassVar[bool] = True
    seed: int
    rate: float
    kinds: Sequence[Fault]
    counts: Counter[str] = attrs.field(factory=Counter[str], init=False)
    """How often each kind struck, by class name."""
    _random: random.Random = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Seeded by what the caller chose, and nothing to do with secrets.
        object.__setattr__(self, "_random", random.Random(self.seed))  # noqa: S311

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        if self._random.random() >= self.rate:
            return await proceed()
        fault = self._random.choice(self.kinds)
        self.counts[type(fault).__name__] += 1
        return await fault(exchange, proceed)


@attrs.define(eq=False)
class Injection:
    """A fault in place. `hits` counts the requests that met it."""

    fault: Fault
    times: int | None
    skip: int
    when: Callable[[Any], bool] | None
    _injections: list[Injection]
    hits: int = 0

    def takes(self, request: Any) -> bool:
        """Whether this request meets the fault; counted if so."""
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
        """Take the fault away. Doing it twice does nothing."""
        if self in self._injections:
            self._injections.remove(self)
