"""The window in time that a request is about, as a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

from attrs import evolve, frozen

from ..errors import InvalidParameterError
from ..plain import plain, plain_float
from .checks import check_int, did_you_mean, invalid, type_name, wrong_type

__all__ = [
    "LATENESS",
    "SETTLED_AFTER",
    "Days",
    "ExactTimes",
    "MinutesAgo",
    "Window",
    "check_settled_after",
    "parse_window",
    "zone_of",
]

# Servers store events some seconds after the visit: 0.2 to 9.7 seconds were seen. While a window
# is not settled, rows are looked for as far back as LATENESS from where they can be at the latest.
# A window is settled SETTLED_AFTER its end, unless the caller knows better: late enough for a
# server that has fallen behind, and for clocks that differ.
LATENESS: Final = timedelta(seconds=30)
SETTLED_AFTER: Final = timedelta(minutes=5)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_DATES: Final = ("start_date", "end_date")
_MINUTES: Final = ("past_minutes_start", "past_minutes_end")
_EXACT: Final = ("start_datetime", "end_datetime")
_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONE: Final = r"[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z0-9_+-]+)+"  # as all names with an area are written


# Named tuples, since they are made six times as fast as attrs classes when this is imported.
class Days(NamedTuple):
    """Whole days in the window's time zone, both included."""

    first: date
    last: date


class MinutesAgo(NamedTuple):
    """From ``start`` to ``end`` minutes before the request, so ``start`` is the larger number."""

    start: int
    end: int


class ExactTimes(NamedTuple):
    """Two moments in UTC, in whole seconds; ``end`` is not included."""

    start: datetime
    end: datetime


@frozen
class Window:
    """The part of time that a request is about.

    Attributes:
        value: ``None`` stands for all of time.
        zone: an IANA time zone. For ``Days`` it says when they begin, and ``None`` means UTC;
            other windows have the same rows with any zone.
    """

    value: Days | MinutesAgo | ExactTimes | None = None
    zone: str | None = None

    def query(self) -> dict[str, str]:
        """The query parameters that say this window."""
        query: dict[str, str] = {}
        zone = self.zone
        match self.value:
            case Days(first, last):
                query = {"start_date": first.isoformat(), "end_date": last.isoformat()}
                # Without a zone the older servers drop the dates and answer with all of time.
                zone = zone or "UTC"
            case MinutesAgo(start, end):
                query = {"past_minutes_start": str(start), "past_minutes_end": str(end)}
            case ExactTimes(start, end):
                query = {"start_datetime": _write(start), "end_datetime": _write(end)}
            case _:  # all of time
                pass
        return query if zone is None else {**query, "time_zone": zone}

    @property
    def is_relative(self) -> bool:
        """Whether the server resolves the window anew at each request."""
        return isinstance(self.value, MinutesAgo)

    @property
    def is_pinned(self) -> bool:
        """Whether the window has exact times, which only ``pin`` and ``restore`` set."""
        return isinstance(self.value, ExactTimes)

    def is_settled(self, now: datetime, after: timedelta) -> bool:
        """Whether nothing in the window can change any more.

        Servers store events some seconds after the visit, and clocks differ. So rows may still
        appear and move in a window whose end has just passed, whatever kind of window it is.

        Args:
            now: the time of the server.
            after: how far back the end of the window must be.
        """
        moment = self.settles_at(after)
        return moment is not None and now >= moment

    def settles_at(self, after: timedelta) -> datetime | None:
        """When the window is settled, in UTC; ``None`` if its end moves on for ever.

        Args:
            after: how far back the end of the window must be.
        """
        match self.value:
            case ExactTimes(_, end):
                pass
            case Days(_, last) if last < date.max:
                end = datetime.combine(last + timedelta(days=1), time(), _tzinfo(self.zone))
            case _:  # it ends now, or its end moves on with each request
                return None
        try:
            return end.astimezone(UTC) + after
        except OverflowError:  # after the year 9999
            return None

    def pin(self, now: datetime) -> Window:
        """A relative window with exact times in place of its minutes; any other as it is.

        Its start is the first second that is later than so many minutes ago, and its end the
        second that is that long ago, which is part of it. Of exact times the start is part of the
        window and the end is not, so both are a second later.
        """
        if not isinstance(self.value, MinutesAgo):
            return self
        start, end = (_after_minutes_before(now, minutes) for minutes in self.value)
        return evolve(self, value=ExactTimes(start, end))

    def holds(self, moment: datetime) -> bool:
        """Whether a moment is in this window, as far as its exact times say; for a pinned one."""
        return not isinstance(self.value, ExactTimes) or (
            self.value.start <= moment < self.value.end
        )

    def state(self) -> dict[str, str]:
        """What a position stores of this window: its exact times if it is pinned, else nothing."""
        return Window(self.value).query() if self.is_pinned else {}

    def restore(self, state: Mapping[str, str]) -> Window:
        """This window with the exact times that ``state()`` of an earlier walk returned.

        Raises:
            InvalidParameterError: they are not exact times, or this window has none to pin.
        """
        if not state:
            return self
        try:
            start, end = (_read(state[name]) for name in _EXACT)
        except (KeyError, ValueError):
            pass
        else:
            if self.is_relative and start <= end and len(state) == len(_EXACT):
                return evolve(self, value=ExactTimes(start, end))
        raise InvalidParameterError("start must be the position of a page of the same walk")


def zone_of(window: Window) -> tzinfo:
    """Where the days of a window begin and end."""
    return _tzinfo(window.zone)


def _after_minutes_before(now: datetime, minutes: int) -> datetime:
    """The second after ``minutes`` before ``now``, and not before 1970."""
    second = now.astimezone(UTC).replace(microsecond=0)
    try:
        return max(second - (timedelta(minutes=minutes) - _SECOND), _EPOCH)
    except OverflowError:  # before the year 1
        return _EPOCH


