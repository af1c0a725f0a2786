"""Model servers: lists that shuffle, move, shrink, lie and loop. No HTTP.

The models do what the real servers were seen to do. Every row of a list by time has a whole
second; rows of one second come in an order that depends on the page requested and on its size. A
row that gains an event goes to the head. Goals are created at one end and deleted anywhere. Any of
that may happen between two answers, and answers arrive in any order.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import pytest
from attrs import define, field, frozen
from hypothesis import settings
from hypothesis import strategies as st

from rybbit_async import Page, PageMeta, Paginator, Report
from rybbit_async.walks.options import WalkOptions
from rybbit_async.walks.orders import ByKey, ByTime
from rybbit_async.walks.paginator import WalkRegistry
from rybbit_async.walks.walk import PagedWalk, PageRequest, Position

from .helpers import LoadedPage

T = TypeVar("T")

# The same examples each time. (Thousands more of each passed while this was written.)
some = settings(max_examples=40, derandomize=True)
many = settings(max_examples=70, derandomize=True)

total_or_not = pytest.mark.parametrize(
    "counted", [False, True], ids=["without a total", "with a total"]
)

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


# --- what both kinds of server have ------------------------------------------------------------


@define(eq=False)
class Traffic:
    """How requests travel, which there were, and what happens in between."""

    seed: int = 0
    happens: Mapping[int, Callable[[], object]] = field(factory=dict)  # before the nth answer
    asked: list[PageRequest] = field(factory=list)
    answers: int = 0
    rng: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    async def travel(self) -> None:
        for _ in range(self.rng.randrange(4)):
            await asyncio.sleep(0)

    def exchange(
        self, answer: Callable[[PageRequest], Page[T]], request: PageRequest
    ) -> Coroutine[Any, Any, LoadedPage[T]]:
        self.asked.append(request)
        assert len(self.asked) < 3000, "the walk does not end"
        return self._exchange(answer, request)

    async def _exchange(
        self, answer: Callable[[PageRequest], Page[T]], request: PageRequest
    ) -> LoadedPage[T]:
        await self.travel()
        self.happens.get(self.answers, bool)()
        self.answers += 1
        page = answer(request)
        await self.travel()
        return LoadedPage(lambda: page)


@frozen
class How:
    """The options of a walk."""

    size: int
    concurrency: int = 1
    ordered: bool = True


def hows(max_size: int = 30) -> st.SearchStrategy[How]:
    return st.builds(How, st.integers(1, max_size), st.integers(1, 8), st.booleans())


def paginator(source: Any, how: How, query: str = "", **more: Any) -> Paginator[Any]:
    """A paginator over a list; ``more`` are further options of the walk."""
    options = WalkOptions(how.concurrency, how.ordered, **more)

    def begin(report: Report, position: Position | None) -> PagedWalk[Any]:
        return PagedWalk(source, source.order(), report, options, position)

    return Paginator(begin, name="a list", query=query, walks=WalkRegistry(), options=options)


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
    end: datetime | None

    @property
    def identity(self) -> tuple[str, str]:
        return f"s{self.number // 2}", f"u{self.number % 2}"


@define(eq=False)
class Timeline:
    """The sessions of a goal: by second, newest first, equal ones shuffled on each page."""

    seconds: dict[int, int]  # when the row of that number ended
    salt: int = 0
    cap: int | None = None
    stuck: bool = False  # the number of the page is ignored
    counted: bool = False  # whether pages tell the total
    lie: int = 0  # what the total is wrong by
    untimed: Sequence[int] = ()  # rows without a time, which do not move
    untimed_first: bool = False
    now: int = field(init=False)
    rng: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.now = max(self.seconds.values(), default=0)
        self.rng = random.Random(self.salt)

    def answer(self, request: PageRequest) -> Page[Row]:
        size = min(request.size, self.cap or request.size)
        number = 1 if self.stuck else request.number
        chosen = self.ranking(number, size)[(number - 1) * size : number * size]
        rows = tuple(Row(n, self.end(n)) for n in chosen)
        total = max(0, len(self.seconds) + len(self.untimed) + self.lie)
        meta = PageMeta(total, request.number, size, -(-total // size)) if self.counted else None
        return Page(rows, meta)

    def ranking(self, number: int, size: int) -> list[int]:
        def place(row: int) -> tuple[int, int]:
            return -self.seconds[row], hash((row, number, size, self.salt))

        timed = sorted(self.seconds, key=place)
        return [*self.untimed, *timed] if self.untimed_first else [*timed, *self.untimed]

    def end(self, row: int) -> datetime | None:
        return None if row in self.untimed else EPOCH + timedelta(seconds=self.seconds[row])

    def move(self, times: int) -> None:
        """Let sessions begin, or gain an event, at the head of the list."""
        for _ in range(times):
            self.now += self.rng.choice((0, 0, 1))
            new = not self.seconds or self.rng.random() < 0.5
            row = len(self.seconds) if new else self.rng.choice(sorted(self.seconds))
            self.seconds[row] = self.now

    def visit(self, second: int) -> None:
        """Store the event of a visit: a session begins, or one gains an event, perhaps late."""
        new = not self.seconds or self.rng.random() < 0.4
        # Mostly sessions that are near the head gain one, and each may be the same as before.
        recent = sorted(self.seconds)[-self.rng.choice((20, 200, len(self.seconds) or 1)) :]
        row = len(self.seconds) if new else self.rng.choice(recent)
        self.seconds[row] = max(second, self.seconds.get(row, second))

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
    settled: bool = True
    expected: int | None = None
    traffic: Traffic = field(factory=Traffic)
    state: Mapping[str, str] = field(factory=dict)
    lateness: timedelta = timedelta()
    note: str | None = None
    doubt: str | None = None

    async def prepare(self, state: Mapping[str, str] | None) -> TimelineSource:
        return self

    def fetch(self, request: PageRequest) -> Coroutine[Any, Any, LoadedPage[Row]]:
        return self.traffic.exchange(self.server.answer, request)

    def order(self) -> ByTime[Row]:
        return ByTime(lambda row: row.end, lambda row: row.identity)

    @property
    def asked(self) -> list[tuple[int, int]]:
        return [(request.number, request.size) for request in self.traffic.asked]


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

    def server(self, *, counted: bool = False) -> Timeline:
        return Timeline(seconds_of(self.groups), self.salt, counted=counted)


# Before which answers something moves, and how much; after that it is quiet.
moves_at = st.dictionaries(st.integers(1, 30), st.integers(1, 5), max_size=5)
lines = st.builds(Line, group_sizes, seeds)


def smallest_page(first: int, last: int) -> tuple[int, int]:
    """The contract's words: the smallest limit for which both ranks fall on one page."""
    size = next(s for s in range(last - first + 1, last + 2) if first // s == last // s)
    return first // size + 1, size


def short_groups(server: Timeline, source: TimelineSource, size: int) -> list[tuple[int, int]]:
    """The pages that should be read again, going by what the pages of the walk held."""
    pages = [number for number, asked in source.asked if asked == size]
    held = [set(server.answer(PageRequest(number, size)).items) for number in pages]
    seen = {row.number for rows in held for row in rows}
    return [smallest_page(first, last) for first, last, rows in server.groups() if rows - seen]


# --- goals -------------------------------------------------------------------------------------


@frozen
class Entry:
    """A goal."""

    key: int
    name: str


Sorting = Literal["rising", "falling", "name"]


@define(eq=False)
class Catalog:
    """The goals of a site: keys rise as they are made; by name, equal ones are shuffled."""

    names: dict[int, str]
    order: Sorting = "rising"
    salt: int = 0
    own_size: int | None = None  # used whatever is requested; ``meta`` tells it
    lie: int = 0  # what the total is wrong by
    stuck: bool = False
    made: int = field(init=False)
    rng: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.made = max(self.names, default=0)
        self.rng = random.Random(self.salt)

    def answer(self, request: PageRequest) -> Page[Entry]:
        number, size, stable = request.number, self.own_size or request.size, request.stable

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
        """Have so many goals created, or deleted where it is negative."""
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
    settled: bool = False
    lateness: timedelta = timedelta()
    note: str | None = None
    doubt: str | None = None
    key: Callable[[Entry], Any] = lambda entry: entry.key

    async def prepare(self, state: Mapping[str, str] | None) -> CatalogSource:
        return self

    def fetch(self, request: PageRequest) -> Coroutine[Any, Any, LoadedPage[Entry]]:
        return self.traffic.exchange(self.server.answer, request)

    def order(self) -> ByKey[Entry]:
        return ByKey(
            self.key,
            rising=self.server.order == "rising",
            stable=self.server.order != "name",
            verify=self.verify,
        )


def catalog(total: int, **options: Any) -> Catalog:
    return Catalog({key: "abc"[key % 3] for key in range(1, total + 1)}, **options)


def keys(entries: Iterable[Entry]) -> list[int]:
    return [entry.key for entry in entries]


sortings: st.SearchStrategy[Sorting] = st.sampled_from(("rising", "falling", "name"))
