"""Walks that begin with finding something out, and lists that are known. No HTTP."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from ..errors import RybbitError
from ..pages import PageMeta, Report
from .tasks import TaskScope, close_all
from .walk import Position, Walk

__all__ = ["KnownItems", "PendingWalk"]

T = TypeVar("T")


class KnownItems(Generic[T]):
    """A walk over items that are known; see ``Walk``."""

    meta: PageMeta | None = None
    page_incomplete = False
    repeats: str | None = None

    def __init__(self, items: Sequence[T], report: Report) -> None:
        self.report = report
        self._items: list[T] | None = [*items]

    async def step(self, remaining: int | None = None) -> list[T] | None:
        """See ``Walk``."""
        items, self._items = self._items, None
        return items

    def position(self) -> Position | None:
        """``None``: there is nothing to go on with."""
        return None

    async def close(
        self, error: type[RybbitError] = RybbitError, reason: str = "the walk has ended"
    ) -> None:
        """See ``Walk``."""


class PendingWalk(Generic[T]):
    """A walk that can be made only when something was found out; see ``Walk``.

    Args:
        make: finds that out, and makes the walk.
        report: that of the walk.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, Walk[T]]], report: Report) -> None:
        self.report = report
        self._make = make
        self._tasks = TaskScope()
        self._walk: Walk[T] | None = None
        self.repeats: str | None = None  # it goes on from no other walk

    @property
    def meta(self) -> PageMeta | None:
        """See ``Walk``."""
        return None if self._walk is None else self._walk.meta

    @property
    def page_incomplete(self) -> bool:
        """See ``Walk``."""
        return self._walk is not None and self._walk.page_incomplete

    async def step(self, remaining: int | None = None) -> list[T] | None:
        """See ``Walk``."""
        self._tasks.check_open()
        if self._walk is None:
            self._walk = await self._tasks.run(self._make())
        return await self._walk.step(remaining)

    def position(self) -> Position | None:
        """See ``Walk``."""
        return None if self._walk is None else self._walk.position()

    async def close(
        self, error: type[RybbitError] = RybbitError, reason: str = "the walk has ended"
    ) -> None:
        """See ``Walk``."""
        inner = () if self._walk is None else (self._walk.close(error, reason),)
        await close_all(self._tasks.close(error(reason)), *inner)
