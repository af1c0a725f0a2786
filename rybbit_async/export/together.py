"""Several jobs at once, and jobs that block."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["finished", "in_thread", "together"]

T = TypeVar("T")
R = TypeVar("R")


async def together(job: Callable[[T], Awaitable[R]], values: Iterable[T], at_once: int) -> list[R]:
    """What a job gives for each value, so many of them at once; the first error ends the others."""
    turns = asyncio.Semaphore(at_once)

    async def one(value: T) -> R:
        async with turns:
            return await job(value)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(value)) for value in values]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def in_thread(threads: Executor | None, job: Callable[..., T], *arguments: Any) -> T:
    """Run something that blocks in one of the threads; see ``finished``."""
    return await finished(asyncio.get_running_loop().run_in_executor(threads, job, *arguments))


async def finished(future: asyncio.Future[T]) -> T:
    """The result of a job in a thread. It is waited for, also if this task is cancelled.

    It cannot be stopped, so that its file must not be closed yet, nor its lock be released.
    """
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with suppress(asyncio.CancelledError):  # once more, as at the end of ``asyncio.run``
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # nobody else asks for it
        raise
