"""Walks over many lists at once: no HTTP, and lists that answer in the order that the test chooses.

Some outer lists, each of keys; each key has an inner list of its own. What is counted is counted
from outside, as in ``test_paginator``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any

import pytest
from attrs import define, field, frozen
from hypothesis import event, given, settings
from hypothesis import strategies as st

from rybbit_async import Page, PageMeta, Paginator, Report, RybbitError
from rybbit_async.walks.multi_walk import Listing, MultiWalk, SubWalk
from rybbit_async.walks.options import WalkOptions
from rybbit_async.walks.paginator import WalkRegistry
from rybbit_async.walks.walk import PagedWalk, PageRequest, Position

from .helpers import (
    FakeOrder,
    HeldRequests,
    LoadedPage,
    OutageError,
    answering,
    at_random,
    in_progress,
    run,
    turns,
)

# The same examples each time. (Thousands more of each passed while this was written.)
some = settings(max_examples=40, derandomize=True)

Key = tuple[int, int]  # the number of the outer list, and that within it
Row = tuple[Key, int]


@define(eq=False)
class Server(HeldRequests[str]):
    """Requests wait here until they are answered; ``inner`` says how many rows each key has."""

    inner: list[list[int]]
    outer_size: int = 3
    size: int = 4
    fails: Callable[[str], bool] = lambda _: False
    requests: dict[str, Coroutine[Any, Any, Any]] = field(factory=dict)

    async def answer(
        self, name: str, items: tuple[Any, ...], meta: PageMeta | None
    ) -> LoadedPage[Any]:
        await self.hold(name)
        if self.fails(name):
            raise OutageError(name)
        return LoadedPage(lambda: Page(items, meta))

    def rows(self) -> list[Row]:
        return [
            ((site, at), row)
            for site, lists in enumerate(self.inner)
            for at, total in enumerate(lists)
            for row in range(total)
        ]

    def is_cancelled(self, name: str) -> bool:
        over = inspect.getcoroutinestate(self.requests[name]) == inspect.CORO_CLOSED
        return over and name not in self.answered

    def pages_of(self, kind: str) -> int:
        return sum(name.startswith(kind) for name in self.asked)


@frozen(eq=False)
class ListSource:
    """One list of the server: of the keys of an outer list, or of the rows of a key."""

    server: Server
    name: str
    items: tuple[Any, ...]
    page_size: int
    counted: bool
    expected: int | None = None
    settled: bool = True
    lateness: timedelta = timedelta()
    note: str | None = None
    doubt: str | None = None
    state: Mapping[str, str] = field(factory=dict)

    async def prepare(self, state: Mapping[str, str] | None) -> ListSource:
        return self

    def fetch(self, request: PageRequest) -> Coroutine[Any, Any, LoadedPage[Any]]:
        number, size = request.number, request.size
        name = f"{self.name} {number}"
        assert name not in self.server.asked, "each page once"
        self.server.ask(name)
        items = self.items[(number - 1) * size : number * size]
        total = len(self.items)
        meta = PageMeta(total, number, size, -(-total // size)) if self.counted else None
        self.server.requests[name] = answer = self.server.answer(name, items, meta)
        return answer


@define(eq=False)
class Merged:
    """A paginator over the walk of a server's lists, and that walk itself."""

    server: Server
    concurrency: int
    ordered: bool = True
    hint: Callable[[int], int] = lambda total: total
    limit: int | None = None
    all_walks: WalkRegistry = field(factory=WalkRegistry)
    finished: int = 0
    skips: bool = False
    walk: MultiWalk[Any, Any, Row] = field(init=False)

    def options(self) -> WalkOptions:
        return WalkOptions(self.concurrency, self.ordered, self.limit)

    def paginator(self) -> Paginator[Row]:
        return Paginator(
            self._begin, name="rows", query="", walks=self.all_walks, options=self.options()
        )

    def _begin(self, report: Report, _: Position | None) -> MultiWalk[Any, Any, Row]:
        def walk(source: ListSource, concurrency: int) -> PagedWalk[Any]:
            options = WalkOptions(concurrency, self.ordered)
            return PagedWalk(source, FakeOrder[Any](), report, options)

        server = self.server

        def listing(site: int, lists: list[int]) -> Listing[Key, int, Row]:
            def sub_walk(key: Key) -> SubWalk[int, Row] | None:
                total = lists[key[1]]
                hint = self.hint(total)
                rows = tuple(range(total))
                inner = ListSource(server, f"inner {key}", rows, server.size, False, hint)
                pages = max(1, -(-hint // server.size))
                inner_walk = walk(inner, self.concurrency)
                return SubWalk(inner_walk, lambda row: (key, row), pages, lambda _: self.skips)

            keys = tuple((site, at) for at in range(len(lists)))
            outer = ListSource(server, f"outer {site}", keys, server.outer_size, True)
            return Listing(walk(outer, 1), sub_walk, lambda _: self.skips)

        def finish() -> None:
            self.finished += 1

        self.walk = MultiWalk(
            (listing(site, lists) for site, lists in enumerate(server.inner)),
            report,
            self.options(),
            page_size=server.size,
            finish=finish,
        )
        return self.walk


def collect(merged: Merged, seed: int = 0) -> list[Row]:
    async def main() -> list[Row]:
        async with answering(merged.server, at_random(seed)):
            return await merged.paginator().collect()

    return run(main)


@st.composite
def mergers(draw: st.DrawFn) -> Merged:
    totals = st.integers(0, 5) | st.integers(0, 24)
    inner: list[list[int]] = draw(st.lists(st.lists(totals, max_size=7), max_size=3))
    server = Server(inner, draw(st.integers(1, 4)), draw(st.integers(1, 5)))
    off = draw(st.sampled_from((0, 0, -3, 4, 30, -100)))
    return Merged(
        server, draw(st.integers(1, 8)), draw(st.booleans()), lambda total: max(0, total + off)
    )


seeds = st.integers(0, 2**32)


# --- everything, once --------------------------------------------------------------------------


@some
@given(mergers(), seeds)
def test_every_row_comes_once(merged: Merged, seed: int) -> None:
    server = merged.server
    over = merged.paginator()

    async def main() -> list[Row]:
        async with answering(server, at_random(seed)):
            return await over.collect()

    got = run(main)
    if merged.ordered:
        assert got == server.rows()
    else:
        assert sorted(got) == server.rows()
        assert server.outer_size  # each list in its own order is not promised
    report = over.report
    assert (report.complete, report.reason) == (True, None)
    assert report.items == len(got)
    assert report.requests == len(server.asked)
    assert merged.finished == 1
    assert in_progress(merged.all_walks) == 0
    outer = sum(max(1, -(-len(lists) // server.outer_size)) for lists in server.inner)
    assert server.pages_of("outer") == outer
    needed = sum(total // server.size + 1 for lists in server.inner for total in lists)
    sub_walks = sum(map(len, server.inner))
    assert needed <= server.pages_of("inner") <= needed + sub_walks * (merged.concurrency - 1)


@some
@given(mergers(), seeds)
def test_right_hints_cost_nothing_beyond_the_end(merged: Merged, seed: int) -> None:
    merged.hint = lambda total: total
    server = merged.server
    collect(merged, seed)
    needed = sum(total // server.size + 1 for lists in server.inner for total in lists)
    assert server.pages_of("inner") == needed


def test_nothing_at_all() -> None:
    lists: list[list[list[int]]] = [[], [[]], [[], [0, 0], []]]
    for inner in lists:
        merged = Merged(Server(inner), 4)
        assert collect(merged) == []
        assert merged.finished == 1


# --- the window --------------------------------------------------------------------------------


@some
@given(mergers(), seeds, st.integers(0, 8))
def test_no_more_than_concurrency_in_flight_or_buffered(
    merged: Merged, seed: int, pause: int
) -> None:
    """All sub-walks and the listing together; what the consumer works on counts."""
    server = merged.server
    taken: set[Row] = set()
    holding: list[str] = []

    def page_of(row: Row) -> str:
        return f"inner {row[0]} {row[1] // server.size + 1}"

    of_page: dict[str, set[Row]] = {}
    for row in server.rows():
        of_page.setdefault(page_of(row), set()).add(row)

    def open_pages() -> list[str]:
        def is_done(name: str) -> bool:
            rows = of_page.get(name, set())
            if name in server.requests and server.is_cancelled(name):
                return True
            return name in server.answered and name not in holding and rows <= taken

        return [name for name in server.asked if not is_done(name)]

    def on_ask(_: str) -> None:
        assert len(open_pages()) <= merged.concurrency
        # Sub-walks that are listed and not started are no more than a page of the outer list.
        assert len(merged.walk._waiting) <= server.outer_size
        assert len(merged.walk._started) <= merged.concurrency

    server.on_ask = on_ask

    async def main() -> None:
        async with answering(server, at_random(seed)):
            async for row in merged.paginator():
                taken.add(row)
                holding[:] = [page_of(row)]
                await turns(pause)
                assert len(open_pages()) <= merged.concurrency
                holding.clear()

    run(main)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("concurrency", [2, 3, 8])
@pytest.mark.parametrize("lists", [[1000], [4] * 12])
def test_the_window_is_used(lists: list[int], concurrency: int, ordered: bool) -> None:
    """By one large list alone as well as by many small ones."""
    server = Server([lists], outer_size=100)
    merged = Merged(server, concurrency, ordered)

    async def main() -> None:
        async with merged.paginator() as over:
            task = asyncio.create_task(over.collect())
            for _ in range(20):
                await turns()
                waiting = sorted(server.waiting)
                if len(waiting) == concurrency:
                    break
                server.let_go(waiting[0])
            assert len(server.waiting) == concurrency
            task.cancel()
            await asyncio.wait([task])

    run(main)


def test_a_window_of_one_does_one_thing_at_a_time() -> None:
    server = Server([[3, 9, 0, 5], [6]], outer_size=2)
    merged = Merged(server, 1)

    def on_ask(name: str) -> None:
        assert not server.waiting, f"{name} while {server.waiting}"

    server.on_ask = on_ask
    assert collect(merged) == server.rows()
    assert server.asked[:2] == ["outer 0 1", "inner (0, 0) 1"]


@pytest.mark.parametrize("ordered", [True, False])
def test_rows_come_while_keys_are_still_listed(ordered: bool) -> None:
    server = Server([[4, 4], [4]], outer_size=1)
    merged = Merged(server, 4, ordered)

    async def main() -> None:
        items = aiter(merged.paginator())
        first = asyncio.ensure_future(anext(items))
        await turns()
        server.let_go("outer 0 1")
        await turns()
        assert sorted(server.waiting) == ["inner (0, 0) 1", "outer 0 2"]
        server.let_go("inner (0, 0) 1")
        assert await first == ((0, 0), 0)
        assert [await anext(items) for _ in range(3)] == [((0, 0), row) for row in (1, 2, 3)]
        await items.aclose()  # type: ignore[attr-defined]
        assert not server.waiting

    run(main)


@some
@given(st.integers(2, 8), st.integers(0, 9), seeds)
def test_a_huge_list_does_not_starve_small_ones(concurrency: int, at: int, seed: int) -> None:
    """Out of order, each has an equal share of the window, wherever the huge one stands."""
    small = [3] * 9
    lists = [*small[:at], 150, *small[at:]]
    server = Server([lists], outer_size=4, size=1)
    got = collect(Merged(server, concurrency, ordered=False), seed)
    last_small = max(place for place, (key, _) in enumerate(got) if key[1] != at)
    event(f"rows until the last small list was through: {last_small // 20 * 20}")
    # 27 rows of the small ones on 36 pages, and no more than the same again of the huge one for
    # each page of theirs.
    assert last_small <= 27 + 2 * 36
    assert sorted(got) == server.rows()


def test_huge_lists_do_not_starve_small_ones_of_a_slow_consumer() -> None:
    """For whom every page is there already."""
    server = Server([[150, 150, *([3] * 9)]], outer_size=11, size=1)

    async def main() -> list[int]:
        got: list[int] = []
        async with answering(server, at_random()):
            async for key, _ in Merged(server, 4, ordered=False).paginator():
                got.append(key[1])
                await turns(15)
        return got

    got = run(main)
    assert max(place for place, key in enumerate(got) if key > 1) <= 27 + 3 * 36


@pytest.mark.parametrize("ordered", [True, False])
def test_a_consumer_that_stops_taking_stops_the_requests(ordered: bool) -> None:
    server = Server([[50] * 10], size=1)
    merged = Merged(server, 5, ordered)

    async def main() -> None:
        async with answering(server, at_random()), merged.paginator() as over:
            items = aiter(over)
            for _ in range(10):
                await anext(items)
            await turns(100)
            asked = len(server.asked)
            await turns(100)
            assert len(server.asked) == asked <= 10 + 5 + server.pages_of("outer")

    run(main)


# --- limits ------------------------------------------------------------------------------------


@some
@given(mergers(), seeds, st.integers(0, 60))
def test_limit(merged: Merged, seed: int, limit: int) -> None:
    server = merged.server
    merged.limit = limit
    got = collect(merged, seed)
    assert len(got) == len(set(got)) == min(limit, len(server.rows()))
    if merged.ordered:
        assert got == server.rows()[:limit]
    if limit == 0:
        assert server.asked == []


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(("limit", "pages"), [(1, 1), (5, 1), (6, 2), (25, 5)])
def test_a_limit_stops_asking_as_soon_as_enough_is_in_flight(
    limit: int, pages: int, ordered: bool
) -> None:
    server = Server([[50] * 10], outer_size=10, size=5)
    merged = Merged(server, 8, ordered, limit=limit)
    assert len(collect(merged)) == limit
    assert server.pages_of("outer") == 1
    assert pages <= server.pages_of("inner") <= pages + 1


# --- ends --------------------------------------------------------------------------------------


@some
@given(mergers(), seeds, st.integers(0, 40))
def test_a_page_that_fails(merged: Merged, seed: int, which: int) -> None:
    server = merged.server

    def fails(name: str) -> bool:
        return server.asked.index(name) == which

    server.fails = fails
    got: list[Row] = []
    over = merged.paginator()

    async def main() -> bool:
        async with answering(server, at_random(seed)):
            try:
                async for row in over:
                    got.append(row)  # noqa: PERF401  # what came before the error counts
            except OutageError:
                assert over.report.complete is False
                return True
            finally:
                left = asyncio.all_tasks() - {asyncio.current_task()}
                assert len(left) == 1, "the server"
        return False

    failed = run(main)
    event(f"failed: {failed}")
    assert len(got) == len(set(got))
    if merged.ordered:
        assert got == server.rows()[: len(got)]
    if not failed:
        assert sorted(got) == server.rows(), "only a page beyond the end may fail in vain"
    assert in_progress(merged.all_walks) == 0


@some
@given(mergers(), seeds, st.sampled_from(["outer 0 1", "inner (0, 0) 1", "inner (0, 1) 2"]))
def test_a_list_that_fails_and_is_left_out(merged: Merged, seed: int, which: str) -> None:
    """All other lists come whole, and of that one what was read before."""
    server = merged.server
    server.fails = lambda name: name == which
    merged.skips = True
    got = collect(merged, seed)
    event(f"failed: {which in server.asked}")
    assert len(got) == len(set(got))
    lost = (0,) if which.startswith("outer") else tuple(int(one) for one in which[7:-3].split(", "))
    others = [row for row in server.rows() if row[0][: len(lost)] != lost]
    rest = [row for row in got if row[0][: len(lost)] == lost]
    assert sorted(row for row in got if row not in rest) == others
    assert merged.finished == 1
    assert in_progress(merged.all_walks) == 0


@some
@given(mergers(), seeds, st.integers(0, 80), st.sampled_from(["cancel", "close", "with", "aclose"]))
def test_early_exits(merged: Merged, seed: int, at: int, how: str) -> None:
    """No task is left, whichever way a walk ends, and nothing further is requested."""
    server = merged.server
    over = merged.paginator()

    async def consume() -> None:
        if how == "with":
            async with over:
                await items()
        elif how == "aclose":
            async with contextlib.aclosing(over.pages()) as pages:
                async for _ in pages:
                    if server.asked and len(server.asked) >= at // 4:
                        break
        else:
            await items()

    async def items() -> None:
        async for _ in over:
            if how == "with" and len(server.asked) >= at // 4:
                break

    async def main() -> None:
        async with answering(server, at_random(seed)):
            task = asyncio.create_task(consume())
            if how in ("cancel", "close"):
                await turns(at)
                if how == "cancel":
                    task.cancel()
                else:
                    await merged.all_walks.close(RybbitError, "closed")
                    assert not server.waiting
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is not None:
                assert how == "close"
                assert isinstance(task.exception(), RybbitError)
            asked = len(server.asked)
            await turns()
            assert len(asyncio.all_tasks()) == 2, "this task and the server"
            assert len(server.asked) == asked
            assert not server.waiting

    run(main)


def test_there_are_no_positions() -> None:
    server = Server([[9, 9]])

    async def main() -> list[Page[Row]]:
        async with answering(server, at_random()):
            return [page async for page in Merged(server, 4).paginator().pages()]

    pages = run(main)
    assert [row for page in pages for row in page] == server.rows()
    assert {(page.position, page.meta) for page in pages} == {(None, None)}


def test_listings_start_one_after_another() -> None:
    """A walk over a thousand sites lists the second one when it has listed the first."""
    server = Server([[1], [1], [1]])
    asked: list[str] = []
    server.on_ask = asked.append
    collect(Merged(server, 2))
    outer = [name for name in asked if name.startswith("outer")]
    assert outer == ["outer 0 1", "outer 1 1", "outer 2 1"]
