"""Buckets of local time, for series."""

# ruff: noqa: S608 - DuckDB on the tester's own data; text goes through `quoted` or parameters.

from __future__ import annotations

from ..sql import literal
from ..windows import Window

__all__ = ["BUCKETS", "bucket_of", "buckets_between"]

BUCKETS = {
    "minute": ("date_trunc('minute', {0})", "1 MINUTE"),
    "five_minutes": ("time_bucket(INTERVAL 5 MINUTE, {0})", "5 MINUTE"),
    "ten_minutes": ("time_bucket(INTERVAL 10 MINUTE, {0})", "10 MINUTE"),
    "fifteen_minutes": ("time_bucket(INTERVAL 15 MINUTE, {0})", "15 MINUTE"),
    "hour": ("date_trunc('hour', {0})::TIMESTAMP", "1 HOUR"),
    "day": ("date_trunc('day', {0})::TIMESTAMP", "1 DAY"),
    # A week begins on Sunday.
    "week": ("date_trunc('week', {0} + INTERVAL 1 DAY)::TIMESTAMP - INTERVAL 1 DAY", "7 DAY"),
    "month": ("date_trunc('month', {0})::TIMESTAMP", "1 MONTH"),
    "year": ("date_trunc('year', {0})::TIMESTAMP", "1 YEAR"),
}
"""The buckets of the API: the start of the one that a local time is in, and how long it is."""

_MOST = 100_000


def bucket_of(bucket: str, zone: str, moment: str = "timestamp") -> str:
    """The SQL expression of the bucket that a time in UTC is in, in local time."""
    start, _ = BUCKETS[bucket]
    return start.format(_local(moment, zone))


def buckets_between(bucket: str, zone: str, window: Window) -> str:
    """The query of every bucket that a window reaches into, up to a hundred thousand.

    It gives none for an open window.
    """
    if window.start is None or window.end is None:
        return "SELECT NULL::TIMESTAMP AS bucket WHERE FALSE"
    start, end = (
        _local(f"TIMESTAMP '{moment.isoformat(' ')}'", zone)
        for moment in (window.start, window.end)
    )
    expression, step = BUCKETS[bucket]
    return (
        f"(SELECT bucket FROM generate_series({expression.format(start)}, "
        f"{end} - INTERVAL 1 SECOND, INTERVAL {step}) AS series(bucket) LIMIT {_MOST})"
    )


def _local(moment: str, zone: str) -> str:
    return f"({moment} AT TIME ZONE 'UTC' AT TIME ZONE {literal(zone)})"
