"""Walks that leave out rows which the server should have left out. Nothing here knows HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from ..errors import RybbitError
from ..pages import PageMeta, Report
from .walk import Position, ResizableWalk

__all__ = ["ChosenRows"]

T = TypeVar("T")


class ChosenRows(Generic[T]):
    """The rows of another walk that are wanted; see ``ResizableWalk``.

    The other walk sees every row, so it can tell whether its list is whole.

    Args:
        walk: the other walk.
        wanted: whether a row is wanted.
        note: what the report says if a row was left out.
    """

    def __init__(self, walk: ResizableWalk[T], wanted: Callable[[T], bool], note: str) -> None:
        self._walk = walk
        self._wanted = wanted
        self._note = note

    @property
    def report(self) -> Report:
        """See ``Walk``."""
        return self._walk.report

    @property
    def meta(self) -> PageMeta | None:
        """See ``Walk``."""
        return self._walk.meta

    @property
    def page_incomplete(self) -> bool:
        """See ``Walk``."""
        return self._walk.page_incomplete

    @property
    def repeats(self) -> str | None:
        """See ``Walk``."""
        return self._walk.repeats

    @property
    def stopped(self) -> bool:
        """See ``ResizableWalk``."""
        return self._walk.stopped

    @property
    def load(self) -> int:
        """See ``ResizableWalk``."""
        return self._walk.load

    def resize(self, concurrency: int) -> None:
        """See ``ResizableWalk``."""
        self._walk.resize(concurrency)

    async def step(self, remaining: int | None = None) -> list[T] | None:
        """See ``Walk``."""
        rows = await self._walk.step(remaining)
        if not rows:
            return rows
        chosen = [row for row in rows if self._wanted(row)]
        if len(chosen) < len(rows):
            self.report.note(self._note)
        return chosen

    def position(self) -> Position | None:
        """See ``Walk``."""
        return self._walk.position()

    async def close(
        self, error: type[RybbitError] = RybbitError, reason: str = "the walk has ended"
    ) -> None:
        """See ``Walk``."""
        await self._walk.close(error, reason)
