"""Walking many lists as one, with one limit on the pages in flight. Nothing here knows HTTP.

Each item of some outer lists opens a sub-walk: a walk over a list of its own. All sub-walks
together keep to one ``concurrency``. In order, the first of them has as much of it as it can use,
and the next ones read ahead with the rest. Out of order, each has an equal share, so that a huge
list does not hold up small ones.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from attrs import define, frozen

from ..errors import RybbitError
from ..pages import PageMeta, Report
from .options import WalkOptions
from .tasks import TaskScope, close_all
from .walk import Position, ResizableWalk, Walk

__all__ = ["Listing", "MultiWalk", "SubWalk", "raise_it"]

T = TypeVar("T")
Outer = TypeVar("Outer")
Inner = TypeVar("Inner")
Row = TypeVar("Row")


def raise_it(error: RybbitError) -> bool:
    """Go on after no error."""
    return False


@define(eq=False)
class SubWalk(Generic[Inner, Row]):
    """A walk over one inner list, and what becomes of its items.

    Attributes:
        walk: the walk.
        combine: makes a row of the whole walk of an item.
        expected_pages: how many pages the list may have, as far as that is known.
        skip: whether to go on without the rest of the list after an error; see ``Listing``.
        most_pages: how many pages it can have in flight or buffered at most.
        reach: how many that could be, as far as its pages have shown; only for a list of which
            nothing is known beforehand.
        position: where a later walk can go on after its rows so far.
        step: the step in progress.
    """

    walk: ResizableWalk[Inner]
    combine: Callable[[Inner], Row]
    expected_pages: int
    skip: Callable[[RybbitError], bool] = raise_it
    most_pages: int = sys.maxsize
    position: Callable[[], Position | None] = lambda: None
    reach: Callable[[], int] | None = None
    step: asyncio.Task[list[Inner] | None] | None = None

    @property
    def load(self) -> int:
        """How many of its pages are in flight, buffered, or in the consumer's hands."""
        return self.walk.load

    @property
    def can_use(self) -> int:
        """How many pages it can make use of at once."""
        reach = 0 if self.reach is None else self.reach()
        return min(max(reach, self.expected_pages), self.most_pages)


@frozen
class Listing(Generic[Outer, Inner, Row]):
    """An outer list.

    Attributes:
        walk: the walk over it.
        open: makes a sub-walk of one of its items, or returns ``None`` for an item to leave out.
        skip: called with the error if the list cannot be read to its end: whether to go on
            without the rest of it. If so, it has noted that in the report.
    """

    walk: Walk[Outer]
    open: Callable[[Outer], SubWalk[Inner, Row] | None]
    skip: Callable[[RybbitError], bool] = raise_it


