"""Exactly once, over model lists that are sorted by time."""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from datetime import timedelta
from typing import TypeVar

import pytest
from attrs import define, field
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from rybbit_async import APIResponseError, IncompleteWalkError, Page, RybbitWarning
from rybbit_async.walks.walk import PageRequest

from .models import (
    How,
    Line,
    Row,
    Timeline,
    TimelineSource,
    Traffic,
    collect,
    hows,
    lines,
    many,
    moves_at,
    numbers,
    paginator,
    run,
    seconds_of,
    seeds,
    short_groups,
    some,
    total_or_not,
)

T = TypeVar("T")

# --- settled lists ----------------------------------------------------------------------------


@total_or_not
@some
@given(lines, hows(), st.none() | st.integers(-40, 40), seeds)
@example(Line([2, 2, 2], 3), How(1), None, 0)
def test_ties_of_a_settled_list(
    counted: bool, line: Line, how: How, off: int | None, seed: int
) -> None:
    """Every row once; one further request for each incomplete group, and no other."""
    server = line.server(counted=counted)
    total = len(server.seconds)
    hint = None if off is None else max(0, total + off)
    source = TimelineSource(server, how.size, expected=hint, traffic=Traffic(seed))
    over = paginator(source, how)
    got = numbers(collect(over))
    assert sorted(got) == list(range(total))
    again = short_groups(server, source, how.size)
    event(f"incomplete groups: {min(len(again), 3)}")
    pages = [asked for asked in source.asked if asked[1] == how.size]
    assert Counter(source.asked) == Counter([*pages, *again])
    needed = max(1, math.ceil(total / how.size)) if counted else total // how.size + 1
    assert len(set(pages)) == len(pages) <= needed + how.concurrency - 1
    if hint == total or (counted and hint is None):
        assert len(pages) == needed
    report = over.report
    assert (report.complete, report.doubtful, report.passes) == (True, False, 1)
    assert report.reason is None
    assert report.requests == len(source.asked)
    assert report.items == total
    rows = sum(len(server.answer(PageRequest(*page))) for page in pages)
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
def test_pages_contain_the_rows_that_had_been_missing(line: Line, how: How, seed: int) -> None:
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
def test_a_limit_counts_rows_that_were_read_again(
    line: Line, how: How, limit: int, seed: int
) -> None:
    server = line.server()
    source = TimelineSource(server, how.size, traffic=Traffic(seed))
    over = paginator(source, how, limit=limit)
    got = numbers(collect(over))
    assert len(got) == len(set(got)) == min(limit, len(server.seconds)) == over.report.items


@total_or_not
@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize(("size", "concurrency"), [(1, 8), (2, 1), (3, 8)])
def test_a_huge_group_of_ties_is_no_loop(
    counted: bool, moves: bool, size: int, concurrency: int
) -> None:
    """Most of its pages have nothing new, one after another."""
    for salt in range(3):
        server = Timeline(seconds_of([1, 170, 1, 40]), salt, counted=counted)
        source = TimelineSource(server, size, settled=not moves)
        over = paginator(source, How(size, concurrency))
        assert sorted(numbers(collect(over))) == sorted(server.seconds)
        assert over.report.complete is True


# --- totals of settled lists -------------------------------------------------------------------


@some
@given(lines, hows(), st.integers(-30, 30), seeds)
@example(Line([1] * 8), How(3), 1, 0)
@example(Line([1] * 8), How(3), -1, 0)
def test_a_total_that_is_not_the_number_of_rows(line: Line, how: How, lie: int, seed: int) -> None:
    """The report says that something may be missing; a total that is too large loses nothing."""
    server = line.server(counted=True)
    server.lie = lie
    source = TimelineSource(server, how.size, traffic=Traffic(seed))
    over = paginator(source, how)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        got = numbers(collect(over))
    total = len(server.seconds)
    said = max(0, total + lie)
    assert len(set(got)) == len(got) <= total
    assert lie < 0 or len(got) == total
    wrong = len(got) != said
    report = over.report
    assert report.complete is not report.doubtful
    assert len(told) == report.doubtful
    reason = f"the server's total is {said}, but the number of rows that came is {len(got)}"
    assert (reason in str(report.reason)) is wrong
    # A total that is too small may end a walk within a group of equal times, which shows, too.
    assert report.doubtful is wrong or lie < 0
    assert report.doubtful or not wrong


def test_totals_that_differ_in_a_settled_list() -> None:
    """It is not settled, whatever was thought of it, so rows may be missing."""
    server = Line([1] * 20).server(counted=True)
    traffic = Traffic(0, {1: lambda: server.seconds.pop(19)})
    over = paginator(TimelineSource(server, 5, traffic=traffic), How(5), strict=True)
    with pytest.raises(IncompleteWalkError, match=r"total is 20, but .* is 19"):
        collect(over)
    assert over.report.doubtful is True


