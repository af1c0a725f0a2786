"""Lists in an order in which nearly all rows tie: each row once, over shuffling model servers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import define, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from rybbit_async import InvalidParameterError, Page, PageMeta, RybbitWarning
from rybbit_async.walks.orders import ByRank, ByTime
from rybbit_async.walks.walk import PageRequest, Position

from .helpers import LoadedPage
from .models import EPOCH, How, Traffic, collect, hows, many, paginator, seeds, some


@frozen
class Visitor:
    """A user: how often it came, and when last."""

    number: int
    count: int
    seen: datetime


NEWEST = ByTime[Visitor](lambda row: row.seen, lambda row: row.number)


@define(eq=False)
class Visitors:
    """Users by their counts, or by when they came last, equal ones shuffled on each page."""

    counts: list[int]
    seconds: list[int]
    salt: int = 0
    counted: bool = True
    cap: int | None = None
    rising: bool = False  # by time, oldest first, in place of by count

    def rows(self) -> list[Visitor]:
        return [
            Visitor(number, count, EPOCH + timedelta(seconds=second))
            for number, (count, second) in enumerate(zip(self.counts, self.seconds, strict=True))
        ]

    def answer(self, request: PageRequest) -> Page[Visitor]:
        size = min(request.size, self.cap or request.size)

        def place(row: Visitor) -> Any:
            shuffled = hash((row.number, request.number, size, self.salt))
            if request.stable:
                return -row.seen.timestamp(), shuffled
            return (row.seen.timestamp() if self.rising else -row.count), shuffled

        rows = sorted(self.rows(), key=place)
        first = (request.number - 1) * size
        total = len(rows)
        meta = PageMeta(total, request.number, size, -(-total // size)) if self.counted else None
        return Page(tuple(rows[first : first + size]), meta)


@frozen(eq=False)
class VisitorSource:
    """It, as a walk sees it."""

    server: Visitors
    page_size: int
    settled: bool = True
    largest: int = 40
    completed: bool = True
    traffic: Traffic = field(factory=Traffic)
    expected: int | None = None
    lateness: timedelta = timedelta()
    state: dict[str, str] = field(factory=dict)
    note: str | None = None
    doubt: str | None = None

    async def prepare(self, state: object) -> VisitorSource:
        return self

    def fetch(self, request: PageRequest) -> Coroutine[Any, Any, LoadedPage[Visitor]]:
        return self.traffic.exchange(self.server.answer, request)

    def order(self) -> Any:
        newest = NEWEST if self.completed else None
        if self.server.rising:
            return ByTime[Visitor](NEWEST.key, NEWEST.identity, True, newest)
        return ByRank[Visitor](NEWEST.identity, newest, self.largest)


# Most users came once or twice, and many in the same second.
people = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9)), max_size=150)


def visitors(made: list[tuple[int, int]], salt: int, **options: Any) -> Visitors:
    return Visitors([c for c, _ in made], [s for _, s in made], salt, **options)


@many
@given(people, seeds, hows(30), st.booleans(), st.booleans(), st.sampled_from([None, 17]))
def test_every_row_comes_once(
    made: list[tuple[int, int]], salt: int, how: How, settled: bool, rising: bool, cap: int | None
) -> None:
    server = visitors(made, salt, rising=rising, cap=cap)
    source = VisitorSource(server, how.size, settled)
    over = paginator(source, how)
    got = collect(over)
    assert sorted(row.number for row in got) == list(range(len(made)))
    assert over.report.complete
    in_order = over.report.reason is None and (how.ordered or not (settled and rising))
    if in_order and not (settled and rising):
        ranks = [row.seen.timestamp() if rising else -row.count for row in got]
        assert ranks == sorted(ranks)


@some
@given(people, seeds, hows(30), st.booleans())
def test_one_page_holds_all_rows_in_order(
    made: list[tuple[int, int]], salt: int, how: How, completed: bool
) -> None:
    server = visitors(made, salt)
    source = VisitorSource(server, how.size, largest=1000, completed=completed)
    over = paginator(source, how)
    got = collect(over)
    assert sorted(row.number for row in got) == list(range(len(made)))
    assert [row.count for row in got] == sorted((row.count for row in got), reverse=True)
    assert over.report.requests == (1 if len(made) <= how.size else 2)
    assert over.report.reason is None


@some
@given(people, seeds, hows(12), st.dictionaries(st.integers(1, 12), st.integers(1, 5), max_size=4))
def test_users_who_come_back_meanwhile(
    made: list[tuple[int, int]], salt: int, how: How, moves: dict[int, int]
) -> None:
    """In a window that reaches the present: those who were there all the time come once."""
    for rising in (False, True):
        server = visitors(made, salt, rising=rising)

        def come_back(times: int, server: Visitors = server) -> None:
            for at in range(min(times, len(server.counts))):
                number = (salt + at * 7) % len(server.counts)
                server.counts[number] += 1
                server.seconds[number] = max(server.seconds) + 1

        happens = {at: lambda times=times: come_back(times) for at, times in moves.items()}
        traffic = Traffic(salt, happens)  # type: ignore[arg-type]  # the default is bound
        source = VisitorSource(server, how.size, settled=False, traffic=traffic)
        got = collect(paginator(source, how))
        assert sorted(row.number for row in got) == list(range(len(made)))


def test_without_another_order_or_a_total_a_long_list_is_doubtful() -> None:
    server = visitors([(1, at % 9) for at in range(200)], 3, counted=False)
    source = VisitorSource(server, 10, completed=False)
    over = paginator(source, How(10))

    async def main() -> int:
        return len(await over.collect())

    with pytest.warns(RybbitWarning, match="in another way on each page, so some may be missing"):
        assert asyncio.run(main()) == 200
    assert 2 < over.report.passes <= 11


def test_the_first_rows_cost_one_page() -> None:
    server = visitors([(1, at % 9) for at in range(200)], 3)
    source = VisitorSource(server, 10)
    assert len(collect(paginator(source, How(10, 8), limit=10))) == 10
    assert [request.size for request in source.traffic.asked] == [10]


def test_a_list_by_rank_has_no_positions() -> None:
    order = VisitorSource(visitors([], 0), 10).order()
    with pytest.raises(InvalidParameterError, match="position"):
        order.start(Position({"rank": 3}, {}))
