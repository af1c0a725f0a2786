"""The events of a site, newest first."""

# ruff: noqa: S608, SIM905 - DuckDB on the tester's own data; a list of names reads best as words.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cache import PageOf, QueryCache
from .columns import columns_query, traits_of

__all__ = ["EVENT_KEYS", "NUMBERED_EVENT_KEYS", "count_events", "event_names", "events_page"]

EVENT_KEYS = (
    "timestamp event_name properties session_id user_id identified_user_id pathname querystring "
    "hostname page_title referrer browser browser_version operating_system "
    "operating_system_version language country region city lat lon screen_width screen_height "
    "device_type type traits"
).split()
"""The keys of an event in their order."""
NUMBERED_EVENT_KEYS = (
    "timestamp event_name properties user_id pathname querystring hostname page_title referrer "
    "browser operating_system country device_type type"
).split()
"""The keys where the list of events has numbered pages."""

_IDENTITY = ("event_row",)


def _listing(passing: str) -> str:
    """One row for each event, for `QueryCache.page`. `passing` includes the site.

    The window is not part of it, but of the page: so one ranking serves all windows.
    """
    return (
        "SELECT rowid AS event_row, -epoch(timestamp)::BIGINT AS sort_key FROM events "
        f"WHERE {passing} AND type <> 'error'"
    )


def events_page(
    queries: QueryCache, site_id: int, passing: str, keys: Sequence[str], wanted: PageOf
) -> list[tuple[Any, ...]]:
    """One page of the events that pass, newest first. Their values are in the order of `keys`.

    `properties` and `traits` are JSON text; `traits` is None if the visitor has none.
    """
    computed = {
        "timestamp": "strftime(event.timestamp, '%Y-%m-%d %H:%M:%S')",
        "properties": "event.props",
        "traits": traits_of(site_id, "event"),
    }
    columns = columns_query(keys, computed, dict.fromkeys(keys, "event"))
    return queries.page(_listing(passing), _IDENTITY, columns, wanted)


def count_events(queries: QueryCache, passing: str, wanted: PageOf) -> int:
    """The number of events that pass, on all pages like this one together."""
    return queries.count(_listing(passing), _IDENTITY, wanted)


def event_names(queries: QueryCache, passing: str) -> list[tuple[str, int]]:
    """The names of the custom events that pass, with their counts, most frequent first."""
    rows = queries.rows(
        "SELECT event_name, count(*) AS number FROM events WHERE type = 'custom_event' "
        f"AND event_name <> '' AND {passing} GROUP BY event_name "
        "ORDER BY number DESC, event_name LIMIT 1000"
    )
    return [(name, number) for name, number in rows]
