"""Figures of a whole site: sessions, page views, users; all at once or by time."""

# ruff: noqa: S608 - DuckDB on the tester's own data; text goes through `quoted` or parameters.

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from ..windows import Window
from .buckets import bucket_of, buckets_between
from .cache import QueryCache
from .columns import POSITION

__all__ = ["FIGURES", "OverviewQuery", "overview", "overview_by_bucket"]

FIGURES = (
    *("sessions", "pages_per_session", "bounce_rate", "session_duration"),
    *("pageviews", "users"),
)
"""The figures of an overview in their order."""

_OF_SESSIONS = (
    "count(*) AS sessions, avg(pages) AS pages_per_session, "
    "100.0 * avg((pages = 1)::INTEGER) AS bounce_rate, avg(duration) AS session_duration"
)


@attrs.frozen
class OverviewQuery:
    """Which events count."""

    within: str
    """The SQL condition of site and window."""
    passing: str = "TRUE"
    """The SQL condition of the filters."""

    @property
    def tables(self) -> str:
        """The events that pass, as `passing`, and their sessions, as `sessions`.

        The duration of a session is that of the events that pass, but its page views are all that
        it has in the window.
        """
        return (
            f"passing AS MATERIALIZED (SELECT *, {POSITION} AS position FROM events "
            f"WHERE {self.within} AND {self.passing}), "
            "own AS (SELECT session_id, min(timestamp) AS start, "
            "epoch(max(timestamp) - min(timestamp)) AS duration, "
            "arg_max(user_id, position) AS visitor FROM passing GROUP BY session_id), "
            "whole AS (SELECT session_id, count(*) FILTER (type = 'pageview') AS pages "
            f"FROM events WHERE {self.within} GROUP BY session_id), "
            "sessions AS MATERIALIZED (SELECT * FROM own JOIN whole USING (session_id))"
        )


def overview(queries: QueryCache, query: OverviewQuery, *, last_users: bool) -> dict[str, Any]:
    """The figures. Means are None if there is no session.

    With `last_users` the users are the last user of each session, and otherwise all of them.
    """
    users = "SELECT visitor FROM sessions" if last_users else "SELECT user_id FROM passing"
    ((*figures,),) = queries.rows(
        f"WITH {query.tables} SELECT {_OF_SESSIONS}, "
        "(SELECT count(*) FROM passing WHERE type = 'pageview') AS pageviews, "
        f"(SELECT count(*) FROM (SELECT DISTINCT * FROM ({users}))) AS users FROM sessions"
    )
    return dict(zip(FIGURES, figures, strict=True))


def overview_by_bucket(
    queries: QueryCache, query: OverviewQuery, bucket: str, zone: str, window: Window
) -> list[tuple[datetime, dict[str, Any]]]:
    """The figures of each bucket of local time: all that the window reaches into.

    Sessions are in the bucket that they begin in; page views and users in that of each event.
    """
    rows = queries.rows(
        f"WITH {query.tables}, by_start AS (SELECT {bucket_of(bucket, zone, 'start')} AS bucket, "
        f"{_OF_SESSIONS} FROM sessions GROUP BY bucket), "
        f"by_event AS (SELECT {bucket_of(bucket, zone)} AS bucket, "
        "count(*) FILTER (type = 'pageview') AS pageviews, count(DISTINCT user_id) AS users "
        "FROM passing GROUP BY bucket), "
        f"buckets AS ({buckets_between(bucket, zone, window)} "
        "UNION SELECT bucket FROM by_start UNION SELECT bucket FROM by_event) "
        f"SELECT bucket, {', '.join(f'coalesce({name}, 0)' for name in FIGURES)} FROM buckets "
        "LEFT JOIN by_start USING (bucket) LEFT JOIN by_event USING (bucket) ORDER BY bucket"
    )
    return [(moment, dict(zip(FIGURES, figures, strict=True))) for moment, *figures in rows]
