"""Walks that go on where another one stopped, over model lists."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from attrs import evolve
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from rybbit_async import IncompleteWalkError, InvalidParameterError, Paginator, Report

from .models import (
    CatalogSource,
    Entry,
    How,
    Line,
    Timeline,
    TimelineSource,
    Traffic,
    catalog,
    hows,
    keys,
    lines,
    many,
    moves_at,
    numbers,
    paginator,
    run,
    seconds_of,
    seeds,
    some,
    total_or_not,
)

T = TypeVar("T")

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


# Only walks in order have positions and can go on from one.
in_order = hows(12).map(lambda how: evolve(how, ordered=True))
stops = st.lists(st.tuples(in_order, st.integers(0, 6)))


@total_or_not
@many
@given(lines, stops.filter(bool), in_order, seeds)
@example(Line([1, 3]), [(How(2), 1), (How(1), 0)], How(1, 1), 0)
def test_a_settled_list_resumes_exactly_once(
    counted: bool, line: Line, parts: list[tuple[How, int]], last: How, seed: int
) -> None:
    server = line.server(counted=counted)

    def source(how: How) -> TimelineSource:
        return TimelineSource(server, how.size, traffic=Traffic(seed))

    got, reports = run(in_parts(source, parts, last))
    event(f"walks: {min(len(reports), 4)}")
    assert sorted(numbers(got)) == sorted(server.seconds)
    assert reports[-1].complete is True
    assert reports[-1].reason is None


@total_or_not
@many
@given(lines, stops.filter(bool), in_order, moves_at, st.integers(0, 3), seeds)
@example(Line([2]), [(How(1), 0)], How(1, 1), {}, 0, 0)
@example(Line([2], 1311241), [(How(1), 0)], How(1, 1), {3: 2}, 0, 0)
@example(Line([1, 1, 1], 155877530), [(How(1), 2)], How(1, 1), {1: 2}, 0, 0)
@example(Line([1, 1, 1, 2, 3], 155877533), [(How(1), 1)], How(1, 1), {1: 1}, 2, 0)
@example(
    Line([1, 1, 1, 14, 21, 4, 5]),
    [(How(5, 6), 6), (How(5, 4), 3)],
    How(3, 1),
    {1: 1, 2: 1, 3: 4, 18: 3},
    1,
    0,
)
def test_a_live_list_resumes_at_least_once(
    counted: bool,
    line: Line,
    parts: list[tuple[How, int]],
    last: How,
    moves: dict[int, int],
    between: int,
    seed: int,
) -> None:
    server = line.server(counted=counted)
    smallest = min(how.size * (how.concurrency + 3) for how, _ in [*parts, (last, 0)])
    assume(sum(moves.values()) + between * len(parts) < smallest)
    there = set(server.seconds)
    happens = {at: lambda times=times: server.move(times) for at, times in moves.items()}
    traffic = Traffic(seed, happens)
    walks = 0

    def source(how: How) -> TimelineSource:
        nonlocal walks
        walks += 1
        if walks > 1:
            server.move(between)
        return TimelineSource(server, how.size, settled=False, traffic=traffic)

    got, reports = run(in_parts(source, parts, last))
    event(f"walks: {min(len(reports), 4)}")
    assert there <= set(numbers(got))
    assert reports[-1].complete is True
    if len(reports) > 1:
        assert "rows may have come before" in str(reports[-1].reason)


@total_or_not
@many
@given(lines, st.lists(hows(12), min_size=2, max_size=4), st.integers(0, 6), moves_at, seeds)
@example(Line([1] * 6), [How(2), How(2)], 1, {0: 3}, 0)
def test_a_list_that_has_settled_since_the_walk_began(
    counted: bool, line: Line, hows: list[How], stop: int, moves: dict[int, int], seed: int
) -> None:
    """Rows may have moved between the walks, so it is read as a list in which they still do."""
    first, *others = [evolve(how, ordered=True) for how in hows]
    smallest = min(how.size * (how.concurrency + 3) for how in hows)
    assume(sum(moves.values()) + 5 < smallest)
    server = line.server(counted=counted)
    there = set(server.seconds)
    happens = {at: lambda times=times: server.move(times) for at, times in moves.items()}
    live = TimelineSource(server, first.size, settled=False, traffic=Traffic(seed, happens))
    got, start = run(some_pages(paginator(live, first), stop))
    server.move(5)
    for how in others:
        if start is None:
            return
        settled = TimelineSource(server, how.size, traffic=Traffic(seed))
        over = paginator(settled, how)
        rows, start = run(some_pages(over, stop if how is not others[-1] else 10**6, start))
        got += rows
        assert "rows may have come before" in str(over.report.reason)
    if start is None:
        assert there | set(server.seconds) <= set(numbers(got))
        assert over.report.complete is True


@pytest.mark.parametrize("lie", [-1, 0, 1])
def test_the_total_of_a_list_that_is_resumed(lie: int) -> None:
    """Rows on the pages before the first one that is read are there, so they count."""
    server = Timeline(seconds_of([3] * 10), counted=True)
    got, start = run(some_pages(paginator(TimelineSource(server, 5), How(5)), 2))
    server.lie = lie
    over = paginator(TimelineSource(server, 4), How(4), strict=bool(lie))
    if lie:
        with pytest.raises(IncompleteWalkError, match=f"total is {30 + lie}, but .* is 30"):
            run(some_pages(over, 99, start))
        return
    rest, _ = run(some_pages(over, 99, start))
    assert sorted(numbers([*got, *rest])) == list(range(30))
    assert (over.report.complete, over.report.reason) == (True, None)


def test_a_position_stands_at_the_start_of_its_group() -> None:
    server = Timeline(seconds_of([5, 7, 9]))
    source = TimelineSource(server, 10)
    got, start = run(some_pages(paginator(source, How(10)), 0))
    assert len(got) == 10
    resumed = TimelineSource(server, 3)
    rest, _ = run(some_pages(paginator(resumed, How(3)), 99, start))
    assert resumed.asked[0] == (2, 3), "the page of rank 5"
    assert sorted(numbers([*got, *rest])) == list(range(21))


def test_a_settled_list_that_has_changed_is_read_from_its_head() -> None:
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
def test_goals_that_do_not_change_resume_with_what_is_left(size: int, own: int | None) -> None:
    server = catalog(30, own_size=own)
    got, start = run(some_pages(paginator(CatalogSource(server, 5), How(5)), 2))
    resumed = CatalogSource(server, size)
    over = paginator(resumed, How(size, 4))
    rest, _ = run(some_pages(over, 99, start))
    assert keys([*got, *rest]) == list(range(1, 31))
    first = (len(got) - 1) // size + 1
    numbers_asked = [request.number for request in resumed.traffic.asked]
    assert numbers_asked == list(range(first, math.ceil(30 / (own or size)) + 1))
    assert (over.report.passes, over.report.complete, over.report.reason) == (1, True, None)


KEYS: dict[str, Callable[[Entry], Any]] = {
    "numbers": lambda entry: entry.key,
    "texts": lambda entry: f"{entry.key:03}-é",
    "pairs": lambda entry: (entry.key // 5, f"{entry.key % 5}"),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
@some
@given(
    st.integers(0, 50),
    stops.filter(bool),
    in_order,
    st.lists(st.integers(-4, 4), min_size=4, max_size=4),
    seeds,
)
def test_goals_resume_exactly_once(
    key: Callable[[Entry], Any],
    total: int,
    parts: list[tuple[How, int]],
    last: How,
    changes: list[int],
    seed: int,
) -> None:
    """Whatever is created and deleted between one walk and the next."""
    server = catalog(total, salt=seed)
    walks = 0

    def source(how: How) -> CatalogSource:
        nonlocal walks
        if walks:
            server.change(changes[walks % 4])
        walks += 1
        return CatalogSource(server, how.size, traffic=Traffic(seed), key=key)

    got, reports = run(in_parts(source, parts, last))
    event(f"walks: {min(len(reports), 4)}")
    assert len(set(keys(got))) == len(got)
    assert set(range(1, total + 1)) & set(server.names) <= set(keys(got))
    assert reports[-1].complete is True


# --- positions that no walk has stored ---------------------------------------------------------

STORED = {"rank": 3, "time": "2024-01-01T00:00:00+00:00", "given": ["ab"]}
HEAD = {"head": "2024-01-01T00:00:00+00:00", "head_rows": ["ab"]}


def start_of(strategy: object) -> str:
    return json.dumps({"query": "", "strategy": strategy, "source": {}})


@pytest.mark.parametrize(
    "strategy",
    [
        None,
        [],
        {},
        {"rank": 3, "after": 5},
        *({**STORED, "rank": wrong} for wrong in (None, "3", 3.0, True, -1, 2**53, 10**400)),
        *({**STORED, "time": wrong} for wrong in (None, 5, "x", "2024-01-01T00:00:00")),
        *({**STORED, "given": wrong} for wrong in (None, 5, "ab", {"ab": 1}, ["ab", 5], [["ab"]])),
        *({**STORED, **HEAD, "head": wrong} for wrong in (None, 5, "x", "2024-01-01T00:00:00")),
        *({**STORED, **HEAD, "head_rows": wrong} for wrong in (None, "ab", [5])),
        {**STORED, "head": HEAD["head"]},
    ],
    ids=str,
)
def test_a_position_that_is_not_one_by_time(strategy: object) -> None:
    """It is refused at once, and nothing is requested."""
    for settled in (True, False):
        source = TimelineSource(Timeline({}), 5, settled=settled)
        with pytest.raises(InvalidParameterError, match="position of a page of the same walk, got"):
            paginator(source, How(5)).pages(start_of(strategy))
        assert not source.asked


@pytest.mark.parametrize(
    "strategy",
    [
        None,
        [],
        {},
        STORED,
        *({"rank": wrong, "after": 5} for wrong in (None, "3", 3.0, True, -1, 2**53)),
        *({"rank": 3, "after": wrong} for wrong in (None, True, 5.5, {}, [None], [[5]], [5, {}])),
    ],
    ids=str,
)
def test_a_position_that_is_not_one_by_key(strategy: object) -> None:
    source = CatalogSource(catalog(20), 5)
    with pytest.raises(InvalidParameterError, match="position of a page of the same walk, got"):
        paginator(source, How(5)).pages(start_of(strategy))
    assert not source.traffic.asked


@pytest.mark.parametrize("rank", [0, 7])
@pytest.mark.parametrize("after", ["5", [5], [5, "x"]])
def test_a_position_whose_key_is_of_another_type(rank: int, after: object) -> None:
    """Only the first row shows of what type the keys are."""
    over = paginator(CatalogSource(catalog(20), 5), How(5))
    with pytest.raises(InvalidParameterError, match="position of a page of the same walk"):
        run(some_pages(over, 99, start_of({"rank": rank, "after": after})))
    assert over.report.items == 0


def test_a_list_without_positions_takes_none() -> None:
    for order in ("falling", "name"):
        over = paginator(CatalogSource(catalog(20, order=order), 5), How(5))
        with pytest.raises(InvalidParameterError, match="start"):
            over.pages(start_of({"rank": 3, "after": 3}))


def test_a_list_that_was_settled_stays_so() -> None:
    """Also if another clock says otherwise when it is resumed."""
    server = Timeline(seconds_of([1] * 9))
    got, start = run(some_pages(paginator(TimelineSource(server, 3), How(3)), 0))
    over = paginator(TimelineSource(server, 3, settled=False), How(3), strict=True)
    rest, _ = run(some_pages(over, 99, start))
    assert sorted(numbers([*got, *rest])) == list(range(9))
    assert (over.report.passes, over.report.complete, over.report.reason) == (1, True, None)


def test_a_strict_walk_does_not_go_on_where_rows_may_come_twice() -> None:
    server = Timeline(seconds_of([1] * 9))
    live = TimelineSource(server, 3, settled=False)
    _, start = run(some_pages(paginator(live, How(3)), 0))
    over = paginator(TimelineSource(server, 3), How(3), strict=True)
    assert not live.asked[1:]
    with pytest.raises(IncompleteWalkError, match="rows may have come before") as caught:
        over.pages(start)
    assert caught.value.report is over.report
    assert over.report.complete is False
    rest, _ = run(some_pages(paginator(live, How(3)), 99, start))
    assert set(numbers(rest)) >= {3, 4, 5, 6, 7, 8}


def test_a_walk_out_of_order_does_not_go_on() -> None:
    """Its pages would have no positions, so the next walk would begin at the same place again."""
    server = Timeline(seconds_of([1] * 9))
    _, start = run(some_pages(paginator(TimelineSource(server, 3), How(3)), 0))
    over = paginator(TimelineSource(server, 3), How(3, 2, ordered=False))
    with pytest.raises(InvalidParameterError, match=r"start .* with ordered=False"):
        over.pages(start)
