"""The fast way from bytes to rows gives what the lenient one gives, whatever it has learned."""

from __future__ import annotations

import importlib.util
import json
import pickle
import random
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rybbit_async import Goal, Page, PathGoal, Session
from rybbit_async.models import HOLDS_UNKNOWN, JSON_NAME
from rybbit_async.wire import converter, fields, row_decoder, values
from rybbit_async.wire.json import BadJSONError, Body
from rybbit_async.wire.page_reader import (
    DATA,
    DATA_CURSOR,
    DATA_META,
    Envelope,
    page_reader,
    read_leniently,
)
from rybbit_async.wire.row_decoder import MAX_UNKNOWN, PageDecoder
from rybbit_async.wire.values import MisfitError

from ..strategies import goal_rows, session_rows

SESSION: dict[str, Any] = {
    "session_id": "s1", "user_id": "u1", "country": "US", "browser_version": 120,
    "session_end": "2026-11-20 10:15:00", "session_start": "2026-11-20T10:15:00.000Z",
    "pageviews": 1, "lat": -24.16, "page_title": -7, "utm_campaign": 12, "ip": None,
}  # fmt: skip
META = {"total": "2", "page": 1, "pageSize": 2, "totalPages": 1}


@attrs.frozen
class Point:
    x: int
    y: float = 0.5


@attrs.frozen
class Everything:
    """A model with every kind of field."""

    key: str
    number: int
    ratio: float
    moment: datetime
    flag: bool
    note: str | None
    traits: Mapping[str, Any] | None
    camel: str | None = attrs.field(default=None, metadata={JSON_NAME: "camelCase"})
    count: int | None = None
    share: float | None = None
    seen: datetime | None = None
    has_replay: bool | None = None
    country: str | None = None
    value: str | int | float | bool | None = None
    point: Point | None = None
    names: list[str] = attrs.field(factory=list[str])
    scores: Mapping[str, int] | None = None
    label: str = "none"
    since: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    other: Mapping[str, Any] = attrs.field(
        factory=dict[str, Any], kw_only=True, metadata={HOLDS_UNKNOWN: True}
    )


EVERYTHING: dict[str, Any] = {
    "key": "k", "number": 1, "ratio": 0.5, "moment": "2026-11-20 10:15:00", "flag": True,
    "note": "n", "traits": {"plan": "pro", "tags": ["a", {"b": None}]}, "camelCase": "c",
    "count": 2, "share": 1, "seen": "2026-11-20T10:15:00.5Z", "has_replay": False,
    "country": "\0\0", "value": 1.5, "point": {"x": "3"}, "names": ["a", 1], "scores": {"a": "1"},
}  # fmt: skip


def body(*rows: Any, **envelope: Any) -> bytes:
    return json.dumps({"data": list(rows), **envelope}, ensure_ascii=False).encode(
        errors="surrogatepass"
    )


def outcome(read: Any, data: Any) -> object:
    """The rows with the types of everything in them, or the error."""
    try:
        page: Page[Any] = read(data)
    except (MisfitError, BadJSONError) as error:
        return type(error), str(error), getattr(error, "path", None)
    assert type(page.items) is tuple
    return page, [typed(row) for row in page]


def typed(value: Any) -> object:
    """A value with the types of all that is in it, since 1 == 1.0 == True; no order of fields."""
    if attrs.has(type(value)):
        fields = [getattr(value, field.name) for field in attrs.fields(type(value))]
        return type(value), typed(fields)
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return type(value), repr(value)


class Reader:
    """A reader of its own, and the lenient way beside it."""

    def __init__(self, model: type[Any] = Session, envelope: Envelope = DATA) -> None:
        self.model = model
        self.envelope = envelope
        self.read = page_reader(model, envelope)
        self.decoder = PageDecoder(model, envelope)

    def lenient(self, data: Body) -> Page[Any]:
        return read_leniently(data.json(), self.model, self.envelope)

    def check(self, data: bytes, max_depth: int = 64) -> object:
        """Both ways agree, and again once the reader has learned from this body."""
        expected = outcome(self.lenient, Body(data, max_depth))
        for _ in range(2):
            assert outcome(self.read, Body(data, max_depth)) == expected
        return expected


sessions = Reader()
goals = Reader(Goal, DATA_META)
everything = Reader(Everything)


