"""The walk alone: no HTTP, and a list whose pages arrive in the order that the test chooses.

What is counted is counted by the list, from outside: which pages were requested, when, and how
many of them the consumer had not finished with. Time is turns of the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import itertools
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Literal, TypeVar

import pytest
from attrs import define, evolve, field, frozen
from hypothesis import event, example, given
from hypothesis import strategies as st

from rybbit_async import Page, PageMeta, Paginator, Report, RybbitError
from rybbit_async.walks.options import WalkOptions
from rybbit_async.walks.paginator import WalkRegistry
from rybbit_async.walks.walk import PagedWalk, PageRequest, Position

from .helpers import (
    FakeOrder,
    HeldRequests,
    LoadedPage,
    OutageError,
    answering,
    in_progress,
    picked,
    run,
    turns,
)

T = TypeVar("T")

# --- a list to walk ----------------------------------------------------------------------------


@define(eq=False)
class FakeSource(HeldRequests[int]):
    """The numbers 0, 1, 2, ... below ``total``, in pages; each waits until the test answers it.

    The one place here that knows what a ``Source`` is.
    """

    total: int
    page_size: int
    counted: bool = True  # whether pages tell the total
    expected: int | None = None
    fails: int | None = None  # the number of a page that is an error
    same: int | None = None  # items are told apart modulo this
    settled: bool = True
    lateness: timedelta = timedelta()
    note: str | None = None
    doubt: str | None = None
    state: Mapping[str, str] = field(factory=dict)

    async def prepare(self, state: Mapping[str, str] | None) -> FakeSource:
        return self

    def fetch(self, request: PageRequest) -> Coroutine[Any, Any, LoadedPage[int]]:
        assert (request.size, request.stable) == (self.page_size, False)
        self.ask(request.number)
        return self._answer(request.number)

    async def _answer(self, page: int) -> LoadedPage[int]:
        await self.hold(page)
        if page == self.fails:
            raise OutageError(page)
        return LoadedPage(functools.partial(self.page, page))

    def order(self) -> FakeOrder[int]:
        return FakeOrder(lambda item: item if self.same is None else item % self.same)

    def page(self, number: int) -> Page[int]:
        first = (number - 1) * self.page_size
        items = tuple(range(first, min(first + self.page_size, self.total)))
        meta = PageMeta(self.total, number, self.page_size, self.last) if self.counted else None
        return Page(items, meta)

    @property
    def last(self) -> int:
        """The number of the last page with anything on it."""
        return -(-self.total // self.page_size)

    @property
    def end(self) -> int:
        """The number of the page that shows the end of a list without a total."""
        return self.total // self.page_size + 1


async def until_over(task: asyncio.Task[T], max_turns: int = 5000) -> None:
    """Wait for a task, and fail rather than hang."""
    for _ in range(max_turns):
        if task.done():
            return
        await asyncio.sleep(0)
    task.cancel()
    pytest.fail("the walk hangs")


def paginator(
    source: FakeSource,
    walks: WalkRegistry | None = None,
    *,
    concurrency: int = 4,
    ordered: bool = True,
    max_pages: int | None = None,
    limit: int | None = None,
) -> Paginator[int]:
    options = WalkOptions(concurrency, ordered, limit, max_pages=max_pages)

    def begin(report: Report, position: Position | None) -> PagedWalk[int]:
        return PagedWalk(source, source.order(), report, options, position)

    return Paginator(
        begin,
        name="numbers",
        query="",
        walks=WalkRegistry() if walks is None else walks,
        options=options,
    )


# --- what Hypothesis chooses -------------------------------------------------------------------

ExitKind = Literal["none", "break", "aclose", "with", "error", "cancel", "close", "pages"]


@frozen
class Plan:
    """One walk: the list, how it is walked, in what order pages arrive, and how it ends."""

    total: int
    size: int
    concurrency: int
    ordered: bool
    counted: bool
    expected: int | None
    picks: tuple[int, ...]
    limit: int | None = None
    max_pages: int | None = None
    fails: int | None = None
    pauses: tuple[int, ...] = (0,)  # turns that the consumer takes over an item

    def source(self, **more: Any) -> FakeSource:
        return FakeSource(
            self.total, self.size, self.counted, self.expected, fails=self.fails, **more
        )

    def paginator(self, source: FakeSource, walks: WalkRegistry | None = None) -> Paginator[int]:
        return paginator(
            source,
            walks,
            concurrency=self.concurrency,
            ordered=self.ordered,
            limit=self.limit,
            max_pages=self.max_pages,
        )


@st.composite
def plans(draw: st.DrawFn, /, **fixed: Any) -> Plan:
    size = draw(st.integers(1, 5))
    total = draw(st.integers(0, 40))
    hints = st.none() | st.just(total) | st.integers(0, 60)
    drawn: dict[str, Any] = {
        "total": total,
        "size": size,
        "concurrency": draw(st.integers(1, 9)),
        "ordered": draw(st.booleans()),
        "counted": draw(st.booleans()),
        "expected": draw(hints),
        "picks": tuple(draw(st.lists(st.integers(0, 9), max_size=12))),
        "pauses": tuple(draw(st.lists(st.integers(0, 6), min_size=1, max_size=4))),
    }
    drawn |= {name: draw(value) for name, value in fixed.items()}
    return Plan(**drawn)


async def walk(plan: Plan, source: FakeSource, over: Paginator[int]) -> list[int]:
    """All that the walk gives, with the server answering as planned."""
    got: list[int] = []

    async def consume() -> None:
        pauses = itertools.cycle(plan.pauses)
        async for item in over:
            got.append(item)
            await turns(next(pauses))

    async with answering(source, picked(plan.picks)):
        task = asyncio.create_task(consume())
        await until_over(task)
        await task
    return got


# --- everything, once --------------------------------------------------------------------------


@given(plans())
def test_every_item_comes_once(plan: Plan) -> None:
    source = plan.source()
    over = plan.paginator(source)
    got = run(lambda: walk(plan, source, over))
    if plan.ordered:
        assert got == list(range(plan.total))
    else:
        assert sorted(got) == list(range(plan.total))
    report = over.report
    assert report.complete is True
    assert report.reason is None
    assert report.items == plan.total
    assert report.duplicates == 0
    assert report.passes == 1
    assert report.requests == len(source.asked)
    assert max(source.last, 1) <= report.pages <= report.requests
    assert sorted(source.asked) == list(range(1, len(source.asked) + 1)), "each page once"


@given(plans(counted=st.just(True)))
def test_a_known_total_takes_just_its_pages(plan: Plan) -> None:
    plan = evolve(plan, expected=None)
    source = plan.source()

    def on_ask(page: int) -> None:
        if page > 1:
            assert 1 in source.answered, "the first page goes alone"

    source.on_ask = on_ask
    over = plan.paginator(source)
    run(lambda: walk(plan, source, over))
    assert len(source.asked) == max(1, source.last)
    assert over.report.pages == max(1, source.last)


@given(plans(counted=st.just(False)))
def test_an_unknown_total_is_not_overshot_by_more_than_the_window(plan: Plan) -> None:
    source = plan.source()
    run(lambda: walk(plan, source, plan.paginator(source)))
    assert source.end <= len(source.asked) <= source.end + plan.concurrency - 1


@given(plans(counted=st.just(False), expected=st.none()))
def test_one_page_of_an_unknown_total_takes_one_request(plan: Plan) -> None:
    plan = evolve(plan, total=plan.total % plan.size)
    source = plan.source()
    run(lambda: walk(plan, source, plan.paginator(source)))
    assert source.asked == [1]


@given(plans(counted=st.just(False)))
def test_a_right_hint_saves_every_request_beyond_the_end(plan: Plan) -> None:
    plan = evolve(plan, expected=plan.total)
    source = plan.source()
    run(lambda: walk(plan, source, plan.paginator(source)))
    assert len(source.asked) == source.end


@given(plans(counted=st.just(False)), st.integers(1, 30))
def test_a_hint_that_is_too_small_costs_few_requests(plan: Plan, less: int) -> None:
    plan = evolve(plan, expected=max(0, plan.total - less))
    source = plan.source()
    got = run(lambda: walk(plan, source, plan.paginator(source)))
    assert sorted(got) == list(range(plan.total))
    assert len(source.asked) <= source.end + plan.concurrency - 1


# --- the window --------------------------------------------------------------------------------


@given(plans())
def test_the_window_is_never_wider_than_concurrency(plan: Plan) -> None:
    source = plan.source()
    taken: list[int] = []
    holding: list[int] = []  # the page whose item the consumer works on

    def open_pages() -> list[int]:
        def is_done(page: int) -> bool:
            items = source.page(page).items
            return page in source.answered and page not in holding and set(items) <= set(taken)

        return [page for page in source.asked if not is_done(page)]

    def on_ask(page: int) -> None:
        assert len(open_pages()) <= plan.concurrency
        if plan.concurrency == 1:
            assert open_pages() == [page], "it reads ahead"

    source.on_ask = on_ask

    async def main() -> None:
        async with answering(source, picked(plan.picks)):
            pauses = itertools.cycle(plan.pauses)
            async for item in plan.paginator(source):
                taken.append(item)
                holding[:] = [item // plan.size + 1]
                await turns(next(pauses))
                assert len(open_pages()) <= plan.concurrency
                holding.clear()

    run(main)


@pytest.mark.parametrize("concurrency", [1, 2, 3, 8])
@pytest.mark.parametrize("ordered", [True, False])
def test_the_window_is_used(concurrency: int, ordered: bool) -> None:
    """As many pages as allowed are in flight while the consumer waits, and one less while not."""
    source = FakeSource(100, 5)

    async def main() -> None:
        items = aiter(paginator(source, concurrency=concurrency, ordered=ordered))
        first = asyncio.ensure_future(anext(items))
        await turns()
        assert list(source.waiting) == [1]
        source.let_go(1)
        await turns()
        assert await first == 0
        assert len(source.waiting) == concurrency - 1
        for _ in range(4):
            await anext(items)
        assert len(source.waiting) == concurrency - 1, "it is still the first page"
        waits = asyncio.ensure_future(anext(items))
        await turns()
        assert len(source.waiting) == concurrency
        source.let_go(2)
        assert await waits == 5
        await items.aclose()  # type: ignore[attr-defined]

    run(main)


def test_the_window_opens_step_by_step_where_there_is_no_total() -> None:
    source = FakeSource(1000, 1, counted=False)
    widths: list[int] = []

    async def main() -> None:
        items = aiter(paginator(source, concurrency=8))
        for page in range(1, 8):
            item = asyncio.ensure_future(anext(items))
            await turns()
            widths.append(len(source.waiting))
            source.let_go(page)
            assert await item == page - 1
        await items.aclose()  # type: ignore[attr-defined]

    run(main)
    assert widths == [1, 2, 4, 8, 8, 8, 8]


def test_a_hint_opens_the_window_at_once() -> None:
    source = FakeSource(1000, 10, counted=False, expected=1000)

    async def main() -> None:
        async with paginator(source, concurrency=8) as over:
            first = asyncio.ensure_future(anext(aiter(over)))
            await turns()
            assert sorted(source.waiting) == [1, 2, 3, 4, 5, 6, 7, 8]
            first.cancel()
            await asyncio.wait([first])

    run(main)


def test_a_consumer_that_stops_taking_stops_the_requests() -> None:
    source = FakeSource(1000, 1)

    async def main() -> None:
        async with answering(source), paginator(source, concurrency=5) as over:
            items = aiter(over)
            for _ in range(10):
                await anext(items)
            await turns(50)
            asked = len(source.asked)
            assert asked == 10 + 4
            await turns(50)
            assert len(source.asked) == asked

    run(main)


def test_unordered_pages_come_as_they_arrive() -> None:
    source = FakeSource(8, 2)

    async def main() -> list[int]:
        async with paginator(source, concurrency=4, ordered=False) as over:
            got: list[int] = []
            items = aiter(over)
            for page in (1, 4, 3, 2):
                item = asyncio.ensure_future(anext(items))
                await turns()
                source.let_go(page)
                got += [await item, await anext(items)]
            with pytest.raises(StopAsyncIteration):
                await anext(items)
            return got

    assert run(main) == [0, 1, 6, 7, 4, 5, 2, 3]


def test_ordered_pages_wait_for_their_turn() -> None:
    source = FakeSource(6, 2)

    async def main() -> None:
        async with paginator(source, concurrency=4) as over:
            items = aiter(over)
            item = asyncio.ensure_future(anext(items))
            await turns()
            source.let_go(1)
            assert await item == 0
            assert await anext(items) == 1
            item = asyncio.ensure_future(anext(items))
            await turns()
            source.let_go(3)
            await turns()
            assert not item.done()
            source.let_go(2)
            assert [await item, await anext(items), await anext(items)] == [2, 3, 4]

    run(main)


# --- limits ------------------------------------------------------------------------------------


@given(plans(limit=st.integers(0, 45)))
def test_limit(plan: Plan) -> None:
    source = plan.source()
    over = plan.paginator(source)
    got = run(lambda: walk(plan, source, over))
    limit = plan.limit or 0
    assert len(got) == len(set(got)) == min(limit, plan.total)
    if plan.ordered:
        assert got == list(range(len(got)))
    else:
        assert set(got) <= set(range(plan.total))
    assert over.report.items == len(got)
    assert over.report.requests == len(source.asked)
    if limit <= plan.total:
        assert len(source.asked) <= -(-limit // plan.size), "no more than are needed"
    if limit < plan.total:
        assert over.report.complete is False
        assert f"limit={limit}" in (over.report.reason or "")
    elif limit > plan.total:
        assert over.report.complete is True


@given(plans(max_pages=st.integers(1, 12)))
def test_max_pages(plan: Plan) -> None:
    source = plan.source()
    over = plan.paginator(source)
    got = run(lambda: walk(plan, source, over))
    max_pages = plan.max_pages or 0
    assert set(source.asked) <= set(range(1, max_pages + 1))
    assert sorted(got) == list(range(min(plan.total, max_pages * plan.size)))
    if plan.ordered:
        assert got == sorted(got)
    needed = max(1, source.last) if plan.counted else source.end
    assert over.report.complete is (max_pages >= needed)
    assert (over.report.reason is None) is (max_pages >= needed)
    if max_pages < needed:
        assert f"max_pages={max_pages}" in (over.report.reason or "")


def test_a_limit_of_nothing_asks_for_nothing() -> None:
    source = FakeSource(10, 2)

    async def main() -> None:
        over = paginator(source, limit=0)
        async with answering(source):
            assert await over.collect() == []
            assert await over.first() is None
            assert [page async for page in over.pages()] == []
        assert source.asked == []

    run(main)


# --- failures ----------------------------------------------------------------------------------


@given(plans(fails=st.integers(1, 10)), st.booleans())
def test_a_page_that_fails(plan: Plan, by_pages: bool) -> None:
    source = plan.source()
    fails = plan.fails or 0
    needed = max(1, source.last) if plan.counted else source.end
    over = plan.paginator(source)
    got: list[int] = []

    async def consume() -> None:
        if by_pages:
            async for page in over.pages():
                got.extend(page)
        else:
            async for item in over:
                got.append(item)  # noqa: PERF401  # what came before the error counts

    async def main() -> bool:
        async with answering(source, picked(plan.picks)):
            task = asyncio.create_task(consume())
            await until_over(task)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert len(left) == 1, "only the server is left"
        error = task.exception()
        assert error is None or (isinstance(error, OutageError) and error.args == (fails,))
        return error is not None

    failed = run(main)
    event(f"failed: {failed}")
    assert len(got) == len(set(got))
    if plan.ordered:
        # At its turn: after all that comes before it, and not at all where the list ends before.
        assert failed is (fails <= needed)
        assert got == list(range(min(plan.total, (fails - 1) * plan.size if failed else 10**6)))
    elif fails <= needed:
        assert failed
    if failed:
        assert over.report.complete is False
        assert over.report.reason
        assert over.report.items == len(got)


@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_keeps_its_traceback(ordered: bool) -> None:
    source = FakeSource(10, 2, fails=3)

    async def main() -> None:
        async with answering(source):
            with pytest.raises(OutageError) as caught:
                await paginator(source, ordered=ordered).collect()
        assert "_answer" in [entry.name for entry in caught.traceback]

    run(main)


def test_a_walk_can_start_again_after_an_error() -> None:
    source = FakeSource(10, 2, fails=3)

    async def main() -> None:
        async with answering(source):
            over = paginator(source)
            with pytest.raises(OutageError):
                await over.collect()
            source.fails = None
            assert await over.collect() == list(range(10))
            assert over.report.complete is True

    run(main)


# --- early exits -------------------------------------------------------------------------------


def requests_left() -> list[asyncio.Task[Any]]:
    """Requests in progress. (asyncio itself makes tasks that end generators.)"""
    return [task for task in asyncio.all_tasks() if "FakeSource" in repr(task.get_coro())]


class BodyError(Exception):
    """What goes wrong in the consumer's own code."""


