"""The common time parameters, resolved as each release resolves them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import attrs
from multidict import MultiMapping

from .releases import Release

__all__ = ["ALL_TIME", "ParameterError", "Window", "ZoneError", "resolve"]


class ParameterError(Exception):
    """The server answers 400 with this message."""


class ZoneError(Exception):
    """A zone in the wrong case: it passes the server's check and fails in its database."""


@attrs.frozen
class Window:
    """From `start` up to but without `end`, both naive UTC of whole seconds; None is open."""

    start: datetime | None = None
    end: datetime | None = None


ALL_TIME = Window()

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_EXACT = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_SECOND = timedelta(seconds=1)


@cache
def _zones() -> tuple[frozenset[str], frozenset[str]]:
    names = available_timezones()
    return frozenset(names), frozenset(name.lower() for name in names)


def _zone(name: str) -> ZoneInfo | None:
    exact, folded = _zones()
    if name in exact:
        return ZoneInfo(name)
    if name.lower() in folded:
        raise ZoneError(name)
    return None


def _day(text: str) -> date | None:
    """A day; one that its month lacks is silently a neighbouring day, but no month has 32."""
    found = _DATE.fullmatch(text)
    if not found:
        return None
    year, month, day = map(int, found.groups())
    if not (1 <= year <= 9998 and 1 <= month <= 12 and 1 <= day <= 31):
        return None
    return date(year, month, 1) + timedelta(days=day - 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    try:
        return local.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return datetime.combine(day, time())


def _exact(name: str, text: str) -> datetime:
    found = _EXACT.fullmatch(text)
    try:
        if not found:
            raise ValueError
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or 'Z'}")
    except ValueError:
        raise ParameterError(f"Invalid {name}, expected YYYY-MM-DD HH:mm:ss") from None
    return moment.astimezone(UTC).replace(tzinfo=None)


def _minutes(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else None


def resolve(query: MultiMapping[str], release: Release, now: datetime) -> Window:
    """The window that a query asks for, `now` being an aware time.

    Raises `ParameterError` where a strict release answers 400, and `ZoneError` where any
    release answers 500. Other releases drop what they cannot use, and answer of all time.
    """
    given = {name: ",".join(query.getall(name, [])) for name in _NAMES}
    instant = now.astimezone(UTC).replace(tzinfo=None, microsecond=0) + _SECOND
    if release.exact_datetimes and (given["start_datetime"] or given["end_datetime"]):
        if not (given["start_datetime"] and given["end_datetime"]):
            raise ParameterError("start_datetime and end_datetime must be given together")
        start = _exact("start_datetime", given["start_datetime"])
        end = _exact("end_datetime", given["end_datetime"])
        if end <= start:
            raise ParameterError("end_datetime must be after start_datetime")
        return Window(start, end)
    try:
        return _by_dates(given, release, instant) or _by_minutes(given, instant) or ALL_TIME
    except ParameterError:
        if release.strict_parameters:
            raise
        return ALL_TIME


_NAMES = (
    "start_date",
    "end_date",
    "time_zone",
    "past_minutes_start",
    "past_minutes_end",
    "start_datetime",
    "end_datetime",
)


def _by_dates(given: dict[str, str], release: Release, instant: datetime) -> Window | None:
    """The window of two dates; None where there are none, and minutes may count."""
    if not (given["start_date"] or given["end_date"]):
        return None
    if not (given["start_date"] and given["end_date"]):
        raise ParameterError("start_date and end_date must be given together")
    zone_name = given["time_zone"] or ("UTC" if release.strict_parameters else "")
    if not zone_name:
        raise ParameterError("time_zone is required with dates")
    start, end = _day(given["start_date"]), _day(given["end_date"])
    if start is None or end is None:
        raise ParameterError("Invalid date, expected YYYY-MM-DD")
    zone = _zone(zone_name)
    if zone is None:
        raise ParameterError(f"Invalid time_zone: {zone_name}")
    if end < start and release.strict_parameters:
        raise ParameterError("end_date must not be before start_date")
    today = (instant - _SECOND).replace(tzinfo=UTC).astimezone(zone).date()
    after = instant if end == today else _midnight(end + timedelta(days=1), zone)
    return Window(_midnight(start, zone), after)


def _by_minutes(given: dict[str, str], instant: datetime) -> Window | None:
    if not (given["past_minutes_start"] or given["past_minutes_end"]):
        return None
    older, newer = _minutes(given["past_minutes_start"]), _minutes(given["past_minutes_end"])
    if older is None or newer is None or older <= newer:
        raise ParameterError("past_minutes_start must be greater than past_minutes_end, both >= 0")
    try:
        return Window(
            instant - _SECOND - timedelta(minutes=older), instant - timedelta(minutes=newer)
        )
    except OverflowError:
        raise ParameterError("past_minutes_start is too large") from None
