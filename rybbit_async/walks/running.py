"""A walk in progress: what one consumer takes its rows from, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from attrs import evolve

from ..activity import PageRead, WalkBegun, WalkEnded
from ..errors import RybbitError
from ..observers import ObservedWalk
from .walk import Walk

__all__ = ["RunningWalk"]

T = TypeVar("T")


class RunningWalk(Generic[T]):
    """A walk of one consumer, which lasts as long as an ``async with`` block.

    Args:
        walk: the walk.
        observed: the same for those who are told of it, if there is anyone.
        limit: how many items the consumer wants at most.
        ended: called at the end of the block, when nothing of the walk runs any more.
    """

    def __init__(
        self,
        walk: Walk[T],
        observed: ObservedWalk | None,
        limit: int | None,
        ended: Callable[[RunningWalk[T]], None],
    ) -> None:
        self.walk = walk
        self.report = walk.report
        self._observed = observed
        self._limit = limit
        self._ended = ended
        self._told_pages = 0

    async def __aenter__(self) -> Self:
        if (walk := self._observed) is not None:
            walk.observers.tell(WalkBegun(walk_id=walk.number, walk=walk.name))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._note_early_end()
        try:
            await self.walk.close()
        finally:
            self._ended(self)
            self._tell_end(None if exc_type is GeneratorExit else exc_type)

    async def step(self, limit: int | None = None) -> list[T] | None:
        """The next rows, no more than the limit allows, or ``None`` if the walk is at its end.

        Args:
            limit: in place of the consumer's limit.
        """
        observed = self._observed
        if observed is None:
            return await self._step(limit)
        with observed.current():
            rows = await self._step(limit)
        self._tell_page(observed, len(rows or ()))
        return rows

    async def _step(self, limit: int | None) -> list[T] | None:
        limit = self._limit if limit is None else limit
        if limit is None:
            return await self.walk.step()
        remaining = limit - self.report.items
        rows = await self.walk.step(remaining) if remaining else None
        return None if rows is None else rows[:remaining]

    async def close(self, error: type[RybbitError], reason: str) -> None:
        """End the walk. A consumer that asks for more gets ``error(reason)`` raised."""
        self._note_early_end()
        try:
            await self.walk.close(error, reason)
        finally:
            # The base class stands for an end that the consumer has wanted.
            self._tell_end(None if error is RybbitError else error)

    def _note_early_end(self) -> None:
        if self.report.complete is None:
            self.report.complete = False
            self.report.note("the walk was ended before the last page")

    # --- what is told -------------------------------------------------------------------------

    def _tell_page(self, walk: ObservedWalk, rows: int) -> None:
        report, meta = self.report, self.walk.meta
        if not rows and report.pages == self._told_pages:
            return
        self._told_pages = report.pages
        walk.observers.tell(
            PageRead(
                walk_id=walk.number,
                walk=walk.name,
                rows=rows,
                items=report.items + rows,
                pages=report.pages,
                requests=report.requests,
                total=None if meta is None else meta.total,
            )
        )

    def _tell_end(self, error: type[BaseException] | None) -> None:
        walk, self._observed = self._observed, None
        if walk is None:
            return
        walk.ended()
        walk.observers.tell(
            WalkEnded(
                walk_id=walk.number,
                walk=walk.name,
                report=evolve(self.report, skipped=[*self.report.skipped]),
                error=None if error is None else error.__name__,
            )
        )
