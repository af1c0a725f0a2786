"""Walking lists page by page. Nothing here knows HTTP.

A walk asks a ``Source`` for numbered pages and keeps at most ``concurrency`` of them in flight or
buffered; the page that the consumer is working on counts. The window refills only as the consumer
takes pages, so whoever stops taking stops the requests too. What makes the result whole is
decided by a ``Ledger``; see ``_mending``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

from attrs import frozen

from ..errors import RybbitError
from ..pages import Page, PageMeta, Report

__all__ = [
    "Ledger",
    "ListWalk",
    "Pass",
    "Resume",
    "Source",
    "Span",
    "Tasks",
    "Walk",
    "close_all",
    "covering_page",
]

S = TypeVar("S")
T = TypeVar("T")

# A first page that is shorter than asked for, but not shorter than this, may be a cap.
LEAST_CAP: Final = 100


@frozen
class Span:
    """Ranks, counted from 0, that are to be read again with one request."""

    first: int
    last: int


@frozen
class Pass:
    """How a list is to be read once more.

    Attributes:
        stable: in the order in which equal rows stand the same way on every page.
        sequential: page after page, and never two at once.
        size: rows a page, if not those of the walk.
    """

    stable: bool = False
    sequential: bool = False
    size: int | None = None


@frozen
class Resume:
    """Where a walk takes up another one: at a rank, with what that one's ledger and source knew."""

    rank: int
    ledger: Mapping[str, Any]
    source: Mapping[str, str]


class Ledger(Protocol[T]):
    """What is known of the rows of one walk, and what is still to be read. Pure decisions."""

    def lands(self, page: Page[T], first: int) -> bool:
        """Whether a resumed walk may go on from this page, whose first row has rank ``first``."""
        ...

    def take(self, number: int, page: Page[T], size: int) -> list[T]:
        """The rows of a page that are new; ``size`` is how many a full page has."""
        ...

    def spans(self) -> list[Span]:
        """The stretches that are to be read again now."""
        ...

    def mend(self, span: Span, page: Page[T], first: int, size: int) -> list[T]:
        """The new rows of a stretch, from a page whose first row has the rank ``first``."""
        ...

    def enough(self) -> bool:
        """Whether the rest of this pass need not be read."""
        ...

    def end_pass(self) -> None:
        """The pass has reached the end of the list."""
        ...

    def next_pass(self) -> Pass | None:
        """How to read the list once more, or ``None``: the result is as whole as it will be."""
        ...

    def position(self) -> tuple[int, dict[str, Any]] | None:
        """Where a walk in order can be taken up: a rank, and what ``Resume.ledger`` is to say."""
        ...


class Source(Protocol[T]):
    """A list to walk: how to get a page of it, and what is known of it beforehand."""

    @property
    def page_size(self) -> int:
        """How many items a request asks for."""
        ...

    @property
    def expected(self) -> int | None:
        """How many items there may be; a hint that widens the window, never a truth."""
        ...

    @property
    def moves(self) -> bool:
        """Whether rows may go to the head of the list while it is read."""
        ...

    @property
    def state(self) -> Mapping[str, str]:
        """What ``Resume.source`` is to say."""
        ...

    async def prepare(self, resume: Resume | None) -> Source[T]:
        """The source for one walk; whatever has to be found out first is found out here."""
        ...

    async def fetch(self, number: int, size: int, stable: bool) -> Callable[[], Page[T]]:
        """Page ``number``, from 1, of ``size`` items; ``stable`` as in ``Pass``.

        What was read ahead stays what it was on the wire until its turn comes: objects that wait
        cost more memory than bytes, and the garbage collector looks at them again and again.
        """
        ...

    def ledger(self, report: Report, concurrency: int, resume: Resume | None) -> Ledger[T]:
        """A ledger for one walk."""
        ...


