"""The time that figures and rows are of, as people say it."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from ..durations import seconds_of
from ..exits import CommandError, Exit
from .groups import TIME

__all__ = [
    "TimeZone",
    "Window",
    "WindowOptions",
    "days_before",
    "month",
    "now",
    "parse_day",
    "zone_of",
]

_LAST: Final = re.compile(r"(\d{1,5})(d|w|mo|y)", re.ASCII)
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


@dataclass(frozen=True)
class Window:
    """A time that figures and rows are of.

    Attributes:
        first, last: its days; ``None`` if it has none.
        minutes: of the past, in place of days.
        zone: the IANA name of the time zone in which days begin and end.
    """

    first: date | None = None
    last: date | None = None
    minutes: int | None = None
    zone: str = "UTC"

    def common(self) -> Mapping[str, Any]:
        """The common parameters of the client."""
        if self.minutes is not None:
            return {"past_minutes_start": self.minutes, "past_minutes_end": 0}
        if self.first is None:
            return {}
        return {"start_date": self.first, "end_date": self.last, "time_zone": self.zone}

    def days(self) -> int:
        """How many days it has; 0 if it has none."""
        if self.first is None or self.last is None:
            return 0
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        if self.minutes is not None:
            return f"the past {_words(self.minutes)}"
        if self.first is None:
            return "all time"
        days = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        return f"{days}, {self.zone}"


TimeZone = Annotated[
    str | None,
    Parameter(
        metavar="ZONE",
        help="The time zone in which days begin and end, such as `Europe/Berlin`; "
        "or RYBBIT_TIME_ZONE, or that of the profile, or UTC.",
    ),
]


@Parameter(name="*", group=TIME)
@dataclass(frozen=True)
class WindowOptions:
    """See the help of each field."""

    last: Annotated[
        str | None,
        Parameter(
            metavar="N",
            help="The last days, weeks, months or years, today included: `30d`, `4w`, `6mo`, `1y`.",
        ),
    ] = None
    since: Annotated[
        str | None, Parameter(metavar="DAY", help="The first day, such as `2024-01-01`.")
    ] = None
    until: Annotated[
        str | None, Parameter(metavar="DAY", help="The last day; today if only --since is given.")
    ] = None
    today: Annotated[bool, Parameter(help="Today.")] = False
    month: Annotated[
        str | None, Parameter(metavar="MONTH", help="A whole month, such as `2024-01`.")
    ] = None
    past: Annotated[
        str | None,
        Parameter(metavar="N", help="The past minutes, hours or days up to now: `60m`, `24h`."),
    ] = None
    tz: TimeZone = None

    def resolve(self, default_zone: str = "UTC", *, last: str | None = None) -> Window:
        """The window that the options say; all of time if they say none.

        Args:
            default_zone: the time zone if ``--tz`` does not say it.
            last: taken for ``--last`` if no option says a time.

        Raises:
            CommandError: they contradict each other, or one is wrong.
        """
        given = {
            "--last": self.last,
            "--since": self.since or self.until,
            "--today": self.today or None,
            "--month": self.month,
            "--past": self.past,
        }
        named = [name for name, value in given.items() if value is not None]
        if len(named) > 1:
            raise CommandError(
                f"the time must be given in one way, got {' and '.join(named)}", Exit.USAGE
            )
        zone = self.tz or default_zone
        option = "--tz" if self.tz else "RYBBIT_TIME_ZONE, or time_zone of the profile,"
        now_there = now().astimezone(zone_of(zone, option))
        if self.past is not None:
            return Window(minutes=_minutes(self.past), zone=zone)
        today = now_there.date()
        if self.today:
            return Window(today, today, zone=zone)
        if self.month is not None:
            return Window(*month("--month", self.month), zone=zone)
        if self.since is not None or self.until is not None:
            return Window(*self._days(today), zone=zone)
        if self.last is not None:
            last = self.last
        return Window(zone=zone) if last is None else Window(_first(last, today), today, zone=zone)

    def _days(self, today: date) -> tuple[date, date]:
        if self.since is None:
            raise CommandError("--until must come with --since, got only --until", Exit.USAGE)
        first = parse_day("--since", self.since, today)
        last = today if self.until is None else parse_day("--until", self.until, today)
        if first > last:
            raise CommandError(
                f"--since must not be after --until, got {first} and {last}", Exit.USAGE
            )
        return first, last


def now() -> datetime:
    """The time, by the clock of this machine."""
    return datetime.now(UTC)


def zone_of(name: str, option: str = "--tz") -> tzinfo:
    """A time zone by its IANA name.

    Args:
        name: the name.
        option: where it was given, for the error.

    Raises:
        CommandError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        must = "must be the IANA name of a time zone, such as Europe/Berlin"
        raise CommandError(f"{option} {must}, got {name!r}", Exit.USAGE) from None