@given(
    plans(),
    st.sampled_from(["break", "aclose", "with", "error", "error in with", "pages"]),
    st.integers(0, 12),
    st.integers(0, 3),
)
def test_leaving_early(plan: Plan, how: str, after: int, slow: int) -> None:
    source = plan.source(slow_to_stop=slow)
    walks = WalkRegistry()
    over = plan.paginator(source, walks)
    got: list[int] = []

    async def some(items: AsyncIterator[Any]) -> None:
        pauses = itertools.cycle(plan.pauses)
        async for item in items:
            got.append(item)
            await turns(next(pauses))
            if len(got) > after:
                if how.startswith("error"):
                    raise BodyError
                break

    async def main() -> None:
        async with answering(source, picked(plan.picks)):
            try:
                if how in ("with", "error in with"):
                    async with over:
                        await some(aiter(over))
                    assert not requests_left()
                elif how == "aclose":
                    async with contextlib.aclosing(over.pages()) as pages:
                        await some(pages)
                    assert not requests_left()
                elif how == "pages":
                    await some(over.pages())
                else:
                    await some(aiter(over))
            except BodyError:
                if how == "error in with":
                    assert not requests_left()
            # The iterator is collected, and its end takes a few turns.
            gc.collect(0)
            await turns(20 + 3 * slow)
            asked = len(source.asked)
            assert len(asyncio.all_tasks()) == 2, "this task and the server"
            assert in_progress(walks) == 0
            await turns()
            assert len(source.asked) == asked
        if len(got) > after:
            assert over.report.complete is False
            assert over.report.reason

    run(main)
    assert len(got) <= after + 1


