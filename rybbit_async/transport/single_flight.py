"""One task for all who wait for the same result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["SingleFlight"]

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """A result that is computed once, in a task of its own, and kept.

    The task does not belong to any of the callers, so that cancelling the first of them does not
    cancel the others.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[T] | None = None

    async def get(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result.

        An error of ``make`` is raised for everyone who waits; the next call tries again.
        """
        task = self._task
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._task = asyncio.create_task(make())
            task.add_done_callback(lambda t: t.cancelled() or t.exception())
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Compute the result again at the next call. A task that is running is not affected."""
        if self._task is not None and self._task.done():
            self._task = None

    async def cancel(self) -> None:
        """End the task that is running, if there is one, and wait for its end."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait((self._task,))
