"""Filters: what they accept, the words of their errors, and their JSON."""

from __future__ import annotations

import contextlib
import json
import re
import string
import warnings
from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rybbit_async import Filter, InvalidParameterError, RybbitWarning
from rybbit_async.parameters import filters as filters_module
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
    forms = {"lat": "1", "lon": "1", "browser_version": "Chrome 120", "city": "GB-ENG-London"}
    forms |= {"operating_system_version": "Windows 10/11", "dimensions": "1920x1080"}
    for parameter in known:
        assert wire(Filter.equals(parameter, forms.get(parameter, "x"))) == [
            {"parameter": parameter, "type": "equals", "value": [forms.get(parameter, "x")]}
        ]


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
        "starts_with",
        "ends_with",
        "greater_than_or_equal",
        "less_than_or_equal",
        "is_null",
        "is_not_null",
    ]
    assert set(types) == set(FILTER_TYPES)


SIZES = ("greater_than", "less_than", "greater_than_or_equal", "less_than_or_equal")
NULL_TESTS = ("is_null", "is_not_null")


@pytest.mark.parametrize("kind", FILTER_TYPES)
def test_the_short_forms_say_the_same(kind: str) -> None:
    values = () if kind in NULL_TESTS else ("1",)
    assert getattr(Filter, kind)("entry_page", *values) == Filter("entry_page", kind, values)


@pytest.mark.parametrize("kind", [k for k in FILTER_TYPES if k not in SIZES + NULL_TESTS])
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


@pytest.mark.parametrize("kind", ["equals", "not_equals", *SIZES])
@pytest.mark.parametrize(
    "value",
    ["north", "", "1,5", "nan", "inf", "-Infinity", "1_000", "٣", 10**400],
    ids=lambda v: str(v)[:9],
)
def test_coordinates_are_compared_with_numbers(kind: str, value: Any) -> None:
    text = error_of(Filter, "lat", kind, [value])
    assert text.startswith("Filter.value must be a ")
    assert "number" in text


@pytest.mark.parametrize("value", [1, -1.5, "12", "-1.5", "1e3"])
def test_numbers_to_compare_with(value: Any) -> None:
    for kind in SIZES:
        assert wire(Filter("lat", kind, [value]))[0]["value"] == [value]


@pytest.mark.parametrize("parameter", ["lat", "lon"])
@pytest.mark.parametrize("kind", [k for k in FILTER_TYPES if k not in ("equals", "not_equals")])
def test_types_that_servers_cannot_apply_to_coordinates(parameter: str, kind: str) -> None:
    """``contains`` never finds a part, and the others are answered 500."""
    values = () if kind in NULL_TESTS else (1,)
    if kind in SIZES:
        assert wire(Filter(parameter, kind, values))
        return
    text = error_of(Filter, parameter, kind, values)
    assert is_about(text, f"Filter.type for {parameter}", kind)
    assert "'greater_than'" in text


@pytest.mark.parametrize("kind", SIZES)
def test_text_is_compared_by_size_only_where_servers_can(kind: str) -> None:
    sized = {"lat", "lon", "entry_page", "exit_page", "event_name", "channel"}
    for parameter in FILTER_PARAMETERS - sized:
        text = error_of(Filter, parameter, kind, ["10"])
        assert is_about(text, f"Filter.type for {parameter}", kind)
    for parameter in sized - {"lat", "lon"}:
        assert wire(Filter(parameter, kind, ["/m"]))[0]["value"] == ["/m"]
        assert "expected str" in error_of(Filter, parameter, kind, [7])


def test_of_several_sizes_the_one_that_decides_is_sent() -> None:
    """A session matches if one of them holds."""
    numbers, texts = ("9", 10, -2.5), ("/b", "/ä", "/a")
    sent = [wire(Filter("lat", kind, numbers))[0]["value"] for kind in SIZES]
    assert sent == [[-2.5], [10], [-2.5], [10]]
    sent = [wire(Filter("exit_page", kind, texts))[0]["value"] for kind in SIZES]
    assert sent == [["/a"], ["/ä"], ["/a"], ["/ä"]]