@given(plans(fails=st.none() | st.integers(1, 10)), st.integers(0, 60), st.integers(0, 3))
def test_cancelling_the_consumer(plan: Plan, at: int, slow: int) -> None:
    source = plan.source(slow_to_stop=slow)
    over = plan.paginator(source)
    got: list[int] = []

    async def consume() -> None:
        pauses = itertools.cycle(plan.pauses)
        async with over:
            async for item in over:
                got.append(item)
                await turns(next(pauses))

    async def main() -> None:
        async with answering(source, picked(plan.picks)):
            task = asyncio.create_task(consume())
            await turns(at)
            cancelled = task.cancel()
            event(f"cancelled: {cancelled}")
            await until_over(task)
            assert not requests_left()
            if not cancelled or plan.fails is None:
                with contextlib.suppress(OutageError):
                    assert task.cancelled() is cancelled or not task.exception()
            else:
                assert task.cancelled() or isinstance(task.exception(), OutageError | None)

    run(main)
    assert len(got) == len(set(got))


@given(plans(), st.integers(0, 40), st.integers(0, 4), st.integers(1, 3))
@example(Plan(30, 3, 4, True, True, None, ()), 12, 3, 2)
def test_cancelling_more_than_once_leaves_no_task(
    plan: Plan, at: int, slow: int, again: int
) -> None:
    """Each task is waited for, also when the waiting itself is cancelled."""
    source = plan.source(slow_to_stop=slow)
    over = plan.paginator(source)

    async def main() -> None:
        async with answering(source, picked(plan.picks)):
            task = asyncio.create_task(over.collect())
            await turns(at)
            while not task.done():
                task.cancel()
                await turns(again)
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert len(asyncio.all_tasks()) == 2, "this task and the server"

    run(main)


