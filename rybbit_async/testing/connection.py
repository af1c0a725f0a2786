"""One request on its connection, and what faults can do to it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from weakref import WeakSet

from aiohttp import web

from .wire import Response

__all__ = ["AlreadySent", "RequestExchange"]


class RequestExchange:
    """One request and its response, as `faults.Exchange` describes it."""

    def __init__(self, request: web.BaseRequest, closing: WeakSet[asyncio.BaseTransport]) -> None:
        self._request = request
        self._closing = closing
        self.closing = request.transport is not None and request.transport in closing
        """The connection was to be closed when this request arrived on it."""
        self.clock: Callable[[], datetime] | None = None
        """What the `Date` of the response is taken from, in place of the time of this machine."""
        self.after: list[Callable[[], Awaitable[None]]] = []

    @property
    def _transport(self) -> asyncio.Transport | None:
        return self._request.transport

    def reset(self) -> None:
        """Reset the connection."""
        transport = self._transport
        if transport is not None:
            held: socket.socket | None = transport.get_extra_info("socket")
            if held is not None:
                # With no time to linger, closing the socket resets the connection.
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

    def drop(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def close_at_next_request(self) -> None:
        """Close the connection when another request arrives on it."""
        if self._transport is not None:
            self._closing.add(self._transport)

    async def send(self, response: Response) -> None:
        """Send the response."""
        headers = self._headers(response)
        sent = web.Response(status=response.status, body=response.body, headers=headers)
        await sent.prepare(self._request)
        await sent.write_eof()

    async def send_part(self, response: Response, size: int) -> None:
        """Send the headers and the first bytes of the body."""
        stream = await self._start(response)
        await stream.write(response.body[:size])

    async def send_raw(self, data: bytes, rest: bytes = b"") -> None:
        """Send bytes that need not be HTTP, with a short break before the `rest` of them."""
        for part in (data, rest):
            if self._transport is not None and part:
                self._transport.write(part)
                await asyncio.sleep(0.005)

    async def trickle(self, response: Response, chunk: int, seconds: float) -> None:
        """Send the body `chunk` bytes at a time, with `seconds` between them."""
        stream = await self._start(response)
        for start in range(0, len(response.body), chunk):
            if start:
                await asyncio.sleep(seconds)
            await stream.write(response.body[start : start + chunk])
        await stream.write_eof()

    def _headers(self, response: Response) -> Mapping[str, str]:
        if self.clock is None:
            return response.headers
        date = format_datetime(self.clock().astimezone(UTC), usegmt=True)
        return {"Date": date, **response.headers}

    async def _start(self, response: Response) -> web.StreamResponse:
        stream = web.StreamResponse(status=response.status, headers=self._headers(response))
        stream.content_length = len(response.body)
        await stream.prepare(self._request)
        return stream


class AlreadySent(web.Response):
    """What aiohttp gets for a request whose response has been sent, or never will be."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        # aiohttp reads this after the response. prepare(), which does nothing here, would set it.
        self._keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> None:
        """Do nothing."""
        return

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing."""
        return
