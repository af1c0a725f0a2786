"""`RybbitServer`: the API on a loopback socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl
from weakref import WeakSet

from aiohttp import web
from multidict import MultiDict

from .access import READ, WRITE, Access, BucketLimit, KeyLimit
from .api import Api, RecordedRequest, split_target, utc_now
from .faults import Before, Chaos, Fault, Injection, mixture
from .releases import Release, release_named
from .store import Site, Store
from .wire import Answer

__all__ = ["Holding", "RybbitServer"]

_CACHE_BYTES = 64 << 20


class Holding:
    """Requests that wait until `release()`, which the end of `with` or `async with` also does."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._moved = asyncio.Event()
        self.waiting = 0
        """How many requests wait right now."""

    def release(self) -> None:
        """Let every request go on, those to come included."""
        self._open.set()

    async def wait(self) -> None:
        """Wait as a request does."""
        self.waiting += 1
        self._moved.set()
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1

    async def reached(self, waiting: int = 1) -> None:
        """Return once that many requests wait."""
        while self.waiting < waiting:
            self._moved.clear()
            await self._moved.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()


class _Exchange:
    """One request on its connection: what faults may do to it."""

    def __init__(self, request: web.BaseRequest, doomed: WeakSet[asyncio.BaseTransport]) -> None:
        self._request = request
        self._doomed = doomed
        self.after: list[Callable[[], Awaitable[None]]] = []

    @property
    def _transport(self) -> asyncio.Transport | None:
        return self._request.transport

    def reset(self) -> None:
        transport = self._transport
        if transport is not None:
            held: socket.socket | None = transport.get_extra_info("socket")
            if held is not None:
                # Lingering for no time at all turns the close into a reset.
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def doom(self) -> None:
        if self._transport is not None:
            self._doomed.add(self._transport)

    async def send(self, answer: Answer) -> None:
        response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        await response.prepare(self._request)
        await response.write_eof()

    async def send_part(self, answer: Answer, size: int) -> None:
        response = await self._headers(answer)
        await response.write(answer.body[:size])

    async def trickle(self, answer: Answer, chunk: int, seconds: float) -> None:
        response = await self._headers(answer)
        for start in range(0, len(answer.body), chunk):
            if start:
                await asyncio.sleep(seconds)
            await response.write(answer.body[start : start + chunk])
        await response.write_eof()

    async def _headers(self, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.content_length = len(answer.body)
        await response.prepare(self._request)
        return response


class _Sent(web.Response):
    """Returned to aiohttp for a request whose answer is on the wire already, or never will be."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        # aiohttp asks for this once the answer is over, and prepare() is what would set it.
        self._keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class RybbitServer:
    """A Rybbit-compatible server on a real socket, for tests, demos and benchmarks.

    `release` is one of `RELEASES`, and may be changed while the server runs. Without a `store` it
    makes one in memory, and closes it at the end of `async with`. `latency` is seconds for each
    request. `shuffle_ties` has equal rows come in another order on each page, as real servers do.
    `rate_limit` is `KeyLimit(...)`, `BucketLimit(...)`, or True for what the release has; without
    it there is none, as on a self-hosted server. `clock` gives the time of day as an aware
    datetime. `port=0` takes a free one, which stays the same over restarts. `cache_pages` keeps
    rendered pages of sessions, up to 64 MiB or as many bytes as it says. `record=False` keeps
    `requests` empty, for long runs.

    Making one does no I/O and needs no running loop.
    """

    def __init__(
        self,
        release: str | Release = "2.14",
        store: Store | None = None,
        latency: float = 0.0,
        shuffle_ties: bool = True,
        rate_limit: KeyLimit | BucketLimit | bool | None = None,
        clock: Callable[[], datetime] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        cache_pages: bool | int = True,
        record: bool = True,
    ) -> None:
        self._release = release_named(release)
        self._given_store = store
        self._store = store
        self.latency = latency
        self.clock = clock or utc_now
        self.host = host
        self._port = port
        self._record = record
        self._shuffle_ties = shuffle_ties
        self._cap_page_size: int | None = None
        self._cache_bytes = _CACHE_BYTES if cache_pages is True else int(cache_pages)
        self._access = Access(lambda: self.clock(), rate_limit)
        self._api: Api | None = None
        self._socket: socket.socket | None = None
        self._listener: asyncio.Server | None = None
        self._web: web.Server | None = None
        self._injections: list[Injection] = []
        self._handling: set[asyncio.Task[Any]] = set()
        self._apart_tasks: set[asyncio.Task[None]] = set()
        self._doomed: WeakSet[asyncio.BaseTransport] = WeakSet()
        self.requests: list[RecordedRequest] = []
        """Every request so far, oldest first; `requests.clear()` starts again."""
        self.in_flight = 0
        """Requests that have come and have no answer yet."""
        self.peak_in_flight = 0
        """The highest that `in_flight` has been; may be set."""
        self.api_key = self.add_key(name="default")
        """Reads, and on 2.14 writes, every site of the organisation `default`."""
        self.read_only_key = self.add_key(name="read-only", scopes=(READ,))
        """Reads the same sites, and writes nothing anywhere."""

    def __repr__(self) -> str:
        where = self.url if self._port else "not started"
        return f"<RybbitServer {self._release.name} {where}>"

    # What it serves

    @property
    def store(self) -> Store:
        """The data. Writing to it takes effect on the next request."""
        if self._store is None:
            self._store = Store()
        return self._store

    @property
    def url(self) -> str:
        """The base URL, `http://127.0.0.1:54321`. Raises `RuntimeError` before the first start."""
        if not self._port:
            raise RuntimeError("RybbitServer has no URL before it was started once")
        return f"http://{self.host}:{self._port}"

    @property
    def release(self) -> str:
        """The release that it behaves as; may be set while it runs."""
        return self._release.name

    @release.setter
    def release(self, name: str | Release) -> None:
        self._release = release_named(name)

    @property
    def shuffle_ties(self) -> bool:
        """Whether equal rows come in another order on each page; may be set."""
        return self._shuffle_ties

    @shuffle_ties.setter
    def shuffle_ties(self, value: bool) -> None:
        self._shuffle_ties = value
        self._configure()

    @property
    def cap_page_size(self) -> int | None:
        """The most rows that a page has, whatever was asked for: goals say so in `meta`, sessions
        do not. None (no cap) as on every release observed; may be set.
        """
        return self._cap_page_size

    @cap_page_size.setter
    def cap_page_size(self, value: int | None) -> None:
        self._cap_page_size = value
        self._configure()

    def _configure(self) -> Api:
        if self._api is None or self._api.store is not self.store:
            self._api = Api(self.store, self._access, lambda: self.clock())
        api = self._api
        api.shuffle_ties = self._shuffle_ties
        api.cap_page_size = self._cap_page_size
        api.cache_bytes = self._cache_bytes
        api.origin = self.url if self._port else ""
        return api

    # Who may use it

    @property
    def email(self) -> str:
        """E-mail of the one user, who owns the organisation `default`."""
        return self._access.email

    @property
    def password(self) -> str:
        """Password of the one user."""
        return self._access.password

    @property
    def sign_ins(self) -> int:
        """How many sign-ins succeeded."""
        return self._access.sign_ins

    @property
    def cookie_name(self) -> str:
        """Name of the session cookie; may be set, such as to have `__Secure-` before it."""
        return self._access.cookie

    @cookie_name.setter
    def cookie_name(self, name: str) -> None:
        self._access.cookie = name

    @property
    def rate_limit(self) -> KeyLimit | BucketLimit | bool | None:
        """The limit in force; may be set."""
        return self._access.limit

    @rate_limit.setter
    def rate_limit(self, limit: KeyLimit | BucketLimit | bool | None) -> None:
        self._access.limit = limit

    def add_key(
        self,
        *,
        name: str = "key",
        sites: Iterable[Site | int] | None = None,
        scopes: Iterable[str] = (READ, WRITE),
        disabled: bool = False,
        organisation: str = "default",
        expires: datetime | None = None,
        organisation_key: bool = False,
    ) -> str:
        """A new key: of these sites, or of every site of its organisation. `organisation_key`
        makes one that begins with `rb_org_`.
        """
        return self._access.add_key(
            name=name,
            sites=None
            if sites is None
            else [site.site_id if isinstance(site, Site) else site for site in sites],
            scopes=scopes,
            disabled=disabled,
            organisation=organisation,
            expires=expires,
            of_organisation=organisation_key,
        )

    def disable_key(self, key: str) -> None:
        """Have a key refused from now on. Raises `ValueError` for one that is not the server's."""
        if key not in self._access.keys:
            raise ValueError("disable_key: not a key of this server")
        self._access.keys[key].disabled = True

    def expire_sessions(self) -> None:
        """Have every session cookie refused from now on."""
        self._access.expire_sessions()

    # Misbehaviour

    def inject(
        self,
        fault: Fault,
        *,
        times: int | None = 1,
        skip: int = 0,
        when: Callable[[RecordedRequest], bool] | None = None,
    ) -> Injection:
        """Have the next `times` requests (None: all) meet a fault, after `skip` that do not.

        Only requests for which `when(request)` is true count. The answer has `hits` and
        `remove()`.
        """
        if not isinstance(fault, Fault):
            raise TypeError(f"inject({fault!r}): a fault is needed, such as faults.Status(503)")
        injection = Injection(fault, times, skip, when, self._injections)
        self._injections.append(injection)
        return injection

    def chaos(
        self,
        *,
        seed: int = 0,
        rate: float = 0.1,
        kinds: Sequence[Fault] | None = None,
        when: Callable[[RecordedRequest], bool] | None = None,
    ) -> Injection:
        """Have each request meet one of `kinds` (default `faults.mixture()`) with this
        probability. The `fault` of what is returned counts them: `.fault.counts`.
        """
        if not 0 <= rate <= 1:
            raise ValueError(f"rate={rate!r}: a probability between 0 and 1 is needed")
        chosen = mixture() if kinds is None else tuple(kinds)
        return self.inject(Chaos(seed, rate, chosen), times=None, when=when)

    def hold(self, when: Callable[[RecordedRequest], bool] | None = None) -> Holding:
        """Have requests wait until the handle's `release()`, or the end of `with` over it."""
        holding = Holding()
        self.inject(Before(holding.wait), times=None, when=when)
        return holding

    def clear_faults(self) -> None:
        """Take all faults away."""
        self._injections.clear()

    # Life

    @property
    def connections(self) -> int:
        """How many client connections are open."""
        return len(self._web.connections) if self._web is not None else 0

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    async def start(self) -> None:
        """Listen. A server that listens already stays as it is."""
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
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            self._web, self.host, self._port, reuse_address=True, backlog=1024
        )
        self._port = int(self._listener.sockets[0].getsockname()[1])
        self._configure()

    async def stop(self) -> None:
        """Stop listening, and close every connection at once. The data stay."""
        await self._apart(self._stop())

    async def _apart(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this work in a task of its own where a request calls for it, from a fault: closing
        the connections ends that request, and must not end the work with it.
        """
        if asyncio.current_task() not in self._handling:
            return await work
        task = asyncio.create_task(work)
        self._apart_tasks.add(task)
        task.add_done_callback(self._apart_tasks.discard)
        return await asyncio.shield(task)

    async def _stop(self) -> None:
        listener, served = self._listener, self._web
        self._listener = self._web = None
        if listener is None or served is None:
            return
        listener.close()
        for connection in served.connections:
            if connection.transport is not None:
                connection.transport.abort()
        while served.connections:  # noqa: ASYNC110 - their tasks are ending, a few turns away
            await asyncio.sleep(0)
        await listener.wait_closed()

    async def restart(
        self, release: str | Release | None = None, down_for: float | None = None
    ) -> None:
        """Stop, stay away for `down_for` seconds, and come back on the same port, perhaps as
        another release.
        """
        await self._apart(self._restart(release, down_for))

    async def _restart(self, release: str | Release | None, down_for: float | None) -> None:
        await self._stop()
        if release is not None:
            self.release = release
        if down_for:
            await asyncio.sleep(down_for)
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._apart_tasks:
            await asyncio.gather(*self._apart_tasks)
        await self.stop()
        if self._store is not None and self._given_store is None:
            self._store.close()
            self._store = self._api = None

    # Requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        task = asyncio.current_task()
        assert task is not None
        self._handling.add(task)
        try:
            return await self._respond(request)
        except ConnectionError:
            return _Sent(keep_alive=False)
        finally:
            self._handling.discard(task)
            self.in_flight -= 1

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        target = request.raw_path
        recorded = RecordedRequest(
            method=request.method,
            target=target,
            path=split_target(target),
            query=MultiDict(parse_qsl(target.partition("?")[2], keep_blank_values=True)),
            headers=request.headers,
        )
        if self._record:
            self.requests.append(recorded)
        recorded.body = await request.read()
        exchange = _Exchange(request, self._doomed)
        if transport is not None and transport in self._doomed:
            exchange.drop()
            return _Sent(keep_alive=False)
        if self.latency:
            await asyncio.sleep(self.latency)
        answer = await self._through_faults(exchange, recorded, list(self._injections))
        if answer is not None:
            recorded.status = answer.status
            await exchange.send(answer)
        for callback in exchange.after:
            await callback()
        return _Sent(keep_alive=request.keep_alive)

    async def _through_faults(
        self, exchange: _Exchange, request: RecordedRequest, injections: list[Injection]
    ) -> Answer | None:
        while injections:
            injection = injections.pop(0)
            if not injection.takes(request):
                continue

            async def proceed(fault: Fault = injection.fault) -> Answer | None:
                rest = injections if fault.passes_on else []
                return await self._through_faults(exchange, request, rest)

            return await injection.fault(exchange, proceed)
        return self._configure().answer(request, self._release)
