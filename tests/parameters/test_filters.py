"""Filters: what they accept, the words of their errors, and their JSON."""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rybbit_async import Filter, InvalidParameterError, RybbitWarning
from rybbit_async.parameters.checks import query_string
from rybbit_async.parameters.common import parse_common
from rybbit_async.parameters.filters import FILTER_PARAMETERS, FILTER_TYPES

from ..strategies import filters
from .helpers import error_of, is_about


def query(**common: Any) -> dict[str, str]:
    return parse_common(common).query()  # type: ignore[arg-type]  # pyright: ignore


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


def test_all_documented_parameters_are_known() -> None:
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


def test_all_documented_types_are_known() -> None:
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
    text = error_of(Filter, parameter, "equals", ["US"])
    assert is_about(text, "Filter.parameter", parameter)
    assert "country" in text


@pytest.mark.parametrize("kind", ["is", "EQUALS", "equal", "", None, "greater_or_equal"])
def test_unknown_types(kind: Any) -> None:
    text = error_of(Filter, "country", kind, ["US"])
    assert is_about(text, "Filter.type", kind)
    assert "not_equals" in text


@pytest.mark.parametrize("value", ["US", b"US", None, 1, {"US": 1}, True])
def test_values_are_a_list(value: Any) -> None:
    text = error_of(Filter, "country", "equals", value)
    assert is_about(text, "Filter.value", value)
    assert "list" in text


@pytest.mark.parametrize("values", [[], (), set[str](), iter(())])
def test_at_least_one_value(values: Any) -> None:
    assert "at least one" in error_of(Filter, "country", "equals", values)
    assert "at least one" in error_of(Filter.equals, "country")


@pytest.mark.parametrize(
    "value", [None, True, False, float("nan"), float("inf"), ["US"], b"US", "a\0b", "\ud800"]
)
def test_invalid_values(value: Any) -> None:
    assert is_about(error_of(Filter, "country", "equals", ["US", value]), "Filter.value", value)


def test_values_come_from_any_iterable() -> None:
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
def test_comparisons_by_size_need_a_number(kind: str, value: Any) -> None:
    text = error_of(Filter, "lat", kind, [value])
    assert text.startswith("Filter.value must be a ")
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
def test_patterns_that_re2_rejects(kind: str, pattern: str) -> None:
    text = error_of(Filter, "pathname", kind, ["a", pattern])
    assert is_about(text, "Filter.value", pattern)
    assert "regular expression" in text


def test_a_pattern_may_nest_as_deep_as_it_is_long() -> None:
    pattern = "(" * 250 + ")" * 250
    # Whether or not this Python's own compiler can follow.
    with contextlib.suppress(InvalidParameterError):
        assert wire(Filter.regex("pathname", pattern))[0]["value"] == [pattern]


@pytest.mark.parametrize("error", [RecursionError("too deep"), OverflowError("too large")])
def test_a_pattern_that_python_cannot_compile(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def compile_pattern(pattern: str) -> None:
        raise error

    monkeypatch.setattr(re, "compile", compile_pattern)
    text = error_of(Filter.regex, "pathname", "a")
    assert text == f"Filter.value must be a simpler regular expression, got 'a': {error}"


def test_a_long_pattern() -> None:
    text = error_of(Filter.regex, "pathname", "a" * 501)
    assert "500" in text
    assert "501" in text
    assert len(text) < 400


def test_only_patterns_are_checked_as_patterns() -> None:
    assert wire(Filter.contains("pathname", "(?=" + "a" * 1000))


@pytest.mark.parametrize("kind", ["not_equals", "not_contains", "not_regex"])
def test_several_excluded_values_are_sent_as_one_filter_each(kind: str) -> None:
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
def test_invalid_lists_of_filters(given_ones: object) -> None:
    text = error_of(query, filters=given_ones)
    assert re.match(r"filters(\[\d\])?: expected (a list of )?Filter, got ", text)


@pytest.mark.parametrize("none", [[], ()])
def test_an_empty_list_of_filters_is_not_sent(none: object) -> None:
    assert query(filters=none) == {}


def test_more_filters_than_fit_in_a_url() -> None:
    text = error_of(query, filters=[Filter("city", "equals", ["ü" * 4000])])
    assert text.startswith("filters must take at most 20,000 characters in the URL, got 24,")
    query(filters=[Filter("city", "equals", ["x" * 4000])])


def test_user_id_with_contains_warns() -> None:
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
def test_any_text_is_either_a_pattern_or_rejected(text: str, kind: str) -> None:
    try:
        one = Filter("pathname", kind, [text])
    except InvalidParameterError:
        return
    assert one.value == (text,)


def test_filters_are_values() -> None:
    one = Filter.equals("country", "US")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.type = "contains"  # type: ignore[misc]  # pyright: ignore
    with pytest.raises(InvalidParameterError):
        attrs.evolve(one, type="is")


def test_the_docstring_names_every_parameter_and_type() -> None:
    assert set(re.findall(r"``(\w+)``", str(Filter.__doc__))) >= FILTER_PARAMETERS | {*FILTER_TYPES}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: Filter.equals("Country", "US"),
            (
                r"^Filter\.parameter must be 'browser', .* or 'utm_term', got 'Country' "
                r"\(did you mean 'country'\?\)$"
            ),
        ),
        (
            lambda: Filter("country", "equals", "US"),
            (
                r"""^Filter\.value: expected a list of values, such as \["US", "CA"\], """
                r"got str \('US'\)$"
            ),
        ),
        (
            lambda: Filter("country", "equals", [None]),
            r"^Filter\.value: expected values of str, int or float, got None$",
        ),
        (
            lambda: Filter.equals("country"),
            r"^Filter\.value must contain at least one value, got \[\]$",
        ),
        (
            lambda: Filter("lat", "less_than", ["x"]),
            r"^Filter\.value must be a number for the type less_than, got 'x'$",
        ),
        (
            lambda: Filter.regex("city", "(?=a)"),
            (
                r"^Filter\.value must be a regular expression in the syntax of RE2, which lacks "
                r"'\(\?=', got '\(\?=a\)'$"
            ),
        ),
        (
            lambda: Filter.regex("city", "a)"),
            r"^Filter\.value must be a regular expression, got 'a\)': unbalanced parenthesis",
        ),
    ],
)
def test_the_words_of_the_errors(make: Any, text: str) -> None:
    with pytest.raises(InvalidParameterError, match=text):
        make()
