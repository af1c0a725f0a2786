"""One task for however many wait for its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["SingleFlight"]

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """A result that is made once, by a task of its own, and kept.

    The task is nobody's: whoever asked for it first may be cancelled while others wait.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[T] | None = None

    async def get(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result; what made it failed for all who waited, and is tried anew by the next."""
        task = self._task
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._task = asyncio.create_task(make())
            task.add_done_callback(lambda t: t.cancelled() or t.exception())
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Have the next one make it anew; a task that is under way goes on for those who wait."""
        if self._task is not None and self._task.done():
            self._task = None

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        if self._task is not None and not self._task.done():
            await asyncio.wait((self._task,))
