"""Filters as people write them: ``country=US,CA``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

from cyclopts import Parameter

from ..exits import CommandError, Exit
from .groups import FILTERS

if TYPE_CHECKING:
    from ... import Filter

__all__ = ["FORMS", "NAMES", "FilterOptions", "Name", "parse_filter"]

FORMS: Final = {
    "=": "equals",
    "!=": "not_equals",
    "~": "contains",
    "!~": "not_contains",
    "=~": "regex",
    "!=~": "not_regex",
    "^=": "starts_with",
    "$=": "ends_with",
    ">": "greater_than",
    "<": "less_than",
    ">=": "greater_than_or_equal",
    "<=": "less_than_or_equal",
}
"""Each operator, and the type of filter that it stands for."""

Name = Literal[
    "browser", "browser_version", "channel", "city", "country", "device_type", "dimensions",
    "entry_page", "event_name", "exit_page", "hostname", "language", "lat", "lon",
    "operating_system", "operating_system_version", "page_title", "pathname", "querystring",
    "referrer", "region", "tag", "timezone", "user_id", "utm_campaign", "utm_content",
    "utm_medium", "utm_source", "utm_term",
]  # fmt: skip
"""What filters can be about."""

NAMES: Final[tuple[str, ...]] = get_args(Name)
_DEVICES: Final = ("Desktop", "Mobile", "Tablet")
_COUNTRY: Final = re.compile(r"[A-Z]{2}|", re.ASCII)  # unknown countries have no code

_NULL: Final = re.compile(r"\s*(\w+)\s+is\s+(not\s+)?null\s*", re.ASCII | re.IGNORECASE)
_FORM: Final = re.compile(
    r"\s*(\w+)(\s*)(" + "|".join(sorted(map(re.escape, FORMS), key=len, reverse=True)) + r")(.*)",
    re.ASCII | re.DOTALL,
)
_VALUE: Final = re.compile(r"(?:\\.|[^,\\]|\\$)*", re.DOTALL)
_HELP: Final = (
    "Only sessions of which this holds, such as `'country=US,CA'`; several must all hold. In "
    "quotes; case matters. `'x=a,b'` is one of the values, `'x!=a,b'` none of them, `'x~a'` "
    "contains, `'x!~a'` does not, `'x=~re'` matches a regular expression, `'x!=~re'` does not, "
    "`'x^=a'` starts with, `'x$=a'` ends with, `'x>a'`, `'x<a'`, `'x>=a'`, `'x<=a'` compare, `'x "
    "is null'`, `'x is not null'`; `\\,` is a comma in a value. `x` is one of: "
    + ", ".join(NAMES)
    + ". `rybbit-async values SITE x` lists the values."
)


@Parameter(name="*", group=FILTERS)
@dataclass(frozen=True)
class FilterOptions:
    """See the help of each field."""

    filter: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="FILTER",
            consume_multiple=False,
            help=_HELP,
        ),
    ] = ()

    def resolve(self) -> list[Filter] | None:
        """The filters, if there are any.

        Raises:
            CommandError: one is none, or two can never hold together.
        """
        filters = [parse_filter(text) for text in self.filter]
        wanted: dict[str, tuple[object, ...]] = {}
        for one in filters:
            if one.type != "equals":
                continue
            before = wanted.setdefault(one.parameter, one.value)
            if not {*before} & {*one.value}:
                both = ",".join(str(value) for value in (*before, *one.value))
                raise CommandError(
                    f"all filters must hold, and no {one.parameter} is both: for either of them "
                    f"write --filter '{one.parameter}={both}'",
                    Exit.USAGE,
                )
        return filters or None


def parse_filter(text: str) -> Filter:
    r"""A filter such as ``country=US,CA``, ``referrer is null`` or ``pathname=~^/blog/\d+``.

    Values are separated by commas; a comma in a value is written ``\,``. A regular expression is
    one value.

    Raises:
        CommandError: it is none.
    """
    from ... import Filter, InvalidParameterError

    null, form = _NULL.fullmatch(text), _FORM.fullmatch(text)
    values: list[str] = []
    if null is not None:
        name, kind = null[1].lower(), "is_not_null" if null[2] else "is_null"
    elif form is None:
        raise _wrong("must be a name, an operator and values, such as 'country=US,CA'", text)
    else:
        name, blank, operator, value = form.groups()
        name, kind = name.lower(), FORMS[operator]
        if operator == "=" and value.startswith("="):
            raise _wrong("must have one =, as in 'country=US'", text)
        value = value.lstrip() if blank else value  # as in 'country = US'
        values = [value] if kind.endswith("regex") else _values(value)
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, 1)
        meant = f", did you mean {close[0]}?" if close else f": it is one of {', '.join(NAMES)}"
        raise _wrong("must be about something that filters know", text, meant)
    if kind in ("equals", "not_equals"):
        _check_values(name, values, text)
    try:
        return Filter(
            name, kind, [_number(one) if name in ("lat", "lon") else one for one in values]
        )
    except InvalidParameterError as error:
        raise CommandError(f"--filter {text!r}: {error}", Exit.USAGE) from None


def _check_values(name: str, values: list[str], text: str) -> None:
    """Refuse values that no session has, where all values are known."""
    for value in values:
        if name == "country" and not _COUNTRY.fullmatch(value):
            raise _wrong("must have countries as two capital letters, such as 'country=DE'", text)
        if name == "device_type" and value not in _DEVICES:
            raise _wrong(f"must have devices that are {', '.join(_DEVICES)}", text)


def _wrong(must: str, text: str, hint: str = "") -> CommandError:
    return CommandError(f"--filter {must}, got {text!r}{hint}", Exit.USAGE)


def _values(text: str) -> list[str]:
    values, end = list[str](), -1
    while end < len(text):
        found = _VALUE.match(text, end + 1)
        assert found is not None  # it matches what is empty, too
        values.append(re.sub(r"\\([,\\])", r"\1", found[0]))
        end = found.end()
    return values


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # the filter says what is wrong with it
