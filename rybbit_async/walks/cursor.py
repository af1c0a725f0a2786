"""Walking a list that is read by a cursor: each page says only before which time the next one is.

The rows of such a list have no identity: two that are equal are two rows. The cursor is strict, so
that whoever asks for what is before the last row of a page loses the other rows of that second. So
the rows of a page's last second are kept back while more rows follow, and the next page begins one
second above them.

A page tells where the next one begins, so the pages of a stretch are read one after another. What
makes a walk concurrent is that the window is divided into stretches of whole days.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Final, Generic, Protocol, TypeVar

from attrs import frozen

from ..errors import APIResponseError, RybbitError
from ..pages import Page, PageMeta, RawPage, Report
from .options import WalkOptions
from .reconcile.positions import invalid_position, is_sane
from .tasks import TaskScope
from .walk import Position, ResizableWalk

__all__ = [
    "CursorPage",
    "CursorSource",
    "Stretch",
    "StretchWalk",
    "Stretches",
    "stretch_of",
    "too_small",
]

T = TypeVar("T")

_SECOND: Final = timedelta(seconds=1)
# A stretch is to have so many pages at least, and windows that begin up to this year have no known
# beginning.
_PAGES: Final = 2
_ALL_OF_TIME: Final = 1970
# A page of one second's rows is followed by one that is so many times as large.
_LARGER: Final = 4


@frozen
class Stretch:
    """Days that follow one another, both included, up to a moment.

    Attributes:
        before: the rows are from before this moment, a whole second; ``None`` for the end of the
            last day.
    """

    first: date
    last: date
    before: datetime | None = None


@frozen
class CursorPage:
    """A request for the newest ``size`` rows of a stretch.

    Attributes:
        has_begun: whether the walk has had a page.
    """

    stretch: Stretch
    size: int
    has_begun: Callable[[], bool]


class CursorSource(Protocol[T]):
    """A list that is read by a cursor, newest row first."""

    @property
    def page_size(self) -> int:
        """How many rows to request per page."""
        ...

    @property
    def stretch(self) -> Stretch:
        """The days that the rows are wanted from; known once the source is prepared."""
        ...

    @property
    def zone(self) -> tzinfo:
        """Where the days of the stretch begin and end."""
        ...

    @property
    def earliest(self) -> datetime | None:
        """Rows from before this moment are not wanted, though the server sends them."""
        ...

    @property
    def note(self) -> str | None:
        """What a report should say of this list, as far as its first page shows it."""
        ...

    @property
    def state(self) -> Mapping[str, str]:
        """What ``prepare`` needs in order to prepare a source for the same list once more."""
        ...

    async def prepare(self, state: Mapping[str, str] | None) -> CursorSource[T]:
        """A source for one walk, with everything found out that has to be known beforehand.

        Args:
            state: the ``state`` of the source of the walk to go on from, if there is one.
        """
        ...

    async def fetch(self, request: CursorPage) -> RawPage[T]:
        """Request one page, whose ``has_more`` says whether rows follow.

        It is ``None`` if the server numbers the pages of the list.
        """
        ...

    def numbered(
        self, report: Report, options: WalkOptions, position: Position | None = None
    ) -> ResizableWalk[T]:
        """A walk over the same list where the server numbers its pages."""
        ...


class Stretches(Generic[T]):
    """The walks over the stretches of a list, newest first; a ``Walk`` over walks.

    It reads the first page of the whole window, which shows how dense the rows are.

    Args:
        time_of: the time of a row, in whole seconds.
        position: what ``position_of`` gave in an earlier walk.
    """

    def __init__(
        self,
        source: CursorSource[T],
        time_of: Callable[[T], datetime],
        report: Report,
        options: WalkOptions,
        position: Position | None = None,
    ) -> None:
        self.report = report
        self.meta: PageMeta | None = None
        self.page_incomplete = False
        self.repeats: str | None = None
        self._source = source
        self._time_of = time_of
        self._options = options
        self._position = position
        self._is_numbered = position is not None and "rank" in position.strategy
        self._left = (
            None if position is None or self._is_numbered else stretch_of(position.strategy)
        )
        self._tasks = TaskScope()
        self._is_read = False

    async def step(self, remaining: int | None = None) -> list[ResizableWalk[T]] | None:
        """The walks, and then ``None``."""
        if self._is_read:
            return None
        self._is_read = True
        state = None if self._position is None else self._position.source
        source = self._source = await self._tasks.run(self._source.prepare(state))
        whole = source.stretch
        if self._left is not None:
            whole = Stretch(whole.first, min(self._left.last, whole.last), self._left.before)
        if whole.first > whole.last:
            return None
        if self._options.has_had_all_requests(self.report):
            self._options.note_stop(self.report)
            return None
        self.report.requests += 1
        # Of a position in numbered pages, it only has to be known whether there still are any.
        size = 1 if self._is_numbered else source.page_size
        request = CursorPage(whole, size, lambda: self.report.pages > 0)
        page = (await self._tasks.run(source.fetch(request))).decode()
        if self._position is not None and self._is_numbered != (page.has_more is None):
            raise invalid_position()  # of a server of another release
        if page.has_more is None:
            return [source.numbered(self.report, self._options, self._position)]
        if source.note is not None:
            self.report.note(source.note)
        self.report.pages += 1
        head, *others = self._divided(whole, page)
        return [self._walk(head, page), *(self._walk(stretch) for stretch in others)]

    def _walk(self, stretch: Stretch, first: Page[T] | None = None) -> StretchWalk[T]:
        args = (self._source, stretch, self._time_of, self.report, self._options)
        return StretchWalk(*args, first)

    def _divided(self, whole: Stretch, page: Page[T]) -> list[Stretch]:
        """The stretches that are walked at once; the first one has the first page."""
        if not page.has_more or not page.items or self._options.concurrency == 1:
            return [whole]
        newest, oldest = self._time_of(page.items[0]), self._time_of(page.items[-1])
        day = oldest.astimezone(self._source.zone).date()
        days = (day - whole.first).days  # before the one that the page ends in
        if whole.first.year <= _ALL_OF_TIME or days < 1:
            return [whole]  # nobody knows when the first event was
        pages = days * 86_400 / max(1.0, (newest - oldest).total_seconds())
        number = min(days, int(pages / _PAGES), 4 * self._options.concurrency)
        if number < 1:
            return [whole]
        edges = [whole.first + timedelta(days=days * n // number) for n in range(number + 1)]
        older = [Stretch(first, until - timedelta(days=1)) for first, until in pairwise(edges)]
        return [Stretch(day, whole.last, whole.before), *reversed(older)]

    def position_of(self, walk: ResizableWalk[T]) -> Position | None:
        """Where a later walk can go on after what one of the walks has given."""
        if not isinstance(walk, StretchWalk):
            return walk.position()
        left = walk.stretch
        before = None if left.before is None else left.before.isoformat()
        stored = {"last": left.last.isoformat(), "before": before}
        return Position(stored, self._source.state)

    def position(self) -> Position | None:
        """``None``: see ``position_of``."""
        return None

    async def close(
        self, error: type[RybbitError] = RybbitError, reason: str = "the walk has ended"
    ) -> None:
        """See ``Walk``."""
        await self._tasks.close(error(reason))


class StretchWalk(Generic[T]):
    """A walk over one stretch, page after page; see ``ResizableWalk``.

    Args:
        time_of: the time of a row, in whole seconds.
        report: shared by all stretches of a walk.
        first: the first page, if it was read already.
    """

    def __init__(
        self,
        source: CursorSource[T],
        stretch: Stretch,
        time_of: Callable[[T], datetime],
        report: Report,
        options: WalkOptions,
        first: Page[T] | None = None,
    ) -> None:
        self.report = report
        self.meta: PageMeta | None = None
        self.page_incomplete = False
        self.repeats: str | None = None
        self.stopped = False
        self.stretch = stretch
        """What is left of it: every row that is not part of it was given."""
        self._source = source
        self._time_of = time_of
        self._options = options
        self._size = source.page_size
        self._tasks = TaskScope()
        self._page = first
        self._reads_ahead = False
        self._next: asyncio.Task[RawPage[T]] | None = None  # the page that is read ahead
        self._at_end = False

    @property
    def load(self) -> int:
        """See ``ResizableWalk``."""
        return 1 if self._next is None else 2

    def resize(self, concurrency: int) -> None:
        """See ``ResizableWalk``. One page can be read ahead, since it says where the next is."""
        self._reads_ahead = concurrency > 1

    async def step(self, remaining: int | None = None) -> list[T] | None:
        """See ``Walk``."""
        while not self._at_end:
            self._tasks.check_open()
            page = await self._next_page()
            if page is None:
                self.stopped = True
                self._options.note_stop(self.report)
                return None
            rows = self._take(page)
            if rows or self._at_end:
                if self._reads_ahead and (remaining is None or remaining > len(rows)):
                    self._read_ahead()
                return rows
        return None

    async def _next_page(self) -> Page[T] | None:
        if self._page is not None:
            page, self._page = self._page, None
            return page
        if self._next is None and self._options.has_had_all_requests(self.report):
            return None
        task = self._next or self._request()
        await self._tasks.wait(task)
        self._next = None
        page = self._tasks.result(task).decode()
        self.report.pages += 1
        return page

    def _read_ahead(self) -> None:
        if not (self._at_end or self._options.has_had_all_requests(self.report)):
            self._next = self._request()

    def _request(self) -> asyncio.Task[RawPage[T]]:
        # Counted before the task runs: others look at the number in the meantime.
        self.report.requests += 1
        request = CursorPage(self.stretch, self._size, lambda: self.report.pages > 0)
        return self._tasks.start(self._source.fetch(request))

    def _take(self, page: Page[T]) -> list[T]:
        """The rows of a page that are complete, and what is left of the stretch after them."""
        rows, earliest = [*page.items], self._source.earliest
        if not page.has_more:
            self._end()
            return self._wanted(rows)
        if not rows:
            raise _no_end("hasMore is true, but the page has no rows")
        newest, oldest = self._time_of(rows[0]), self._time_of(rows[-1])
        before = self.stretch.before
        if newest < oldest or (before is not None and newest >= before):
            raise _no_end("the rows must be from before the time that was asked for, newest first")
        if earliest is not None and oldest < earliest:
            self._end()
            return self._wanted(rows)
        kept_back = 1
        while kept_back < len(rows) and self._time_of(rows[-kept_back - 1]) == oldest:
            kept_back += 1
        complete = rows[:-kept_back]
        if not complete and len(rows) < self._size:
            raise too_small(len(rows))
        # The next page has those that are kept back once more, and as many others as this one.
        self._size = self._source.page_size + kept_back if complete else kept_back * _LARGER
        self.stretch = Stretch(self.stretch.first, self.stretch.last, oldest + _SECOND)
        return complete

    def _wanted(self, rows: list[T]) -> list[T]:
        earliest = self._source.earliest
        return rows if earliest is None else [r for r in rows if self._time_of(r) >= earliest]

    def _end(self) -> None:
        self._at_end = True
        self.stretch = Stretch(self.stretch.first, self.stretch.first - timedelta(days=1))

    def position(self) -> Position | None:
        """``None``: where a walk goes on is known to whoever has all stretches."""
        return None

    async def close(
        self, error: type[RybbitError] = RybbitError, reason: str = "the walk has ended"
    ) -> None:
        """See ``Walk``."""
        await self._tasks.close(error(reason))


def stretch_of(stored: Mapping[str, Any]) -> Stretch:
    """What a position says is left, up to the first day of the window.

    Raises:
        InvalidParameterError: it is not a position of such a list.
    """
    try:
        last, before = date.fromisoformat(stored["last"]), stored["before"]
        moment = None if before is None else datetime.fromisoformat(before)
        if moment is not None and not is_sane(moment):
            raise ValueError(before)
    except (KeyError, TypeError, ValueError):
        raise invalid_position() from None
    return Stretch(date.min, last, moment)


def too_small(rows: int) -> APIResponseError:
    """The error for a server whose largest page, which has so many rows, does not hold a second."""
    return APIResponseError(
        f"data: a page must hold all rows of one second, got no more than {rows} rows, which the "
        "server has as its limit",
        path="data",
    )


def _no_end(problem: str) -> APIResponseError:
    return APIResponseError(f"data: {problem}, so a walk over them would never end", path="data")
