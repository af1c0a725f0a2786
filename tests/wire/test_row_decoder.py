"""The fast way from bytes to sessions gives what the lenient one gives, or steps aside."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rybbit_async import APIResponseError, Page, Session
from rybbit_async.wire.converter import _fast_sessions as fast
from rybbit_async.wire.converter import goal_page, read_goals, session_page
from rybbit_async.wire.converter import read_sessions as read_body
from rybbit_async.wire.json import BadJSONError, Body

from ..strategies import goal_rows, session_rows

SESSION: dict[str, Any] = {
    "session_id": "s1", "user_id": "u1", "country": "US", "browser_version": 120,
    "session_end": "2026-11-20 10:15:00", "session_start": "2026-11-20T10:15:00.000Z",
    "pageviews": 1, "lat": -24.16, "page_title": -7, "utm_campaign": 12, "ip": None,
}  # fmt: skip


def body(*rows: Any, **envelope: Any) -> bytes:
    return json.dumps({"data": list(rows), **envelope}, ensure_ascii=False).encode(
        errors="surrogatepass"
    )


def outcome(read: Any, data: bytes) -> object:
    try:
        page: Page[Session] = read(data)
    except (APIResponseError, BadJSONError) as error:
        return type(error), str(error), getattr(error, "path", None)
    return [(row, row.extra, row.session_end and row.session_end.tzinfo) for row in page]


def read_sessions(data: bytes) -> Page[Session]:
    return read_body(Body(data))


def lenient(data: bytes) -> Page[Session]:
    return session_page(Body(data).json())


def test_what_fits_takes_the_fast_way() -> None:
    found = fast(body(SESSION, {**SESSION, "tag": "new", "country": "\0\0"}))
    assert found is not None
    rows = found[0]
    assert rows == lenient(body(SESSION, {**SESSION, "tag": "new", "country": "\0\0"})).items
    assert (rows[0].page_title, rows[0].utm_campaign, rows[1].country) == ("-7", "12", "")


def test_what_it_makes_is_a_session_like_any_other() -> None:
    (row,) = fast(body(SESSION))[0]  # type: ignore[index]
    assert type(row) is Session
    assert pickle.loads(pickle.dumps(row)) == row
    assert hash(row) == hash(lenient(body(SESSION)).items[0])
    with pytest.raises(AttributeError):
        row.country = "DE"  # type: ignore[misc]
    assert row.extra == {}
    assert row.extra is not fast(body(SESSION))[0][0].extra  # type: ignore[index]


@pytest.mark.parametrize(
    "row",
    [
        {**SESSION, "later": [1, {"a": 2}]},  # an unknown field is kept
        {**SESSION, "pageviews": "3"},  # an integer as text
    ],
)
def test_what_does_not_fit_takes_the_lenient_way(row: dict[str, Any]) -> None:
    assert fast(body(SESSION, row)) is None
    assert read_sessions(body(SESSION, row)) == lenient(body(SESSION, row))


@given(st.lists(session_rows(), max_size=4))
def test_sessions_as_servers_send_them(pairs: list[Any]) -> None:
    data = body(*(wire for wire, _ in pairs))
    assert outcome(read_sessions, data) == outcome(lenient, data)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.none()),
    st.integers(-(10**40), 10**40), st.just("2026-11-20 10:15:00"), st.just("\0\0"),
    st.datetimes(timezones=st.just(None) | st.timezones()).map(str),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*SESSION, "later", "extra"]), VALUES))
@example({"city": 1e999})
@example({"city": -0.0})
@example({"session_end": "2026-11-20T10:15+01"})
@example({"session_end": "0001-01-01T00:00:00+14:00"})
@example({"browser": "\ud800"})
@example({"extra": 1})
def test_any_value_at_all(changes: dict[str, Any]) -> None:
    data = body(SESSION, {**SESSION, **changes})
    assert outcome(read_sessions, data) == outcome(lenient, data)


@given(st.binary(max_size=40).map(lambda tail: body(SESSION)[:-2] + tail))
@example(b"")
@example(b'{"data":[]}')
@example(b'{"data":null}')
@example(b'{"data":[]} x')
@example(b'{"data":[{}],"data":[]}')
@example(b"[" * 5000)
def test_any_bytes_at_all(data: bytes) -> None:
    assert outcome(read_sessions, data) == outcome(lenient, data)


META = {"total": "2", "page": 1, "pageSize": 2, "totalPages": 1}


@given(st.lists(goal_rows(), max_size=4), st.sampled_from([META, {**META, "total": 2}, {}, None]))
def test_goals_as_servers_send_them(pairs: list[Any], meta: Any) -> None:
    data = body(*(wire for wire, _ in pairs), meta=meta)

    def slow(data: bytes) -> Page[Any]:
        return goal_page(Body(data).json())

    def found(read: Any) -> object:
        try:
            page = read(data)
        except APIResponseError as error:
            return str(error), error.path
        return page, [(type(row.config), row.extra) for row in page]

    assert found(lambda data: read_goals(Body(data))) == found(slow)


@given(st.dictionaries(st.sampled_from(["pathPattern", "eventName", "later"]), VALUES), VALUES)
def test_goals_with_any_config(config: dict[str, Any], total: Any) -> None:
    row = {
        "goalId": 1, "siteId": 2, "name": None, "goalType": "path", "config": config,
        "createdAt": "2026-11-24 08:13:46.60547", "total_conversions": total,
    }  # fmt: skip
    data = body(row, meta=META)

    def found(read: Any) -> object:
        try:
            return read(Body(data)).items
        except (APIResponseError, BadJSONError) as error:
            return type(error), str(error), getattr(error, "path", None)

    assert found(read_goals) == found(lambda one: goal_page(one.json()))