class OverError(RybbitError):
    """What the owner of the walks ends them with."""


@given(plans(), st.integers(0, 60), st.integers(0, 3))
def test_closing_from_outside(plan: Plan, at: int, slow: int) -> None:
    source = plan.source(slow_to_stop=slow)
    walks = WalkRegistry()
    over = plan.paginator(source, walks)
    got: list[int] = []

    async def consume() -> None:
        pauses = itertools.cycle(plan.pauses)
        async for item in over:
            got.append(item)
            await turns(next(pauses))

    async def close() -> int:
        asked = len(source.asked)
        await walks.close(OverError, "closed")
        return asked

    async def main() -> None:
        async with answering(source, picked(plan.picks)):
            task = asyncio.create_task(consume())
            await turns(at)
            was_over = task.done()
            closing = asyncio.create_task(close())
            await until_over(closing)
            asked = await closing
            # When it is over, so are the requests; the consumer hears of it when it asks.
            assert not source.waiting
            rest = asyncio.all_tasks() - {asyncio.current_task(), task}
            assert len(rest) == 1, "the server"
            await until_over(task)
            if was_over:
                assert sorted(got) == list(range(plan.total))
                await task
                return
            assert len(source.asked) == asked, "it still asks"
            if task.exception() is None:
                assert sorted(got) == list(range(plan.total))
            else:
                with pytest.raises(OverError, match=r"^closed$"):
                    await task
                assert over.report.complete is False
            assert in_progress(walks) == 0

    run(main)
    if plan.ordered:
        assert got == list(range(len(got)))


