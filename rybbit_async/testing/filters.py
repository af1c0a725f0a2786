"""The `filters` of a query: read as each release reads them, and turned into SQL conditions."""

# ruff: noqa: S608 - DuckDB on the tester's own data; text goes through `quoted` or parameters.

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, cast

import attrs

from .queries.columns import ATTRIBUTED_CHANNEL, POSITION
from .releases import Release
from .sql import quoted, value_text

__all__ = [
    "EXPRESSIONS",
    "Filter",
    "FilterError",
    "InvalidFilterError",
    "MalformedFiltersError",
    "UnusableFilterError",
    "condition_of",
    "parse_filters",
]


class FilterError(Exception):
    """Filters for which the server answers 500."""


class MalformedFiltersError(FilterError):
    """`filters` is not JSON."""


class InvalidFilterError(FilterError):
    """`filters` is JSON, but not an array of filters that the release knows."""


class UnusableFilterError(FilterError):
    """The filters are valid, but the database cannot run the query that they make."""


@attrs.frozen
class Filter:
    """One filter, already checked."""

    parameter: str
    type: str
    values: tuple[str, ...]


EXPRESSIONS = {
    "browser_version": "browser || ' ' || browser_version",
    "operating_system_version": "operating_system || ' ' || operating_system_version",
    "dimensions": "screen_width || 'x' || screen_height",
    "city": "region || '-' || city",
    # The domain without www, also where the referrer has no scheme.
    "referrer": (
        "regexp_extract(referrer, '^(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://)?(?:www[.])?([^/:?#]+)', 1)"
    ),
}
"""Parameters whose value is something other than the column of the same name."""
_NUMERIC = frozenset({"lat", "lon"})
_PAGES = {"entry_page": "arg_min", "exit_page": "arg_max"}
_NEGATIONS = {"not_equals": "equals", "not_contains": "contains", "not_regex": "regex"}
_COMPARISONS = {
    "greater_than": ">",
    "less_than": "<",
    "greater_than_or_equal": ">=",
    "less_than_or_equal": "<=",
}
_NULL_TESTS = frozenset({"is_null", "is_not_null"})
_NO_REGEX_ON = frozenset({"event_name", *_PAGES})


def parse_filters(given: Sequence[str], release: Release) -> list[Filter]:
    """The filters of a query, where `given` are all values of its parameter `filters`.

    Raises `FilterError` where the server answers 500. The syntax of a regex is left to the
    database.
    """
    if len(given) > 1:
        raise InvalidFilterError("filters must be given once")
    if not given or not given[0]:
        return []
    try:
        filters = json.loads(given[0])
    except (ValueError, RecursionError) as error:
        raise MalformedFiltersError("filters must be JSON") from error
    if not isinstance(filters, list):
        raise InvalidFilterError("filters must be an array")
    return [_parse(one, release) for one in cast("list[object]", filters)]


def _parse(one: object, release: Release) -> Filter:
    if not isinstance(one, dict):
        raise InvalidFilterError("a filter must be an object")
    held = cast("dict[str, Any]", one)
    parameter, kind, values = held.get("parameter"), held.get("type"), held.get("value")
    if not isinstance(parameter, str) or parameter not in release.filter_parameters:
        raise InvalidFilterError(f"unknown filter parameter {parameter!r}")
    if not isinstance(kind, str) or kind not in release.filter_types:
        raise InvalidFilterError(f"unknown filter type {kind!r}")
    if kind in _NULL_TESTS:
        values = [""]
    if not isinstance(values, list):
        raise InvalidFilterError("value must be an array")
    if not values:
        raise UnusableFilterError("value must not be empty")
    listed = cast("list[object]", values)
    if any(isinstance(value, bool) or not isinstance(value, str | int | float) for value in listed):
        raise InvalidFilterError("each value must be text or a number")
    texts = tuple(value_text(value) for value in listed)
    if kind in {"regex", "not_regex"} and (
        any(len(text) > 500 for text in texts)
        or (release.session_regexes_fail and parameter in _NO_REGEX_ON)
    ):
        raise UnusableFilterError("the regex is too long, or the parameter takes none")
    if release.user_id_equality_only and parameter == "user_id" and kind != "equals":
        kind = "not_equals"
    return Filter(parameter, kind, texts)


