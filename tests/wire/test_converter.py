"""What servers send, made into models; and models, made into what a program stores."""

from __future__ import annotations

import json
import math
import re
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rybbit_async import (
    ButtonClickGoal,
    CopyGoal,
    EventGoal,
    FormSubmitGoal,
    Goal,
    GoalConfig,
    GoalResult,
    GoalSession,
    OutboundGoal,
    PageMeta,
    PathGoal,
    PropertyFilter,
    Session,
    to_dict,
    to_json,
)
from rybbit_async.wire.converter import config_to_wire, structure
from rybbit_async.wire.json import Body
from rybbit_async.wire.page_reader import DATA, DATA_META, Envelope, page_reader, read_leniently
from rybbit_async.wire.values import MisfitError, number_text

from ..strategies import (
    configs,
    finite,
    goal_rows,
    javascript,
    json_values,
    server_numbers,
    session_rows,
)
from .test_row_decoder import typed

# As in the contract.
GOALS: Any = json.loads("""
{"data":[{"goalId":264,"siteId":4,"name":"404","goalType":"path","config":{"pathPattern":"/404"},
  "createdAt":"2026-11-24 08:13:46.60547","total_conversions":1,"total_sessions":17,
  "conversion_rate":0.058823529411764705}],
 "meta":{"total":"2","page":1,"pageSize":2,"totalPages":1}}
""")
SESSION_ROW: Any = json.loads(r"""
{"session_id":"small000000015","user_id":"u000000000000015","country":"\u0000\u0000","region":"",
 "city":1770,"language":"de-DE","device_type":"Mobile","browser":"Chrome","browser_version":120,
 "operating_system":"macOS","operating_system_version":14,"screen_width":1920,"screen_height":1080,
 "referrer":"https://www.google.com/","channel":"Organic Search","hostname":"shop.example.com",
 "page_title":-7,"querystring":"?utm_source=x&utm_campaign=0012","utm_source":"x","utm_medium":"",
 "utm_campaign":12,"utm_term":"","utm_content":"","session_end":"2026-11-20 10:15:00",
 "session_start":"2026-11-20 10:15:00","session_duration":0,"entry_page":"/neg","exit_page":"/neg",
 "pageviews":1,"events":0,"errors":0,"outbound":0,"ip":null,"lat":-24.16,"lon":151.88}
""")
ROW: Any = GOALS["data"][0]
META: Any = GOALS["meta"]


def read_both_ways(body: object, model: type[Any], envelope: Envelope) -> Any:
    """The lenient way's page or error, after the reader of pages has given the same."""
    fast, fast_error = _attempt(page_reader(model, envelope), Body(json.dumps(body).encode()))
    slow, error = _attempt(read_leniently, body, model, envelope)
    assert fast == slow
    assert (str(fast_error), repr(fast_error)) == (str(error), repr(error))
    if error is not None:
        assert fast_error is not None
        assert fast_error.path == error.path
        raise error
    # 1 == 1.0 == True in Python, so the types are compared as well.
    assert [typed(row) for row in fast] == [typed(row) for row in slow]
    return slow


def goal_page(body: object) -> Any:
    return read_both_ways(body, Goal, DATA_META)


def session_page(body: object) -> Any:
    return read_both_ways(body, Session, DATA)


def goals(*rows: object, **meta: object) -> dict[str, Any]:
    return {"data": list(rows), "meta": {**META, **meta}}


def goal(**changes: object) -> Goal:
    return goal_page(goals({**ROW, **changes})).items[0]


def session(**changes: object) -> Session:
    return session_page({"data": [{**SESSION_ROW, **changes}]}).items[0]


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def wrong(read: Any, *args: Any) -> MisfitError:
    with pytest.raises(MisfitError) as caught:
        read(*args)
    return caught.value


# --- the contract's examples -------------------------------------------------------------------


