"""Several jobs at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

__all__ = ["together"]

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
