"""What a caller passes: refused with words that help, or turned into the query that says it."""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import available_timezones

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rybbit_async import (
    EventGoal,
    Filter,
    Goal,
    InvalidParameterError,
    PathGoal,
    RybbitClient,
    RybbitError,
    RybbitWarning,
)
from rybbit_async.parameters.checks import (
    check_config,
    check_goal,
    check_int,
    check_name,
    check_site,
    query_string,
)
from rybbit_async.parameters.common import common_query
from rybbit_async.parameters.filters import FILTER_PARAMETERS, FILTER_TYPES

from ..strategies import day_ranges, filters, sendable

GOAL = Goal(7, 1, "a", "path", PathGoal("/"))


def query(**common: Any) -> dict[str, str]:
    return common_query(common)  # type: ignore[arg-type]  # pyright: ignore


def refused(call: Any, *args: Any, **kwargs: Any) -> str:
    """The text of the error, which is of both kinds."""
    with pytest.raises(InvalidParameterError) as caught:
        call(*args, **kwargs)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, RybbitError)
    return str(caught.value)


@pytest.fixture
def client() -> RybbitClient:
    """A client of a server that is not there: whatever it sent would fail otherwise."""
    return RybbitClient(None, base_url="http://127.0.0.1:9")


# --- dates -------------------------------------------------------------------------------------


def test_nothing_given_is_all_of_time() -> None:
    assert query() == {}
    assert query(start_date=None, end_date=None, time_zone=None, filters=None) == {}


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2024-01-01", "2024-01-31"),
        (date(2024, 1, 1), date(2024, 1, 31)),
        (date(2024, 1, 1), "2024-01-31"),
    ],
)
def test_dates_go_with_a_zone_always(first: object, last: object) -> None:
    assert query(start_date=first, end_date=last) == {
        "start_date": "2024-01-01",
        "end_date": "2024-01-31",
        "time_zone": "UTC",
    }
    assert query(start_date=first, end_date=last, time_zone="Asia/Tokyo")["time_zone"] == (
        "Asia/Tokyo"
    )


def test_one_day_is_a_range() -> None:
    assert query(start_date="2024-02-29", end_date="2024-02-29")["end_date"] == "2024-02-29"


@pytest.mark.parametrize(
    "day",
    [
        "2024-02-30",
        "2023-02-29",
        "2024-11-31",
        "2024-11-32",
        "2024-13-01",
        "0000-01-01",
        "2024-1-1",
        "20240101",
        "2024-W01-1",
        " 2024-01-01",
        "2024-01-01\n",
        "2024-01-01T00:00:00",
        "\u0662\u0660\u0662\u0664-01-01",
        "today",
        "",
        20240101,
        0,
        True,
        datetime(2024, 1, 1, 12),  # noqa: DTZ001
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_what_is_no_day(name: str, day: object) -> None:
    text = refused(query, **{"start_date": "2024-01-01", "end_date": "2024-12-01", name: day})
    assert text.startswith(f"{name}=")
    assert repr(day) in text
    assert "date" in text or "calendar" in text


def test_a_datetime_is_told_what_to_do() -> None:
    moment = datetime(2024, 1, 1)  # noqa: DTZ001
    assert ".date()" in refused(query, start_date=moment, end_date="2024-01-02")


def test_half_a_range() -> None:
    text = refused(query, start_date="2024-01-01")
    assert "end_date" in text
    assert "start_date" in text
    assert "both or neither" in text
    text = refused(query, end_date="2024-01-01", time_zone="UTC")
    assert text.startswith("end_date without start_date")


def test_the_end_before_the_start() -> None:
    text = refused(query, start_date="2024-01-02", end_date="2024-01-01")
    assert "start_date=2024-01-02" in text
    assert "end_date=2024-01-01" in text


@given(day_ranges(), st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))
def test_dates_parse_back(days: tuple[date, date], zone: str) -> None:
    got = query(start_date=days[0], end_date=days[1].isoformat(), time_zone=zone)
    assert date.fromisoformat(got.pop("start_date")) == days[0]
    assert date.fromisoformat(got.pop("end_date")) == days[1]
    assert got == {"time_zone": zone}


@given(day_ranges())
def test_dates_the_wrong_way_round(days: tuple[date, date]) -> None:
    first, last = days
    if first < last:
        refused(query, start_date=last, end_date=first)
    else:
        query(start_date=last, end_date=first)


# --- zones -------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_zones(zone: str) -> None:
    assert query(time_zone=zone) == {"time_zone": zone}


@pytest.mark.parametrize(
    "zone", ["Mars/Base", "", "+02:00", "CEST", "Europe/Berlin ", "../etc/passwd", 2, True, b"UTC"]
)
def test_what_is_no_zone(zone: object) -> None:
    text = refused(query, time_zone=zone)
    assert text.startswith(f"time_zone={zone!r}: ")
    assert "IANA" in text


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("utc", "UTC"), ("america/new_york", "America/New_York"), ("EUROPE/berlin", "Europe/Berlin")],
)
def test_a_zone_in_the_wrong_case_is_told_the_right_one(wrong: str, right: str) -> None:
    text = refused(query, time_zone=wrong)
    assert f"did you mean {right!r}" in text


