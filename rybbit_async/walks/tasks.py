"""The tasks of a walk, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from ..errors import RybbitError

__all__ = ["TaskScope", "close_all"]

T = TypeVar("T")


class TaskScope:
    """The tasks of one walk. They end with the walk, and whoever waits for one gets an error.

    They are in the event loop in which the first of them was started. Nobody in another loop can
    wait for them.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed: RybbitError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, job: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task, which is cancelled when the walk ends."""
        task = asyncio.create_task(job)
        self._loop = task.get_loop()
        self._tasks.add(task)
        return task

    async def wait(self, *tasks: asyncio.Task[Any]) -> None:
        """Wait until the first of ``tasks`` is done.

        Raises:
            RybbitError: the walk was closed in the meantime.
        """
        if not any(task.done() for task in tasks):
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.check_open()

    def result(self, task: asyncio.Task[T]) -> T:
        """The result of a task that is done. The scope no longer keeps the task."""
        self._tasks.discard(task)
        return task.result()

    async def run(self, job: Coroutine[Any, Any, T]) -> T:
        """Run one job as a task of the walk, and wait for its result."""
        task = self.start(job)
        await self.wait(task)
        return self.result(task)

    def check_open(self) -> None:
        """Raise an error if the walk was closed, or was started in another event loop."""
        if self._closed is not None:
            raise self._closed
        if self._is_elsewhere():
            raise RybbitError(
                "this walk belongs to another event loop, in which it was started: start a walk in "
                "each loop, and so in each thread"
            )

    def _is_elsewhere(self) -> bool:
        return self._loop is not None and self._loop is not asyncio.get_running_loop()

    async def close(self, error: RybbitError) -> None:
        """Cancel every task and wait until all of them are done.

        Called in another event loop, it does not wait, and tasks of a loop that is closed stay as
        they are.
        """
        self._closed = self._closed or error
        if self._is_elsewhere():
            with suppress(RuntimeError):  # the loop is closed
                for task in tuple(self._tasks):
                    task.get_loop().call_soon_threadsafe(task.cancel)
            return
        for task in self._tasks:
            task.cancel()
        cancelled: asyncio.CancelledError | None = None
        while pending := [task for task in self._tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as caught:
                cancelled = caught  # raised again below, once every task is done
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # marks it as retrieved, so that asyncio logs nothing
        self._tasks.clear()
        if cancelled is not None:
            raise cancelled


async def close_all(*closings: Coroutine[Any, Any, None]) -> None:
    """Await all of ``closings``, one after another, even if the caller is cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    for closing in closings:
        try:
            await closing
        except asyncio.CancelledError as caught:
            cancelled = caught
    if cancelled is not None:
        raise cancelled