async def _aclose(items: Any) -> None:
    await items.aclose()


def test_closing_waits_for_a_walk_that_is_ending_already() -> None:
    source = FakeSource(100, 2, slow_to_stop=5)
    walks = WalkRegistry()

    async def main() -> None:
        pages = paginator(source, walks).pages()
        first = asyncio.ensure_future(anext(pages))
        await turns()
        source.let_go(1)
        await first
        await turns()
        assert len(source.waiting) == 3
        leaving = asyncio.create_task(_aclose(pages))
        await turns(2)
        assert not leaving.done()
        await walks.close(OverError, "closed")
        assert asyncio.all_tasks() - {leaving} == {asyncio.current_task()}
        await leaving

    run(main)


def test_closing_twice_and_without_any_walk() -> None:
    async def main() -> None:
        walks = WalkRegistry()
        assert in_progress(walks) == 0
        await walks.close(OverError, "closed")
        await walks.close(OverError, "closed")

    run(main)


def test_the_end_of_the_block_ends_every_walk_of_this_paginator_and_no_other() -> None:
    source, other_source = FakeSource(100, 2), FakeSource(100, 2)
    walks = WalkRegistry()

    async def main() -> None:
        async with answering(source), answering(other_source):
            other = aiter(paginator(other_source, walks))
            assert await anext(other) == 0
            async with paginator(source, walks) as over:
                one, two = aiter(over), aiter(over)
                assert [await anext(one), await anext(two)] == [0, 0]
                assert in_progress(walks) == 3
            assert not source.waiting
            for items in (one, two):
                assert await anext(items) == 1  # it is there already
                with pytest.raises(RybbitError, match="async with"):
                    await anext(items)
            assert [await anext(other) for _ in range(5)] == [1, 2, 3, 4, 5]
            assert in_progress(walks) == 1
            await other.aclose()  # type: ignore[attr-defined]
            assert in_progress(walks) == 0

    run(main)


