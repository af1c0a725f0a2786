"""The prefetch window: which pages of a list are requested ahead, and the order they come in."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from ..pages import Page, RawPage, Report
from .tasks import TaskScope

__all__ = ["Extent", "PrefetchWindow"]

T = TypeVar("T")

# If the first page is shorter than requested but has at least this many rows, the server may have
# a maximum page size that it does not mention.
SMALLEST_CAP: Final = 100


class Extent:
    """How far a list reaches, as far as its pages have shown, and how far to read ahead.

    Args:
        size: how many rows a page is to have.
        first: the number of the first page that is read.
        expected: how many rows the list may have. This is a hint, which may be wrong.
        width: how many pages to have in flight before the first one has arrived.
        thrifty: whether to request no more than a twentieth of the pages beyond the end of a list
            whose length is not known.
    """

    def __init__(
        self, size: int, first: int, expected: int | None, width: int, *, thrifty: bool = False
    ) -> None:
        self.size = size  # rows of a full page: as requested, until the server sends fewer
        self.last: int | None = None  # the last page, once it is known
        self.ahead = sys.maxsize  # pages to have in flight or buffered, not the present one
        self._thrifty = thrifty
        self._first = first
        self._expected = expected or 0
        self._hinted = -(-self._expected // size)  # the last page according to the hint
        self._capped = False  # whether pages are smaller than the server says
        self._hint_ended = 0  # the page at which the hint turned out to be too small
        # Without a hint the first page is requested alone, since it may be the only one.
        self.width = width if self._hinted > 1 else 1

    def may_have(self, number: int) -> bool:
        """Whether the list may have a page of this number."""
        limits = (self.last, self._hinted or None)
        return all(limit is None or number <= limit for limit in limits)

    def learn(self, number: int, page: Page[object], concurrency: int) -> None:
        """Take into account what a page shows of the list."""
        # A row that the server cannot send has its place in the list all the same.
        meta, rows = page.meta, len(page) + len(page.skipped)
        if meta is not None:
            # A server may send smaller pages than requested, and says so here.
            self.size = min(self.size, meta.page_size) if meta.page_size > 0 else self.size
            if number == self._first and 0 < rows < min(self.size, meta.total - self._before()):
                # It says one size and sends another, so its number of pages is wrong, too.
                self.size, self._capped = rows, True
            pages = -(-meta.total // self.size)
            if not self._capped:
                # If the two figures differ, the larger one could make a walk endless.
                pages = min(pages, meta.total_pages)
            # So could a total that is too large, but at an empty page the list is at its end.
            self.last = max(pages, number) if rows else number
            self._hinted, self.width = 0, concurrency
            return
        if number == self._first and self._may_be_capped(rows):
            # Treated as a full page; the next one shows whether it was.
            self.size = rows
            self._hinted = -(-self._expected // rows)
        if rows < self.size:
            self.last = number if self.last is None else min(self.last, number)
        elif number < self._hinted:
            self.width = concurrency
        elif self._hinted:
            # The list may be longer than the hint said: go on as if there had been no hint.
            self._hinted, self.width, self._hint_ended = 0, 1, number
        elif self._thrifty:
            # All but one of them may lie beyond the end.
            self.width, self.ahead = concurrency, 1 + number // 20
        elif number > self._hint_ended:
            self.width *= 2

    def _before(self) -> int:
        """How many rows are on the pages before the first one that is read."""
        return (self._first - 1) * self.size

    def _may_be_capped(self, rows: int) -> bool:
        """Whether the first page may be short because of a maximum that the server has."""
        # If the hint is about as many, the page is just the end of the list. There can be a few
        # more rows than the hint: a visitor who signs in during a session has two of them.
        hinted = self._expected <= rows <= self._expected + self._expected // 20 + 2
        return SMALLEST_CAP <= rows < self.size and not hinted


class PrefetchWindow(Generic[T]):
    """The pages of one pass over a list that are in flight or buffered.

    The window refills only while its consumer takes pages, and the page that the consumer works
    on counts too. Without a total or a hint it opens step by step: 1, 2, 4, ... pages, or if the
    extent is thrifty, by one page for twenty.

    Args:
        fetch: requests the page of a number.
        extent: how far the list reaches.
        concurrency: how many pages may be in flight or buffered; may be changed at any time.
        ordered: whether pages are given by their numbers, or as they arrive.
        first: the number of the page to begin with. It is always the first one given, since it
            shows how large a page is.
        max_requests: how many requests the report may count in all; ``None`` for any number.
    """

    def __init__(
        self,
        fetch: Callable[[int], Coroutine[Any, Any, RawPage[T]]],
        extent: Extent,
        tasks: TaskScope,
        report: Report,
        *,
        concurrency: int,
        ordered: bool,
        first: int,
        max_requests: int | None,
    ) -> None:
        self.concurrency = concurrency
        self._fetch = fetch
        self._extent = extent
        self._tasks = tasks
        self._report = report
        self._ordered = ordered
        self._first = first
        self._max_requests = max_requests
        self._pages: dict[int, asyncio.Task[RawPage[T]]] = {}  # in flight or buffered, by number
        self._next = first  # the next page to request

    @property
    def size(self) -> int:
        """How many rows a full page has."""
        return self._extent.size

    @property
    def in_use(self) -> int:
        """How many pages are in flight or buffered."""
        return len(self._pages)

    @property
    def reach(self) -> int:
        """How many pages can be in flight or buffered, as far as the list has shown its length."""
        last = self._extent.last
        if last is None:
            return min(self._extent.width, self._extent.ahead)
        return max(0, last - self._next + 1) + self.in_use

    @property
    def at_end(self) -> bool:
        """Whether every page of the list has been taken."""
        last = self._extent.last
        return last is not None and self._next > last and not self._pages

    def abandon(self) -> None:
        """Cancel every request that is in flight, and drop the pages that are buffered."""
        self._cancel(list(self._pages))

    async def next_page(self, remaining: int | None) -> tuple[int, Page[T]] | None:
        """The next page and its number. The window no longer counts the page before it.

        Returns ``None`` at the end of the list, or when no further request is allowed.

        Args:
            remaining: how many rows the consumer still wants; ``None`` for all of them.
        """
        self._refill(remaining, held=0)
        while self._pages:
            number = await self._arrival()
            page = self._tasks.result(self._pages.pop(number)).decode()
            self._report.pages += 1
            self._extent.learn(number, page, self.concurrency)
            if self._extent.last is not None:
                self._cancel([n for n in self._pages if n > self._extent.last])
            # An empty page matters if it has a total, or if a walk was to go on there.
            if page.items or page.meta is not None or number == self._first:
                left = None if remaining is None else remaining - len(page)
                self._refill(left, held=1)
                return number, page
            self._refill(remaining, held=0)
        return None

    def _refill(self, remaining: int | None, held: int) -> None:
        width = min(self._extent.ahead, min(self._extent.width, self.concurrency) - held)
        if remaining is not None:
            width = min(width, -(-remaining // self.size))
        while len(self._pages) < width and self._may_request():
            self._report.requests += 1
            self._pages[self._next] = self._tasks.start(self._fetch(self._next))
            self._next += 1

    def _may_request(self) -> bool:
        if self._max_requests is not None and self._report.requests >= self._max_requests:
            return False
        return self._extent.may_have(self._next)

    async def _arrival(self) -> int:
        """The number of the page to take next, once that page has arrived."""
        if self._ordered or self._first in self._pages:
            number = min(self._pages)
            await self._tasks.wait(self._pages[number])
            return number
        await self._tasks.wait(*self._pages.values())
        return next(number for number, task in self._pages.items() if task.done())

    def _cancel(self, numbers: list[int]) -> None:
        for number in numbers:
            self._pages.pop(number).cancel()