@pytest.fixture
def lenient_calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The rows that are read the lenient way."""
    calls: list[Any] = []

    def structure(data: Any, kind: Any, at: str = "") -> Any:
        calls.append(data)
        return original(data, kind, at)

    original = row_decoder.structure
    monkeypatch.setattr(row_decoder, "structure", structure)
    return calls


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is compiled."""
    made: list[Any] = []
    original = row_decoder._row_struct

    def row_struct(*args: Any) -> Any:
        made.append(args)
        return original(*args)

    monkeypatch.setattr(row_decoder, "_row_struct", row_struct)
    return made


# --- what it makes -----------------------------------------------------------------------------


def test_a_row_is_an_instance_like_any_other() -> None:
    (row,) = sessions.read(Body(body(SESSION)))
    (other,) = sessions.read(Body(body(SESSION)))
    assert type(row) is Session
    assert (row.page_title, row.utm_campaign, row.browser_version) == ("-7", "12", "120")
    assert pickle.loads(pickle.dumps(row)) == row
    assert hash(row) == hash(other)
    assert row == other
    assert attrs.evolve(row, country="DE") != row
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        row.country = "DE"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del row.country
    assert row.extra == {}
    assert row.extra is not other.extra


def test_a_model_with_every_kind_of_field() -> None:
    everything.check(body(EVERYTHING))
    (row,) = everything.read(Body(body(EVERYTHING)))
    moment = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
    assert row == Everything(
        "k", 1, 0.5, moment, True, "n", {"plan": "pro", "tags": ["a", {"b": None}]}, "c", 2, 1.0,
        moment.replace(microsecond=500_000), False, "", 1.5, Point(3), ["a", "1"], {"a": 1},
    )  # fmt: skip
    assert [type(row.value), type(row.share)] == [float, float]


def test_what_was_not_sent() -> None:
    required = {k: EVERYTHING[k] for k in ("key", "number", "ratio", "moment", "flag")}
    everything.check(body(required))
    first, second = everything.read(Body(body(required, required)))
    assert (first.note, first.traits, first.label, first.names) == (None, None, "none", [])
    assert first.since == datetime(2020, 1, 1, tzinfo=UTC)
    assert first.names is not second.names
    for name in list(required):
        kind, text, path = everything.check(body(required, {**required, name: None}))  # type: ignore[misc]
        assert (kind, path) == (MisfitError, f"data[1].{name}")
        del required[name]
        kind, text, path = everything.check(body(EVERYTHING, required))  # type: ignore[misc]
        assert (kind, text, path) == (
            MisfitError, f"data[1].{name}: is missing", f"data[1].{name}"
        )  # fmt: skip
        required[name] = EVERYTHING[name]


@attrs.frozen
class Strict:
    """A class of a user's own, which has no place for unknown fields."""

    key: str
    note: str | None
    extra: int = 0


def test_a_class_without_a_place_for_unknown_fields() -> None:
    reader = Reader(Strict)
    reader.check(body({"key": "a", "note": None, "new": [1], "extra": 2}))
    assert reader.read(Body(body({"key": 1, "note": "n", "new": 1}))).items == (Strict("1", "n"),)
    # An optional field without a default is required there.
    assert reader.check(body({"key": "a"})) == (
        MisfitError, "data[0].note: is missing", "data[0].note"
    )  # fmt: skip


@attrs.define(slots=False)
class Open:
    """Neither frozen nor slotted, and with a field that is not public."""

    _key: str
    extra: dict[str, Any] = attrs.field(factory=dict[str, Any], metadata={HOLDS_UNKNOWN: True})


def test_a_class_that_is_not_frozen() -> None:
    reader = Reader(Open)
    reader.check(body({"_key": "a", "new": 1}))


# --- repairs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "country"), [("\0\0", ""), ("", ""), ("US", "US"), (None, None), ("\0", "\0")]
)
def test_an_unknown_country_in_any_model(sent: object, country: str | None) -> None:
    assert everything.read(Body(body({**EVERYTHING, "country": sent}))).items[0].country == country
    assert sessions.read(Body(body({**SESSION, "country": sent}))).items[0].country == country
    assert sessions.read(Body(body({**SESSION, "city": sent}))).items[0].city == sent


@pytest.mark.parametrize("name", ["key", "note", "camelCase", "country", "label"])
@pytest.mark.parametrize(
    ("sent", "text"), [(14, "14"), (14.0, "14"), (1e-7, "1e-7"), (-0.0, "0"), (2**70, str(2**70))]
)
def test_a_number_for_text_in_any_field(name: str, sent: Any, text: str) -> None:
    row = {**EVERYTHING, name: sent}
    everything.check(body(EVERYTHING, row))
    found = everything.read(Body(body(row))).items[0]
    assert getattr(found, {"camelCase": "camel"}.get(name, name)) == text