def parse_day(option: str, text: str, today: date) -> date:
    """A day: ``2024-01-31``, ``today`` or ``yesterday``.

    Raises:
        CommandError: it is none.
    """
    if text in ("today", "yesterday"):
        return today - timedelta(days=text == "yesterday")
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  # a day has no time zone
    except ValueError:
        raise CommandError(
            f"{option} must be a day such as 2024-01-31, today or yesterday, got {text!r}",
            Exit.USAGE,
        ) from None


def month(option: str, text: str) -> tuple[date, date]:
    """The first and the last day of a month, ``2024-01``.

    Raises:
        CommandError: it is none.
    """
    found = _MONTH.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12 or not int(found[1]):
        raise CommandError(f"{option} must be a month such as 2024-01, got {text!r}", Exit.USAGE)
    year, number = int(found[1]), int(found[2])
    return date(year, number, 1), date(year, number, monthrange(year, number)[1])


def days_before(window: Window) -> Window:
    """The window of as many days, or minutes, that ends where this one begins.

    Raises:
        CommandError: the window has no days.
    """
    if window.first is None:
        raise CommandError(
            "the time must be days, such as --last 30d, so that it can be compared with those "
            f"before, got {window}; or name the other time with --against",
            Exit.USAGE,
        )
    length = timedelta(days=window.days())
    try:
        return Window(window.first - length, window.first - timedelta(days=1), zone=window.zone)
    except OverflowError:
        raise CommandError(
            f"there are no {window.days()} days before {window}", Exit.USAGE
        ) from None


def _first(last: str, today: date) -> date:
    found = _LAST.fullmatch(last.strip().lower())
    if found is None or not int(found[1]):
        hint = ""
        if re.fullmatch(r"\d+[smh]", last):
            hint = f"; for the time up to now use --past {last}"
        if re.fullmatch(r"\d+m", last):
            hint = f"; for months use {last}o, and for minutes up to now --past {last}"
        raise CommandError(
            "--last must be a number of days, weeks, months or years, such as 30d, 4w, 6mo or 1y, "
            f"got {last!r}{hint}",
            Exit.USAGE,
        )
    number, unit = int(found[1]), found[2]
    try:
        if unit in ("d", "w"):
            return today - timedelta(days=number * (7 if unit == "w" else 1) - 1)
        months = today.year * 12 + today.month - 1 - number * (12 if unit == "y" else 1)
        year, index = divmod(months, 12)
        same_day = min(today.day, monthrange(year, index + 1)[1])
        return date(year, index + 1, same_day) + timedelta(days=1)
    except (OverflowError, ValueError):
        raise CommandError(
            f"--last must not go back before the year 1, got {last!r}", Exit.USAGE
        ) from None


def _words(minutes: int) -> str:
    """``30 minutes``, ``hour``, ``24 hours`` or ``2 days``."""
    number, unit = minutes, "minute"
    if not minutes % 60:
        number, unit = minutes // 60, "hour"
    if not minutes % 1440 and minutes > 1440:
        number, unit = minutes // 1440, "day"
    return unit if number == 1 else f"{number:,} {unit}s"


def _minutes(past: str) -> int:
    seconds = seconds_of("--past", past)
    if seconds % 60:
        raise CommandError(f"--past must be whole minutes, such as 60m, got {past!r}", Exit.USAGE)
    return seconds // 60
