"""Pieces of SQL: literals, and the conditions of windows and goals on the events table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .windows import Window
from .wire import json_text, plain_number

__all__ = [
    "goal_condition",
    "literal",
    "quoted",
    "scope",
    "value_text",
    "wildcard",
]


def quoted(text: str) -> str:
    """A DuckDB text literal. A statement cannot contain NUL, so it is written as `chr(0)`."""
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in text.split("\0")]
    return pieces[0] if len(pieces) == 1 else "(" + " || chr(0) || ".join(pieces) + ")"


def literal(value: object) -> str:
    """A DuckDB literal of text, a number, or None."""
    if value is None:
        return "NULL"
    return quoted(value) if isinstance(value, str) else repr(value)


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
    """The condition that a path matches: `*` within a segment, `**` across segments."""
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
    """A property value as text. Events may hold the value as text or as a number or boolean."""
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
