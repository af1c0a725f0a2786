"""Columns of sessions and users: which event of the group each one comes from."""

# ruff: noqa: S608, SIM905 - DuckDB on the tester's own data; a list of names reads best as words.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "ATTRIBUTED_CHANNEL",
    "ATTRIBUTED_ROW",
    "FROM_FIRST",
    "POSITION",
    "columns_query",
    "moment_text",
    "row_of",
    "sources_of",
    "traits_of",
]

# One number orders the events of a group and identifies the row: seconds, then the row.
POSITION = "(epoch(timestamp)::BIGINT << 32) | rowid"

FROM_FIRST = frozenset(
    "referrer channel hostname page_title querystring "
    "utm_source utm_medium utm_campaign utm_term utm_content".split()
)
"""Columns that come from the first event of a session; all others come from the last one."""

_ATTRIBUTED = "channel NOT IN ('', 'Direct')"
ATTRIBUTED_CHANNEL = (
    f"coalesce(arg_min(channel, {POSITION}) FILTER ({_ATTRIBUTED}), arg_min(channel, {POSITION}))"
)
"""The channel of the first event that came through one, or else of the first event."""

ATTRIBUTED_ROW = (
    f"coalesce(min({POSITION}) FILTER ({_ATTRIBUTED}), min({POSITION})) "
    "& 4294967295 AS attributed_row"
)
"""The row of the first event that came through a channel, or else of the first event."""


def row_of(position: str) -> str:
    """The row of a position."""
    return f"{position} & 4294967295"


def moment_text(seconds: str) -> str:
    """Seconds since 1970 as the API writes them: `2026-11-20 10:15:00`."""
    return f"strftime(make_timestamp(({seconds}) * 1000000), '%Y-%m-%d %H:%M:%S')"


def traits_of(site_id: int, source: str) -> str:
    """The traits of the identified user of an event, as JSON text. NULL if there are none."""
    return (
        f"(SELECT traits.traits FROM traits WHERE traits.site_id = {site_id} "
        f"AND traits.identified_user_id = {source}.identified_user_id)"
    )


def sources_of(names: Iterable[str], overrides: Mapping[str, str]) -> dict[str, str]:
    """Column by column, the event it comes from: `first`, `last`, or what `overrides` says."""
    return {name: overrides.get(name, "first" if name in FROM_FIRST else "last") for name in names}


def columns_query(
    keys: Sequence[str],
    computed: Mapping[str, str],
    sources: Mapping[str, str],
    names: Mapping[str, str] | None = None,
) -> str:
    """The query that turns the rows of a page into the values of `keys`.

    `computed` are expressions on the table `page`. Every other column is read from an event: the
    one whose row is in the page's column `<source>_row`. `names` are columns of events that are not
    called like their keys.
    """
    named = names or {}
    used = sorted({sources[key] for key in keys if key not in computed})
    rows = ", ".join(f"{source}_row" for source in used)
    selected = ", ".join(
        computed.get(key) or f"{sources[key]}.{named.get(key, key)}" for key in keys
    )
    joins = " ".join(
        f"LEFT JOIN needed AS {source} ON {source}.event_row = page.{source}_row" for source in used
    )
    return (
        "needed AS MATERIALIZED (SELECT rowid AS event_row, * FROM events "
        f"WHERE rowid IN (SELECT unnest([{rows}]) FROM page)) "
        f"SELECT {selected} FROM page {joins}"
    )
