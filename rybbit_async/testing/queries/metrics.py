"""How often each value of a parameter occurs, such as each country or each page."""

# ruff: noqa: S608 - DuckDB on the tester's own data; a list of names reads best as words.

from __future__ import annotations

from typing import Any

import attrs

from .cache import PageOf, QueryCache
from .columns import POSITION

__all__ = ["MetricQuery", "count_metric", "metric_page"]

_PAGES = frozenset({"pathname", "entry_page", "exit_page"})
_IDENTITY = ("value",)
# Seconds until the next event of the session.
_SECONDS = (
    "coalesce(epoch(lead(timestamp) OVER (PARTITION BY session_id ORDER BY position) - timestamp)"
    ", 0)"
)
_NOT_EMPTY = "rtrim(value, chr(0)) <> ''"


@attrs.frozen
class MetricQuery:
    """Which values are wanted, and of which events."""

    parameter: str
    expression: str
    """The SQL expression of the value of an event."""
    within: str
    """The SQL condition of site and window."""
    passing: str = "TRUE"
    """The SQL condition of the filters."""
    once: bool = False
    """A session counts once, by its first value. Otherwise it counts for each of its values."""
    attributed: bool = False
    """The channel of a session is that of its first event that came through one."""
    hostnames: bool = False
    """Pages have a host name."""

    @property
    def keys(self) -> list[str]:
        """The keys of a row in their order."""
        if self.parameter == "event_name":
            return ["value", "count", "percentage"]
        if self.parameter == "page_title":
            return ["value", "pathname", "count", "percentage", "bounce_rate"]
        keys = ["count", "percentage", "pageviews", "pageviews_percentage"]
        if self.parameter not in _PAGES:
            return ["value", *keys, "bounce_rate"]
        hostname = ["hostname"] if self.hostnames else []
        return ["value", *hostname, *keys, "time_on_page_seconds", "bounce_rate"]

    @property
    def listing(self) -> str:
        """One row for each value, for `QueryCache.page`."""
        values = (
            "SELECT value, count(*)::BIGINT AS count, count(*)::BIGINT AS pageviews "
            f"FROM passing WHERE type = 'custom_event' AND {_NOT_EMPTY} GROUP BY value"
            if self.parameter == "event_name"
            else "SELECT value, count(*)::BIGINT AS count, sum(events)::BIGINT AS pageviews, "
            "sum(seconds) / sum(events) AS time_on_page_seconds, min(hostname) AS hostname, "
            "arg_min(pathname, position) AS pathname, "
            "100.0 * avg((pages = 1)::INTEGER) AS bounce_rate "
            f"FROM ({self._by_session}) JOIN whole USING (session_id) "
            f"WHERE {_NOT_EMPTY} GROUP BY value"
        )
        return (
            f"WITH passing AS (SELECT *, {POSITION} AS position, {self.expression} AS value "
            f"FROM events WHERE {self.within} AND {self.passing}), "
            "whole AS (SELECT session_id, count(*) FILTER (type = 'pageview') AS pages "
            f"FROM events WHERE {self.within} GROUP BY session_id) "
            "SELECT *, -count AS sort_key, 100.0 * count / sum(count) OVER () AS percentage, "
            "100.0 * pageviews / sum(pageviews) OVER () AS pageviews_percentage "
            f"FROM ({values})"
        )

    @property
    def _by_session(self) -> str:
        """Values of sessions, with the number of events and the time that belong to each."""
        if self.parameter in {"entry_page", "exit_page"}:
            first = self.parameter == "entry_page"
            pick = "arg_min" if first else "arg_max"
            return (
                f"SELECT session_id, {pick}(pathname, position) AS value, 1 AS events, "
                f"{'arg_min(seconds, position)' if first else '0'} AS seconds, "
                f"{pick}(hostname, position) AS hostname, '' AS pathname, 0 AS position "
                f"FROM (SELECT *, {_SECONDS} AS seconds FROM passing) WHERE type = 'pageview' "
                "GROUP BY session_id"
            )
        more = (
            "count(*) AS events, sum(seconds) AS seconds, min(hostname) AS hostname, "
            "arg_min(pathname, position) AS pathname, min(position) AS position "
        )
        passing = f"FROM (SELECT *, {_SECONDS} AS seconds FROM passing) WHERE {_NOT_EMPTY}"
        if not self.once or self.parameter in {"pathname", "page_title"}:
            return f"SELECT session_id, value, {more} {passing} GROUP BY session_id, value"
        value = "arg_min(value, position)"
        if self.attributed and self.parameter == "channel":
            value = f"coalesce({value} FILTER (value <> 'Direct'), {value})"
        return (
            f"SELECT session_id, {value} AS value, 1 AS events, 0 AS seconds, "
            f"'' AS hostname, '' AS pathname, 0 AS position {passing} GROUP BY session_id"
        )


def metric_page(queries: QueryCache, query: MetricQuery, wanted: PageOf) -> list[tuple[Any, ...]]:
    """One page of the values, most frequent first, in the order of `query.keys`."""
    columns = f"shown AS (SELECT * FROM page) SELECT {', '.join(query.keys)} FROM shown"
    return queries.page(query.listing, _IDENTITY, columns, wanted)


def count_metric(queries: QueryCache, query: MetricQuery) -> int:
    """The number of values."""
    return queries.count(query.listing, _IDENTITY)
