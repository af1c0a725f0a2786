"""The schema of each class, and flat rows."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Literal, NotRequired, TypedDict

import attrs
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rybbit_async import (
    Event,
    EventGoal,
    Goal,
    GoalOfSite,
    GoalSession,
    InvalidParameterError,
    OutboundGoal,
    PathGoal,
    PropertyFilter,
    RawResponse,
    RybbitError,
    Session,
    SiteSession,
    WatchedSession,
    models,
    to_dict,
)
from rybbit_async.tables import SCHEMA_VERSION, flat_rows, record_batch, schema
from rybbit_async.tables.columns import columns

from .document import BEGIN, DOCUMENT, LISTS, tables

CODED = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("us", tz="UTC")
MOMENT = datetime(2024, 1, 5, 10, 0, 1, 605470, tzinfo=UTC)
GOAL = Goal(7, 1, "Signup", "event", EventGoal("signup", "plan", True), MOMENT, 3, 12, 0.25)


def types(model: type) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in schema(model)}


def test_the_document_has_the_columns_of_the_code() -> None:
    assert DOCUMENT.read_text("utf-8").partition(BEGIN)[2] == tables()


def test_every_class_that_lists_give_has_a_schema_whatever_rows_there_are() -> None:
    for model in LISTS:
        wanted = schema(model)
        assert record_batch(model, []).schema.equals(wanted, check_metadata=True)
        assert len(set(wanted.names)) == len(wanted.names)
        assert wanted.names[-1] == "extra" or "extra" not in wanted.names
        assert wanted.metadata == {
            b"rybbit_async.schema_version": str(SCHEMA_VERSION).encode(),
            b"rybbit_async.model": model.__name__.encode(),
        }


def test_the_version_grows_when_columns_change() -> None:
    # If this fails, columns have changed: add 1 to SCHEMA_VERSION and write the new figure here.
    found = [[(column.name, column.kind) for column in columns(model)] for model in LISTS]
    assert (SCHEMA_VERSION, sha256(repr(found).encode()).hexdigest()[:8]) == (2, "b431af5f")


def test_the_types_of_sessions() -> None:
    found = types(SiteSession)
    assert found["session_id"] == found["entry_page"] == found["traits"] == pa.string()
    assert found["country"] == found["browser_version"] == found["timezone"] == CODED
    assert found["session_end"] == TIME
    assert found["pageviews"] == found["has_replay"] == pa.int64()
    assert found["lat"] == pa.float64()
    assert [*found][:2] == ["session_id", "user_id"]


def test_plain_lists_leave_the_names_of_folders_free() -> None:
    for model in (Goal, Session, SiteSession, Event, models.User):
        assert not {"site", "goal", "window"} & {*schema(model).names}


def test_merged_rows_are_flat() -> None:
    assert schema(GoalSession).names == ["site", "goal_id", "goal_name", *schema(Session).names]
    assert schema(GoalOfSite).names == ["site", *schema(Goal).names]
    assert schema(WatchedSession).names[-3:] == ["settled", "is_new", "extra"]
    one = Session("s1", extra={"new": 1})
    batch = record_batch(GoalSession, [GoalSession(5, GOAL, one), GoalSession("0a", GOAL, one)])
    assert batch["site"].to_pylist() == ["5", "0a"]
    assert batch["goal_name"].to_pylist() == ["Signup"] * 2
    assert batch["extra"].to_pylist() == ['{"new":1}'] * 2


def test_names_that_two_objects_share_begin_with_those_of_their_fields() -> None:
    names = schema(models.GoalComparison).names
    assert names[:4] == ["goal_id", "goal_site_id", "goal_name", "goal_type"]
    assert {"other_goal_id", "other_name", "conversions_absolute", "rate_relative"} <= {*names}


CONFIGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "path": (PathGoal("/404"), {"config": '{"pathPattern":"/404"}', "path_pattern": "/404"}),
    "event": (
        GOAL.config,
        {
            "config": '{"eventName":"signup","eventPropertyKey":"plan","eventPropertyValue":true}',
            "event_name": "signup",
            "property_key": "plan",
            "property_value": "true",
            "property_value_type": "boolean",
        },
    ),
    "text": (
        EventGoal("a", "k", "007"),
        {
            "config": '{"eventName":"a","eventPropertyKey":"k","eventPropertyValue":"007"}',
            "event_name": "a",
            "property_key": "k",
            "property_value": "007",
            "property_value_type": "string",
        },
    ),
    "outbound": (
        OutboundGoal("https://*", property_filters=[PropertyFilter("n", 5)]),
        {
            "config": '{"valuePattern":"https://*","propertyFilters":[{"key":"n","value":5}]}',
            "value_pattern": "https://*",
            "property_filters": '[{"key":"n","value":5}]',
        },
    ),
    "unknown": ({"depth": "ü"}, {"config": '{"depth":"ü"}'}),
    "empty": ({}, {}),
}


@pytest.mark.parametrize(("config", "expected"), CONFIGS.values(), ids=CONFIGS)
def test_configs_are_flat(config: Any, expected: dict[str, Any]) -> None:
    (row,) = record_batch(Goal, [attrs.evolve(GOAL, config=config)]).to_pylist()
    names = [*CONFIGS["event"][1], "path_pattern", "value_pattern", "property_filters"]
    assert {name: row[name] for name in names} == dict.fromkeys(names) | expected


def test_unknown_is_null_and_empty_is_empty() -> None:
    rows = [
        SiteSession("s1", country="", traits={}, pageviews=None),
        SiteSession("s2", traits={"plan": "pro"}, pageviews=0),
    ]
    found = record_batch(SiteSession, rows).to_pydict()
    assert found["country"] == ["", None]
    assert found["pageviews"] == [None, 0]
    assert found["traits"] == [None, '{"plan":"pro"}']
    assert found["extra"] == [None, None]


def test_odd_values() -> None:
    rows = [
        Session("a\0b", "\ud83d!", lat=1, session_end=MOMENT, extra={"a": 1e999, "b": "\udc00"}),
        Session("😀", session_end=MOMENT.astimezone(timezone(timedelta(hours=2)))),
        Session("", session_end=datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
    ]
    batch = record_batch(Session, rows)
    assert batch["session_id"].to_pylist() == ["a\0b", "😀", ""]
    assert batch["user_id"].to_pylist() == ["\ufffd!", None, None]
    assert batch["extra"].to_pylist()[0] == '{"a":null,"b":"\ufffd"}'
    ends = batch["session_end"].to_pylist()
    assert ends[0] == ends[1] == MOMENT
    assert ends[2] == rows[2].session_end


def test_a_number_of_more_than_64_bits() -> None:
    fits = record_batch(Session, [Session("a", pageviews=2**63 - 1), Session("b")])
    assert fits["pageviews"].to_pylist() == [2**63 - 1, None]
    with pytest.raises(RybbitError, match="pageviews must fit 64 bits to be in a table, got 9223"):
        record_batch(Session, [Session("a", pageviews=2**63)])


# --- classes of a program's own ----------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Place:
    name: str
    lat: float


@attrs.frozen
class Mine:
    at: datetime
    kind: Literal["a", "b"]
    color: Color
    either: int | str
    ratio: int | float | None
    place: Place | None
    tags: list[str]
    data: Any
    name: str = ""


class Typed(TypedDict):
    name: str
    count: NotRequired[int]
    more: Mapping[str, Any]


def test_own_classes() -> None:
    rows = [
        Mine(MOMENT, "a", Color.RED, 5, 1, Place("Berlin", 52.5), ["x"], {"a": [MOMENT]}, "n"),
        Mine(MOMENT, "b", Color.RED, "5", None, None, [], 0),
    ]
    assert types(Mine) == {
        "at": TIME,
        "kind": pa.string(),
        "color": pa.string(),
        "either": pa.string(),
        "ratio": pa.float64(),
        "place_name": pa.string(),
        "lat": pa.float64(),
        "tags": pa.string(),
        "data": pa.string(),
        "name": pa.string(),
    }
    first, second = record_batch(Mine, rows).to_pylist()
    assert [*first.values()][1:] == [
        "a", "red", "5", 1.0, "Berlin", 52.5, '["x"]',
        '{"a":["2024-01-05T10:00:01.605470Z"]}', "n",
    ]  # fmt: skip
    assert [*second.values()][1:] == ["b", "red", "5", None, None, None, None, "0", ""]


def test_typed_dicts() -> None:
    rows: list[Any] = [{"name": "a", "count": 1, "more": {}}, {"name": "b", "more": {"x": 1}}]
    assert record_batch(Typed, rows).to_pydict() == {
        "name": ["a", "b"],
        "count": [1, None],
        "more": [None, '{"x":1}'],
    }


def test_what_has_no_columns() -> None:
    with pytest.raises(InvalidParameterError, match=r"got dict: pass model=\.\.\. to client\.iter"):
        schema(dict)
    with pytest.raises(InvalidParameterError, match=r"got RawResponse\.body: bytes"):
        schema(RawResponse)

    @attrs.frozen
    class Twice:
        place_name: str
        name: str
        place: Place

    with pytest.raises(InvalidParameterError, match="with several columns 'place_name'"):
        schema(Twice)


@given(
    st.datetimes(
        datetime(2, 1, 1),  # noqa: DTZ001  # Hypothesis adds the zone
        datetime(9998, 1, 1),  # noqa: DTZ001  # as above
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5.5))]),
    )
)
@example(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC))
@example(datetime(1, 1, 1, tzinfo=UTC))
def test_times_as_text(moment: datetime) -> None:
    for one in (moment, moment.replace(microsecond=0)):
        (row,) = flat_rows(Session, [Session("a", session_end=one)], times="text")
        assert row["session_end"] == to_dict(Session("a", session_end=one))["session_end"]


# --- flat rows ---------------------------------------------------------------------------------


def test_flat_rows_have_the_columns_of_the_schema_and_the_same_values() -> None:
    rows = [GoalOfSite(1, GOAL), GoalOfSite("x", attrs.evolve(GOAL, config={}, created_at=None))]
    flat = flat_rows(GoalOfSite, rows, times="datetime")
    assert [*flat[0]] == schema(GoalOfSite).names
    assert flat == record_batch(GoalOfSite, rows).to_pylist()
    texts = flat_rows(GoalOfSite, rows, times="text")
    assert [row["created_at"] for row in texts] == ["2024-01-05T10:00:01.605470Z", None]
    with pytest.raises(InvalidParameterError, match='times must be "datetime" or "text", got'):
        flat_rows(Goal, [], times="x")  # type: ignore[arg-type]  # that is the test


def test_to_dict_makes_flat_dicts_without_an_empty_extra() -> None:
    east = attrs.evolve(GOAL, created_at=MOMENT.astimezone(timezone(timedelta(hours=2))))
    found = to_dict(east, flat=True, times="datetime")
    assert "extra" not in found
    assert found["created_at"] == MOMENT
    assert found["created_at"].tzinfo is UTC
    assert found["property_value"] == "true"
    assert to_dict([Session("a", extra={"new": 1})], flat=True)[0]["extra"] == '{"new":1}'
    with pytest.raises(InvalidParameterError, match='times must be "text", or with flat=True'):
        to_dict(GOAL, times="datetime")
