"""The buckets of time that ``goals series`` shows: all of them, also those without sessions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from ..models import GoalBucket
from ..parameters.window import Days
from ..resources.buckets import begin_of, days_of
from .options.window import Window, zone_of

__all__ = ["By", "filled", "of_calendar"]

By = Literal["hour", "day", "week", "month"]

_EPOCH: Final = date(1970, 1, 1)  # servers have no earlier times
_HOUR: Final = timedelta(hours=1)


def filled(
    rows: Iterable[GoalBucket], goals: Sequence[int], by: By, when: Window, now: datetime
) -> list[GoalBucket]:
    """The rows, and a row of zeros for each goal and bucket that has none.

    Servers leave out buckets without sessions, and a chart would draw its line across them.

    Args:
        rows: as they were read, with their times in the zone of the window.
        goals: the numbers of all goals.
        by: how long a bucket is.
        when: the window; it is filled up to the bucket that ``now`` is in.
        now: the time.
    """
    begins = _hours(when, now) if by == "hour" else _dates(by, when, now)
    all_rows = {
        (_key(by, begin), goal): GoalBucket(begin, goal, 0, 0, 0.0)
        for begin in begins
        for goal in goals
    }
    all_rows |= {(_key(by, row.time), row.goal_id): row for row in rows}
    return sorted(all_rows.values(), key=lambda row: (row.time.timestamp(), row.goal_id))


def _key(by: By, begin: datetime) -> object:
    # Where clocks are set forward at midnight, the day begins at a time that nobody has.
    return begin.timestamp() if by == "hour" else begin.date()


def of_calendar(by: By, when: Window, now: datetime) -> str:
    """What is to be known of weeks and months; nothing if all of them are whole."""
    if by in ("hour", "day"):
        return ""
    days, today = _days(when, now)
    parts = [*days_of(by, days, today)]
    words = ["weeks begin on Sunday"] if by == "week" else []
    if parts:
        (begin, first), (_, last) = parts[0], parts[-1]
        after = datetime.combine(min(last.last, today) + timedelta(1), datetime.min.time(), UTC)
        short = ["the first"] * (begin != first.first)
        short += ["the last"] * (begin_of(by, after) != after)
        if short:
            one = f"{' and '.join(short)} {'are' if len(short) > 1 else 'is'} shorter"
            words.append(one if len(parts) > 1 else f"this {by} is not whole")
    return ", and ".join(words)


def _dates(by: By, when: Window, now: datetime) -> Iterator[datetime]:
    zone = zone_of(when.zone)
    for begin, _ in days_of(by, *_days(when, now)):
        yield datetime(begin.year, begin.month, begin.day, tzinfo=zone)


def _hours(when: Window, now: datetime) -> Iterator[datetime]:
    zone = zone_of(when.zone)
    days, today = _days(when, now)
    if when.minutes is None:
        begin, end = (
            datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
            for day in (days.first, min(days.last, today) + timedelta(1))
        )
        end = min(end, now)
    else:
        begin, end = now - timedelta(minutes=when.minutes), now
    at = begin_of("hour", begin.astimezone(zone)).astimezone(UTC)
    while at < end:  # in UTC, since some hours of a clock come twice, and others never
        yield begin_of("hour", at.astimezone(zone))
        at += _HOUR


def _days(when: Window, now: datetime) -> tuple[Days, date]:
    """The days of a window, and today there."""
    zone = zone_of(when.zone)
    today = now.astimezone(zone).date()
    if when.minutes is not None:
        first = (now - timedelta(minutes=when.minutes)).astimezone(zone).date()
        return Days(max(first, _EPOCH), today), today
    return Days(max(when.first or _EPOCH, _EPOCH), when.last or today), today