def test_a_walk_that_is_dropped_leaves_nothing_for_asyncio_to_log() -> None:
    source = FakeSource(100, 2, fails=3)
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        async with answering(source):
            async for _ in paginator(source):
                await turns(20)  # page 3 has failed by now
                break
            await turns(20)
        gc.collect()

    asyncio.run(main())
    gc.collect()
    assert complaints == []


def test_requests_that_end_badly_when_they_are_cancelled() -> None:
    source = FakeSource(100, 2, stops_badly=True)

    async def main() -> None:
        items = aiter(paginator(source))
        first = asyncio.ensure_future(anext(items))
        await turns()
        source.let_go(1)
        assert await first == 0
        await turns()
        assert len(source.waiting) == 3
        await items.aclose()  # type: ignore[attr-defined]
        assert not source.waiting

    run(main)


def test_a_loop_that_ends_in_the_middle_of_a_walk() -> None:
    source = FakeSource(100, 2)
    kept: list[Any] = []
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        async with answering(source):
            kept.append(aiter(paginator(source)))
            await anext(kept[0])

    asyncio.run(main(), debug=True)
    gc.collect()
    assert complaints == []
    assert not source.waiting


# --- duplicates --------------------------------------------------------------------------------


@given(plans(), st.integers(1, 10))
def test_what_came_before_is_dropped(plan: Plan, same: int) -> None:
    source = plan.source(same=same)
    over = plan.paginator(source)
    got = run(lambda: walk(plan, source, over))
    kinds = {item % same for item in range(plan.total)}
    assert sorted(item % same for item in got) == sorted(kinds)
    if plan.ordered:
        assert got == list(range(min(plan.total, same)))
    assert over.report.items == len(kinds)
    assert over.report.duplicates == plan.total - len(kinds)
    assert over.report.complete is True


