"""How values look on the wire: numbers out of text, timestamps, JSON, error bodies."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs

__all__ = [
    "Answer",
    "coerced",
    "error",
    "integer_prefix",
    "json_answer",
    "json_text",
    "plain_number",
    "session_template",
    "text_fragment",
    "timestamp",
    "utc_naive",
]

JSON_TYPE = "application/json; charset=utf-8"


@attrs.frozen
class Answer:
    """A whole HTTP answer before it meets a socket."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


# JavaScript's white space, which is not quite Python's.
_SPACE = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_RADIX = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+", re.ASCII)


def plain_number(value: float) -> int | float | None:
    """A number as JavaScript writes it to JSON: whole ones without a fraction, infinity as null."""
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        return None
    if value.is_integer() and abs(value) < 1e21:
        # Through the shortest decimal: 20 digits arrive rounded, with zeros at the end.
        return int(Decimal(repr(value)))
    return value


def coerced(text: str) -> str | int | float | None:
    """What the server makes of a text field: text that looks numeric becomes a number.

    `"404"` 404, `"00123"` 123, `"0x1F"` 31, `"1e5"` 100000, `"   "` 0, `"14.0"` 14, `"Infinity"`
    None; `"NaN"`, `"10.15.7"` and `""` stay.
    """
    if not text:
        return text
    bare = text.strip(_SPACE)
    if not bare:
        return 0
    if _DECIMAL.fullmatch(bare):
        return plain_number(float(bare))
    if _RADIX.fullmatch(bare):
        return plain_number(float(int(bare, 0)))
    if bare in {"Infinity", "+Infinity", "-Infinity"}:
        return None
    return text


def integer_prefix(text: str) -> int | None:
    """The integer at the head of a text, as `parseInt` reads it: `"10abc"` is 10, `""` is None."""
    found = re.match(r"[+-]?[0-9]+", text.lstrip(_SPACE), re.ASCII)
    return int(found[0]) if found else None


def json_text(value: Any) -> str:
    """Compact JSON with the text itself and not its escapes, as the server writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer whose body is `value` as JSON."""
    return Answer(status, json_text(value).encode(), {"Content-Type": JSON_TYPE, **(headers or {})})


def error(status: int, message: str, **more: Any) -> Answer:
    """The usual error body: `{"error": message}` and what is added to it."""
    return json_answer({"error": message, **more}, status)


def timestamp(moment: datetime) -> str:
    """UTC with a space and no zone; up to six fraction digits, zeros at the end dropped."""
    text = f"{moment:%Y-%m-%d %H:%M:%S}"
    if len(text) < 19:  # a year before 1000, which strftime does not pad everywhere
        text = text.rjust(19, "0")
    if moment.microsecond:
        text += f".{moment.microsecond:06d}".rstrip("0")
    return text


def utc_naive(moment: datetime, what: str) -> datetime:
    """An aware time as UTC without a zone, as the tables hold it.

    Raises `ValueError` naming `what` for a time without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{what}={moment!r}: an aware datetime is needed, such as one in UTC")
    return moment.astimezone(UTC).replace(tzinfo=None)


_fragments: dict[str, str] = {}


def text_fragment(text: str | None) -> str:
    """JSON of a coerced text field. Remembered, since few texts make up most of a page."""
    if text is None:
        return "null"
    found = _fragments.get(text)
    if found is None:
        if len(_fragments) > 100_000:
            _fragments.clear()
        found = _fragments[text] = json_text(coerced(text))
    return found


def session_template(keys: tuple[str, ...]) -> str:
    """A `%`-template of one JSON object with these keys, to be filled with JSON fragments."""
    return "{" + ",".join(f'"{key}":%s' for key in keys) + "}"
