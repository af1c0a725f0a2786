"""The times that headers contain: dates, and how long to wait."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

__all__ = ["http_date", "seconds_to_wait"]

_LONGEST_DATE = 60
# RFC 9110 has whole seconds only, but some servers send a fraction.
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def http_date(text: str) -> datetime | None:
    """A date in one of the three forms of RFC 9110, or ``None`` if it is not one.

    A date without a time zone, or with ``-0000``, is in UTC.
    """
    try:
        parts = parsedate_tz(text[:_LONGEST_DATE])
        if parts is None:
            return None
        zone = timezone(timedelta(seconds=parts[9])) if parts[9] else UTC
        year, month, day, hour, minute, second = parts[:6]
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except (IndexError, OverflowError, TypeError, ValueError):
        return None  # for some invalid dates, parsedate_tz itself raises one of these


def seconds_to_wait(value: object, now: datetime) -> float | None:
    """What ``Retry-After`` says, or a number in a body that says the same; in seconds.

    Args:
        value: of the header, or of the body.
        now: the date and time of day, in case ``value`` is a date.

    Returns:
        The seconds, or ``None`` for anything that is not a date, or a number of 0 or more.
    """
    seconds: float | None = None
    if isinstance(value, str):
        text = value.strip(" \t")
        if _SECONDS.fullmatch(text):
            seconds = float(text)
        elif (date := http_date(text)) is not None:
            seconds = max(0.0, (date - now).total_seconds())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            return None
    return seconds if seconds is not None and 0 <= seconds < float("inf") else None
