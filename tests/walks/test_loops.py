"""Servers that repeat their pages, and the limit on requests."""

from __future__ import annotations

from typing import TypeVar

import pytest

from rybbit_async import (
    APIResponseError,
)

from .models import (
    CatalogSource,
    How,
    Timeline,
    TimelineSource,
    catalog,
    collect,
    numbers,
    paginator,
    seconds_of,
)

T = TypeVar("T")

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
    source = TimelineSource(server, size, settled=not moves)
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
    """Requests that read spans again and further passes count too, and there is no warning."""
    server = Timeline(seconds_of([3] * 30))
    for max_pages in range(1, 60, 4):
        source = TimelineSource(server, 4, settled=not moves)
        over = paginator(source, How(4, 4), max_pages=max_pages)
        got = numbers(collect(over))
        assert len(got) == len(set(got))
        assert len(source.asked) <= max_pages
        complete = over.report.complete
        assert complete is (f"max_pages={max_pages}" not in str(over.report.reason))
        if complete:
            assert sorted(got) == sorted(server.seconds)
    assert over.report.complete is True
