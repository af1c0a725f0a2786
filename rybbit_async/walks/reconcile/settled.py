"""Lists sorted by time in which nothing can change any more."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from ...pages import Report
from .fingerprints import Fingerprints
from .positions import EarlierWalk, time_position
from .reconciler import (
    CONTINUE,
    Decision,
    Done,
    LoopGuard,
    ReadAgain,
    ReadPage,
    Reconciler,
    wrong_total,
)
from .tie_groups import IncompleteGroups, TieGroup, TieGroups

__all__ = ["SettledTimeline"]

T = TypeVar("T")


class SettledTimeline(Reconciler[T], Generic[T]):
    """For a list that is sorted by a falling time and in which nothing moves.

    Only the rows of one time that lie on both sides of an edge between two pages can be wrong.
    All others are given as they come, without a look at them. A group that turns out to be
    incomplete is read again, with one request for a page that holds all of it.

    If the server tells a total, it is compared with the rows that came.

    Args:
        key: the time of a row; ``None`` if it has none.
        identity: what tells rows of one time apart.
        concurrency: how many pages are read at once.
        earlier: what the walks gave that a resumed one goes on from.
        start: the rank at which a group of equal times is known to begin.
    """

    def __init__(
        self,
        report: Report,
        key: Callable[[T], datetime | None],
        identity: Callable[[T], Hashable],
        *,
        concurrency: int,
        earlier: EarlierWalk[T] | None = None,
        start: int = 0,
    ) -> None:
        self._report = report
        self._key = key
        self._identity = identity
        self._concurrency = concurrency
        self._earlier = earlier
        self._ties = TieGroups(key, identity, settled=True, start=start)
        self._incomplete = IncompleteGroups(report, key, identity, _shows_all)
        self._guard = LoopGuard(concurrency)
        self._tail: TieGroup | None = None  # the group that the last page ended in
        self._untimed: Fingerprints[T] | None = None  # every row since the first without a time
        self._totals: set[int] = set()
        self._skipped: int | None = None  # rows before the first page that was read
        self._rows = 0  # rows that came, each counted once

    def take(self, page: ReadPage[T]) -> list[T]:
        """See ``Reconciler``."""
        if self._skipped is None:
            self._skipped = page.first
        fresh = self._fresh(page) if page.span is None else self._repair(page)
        self._rows += len(fresh)
        earlier = self._earlier
        return fresh if earlier is None else [row for row in fresh if not earlier.gave(row)]

    def _fresh(self, page: ReadPage[T]) -> list[T]:
        rows, meta = page.rows, page.page.meta
        if meta is not None:
            self._totals.add(meta.total)
        if not rows:
            return []
        # Not every row is looked at, since that would take time.
        if self._key(rows[0]) is None or self._key(rows[-1]) is None:
            fresh = self._untimed_rows().unseen(rows)
        else:
            repeated = self._ties.take(page)
            self._tail = self._ties.open_group(self._key(rows[-1]))  # kept when the list ends
            fresh = list(rows)
            if repeated:
                fresh = [row for index, row in enumerate(rows) if index not in repeated]
            if self._untimed is not None:
                fresh = self._untimed.unseen(fresh)
        self._report.duplicates += len(rows) - len(fresh)
        # Times fall from page to page, or the groups raise an error. So there can be a loop only
        # among rows of one time, and among rows without any.
        only_repeats = self._ties.only_repeats(page, self._concurrency)
        if only_repeats is None:
            only_repeats = self._untimed is not None and not fresh
        self._guard.check(nothing_new=only_repeats)
        return fresh

    def _untimed_rows(self) -> Fingerprints[T]:
        if self._untimed is None:
            self._untimed = Fingerprints(self._identity)
        return self._untimed

    def _repair(self, page: ReadPage[T]) -> list[T]:
        missing = self._incomplete.repair(page)
        return missing if self._untimed is None else self._untimed.unseen(missing)

    def decide(self, *, at_end: bool) -> Decision[T]:
        """See ``Reconciler``."""
        if at_end:
            self._ties.finish()
        self._incomplete.add(self._ties.pop_incomplete())
        span = self._incomplete.next_span()
        if span is not None:
            return ReadAgain(span)
        return Done(doubt=self._wrong_total()) if at_end else CONTINUE

    def _wrong_total(self) -> str | None:
        """What is wrong with the server's totals, if anything is."""
        rows = (self._skipped or 0) + self._rows
        totals = self._totals - {rows}
        return wrong_total(totals, rows) if totals else None

    def position(self) -> Mapping[str, Any] | None:
        """The first row of the group of equal times that the last page ended in."""
        return None if self._tail is None else time_position(self._tail, self._earlier, None)


def _shows_all(group: TieGroup, page: ReadPage[T], found: list[int]) -> bool:
    # The ranks of the group are where they were.
    return found == list(range(group.first - page.first, group.last - page.first + 1))
