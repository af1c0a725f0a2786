"""Filters as people write them: ``country=US,CA``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from ..exits import CommandError, Exit
from .groups import FILTERS

if TYPE_CHECKING:
    from ... import Filter

__all__ = ["FORMS", "NAMES", "FilterOptions", "parse_filter"]

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

NAMES: Final = (
    "browser", "browser_version", "channel", "city", "country", "device_type", "dimensions",
    "entry_page", "event_name", "exit_page", "hostname", "language", "lat", "lon",
    "operating_system", "operating_system_version", "page_title", "pathname", "querystring",
    "referrer", "region", "tag", "timezone", "user_id", "utm_campaign", "utm_content",
    "utm_medium", "utm_source", "utm_term",
)  # fmt: skip
"""What filters can be about."""

_NULL: Final = re.compile(r"\s*(\w+)\s+is\s+(not\s+)?null\s*", re.ASCII | re.IGNORECASE)
_FORM: Final = re.compile(
    r"\s*(\w+)\s*(" + "|".join(sorted(map(re.escape, FORMS), key=len, reverse=True)) + r")(.*)",
    re.ASCII | re.DOTALL,
)
_VALUE: Final = re.compile(r"(?:\\.|[^,\\]|\\$)*", re.DOTALL)
_HELP: Final = (
    "Only sessions of which this holds; if given several times, all of them. In quotes: "
    "`'x=a,b'` is one of them, `'x!=a,b'` none of them, `'x~a'` contains, `'x!~a'` does not, "
    "`'x=~re'` matches a regular expression, `'x!=~re'` does not, `'x^=a'` starts with, `'x$=a'` "
    "ends with, `'x>a'`, `'x<a'`, `'x>=a'`, `'x<=a'` compare, `'x is null'`, `'x is not null'`. "
    "`\\,` is a comma in a value. `x` is one of: " + ", ".join(NAMES) + "."
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
            CommandError: one is none.
        """
        return [parse_filter(text) for text in self.filter] or None


def parse_filter(text: str) -> Filter:
    r"""A filter such as ``country=US,CA``, ``referrer is null`` or ``pathname=~^/blog/\d+``.

    Values are separated by commas; a comma in a value is written ``\,``. A regular expression is
    one value.

    Raises:
        CommandError: it is none.
    """
    from ... import Filter, InvalidParameterError

    try:
        null = _NULL.fullmatch(text)
        if null is not None:
            return Filter(null[1].lower(), "is_not_null" if null[2] else "is_null", [])
        form = _FORM.fullmatch(text)
        if form is None:
            raise CommandError(
                "--filter must be a name, an operator and values, such as country=US,CA, got "
                f"{text!r}",
                Exit.USAGE,
            )
        name, kind = form[1].lower(), FORMS[form[2]]
        values = [form[3]] if kind.endswith("regex") else _values(form[3])
        return Filter(
            name, kind, [_number(one) if name in ("lat", "lon") else one for one in values]
        )
    except InvalidParameterError as error:
        raise CommandError(f"--filter {text!r}: {error}", Exit.USAGE) from None


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