@pytest.mark.parametrize(
    ("name", "sent", "value"),
    [("number", "7", 7), ("count", 7.0, 7), ("ratio", "0.25", 0.25), ("share", "-1e3", -1000.0)],
)
def test_text_for_a_number_in_any_field(name: str, sent: Any, value: Any) -> None:
    row = {**EVERYTHING, name: sent}
    everything.check(body(EVERYTHING, row, {**EVERYTHING, name: value}))
    found = getattr(everything.read(Body(body(row))).items[0], name)
    assert (found, type(found)) == (value, type(value))


# --- learning ----------------------------------------------------------------------------------

ODD: list[Any] = [
    {"isBot": False},  # a field that the model does not have
    {"later": [1, {"a": 2}]},
    {"": 1, "Straße 1": None, "goal_id": 5, "unknown_0": 6, "extra": {"a": 1}, "row": 7, "v": 8},
    {"city": 7},
    {"city": 1.5},
    {"lat": "1.5"},
    {"pageviews": "3"},
    {"pageviews": 3.0},
]


@pytest.mark.parametrize("changes", ODD, ids=str)
def test_what_is_odd_is_learned(changes: dict[str, Any], lenient_calls: list[Any]) -> None:
    reader = Reader()
    data = body(SESSION, {**SESSION, **changes}, SESSION, {**SESSION, **changes})
    expected = outcome(reader.lenient, Body(data))
    assert outcome(reader.decoder.decode, Body(data)) == expected
    assert lenient_calls == []  # not even the first time
    whole = reader.decoder._shape.decode_page(data)
    assert len(whole.data) == 4


@pytest.mark.parametrize("changes", [{"city": "\ud800"}, {'a"b': 1}], ids=list)
def test_a_row_that_nothing_can_be_learned_from_costs_only_itself(
    changes: dict[str, Any], lenient_calls: list[Any]
) -> None:
    reader = Reader()
    odd = {**SESSION, **changes}
    data = body(*[SESSION] * 50, odd, *[SESSION] * 50)
    assert outcome(reader.decoder.decode, Body(data)) == outcome(reader.lenient, Body(data))
    assert lenient_calls == [odd]


def test_odd_rows_of_every_kind_at_once() -> None:
    generator = random.Random(5)
    changes: list[Any] = [{}, *ODD, {"city": "\ud800"}, {'a"b': 1}, {"x" * 500: 1}, {"lat": 5}]
    for _ in range(20):
        rows = [{**SESSION, **generator.choice(changes)} for _ in range(30)]
        generator.shuffle(rows)
        sessions.check(body(*rows))
        Reader().check(body(*rows))


def test_nothing_is_compiled_before_the_first_page_or_again_without_need(
    shapes: list[Any],
) -> None:
    read = page_reader(Session, DATA)
    assert shapes == []
    plain = {"session_id": "a"}
    for _ in range(3):
        read(Body(body(plain, plain)))
        assert len(shapes) == 1
    for _ in range(3):
        read(Body(body(plain, {**plain, "city": 5, "isBot": 1}, plain)))
        assert len(shapes) == 2
    for _ in range(3):
        read(Body(body(plain, {**plain, "city": "\ud800"}, plain)))
        assert len(shapes) == 2


def test_learning_has_an_end(shapes: list[Any], lenient_calls: list[Any]) -> None:
    reader = Reader()
    for page in range(20):
        names = [f"field_{page}_{number}" for number in range(20)]
        data = body(*({**SESSION, name: name} for name in names))
        assert outcome(reader.decoder.decode, Body(data)) == outcome(reader.lenient, Body(data))
    # Besides the first, one for each of its fields that come as numbers and each unknown name.
    assert len(shapes) <= MAX_UNKNOWN + 5
    assert len(reader.decoder._shape._unknown) == MAX_UNKNOWN
    assert len(lenient_calls) == 20 * 20 - MAX_UNKNOWN
    wide = {f"other_{number}": number for number in range(2000)}
    reader.check(body({**SESSION, **wide}, SESSION))