@pytest.mark.parametrize("kind", NULL_TESTS)
def test_tests_for_null_have_no_value(kind: str) -> None:
    assert wire(Filter("country", kind)) == [{"parameter": "country", "type": kind, "value": []}]
    assert Filter("country", kind, []) == Filter("country", kind)
    text = error_of(Filter, "country", kind, ["US"])
    assert is_about(text, "Filter.value", ("US",))
    assert "empty" in text


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
    r"\Q(\E",
    r"\Q(",
    "(?U)a+",
    "a(?i)b",
    "(?<name>a)",
    "[]a]",
    "[^]a]",
    "[[:alpha:])]",
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
        "(?x)a # b",
        "(?i-x:a)",
        "a{3,2}",
        "[[:alpha:]",
        "[]",
        r"\p{Greek})|(b",
        "a)|(b",
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


@pytest.mark.parametrize("pattern", [1, 1.5])
def test_a_pattern_is_text(pattern: Any) -> None:
    text = error_of(Filter, "pathname", "regex", [pattern])
    assert is_about(text, "Filter.value", pattern)
    assert "expected str" in text


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


def regex(*patterns: str) -> str:
    """The one pattern that is sent for several."""
    ((sent,),) = (one["value"] for one in wire(Filter.regex("pathname", *patterns)))
    return str(sent)


@pytest.mark.parametrize(
    ("patterns", "sent"),
    [
        (("a", "b"), "(?:a)|(?:b)"),
        (("a|b", "^c$", ""), "(?:a|b)|(?:^c$)|(?:)"),
        (("(?i)a", "b"), "(?:(?i)a)|(?:b)"),  # a flag holds to the end of its group
        (("a(?i)", "b"), "(?:a(?i))|(?:b)"),
        ((r"\Qa.(", "b"), "(?:a[.][(])|(?:b)"),  # without an end it would go on to the end
        ((r"\Qa|b\Ec+", r"\\Qd"), r"(?:a[|]bc+)|(?:\\Qd)"),
        ((r"\Q\\E", "b"), r"(?:\\)|(?:b)"),
        (("(?P<n>a)", "(?<n>b)"), "(?:(a))|(?:(b))"),  # a name may be there only once
        (("[(?P<n>]", r"\(?P<n>"), r"(?:[(?P<n>])|(?:\(?P<n>)"),
        (("[]|)]", "[^]|)]"), "(?:[]|)])|(?:[^]|)])"),
    ],
)
def test_several_patterns_are_sent_as_one(patterns: tuple[str, ...], sent: str) -> None:
    assert regex(*patterns) == sent


def test_one_pattern_is_sent_as_it_is() -> None:
    assert regex(r"(?P<n>a)\Qa.") == r"(?P<n>a)\Qa."


def test_several_patterns_are_checked_one_by_one_and_in_all() -> None:
    text = error_of(Filter.regex, "pathname", "a)|(b", "c")
    assert "'a)|(b'" in text
    assert len(regex("a" * 245, "b" * 246)) == 500
    text = error_of(Filter.regex, "pathname", "a" * 246, "b" * 246)
    assert "at most 500 characters in all" in text
    assert text.endswith("(501 characters when joined)")
    # Those that must not match are sent one by one.
    assert len(wire(Filter.not_regex("pathname", "a" * 500, "b" * 500))) == 2


def test_only_patterns_are_checked_as_patterns() -> None:
    assert wire(Filter.contains("pathname", "(?=" + "a" * 1000))


@pytest.mark.parametrize("kind", ["not_equals", "not_contains", "not_regex"])
def test_several_excluded_values_are_sent_as_one_filter_each(kind: str) -> None:
    assert wire(Filter("region", kind, ["a", "b", "c"]), Filter.equals("region", "d", "e")) == [
        {"parameter": "region", "type": kind, "value": ["a"]},
        {"parameter": "region", "type": kind, "value": ["b"]},
        {"parameter": "region", "type": kind, "value": ["c"]},
        {"parameter": "region", "type": "equals", "value": ["d", "e"]},
    ]


@pytest.mark.parametrize(
    ("one", "kind", "value"),
    [
        (Filter.contains("pathname", "50%", "a"), "regex", "50%|a"),
        (Filter.contains("pathname", "a_b.c"), "regex", "a_b[.]c"),
        (Filter.contains("pathname", "a\\b"), "regex", r"a\\b"),
        (Filter.not_contains("pathname", "a_b"), "not_regex", "a_b"),
        (Filter.starts_with("pathname", "/a(b"), "regex", "^/a[(]b"),
        (Filter.starts_with("utm_content", "^a", 7), "regex", r"^\^a|^7"),
        (Filter.ends_with("pathname", "/a", "$"), "regex", "/a$|[$]$"),
        (Filter.ends_with("pathname", ""), "regex", "$"),
    ],
)
def test_what_a_release_lacks_is_sent_as_a_regex(one: Filter, kind: str, value: str) -> None:
    assert wire(one) == [{"parameter": one.parameter, "type": kind, "value": [value]}]


