"""What a caller passes, checked and turned into query parameters. Pure: no I/O, no clock.

The servers answer most mistakes with data of all time or with a bare 500, so whatever can be
known to be wrong is refused here, with the parameter, the value and what is allowed.
"""

from __future__ import annotations

import difflib
import inspect
import json
import re
import sys
import warnings
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from types import FrameType
from typing import Any, Final, TypedDict, TypeVar, cast
from urllib.parse import quote

from attrs import field, frozen

from .errors import InvalidParameterError, RybbitWarning
from .models import EventGoal, Goal, PathGoal

__all__ = [
    "FILTER_PARAMETERS",
    "FILTER_TYPES",
    "CommonParameters",
    "Filter",
    "check_choice",
    "check_config",
    "check_goal",
    "check_int",
    "check_many",
    "check_name",
    "check_site",
    "check_text",
    "common_query",
    "freeze",
    "is_frozen",
    "is_past",
    "is_relative",
    "query_string",
    "thaw",
    "warn",
]

FILTER_PARAMETERS: Final = frozenset(
    [
        "browser",
        "browser_version",
        "operating_system",
        "operating_system_version",
        "device_type",
        "dimensions",
        "language",
        "country",
        "region",
        "city",
        "timezone",
        "lat",
        "lon",
        "pathname",
        "page_title",
        "hostname",
        "querystring",
        "referrer",
        "entry_page",
        "exit_page",
        "channel",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_term",
        "utm_content",
        "user_id",
        "event_name",
        "tag",
    ]  # ``tag``: 2.14 and newer
)
FILTER_TYPES: Final = (
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "regex",
    "not_regex",
    "greater_than",
    "less_than",
    "starts_with",  # 2.14 and newer
    "ends_with",  # 2.14 and newer
)
MAX_REGEX: Final = 500
MAX_INT: Final = 2**53 - 1  # the last integer that JavaScript tells from its neighbours
# Servers answer 431 somewhat above 20 KB of URL.
MAX_FILTERS: Final = 20_000

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SITE = re.compile(r"[1-9][0-9]*|[0-9a-fA-F]{12}", re.ASCII)
# What RE2 cannot do: look-around, atomic groups, conditionals, back-references, comments.
# And possessive quantifiers, and more than a thousand repetitions.
_NOT_RE2 = re.compile(
    r"\(\?(?:[=!>(#|]|<[=!]|P=)|\\[1-9]|\\k[<{']|(?:[*+?]|\{\d+(?:,\d*)?\})\+"
    r"|\{(?:\d+,)?(?:[1-9]\d{4,}|[2-9]\d{3}|1(?!000)\d{3})(?:,\d*)?\}",
    re.ASCII,
)
# Escaped characters and character classes, in which the above would mean something else.
_ESCAPES = re.compile(r"\\(?:[pPx]\{[^}]*\}|[^1-9k])")
_CLASSES = re.compile(r"\[\^?\]?[^\]]*\]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# Of what Python's own compiler minds, that which every dialect minds.
_MALFORMED = (
    "missing ), unterminated subpattern",
    "unbalanced parenthesis",
    "unterminated character set",
    "nothing to repeat",
    "multiple repeat",
    "bad escape (end of pattern)",
)

_T = TypeVar("_T")


def _invalid(name: str, value: object, allowed: str) -> InvalidParameterError:
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
        raise _invalid(name, value, "text without NUL characters (the server answers 500 to them)")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _invalid(name, value, "text that UTF-8 can hold (it has a lone surrogate)") from None
    return value


def warn(text: str) -> None:
    """Warn with the line of the caller, however deep in this package it is noticed."""
    level = 1
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("rybbit_async."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, RybbitWarning, stacklevel=level)


def check_int(name: str, value: object, *, least: int = 1, most: int | None = None) -> int:
    """An integer of at least ``least`` and at most ``most``; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(name, value, f"an integer, at least {least}" + _most(most))
    if value < least or value > (MAX_INT if most is None else most):
        raise _invalid(name, value, f"at least {least}" + _most(most))
    return int(value)  # not a member of an enumeration, whose text is its name


def _most(most: int | None) -> str:
    return "" if most is None else f" and at most {most}"


def check_choice(name: str, value: _T, choices: Iterable[_T]) -> _T:
    """One of ``choices``, exactly."""
    choices = sorted(choices, key=str)
    for choice in choices:
        if value == choice:
            return choice  # and not a member of an enumeration that is equal to it
    raise _invalid(name, value, "one of " + ", ".join(map(str, choices)))


def check_site(site: object) -> str:
    """A site as it stands in a path: its numeric id, or its identifier of 12 hex characters."""
    allowed = "a site's numeric id (1 or more) or its identifier of 12 hexadecimal characters"
    if isinstance(site, int) and not isinstance(site, bool) and 0 < site <= MAX_INT:
        return str(int(site))
    if isinstance(site, str) and _SITE.fullmatch(site) and len(site) < 20:
        return str.__str__(site)
    raise _invalid("site", site, allowed)


def check_goal(goal: object) -> int:
    """The id of a goal given as a number or as a ``Goal``."""
    number = goal.goal_id if isinstance(goal, Goal) else goal
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number <= MAX_INT:
        return int(number)
    raise _invalid("goal", goal, "a Goal or its numeric id (1 or more)")


def check_name(name: object) -> str | None:
    """A goal's name: text, or ``None`` for a goal without one."""
    if name is None:
        return None
    if not isinstance(name, str):
        raise _invalid("name", name, "text or None")
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
        raise _invalid("config", config, "a PathGoal or an EventGoal")
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
            raise _invalid("config.property_value", value, "text, a finite number or a boolean")
    return config


def _check_filled(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _invalid(name, value, "text that is not empty")
    return check_text(name, value)


# --- filters -----------------------------------------------------------------------------------


def _is_list(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(
        value, (str, bytes, bytearray, memoryview, Mapping)
    )


def check_many(name: str, value: Any) -> list[Any]:
    """Several things, and not one that happens to iterate."""
    if not _is_list(value):
        raise _invalid(name, value, "a list")
    return list(value)


def _values(value: Any) -> tuple[Any, ...]:
    if not _is_list(value):
        raise _invalid("Filter value", value, 'a list of values, such as ["US", "CA"]')
    return tuple(value)


def _check_regex(pattern: str) -> None:
    name = "Filter value"
    if len(pattern) > MAX_REGEX:
        allowed = f"a regular expression of at most {MAX_REGEX} characters"
        raise _invalid(name, pattern, f"{allowed}, not {len(pattern)}")
    found = _NOT_RE2.search(_CLASSES.sub("x", _ESCAPES.sub("x", pattern)))
    if found:
        raise _invalid(name, pattern, f"a regular expression of RE2, without {found.group()!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python has opinions about "[[:alpha:]]"
            re.compile(pattern)
    except (OverflowError, RecursionError) as error:
        raise _invalid(name, pattern, f"a simpler regular expression: {error}") from None
    except re.error as error:
        if error.msg in _MALFORMED:
            raise _invalid(name, pattern, f"a regular expression: {error}") from None


def _is_number(value: str | int | float) -> bool:
    # Not all that float() takes: no "nan", no "1_000", no digits of other scripts.
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return abs(value) <= sys.float_info.max


@frozen
class Filter:
    """One condition on the sessions that are counted; several of them must all hold.

    Args:
        parameter: what is looked at, one of ``FILTER_PARAMETERS``. Some are matched in a form of
            their own: ``city`` as ``GB-ENG-London`` (region, then city), ``browser_version`` as
            ``Chrome 120``, ``referrer`` as the domain without ``www``.
        type: how it is compared, one of ``FILTER_TYPES``.
        value: the values, as text or numbers. One match is enough, but with the ``not_`` types
            none may match.

    ``Filter.equals("country", "US", "CA")`` and its kin say the same in fewer words.

    Raises:
        InvalidParameterError: whatever the server would answer with a bare 500: an unknown
            parameter or type, no values, null or a boolean among them, a regular expression of
            over 500 characters or one that RE2 does not know.
    """

    parameter: str
    type: str
    value: tuple[str | int | float, ...] = field(converter=_values)

    def __attrs_post_init__(self) -> None:
        check_choice("Filter parameter", self.parameter, FILTER_PARAMETERS)
        check_choice("Filter type", self.type, FILTER_TYPES)
        if not self.value:
            raise _invalid("Filter value", [], "at least one value")
        for value in self.value:
            self._check(value)

    def _check(self, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise _invalid("Filter value", value, "text or a number")
        if not isinstance(value, str) and not abs(value) <= sys.float_info.max:
            raise _invalid("Filter value", value, "a finite number")
        if isinstance(value, str):
            check_text("Filter value", value)
        if self.type in ("regex", "not_regex"):
            _check_regex(str(value))
        elif self.type in ("greater_than", "less_than") and not _is_number(value):
            raise _invalid("Filter value", value, f"a number, for {self.type}")

    @classmethod
    def equals(cls, parameter: str, *values: str | int | float) -> Filter:
        """Any of ``values``, exactly."""
        return cls(parameter, "equals", values)

    @classmethod
    def not_equals(cls, parameter: str, *values: str | int | float) -> Filter:
        """None of ``values``."""
        return cls(parameter, "not_equals", values)

    @classmethod
    def contains(cls, parameter: str, *values: str | int | float) -> Filter:
        """Any of ``values`` as a part; before 2.14 ``%`` and ``_`` in them are wildcards."""
        return cls(parameter, "contains", values)

    @classmethod
    def not_contains(cls, parameter: str, *values: str | int | float) -> Filter:
        """None of ``values`` as a part."""
        return cls(parameter, "not_contains", values)

    @classmethod
    def regex(cls, parameter: str, *values: str) -> Filter:
        """Any of these regular expressions, in RE2's syntax."""
        return cls(parameter, "regex", values)

    @classmethod
    def not_regex(cls, parameter: str, *values: str) -> Filter:
        """None of these regular expressions, in RE2's syntax."""
        return cls(parameter, "not_regex", values)

    @classmethod
    def greater_than(cls, parameter: str, value: int | float) -> Filter:
        """More than ``value``."""
        return cls(parameter, "greater_than", (value,))

    @classmethod
    def less_than(cls, parameter: str, value: int | float) -> Filter:
        """Less than ``value``."""
        return cls(parameter, "less_than", (value,))

    @classmethod
    def starts_with(cls, parameter: str, *values: str | int | float) -> Filter:
        """Any of ``values`` as the beginning; 2.14 and newer."""
        return cls(parameter, "starts_with", values)

    @classmethod
    def ends_with(cls, parameter: str, *values: str | int | float) -> Filter:
        """Any of ``values`` as the end; 2.14 and newer."""
        return cls(parameter, "ends_with", values)


def _filters_json(filters: Sequence[Filter]) -> str:
    if isinstance(cast("object", filters), str) or not isinstance(filters, Sequence):
        raise _invalid("filters", filters, "a list of Filter")
    wire: list[dict[str, Any]] = []
    for one in filters:
        if not isinstance(one, Filter):
            raise _invalid("filters", one, "each one a Filter")
        if one.parameter == "user_id" and one.type == "contains":
            warn("Filter.contains('user_id', ...) behaves as not_equals on servers before 2.14")
        # With several values the older servers join a "not" by OR, which lets everything
        # through; one filter a value is an AND everywhere, and means none of them.
        groups = [[v] for v in one.value] if one.type.startswith("not_") else [list(one.value)]
        wire += [{"parameter": one.parameter, "type": one.type, "value": g} for g in groups]
    text = json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
    if len(quote(text, safe="")) > MAX_FILTERS:
        raise InvalidParameterError(
            f"filters: over {MAX_FILTERS:,} characters in the URL, more than servers take (431): "
            "use fewer or shorter values"
        )
    return text


# --- the window --------------------------------------------------------------------------------


# What the methods that take the common parameters call their own.
_OWN_WORDS: Final = (
    "page", "page_size", "limit", "sort", "order", "concurrency", "ordered", "strict", "max_pages",
    "verify", "goals",
)  # fmt: skip


class CommonParameters(TypedDict, total=False):
    """The API's common query parameters: the window in time, and the filters.

    ``start_date`` and ``end_date`` go together, both days included, in ``time_zone`` (IANA,
    ``"UTC"`` if not given); or ``past_minutes_start`` > ``past_minutes_end`` >= 0. With neither,
    all of time.
    """

    start_date: date | str | None
    end_date: date | str | None
    time_zone: str | None
    past_minutes_start: int | None
    past_minutes_end: int | None
    filters: Sequence[Filter] | None


def common_query(common: CommonParameters) -> dict[str, str]:
    """The query parameters that say ``common``, checked; absent and ``None`` mean the same.

    Raises:
        InvalidParameterError: for values, and for combinations, that a server would refuse or
            silently answer with data of all time.
    """
    given: dict[str, Any] = {name: value for name, value in common.items() if value is not None}
    unknown = sorted(given.keys() - CommonParameters.__annotations__.keys())
    if unknown:
        known = [*CommonParameters.__annotations__, *_OWN_WORDS]
        near = difflib.get_close_matches(unknown[0], known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        allowed = ", ".join(CommonParameters.__annotations__)
        raise InvalidParameterError(
            f"unknown parameter {unknown[0]!r}: {meant}(besides those of the method: {allowed})"
        )
    query: dict[str, str] = {}
    dates = given.keys() & {"start_date", "end_date"}
    minutes = given.keys() & {"past_minutes_start", "past_minutes_end"}
    if dates and minutes:
        raise InvalidParameterError(
            f"{min(dates)} and {min(minutes)}: dates or minutes, not both "
            "(the server would ignore the minutes)"
        )
    if dates:
        query |= _dates(given)
    if minutes:
        query |= _minutes(given)
    if "time_zone" in given:
        # On its own it changes no row, so a program may set it once for all of its calls.
        query["time_zone"] = _zone(given["time_zone"])
    if "filters" in given:
        filters = _filters_json(given["filters"])
        if filters != "[]":
            query["filters"] = filters
    return query


def _dates(given: Mapping[str, Any]) -> dict[str, str]:
    for name, other in (("start_date", "end_date"), ("end_date", "start_date")):
        if name not in given:
            raise InvalidParameterError(
                f"{other} without {name}: both or neither (the server would drop the one given)"
            )
    start, end = _date("start_date", given["start_date"]), _date("end_date", given["end_date"])
    if start > end:
        raise InvalidParameterError(f"start_date={start} is after end_date={end}")
    # Without a zone the older servers drop the dates and answer with all of time.
    return {"start_date": str(start), "end_date": str(end), "time_zone": "UTC"}


def _date(name: str, value: object) -> date:
    allowed = 'a date, or text such as "2024-01-31"'
    if isinstance(value, datetime):
        raise _invalid(name, value, f"{allowed}, not a datetime: use .date() in the zone you mean")
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise _invalid(name, value, "a day that the calendar has") from None
    raise _invalid(name, value, allowed)


def _minutes(given: Mapping[str, Any]) -> dict[str, str]:
    for name in ("past_minutes_start", "past_minutes_end"):
        if name not in given:
            raise InvalidParameterError(
                f"{name} is missing: past_minutes_start and past_minutes_end go together "
                "(the server would answer with all of time)"
            )
    start = check_int("past_minutes_start", given["past_minutes_start"], least=0)
    end = check_int("past_minutes_end", given["past_minutes_end"], least=0)
    if start <= end:
        raise InvalidParameterError(
            f"past_minutes_start={start} must be more than past_minutes_end={end}: "
            "both count back from now"
        )
    return {"past_minutes_start": str(start), "past_minutes_end": str(end)}


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def _zone(value: object) -> str:
    allowed = 'an IANA time zone in its exact spelling, such as "Europe/Berlin" or "UTC"'
    if not isinstance(value, str):
        raise _invalid("time_zone", value, allowed)
    if value == "UTC" or value in _zones():
        return value
    if not _zones():
        raise _invalid(
            "time_zone", value, "cannot be checked, for this machine has no time zone data: "
            "python -m pip install tzdata",
        )  # fmt: skip
    same = [zone for zone in _zones() if zone.lower() == value.lower()]
    raise _invalid("time_zone", value, f"{allowed}; did you mean {same[0]!r}?" if same else allowed)


# --- windows and the clock -----------------------------------------------------------------------

# A window is not taken for past at once: clocks differ, and events come in late.
SETTLED: Final = timedelta(minutes=5)
_EXACT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def is_relative(query: Mapping[str, str]) -> bool:
    """Whether the server resolves the window anew at each request."""
    return "past_minutes_start" in query


def is_frozen(query: Mapping[str, str]) -> bool:
    """Whether the window is one that ``freeze`` made."""
    return "start_datetime" in query


def freeze(query: Mapping[str, str], now: datetime) -> dict[str, str]:
    """``query`` with its relative window as exact times, whose end is exclusive (2.14)."""
    now = now.replace(microsecond=0)
    exact = dict(query)
    for name, minutes in (("start", "past_minutes_start"), ("end", "past_minutes_end")):
        try:
            when = max(now - timedelta(minutes=int(exact.pop(minutes))), _EPOCH)
        except OverflowError:
            when = _EPOCH
        exact[f"{name}_datetime"] = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return exact


def thaw(query: Mapping[str, str], frozen: Mapping[str, str]) -> dict[str, str]:
    """``query`` with the exact times that ``freeze`` once gave it.

    Raises:
        InvalidParameterError: they are none.
    """
    exact = {name: text for name, text in query.items() if not name.startswith("past_minutes")}
    for name in ("start_datetime", "end_datetime"):
        if not _EXACT.fullmatch(frozen.get(name, "")):
            raise InvalidParameterError("start: the position of a page, as it came")
        exact[name] = frozen[name]
    return exact


def is_past(query: Mapping[str, str], now: datetime) -> bool:
    """Whether nothing in the window can change any more; a frozen one counts as past."""
    if is_frozen(query):
        return True
    if "end_date" not in query:
        return False
    zone = UTC if query["time_zone"] == "UTC" else zoneinfo.ZoneInfo(query["time_zone"])
    try:
        midnight = datetime.fromisoformat(query["end_date"]) + timedelta(days=1)
        return midnight.replace(tzinfo=zone) + SETTLED <= now
    except OverflowError:
        return False


def query_string(query: Mapping[str, str]) -> str:
    """The query as it goes over the wire, every reserved character encoded.

    ``/`` among them: a raw path in a query makes a 2.2 server skip its authentication.
    """
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query.items())


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    # From page to page only the number changes.
    return quote(text, safe="")
