"""Hypothesis strategies that several test modules share.

``goal_rows``, ``session_rows`` and ``configs`` give pairs: what a server sends, and what
``to_dict`` must make of it. The second is built beside the first and not by the package's code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from rybbit_async import Filter
from rybbit_async.parameters.filters import FILTER_PARAMETERS, FILTER_TYPES

Pair = tuple[dict[str, Any], dict[str, Any]]

# --- JSON --------------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | finite | st.text(max_size=20)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)


def unknown_fields(known: Iterable[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Fields as a newer server may add them."""
    names = st.text(min_size=1, max_size=12).filter(lambda name: name not in frozenset(known))
    return st.dictionaries(names, json_values, max_size=2)


def javascript(number: float) -> str:
    """What ``String(number)`` is in JavaScript (ECMAScript, Number::toString)."""
    sign, all_digits, _ = parts = Decimal(repr(number)).as_tuple()
    digits = "".join(map(str, all_digits)).rstrip("0")
    if not digits:
        return "0"
    point = len(all_digits) + int(parts.exponent)  # where the decimal point stands among them
    minus = "-" if sign else ""
    if len(digits) <= point <= 21:
        return minus + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{minus}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{fraction}e{point - 1:+d}"


@st.composite
def server_numbers(draw: st.DrawFn) -> tuple[int | float, str]:
    """A number as ``json.loads`` gives it, and the text that the server had written."""
    small = st.floats(1e-9, 1e-3) | st.floats(-1e-3, -1e-9)  # where notations change
    text = javascript(draw(finite | small | st.integers(-(2**53), 2**53).map(float)))
    number: int | float = json.loads(text)
    return number, text


# --- rows --------------------------------------------------------------------------------------

moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001


@st.composite
def times(draw: st.DrawFn, *, fractions: bool = True) -> tuple[str, str]:
    """A time in one of the forms that servers send, and the text that ``to_dict`` gives."""
    moment = draw(moments)
    if not fractions:
        moment = moment.replace(microsecond=0)
    form = draw(st.sampled_from(["observed", "documented", "offset"]))
    if form == "documented":
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        wire = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    elif form == "offset":
        wire = f"{moment.isoformat()}+00:00"
    else:  # trailing zeros are dropped, so there are 0 to 6 digits
        fraction = f"{moment.microsecond:06d}".rstrip("0")
        wire = f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{fraction}" if fraction else "")
    return wire, f"{moment.isoformat()}Z"


@st.composite
def texts(draw: st.DrawFn) -> tuple[str | int | float, str]:
    """Text as a server sends it: as text, or as the number that it looks like."""
    if draw(st.booleans()):
        return draw(server_numbers())
    text = draw(st.text(max_size=20))
    return text, text


@st.composite
def integers(draw: st.DrawFn) -> tuple[int | str | float, int]:
    """An integer as servers send it: a number, or the same as text."""
    number = draw(st.integers(0, 2**53))
    forms: list[int | str | float] = [number, str(number), float(number)]
    return draw(st.sampled_from(forms)), number


_VALUE_PATTERN: Final = {"valuePattern": "value_pattern"}
# The texts and numbers in the config of each type: names on the wire, and in ``to_dict``.
_CONFIG_FIELDS: Final = {
    "path": {"pathPattern": "path_pattern"},
    "event": {
        "eventName": "event_name",
        "eventPropertyKey": "property_key",
        "eventPropertyValue": "property_value",
    },
    "outbound": _VALUE_PATTERN,
    "button_click": _VALUE_PATTERN,
    "form_submit": _VALUE_PATTERN,
    "copy": _VALUE_PATTERN,
}