@pytest.mark.parametrize("parameter", ["entry_page", "exit_page", "event_name", "user_id"])
@pytest.mark.parametrize("kind", ["starts_with", "ends_with"])
def test_no_regex_where_a_release_takes_none(parameter: str, kind: str) -> None:
    assert wire(Filter(parameter, kind, ["a", "b"])) == [
        {"parameter": parameter, "type": kind, "value": ["a", "b"]}
    ]


@pytest.mark.parametrize("values", [("a" * 501,), ("a" * 300, "b" * 300), (1.5,)])
def test_no_regex_for_what_does_not_fit_into_one(values: tuple[Any, ...]) -> None:
    assert wire(Filter("pathname", "starts_with", values))[0]["type"] == "starts_with"


# What 2.2 and 2.8 do with a filter, on one text.


def holds(one: dict[str, Any], text: str, *, old: bool) -> bool:
    kind, values = one["type"], [str(value) for value in one["value"]]
    negated, test = kind.startswith("not_"), kind.removeprefix("not_")
    if test == "regex":
        values = values[:1]
    assert not old or test in ("equals", "contains", "regex"), "500"
    results = [passes(test, value, text, old=old) is not negated for value in values]
    return any(results) if old or not negated else all(results)


def passes(test: str, value: str, text: str, *, old: bool) -> bool:
    if test == "contains" and old:
        like = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in value)
        return re.search(like, text, re.DOTALL) is not None
    if test == "regex":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of "[[]", which RE2 knows
            # In RE2, "$" is the end of the text, and not also before a last line break.
            return re.search(re.sub(r"\$(?!\])", r"\\Z", value), text, re.DOTALL) is not None
    tests = {"equals": str.__eq__, "contains": str.__contains__}
    tests |= {"starts_with": str.startswith, "ends_with": str.endswith}
    return bool(tests[test](text, value))


@pytest.mark.parametrize("character", string.punctuation)
def test_every_character_of_a_text_stands_for_itself(character: str) -> None:
    (one,) = wire(Filter.ends_with("pathname", f"a{character}b"))
    for other in [*string.punctuation, "", "a", "b"]:
        assert holds(one, f"a{other}b", old=True) is (other == character)


TEXTS = st.text("aA%_^$.|()[]{}*+?/-#\\ \n", max_size=4)


@given(
    st.sampled_from(
        ["equals", "not_equals", "contains", "not_contains", "starts_with", "ends_with"]
    ),
    st.lists(TEXTS, min_size=1, max_size=3),
    TEXTS,
    TEXTS,
)
def test_a_filter_means_the_same_on_every_release(
    kind: str, values: list[str], before: str, after: str
) -> None:
    negated, test = kind.startswith("not_"), kind.removeprefix("not_")
    sent = wire(Filter("pathname", kind, values))
    for text in (before + values[0] + after, before + values[0], values[0] + after, before):
        wanted = any(passes(test, value, text, old=False) for value in values) is not negated
        assert all(holds(one, text, old=True) for one in sent) is wanted
        assert all(holds(one, text, old=False) for one in sent) is wanted


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
    text = error_of(query, filters=[Filter("region", "equals", ["ü" * 4000])])
    assert text.startswith("filters must take at most 20,000 characters in the URL, got 24,")
    query(filters=[Filter("region", "equals", ["x" * 4000])])


