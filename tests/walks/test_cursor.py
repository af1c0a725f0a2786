"""Walks by cursor, over a list in memory whose equal rows come in another order each time."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import pytest
from attrs import define, evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from rybbit_async import APIResponseError, InvalidParameterError
from rybbit_async.pages import Page, PageMeta, Report
from rybbit_async.walks.cursor import CursorPage, Stretch, Stretches, StretchWalk
from rybbit_async.walks.multi_walk import Listing, MultiWalk, SubWalk
from rybbit_async.walks.options import WalkOptions
from rybbit_async.walks.orders import Unnamed
from rybbit_async.walks.paginator import Paginator, WalkRegistry
from rybbit_async.walks.walk import PagedWalk, PageRequest, Position, ResizableWalk

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 10
ALL = Stretch(date(2024, 1, 1), date(2024, 1, DAYS))


@frozen
class Row:
    """Rows may be equal."""

    time: datetime
    name: str


def time_of(row: Row) -> datetime:
    return row.time


@frozen
class Answer:
    page: Page[Row]

    def decode(self) -> Page[Row]:
        return self.page


@define(eq=False, slots=False)
class Events:
    """A source of both kinds: by cursor, or by numbered pages."""

    rows: list[Row]
    page_size: int
    is_numbered: bool = False
    dice: random.Random = field(factory=lambda: random.Random(1))
    stretch: Stretch = ALL
    zone: tzinfo = UTC
    earliest: datetime | None = None
    state: Mapping[str, str] = field(factory=dict[str, str])
    in_flight: int = 0
    peak: int = 0
    sizes: list[int] = field(factory=list[int])
    # What a source of numbered pages has.
    expected: None = None
    settled: bool = True
    lateness: timedelta = timedelta(0)
    note: None = None
    doubt: None = None

    async def prepare(self, state: Mapping[str, str] | None) -> Events:
        return self

    def _sorted(self) -> list[Row]:
        return sorted(self.rows, key=lambda row: (row.time, self.dice.random()), reverse=True)

    async def _delay(self, size: int) -> None:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        self.sizes.append(size)
        for _ in range(self.dice.randrange(5)):
            await asyncio.sleep(0)
        self.in_flight -= 1

    async def fetch(self, request: Any) -> Answer:
        await self._delay(request.size)
        if isinstance(request, PageRequest):
            start = (request.number - 1) * request.size
            total = len(self.rows)
            meta = PageMeta(total, request.number, request.size, -(-total // request.size))
            return Answer(Page(tuple(self._sorted()[start : start + request.size]), meta))
        assert isinstance(request, CursorPage)
        if self.is_numbered:
            return Answer(Page(()))
        first, last, before = request.stretch.first, request.stretch.last, request.stretch.before
        until = before or datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
        rows = [row for row in self._sorted() if first <= row.time.date() and row.time < until]
        more = len(rows) > request.size
        return Answer(Page(tuple(rows[: request.size]), has_more=more))

    def numbered(
        self, report: Report, options: WalkOptions, position: Position | None = None
    ) -> ResizableWalk[Row]:
        return PagedWalk(self, Unnamed(time_of), report, options, position)


def walk_over(source: Events, **options: Any) -> Paginator[Row]:
    chosen = WalkOptions(**{"concurrency": 4, **options})

    def begin(report: Report, position: Position | None) -> MultiWalk[Any, Row, Row]:
        stretches = Stretches(source, time_of, report, chosen, position)

        def open_walk(one: ResizableWalk[Row]) -> SubWalk[Row, Row]:
            most = 2 if isinstance(one, StretchWalk) else chosen.concurrency
            return SubWalk(
                one,
                lambda row: row,
                chosen.concurrency,
                most_pages=most,
                position=lambda: stretches.position_of(one),
            )

        return MultiWalk(
            iter([Listing(stretches, open_walk)]),
            report,
            chosen,
            page_size=source.page_size,
            finish=lambda: None,
        )

    return Paginator(begin, name="events", query="q", walks=WalkRegistry(), options=chosen)


rows = st.lists(
    st.tuples(
        st.integers(0, DAYS * 24 - 1), st.sampled_from([0, 1, 1, 2]), st.sampled_from("aab")
    ).map(lambda at: Row(START + timedelta(hours=at[0], seconds=at[1]), at[2])),
    max_size=80,
)


@settings(max_examples=100)
@given(rows, st.integers(1, 30), st.integers(1, 9), st.booleans(), st.booleans(), st.randoms())
def test_every_row_comes_as_often_as_it_is_there(
    rows: list[Row],
    size: int,
    concurrency: int,
    ordered: bool,
    is_numbered: bool,
    dice: random.Random,
) -> None:
    source = Events(rows, size, is_numbered, dice)
    walk = walk_over(source, concurrency=concurrency, ordered=ordered)
    found = asyncio.run(walk.collect())
    assert Counter(found) == Counter(rows)
    assert walk.report.complete is True
    assert walk.report.requests == len(source.sizes)
    assert source.peak <= concurrency
    if ordered:
        assert [row.time for row in found] == sorted((row.time for row in rows), reverse=True)


@settings(max_examples=60)
@given(rows, st.integers(1, 12), st.integers(1, 6), st.booleans())
def test_a_walk_goes_on_at_every_position(
    rows: list[Row], size: int, concurrency: int, is_numbered: bool
) -> None:
    source = Events(rows, size, is_numbered)

    async def main() -> None:
        walk = walk_over(source, concurrency=concurrency)
        seen: list[Row] = []
        async for page in walk.pages():
            seen += page.items
            assert page.position is not None
            rest = [
                row
                async for later in walk_over(source, concurrency=concurrency).pages(page.position)
                for row in later
            ]
            assert Counter(seen + rest) == Counter(rows)

    asyncio.run(main())


@pytest.mark.parametrize("size", [50, 100, 1000])
@pytest.mark.parametrize("ordered", [True, False])
async def test_a_second_with_more_rows_than_a_page(size: int, ordered: bool) -> None:
    dice = random.Random(3)
    rows = [Row(START + timedelta(days=3, hours=12), f"{n % 7}") for n in range(620)]
    rows += [
        Row(START + timedelta(seconds=dice.randrange(DAYS * 86_400)), "x") for _ in range(4_000)
    ]
    source = Events(rows, size)
    walk = walk_over(source, concurrency=8, ordered=ordered)
    assert Counter(await walk.collect()) == Counter(rows)
    stretches = 33
    assert walk.report.requests <= 1.2 * math.ceil(len(rows) / size) + stretches


async def test_requests_where_every_second_has_many_rows() -> None:
    """Kept-back rows are asked for in addition to a page."""
    rows = [Row(START + timedelta(seconds=n // 40), f"{n}") for n in range(4_000)]
    source = Events(rows, 100)
    walk = walk_over(source, concurrency=1)
    assert Counter(await walk.collect()) == Counter(rows)
    assert walk.report.requests <= 1.2 * 40 + 1


@pytest.mark.parametrize(
    "page",
    [
        Page[Row]((), has_more=True),
        Page((Row(START, "a"), Row(START + timedelta(days=1), "b")), has_more=True),
    ],
)
async def test_a_page_that_would_never_end(page: Page[Row]) -> None:
    source = Events([], 2)

    async def fetch(request: Any) -> Answer:
        return Answer(page)

    source.fetch = fetch  # type: ignore[method-assign]  # for this test
    with pytest.raises(APIResponseError, match="never end"):
        await walk_over(source).collect()


async def test_a_server_whose_largest_page_does_not_hold_a_second() -> None:
    source = Events([Row(START, "a")] * 30, 20)
    fetch = source.fetch

    async def capped(request: Any) -> Answer:
        return await fetch(evolve(request, size=min(request.size, 20)))

    source.fetch = capped  # type: ignore[method-assign]  # for this test
    with pytest.raises(APIResponseError, match="got no more than 20 rows"):
        await walk_over(source).collect()


async def test_a_cursor_that_the_server_ignores() -> None:
    rows = [Row(START + timedelta(seconds=n), "a") for n in range(10)]
    source = Events(rows, 4)
    answer = await source.fetch(CursorPage(source.stretch, 4, lambda: False))

    async def fetch(request: Any) -> Answer:
        return answer

    source.fetch = fetch  # type: ignore[method-assign]  # for this test
    with pytest.raises(APIResponseError, match="from before the time that was asked for"):
        await walk_over(source).collect()


@pytest.mark.parametrize("options", [{"limit": 7}, {"max_pages": 3}])
async def test_a_walk_that_is_ended_early(options: dict[str, int]) -> None:
    rows = [Row(START + timedelta(hours=n), "a") for n in range(100)]
    source = Events(rows, 5)
    walk = walk_over(source, **options)
    found = await walk.collect()
    assert found == sorted(rows, key=time_of, reverse=True)[: len(found)]
    assert walk.report.complete is False
    if "limit" in options:
        assert len(found) == 7
    else:
        assert len(found) >= 4
        assert len(source.sizes) == 3


@pytest.mark.parametrize("strategy", [{}, {"last": "x"}, {"last": "2024-01-01", "before": "2024"}])
async def test_positions_of_other_lists(strategy: dict[str, Any]) -> None:
    report, options = Report(), WalkOptions(1)
    with pytest.raises(InvalidParameterError, match="start must be the position"):
        Stretches(Events([], 1), time_of, report, options, Position(strategy, {}))
