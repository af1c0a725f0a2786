"""Pages, and walks over many of them. Nothing here knows HTTP.

A walk asks a ``Source`` for numbered pages and keeps at most ``concurrency`` of them in flight or
buffered; the page that the consumer is working on counts. The window refills only as the consumer
takes pages, so whoever stops taking stops the requests too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Hashable, Iterator
from types import TracebackType
from typing import Any, Generic, NoReturn, Protocol, Self, TypeVar

from attrs import define, frozen

from .errors import RybbitError

__all__ = ["Page", "PageMeta", "Paginator", "Report", "Source", "Walks"]

T = TypeVar("T")


@frozen
class PageMeta:
    """What a server says of a list: ``total`` items on ``total_pages`` pages of ``page_size``."""

    total: int
    page: int
    page_size: int
    total_pages: int


@frozen
class Page(Generic[T]):
    """One page; ``len()`` and iteration are those of ``items``.

    ``meta`` is ``None`` where the endpoint sends none: goal sessions have no total.
    """

    items: tuple[T, ...]
    meta: PageMeta | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)


@define
class Report:
    """What a walk has done so far, and whether its result is whole.

    Attributes:
        pages: pages that were read.
        requests: requests that were begun for them.
        items: items that were yielded.
        duplicates: rows that were dropped because they had come before.
        passes: times that the list was read through.
        complete: ``True`` when the walk reached the end of the list, ``False`` when it stopped
            before, ``None`` while it runs.
        reason: why it is not complete.
    """

    pages: int = 0
    requests: int = 0
    items: int = 0
    duplicates: int = 0
    passes: int = 1
    complete: bool | None = None
    reason: str | None = None


class Source(Protocol[T]):
    """A list to walk: how to get a page, and how to tell its items apart."""

    @property
    def page_size(self) -> int:
        """How many items a request asks for."""
        ...

    @property
    def expected(self) -> int | None:
        """How many items there may be; a hint that widens the window, never a truth."""
        ...

    def fetch(self, page: int) -> Coroutine[Any, Any, Page[T]]:
        """Page number ``page``, from 1."""
        ...

    def identity(self, item: T) -> Hashable:
        """What two rows have in common only if they are the same item."""
        ...


class Walks:
    """The walks that are under way, so that whoever owns them can end them."""

    def __init__(self) -> None:
        self._windows: set[_Window[Any]] = set()

    def __len__(self) -> int:
        return len(self._windows)

    def add(self, window: _Window[Any]) -> None:
        """Take in a walk that begins."""
        self._windows.add(window)

    def discard(self, window: _Window[Any]) -> None:
        """Let go of a walk that is over."""
        self._windows.discard(window)

    async def close(self, error: type[RybbitError], reason: str) -> None:
        """End every walk; a consumer that asks for more gets ``error(reason)`` raised."""
        for window in tuple(self._windows):
            await window.close(error, reason)


class _Window(Generic[T]):
    """The pages of one walk that are in flight or buffered, and the order in which they come."""

    def __init__(
        self,
        source: Source[T],
        report: Report,
        *,
        concurrency: int,
        ordered: bool,
        most: int | None,
    ) -> None:
        self.report = report
        self._source = source
        self._concurrency = concurrency
        self._ordered = ordered
        self._tasks: dict[int, asyncio.Task[Page[T]]] = {}  # in flight or buffered, by number
        self._dropped: list[asyncio.Task[Page[T]]] = []  # cancelled, and not yet over
        self._next = 1  # the next page to ask for
        self._most = most  # no page beyond this one is ever asked for
        self._last: int | None = None  # the last page that the list has, once that is known
        # Without a hint the first page goes alone, for it may be all that there is.
        self._hinted = -(-(source.expected or 0) // source.page_size)
        self._width = concurrency if self._hinted > 1 else 1
        self._closed: RybbitError | None = None

    @property
    def reached_end(self) -> bool:
        """Whether every page that the list has was asked for."""
        return self._last is not None and self._next > self._last

    async def next_page(self, remaining: int | None) -> Page[T] | None:
        """The next page, or ``None`` at the end; the page before it no longer counts.

        ``remaining`` is how many items the consumer still wants, ``None`` for all.
        """
        self._check_open()
        self._refill(remaining, held=0)
        while self._tasks:
            number = await self._arrival()
            self._check_open()
            page = self._tasks.pop(number).result()
            self.report.pages += 1
            self._learn(number, page)
            if page.items:
                left = None if remaining is None else remaining - len(page)
                self._refill(left, held=1)
                return page
            self._refill(remaining, held=0)
        return None

    def _refill(self, remaining: int | None, held: int) -> None:
        width = self._width - held
        if remaining is not None:
            width = min(width, -(-remaining // self._source.page_size))
        while len(self._tasks) < width and self._may_ask():
            page = self._next
            self._next += 1
            self.report.requests += 1
            self._tasks[page] = asyncio.create_task(self._source.fetch(page))

    def _may_ask(self) -> bool:
        limits = (self._last, self._most, self._hinted or None)
        return all(limit is None or self._next <= limit for limit in limits)

    async def _arrival(self) -> int:
        """The number of the page to take next, once it is there."""
        if self._ordered:
            number = min(self._tasks)
            if not self._tasks[number].done():
                await asyncio.wait((self._tasks[number],))
            return number
        while True:
            for number, task in self._tasks.items():
                if task.done():
                    return number
            await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)

    def _learn(self, number: int, page: Page[T]) -> None:
        if page.meta is not None:
            self._last = max(page.meta.total_pages, number)
            self._width = self._concurrency
        elif len(page) < self._source.page_size:
            self._last = number if self._last is None else min(self._last, number)
        elif self._hinted and number >= self._hinted:
            # There is more than the hint said: on from here as if there had been none.
            self._hinted = 0
            self._width = min(2, self._concurrency)
        else:
            self._width = min(self._width * 2, self._concurrency)
        if self._last is not None:
            for beyond in [n for n in self._tasks if n > self._last]:
                task = self._tasks.pop(beyond)
                task.cancel()
                self._dropped.append(task)

    def _check_open(self) -> None:
        if self._closed is not None:
            raise self._closed

    async def close(self, error: type[RybbitError] = RybbitError, reason: str = "over") -> None:
        """Cancel every task and wait until the last of them is over."""
        if self._closed is None:
            self._closed = error(reason)
        tasks = [*self._tasks.values(), *self._dropped]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # it was looked at: the loop need not complain of it
        self._dropped.clear()


class Paginator(Generic[T]):
    """A walk over every item of a list, as a value: making one sends nothing.

    Each ``async for`` starts a fresh walk. ``async with`` ends the walks that were begun from
    this paginator, tasks and all, when the block ends; after a bare ``break`` they are cancelled
    when the iterator is collected, and by ``client.close()`` at the latest.
    """

    def __init__(
        self,
        source: Source[T],
        *,
        walks: Walks,
        concurrency: int,
        ordered: bool = True,
        limit: int | None = None,
        max_pages: int | None = None,
        name: str = "",
    ) -> None:
        self._source = source
        self._all_walks = walks
        self._own_walks = Walks()
        self._concurrency = concurrency
        self._ordered = ordered
        self._limit = limit
        self._max_pages = max_pages
        self._name = name
        self._report = Report()

    def __repr__(self) -> str:
        return f"<Paginator {self._name}>"

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
        """The first item, or ``None`` where there is none; reads one page."""
        window = self._begin()
        try:
            page = await window.next_page(1)
            return page.items[0] if page else None
        finally:
            await self._end(window)

    async def pages(self) -> AsyncGenerator[Page[T], None]:
        """The pages, as the walk gives them: without rows that had come before."""
        window = self._begin()
        seen = set[Hashable]()
        try:
            while (page := await self._next(window, seen)) is not None:
                window.report.items += len(page)
                yield page
        finally:
            await self._end(window)

    async def _items(self) -> AsyncGenerator[T, None]:
        # Not ``async for page in self.pages()``: two nested generators would be finalised in no
        # certain order when a loop shuts down.
        window = self._begin()
        report, seen = window.report, set[Hashable]()
        try:
            while (page := await self._next(window, seen)) is not None:
                for item in page.items:
                    report.items += 1
                    yield item
        finally:
            await self._end(window)

    def _begin(self) -> _Window[T]:
        self._report = Report()
        window = _Window(
            self._source,
            self._report,
            concurrency=self._concurrency,
            ordered=self._ordered,
            most=self._max_pages,
        )
        self._all_walks.add(window)
        self._own_walks.add(window)
        return window

    async def _next(self, window: _Window[T], seen: set[Hashable]) -> Page[T] | None:
        """The next page without what had come before, or ``None`` where the walk ends."""
        report, source = window.report, self._source
        while True:
            remaining = None if self._limit is None else self._limit - report.items
            if remaining is not None and remaining <= 0:
                report.complete, report.reason = False, f"limit={self._limit} was reached"
                return None
            page = await window.next_page(remaining)
            if page is None:
                report.complete = window.reached_end
                if not report.complete:
                    report.reason = f"max_pages={self._max_pages} was reached"
                return None
            fresh: list[T] = []
            for item in page.items:
                identity = source.identity(item)
                if identity in seen:
                    report.duplicates += 1
                else:
                    seen.add(identity)
                    fresh.append(item)
            if fresh:
                return Page(tuple(fresh[:remaining]), page.meta)

    async def _end(self, window: _Window[T]) -> None:
        report = window.report
        if report.complete is None:
            report.complete, report.reason = False, "the walk was ended before the last page"
        self._all_walks.discard(window)
        self._own_walks.discard(window)
        await window.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._own_walks.close(RybbitError, "this walk ended with its 'async with' block")