def test_a_page_of_goals() -> None:
    page = goal_page(GOALS)
    assert page.meta == PageMeta(total=2, page=1, page_size=2, total_pages=1)
    assert list(page) == [
        Goal(
            goal_id=264,
            site_id=4,
            name="404",
            goal_type="path",
            config=PathGoal("/404"),
            created_at=datetime(2026, 11, 24, 8, 13, 46, 605470, UTC),
            total_conversions=1,
            total_sessions=17,
            conversion_rate=0.058823529411764705,
        )
    ]


def test_a_page_of_sessions() -> None:
    page = session_page({"data": [SESSION_ROW]})
    assert page.meta is None
    moment = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
    assert list(page) == [
        Session(
            session_id="small000000015",
            user_id="u000000000000015",
            country="",
            region="",
            city="1770",
            language="de-DE",
            device_type="Mobile",
            browser="Chrome",
            browser_version="120",
            operating_system="macOS",
            operating_system_version="14",
            screen_width=1920,
            screen_height=1080,
            referrer="https://www.google.com/",
            channel="Organic Search",
            hostname="shop.example.com",
            page_title="-7",
            querystring="?utm_source=x&utm_campaign=0012",
            utm_source="x",
            utm_medium="",
            utm_campaign="12",
            utm_term="",
            utm_content="",
            session_end=moment,
            session_start=moment,
            session_duration=0,
            entry_page="/neg",
            exit_page="/neg",
            pageviews=1,
            events=0,
            errors=0,
            outbound=0,
            ip=None,
            lat=-24.16,
            lon=151.88,
            tag=None,
            extra={},
        )
    ]


def test_types_are_those_of_the_annotations() -> None:
    one = session(lat=1, screen_width=1920.0)
    assert type(one.lat) is float
    assert type(one.screen_width) is int
    assert type(goal(conversion_rate=1).conversion_rate) is float
    assert goal(conversion_rate=1).conversion_rate == 1


def test_a_site_without_goals() -> None:
    page = goal_page(
        {"data": [], "meta": {"total": "0", "page": 1, "pageSize": 10, "totalPages": 0}}
    )
    assert len(page) == 0
    assert page.meta == PageMeta(0, 1, 10, 0)


def test_an_empty_page_of_sessions() -> None:
    assert session_page({"data": []}).items == ()


# --- quirks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", ["250", 250, 250.0])
def test_total_is_text_or_a_number(total: object) -> None:
    meta = goal_page(goals(ROW, total=total)).meta
    assert meta is not None
    assert (meta.total, type(meta.total)) == (250, int)


def test_a_goal_without_a_name() -> None:
    assert goal(name=None).name is None


def test_a_name_that_looks_like_a_number() -> None:
    assert goal(name=404).name == "404"


@pytest.mark.parametrize(
    ("wire", "moment"),
    [
        ("2026-11-24 08:13:46", datetime(2026, 11, 24, 8, 13, 46, 0, UTC)),
        ("2026-11-24 08:13:46.6", datetime(2026, 11, 24, 8, 13, 46, 600_000, UTC)),
        ("2026-11-24 08:13:46.60", datetime(2026, 11, 24, 8, 13, 46, 600_000, UTC)),
        ("2026-11-24 08:13:46.605", datetime(2026, 11, 24, 8, 13, 46, 605_000, UTC)),
        ("2026-11-24 08:13:46.6054", datetime(2026, 11, 24, 8, 13, 46, 605_400, UTC)),
        ("2026-11-24 08:13:46.60547", datetime(2026, 11, 24, 8, 13, 46, 605_470, UTC)),
        ("2026-11-24 08:13:46.605471", datetime(2026, 11, 24, 8, 13, 46, 605_471, UTC)),
        ("2024-01-10T12:00:00.000Z", datetime(2024, 1, 10, 12, 0, 0, 0, UTC)),
        ("2024-01-10T12:00:00Z", datetime(2024, 1, 10, 12, 0, 0, 0, UTC)),
        ("2024-01-10T12:00:00+02:00", datetime(2024, 1, 10, 10, 0, 0, 0, UTC)),
        ("2024-01-10 00:30:00+05:30", datetime(2024, 1, 9, 19, 0, 0, 0, UTC)),
    ],
)
def test_times(wire: str, moment: datetime) -> None:
    created_at = goal(createdAt=wire).created_at
    assert created_at == moment
    assert created_at is not None
    assert created_at.tzinfo is UTC
    assert session(session_end=wire).session_end == moment


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has no time zone to set")
def test_a_time_without_a_zone_is_utc_wherever_the_program_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        moment = session(session_end="2026-11-20 10:15:00").session_end
        assert moment == datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("wire", ["", "yesterday", "2026-13-01 00:00:00", 1767225600, True, {}])
