"""Time that tests move: nobody ever really waits."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta

from rybbit_async import RybbitClient
from rybbit_async.transport.clock import Clock

START = datetime(2026, 3, 31, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """A clock that moves when somebody sleeps, or by ``move`` alone while ``stopped``.

    ``clock.now`` is a server's ``clock=``, so that both sides see the same time. Whole
    microseconds are counted, as a ``datetime`` does.
    """

    def __init__(self, start: datetime = START, *, chance: float = 0.0) -> None:
        self.stopped = False
        self.chance = chance
        """What the dice say: 0 is the longest wait, 1 the shortest."""
        self.slept: list[float] = []
        """What was asked for, oldest first."""
        self.sleeping = 0
        self._start = start
        self._micros = 0
        self._moved = asyncio.Event()

    def time(self) -> float:
        """Seconds since the start."""
        return self._micros / 1e6

    def now(self) -> datetime:
        """The time of day."""
        return self._start + timedelta(microseconds=self._micros)

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._micros += math.ceil(seconds * 1e6)
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """As ``asyncio.sleep``, in this clock's time; those who sleep side by side share it."""
        due = self._micros + math.ceil(seconds * 1e6)
        self.slept.append(seconds)
        self.sleeping += 1
        try:
            await asyncio.sleep(0)
            while self._micros < due:
                if self.stopped:
                    await self._moved.wait()
                else:
                    self.move((due - self._micros) / 1e6)
        finally:
            self.sleeping -= 1

    def drive(self, client: RybbitClient) -> RybbitClient:
        """Have ``client`` live in this time."""
        client._transport.timer.clock = Clock(self.time, self.sleep, self.now, lambda: self.chance)
        return client
