"""Finding out which of the two URL layouts a server has, and sending requests in it.

A request in the layout ``goals`` tells: a ``sites`` server answers it with "Route ... not found",
credentials or not, and a ``goals`` server never does. The other way round proves nothing, for a
``goals`` server answers a ``sites`` URL with the "Site not found" of any unknown site.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from ..errors import APIStatusError, NotFoundError
from ..wire.messages import Request, Response
from .routes import LAYOUTS, Layout
from .transport import Options, Transport

__all__ = ["Endpoint", "Router"]

Endpoint = Literal["goals", "goal", "sessions"]


_Ask = Callable[[Layout], Awaitable[Response]]


def _unknown_route(error: NotFoundError) -> bool:
    return error.message.startswith("Route ") and error.message.endswith(" not found")


def _doubtful(error: NotFoundError, layout: Layout) -> bool:
    """Whether ``error`` may come of the layout and not of the site."""
    return _unknown_route(error) or (layout.name == "sites" and error.message == "Site not found")


def _with_hint(error: NotFoundError, hint: str) -> NotFoundError:
    return NotFoundError(
        f"{error}. {hint[0].upper()}{hint[1:]}",
        status=error.status,
        message=error.message,
        method=error.method,
        url=error.url,
        body=error.body,
        details=error.details,
    )


class Router:
    """Sends requests to the goal endpoints in the layout that the server has.

    Args:
        routes: a layout's name, or ``"auto"`` to find out. That takes a read and never a write:
            the first read if there is one, else a list of one goal before the first write. What
            was found is remembered until the server's answers speak against it.
    """

    def __init__(self, transport: Transport, routes: Literal["auto", "goals", "sites"]) -> None:
        self._transport = transport
        self._fixed = routes != "auto"
        self._known: Layout | None = None if routes == "auto" else LAYOUTS[routes]
        self._finding: asyncio.Event | None = None

    async def send(
        self,
        endpoint: Endpoint,
        method: str,
        site: str,
        goal: int | None = None,
        *,
        query: str = "",
        body: bytes | None = None,
        options: Options,
    ) -> Response:
        """Send one request and give its answer; see ``Transport.send`` for the errors."""

        async def ask(layout: Layout) -> Response:
            path = getattr(layout, endpoint).format(site=site, goal=goal)
            return await self._transport.send(Request(method, path, query, body), options)

        async def ask_list(layout: Layout) -> Response:
            path = layout.goals.format(site=site)
            return await self._transport.send(Request("GET", path, "page=1&page_size=1"), options)

        if self._fixed:
            return await self._in_fixed(ask)
        if self._known is None and self._finding is not None:
            await self._finding.wait()  # whoever came first is finding out
        if method == "GET":
            return await self._read(ask)
        if self._known is None:
            try:
                await self._read(ask_list)
            except APIStatusError:
                if self._known is None:
                    raise
                # A refusal tells the layout too, and what it refused was not the write.
        return await self._write(ask, ask_list)

    async def _in_fixed(self, ask: _Ask) -> Response:
        assert self._known is not None
        try:
            return await ask(self._known)
        except NotFoundError as error:
            if not _doubtful(error, self._known):
                raise
            hint = f"the server does not know the layout routes={self._known.name!r}"
            if not _unknown_route(error):
                hint = f"there is no such site, or {hint}"
            raise _with_hint(error, hint) from None

    async def _read(self, ask: _Ask) -> Response:
        """Send a read, in the other layout too where the answer casts doubt on the first."""
        first = self._known or LAYOUTS["goals"]
        other = LAYOUTS["sites" if first.name == "goals" else "goals"]
        finding = None
        if self._known is None:
            finding = self._finding = asyncio.Event()
        try:
            try:
                answer = await ask(first)
            except APIStatusError as error:
                if not isinstance(error, NotFoundError) or not _doubtful(error, first):
                    if error.status < 500:
                        self._known = first  # it knows the route: it refuses what stands behind
                    raise
                try:
                    answer = await ask(other)
                except APIStatusError as again:
                    if not isinstance(again, NotFoundError) or not _unknown_route(again):
                        if again.status < 500:
                            self._known = other
                        raise
                    if not _unknown_route(error):
                        raise error from None
                    raise _with_hint(
                        error, "the server knows neither layout of the API: check base_url"
                    ) from None
                self._known = other
            else:
                self._known = first
            return answer
        finally:
            if finding is not None:
                # Whatever came of it, those who wait go on: with the answer, or each for itself.
                self._finding = None
                finding.set()

    async def _write(self, ask: _Ask, ask_list: _Ask) -> Response:
        """Send a write, and again only where the server did not even know its route."""
        assert self._known is not None  # a read went before
        layout = self._known
        try:
            return await ask(layout)
        except NotFoundError as error:
            if not _doubtful(error, layout):
                raise
            try:
                await self._read(ask_list)
            except APIStatusError:
                if self._known is layout:
                    raise error from None
            if self._known is layout:
                raise
        return await ask(self._known)
