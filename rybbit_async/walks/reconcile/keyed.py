"""Lists that tell their total, and whose rows have a key of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from attrs import define, field

from ...pages import Report, Skipped
from .positions import KeyPosition
from .reconciler import (
    CONTINUE,
    MAX_PASSES,
    Decision,
    Done,
    LoopGuard,
    NewPass,
    ReadPage,
    Reconciler,
    wrong_total,
)

__all__ = ["KeyedList", "KeyedWalk"]

T = TypeVar("T")


@define(eq=False)
class KeyedWalk(Generic[T]):
    """What stays the same in all passes of one walk.

    Attributes:
        key: what tells rows apart, and orders them: numbers, texts, or tuples of those.
        rising: whether the list is sorted by that key, from low to high.
        verify: whether to read the list once more than its totals and rows ask for.
        concurrency: how many pages are read at once.
        resumed: the position that the walk goes on from, if there is one.
        seen: the key of every row that was given.
        late: how many rows only a further pass found.
    """

    report: Report
    key: Callable[[T], Any]
    rising: bool
    verify: bool
    concurrency: int
    resumed: KeyPosition | None = None
    seen: set[Any] = field(factory=set[Any])
    late: int = 0


class KeyedList(Reconciler[T], Generic[T]):
    """One pass over a list that tells its total, and whose rows have a key of their own.

    Rows that others create or delete shift all rows after them, so a row may be skipped or come
    twice at the edge of a page. A pass is clean if all of its pages told the same total, and that
    many different rows came. Otherwise the list is read again, in a stable order.

    Args:
        stable: whether equal rows stand the same way on every page.
        number: which pass it is, counted from 1.
    """

    def __init__(self, walk: KeyedWalk[T], *, stable: bool, number: int = 1) -> None:
        self._walk = walk
        self._stable = stable
        self._number = number
        self._guard = LoopGuard(walk.concurrency)
        self._totals: set[int] = set()
        self._keys: set[Any] = set()
        self._missing: set[Skipped] = set()  # rows that the server counts and cannot send
        self._latest: Any = None  # the highest key
        self._repeats = 0
        self._added = 0
        self._skipped: int | None = None  # rows before the first page that was read

    def take(self, page: ReadPage[T]) -> list[T]:
        """See ``Reconciler``."""
        walk, keys = self._walk, self._keys
        seen, resumed = walk.seen, walk.resumed
        if self._skipped is None:
            self._skipped = page.first
        if page.page.meta is not None:
            self._totals.add(page.page.meta.total)
        self._missing.update(page.page.skipped)
        before = len(keys)
        fresh: list[T] = []
        for row in page.rows:
            key = walk.key(row)
            if key in keys:
                self._repeats += 1
                walk.report.duplicates += 1
            elif key not in seen and (resumed is None or resumed.is_before(key)):
                fresh.append(row)
                seen.add(key)
            keys.add(key)
            if walk.rising and (self._latest is None or key > self._latest):
                self._latest = key
        # Pages on which equal rows come in another order may bring nothing new for long.
        if page.rows and self._stable:
            self._guard.check(nothing_new=len(keys) == before)
        self._added += len(fresh)
        if self._number > 1:
            walk.late += len(fresh)
        return fresh

    def decide(self, *, at_end: bool) -> Decision[T]:
        """See ``Reconciler``."""
        if not at_end:
            return CONTINUE
        rows = self._rows_read
        quiet = len(self._totals) <= 1 and self._repeats == 0
        complete = max(self._totals, default=rows) == rows
        if quiet and complete and not (self._walk.verify and self._number == 1):
            return Done(note=self._late_rows())
        if quiet and not complete and self._number > 1 and not self._added:
            # Nothing moves and nothing repeats, so a further pass would find the same.
            return Done(doubt=wrong_total(self._totals, rows))
        if self._number == MAX_PASSES:
            return Done(
                doubt=f"the list changed during each of {MAX_PASSES} passes, so rows may be missing"
            )
        return NewPass(KeyedList(self._walk, stable=True, number=self._number + 1), stable=True)

    @property
    def _rows_read(self) -> int:
        """How many rows the pages so far stand for, and those before them."""
        return (self._skipped or 0) + len(self._keys) + len(self._missing)

    def _late_rows(self) -> str | None:
        late = self._walk.late
        if not late:
            return None
        rows = "1 row" if late == 1 else f"{late} rows"
        return (
            f"{rows} came last, out of order: the list changed while it was read, or the server "
            "sorts equal rows in another way on each page"
        )

    def position(self) -> Mapping[str, Any] | None:
        """After the row with the highest key so far, if the list is sorted by it."""
        if self._number > 1 or self._latest is None:
            return None
        rank = max(0, self._rows_read - 1)
        return KeyPosition(rank, self._latest).to_json()
