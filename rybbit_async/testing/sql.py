"""Goals and filters as SQL conditions on the events table."""

# ruff: noqa: S608 - DuckDB on the tester's own data; texts go through `quoted` or parameters.

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from .releases import Release
from .windows import Window
from .wire import json_text, plain_number

__all__ = [
    "FilterError",
    "filter_condition",
    "goal_condition",
    "quoted",
    "scope",
    "value_text",
    "wildcard",
]


class FilterError(Exception):
    """Filters that make the server fail; it answers 500 and does not say why."""


def quoted(text: str) -> str:
    """A DuckDB text literal. NUL cannot stand in a statement, so it is spelled as `chr(0)`."""
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in text.split("\0")]
    return pieces[0] if len(pieces) == 1 else "(" + " || chr(0) || ".join(pieces) + ")"


def scope(site_id: int, window: Window) -> str:
    """The condition of a site's events inside a window."""
    parts = [f"site_id = {site_id}"]
    if window.start is not None:
        parts.append(f"timestamp >= {_moment(window.start)}")
    if window.end is not None:
        parts.append(f"timestamp < {_moment(window.end)}")
    return " AND ".join(parts)


def _moment(value: datetime) -> str:
    return f"TIMESTAMP '{value.isoformat(' ')}'"


def wildcard(pattern: str, column: str) -> str:
    """`*` matches within a segment, `**` across segments; everything else is literal."""
    if "*" not in pattern:
        return f"{column} = {quoted(pattern)}"
    pieces = re.split(r"(\*+)", pattern)
    expression = "".join(
        (".*" if len(piece) > 1 else "[^/]+") if piece.startswith("*") else _escaped(piece)
        for piece in pieces
    )
    return f"regexp_full_match({column}, {quoted(expression)}, 's')"


def _escaped(text: str) -> str:
    return re.sub(r"([][\\.^$+?(){}|*])", r"\\\1", text)


def value_text(value: object) -> str:
    """A property value as text, since events may hold it as text or as itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json_text(plain_number(value))
    return str(value)


def goal_condition(goal_type: str, config: Mapping[str, Any]) -> str:
    """The condition of the events that convert a goal."""
    if goal_type == "path":
        return "type = 'pageview' AND " + wildcard(str(config.get("pathPattern", "")), "pathname")
    if goal_type == "event":
        parts = [
            "type = 'custom_event'",
            f"event_name = {quoted(str(config.get('eventName', '')))}",
        ]
        wanted: list[tuple[str, object]] = []
        if config.get("eventPropertyKey") is not None:
            wanted.append((config["eventPropertyKey"], config.get("eventPropertyValue")))
        pairs = config.get("propertyFilters") or ()
        wanted.extend((pair["key"], pair["value"]) for pair in pairs)
        for key, value in wanted:
            pointer = "/" + str(key).replace("~", "~0").replace("/", "~1")
            found = f"json_extract_string(props, {quoted(pointer)})"
            parts.append(f"{found} = {quoted(value_text(value))}")
        return " AND ".join(parts)
    condition = f"type = {quoted(goal_type)}"
    if config.get("valuePattern"):
        condition += " AND " + wildcard(str(config["valuePattern"]), "event_name")
    return condition


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


def filter_condition(raw: Sequence[str], release: Release, within: str) -> str:
    """The condition of the events that pass the `filters` of a query, given as often as it was.

    `within` is the condition of site and window: what is known only of a whole session (its
    entry page, its exit page, that it has an event of some name) is looked up there. Raises
    `FilterError` for what the server cannot read. A regex is checked by the database itself.
    """
    if not raw:
        return "TRUE"
    if len(raw) > 1:
        raise FilterError("filters given twice")
    if not raw[0]:
        return "TRUE"
    try:
        filters = json.loads(raw[0])
    except (ValueError, RecursionError) as broken:
        raise FilterError("filters is not JSON") from broken
    if not isinstance(filters, list):
        raise FilterError("filters is not an array")
    listed = cast("list[object]", filters)
    return " AND ".join(["TRUE", *(_one(one, release, within) for one in listed)])


def _one(one: object, release: Release, within: str) -> str:
    if not isinstance(one, dict):
        raise FilterError("a filter is not an object")
    held = cast("dict[str, Any]", one)
    parameter, kind, values = held.get("parameter"), held.get("type"), held.get("value")
    if not isinstance(parameter, str) or not isinstance(kind, str):
        raise FilterError("parameter or type is not text")
    if parameter not in release.filter_parameters or kind not in release.filter_types:
        raise FilterError("unknown parameter or type")
    if kind in {"is_null", "is_not_null"}:
        values = [""]
    if not isinstance(values, list) or not values:
        raise FilterError("value is not a filled array")
    listed = cast("list[object]", values)
    if any(isinstance(value, bool) or not isinstance(value, str | int | float) for value in listed):
        raise FilterError("a value is neither text nor a number")
    texts = [value_text(value) for value in listed]
    if kind in {"regex", "not_regex"} and (
        any(len(text) > 500 for text in texts)
        or (release.filter_quirks and parameter in _BY_SESSION)
    ):
        raise FilterError("regex refused")
    if release.filter_quirks and parameter == "user_id" and kind == "contains":
        kind = "not_equals"
    if parameter in _BY_SESSION:
        return _by_session(parameter, kind, texts, release, within)
    if parameter in _NUMERIC:
        return _test(parameter, kind, texts, release, numeric=True)
    return _test(_EXPRESSIONS.get(parameter, parameter), kind, texts, release)


def _by_session(parameter: str, kind: str, texts: list[str], release: Release, within: str) -> str:
    chosen = f"session_id IN (SELECT session_id FROM events WHERE {within}"
    if parameter == "event_name":
        if kind == "not_equals" and release.filter_quirks and len(texts) > 1:
            return "TRUE"
        positive = _NEGATIONS.get(kind)
        test = _test("event_name", positive or kind, texts, release)
        return f"{'NOT ' if positive else ''}({chosen} AND {test}))"
    pick = "arg_min" if parameter == "entry_page" else "arg_max"
    page = f"{pick}(pathname, (epoch(timestamp)::BIGINT << 32) | rowid)"
    test = _test(page, kind, texts, release)
    return f"{chosen} AND type = 'pageview' GROUP BY session_id HAVING {test})"


def _test(
    expression: str, kind: str, texts: list[str], release: Release, *, numeric: bool = False
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
            raise FilterError("not a number") from None
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
