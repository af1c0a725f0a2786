"""What handlers work on: a recorded request, and a call whose route is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import attrs
from multidict import CIMultiDictProxy, MultiDict

from ..access import Access, Caller
from ..queries.cache import PageOf, QueryCache
from ..releases import Release
from ..schema import Site
from ..store import Store
from ..wire import Response, error_response
from .bodies import BodyCache

__all__ = ["AccountCall", "Call", "RecordedRequest", "ResponseError", "Service"]


@attrs.define
class RecordedRequest:
    """A request as the server received it."""

    method: str
    target: str
    """Path and query, still percent-encoded."""
    path: str
    """The path alone, still percent-encoded."""
    query: MultiDict[str]
    headers: CIMultiDictProxy[str]
    body: bytes = b""
    status: int | None = None
    """Status of the response. None before the response, and if there never was one."""


class ResponseError(Exception):
    """Ends the handling of a request with this response."""

    def __init__(self, response: Response) -> None:
        self.response = response


@attrs.define
class Service:
    """What all requests share."""

    store: Store
    access: Access
    clock: Callable[[], datetime]
    origin: str = ""
    """The server's own origin, for the check of writes."""
    shuffle_ties: bool = True
    cap_page_size: int | None = None
    """The most rows of a page, whatever the request asks for."""
    bodies: BodyCache = attrs.field(factory=BodyCache)


@attrs.frozen
class AccountCall:
    """A request whose route is known, for what belongs to the caller and not to a site."""

    request: RecordedRequest
    release: Release
    caller: Caller
    params: Mapping[str, str]
    """The parameters of the path, percent-decoded."""
    service: Service

    @property
    def query(self) -> MultiDict[str]:
        """The parameters of the query string."""
        return self.request.query

    def forbidden(self) -> ResponseError:
        """What to raise where the caller may not do this."""
        return ResponseError(
            error_response(self.release.forbidden_status, self.release.forbidden_message)
        )


@attrs.frozen
class Call(AccountCall):
    """A request whose route is known, to a site that the caller may use."""

    site: Site

    @property
    def queries(self) -> QueryCache:
        """The database, for queries."""
        return self.service.store.queries

    def page_of(self, page: float, size: int) -> PageOf:
        """The page with this number, whose size the server may cap."""
        capped = min(size, self.service.cap_page_size or size)
        return PageOf(page, capped, self.service.shuffle_ties)