def condition_of(
    filters: Iterable[Filter], release: Release, within: str, *, of_events: bool = False
) -> str:
    """The SQL condition of the rows that pass all filters.

    `within` is the condition of site and window. What is known only of a whole session (its entry
    page, its exit page, the names of its events) is looked up among the events there. With
    `of_events`, names are those of the rows themselves. Raises `UnusableFilterError` for a test
    that the database cannot run.
    """
    conditions = [
        _text_test("event_name", one, release, comparable=True)
        if of_events and one.parameter == "event_name"
        else _condition(one, release, within)
        for one in filters
    ]
    return " AND ".join(["TRUE", *conditions]) if conditions else "TRUE"


def _condition(one: Filter, release: Release, within: str) -> str:
    if one.parameter in _NUMERIC:
        return _number_test(one, release)
    sessions = f"session_id IN (SELECT session_id FROM events WHERE {within}"
    if one.parameter == "event_name":
        # Any event will do, for negations too: each session has a page view, whose name is empty.
        return f"{sessions} AND {_text_test('event_name', one, release, comparable=True)})"
    value = None
    if one.parameter in _PAGES:
        sessions += " AND type = 'pageview'"
        value = f"{_PAGES[one.parameter]}(pathname, {POSITION})"
    elif one.parameter == "channel":
        value = _SESSION_CHANNELS[release.channel_filter]
    if value is None:
        expression = EXPRESSIONS.get(one.parameter, one.parameter)
        return _text_test(expression, one, release)
    test = _text_test(value, one, release, comparable=True)
    return f"{sessions} GROUP BY session_id HAVING {test})"


_SESSION_CHANNELS = {
    "event": None,
    "first": f"arg_min(channel, {POSITION})",
    "attributed": ATTRIBUTED_CHANNEL,
}


def _number_test(one: Filter, release: Release) -> str:
    """The condition on a column of numbers. There are no tests of text or NULL on it."""
    kind = one.type
    if kind == "not_equals" and not release.coordinates_negated:
        kind = "equals"
    operator = _COMPARISONS.get(kind, "=")
    if kind not in {"equals", "not_equals", "contains", "not_contains", *_COMPARISONS}:
        raise UnusableFilterError(f"a number has no test {kind!r}")
    tests = [
        f"coalesce({one.parameter} {operator} TRY_CAST({quoted(text)} AS DOUBLE), FALSE)"
        for text in one.values
    ]
    if kind in _COMPARISONS and not all(map(_is_number, one.values)):
        raise UnusableFilterError(f"a number cannot be compared with {one.values!r}")
    joined = _any(tests)
    return f"NOT {joined}" if kind == "not_equals" else joined


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _text_test(expression: str, one: Filter, release: Release, *, comparable: bool = False) -> str:
    """The condition on text. Most parameters are not `comparable` with greater and less."""
    kind, texts = one.type, one.values
    if kind in _NULL_TESTS:
        test = f"(({expression}) IS NULL OR ({_padded(expression)}) = '')"
        return test if kind == "is_null" else f"NOT {test}"
    if kind in _COMPARISONS:
        if not comparable:
            raise UnusableFilterError("text cannot be compared with a number")
        return _any(f"({expression}) {_COMPARISONS[kind]} {quoted(text)}" for text in texts)
    positive = _NEGATIONS.get(kind, kind)
    if positive == "regex":
        texts = texts[:1]  # the others are ignored
    tests = [_text_match(expression, positive, text, release) for text in texts]
    if positive == kind:
        return _any(tests)
    if kind != "not_regex" and release.negations_ored:
        return _any(f"NOT {test}" for test in tests)
    return f"NOT {_any(tests)}"


def _text_match(expression: str, kind: str, text: str, release: Release) -> str:
    value = quoted(text)
    if kind == "equals":
        test = f"({_padded(expression)}) = {value}"
    elif kind == "regex":
        test = f"regexp_matches(({expression}), {value})"
    elif kind == "contains" and release.contains_wildcards:
        test = f"({expression}) LIKE {quoted('%' + text + '%')}"
    else:
        function = {"contains": "contains", "starts_with": "starts_with", "ends_with": "ends_with"}
        test = f"{function[kind]}({expression}, {value})"
    return f"coalesce({test}, FALSE)"


def _padded(expression: str) -> str:
    """The expression without the NULs that fill up a country: they do not count in a comparison."""
    return "rtrim(country, chr(0))" if expression == "country" else expression


def _any(tests: Iterable[str]) -> str:
    return "(" + " OR ".join(tests) + ")"
