"""Exactly once, over model lists that tell a total and whose rows have keys."""

from __future__ import annotations

import math
from typing import TypeVar

import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from rybbit_async import (
    IncompleteWalkError,
    Paginator,
    Report,
    RybbitWarning,
)
from rybbit_async.walks.walk import PageRequest

from .models import (
    CatalogSource,
    Entry,
    How,
    Sorting,
    Traffic,
    catalog,
    collect,
    hows,
    keys,
    many,
    paginator,
    run,
    seeds,
    some,
    sortings,
)

T = TypeVar("T")


@some
@given(st.integers(0, 60), hows(12), st.sampled_from(("rising", "falling")), seeds)
def test_goals_that_do_not_change(total: int, how: How, order: Sorting, seed: int) -> None:
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
    sortings,
    st.dictionaries(st.integers(0, 30), st.integers(-4, 4).filter(bool), max_size=5),
    st.booleans(),
    seeds,
)
@example(20, How(5), "rising", {1: -1, 2: 1}, False, 0)
@example(40, How(3), "rising", {0: 1, 1: 1, 29: -1, 2: 1}, False, 0)
def test_goals_made_and_deleted_between_pages(
    total: int, how: How, order: Sorting, changes: dict[int, int], verify: bool, seed: int
) -> None:
    """What is there throughout comes once, as long as a change shows in the total."""
    # If more goals are created at the head of the list, its pages cannot be told from a loop.
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


def test_who_only_turns_pages_misses_a_goal_after_a_deletion() -> None:
    """That the test above would notice."""
    server = catalog(20)
    first = keys(server.answer(PageRequest(1, 5)))
    del server.names[2]
    assert 6 not in first + keys(server.answer(PageRequest(2, 5)))


def test_a_late_goal_comes_last_and_the_report_says_so() -> None:
    server = catalog(20)
    happens = {1: lambda: server.names.pop(2)}
    source = CatalogSource(server, 5, traffic=Traffic(0, happens))
    over = paginator(source, How(5))
    assert keys(collect(over)) == [*range(1, 6), *range(7, 21), 6]
    report = over.report
    assert (report.passes, report.complete, report.doubtful) == (2, True, False)
    assert report.reason is not None
    assert report.reason.startswith("1 row came last, out of order: ")
    assert source.traffic.asked == [
        *(PageRequest(number, 5) for number in range(1, 5)),
        *(PageRequest(number, 5, stable=True) for number in range(1, 5)),
    ]


def cancelling_out(verify: bool) -> Paginator[Entry]:
    """A delete and a create between the same two pages: totals, counts and keys show nothing."""
    server = catalog(20)

    def happens() -> None:
        del server.names[1]
        server.change(1)

    source = CatalogSource(server, 5, verify, Traffic(0, {2: happens}))
    return paginator(source, How(5))


def test_changes_that_cancel_out_leave_no_trace() -> None:
    over = cancelling_out(verify=False)
    assert keys(collect(over)) == [*range(1, 11), *range(12, 22)], "11 is lost"
    assert (over.report.passes, over.report.complete, over.report.reason) == (1, True, None)


def test_verify_finds_what_changes_that_cancel_out_hid() -> None:
    over = cancelling_out(verify=True)
    assert keys(collect(over)) == [*range(1, 11), *range(12, 22), 11]
    assert (over.report.passes, over.report.complete) == (2, True)
    assert "1 row came last" in str(over.report.reason)


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
    naive = {key for page in range(1, 28) for key in keys(server.answer(PageRequest(page, 10)))}
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
def test_a_list_that_changes_during_each_pass_ends_the_walk_after_ten(strict: bool) -> None:
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
        with pytest.raises(IncompleteWalkError, match="total is"):
            collect(over)
    else:
        with pytest.warns(RybbitWarning, match="total is"):
            assert keys(collect(over)) == list(range(1, 23))
    assert (over.report.passes, over.report.complete) == (2, False)
    # An empty page is the end, whatever the total says.
    assert over.report.requests == 2 * min(math.ceil((22 + lie) / 5), math.ceil(22 / 5) + 1)


@some
@given(st.integers(0, 60), st.integers(1, 12), hows(30), seeds)
def test_a_page_size_that_the_server_changes(total: int, own: int, how: How, seed: int) -> None:
    source = CatalogSource(catalog(total, own_size=own), how.size, traffic=Traffic(seed))
    over = paginator(source, how)
    assert sorted(keys(collect(over))) == list(range(1, total + 1))
    assert over.report.complete is True
    assert over.report.requests == max(1, math.ceil(total / own))