def test_a_total_of_a_walk_that_was_cut_is_not_compared() -> None:
    server = Line([3] * 9).server(counted=True)
    for options in ({"limit": 12}, {"max_pages": 3}):
        over = paginator(TimelineSource(server, 5), How(5), **options)
        assert len(collect(over)) < 27
        assert (over.report.complete, over.report.doubtful) == (False, False)


# --- live lists -------------------------------------------------------------------------------


@total_or_not
@many
@given(lines, hows(), moves_at, st.none() | st.integers(0, 80), seeds)
@example(Line([19, 3, 2, 3, 8, 4], 2748826), How(4, 2, False), {1: 1, 2: 2, 13: 1, 24: 5}, None, 0)
def test_live_lists(
    counted: bool, line: Line, how: How, moves: dict[int, int], hint: int | None, seed: int
) -> None:
    """What was there throughout comes once, wherever it moved to in the meantime."""
    server = line.server(counted=counted)
    # If more rows move than that, pages without anything new cannot be told from a loop.
    assume(sum(moves.values()) < how.size * (how.concurrency + 3))
    there = list(server.seconds)
    happens = {at: lambda times=times: server.move(times) for at, times in moves.items()}
    source = TimelineSource(
        server, how.size, settled=False, expected=hint, traffic=Traffic(seed, happens)
    )
    over = paginator(source, how)
    got = numbers(collect(over))
    assert len(set(got)) == len(got)
    assert set(there) <= set(got)
    report = over.report
    event(f"passes: {report.passes}")
    assert (report.complete, report.reason) == (True, None)
    assert report.items == len(got)
    assert report.requests == len(source.asked)


@total_or_not
@some
@given(lines, hows(), seeds)
def test_a_live_list_in_which_nothing_moves(counted: bool, line: Line, how: How, seed: int) -> None:
    """Its head is read again, just until a row is older than the head was, with one request."""
    server = line.server(counted=counted)
    source = TimelineSource(server, how.size, settled=False, traffic=Traffic(seed))
    over = paginator(source, how)
    total = len(server.seconds)
    assert sorted(numbers(collect(over))) == list(range(total))
    assert over.report.complete is True
    if total <= how.size:
        assert over.report.passes == 1
        return
    head = server.groups()[0][1] + 1  # rows
    assert (1, max(how.size, 100)) in source.asked
    if head <= how.size or how.concurrency == 1:
        assert over.report.passes == 2
        # The pages, groups that were read again (twice if a page is too small), and the head.
        pages = total // how.size + how.concurrency
        large = sum(last - first >= how.size for first, last, _ in server.groups())
        assert len(source.asked) <= pages + len(server.groups()) + large + 1
    else:
        # Which of the head's rows were there when the first page was read is not known.
        assert over.report.passes <= 4


@total_or_not
@some
@given(lines, st.integers(1, 8), st.integers(1, 5))
def test_one_page_is_one_moment(counted: bool, line: Line, concurrency: int, times: int) -> None:
    server = line.server(counted=counted)
    assume(len(server.seconds) < 100)
    there = sorted(server.seconds)
    source = TimelineSource(server, len(there) + 1, settled=False)
    source.traffic.happens = {1: lambda: server.move(times)}
    over = paginator(source, How(source.page_size, concurrency))
    assert sorted(numbers(collect(over))) == there
    assert source.asked == [(1, len(there) + 1)]
    assert over.report.passes == 1


@define(eq=False)
class Visits:
    """So many visits a second, whose events are stored up to ``late`` seconds later.

    A pinned window holds no event of its ``end`` or later.
    """

    server: Timeline
    seconds: float  # from one answer to the next
    rate: float = 60.0
    late: float = 10.0
    end: int | None = None
    time: float = field(init=False)
    due: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.time = float(self.server.now)

    def happen(self) -> None:
        self.time += self.seconds
        self.due += self.seconds * self.rate
        while self.due >= 1:
            self.due -= 1
            second = math.floor(self.time - self.server.rng.uniform(0, self.late))
            if self.end is None or second < self.end:
                self.server.visit(second)


LATE = timedelta(seconds=10)


