"""The options of a request: how long it may take, and when it is tried again."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

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
    """The options of a request that differ from one view of the client to another."""

    timeout: Timeout
    retry: Retry
