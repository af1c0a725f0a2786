"""The window in time: what a caller passes, as query parameters, and as exact times."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from ..errors import InvalidParameterError
from .checks import check_int, invalid

__all__ = [
    "dates_query",
    "freeze",
    "is_frozen",
    "is_past",
    "is_relative",
    "minutes_query",
    "thaw",
    "zone_name",
]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def dates_query(given: Mapping[str, Any]) -> dict[str, str]:
    """The query parameters of two days, both included."""
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
        raise invalid(name, value, f"{allowed}, not a datetime: use .date() in the zone you mean")
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise invalid(name, value, "a day that the calendar has") from None
    raise invalid(name, value, allowed)


def minutes_query(given: Mapping[str, Any]) -> dict[str, str]:
    """The query parameters of minutes before now."""
    for name in ("past_minutes_start", "past_minutes_end"):
        if name not in given:
            raise InvalidParameterError(
                f"{name} is missing: past_minutes_start and past_minutes_end go together "
                "(the server would answer with all of time)"
            )
    start = check_int("past_minutes_start", given["past_minutes_start"], minimum=0)
    end = check_int("past_minutes_end", given["past_minutes_end"], minimum=0)
    if start <= end:
        raise InvalidParameterError(
            f"past_minutes_start={start} must be more than past_minutes_end={end}: "
            "both count back from now"
        )
    return {"past_minutes_start": str(start), "past_minutes_end": str(end)}


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def zone_name(value: object) -> str:
    """The name of a time zone, checked."""
    allowed = 'an IANA time zone in its exact spelling, such as "Europe/Berlin" or "UTC"'
    if not isinstance(value, str):
        raise invalid("time_zone", value, allowed)
    if value == "UTC" or value in _zones():
        return value
    if not _zones():
        raise invalid(
            "time_zone", value, "cannot be checked, for this machine has no time zone data: "
            "python -m pip install tzdata",
        )  # fmt: skip
    same = [zone for zone in _zones() if zone.lower() == value.lower()]
    raise invalid("time_zone", value, f"{allowed}; did you mean {same[0]!r}?" if same else allowed)


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
