"""How values look in a response: numbers in place of text, timestamps, JSON, error bodies."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs

__all__ = [
    "Response",
    "coerced",
    "error_response",
    "integer_prefix",
    "json_response",
    "json_text",
    "object_template",
    "plain_number",
    "text_fragment",
    "timestamp",
    "utc_naive",
]

JSON_TYPE = "application/json; charset=utf-8"


@attrs.frozen
class Response:
    """A whole HTTP response, before it is sent."""

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
    """A number as JavaScript writes it to JSON: `14.0` is 14, infinity is null."""
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        return None
    if value.is_integer() and abs(value) < 1e21:
        # Through the shortest decimal: 20 digits arrive rounded, with zeros at the end.
        return int(Decimal(repr(value)))
    return value


def coerced(text: str) -> str | int | float | None:
    """A text field as the server sends it: text that looks numeric becomes a number.

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
    """The integer at the start of a text, as JavaScript's `parseInt` reads it.

    `"10abc"` and `"10.5"` are 10. A text that does not start with an integer is None.
    """
    found = re.match(r"[+-]?[0-9]+", text.lstrip(_SPACE), re.ASCII)
    return int(found[0]) if found else None


def json_text(value: Any) -> str:
    """Compact JSON that keeps non-ASCII characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response whose body is `value` as JSON."""
    return Response(
        status, json_text(value).encode(), {"Content-Type": JSON_TYPE, **(headers or {})}
    )


def error_response(status: int, message: str, **more: Any) -> Response:
    """The usual error body: `{"error": message}` and the keys of `more`."""
    return json_response({"error": message, **more}, status)


def timestamp(moment: datetime) -> str:
    """UTC with a space and no zone, and up to six fraction digits without trailing zeros."""
    text = f"{moment:%Y-%m-%d %H:%M:%S}"
    if len(text) < 19:  # years before 1000: strftime does not pad them on every platform
        text = text.rjust(19, "0")
    if moment.microsecond:
        text += f".{moment.microsecond:06d}".rstrip("0")
    return text


def utc_naive(moment: datetime, what: str) -> datetime:
    """An aware time as naive UTC, as the tables hold it.

    Raises `ValueError` naming `what` for a naive time.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{what} must be an aware datetime, for example in UTC, got {moment!r}")
    return moment.astimezone(UTC).replace(tzinfo=None)


_fragments: dict[str, str] = {}


def text_fragment(text: str | None) -> str:
    """JSON of a coerced text field. Kept, because few texts make up most of a page."""
    if text is None:
        return "null"
    found = _fragments.get(text)
    if found is None:
        if len(_fragments) > 100_000:
            _fragments.clear()
        found = _fragments[text] = json_text(coerced(text))
    return found


def object_template(keys: Sequence[str]) -> str:
    """A `%` template of a JSON object with these keys, to be filled with JSON values."""
    return "{" + ",".join(f'"{key}":%s' for key in keys) + "}"