def _write(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _read(text: object) -> datetime:
    """What ``_write`` wrote.

    Raises:
        ValueError: the text is something else.
    """
    moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    if moment is None or moment.tzinfo is None or _write(moment) != text:
        raise ValueError(text)
    return moment


def _tzinfo(zone: str | None) -> tzinfo:
    if zone is None or zone == "UTC":
        return UTC  # known also where there is no time zone data
    from zoneinfo import ZoneInfo  # takes 3 ms to import, and most programs need only UTC

    return ZoneInfo(zone)


# --- what a caller passes: settled_after ---------------------------------------------------------


def check_settled_after(
    value: object, default: timedelta, name: str = "settled_after"
) -> timedelta:
    """How far back the end of a window must be for nothing in it to change any more."""
    if value is None:
        return default
    number = plain_float(cast("float", value))
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(number, (int, float)) and not isinstance(number, bool):
        seconds = float(min(number, 1e9))  # an integer may be too large for a float
    else:
        raise wrong_type(name, value, "timedelta, int or float (seconds)")
    if not 0 <= seconds < 1e9:
        raise invalid(name, value, "be 0 seconds or more, and less than 30 years")
    return timedelta(seconds=seconds)


# --- what a caller passes: windows ---------------------------------------------------------------


def parse_window(given: Mapping[str, Any]) -> Window:
    """The window that the common parameters say; absent and ``None`` mean the same.

    Raises:
        InvalidParameterError: for values, and for combinations, that a server would reject or
            silently answer with data of all time.
    """
    dates, minutes = _names(given, _DATES), _names(given, _MINUTES)
    if dates and minutes:
        raise InvalidParameterError(
            "dates and minutes must not be combined, "
            f"got {dates[0]} and {minutes[0]} (the server would ignore the minutes)"
        )
    value: Days | MinutesAgo | None = None
    if dates:
        value = _days(*_both(given, dates, _DATES))
    elif minutes:
        value = _minutes_ago(*_both(given, minutes, _MINUTES))
    zone = given.get("time_zone")
    # A zone on its own changes no row, so a program may pass it in all of its calls.
    return Window(value, None if zone is None else _zone_name(zone))


def _names(given: Mapping[str, Any], pair: tuple[str, str]) -> list[str]:
    return [name for name in pair if given.get(name) is not None]


def _both(given: Mapping[str, Any], names: list[str], pair: tuple[str, str]) -> list[Any]:
    if len(names) == 1:
        raise InvalidParameterError(
            f"{pair[0]} and {pair[1]} must be given together, got only {names[0]} "
            "(the server would answer with data of all time)"
        )
    return [given[name] for name in names]


def _days(start_date: object, end_date: object) -> Days:
    days = Days(_date("start_date", start_date), _date("end_date", end_date))
    if days.first > days.last:
        raise InvalidParameterError(
            "start_date must not be after end_date, "
            f"got start_date={days.first} and end_date={days.last}"
        )
    return days


def _date(name: str, value: object) -> date:
    if isinstance(value, datetime):
        hint = ": use .date() in the time zone that you mean"
        raise wrong_type(name, value, "date or str, not datetime", hint)
    if isinstance(value, date):
        return date(value.year, value.month, value.day)  # those of other packages write otherwise
    if not isinstance(value, str):
        cure = ": use value.astype('datetime64[D]').item()"  # numpy's
        hint = cure if type_name(value) == "datetime64" else ""
        raise wrong_type(name, value, 'date or str such as "2024-01-31"', hint)
    if not re.fullmatch(_DATE, value):
        raise invalid(name, value, 'be a date such as "2024-01-31"')
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise invalid(name, value, "be a day that exists in the calendar") from None


def _minutes_ago(start: object, end: object) -> MinutesAgo:
    minutes = MinutesAgo(
        check_int("past_minutes_start", start, minimum=0),
        check_int("past_minutes_end", end, minimum=0),
    )
    if minutes.start <= minutes.end:
        raise InvalidParameterError(
            "past_minutes_start must be more than past_minutes_end, since both count back from "
            f"now, got past_minutes_start={minutes.start} and past_minutes_end={minutes.end}"
        )
    return minutes


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    from zoneinfo import available_timezones

    return frozenset(available_timezones() - {"Factory", "localtime"})


def _zone_name(value: object) -> str:
    name = _name_of(value) if isinstance(value, tzinfo) else plain(value)
    if not isinstance(name, str):
        expected = 'str (an IANA time zone such as "Europe/Berlin") or ZoneInfo'
        raise wrong_type("time_zone", value, expected)
    if name == "UTC" or name in _zones():
        return name
    if not _zones():
        raise InvalidParameterError(
            f"time_zone={name!r} cannot be checked, because this machine has no time zone data: "
            "python -m pip install tzdata"
        )
    must = 'be an IANA time zone in its exact spelling, such as "Europe/Berlin" or "UTC"'
    hint = did_you_mean(name, sorted(_zones()))
    area = name.partition("/")[0]
    if re.fullmatch(_ZONE, name) and any(zone.startswith(f"{area}/") for zone in _zones()):
        hint += (
            ". If it is spelt right, the time zone data of this machine is too old for it: "
            "python -m pip install -U tzdata"
        )
    raise invalid("time_zone", name, must, hint)


def _name_of(zone: tzinfo) -> object:
    """The name of a time zone: a ``ZoneInfo`` and pytz's have one, and UTC is known without."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if name is not None:
        return plain(name)
    try:
        offset = zone.utcoffset(None)
    except Exception:  # a class of another package may raise anything
        return None
    return "UTC" if offset == timedelta(0) else None
