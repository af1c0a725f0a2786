"""Filters: conditions on the sessions that are counted, checked and written as JSON."""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Final, cast
from urllib.parse import quote

from attrs import field, frozen

from ..errors import InvalidParameterError
from .checks import check_choice, check_text, invalid, is_list, warn, wrong_type

__all__ = ["FILTER_PARAMETERS", "FILTER_TYPES", "Filter", "filters_json"]

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
        "tag",  # 2.4 and newer
    ]
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
    "starts_with",  # 2.6 and newer
    "ends_with",  # 2.6 and newer
)
MAX_REGEX: Final = 500
# In the URL, encoded. Servers answer 431 to URLs of somewhat more than 20 KB.
MAX_FILTERS: Final = 20_000

# Syntax that RE2 lacks: look-around, atomic groups, conditionals, comments, back-references,
# possessive quantifiers, and counted repetitions above 1,000. Compiled when first used, all four.
_NOT_RE2: Final = (
    r"\(\?(?:[=!>(#|]|<[=!]|P=)|\\[1-9]|\\k[<{']|(?:[*+?]|\{\d+(?:,\d*)?\})\+"
    r"|\{(?:\d+,)?(?:[1-9]\d{4,}|[2-9]\d{3}|1(?!000)\d{3})(?:,\d*)?\}"
)
# Escaped characters and character classes, in which the syntax above means something else.
_ESCAPES: Final = r"\\(?:[pPx]\{[^}]*\}|[^1-9k])"
_CLASSES: Final = r"\[\^?\]?[^\]]*\]"
_NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# The errors of Python's own compiler that are errors in RE2 too.
_MALFORMED: Final = (
    "missing ), unterminated subpattern",
    "unbalanced parenthesis",
    "unterminated character set",
    "nothing to repeat",
    "multiple repeat",
    "bad escape (end of pattern)",
)
_VALUE: Final = "Filter.value"


def _values(value: Any) -> tuple[Any, ...]:
    if not is_list(value):
        raise wrong_type(_VALUE, value, 'a list of values, such as ["US", "CA"]')
    return tuple(value)


def _check_regex(pattern: str) -> None:
    if len(pattern) > MAX_REGEX:
        must = f"be a regular expression of at most {MAX_REGEX} characters"
        raise invalid(_VALUE, pattern, must, f" ({len(pattern)} characters)")
    plain = re.sub(_CLASSES, "x", re.sub(_ESCAPES, "x", pattern))
    found = re.search(_NOT_RE2, plain, re.ASCII)
    if found:
        must = f"be a regular expression in the syntax of RE2, which lacks {found.group()!r}"
        raise invalid(_VALUE, pattern, must)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of "[[:alpha:]]", which RE2 knows
            re.compile(pattern)
    except (OverflowError, RecursionError) as error:
        raise invalid(_VALUE, pattern, "be a simpler regular expression", f": {error}") from None
    except re.error as error:
        if error.msg in _MALFORMED:
            raise invalid(_VALUE, pattern, "be a regular expression", f": {error}") from None


def _is_number(value: str | int | float) -> bool:
    # float() accepts more: "nan", "1_000", and the digits of other scripts.
    if isinstance(value, str):
        return re.fullmatch(_NUMBER, value, re.ASCII) is not None
    return abs(value) <= sys.float_info.max


