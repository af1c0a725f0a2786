"""Filters: conditions on the sessions that are counted, checked and written as JSON.

Releases read some filters differently, and many of the differences do not show: the answer is 200
with other rows. ``_portable`` writes a filter in a form that means the same on every release. For
what cannot be written so, ``_WRONG`` and ``_FORMS`` say when to warn.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast
from urllib.parse import quote

from attrs import field, frozen

from ..errors import InvalidParameterError
from ..plain import plain
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
    # 2.6 and newer:
    "starts_with",
    "ends_with",
    "greater_than_or_equal",
    "less_than_or_equal",
    "is_null",
    "is_not_null",
)
MAX_REGEX: Final = 500
# In the URL, encoded. Servers answer 431 to URLs of somewhat more than 20 KB.
MAX_FILTERS: Final = 20_000

_GREATER: Final = frozenset({"greater_than", "greater_than_or_equal"})
_SIZES: Final = _GREATER | {"less_than", "less_than_or_equal"}
_NULL_TESTS: Final = frozenset({"is_null", "is_not_null"})
_REGEXES: Final = frozenset({"regex", "not_regex"})
_NUMBERS: Final = frozenset({"lat", "lon"})
# Text that servers compare by size. Of other text they try to make a number, and fail with 500.
_SIZED_TEXTS: Final = frozenset({"entry_page", "exit_page", "event_name", "channel"})
# A regex on these is answered 500 or wrongly by servers before 2.6.
_NO_REGEX: Final = _NUMBERS | {"entry_page", "exit_page", "event_name", "user_id"}

_VALUE: Final = "Filter.value"
_Values = Sequence[str | int | float]


# --- checking ------------------------------------------------------------------------------------

_NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def _values(value: Any) -> tuple[Any, ...]:
    if not is_list(value):
        raise wrong_type(_VALUE, value, 'a list of values, such as ["US", "CA"]')
    return tuple(map(plain, value))


def _parameter(value: str) -> str:
    return check_choice("Filter.parameter", value, FILTER_PARAMETERS, PARAMETER_WORDS)


def _type(value: str) -> str:
    return check_choice("Filter.type", value, FILTER_TYPES, TYPE_WORDS)


# What other programs call them. In lower case.
PARAMETER_WORDS: Final = {
    **dict.fromkeys(("url", "page", "path"), ("pathname",)),
    "os": ("operating_system",),
    "source": ("utm_source",),
    "query": ("querystring",),
    "title": ("page_title",),
    "latitude": ("lat",),
    "longitude": ("lon",),
}
TYPE_WORDS: Final = {
    **dict.fromkeys(("=", "==", "is", "in"), ("equals",)),
    **dict.fromkeys(("!=", "<>", "ne", "neq", "not", "is_not", "not_in"), ("not_equals",)),
    **dict.fromkeys((">", "gt"), ("greater_than",)),
    **dict.fromkeys(("<", "lt"), ("less_than",)),
    **dict.fromkeys((">=", "ge", "gte"), ("greater_than_or_equal",)),
    **dict.fromkeys(("<=", "le", "lte"), ("less_than_or_equal",)),
    **dict.fromkeys(("like", "includes"), ("contains",)),
    **dict.fromkeys(("matches", "match", "regexp"), ("regex",)),
    **dict.fromkeys(("null", "none", "empty"), ("is_null",)),
}


def _types_of(parameter: str) -> Sequence[str]:
    """The types that servers can apply to a parameter."""
    if parameter in _NUMBERS:
        return ["equals", "not_equals", *_SIZES]
    if parameter in _SIZED_TEXTS:
        return FILTER_TYPES
    return [kind for kind in FILTER_TYPES if kind not in _SIZES]


def _is_number(value: str | int | float) -> bool:
    # float() accepts more: "nan", "1_000", and the digits of other scripts.
    if isinstance(value, str):
        return re.fullmatch(_NUMBER, value, re.ASCII) is not None
    return abs(value) <= sys.float_info.max


# --- regular expressions -------------------------------------------------------------------------

# Patterns of this module are compiled when they are first used.
# What is one piece of a regular expression, whatever characters it contains. With the possessive
# "?+" and "*+", Python does not take "[]" and "[[:alpha:]" for sets, which are not closed in RE2.
_PIECE: Final = (
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)"
    r"|(?P<escape>\\(?:[pPx]\{[^}]*\}|[^1-9k]))"
    r"|(?P<set>\[\^?\]?+(?:\[:\^?\w+:\]|\\.|[^\]\\])*+\])"
    r"|(?P<named>\(\?P?<\w+>)"
    r"|(?P<flags>\(\?[imsU]*(?:-[imsU]+)?(?P<end>[:)]))"
)
# Syntax that RE2 lacks: look-around, atomic groups, conditionals, comments, other flags,
# back-references, possessive quantifiers, and counted repetitions above 1,000.
_NOT_RE2: Final = (
    r"\(\?(?:[=!>(#|]|<[=!]|P=|[a-zA-Z-]*[aLux])|\\[1-9]|\\k[<{']|(?:[*+?]|\{\d+(?:,\d*)?\})\+"
    r"|\{(?:\d+,)?(?:[1-9]\d{4,}|[2-9]\d{3}|1(?!000)\d{3})(?:,\d*)?\}"
)


def _outline(piece: re.Match[str]) -> str:
    """A piece as something that all dialects read alike."""
    if piece["named"]:
        return "("
    if piece["flags"]:
        return "(?:" if piece["end"] == ":" else ""
    return "x"


def _movable(piece: re.Match[str]) -> str:
    """A piece as it may stand in a longer pattern: without names, and with an end."""
    if piece["quoted"] is not None:
        return _escaped(piece["quoted"])
    return "(" if piece["named"] else piece[0]


def _escaped(text: str) -> str:
    """A pattern that matches this text and nothing else."""
    return re.sub(r"[.*+?()|{}\[$]", r"[\g<0>]", re.sub(r"[\\^]", r"\\\g<0>", text))


def _any_of(patterns: Iterable[str]) -> str:
    """A pattern that matches what any of these matches. Flags in a group end with the group."""
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def _check_regex(pattern: object) -> None:
    if not isinstance(pattern, str):
        raise wrong_type(_VALUE, pattern, "str (a regular expression)")
    if len(pattern) > MAX_REGEX:
        must = f"be a regular expression of at most {MAX_REGEX} characters"
        raise invalid(_VALUE, pattern, must, f" ({len(pattern)} characters)")
    outline = re.sub(_PIECE, _outline, pattern, flags=re.DOTALL)
    found = re.search(_NOT_RE2, outline, re.ASCII)
    if found:
        must = f"be a regular expression in the syntax of RE2, which lacks {found.group()!r}"
        raise invalid(_VALUE, pattern, must)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what future versions of Python will read otherwise
            re.compile(outline)
    except (OverflowError, RecursionError) as error:
        raise invalid(_VALUE, pattern, "be a simpler regular expression", f": {error}") from None
    except re.error as error:
        raise invalid(_VALUE, pattern, "be a regular expression", f": {error.msg}") from None


def _joined(patterns: Sequence[str]) -> str:
    """Several regular expressions as one: of several values, servers read only the first."""
    if len(patterns) == 1:
        return patterns[0]
    joined = _any_of(re.sub(_PIECE, _movable, pattern, flags=re.DOTALL) for pattern in patterns)
    if len(joined) > MAX_REGEX:
        raise invalid(
            _VALUE,
            patterns,
            f"be regular expressions of at most {MAX_REGEX} characters in all",
            f" ({len(joined)} characters when joined)",
        )
    return joined


# --- the filter ----------------------------------------------------------------------------------


@frozen
class Filter:
    """One condition on the sessions that are counted. If several are given, all must hold.

    ``Filter.equals("country", "US", "CA")`` is short for
    ``Filter("country", "equals", ["US", "CA"])``; there is such a method for each type.

    Servers test the events of a session: it is counted if it has an event for which all filters
    hold. So ``Filter.not_equals("pathname", "/a")`` counts the sessions that have seen another
    page than ``/a``, whether or not they have seen ``/a`` too. ``entry_page``, ``exit_page``,
    ``event_name`` and, since 2.6, ``channel`` are looked up in the whole session, separately from
    the other filters.

    A filter that releases read differently is sent in a form that means the same on all of them.
    Where there is none, a ``RybbitWarning`` says what the servers in question do.

    Args:
        parameter: the property to compare: ``browser``, ``browser_version``,
            ``operating_system``, ``operating_system_version``, ``device_type``, ``dimensions``,
            ``language``, ``country``, ``region``, ``city``, ``timezone``, ``lat``, ``lon``,
            ``pathname``, ``page_title``, ``hostname``, ``querystring``, ``referrer``,
            ``entry_page``, ``exit_page``, ``channel``, ``utm_source``, ``utm_medium``,
            ``utm_campaign``, ``utm_term``, ``utm_content``, ``user_id``, ``event_name``, or
            ``tag`` (2.4 and newer). Some have values of a special form: ``city`` is the region
            and the city (``GB-ENG-London``), ``browser_version`` the name and the version
            (``Chrome 120``), ``operating_system_version`` likewise (``macOS 14``; for Windows 10
            and 11 it is ``Windows 10/11``), ``dimensions`` width and height (``1920x1080``), and
            ``referrer`` the domain without ``www``.
        type: how to compare: ``equals``, ``not_equals``, ``contains``, ``not_contains``,
            ``regex``, ``not_regex``, ``starts_with``, ``ends_with``, ``greater_than``,
            ``less_than``, and since 2.6 ``greater_than_or_equal``, ``less_than_or_equal``,
            ``is_null``, ``is_not_null``. Case matters in all of them. The types that compare by
            size are for ``lat`` and ``lon``, which take numbers and only these types and the first
            two, and for the text of ``entry_page``, ``exit_page``, ``event_name`` and ``channel``
            (2.6 and newer).
        value: the values to compare with, as text or numbers; none for ``is_null`` and
            ``is_not_null``. The condition holds if it holds for one of them; with the types that
            begin with ``not_``, if it holds for all of them.

    Raises:
        InvalidParameterError: for everything that servers answer with a bare 500: an unknown
            parameter or type, a type that they cannot apply to the parameter, no values, ``None``
            or a boolean among them, a regular expression in a syntax that RE2 does not have, or
            several of more than 500 characters in all.
    """

    parameter: str = field(converter=_parameter)
    type: str = field(converter=_type)
    value: tuple[str | int | float, ...] = field(default=(), converter=_values)

    def __attrs_post_init__(self) -> None:
        check_choice(f"Filter.type for {self.parameter}", self.type, _types_of(self.parameter))
        if self.type in _NULL_TESTS:
            if self.value:
                raise invalid(_VALUE, self.value, f"be empty for the type {self.type}")
        elif not self.value:
            raise invalid(_VALUE, [], "contain at least one value")
        for value in self.value:
            self._check(value)
        if self.type == "regex":
            _joined(cast("tuple[str, ...]", self.value))

    def _check(self, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise wrong_type(_VALUE, value, "values of str, int or float")
        if isinstance(value, str):
            check_text(_VALUE, value)
        elif not abs(value) <= sys.float_info.max:
            raise invalid(_VALUE, value, "be a finite number")
        if self.parameter in _NUMBERS and not _is_number(value):
            raise invalid(_VALUE, value, f"be a number for {self.parameter}")
        if self.type in _REGEXES:
            _check_regex(value)
        elif self.type in _SIZES and self.parameter in _SIZED_TEXTS and not isinstance(value, str):
            raise wrong_type(_VALUE, value, f"str for the type {self.type} of {self.parameter}")

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
        """The property contains one of ``values``."""
        return cls(parameter, "contains", values)

    @classmethod
    def not_contains(cls, parameter: str, *values: str | int | float) -> Filter:
        """The property contains none of ``values``."""
        return cls(parameter, "not_contains", values)

    @classmethod
    def regex(cls, parameter: str, *values: str) -> Filter:
        """The property matches one of these regular expressions, in the syntax of RE2.

        They are sent as one, of at most 500 characters. On ``entry_page``, ``exit_page`` and
        ``event_name``, servers before 2.6 answer 500.
        """
        return cls(parameter, "regex", values)

    @classmethod
    def not_regex(cls, parameter: str, *values: str) -> Filter:
        """The property matches none of these regular expressions, in the syntax of RE2."""
        return cls(parameter, "not_regex", values)

    @classmethod
    def starts_with(cls, parameter: str, *values: str | int | float) -> Filter:
        """The property starts with one of ``values``.

        Servers before 2.6 answer 500 for ``entry_page``, ``exit_page``, ``event_name`` and
        ``user_id``.
        """
        return cls(parameter, "starts_with", values)

    @classmethod
    def ends_with(cls, parameter: str, *values: str | int | float) -> Filter:
        """The property ends with one of ``values``. See ``starts_with``."""
        return cls(parameter, "ends_with", values)

    @classmethod
    def greater_than(cls, parameter: str, value: str | int | float) -> Filter:
        """The property is more than ``value``."""
        return cls(parameter, "greater_than", (value,))

    @classmethod
    def less_than(cls, parameter: str, value: str | int | float) -> Filter:
        """The property is less than ``value``."""
        return cls(parameter, "less_than", (value,))

    @classmethod
    def greater_than_or_equal(cls, parameter: str, value: str | int | float) -> Filter:
        """The property is ``value`` or more. Servers before 2.6 answer 500."""
        return cls(parameter, "greater_than_or_equal", (value,))

    @classmethod
    def less_than_or_equal(cls, parameter: str, value: str | int | float) -> Filter:
        """The property is ``value`` or less. Servers before 2.6 answer 500."""
        return cls(parameter, "less_than_or_equal", (value,))

    @classmethod
    def is_null(cls, parameter: str) -> Filter:
        """The property is empty or, for ``country``, unknown. Servers before 2.6 answer 500."""
        return cls(parameter, "is_null")

    @classmethod
    def is_not_null(cls, parameter: str) -> Filter:
        """The property is not empty. Servers before 2.6 answer 500."""
        return cls(parameter, "is_not_null")


# --- the same on every release -------------------------------------------------------------------

# Before and after the escaped text of a value.
_AS_REGEX: Final = {"contains": ("", ""), "starts_with": ("^", ""), "ends_with": ("", "$")}


def _portable(parameter: str, kind: str, values: _Values) -> tuple[str, _Values]:
    """A type and values that mean on every release what these mean on the newest."""
    if kind in _NULL_TESTS:
        return kind, values
    if kind in _REGEXES:
        return kind, [_joined([str(value) for value in values])]
    if kind in _SIZES:
        # One of them holds if it holds for the smallest, or the largest.
        pick = min if kind in _GREATER else max
        return kind, [pick(values, key=float if parameter in _NUMBERS else _bytes)]
    negation, test = ("not_", kind[4:]) if kind.startswith("not_") else ("", kind)
    if (
        parameter in _NO_REGEX
        or test not in _AS_REGEX
        or (test == "contains" and not _has_wildcard(values))
        or any(isinstance(value, float) for value in values)  # written otherwise in JavaScript
    ):
        return kind, values
    # "%" and "_" in "contains" are wildcards before 2.8, and the others came with 2.6.
    before, after = _AS_REGEX[test]
    pattern = "|".join(before + _escaped(str(value)) + after for value in values)
    return (kind, values) if len(pattern) > MAX_REGEX else (f"{negation}regex", [pattern])


def _bytes(value: str | int | float) -> bytes:
    return str(value).encode()  # servers compare text by its bytes


def _has_wildcard(values: Iterable[str | int | float]) -> bool:
    return any(re.search(r"[%_\\]", str(value)) for value in values)


# What some servers answer wrongly, with parameters, types, and what they do.
_WRONG: Final[Sequence[tuple[frozenset[str], frozenset[str], str]]] = (
    (
        _NUMBERS,
        frozenset({"not_equals"}),
        "behaves as equals on servers before 2.7",
    ),
    (
        frozenset({"user_id"}),
        frozenset({"contains", "not_contains", "regex", "not_regex"}),
        "behaves as not_equals on servers before 2.6",
    ),
    (
        frozenset({"event_name"}),
        frozenset({"not_equals", "not_contains", "not_regex", "is_null"}),
        "holds for nearly every session, since page views are events without a name",
    ),
)
# The form of the values that are compared as a whole, as a pattern and in words.
_FORMS: Final = {
    "browser_version": (".* .*", "the browser and its version, such as 'Chrome 120'"),
    "operating_system_version": (
        "(?!Windows 10$).* .*",
        "the system and its version, such as 'macOS 14' or 'Windows 10/11'",
    ),
    "city": (".*-.*", "the region and the city, such as 'GB-ENG-London'"),
    "dimensions": (r"\d+x\d+", "width and height, such as '1920x1080'"),
    "referrer": (r"(?!www\.)[^:/]*", "the domain without 'www', such as 'google.com'"),
}


def _doubt(parameter: str, kind: str, values: _Values) -> str | None:
    """What a user should know of a filter as it is sent, if anything."""
    for parameters, types, text in _WRONG:
        if parameter in parameters and kind in types:
            return f"Filter.{kind}({parameter!r}, ...) {text}"
    if kind in ("contains", "not_contains") and _has_wildcard(values):
        wildcards = "takes '%' and '_' for wildcards on servers before 2.8"
        return f"Filter.{kind}({parameter!r}, ...) {wildcards}"
    if kind in ("equals", "not_equals") and parameter in _FORMS:
        pattern, form = _FORMS[parameter]
        for value in values:
            if not re.fullmatch(pattern, str(value), re.DOTALL):
                return f"no session has the {parameter} {value!r}: its values are {form}"
    return None


def _wire(one: Filter) -> Iterable[dict[str, Any]]:
    # Older servers combine the values of a "not" by OR, so that everything matches. One filter
    # for each value is combined by AND on every server: none of the values matches.
    groups = [[v] for v in one.value] if one.type.startswith("not_") else [list(one.value)]
    for group in groups:
        kind, values = _portable(one.parameter, one.type, group)
        yield {"parameter": one.parameter, "type": kind, "value": [*values]}


def filters_json(filters: Sequence[Filter]) -> str | None:
    """The value of the query parameter ``filters``; ``None`` for an empty list, which adds none."""
    if isinstance(cast("object", filters), str) or not isinstance(filters, Sequence):
        raise wrong_type("filters", filters, "a list of Filter")
    wire: list[dict[str, Any]] = []
    doubts: dict[str, None] = {}  # each once, in order
    for index, one in enumerate(filters):
        if not isinstance(one, Filter):
            raise wrong_type(f"filters[{index}]", one, "Filter")
        sent = [*_wire(one)]
        found = (_doubt(one.parameter, each["type"], each["value"]) for each in sent)
        doubts |= dict.fromkeys(text for text in found if text is not None)
        wire += sent
    if not wire:
        return None
    text = json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
    size = len(quote(text, safe=""))
    if size > MAX_FILTERS:
        raise InvalidParameterError(
            f"filters must take at most {MAX_FILTERS:,} characters in the URL, got {size:,}: use "
            "fewer or shorter values (servers answer 431 to longer URLs)"
        )
    for doubt in doubts:
        warn(doubt)
    return text