def test_new_fields_are_learned_again_after_junk(
    shapes: list[Any], lenient_calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder is shared by all clients of a process: one server must not slow down the others."""
    monkeypatch.setattr(row_decoder, "FORGET_AFTER", 100)
    reader = Reader(Session)
    junk = [{"session_id": "a", f"junk_{number}": number} for number in range(MAX_UNKNOWN)]
    reader.decoder.decode(Body(body(*junk)))
    real = Body(body(*[{"session_id": "a", "is_bot": 1}] * 150))
    for _ in range(3):
        assert outcome(reader.decoder.decode, real) == outcome(reader.lenient, real)
    assert len(lenient_calls) == 100
    assert reader.decoder._shape._unknown == ("is_bot",)
    # Whatever a server sends, shapes are compiled for a part of the rows only.
    del shapes[:], lenient_calls[:]
    for number in range(500):
        reader.decoder.decode(Body(body({"session_id": "a", f"more_{number}": 1})))
    assert len(shapes) <= 500 / (100 + MAX_UNKNOWN) * MAX_UNKNOWN + MAX_UNKNOWN


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\0", "\x7f", "\ud800", "x" * 101])
def test_names_that_are_not_learned(name: str, shapes: list[Any]) -> None:
    plain = {"session_id": "a"}
    reader = Reader()
    for _ in range(3):
        reader.check(body(plain, {**plain, name: [1]}))
        found = outcome(reader.decoder.decode, Body(body({**plain, name: [1]})))
        assert found == outcome(reader.lenient, Body(body({**plain, name: [1]})))
    assert {args[2] for args in shapes} == {()}


def test_a_field_that_cannot_be_read_teaches_nothing(shapes: list[Any]) -> None:
    reader = Reader()
    for wrong in ([], {}, True, "x"):
        reader.check(body({"session_id": "a"}, {"session_id": "a", "pageviews": wrong}))
    assert len(shapes) <= 2 * 2  # "x" is text for a number, in the two decoders of ``Reader``


def test_threads_share_a_reader() -> None:
    read = page_reader(Session, DATA)
    bodies = [body(SESSION, {**SESSION, f"new_{n}": n}, {**SESSION, "city": n}) for n in range(40)]
    expected = [read_leniently(json.loads(data), Session, DATA) for data in bodies]
    found: list[Any] = []

    def work(seed: int) -> None:
        order = list(range(40))
        random.Random(seed).shuffle(order)
        found.extend(read(Body(bodies[at])) == expected[at] for at in order)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 160


# --- depth -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["traits", "unknown", "point", "scores"])
@pytest.mark.parametrize("limit", [3, 4, 5, 20, 64])
def test_depth_is_exact_wherever_it_is(name: str, limit: int) -> None:
    reader = Reader(Everything)
    for depth in (limit - 1, limit, limit + 1):
        inner: Any = {}
        for _ in range(depth - 4):
            inner = {"a": inner}
        row = {**EVERYTHING, "traits": None, "point": None, "names": [], "scores": None}
        found = reader.check(body({**row, name: inner} if depth > 3 else {}), limit)
        assert (found[0] is BadJSONError) == (depth > limit or limit < 4 < depth + 1)  # type: ignore[index]


@pytest.mark.parametrize("limit", [2, 3, 5, 64])
def test_depth_is_exact_in_fields_that_are_skipped(limit: int) -> None:
    for depth in (limit - 1, limit, limit + 1):
        beside = json.loads("[" * (depth - 1) + "]" * (depth - 1) or "1")
        within = json.loads("[" * (depth - 2) + "]" * (depth - 2) or "1")
        for data, reader in [
            (body(cursor=beside), Reader()),
            (body(meta={**META, "cursor": within}), Reader(Goal, DATA_META)),
            (
                json.dumps({"data": {"data": [], "cursor": within}}).encode(),
                Reader(Session, NESTED),
            ),
        ]:
            found = reader.check(data, limit)
            too_deep = depth > limit or (limit < 3 and reader.envelope is NESTED)
            assert (found[0] is BadJSONError) == too_deep  # type: ignore[index]


@pytest.mark.parametrize("limit", [3, 4])
@pytest.mark.parametrize("config", [{"pathPattern": "/"}, {}])
def test_depth_of_a_config(config: dict[str, str], limit: int) -> None:
    goal = {"goalId": 1, "siteId": 1, "name": None, "goalType": "path", "config": config}
    found = Reader(Goal, DATA_META).check(body(goal, meta=META), limit)
    assert (found[0] is BadJSONError) == (limit < 4)  # type: ignore[index]


@pytest.mark.parametrize("limit", [3, 4])
def test_depth_of_an_empty_object(limit: int) -> None:
    found = Reader(Everything).check(
        body({**EVERYTHING, "traits": {}, "point": None, "names": 5, "scores": None}), limit
    )
    assert (found[0] is BadJSONError) == (limit < 4)  # type: ignore[index]


def test_depth_beyond_all_recursion() -> None:
    for value in ("[" * 100_000, '{"a":' * 100_000):
        for name in ("traits", "unknown", "key"):
            data = body({**EVERYTHING, name: "?"}).replace(b'"?"', value.encode())
            everything.check(data)


# --- envelopes ---------------------------------------------------------------------------------

NESTED = Envelope(rows="data.data")


def test_rows_within_an_object() -> None:
    reader = Reader(Session, NESTED)
    inner = {"data": [SESSION, {**SESSION, "new": 1}], "totalCount": 2}
    page, _ = reader.check(json.dumps({"data": inner}).encode())  # type: ignore[misc]
    assert (len(page), page.meta) == (2, None)
    for wrong, path in [({"data": []}, "data"), ({"data": {}}, "data.data"), ([], ""), ({}, "data"),
                        ({"data": {"data": {}}}, "data.data"),
                        ({"data": {"data": [{}]}}, "data.data[0].session_id")]:  # fmt: skip
        kind, _, found = reader.check(json.dumps(wrong).encode())  # type: ignore[misc]
        assert (kind, found) == (MisfitError, path)


def test_depth_of_rows_within_an_object() -> None:
    reader = Reader(Session, NESTED)
    for value, fits in (([], True), ([[]], False)):
        data = json.dumps({"data": {"data": [{**SESSION, "new": value}]}}).encode()
        found = reader.check(data, 5)
        assert (found[0] is not BadJSONError) == fits  # type: ignore[index]


def test_fields_around_the_rows_are_skipped() -> None:
    sessions.check(body(SESSION, cursor={"a": [1]}, totalCount=5))
    goals.check(body(meta={**META, "cursor": [[]]}, more=None))


def test_fields_around_the_rows_are_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second page on, they do not make a page slow."""
    decoder = PageDecoder(Session, DATA_CURSOR)
    slow: list[object] = []
    by_row = decoder._row_by_row
    monkeypatch.setattr(decoder, "_row_by_row", lambda *args: slow.append(1) or by_row(*args))
    for beside, expected in [
        ({"oldestTimestamp": "2024-01-01 00:00:00"}, 1), ({"class": None}, 1), ({}, 0),
        ({"n": [0]}, 2),  # what may be nested is looked at each time
    ]:  # fmt: skip
        slow.clear()
        data = body(SESSION, cursor={"hasMore": True, **beside}, took=5)
        for _ in range(2):
            page = decoder.decode(Body(data))
            assert page is not None
            assert (len(page), page.has_more) == (1, True)
        assert len(slow) == expected


def test_a_server_that_sends_many_fields_around_the_rows() -> None:
    reader = Reader(Session, DATA_CURSOR)
    for start in (0, MAX_UNKNOWN):
        new = {f"new{start + number}": 1 for number in range(MAX_UNKNOWN // 2 + 1)}
        reader.check(body(SESSION, cursor={"hasMore": False, **new}))
    assert len(reader.read._decoder._shape._unread) == MAX_UNKNOWN  # type: ignore[attr-defined]


def test_the_last_of_two_fields_of_one_name_counts() -> None:
    sessions.check(
        b'{"data":[{}],"data":[{"session_id":"a","session_id":"b","city":1,"city":"x"}]}'
    )
    goals.check(b'{"data":[],"meta":{"total":1,"page":1,"pageSize":1,"totalPages":1,"total":"2"}}')
    sessions.check(b'{"data":[{"session_id":"a","new":[],"new":{"a":1,"a":2}}]}')


# --- Hypothesis --------------------------------------------------------------------------------


@given(st.lists(session_rows(), max_size=4))
def test_sessions_as_servers_send_them(pairs: list[Any]) -> None:
    sessions.check(body(*(wire for wire, _ in pairs)))
    Reader().check(body(*(wire for wire, _ in pairs)))


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.none()),
    st.integers(-(10**40), 10**40), st.just("2026-11-20 10:15:00"), st.just("\0\0"),
    st.datetimes(timezones=st.just(None) | st.timezones()).map(str),
    st.dictionaries(st.text(max_size=3), st.lists(st.integers(), max_size=2), max_size=2),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*SESSION, "later", "extra"]), VALUES))