@st.composite
def configs(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A goal's type, its config on the wire, and the same from ``to_dict``."""
    kind = draw(st.sampled_from([*_CONFIG_FIELDS, "something newer"]))
    if kind == "something newer":
        mapping = draw(st.dictionaries(st.text(max_size=10), json_values, max_size=3))
        return kind, mapping, mapping
    fields = _CONFIG_FIELDS[kind]
    wire: dict[str, Any] = {}
    plain: dict[str, Any] = dict.fromkeys(fields.values())
    properties = st.text(max_size=10) | st.integers() | finite | st.booleans()
    values = {
        "eventPropertyKey": st.text(min_size=1, max_size=10),
        "eventPropertyValue": properties,
    }
    for name, attribute in fields.items():
        if name in ("pathPattern", "eventName") or draw(st.booleans()):
            wire[name] = plain[attribute] = draw(values.get(name, st.text(max_size=20)))
    plain["property_filters"] = None
    if draw(st.booleans()):
        pairs = draw(st.dictionaries(st.text(max_size=10), properties, max_size=2)).items()
        more = [draw(unknown_fields(["key", "value"])) for _ in pairs]
        wire["propertyFilters"] = [
            {"key": key, "value": value, **extra}
            for (key, value), extra in zip(pairs, more, strict=True)
        ]
        plain["property_filters"] = [
            {"key": key, "value": value, "extra": extra}
            for (key, value), extra in zip(pairs, more, strict=True)
        ]
    extra = draw(unknown_fields([*fields, "propertyFilters"]))
    return kind, {**wire, **extra}, {**plain, "extra": extra}


GOAL_FIELDS: Final = [
    "goalId",
    "siteId",
    "name",
    "goalType",
    "config",
    "createdAt",
    "total_conversions",
    "total_sessions",
    "conversion_rate",
]


@st.composite
def goal_rows(draw: st.DrawFn) -> Pair:
    """A goal on the wire, and the same from ``to_dict``."""
    goal_id, site_id = draw(st.integers(1, 2**31)), draw(st.integers(1, 2**31))
    name = draw(st.none() | st.text(max_size=20))
    kind, config, plain_config = draw(configs())
    wire: dict[str, Any] = {
        "goalId": goal_id,
        "siteId": site_id,
        "name": name,
        "goalType": kind,
        "config": config,
    }
    plain: dict[str, Any] = {
        "goal_id": goal_id,
        "site_id": site_id,
        "name": name,
        "goal_type": kind,
        "config": plain_config,
    }
    optional = {
        "createdAt": ("created_at", times()),
        "total_conversions": ("total_conversions", integers()),
        "total_sessions": ("total_sessions", integers()),
        "conversion_rate": (
            "conversion_rate",
            st.sampled_from([(0, 0.0), (1, 1.0), (0.25, 0.25), ("0.5", 0.5)]),
        ),
    }
    _fill(draw, wire, plain, optional)
    extra = draw(unknown_fields(GOAL_FIELDS))
    return {**wire, **extra}, {**plain, "extra": extra}


SESSION_TEXTS: Final = [
    "region",
    "city",
    "language",
    "device_type",
    "browser",
    "browser_version",
    "operating_system",
    "operating_system_version",
    "referrer",
    "channel",
    "hostname",
    "page_title",
    "querystring",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "entry_page",
    "exit_page",
    "ip",
    "tag",
]
SESSION_INTEGERS: Final = [
    "screen_width",
    "screen_height",
    "session_duration",
    "pageviews",
    "events",
    "errors",
    "outbound",
]


@st.composite
def session_rows(draw: st.DrawFn) -> Pair:
    """A session on the wire, and the same from ``to_dict``."""
    session_id = draw(st.text(min_size=1, max_size=20))
    wire: dict[str, Any] = {"session_id": session_id}
    plain: dict[str, Any] = {"session_id": session_id}
    users = st.text(min_size=1, max_size=20).map(lambda text: (text, text))
    countries = st.sampled_from([("US", "US"), ("\0\0", ""), ("", "")])
    degrees = st.floats(-180, 180).map(lambda number: (number, number))
    optional: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
        "user_id": ("user_id", users),
        "country": ("country", countries),
        **{name: (name, texts()) for name in SESSION_TEXTS},
        **{name: (name, integers()) for name in SESSION_INTEGERS},
        "session_start": ("session_start", times(fractions=False)),
        "session_end": ("session_end", times(fractions=False)),
        "lat": ("lat", degrees),
        "lon": ("lon", degrees),
    }
    _fill(draw, wire, plain, optional)
    extra = draw(unknown_fields([*wire, *optional]))
    return {**wire, **extra}, {**plain, "extra": extra}


def _fill(
    draw: st.DrawFn,
    wire: dict[str, Any],
    plain: dict[str, Any],
    optional: dict[str, tuple[str, st.SearchStrategy[Any]]],
) -> None:
    """Each optional field is there, null, or not sent."""
    few = draw(st.sets(st.sampled_from(sorted(optional)), max_size=6))
    nulls = draw(st.sets(st.sampled_from(sorted(optional)), max_size=3))
    for name, (attribute, values) in optional.items():
        plain[attribute] = None
        if name in few:
            wire[name], plain[attribute] = draw(values)
        elif name in nulls:
            wire[name] = None


# --- what a caller passes ----------------------------------------------------------------------

# Text that can be sent: UTF-8 can encode it, and it contains no NUL.
sendable = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)


# Those whose meaning depends on the server, or on the form of the value.
_SPECIAL: Final = frozenset(
    [
        "user_id",
        "event_name",
        "lat",
        "lon",
        "browser_version",
        "operating_system_version",
        "city",
        "dimensions",
        "referrer",
        "entry_page",
        "exit_page",
    ]
)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """A valid filter that means the same on every server."""
    kind = draw(st.sampled_from(FILTER_TYPES))
    parameters = FILTER_PARAMETERS - _SPECIAL
    values: st.SearchStrategy[Any] = sendable | st.integers(-(10**9), 10**9) | finite
    count = (0, 0) if kind in ("is_null", "is_not_null") else (1, 4)
    if kind.startswith(("greater_than", "less_than")):
        parameters = frozenset({"lat", "lon"})
        values = st.integers(-(10**9), 10**9) | finite
    elif kind in ("regex", "not_regex"):
        values = st.from_regex(r"[a-z/]{1,10}(\.[*+])?", fullmatch=True)
    elif kind in ("contains", "not_contains"):
        values = st.text("aä/ .*", min_size=1, max_size=20)
    chosen = draw(st.lists(values, min_size=count[0], max_size=count[1]))
    return Filter(draw(st.sampled_from(sorted(parameters))), kind, chosen)


@st.composite
def day_ranges(draw: st.DrawFn) -> tuple[date, date]:
    """Two days, in order."""
    days = st.dates(min_value=date(1970, 1, 1))
    first, last = sorted([draw(days), draw(days)])
    return first, last