class Walk(Protocol[T]):
    """One walk of one consumer."""

    @property
    def report(self) -> Report:
        """What it has done so far."""
        ...

    @property
    def meta(self) -> PageMeta | None:
        """That of the page that was taken last."""
        ...

    @property
    def mending(self) -> bool:
        """Whether the next step belongs to the page that was taken last."""
        ...

    async def step(self, remaining: int | None = None) -> list[T] | None:
        """The next rows, maybe none, or ``None`` at the end.

        ``remaining`` is how many items the consumer still wants, ``None`` for all.
        """
        ...

    def position(self) -> Resume | None:
        """Where another walk can take this one up."""
        ...

    async def close(self, error: type[RybbitError] = RybbitError, reason: str = "over") -> None:
        """Cancel every task and wait until the last of them is over."""
        ...


async def close_all(*closings: Coroutine[Any, Any, None]) -> None:
    """Close one after another; whoever closes may be cancelled, but not out of closing the rest."""
    cancelled: asyncio.CancelledError | None = None
    for closing in closings:
        try:
            await closing
        except asyncio.CancelledError as again:
            cancelled = again
    if cancelled is not None:
        raise cancelled


class Tasks:
    """The tasks of one walk: they end with it, and whoever waits for one learns that it did."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed: RybbitError | None = None

    def start(self, job: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin a task that ends with the walk at the latest."""
        task = asyncio.create_task(job)
        self._tasks.add(task)
        return task

    async def wait(self, *tasks: asyncio.Task[Any]) -> None:
        """Wait until the first of ``tasks`` is over."""
        if not any(task.done() for task in tasks):
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.check_open()

    def result(self, task: asyncio.Task[T]) -> T:
        """The result of a task that is over, which is then let go."""
        self._tasks.discard(task)
        return task.result()

    def check_open(self) -> None:
        """Raise if the walk was closed."""
        if self._closed is not None:
            raise self._closed

    async def close(self, error: RybbitError) -> None:
        """Cancel every task and wait until the last of them is over."""
        self._closed = self._closed or error
        for task in self._tasks:
            task.cancel()
        cancelled: asyncio.CancelledError | None = None
        while pending := [task for task in self._tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as again:
                cancelled = again  # whoever closes may be cancelled, but not out of closing
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # it was looked at: the loop need not complain of it
        self._tasks.clear()
        if cancelled is not None:
            raise cancelled


class _Window(Generic[T]):
    """The pages of one pass that are in flight or buffered, and the order in which they come."""

    def __init__(
        self,
        fetch: Callable[[int], Coroutine[Any, Any, Callable[[], Page[T]]]],
        tasks: Tasks,
        report: Report,
        *,
        size: int,
        concurrency: int,
        ordered: bool,
        expected: int | None,
        alone: bool,
        first: int,
        most: int | None,
    ) -> None:
        self.size = size  # rows on a full page: what was asked for, until the server says less
        self.concurrency = concurrency
        self.first = first
        self._fetch = fetch
        self._tasks = tasks
        self._report = report
        self._ordered = ordered
        self._pages: dict[
            int, asyncio.Task[Callable[[], Page[T]]]
        ] = {}  # in flight or buffered, by number
        self._next = first  # the next page to ask for
        self._most = most  # so many requests may be begun in all
        self._last: int | None = None  # the last page that the list has, once that is known
        self._expected = expected or 0
        self._hinted = -(-self._expected // size)
        self._felt_from = 0  # the page after which the end is felt for
        # Without a hint the first page goes alone, for it may be all that there is; in a list
        # that moves it does so in any case, for all else is measured against its head.
        self._width = concurrency if self._hinted > 1 and not alone else 1

    @property
    def under_way(self) -> int:
        """How many pages are in flight or buffered."""
        return len(self._pages)

    def abandon(self) -> None:
        """Ask for nothing more; what is in flight ends with the walk."""
        for task in self._pages.values():
            task.cancel()
        self._pages.clear()

    @property
    def over(self) -> bool:
        """Whether every page that the list has was taken."""
        return self._last is not None and self._next > self._last and not self._pages

    async def next_page(self, remaining: int | None) -> tuple[int, Page[T]] | None:
        """The next page with its number, or ``None`` at the end; the one before is let go."""
        self._refill(remaining, held=0)
        while self._pages:
            number = await self._arrival()
            page = self._tasks.result(self._pages.pop(number))()
            self._report.pages += 1
            self._learn(number, page)
            # An empty page may tell another total, or be where a walk was to be taken up.
            if page.items or page.meta is not None or number == self.first:
                left = None if remaining is None else remaining - len(page)
                self._refill(left, held=1)
                return number, page
            self._refill(remaining, held=0)
        return None

    def _refill(self, remaining: int | None, held: int) -> None:
        width = min(self._width, self.concurrency) - held
        if remaining is not None:
            width = min(width, -(-remaining // self.size))
        while len(self._pages) < width and self._may_ask():
            self._report.requests += 1
            self._pages[self._next] = self._tasks.start(self._fetch(self._next))
            self._next += 1

    def _may_ask(self) -> bool:
        if self._most is not None and self._report.requests >= self._most:
            return False
        limits = (self._last, self._hinted or None)
        return all(limit is None or self._next <= limit for limit in limits)

    async def _arrival(self) -> int:
        """The number of the page to take next, once it is there."""
        if self._ordered or self.first in self._pages:  # the first page says what a page is
            number = min(self._pages)
            await self._tasks.wait(self._pages[number])
            return number
        await self._tasks.wait(*self._pages.values())
        return next(number for number, task in self._pages.items() if task.done())

    def _learn(self, number: int, page: Page[T]) -> None:
        meta, rows = page.meta, len(page)
        if meta is not None:
            # A server may give smaller pages than it was asked for, and says so.
            self.size = min(self.size, meta.page_size) if meta.page_size > 0 else self.size
            # Two figures for one thing: a walk that believed the larger might never end.
            self._last = max(min(meta.total_pages, -(-meta.total // self.size)), number)
            self._hinted, self._width = 0, self.concurrency
        else:
            if number == self.first and self._may_be_capped(rows):
                # Taken for a full page, until the next one shows what it is.
                self.size = rows
                self._hinted = -(-self._expected // rows)
            if rows < self.size:
                self._last = number if self._last is None else min(self._last, number)
            elif number < self._hinted:
                self._width = self.concurrency
            elif self._hinted:
                # There may be more than the hint said: on from here as if there had been none.
                self._hinted, self._width, self._felt_from = 0, 1, number
            elif number > self._felt_from:
                self._width *= 2
        if self._last is not None:
            for beyond in [n for n in self._pages if n > self._last]:
                self._pages.pop(beyond).cancel()

    def _may_be_capped(self, rows: int) -> bool:
        # Silently, that is. Where the hint has about as many, the page is short and no more: there
        # are a few more rows than sessions, for those who signed in half-way.
        hinted = self._expected <= rows <= self._expected + self._expected // 20 + 2
        return LEAST_CAP <= rows < self.size and not hinted


class ListWalk(Generic[T]):
    """A walk over one list; see ``Walk``."""

    def __init__(
        self,
        source: Source[T],
        report: Report,
        *,
        concurrency: int,
        ordered: bool,
        most: int | None = None,
        resume: Resume | None = None,
    ) -> None:
        self.report = report
        self.meta: PageMeta | None = None
        self._source = source
        self._most_at_once = concurrency
        self._concurrency = concurrency  # now; never more than that
        self._ordered = ordered
        self._most = most
        self._resume = resume
        self._tasks = Tasks()
        self._window: _Window[T] | None = None
        self._how = Pass()  # how the window reads the list
        self._ledger: Ledger[T] | None = None
        self._waiting = 0  # 1 while a step waits for a page that the window still counts

    @property
    def mending(self) -> bool:
        """See ``Walk``."""
        return self._ledger is not None and bool(self._ledger.spans())

    @property
    def load(self) -> int:
        """How many pages are in flight or buffered, that of the step which was last begun, too."""
        return 1 + (0 if self._window is None else self._window.under_way - self._waiting)

    def widen(self, concurrency: int) -> None:
        """From now on, have at most so many pages in flight or buffered."""
        self._concurrency = min(concurrency, self._most_at_once)
        if self._window is not None and not self._how.sequential:
            self._window.concurrency = self._concurrency

    async def step(self, remaining: int | None = None) -> list[T] | None:
        """See ``Walk``."""
        self._tasks.check_open()
        ledger = self._ledger or await self._begin()
        while True:
            window = self._window
            assert window is not None
            if spans := ledger.spans():
                if self._spent():
                    self._stop()
                    return None
                return await self._read_again(spans[0], ledger)
            self._waiting = 1
            got = None if ledger.enough() else await window.next_page(remaining)
            self._waiting = 0
            if got is not None:
                number, page = got
                if number == window.first > 1 and not ledger.lands(
                    page, (number - 1) * window.size
                ):
                    # A resumed list is not what it was: read it from its head.
                    window.abandon()
                    self._window = self._new_window(Pass())
                    continue
                self.meta = page.meta
                fresh = ledger.take(number, page, window.size)
                if window.over:
                    ledger.end_pass()
                return fresh
            if not ledger.enough():
                if not window.over:
                    self._stop()
                    return None
                ledger.end_pass()
                if ledger.spans():
                    continue
            again = ledger.next_pass()
            if again is None:
                return None
            self.report.passes += 1
            self._window = self._new_window(again)

    def _spent(self) -> bool:
        return self._most is not None and self.report.requests >= self._most

    def _stop(self) -> None:
        # The caller asked for it, so this is no doubt to warn of.
        self.report.complete = False
        self.report.note(f"max_pages={self._most} was reached")

    async def _begin(self) -> Ledger[T]:
        resume = self._resume
        self._source = await self._run(self._source.prepare(resume))
        first = 1 if resume is None else resume.rank // self._source.page_size + 1
        self._window = self._new_window(None, first)
        self._ledger = self._source.ledger(self.report, self._most_at_once, resume)
        return self._ledger

    def _new_window(self, again: Pass | None, first: int = 1) -> _Window[T]:
        source = self._source
        how = self._how = again or Pass()
        size = how.size or source.page_size
        return _Window[T](
            lambda number: source.fetch(number, size, how.stable),
            self._tasks,
            self.report,
            size=size,
            concurrency=1 if how.sequential else self._concurrency,
            ordered=self._ordered,
            expected=source.expected if again is None and first == 1 else None,
            alone=source.moves,
            first=first,
            most=self._most,
        )

    async def _read_again(self, span: Span, ledger: Ledger[T]) -> list[T]:
        number, size = covering_page(span.first, span.last)
        self.report.requests += 1
        page = (await self._run(self._source.fetch(number, size, False)))()
        self.report.pages += 1
        return ledger.mend(span, page, (number - 1) * size, size)

    async def _run(self, job: Coroutine[Any, Any, S]) -> S:
        task = self._tasks.start(job)
        await self._tasks.wait(task)
        return self._tasks.result(task)

    def position(self) -> Resume | None:
        """See ``Walk``."""
        at = self._ledger.position() if self._ledger is not None and self._ordered else None
        return None if at is None else Resume(at[0], at[1], self._source.state)

    async def close(self, error: type[RybbitError] = RybbitError, reason: str = "over") -> None:
        """See ``Walk``."""
        await self._tasks.close(error(reason))


def covering_page(first: int, last: int) -> tuple[int, int]:
    """The smallest page that holds the ranks ``first`` to ``last``: its number and its size."""
    size = last - first + 1
    while first // size != last // size:
        size += 1
    return first // size + 1, size
