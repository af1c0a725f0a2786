"""The `filters` of a query: read as each release reads them, and turned into SQL conditions."""

# ruff: noqa: S608 - DuckDB on the tester's own data; text goes through `quoted` or parameters.

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

import attrs

from .releases import Release
from .sql import quoted, value_text

__all__ = [
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


# Parameters that are matched as something other than the column of the same name.
_EXPRESSIONS = {
    "browser_version": "browser || ' ' || browser_version",
    "operating_system_version": "operating_system || ' ' || operating_system_version",
    "dimensions": "screen_width || 'x' || screen_height",
    "city": "region || '-' || city",
    "referrer": (
        "regexp_replace(regexp_extract(referrer, '^[a-z]+://([^/:?#]+)', 1), '^www\\.', '')"
    ),
}
_NUMERIC = frozenset({"lat", "lon"})
_BY_SESSION = frozenset({"entry_page", "exit_page", "event_name"})
_NEGATIONS = {"not_equals": "equals", "not_contains": "contains", "not_regex": "regex"}
_COMPARISONS = {
    "greater_than": ">",
    "less_than": "<",
    "greater_than_or_equal": ">=",
    "less_than_or_equal": "<=",
}


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
    if kind in {"is_null", "is_not_null"}:
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
        or (release.filter_quirks and parameter in _BY_SESSION)
    ):
        raise UnusableFilterError("the regex is too long, or the parameter takes none")
    if release.filter_quirks and parameter == "user_id" and kind == "contains":
        kind = "not_equals"
    return Filter(parameter, kind, texts)


def condition_of(filters: Iterable[Filter], release: Release, within: str) -> str:
    """The SQL condition of the rows that pass all filters.

    `within` is the condition of site and window. What is known only of a whole session (its entry
    page, its exit page, the names of its events) is looked up among the events there. Raises
    `UnusableFilterError` for a comparison with something that is not a number.
    """
    conditions = [_condition(one, release, within) for one in filters]
    return " AND ".join(["TRUE", *conditions]) if conditions else "TRUE"


def _condition(one: Filter, release: Release, within: str) -> str:
    if one.parameter in _BY_SESSION:
        return _by_session(one, release, within)
    if one.parameter in _NUMERIC:
        return _test(one.parameter, one.type, one.values, release, numeric=True)
    expression = _EXPRESSIONS.get(one.parameter, one.parameter)
    return _test(expression, one.type, one.values, release)


def _by_session(one: Filter, release: Release, within: str) -> str:
    chosen = f"session_id IN (SELECT session_id FROM events WHERE {within}"
    if one.parameter == "event_name":
        if one.type == "not_equals" and release.filter_quirks and len(one.values) > 1:
            return "TRUE"
        positive = _NEGATIONS.get(one.type)
        test = _test("event_name", positive or one.type, one.values, release)
        return f"{'NOT ' if positive else ''}({chosen} AND {test}))"
    pick = "arg_min" if one.parameter == "entry_page" else "arg_max"
    page = f"{pick}(pathname, (epoch(timestamp)::BIGINT << 32) | rowid)"
    test = _test(page, one.type, one.values, release)
    return f"{chosen} AND type = 'pageview' GROUP BY session_id HAVING {test})"


def _test(
    expression: str, kind: str, texts: Sequence[str], release: Release, *, numeric: bool = False
) -> str:
    if kind in {"is_null", "is_not_null"}:
        test = f"(({expression}) IS NULL OR ({expression})::VARCHAR = '')"
        return test if kind == "is_null" else f"NOT {test}"
    positive = _NEGATIONS.get(kind)
    tests = [_simple(expression, positive or kind, text, release, numeric) for text in texts]
    if positive is None:
        return "(" + " OR ".join(tests) + ")"
    joint = " OR " if kind == "not_equals" and release.filter_quirks else " AND "
    return "(" + joint.join(f"NOT {test}" for test in tests) + ")"


def _simple(expression: str, kind: str, text: str, release: Release, numeric: bool) -> str:
    value = quoted(text)
    if kind in _COMPARISONS:
        try:
            number = float(text)
        except ValueError:
            raise UnusableFilterError(f"cannot compare with {text!r}") from None
        compared = f"{_COMPARISONS[kind]} CAST('{number!r}' AS DOUBLE)"
        return f"coalesce(TRY_CAST({expression} AS DOUBLE) {compared}, FALSE)"
    if numeric and kind == "equals":
        return f"coalesce({expression} = TRY_CAST({value} AS DOUBLE), FALSE)"
    subject = f"({expression})::VARCHAR" if numeric else f"({expression})"
    if kind == "equals":
        test = f"{subject} = {value}"
    elif kind == "regex":
        test = f"regexp_matches({subject}, {value})"
    elif kind == "contains" and release.filter_quirks:
        test = f"{subject} ILIKE {quoted('%' + text + '%')}"
    else:
        function = {"contains": "contains", "starts_with": "starts_with", "ends_with": "ends_with"}
        test = f"{function[kind]}(lower({subject}), lower({value}))"
    return f"coalesce({test}, FALSE)"
