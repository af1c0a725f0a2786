"""The users of a site."""

# ruff: noqa: S608, SIM905 - DuckDB on the tester's own data; a list of names reads best as words.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from ..sql import quoted
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

__all__ = ["USER_ORDERS", "UsersQuery", "count_users", "users_page"]

USER_ORDERS = ("last_seen", "first_seen", "pageviews", "sessions", "events")
"""What users can be sorted by."""

_EFFECTIVE = "coalesce(nullif(identified_user_id, ''), user_id)"
_FILTERED = (
    "user_id country region city language device_type browser browser_version operating_system "
    "operating_system_version screen_width screen_height timezone lat lon tag "
    "referrer channel hostname page_title querystring utm_source utm_medium utm_campaign "
    "utm_term utm_content"
).split()
_COMPUTED = {
    "effective_user_id": "page.effective_user_id",
    "last_seen": moment_text("page.last_seen"),
    "first_seen": moment_text("page.first_seen"),
    **{name: f"page.{name}" for name in ("pageviews", "events", "sessions")},
}


@attrs.frozen
class UsersQuery:
    """Which users of a site are wanted, and in which order."""

    site_id: int
    within: str
    """The SQL condition of site and window."""
    events_passing: str = "TRUE"
    """A condition on events: those that do not meet it are as if they had not been sent."""
    passing: str = "TRUE"
    """A condition on the columns of a user, for the filters."""
    channel_from: str = "first"
    """Which event of a user `channel` comes from: `first`, `last` or `attributed`."""
    sort_by: str = "last_seen"
    descending: bool = True
    identified_only: bool = False
    search: str | None = None
    """Only identified users whose id or traits contain this text, in any case."""

    @property
    def overrides(self) -> dict[str, str]:
        """Columns whose event is not the usual one."""
        if self.channel_from == "attributed":
            return {"channel": "attributed", "referrer": "attributed"}
        return {"channel": self.channel_from}

    @property
    def listing(self) -> str:
        """One row for each user, for `QueryCache.page`."""
        listing = (
            "SELECT * EXCLUDE (low, high), low >> 32 AS first_seen, high >> 32 AS last_seen, "
            f"{row_of('low')} AS first_row, {row_of('high')} AS last_row, "
            f"{'-' if self.descending else ''}{self.sort_by} AS sort_key FROM ("
            f"SELECT {_EFFECTIVE} AS effective_user_id, "
            f"min({POSITION}) AS low, max({POSITION}) AS high, "
            "count(*) FILTER (type = 'pageview') AS pageviews, "
            "count(*) FILTER (type = 'custom_event') AS events, "
            f"count(DISTINCT session_id) AS sessions, {ATTRIBUTED_ROW} "
            f"FROM events WHERE {self._where} GROUP BY effective_user_id)"
        )
        if self.passing == "TRUE":
            return listing
        sources = sources_of(_FILTERED, self.overrides)
        columns = ", ".join(f"{sources[name]}.{name}" for name in _FILTERED)
        return (
            f"SELECT * EXCLUDE ({', '.join(_FILTERED)}) FROM (SELECT users.*, {columns} "
            f"FROM ({listing}) AS users "
            "JOIN events AS first ON first.rowid = users.first_row "
            "JOIN events AS last ON last.rowid = users.last_row "
            "JOIN events AS attributed ON attributed.rowid = users.attributed_row"
            f") WHERE {self.passing}"
        )

    @property
    def _where(self) -> str:
        parts = [self.within, self.events_passing]
        if self.identified_only:
            parts.append("identified_user_id <> ''")
        if self.search is not None:
            wanted = f"lower({quoted(self.search)})"
            found = (
                f"SELECT identified_user_id FROM traits WHERE site_id = {self.site_id} "
                f"AND contains(lower(traits), {wanted})"
            )
            parts.append(
                "identified_user_id <> '' AND (contains(lower(identified_user_id), "
                f"{wanted}) OR identified_user_id IN ({found}))"
            )
        return " AND ".join(parts)


def count_users(queries: QueryCache, query: UsersQuery, events_passing: str) -> int:
    """The number of users with an event that passes, whatever `query.passing` says."""
    counted = attrs.evolve(query, passing="TRUE", events_passing=events_passing)
    return queries.count(counted.listing, ("effective_user_id",))


def users_page(
    queries: QueryCache, query: UsersQuery, keys: Sequence[str], wanted: PageOf
) -> list[tuple[Any, ...]]:
    """One page of a site's users. Their values are in the order of `keys`.

    `traits` is JSON text, or None if the user has none.
    """
    computed = {**_COMPUTED, "traits": traits_of(query.site_id, "last")}
    columns = columns_query(keys, computed, sources_of(keys, query.overrides))
    return queries.page(query.listing, ("effective_user_id",), columns, wanted)