@frozen
class Filter:
    """One condition on the sessions that are counted. If several are given, all must hold.

    ``Filter.equals("country", "US", "CA")`` is short for
    ``Filter("country", "equals", ["US", "CA"])``; there is such a method for each type.

    Args:
        parameter: the property of a session to compare: ``browser``, ``browser_version``,
            ``operating_system``, ``operating_system_version``, ``device_type``, ``dimensions``,
            ``language``, ``country``, ``region``, ``city``, ``timezone``, ``lat``, ``lon``,
            ``pathname``, ``page_title``, ``hostname``, ``querystring``, ``referrer``,
            ``entry_page``, ``exit_page``, ``channel``, ``utm_source``, ``utm_medium``,
            ``utm_campaign``, ``utm_term``, ``utm_content``, ``user_id``, ``event_name``, or
            ``tag`` (2.4 and newer). Some have values of a special form: ``city`` is the region
            and the city (``GB-ENG-London``), ``browser_version`` the name and the version
            (``Chrome 120``), and ``referrer`` the domain without ``www``.
        type: how to compare: ``equals``, ``not_equals``, ``contains``, ``not_contains``,
            ``regex``, ``not_regex``, ``greater_than``, ``less_than``, ``starts_with`` or
            ``ends_with`` (the last two 2.6 and newer).
        value: the values to compare with, as text or numbers. A session matches if one of them
            does; with the types that begin with ``not_``, if none of them does.

    Raises:
        InvalidParameterError: for everything that servers answer with a bare 500: an unknown
            parameter or type, no values, ``None`` or a boolean among them, a regular expression
            of more than 500 characters or in a syntax that RE2 does not have.
    """

    parameter: str
    type: str
    value: tuple[str | int | float, ...] = field(converter=_values)

    def __attrs_post_init__(self) -> None:
        check_choice("Filter.parameter", self.parameter, FILTER_PARAMETERS)
        check_choice("Filter.type", self.type, FILTER_TYPES)
        if not self.value:
            raise invalid(_VALUE, [], "contain at least one value")
        for value in self.value:
            self._check(value)

    def _check(self, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise wrong_type(_VALUE, value, "values of str, int or float")
        if isinstance(value, str):
            check_text(_VALUE, value)
        elif not abs(value) <= sys.float_info.max:
            raise invalid(_VALUE, value, "be a finite number")
        if self.type in ("regex", "not_regex"):
            _check_regex(str(value))
        elif self.type in ("greater_than", "less_than") and not _is_number(value):
            raise invalid(_VALUE, value, f"be a number for the type {self.type}")

    @classmethod
    def equals(cls, parameter: str, *values: str | int | float) -> Filter:
        """The property equals one of ``values``."""
        return cls(parameter, "equals", values)

    @classmethod
    def not_equals(cls, parameter: str, *values: str | int | float) -> Filter:
        """The property equals none of ``values``."""
        return cls(parameter, "not_equals", values)

    @classmethod
    def contains(cls, parameter: str, *values: str | int | float) -> Filter:
        """The property contains one of ``values``. Before 2.8 ``%`` and ``_`` are wildcards."""
        return cls(parameter, "contains", values)

    @classmethod
    def not_contains(cls, parameter: str, *values: str | int | float) -> Filter:
        """The property contains none of ``values``."""
        return cls(parameter, "not_contains", values)

    @classmethod
    def regex(cls, parameter: str, *values: str) -> Filter:
        """The property matches one of these regular expressions, in the syntax of RE2."""
        return cls(parameter, "regex", values)

    @classmethod
    def not_regex(cls, parameter: str, *values: str) -> Filter:
        """The property matches none of these regular expressions, in the syntax of RE2."""
        return cls(parameter, "not_regex", values)

    @classmethod
    def greater_than(cls, parameter: str, value: int | float) -> Filter:
        """The property is more than ``value``."""
        return cls(parameter, "greater_than", (value,))

    @classmethod
    def less_than(cls, parameter: str, value: int | float) -> Filter:
        """The property is less than ``value``."""
        return cls(parameter, "less_than", (value,))

    @classmethod
    def starts_with(cls, parameter: str, *values: str | int | float) -> Filter:
        """The property starts with one of ``values``. Servers know this type since 2.6."""
        return cls(parameter, "starts_with", values)

    @classmethod
    def ends_with(cls, parameter: str, *values: str | int | float) -> Filter:
        """The property ends with one of ``values``. Servers know this type since 2.6."""
        return cls(parameter, "ends_with", values)


def filters_json(filters: Sequence[Filter]) -> str | None:
    """The value of the query parameter ``filters``; ``None`` for an empty list, which adds none."""
    if isinstance(cast("object", filters), str) or not isinstance(filters, Sequence):
        raise wrong_type("filters", filters, "a list of Filter")
    wire: list[dict[str, Any]] = []
    for index, one in enumerate(filters):
        if not isinstance(one, Filter):
            raise wrong_type(f"filters[{index}]", one, "Filter")
        if one.parameter == "user_id" and one.type == "contains":
            warn("Filter.contains('user_id', ...) behaves as not_equals on servers before 2.6")
        # Older servers combine the values of a "not" by OR, so that everything matches. One
        # filter for each value is combined by AND on every server: none of the values matches.
        groups = [[v] for v in one.value] if one.type.startswith("not_") else [list(one.value)]
        wire += [{"parameter": one.parameter, "type": one.type, "value": g} for g in groups]
    if not wire:
        return None
    text = json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
    size = len(quote(text, safe=""))
    if size > MAX_FILTERS:
        raise InvalidParameterError(
            f"filters must take at most {MAX_FILTERS:,} characters in the URL, got {size:,}: use "
            "fewer or shorter values (servers answer 431 to longer URLs)"
        )
    return text