@given(plans(limit=st.integers(1, 30)), st.integers(1, 10))
def test_a_limit_counts_what_is_given(plan: Plan, same: int) -> None:
    source = plan.source(same=same)
    got = run(lambda: walk(plan, source, plan.paginator(source)))
    assert len(got) == min(plan.limit or 0, same, plan.total)


# --- the value ---------------------------------------------------------------------------------


def test_making_one_sends_nothing_and_needs_no_loop() -> None:
    source = FakeSource(10, 2)
    walks = WalkRegistry()
    over = paginator(source, walks)
    assert aiter(over) is not None
    assert over.pages() is not None
    assert source.asked == []
    assert in_progress(walks) == 0
    assert repr(over) == "<Paginator: numbers>"
    assert over.report.complete is None


def test_a_plain_for_says_what_to_do() -> None:
    with pytest.raises(TypeError, match="async for"):
        iter(paginator(FakeSource(10, 2)))
    with pytest.raises(TypeError, match="async for"):
        list(paginator(FakeSource(10, 2)))


def test_each_async_for_is_a_fresh_walk() -> None:
    source = FakeSource(5, 2)

    async def main() -> None:
        async with answering(source):
            over = paginator(source)
            for times in (1, 2):
                assert [item async for item in over] == [0, 1, 2, 3, 4]
                assert len(source.asked) == 3 * times
                assert over.report.requests == 3
                assert over.report.items == 5

    run(main)


