"""Lists in an order in which many rows tie, such as a count.

A server that sorts by a count alone puts rows with the same count in another order on each page,
and in such lists nearly all rows tie. So after its first page, the list is read in pages that are
as large as it is, where that can be: a page is one moment, and holds each row once. A longer list
is read a second time, in another order that can be made whole, if it has one. What fell between two
pages of the first order is found there, and comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from attrs import define, evolve, field

from ...pages import Report
from .fingerprints import Fingerprints
from .reconciler import (
    CONTINUE,
    MAX_PASSES,
    Decision,
    Done,
    NewPass,
    ReadPage,
    Reconciler,
    repeated_pages,
    wrong_total,
)

__all__ = ["RankedHead", "RankedWalk"]

T = TypeVar("T")

_SHUFFLED: Final = (
    "the server sorts rows that tie in another way on each page, so some may be missing"
)


@define(eq=False)
class RankedWalk(Generic[T]):
    """What stays the same in all passes of one walk.

    Attributes:
        identity: what tells rows apart.
        settled: whether nothing in the list can change any more.
        page_size: how many rows are requested for the first page.
        largest_page: how many rows to request per page at most after that.
        completion: makes what takes the pages of an order that can be made whole; ``None`` where
            the list has no such order.
        seen: every row that was given.
        late: how many rows came last, since they fell between two pages.
    """

    report: Report
    identity: Callable[[T], Hashable]
    settled: bool
    page_size: int
    largest_page: int
    completion: Callable[[], Reconciler[T]] | None = None
    seen: Fingerprints[T] = field(init=False)
    late: int = 0

    def __attrs_post_init__(self) -> None:
        self.seen = Fingerprints(self.identity)

    def next_size(self, totals: set[int]) -> int:
        """How many rows to request in order to read the list with one page."""
        if not totals:
            return max(self.page_size, self.largest_page)
        # Further rows may appear in the meantime.
        rows = max(totals) + max(totals) // 10 + 10
        return max(self.page_size, min(rows, self.largest_page))

    def one_page(self, totals: set[int], rows: int) -> Done:
        """The end of a walk over a list that came on one page."""
        is_wrong = bool(totals) and totals != {rows}
        return self.done(wrong_total(totals, rows) if is_wrong else None)

    def done(self, doubt: str | None = None) -> Done:
        """The end of the walk, which says how many rows came out of order."""
        if not self.late:
            return Done(doubt=doubt)
        rows = "1 row" if self.late == 1 else f"{self.late} rows"
        note = f"{rows} came last, out of order: the server sorts rows that tie in any order"
        return Done(note, doubt)


class RankedHead(Reconciler[T], Generic[T]):
    """The first page of such a list, which is all that many callers want."""

    sequential = True

    def __init__(self, walk: RankedWalk[T]) -> None:
        self._walk = walk
        self._totals: set[int] = set()

    def take(self, page: ReadPage[T]) -> list[T]:
        """See ``Reconciler``."""
        if page.page.meta is not None:
            self._totals.add(page.page.meta.total)
        fresh = self._walk.seen.unseen_on(page.rows)
        self._walk.report.duplicates += len(page.rows) - len(fresh)
        return fresh

    def decide(self, *, at_end: bool) -> Decision[T]:
        """See ``Reconciler``."""
        walk, totals = self._walk, self._totals
        if at_end:
            return walk.one_page(totals, len(walk.seen))
        return NewPass(_RankedPass(walk, 1), sequential=True, size=walk.next_size(totals))


class _RankedPass(Reconciler[T], Generic[T]):
    """One pass over all of the list, in the order that the caller wants.

    Args:
        number: which of these passes it is, counted from 1.
    """

    def __init__(self, walk: RankedWalk[T], number: int) -> None:
        self._walk = walk
        self._number = number
        self._keys = Fingerprints(walk.identity)
        self._pages = 0  # that had rows
        self._rows = 0  # those that came twice counted twice
        self._totals: set[int] = set()
        self._added = 0

    def take(self, page: ReadPage[T]) -> list[T]:
        """See ``Reconciler``."""
        walk, rows = self._walk, page.rows
        if page.page.meta is not None:
            self._totals.add(page.page.meta.total)
        self._pages += bool(rows)
        self._rows += len(rows)
        walk.report.duplicates += len(rows) - len(self._keys.unseen_on(rows))
        fresh = walk.seen.unseen_on(rows)
        self._added += len(fresh)
        walk.late += len(fresh) if self._number > 1 else 0
        # Pages may bring nothing new for long, but a list of that size ends at some point.
        if self._rows > 10 * (len(self._keys) + page.size):
            raise repeated_pages()
        return fresh

    def decide(self, *, at_end: bool) -> Decision[T]:
        """See ``Reconciler``."""
        if not at_end:
            return CONTINUE
        walk, totals, rows = self._walk, self._totals, len(self._keys)
        if self._pages <= 1:
            return walk.one_page(totals, rows)
        if totals == {rows} and (walk.settled or walk.completion is None):
            return walk.done()
        size = walk.next_size(totals)
        if walk.completion is not None:
            last = _Completion(walk, walk.completion())
            return NewPass(last, stable=True, sequential=True, size=size)
        # Without a total, nothing says when all rows have come.
        in_vain = not totals and self._number > 1 and not self._added
        if in_vain or self._number == MAX_PASSES:
            return walk.done(_SHUFFLED)
        # Pages of another size have rows that tie in another order.
        further, size = _RankedPass(walk, self._number + 1), max(1, size - self._number)
        return NewPass(further, sequential=True, size=size)


class _Completion(Reconciler[T], Generic[T]):
    """A pass in another order, whose own reconciler makes it whole: what was missing comes last."""

    def __init__(self, walk: RankedWalk[T], inner: Reconciler[T]) -> None:
        self._walk = walk
        self._inner = inner

    def take(self, page: ReadPage[T]) -> list[T]:
        """See ``Reconciler``."""
        fresh = self._walk.seen.unseen(self._inner.take(page))
        self._walk.late += len(fresh)
        return fresh

    def decide(self, *, at_end: bool) -> Decision[T]:
        """See ``Reconciler``."""
        decision = self._inner.decide(at_end=at_end)
        if isinstance(decision, NewPass):
            further = _Completion(self._walk, decision.reconciler)
            return evolve(decision, reconciler=further, stable=True)
        if isinstance(decision, Done):
            return self._walk.done(decision.doubt)
        return decision
