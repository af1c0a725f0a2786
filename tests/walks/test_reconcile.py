"""Exactly once, over lists that shuffle, move, shrink, lie and loop: model servers, no HTTP.

The models do what the real servers were seen to do. Every row of a list by time has a whole
second; rows of one second come in an order that depends on the page asked for and on its size. A
row that gains an event goes to the head. Goals are made at one end and deleted anywhere. Between
any two answers anything of that may happen, and answers arrive in whatever order.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import pytest
from attrs import define, evolve, field, frozen
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from rybbit_async import (
    APIResponseError,
    IncompleteWalkError,
    InvalidParameterError,
    Page,
    PageMeta,
    Paginator,
    Report,
    RybbitWarning,
)
from rybbit_async.walks.paginator import Walks
from rybbit_async.walks.reconcile import CatalogLedger, TimelineLedger
from rybbit_async.walks.walk import ListWalk, Resume

T = TypeVar("T")

# The same examples each time. (Thousands more of each passed while this was written.)
some = settings(max_examples=50, derandomize=True)
many = settings(max_examples=100, derandomize=True)

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


# --- what both kinds of server have ------------------------------------------------------------


@define(eq=False)
class Traffic:
    """How requests travel, what was asked, and what happens in between."""

    seed: int = 0
    happens: Mapping[int, Callable[[], object]] = field(factory=dict)  # before the nth answer
    asked: list[tuple[int, int, bool]] = field(factory=list)
    answers: int = 0
    rng: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    async def travel(self) -> None:
        for _ in range(self.rng.randrange(4)):
            await asyncio.sleep(0)

    def exchange(
        self, answer: Callable[[int, int, bool], Page[T]], number: int, size: int, stable: bool
    ) -> Coroutine[Any, Any, Callable[[], Page[T]]]:
        self.asked.append((number, size, stable))
        assert len(self.asked) < 3000, "the walk does not end"
        return self._exchange(answer, number, size, stable)

    async def _exchange(
        self, answer: Callable[[int, int, bool], Page[T]], number: int, size: int, stable: bool
    ) -> Callable[[], Page[T]]:
        await self.travel()
        self.happens.get(self.answers, bool)()
        self.answers += 1
        page = answer(number, size, stable)
        await self.travel()
        return lambda: page


@frozen
class How:
    """The options of a walk."""

    size: int
    concurrency: int = 1
    ordered: bool = True


def hows(most: int = 30) -> st.SearchStrategy[How]:
    return st.builds(How, st.integers(1, most), st.integers(1, 8), st.booleans())


def paginator(source: Any, how: How, query: str = "", **options: Any) -> Paginator[Any]:
    """A walk over a source, which is given anew what has been asked of its server."""
    most = options.pop("max_pages", None)

    def begin(report: Report, resume: Resume | None) -> ListWalk[Any]:
        return ListWalk(
            source,
            report,
            concurrency=how.concurrency,
            ordered=how.ordered,
            most=most,
            resume=resume,
        )

    return Paginator(begin, name="a list", query=query, walks=Walks(), **options)


def collect(over: Paginator[T]) -> list[T]:
    """All that a walk gives; it may not say that it is incomplete, and leaves no task."""

    async def main() -> list[T]:
        got = await over.collect()
        assert len(asyncio.all_tasks()) == 1
        return got

    return asyncio.run(main())


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


# --- a list by time ----------------------------------------------------------------------------


@frozen
class Row:
    """A session: two of them share one ``session_id``, as where a visitor signs in half-way."""

    number: int
    end: datetime

    @property
    def identity(self) -> tuple[str, str]:
        return f"s{self.number // 2}", f"u{self.number % 2}"


@define(eq=False)
class Timeline:
    """The sessions of a goal: by second, newest first, equal ones shuffled on each page."""

    seconds: dict[int, int]  # when the row of that number ended
    salt: int = 0
    cap: int | None = None
    stuck: bool = False  # the page asked for is ignored
    now: int = field(init=False)
    rng: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.now = max(self.seconds.values(), default=0)
        self.rng = random.Random(self.salt)

    def answer(self, number: int, size: int, _: bool) -> Page[Row]:
        size = min(size, self.cap or size)
        number = 1 if self.stuck else number
        chosen = self.ranking(number, size)[(number - 1) * size : number * size]
        return Page(tuple(Row(n, EPOCH + timedelta(seconds=self.seconds[n])) for n in chosen))

    def ranking(self, number: int, size: int) -> list[int]:
        def place(row: int) -> tuple[int, int]:
            return -self.seconds[row], hash((row, number, size, self.salt))

        return sorted(self.seconds, key=place)

    def move(self, times: int) -> None:
        """Let sessions begin, or gain an event, at the head of the list."""
        for _ in range(times):
            self.now += self.rng.choice((0, 0, 1))
            new = not self.seconds or self.rng.random() < 0.5
            row = len(self.seconds) if new else self.rng.choice(sorted(self.seconds))
            self.seconds[row] = self.now

    def groups(self) -> list[tuple[int, int, set[int]]]:
        """The first and the last rank of each second, and its rows."""
        made: list[tuple[int, int, set[int]]] = []
        by_second: dict[int, set[int]] = {}
        for row, second in self.seconds.items():
            by_second.setdefault(second, set()).add(row)
        at = 0
        for second in sorted(by_second, reverse=True):
            made.append((at, at + len(by_second[second]) - 1, by_second[second]))
            at += len(by_second[second])
        return made


@frozen(eq=False)
class TimelineSource:
    """It, as a walk sees it."""

    server: Timeline
    page_size: int
    moves: bool = False
    expected: int | None = None
    traffic: Traffic = field(factory=Traffic)
    state: Mapping[str, str] = field(factory=dict)

    async def prepare(self, resume: Resume | None) -> TimelineSource:
        return self

    def fetch(
        self, number: int, size: int, stable: bool
    ) -> Coroutine[Any, Any, Callable[[], Page[Row]]]:
        return self.traffic.exchange(self.server.answer, number, size, stable)

    def ledger(
        self, report: Report, concurrency: int, resume: Resume | None
    ) -> TimelineLedger[Row]:
        return TimelineLedger(
            report,
            lambda row: row.end,
            lambda row: row.identity,
            past=not self.moves,
            size=self.page_size,
            concurrency=concurrency,
            resume=resume,
        )

    @property
    def asked(self) -> list[tuple[int, int]]:
        return [(number, size) for number, size, _ in self.traffic.asked]


def seconds_of(groups: Sequence[int]) -> dict[int, int]:
    """So many rows in each second, newest first."""
    ends = [-second for second, rows in enumerate(groups) for _ in range(rows)]
    return dict(enumerate(ends))


def numbers(rows: Iterable[Row]) -> list[int]:
    return [row.number for row in rows]


seeds = st.integers(0, 2**32)
group_sizes = st.lists(st.integers(1, 3) | st.integers(1, 25), max_size=14)


@frozen
class Line:
    """What a timeline is made of: so many rows in each second, newest first."""

    groups: list[int]
    salt: int = 0

    def server(self) -> Timeline:
        return Timeline(seconds_of(self.groups), self.salt)


lines = st.builds(Line, group_sizes, seeds)


def smallest_page(first: int, last: int) -> tuple[int, int]:
    """The contract's words: the smallest limit for which both ranks fall on one page."""
    size = next(s for s in range(last - first + 1, last + 2) if first // s == last // s)
    return first // size + 1, size


def short_groups(server: Timeline, source: TimelineSource, size: int) -> list[tuple[int, int]]:
    """The pages that ought to be read again, from what the pages of the walk held."""
    pages = [number for number, asked in source.asked if asked == size]
    held = [set(server.answer(number, size, False).items) for number in pages]
    seen = {row.number for rows in held for row in rows}
    return [smallest_page(first, last) for first, last, rows in server.groups() if rows - seen]


# --- windows that are wholly past --------------------------------------------------------------


@some
@given(lines, hows(), st.none() | st.integers(-40, 40), seeds)
@example(Line([2, 2, 2], 3), How(1), None, 0)
def test_ties_of_a_past_window(line: Line, how: How, off: int | None, seed: int) -> None:
    """Every row once; one further request for each group that came short, and no other."""
    server = line.server()
    total = len(server.seconds)
    hint = None if off is None else max(0, total + off)
    source = TimelineSource(server, how.size, expected=hint, traffic=Traffic(seed))
    over = paginator(source, how)
    got = numbers(collect(over))
    assert sorted(got) == list(range(total))
    again = short_groups(server, source, how.size)
    event(f"groups that came short: {min(len(again), 3)}")
    pages = [asked for asked in source.asked if asked[1] == how.size]
    assert Counter(source.asked) == Counter([*pages, *again])
    assert len(set(pages)) == len(pages) <= total // how.size + how.concurrency
    if hint == total:
        assert len(pages) == total // how.size + 1
    report = over.report
    assert (report.complete, report.doubtful, report.reason, report.passes) == (
        True,
        False,
        None,
        1,
    )
    assert report.requests == len(source.asked)
    assert report.items == total
    rows = sum(len(server.answer(*page, False)) for page in pages)
    missing = total - (rows - report.duplicates)
    assert (missing > 0) is bool(again)
    if not missing and how.ordered:
        ends = [server.seconds[row] for row in got]
        assert ends == sorted(ends, reverse=True)


@some
@given(lines, hows(), seeds)
def test_a_list_without_ties_costs_its_pages(line: Line, how: How, seed: int) -> None:
    server = line.server()
    server.seconds = {row: -row for row in server.seconds}
    source = TimelineSource(server, how.size, traffic=Traffic(seed))
    over = paginator(source, how)
    got = numbers(collect(over))
    assert {size for _, size in source.asked} == {how.size}
    assert len(source.asked) <= len(got) // how.size + how.concurrency
    assert (over.report.duplicates, over.report.complete) == (0, True)
    if how.ordered:
        assert got == list(range(len(server.seconds)))


@some
@given(lines, hows(10), seeds)
def test_pages_have_what_had_been_missing(line: Line, how: How, seed: int) -> None:
    """On the page where their group closed, where pages come in order."""
    server = line.server()
    source = TimelineSource(server, how.size, traffic=Traffic(seed))

    async def main() -> list[Page[Row]]:
        return [page async for page in paginator(source, how).pages()]

    pages = run(main())
    assert sorted(row.number for page in pages for row in page) == sorted(server.seconds)
    assert all(pages), "no page is empty"
    if not how.ordered:
        return
    ends = [[server.seconds[row.number] for row in page] for page in pages]
    assert all(max(later) <= min(page) for page, later in itertools.pairwise(ends))


@some
@given(lines, hows(10), st.integers(0, 60), seeds)
def test_a_limit_counts_mended_rows_too(line: Line, how: How, limit: int, seed: int) -> None:
    server = line.server()
    source = TimelineSource(server, how.size, traffic=Traffic(seed))
    over = paginator(source, how, limit=limit)
    got = numbers(collect(over))
    assert len(got) == len(set(got)) == min(limit, len(server.seconds)) == over.report.items


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_huge_group_of_ties_is_no_loop(moves: bool, size: int, concurrency: int) -> None:
    """Most of its pages have nothing new, one after another."""
    for salt in range(3):
        server = Timeline(seconds_of([1, 170, 1, 40]), salt)
        source = TimelineSource(server, size, moves)
        over = paginator(source, How(size, concurrency))
        assert sorted(numbers(collect(over))) == sorted(server.seconds)
        assert over.report.complete is True


# --- windows that reach the present ------------------------------------------------------------

# Before which answers something moves, and how much; after that it is quiet.
moves_at = st.dictionaries(st.integers(1, 30), st.integers(1, 5), max_size=5)


@many
@given(lines, hows(), moves_at, st.none() | st.integers(0, 80), seeds)
@example(Line([19, 3, 2, 3, 8, 4], 2748826), How(4, 2, False), {1: 1, 2: 2, 13: 1, 24: 5}, None, 0)
def test_live_windows(
    line: Line, how: How, moves: dict[int, int], hint: int | None, seed: int
) -> None:
    """What was there throughout comes once, wherever it moved to in the meantime."""
    server = line.server()
    # Where that many come in between, pages without anything new are a loop, by all that shows.
    assume(sum(moves.values()) < how.size * (how.concurrency + 3))
    there = list(server.seconds)
    happens = {at: lambda times=times: server.move(times) for at, times in moves.items()}
    source = TimelineSource(server, how.size, True, hint, Traffic(seed, happens))
    over = paginator(source, how)
    got = numbers(collect(over))
    assert len(set(got)) == len(got)
    assert set(there) <= set(got)
    report = over.report
    event(f"passes: {report.passes}")
    assert (report.complete, report.reason) == (True, None)
    assert report.items == len(got)
    assert report.requests == len(source.asked)


@some
@given(lines, hows(), seeds)
def test_a_live_window_in_which_nothing_moves(line: Line, how: How, seed: int) -> None:
    """It is read from its head again, just until a row is older than the head was."""
    server = line.server()
    source = TimelineSource(server, how.size, True, traffic=Traffic(seed))
    over = paginator(source, how)
    total = len(server.seconds)
    assert sorted(numbers(collect(over))) == list(range(total))
    assert over.report.complete is True
    pages = [number for number, size in source.asked if size == how.size]
    again = len(pages) - len(set(pages))
    assert len(set(pages)) <= total // how.size + how.concurrency
    if total <= how.size:
        assert (again, over.report.passes) == (0, 1)
        return
    head = server.groups()[0][1] + 1  # rows
    through = math.ceil((head + 1) / how.size)
    if head <= how.size or how.concurrency == 1:
        assert 1 <= again <= through
        assert over.report.passes == 2
    else:
        # Which of the head's rows were there when the first page was read is not known.
        assert 1 <= again <= 2 * through
        assert over.report.passes <= 4


@some
@given(lines, st.integers(1, 8), st.integers(1, 5))
def test_one_page_is_one_moment(line: Line, concurrency: int, times: int) -> None:
    server = line.server()
    assume(len(server.seconds) < 100)
    there = sorted(server.seconds)
    source = TimelineSource(server, len(there) + 1, True)
    source.traffic.happens = {1: lambda: server.move(times)}
    over = paginator(source, How(source.page_size, concurrency))
    assert sorted(numbers(collect(over))) == there
    assert source.asked == [(1, len(there) + 1)]
    assert over.report.passes == 1


def test_a_page_with_nothing_new_is_no_reason_to_stop() -> None:
    """Sessions that were read already may stand above one that was not."""
    server = Timeline({row: -row for row in range(40)})

    def happens() -> None:
        # Of the last page, the last one; then all of the first two pages, over it.
        for row in [39, *range(20)]:
            server.now += 1
            server.seconds[row] = server.now

    source = TimelineSource(server, 10, True, traffic=Traffic(0, {2: happens}))
    over = paginator(source, How(10))
    got = numbers(collect(over))
    assert sorted(got) == list(range(40))
    assert over.report.passes >= 2


def test_rows_that_never_rest_are_given_up_after_ten_passes() -> None:
    server = Timeline({row: -row for row in range(30)})
    there = set(server.seconds)

    def six_move() -> None:
        for row in server.rng.sample(range(30), 6):
            server.now += 1
            server.seconds[row] = server.now

    source = TimelineSource(server, 5, True)
    source.traffic.happens = dict.fromkeys(range(1000), six_move)
    over = paginator(source, How(5))
    with pytest.warns(
        RybbitWarning, match=r"^a list: the walk is not complete: .*10 passes"
    ) as told:
        got = numbers(collect(over))
    assert len(told) == 1
    assert there <= set(got)
    assert len(got) == len(set(got))
    assert (over.report.passes, over.report.complete, over.report.doubtful) == (10, False, True)


# --- pages that are smaller than asked for -----------------------------------------------------


@some
@given(
    st.lists(st.integers(1, 8), min_size=25, max_size=90),
    st.integers(100, 150),
    st.integers(151, 1000),
    st.integers(1, 8),
    st.booleans(),
    st.booleans(),
    seeds,
)
def test_a_silent_cap(
    groups: list[int],
    cap: int,
    size: int,
    concurrency: int,
    ordered: bool,
    moves: bool,
    seed: int,
) -> None:
    """It does not end the walk. A group that no page holds is not lost without a word."""
    server = Timeline(seconds_of(groups), seed, cap)
    source = TimelineSource(server, size, moves, traffic=Traffic(seed))
    over = paginator(source, How(size, concurrency, ordered))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        got = numbers(collect(over))
    assert len(set(got)) == len(got)
    assert len(told) == over.report.doubtful
    event(f"doubtful: {over.report.doubtful}")
    if not told:
        assert sorted(got) == sorted(server.seconds)
        assert over.report.complete is True
    hidden = {row for first, last, rows in server.groups() if last > first for row in rows}
    assert set(server.seconds) - hidden <= set(got)


@pytest.mark.parametrize("salt", range(6))
def test_a_capped_page_that_is_not_the_one_that_was_asked_for(salt: int) -> None:
    """Ranks 110 to 200 fall on page 2 of 101, and where the cap is 100 that begins at rank 100."""
    server = Timeline(seconds_of([*([1] * 110), 91, *([1] * 60)]), salt, 100)
    source = TimelineSource(server, 1000)
    over = paginator(source, How(1000))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        got = numbers(collect(over))
    assert (2, 101) in source.asked
    assert len(set(got)) == len(got)
    assert over.report.complete is (len(got) == len(server.seconds))
    assert len(told) == (len(got) < len(server.seconds))


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("cap", [100, 137])
@pytest.mark.parametrize("rows", [100, 137, 138, 200, 274, 900])
def test_a_silent_cap_without_ties(rows: int, cap: int, concurrency: int, moves: bool) -> None:
    server = Timeline({row: -row for row in range(rows)}, cap=cap)
    source = TimelineSource(server, 1000, moves)
    over = paginator(source, How(1000, concurrency))
    assert numbers(collect(over)) == list(range(rows))
    assert over.report.complete is True
    assert {size for _, size in source.asked} == {1000}


@pytest.mark.parametrize(
    ("rows", "hint", "requests"),
    [
        (0, None, 1),
        (99, None, 1),  # too few for a cap
        (99, 500, 1),
        (100, None, 2),  # one more request finds out
        (999, None, 2),
        (100, 100, 1),  # as the goal said
        (103, 100, 1),  # and some signed in half-way
        (300, 200, 2),
        (100, 500, 2),
        (1000, None, 2),  # a full page
    ],
)
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_first_page_that_is_short(
    rows: int, hint: int | None, requests: int, concurrency: int
) -> None:
    server = Timeline({row: -row for row in range(rows)})
    source = TimelineSource(server, 1000, expected=hint)
    over = paginator(source, How(1000, concurrency))
    assert numbers(collect(over)) == list(range(rows))
    if requests == 1 or concurrency == 1:
        assert len(source.asked) == requests
    else:
        assert requests <= len(source.asked) <= requests + concurrency - 1
    assert over.report.complete is True


# --- goals -------------------------------------------------------------------------------------


@frozen
class Entry:
    """A goal."""

    key: int
    name: str


Order = Literal["rising", "falling", "name"]


@define(eq=False)
class Catalog:
    """The goals of a site: keys rise as they are made; by name, equal ones are shuffled."""

    names: dict[int, str]
    order: Order = "rising"
    salt: int = 0
    own_size: int | None = None  # whatever was asked for, and ``meta`` says so
    lie: int = 0  # what the total is wrong by
    stuck: bool = False
    made: int = field(init=False)
    rng: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.made = max(self.names, default=0)
        self.rng = random.Random(self.salt)

    def answer(self, number: int, size: int, stable: bool) -> Page[Entry]:
        size = self.own_size or size

        def place(key: int) -> Any:
            if self.order == "name" and not stable:
                return self.names[key], hash((key, number, size, self.salt))
            return -key if self.order == "falling" and not stable else key

        at = 1 if self.stuck else number
        chosen = sorted(self.names, key=place)[(at - 1) * size : at * size]
        total = len(self.names) + self.lie
        items = tuple(Entry(key, self.names[key]) for key in chosen)
        return Page(items, PageMeta(total, number, size, -(-total // size)))

    def change(self, more: int) -> None:
        """Have so many goals made, or deleted where it is negative."""
        for _ in range(more):
            self.made += 1
            self.names[self.made] = self.rng.choice("abc")
        for key in self.rng.sample(sorted(self.names), min(len(self.names), max(0, -more))):
            del self.names[key]


@frozen(eq=False)
class CatalogSource:
    """It, as a walk sees it."""

    server: Catalog
    page_size: int
    verify: bool = False
    traffic: Traffic = field(factory=Traffic)
    state: Mapping[str, str] = field(factory=dict)
    expected: int | None = None
    moves: bool = False

    async def prepare(self, resume: Resume | None) -> CatalogSource:
        return self

    def fetch(
        self, number: int, size: int, stable: bool
    ) -> Coroutine[Any, Any, Callable[[], Page[Entry]]]:
        return self.traffic.exchange(self.server.answer, number, size, stable)

    def ledger(
        self, report: Report, concurrency: int, resume: Resume | None
    ) -> CatalogLedger[Entry]:
        return CatalogLedger(
            report,
            lambda entry: entry.key,
            rising=self.server.order == "rising",
            stable=self.server.order != "name",
            verify=self.verify,
            patience=concurrency + 3,
            resume=resume,
        )


def catalog(total: int, **options: Any) -> Catalog:
    return Catalog({key: "abc"[key % 3] for key in range(1, total + 1)}, **options)


def keys(entries: Iterable[Entry]) -> list[int]:
    return [entry.key for entry in entries]


orders: st.SearchStrategy[Order] = st.sampled_from(("rising", "falling", "name"))


@some
@given(st.integers(0, 60), hows(12), st.sampled_from(("rising", "falling")), seeds)
def test_goals_that_stand_still(total: int, how: How, order: Order, seed: int) -> None:
    source = CatalogSource(catalog(total, order=order), how.size, traffic=Traffic(seed))
    over = paginator(source, how)
    got = keys(collect(over))
    assert len(source.traffic.asked) == max(1, math.ceil(total / how.size)) == over.report.requests
    assert sorted(got) == list(range(1, total + 1))
    if how.ordered:
        assert got == sorted(got, reverse=order == "falling")
    assert over.report == Report(over.report.pages, over.report.requests, total, complete=True)


@many
@given(
    st.integers(0, 40),
    hows(12),
    orders,
    st.dictionaries(st.integers(0, 30), st.integers(-4, 4).filter(bool), max_size=5),
    st.booleans(),
    seeds,
)
@example(20, How(5), "rising", {1: -1, 2: 1}, False, 0)
@example(40, How(3), "rising", {0: 1, 1: 1, 29: -1, 2: 1}, False, 0)
def test_goals_made_and_deleted_between_pages(
    total: int, how: How, order: Order, changes: dict[int, int], verify: bool, seed: int
) -> None:
    """What is there throughout comes once, as long as a change shows in the total."""
    # Who has that many goals made at the head of the list meanwhile has a loop, by all that shows.
    assume(order != "falling" or sum(map(abs, changes.values())) < how.size * (how.concurrency + 3))
    server = catalog(total, order=order, salt=seed)
    happens = {at: lambda more=more: server.change(more) for at, more in changes.items()}
    source = CatalogSource(server, how.size, verify, Traffic(seed, happens))
    over = paginator(source, how)
    got = keys(collect(over))
    assert len(set(got)) == len(got)
    assert set(range(1, total + 1)) & set(server.names) <= set(got)
    assert over.report.complete is True
    event(f"passes: {over.report.passes}")
    assert over.report.passes <= 2 + verify + len(changes)


def test_a_deletion_eats_a_goal_without_mending() -> None:
    """What the test above is worth."""
    server = catalog(20)
    first = keys(server.answer(1, 5, False))
    del server.names[2]
    assert 6 not in first + keys(server.answer(2, 5, False))


def test_a_late_goal_comes_last_and_the_report_says_so() -> None:
    server = catalog(20)
    happens = {1: lambda: server.names.pop(2)}
    source = CatalogSource(server, 5, traffic=Traffic(0, happens))
    over = paginator(source, How(5))
    assert keys(collect(over)) == [*range(1, 6), *range(7, 21), 6]
    report = over.report
    assert (report.passes, report.complete, report.doubtful) == (2, True, False)
    assert report.reason is not None
    assert report.reason.startswith("1 rows came last, out of order")
    assert source.traffic.asked == [
        *((page, 5, False) for page in range(1, 5)),
        *((page, 5, True) for page in range(1, 5)),
    ]


def cancelling_out(verify: bool) -> Paginator[Entry]:
    """A delete and a create between the same two pages: totals, counts and keys show nothing."""
    server = catalog(20)

    def happens() -> None:
        del server.names[1]
        server.change(1)

    source = CatalogSource(server, 5, verify, Traffic(0, {2: happens}))
    return paginator(source, How(5))


def test_the_exception_that_leaves_no_trace() -> None:
    over = cancelling_out(verify=False)
    assert keys(collect(over)) == [*range(1, 11), *range(12, 22)], "11 is lost"
    assert (over.report.passes, over.report.complete, over.report.reason) == (1, True, None)


def test_verify_finds_what_left_no_trace() -> None:
    over = cancelling_out(verify=True)
    assert keys(collect(over)) == [*range(1, 11), *range(12, 22), 11]
    assert (over.report.passes, over.report.complete) == (2, True)
    assert "1 rows came last" in str(over.report.reason)


@some
@given(st.integers(1, 40), hows(12), st.integers(1, 4), st.integers(1, 4), seeds)
def test_verify_finds_whatever_cancels_out_once(
    total: int, how: How, at: int, more: int, seed: int
) -> None:
    server = catalog(total, salt=seed)

    def happens() -> None:
        server.change(-more)
        server.change(total - len(server.names))

    source = CatalogSource(server, how.size, True, Traffic(seed, {at: happens}))
    over = paginator(source, how)
    got = keys(collect(over))
    assert len(set(got)) == len(got)
    if at < math.ceil(total / how.size):  # else the change falls into the pass that verifies
        assert set(range(1, total + 1)) & set(server.names) <= set(got)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_an_order_that_shuffles_equal_names(concurrency: int, ordered: bool) -> None:
    """The contract's measurement: 262 goals with few names, pages of 10."""
    server = catalog(262, order="name")
    naive = {key for page in range(1, 28) for key in keys(server.answer(page, 10, False))}
    late = set(range(1, 263)) - naive
    assert late
    source = CatalogSource(server, 10)
    over = paginator(source, How(10, concurrency, ordered))
    got = keys(collect(over))
    assert sorted(got) == list(range(1, 263))
    assert set(got[-len(late) :]) == late
    if ordered:
        first = [server.names[key] for key in got[: -len(late)]]
        assert first == sorted(first)
    report = over.report
    assert (report.passes, report.complete, report.doubtful) == (2, True, False)
    assert report.requests == 54
    assert str(report.reason).startswith(f"{len(late)} rows came last, out of order")
    assert report.duplicates == len(late)


@pytest.mark.parametrize("strict", [False, True])
def test_a_list_that_never_rests_is_given_up_after_ten_passes(strict: bool) -> None:
    server = catalog(20)
    happens = dict.fromkeys(range(1000), lambda: server.change(1))
    source = CatalogSource(server, 5, traffic=Traffic(0, happens))
    over = paginator(source, How(5), strict=strict)
    got: list[int] = []

    async def main() -> None:
        async for entry in over:
            got.append(entry.key)  # noqa: PERF401  # what came before the error counts

    if strict:
        with pytest.raises(IncompleteWalkError, match="10 passes") as caught:
            run(main())
        assert caught.value.report is over.report
    else:
        with pytest.warns(RybbitWarning, match="10 passes") as told:
            run(main())
        assert len(told) == 1
    assert set(range(1, 21)) <= set(got)
    assert (over.report.passes, over.report.complete, over.report.doubtful) == (10, False, True)
    assert "10 passes" in str(over.report.reason)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("lie", [1, 3, 40, -1])
def test_a_total_that_is_never_met(lie: int, strict: bool) -> None:
    """Nothing moves and nothing repeats: a second pass is enough to see that."""
    source = CatalogSource(catalog(22, lie=lie), 5)
    over = paginator(source, How(5), strict=strict)
    if strict:
        with pytest.raises(IncompleteWalkError, match="counts"):
            collect(over)
    else:
        with pytest.warns(RybbitWarning, match="counts"):
            assert keys(collect(over)) == list(range(1, 23))
    assert (over.report.passes, over.report.complete) == (2, False)
    assert over.report.requests == 2 * math.ceil((22 + lie) / 5)


@some
@given(st.integers(0, 60), st.integers(1, 12), hows(30), seeds)
def test_a_page_size_that_the_server_changes(total: int, own: int, how: How, seed: int) -> None:
    source = CatalogSource(catalog(total, own_size=own), how.size, traffic=Traffic(seed))
    over = paginator(source, how)
    assert sorted(keys(collect(over))) == list(range(1, total + 1))
    assert over.report.complete is True
    assert over.report.requests == max(1, math.ceil(total / own))


# --- loops -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("concurrency", [1, 3, 8])
@pytest.mark.parametrize("size", [1, 2, 10])
@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_a_server_that_ignores_the_page(
    ties: bool, moves: bool, size: int, concurrency: int, ordered: bool
) -> None:
    server = Timeline({row: 0 if ties else -row for row in range(50)}, stuck=True)
    source = TimelineSource(server, size, moves)
    over = paginator(source, How(size, concurrency, ordered))
    with pytest.raises(APIResponseError, match="repeats its pages"):
        collect(over)
    assert over.report.complete is False
    if not ties and size > 2:
        assert len(source.asked) <= 3 * concurrency + 4
    if not (ties or moves or size == 1):
        assert over.report.pages == 2, "it shows at once"
    assert len(source.asked) <= 20 + 4 * concurrency
    assert over.report.items <= size


@pytest.mark.parametrize("concurrency", [1, 8])
def test_goals_of_a_server_that_ignores_the_page(concurrency: int) -> None:
    source = CatalogSource(catalog(200, stuck=True), 5)
    over = paginator(source, How(5, concurrency))
    with pytest.raises(APIResponseError, match="repeats its pages"):
        collect(over)
    assert over.report.pages == 1 + concurrency + 4
    assert over.report.items == 5


@pytest.mark.parametrize("moves", [False, True])
def test_max_pages_bounds_any_walk(moves: bool) -> None:
    """Stretches that are read again and further passes count, too, and no warning is due."""
    server = Timeline(seconds_of([3] * 30))
    for most in range(1, 60, 4):
        source = TimelineSource(server, 4, moves)
        over = paginator(source, How(4, 4), max_pages=most)
        got = numbers(collect(over))
        assert len(got) == len(set(got))
        assert len(source.asked) <= most
        whole = over.report.complete
        assert whole is (f"max_pages={most}" not in str(over.report.reason))
        if whole:
            assert sorted(got) == sorted(server.seconds)
    assert over.report.complete is True


# --- positions ---------------------------------------------------------------------------------


async def some_pages(
    over: Paginator[T], stop: int, start: str | None = None
) -> tuple[list[T], str | None]:
    """Pages up to one that has a position, after ``stop`` others; and the position as JSON."""
    got: list[T] = []
    async for page in over.pages(start):
        got += page.items
        stop -= 1
        if stop < 0 and page.position is not None:
            return got, json.loads(json.dumps(page.position))
    return got, None


async def in_parts(
    source: Callable[[How], Any], parts: Sequence[tuple[How, int]], last: How
) -> tuple[list[Any], list[Report]]:
    """A walk that is stopped and taken up again, each time with other options."""
    got: list[Any] = []
    start: str | None = None
    reports: list[Report] = []
    for how, stop in [*parts, (last, 10**6)]:
        over = paginator(source(how), how)
        rows, start = await some_pages(over, stop, start)
        got += rows
        reports.append(over.report)
        if start is None:
            break
    return got, reports


stops = st.lists(st.tuples(hows(12).map(lambda how: evolve(how, ordered=True)), st.integers(0, 6)))


@many
@given(lines, stops.filter(bool), hows(12), seeds)
@example(Line([1, 3]), [(How(2), 1), (How(1), 0)], How(1, 1, False), 0)
def test_a_past_window_resumes_exactly_once(
    line: Line, parts: list[tuple[How, int]], last: How, seed: int
) -> None:
    server = line.server()

    def source(how: How) -> TimelineSource:
        return TimelineSource(server, how.size, traffic=Traffic(seed))

    got, reports = run(in_parts(source, parts, last))
    event(f"walks: {min(len(reports), 4)}")
    assert sorted(numbers(got)) == sorted(server.seconds)
    assert reports[-1].complete is True
    assert reports[-1].reason is None


@many
@given(lines, stops.filter(bool), hows(12), moves_at, st.integers(0, 3), seeds)
@example(Line([2]), [(How(1), 0)], How(1, 1, False), {}, 0, 0)
@example(Line([2], 1311241), [(How(1), 0)], How(1, 1, False), {3: 2}, 0, 0)
@example(Line([1, 1, 1], 155877530), [(How(1), 2)], How(1, 1, False), {1: 2}, 0, 0)
@example(Line([1, 1, 1, 2, 3], 155877533), [(How(1), 1)], How(1, 1, False), {1: 1}, 2, 0)
@example(
    Line([1, 1, 1, 14, 21, 4, 5]),
    [(How(5, 6), 6), (How(5, 4), 3)],
    How(3, 1, False),
    {1: 1, 2: 1, 3: 4, 18: 3},
    1,
    0,
)
def test_a_live_window_resumes_at_least_once(
    line: Line,
    parts: list[tuple[How, int]],
    last: How,
    moves: dict[int, int],
    between: int,
    seed: int,
) -> None:
    server = line.server()
    least = min(how.size * (how.concurrency + 3) for how, _ in [*parts, (last, 0)])
    assume(sum(moves.values()) + between * len(parts) < least)
    there = set(server.seconds)
    happens = {at: lambda times=times: server.move(times) for at, times in moves.items()}
    traffic = Traffic(seed, happens)
    walks = 0

    def source(how: How) -> TimelineSource:
        nonlocal walks
        walks += 1
        if walks > 1:
            server.move(between)
        return TimelineSource(server, how.size, True, traffic=traffic)

    got, reports = run(in_parts(source, parts, last))
    event(f"walks: {min(len(reports), 4)}")
    assert there <= set(numbers(got))
    assert reports[-1].complete is True
    if len(reports) > 1:
        assert "rows may have come before" in str(reports[-1].reason)


def test_a_position_stands_at_the_start_of_its_group() -> None:
    server = Timeline(seconds_of([5, 7, 9]))
    source = TimelineSource(server, 10)
    got, start = run(some_pages(paginator(source, How(10)), 0))
    assert len(got) == 10
    resumed = TimelineSource(server, 3)
    rest, _ = run(some_pages(paginator(resumed, How(3)), 99, start))
    assert resumed.asked[0] == (2, 3), "the page of rank 5"
    assert sorted(numbers([*got, *rest])) == list(range(21))


def test_a_past_window_that_is_not_what_it_was_is_read_from_its_head() -> None:
    server = Timeline(seconds_of([1] * 30))
    got, start = run(some_pages(paginator(TimelineSource(server, 10), How(10)), 0))
    newest = max(server.seconds.values())
    gone = next(row for row, second in server.seconds.items() if second == newest)
    del server.seconds[gone]
    rest, _ = run(some_pages(paginator(TimelineSource(server, 10), How(10)), 99, start))
    assert sorted(numbers([*got, *rest])) == list(range(30))


def test_positions_are_those_of_one_query() -> None:
    server = Timeline(seconds_of([4] * 9))
    _, start = run(some_pages(paginator(TimelineSource(server, 5), How(5), "one"), 1))
    assert start is not None
    for wrong in (
        start,
        "",
        "x",
        "[]",
        "{}",
        '{"query":"other"}',
        7,
        None if not start else b"\xff",
    ):
        with pytest.raises(InvalidParameterError, match="start"):
            paginator(TimelineSource(server, 5), How(5), "other").pages(wrong)  # type: ignore[arg-type]
    rest, _ = run(some_pages(paginator(TimelineSource(server, 7), How(7), "one"), 99, start))
    assert len(rest) == 36 - 10


def test_pages_out_of_order_have_no_position() -> None:
    async def positions(over: Paginator[Any]) -> list[str | None]:
        return [page.position async for page in over.pages()]

    server = Timeline(seconds_of([4] * 9))
    unordered = paginator(TimelineSource(server, 5), How(5, 3, ordered=False))
    assert set(run(positions(unordered))) == {None}
    for order in ("falling", "name"):
        source = CatalogSource(catalog(30, order=order), 5)
        assert set(run(positions(paginator(source, How(5))))) == {None}
    cut = paginator(TimelineSource(server, 5), How(5), limit=7)
    assert [position is None for position in run(positions(cut))] == [False, True]


@pytest.mark.parametrize(
    ("size", "own"), [(1, None), (4, None), (7, None), (100, None), (7, 4), (100, 4)]
)
def test_goals_that_stand_still_resume_with_what_is_left(size: int, own: int | None) -> None:
    server = catalog(30, own_size=own)
    got, start = run(some_pages(paginator(CatalogSource(server, 5), How(5)), 2))
    resumed = CatalogSource(server, size)
    over = paginator(resumed, How(size, 4))
    rest, _ = run(some_pages(over, 99, start))
    assert keys([*got, *rest]) == list(range(1, 31))
    first = (len(got) - 1) // size + 1
    numbers_asked = [number for number, _, _ in resumed.traffic.asked]
    assert numbers_asked == list(range(first, math.ceil(30 / (own or size)) + 1))
    assert (over.report.passes, over.report.complete, over.report.reason) == (1, True, None)


@some
@given(
    st.integers(0, 50),
    stops.filter(bool),
    hows(12),
    st.lists(st.integers(-4, 4), min_size=4, max_size=4),
    seeds,
)
def test_goals_resume_exactly_once(
    total: int, parts: list[tuple[How, int]], last: How, changes: list[int], seed: int
) -> None:
    """Whatever is made and deleted between one walk and the next."""
    server = catalog(total, salt=seed)
    walks = 0

    def source(how: How) -> CatalogSource:
        nonlocal walks
        if walks:
            server.change(changes[walks % 4])
        walks += 1
        return CatalogSource(server, how.size, traffic=Traffic(seed))

    got, reports = run(in_parts(source, parts, last))
    event(f"walks: {min(len(reports), 4)}")
    assert len(set(keys(got))) == len(got)
    assert set(range(1, total + 1)) & set(server.names) <= set(keys(got))
    assert reports[-1].complete is True
