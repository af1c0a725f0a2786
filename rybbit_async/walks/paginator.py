"""A walk over every item of a list, as a value."""

from __future__ import annotations

import json
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, NoReturn, Self, TypeVar

from ..errors import IncompleteWalkError, InvalidParameterError, RybbitError, RybbitWarning
from ..pages import Page, PageMeta, Report
from .walk import Resume, Walk, close_all

__all__ = ["Page", "PageMeta", "Paginator", "Report", "Walks"]

T = TypeVar("T")


def _resume(position: Any) -> Resume:
    """What a position says, checked.

    Raises:
        TypeError, ValueError, KeyError: it is not as ``Paginator`` made it.
    """
    rank, at, window = position["rank"], position["list"], position["window"]
    if type(rank) is not int or not 0 <= rank < 2**53:
        raise ValueError(rank)
    if "after" in at:
        if type(at["after"]) is not int:
            raise TypeError(at)
    else:
        times: list[Any] = [at["time"], *([at["head"]] if "head" in at else [])]
        marks: list[Any] = [*at["given"], *(at["head_rows"] if "head" in at else [])]
        if not all(isinstance(text, str) for text in (*times, *marks)):
            raise TypeError(at)
        if any(datetime.fromisoformat(text).tzinfo is None for text in times):
            raise ValueError(times)
    if not all(isinstance(text, str) for text in (*window, *window.values())):
        raise TypeError(window)
    return Resume(rank, at, window)


class Walks:
    """The walks that are under way, so that whoever owns them can end them."""

    def __init__(self) -> None:
        self._walks: set[Walk[Any]] = set()

    def __len__(self) -> int:
        return len(self._walks)

    def add(self, walk: Walk[Any]) -> None:
        """Take in a walk that begins."""
        self._walks.add(walk)

    def discard(self, walk: Walk[Any]) -> None:
        """Let go of a walk that is over."""
        self._walks.discard(walk)

    async def close(self, error: type[RybbitError], reason: str) -> None:
        """End every walk; a consumer that asks for more gets ``error(reason)`` raised."""
        await close_all(*(walk.close(error, reason) for walk in tuple(self._walks)))


