"""The plain value that an object of another class stands for: its text, number or boolean.

Programs pass members of enumerations, whose ``str()`` is a name, and the numbers and booleans of
numpy, which are of no class that JSON or ``isinstance`` knows. What is kept, compared and sent is
the plain value, so that nothing else has to think of them.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

__all__ = ["comparable", "index_of", "plain", "plain_float", "plain_int", "plain_text"]

T = TypeVar("T")

# Recognised by their names, since numpy is not a dependency.
_BOOLEANS: Final = frozenset({("numpy", "bool"), ("numpy", "bool_")})


def plain(value: T) -> T:
    """A value as a plain ``str``, ``int``, ``float`` or ``bool``; anything else as it is."""
    kind: Any = type(value)
    if kind in (str, int, float, bool):
        return value
    result: Any = value
    if isinstance(value, str):
        result = plain_text(value)
    elif isinstance(value, float):
        result = float.__pos__(value)
    elif (kind.__module__, kind.__name__) in _BOOLEANS:
        result = bool(value)
    elif (number := index_of(value)) is not None:
        result = number
    return cast("T", result)


def plain_text(value: str) -> str:
    """The text of a ``str``: of a member of an enumeration its value, not its name."""
    return str.__str__(value)


def index_of(value: object) -> int | None:
    """The integer that a value stands for; ``None`` if it is none, as a boolean is not."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(cast("Any", value))
    except TypeError:
        return None


def plain_int(value: int) -> int:
    """``plain``, as the converter of an attribute that is an ``int``."""
    return plain(value)


def plain_float(value: float) -> float:
    """``plain``, and a float for any other number; as the converter of an attribute.

    It is for durations, which need not be exact. What is no number is left for a check.
    """
    result: Any = plain(value)
    if isinstance(result, (bool, str, int, float)) or not hasattr(result, "__float__"):
        return cast("float", result)
    try:
        return float(result)
    except (TypeError, ValueError, OverflowError):
        return value


def comparable(value: object) -> Any:
    """What a JSON value is compared by: as Python does, but a boolean equals no number."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {key: comparable(item) for key, item in items}
    if isinstance(value, list):
        return [comparable(item) for item in cast("list[object]", value)]
    return value
