"""What a response with status 404 means: a missing endpoint, a missing site, or another server."""

from __future__ import annotations

from copy import copy
from typing import Any, Final, TypeGuard, TypeVar

from ..errors import APIStatusError, EndpointNotFoundError, NotFoundError
from .routes import Layout

__all__ = [
    "CHECK_BASE_URL",
    "NOT_HERE",
    "PERHAPS_NOT_HERE",
    "contradicts",
    "endpoint_not_found",
    "is_from_api",
    "is_unknown_route",
    "with_hint",
]

_E = TypeVar("_E", bound=APIStatusError)

CHECK_BASE_URL: Final = "The server knows neither layout of the API: check base_url"
NOT_HERE: Final = "The release of this server does not have the endpoint"
PERHAPS_NOT_HERE: Final = (
    "The release of this server may not have the endpoint; if no other endpoint works either, "
    "check base_url"
)


def endpoint_not_found(
    error: NotFoundError, route: str, hint: str = PERHAPS_NOT_HERE
) -> EndpointNotFoundError:
    """``error`` as the error for an endpoint that the server does not have.

    Args:
        error: the server's response, for which ``is_unknown_route`` holds.
        route: the template of the path.
        hint: a sentence without its full stop.
    """
    names = ("status", "message", "method", "url", "body", "details", "retry_after")
    fields: dict[str, Any] = {name: getattr(error, name) for name in names}
    found = EndpointNotFoundError(f"{error}. {hint}", route=route, **fields)
    found.repeated = error.repeated
    for note in getattr(error, "__notes__", ()):
        found.add_note(note)
    return found


def is_unknown_route(error: NotFoundError) -> bool:
    """Whether the API says that it has no such route: ``Route GET:/api/x not found``."""
    is_route = error.message.startswith("Route ") and error.message.endswith(" not found")
    return is_route and is_from_api(error)


def contradicts(error: APIStatusError, layout: Layout) -> TypeGuard[NotFoundError]:
    """Whether the server may have answered so because it does not have ``layout``."""
    return isinstance(error, NotFoundError) and (
        is_unknown_route(error) or (layout == "sites" and error.message == "Site not found")
    )


def is_from_api(error: APIStatusError) -> bool:
    """Whether the API itself refuses the request, and not a proxy in front of it."""
    return error.status < 500 and error.body.lstrip().startswith("{")


def with_hint(error: _E, hint: str) -> _E:
    """``error`` with a further sentence, given without its full stop."""
    longer = copy(error)
    longer.args = (f"{error}. {hint}",)
    return longer
