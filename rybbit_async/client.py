"""The client: wiring, options and life cycle."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from ssl import SSLContext
from types import TracebackType
from typing import Any, Final, Literal, NoReturn, Self, TypeVar, Unpack, cast, overload

import aiohttp
from attrs import evolve
from yarl import URL

from .activity import Activity, RateLimitStatus
from .errors import ClientClosedError, InvalidParameterError, NotFoundError
from .models import MetricRow, RawResponse, ServerCapabilities
from .observers import Observers, Shared, check_on_event
from .parameters.checks import (
    check_bool,
    check_choice,
    check_int,
    check_site,
    check_text,
    integer_text,
    invalid,
    query_string,
    type_name,
)
from .parameters.common import CommonParameters, parse_common
from .parameters.signature import expand_parameters
from .parameters.walk import WalkParameters
from .parameters.window import SETTLED_AFTER, check_settled_after
from .plain import plain, plain_text
from .resources.any_list import AnyList
from .resources.capabilities import Capabilities
from .resources.context import Context
from .resources.endpoints import PROBE
from .resources.events import Events
from .resources.figures import Figures
from .resources.goals import Goals
from .resources.overview import SiteOverview
from .resources.resource import MAX_CONCURRENCY
from .resources.sessions import Sessions
from .resources.settling import wait_until_settled
from .resources.sites import Organizations, Sites
from .resources.users import Users
from .transport.auth import PasswordLogin, Secret, hidden
from .transport.clock import Clock
from .transport.connection_settings import (
    check_proxy,
    check_ssl,
    check_trace_configs,
    proxy_in_environment,
)
from .transport.http import HttpOptions
from .transport.not_found import endpoint_not_found, is_unknown_route
from .transport.options import Options, Timeout
from .transport.pacing import RateLimit
from .transport.paths import check_template, fill_path, parameters_of
from .transport.retry import Retry
from .transport.routing import Router
from .transport.settings import (
    check_base_url,
    check_credentials,
    check_headers,
    check_rate_limit,
    check_retry,
    check_session,
    check_timeout,
)
from .transport.transport import Stats, Transport
from .walks.orders import ByKey, ByRank, ByTime
from .walks.paginator import Paginator, WalkRegistry
from .walks.tasks import close_all
from .wire.converter import check_structurable, read
from .wire.json import MAX_DEPTH, Body, dump
from .wire.messages import Request, Response, decode
from .wire.page_reader import DATA, Envelope

__all__ = ["RybbitClient"]

T = TypeVar("T")

# A page of 100,000 sessions has some 80 MiB.
MAX_RESPONSE_BYTES: Final = 256 * 2**20
_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class RybbitClient:
    """A client for one Rybbit server. Making one does no I/O and needs no running loop.

    It belongs to the event loop and the process that it is first used in.

    Args:
        api_key: a key; ``RYBBIT_API_KEY`` if not given. Without either, public sites can be read.
            Or a function without arguments that returns one, or an awaitable of one, so that a key
            can be replaced: it is called before the first request, and again when a request is
            answered 401 or 403, which is sent once more if the key is another one then. What it
            raises is raised by the request. It is not limited by ``timeout``.
        auth: ``PasswordLogin(email, password)`` in place of a key: servers before 2.7 let a key
            only read.
        base_url: the server's address, without ``/api``; ``RYBBIT_BASE_URL`` if not given, else
            the cloud's.
        routes: the layout of the goal endpoints' URLs: ``"goals"`` (documented), ``"sites"``
            (newer servers), or ``"auto"`` to find out.
        session: an ``aiohttp.ClientSession`` to use; it is never closed by the client. What is said
            of ``headers``, ``proxy``, ``ssl`` and ``trust_env`` holds for it, too.
        timeout: a ``Timeout``, or a number of seconds that one attempt may take in all.
        retry: how often a request is tried; see ``Retry``.
        rate_limit: a limit that the server has and does not tell, ``RateLimit(500, per=600)``
            for servers up to 2.4. Limits that answers tell are kept without it.
        concurrency: how many pages one walk may have in flight or buffered.
        settled_after: how far back the end of a window must lie, as a ``timedelta`` or in seconds,
            for nothing in it to change any more; 5 minutes if not given. Servers store events up
            to 10 seconds late, and a walk over a window that ended lately reads its head again.
        max_connections: how many requests of this client may be under way at once.
        max_response_bytes: the largest answer that is read, after decompression.
        max_depth: how deeply lists and objects of an answer may be nested.
        headers: further headers for every request.
        proxy: the address of a proxy, ``http://user:password@proxy.example:3128``.
        trust_env: use the proxy that the environment variable ``HTTPS_PROXY`` (or ``HTTP_PROXY``,
            for a server without TLS) names, unless ``NO_PROXY`` excepts the server. They are read
            here, once; ``proxy`` takes their place. The file ``.netrc`` is never used.
        ssl: how the server's certificate is checked: the path of a file with the CA certificates
            to trust in place of the system's, in PEM format; an ``ssl.SSLContext``; an
            ``aiohttp.Fingerprint``; or ``False`` for not at all.
        trace_configs: a list of ``aiohttp.TraceConfig``. Tracing is shown the ``Authorization``
            header only once it was sent, and its repr hides the key.
        allow_http: allow plain ``http://`` to other hosts than this one; the key is then readable
            on the way.
        on_event: called with an ``Activity`` for each thing that happens: requests, attempts,
            retries, pauses, walks and their pages. It is called in the event loop of the client, in
            the order in which things happen, so it must not be asynchronous, and should return at
            once. An exception of it disturbs nothing: the first one of a client is logged at
            ERROR, by its type. What is no ``Exception``, such as ``KeyboardInterrupt``, is raised.

    Raises:
        InvalidParameterError: for what cannot work, before anything is sent.
    """

    events: Events
    goals: Goals
    organizations: Organizations
    overview: SiteOverview
    sessions: Sessions
    sites: Sites
    users: Users

    def __init__(
        self,
        api_key: str | Callable[[], str | Awaitable[str]] | None = None,
        *,
        auth: PasswordLogin | None = None,
        base_url: str | None = None,
        routes: Literal["auto", "goals", "sites"] = "auto",
        session: aiohttp.ClientSession | None = None,
        timeout: Timeout | float | None = None,
        retry: Retry | None = None,
        rate_limit: RateLimit | None = None,
        concurrency: int = 8,
        settled_after: timedelta | float | None = None,
        max_connections: int = 100,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        max_depth: int = MAX_DEPTH,
        headers: Mapping[str, str] | None = None,
        proxy: str | URL | None = None,
        trust_env: bool = False,
        ssl: str | os.PathLike[str] | SSLContext | bool | aiohttp.Fingerprint = True,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        allow_http: bool = False,
        on_event: Callable[[Activity], object] | None = None,
    ) -> None:
        api_key = hidden(api_key)  # what fails below has it in the locals of its traceback
        base_url = check_base_url(base_url, check_bool("allow_http", allow_http))
        tracing, on_event = check_trace_configs(trace_configs), check_on_event(on_event)
        self._arguments = {
            "base_url": base_url,
            "routes": routes,
            "timeout": timeout,
            "retry": retry,
            "concurrency": concurrency,
            "settled_after": settled_after,
            "max_connections": max_connections,
            "max_response_bytes": max_response_bytes,
            "max_depth": max_depth,
            "headers": headers,
            "proxy": proxy if proxy is None else Secret(proxy),
            "trust_env": trust_env,
            "ssl": ssl,
            "allow_http": allow_http,
        }
        self._only_here = {"session": session, "trace_configs": tracing}
        headers = check_headers(headers)
        proxy, unused_proxy = _proxy(proxy, check_bool("trust_env", trust_env), base_url)
        self._transport = Transport(
            base_url,
            check_credentials(api_key, auth),
            session=check_session(session, tracing),
            options=HttpOptions(
                max_connections=check_int("max_connections", max_connections),
                max_response_bytes=check_int("max_response_bytes", max_response_bytes),
                max_depth=check_int("max_depth", max_depth),
                headers=headers,
                proxy=proxy,
                ssl=check_ssl(ssl),
                trace_configs=tracing,
                unused_proxy=unused_proxy,
            ),
            rate_limit=check_rate_limit(rate_limit),
            clock=Clock(),
        )
        self._context = Context(
            router := Router(
                self._transport, check_choice("routes", routes, ("auto", "goals", "sites")), PROBE
            ),
            Capabilities(router, self._transport.server_clock),
            WalkRegistry(router.check_usable),
            self._transport.timer,
            Options(
                check_timeout(timeout, Timeout()),
                check_retry(retry, Retry()),
                Observers(Shared(self._transport.redact)).also(on_event),
            ),
            check_settled_after(settled_after, SETTLED_AFTER),
            check_int("concurrency", concurrency, maximum=MAX_CONCURRENCY),
        )
        self._add_resources()

    def _add_resources(self) -> None:
        self.events = Events(self._context)
        self.goals = Goals(self._context)
        self.organizations = Organizations(self._context)
        self.overview = SiteOverview(self._context)
        self.sessions = Sessions(self._context)
        self.sites = Sites(self._context)
        self.users = Users(self._context)

    def with_options(
        self,
        *,
        timeout: Timeout | float | None = None,
        retry: Retry | None = None,
        concurrency: int | None = None,
        settled_after: timedelta | float | None = None,
        on_event: Callable[[Activity], object] | None = None,
    ) -> RybbitClient:
        """A view of the same client, same connections, with other options.

        ``client.with_options(retry=Retry(attempts=1)).goals.list(site)`` sets them for one call.
        ``on_event`` is called for what happens by way of the view, besides the client's own.
        Closing the view closes the client.
        """
        old = self._context
        view = object.__new__(type(self))
        view._transport, view._only_here = self._transport, self._only_here
        changes = {
            "timeout": timeout,
            "retry": retry,
            "concurrency": concurrency,
            "settled_after": settled_after,
        }
        view._arguments = {
            **self._arguments,
            **{name: value for name, value in changes.items() if value is not None},
        }
        view._context = evolve(
            old,
            options=Options(
                check_timeout(timeout, old.options.timeout),
                check_retry(retry, old.options.retry),
                old.options.observers.also(check_on_event(on_event)),
            ),
            settled_after=check_settled_after(settled_after, old.settled_after),
            concurrency=old.concurrency
            if concurrency is None
            else check_int("concurrency", concurrency, maximum=MAX_CONCURRENCY),
        )
        view._add_resources()
        return view

    @property
    def rate_limit(self) -> RateLimitStatus:
        """What is left, as far as the server has told."""
        return self._transport.rate_limit

    @property
    def settled_after(self) -> timedelta:
        """How far back the end of a window must lie for nothing in it to change any more."""
        return self._context.settled_after

    @property
    def server_time(self) -> datetime | None:
        """The date and time of day at the server in UTC; ``None`` before its first answer."""
        clock = self._transport.server_clock
        return clock.now() if clock.is_known else None

    @property
    def concurrency(self) -> int:
        """How many pages one walk may have in flight or buffered, unless it says so itself."""
        return self._context.concurrency

    def arguments(self) -> dict[str, Any]:
        """What another process has to pass to ``RybbitClient`` for a client like this one.

        Credentials, ``rate_limit`` and ``on_event`` are not in it; a proxy with its password, and
        the headers, are.

        Raises:
            InvalidParameterError: the client has a ``session``, ``trace_configs`` or an
                ``SSLContext``, which belong to this process.
        """
        given = {**self._only_here, "ssl": self._arguments["ssl"]}
        for name, value in given.items():
            if value and not isinstance(value, (bool, str, os.PathLike)):
                raise InvalidParameterError(
                    f"{name} must not be given to a client that is to be made again in another "
                    f"process, got {type_name(value)}"
                )
        return dict(self._arguments)

    @property
    def stats(self) -> Stats:
        """What this client has done so far, views and all."""
        return self._transport.stats

    @expand_parameters
    def metric(
        self,
        site: int | str,
        parameter: str,
        *,
        page_size: int = 1000,
        **walk: Unpack[WalkParameters],
    ) -> Paginator[MetricRow]:
        """The values of a parameter and how often they occur, most frequent first.

        Values with one count have no order. If there are more values than ``page_size``, they are
        read again with one page that has all of them, since servers put values with one count in
        another order on each page. The pages have no positions.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            parameter: one of those of filters, such as ``"country"`` or ``"entry_page"``; see
                ``Filter``.
            page_size: how many values a request asks for.
            walk: see ``WalkParameters``.
        """
        return Figures(self._context).metric(site, parameter, page_size, walk)

    async def live_users(self, site: int | str, *, minutes: int = 5) -> int:
        """How many users had an event in the last ``minutes``."""
        return await Figures(self._context).live_users(site, minutes)

    async def capabilities(self, site: int | str) -> ServerCapabilities:
        """What the server can do, as far as this site shows it.

        The first call takes up to eleven small requests; the answers are remembered, and are those
        by which walks decide.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters. One that has
                sessions and a goal shows everything.

        Raises:
            APIStatusError: the site cannot be read.
        """
        context = self._context
        context.router.check_usable()
        return await context.capabilities.all(check_site(site), context.options)

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        path_params: Mapping[str, str | int] | None = None,
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
        path_params: Mapping[str, str | int] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        cast_to: type[T],
    ) -> T: ...
    async def request(
        self,
        method: str,
        path: str,
        *,
        path_params: Mapping[str, str | int] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        cast_to: type[Any] | None = None,
    ) -> Any:
        """Send a request to any other endpoint, such as ``GET /api/sites/1/goals/time-series``.

        Args:
            method: ``GET``, ``HEAD``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
            path: the path below the base URL, starting with ``/`` and without a query. A segment
                in braces, as in ``/api/users/{user}/{site}``, is a parameter. Percent-escapes
                are sent as they are.
            path_params: the values of the path's parameters, which are percent-encoded.
            params: the query: text, finite numbers, or booleans (sent as ``true`` and ``false``).
                A parameter that is ``None`` is left out.
            json: the body. ``None`` means no body.
            cast_to: what to structure the response into: an attrs class, a dataclass or a
                ``TypedDict``, with the field names used on the wire, or a list or a dict of these,
                such as ``list[Thing]``; or ``RawResponse``. Without it the result is the decoded
                JSON, or ``None`` for an empty body.

        Raises:
            EndpointNotFoundError: the server does not have the endpoint.
            InvalidParameterError: the request cannot be sent.
            APIStatusError, APIConnectionError, APIResponseError: see each.
        """
        if cast_to not in (None, RawResponse):
            check_structurable("cast_to", cast_to)
        if isinstance(method, str):
            method = plain_text(method).upper()
        route = check_template(path)
        request = Request(
            check_choice("method", method, _METHODS),
            fill_path(route, _path_params(route, path_params)),
            query_string(_params(params or {})),
            None if json is None else dump(json, "json"),
            route=route,
        )
        response = await self._send(request, route)
        if cast_to is RawResponse:
            return RawResponse(response.status, _plain(response.headers), response.body.data)
        if cast_to is None:
            return decode(response, Body.json) if response.body.data else None
        return decode(response, lambda body: read(body, cast_to))

    @overload
    def iter(
        self,
        path: str,
        *,
        order: ByTime[dict[str, Any]] | ByKey[dict[str, Any]] | ByRank[dict[str, Any]],
        path_params: Mapping[str, str | int] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        envelope: Envelope = DATA,
        size_parameter: str = "limit",
        offset_parameter: str | None = None,
        page_size: int = 1000,
        **walk: Unpack[WalkParameters],
    ) -> Paginator[dict[str, Any]]: ...
    @overload
    def iter(
        self,
        path: str,
        *,
        order: ByTime[T] | ByKey[T] | ByRank[T],
        model: type[T],
        path_params: Mapping[str, str | int] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        envelope: Envelope = DATA,
        size_parameter: str = "limit",
        offset_parameter: str | None = None,
        page_size: int = 1000,
        **walk: Unpack[WalkParameters],
    ) -> Paginator[T]: ...
    @expand_parameters
    def iter(
        self,
        path: str,
        *,
        order: ByTime[Any] | ByKey[Any] | ByRank[Any],
        model: type[Any] = dict,
        path_params: Mapping[str, str | int] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        envelope: Envelope = DATA,
        size_parameter: str = "limit",
        offset_parameter: str | None = None,
        page_size: int = 1000,
        **walk: Unpack[WalkParameters],
    ) -> Paginator[Any]:
        """A walk over any other list, such as ``GET /api/sites/1/errors/names``.

        It is exact as far as ``order`` is right. A window and filters are sent as they are, and it
        is not known whether the server applies them to that list. A window in minutes is resolved
        by the server at each request.

        Args:
            path, path_params, params: see ``request``.
            order: how the server sorts the list, and what tells rows apart: ``ByTime``, ``ByKey``
                or ``ByRank``.
            model: what a row is: an attrs class, a dataclass or a ``TypedDict``, with the field
                names used on the wire; without it, a row is a ``dict``.
            json: a body; then the pages are read with ``POST``, which must not change anything.
            envelope: where in a response the rows are, and the total if there is one.
            size_parameter: the query parameter that says how many rows a page has.
            offset_parameter: the query parameter that says how many rows come before the page, for
                a list that has no ``page``.
            page_size: how many rows a request asks for.
            walk: see ``WalkParameters``.

        Raises:
            InvalidParameterError: the request cannot be sent, or ``order`` is none.
        """
        if model is not dict:
            check_structurable("model", model)
        route = check_template(path)
        return AnyList(self._context).walk(
            route,
            _path_params(route, path_params),
            _params(params or {}),
            None if json is None else dump(json, "json"),
            model,
            order,
            envelope,
            size_parameter,
            offset_parameter,
            page_size,
            walk,
        )

    async def _send(self, request: Request, route: str) -> Response:
        try:
            return await self._transport.send(request, self._context.options)
        except NotFoundError as error:
            if not is_unknown_route(error):
                raise
            not_found = endpoint_not_found(error, self._transport.redact(route))
        raise not_found

    @expand_parameters
    async def wait_until_settled(self, site: int | str, **common: Unpack[CommonParameters]) -> None:
        """Wait until nothing in a window can change any more, so that its rows are final.

        That is ``settled_after`` (5 minutes) after the end of its last day in ``time_zone``, by the
        clock of the server: for a window that ended yesterday at most 5 minutes, and for one that
        ends today until tomorrow, 00:05. A log line at INFO says how long. If the window is
        settled, the call takes one request. Filters make no difference.

        Raises:
            InvalidParameterError: the window has no dates, so that it is never settled.
            ClientClosedError: the client was closed in the meantime.
        """
        self._transport.http.check_usable()
        window = parse_common(common).window
        await wait_until_settled(self._context, self._transport.timer, check_site(site), window)

    @property
    def closed(self) -> bool:
        """Whether ``close()`` was called."""
        return self._transport.http.closed

    async def close(self) -> None:
        """End every walk and call that is under way, and let go of the connections.

        A session that was passed in stays open. Closing twice does no harm. A client whose event
        loop has ended can be closed in another one, so that scripts and fixtures can clean up.

        Raises:
            RybbitError: the client belongs to an event loop that runs in another thread.
        """
        idle = self._transport.http.idle_owner()
        self._transport.refuse_requests()
        if idle is None:
            await self._close()
        elif not idle.is_closed():  # only the loop of the connections can close them
            await asyncio.to_thread(idle.run_until_complete, self._close())
        else:  # nothing that waits there will ever end, so nothing can be waited for
            await close_all(self._end_walks(), self._transport.http.close_without_loop())

    async def _close(self) -> None:
        await close_all(self._end_walks(), self._transport.close())

    async def _end_walks(self) -> None:
        reason = "the client was closed during this walk"
        await self._context.walks.close(ClientClosedError, reason)

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


def _proxy(proxy: object, trust_env: bool, base_url: str) -> tuple[URL | None, str | None]:
    """The proxy to use, and the name of the environment variable whose proxy is not used."""
    given, found = check_proxy(proxy), proxy_in_environment(base_url)
    if given is not None or found is None:
        return given, None
    name, value = found
    return (check_proxy(value, name), None) if trust_env else (None, name)


def _path_params(template: str, params: Mapping[str, str | int] | None) -> Mapping[str, str | int]:
    """The path parameters, checked for names that the template does not have."""
    if params is None:
        return {}
    if not isinstance(params, Mapping):
        raise InvalidParameterError(
            f"path_params must be a mapping of names to values, got {type_name(params)}"
        )
    given = {plain(name): value for name, value in params.items()}
    unknown = [name for name in given if name not in parameters_of(template)]
    if unknown:
        must = f"contain only names that {template} has in braces"
        raise invalid("path_params", unknown[0], must)
    return given


def _plain(headers: Any) -> Mapping[str, str]:
    """A copy of headers that can be pickled and ignores the case of names."""
    return cast("Mapping[str, str]", headers.copy())


def _params(params: object) -> dict[str, str]:
    """The query as text."""
    if not isinstance(params, Mapping):
        raise InvalidParameterError(
            f"params must be a mapping of names to values, got {type_name(params)}"
        )
    query: dict[str, str] = {}
    items: Mapping[Any, Any] = params  # pyright: ignore[reportUnknownVariableType]  # any mapping
    for name, value in items.items():
        if not isinstance(name, str) or not name:
            raise invalid("params", name, "have names that are a str and not empty")
        name = check_text("the name of a parameter in params", name)
        if name.lower() == "api_key":
            raise InvalidParameterError(
                "params must not contain api_key, because a key in a URL is easily logged: pass "
                "it to RybbitClient, which sends it in a header"
            )
        if value is not None:
            query[name] = _query_text(f"params[{name!r}]", value)
    return query


def _query_text(name: str, value: object) -> str:
    value = plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return check_text(name, value)
    if isinstance(value, int):
        return integer_text(name, value)
    if not isinstance(value, float):
        raise InvalidParameterError(
            f"{name} must be text, a number, a boolean or None, got {type_name(value)}"
        )
    if not math.isfinite(value):
        raise invalid(name, value, "be a finite number")
    return repr(value)
