"""Groups of rows with equal times that touch the edge of a page, and how to complete them.

A server that sorts by time alone puts the rows of one time in another order on each page. Every
place in the list still has the time that it should have. So only a group that lies on both sides
of an edge between two pages can be incomplete: some of its rows come twice, and others not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from attrs import define, field

from ...pages import Report
from .reconciler import ReadPage, Span, repeated_pages

__all__ = ["IncompleteGroups", "TieGroup", "TieGroups"]

T = TypeVar("T")


@define
class TieGroup:
    """Rows of one time that touch the edge of a page: how many came, and at which ranks.

    Attributes:
        first, last: the lowest and the highest rank at which rows of the group were found.
        rows: how many rows came, those that came twice counted twice.
        seen: the identities of the rows that came.
        begun: whether the row before ``first`` is known to have another time.
        ended: whether the row after ``last`` is known to have another time.
    """

    time: datetime
    first: int
    last: int
    rows: int = 0
    seen: set[Hashable] = field(factory=set[Hashable])
    begun: bool = False
    ended: bool = False

    @property
    def is_read(self) -> bool:
        """Whether every place of the group has been read."""
        return self.begun and self.ended and self.rows == self.last - self.first + 1

    @property
    def is_incomplete(self) -> bool:
        """Whether rows are missing: some came twice, in the places of others."""
        return len(self.seen) < self.rows


class TieGroups(Generic[T]):
    """The groups at the edges of the pages of one pass, in whatever order the pages arrive.

    Args:
        key: the time of a row.
        identity: what tells rows of one time apart.
        settled: whether times can only fall from page to page, since nothing moves.
        start: the rank at which a group is known to begin.
    """

    def __init__(
        self,
        key: Callable[[T], datetime | None],
        identity: Callable[[T], Hashable],
        *,
        settled: bool,
        start: int,
    ) -> None:
        self._key: Callable[[T], Any] = key  # rows without a time do not get here
        self._identity = identity
        self._settled = settled
        self._start = start
        self._groups: dict[datetime, TieGroup] = {}
        self._firsts: dict[int, datetime] = {}  # by page, while the page before it is missing
        self._lasts: dict[int, datetime] = {}  # by page, while the page after it is missing
        self._incomplete: list[TieGroup] = []

    def take(self, page: ReadPage[T]) -> set[int]:
        """The indices of the rows that their group had already."""
        key, rows, number, base = self._key, page.rows, page.number, page.first
        first, last = key(rows[0]), key(rows[-1])
        head, tail = 1, len(rows) - 1
        while head < len(rows) and key(rows[head]) == first:
            head += 1
        while tail > head and key(rows[tail - 1]) == last:
            tail -= 1
        begins = base == self._start
        before = self._lasts.pop(number - 1, None)
        if before is None:
            self._firsts[number] = first
        elif self._differ(before, first):
            # Closed at once: rows that move may bring the same time again, as another group.
            self._end(before)
            begins = True
        repeated = self._add(rows, 0, head, base)
        self._groups[first].begun |= begins
        if head < len(rows):
            self._end(first)
            repeated |= self._add(rows, tail, len(rows), base)
            self._groups[last].begun = True
        after = self._firsts.pop(number + 1, None)
        if after is None:
            self._lasts[number] = last
        elif self._differ(last, after):
            self._end(last)
            if after in self._groups:
                self._groups[after].begun = True
                self._close(after)
        self._close(first)
        self._close(last)
        return repeated

    def finish(self) -> None:
        """Close every group: the list is at its end."""
        self._incomplete += [group for group in self._groups.values() if group.is_incomplete]
        self._groups.clear()

    def pop_incomplete(self) -> list[TieGroup]:
        """The groups that were found to be incomplete since this was last asked."""
        groups, self._incomplete = self._incomplete, []
        return groups

    def open_group(self, time: datetime | None) -> TieGroup | None:
        """The group of ``time``, if more of its rows may come."""
        return None if time is None else self._groups.get(time)

    def only_repeats(self, page: ReadPage[T], concurrency: int) -> bool | None:
        """Whether the group that a page ends in has stopped to bring new rows.

        ``None`` if the page has more than rows of that group, or is its first. Pages of a large
        group repeat many rows, in any order, but a group of that size ends at some point.
        """
        group = self.open_group(self._key(page.rows[-1]))
        if group is None or group.rows <= len(page.rows):
            return None
        return group.rows > 10 * len(group.seen) + concurrency * page.size

    def _add(self, rows: Sequence[T], start: int, stop: int, base: int) -> set[int]:
        time = self._key(rows[start])
        group = self._groups.setdefault(time, TieGroup(time, base + start, base + stop - 1))
        group.first = min(group.first, base + start)
        group.last = max(group.last, base + stop - 1)
        group.rows += stop - start
        repeated: set[int] = set()
        for index in range(start, stop):
            identity = self._identity(rows[index])
            if identity in group.seen:
                repeated.add(index)
            group.seen.add(identity)
        return repeated

    def _differ(self, before: datetime, after: datetime) -> bool:
        """Whether one group ends and another begins at the edge between two pages."""
        if after > before and self._settled:
            raise repeated_pages()
        return before != after

    def _end(self, time: datetime) -> None:
        if time in self._groups:
            self._groups[time].ended = True
            self._close(time)

    def _close(self, time: datetime) -> None:
        group = self._groups.get(time)
        if group is not None and group.is_read:
            del self._groups[time]
            if group.is_incomplete:
                self._incomplete.append(group)


class IncompleteGroups(Generic[T]):
    """The groups that are incomplete, and the part of the list to read again for each.

    Args:
        shows_all: whether a page shows every row of a group, given the indices of its rows there.
    """

    def __init__(
        self,
        report: Report,
        key: Callable[[T], datetime | None],
        identity: Callable[[T], Hashable],
        shows_all: Callable[[TieGroup, ReadPage[T], list[int]], bool],
    ) -> None:
        self._report = report
        self._key = key
        self._identity = identity
        self._shows_all = shows_all
        self._groups: dict[Span, TieGroup] = {}

    def add(self, groups: Sequence[TieGroup]) -> None:
        """Take in further groups."""
        for group in groups:
            self._groups[Span(group.first, group.last)] = group

    def next_span(self) -> Span | None:
        """The next part of the list that is to be read again."""
        return next(iter(self._groups), None)

    def repair(self, page: ReadPage[T]) -> list[T]:
        """The missing rows of a group, from the page that was read again for its span.

        If the page does not show the whole group, a wider span takes the place of this one.
        """
        assert page.span is not None
        group = self._groups.pop(page.span)
        rows = page.rows
        found = [index for index, row in enumerate(rows) if self._key(row) == group.time]
        if len(rows) <= group.last - page.first:
            self._report.doubt("the server sends no page that holds all rows of one time")
        elif not self._shows_all(group, page, found):
            self._widen(page.span, group)
        missing = [rows[index] for index in found if self._identity(rows[index]) not in group.seen]
        group.seen.update(self._identity(row) for row in missing)
        return missing

    def _widen(self, span: Span, group: TieGroup) -> None:
        rows = span.last - span.first + 1
        if rows - 1 > 64 * (group.last - group.first + 1):
            self._report.doubt("rows of one time moved each time they were read again")
            return
        margin = max(rows, 2)
        self._groups[Span(max(0, span.first - margin), span.last + margin)] = group
