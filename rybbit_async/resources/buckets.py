"""Buckets of time: where they begin, and the times of day that servers send for that."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, TypeVar

from attrs import evolve

from ..models import GoalBucket, OverviewBucket
from ..parameters.figures import Bucket
from ..parameters.window import Days

__all__ = ["DATED", "begin_of", "days_of", "in_zone"]

R = TypeVar("R", OverviewBucket, GoalBucket)

DATED: Final[frozenset[Bucket]] = frozenset({"day", "week", "month", "year"})
_MINUTES: Final[dict[Bucket, int]] = {
    "minute": 1,
    "five_minutes": 5,
    "ten_minutes": 10,
    "fifteen_minutes": 15,
    "hour": 60,
}


def in_zone(
    rows: Iterable[R], zone: tzinfo, series: Callable[[R], Hashable] = lambda _: None
) -> list[R]:
    """Rows with their times in ``zone``: servers send the time of day there.

    When clocks are set back, an hour comes twice. The times of one series rise, so one that does
    not rise is of the second of these hours.

    Args:
        rows: as they were read, with the time of day as if it were in UTC.
        series: what rows of one series have in common.
    """
    latest: dict[Hashable, float] = {}
    found: list[R] = []
    for row in rows:
        time, of = row.time.replace(tzinfo=zone), series(row)
        if time.timestamp() <= latest.get(of, float("-inf")):
            again = time.replace(fold=1)
            time = again if again.utcoffset() != time.utcoffset() else time
        latest[of] = time.timestamp()
        found.append(evolve(row, time=time))
    return found


def begin_of(bucket: Bucket, moment: datetime) -> datetime:
    """When the bucket begins that a moment is in; the moment has the time zone."""
    if bucket in DATED:
        day = _first_day(bucket, moment.date())
        return datetime(day.year, day.month, day.day, tzinfo=moment.tzinfo)
    minutes = _MINUTES[bucket]
    return moment.replace(minute=moment.minute // minutes * minutes, second=0, microsecond=0)


def days_of(bucket: Bucket, days: Days, today: date) -> Iterator[tuple[date, Days]]:
    """The buckets of a window, up to that of ``today``: the first day, and which days it has there.

    Args:
        bucket: one of ``DATED``.
        days: the window.
    """
    last = min(days.last, today)
    while days.first <= last:
        begin = _first_day(bucket, days.first)
        following = _first_day(bucket, begin + timedelta(days=_LONGEST[bucket]))
        end = min(following - timedelta(days=1), days.last)
        yield begin, Days(days.first, end)
        days = Days(end + timedelta(days=1), days.last)


# A number of days after the first day of a bucket that lead into the next one.
_LONGEST: Final[dict[Bucket, int]] = {"day": 1, "week": 7, "month": 31, "year": 366}


def _first_day(bucket: Bucket, day: date) -> date:
    match bucket:
        case "week":  # which begins on Sunday
            return day - timedelta(days=day.isoweekday() % 7)
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)
        case _:
            return day
