"""The common time parameters, resolved as each release resolves them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import attrs
from multidict import MultiDict, MultiMapping

from .releases import Release

__all__ = ["ALL_TIME", "ParameterError", "Window", "ZoneError", "resolve", "resolve_dates"]


class ParameterError(Exception):
    """The server answers 400 with this message."""


class ZoneError(Exception):
    """A zone in the wrong case: it passes the server's check and then fails in its database."""


@attrs.frozen
class Window:
    """From `start` (inclusive) to `end` (exclusive), naive UTC in whole seconds. None is open."""

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


def _exact(text: str) -> datetime | None:
    found = _EXACT.fullmatch(text)
    try:
        if not found:
            return None
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or 'Z'}")
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None)


def _minutes(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else None


def _problems(
    name: str, text: str, pattern: re.Pattern[str], form: str, value: object
) -> list[str]:
    """What the server says of one date or time that it cannot use."""
    problems: list[str] = []
    if not pattern.fullmatch(text):
        problems.append(f"Invalid {name} format. Use {form}")
    if value is None:
        problems.append(f"Invalid {name} value")
    return problems


def _reject(problems: list[str]) -> None:
    if problems:
        raise ParameterError("; ".join(problems))


def resolve(query: MultiMapping[str], release: Release, now: datetime) -> Window:
    """The window that a query asks for. `now` is an aware datetime.

    Raises `ParameterError` where a strict release answers 400, and `ZoneError` where every release
    answers 500. Releases that are not strict ignore what they cannot use and answer for all time.
    """
    given = {name: ",".join(query.getall(name, [])) for name in _NAMES}
    instant = now.astimezone(UTC).replace(tzinfo=None, microsecond=0) + _SECOND
    try:
        if release.exact_datetimes and (given["start_datetime"] or given["end_datetime"]):
            return _by_datetimes(given, release)
        return _by_dates(given, release, instant) or _by_minutes(given, instant) or ALL_TIME
    except ParameterError:
        if release.strict_parameters:
            raise
        return ALL_TIME


def resolve_dates(query: MultiMapping[str], release: Release, now: datetime) -> Window | None:
    """The window that the dates of a query ask for. None without dates.

    For a list that ignores all other times. They are checked all the same, as `resolve` does.
    """
    resolve(query, release, now)
    dates = MultiDict((name, value) for name, value in query.items() if name in _DATE_NAMES)
    return (
        resolve(dates, release, now) if dates.get("start_date") or dates.get("end_date") else None
    )


_DATE_NAMES = ("start_date", "end_date", "time_zone")
_NAMES = (
    *_DATE_NAMES,
    "past_minutes_start",
    "past_minutes_end",
    "start_datetime",
    "end_datetime",
)


def _by_datetimes(given: dict[str, str], release: Release) -> Window:
    start, end = _exact(given["start_datetime"]), _exact(given["end_datetime"])
    form = "YYYY-MM-DD HH:mm:ss"
    problems = [
        *_problems("start_datetime", given["start_datetime"], _EXACT, form, start),
        *_problems("end_datetime", given["end_datetime"], _EXACT, form, end),
    ]
    if start is None or end is None or (end <= start and release.strict_parameters):
        problems.append("start_datetime must be before end_datetime")
    _reject(problems)
    return Window(start, end)


def _by_dates(given: dict[str, str], release: Release, instant: datetime) -> Window | None:
    """The window between two dates. None if there are none, so that minutes may count."""
    if not (given["start_date"] or given["end_date"]):
        return None
    if not (given["start_date"] and given["end_date"]):
        raise ParameterError("start_date and end_date must be provided together")
    zone_name = given["time_zone"] or ("UTC" if release.strict_parameters else "")
    if not zone_name:
        raise ParameterError("time_zone must be provided with dates")
    start, end = _day(given["start_date"]), _day(given["end_date"])
    form = "YYYY-MM-DD"
    problems = [
        *_problems("start_date", given["start_date"], _DATE, form, start),
        *_problems("end_date", given["end_date"], _DATE, form, end),
    ]
    zone = _zone(zone_name)
    if zone is None:
        problems.append("Invalid time_zone")
    _reject(problems)
    assert start is not None
    assert end is not None
    assert zone is not None
    today = (instant - _SECOND).replace(tzinfo=UTC).astimezone(zone).date()
    after = instant if end == today else _midnight(end + timedelta(days=1), zone)
    return Window(_midnight(start, zone), after)


def _by_minutes(given: dict[str, str], instant: datetime) -> Window | None:
    if not (given["past_minutes_start"] or given["past_minutes_end"]):
        return None
    if not (given["past_minutes_start"] and given["past_minutes_end"]):
        raise ParameterError("past_minutes_start and past_minutes_end must be provided together")
    older, newer = _minutes(given["past_minutes_start"]), _minutes(given["past_minutes_end"])
    problems: list[str] = []
    if older is None or newer is None:
        problems.append("past_minutes values must be non-negative numbers")
    if older is None or newer is None or older <= newer:
        problems.append(
            "past_minutes_start must be greater than past_minutes_end (start = older, end = newer)"
        )
    _reject(problems)
    assert older is not None
    assert newer is not None
    try:
        # Later than the start, up to and including the end: both bounds are a second later.
        return Window(instant - timedelta(minutes=older), instant - timedelta(minutes=newer))
    except OverflowError:
        raise ParameterError("past_minutes_start must not reach before the year 1") from None
