"""Finding out which layout of URLs a server has, and sending requests in it.

Only a request in the layout ``goals`` is conclusive. A server with the layout ``sites`` answers
it with "Route ... not found", with credentials or without, and a server with the layout ``goals``
never says that of an endpoint that it has. The other way round proves nothing: a server with the
layout ``goals`` answers every URL of the layout ``sites`` with "Site not found", as for any site
that does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Literal

from attrs import frozen

from ..activity import RateLimitStatus
from ..errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    EndpointNotFoundError,
    NotFoundError,
)
from ..wire.messages import Request, Response
from .not_found import (
    CHECK_BASE_URL,
    NOT_HERE,
    PERHAPS_NOT_HERE,
    contradicts,
    endpoint_not_found,
    is_from_api,
    is_unknown_route,
    with_hint,
)
from .options import Options
from .routes import LAYOUTS, Layout, Route, other_layout
from .transport import Transport

__all__ = ["Router"]

# What a probe may raise, so that it does not tell anything.
_NO_ANSWER: Final = (APIStatusError, APIConnectionError, APIResponseError)


class Router:
    """Sends requests in the layout that the server has.

    With ``routes="auto"``, the layout is found out with a read: the first request if it is a read
    of an endpoint that both layouts have, otherwise the probe. It is remembered until a response
    contradicts it.

    Args:
        transport: sends the requests.
        routes: the name of a layout, or ``"auto"`` to find out which one the server has.
        probe: a list that every release has, whose only path parameter is ``site``.
    """

    def __init__(
        self, transport: Transport, routes: Literal["auto", "goals", "sites"], probe: Route
    ) -> None:
        self._transport = transport
        self._probe_route = probe
        self._fixed: Layout | None = None if routes == "auto" else routes
        self._layout: Layout | None = self._fixed
        self._finding: asyncio.Event | None = None

    @property
    def layout(self) -> Layout | None:
        """The layout that the server has, as far as it is known."""
        return self._layout

    @property
    def rate_limit(self) -> RateLimitStatus:
        """What is known of the server's limits."""
        return self._transport.rate_limit

    def url(self, route: Route, params: Mapping[str, str | int]) -> str:
        """Where an endpoint of both layouts is, as far as the layout is known. No secrets."""
        transport, path = self._transport, route.path(self._layout or "goals", params)
        return transport.redact(transport.http.base_url + path)

    def check_usable(self) -> None:
        """Refuse to be used where that would not work: see ``Http.check_usable``.

        Whatever waits before a request is sent has to check this first, since locks and events
        belong to one event loop.
        """
        self._transport.http.check_usable()

    async def send(
        self,
        route: Route,
        method: str,
        params: Mapping[str, str | int],
        *,
        query: str = "",
        body: bytes | None = None,
        options: Options,
    ) -> Response:
        """Send one request and return the response.

        Args:
            params: the parameters of the path, of which ``site`` is used by the probe, too.
            query: encoded already.
            body: JSON.

        Raises:
            EndpointNotFoundError: the server does not have the endpoint.
            InvalidParameterError: a parameter of the path is missing or cannot be sent.
            APIStatusError, APIConnectionError, ClientClosedError: see ``Transport.send``.
        """
        self.check_usable()
        call = _Call(self._transport, route, method, params, query, body, options)
        if route.is_common:
            return await self._send_common(call)
        if self._fixed is not None:
            return await self._send_fixed(call, self._fixed)
        if self._layout is None and self._finding is not None:
            await self._finding.wait()  # another call is finding out
        if method == "GET" and route.is_in_both:
            return await self._read(call)
        return await self._send_in_known_layout(call)

    # --- the ways of sending a request --------------------------------------------------------

    async def _read(self, call: _Call) -> Response:
        """Send a read in one layout, and in the other one if the response contradicts it."""
        first: Layout = self._layout or "goals"
        refusals: dict[Layout, NotFoundError] = {}
        with self._finding_out():
            for layout in (first, other_layout(first)):
                try:
                    response = await call.send(layout)
                except APIStatusError as error:
                    if contradicts(error, layout):
                        refusals[layout] = error
                        continue
                    if is_from_api(error):  # it has the endpoint, and refuses the request
                        self._layout = layout
                    raise
                self._layout = layout
                return response
            raise await self._explain(call, first, refusals)

    async def _explain(
        self, call: _Call, first: Layout, refusals: Mapping[Layout, NotFoundError]
    ) -> NotFoundError:
        """The error for a read that was refused in both layouts."""
        unknown_site = not is_unknown_route(refusals["sites"])
        found: Layout | NotFoundError = refusals[first]
        if call.route != self._probe_route:
            try:
                found = await self._probe(call)
            except _NO_ANSWER:
                if unknown_site:
                    return refusals["sites"]
                return call.missing(self._layout or first, refusals[first], PERHAPS_NOT_HERE)
        elif unknown_site:
            found = "sites"
        if isinstance(found, NotFoundError):
            return with_hint(refusals[first], CHECK_BASE_URL)
        self._layout = found
        return call.missing(found, refusals[found])

    async def _send_in_known_layout(self, call: _Call) -> Response:
        """Send a write, or a read of an endpoint that one of the layouts lacks.

        A write is sent in the other layout only if the server did not know its route.
        """
        layout, is_fresh = self._layout, False
        if layout is None:
            with self._finding_out():
                found = await self._probe(call)
            if isinstance(found, NotFoundError):
                raise with_hint(found, CHECK_BASE_URL)
            layout, is_fresh = found, True
        while True:
            refusal: NotFoundError | None = None
            if call.route.template(layout) is not None:
                try:
                    return await call.send(layout)
                except NotFoundError as error:
                    if not contradicts(error, layout):
                        raise
                    refusal = error
            found = layout
            if not is_fresh:  # the server may have become another release
                is_fresh = True
                with suppress(*_NO_ANSWER):
                    found = await self._probe(call)
            if isinstance(found, NotFoundError):
                raise with_hint(refusal or found, CHECK_BASE_URL)
            if found == layout:
                raise call.missing(layout, refusal)
            layout = found

    async def _send_fixed(self, call: _Call, layout: Layout) -> Response:
        """Send a request in the layout that the caller chose."""
        chosen = f"routes={layout!r}"
        if call.route.template(layout) is None:
            raise call.missing(layout, None, f"{chosen} may be wrong")
        try:
            return await call.send(layout)
        except NotFoundError as error:
            if not contradicts(error, layout):
                raise
            refusal = error
        wrong = f"the server does not have the layout of {chosen}"
        if not is_unknown_route(refusal):
            raise with_hint(refusal, f"There is no such site, or {wrong}")
        if call.route != self._probe_route:
            found: Layout | NotFoundError = layout
            hint = NOT_HERE
            try:
                found = await self._probe(call, (layout,))
            except _NO_ANSWER:
                hint = f"{NOT_HERE}, or {wrong}"
            if not isinstance(found, NotFoundError):
                raise call.missing(layout, refusal, hint)
        raise with_hint(refusal, f"{wrong[0].upper()}{wrong[1:]}; check routes and base_url")

    async def _send_common(self, call: _Call) -> Response:
        """Send a request to an endpoint that has the same path in both layouts."""
        layout: Layout = self._fixed or "goals"
        try:
            return await call.send(layout)
        except NotFoundError as error:
            if not is_unknown_route(error):
                raise
            refusal = error
        hint = NOT_HERE if self._layout and not self._fixed else PERHAPS_NOT_HERE
        found: Layout | NotFoundError | None = None
        if "site" in call.params:
            with suppress(*_NO_ANSWER):
                found = await self._probe(call, (self._fixed,) if self._fixed else LAYOUTS)
                hint = NOT_HERE
        if isinstance(found, NotFoundError):
            raise with_hint(refusal, CHECK_BASE_URL)
        raise call.missing(layout, refusal, hint)

    # --- finding out --------------------------------------------------------------------------

    async def _probe(
        self, call: _Call, layouts: Sequence[Layout] = LAYOUTS
    ) -> Layout | NotFoundError:
        """Ask which layout the server has now.

        Returns:
            The layout, or the server's last response if it does not know any of ``layouts``.

        Raises:
            APIStatusError, APIConnectionError, APIResponseError: the responses do not tell.
        """
        refusal: NotFoundError | None = None
        for layout in layouts:
            try:
                await call.probe(self._probe_route, layout)
            except NotFoundError as error:
                if is_unknown_route(error):
                    refusal = error
                    continue
                if not is_from_api(error):
                    raise
            except APIStatusError as error:
                if not is_from_api(error):
                    raise
            self._layout = layout
            return layout
        assert refusal is not None
        return refusal

    @contextmanager
    def _finding_out(self) -> Generator[None]:
        """Have other calls wait while this one finds out the layout, unless it is known."""
        if self._layout is not None:
            yield
            return
        finding = self._finding = asyncio.Event()
        try:
            yield
        finally:
            # Whatever the outcome, the others go on: with the layout, or each by itself.
            self._finding = None
            finding.set()


