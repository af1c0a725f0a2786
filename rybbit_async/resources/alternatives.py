"""An endpoint that servers have under one of two routes."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import EndpointNotFoundError
from ..transport.options import Options
from ..transport.routes import Route
from ..transport.routing import Router
from ..wire.messages import Response

__all__ = ["Alternatives"]


class Alternatives:
    """Sends requests to the route that the server has, and remembers which one that is.

    Args:
        first, second: the routes; ``first`` is tried first.
    """

    def __init__(self, router: Router, first: Route, second: Route) -> None:
        self._router = router
        self._routes = first, second

    @property
    def route(self) -> Route:
        """The route that the latest request has found."""
        return self._routes[0]

    async def send(
        self, params: Mapping[str, str | int], *, query: str, options: Options
    ) -> Response:
        """Send a ``GET`` request; see ``Router.send``."""
        first, second = self._routes
        send = self._router.send
        try:
            return await send(first, "GET", params, query=query, options=options)
        except EndpointNotFoundError as error:
            missing = error
        try:
            response = await send(second, "GET", params, query=query, options=options)
        except EndpointNotFoundError:
            raise missing from None
        self._routes = second, first
        return response
