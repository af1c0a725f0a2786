"""Requests and responses as values, and the errors that responses become. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, cast

from attrs import field, frozen

from ..errors import (
    APIResponseError,
    APIStatusError,
    RateLimitError,
    status_error_class,
)
from ..models import only_names
from ..pages import Page
from .html import first_words
from .http_values import seconds_to_wait
from .json import BadJSONError, Body
from .values import MisfitError

__all__ = ["CLIP", "Redact", "Request", "Response", "ResponsePage", "decode", "error_from_response"]

T = TypeVar("T")
Redact = Callable[[str], str]

# So many characters of a body are repeated in an error.
CLIP: Final = 500


@frozen
class Request:
    """What to send. ``path`` and ``query`` are encoded already; ``body`` is JSON.

    ``route`` is the path with its parameters in braces, or ``""`` if it has none.
    """

    method: str
    path: str
    query: str = ""
    body: bytes | None = field(default=None, repr=False)
    signs_in: bool = False
    route: str = ""

    @property
    def target(self) -> str:
        """Path and query, as they are sent."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def writes(self) -> bool:
        """Whether the request may change something on the server."""
        return self.method not in ("GET", "HEAD", "OPTIONS")

    @property
    def caution(self) -> str:
        """What an error adds if its request was sent and the response is not known; or ``""``."""
        if not self.writes or self.signs_in:
            return ""
        return ". The write may have been carried out nevertheless: check before you send it again"


@frozen
class Response:
    """A response that was read completely.

    ``url`` contains no secrets, and ``redact`` removes those of the client from a text. The body of
    an error may be empty because it could not be read; ``unreadable`` then says why.
    """

    request: Request
    url: str
    status: int
    headers: Mapping[str, str] = field(repr=only_names)
    body: Body
    set_cookies: list[str] = field(repr=False)
    redact: Redact = field(repr=False)
    unreadable: str = ""

    @property
    def what(self) -> str:
        """The request in a few words, for error messages."""
        return f"{self.request.method} {self.url}"

    @property
    def succeeded(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300

    @property
    def is_from_api(self) -> bool:
        """Whether the body is an object, as in every error of the API, and not, say, HTML."""
        return self.body.data.lstrip().startswith(b"{")

    def text(self) -> str:
        """The body as text without secrets. Shorten it only afterwards: half a secret is one."""
        return self.redact(self.body.data.decode(errors="replace"))


@frozen
class ResponsePage(Generic[T]):
    """A page as it arrived, and the function that reads it; see ``pages.RawPage``."""

    response: Response
    read: Callable[[Body], Page[T]]

    def decode(self) -> Page[T]:
        """Read the page.

        Raises:
            APIResponseError: the body is not JSON, or not what ``read`` expects.
        """
        return decode(self.response, self.read)


def decode(response: Response, read: Callable[[Body], T]) -> T:
    """Apply ``read`` to the body of a response.

    Raises:
        APIResponseError: the body is not JSON, or not what ``read`` expects.
    """
    try:
        return read(response.body)
    except BadJSONError as error:
        kind = response.redact(response.headers.get("Content-Type", "no content type"))[:100]
        found = (
            f"({kind}) {error}" if response.body.data else f"is empty (status {response.status})"
        )
        failure = _response_error(response, f"the body {found}", "")
    except MisfitError as error:
        path = response.redact(error.path)[:CLIP]
        text = error.text(response.redact)[:CLIP]
        failure = _response_error(response, f"{path or 'the body'}: {text}", path)
    raise failure  # out here, since the error above is not redacted and would be the context


def _response_error(response: Response, text: str, path: str) -> APIResponseError:
    return APIResponseError(
        f"{response.what}: {text}{response.request.caution}",
        path=path,
        method=response.request.method,
        url=response.url,
        status=response.status,
        body=response.text()[:CLIP],
    )


def error_from_response(response: Response, hint: str, now: datetime) -> APIStatusError:
    """The error for a response that is not a success.

    Args:
        hint: what else the caller should know: sentences without the last full stop, or "".
        now: the date and time of day, in case ``Retry-After`` is a date.
    """
    said = _redact_all(_error_body(response.body), response.redact)
    body = response.text()
    # Redacted again, since another form of a secret may have been decoded from HTML.
    words = response.redact(first_words(body))[:120]
    message = _message(said) or words or response.unreadable or "no text"
    cls = status_error_class(response.status)
    text = f"{response.status} for {response.what}: {message[:CLIP]}"
    if hint:
        text += f". {hint}"
    fields: dict[str, Any] = {
        "status": response.status,
        # Long enough for a URL of 20 KB: "Route GET:... not found" is recognised by its end.
        "message": message[: CLIP * 50],
        "method": response.request.method,
        "url": response.url,
        "body": body[:CLIP],
        "details": said.get("details"),
        "retry_after": _retry_after(response.headers, said, now),
    }
    if cls is RateLimitError:
        scope = said.get("scope")
        fields["scope"] = scope if isinstance(scope, str) else None
        if fields["retry_after"] is not None:
            text += f". Try again in {fields['retry_after']:g} s"
    return cls(text, **fields)


def _redact_all(value: Any, redact: Redact) -> Any:
    """A JSON value without a secret in any of its text."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        many: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # JSON
        return [_redact_all(one, redact) for one in many]
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {redact(key): _redact_all(one, redact) for key, one in items}
    return value


def _error_body(body: Body) -> dict[str, Any]:
    try:
        data = body.json()
    except BadJSONError:
        return {}
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _message(said: Mapping[str, Any]) -> str:
    # There are two shapes: "error" alone, or "error" with a "message" that says more.
    for name in ("message", "error"):
        text = said.get(name)
        if isinstance(text, str) and text:
            return text
    return ""


def _retry_after(
    headers: Mapping[str, str], said: Mapping[str, Any], now: datetime
) -> float | None:
    # X-Retry-After is what the limit of sign-ins sends.
    for value in (headers.get("Retry-After"), headers.get("X-Retry-After"), said.get("retryAfter")):
        seconds = seconds_to_wait(value, now)
        if seconds is not None:
            return seconds
    return None
