"""`RybbitServer`: the API on a loopback socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict

from .access import READ, WRITE, Access, BucketLimit, KeyLimit
from .api.call import RecordedRequest, Service
from .api.dispatch import path_of, respond, utc_now
from .connection import RequestExchange
from .credentials import EMAIL, PASSWORD, check_credential, new_key
from .faults import Before, Chaos, Fault, Injection, mixture
from .held import HeldRequests
from .listener import Listener
from .own_thread import OwnThread
from .releases import Release, release_named
from .store import Site, Store
from .wire import Response

__all__ = ["RybbitServer"]

_CACHE_BYTES = 64 << 20
# Nothing can connect to the addresses that stand for all of a machine's.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to replace it


class RybbitServer:
    """A Rybbit-compatible server on a real socket, for tests, demos and benchmarks.

    Creating one needs no running event loop. `async with` runs it in the event loop of the caller,
    `with` in a thread of its own.

    Args:
        release: The release that it behaves like, one of `RELEASES`. May be changed while the
            server runs.
        store: The data. Without it the server creates a store in memory, and closes it at the end
            of `async with`.
        latency: Seconds that each request takes longer.
        shuffle_ties: Rows that are equal in a list's order come in another order on each page, as
            on real servers.
        store_delay: Seconds from the timestamp of an event until the server shows it, by its clock,
            or a function of the event that returns them. Real servers take 0.2 to 10 seconds. It
            becomes the `delay` of the store.
        rate_limit: `KeyLimit(...)`, `BucketLimit(...)`, or True for the limit of the release. By
            default there is none, as on self-hosted servers.
        clock: Returns the current time as an aware datetime, which is also the `Date` of every
            response.
        host: The address to listen on.
        port: The port to listen on. 0 means a free one, which is kept when the server restarts.
        cache_pages: Keep the pages of lists that were sent last: False, True for up to 64 MiB, or
            a number of bytes.
        record: Keep every request in `requests`. Switch it off for long runs.
        api_key, email, password: The credentials. A store that is a file keeps them, and the
            `read_only_key`, so that a later server of it has the same. By default they are what
            the store keeps, or else a new key, `owner@example.com` and a fixed password.
    """

    def __init__(
        self,
        release: str | Release = "2.8",
        store: Store | None = None,
        latency: float = 0.0,
        shuffle_ties: bool = True,
        store_delay: float | Callable[[Mapping[str, Any]], float] | None = None,
        rate_limit: KeyLimit | BucketLimit | bool | None = None,
        clock: Callable[[], datetime] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        cache_pages: bool | int = True,
        record: bool = True,
        api_key: str | None = None,
        email: str | None = None,
        password: str | None = None,
    ) -> None:
        self._release = release_named(release)
        self._store = store
        self._owns_store = store is None
        self._store_delay = store_delay
        if store is not None and store_delay is not None:
            store.delay = store_delay
        self._service: Service | None = None
        self._listener = Listener(host, port, self._serve)
        self._thread: OwnThread | None = None
        self._access = Access(lambda: self.clock(), rate_limit)
        self._injections: list[Injection] = []
        self._record = record
        self._shuffle_ties = shuffle_ties
        self._cap_page_size: int | None = None
        self._cache_bytes = _CACHE_BYTES if cache_pages is True else int(cache_pages)
        self.latency = latency
        self.clock = clock or utc_now
        self.requests: list[RecordedRequest] = []
        """Every request so far, oldest first. `requests.clear()` starts again."""
        self._access.email = self._kept("email", email, EMAIL)
        self._access.password = self._kept("password", password, PASSWORD)
        self.api_key = self.add_key(name="default", text=self._kept("api_key", api_key, new_key()))
        """Reads every site of the organisation `default`; writes too from 2.7 on."""
        self.read_only_key = self.add_key(
            name="read-only", scopes=(READ,), text=self._kept("read_only_key", None, new_key())
        )
        """Reads the same sites and writes nothing."""

    def __repr__(self) -> str:
        where = self.url if self._listener.port else "not started"
        return f"<RybbitServer {self._release.name} {where}>"

    # The data and the behaviour

    @property
    def store(self) -> Store:
        """The data. What is written to it is in the next response."""
        if self._store is None:
            self._store = Store(delay=self._store_delay or 0.0)
        return self._store

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:54321`. It has the `host`, or a loopback address
        if that stands for every address of the machine.

        Raises `RuntimeError` before the first start.
        """
        listener = self._listener
        if not listener.port:
            raise RuntimeError("RybbitServer has no URL before its first start")
        host = _LOOPBACK.get(listener.address, listener.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{listener.port}"

    @property
    def release(self) -> str:
        """The release that it behaves like. May be set while the server runs."""
        return self._release.name

    @release.setter
    def release(self, name: str | Release) -> None:
        self._release = release_named(name)

    @property
    def shuffle_ties(self) -> bool:
        """Whether equal rows come in another order on each page. May be set."""
        return self._shuffle_ties

    @shuffle_ties.setter
    def shuffle_ties(self, value: bool) -> None:
        self._shuffle_ties = value
        self._configure()

    @property
    def cap_page_size(self) -> int | None:
        """The most rows of a page, whatever the request asks for. May be set.

        Goals and users report the capped size, sessions have no field for it. None means no cap,
        as on every release observed.
        """
        return self._cap_page_size

    @cap_page_size.setter
    def cap_page_size(self, value: int | None) -> None:
        self._cap_page_size = value
        self._configure()

    def _configure(self) -> Service:
        if self._service is None or self._service.store is not self.store:
            self._service = Service(self.store, self._access, lambda: self.clock())
        service = self._service
        service.shuffle_ties = self._shuffle_ties
        service.cap_page_size = self._cap_page_size
        service.bodies.limit = self._cache_bytes
        service.origin = self.url if self._listener.port else ""
        return service

    # Keys, sign-in and limits

    @property
    def email(self) -> str:
        """E-mail of the only user, who owns the organisation `default`."""
        return self._access.email

    @property
    def password(self) -> str:
        """Password of the only user."""
        return self._access.password

    @property
    def sign_ins(self) -> int:
        """The number of successful sign-ins."""
        return self._access.sign_ins

    @property
    def cookie_name(self) -> str:
        """Name of the session cookie. May be set, for example to add `__Secure-` before it."""
        return self._access.cookie

    @cookie_name.setter
    def cookie_name(self, name: str) -> None:
        self._access.cookie = name

    @property
    def rate_limit(self) -> KeyLimit | BucketLimit | bool | None:
        """The rate limit. May be set."""
        return self._access.limit

    @rate_limit.setter
    def rate_limit(self, limit: KeyLimit | BucketLimit | bool | None) -> None:
        self._access.limit = limit

    def _kept(self, name: str, given: str | None, default: str) -> str:
        """A credential, which lasts as long as the data do."""
        if given is not None:
            check_credential(name, given)
        if self._store is None or not self._store.is_file:
            return given or default
        return self._store.setting(name, given, default)

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
        text: str | None = None,
    ) -> str:
        """Create a key for these sites, or for every site of its organisation, and return it.

        Keys with `organisation_key` begin with `rb_org_`. `text` is the key itself; by default it
        is made up.
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
            text=text,
        )

    def disable_key(self, key: str) -> None:
        """Disable a key. Raises `ValueError` if it is not a key of this server."""
        if key not in self._access.keys:
            raise ValueError("key must be a key of this server")
        self._access.keys[key].disabled = True

    def expire_sessions(self) -> None:
        """Make every session cookie invalid."""
        self._access.expire_sessions()

    # Faults

    def inject(
        self,
        fault: Fault,
        *,
        times: int | None = 1,
        skip: int = 0,
        when: Callable[[RecordedRequest], bool] | None = None,
    ) -> Injection:
        """Apply a fault to the next `times` requests (None: all), after `skip` other requests.

        Only requests for which `when(request)` is true count. The result counts them (`hits`) and
        can be removed (`remove()`).
        """
        if not isinstance(fault, Fault):
            raise TypeError(f"fault must be a fault such as faults.Status(503), got {fault!r}")
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
        """Apply one of `kinds` (default: `faults.mixture()`) to each request, with probability
        `rate`. The `fault` of the result counts them by kind: `.fault.counts`.
        """
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must be between 0 and 1, got {rate!r}")
        chosen = mixture() if kinds is None else tuple(kinds)
        return self.inject(Chaos(seed, rate, chosen), times=None, when=when)

    def hold(self, when: Callable[[RecordedRequest], bool] | None = None) -> HeldRequests:
        """Let requests wait until `release()` of the result, or the end of a `with` over it."""
        held = HeldRequests()
        self.inject(Before(held.wait), times=None, when=when)
        return held

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._injections.clear()

    # Running

    @property
    def connections(self) -> int:
        """The number of open client connections."""
        return self._listener.connections

    @property
    def running(self) -> bool:
        """Whether the server listens."""
        return self._listener.running

    @property
    def in_flight(self) -> int:
        """Requests that have arrived and have no response yet."""
        return self._listener.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The highest value that `in_flight` has had. May be set."""
        return self._listener.peak_in_flight

    @peak_in_flight.setter
    def peak_in_flight(self, value: int) -> None:
        self._listener.peak_in_flight = value

    async def start(self) -> None:
        """Start to listen. A server that listens already stays as it is."""
        await self._in_its_loop(self._start())

    async def _start(self) -> None:
        await self._listener.start()
        with self.store.lock:
            self._configure()

    async def stop(self) -> None:
        """Stop listening and close every connection at once. The data are kept."""
        await self._in_its_loop(self._stop())

    async def _stop(self) -> None:
        await self._listener.detached(self._listener.stop())

    async def restart(
        self, release: str | Release | None = None, down_for: float | None = None
    ) -> None:
        """Stop, wait `down_for` seconds, and start on the same port, perhaps as another release."""
        await self._in_its_loop(self._detached_restart(release, down_for))

    async def _detached_restart(
        self, release: str | Release | None, down_for: float | None
    ) -> None:
        await self._listener.detached(self._restart(release, down_for))

    async def _restart(self, release: str | Release | None, down_for: float | None) -> None:
        await self._listener.stop()
        if release is not None:
            self.release = release
        if down_for:
            await asyncio.sleep(down_for)
        await self._start()

    async def _in_its_loop(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` where the server runs: in a thread of its own, or where the caller is."""
        await (work if self._thread is None else self._thread.wait(work))

    def __enter__(self) -> Self:
        """Run in a thread of its own, with an event loop of its own, for callers of any kind.

        The methods can then be called from any thread, and those that are asynchronous from any
        event loop. Functions that are passed in, such as `clock` and the callbacks of faults, are
        called in the server's thread.
        """
        self._check_not_running()
        self._thread = OwnThread()
        try:
            self._thread.run(self._start())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        thread = self._thread
        assert thread is not None
        try:
            thread.run(self._finish())
        finally:
            thread.close()
            self._thread = None

    async def __aenter__(self) -> Self:
        self._check_not_running()
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._finish()

    def _check_not_running(self) -> None:
        # At the end of a block the server stops, so a block inside of another one would stop it.
        if self._thread is not None or self.running:
            raise RuntimeError("RybbitServer runs already")

    async def _finish(self) -> None:
        await self._listener.finish()
        if self._store is not None and self._owns_store:
            self._store.close()
            self._store = self._service = None

    # Requests

    async def _serve(self, request: web.BaseRequest, exchange: RequestExchange) -> None:
        exchange.clock = self.clock
        target = request.raw_path
        recorded = RecordedRequest(
            method=request.method,
            target=target,
            path=path_of(target),
            query=MultiDict(parse_qsl(target.partition("?")[2], keep_blank_values=True)),
            headers=request.headers,
        )
        if self._record:
            self.requests.append(recorded)
        recorded.body = await request.read()
        if exchange.closing:
            exchange.drop()
            return
        if self.latency:
            await asyncio.sleep(self.latency)
        response = await self._through_faults(exchange, recorded, list(self._injections))
        if response is not None:
            recorded.status = response.status
            await exchange.send(response)

    async def _through_faults(
        self, exchange: RequestExchange, request: RecordedRequest, injections: list[Injection]
    ) -> Response | None:
        while injections:
            injection = injections.pop(0)
            if not injection.takes(request):
                continue

            async def proceed(fault: Fault = injection.fault) -> Response | None:
                rest = injections if fault.passes_on else []
                return await self._through_faults(exchange, request, rest)

            return await injection.fault(exchange, proceed)
        with self.store.lock:
            service = self._configure()
            service.store.store_due(self.clock())
            return respond(service, request, self._release)
