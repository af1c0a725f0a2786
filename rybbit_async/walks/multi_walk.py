"""Walking many lists as one, under one window. Nothing here knows HTTP.

Each item of some outer lists opens a *lane*: a walk over a list of its own. All lanes together
keep to one ``concurrency``. In order, the first lane has as much of it as it can use, and the
next ones read ahead with the rest; out of order, each lane has a like share, so that a huge list
does not starve small ones.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from attrs import define

from ..errors import RybbitError
from ..pages import PageMeta, Report
from .walk import ListWalk, Resume, Tasks, close_all

__all__ = ["Lane", "MergedWalk"]

Outer = TypeVar("Outer")
Inner = TypeVar("Inner")
Row = TypeVar("Row")


@define(eq=False)
class Lane(Generic[Inner, Row]):
    """A walk over one inner list, and what becomes of its items.

    ``expected`` is how many pages it may have, as far as that is known.
    """

    walk: ListWalk[Inner]
    combine: Callable[[Inner], Row]
    expected: int
    step: asyncio.Task[list[Inner] | None] | None = None

    @property
    def load(self) -> int:
        """Pages in flight, buffered, or in the consumer's hands."""
        return self.walk.load


class MergedWalk(Generic[Outer, Inner, Row]):
    """A walk over the items of many lists; see ``Walk``.

    Args:
        listings: walks over the outer lists, begun one after another; each with what makes a
            lane of one of its items, or ``None`` for an item that opens none.
        page_size: rows a page of the inner lists.
        finish: called when the last outer list is at its end.
    """

    def __init__(
        self,
        listings: Iterator[tuple[ListWalk[Outer], Callable[[Outer], Lane[Inner, Row] | None]]],
        report: Report,
        *,
        page_size: int,
        concurrency: int,
        ordered: bool,
        finish: Callable[[], None],
    ) -> None:
        self.report = report
        self.meta: PageMeta | None = None
        self.mending = False
        self._listings = listings
        self._page_size = page_size
        self._concurrency = concurrency
        self._ordered = ordered
        self._finish = finish
        self._tasks = Tasks()
        self._listing: tuple[ListWalk[Outer], Callable[[Outer], Lane[Inner, Row] | None]] | None
        self._listing = next(listings, None)
        self._list_step: asyncio.Task[list[Outer] | None] | None = None
        self._waiting: deque[Lane[Inner, Row]] = deque()  # of listed items, not begun
        self._lanes: deque[Lane[Inner, Row]] = deque()  # begun

    async def step(self, remaining: int | None = None) -> list[Row] | None:
        """See ``Walk``."""
        while True:
            self._tasks.check_open()
            self._share_out(remaining)
            if not self._lanes and self._list_step is None:
                self._finish()
                return None
            lane = await self._arrival()
            if lane is None:
                continue
            assert lane.step is not None
            rows = self._tasks.result(lane.step)
            lane.step = None
            if rows is None:
                self._lanes.remove(lane)
                await lane.walk.close()
            elif rows:
                if not self._ordered:  # to the back of the queue
                    self._lanes.remove(lane)
                    self._lanes.append(lane)
                return [lane.combine(row) for row in rows]

    async def _arrival(self) -> Lane[Inner, Row] | None:
        """The lane whose rows are next, or ``None`` if a page of an outer list came instead."""
        steps = [lane.step for lane in self._lanes if lane.step is not None]
        if self._ordered:
            steps = steps[:1]
        listing = [] if self._list_step is None else [self._list_step]
        await self._tasks.wait(*steps, *listing)
        if self._list_step is not None and self._list_step.done():
            self._take_listed(self._tasks.result(self._list_step))
            return None
        return next(lane for lane in self._lanes if lane.step is not None and lane.step.done())

    def _take_listed(self, items: list[Outer] | None) -> None:
        assert self._listing is not None
        self._list_step = None
        if items is None:
            self._listing = next(self._listings, None)
            return
        for item in items:
            lane = self._listing[1](item)
            if lane is not None:
                self._waiting.append(lane)

    def _share_out(self, remaining: int | None) -> None:
        """Begin what may begin: a page of the outer list, new lanes, the next step of each."""
        lanes, waiting = self._lanes, self._waiting
        free = self._concurrency - sum(lane.load for lane in lanes) - bool(self._list_step)
        while waiting and (free > 0 or not lanes) and self._may_open(remaining):
            lanes.append(waiting.popleft())
            free -= 1
        lists = self._listing is not None and self._list_step is None and not waiting
        # A window of one does one thing at a time.
        if lists and (not lanes or (free > 0 and self._concurrency > 1)):
            assert self._listing is not None
            self._list_step = self._tasks.start(self._listing[0].step())
            free -= 1
        # Whoever still waits for a place gets the next one that is free.
        queue = bool(waiting) or (self._listing is not None and self._list_step is None)
        share = max(1, self._concurrency // (len(lanes) + queue)) if lanes else 1
        for lane in lanes:
            width = lane.load
            if self._ordered:
                want = max(0, lane.expected - width) if lane is not lanes[-1] else free - queue
                extra = max(0, min(free, want))
            elif queue:
                width, extra = min(width, share), 0
            else:
                extra = max(0, min(free, share))
            free -= extra
            lane.walk.widen(max(1, width + extra))
            if lane.step is None and self._is_wanted(lane, remaining):
                lane.expected -= 1
                lane.step = self._tasks.start(lane.walk.step(remaining))

    def _is_wanted(self, lane: Lane[Inner, Row], remaining: int | None) -> bool:
        """Whether what is under way may not be enough without a further step of this lane."""
        if remaining is None or (self._ordered and lane is self._lanes[0]):
            return True
        under_way = sum(other.load for other in self._lanes if other.step is not None)
        return under_way * self._page_size < remaining

    def _may_open(self, remaining: int | None) -> bool:
        if self._ordered and any(lane.expected > lane.load for lane in self._lanes):
            return False  # those before it can use what is free
        return remaining is None or len(self._lanes) * self._page_size < remaining

    def position(self) -> Resume | None:
        """There is none: the lanes are too many."""
        return None

    async def close(self, error: type[RybbitError] = RybbitError, reason: str = "over") -> None:
        """See ``Walk``."""
        await close_all(
            self._tasks.close(error(reason)),
            *(lane.walk.close(error, reason) for lane in self._lanes),
            *(() if self._listing is None else (self._listing[0].close(error, reason),)),
        )