def test_what_is_no_time(wire: object) -> None:
    error = wrong(goal_page, goals({**ROW, "createdAt": wire}))
    assert error.path == "data[0].createdAt"
    assert "time" in str(error)


def test_a_time_that_no_calendar_holds() -> None:
    error = wrong(goal_page, goals({**ROW, "createdAt": "0001-01-01T00:00:00+14:00"}))
    assert error.path == "data[0].createdAt"


@pytest.mark.parametrize(
    ("wire", "country"), [("\0\0", ""), ("", ""), ("US", "US"), (None, None), ("\0", "\0")]
)
def test_country(wire: object, country: str | None) -> None:
    assert session(country=wire).country == country


def test_only_the_country_is_repaired() -> None:
    assert session(region="\0\0").region == "\0\0"


def test_a_visitor_who_signs_in_has_two_rows() -> None:
    rows = [{**SESSION_ROW, "user_id": user} for user in ("a", "b")]
    assert [one.user_id for one in session_page({"data": rows})] == ["a", "b"]


def test_the_tag_of_newer_servers() -> None:
    assert session(tag="spring").tag == "spring"


def test_unknown_fields_are_kept_as_they_came() -> None:
    new = {"a": [1, None], "snake_case": {"b": True}, "goal_id": "x", "extra": 1}
    assert goal(**new).extra == new
    assert session(isBot=False, extra={}).extra == {"isBot": False, "extra": {}}
    assert goal().extra == {}


@pytest.mark.parametrize("kind", ["scroll_depth", "", "Path"])
def test_unknown_types_of_goals_keep_their_config(kind: str) -> None:
    config = {"valuePattern": "https://*", "more": [1, {"a": None}]}
    one = goal(goalType=kind, config=config)
    assert (one.goal_type, one.config) == (kind, config)
    assert config_to_wire(one.config) == config


TYPED_CONFIGS: list[tuple[str, dict[str, Any], GoalConfig]] = [
    ("path", {"pathPattern": "/a"}, PathGoal("/a")),
    ("event", {"eventName": "signup"}, EventGoal("signup")),
    ("outbound", {"valuePattern": "https://*"}, OutboundGoal("https://*")),
    ("button_click", {"valuePattern": " Buy* "}, ButtonClickGoal(" Buy* ")),
    ("form_submit", {}, FormSubmitGoal()),
    ("copy", {"valuePattern": ""}, CopyGoal("")),
]


@pytest.mark.parametrize(("kind", "wire", "config"), TYPED_CONFIGS)
def test_the_type_of_a_goal_decides_the_class_of_its_config(
    kind: str, wire: dict[str, Any], config: GoalConfig
) -> None:
    assert goal(goalType=kind, config=wire).config == config
    assert config_to_wire(config) == wire


@pytest.mark.parametrize(("kind", "wire", "config"), TYPED_CONFIGS)
def test_property_filters(kind: str, wire: dict[str, Any], config: Any) -> None:
    more = [
        {"key": "plan", "value": "pro"},
        {"operator": "less", "key": "seats", "value": 3},
        {"key": "trial", "value": True},
    ]
    wire = {**wire, "propertyFilters": more, "added": {"later": [1]}}
    read = goal(goalType=kind, config=wire).config
    assert read == attrs.evolve(
        config,
        property_filters=[
            PropertyFilter("plan", "pro"),
            PropertyFilter("seats", 3, extra={"operator": "less"}),
            PropertyFilter("trial", True),
        ],
        extra={"added": {"later": [1]}},
    )
    assert config_to_wire(read) == wire
    assert type(config_to_wire(read)["propertyFilters"][2]["value"]) is bool
    assert hash(read) == hash(goal(goalType=kind, config=wire).config)


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ({"key": "a", "value": "b"}, ""),
        ("ab", ""),
        (["a"], "[0]"),
        ([{"key": "a", "value": "b"}, {"value": "b"}], "[1].key"),
        ([{"key": "a", "value": ["b"]}], "[0].value"),
    ],
)
def test_property_filters_that_do_not_fit(filters: Any, path: str) -> None:
    with pytest.raises(MisfitError) as caught:
        goal(goalType="path", config={"pathPattern": "/a", "propertyFilters": filters})
    assert caught.value.path == f"data[0].config.propertyFilters{path}"


