"""Every exception and warning of this package.

    RybbitError
    ├── InvalidParameterError (also ValueError)   refused before anything was sent
    ├── ClientClosedError                         the client was closed
    ├── APIConnectionError                        no answer came
    │   └── APITimeoutError                       ... in time
    ├── APIResponseError                          an answer that is not what the API promises
    ├── IncompleteWalkError                       a strict walk that could not be made whole
    └── APIStatusError                            an answer that says no
        ├── BadRequestError          400
        ├── AuthenticationError      401
        ├── PermissionDeniedError    403
        ├── NotFoundError            404
        ├── RateLimitError           429
        └── ServerError              5xx

    RybbitWarning (a UserWarning)

Every one of them pickles and copies, and none of them ever holds a key: what a server echoes is
clipped and redacted before it gets here.
"""

from __future__ import annotations

from typing import Any, TypeVar

__all__ = [
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
    "IncompleteWalkError",
    "InvalidParameterError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "RybbitError",
    "RybbitWarning",
    "ServerError",
    "status_error_class",
]

_E = TypeVar("_E", bound="RybbitError")


def _rebuild(cls: type[_E], args: tuple[Any, ...], state: dict[str, Any]) -> _E:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class RybbitError(Exception):
    """Anything that this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with ``args`` alone, which fails for every class below that
        # takes more than a message; the attributes live in ``__dict__`` and travel as they are.
        return _rebuild, (type(self), self.args, self.__dict__)


class InvalidParameterError(RybbitError, ValueError):
    """A parameter that the server would refuse, ignore or misread. Nothing was sent.

    The text names the parameter, the value and what is allowed.
    """


class ClientClosedError(RybbitError):
    """The client was closed, before the call or while it was under way."""


class APIConnectionError(RybbitError):
    """No answer came: the connection could not be made, or was lost.

    ``sent`` tells whether the request may have reached the server. Where it is ``False`` nothing
    has happened there; where it is ``True`` a write may have been carried out.
    """

    def __init__(self, message: str, *, method: str, url: str, sent: bool) -> None:
        super().__init__(message)
        self.method = method
        self.url = url
        self.sent = sent


class APITimeoutError(APIConnectionError):
    """No answer came in time; the text says which of the timeouts ran out."""


class APIResponseError(RybbitError):
    """A body that is not what the API promises.

    ``path`` says where in the body it went wrong, in the wire's own names (``data[0].goalId``);
    it is empty where the body as a whole is at fault. ``body`` is a clipped copy of what came.
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
    """A walk with ``strict=True`` could not be made whole; ``report`` is its ``Report``."""

    def __init__(self, message: str, *, report: Any) -> None:
        super().__init__(message)
        self.report = report


class APIStatusError(RybbitError):
    """An answer with a status that is not a success.

    Attributes:
        status: the HTTP status.
        message: what the server says was wrong, in its own words.
        details: the list that some answers of 400 carry, else ``None``.
        method, url: the request; the URL never holds a key.
        body: a clipped copy of the body, as text.
        retry_after: seconds after which the server wants to be asked again, if it says.
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
    """400: the server does not accept the request; ``details`` may say why, field by field."""


class AuthenticationError(APIStatusError):
    """401: no key, a wrong, expired, disabled or used-up one, or a site that it may not read."""


class PermissionDeniedError(APIStatusError):
    """403: the key or the session may not do this; newer servers say it for 401's causes too."""


class NotFoundError(APIStatusError):
    """404: no such site or goal."""


class RateLimitError(APIStatusError):
    """429: too many requests.

    ``retry_after`` is in seconds, ``scope`` is the limit that was met (``"burst"`` or
    ``"daily"``); each is ``None`` where the server does not say.
    """

    def __init__(self, text: str, *, scope: str | None = None, **fields: Any) -> None:
        super().__init__(text, **fields)
        self.scope = scope


class ServerError(APIStatusError):
    """5xx: the server failed. Rybbit also says 500 to what it cannot parse."""


class RybbitWarning(UserWarning):
    """Something that does not fail but that the caller should know, such as an ignored filter."""


def status_error_class(status: int) -> type[APIStatusError]:
    """The class for an HTTP status that is not a success."""
    if status >= 500:
        return ServerError
    return {
        400: BadRequestError,
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        429: RateLimitError,
    }.get(status, APIStatusError)
