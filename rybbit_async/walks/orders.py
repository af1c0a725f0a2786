"""How a server sorts a list, which decides the strategy that makes a walk over it complete."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

from ..pages import Report
from .options import WalkOptions
from .reconcile.keyed import KeyedList, KeyedWalk
from .reconcile.live import LiveTimeline, LiveWalk
from .reconcile.positions import EarlierWalk, KeyPosition, TimePosition, invalid_position
from .reconcile.reconciler import ReadPage, Reconciler
from .reconcile.resumed import Resumed
from .reconcile.settled import SettledTimeline
from .walk import Order, Position, Source

__all__ = ["ByKey", "ByTime"]

T = TypeVar("T")

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
    """

    key: Callable[[T], datetime | None]
    identity: Callable[[T], Hashable]

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
        earlier = None if at is None else EarlierWalk(at, self.key, self.identity, source.lateness)

        def begin(rank: int) -> Reconciler[T]:
            if live:
                walk = LiveWalk(
                    report,
                    self.key,
                    self.identity,
                    source.page_size,
                    options.concurrency,
                    source.lateness,
                    earlier,
                )
                return LiveTimeline(walk, rank)
            return SettledTimeline(
                report,
                self.key,
                self.identity,
                concurrency=options.concurrency,
                earlier=earlier,
                start=rank,
            )

        if at is None:
            return begin(0)

        def still_matches(page: ReadPage[T]) -> bool:
            index = at.rank - page.first
            time = self.key(page.rows[index]) if index < len(page.rows) else None
            return time is not None and (time >= at.time if live else time == at.time)

        return Resumed(begin, at.rank, still_matches)


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