@pytest.mark.parametrize("value", ["pro", "", "12", 12, 1.5, True, False])
def test_the_property_of_an_event_keeps_its_type(value: object) -> None:
    wire = {"eventName": "signup", "eventPropertyKey": "plan", "eventPropertyValue": value}
    config = goal(goalType="event", config=wire).config
    assert isinstance(config, EventGoal)
    assert (config.property_value, type(config.property_value)) == (value, type(value))
    assert config_to_wire(config) == wire
    assert type(config_to_wire(config)["eventPropertyValue"]) is type(value)


# --- what is not sent, and what is wrong -------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "attribute"),
    [
        ("siteId", "site_id"),  # not documented, so it may not be there
        ("name", "name"),
        ("createdAt", "created_at"),
        ("total_conversions", "total_conversions"),
        ("total_sessions", "total_sessions"),
        ("conversion_rate", "conversion_rate"),
    ],
)
def test_a_field_of_a_goal_that_is_not_sent_is_none(wire: str, attribute: str) -> None:
    page = goal_page(goals(without(ROW, wire)))
    assert getattr(page.items[0], attribute) is None
    assert getattr(goal(**{wire: None}), attribute) is None


@pytest.mark.parametrize("name", sorted(SESSION_ROW.keys() - {"session_id"}))
def test_a_field_of_a_session_that_is_not_sent_is_none(name: str) -> None:
    page = session_page({"data": [without(SESSION_ROW, name)]})
    assert getattr(page.items[0], name) is None
    assert getattr(session(**{name: None}), name) is None


@pytest.mark.parametrize("name", ["goalId", "goalType", "config"])
def test_what_a_goal_must_have(name: str) -> None:
    error = wrong(goal_page, goals(ROW, without(ROW, name)))
    assert error.path == f"data[1].{name}"
    assert str(error) == f"data[1].{name}: is missing"
    error = wrong(goal_page, goals(ROW, {**ROW, name: None}))
    assert error.path == f"data[1].{name}"
    assert "None" in str(error)


def test_what_a_session_must_have() -> None:
    error = wrong(session_page, {"data": [without(SESSION_ROW, "session_id")]})
    assert error.path == "data[0].session_id"
    assert "missing" in str(error)
    error = wrong(session_page, {"data": [{**SESSION_ROW, "session_id": None}]})
    assert error.path == "data[0].session_id"


@pytest.mark.parametrize(
    ("kind", "config", "path"),
    [
        ("path", {}, "config.pathPattern"),
        ("path", {"pathPattern": None}, "config.pathPattern"),
        ("path", {"pathPattern": ["/"]}, "config.pathPattern"),
        ("path", [], "config"),
        ("path", None, "config"),
        ("event", {}, "config.eventName"),
        ("event", {"eventName": {}}, "config.eventName"),
        ("event", {"eventName": "a", "eventPropertyValue": []}, "config.eventPropertyValue"),
        ("outbound", "text", "config"),
    ],
)
def test_a_config_that_does_not_fit(kind: str, config: object, path: str) -> None:
    error = wrong(goal_page, goals({**ROW, "goalType": kind, "config": config}))
    assert error.path == f"data[0].{path}"
    assert str(error).startswith(f"data[0].{path}: ")


@pytest.mark.parametrize("value", [True, False, "12.5", "", " 12", "1_000", "٣", 1.5, [], {}])
def test_what_is_no_integer(value: object) -> None:
    for name in ("goalId", "total_conversions", "siteId"):
        error = wrong(goal_page, goals({**ROW, name: value}))
        assert error.path == f"data[0].{name}"
        assert "expected int" in str(error)
    error = wrong(goal_page, goals(ROW, total=value))
    assert error.path == "meta.total"


