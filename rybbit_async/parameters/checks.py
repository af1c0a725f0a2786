"""Checks of single values: what a server would reject or misread is rejected here first."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import FrameType, MappingProxyType
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

from ..errors import InvalidParameterError, RybbitWarning
from ..models import (
    GOAL_CONFIGS,
    CapturedGoal,
    EventGoal,
    Goal,
    GoalConfig,
    PathGoal,
    PropertyFilter,
)
from ..plain import comparable, index_of, plain, plain_text

__all__ = [
    "check_bool",
    "check_choice",
    "check_config",
    "check_goal",
    "check_int",
    "check_many",
    "check_name",
    "check_seconds",
    "check_segment",
    "check_site",
    "check_text",
    "did_you_mean",
    "integer_text",
    "invalid",
    "is_list",
    "query_string",
    "shown",
    "type_name",
    "warn",
    "wrong_type",
]

MAX_INT: Final = 2**53 - 1  # JavaScript cannot tell larger integers from their neighbours
_MAX_SHOWN: Final = 120
_SITE: Final = r"[1-9][0-9]*|[0-9a-fA-F]{12}"  # patterns are compiled when they are first used

_T = TypeVar("_T")


# --- messages ------------------------------------------------------------------------------------


def invalid(name: str, value: object, must: str, hint: str = "") -> InvalidParameterError:
    """The error for a value of the right type: ``page must be 1 or more, got 0``."""
    return InvalidParameterError(f"{name} must {must}, got {shown(value)}{hint}")


def wrong_type(name: str, value: object, expected: str, hint: str = "") -> InvalidParameterError:
    """The error for a value of another type: ``name: expected str, got int (5)``."""
    got = "None" if value is None else f"{type_name(value)} ({shown(value)})"
    return InvalidParameterError(f"{name}: expected {expected}, got {got}{hint}")


def type_name(value: object) -> str:
    """What an error says of a value that it must not or cannot show."""
    return "None" if value is None else type(value).__name__


def shown(value: object) -> str:
    """The repr of a value in an error message, shortened."""
    try:
        text = repr(value)
    except Exception:  # Python does not write out an integer of thousands of digits, for example
        return f"<{type_name(value)}>"
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def did_you_mean(
    value: object, known: Iterable[str], also: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> str:
    """The end of a message that suggests one of ``known``; empty where none is similar.

    Args:
        value: what was given.
        known: what can be given.
        also: for words that are used elsewhere, what may be meant here.
    """
    from difflib import get_close_matches  # takes 1 ms to import, and only errors need it

    if not isinstance(value, str) or not value:
        return ""
    names = {name.casefold(): name for name in known}
    folded = value.casefold()
    near = [word for word in (folded, *also.get(folded, ())) if word in names]
    near = near or get_close_matches(folded, names, n=1)
    near = near or sorted((name for name in names if name.startswith(folded)), key=len)
    return f" (did you mean {names[near[0]]!r}?)" if near else ""


def warn(text: str) -> None:
    """Warn with a ``RybbitWarning`` that points at the first line outside this package."""
    level = 1
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("rybbit_async."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, RybbitWarning, stacklevel=level)


# --- values of any method ------------------------------------------------------------------------


def check_text(name: str, value: str) -> str:
    """Text that can be sent: no NUL characters, no lone surrogates."""
    value = plain_text(value)
    if "\0" in value:
        raise invalid(name, value, "not contain NUL characters (the server answers 500 to them)")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid(name, value, "be text that UTF-8 can encode (no lone surrogates)") from None
    return value


def integer_text(name: str, value: int) -> str:
    """An integer as it is sent."""
    try:
        return str(value)
    except ValueError:
        digits = sys.get_int_max_str_digits()
        raise invalid(name, value, f"be an integer of at most {digits} digits") from None


def check_int(name: str, value: object, *, minimum: int = 1, maximum: int | None = None) -> int:
    """An integer from ``minimum`` to ``maximum``, both included; ``bool`` is not accepted."""
    number = index_of(value)
    if maximum is None and (number is None or number <= MAX_INT):
        bounds = f"{minimum} or more"
    else:
        bounds = f"between {minimum} and {MAX_INT if maximum is None else maximum}"
    if number is None:
        raise wrong_type(name, value, f"int ({bounds})")
    if number < minimum or number > (MAX_INT if maximum is None else maximum):
        raise invalid(name, number, f"be {bounds}")
    return number


def check_seconds(name: str, value: object) -> float:
    """A number of seconds, more than 0 and less than 30 years."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise invalid(name, value, "be a number of seconds greater than 0")
    return float(value)


def check_bool(name: str, value: object) -> bool:
    """``True`` or ``False``, or a number that is equal to one of them."""
    value = plain(value)
    if isinstance(value, (bool, int, float)) and value in (True, False):
        return bool(value)
    raise wrong_type(name, value, "bool (True or False)")


