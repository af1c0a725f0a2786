"""The options of a request: how long it may take, and when it is tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from ..observers import Observers
from ..parameters.checks import invalid
from ..plain import plain_float
from .retry import Retry

__all__ = ["Options", "Timeout"]


def _seconds(value: float | None) -> float | None:
    return None if value is None else plain_float(value)


def _check_seconds(_: object, attribute: Any, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        must = "be a number of seconds greater than 0, or None for no limit"
        raise invalid(f"Timeout.{attribute.name}", value, must)


@frozen
class Timeout:
    """How long one attempt may take, in seconds; ``None`` means no limit.

    Attributes:
        connect: the time for making a connection, including TLS.
        read: the longest time without any data from the server.
        total: the whole attempt, until the last byte of the response. The time spent waiting for
            one of the client's ``max_connections`` does not count.
    """

    connect: float | None = field(default=10.0, converter=_seconds, validator=_check_seconds)
    read: float | None = field(default=60.0, converter=_seconds, validator=_check_seconds)
    total: float | None = field(default=300.0, converter=_seconds, validator=_check_seconds)


@frozen
class Options:
    """The options of a request.

    Attributes:
        timeout, retry: as the caller wants them; each view of the client has its own.
        observers: who is told of the request, unless it belongs to a walk that is observed.
        has_begun: for a request of a walk: whether the walk has had a page. Single calls go ahead
            of walks where a rate limit makes both wait, and a walk that has begun waits for a
            server that is away.
        repeats_500: whether a request that may be repeated is, once, after a 500. That is useless
            where the request itself is likely to be the cause.
    """

    timeout: Timeout
    retry: Retry
    observers: Observers
    has_begun: Callable[[], bool] | None = None
    repeats_500: bool = True

    @property
    def is_walk(self) -> bool:
        """Whether the request is one of a walk."""
        return self.has_begun is not None

    @property
    def outlasts(self) -> bool:
        """Whether the request waits for a server that is away."""
        return self.has_begun is not None and self.retry.attempts > 1 and self.has_begun()
