"""Pairs of measurements, and what is made of them.

The two sides of a comparison alternate within one run, A B A B, and each pair is compared by
itself: what else the machine does falls on both. A figure is the median over the pairs, and its
quartiles tell how noisy it was.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median, quantiles

from attrs import frozen

Timed = Callable[[], Awaitable[object]]


@frozen
class Row:
    """One line of the table.

    Attributes:
        figures: one for each pair.
        reach: what the median is to be, at least or at most.
        also: whatever else has to hold; the reach is missed without it.
    """

    what: str
    unit: str
    figures: tuple[float, ...]
    reach: float
    at_least: bool = False
    also: bool = True
    note: str = ""

    @property
    def figure(self) -> float:
        """The median."""
        return median(self.figures)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles around it."""
        if len(self.figures) < 2:
            return self.figure, self.figure
        low, _, high = quantiles(self.figures, n=4, method="inclusive")
        return low, high

    @property
    def met(self) -> bool:
        """Whether the figure is within its reach."""
        good = self.figure >= self.reach if self.at_least else self.figure <= self.reach
        return good and self.also


@frozen
class Took:
    """Seconds that a job took: by the clock, and of the processor, in this process."""

    clock: float
    processor: float


Pair = tuple[Took, Took]


async def timed(job: Timed) -> Took:
    """What a job takes."""
    clock, processor = time.perf_counter(), time.process_time()
    await job()
    return Took(time.perf_counter() - clock, time.process_time() - processor)


async def pairs(ours: Timed, theirs: Timed, rounds: int, *, tidy: bool = True) -> list[Pair]:
    """What both take, in turn, after one of each that does not count.

    With ``tidy`` the garbage of the one is put away before the other begins. Not so for jobs of
    less than a millisecond: it would leave the processor's caches cold.
    """
    await ours()
    await theirs()
    measured: list[Pair] = []
    for _ in range(rounds):
        pair: list[Took] = []
        for job in (ours, theirs):
            if tidy:
                gc.collect()
            pair.append(await timed(job))
        measured.append((pair[0], pair[1]))
    return measured


def ratios(measured: Sequence[Pair]) -> tuple[float, ...]:
    """How many times as long ours took, for each pair."""
    return tuple(ours.clock / theirs.clock for ours, theirs in measured)


def speeds(measured: Sequence[Pair]) -> tuple[float, ...]:
    """How many times as fast ours was, for each pair."""
    return tuple(theirs.clock / ours.clock for ours, theirs in measured)


def milliseconds(measured: Sequence[Pair]) -> tuple[float, ...]:
    """How much longer ours took, for each pair."""
    return tuple((ours.clock - theirs.clock) * 1000 for ours, theirs in measured)
