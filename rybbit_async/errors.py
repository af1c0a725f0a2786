"""Every exception and warning of this package.

    RybbitError
    ├── InvalidParameterError (also ValueError)   a parameter was refused; nothing was sent
    ├── ClientClosedError                         the client is closed
    ├── APIConnectionError                        no response arrived
    │   └── APITimeoutError                       no response arrived in time
    ├── APIResponseError                          a response that cannot be read or is wrong
    ├── IncompleteWalkError                       a strict walk that could not be completed
    └── APIStatusError                            the server answered with an error status
        ├── BadRequestError                       400
        ├── AuthenticationError                   401
        ├── PermissionDeniedError                 403
        ├── NotFoundError                         404
        │   └── EndpointNotFoundError             404, the server does not have the endpoint
        ├── RateLimitError                        429
        └── ServerError                           5xx

    RybbitWarning (a UserWarning)

All of them can be pickled and copied. None of them contains a key, a password or a cookie: text
from a server is shortened, and secrets are removed from it, before it becomes part of an error.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

__all__ = [
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
    "ConnectionReason",
    "EndpointNotFoundError",
    "IncompleteWalkError",
    "InvalidParameterError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "RybbitError",
    "RybbitWarning",
    "ServerError",
    "status_error_class",
    "without_traceback",
]

_E = TypeVar("_E", bound="RybbitError")

ConnectionReason = Literal["unreachable", "certificate", "proxy", "timeout", "lost"]


def _rebuild(cls: type[_E], args: tuple[Any, ...], state: dict[str, Any]) -> _E:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class RybbitError(Exception):
    """The base class of every exception that this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with ``args`` alone, which fails for the classes below that
        # take more than a message. Their attributes are in ``__dict__``.
        return _rebuild, (type(self), self.args, self.__dict__)


class InvalidParameterError(RybbitError, ValueError):
    """A parameter that the server would refuse, ignore or misread. Nothing was sent.

    The message names the parameter, says what it must be, and shows what it was.
    """


class ClientClosedError(RybbitError):
    """The client was closed before or during the call."""


class APIConnectionError(RybbitError):
    """No response arrived: the connection could not be made, or was lost.

    Attributes:
        method, url: the request; the URL never contains a key.
        sent: whether the request may have reached the server. If ``False``, it had no effect. If
            ``True``, a write may have been carried out.
        reason: ``"unreachable"`` (connections are refused, there is no route, or the host name is
            not known), ``"certificate"`` (the server's certificate was not accepted, or there was
            no agreement on TLS), ``"proxy"`` (the proxy refused), ``"timeout"``, or ``"lost"`` (the
            connection ended too early).
    """

    def __init__(
        self, message: str, *, method: str, url: str, sent: bool, reason: ConnectionReason = "lost"
    ) -> None:
        super().__init__(message)
        self.method = method
        self.url = url
        self.sent = sent
        self.reason = reason


class APITimeoutError(APIConnectionError):
    """No response arrived in time; the message says which timeout expired."""


class APIResponseError(RybbitError):
    """A response came, but it cannot be read, or its body is not what the API promises.

    If the request was a write, it may have been carried out.

    Attributes:
        path: the place in the body, by the names used on the wire (``data[0].goalId``); empty if
            the whole body is wrong.
        method, url: the request; the URL never contains a key.
        status: the HTTP status of the response, or ``None`` if that could not be read.
        body: the beginning of the body, as text.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        method: str = "",
        url: str = "",
        status: int | None = None,
        body: str = "",
    ) -> None:
        super().__init__(message)
        self.path = path
        self.method = method
        self.url = url
        self.status = status
        self.body = body


class IncompleteWalkError(RybbitError):
    """A walk with ``strict=True`` could not be completed.

    Attributes:
        report: the ``Report`` of the walk; its ``reason`` says what is missing.
    """

    def __init__(self, message: str, *, report: Any) -> None:
        super().__init__(message)
        self.report = report


class APIStatusError(RybbitError):
    """The server answered with a status that is not a success.

    Attributes:
        status: the HTTP status.
        message: what the server says is wrong, in its own words.
        details: the list of details that some responses with status 400 have, otherwise ``None``.
        method, url: the request; the URL never contains a key.
        body: the beginning of the body, as text.
        retry_after: after how many seconds the server wants to be asked again, if it says so.
        repeated: whether an earlier attempt of the same request may have been carried out.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int,
        message: str,
        method: str,
        url: str,
        body: str = "",
        details: Any = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.message = message
        self.details = details
        self.method = method
        self.url = url
        self.body = body
        self.retry_after = retry_after
        self.repeated = False


class BadRequestError(APIStatusError):
    """400: the server does not accept the request; ``details`` may list the reasons."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong, expired, disabled or used up, or may not read the site."""


class PermissionDeniedError(APIStatusError):
    """403: the key or the session may not do this. Newer servers use it in place of 401, too."""


class NotFoundError(APIStatusError):
    """404: the site, the goal or whatever else was asked for does not exist."""


class EndpointNotFoundError(NotFoundError):
    """404: the server does not have the endpoint, usually because its release is too old.

    ``message`` is what the server said. If it was not asked, because the layout of its URLs has
    no such endpoint, ``message`` says so and ``url`` is empty.

    Attributes:
        route: the template of the endpoint's path, such as ``/api/sites/{site}/goals``.
    """

    def __init__(self, text: str, *, route: str, **fields: Any) -> None:
        super().__init__(text, **fields)
        self.route = route


class RateLimitError(APIStatusError):
    """429: too many requests.

    Attributes:
        retry_after: after how many seconds to try again, or ``None`` if the server does not say.
        scope: the limit that was reached, ``"burst"`` or ``"daily"``, or ``None``.
    """

    def __init__(self, text: str, *, scope: str | None = None, **fields: Any) -> None:
        super().__init__(text, **fields)
        self.scope = scope


class ServerError(APIStatusError):
    """5xx: the server failed. Rybbit also answers 500 to input that it cannot parse."""


class RybbitWarning(UserWarning):
    """Something that is not an error but that the caller should know, such as an ignored filter."""


def without_traceback(error: _E) -> _E:
    """The error itself, without what keeps the frames that it came through alive."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def status_error_class(status: int) -> type[APIStatusError]:
    """The exception class for an HTTP status that is not a success."""
    if status >= 500 or status < 100:  # RFC 9110: what is not a status counts as a 5xx
        return ServerError
    return {
        400: BadRequestError,
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        429: RateLimitError,
    }.get(status, APIStatusError)
