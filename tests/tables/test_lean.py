"""Lean rows have the values of the model, whatever servers send, and whatever was learned."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rybbit_async import Session, SiteSession, User
from rybbit_async.tables import record_batch
from rybbit_async.wire.json import BadJSONError, Body
from rybbit_async.wire.page_reader import DATA, PageReader, page_reader
from rybbit_async.wire.values import MisfitError

from ..strategies import session_rows

ROW: dict[str, Any] = {
    "session_id": "s1", "user_id": "u1", "country": "\0\0", "browser_version": 120, "ip": None,
    "session_end": "2026-11-20 10:15:00", "session_start": "2026-11-20T10:15:00", "lat": 1,
}  # fmt: skip
ODD: list[dict[str, Any]] = [
    {},
    {"session_end": "2026-11-20T10:15:00.000Z"},
    {"session_end": "2026-11-20 10:15:00+02:00"},
    {"session_end": "2026-11-20 10:15:00.60547"},
    {"session_end": "2026-11-20"},
    {"session_end": None},
    {"session_end": "yesterday"},
    {"session_end": 5},
    {"session_start": "2026-11-20 25:00:00"},
    {"session_id": None},
    {"pageviews": "7"},
    {"pageviews": "seven"},
    {"pageviews": 1.5},
    {"pageviews": 10**18},
    {"lat": "52.5"},
    {"page_title": 1e-7},
    {"page_title": True},
    {"page_title": "\ud83d"},
    {"page_title": "a\0b"},
    {"extra": {"a": 1}},
    {"new": [1, {"a": None}]},
    {"traits": {}},
    {"traits": {"a": [1]}},
    {"traits": "text"},
    {"traits": {"a": {"b": {"c": {"d": 1}}}}},
]


def is_lean(rows: Any) -> bool:
    return bool(rows) and not isinstance(rows[0], Session)


def found(read: Any, model: Any, body: Body) -> Any:
    """The values of a page, or the error that says why there are none."""
    try:
        page = read(body)
    except (BadJSONError, MisfitError) as error:
        return str(error)
    assert page.model is model
    return record_batch(model, page.items).to_pylist()


def pages(*rows: list[dict[str, Any]]) -> list[Body]:
    return [Body(json.dumps({"data": some}).encode(), max_depth=6) for some in rows]


def check(model: Any, bodies: list[Body]) -> None:
    lean: PageReader[Any] = page_reader(model, DATA)
    full: PageReader[Any] = page_reader(model, DATA)
    for body in bodies:
        assert found(lean.lean, model, body) == found(full, model, body)


@settings(max_examples=15)
@given(st.lists(st.lists(session_rows().map(lambda pair: pair[0]), max_size=3), max_size=4))
def test_any_rows(rows: list[list[dict[str, Any]]]) -> None:
    check(Session, pages(*rows))


@given(
    st.lists(
        st.lists(st.lists(st.sampled_from(ODD), max_size=3), min_size=1, max_size=3), max_size=4
    )
)
@example([[[{"new": 1}]], [[{}]], [[{"new": 2}, {"traits": {"a": 1}}]]])
def test_odd_rows(changes: list[list[list[dict[str, Any]]]]) -> None:
    made: list[list[dict[str, Any]]] = []
    for page in changes:
        made.append([])
        for row in page:
            made[-1].append(ROW | {k: v for change in row for k, v in change.items()})
    check(SiteSession, pages(*made))


@pytest.mark.parametrize("change", ODD, ids=str)
def test_each_odd_row_before_and_after_another(change: dict[str, Any]) -> None:
    usual = [ROW, {**ROW, "session_id": "s2"}]
    check(SiteSession, pages(usual, [ROW | change, ROW], [ROW, ROW | change], usual))


def test_rows_are_lean_where_they_can_be() -> None:
    reader = page_reader(Session, DATA)
    usual, odd, new = pages([ROW], [ROW | {"session_end": "2026-11-20"}], [ROW | {"new": 1}])
    assert not is_lean(reader.lean(usual).items)  # a number for text has to be learned
    assert is_lean(reader.lean(usual).items)
    assert not is_lean(reader.lean(odd).items)
    assert is_lean(reader.lean(usual).items)
    assert not is_lean(reader.lean(new).items)
    assert is_lean(reader.lean(new).items)
    assert reader.lean(new).items[0].extra == {"new": 1}


def test_a_class_that_is_no_attrs_class() -> None:
    reader = page_reader(dict, DATA)
    assert reader.lean(pages([ROW])[0]).items[0]["session_id"] == "s1"


def test_users() -> None:
    rows = [{"effective_user_id": 7, "last_seen": "2026-11-20 10:15:00", "traits": {"a": 1}}] * 2
    check(User, pages(rows, rows))