def test_two_walks_at_once_do_not_share_anything() -> None:
    source = FakeSource(20, 3)

    async def main() -> None:
        over = paginator(source, concurrency=3)
        # Their requests would share the fake's futures, so they take turns at its pages.
        async with answering(source):
            one = [item async for item in over]
            two = [item async for item in over]
        assert one == two == list(range(20))

    run(main)


@given(plans(limit=st.none() | st.integers(0, 45)))
def test_collect(plan: Plan) -> None:
    source = plan.source()

    async def main() -> list[int]:
        async with answering(source, picked(plan.picks)):
            return await plan.paginator(source).collect()

    got = run(main)
    assert sorted(got) == sorted(set(got))
    assert len(got) == min(plan.total, 10**6 if plan.limit is None else plan.limit)


@given(plans())
def test_first_reads_one_page(plan: Plan) -> None:
    source = plan.source()
    over = plan.paginator(source)

    async def main() -> int | None:
        async with answering(source, picked(plan.picks)):
            return await over.first()

    assert run(main) == (0 if plan.total else None)
    assert source.asked == [1]
    assert over.report.requests == 1
    assert over.report.pages == 1
    assert over.report.items == min(plan.total, 1)


@given(plans(limit=st.none() | st.integers(0, 45)))
def test_pages(plan: Plan) -> None:
    source = plan.source()
    over = plan.paginator(source)

    async def main() -> list[Page[int]]:
        async with answering(source, picked(plan.picks)):
            return [page async for page in over.pages()]

    pages = run(main)
    items = [item for page in pages for item in page]
    assert len(items) == len(set(items)) == over.report.items
    assert all(pages), "no page is empty"
    if plan.limit is None:
        assert sorted(items) == list(range(plan.total))
        assert all(
            page.items == source.page(page.items[0] // plan.size + 1).items for page in pages
        )
    else:
        assert len(items) == min(plan.limit, plan.total)
    for page in pages:
        assert (page.meta is not None) is plan.counted


async def test_report_while_a_walk_runs() -> None:
    source = FakeSource(6, 2)
    over = paginator(source)
    report = over.report
    assert (report.items, report.pages, report.complete) == (0, 0, None)
    async with answering(source):
        seen = [(over.report.items, over.report.pages, over.report.complete) async for _ in over]
    assert seen == [(n, (n + 1) // 2, None) for n in range(1, 7)]
    assert over.report.complete is True


async def test_the_list_grows_while_it_is_walked() -> None:
    source = FakeSource(4, 2)
    got: list[int] = []
    async with answering(source):
        async for item in paginator(source, concurrency=1):
            got.append(item)
            if item == 1:
                source.total = 7  # the server's own meta says so from now on
    assert got == list(range(7))


async def test_the_list_shrinks_while_it_is_walked() -> None:
    source = FakeSource(20, 2)
    got: list[int] = []
    over = paginator(source, concurrency=3)
    async with answering(source):
        async for item in over:
            got.append(item)
            if item == 3:
                source.total = 6
    assert got == [0, 1, 2, 3, 4, 5]
    assert over.report.complete is True


async def test_an_empty_list() -> None:
    for counted in (True, False):
        source = FakeSource(0, 10, counted)
        over = paginator(source)
        async with answering(source):
            assert await over.collect() == []
            assert await over.first() is None
        assert source.asked == [1, 1]


async def test_a_bad_item_of_a_page_is_not_held_back_by_others() -> None:
    """A full window of answers does not stop the one that the consumer waits for."""
    source = FakeSource(100, 1)
    async with paginator(source, concurrency=3) as over:
        items = aiter(over)
        waits: Awaitable[int] = asyncio.ensure_future(anext(items))
        await turns()
        source.let_go(1)
        assert await waits == 0
        await turns()
        source.let_go(3)
        waits = asyncio.ensure_future(anext(items))
        await turns()
        source.let_go(2)
        assert await waits == 1
        assert await anext(items) == 2
