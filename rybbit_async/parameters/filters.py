"""Filters: conditions on the sessions that are counted, checked and turned into JSON."""

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
from .checks import check_choice, check_text, invalid, is_list, warn

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
# Servers answer 431 somewhat above 20 KB of URL.
MAX_FILTERS: Final = 20_000

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


def _values(value: Any) -> tuple[Any, ...]:
    if not is_list(value):
        raise invalid("Filter value", value, 'a list of values, such as ["US", "CA"]')
    return tuple(value)


def _check_regex(pattern: str) -> None:
    name = "Filter value"
    if len(pattern) > MAX_REGEX:
        allowed = f"a regular expression of at most {MAX_REGEX} characters"
        raise invalid(name, pattern, f"{allowed}, not {len(pattern)}")
    found = _NOT_RE2.search(_CLASSES.sub("x", _ESCAPES.sub("x", pattern)))
    if found:
        raise invalid(name, pattern, f"a regular expression of RE2, without {found.group()!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python has opinions about "[[:alpha:]]"
            re.compile(pattern)
    except (OverflowError, RecursionError) as error:
        raise invalid(name, pattern, f"a simpler regular expression: {error}") from None
    except re.error as error:
        if error.msg in _MALFORMED:
            raise invalid(name, pattern, f"a regular expression: {error}") from None


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
            raise invalid("Filter value", [], "at least one value")
        for value in self.value:
            self._check(value)

    def _check(self, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise invalid("Filter value", value, "text or a number")
        if not isinstance(value, str) and not abs(value) <= sys.float_info.max:
            raise invalid("Filter value", value, "a finite number")
        if isinstance(value, str):
            check_text("Filter value", value)
        if self.type in ("regex", "not_regex"):
            _check_regex(str(value))
        elif self.type in ("greater_than", "less_than") and not _is_number(value):
            raise invalid("Filter value", value, f"a number, for {self.type}")

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


def filters_json(filters: Sequence[Filter]) -> str:
    """The query parameter that says ``filters``."""
    if isinstance(cast("object", filters), str) or not isinstance(filters, Sequence):
        raise invalid("filters", filters, "a list of Filter")
    wire: list[dict[str, Any]] = []
    for one in filters:
        if not isinstance(one, Filter):
            raise invalid("filters", one, "each one a Filter")
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