@pytest.mark.parametrize("value", [True, False, "", "nan", "Infinity", "1e999", [], {}])
def test_what_is_no_number(value: object) -> None:
    error = wrong(session_page, {"data": [{**SESSION_ROW, "lat": value}]})
    assert error.path == "data[0].lat"


@pytest.mark.parametrize("value", [True, False, [], {}, ["US"]])
def test_what_is_no_text(value: object) -> None:
    error = wrong(session_page, {"data": [SESSION_ROW, {**SESSION_ROW, "city": value}]})
    assert error.path == "data[1].city"
    assert "expected str, got" in str(error)


@pytest.mark.parametrize("value", ["false", "true", 0, 1, None, "", []])
def test_only_true_and_false_are_booleans(value: object) -> None:
    error = wrong(structure, {"success": value, "goalId": 1}, GoalResult)
    assert error.path == "success"


@pytest.mark.parametrize("value", [True, False])
def test_booleans(value: bool) -> None:
    assert structure({"success": value, "goalId": 1}, GoalResult) == GoalResult(value, 1)


@pytest.mark.parametrize("read", [goal_page, session_page])
def test_a_body_without_data(read: Any) -> None:
    error = wrong(read, {"meta": META})
    assert error.path == "data"
    assert "missing" in str(error)


@pytest.mark.parametrize("read", [goal_page, session_page])
def test_a_body_that_is_an_error_shows_what_the_server_says(read: Any) -> None:
    error = wrong(read, {"error": "Failed to fetch goals data"})
    assert error.path == "data"
    assert "Failed to fetch goals data" in str(error)


@pytest.mark.parametrize("read", [goal_page, session_page])
@pytest.mark.parametrize("data", [None, {}, "rows", 1, True])
def test_data_that_is_no_list(read: Any, data: object) -> None:
    assert wrong(read, {"data": data, "meta": META}).path == "data"


@pytest.mark.parametrize("read", [goal_page, session_page])
@pytest.mark.parametrize("body", [None, "", "text", 0, 1.5, True, [], [1], [["data", []]], ["ab"]])
def test_a_body_that_is_no_object(read: Any, body: object) -> None:
    error = wrong(read, body)
    assert error.path == ""
    assert "expected dict" in str(error)


@pytest.mark.parametrize("row", [None, "", 1, True, [], [["goalId", 1]]])
def test_a_row_that_is_no_object(row: object) -> None:
    assert wrong(goal_page, goals(ROW, row)).path == "data[1]"
    assert wrong(session_page, {"data": [SESSION_ROW, row]}).path == "data[1]"


def test_goals_without_meta() -> None:
    assert wrong(goal_page, {"data": [ROW]}).path == "meta"
    assert wrong(goal_page, {"data": [ROW], "meta": []}).path == "meta"


@pytest.mark.parametrize("name", ["total", "page", "pageSize", "totalPages"])
def test_meta_without_one_of_its_figures(name: str) -> None:
    error = wrong(goal_page, {"data": [ROW], "meta": without(META, name)})
    assert error.path == f"meta.{name}"
    assert str(error) == f"meta.{name}: is missing"


def test_newer_figures_in_meta_do_no_harm() -> None:
    assert goal_page(goals(ROW, cursor="abc")).meta == PageMeta(2, 1, 2, 1)


def test_a_long_value_is_not_repeated_whole() -> None:
    error = wrong(goal_page, goals({**ROW, "goalId": "x" * 10_000}))
    assert len(str(error)) < 200


@attrs.frozen
class Point:
    """A class of a user's own, for ``client.request(..., cast_to=Point)``."""

    time: datetime
    conversions: int
    tags: list[str]
    note: str | None = None


@attrs.frozen
class Series:
    data: list[Point]


