"""Pieces of SQL: literals, patterns, and the condition of a window on the events table."""

from __future__ import annotations

import re
from datetime import datetime

from .windows import Window
from .wire import json_text, plain_number

__all__ = [
    "escaped",
    "literal",
    "pointer",
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


def pointer(key: str) -> str:
    """The JSON pointer to the property `key` of an object."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


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


def wildcard(pattern: str, column: str, *, one: str = "[^/]+") -> str:
    """The condition that text matches: `**` stands for any text, `*` for what `one` matches."""
    if "*" not in pattern:
        return f"{column} = {quoted(pattern)}"
    pieces = re.split(r"(\*+)", pattern)
    expression = "".join(
        (one if piece == "*" else ".*") if piece.startswith("*") else escaped(piece)
        for piece in pieces
    )
    return f"regexp_full_match({column}, {quoted(expression)}, 's')"


def escaped(text: str) -> str:
    """Text as a regular expression that matches it."""
    return re.sub(r"([][\\.^$+?(){}|*])", r"\\\1", text)


def value_text(value: object) -> str:
    """A property value as text. Events may hold the value as text or as a number or boolean."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json_text(plain_number(value))
    return str(value)