WARNED: list[tuple[Filter, str]] = [
    (Filter.contains("user_id", "a"), "behaves as not_equals on servers before 2.6"),
    (Filter.not_contains("user_id", "a"), "behaves as not_equals on servers before 2.6"),
    (Filter.regex("user_id", "a"), "behaves as not_equals on servers before 2.6"),
    (Filter.not_regex("user_id", "a", "b"), "behaves as not_equals on servers before 2.6"),
    (Filter.not_equals("lat", 1), "behaves as equals on servers before 2.7"),
    (Filter.not_equals("lon", "1.5", 2), "behaves as equals on servers before 2.7"),
    (Filter.contains("entry_page", "a", "a_b"), "wildcards on servers before 2.8"),
    (Filter.contains("exit_page", "%"), "wildcards on servers before 2.8"),
    (Filter.contains("event_name", "a_b"), "wildcards on servers before 2.8"),
    (Filter.not_contains("entry_page", "a", "a_b"), "wildcards on servers before 2.8"),
    (Filter.contains("pathname", "_" * 501), "wildcards on servers before 2.8"),
    (Filter.not_equals("event_name", "a", "b"), "holds for nearly every session"),
    (Filter.not_contains("event_name", "a"), "holds for nearly every session"),
    (Filter.not_regex("event_name", "a"), "holds for nearly every session"),
    (Filter.is_null("event_name"), "holds for nearly every session"),
    (Filter.equals("operating_system_version", "macOS 14", "Windows 10"), "Windows 10/11"),
    (Filter.equals("browser_version", 120), "such as 'Chrome 120'"),
    (Filter.not_equals("browser_version", "120"), "such as 'Chrome 120'"),
    (Filter.equals("city", "London"), "such as 'GB-ENG-London'"),
    (Filter.equals("dimensions", "1920"), "such as '1920x1080'"),
    (Filter.equals("referrer", "www.google.com"), "such as 'google.com'"),
    (Filter.equals("referrer", "https://google.com"), "such as 'google.com'"),
]


@pytest.mark.parametrize(("one", "text"), WARNED, ids=[str(one)[6:60] for one, _ in WARNED])
def test_filters_that_some_servers_answer_wrongly_warn(one: Filter, text: str) -> None:
    with pytest.warns(RybbitWarning) as caught:
        query(filters=[one, one])
    assert len(caught) == 1
    assert text in str(caught[0].message)
    assert one.parameter in str(caught[0].message)


@pytest.mark.parametrize(
    "one",
    [
        Filter.equals("user_id", "a"),
        Filter.not_equals("user_id", "a", "b"),
        Filter.starts_with("user_id", "a_"),
        Filter.equals("lat", 1),
        Filter.contains("entry_page", "/a"),
        Filter.not_equals("entry_page", "/a_b"),
        Filter.is_null("tag"),
        Filter.equals("operating_system_version", "Windows 10/11", "macOS "),
        Filter.contains("operating_system_version", "Windows 10"),
        Filter.contains("browser_version", "120"),
        Filter.equals("city", "-"),
        Filter.equals("referrer", "", "t.co"),
    ],
)
def test_filters_that_every_server_answers_alike_do_not_warn(one: Filter) -> None:
    assert wire(one)


@given(st.lists(filters(), min_size=1, max_size=3))
def test_filters_parse_back(given_ones: list[Filter]) -> None:
    [(name, text)] = parse_qsl(
        query_string(query(filters=given_ones)), strict_parsing=True, keep_blank_values=True
    )
    assert name == "filters"
    sent = json.loads(text)
    assert sent == [row for one in given_ones for row in wire(one)]
    assert [row["parameter"] for row in sent] == [
        one.parameter
        for one in given_ones
        for _ in (one.value if one.type.startswith("not_") else [None])
    ]
    for row in sent:
        Filter(**row)


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


@pytest.mark.parametrize(
    ("parameter", "kind", "meant"),
    [
        ("country", "eq", "equals"),
        ("country", "!=", "not_equals"),
        ("lat", "GTE", "greater_than_or_equal"),
        ("country", "startswith", "starts_with"),
        ("url", "equals", "pathname"),
        ("os", "equals", "operating_system"),
        ("event", "equals", "event_name"),
        ("contry", "equals", "country"),
    ],
)
def test_words_of_other_programs_are_translated(parameter: str, kind: str, meant: str) -> None:
    with pytest.raises(InvalidParameterError, match=rf"\(did you mean '{meant}'\?\)$"):
        Filter(parameter, kind, ["1"])


def test_all_words_lead_to_what_there_is() -> None:
    words = filters_module.PARAMETER_WORDS.values()
    assert {name for names in words for name in names} <= FILTER_PARAMETERS
    words = filters_module.TYPE_WORDS.values()
    assert {name for names in words for name in names} <= {*FILTER_TYPES}


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
            r"^Filter\.value must be a number for lat, got 'x'$",
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
