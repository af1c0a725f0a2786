"""A clock for tests, so that no test waits in real time."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from rybbit_async import RybbitClient
from rybbit_async.transport.clock import Clock

START = datetime(2026, 3, 31, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """A clock that advances when a task sleeps, or only by ``move`` while it is ``stopped``.

    Pass ``clock.now`` to a server as ``clock=``, so that client and server have the same time. The
    resolution is one microsecond, as in a ``datetime``.
    """

    def __init__(self, start: datetime = START, *, chance: float = 0.0) -> None:
        self.stopped = False
        self.chance = chance
        """The result of each random choice: 0 is the longest delay, 1 the shortest."""
        self.slept: list[float] = []
        """The requested durations in seconds, oldest first."""
        self.sleeping = 0
        self._start = start
        self._micros = 0
        self._moved = asyncio.Event()
        self._planned: list[tuple[float, Callable[[], object]]] = []

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Run an action, asynchronous or not, when a sleep has reached this time."""
        self._planned.append((seconds, action))

    async def run_until(self, seconds: float, *jobs: Coroutine[Any, Any, object]) -> None:
        """Run jobs without an end until a sleep of theirs has reached this time, and cancel them.

        What one of them raises before that is raised.
        """
        reached = asyncio.Event()
        self.at(seconds, reached.set)
        tasks = [asyncio.create_task(job) for job in jobs]
        stop = asyncio.create_task(reached.wait())
        await asyncio.wait((*tasks, stop), return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in tasks if task.done()]
        for task in (*tasks, stop):
            task.cancel()
        await asyncio.wait((*tasks, stop))
        for task in ended:
            task.result()
        assert not ended, "a job has ended early"

    def time(self) -> float:
        """Seconds since the start."""
        return self._micros / 1e6

    def now(self) -> datetime:
        """The current date and time."""
        return self._start + timedelta(microseconds=self._micros)

    def move(self, seconds: float) -> None:
        """Advance the clock."""
        self._micros += math.ceil(seconds * 1e6)
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Like ``asyncio.sleep``, in the time of this clock; concurrent calls overlap."""
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
            for plan in [plan for plan in self._planned if plan[0] <= self.time()]:
                self._planned.remove(plan)
                if inspect.isawaitable(result := plan[1]()):
                    await result
        finally:
            self.sleeping -= 1

    def drive(self, client: RybbitClient) -> RybbitClient:
        """Make ``client`` use this clock, and return it."""
        client._transport.timer.clock = Clock(self.time, self.sleep, self.now, lambda: self.chance)
        return client
