"""Lists sorted by time in which rows move while they are read.

A session that gains an event moves up its list and pushes the others on: to the head, or some
seconds below it, since events are stored late. How late they may be is the *lateness*. So every
row is remembered, and after the first pass over the whole list its head is read again: from the
newest row to the first one that is older than the head was, less the lateness, before the pass.
Whatever moved during the pass is above that row, and everything below is where it was.

The head is read again with one request where that can be, since a page is one moment: nothing can
move while it is read. If it takes several pages, it is read once more until nothing has moved.

If rows moved while several pages were in flight, a later page may have been answered before an
earlier one, and a row may have slipped from the one to the other in between. That leaves no
trace, so the list is then swept once: read to its end, page after page, in large pages. Rows that
vanish pull the others up, past a page that was read before. A list that tells its total shows that,
and is swept for each pass in which its total fell.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from attrs import define, field

from ...pages import PageMeta, Report
from .fingerprints import Fingerprints, row_mark
from .positions import EarlierWalk, Head, time_position
from .reconciler import (
    CONTINUE,
    MAX_PASSES,
    Decision,
    Done,
    LoopGuard,
    NewPass,
    ReadAgain,
    ReadPage,
    Reconciler,
    wrong_total,
)
from .tie_groups import IncompleteGroups, TieGroup, TieGroups

__all__ = ["LiveTimeline", "LiveWalk"]

T = TypeVar("T")

# The head of a list is read again in pages of at least and at most so many rows, unless the pages
# of the walk are larger.
MIN_HEAD: Final = 100
MAX_HEAD: Final = 10_000


@define(eq=False)
class LiveWalk(Generic[T]):
    """What stays the same in all passes of one walk.

    Attributes:
        key: the time of a row; ``None`` if it has none.
        identity: what tells rows apart.
        page_size: how many rows are requested per page.
        concurrency: how many pages are read at once in the first pass.
        lateness: how far below the head rows may appear, and move to.
        earlier: what the walks gave that a resumed one goes on from.
        seen: every row that came so far.
        total: how many rows the list has, as the server said last, if it says so.
        shrunk: whether the total fell since the list was last begun to be read to its end.
    """

    report: Report
    key: Callable[[T], datetime | None]
    identity: Callable[[T], Hashable]
    page_size: int
    concurrency: int
    lateness: timedelta
    earlier: EarlierWalk[T] | None = None
    seen: Fingerprints[T] = field(init=False)
    total: int | None = None
    shrunk: bool = False

    def __attrs_post_init__(self) -> None:
        self.seen = Fingerprints(self.identity)

    def learn(self, meta: PageMeta | None) -> None:
        """Take the total of a page into account."""
        if meta is not None:
            self.shrunk = self.shrunk or (self.total is not None and meta.total < self.total)
            self.total = meta.total

    def finish(self) -> Done:
        """The end of the walk, with what its total shows."""
        # Rows that vanished were seen, so there may be more of them than the total.
        if self.total is None or self.earlier is not None or self.total <= len(self.seen):
            return Done()
        return Done(doubt=wrong_total([self.total], len(self.seen)))

    def unseen(self, rows: Sequence[T]) -> list[T]:
        """The rows that were not seen before, neither by this walk nor by the ones before it."""
        earlier = self.earlier
        if earlier is not None:
            rows = [row for row in rows if not earlier.gave(row)]
        return self.seen.unseen(rows)

    def shows_all(self, group: TieGroup, page: ReadPage[T], _: list[int]) -> bool:
        """Whether a page shows every row of a group, wherever the group is now."""
        # Rows of other times are on both sides of the group, or the list begins or ends there. It
        # may be that all of its rows have moved on.
        first, last = self.key(page.rows[0]), self.key(page.rows[-1])
        return (page.first == 0 or first is None or first > group.time) and (
            len(page.rows) < page.size or last is None or last < group.time
        )

    def marks_since(self, time: datetime, rows: Sequence[T]) -> list[str]:
        """The marks of the rows that are not older than ``time``; times fall from row to row."""
        marks: list[str] = []
        for row in rows:
            at = self.key(row)
            if at is None or at < time:
                break
            marks.append(row_mark(at, self.identity(row)))
        return marks

    def head_page_size(self, rows: int) -> int:
        """How many rows to request in order to read a head of so many rows with one page."""
        # Further rows appear in the meantime, and one more shows that the head is at its end.
        return max(self.page_size, min(max(2 * rows, MIN_HEAD), MAX_HEAD))


class _LivePass(Reconciler[T], Generic[T]):
    """One pass over a live list.

    Args:
        sequential: whether no two pages are in flight at once.
        head: where the list began, and what was there, if that is known already.
        start: the rank at which a group of equal times is known to begin.
    """

    def __init__(
        self, walk: LiveWalk[T], *, sequential: bool, head: Head | None = None, start: int = 0
    ) -> None:
        self._walk = walk
        self._sequential = sequential
        self._head_time = None if head is None else head.time
        self._marks = set[str]() if head is None else {*head.marks}  # see ``Head``
        self._head_rows = len(self._marks)  # from the head to the oldest place that rows move to
        self._pages = 0
        self._tail: TieGroup | None = None  # the group that the last page ended in
        self._ties = TieGroups(walk.key, walk.identity, settled=False, start=start)
        self._incomplete = IncompleteGroups(walk.report, walk.key, walk.identity, walk.shows_all)
        self._guard = LoopGuard(walk.concurrency)

    @abstractmethod
    def _unseen(self, rows: Sequence[T]) -> list[T]:
        """The rows that this pass is to give."""

    @abstractmethod
    def _brought_nothing(self, rows: Sequence[T], fresh: Sequence[T]) -> bool:
        """Whether a page may be one of a loop, for all that its rows show."""

    @abstractmethod
    def _after(self) -> NewPass[T] | Done:
        """What comes after this pass."""

    def take(self, page: ReadPage[T]) -> list[T]:
        """See ``Reconciler``."""
        self._walk.learn(page.page.meta)
        if page.span is not None:
            missing = self._incomplete.repair(page)
            self._add_to_head(missing, known=self._sequential)
            return self._unseen(missing)
        self._pages += 1
        if not page.rows:
            return []
        if all(self._walk.key(row) is not None for row in page.rows):
            self._take_times(page)
        fresh = self._fresh(page.rows)
        nothing_new = self._brought_nothing(page.rows, fresh)
        only_repeats = self._ties.only_repeats(page, self._walk.concurrency)
        self._guard.check(nothing_new=nothing_new if only_repeats is None else only_repeats)
        return fresh

    def _fresh(self, rows: Sequence[T]) -> list[T]:
        """The rows of a page that are new."""
        return self._unseen(rows)

    def _take_times(self, page: ReadPage[T]) -> None:
        rows = page.rows
        self._ties.take(page)
        self._tail = self._ties.open_group(self._walk.key(rows[-1]))  # kept when the list ends
        if page.number == 1 and self._head_time is None:
            self._head_time = self._walk.key(rows[0])
        # What was at the head when the first page was read is known of that page only, but of
        # pages that are read one after another each counts: see ``_LaterPass``.
        self._add_to_head(rows, known=page.number == 1 or self._sequential)

    def _add_to_head(self, rows: Sequence[T], *, known: bool) -> None:
        if self._head_time is not None:
            marks = self._walk.marks_since(self._head_time - self._walk.lateness, rows)
            self._head_rows += len(marks)
            if known:
                self._marks.update(marks)

    @property
    def _head(self) -> Head | None:
        """Where the list began, and what was there."""
        return None if self._head_time is None else Head(self._head_time, frozenset(self._marks))

    def decide(self, *, at_end: bool) -> Decision[T]:
        """See ``Reconciler``."""
        if at_end:
            self._ties.finish()
        self._incomplete.add(self._ties.pop_incomplete())
        span = self._incomplete.next_span()
        if span is not None:
            return ReadAgain(span)
        return self._after() if at_end else CONTINUE


class LiveTimeline(_LivePass[T], Generic[T]):
    """The first pass over a live list: for a list sorted by a falling time, in which rows move."""

    def __init__(self, walk: LiveWalk[T], start: int = 0) -> None:
        head = None if walk.earlier is None else walk.earlier.position.head
        super().__init__(walk, sequential=walk.concurrency == 1, head=head, start=start)

    def _unseen(self, rows: Sequence[T]) -> list[T]:
        return self._walk.unseen(rows)

    def _fresh(self, rows: Sequence[T]) -> list[T]:
        fresh = self._unseen(rows)
        self._walk.report.duplicates += len(rows) - len(fresh)
        return fresh

    def _brought_nothing(self, rows: Sequence[T], fresh: Sequence[T]) -> bool:
        return not fresh

    def _after(self) -> NewPass[T] | Done:
        resumed = self._walk.earlier is not None
        # A list that is a single page was read at a single moment.
        head = self._head
        if head is None or (self._pages == 1 and not resumed):
            return self._walk.finish()
        # Of the walks that a resumed one goes on from, it is not known how they read.
        swept = self._sequential and not resumed
        return NewPass(
            _LaterPass(self._walk, 2, head, swept=swept),
            sequential=True,
            size=self._walk.head_page_size(self._head_rows),
        )

    def position(self) -> Mapping[str, Any] | None:
        """The first row of the group of equal times that the last page ended in."""
        head = self._head
        if self._tail is None or head is None:
            return None
        return time_position(self._tail, self._walk.earlier, head)


class _LaterPass(_LivePass[T], Generic[T]):
    """A further pass, from the head of the list.

    Args:
        number: which pass it is, counted from 1.
        since: where the head was at the pass before this one, and what was there.
        swept: whether the list has been read to its end page after page.
        sweeping: whether this pass does that.
    """

    def __init__(
        self,
        walk: LiveWalk[T],
        number: int,
        since: Head,
        *,
        swept: bool,
        sweeping: bool = False,
    ) -> None:
        super().__init__(walk, sequential=True)
        self._number = number
        self._since = since
        self._oldest = since.time - walk.lateness  # nothing older than that can have moved
        self._swept = swept
        self._sweeping = sweeping
        self._moved = False  # whether a row is at a place where it was not before
        self._reached = False  # whether the rest of the list is known to be where it was
        self._last_page: set[int] = set()  # fingerprints

    def _unseen(self, rows: Sequence[T]) -> list[T]:
        # A sweep also looks for rows that slipped past the walks before a resumed one.
        return self._walk.seen.unseen(rows) if self._sweeping else self._walk.unseen(rows)

    def _brought_nothing(self, rows: Sequence[T], fresh: Sequence[T]) -> bool:
        before = self._last_page
        self._last_page = {hash(self._walk.identity(row)) for row in rows}
        return self._last_page <= before

    def _take_times(self, page: ReadPage[T]) -> None:
        super()._take_times(page)
        marks = self._walk.marks_since(self._oldest, page.rows)
        self._moved = self._moved or not self._since.marks.issuperset(marks)
        self._reached = not self._sweeping and len(marks) < len(page.rows)

    def decide(self, *, at_end: bool) -> Decision[T]:
        """See ``Reconciler``."""
        decision = super().decide(at_end=at_end and not self._reached)
        return self._after() if self._reached and decision is CONTINUE else decision

    def _after(self) -> NewPass[T] | Done:
        head = self._head
        if head is None:
            return self._walk.finish()
        sweep = self._walk.shrunk or (self._moved and not self._swept)
        # A sweep itself may have been overtaken by rows that it had yet to read.
        quiet = self._pages == 1 or not (self._moved or self._sweeping)
        if quiet and not sweep:
            return self._walk.finish()
        if self._number == MAX_PASSES:
            return Done(
                doubt=f"rows moved during each of {MAX_PASSES} passes, so some may be missing"
            )
        self._walk.shrunk = False
        after = _LaterPass(
            self._walk,
            self._number + 1,
            head,
            swept=self._swept or sweep,
            sweeping=sweep,
        )
        size = self._walk.head_page_size(self._head_rows)
        if sweep:
            size = max(size, self._walk.page_size * self._walk.concurrency)
        return NewPass(after, sequential=True, size=size)
