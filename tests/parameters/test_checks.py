"""Checks of single values, the words of their errors, and the query string."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rybbit_async import (
    ButtonClickGoal,
    CopyGoal,
    EventGoal,
    Filter,
    FormSubmitGoal,
    GoalConfig,
    InvalidParameterError,
    OutboundGoal,
    PathGoal,
    PropertyFilter,
    RybbitWarning,
)
from rybbit_async.parameters.checks import (
    MAX_INT,
    check_bool,
    check_choice,
    check_config,
    check_goal,
    check_int,
    check_many,
    check_name,
    check_site,
    check_text,
    did_you_mean,
    query_string,
    warn,
)
from rybbit_async.parameters.common import parse_common

from ..strategies import sendable
from .helpers import GOAL, error_of, is_about

# --- numbers, booleans, choices, lists ----------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 101, 1.0, "1", True, None])
def test_invalid_integers(value: object) -> None:
    text = error_of(check_int, "page_size", value, maximum=100)
    assert is_about(text, "page_size", value)
    assert "between 1 and 100" in text


@pytest.mark.parametrize(
    ("value", "bounds", "text"),
    [
        (500, {"maximum": 100}, "page_size must be between 1 and 100, got 500"),
        (0, {}, "page_size must be 1 or more, got 0"),
        (-1, {"minimum": 0}, "page_size must be 0 or more, got -1"),
        (2**53, {}, f"page_size must be between 1 and {MAX_INT}, got {2**53}"),
        ("10", {}, "page_size: expected int (1 or more), got str ('10')"),
        (1.5, {"maximum": 9}, "page_size: expected int (between 1 and 9), got float (1.5)"),
        (None, {"minimum": 0}, "page_size: expected int (0 or more), got None"),
    ],
)
def test_the_words_about_an_integer(value: object, bounds: dict[str, int], text: str) -> None:
    assert error_of(check_int, "page_size", value, **bounds) == text


def test_an_integer_of_thousands_of_digits() -> None:
    text = error_of(check_int, "page", 10**5000)
    assert text == f"page must be between 1 and {MAX_INT}, got <int>"


def test_integers() -> None:
    class Size(IntEnum):
        LARGE = 100

    assert check_int("limit", 0, minimum=0) == 0
    assert check_int("page", 1) == 1
    assert check_int("page", MAX_INT) == MAX_INT
    assert check_int("page_size", 100, maximum=100) == 100
    assert type(check_int("page_size", Size.LARGE)) is int


@pytest.mark.parametrize("value", [True, False])
def test_booleans(value: bool) -> None:
    assert check_bool("ordered", value) is value
    assert check_bool("ordered", int(value)) is value


@pytest.mark.parametrize("value", ["yes", "", None, 2, [], timedelta()], ids=repr)
def test_invalid_booleans(value: object) -> None:
    text = error_of(check_bool, "ordered", value)
    assert is_about(text, "ordered", value)
    assert "True" in text


def test_choices() -> None:
    class Direction(StrEnum):
        UP = "asc"

    assert check_choice("order", "asc", ("asc", "desc")) == "asc"
    assert type(check_choice("order", Direction.UP, ("asc", "desc"))) is str
    text = error_of(check_choice, "version", "v2", ["v1"])
    assert text == "version must be 'v1', got 'v2'"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("down", "order must be 'asc' or 'desc', got 'down'"),
        ("ASC", "order must be 'asc' or 'desc', got 'ASC' (did you mean 'asc'?)"),
        ("dsc", "order must be 'asc' or 'desc', got 'dsc' (did you mean 'desc'?)"),
        (1, "order must be 'asc' or 'desc', got 1"),
        (None, "order must be 'asc' or 'desc', got None"),
    ],
)
def test_the_words_about_a_choice(value: Any, text: str) -> None:
    assert error_of(check_choice, "order", value, ("desc", "asc")) == text


@pytest.mark.parametrize(
    ("value", "known", "hint"),
    [
        ("Name", ["goalId", "name"], " (did you mean 'name'?)"),
        ("goalid", ["goalId", "name"], " (did you mean 'goalId'?)"),
        ("createdat", ["goalId", "createdAt"], " (did you mean 'createdAt'?)"),
        ("created_at", ["goalId", "createdAt"], " (did you mean 'createdAt'?)"),
        ("colour", ["goalId", "name"], ""),
        ("", ["goalId", "name"], ""),
        ("name", [], ""),
        (7, ["7"], ""),
        (None, ["None"], ""),
        ("crea", ["goalId", "createdAt", "created"], " (did you mean 'created'?)"),
    ],
)
def test_suggestions(value: object, known: list[str], hint: str) -> None:
    assert did_you_mean(value, known) == hint


@pytest.mark.parametrize("values", [[1, 2], (1, 2), {1: "a", 2: "b"}.keys(), iter([1, 2])])
def test_lists(values: Any) -> None:
    assert check_many("goals", values) == [1, 2]


@pytest.mark.parametrize("value", ["12", b"12", {1: 2}, 12, None, memoryview(b"12")], ids=type)
def test_what_is_not_a_list(value: object) -> None:
    text = error_of(check_many, "goals", value)
    assert is_about(text, "goals", value)
    assert "list" in text


# --- texts --------------------------------------------------------------------------------------


@given(sendable)
def test_texts(text: str) -> None:
    assert check_text("name", text) == text


@pytest.mark.parametrize(
    ("text", "word"), [("a\0b", "NUL"), ("\0", "NUL"), ("\ud800", "UTF-8"), ("a\udfff", "UTF-8")]
)
def test_texts_that_cannot_be_sent(text: str, word: str) -> None:
    error = error_of(check_text, "name", text)
    assert is_about(error, "name", text)
    assert word in error


def test_a_long_value_is_shortened() -> None:
    assert len(error_of(parse_common, {"time_zone": "x" * 10_000})) < 400
    assert len(error_of(check_site, "x" * 10_000)) < 300
    assert len(error_of(check_name, ["x"] * 10_000)) < 300


def test_a_warning_points_at_the_line_outside_the_package() -> None:
    with pytest.warns(RybbitWarning, match="^careful$") as caught:
        warn("careful")
    assert caught[0].filename == __file__


# --- sites, goals, names, configurations --------------------------------------------------------


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
def test_invalid_sites(site: object) -> None:
    text = error_of(check_site, site)
    assert is_about(text, "site", site)
    assert "12 hexadecimal" in text


def test_the_words_about_a_site() -> None:
    allowed = "a numeric id (1 or more) or an identifier of 12 hexadecimal characters"
    assert error_of(check_site, "abc") == f"site must be {allowed}, got 'abc'"
    assert error_of(check_site, None) == f"site: expected int or str ({allowed}), got None"


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


@pytest.mark.parametrize("goal", [0, -1, 2**53, True, 1.0, "1", None, [1], {"goal_id": 1}])
def test_invalid_goals(goal: object) -> None:
    text = error_of(check_goal, goal)
    assert is_about(text, "goal", goal)
    assert "Goal" in text


@pytest.mark.parametrize("name", ["Sign-up", "", "名前", None])
def test_names(name: object) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", [1, True, b"a", "a\0", "\udfff", ["a"]])
def test_invalid_names(name: object) -> None:
    text = error_of(check_name, name)
    assert is_about(text, "name", name)
    if not isinstance(name, str):
        assert "expected str or None" in text


MAKERS: list[Callable[[Any], GoalConfig]] = [
    lambda filters: PathGoal("/", property_filters=filters),
    lambda filters: EventGoal("a", property_filters=filters),
    lambda filters: OutboundGoal(property_filters=filters),
]
BAD_PROPERTIES: list[tuple[Any, str, int]] = [
    (("", "v"), "key", 0),
    ((5, "v"), "key", 0),
    (("k\0", "v"), "key", 0),
    (("k", "\0"), "value", 1),
    (("k", None), "value", 1),
    (("k", ["v"]), "value", 1),
    (("k", float("nan")), "value", 1),
]


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
        PathGoal("/a", property_filters=[PropertyFilter("utm_source", "x")]),
        EventGoal("signup", property_filters=(PropertyFilter("a", ""), PropertyFilter("b", 0))),
        # Servers before 2.4 know the pair, newer ones the filters.
        EventGoal("signup", "a", "b", property_filters=[PropertyFilter("a", "b")]),
        OutboundGoal("https://*"),
        ButtonClickGoal(" Buy* "),
        FormSubmitGoal(),
        CopyGoal(property_filters=[PropertyFilter("text", "a")]),
    ],
)
def test_configurations(config: object) -> None:
    assert check_config(config) is config


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        (PathGoal(""), "config.path_pattern", ""),
        (PathGoal("/\0"), "config.path_pattern", "/\0"),
        (PathGoal(1), "config.path_pattern", 1),  # type: ignore[arg-type]  # pyright: ignore
        (EventGoal(""), "config.event_name", ""),
        (EventGoal("a\0"), "config.event_name", "a\0"),
        (EventGoal("a", "", "value"), "config.property_key", ""),
        (EventGoal("a", "key", "\0"), "config.property_value", "\0"),
        (EventGoal("a", "key", float("nan")), "config.property_value", float("nan")),
        (EventGoal("a", "key", float("inf")), "config.property_value", float("inf")),
        (EventGoal("a", "key", ["b"]), "config.property_value", ["b"]),  # type: ignore[arg-type]  # pyright: ignore
        (OutboundGoal(""), "config.value_pattern", ""),
        (CopyGoal(" \t"), "config.value_pattern", " \t"),
        (ButtonClickGoal("\0"), "config.value_pattern", "\0"),
        (FormSubmitGoal(7), "config.value_pattern", 7),  # type: ignore[arg-type]  # pyright: ignore
        *(
            (make([PropertyFilter(*pair)]), f"config.property_filters[0].{name}", pair[at])
            for make in MAKERS
            for pair, name, at in BAD_PROPERTIES
        ),
        (PathGoal("/", property_filters="a"), "config.property_filters[0]", "a"),  # type: ignore[arg-type]  # pyright: ignore
        (PathGoal("/", property_filters=7), "config.property_filters", 7),  # type: ignore[arg-type]  # pyright: ignore
        (GoalConfig(), "config", GoalConfig()),
        ({"pathPattern": "/"}, "config", {"pathPattern": "/"}),
        ("/", "config", "/"),
        (None, "config", None),
    ],
)
def test_configurations_that_no_server_stores(config: object, name: str, value: object) -> None:
    assert is_about(error_of(check_config, config), name, value)


@pytest.mark.parametrize(
    ("config", "key", "value"),
    [(EventGoal("a", "key"), "'key'", "None"), (EventGoal("a", None, "value"), "None", "'value'")],
)
def test_a_property_has_a_key_and_a_value(config: EventGoal, key: str, value: str) -> None:
    assert error_of(check_config, config) == (
        "config.property_key and config.property_value must be given together, "
        f"got property_key={key} and property_value={value}"
    )


def test_a_property_that_servers_ignore_beside_property_filters() -> None:
    text = error_of(
        check_config, EventGoal("a", "k", "v", property_filters=[PropertyFilter("k", "w")])
    )
    assert text.startswith("config.property_filters must contain the property of config.property_k")
    assert "property_key='k'" in text


def test_the_words_about_a_config() -> None:
    assert error_of(check_config, None) == (
        "config: expected PathGoal, EventGoal, OutboundGoal, ButtonClickGoal, FormSubmitGoal or "
        "CopyGoal, got None"
    )


# --- the query string ---------------------------------------------------------------------------


@given(st.dictionaries(sendable, sendable | st.just(""), max_size=5))
def test_a_query_parses_back(wanted: dict[str, str]) -> None:
    text = query_string(wanted)
    assert dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(wanted))) == wanted
    assert re.fullmatch(r"[A-Za-z0-9._~%=&-]*", text)


@given(st.text("/%&?#a", min_size=1))
def test_a_slash_is_always_encoded(value: str) -> None:
    # A raw path in the query makes a 2.2 server skip its authentication.
    common = parse_common({"filters": [Filter.equals("pathname", value)]})
    text = query_string(common.query())
    assert "/" not in text
    assert Counter(re.findall("%2F", text))["%2F"] == value.count("/")
