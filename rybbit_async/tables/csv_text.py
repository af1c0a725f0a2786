"""Cells of CSV: text in quotes and nothing else, and nothing that a spreadsheet would run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from math import isfinite
from typing import Final

__all__ = ["csv_line", "utf8"]

# What spreadsheets take for the beginning of a formula; the wide characters are those of East
# Asian keyboards.
_RISKY: Final = re.compile(r"['\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_QUOTE: Final = '"'
_TWO: Final = '""'


def csv_line(values: Iterable[object], *, raw: bool = False) -> str:
    """Values as a line without its end.

    Args:
        values: text, numbers, booleans and ``None``, which is an empty cell.
        raw: leave text as it is, even if a spreadsheet would run it as a formula. Otherwise such
            text has one ``'`` more at its beginning.
    """
    cell = _raw_cell if raw else _safe_cell
    return ",".join([cell(value) for value in values])


def utf8(text: str) -> bytes:
    """Text in UTF-8, with U+FFFD for halves of characters, which only JSON can have."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _safe_cell(value: object) -> str:
    if isinstance(value, str) and not value[:1].isalnum() and _RISKY.match(value):
        value = f"'{value}"
    return _raw_cell(value)


def _raw_cell(value: object) -> str:
    if isinstance(value, str):
        return f'"{value.replace(_QUOTE, _TWO)}"' if _QUOTE in value else f'"{value}"'
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    return str(value)


def _number(value: float) -> str:
    """A float without an exponent, which some spreadsheets read as text."""
    if not isfinite(value):
        return ""
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text
