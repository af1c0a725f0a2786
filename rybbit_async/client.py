"""The client: wiring, options and life cycle."""

from __future__ import annotations

import ipaddress
import json as jsonlib
import os
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Literal, NoReturn, Self, TypeVar, cast, overload

import aiohttp
from yarl import URL

from ._converter import read
from ._json import loads
from ._routing import Router
from ._server import Server
from ._sources import Api
from ._transport import Request, Timeout, Transport, decode
from .auth import ApiKey, NoAuth, PasswordLogin
from .errors import ClientClosedError, InvalidParameterError
from .goals import Goals
from .models import RawResponse
from .paging import Walks
from .params import check_choice, check_int, query_string

__all__ = ["DEFAULT_BASE_URL", "RybbitClient"]

T = TypeVar("T")

DEFAULT_BASE_URL: Final = "https://api.rybbit.io"
_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
# A path of segments that stay what they are: no query, no "..", nothing encoded or to encode.
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~@:+=,-]+)+")


class RybbitClient:
    """A client for one Rybbit server. Making one does no I/O and needs no running loop.

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
        concurrency: how many pages one walk may have in flight or buffered.
        max_connections: how many requests of this client may be under way at once.
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
        concurrency: int = 8,
        max_connections: int = 100,
        allow_http: bool = False,
    ) -> None:
        check_choice("routes", routes, ("auto", "goals", "sites"))
        if session is not None and not isinstance(session, aiohttp.ClientSession):
            raise InvalidParameterError(f"session={session!r}: an aiohttp.ClientSession")
        self._transport = Transport(
            _base_url(base_url, allow_http),
            _auth(api_key, auth),
            session=session,
            max_connections=check_int("max_connections", max_connections),
        )
        self._router = Router(self._transport, routes)
        self._server = Server(self._transport)
        self._walks = Walks()
        self._set_options(_timeout(timeout), check_int("concurrency", concurrency))

    def _set_options(self, timeout: Timeout, concurrency: int) -> None:
        self._timeout = timeout
        self._concurrency = concurrency
        self.goals = Goals(Api(self._router, self._server, self._walks, timeout, concurrency))

    def with_options(
        self, *, timeout: Timeout | float | None = None, concurrency: int | None = None
    ) -> RybbitClient:
        """A view of the same client, same connections, with other options.

        Closing the view closes the client.
        """
        view = object.__new__(type(self))
        view._transport, view._router = self._transport, self._router
        view._server, view._walks = self._server, self._walks
        view._set_options(
            self._timeout if timeout is None else _timeout(timeout),
            self._concurrency if concurrency is None else check_int("concurrency", concurrency),
        )
        return view

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
            check_choice("method", method.upper(), _METHODS),
            _path(path),
            query_string(_params(params or {})),
            None if json is None else _json(json),
        )
        answer = await self._transport.send(request, self._timeout)
        if cast_to is RawResponse:
            return RawResponse(answer.status, answer.headers, answer.body)
        if cast_to is None:
            return decode(answer, loads) if answer.body else None
        return decode(answer, lambda body: read(body, cast_to))

    @property
    def closed(self) -> bool:
        """Whether ``close()`` was called."""
        return self._transport.closed

    async def close(self) -> None:
        """End every walk and call that is under way, and let go of the connections.

        A session that was passed in stays open. Closing twice does no harm.
        """
        self._transport.closed = True
        await self._walks.close(ClientClosedError, "the client was closed during this walk")
        await self._transport.close()

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
        return f"<RybbitClient {self._transport.base_url}{' (closed)' if self.closed else ''}>"


def _auth(api_key: object, auth: object) -> ApiKey | NoAuth | PasswordLogin:
    if auth is not None:
        if api_key is not None:
            raise InvalidParameterError("api_key and auth: one of them, not both")
        if not isinstance(auth, PasswordLogin):
            raise InvalidParameterError(
                f"auth: a PasswordLogin, not {type(auth).__name__}; a key goes into api_key"
            )
        return auth
    if api_key is None:
        api_key = os.environ.get("RYBBIT_API_KEY", "").strip() or None
    return NoAuth() if api_key is None else ApiKey(api_key)


def _timeout(timeout: object) -> Timeout:
    if timeout is None:
        return Timeout()
    if isinstance(timeout, Timeout):
        return timeout
    return Timeout(total=cast("float", timeout))


def _base_url(base_url: object, allow_http: bool) -> str:
    name = "base_url"
    if base_url is None:
        name = "RYBBIT_BASE_URL"
        base_url = os.environ.get(name, "").strip() or DEFAULT_BASE_URL
    if not isinstance(base_url, str):
        raise InvalidParameterError(f"{name}: text was expected, not {type(base_url).__name__}")
    allowed = "an address such as https://analytics.example.com"
    if not re.fullmatch(r"[!-~]+", base_url):
        raise InvalidParameterError(
            f"{name}={base_url!r}: {allowed}, printable ASCII without white space"
        )
    try:
        url = URL(base_url)
        url.port  # noqa: B018  # raises where the port is no port
    except ValueError as error:
        raise InvalidParameterError(f"{name}: {allowed} ({error})") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidParameterError(f"{name}={base_url!r}: {allowed}")
    if url.user or url.password:
        raise InvalidParameterError(f"{name}: {allowed}, without a user or a password in it")
    if url.query_string or url.fragment:
        raise InvalidParameterError(f"{name}: {allowed}, without a query or a fragment")
    if url.scheme == "http" and not allow_http and not _is_loopback(url.host):
        raise InvalidParameterError(
            f"{name}={base_url!r}: https, for over plain http anyone on the way can read the key; "
            "allow_http=True allows it"
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _path(path: object) -> str:
    if isinstance(path, str) and _PATH.fullmatch(path):
        return path
    raise InvalidParameterError(
        f"path={path!r}: a path such as /api/sites/1/goals, without a host, a query (see params), "
        "'..', or a slash at its end"
    )


def _params(params: Mapping[str, Any]) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in params.items():
        if name == "api_key":
            raise InvalidParameterError("params: api_key does not belong in a URL: pass it to "
                                        "RybbitClient, which sends it as a header")  # fmt: skip
        if value is None:
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, (str, int, float)):
            raise InvalidParameterError(f"params: {name}={value!r}: text, a number or a boolean")
        query[name] = str(value)
    return query


def _json(value: Any) -> bytes:
    try:
        return jsonlib.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidParameterError(f"json: {error}") from None
