"""Lists sorted by time whose rows have no identity, read by numbered pages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from attrs import define

from ...pages import Report
from .reconciler import (
    CONTINUE,
    Decision,
    Done,
    ReadAgain,
    ReadPage,
    Reconciler,
    Span,
    repeated_pages,
    wrong_total,
)

__all__ = ["UnnamedTimeline"]

T = TypeVar("T")


@define(eq=False)
class _Group(Generic[T]):
    """Rows of one time that follow one another.

    Attributes:
        first, last: the ranks of the first and of the last of them that was seen.
        rows: as they are given; empty while rows may be missing.
        pages: the numbers of the pages that they are on.
        is_closed: whether the rows on both sides of them are known to be of other times.
        is_whole: whether ``rows`` are all rows of this time.
    """

    time: datetime
    first: int
    last: int
    rows: list[T]
    pages: set[int]
    is_closed: bool = False
    is_whole: bool = False


class UnnamedTimeline(Reconciler[T], Generic[T]):
    """For a list that is sorted by a falling time, to which rows are only ever added.

    Its rows have no identity: two that are equal are two rows.

    While every page tells the same total, no row was added, and so none has moved.

    Rows of one time come in another order on each page. So those that lie on both sides of an edge
    between two pages are read again, with one request for a page that holds all of them, and are
    taken from there alone.

    Args:
        key: the time of a row.
        start: the rank of the first row that is given; a group of equal times begins there.
        total: how many rows the list had in an earlier walk, for one that goes on from there.
        holds: whether a row is wanted.
    """

    def __init__(
        self,
        report: Report,
        key: Callable[[T], datetime],
        start: int = 0,
        total: int | None = None,
        holds: Callable[[T], bool] | None = None,
    ) -> None:
        self._report = report
        self._key = key
        self._start = start
        self._holds = holds
        self._given = start  # the rank after the last row that was given in order
        self._queue: deque[_Group[T]] = deque()  # not given yet, in the order of the pages
        self._taken: dict[int, Span] = {}  # the pages that were read, and the ranks on them
        self._first: int | None = None  # the number of the first page
        self._totals: set[int] = set() if total is None else {total}
        self._rows = start
        self._spans: dict[Span, _Group[T]] = {}

    def take(self, page: ReadPage[T]) -> list[T]:
        """See ``Reconciler``."""
        if page.page.meta is not None:
            self._totals.add(page.page.meta.total)
        if page.span is not None:
            self._repair(page, page.span)
            return self._ready()
        if self._first is None:
            self._first = page.number
        self._taken[page.number] = Span(page.first, page.first + len(page.rows) - 1)
        self._group(page)
        for group in self._queue:
            group.is_closed = group.is_closed or self._is_closed(group)
            group.is_whole = group.is_whole or (group.is_closed and len(group.pages) == 1)
        return self._ready()

    def _group(self, page: ReadPage[T]) -> None:
        """Put the rows of a page into groups, those at its edges into groups that are known."""
        groups: list[_Group[T]] = []
        for index, row in enumerate(page.rows):
            time, rank = self._key(row), page.first + index
            if rank < self._start:
                continue
            if groups and groups[-1].time == time:
                groups[-1].rows.append(row)
                groups[-1].last = rank
            else:
                if groups and time > groups[-1].time:
                    raise repeated_pages()
                groups.append(_Group(time, rank, rank, [row], {page.number}))
        for index, group in enumerate(groups):
            known = None
            if index in (0, len(groups) - 1):
                known = next((one for one in self._queue if one.time == group.time), None)
            if known is None:
                group.is_whole = 0 < index < len(groups) - 1
                self._queue.append(group)
            else:
                known.first, known.last = min(known.first, group.first), max(known.last, group.last)
                known.pages |= group.pages
                known.rows = []

    def _ready(self) -> list[T]:
        """The rows that can be given: those before the first group that is not whole."""
        rows: list[T] = []
        while self._queue and self._queue[0].is_whole:
            group = self._queue.popleft()
            rows += group.rows
            self._given = group.last + 1
        self._rows += len(rows)
        return rows if self._holds is None else [row for row in rows if self._holds(row)]

    def _repair(self, page: ReadPage[T], span: Span) -> None:
        group = self._spans.pop(span)
        group.rows = [row for row in page.rows if self._key(row) == group.time]
        group.is_whole = True
        if len(group.rows) != group.last - group.first + 1:
            self._report.doubt("rows of one time moved while they were read")

    def decide(self, *, at_end: bool) -> Decision[T]:
        """See ``Reconciler``."""
        for group in self._queue:
            if not group.is_whole and (group.is_closed or at_end):
                span = Span(group.first, group.last)
                self._spans[span] = group
                return ReadAgain(span)
        return Done(doubt=self._wrong_total()) if at_end else CONTINUE

    def _is_closed(self, group: _Group[T]) -> bool:
        first, last = min(group.pages), max(group.pages)
        at_start = first == self._first or first - 1 in self._taken
        at_end = group.last + 1 in self._totals or last + 1 in self._taken
        return (at_start or group.first > self._taken[first].first) and (
            at_end or group.last < self._taken[last].last
        )

    def _wrong_total(self) -> str | None:
        totals = self._totals - {self._rows}
        return wrong_total(totals, self._rows) if totals else None

    def position(self) -> Mapping[str, Any] | None:
        """The rank of the first row that was not given, and how many rows the list has."""
        return {"rank": self._given, "total": max(self._totals, default=None)}
