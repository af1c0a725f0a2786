"""Single JSON values, converted to what a field's annotation says. No I/O, no classes.

Servers send numbers in several forms, so these functions accept more than one: see each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

from attrs import frozen

from .json import deeper_than

__all__ = [
    "REPAIRS",
    "Genuine",
    "MisfitError",
    "Sent",
    "check_depth",
    "number_text",
    "to_bool",
    "to_datetime",
    "to_float",
    "to_int",
    "to_list",
    "to_mapping",
    "to_scalar",
    "to_text",
]


class Genuine:
    """Holds the class ``datetime`` itself, by which fields are recognised and times are made.

    Libraries that freeze the time in tests replace every ``datetime`` that is a name of a module by
    a subclass, also in modules that are imported meanwhile. They leave attributes of classes alone.
    """

    datetime: Final[type[datetime]] = next(
        cls for cls in datetime.__mro__ if cls.__module__ == "datetime"
    )


# Name in JSON -> text that servers send -> what it means. It holds for every model with a text
# field of that name: an unknown country is two NUL characters.
REPAIRS: Final[Mapping[str, Mapping[str, str]]] = {"country": {"\0\0": ""}}


@frozen
class Sent:
    """A value of a body, in the text of an error.

    It stays whole until its secrets are removed: a secret that is cut in two is not recognised.
    """

    value: object

    def text(self, redact: Callable[[str], str]) -> str:
        """The type of the value, and the value itself, shortened."""
        value, name = self.value, type(self.value).__name__
        if value is None or isinstance(value, (dict, list)):
            return str(value) if value is None else name
        text = repr(redact(value)) if isinstance(value, str) else redact(repr(value))
        return f"{name} ({text if len(text) <= 60 else text[:57] + '...'})"


class MisfitError(ValueError):
    """A value does not fit; ``messages.decode`` makes an ``APIResponseError`` of it.

    Args:
        parts: of the text that says what is wrong.
        path: where in the body; empty for the whole body.
    """

    def __init__(self, *parts: str | Sent, path: str = "") -> None:
        super().__init__(*parts)
        self.parts = parts
        self.path = path

    def at(self, path: str) -> MisfitError:
        """The same error at another place."""
        return MisfitError(*self.parts, path=path)

    def text(self, redact: Callable[[str], str] = str) -> str:
        """What is wrong, without secrets."""
        parts = (part.text(redact) if isinstance(part, Sent) else part for part in self.parts)
        return redact("".join(parts))

    def __str__(self) -> str:
        return f"{self.path or 'the body'}: {self.text()}"


def to_text(value: object) -> str:
    """Text, or a number: servers turn text that looks like a number into one."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_text(value)
    raise _misfit("str", value)


def to_int(value: object) -> int:
    """An integer, also one written as text (totals are) or as a float without a fraction."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 20:
            return int(value)
    raise _misfit("int", value)


def to_float(value: object) -> float:
    """A finite number, also one written as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    elif isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise _misfit("float", value)


def to_bool(value: object) -> bool:
    """``true`` or ``false``, and nothing else."""
    if isinstance(value, bool):
        return value
    raise _misfit("bool", value)


def to_datetime(value: object) -> datetime:
    """An aware datetime in UTC.

    The documentation has times with ``T`` and ``Z``, servers send them with a space and without a
    time zone. Both are UTC.
    """
    if isinstance(value, str):
        try:
            moment = Genuine.datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if moment.tzinfo is None:
                return moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
    raise _misfit("an ISO 8601 time", value)


def to_mapping(value: object) -> dict[str, Any]:
    """A JSON object."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise _misfit("dict", value)


def to_list(value: object) -> list[Any]:
    """A JSON array."""
    if isinstance(value, list):
        return value  # pyright: ignore[reportUnknownVariableType]  # JSON
    raise _misfit("list", value)


def to_scalar(value: object) -> str | int | float | bool | None:
    """Text, a number, a boolean or null, with the type that it was sent with."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise _misfit("str, int, float or bool", value)


def number_text(value: float) -> str:
    """A number as a server wrote it, which is as JavaScript does: ``14``, ``0.1``, ``1e-7``."""
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    if not value:
        return "0"  # -0.0 too
    digits = repr(value)  # the shortest digits that identify the number, as in JavaScript
    if 1e-6 <= abs(value) < 1e21:
        if "e" in digits:  # Python uses an exponent below 1e-4 and from 1e16 on, JavaScript later
            from decimal import Decimal  # takes its time to import, and is seldom needed

            digits = f"{Decimal(digits):f}"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    mantissa, _, power = digits.partition("e")
    return f"{mantissa}e{power[0]}{power[1:].lstrip('0')}"


def check_depth(value: object, levels: int) -> None:
    """Raise ``MisfitError`` if lists and objects are nested more than ``levels`` deep."""
    if deeper_than(value, levels):
        raise MisfitError("nested too deeply")


def _misfit(expected: str, value: object) -> MisfitError:
    return MisfitError(f"expected {expected}, got ", Sent(value))
