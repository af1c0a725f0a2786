"""Rows from anywhere, some at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from ... import Paginator

__all__ = ["AnyRows", "collected", "first_of", "pages_of", "watched"]

T = TypeVar("T")

AnyRows = AsyncIterable[T] | Sequence[T]


async def pages_of(rows: AnyRows[T]) -> AsyncGenerator[Sequence[T], None]:
    """The rows as they come, some at a time and at least one."""
    if isinstance(rows, Paginator):
        async with aclosing(rows.pages()) as pages:
            async for page in pages:
                yield page
    elif isinstance(rows, Sequence):
        if rows:
            yield rows
    else:
        async for row in rows:
            yield [row]


async def first_of(
    pages: AsyncGenerator[Sequence[T], None], most: int | None
) -> AsyncGenerator[Sequence[T], None]:
    """Not more than so many rows; ``None`` is all of them."""
    left = most
    async for page in pages:
        if left is None:
            yield page
            continue
        yield page[:left]
        left -= len(page)
        if left <= 0:
            return


async def watched(
    pages: AsyncGenerator[Sequence[T], None], watch: Callable[[Sequence[T]], object]
) -> AsyncGenerator[Sequence[T], None]:
    """The same, each of which is told before it is passed on."""
    async with aclosing(pages):
        async for page in pages:
            watch(page)
            yield page


async def collected(
    pages: AsyncGenerator[Sequence[T], None], most: int | None
) -> tuple[list[T], bool]:
    """The first rows, and whether there are more."""
    found: list[T] = []
    async for page in pages:
        found += page
        if most is not None and len(found) > most:
            return found[:most], True
    return found, False