class MultiWalk(Generic[Outer, Inner, Row]):
    """A walk over the items of many lists; see ``Walk``.

    In order, its pages have the positions that the sub-walks give.

    Args:
        listings: the outer lists, whose walks are started one after another.
        page_size: how many rows a page of the inner lists has.
        finish: called when the last outer list has been read and every sub-walk is at its end.
    """

    def __init__(
        self,
        listings: Iterator[Listing[Outer, Inner, Row]],
        report: Report,
        options: WalkOptions,
        *,
        page_size: int,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        self.report = report
        self.meta: PageMeta | None = None
        self.page_incomplete = False
        self.repeats: str | None = None
        self._listings = listings
        self._page_size = page_size
        self._concurrency = options.concurrency
        self._ordered = options.ordered
        self._finish = finish
        self._tasks = TaskScope()
        self._listing = next(listings, None)
        self._list_step: asyncio.Task[list[Outer] | None] | None = None
        self._waiting: deque[SubWalk[Inner, Row]] = deque()  # of listed items, not started
        self._started: deque[SubWalk[Inner, Row]] = deque()
        self._latest: SubWalk[Inner, Row] | None = None  # whose rows were given last

    async def step(self, remaining: int | None = None) -> list[Row] | None:
        """See ``Walk``."""
        while True:
            self._tasks.check_open()
            self._share_out(remaining)
            if not self._started and self._list_step is None:
                self._finish()
                return None
            sub_walk = await self._arrival()
            if sub_walk is None:
                continue
            assert sub_walk.step is not None
            rows = self._result(sub_walk.step, sub_walk.skip)
            sub_walk.step = None
            if rows is None:
                self._started.remove(sub_walk)
                await sub_walk.walk.close()
                if self._ordered and sub_walk.walk.stopped:
                    return None  # what follows would come after a gap
            elif rows:
                if not self._ordered:  # to the end of the queue
                    self._started.remove(sub_walk)
                    self._started.append(sub_walk)
                self._latest = sub_walk
                return [sub_walk.combine(row) for row in rows]

    async def _arrival(self) -> SubWalk[Inner, Row] | None:
        """The sub-walk whose rows are next, or ``None`` if a page of an outer list came instead."""
        steps = [sub_walk.step for sub_walk in self._started if sub_walk.step is not None]
        if self._ordered:
            steps = steps[:1]
        listing = [] if self._list_step is None else [self._list_step]
        await self._tasks.wait(*steps, *listing)
        if self._list_step is not None and self._list_step.done():
            assert self._listing is not None
            items = self._result(self._list_step, self._listing.skip)
            if items is None:
                await self._listing.walk.close()
            self._take_listed(items)
            return None
        return next(
            sub_walk
            for sub_walk in self._started
            if sub_walk.step is not None and sub_walk.step.done()
        )

    def _result(
        self, step: asyncio.Task[list[T] | None], skip: Callable[[RybbitError], bool]
    ) -> list[T] | None:
        """What a step gave: ``None`` at the end of its list, and where the rest is left out."""
        try:
            return self._tasks.result(step)
        except RybbitError as error:
            if not skip(error):
                raise
            return None

    def _take_listed(self, items: list[Outer] | None) -> None:
        assert self._listing is not None
        self._list_step = None
        if items is None:
            self._listing = next(self._listings, None)
            return
        for item in items:
            sub_walk = self._listing.open(item)
            if sub_walk is not None:
                self._waiting.append(sub_walk)

    def _share_out(self, remaining: int | None) -> None:
        """Start what may start: a page of an outer list, new sub-walks, the next step of each."""
        started, waiting = self._started, self._waiting
        free = self._concurrency - sum(one.load for one in started) - bool(self._list_step)
        while waiting and (free > 0 or not started) and self._may_start(remaining):
            started.append(waiting.popleft())
            free -= 1
        lists = self._listing is not None and self._list_step is None and not waiting
        # With a concurrency of 1 there is only ever one request.
        if lists and (not started or (free > 0 and self._concurrency > 1)):
            assert self._listing is not None
            self._list_step = self._tasks.start(self._listing.walk.step())
            free -= 1
        # If anything still waits for a place, it gets the next one that becomes free.
        queue = bool(waiting) or (self._listing is not None and self._list_step is None)
        share = max(1, self._concurrency // (len(started) + queue)) if started else 1
        for sub_walk in started:
            width = sub_walk.load
            if self._ordered:
                is_last = sub_walk is started[-1]
                want = free - queue if is_last else max(0, sub_walk.can_use - width)
                extra = max(0, min(free, want))
            elif queue:
                width, extra = min(width, share), 0
            else:
                extra = max(0, min(free, share))
            free -= extra
            sub_walk.walk.resize(max(1, width + extra))
            if sub_walk.step is None and self._is_wanted(sub_walk, remaining):
                sub_walk.expected_pages -= 1
                sub_walk.step = self._tasks.start(sub_walk.walk.step(remaining))

    def _is_wanted(self, sub_walk: SubWalk[Inner, Row], remaining: int | None) -> bool:
        """Whether the pages in flight may not be enough without a further step of this sub-walk."""
        if remaining is None or (self._ordered and sub_walk is self._started[0]):
            return True
        in_flight = sum(other.load for other in self._started if other.step is not None)
        return in_flight * self._page_size < remaining

    def _may_start(self, remaining: int | None) -> bool:
        if self._ordered and any(one.can_use > one.load for one in self._started):
            return False  # those before it can use what is free
        unknown = sum(one.reach is not None for one in self._started)
        if self._ordered and unknown > self._concurrency // 2:
            return False  # the first of them may turn out to be a long list
        return remaining is None or len(self._started) * self._page_size < remaining

    def position(self) -> Position | None:
        """See ``Walk``; ``None`` where the sub-walks have none."""
        return self._latest.position() if self._ordered and self._latest is not None else None

    async def close(
        self, error: type[RybbitError] = RybbitError, reason: str = "the walk has ended"
    ) -> None:
        """See ``Walk``."""
        await close_all(
            self._tasks.close(error(reason)),
            *(sub_walk.walk.close(error, reason) for sub_walk in self._started),
            *(() if self._listing is None else (self._listing.walk.close(error, reason),)),
        )