@given(st.sampled_from(sorted(available_timezones() - {"Factory", "localtime"})))
def test_every_zone_of_this_machine(zone: str) -> None:
    assert parse_qsl(query_string(query(time_zone=zone))) == [("time_zone", zone)]
    for other in {zone.lower(), zone.upper()} - available_timezones():
        refused(query, time_zone=other)


# --- minutes -----------------------------------------------------------------------------------


def test_minutes() -> None:
    assert query(past_minutes_start=30, past_minutes_end=0) == {
        "past_minutes_start": "30",
        "past_minutes_end": "0",
    }


@pytest.mark.parametrize("name", ["past_minutes_start", "past_minutes_end"])
@pytest.mark.parametrize("value", [-1, 1.5, "30", True, timedelta(minutes=30)], ids=repr)
def test_what_are_no_minutes(name: str, value: object) -> None:
    text = refused(query, **{"past_minutes_start": 60, "past_minutes_end": 0, name: value})
    assert text.startswith(f"{name}={value!r}: ")
    assert "at least 0" in text


@pytest.mark.parametrize(("start", "end"), [(30, 30), (0, 30), (0, 0)])
def test_minutes_count_back_from_now(start: int, end: int) -> None:
    text = refused(query, past_minutes_start=start, past_minutes_end=end)
    assert f"past_minutes_start={start}" in text
    assert f"past_minutes_end={end}" in text


@pytest.mark.parametrize(
    ("given_one", "missing"),
    [("past_minutes_start", "past_minutes_end"), ("past_minutes_end", "past_minutes_start")],
)
def test_half_of_the_minutes(given_one: str, missing: str) -> None:
    assert refused(query, **{given_one: 5}).startswith(f"{missing} is missing")


@pytest.mark.parametrize(
    "dates", [{"start_date": "2024-01-01", "end_date": "2024-01-02"}, {"end_date": "2024-01-02"}]
)
def test_dates_and_minutes(dates: dict[str, str]) -> None:
    text = refused(query, **dates, past_minutes_start=30, past_minutes_end=0)
    assert "_date and past_minutes_" in text
    assert "not both" in text


def test_what_the_api_does_not_know() -> None:
    text = refused(query, start="2024-01-01")
    assert "'start'" in text
    assert "start_date" in text


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_minutes_parse_back(start: int, end: int) -> None:
    if start > end:
        got = query(past_minutes_start=start, past_minutes_end=end)
        assert (int(got["past_minutes_start"]), int(got["past_minutes_end"])) == (start, end)
    else:
        refused(query, past_minutes_start=start, past_minutes_end=end)


# --- filters -----------------------------------------------------------------------------------