def check_choice(
    name: str,
    value: _T,
    choices: Iterable[_T],
    also: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> _T:
    """One of ``choices``, which are texts, in its exact spelling; ``also`` as in `did_you_mean`."""
    choices = sorted(choices, key=str)
    value = plain(value)
    if isinstance(value, str) and value in choices:
        return value
    *others, last = map(repr, choices)
    allowed = f"{', '.join(others)} or {last}" if others else last
    raise invalid(name, value, f"be {allowed}", did_you_mean(value, map(str, choices), also))


def is_list(value: object) -> bool:
    """Whether ``value`` is a collection of values, which text and mappings are not."""
    return isinstance(value, Iterable) and not isinstance(
        value, (str, bytes, bytearray, memoryview, Mapping)
    )


def check_many(name: str, value: Any) -> list[Any]:
    """Several values, as a list."""
    if not is_list(value):
        raise wrong_type(name, value, "a list or another iterable")
    return list(value)


# --- sites and goals -----------------------------------------------------------------------------


def check_site(site: object) -> str:
    """A site as it is written in a path: its numeric id, or its identifier of 12 hex characters."""
    site = plain(site)
    if isinstance(site, bool) or not isinstance(site, (int, str)):
        hint = ": use its site_id" if hasattr(site, "site_id") else ""
        raise wrong_type("site", site, f"int or str ({_A_SITE})", hint)
    if isinstance(site, int) and 0 < site <= MAX_INT:
        return str(site)
    if isinstance(site, str) and re.fullmatch(_SITE, site) and len(site) < 20:
        return site
    raise invalid("site", site, f"be {_A_SITE}")


_A_SITE: Final = "a numeric id (1 or more) or an identifier of 12 hexadecimal characters"


def check_goal(goal: object) -> int:
    """The id of a goal that is given as a number or as a ``Goal``."""
    number = index_of(goal.goal_id if isinstance(goal, Goal) else goal)
    if number is None:
        raise wrong_type("goal", goal, "Goal or int (its numeric id)")
    if not 0 < number <= MAX_INT:
        raise invalid("goal", plain(goal), "be a Goal or its numeric id (1 or more)")
    return number


def check_name(name: object) -> str | None:
    """The name of a goal, or ``None`` for a goal without a name."""
    if name is None:
        return None
    if not isinstance(name, str):
        raise wrong_type("name", name, "str or None")
    return check_text("name", name)


def check_segment(segment: object) -> str:
    """The id of a stored segment, as it is written in a query."""
    if isinstance(segment, str):
        _check_filled("segment_id", segment)
        return plain_text(segment)
    if index_of(segment) is None:
        raise wrong_type("segment_id", segment, "int or str")
    return str(check_int("segment_id", segment))


def check_config(config: object) -> GoalConfig:
    """The configuration of a goal, in a form that every server can store.

    Raises:
        InvalidParameterError: a text is empty or contains NUL, only one of ``property_key`` and
            ``property_value`` is set, or they would be ignored beside ``property_filters``. Newer
            servers answer most of these with a bare 500.
    """
    if isinstance(config, PathGoal):
        _check_filled("config.path_pattern", config.path_pattern)
    elif isinstance(config, EventGoal):
        _check_filled("config.event_name", config.event_name)
        _check_pair(config)
    elif isinstance(config, CapturedGoal):
        if config.value_pattern is not None:
            _check_filled("config.value_pattern", config.value_pattern)
            if not config.value_pattern.strip():
                raise invalid("config.value_pattern", config.value_pattern, "not be blank")
    else:
        *names, last = (cls.__name__ for cls in GOAL_CONFIGS.values())
        raise wrong_type("config", config, f"{', '.join(names)} or {last}")
    _check_property_filters(config.property_filters)
    return config


def _check_pair(config: EventGoal) -> None:
    key, value = config.property_key, config.property_value
    if (key is None) != (value is None):
        raise InvalidParameterError(
            "config.property_key and config.property_value must be given together, "
            f"got property_key={shown(key)} and property_value={shown(value)}"
        )
    if key is None:
        return
    _check_property("config.property_", key, value)
    filters = config.property_filters
    pair = (key, comparable(value))
    if filters and not any((one.key, comparable(one.value)) == pair for one in filters):
        raise InvalidParameterError(
            "config.property_filters must contain the property of config.property_key, which "
            f"servers ignore beside them, got property_key={shown(key)} and "
            f"property_filters={shown(filters)}"
        )


def _check_property_filters(filters: object) -> None:
    if filters is None:
        return
    name = "config.property_filters"
    if not isinstance(filters, tuple):
        raise wrong_type(name, filters, "a list of PropertyFilter")
    for index, one in enumerate(cast("tuple[object, ...]", filters)):
        if not isinstance(one, PropertyFilter):
            raise wrong_type(f"{name}[{index}]", one, "PropertyFilter")
        _check_property(f"{name}[{index}].", one.key, one.value)


def _check_property(owner: str, key: object, value: object) -> None:
    _check_filled(f"{owner}key", key)
    if isinstance(value, str):
        check_text(f"{owner}value", value)
    elif not isinstance(value, (int, float)):
        raise wrong_type(f"{owner}value", value, "str, int, float or bool")
    elif not abs(value) <= sys.float_info.max:
        raise invalid(f"{owner}value", value, "be a finite number")


def _check_filled(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise wrong_type(name, value, "str")
    if not value:
        raise invalid(name, value, "not be empty")
    check_text(name, value)


# --- the query string ----------------------------------------------------------------------------


def query_string(query: Mapping[str, str]) -> str:
    """The query as it is sent, with every reserved character encoded.

    ``/`` is encoded too: a path in a query makes a 2.2 server skip its authentication.
    """
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query.items())


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    # The pages of a walk differ only in their number, so nearly all of their texts repeat.
    return quote(text, safe="")
