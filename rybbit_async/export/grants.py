"""One rate limit for many processes: one of them grants requests to the others.

It is not enough to give each process its part of a ``RateLimit``. These servers count the requests
of a key until nobody has sent any for ``per`` seconds, so that all processes must rest at the same
time before any of them can go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import define, frozen

from .. import RateLimit

__all__ = ["LEASE", "Grants", "Spent"]

# A worker process that has not been asked for so many seconds gives up what it does, so that
# nobody needs to be afraid of it after that.
LEASE: Final = 15.0


@frozen
class Spent:
    """What a process says.

    Attributes:
        left: how many of its requests are left.
        idle: seconds since the end of its latest request; ``None`` if it has sent none.
        busy: whether it has something to do.
    """

    left: int
    idle: float | None
    busy: bool


@define
class _Process:
    left: int
    active: float  # when it may have sent its latest request
    heard: float


class Grants:
    """Decides how many requests each process may send. Only decisions: no I/O, and no clock.

    Args:
        limit: that of all processes together.
        spent: how many requests were sent before.
        now: when the latest of them ended.
    """

    def __init__(self, limit: RateLimit, spent: int, now: float) -> None:
        self._limit = limit
        self._given = spent  # since all processes rested for long enough
        self._active = now
        self._processes: dict[str, _Process] = {}

    def grant(self, told: Mapping[str, Spent], now: float) -> dict[str, int]:
        """How many more requests each process may send, after what all of them have told.

        A process that tells nothing may send what it has left until its lease has run out.
        """
        for name, spent in told.items():
            active = self._active if spent.idle is None else now - spent.idle
            self._processes[name] = _Process(spent.left, active, now)
        for name, process in self._processes.items():
            if name not in told:
                process.active = process.heard + LEASE
            self._active = max(self._active, process.active)
        if now - self._active >= self._limit.per:
            self._processes = {name: self._processes[name] for name in told}
            # What is left from before may still be sent.
            self._given = sum(max(0, process.left) for process in self._processes.values())
        busy = [name for name, spent in told.items() if spent.busy]
        granted: dict[str, int] = {}
        for name in busy:
            pool = self._limit.requests - self._given
            # Never all at once: others may need more of them.
            wanted = max(1, pool // (2 * len(busy))) - told[name].left
            if (number := min(pool, wanted)) > 0:
                granted[name] = number
                self._given += number
        return granted
