"""The socket of a server: it listens, and turns what arrives into exchanges."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from weakref import WeakSet

from aiohttp import web

from .connection import AlreadySent, RequestExchange

__all__ = ["Listener"]

_ATTEMPTS = 20

Serve = Callable[[web.BaseRequest, RequestExchange], Awaitable[None]]


class Listener:
    """Listens on a port, which stays the same when it stops and starts again."""

    def __init__(self, host: str, port: int, serve: Serve) -> None:
        self.host = host
        self.port = port
        """0 before the first start, if a free port is to be used."""
        self.address = host
        """The first address that it listens on, or did."""
        self.in_flight = 0
        self.peak_in_flight = 0
        self._serve = serve
        self._listener: asyncio.Server | None = None
        self._web: web.Server | None = None
        self._handling: set[asyncio.Task[Any]] = set()
        self._detached: set[asyncio.Task[None]] = set()
        self._closing: WeakSet[asyncio.BaseTransport] = WeakSet()

    @property
    def connections(self) -> int:
        """The number of open connections."""
        served = self._web  # another thread may stop the server meanwhile
        return 0 if served is None else len(served.connections)

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    async def start(self) -> None:
        """Start to listen, unless it listens already."""
        if self._listener is not None:
            return
        self._web = web.Server(
            self._handle,
            handler_cancellation=True,
            keepalive_timeout=72,
            access_log=None,
            max_line_size=1 << 20,
            max_field_size=1 << 20,
            auto_decompress=False,
        )
        try:
            self._listener = await self._listen(self._web, self.port)
        except OSError:
            self._web = None
            raise
        self.address, self.port = self._listener.sockets[0].getsockname()[:2]

    async def _listen(self, served: web.Server, port: int) -> asyncio.Server:
        """Listen on each address of the host, and on the same port of all of them."""
        loop = asyncio.get_running_loop()
        for attempt in range(_ATTEMPTS):
            try:
                server = await loop.create_server(
                    served, self.host, port, reuse_address=True, backlog=1024
                )
            except OSError:
                if port == self.port or attempt == _ATTEMPTS - 1:
                    raise
                port = self.port  # what is free on one address may be taken on another
                continue
            ports = {socket.getsockname()[1] for socket in server.sockets}
            if len(ports) == 1:
                return server
            # Several addresses, each of which got a free port of its own.
            server.close()
            await server.wait_closed()
            port = min(ports)
        raise AssertionError("a port that was asked for is that of every address")

    async def stop(self) -> None:
        """Stop listening and close every connection at once."""
        listener, served = self._listener, self._web
        self._listener = self._web = None
        if listener is None or served is None:
            return
        listener.close()
        for connection in served.connections:
            if connection.transport is not None:
                connection.transport.abort()
        while served.connections:  # noqa: ASYNC110 - their tasks end within a few turns
            await asyncio.sleep(0)
        await listener.wait_closed()

    async def detached(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, in a task of its own if a request that is being served asks for it.

        A fault may stop the server. That closes the connections and so cancels the request, which
        must not cancel the work as well.
        """
        if asyncio.current_task() not in self._handling:
            return await work
        task = asyncio.create_task(work)
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait for detached work, then stop."""
        while self._detached:
            await asyncio.gather(*self._detached)
        await self.detached(self.stop())

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        task = asyncio.current_task()
        assert task is not None
        self._handling.add(task)
        try:
            return await self._exchange(request)
        except ConnectionError:
            return AlreadySent(keep_alive=False)
        finally:
            self._handling.discard(task)
            self.in_flight -= 1

    async def _exchange(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = RequestExchange(request, self._closing)
        await self._serve(request, exchange)
        for callback in exchange.after:
            await callback()
        return AlreadySent(keep_alive=request.keep_alive and not exchange.closing)
