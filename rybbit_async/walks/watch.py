"""Watching a list: the rows that are new in it, as they come, without an end. No HTTP here."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any, Final, Generic, NoReturn, Protocol, Self, TypeVar, cast

from ..activity import Polled
from ..errors import (
    APIConnectionError,
    APIStatusError,
    InvalidParameterError,
    RybbitError,
    ServerError,
)
from ..observers import Observers
from .reconcile.positions import invalid_position

__all__ = ["Poller", "Watch"]

T = TypeVar("T")

log = logging.getLogger("rybbit_async")

# Where nothing happens, the list is asked for less and less often, but as often as this: seconds.
LONGEST: Final = 30.0
# So many answers 500 in a row end a watch: most of them have their cause in the request.
MAX_FAILURES: Final = 5
_TEMPORARY: Final = frozenset({408, 429, 502, 503, 504})


class Poller(Protocol[T]):
    """Reads the part of a list in which rows may be new."""

    async def poll(self) -> list[T]:
        """The rows that are new, oldest first, apart from those that were ``given``."""
        ...

    def given(self, row: T) -> None:
        """Take note that a row was given to the caller."""
        ...

    def done(self) -> None:
        """Take note that all rows of the last poll were given."""
        ...

    def position(self) -> Mapping[str, Any] | None:
        """What another poller needs in order to go on, as JSON; ``None`` before the first poll."""
        ...


class Watch(Generic[T]):
    """The new rows of a list, as they come: an asynchronous iterator without an end.

    It asks again and again, less often while nothing happens, and as often as the rate limit bears.
    While the server is away, or refuses because of its rate limit, it waits. Breaking out of the
    loop or cancelling the task ends it; nothing runs in the background. It begins when the first
    row is asked for.
    """

    def __init__(
        self,
        make: Callable[[Mapping[str, Any] | None], Poller[T]],
        start: str | None,
        *,
        name: str,
        query: str,
        interval: float,
        sleep: Callable[[float], Awaitable[None]],
        least_wait: Callable[[], float],
        observers: Observers,
    ) -> None:
        self._name = name
        self._query = query
        self._poller = make(None if start is None else self._parsed(start))
        self._interval = interval
        self._sleep = sleep
        self._least_wait = least_wait
        self._observed = observers.walk(name)
        self._rows: deque[T] = deque()
        self._wait = 0.0  # seconds until the next poll; the first one is at once
        self._failures = 0
        self._is_asked = False

    def __repr__(self) -> str:
        return f"<Watch: {self._name}>"

    @property
    def position(self) -> str | None:
        """Where another watch of the same list can go on, in this or in another process.

        Pass it as ``start``: that watch gives every row that was not given yet, also those that
        came in the meantime. ``None`` until the server has answered for the first time.
        """
        position = self._poller.position()
        if position is None:
            return None
        stored = {"query": self._query, "watch": position}
        return json.dumps(stored, separators=(",", ":"))

    def _parsed(self, start: object) -> Mapping[str, Any]:
        try:
            stored = json.loads(cast("str", start))
            query, position = stored["query"], stored["watch"]
        except (KeyError, RecursionError, TypeError, ValueError):
            raise invalid_position("a watch") from None
        if query != self._query or not isinstance(position, dict):
            raise InvalidParameterError(
                f"start must be a position of {self._name} with the same parameters, got one of "
                "something else"
            )
        return cast("Mapping[str, Any]", position)

    def __aiter__(self) -> Self:
        return self

    def __iter__(self) -> NoReturn:
        raise TypeError("a Watch is asynchronous: use 'async for'")

    async def __anext__(self) -> T:
        if self._is_asked:
            raise RuntimeError("a Watch gives one row at a time: wait until it has given the last")
        self._is_asked = True
        try:
            while not self._rows:
                await self._sleep(self._next_wait())
                await self._poll()
        finally:
            self._is_asked = False
        row = self._rows.popleft()
        self._poller.given(row)
        if not self._rows:
            self._poller.done()
        return row

    async def _poll(self) -> None:
        try:
            with nullcontext() if self._observed is None else self._observed.current():
                rows = await self._poller.poll()
        except RybbitError as error:
            self._failures += 1
            if not _is_temporary(error, self._failures):
                raise
            self._wait = self._longer(getattr(error, "retry_after", None))
            log.info("watching %s: asking again in %.1f s after: %s", self._name, self._wait, error)
            self._tell(0, error)
            return
        self._failures = 0
        self._rows.extend(rows)
        if rows:
            self._wait = self._interval
        else:
            self._poller.done()
            self._wait = self._longer(None)
        self._tell(len(rows), None)

    def _next_wait(self) -> float:
        """Seconds until the next poll."""
        return max(self._wait, self._least_wait()) if self._wait else 0.0

    def _tell(self, rows: int, error: RybbitError | None) -> None:
        if (watch := self._observed) is None:
            return
        name = None if error is None else type(error).__name__
        watch.observers.tell(
            Polled(
                walk_id=watch.number,
                walk=watch.name,
                rows=rows,
                wait=self._next_wait(),
                error=name,
            )
        )

    def _longer(self, told: float | None) -> float:
        longest = max(LONGEST, self._interval)
        wait = min(longest, max(self._interval, self._wait * 1.5))
        return wait if told is None else max(wait, told)


def _is_temporary(error: RybbitError, failures: int) -> bool:
    if isinstance(error, APIConnectionError):
        return error.reason != "certificate"
    if isinstance(error, APIStatusError) and error.status in _TEMPORARY:
        return True
    return isinstance(error, ServerError) and failures < MAX_FAILURES