def test_a_class_of_the_users_own() -> None:
    point = {"time": "2026-11-10 00:00:00", "conversions": "23", "tags": ["a", 4], "new": 1}
    moment = datetime(2026, 11, 10, tzinfo=UTC)
    assert structure({"data": [point]}, Series) == Series([Point(moment, 23, ["a", "4"])])
    error = wrong(structure, {"data": [point, {**point, "tags": ["a", None]}]}, Series)
    assert error.path == "data[1].tags[1]"
    error = wrong(structure, {"data": [without(point, "tags")]}, Series)
    assert error.path == "data[0].tags"


@pytest.mark.parametrize("wrong_list", ["ab", {"a": 1}, None, 1, True])
def test_what_is_no_list(wrong_list: object) -> None:
    point = {"time": "2026-11-10 00:00:00", "conversions": 1, "tags": wrong_list}
    assert wrong(structure, {"data": [point]}, Series).path == "data[0].tags"
    assert wrong(structure, {"data": wrong_list}, Series).path == "data"
    assert wrong(structure, wrong_list, list[Series]).path == ""


@pytest.mark.parametrize("wrong_mapping", [[], [["a", 1]], "", None, 1])
def test_what_is_no_mapping(wrong_mapping: object) -> None:
    assert wrong(structure, wrong_mapping, dict[str, int]).path == ""
    assert structure({"a": "1"}, dict[str, int]) == {"a": 1}


def test_a_list_of_them() -> None:
    assert structure([{"data": []}], list[Series]) == [Series([])]
    assert wrong(structure, [{"data": []}, {}], list[Series]).path == "[1].data"


