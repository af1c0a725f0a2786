"""Sessions: those that reached a goal, and all sessions of a site."""

# ruff: noqa: S608, SIM905 - DuckDB on the tester's own data; a list of names reads best as words.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from .cache import PageOf, QueryCache
from .columns import (
    ATTRIBUTED_ROW,
    POSITION,
    columns_query,
    moment_text,
    row_of,
    sources_of,
    traits_of,
)

__all__ = ["GOAL_SESSION_KEYS", "SessionsQuery", "goal_sessions_page", "sessions_page"]

GOAL_SESSION_KEYS = (
    "session_id user_id country region city language device_type browser browser_version "
    "operating_system operating_system_version screen_width screen_height referrer channel "
    "hostname page_title querystring utm_source utm_medium utm_campaign utm_term utm_content "
    "session_end session_start session_duration entry_page exit_page pageviews events errors "
    "outbound ip lat lon tag"
).split()
"""The 35 keys of a session of a goal in their order, and `tag`, which releases from 2.4 on send."""

_COUNTS = {
    "pageviews": "pageview",
    "events": "custom_event",
    "errors": "error",
    "outbound": "outbound",
}
_AUTOCAPTURE_COUNTS = {
    "button_clicks": "button_click",
    "copies": "copy",
    "form_submits": "form_submit",
    "input_changes": "input_change",
}
# Columns that a filter may test. What is known of single events only is looked up among them.
_FILTERED = (
    "user_id country region city language device_type browser browser_version operating_system "
    "operating_system_version screen_width screen_height timezone lat lon tag "
    "referrer channel hostname utm_source utm_medium utm_campaign utm_term utm_content"
).split()
_COMPUTED = {
    "session_end": moment_text("page.last"),
    "session_start": moment_text("page.start"),
    "session_duration": "page.last - page.start",
    "entry_page": "coalesce(page.entry_page, '')",
    "exit_page": "coalesce(page.exit_page, '')",
    **{name: f"page.{name}" for name in (*_COUNTS, *_AUTOCAPTURE_COUNTS)},
}


def _aggregates(counts: dict[str, str]) -> str:
    counted = ", ".join(
        f"count(*) FILTER (type = '{kind}') AS {name}" for name, kind in counts.items()
    )
    return (
        f"min({POSITION}) AS low, max({POSITION}) AS high, "
        f"arg_min(pathname, {POSITION}) FILTER (type = 'pageview') AS entry_page, "
        f"arg_max(pathname, {POSITION}) FILTER (type = 'pageview') AS exit_page, {counted}, "
        f"{row_of(f'max({POSITION}) FILTER (ip IS NOT NULL)')} AS ip_row"
    )


# Newest end first.
_TIMES = (
    f"-(high >> 32) AS sort_key, low >> 32 AS start, high >> 32 AS last, "
    f"{row_of('low')} AS first_row, {row_of('high')} AS last_row"
)


def goal_sessions_page(
    queries: QueryCache, within: str, condition: str, wanted: PageOf
) -> list[tuple[Any, ...]]:
    """One page of the sessions with an event that meets the condition, newest end first.

    There is one row for each pair of `session_id` and `user_id`. Its values are in the order of
    `GOAL_SESSION_KEYS`.
    """
    listing = (
        f"SELECT * EXCLUDE (low, high), {_TIMES} FROM (SELECT session_id, user_id, "
        f"{_aggregates(_COUNTS)} FROM events WHERE {within} AND session_id IN "
        f"(SELECT session_id FROM events WHERE {within} AND {condition}) "
        "GROUP BY session_id, user_id)"
    )
    computed = {"session_id": "page.session_id", "user_id": "page.user_id", **_COMPUTED}
    sources = sources_of(GOAL_SESSION_KEYS, {"ip": "ip"})
    columns = columns_query(GOAL_SESSION_KEYS, computed, sources)
    return queries.page(listing, ("session_id", "user_id"), columns, wanted)


@attrs.frozen
class SessionsQuery:
    """Which sessions of a site are wanted."""

    site_id: int
    within: str
    """The SQL condition of site and window."""
    passing: str = "TRUE"
    """A condition on the columns of a session, for the filters."""
    user_id: str | None = None
    """Quoted, as SQL."""
    session_id: str | None = None
    """Quoted, as SQL."""
    identified_only: bool = False
    minimums: tuple[tuple[str, int], ...] = ()
    """Pairs of `pageviews`, `events` or `duration` and the least that a session must have."""
    attributed: bool = False
    """Channel and referrer come from the first event that came through a channel."""

    @property
    def listing(self) -> str:
        """One row for each session, for `QueryCache.page`."""
        where = [self.within]
        if self.user_id is not None:
            where.append(f"{self.user_id} IN (user_id, identified_user_id)")
        if self.session_id is not None:
            where.append(f"session_id = {self.session_id}")
        listing = (
            f"SELECT * EXCLUDE (low, high), {_TIMES} FROM (SELECT session_id, "
            f"{_aggregates({**_COUNTS, **_AUTOCAPTURE_COUNTS})}, {ATTRIBUTED_ROW} "
            f"FROM events WHERE {' AND '.join(where)} GROUP BY session_id)"
        )
        having = [
            f"{'last - start' if name == 'duration' else name} >= {least}"
            for name, least in self.minimums
        ]
        if having:
            listing = f"SELECT * FROM ({listing}) WHERE {' AND '.join(having)}"
        if self.passing == "TRUE" and not self.identified_only:
            return listing
        names = [*_FILTERED, "identified_user_id"]
        sources = sources_of(names, self.overrides)
        columns = ", ".join(f"{sources[name]}.{name}" for name in names)
        passing = self.passing
        if self.identified_only:
            passing += " AND identified_user_id <> ''"
        return (
            f"SELECT * EXCLUDE ({', '.join(names)}) FROM (SELECT sessions.*, {columns} "
            f"FROM ({listing}) AS sessions "
            "JOIN events AS first ON first.rowid = sessions.first_row "
            "JOIN events AS last ON last.rowid = sessions.last_row "
            "JOIN events AS attributed ON attributed.rowid = sessions.attributed_row"
            f") WHERE {passing}"
        )

    @property
    def overrides(self) -> dict[str, str]:
        """Columns whose event is not the usual one."""
        attributed = dict.fromkeys(("channel", "referrer"), "attributed") if self.attributed else {}
        return {"ip": "ip", **attributed}


def sessions_page(
    queries: QueryCache, query: SessionsQuery, keys: Sequence[str], wanted: PageOf
) -> list[tuple[Any, ...]]:
    """One page of a site's sessions, newest end first. Their values are in the order of `keys`.

    `traits` is JSON text, or None if the visitor has none.
    """
    computed = {
        **_COMPUTED,
        "session_id": "page.session_id",
        "has_replay": f"(page.session_id IN (SELECT session_id FROM replays "
        f"WHERE site_id = {query.site_id}))::INTEGER",
        "traits": traits_of(query.site_id, "last"),
    }
    columns = columns_query(keys, computed, sources_of(keys, query.overrides))
    return queries.page(query.listing, ("session_id",), columns, wanted)
