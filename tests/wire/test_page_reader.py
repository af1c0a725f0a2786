"""Envelopes: where in a body the rows and the figures are."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from rybbit_async import PageMeta
from rybbit_async.models import HOLDS_UNKNOWN
from rybbit_async.wire.json import Body
from rybbit_async.wire.page_reader import DATA, DATA_META, DATA_TOTAL_COUNT, Envelope, page_reader
from rybbit_async.wire.values import MisfitError


@attrs.frozen
class Row:
    key: str
    extra: dict[str, Any] = attrs.field(factory=dict[str, Any], metadata={HOLDS_UNKNOWN: True})


def read(envelope: Envelope, body: object) -> Any:
    return page_reader(Row, envelope)(Body(json.dumps(body).encode()))


def test_rows_alone() -> None:
    page = read(DATA, {"data": [{"key": "a"}, {"key": 2}]})
    assert page.items == (Row("a"), Row("2"))
    assert page.meta is None


def test_figures_beside_the_rows() -> None:
    meta = {"total": "7", "page": 2, "pageSize": 3, "totalPages": 3}
    assert read(DATA_META, {"data": [], "meta": meta}).meta == PageMeta(7, 2, 3, 3)


@pytest.mark.parametrize(
    ("total", "size", "pages"),
    [(0, 10, 0), (1, 10, 1), (10, 10, 1), (11, 10, 2), ("11", 10.0, 2), (5, 0, 0), (0, 0, 0)],
)
def test_the_number_of_pages_is_computed_where_it_is_not_sent(
    total: Any, size: Any, pages: int
) -> None:
    body = {"data": [{"key": "a"}], "totalCount": total, "page": 1, "pageSize": size}
    assert read(DATA_TOTAL_COUNT, body).meta == PageMeta(int(total), 1, int(size), pages)


@pytest.mark.parametrize("name", ["totalCount", "page", "pageSize"])
@pytest.mark.parametrize("wrong", [None, True, 1.5, "x", [], {}, "missing"])
def test_a_figure_that_does_not_fit(name: str, wrong: Any) -> None:
    body = {"data": [{"key": "a"}], "totalCount": 1, "page": 1, "pageSize": 1, name: wrong}
    if wrong == "missing":
        del body[name]
    with pytest.raises(MisfitError, match=f"{name}: ") as caught:
        read(DATA_TOTAL_COUNT, body)
    assert caught.value.path == name


OFFSETS = Envelope(
    rows="data.users", total="data.paging.total", page="data.paging.page",
    page_size="data.paging.limit", total_pages="data.paging.pages",
)  # fmt: skip


def test_an_envelope_of_several_levels() -> None:
    paging = {"total": 9, "page": 1, "limit": 5, "pages": 2}
    page = read(OFFSETS, {"data": {"users": [{"key": "a"}], "paging": paging}})
    assert (page.items, page.meta) == ((Row("a"),), PageMeta(9, 1, 5, 2))
    for paging_sent, path in [
        ({}, "data.paging.total"),
        (None, "data.paging"),
        ([], "data.paging"),
    ]:
        with pytest.raises(MisfitError) as caught:
            read(OFFSETS, {"data": {"users": [], "paging": paging_sent}})
        assert caught.value.path == path


def test_the_text_of_an_error() -> None:
    for body, text in [
        ([], "the body: expected dict, got list"),
        ({"data": None}, "data: expected list, got None"),
        ({}, "data: is missing"),
        ({"error": "Down"}, "data: is missing (the server says: str ('Down'))"),
        ({"data": [{"key": []}]}, "data[0].key: expected str, got list"),
        ({"data": [{"key": True}]}, "data[0].key: expected str, got bool (True)"),
        ({"data": [{"key": "a"}, 5]}, "data[1]: expected dict, got int (5)"),
    ]:
        with pytest.raises(MisfitError) as caught:
            read(DATA, body)
        assert str(caught.value) == text
