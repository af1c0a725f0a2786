"""Conversions of goals, counted in sessions."""

# ruff: noqa: S608 - DuckDB on the tester's own data; text goes through `quoted` or parameters.

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..sql import pointer, quoted
from .cache import QueryCache

__all__ = ["conversions_by_bucket", "count_sessions", "has_mixed_values"]


def count_sessions(
    queries: QueryCache, within: str, passing: str, conditions: Sequence[str]
) -> tuple[int, list[int]]:
    """The number of sessions, and of those with an event that meets each condition.

    Only events that are `within` the window and are `passing` the filters count. Raises
    `DatabaseError` if the database cannot run a condition.
    """
    known = queries.counts(within, passing)
    wanted = list(dict.fromkeys(one for one in conditions if one not in known))
    if wanted or "" not in known:
        flags = "".join(f", bool_or({one}) AS c{at}" for at, one in enumerate(wanted))
        sums = "".join(f", count(*) FILTER (c{at})" for at in range(len(wanted)))
        ((total, *found),) = queries.rows(
            f"SELECT count(*){sums} FROM (SELECT session_id{flags} FROM events "
            f"WHERE {within} AND {passing} GROUP BY session_id)"
        )
        known[""] = total
        known.update(zip(wanted, found, strict=True))
    return known[""], [known[one] for one in conditions]


def has_mixed_values(queries: QueryCache, within: str, event: str, key: str) -> bool:
    """Whether some events of a name hold text in a property, and others a number or a boolean."""
    kind = f"json_type(props, {quoted(pointer(key))})"
    ((mixed,),) = queries.rows(
        f"SELECT coalesce(bool_or({kind} = 'VARCHAR') AND bool_or({kind} IN "
        f"('BIGINT', 'UBIGINT', 'DOUBLE', 'BOOLEAN')), false) FROM events "
        f"WHERE {within} AND type = 'custom_event' AND event_name = {quoted(event)}"
    )
    return bool(mixed)


def conversions_by_bucket(
    queries: QueryCache, within: str, passing: str, condition: str, bucket: str
) -> list[tuple[datetime, int, int]]:
    """For each bucket of local time: its start, sessions that convert, and all sessions.

    `bucket` is the SQL expression of an event's bucket.
    """
    rows = queries.rows(
        f"SELECT bucket, count(*) FILTER (hit), count(*) FROM (SELECT "
        f"{bucket} AS bucket, session_id, bool_or({condition}) AS hit "
        f"FROM events WHERE {within} AND {passing} GROUP BY bucket, session_id) "
        "GROUP BY bucket ORDER BY bucket"
    )
    return [(moment, conversions, total) for moment, conversions, total in rows]