@total_or_not
@pytest.mark.parametrize("pinned", [False, True])
@some
@given(
    st.integers(0, 600),
    st.builds(How, st.integers(10, 40) | st.integers(100, 700), st.integers(1, 8), st.booleans()),
    st.floats(0.001, 0.1),
    seeds,
)
def test_events_that_are_stored_late(
    counted: bool, pinned: bool, rows: int, how: How, seconds: float, seed: int
) -> None:
    """Rows appear, and move to, up to ten seconds below the head; each that was there comes."""
    server = Timeline({}, seed, counted=counted)
    server.seconds = {row: server.rng.randrange(-60, 1) for row in range(rows)}
    server.now = 0
    visits = Visits(server, seconds, end=1 if pinned else None)
    traffic = Traffic(seed, dict.fromkeys(range(3000), visits.happen))
    source = TimelineSource(server, how.size, settled=False, lateness=LATE, traffic=traffic)
    over = paginator(source, how)
    got = numbers(collect(over))
    assert len(set(got)) == len(got)
    assert set(range(rows)) <= set(got)
    report = over.report
    event(f"passes: {report.passes}")
    assert (report.complete, report.reason) == (True, None)
    # The pages; the head; a sweep; the head; and groups that are read again.
    assert report.passes <= (3 if how.concurrency == 1 else 6)


def test_a_page_with_nothing_new_is_no_reason_to_stop() -> None:
    """Sessions that were read already may stand above one that was not."""
    server = Timeline({row: -row for row in range(40)})

    def happens() -> None:
        # Of the last page, the last one; then all of the first two pages, over it.
        for row in [39, *range(20)]:
            server.now += 1
            server.seconds[row] = server.now

    source = TimelineSource(server, 10, settled=False, traffic=Traffic(0, {2: happens}))
    over = paginator(source, How(10))
    got = numbers(collect(over))
    assert sorted(got) == list(range(40))
    assert over.report.passes >= 2


def test_rows_that_move_during_each_pass_end_the_walk_after_ten() -> None:
    """That takes a server that sends no page that holds the head of the list."""
    server = Timeline({row: -row for row in range(600)}, cap=100)
    there = set(server.seconds)

    def many_move() -> None:
        for row in server.rng.sample(range(600), 60):
            server.now += 1
            server.seconds[row] = server.now

    source = TimelineSource(server, 100, settled=False)
    source.traffic.happens = dict.fromkeys(range(1000), many_move)
    over = paginator(source, How(100))
    with pytest.warns(
        RybbitWarning, match=r"^a list: the walk is not complete: .*10 passes"
    ) as told:
        got = numbers(collect(over))
    assert len(told) == 1
    assert there <= set(got)
    assert len(got) == len(set(got))
    assert (over.report.passes, over.report.complete, over.report.doubtful) == (10, False, True)


# --- rows without a time -----------------------------------------------------------------------


@total_or_not
@some
@given(st.lists(st.integers(1, 4), max_size=8), st.integers(1, 12), hows(8), st.booleans(), seeds)
def test_rows_without_a_time_come_once(
    counted: bool, groups: list[int], untimed: int, how: How, settled: bool, seed: int
) -> None:
    """They are told apart by their identities alone."""
    # The page on which they begin has no ties.
    server = Line([*groups, *([1] * how.size)]).server(counted=counted)
    server.untimed = range(1000, 1000 + untimed)
    traffic = Traffic(seed)
    source = TimelineSource(server, how.size, settled=settled, traffic=traffic)
    over = paginator(source, how)
    assert sorted(numbers(collect(over))) == [*sorted(server.seconds), *server.untimed]
    assert (over.report.complete, over.report.reason) == (True, None)
    assert over.report.passes == 1 or not settled


@pytest.mark.parametrize("settled", [True, False])
def test_a_list_that_begins_with_rows_without_a_time(settled: bool) -> None:
    server = Line([1] * 9).server()
    server.untimed, server.untimed_first = range(1000, 1004), True
    source = TimelineSource(server, 3, settled=settled)

    async def main() -> list[Page[Row]]:
        return [page async for page in paginator(source, How(3)).pages()]

    pages = run(main())
    assert numbers(row for page in pages for row in page) == [*server.untimed, *range(9)]
    # Where a live list begins is not known then, so no walk can go on from one of its pages.
    positions = [page.position is not None for page in pages]
    assert positions == [False, False, settled, settled, settled]


def test_a_loop_of_rows_without_a_time() -> None:
    for settled in (True, False):
        server = Timeline({}, untimed=range(9), stuck=True)
        source = TimelineSource(server, 3, settled=settled)
        with pytest.raises(APIResponseError, match="repeats its pages"):
            collect(paginator(source, How(3, 2)))
        assert len(source.asked) <= 3 * 2 + 4


# --- pages that are smaller than requested ----------------------------------------------------


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
    """It does not end the walk, and rows of a group that no page holds are not lost silently."""
    server = Timeline(seconds_of(groups), seed, cap)
    source = TimelineSource(server, size, settled=not moves, traffic=Traffic(seed))
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
    source = TimelineSource(server, 1000, settled=not moves)
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
