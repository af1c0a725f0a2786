"""The client: wiring, options and life cycle."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from ssl import SSLContext
from types import TracebackType
from typing import Any, Final, Literal, NoReturn, Self, TypeVar, cast, overload

import aiohttp
from yarl import URL

from .errors import ClientClosedError, InvalidParameterError
from .models import RawResponse
from .parameters.checks import check_choice, check_int, check_text, query_string
from .resources.goals import Goals
from .resources.sources import MAX_CONCURRENCY, Api
from .transport.auth import PasswordLogin, Secret
from .transport.capabilities import Capabilities
from .transport.clock import Clock
from .transport.http import HttpOptions
from .transport.pacing import RateLimit, RateLimitStatus
from .transport.retry import Retry
from .transport.routing import Router
from .transport.settings import (
    base_url_of,
    credentials_of,
    headers_of,
    proxy_of,
    rate_limit_of,
    retry_of,
    session_of,
    timeout_of,
)
from .transport.transport import Options, Stats, Transport
from .walks.paginator import WalkRegistry
from .walks.tasks import close_all
from .wire.converter import read
from .wire.json import MAX_DEPTH, Body, dump
from .wire.messages import Request, Timeout, decode

__all__ = ["RybbitClient"]

T = TypeVar("T")

# A page of 100,000 sessions has some 80 MiB.
MAX_RESPONSE_BYTES: Final = 256 * 2**20
_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
# A path of segments that stay what they are: no query, no "..", nothing encoded or to encode.
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~@:+=,-]+)+")


class RybbitClient:
    """A client for one Rybbit server. Making one does no I/O and needs no running loop.

    It belongs to the event loop and the process that it is first used in.

    Args:
        api_key: a key; ``RYBBIT_API_KEY`` if not given. Without either, public sites can be read.
        auth: ``PasswordLogin(email, password)`` in place of a key: servers before 2.14 let a key
            only read.
        base_url: the server's address, without ``/api``; ``RYBBIT_BASE_URL`` if not given, else
            the cloud's.
        routes: the layout of the goal endpoints' URLs: ``"goals"`` (documented), ``"sites"``
            (newer servers), or ``"auto"`` to find out.
        session: an ``aiohttp.ClientSession`` to use; it is never closed by the client.
        timeout: a ``Timeout``, or a number of seconds that one attempt may take in all.
        retry: how often a request is tried; see ``Retry``.
        rate_limit: a limit that the server has and does not tell, ``RateLimit(500, per=600)``
            for servers up to 2.4. Limits that answers tell are kept without it.
        concurrency: how many pages one walk may have in flight or buffered.
        max_connections: how many requests of this client may be under way at once.
        max_response_bytes: the largest answer that is read, after decompression.
        max_depth: how deeply lists and objects of an answer may be nested.
        headers: further headers for every request.
        proxy, ssl, trace_configs: handed to aiohttp as they are. Tracing is shown the
            ``Authorization`` header only once it was sent, and its repr hides the key.
        allow_http: allow plain ``http://`` to other hosts than this one; the key is then readable
            on the way.

    Raises:
        InvalidParameterError: for what cannot work, before anything is sent.
    """

    goals: Goals

    def __init__(
        self,
        api_key: str | None = None,
        *,
        auth: PasswordLogin | None = None,
        base_url: str | None = None,
        routes: Literal["auto", "goals", "sites"] = "auto",
        session: aiohttp.ClientSession | None = None,
        timeout: Timeout | float | None = None,
        retry: Retry | None = None,
        rate_limit: RateLimit | None = None,
        concurrency: int = 8,
        max_connections: int = 100,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        max_depth: int = MAX_DEPTH,
        headers: Mapping[str, str] | None = None,
        proxy: str | URL | None = None,
        ssl: SSLContext | bool | aiohttp.Fingerprint = True,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        allow_http: bool = False,
    ) -> None:
        if isinstance(api_key, str):  # what fails below has it in the locals of its traceback
            api_key = Secret(api_key)
        check_choice("routes", routes, ("auto", "goals", "sites"))
        self._transport = Transport(
            base_url_of(base_url, allow_http),
            credentials_of(api_key, auth),
            session=session_of(session, trace_configs),
            options=HttpOptions(
                max_connections=check_int("max_connections", max_connections),
                max_response_bytes=check_int("max_response_bytes", max_response_bytes),
                max_depth=check_int("max_depth", max_depth),
                headers=headers_of(headers),
                proxy=proxy_of(proxy),
                ssl=ssl,
                trace_configs=trace_configs,
            ),
            rate_limit=rate_limit_of(rate_limit),
            clock=Clock(),
        )
        self._router = Router(self._transport, routes)
        self._server = Capabilities(self._transport)
        self._walks = WalkRegistry()
        self._ensuring = asyncio.Lock()  # one at a time, in views too
        self._set_options(
            Options(timeout_of(timeout, Timeout()), retry_of(retry, Retry())),
            check_int("concurrency", concurrency, maximum=MAX_CONCURRENCY),
        )

    def _set_options(self, options: Options, concurrency: int) -> None:
        self._options = options
        self._concurrency = concurrency
        self.goals = Goals(
            Api(self._router, self._server, self._walks, self._ensuring, options, concurrency)
        )

    def with_options(
        self,
        *,
        timeout: Timeout | float | None = None,
        retry: Retry | None = None,
        concurrency: int | None = None,
    ) -> RybbitClient:
        """A view of the same client, same connections, with other options.

        ``client.with_options(retry=Retry(attempts=1)).goals.list(site)`` sets them for one call.
        Closing the view closes the client.
        """
        view = object.__new__(type(self))
        view._transport, view._router = self._transport, self._router
        view._server, view._walks = self._server, self._walks
        view._ensuring = self._ensuring
        view._set_options(
            Options(
                timeout_of(timeout, self._options.timeout), retry_of(retry, self._options.retry)
            ),
            self._concurrency
            if concurrency is None
            else check_int("concurrency", concurrency, maximum=MAX_CONCURRENCY),
        )
        return view

    @property
    def rate_limit(self) -> RateLimitStatus:
        """What is left, as far as the server has told."""
        return self._transport.rate_limit

    @property
    def stats(self) -> Stats:
        """What this client has done so far, views and all."""
        return self._transport.stats

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        cast_to: None = None,
    ) -> Any: ...
    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        cast_to: type[T],
    ) -> T: ...
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        cast_to: type[Any] | None = None,
    ) -> Any:
        """Any other endpoint, such as ``GET /api/sites/1/goals/time-series``.

        Args:
            path: below the base URL, from ``/`` on, without a query.
            params: the query: text, numbers, booleans (sent as ``true`` and ``false``); ``None``
                is left out.
            json: the body; nothing is sent for ``None``.
            cast_to: an attrs class (by the wire's names) to structure the answer into, or
                ``RawResponse``; without it the decoded JSON is given, ``None`` for an empty body.
        """
        request = Request(
            check_choice("method", str(method).upper(), _METHODS),
            _path(path),
            query_string(_params(params or {})),
            None if json is None else dump(json, "json"),
        )
        answer = await self._transport.send(request, self._options)
        if cast_to is RawResponse:
            return RawResponse(answer.status, _plain(answer.headers), answer.body.data)
        if cast_to is None:
            return decode(answer, Body.json) if answer.body.data else None
        return decode(answer, lambda body: read(body, cast_to))

    @property
    def closed(self) -> bool:
        """Whether ``close()`` was called."""
        return self._transport.http.closed

    async def close(self) -> None:
        """End every walk and call that is under way, and let go of the connections.

        A session that was passed in stays open. Closing twice does no harm.
        """
        self._transport.http.closed = True
        await close_all(
            self._walks.close(ClientClosedError, "the client was closed during this walk"),
            self._transport.close(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __enter__(self) -> NoReturn:
        raise TypeError("a RybbitClient is asynchronous: use 'async with'")

    def __exit__(self, *exc: object) -> None: ...

    def __reduce__(self) -> NoReturn:
        raise TypeError("a RybbitClient holds connections and a key and does not pickle: make one "
                        "in each process")  # fmt: skip

    def __repr__(self) -> str:
        if not hasattr(self, "_transport"):  # in the traceback of a constructor that failed
            return "<RybbitClient that was not made>"
        return f"<RybbitClient {self._transport.http.base_url}{' (closed)' if self.closed else ''}>"


def _path(path: object) -> str:
    if isinstance(path, str) and _PATH.fullmatch(path):
        return path
    raise InvalidParameterError(
        f"path={path!r}: a path such as /api/sites/1/goals, without a host, a query (see params), "
        "'..', or a slash at its end"
    )


def _plain(headers: Any) -> Mapping[str, str]:
    """Headers that pickle, and still know no upper and lower case."""
    return cast("Mapping[str, str]", headers.copy())


def _params(params: object) -> dict[str, str]:
    if not isinstance(params, Mapping):
        raise InvalidParameterError(f"params={params!r}: a mapping of names to values")
    query: dict[str, str] = {}
    items: Mapping[Any, Any] = params  # pyright: ignore[reportUnknownVariableType]  # anybody's
    for name, value in items.items():
        if not isinstance(name, str):
            raise InvalidParameterError(f"params: {name!r} is no name")
        if name.lower() == "api_key":
            raise InvalidParameterError("params: api_key does not belong in a URL: pass it to "
                                        "RybbitClient, which sends it as a header")  # fmt: skip
        if value is None:
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, (str, int, float)):
            raise InvalidParameterError(f"params: {name}={value!r}: text, a number or a boolean")
        query[name] = check_text(f"params: {name}", f"{value}")
    return query