class Paginator(Generic[T]):
    """A walk over every item of a list, as a value: making one sends nothing.

    Each ``async for`` starts a fresh walk. ``async with`` ends the walks that were begun from
    this paginator, tasks and all, when the block ends; after a bare ``break`` they are cancelled
    when the iterator is collected, and by ``client.close()`` at the latest.

    A walk that could not be made whole says so in ``report`` and in one ``RybbitWarning``; with
    ``strict=True`` it raises ``IncompleteWalkError`` instead, after its last item.
    """

    def __init__(
        self,
        begin: Callable[[Report, Resume | None], Walk[T]],
        *,
        name: str,
        query: str,
        walks: Walks,
        limit: int | None = None,
        strict: bool = False,
    ) -> None:
        self._begin_walk = begin
        self._name = name
        self._query = query
        self._all_walks = walks
        self._own_walks = Walks()
        self._limit = limit
        self._strict = strict
        self._report = Report()

    def __repr__(self) -> str:
        return f"<Paginator: {self._name}>"

    @property
    def report(self) -> Report:
        """What the latest walk has done so far; see ``Report``."""
        return self._report

    def __aiter__(self) -> AsyncIterator[T]:
        return self._items()

    def __iter__(self) -> NoReturn:
        raise TypeError("a Paginator is asynchronous: use 'async for', or 'await .collect()'")

    async def collect(self) -> list[T]:
        """Every item, in a list."""
        return [item async for item in self]

    async def first(self) -> T | None:
        """The first item, or ``None`` where there is none."""
        walk = self._begin(None)
        try:
            one = 1 if self._limit is None else min(1, self._limit)
            while not walk.report.items and (rows := await self._step(walk, one)) is not None:
                walk.report.items = len(rows)
                for item in rows:
                    return item
            return None
        finally:
            await self._end(walk)

    def pages(self, start: str | None = None) -> AsyncGenerator[Page[T], None]:
        """The pages, as the walk mends them: without repeats, and with what had been missing.

        Args:
            start: the ``position`` of a page of an earlier walk over the same query, in this or
                in another process: the walk goes on after that page. It is text, to be stored
                as it is. In a window that is wholly past every row comes exactly once; in one
                that still moves at least once, and the report says so. Pages of walks with
                ``ordered=False``, or in an order of which no position is known, have none.

        Raises:
            InvalidParameterError: ``start`` is no position, or one of another query.
        """
        return self._pages(None if start is None else self._resume(start))

    async def _items(self) -> AsyncGenerator[T, None]:
        # Not by way of ``pages``: of two nested generators, who is finalised first when a loop
        # shuts down is anyone's guess.
        walk = self._begin(None)
        report = walk.report
        try:
            while (rows := await self._step(walk, self._limit)) is not None:
                for item in rows:
                    report.items += 1
                    yield item
            self._judge(report)
        finally:
            await self._end(walk)

    async def _pages(self, resume: Resume | None) -> AsyncGenerator[Page[T], None]:
        walk = self._begin(resume)
        report = walk.report
        try:
            while (rows := await self._step(walk, self._limit)) is not None:
                meta = walk.meta
                report.items += len(rows)
                more: list[T] | None = []
                while walk.mending and more is not None and report.items != self._limit:
                    more = await self._step(walk, self._limit)
                    rows += more or []
                    report.items += len(more or [])
                if rows:
                    # Where the limit has cut a page, what follows it is not what comes next; nor
                    # is it where rows are still missing.
                    whole = report.items != self._limit and not walk.mending
                    yield Page(tuple(rows), meta, self._position(walk) if whole else None)
                if more is None:
                    break
            self._judge(report)
        finally:
            await self._end(walk)

    async def _step(self, walk: Walk[T], limit: int | None) -> list[T] | None:
        """The next rows, no more than the limit leaves, or ``None`` where the walk is over."""
        if limit is None:
            return await walk.step()
        remaining = limit - walk.report.items
        rows = await walk.step(remaining) if remaining else None
        return None if rows is None else rows[:remaining]

    def _begin(self, resume: Resume | None) -> Walk[T]:
        self._report = Report()
        walk = self._begin_walk(self._report, resume)
        self._all_walks.add(walk)
        self._own_walks.add(walk)
        return walk

    async def _end(self, walk: Walk[T]) -> None:
        report = walk.report
        if report.complete is None:
            report.complete = False
            report.note("the walk was ended before the last page")
        try:
            await walk.close()
        finally:
            self._all_walks.discard(walk)
            self._own_walks.discard(walk)

    def _judge(self, report: Report) -> None:
        """Say at the end of a walk what became of it."""
        if self._limit is not None and report.items >= self._limit:
            report.complete = False
            report.note(f"limit={self._limit} was reached")
            return
        if report.complete is None:
            report.complete = True
        text = f"{self._name}: the walk is not complete: {report.reason}"
        if self._strict and not report.complete:
            raise IncompleteWalkError(text, report=report)
        if report.doubtful:
            warnings.warn(text, RybbitWarning, stacklevel=3)

    # --- positions ----------------------------------------------------------------------------

    def _position(self, walk: Walk[T]) -> str | None:
        at = walk.position()
        if at is None:
            return None
        position = {
            "query": self._query, "rank": at.rank, "list": at.ledger, "window": at.source
        }  # fmt: skip
        return json.dumps(position, separators=(",", ":"))

    def _resume(self, start: object) -> Resume:
        try:
            position = json.loads(start)  # type: ignore[arg-type]  # what is no text raises
            query, resume = position["query"], _resume(position)
        except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
            raise InvalidParameterError("start: the position of a page, as it came") from None
        if query != self._query:
            raise InvalidParameterError(
                f"start: the position of another query, not of {self._name} with these parameters"
            )
        return resume

    # --- the end of a block -------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._own_walks.close(RybbitError, "this walk ended with its 'async with' block")