@example({"city": 1e999})
@example({"city": -0.0})
@example({"later": 1e999})
@example({"session_end": "2026-11-20T10:15+01"})
@example({"session_end": "0001-01-01T00:00:00+14:00"})
@example({"browser": "\ud800"})
@example({"extra": 1})
def test_any_value_at_all(changes: dict[str, Any]) -> None:
    data = body(SESSION, {**SESSION, **changes})
    sessions.check(data)
    Reader().check(data)


@given(st.dictionaries(st.sampled_from([*EVERYTHING, "later", "other"]), VALUES))
def test_any_value_in_a_model_with_every_kind_of_field(changes: dict[str, Any]) -> None:
    data = body(EVERYTHING, {**EVERYTHING, **changes})
    everything.check(data)
    Reader(Everything).check(data)


@given(st.binary(max_size=40).map(lambda tail: body(SESSION)[:-2] + tail))
@example(b"")
@example(b'{"data":[]}')
@example(b'{"data":null}')
@example(b'{"data":[]} x')
@example(b'{"data":[{}],"data":[]}')
@example(b"[" * 5000)
def test_any_bytes_at_all(data: bytes) -> None:
    sessions.check(data)


@given(st.lists(goal_rows(), max_size=4), st.sampled_from([META, {**META, "total": 2}, {}, None]))
def test_goals_as_servers_send_them(pairs: list[Any], meta: Any) -> None:
    goals.check(body(*(wire for wire, _ in pairs), meta=meta))


