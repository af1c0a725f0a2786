"""What makes a walk whole: decisions about rows that repeat, are missing, or moved. No I/O.

A *ledger* is told each page of a walk as it arrives. It says which of the rows are new, which
stretch of the list has to be read again, and, when a pass over the list is over, whether there
has to be another. Ranks count from 0, page numbers from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, Generic, TypeVar

from attrs import define, field

from ..errors import APIResponseError
from ..pages import Page, Report
from .walk import Pass, Resume, Span

__all__ = ["CatalogLedger", "TimelineLedger"]

T = TypeVar("T")

# So many times a list that changes while it is read is read again.
MAX_PASSES: Final = 10


def _repeating() -> APIResponseError:
    return APIResponseError(
        "data: the server repeats its pages, so that a walk over them would never end", path="data"
    )


# --- lists with a total: goals -----------------------------------------------------------------


class CatalogLedger(Generic[T]):
    """For a list that tells its total, and whose rows are told apart by one key.

    Rows that others create or delete shift all that come after them, so a page boundary may eat
    a row or repeat one. A pass is clean if all of its pages told the same total and that many
    different rows came. What a pass that is not clean may have lost is found by further passes,
    in a stable order.

    Args:
        identity: what tells rows apart.
        rising: whether the order asked for is that of ``identity``, from low to high.
        stable: whether it puts equal rows the same way on every page.
        verify: make one more pass than the answers ask for.
        patience: so many pages without a new row are a loop.
    """

    def __init__(
        self,
        report: Report,
        identity: Callable[[T], int],
        *,
        rising: bool,
        stable: bool,
        verify: bool,
        patience: int,
        resume: Resume | None,
    ) -> None:
        self._report = report
        self._identity = identity
        self._rising = rising
        self._stable = stable
        self._verify = verify
        self._patience = patience
        self._seen: set[int] = set()
        self._after: int | None = None if resume is None else resume.ledger["after"]
        self._skipped = 0  # rows on pages before the one at which a resumed walk began
        self._latest = 0
        self._late = 0  # rows that only a further pass found
        self._passes = 1
        self._begin()

    def _begin(self) -> None:
        self._totals: set[int] = set()
        self._rows: set[int] = set()
        self._repeats = 0
        self._added = 0
        self._barren = 0

    def lands(self, page: Page[T], first: int) -> bool:
        """Whether no row that is still to come can stand before this page."""
        if not page.items or self._after is None or self._identity(page.items[0]) > self._after:
            return False
        self._skipped = first
        return True

    def position(self) -> tuple[int, dict[str, Any]] | None:
        """After the row with the highest key so far, in an order that rises with it."""
        if not self._rising or self._passes > 1:
            return None
        return max(0, self._skipped + len(self._rows) - 1), {"after": self._latest}

    def take(self, number: int, page: Page[T], size: int) -> list[T]:
        """The rows of a page that no page before it had."""
        if page.meta is not None:
            self._totals.add(page.meta.total)
        before = len(self._rows)
        fresh: list[T] = []
        for item in page.items:
            key = self._identity(item)
            if key in self._rows:
                self._repeats += 1
                self._report.duplicates += 1
            elif key not in self._seen and (self._after is None or key > self._after):
                fresh.append(item)
                self._seen.add(key)
            self._rows.add(key)
            self._latest = max(self._latest, key)
        if page.items:
            self._barren = 0 if len(self._rows) > before else self._barren + 1
        if self._stable and self._barren > self._patience:
            raise _repeating()
        self._added += len(fresh)
        if self._passes > 1:
            self._late += len(fresh)
        return fresh

    def spans(self) -> list[Span]:
        """Nothing: what is missing is not known to be in one place."""
        return []

    def mend(self, span: Span, page: Page[T], first: int, size: int) -> list[T]:
        """Nothing, since there are no spans."""
        return []

    def end_pass(self) -> None:
        """Nothing stays open."""

    def enough(self) -> bool:
        """A pass goes to the end of the list."""
        return False

    def next_pass(self) -> Pass | None:
        """Another pass, as long as the one that is over was not clean."""
        still = len(self._totals) <= 1
        rows = self._skipped + len(self._rows)
        short = max(self._totals, default=rows) - rows
        quiet = still and self._repeats == 0
        if quiet and short == 0 and not (self._verify and self._passes == 1):
            if self._late:
                self._report.note(
                    f"{self._late} rows came last, out of order: the list changed while it was "
                    "read, or its order puts equal rows another way on each page"
                )
            return None
        if quiet and short and self._passes > 1 and not self._added:
            # Nothing moves, nothing repeats, and still the total is not met.
            self._report.doubt(f"the server counts {short:+} rows against those that it gives")
            return None
        if self._passes == MAX_PASSES:
            self._report.doubt(
                f"the list changed during each of {MAX_PASSES} passes; rows may be missing"
            )
            return None
        self._stable = True
        self._skipped = 0
        self._passes += 1
        self._begin()
        return Pass(stable=True)


# --- lists by time: sessions -------------------------------------------------------------------


@define
class _Group:
    """Rows of one ``key`` that touch the edge of a page: which of them came, and at which ranks."""

    key: datetime
    first: int
    last: int
    rows: int = 0
    seen: set[Hashable] = field(factory=set[Hashable])
    begun: bool = False  # what stands before ``first`` has another key
    ended: bool = False  # what stands after ``last`` has another key

    def whole(self) -> bool:
        return self.begun and self.ended and self.rows == self.last - self.first + 1


class _Edges(Generic[T]):
    """The groups of equal keys at the edges of one pass's pages, in whatever order they arrive.

    Each position holds the key that it should, so only a group that straddles an edge can be
    hurt: some of its rows come twice and others not at all.
    """

    def __init__(
        self,
        key: Callable[[T], datetime],
        identity: Callable[[T], Hashable],
        *,
        falling: bool,
        start: int,
    ) -> None:
        self._key = key
        self._identity = identity
        self._falling = falling  # whether keys can only fall from page to page
        self._start = start  # the rank at which a group begins for certain
        self._groups: dict[datetime, _Group] = {}
        self._firsts: dict[int, datetime] = {}  # of pages whose neighbour before is not there
        self._lasts: dict[int, datetime] = {}  # of pages whose neighbour after is not there
        self.hurt: list[_Group] = []

    def take(self, number: int, rows: Sequence[T], size: int) -> set[int]:
        """The indices of the rows that their group had already."""
        key, base = self._key, (number - 1) * size
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
        elif self._parts(before, first):
            # Settled at once: what moves may bring the same key again, as another group.
            self._ended(before)
            begins = True
        repeated = self._add(rows, 0, head, base)
        self._groups[first].begun |= begins
        if head < len(rows):
            self._ended(first)
            repeated |= self._add(rows, tail, len(rows), base)
            self._groups[last].begun = True
        after = self._firsts.pop(number + 1, None)
        if after is None:
            self._lasts[number] = last
        elif self._parts(last, after):
            self._ended(last)
            if after in self._groups:
                self._groups[after].begun = True
                self._close(after)
        self._close(first)
        self._close(last)
        return repeated

    def _add(self, rows: Sequence[T], start: int, stop: int, base: int) -> set[int]:
        key = self._key(rows[start])
        group = self._groups.setdefault(key, _Group(key, base + start, base + stop - 1))
        group.first = min(group.first, base + start)
        group.last = max(group.last, base + stop - 1)
        group.rows += stop - start
        repeated: set[int] = set()
        for index in range(start, stop):
            who = self._identity(rows[index])
            if who in group.seen:
                repeated.add(index)
            group.seen.add(who)
        return repeated

    def _parts(self, before: datetime, after: datetime) -> bool:
        """Whether the edge between two pages parts two groups."""
        if after > before and self._falling:
            raise _repeating()
        return before != after

    def _ended(self, key: datetime) -> None:
        if key in self._groups:
            self._groups[key].ended = True
            self._close(key)

    def _close(self, key: datetime) -> None:
        group = self._groups.get(key)
        if group is not None and group.whole():
            del self._groups[key]
            if len(group.seen) < group.rows:
                self.hurt.append(group)

    def finish(self) -> None:
        """The list is at its end, and so is every group."""
        self.hurt += [group for group in self._groups.values() if len(group.seen) < group.rows]
        self._groups.clear()

    def open_group(self, key: datetime) -> _Group | None:
        """The group of ``key``, if more of it may come."""
        return self._groups.get(key)


class TimelineLedger(Generic[T]):
    """For a list without a total, sorted by a time that falls, whose equal times are shuffled.

    In a window that is wholly past nothing moves, so that only groups of equal times that
    straddle two pages can be hurt. Rows are given at first sight; a group that came short is
    read again with one request that holds all of it.

    A window that reaches the present moves: a session that gains an event goes to the head of
    the list, and pushes the others on. Then every row is remembered, and when the end is reached
    the list is read again from its head, page after page, until a row is older than what stood
    at the head before. Where the head had moved while several pages were under way at once, a
    later page may have been answered before an earlier one, and a row may have slipped from the
    one into the other between the two; that leaves no trace, so the list is then swept once,
    page after page, in pages as large as the whole window.

    Args:
        key: the time; rows without one are told apart by identity alone.
        identity: what tells rows apart, as texts.
        past: whether the window is wholly past.
        size, concurrency: rows a page, and pages at once, of the walk.
    """

    def __init__(
        self,
        report: Report,
        key: Callable[[T], datetime | None],
        identity: Callable[[T], tuple[str | None, ...]],
        *,
        past: bool,
        size: int,
        concurrency: int,
        resume: Resume | None,
    ) -> None:
        self._report = report
        self._key: Callable[[T], Any] = key
        self._identity = identity
        self._past = past
        self._size = size
        self._concurrency = concurrency
        self._seen: set[int] | None = None if past else set()
        self._hurt: dict[Span, _Group] = {}
        # The walk that a resumed one goes on with may have had several pages under way at once.
        self._swept = concurrency == 1 and resume is None
        self._sweeping = False
        self._passes = 1
        self._resumed = resume is not None
        self._start = 0 if resume is None else resume.rank
        self._given_until = (
            None if resume is None else datetime.fromisoformat(resume.ledger["time"])
        )
        self._given = frozenset[str]() if resume is None else frozenset(resume.ledger["given"])
        self._given_from: datetime | None = None  # where the head was when the first walk began
        self._head: datetime | None = None  # where this pass has its head
        self._head_rows: set[str] = set()
        self._since: datetime | None = None  # where the pass before this one had its head
        self._since_rows: set[str] = set()
        self._begin()
        if resume is not None and not past:
            report.note("resumed in a window that moves: rows may have come before")
            self._head = self._given_from = datetime.fromisoformat(resume.ledger["head"])
            self._head_rows = set(resume.ledger["head_rows"])

    def _begin(self) -> None:
        self._edges: _Edges[T] = _Edges(
            self._key, self._identity, falling=self._past, start=self._start
        )
        self._head, self._head_rows = None, set()
        self._pages = 0
        self._barren = 0
        self._moved = False
        self._enough = False
        self._tail: _Group | None = None  # the group that the last page ended in
        self._last_rows: set[int] = set()

    # --- pages --------------------------------------------------------------------------------

    def take(self, number: int, page: Page[T], size: int) -> list[T]:
        """The rows of a page that no page before it had."""
        rows = page.items
        self._pages += 1
        if not rows:
            return []
        # What is compared besides the edges is so only in windows that move, or after a resume.
        compared = rows if self._resumed or not self._past else (rows[0], rows[-1])
        if any(self._key(row) is None for row in compared):
            return self._take_keyless(rows, size)
        repeated = self._edges.take(number, rows, size)
        self._find_hurt()
        # Kept, for the end of the list closes it.
        self._tail = self._edges.open_group(self._key(rows[-1]))
        if self._seen is None:
            fresh: Sequence[T] = rows
            if repeated:
                fresh = [row for i, row in enumerate(rows) if i not in repeated]
            self._report.duplicates += len(repeated)
            if self._resumed:
                fresh = self._not_given(fresh)
        else:
            self._watch_head(number, rows)
            fresh = self._unseen(self._not_given(rows))
            if self._passes == 1:
                self._report.duplicates += len(rows) - len(fresh)
        self._watch_loop(len(fresh), rows, size)
        return list(fresh)

    def _take_keyless(self, rows: Sequence[T], size: int) -> list[T]:
        if self._seen is None:
            self._seen = set()
        fresh = self._unseen(rows)
        self._report.duplicates += len(rows) - len(fresh)
        self._watch_loop(len(fresh), rows, size)
        return fresh

    def _unseen(self, rows: Sequence[T]) -> list[T]:
        assert self._seen is not None
        fresh: list[T] = []
        for row in rows:
            # 64 bits of fingerprint instead of two texts: this is what a long walk remembers.
            mark = hash(self._identity(row))
            if mark not in self._seen:
                self._seen.add(mark)
                fresh.append(row)
        return fresh

    # --- resuming -----------------------------------------------------------------------------

    def lands(self, page: Page[T], first: int) -> bool:
        """Whether the rows still stand where they stood when the position was taken."""
        at = self._start - first
        when = self._key(page.items[at]) if at < len(page) else None
        if when is not None and (
            when == self._given_until if self._past else when >= self._given_until
        ):
            return True
        self._start = 0
        head, head_rows = self._head, self._head_rows
        self._begin()
        self._head, self._head_rows = head, head_rows
        return False

    def _not_given(self, rows: Sequence[T]) -> Sequence[T]:
        """``rows`` without those that the walk before this one gave."""
        until, since = self._given_until, self._given_from
        if until is None or self._sweeping:  # a sweep is for what slipped past that walk, too
            return rows

        def given(row: T) -> bool:
            key = self._key(row)
            if key == until:
                return _mark(self._identity(row)) in self._given
            return bool(key > until and (since is None or key < since))

        return [row for row in rows if not given(row)]

    def position(self) -> tuple[int, dict[str, Any]] | None:
        """At the start of the group of equal times that the last page ended in."""
        group = self._tail
        if self._passes > 1 or group is None:
            return None
        given = {_mark(who) for who in group.seen}
        if group.key == self._given_until:
            given |= self._given
        at: dict[str, Any] = {"time": group.key.isoformat(), "given": sorted(given)}
        if self._head is not None:
            at |= {"head": self._head.isoformat(), "head_rows": sorted(self._head_rows)}
        return group.first, at

    def _watch_head(self, number: int, rows: Sequence[T]) -> None:
        if number == 1 and not (self._resumed and self._passes == 1):
            self._head = self._key(rows[0])
        if number == 1 or self._passes > 1 or self._concurrency == 1:
            # Of pages that are read one after another, each may tell who is in the head's second.
            self._add_head_rows(rows)
        if self._since is None:
            return
        for row in rows:
            key = self._key(row)
            if key < self._since:
                # Older than all that can have moved: the rest is where it was.
                self._enough = not self._sweeping
                break
            if key > self._since or _mark(self._identity(row)) not in self._since_rows:
                self._moved = True

    def _add_head_rows(self, rows: Sequence[T]) -> None:
        self._head_rows |= {_mark(self._identity(r)) for r in rows if self._key(r) == self._head}

    def _watch_loop(self, fresh: int, rows: Sequence[T], size: int) -> None:
        if self._past and self._seen is None:
            # Keys fall from page to page, or the edges have said so. Equal ones say nothing.
            barren = False
        elif self._passes == 1:
            barren = fresh == 0
        else:
            marks = {hash(self._identity(row)) for row in rows}
            barren, self._last_rows = marks <= self._last_rows, marks
        group = self._edges.open_group(self._key(rows[-1]))
        if group is not None and group.rows > len(rows):
            # Draws from a large group repeat, but not for ever.
            barren = group.rows > 10 * len(group.seen) + self._concurrency * size
        self._barren = self._barren + 1 if barren else 0
        if self._barren > self._concurrency + 3:
            raise _repeating()

    # --- groups that came short ---------------------------------------------------------------

    def _find_hurt(self) -> None:
        for group in self._edges.hurt:
            self._hurt[Span(group.first, group.last)] = group
        self._edges.hurt.clear()

    def spans(self) -> list[Span]:
        """The stretches to be read again now, each with one request."""
        return list(self._hurt)

    def mend(self, span: Span, page: Page[T], first: int, size: int) -> list[T]:
        """The missing rows of a span, from a page whose first row has the rank ``first``.

        Where the page does not show the whole group, a wider span takes the place of this one.
        """
        group = self._hurt.pop(span)
        rows = page.items
        found = [i for i, row in enumerate(rows) if self._key(row) == group.key]
        if len(rows) <= group.last - first:
            self._report.doubt(f"the server gives no page that holds all rows of {group.key}")
        elif not self._shows_whole(rows, found, group, first, size):
            self._widen(span, group)
        missing = [rows[i] for i in found if self._identity(rows[i]) not in group.seen]
        group.seen.update(self._identity(row) for row in missing)
        if self._passes > 1 or self._concurrency == 1:
            self._add_head_rows(missing)
        missing = list(self._not_given(missing))
        return missing if self._seen is None else self._unseen(missing)

    def _shows_whole(
        self, rows: Sequence[T], found: list[int], group: _Group, first: int, size: int
    ) -> bool:
        if self._past:  # the ranks are where they were
            return found == list(range(group.first - first, group.last - first + 1))
        # Something else stands on both of its sides, or the list begins or ends there. It may be
        # that all of its rows have moved on.
        return (first == 0 or self._key(rows[0]) > group.key) and (
            len(rows) < size or self._key(rows[-1]) < group.key
        )

    def _widen(self, span: Span, group: _Group) -> None:
        margin = max(span.last - span.first + 1, 2)
        if span.last - span.first > 64 * (group.last - group.first + 1):
            self._report.doubt(f"rows of {group.key} would not hold still")
            return
        self._hurt[Span(max(0, span.first - margin), span.last + margin)] = group

    # --- passes -------------------------------------------------------------------------------

    def enough(self) -> bool:
        """Whether the rest of this pass is known to be where it was."""
        return self._enough

    def end_pass(self) -> None:
        """The list is at its end: groups that came short at its edge show now."""
        if not self._enough:
            self._edges.finish()
            self._find_hurt()

    def next_pass(self) -> Pass | None:
        """From the head again, in a window that moves, until that finds nothing."""
        atomic = self._pages == 1  # one answer is one moment
        whole = atomic and self._passes == 1 and not self._resumed
        if self._past or self._head is None or whole:
            return None
        sweep = self._moved and not self._swept
        if self._passes > 1 and not sweep and (atomic or not (self._moved or self._sweeping)):
            # What was read before held still: its head is where it was. (A sweep itself may have
            # been overtaken by what it had yet to read.)
            return None
        if self._passes == MAX_PASSES:
            self._report.doubt(
                f"rows moved during each of {MAX_PASSES} passes; some may be missing"
            )
            return None
        self._passes += 1
        self._since, self._since_rows = self._head, self._head_rows
        self._swept = self._swept or sweep
        self._sweeping = sweep
        self._start = 0
        self._begin()
        return Pass(size=self._size * self._concurrency if sweep else None, sequential=True)


def _mark(identity: Hashable) -> str:
    """A fingerprint that is the same in every process."""
    return blake2b(repr(identity).encode(errors="surrogatepass"), digest_size=8).hexdigest()
