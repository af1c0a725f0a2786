"""Checks of single values. What a server would refuse or misread is refused here first."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import FrameType
from typing import Any, Final, TypeVar
from urllib.parse import quote

from ..errors import InvalidParameterError, RybbitWarning
from ..models import EventGoal, Goal, PathGoal

__all__ = [
    "check_choice",
    "check_config",
    "check_goal",
    "check_int",
    "check_many",
    "check_name",
    "check_site",
    "check_text",
    "invalid",
    "is_list",
    "query_string",
    "warn",
]

MAX_INT: Final = 2**53 - 1  # the last integer that JavaScript tells from its neighbours
_SITE = re.compile(r"[1-9][0-9]*|[0-9a-fA-F]{12}", re.ASCII)

_T = TypeVar("_T")


def invalid(name: str, value: object, allowed: str) -> InvalidParameterError:
    """The error for a value that is not ``allowed``."""
    try:
        shown = repr(value)
    except ValueError:  # an integer of thousands of digits
        shown = f"<{type(value).__name__}>"
    if len(shown) > 120:
        shown = shown[:117] + "..."
    return InvalidParameterError(f"{name}={shown}: {allowed}")


def check_text(name: str, value: str) -> str:
    """Text that can be sent."""
    if "\0" in value:
        raise invalid(name, value, "text without NUL characters (the server answers 500 to them)")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid(name, value, "text that UTF-8 can hold (it has a lone surrogate)") from None
    return value


def warn(text: str) -> None:
    """Warn with the line of the caller, however deep in this package it is noticed."""
    level = 1
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("rybbit_async."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, RybbitWarning, stacklevel=level)


def check_int(name: str, value: object, *, minimum: int = 1, maximum: int | None = None) -> int:
    """An integer of at least ``minimum`` and at most ``maximum``; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(name, value, f"an integer, at least {minimum}" + _most(maximum))
    if value < minimum or value > (MAX_INT if maximum is None else maximum):
        raise invalid(name, value, f"at least {minimum}" + _most(maximum))
    return int(value)  # not a member of an enumeration, whose text is its name


def _most(maximum: int | None) -> str:
    return "" if maximum is None else f" and at most {maximum}"


def check_choice(name: str, value: _T, choices: Iterable[_T]) -> _T:
    """One of ``choices``, exactly."""
    choices = sorted(choices, key=str)
    for choice in choices:
        if value == choice:
            return choice  # and not a member of an enumeration that is equal to it
    raise invalid(name, value, "one of " + ", ".join(map(str, choices)))


def check_site(site: object) -> str:
    """A site as it stands in a path: its numeric id, or its identifier of 12 hex characters."""
    allowed = "a site's numeric id (1 or more) or its identifier of 12 hexadecimal characters"
    if isinstance(site, int) and not isinstance(site, bool) and 0 < site <= MAX_INT:
        return str(int(site))
    if isinstance(site, str) and _SITE.fullmatch(site) and len(site) < 20:
        return str.__str__(site)
    raise invalid("site", site, allowed)


def check_goal(goal: object) -> int:
    """The id of a goal given as a number or as a ``Goal``."""
    number = goal.goal_id if isinstance(goal, Goal) else goal
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number <= MAX_INT:
        return int(number)
    raise invalid("goal", goal, "a Goal or its numeric id (1 or more)")


def check_name(name: object) -> str | None:
    """A goal's name: text, or ``None`` for a goal without one."""
    if name is None:
        return None
    if not isinstance(name, str):
        raise invalid("name", name, "text or None")
    return check_text("name", name)


def check_config(config: object) -> PathGoal | EventGoal:
    """A goal's configuration that a server can store.

    Raises:
        InvalidParameterError: empty text, NUL, or a property without its other half; newer
            servers answer these with a bare 500.
    """
    if isinstance(config, PathGoal):
        _check_filled("config.path_pattern", config.path_pattern)
        return config
    if not isinstance(config, EventGoal):
        raise invalid("config", config, "a PathGoal or an EventGoal")
    _check_filled("config.event_name", config.event_name)
    key, value = config.property_key, config.property_value
    if (key is None) != (value is None):
        raise InvalidParameterError(
            f"config.property_key={key!r}, config.property_value={value!r}: both or neither"
        )
    if key is not None:
        _check_filled("config.property_key", key)
        if isinstance(value, str):
            check_text("config.property_value", value)
        elif not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
            raise invalid("config.property_value", value, "text, a finite number or a boolean")
    return config


def _check_filled(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise invalid(name, value, "text that is not empty")
    return check_text(name, value)


def is_list(value: object) -> bool:
    """Whether ``value`` holds several values, which text and mappings do not."""
    return isinstance(value, Iterable) and not isinstance(
        value, (str, bytes, bytearray, memoryview, Mapping)
    )


def check_many(name: str, value: Any) -> list[Any]:
    """Several things, and not one that happens to iterate."""
    if not is_list(value):
        raise invalid(name, value, "a list")
    return list(value)


def query_string(query: Mapping[str, str]) -> str:
    """The query as it goes over the wire, every reserved character encoded.

    ``/`` among them: a raw path in a query makes a 2.2 server skip its authentication.
    """
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query.items())


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    # From page to page only the number changes.
    return quote(text, safe="")
