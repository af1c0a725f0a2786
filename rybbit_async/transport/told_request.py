"""What is told of one request while it is sent."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from attrs import define

from ..activity import (
    AttemptEnded,
    Paused,
    RateLimitStatus,
    RequestBegun,
    RequestEnded,
    RetryPlanned,
)
from ..observers import ObservedWalk, Observers
from ..wire.messages import Request

__all__ = ["ToldRequest", "tell_pause"]


@define(eq=False)
class ToldRequest:
    """A request of which someone is told. The end of a ``with`` block around it tells its end.

    It begins when the credentials for its first attempt are known: only then can they be removed
    from the URL.

    Attributes:
        request_id: 0 until it has begun.
        route, url: without secrets.
        time: the clock: seconds since some moment in the past.
        attempts: how many have ended.
        status: that of the last response, if it had one.
    """

    observers: Observers
    walk: ObservedWalk | None
    request: Request
    time: Callable[[], float]
    request_id: int = 0
    route: str = ""
    url: str = ""
    began: float = 0.0
    attempts: int = 0
    status: int | None = None

    @classmethod
    def of(cls, request: Request, observers: Observers, time: Callable[[], float]) -> Self | None:
        """A request with all who are to be told of it; ``None`` if there is nobody."""
        walk = observers.current_walk()
        if walk is not None:
            observers = walk.observers  # those of the view that the walk began with, and its own
        return cls(observers, walk, request, time) if observers else None

    def begin(self, url: str) -> None:
        """Tell that it is to be sent, unless that was told."""
        if not self.request_id:
            self.request_id, self.began = self.observers.next_request(), self.time()
            self.route = self.observers.redact(self.request.route or self.request.path)
            self.url = url
            self.observers.tell(RequestBegun(**self._fields()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.request_id:
            return
        self.observers.tell(
            RequestEnded(
                **self._fields(),
                attempts=self.attempts,
                status=self.status,
                error=None if exc_type is None else exc_type.__name__,
                seconds=self.time() - self.began,
            )
        )

    def attempt_ended(
        self,
        error: BaseException | None,
        *,
        status: int | None,
        seconds: float,
        bytes_: int,
        waited: float,
        rate_limit: RateLimitStatus,
    ) -> None:
        """Tell that one attempt has ended."""
        self.attempts += 1
        self.status = status
        self.observers.tell(
            AttemptEnded(
                **self._fields(),
                attempt=self.attempts,
                status=status,
                error=None if error is None else type(error).__name__,
                seconds=seconds,
                bytes=bytes_,
                waited=waited,
                rate_limit=rate_limit,
            )
        )

    def retry_planned(self, error: Exception, wait: float | None) -> None:
        """Tell that there will be another attempt."""
        if not self.request_id:
            return  # it is a sign-in that will be sent again, and that is another request
        self.observers.tell(
            RetryPlanned(
                **self._fields(),
                attempt=self.attempts,
                wait=wait,
                cause=type(error).__name__,
                status=self.status,
            )
        )

    def paused(self, seconds: float, scope: str | None) -> None:
        """Tell that it has met a rate limit, which holds up all requests."""
        walk_id, walk = self._walk_fields()
        self.observers.tell_all(
            Paused(
                walk_id=walk_id,
                walk=walk,
                request_id=self.request_id,
                scope=scope,
                seconds=seconds,
            )
        )

    def _walk_fields(self) -> tuple[int | None, str | None]:
        return (None, None) if self.walk is None else (self.walk.number, self.walk.name)

    def _fields(self) -> dict[str, Any]:
        walk_id, walk = self._walk_fields()
        return {
            "walk_id": walk_id,
            "walk": walk,
            "request_id": self.request_id,
            "method": self.request.method,
            "route": self.route,
            "url": self.url,
        }


def tell_pause(
    told: ToldRequest | None, observers: Observers, seconds: float, scope: str | None
) -> None:
    """Tell that a rate limit holds up all requests.

    Args:
        told: the request that has met it, if someone is told of that request.
        observers: who would be told of that request.
    """
    if told is not None:
        told.paused(seconds, scope)
    elif observers.hears_of_pauses:
        observers.tell_all(Paused(scope=scope, seconds=seconds))