@frozen
class _Call:
    """One request, whose path depends on the layout."""

    transport: Transport
    route: Route
    method: str
    params: Mapping[str, str | int]
    query: str
    body: bytes | None
    options: Options

    async def send(self, layout: Layout) -> Response:
        """Send it in a layout that has the endpoint."""
        path, template = self.route.path(layout, self.params), self.route.template(layout)
        request = Request(self.method, path, self.query, self.body, route=template or path)
        return await self.transport.send(request, self.options)

    async def probe(self, route: Route, layout: Layout) -> None:
        """Read one item of the list at ``route``, of the same site."""
        path, template = route.path(layout, self.params), route.template(layout)
        request = Request("GET", path, "page=1&page_size=1", route=template or path)
        await self.transport.send(request, self.options)

    def missing(
        self, layout: Layout, refusal: NotFoundError | None, hint: str = NOT_HERE
    ) -> NotFoundError:
        """The error for a request that failed although the server has this layout.

        Args:
            refusal: the server's response; ``None`` if the layout has no such endpoint, so that
                nothing was sent.
            hint: a sentence without its full stop.
        """
        if refusal is not None:
            if not is_unknown_route(refusal):
                return refusal  # the site does not exist
            return endpoint_not_found(refusal, self.route.template(layout) or "", hint)
        route = self.route.template(other_layout(layout)) or ""
        message = f"Servers with the URL layout {layout!r} do not have this endpoint"
        return EndpointNotFoundError(
            f"404 for {self.method} {route}: not sent. {message}. {hint}",
            route=route,
            status=404,
            message=message,
            method=self.method,
            url="",
        )
