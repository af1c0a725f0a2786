"""Time and chance, as the client sees them. Tests replace the clock."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen

from ..errors import ClientClosedError
from ..wire.http_values import http_date

__all__ = ["Clock", "ServerClock", "Timer", "closed_error"]

# A clock that was never set starts in 1970, or in 1980 if it is that of firmware.
_NEVER_SET: Final = 1980


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _loop_time() -> float:
    # Not ``time.monotonic``: waits are timed by the event loop, and a test may have replaced that.
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()  # asked for a status outside of a loop


@frozen
class Clock:
    """Where time and chance come from.

    Attributes:
        time: seconds since some moment in the past, for measuring durations; the time of the event
            loop.
        sleep: waits for a number of seconds.
        now: the date and time of day, in UTC.
        chance: a random number from 0 to 1.
    """

    time: Callable[[], float] = _loop_time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], datetime] = _utc_now
    chance: Callable[[], float] = random.random


class Timer:
    """The clock of one client, and sleep that ends early when the client is closed."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.closed = False
        self._closing: asyncio.Event | None = None

    def time(self) -> float:
        """Seconds since some moment in the past."""
        return self.clock.time()

    def now(self) -> datetime:
        """The date and time of day, in UTC."""
        return self.clock.now()

    async def sleep(self, seconds: float, until: asyncio.Event | None = None) -> None:
        """Wait for ``seconds``, or until an event.

        Raises:
            ClientClosedError: the client was closed in the meantime.
        """
        if self._closing is None:
            self._closing = asyncio.Event()
        waits = [self.clock.sleep(seconds), self._closing.wait()]
        if until is not None:
            waits.append(until.wait())
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self.closed:
            raise closed_error()

    def close(self) -> None:
        """Wake up everyone who sleeps."""
        self.closed = True
        if self._closing is not None:
            self._closing.set()


class ServerClock:
    """The clock of the server, by the ``Date`` of its latest response."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._date: str | None = None
        self._at = 0.0  # when that response arrived

    @property
    def is_known(self) -> bool:
        """Whether there was a response with a date."""
        return self._date is not None

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take note of the headers of a response that has just arrived."""
        date = headers.get("Date")
        if date:  # it is read only when someone wants to know
            self._date, self._at = date, self._timer.time()

    def now(self) -> datetime:
        """The date and time of day there; by the clock of this machine if it is not known."""
        now = self._timer.now()
        if self._date is None:
            return now
        theirs = http_date(self._date)
        if theirs is None:
            return now
        try:
            theirs += timedelta(seconds=self._timer.time() - self._at)
            return theirs if theirs.year > _NEVER_SET else now
        except OverflowError:
            return now


def closed_error() -> ClientClosedError:
    """The error for using a client that is closed or being closed."""
    return ClientClosedError("the client is closed: make a new client, or close it later")
