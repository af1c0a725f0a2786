"""Walking a list page by page. Nothing here knows HTTP.

A walk requests numbered pages from a ``Source`` and keeps at most ``concurrency`` of them in
flight or buffered; the page that the consumer works on counts too. What makes the result complete
is decided by a ``Reconciler``, which follows from the ``Order`` of the list.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from attrs import field, frozen

from ..errors import RybbitError
from ..pages import PageMeta, RawPage, Report
from .options import WalkOptions
from .prefetch import Extent, PrefetchWindow
from .reconcile.positions import invalid_position
from .reconcile.reconciler import (
    CONTINUE,
    Decision,
    Done,
    NewPass,
    ReadAgain,
    ReadPage,
    Reconciler,
    Span,
)
from .tasks import TaskScope

__all__ = [
    "Order",
    "PageRequest",
    "PagedWalk",
    "Position",
    "ResizableWalk",
    "Source",
    "Walk",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@frozen
class PageRequest:
    """A request for one page.

    Attributes:
        number: the number of the page, from 1.
        size: how many rows a full page has.
        stable: whether the order is to be the one in which the list can be made whole, in place of
            the order that the caller wants.
        has_begun: for a page of a walk: whether the walk has had a page. ``None`` for a page that
            someone asks for by itself and waits for.
        count: called for each further request that the page takes.
    """

    number: int
    size: int
    stable: bool = False
    has_begun: Callable[[], bool] | None = field(default=None, eq=False)
    count: Callable[[], None] = field(default=lambda: None, eq=False)


@frozen
class Position:
    """Where a walk can go on from another one.

    Attributes:
        strategy: what the strategy needs for that, as JSON. The strategy checks it.
        source: the state of the source, see ``Source.state``.
    """

    strategy: Mapping[str, Any]
    source: Mapping[str, str]


class Source(Protocol[T_co]):
    """A list that is read by numbered pages, and what is known of it beforehand."""

    @property
    def page_size(self) -> int:
        """How many rows to request per page."""
        ...

    @property
    def expected(self) -> int | None:
        """How many rows the list may have, if anything is known of that. It may be wrong."""
        ...

    @property
    def settled(self) -> bool:
        """Whether nothing in the list can change any more; known once the source is prepared."""
        ...

    @property
    def lateness(self) -> timedelta:
        """How far back from the head of a list that is not settled rows may appear and move to."""
        ...

    @property
    def state(self) -> Mapping[str, str]:
        """What ``prepare`` needs in order to prepare a source for the same list once more."""
        ...

    @property
    def note(self) -> str | None:
        """What the report of a walk should say of the list, once the source is prepared."""
        ...

    @property
    def doubt(self) -> str | None:
        """Why rows may be missing although every page was read; known when the walk ends."""
        ...

    async def prepare(self, state: Mapping[str, str] | None) -> Source[T_co]:
        """A source for one walk, with everything found out that has to be known beforehand.

        Args:
            state: the ``state`` of the source of the walk to go on from, if there is one.
        """
        ...

    async def fetch(self, request: PageRequest) -> RawPage[T_co]:
        """Request one page."""
        ...


class Order(ABC, Generic[T]):
    """How a server sorts a list."""

    @abstractmethod
    def reconciler(
        self, source: Source[T], report: Report, options: WalkOptions, position: Position | None
    ) -> Reconciler[T]:
        """The strategy for one walk; ``position`` is where the walk goes on, if it does."""

    def start(self, position: Position) -> int:
        """The rank, from 0, at which a walk goes on.

        Raises:
            InvalidParameterError: no walk over a list in this order has such a position.
        """
        raise invalid_position()

    def repeats(self, position: Position) -> str | None:
        """Why a walk that goes on there may give rows that came before; ``None`` if it does not."""
        return None


class Walk(Protocol[T]):
    """One walk of one consumer."""

    @property
    def report(self) -> Report:
        """What the walk has done so far."""
        ...

    @property
    def meta(self) -> PageMeta | None:
        """The totals that came with the last page."""
        ...

    @property
    def page_incomplete(self) -> bool:
        """Whether the next step may give further rows that belong to the last page."""
        ...

    @property
    def repeats(self) -> str | None:
        """Why rows may come that an earlier walk gave, if this one goes on from its position."""
        ...

    async def step(self, remaining: int | None = None) -> list[T] | None:
        """The next rows, possibly none of them, or ``None`` at the end.

        Args:
            remaining: how many items the consumer still wants; ``None`` for all of them.
        """
        ...

    def position(self) -> Position | None:
        """Where another walk can go on after the last page, if it can."""
        ...

    async def close(
        self, error: type[RybbitError] = RybbitError, reason: str = "the walk has ended"
    ) -> None:
        """Cancel every task and wait until all of them are done; a further step raises an error."""
        ...


class ResizableWalk(Walk[T], Protocol[T]):
    """A walk that shares the pages that may be in flight with other walks."""

    @property
    def stopped(self) -> bool:
        """Whether it has ended before the end of the list, since no further request is allowed."""
        ...

    @property
    def load(self) -> int:
        """How many pages are in flight or buffered, including that of the step in progress."""
        ...

    def resize(self, concurrency: int) -> None:
        """Have at most so many pages in flight or buffered from now on."""
        ...


class PagedWalk(Generic[T]):
    """A walk over one list by numbered pages; see ``Walk`` and ``ResizableWalk``.

    Args:
        source: the list, which is prepared when the walk starts.
        order: how the list is sorted.
        report: where the walk says what it does.
        options: ``limit`` and ``strict`` are left to the consumer.
        position: where to go on from an earlier walk.

    Raises:
        InvalidParameterError: ``position`` is not one of a list in that order.
    """

    def __init__(
        self,
        source: Source[T],
        order: Order[T],
        report: Report,
        options: WalkOptions,
        position: Position | None = None,
    ) -> None:
        self.report = report
        self.meta: PageMeta | None = None
        self.stopped = False
        self._source = source
        self._order = order
        self._options = options
        self._position = position
        self._rank = 0 if position is None else order.start(position)
        self.repeats = None if position is None else order.repeats(position)
        self._concurrency = options.concurrency  # at present; never more than the option
        self._tasks = TaskScope()
        self._has_begun = None if options.is_call else lambda: report.pages > 0
        self._pass: _Pass[T] | None = None
        self._decision: Decision[T] = CONTINUE
        self._waiting = 0  # 1 while a step waits for a page that the window still counts

    @property
    def page_incomplete(self) -> bool:
        """See ``Walk``."""
        return isinstance(self._decision, ReadAgain)

    @property
    def load(self) -> int:
        """See ``ResizableWalk``."""
        return 1 + (0 if self._pass is None else self._pass.window.in_use - self._waiting)

    @property
    def reach(self) -> int:
        """How many pages it could have in flight or buffered, as far as its list is known."""
        return 1 if self._pass is None else self._pass.window.reach + 1 - self._waiting

    def resize(self, concurrency: int) -> None:
        """See ``ResizableWalk``."""
        self._concurrency = min(concurrency, self._options.concurrency)
        if self._pass is not None and not self._pass.sequential:
            self._pass.window.concurrency = self._concurrency

    async def step(self, remaining: int | None = None) -> list[T] | None:
        """See ``Walk``."""
        self._tasks.check_open()
        current = self._pass or await self._begin()
        while True:
            decision = self._decision
            if isinstance(decision, Done):
                self._finish(decision)
                return None
            if isinstance(decision, NewPass):
                current = self._begin_pass(decision)
                continue
            if isinstance(decision, ReadAgain):
                if self._no_more_requests():
                    self._stop()
                    return None
                return self._take(current, await self._read_again(decision.span, current.stable))
            page = await self._next_page(current, remaining)
            if page is not None:
                return self._take(current, page)
            if not current.window.at_end:
                self._stop()
                return None
            self._decision = current.reconciler.decide(at_end=True)

    def position(self) -> Position | None:
        """See ``Walk``."""
        if self._pass is None or not self._options.ordered:
            return None
        strategy = self._pass.reconciler.position()
        return None if strategy is None else Position(strategy, self._source.state)

    async def close(
        self, error: type[RybbitError] = RybbitError, reason: str = "the walk has ended"
    ) -> None:
        """See ``Walk``."""
        await self._tasks.close(error(reason))

    # --- passes -------------------------------------------------------------------------------

    async def _begin(self) -> _Pass[T]:
        position = self._position
        self._source = source = await self._tasks.run(
            self._source.prepare(None if position is None else position.source)
        )
        for note in (self.repeats, source.note):
            if note is not None:
                self.report.note(note)
        reconciler = self._order.reconciler(source, self.report, self._options, position)
        first = self._rank // source.page_size + 1
        expected = source.expected if first == 1 else None
        begin = NewPass(reconciler, sequential=reconciler.sequential)
        self._pass = self._new_pass(begin, first, expected)
        return self._pass

    def _begin_pass(self, decision: NewPass[T]) -> _Pass[T]:
        if self._pass is not None:
            self._pass.window.abandon()
        self.report.passes += decision.counts
        self._pass = self._new_pass(decision)
        self._decision = CONTINUE
        return self._pass

    def _new_pass(
        self, decision: NewPass[T], first: int = 1, expected: int | None = None
    ) -> _Pass[T]:
        source = self._source
        size = decision.size or source.page_size
        concurrency = 1 if decision.sequential else self._concurrency
        # The first page of a list that changes is read alone: the others are compared with it.
        width = concurrency if source.settled else 1
        window = PrefetchWindow(
            lambda number: source.fetch(
                PageRequest(number, size, decision.stable, self._has_begun, self._count)
            ),
            Extent(size, first, expected, width, thrifty=self._options.thrifty),
            self._tasks,
            self.report,
            concurrency=concurrency,
            ordered=self._options.ordered,
            first=first,
            max_requests=self._options.max_pages,
        )
        return _Pass(decision.reconciler, window, decision.sequential, decision.stable)

    # --- pages --------------------------------------------------------------------------------

    async def _next_page(self, current: _Pass[T], remaining: int | None) -> ReadPage[T] | None:
        self._waiting = 1
        arrived = await current.window.next_page(remaining)
        self._waiting = 0
        if arrived is None:
            return None
        number, page = arrived
        self.meta = page.meta
        for skipped in page.skipped:
            self.report.skip(skipped, str(skipped.error))
        return ReadPage(page, number, current.window.size)

    async def _read_again(self, span: Span, stable: bool) -> ReadPage[T]:
        request = _covering_page(span, stable, self._has_begun)
        self.report.requests += 1
        raw = await self._tasks.run(self._source.fetch(request))
        page = raw.decode()
        self.report.pages += 1
        return ReadPage(page, request.number, request.size, span)

    def _take(self, current: _Pass[T], page: ReadPage[T]) -> list[T]:
        rows = current.reconciler.take(page)
        self._decision = current.reconciler.decide(at_end=current.window.at_end)
        return rows

    def _count(self) -> None:
        self.report.requests += 1

    # --- ends ---------------------------------------------------------------------------------

    def _no_more_requests(self) -> bool:
        return self._options.has_had_all_requests(self.report)

    def _stop(self) -> None:
        self.stopped = True
        self._options.note_stop(self.report)

    def _finish(self, decision: Done) -> None:
        if decision.note is not None:
            self.report.note(decision.note)
        for doubt in (decision.doubt, self._source.doubt):
            if doubt is not None:
                self.report.doubt(doubt)


@frozen(eq=False)
class _Pass(Generic[T]):
    """One pass over the list: what takes its pages, and where they come from."""

    reconciler: Reconciler[T]
    window: PrefetchWindow[T]
    sequential: bool
    stable: bool


def _covering_page(span: Span, stable: bool, has_begun: Callable[[], bool] | None) -> PageRequest:
    """The request for the smallest page that holds all ranks of a span."""
    size = span.last - span.first + 1
    while span.first // size != span.last // size:
        size += 1
    return PageRequest(span.first // size + 1, size, stable, has_begun)