@given(st.dictionaries(st.sampled_from(["pathPattern", "eventName", "later"]), VALUES), VALUES)
def test_goals_with_any_config(config: dict[str, Any], total: Any) -> None:
    for kind in ("path", "event", "outbound"):
        row = {
            "goalId": 1, "siteId": 2, "name": None, "goalType": kind, "config": config,
            "createdAt": "2026-11-24 08:13:46.60547", "total_conversions": total,
        }  # fmt: skip
        goals.check(body(row, meta=META))


@given(st.fixed_dictionaries(dict.fromkeys(META, VALUES)))
def test_any_figures(meta: dict[str, Any]) -> None:
    goals.check(body(meta=meta))


class Frozen(datetime):
    """What a library that freezes the time puts in the place of ``datetime``."""


def test_times_stay_times_while_the_time_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a library replaces each name of a module that is bound to ``datetime``."""
    replaced = 0
    for name, module in [*sys.modules.items()]:
        if name.startswith("rybbit_async."):
            for attribute, value in [*vars(module).items()]:
                if value is datetime:
                    monkeypatch.setattr(module, attribute, Frozen)
                    replaced += 1
    assert replaced > 5
    monkeypatch.setattr(fields, "_known", {})
    converter._converter.cache_clear()
    read = page_reader(Session, DATA)
    times = []
    for version in ("120", 120, "120"):  # the second one changes how rows are read
        row = {**SESSION, "browser_version": version}
        for page in (read(Body(body(row))), read_leniently({"data": [row]}, Session, DATA)):
            times += [page.items[0].session_end, page.items[0].session_start]
    monkeypatch.undo()
    times += [read(Body(body(SESSION))).items[0].session_end]
    assert {type(time) for time in times} == {datetime}
    assert set(times) == {datetime(2026, 11, 20, 10, 15, tzinfo=UTC)}


def test_a_module_that_is_imported_while_the_time_is_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = importlib.util.spec_from_file_location("rybbit_async.wire.again", values.__file__)
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setattr("datetime.datetime", Frozen)
        spec.loader.exec_module(again)
    assert again.Genuine.datetime is datetime


def test_a_model_that_was_imported_while_the_time_was_frozen() -> None:
    @attrs.frozen
    class Row:
        at: Frozen | None

    (row,) = page_reader(Row, DATA)(Body(body({"at": "2026-11-20 10:15:00"}))).items
    assert (type(row.at), row.at) == (datetime, datetime(2026, 11, 20, 10, 15, tzinfo=UTC))


def test_a_goal_that_is_only_a_path(lenient_calls: list[Any]) -> None:
    row = {"goalId": 1, "goalType": "path", "config": {"pathPattern": "/a"}}
    page = goals.read(Body(body(row, meta=META)))
    assert page.items == (Goal(1, None, None, "path", PathGoal("/a")),)
    assert lenient_calls == []