# --- numbers as text ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (404, "404"),
        (-7, "-7"),
        (0, "0"),
        (-0.0, "0"),
        (14.0, "14"),
        (0.1, "0.1"),
        (-1.5, "-1.5"),
        (1e5, "100000"),
        (123456789012345680000, "123456789012345680000"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (-1.5e300, "-1.5e+300"),
        (0.0001, "0.0001"),
        (0.00001, "0.00001"),
        (0.000001, "0.000001"),
        (0.0000015, "0.0000015"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_number_text(number: int | float, text: str) -> None:
    assert number_text(number) == text
    assert javascript(float(number)) == text
    assert session(city=number).city == text


@given(server_numbers())
def test_number_text_is_what_the_server_wrote(pair: tuple[int | float, str]) -> None:
    number, text = pair
    assert number_text(number) == text


@given(finite)
def test_number_text_is_what_javascript_prints(number: float) -> None:
    assert number_text(number) == javascript(number)


# --- Hypothesis --------------------------------------------------------------------------------


@given(st.lists(goal_rows(), max_size=3))
def test_goals_keep_their_facts(rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    page = goal_page(goals(*(wire for wire, _ in rows)))
    assert to_dict(page.items) == [plain for _, plain in rows]


@given(st.lists(session_rows(), max_size=3))
def test_sessions_keep_their_facts(rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    page = session_page({"data": [wire for wire, _ in rows]})
    assert to_dict(list(page)) == [plain for _, plain in rows]


@given(configs())
def test_a_config_goes_back_as_it_came(drawn: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    kind, wire, _ = drawn
    config = goal(goalType=kind, config=wire).config
    assert config_to_wire(config) == wire
    # 1 == True == 1.0 in Python, but not to a server.
    assert json.dumps(config_to_wire(config), sort_keys=True) == json.dumps(wire, sort_keys=True)


def test_a_config_on_the_wire_is_a_copy() -> None:
    mapping = {"valuePattern": "*"}
    config_to_wire(mapping)["more"] = 1
    assert mapping == {"valuePattern": "*"}


@given(goal_rows(), session_rows())
def test_json_loads_back(
    goal_pair: tuple[dict[str, Any], dict[str, Any]],
    session_pair: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    one = goal_page(goals(goal_pair[0])).items[0]
    other = session_page({"data": [session_pair[0]]}).items[0]
    for value in (one, other, [one, other], GoalSession(4, one, other)):
        text = to_json(value)
        assert "\n" not in text
        assert json.loads(text, parse_constant=pytest.fail) == to_dict(value)


def test_json_of_a_number_beyond_all_floats() -> None:
    # JSON has no largest number; Python reads this one as infinity.
    text = json.dumps(goals({**ROW, "new": "?", "more": ["?"]})).replace('"?"', "-1e999")
    page = page_reader(Goal, DATA_META)(Body(text.encode()))
    assert page.items[0].extra == {"new": -math.inf, "more": [-math.inf]}
    json.loads(to_json(page.items[0]), parse_constant=pytest.fail)


def test_to_dict_by_example() -> None:
    assert to_dict(goal(new=1)) == {
        "goal_id": 264,
        "site_id": 4,
        "name": "404",
        "goal_type": "path",
        "config": {"path_pattern": "/404", "property_filters": None, "extra": {}},
        "created_at": "2026-11-24T08:13:46.605470Z",
        "total_conversions": 1,
        "total_sessions": 17,
        "conversion_rate": 0.058823529411764705,
        "extra": {"new": 1},
    }
    assert to_json(GoalResult(True, 1)) == '{"success":true,"goal_id":1,"created":false,"extra":{}}'
    pair = to_dict(GoalSession("0123456789ab", goal(), session()))
    assert pair["site"] == "0123456789ab"
    assert pair["goal"]["goal_id"] == 264
    assert pair["session"]["session_end"] == "2026-11-20T10:15:00Z"


def test_the_times_of_to_dict_end_in_z_whatever_zone_they_were_made_in() -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    one = attrs.evolve(session(), session_end=moment)
    assert to_dict(one)["session_end"] == "2026-01-01T10:00:00Z"


STEP = re.compile(r"\.?([A-Za-z_]+)|\[(\d+)\]")


def _is_in(path: str, body: Any) -> bool:
    """Whether ``path`` leads through ``body``; only its last step may be missing there."""
    at = 0
    while at < len(path):
        step = STEP.match(path, at)
        assert step, path
        at = step.end()
        name, index = step.groups()
        if name is not None:
            if not isinstance(body, dict):
                return False
            if name not in body:
                return at == len(path)
            body = body[name]
        else:
            if not isinstance(body, list) or int(index) >= len(body):
                return False
            body = body[int(index)]
    return True


@st.composite
def _broken(draw: st.DrawFn, rows: st.SearchStrategy[Any]) -> Any:
    """A good body in which one place was replaced or taken away; or any JSON at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(json_values)
    wires: list[Any] = [wire for wire, _ in draw(st.lists(rows, min_size=1, max_size=2))]
    body: Any = json.loads(json.dumps(goals(*wires)))
    place: Any = body
    while True:
        keys: list[Any] = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        inner = place[key]
        if isinstance(inner, (dict, list)) and inner and draw(st.booleans()):
            place = inner
            continue
        if draw(st.booleans()):
            place[key] = draw(json_values)
        else:
            del place[key]
        return body


def _attempt(read: Any, *args: Any) -> tuple[Any, MisfitError | None]:
    """What it gives, or the one error that it may raise."""
    try:
        return read(*args), None
    except MisfitError as error:
        return None, error


def _page_or_error(read: Any, body: Any) -> Any:
    page, error = _attempt(read, body)
    if error is None:
        assert len(page) == len(body["data"])
        json.loads(to_json(list(page)))
    else:
        assert _is_in(error.path, body), error.path
        assert str(error).startswith(f"{error.path or 'the body'}: ")
    return page


@given(_broken(goal_rows()))
def test_any_json_for_goals_is_a_page_or_an_error_that_says_where(body: Any) -> None:
    page = _page_or_error(goal_page, body)
    assert page is None or page.meta is not None


@given(_broken(session_rows()))
def test_any_json_for_sessions_is_a_page_or_an_error_that_says_where(body: Any) -> None:
    _page_or_error(session_page, body)


@given(json_values, st.sampled_from([Goal, Session, GoalResult, PageMeta, PathGoal, EventGoal]))
def test_any_json_for_any_class(data: Any, kind: type[Any]) -> None:
    result, error = _attempt(structure, data, kind)
    if error is None:
        assert isinstance(result, kind)
    else:
        assert _is_in(error.path, data), error.path