def wire(*given_ones: Filter) -> list[dict[str, Any]]:
    """What goes over the wire for these filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows: list[dict[str, Any]] = json.loads(query(filters=given_ones)["filters"])
    return rows


def test_a_filter_on_the_wire() -> None:
    assert wire(Filter("country", "equals", ["US", "CA"]), Filter.less_than("lat", 10)) == [
        {"parameter": "country", "type": "equals", "value": ["US", "CA"]},
        {"parameter": "lat", "type": "less_than", "value": [10]},
    ]


def test_the_contracts_parameters_are_all_known() -> None:
    known = [
        "browser",
        "browser_version",
        "operating_system",
        "operating_system_version",
        "device_type",
        "dimensions",
        "language",
        "country",
        "region",
        "city",
        "timezone",
        "lat",
        "lon",
        "pathname",
        "page_title",
        "hostname",
        "querystring",
        "referrer",
        "entry_page",
        "exit_page",
        "channel",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_term",
        "utm_content",
        "user_id",
        "event_name",
        "tag",
    ]
    assert set(known) == FILTER_PARAMETERS
    for parameter in known:
        assert wire(Filter.equals(parameter, "x"))[0]["parameter"] == parameter


def test_the_contracts_types_are_all_known() -> None:
    types = [
        "equals",
        "not_equals",
        "contains",
        "not_contains",
        "regex",
        "not_regex",
        "greater_than",
        "less_than",
    ]
    assert set(types) <= set(FILTER_TYPES)


@pytest.mark.parametrize("kind", FILTER_TYPES)
def test_the_short_forms_say_the_same(kind: str) -> None:
    value: Any = 1 if kind in ("greater_than", "less_than") else "1"
    assert getattr(Filter, kind)("lat", value) == Filter("lat", kind, [value])


@pytest.mark.parametrize("kind", [k for k in FILTER_TYPES if not k.endswith("_than")])
def test_the_short_forms_take_several_values(kind: str) -> None:
    assert getattr(Filter, kind)("city", "a", "b") == Filter("city", kind, ["a", "b"])


@pytest.mark.parametrize("parameter", ["Country", "countries", "", "country ", 1, None, ["city"]])
def test_unknown_parameters(parameter: Any) -> None:
    text = refused(Filter, parameter, "equals", ["US"])
    assert text.startswith(f"Filter parameter={parameter!r}: ")
    assert "country" in text


@pytest.mark.parametrize("kind", ["is", "EQUALS", "equal", "", None, "greater_or_equal"])
def test_unknown_types(kind: Any) -> None:
    text = refused(Filter, "country", kind, ["US"])
    assert text.startswith(f"Filter type={kind!r}: ")
    assert "not_equals" in text


@pytest.mark.parametrize("value", ["US", b"US", None, 1, {"US": 1}, True])
def test_values_are_a_list(value: Any) -> None:
    text = refused(Filter, "country", "equals", value)
    assert text.startswith(f"Filter value={value!r}: ")
    assert "list" in text


@pytest.mark.parametrize("values", [[], (), set[str](), iter(())])
def test_at_least_one_value(values: Any) -> None:
    assert "at least one" in refused(Filter, "country", "equals", values)
    assert "at least one" in refused(Filter.equals, "country")


@pytest.mark.parametrize(
    "value", [None, True, False, float("nan"), float("inf"), ["US"], b"US", "a\0b", "\ud800"]
)
def test_what_a_value_may_not_be(value: Any) -> None:
    text = refused(Filter, "country", "equals", ["US", value])
    assert text.startswith(f"Filter value={value!r}: ")


def test_values_come_from_anything_that_iterates() -> None:
    one = Filter("country", "equals", (code for code in ("US", "CA")))
    assert one.value == ("US", "CA")
    assert one == Filter("country", "equals", ("US", "CA"))
    assert hash(one) == hash(Filter.equals("country", "US", "CA"))


@pytest.mark.parametrize("kind", ["greater_than", "less_than"])
@pytest.mark.parametrize(
    "value",
    ["north", "", "1,5", "nan", "inf", "-Infinity", "1_000", "٣", 10**400],
    ids=lambda v: str(v)[:9],
)
def test_what_is_compared_by_size_is_a_number(kind: str, value: Any) -> None:
    text = refused(Filter, "lat", kind, [value])
    assert text.startswith("Filter value=")
    assert "number" in text


@pytest.mark.parametrize("value", [1, -1.5, "12", "-1.5", "1e3"])
def test_numbers_to_compare_with(value: Any) -> None:
    assert wire(Filter("lat", "greater_than", [value]))[0]["value"] == [value]


GOOD_PATTERNS = [
    "^/blog/.*$",
    r"\d+",
    r"a\.b",
    "(?:a|b)+?",
    "(?i)abc",
    "(?i:abc)d",
    "(?P<name>a)",
    r"\p{Greek}+",
    r"\x{2028}",
    "a{1000}",
    "a}+",
    "[[:alpha:]]+",
    r"[(?=]",
    r"\(\?=",
    r"\\1",
    r"(\d?=1)",
    r"(&|^)([a-z]?=1)",
    r"a+\+",
    r"[*+]+",
    r"\Qa.b\E",
    r"a{2,3}",
    "ü",
    "",
    "a" * 500,
]


@pytest.mark.parametrize("pattern", GOOD_PATTERNS)
@pytest.mark.parametrize("kind", ["regex", "not_regex"])
def test_patterns(kind: str, pattern: str) -> None:
    assert wire(Filter("pathname", kind, [pattern]))[0]["value"] == [pattern]


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?<!a)b",
        "(?>a)",
        "(?P=name)",
        r"(a)\1",
        r"(?P<n>a)\k<n>",
        "(?#note)a",
        "(a)(?(1)b|c)",
        "a++",
        "a*+",
        "a{2}+",
        "a{1001}",
        "a{99999999999999999999}",
        "(a",
        "a)",
        "[a",
        "*a",
        "a**",
        "a\\",
    ],
)
@pytest.mark.parametrize("kind", ["regex", "not_regex"])
def test_patterns_that_re2_does_not_know(kind: str, pattern: str) -> None:
    text = refused(Filter, "pathname", kind, ["a", pattern])
    assert text.startswith(f"Filter value={pattern!r}: ")
    assert "regular expression" in text


def test_a_pattern_may_nest_as_deep_as_it_is_long() -> None:
    pattern = "(" * 250 + ")" * 250
    # Whether or not this Python's own compiler can follow.
    with contextlib.suppress(InvalidParameterError):
        assert wire(Filter.regex("pathname", pattern))[0]["value"] == [pattern]


def test_a_long_pattern() -> None:
    text = refused(Filter.regex, "pathname", "a" * 501)
    assert "500" in text
    assert "501" in text
    assert len(text) < 400


def test_a_pattern_is_only_checked_where_it_is_one() -> None:
    assert wire(Filter.contains("pathname", "(?=" + "a" * 1000))


@pytest.mark.parametrize("kind", ["not_equals", "not_contains", "not_regex"])
def test_none_of_several_values_is_a_filter_for_each(kind: str) -> None:
    assert wire(Filter("city", kind, ["a", "b", "c"]), Filter.equals("city", "d", "e")) == [
        {"parameter": "city", "type": kind, "value": ["a"]},
        {"parameter": "city", "type": kind, "value": ["b"]},
        {"parameter": "city", "type": kind, "value": ["c"]},
        {"parameter": "city", "type": "equals", "value": ["d", "e"]},
    ]


@pytest.mark.parametrize(
    "given_ones",
    [
        "[]",
        "",
        "country",
        {},
        {"country": "US"},
        Filter.equals("city", "a"),
        ["country"],
        [{"parameter": "country", "type": "equals", "value": ["US"]}],
        [Filter.equals("city", "a"), None],
        7,
        True,
        0,
    ],
)
def test_what_are_no_filters(given_ones: object) -> None:
    text = refused(query, filters=given_ones)
    assert text.startswith("filters")
    assert "Filter" in text


@pytest.mark.parametrize("none", [[], ()])
def test_no_filters_are_not_sent(none: object) -> None:
    assert query(filters=none) == {}


def test_more_filters_than_a_url_holds() -> None:
    text = refused(query, filters=[Filter("city", "equals", ["ü" * 4000])])
    assert text.startswith("filters")
    assert "20,000" in text
    query(filters=[Filter("city", "equals", ["x" * 4000])])


def test_user_id_contains_is_warned_of() -> None:
    with pytest.warns(RybbitWarning, match=r"user_id.*not_equals"):
        query(filters=[Filter.contains("user_id", "a")])


@given(st.lists(filters(), min_size=1, max_size=3))
def test_filters_parse_back(given_ones: list[Filter]) -> None:
    [(name, text)] = parse_qsl(
        query_string(query(filters=given_ones)), strict_parsing=True, keep_blank_values=True
    )
    assert name == "filters"
    expected: list[dict[str, Any]] = []
    for one in given_ones:
        values = [[value] for value in one.value]
        if not one.type.startswith("not_"):
            values = [list(one.value)]
        expected += [{"parameter": one.parameter, "type": one.type, "value": v} for v in values]
    assert json.loads(text) == expected
    assert [Filter(**row) for row in json.loads(text)] == [Filter(**row) for row in expected]


@given(st.text(max_size=30), st.sampled_from(["regex", "not_regex"]))
@example("a{99999999999999999999}", "regex")
@example("(" * 250, "regex")
def test_any_text_is_a_pattern_or_is_refused(text: str, kind: str) -> None:
    try:
        one = Filter("pathname", kind, [text])
    except InvalidParameterError:
        return
    assert one.value == (text,)


# --- the query string --------------------------------------------------------------------------


@given(st.dictionaries(sendable, sendable | st.just(""), max_size=5))
def test_a_query_parses_back(wanted: dict[str, str]) -> None:
    text = query_string(wanted)
    assert dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(wanted))) == wanted
    assert re.fullmatch(r"[A-Za-z0-9._~%=&-]*", text)


@given(st.text("/%&?#a", min_size=1))
def test_a_slash_is_always_encoded(value: str) -> None:
    # A raw path in the query makes a 2.2 server skip its authentication.
    text = query_string(query(filters=[Filter.equals("pathname", value)]))
    assert "/" not in text
    assert Counter(re.findall("%2F", text))["%2F"] == value.count("/")


# --- sites, goals, names, configs --------------------------------------------------------------


@pytest.mark.parametrize(
    ("site", "text"),
    [(1, "1"), ("1", "1"), (2**31, str(2**31)), ("0123456789ab",) * 2, ("a1" * 6,) * 2],
)
def test_sites(site: object, text: str) -> None:
    assert check_site(site) == text


@pytest.mark.parametrize(
    "site",
    [
        0,
        -1,
        True,
        False,
        1.0,
        None,
        "",
        "0",
        "-1",
        "01",
        "1/",
        "/1",
        "..",
        "1?x=1",
        "1#",
        "1%2F2",
        "1\n",
        " 1",
        "\u0661",
        "0123456789a",
        "0123456789abc",
        "0123456789ag",
        "example.com",
        b"1",
        [1],
    ],
)
def test_what_is_no_site(site: object) -> None:
    text = refused(check_site, site)
    assert text.startswith(f"site={site!r}: ")
    assert "12 hexadecimal" in text


@given(st.text(max_size=15) | st.integers())
def test_a_site_never_changes_the_path(site: object) -> None:
    try:
        text = check_site(site)
    except InvalidParameterError:
        return
    assert re.fullmatch("[0-9a-fA-F]+", text)


@pytest.mark.parametrize(("goal", "number"), [(1, 1), (264, 264), (GOAL, 7)])
def test_goals(goal: object, number: int) -> None:
    assert check_goal(goal) == number


@pytest.mark.parametrize("goal", [0, -1, True, 1.0, "1", None, [1], {"goal_id": 1}])
def test_what_is_no_goal(goal: object) -> None:
    text = refused(check_goal, goal)
    assert text.startswith(f"goal={goal!r}: ")
    assert "Goal" in text


@pytest.mark.parametrize("name", ["Sign-up", "", "名前", None])
def test_names(name: object) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", [1, True, b"a", "a\0", "\udfff", ["a"]])
def test_what_is_no_name(name: object) -> None:
    text = refused(check_name, name)
    assert text.startswith(f"name={name!r}: ")
    assert "text" in text


@pytest.mark.parametrize(
    "config",
    [
        PathGoal("/blog/**"),
        EventGoal("signup"),
        EventGoal("signup", "plan", "pro"),
        EventGoal("signup", "plan", ""),
        EventGoal("signup", "seats", 3),
        EventGoal("signup", "price", 1.5),
        EventGoal("signup", "trial", False),
    ],
)
def test_configs(config: object) -> None:
    assert check_config(config) is config


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (PathGoal(""), "config.path_pattern"),
        (PathGoal("/\0"), "config.path_pattern"),
        (PathGoal(1), "config.path_pattern"),  # type: ignore[arg-type]  # pyright: ignore
        (EventGoal(""), "config.event_name"),
        (EventGoal("a\0"), "config.event_name"),
        (EventGoal("a", "key"), "config.property_key"),
        (EventGoal("a", None, "value"), "config.property_key"),
        (EventGoal("a", "", "value"), "config.property_key"),
        (EventGoal("a", "key", "\0"), "config.property_value"),
        (EventGoal("a", "key", float("nan")), "config.property_value"),
        (EventGoal("a", "key", float("inf")), "config.property_value"),
        (EventGoal("a", "key", ["b"]), "config.property_value"),  # type: ignore[arg-type]  # pyright: ignore
        ({"pathPattern": "/"}, "config"),
        ("/", "config"),
        (None, "config"),
    ],
)
def test_configs_that_no_server_stores(config: object, name: str) -> None:
    assert refused(check_config, config).startswith(f"{name}=")


def test_a_property_is_given_whole() -> None:
    text = refused(check_config, EventGoal("a", "key"))
    assert "property_key='key'" in text
    assert "property_value=None" in text


# --- numbers, and what the calls refuse before they send anything ------------------------------


@pytest.mark.parametrize("value", [0, -1, 101, 1.0, "1", True, None])
def test_integers(value: object) -> None:
    text = refused(check_int, "page_size", value, maximum=100)
    assert text.startswith(f"page_size={value!r}: ")
    assert "at least 1 and at most 100" in text


BAD_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("page_size", {"page_size": 0}, "at least 1 and at most 100"),
    ("page_size", {"page_size": 101}, "at least 1 and at most 100"),
    ("page_size", {"page_size": "10"}, "integer"),
    ("sort", {"sort": "id"}, "createdAt, goalId, goalType, name"),
    ("sort", {"sort": "goalid"}, "goalId"),
    ("sort", {"sort": 1}, "goalId"),
    ("order", {"order": "ASC"}, "asc, desc"),
    ("order", {"order": "down"}, "asc, desc"),
    ("order", {"sort": "name", "order": ""}, "asc, desc"),
    ("start_date", {"start_date": "x", "end_date": "2024-01-01"}, "2024-01-31"),
    ("time_zone", {"time_zone": "utc"}, "'UTC'"),
    ("filters", {"filters": "x"}, "Filter"),
]
WALK_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("concurrency", {"concurrency": 0}, "at least 1"),
    ("concurrency", {"concurrency": 1.5}, "integer"),
    ("limit", {"limit": -1}, "at least 0"),
    ("limit", {"limit": True}, "integer"),
    ("max_pages", {"max_pages": 0}, "at least 1"),
    ("ordered", {"ordered": "yes"}, "True"),
    ("page_size", {"page_size": 0}, "at least 1"),
]


@pytest.mark.parametrize(("name", "kwargs", "allowed"), BAD_CALLS + WALK_CALLS)
def test_goals_iter_refuses_at_once(
    client: RybbitClient, name: str, kwargs: dict[str, Any], allowed: str
) -> None:
    text = refused(client.goals.iter, 1, **kwargs)
    assert text.startswith(f"{name}=")
    assert repr(kwargs[name]) in text
    assert allowed in text


@pytest.mark.parametrize(("name", "kwargs", "allowed"), WALK_CALLS)
def test_sessions_iter_refuses_at_once(
    client: RybbitClient, name: str, kwargs: dict[str, Any], allowed: str
) -> None:
    text = refused(client.goals.sessions.iter, 1, 7, **kwargs)
    assert text.startswith(f"{name}=")
    assert repr(kwargs[name]) in text
    assert allowed in text


@pytest.mark.parametrize(("name", "kwargs", "allowed"), [*BAD_CALLS, ("page", {"page": 0}, "1")])
async def test_goals_list_sends_nothing(
    client: RybbitClient, name: str, kwargs: dict[str, Any], allowed: str
) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        await client.goals.list(1, **kwargs)
    assert str(caught.value).startswith(f"{name}=")
    assert allowed in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("page", {"page": 0}),
        ("page", {"page": "1"}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": -1}),
        ("time_zone", {"time_zone": "Nowhere"}),
    ],
)
async def test_sessions_list_sends_nothing(
    client: RybbitClient, name: str, kwargs: dict[str, Any]
) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        await client.goals.sessions.list(1, GOAL, **kwargs)
    assert str(caught.value).startswith(f"{name}={kwargs[name]!r}")


BAD_SITE = "1/../2"


def _calls(client: RybbitClient) -> Iterator[tuple[str, Any]]:
    goals = client.goals
    yield "list", lambda: goals.list(BAD_SITE)
    yield "get", lambda: goals.get(BAD_SITE, 1)
    yield "create", lambda: goals.create(BAD_SITE, PathGoal("/"))
    yield "update", lambda: goals.update(BAD_SITE, 1, name="a")
    yield "delete", lambda: goals.delete(BAD_SITE, 1)
    yield "sessions.list", lambda: goals.sessions.list(BAD_SITE, 1)


async def test_every_call_checks_its_site(client: RybbitClient) -> None:
    for name, call in _calls(client):
        with pytest.raises(InvalidParameterError, match=r"^site='1/\.\./2'"):
            await call()
        assert name
    assert refused(client.goals.iter, BAD_SITE).startswith("site=")
    assert refused(client.goals.sessions.iter, BAD_SITE, 1).startswith("site=")


async def test_every_call_checks_its_goal(client: RybbitClient) -> None:
    goals = client.goals
    bad: Any = "1"
    for call in (
        lambda: goals.get(1, bad),
        lambda: goals.update(1, bad, name="a"),
        lambda: goals.delete(1, bad),
        lambda: goals.sessions.list(1, bad),
    ):
        with pytest.raises(InvalidParameterError, match=r"^goal='1': "):
            await call()
    assert refused(goals.sessions.iter, 1, bad).startswith("goal='1': ")


async def test_writes_check_what_they_would_send(client: RybbitClient) -> None:
    with pytest.raises(InvalidParameterError, match=r"^config\.path_pattern=''"):
        await client.goals.create(1, PathGoal(""))
    with pytest.raises(InvalidParameterError, match=r"^name=7"):
        await client.goals.create(1, PathGoal("/"), name=7)  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(InvalidParameterError, match=r"name.*config"):
        await client.goals.update(1, GOAL)
    with pytest.raises(InvalidParameterError, match=r"^config\.event_name=''"):
        await client.goals.update(1, GOAL, config=EventGoal(""))
    with pytest.raises(InvalidParameterError, match=r"^name=7"):
        await client.goals.update(1, GOAL, name=7)  # type: ignore[arg-type]  # pyright: ignore


def test_sessions_are_not_filtered_and_the_caller_is_told(client: RybbitClient) -> None:
    with pytest.warns(RybbitWarning, match="filters: the server ignores them") as caught:
        client.goals.sessions.iter(1, GOAL, filters=[Filter.equals("country", "US")])
    assert caught[0].filename == __file__  # it points at the caller's line


async def test_a_page_of_sessions_is_not_filtered_either(client: RybbitClient) -> None:
    with (
        pytest.warns(RybbitWarning, match="filters: the server ignores them") as caught,
        pytest.raises(InvalidParameterError, match=r"^limit=0"),
    ):
        await client.goals.sessions.list(1, 7, limit=0, filters=[Filter.equals("country", "US")])
    assert caught[0].filename == __file__


def test_user_id_contains_points_at_the_caller(client: RybbitClient) -> None:
    with pytest.warns(RybbitWarning, match="user_id") as caught:
        client.goals.iter(1, filters=[Filter.contains("user_id", "a")])
    assert caught[0].filename == __file__


def test_a_long_value_is_not_repeated_whole() -> None:
    assert len(refused(query, time_zone="x" * 10_000)) < 400


def test_filters_are_values() -> None:
    one = Filter.equals("country", "US")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.type = "contains"  # type: ignore[misc]  # pyright: ignore
    with pytest.raises(InvalidParameterError):
        attrs.evolve(one, type="is")
