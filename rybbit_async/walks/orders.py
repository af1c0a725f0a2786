"""How a server sorts a list, which decides the strategy that makes a walk over it complete."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from attrs import evolve, frozen

from ..pages import Report
from .options import WalkOptions
from .reconcile.keyed import KeyedList, KeyedWalk
from .reconcile.live import LiveTimeline, LiveWalk
from .reconcile.positions import (
    EarlierWalk,
    KeyPosition,
    TimePosition,
    invalid_position,
    rank_of,
    total_of,
)
from .reconcile.ranked import RankedHead, RankedWalk
from .reconcile.reconciler import ReadPage, Reconciler
from .reconcile.resumed import Resumed
from .reconcile.settled import SettledTimeline
from .reconcile.unnamed import UnnamedTimeline
from .walk import Order, Position, Source

__all__ = ["ByCount", "ByKey", "ByRank", "ByTime", "Unnamed"]

T = TypeVar("T")
Time = TypeVar("Time", datetime, datetime | None)

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)

_REPEATS: Final = (
    "this walk goes on from one that began before its window was settled: rows may have come before"
)


@frozen
class ByTime(Order[T], Generic[T]):
    """A list sorted by a time, newest first, in which rows of one time come in any order.

    Such a list may tell a total or not. Nothing in a settled list can change any more; in any
    other one, rows go to the head of the list when they change, or some seconds below it.

    Attributes:
        key: the time of a row; ``None`` if it has none.
        identity: what tells rows apart: a text, a number, or a tuple of those.
        rising: whether the list is sorted oldest first. While such a list changes, rows that move
            to its end pull others past a page that was read. So it is then read as ``ByRank`` says,
            and its pages have no positions.
        completed_by: the order that makes such a list whole, see ``ByRank``.
    """

    key: Callable[[T], datetime | None]
    identity: Callable[[T], Hashable]
    rising: bool = False
    completed_by: ByTime[T] | None = None

    def start(self, position: Position) -> int:
        """See ``Order``."""
        return TimePosition.parse(position.strategy).rank

    def repeats(self, position: Position) -> str | None:
        """See ``Order``."""
        # Rows that move up may have been given where they were before.
        return _REPEATS if TimePosition.parse(position.strategy).head is not None else None

    def reconciler(
        self, source: Source[T], report: Report, options: WalkOptions, position: Position | None
    ) -> Reconciler[T]:
        """See ``Order``."""
        at = None if position is None else TimePosition.parse(position.strategy)
        # A list that has settled since a walk began may have changed in the meantime. So it is
        # read as one that still changes. One that was settled then is settled for good.
        live = not source.settled if at is None else at.head is not None
        if live and self.rising:
            if at is not None:
                raise invalid_position()
            in_any_order = ByRank(self.identity, self.completed_by)
            return in_any_order.reconciler(source, report, options, None)
        key, identity = _mirrored(self.key) if self.rising else self.key, self.identity
        earlier = None if at is None else EarlierWalk(at, key, identity, source.lateness)

        def begin(rank: int) -> Reconciler[T]:
            if live:
                walk = LiveWalk(
                    report,
                    key,
                    identity,
                    source.page_size,
                    options.concurrency,
                    source.lateness,
                    earlier,
                )
                return LiveTimeline(walk, rank)
            return SettledTimeline(
                report,
                key,
                identity,
                concurrency=options.concurrency,
                earlier=earlier,
                start=rank,
            )

        if at is None:
            return begin(0)

        def still_matches(page: ReadPage[T]) -> bool:
            index = at.rank - page.first
            time = key(page.rows[index]) if index < len(page.rows) else None
            return time is not None and (time >= at.time if live else time == at.time)

        return Resumed(begin, at.rank, still_matches)


def _mirrored(key: Callable[[T], Time]) -> Callable[[T], Time]:
    """Times that fall from row to row where those of ``key`` rise."""

    def mirrored(row: T) -> Time:
        time = key(row)
        return time if time is None else _FIRST + (_LAST - time)

    return mirrored


@frozen
class ByRank(Order[T], Generic[T]):
    """A list in an order in which many rows tie, such as a count, and come in any order.

    After its first page, the list is read in large pages: one page that holds all of it has each
    row once, in the order of the list. A longer list is read in two orders, and what fell between
    two pages of the wanted one comes last; the report says so. The pages have no positions.

    Attributes:
        identity: what tells rows apart: a text, a number, or a tuple of those.
        completed_by: the order of the second pass over a list that does not fit on one page.
            Without it, the list is read up to ten times, and the walk may remain doubtful.
        largest_page: how many rows to request per page at most, after the first page.
    """

    identity: Callable[[T], Hashable]
    completed_by: ByTime[T] | None = None
    largest_page: int = 10_000

    def reconciler(
        self, source: Source[T], report: Report, options: WalkOptions, position: Position | None
    ) -> Reconciler[T]:
        """See ``Order``."""
        completed_by = self.completed_by

        def completion() -> Reconciler[T]:
            assert completed_by is not None
            one_by_one = evolve(options, concurrency=1)
            return completed_by.reconciler(source, report, one_by_one, None)

        walk = RankedWalk(
            report,
            self.identity,
            source.settled,
            source.page_size,
            self.largest_page,
            None if completed_by is None else completion,
        )
        return RankedHead(walk)


@frozen
class ByCount(Order[T], Generic[T]):
    """A list of figures, by their counts: read as ``ByRank`` says, on one page where that can be.

    Several rows may be about the same thing, as far as the server says what they are about. While
    nothing changes, they are told apart by their figures.

    Attributes:
        about: what a row is about.
        figures: its figures.
    """

    about: Callable[[T], Hashable]
    figures: Callable[[T], Hashable]

    def reconciler(
        self, source: Source[T], report: Report, options: WalkOptions, position: Position | None
    ) -> Reconciler[T]:
        """See ``Order``."""
        about, figures = self.about, self.figures

        def identity(row: T) -> Hashable:
            return about(row), figures(row)

        rank = ByRank(identity if source.settled else about, largest_page=100_000)
        return rank.reconciler(source, report, options, position)


@frozen
class ByKey(Order[T], Generic[T]):
    """A list that tells its total, and whose rows have a key of their own.

    Attributes:
        key: the key of a row: a number, a text, or a tuple of those.
        rising: whether the list is sorted by that key, from low to high. Only then do its pages
            have positions.
        stable: whether equal rows stand the same way on every page.
        verify: whether to read the list once more than its totals and rows ask for.
    """

    key: Callable[[T], Any]
    rising: bool
    stable: bool
    verify: bool = False

    def start(self, position: Position) -> int:
        """See ``Order``."""
        if not self.rising:
            raise invalid_position()
        return KeyPosition.parse(position.strategy).rank

    def reconciler(
        self, source: Source[T], report: Report, options: WalkOptions, position: Position | None
    ) -> Reconciler[T]:
        """See ``Order``."""
        at = None if position is None else KeyPosition.parse(position.strategy)

        def begin(_: int) -> Reconciler[T]:
            walk = KeyedWalk(report, self.key, self.rising, self.verify, options.concurrency, at)
            return KeyedList(walk, stable=self.stable)

        if at is None:
            return begin(0)

        def still_matches(page: ReadPage[T]) -> bool:
            # No row that is still to come can be on a page before this one.
            return bool(page.rows) and not at.is_before(self.key(page.rows[0]))

        return Resumed(begin, at.rank, still_matches)


@frozen
class Unnamed(Order[T], Generic[T]):
    """A list sorted by a time, newest first, whose rows have no identity: equal ones are several.

    Attributes:
        key: the time of a row.
        holds: whether a row is wanted.
        rising: whether the list is sorted oldest first.
    """

    key: Callable[[T], datetime]
    holds: Callable[[T], bool] | None = None
    rising: bool = False

    def start(self, position: Position) -> int:
        """See ``Order``."""
        return rank_of(position.strategy)

    def reconciler(
        self, source: Source[T], report: Report, options: WalkOptions, position: Position | None
    ) -> Reconciler[T]:
        """See ``Order``."""
        start, total = 0, None
        if position is not None:
            start, total = rank_of(position.strategy), total_of(position.strategy)
        key = _mirrored(self.key) if self.rising else self.key
        return UnnamedTimeline(report, key, start, total, self.holds)
