"""One session with its events, and one user."""

# ruff: noqa: S608, SIM905 - DuckDB on the tester's own data; a list of names reads best as words.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..sql import quoted
from .cache import QueryCache
from .columns import POSITION, columns_query, moment_text, row_of, traits_of

__all__ = [
    "DEVICE_KEYS",
    "LOCATION_KEYS",
    "SESSION_KEYS",
    "STEP_KEYS",
    "find_session",
    "find_user",
    "session_steps",
    "user_devices",
    "user_locations",
]

SESSION_KEYS = (
    "session_id user_id country region city language device_type browser browser_version "
    "operating_system operating_system_version screen_width screen_height referrer channel "
    "session_start session_end session_duration pageviews events entry_page exit_page ip"
).split()
"""The keys of a single session in their order."""
STEP_KEYS = (
    "timestamp pathname hostname querystring page_title referrer type event_name props"
).split()
"""The keys of each event of a single session in their order."""
LOCATION_KEYS = "country region city sessions last_seen".split()
"""The keys of a place of a user in their order."""
DEVICE_KEYS = (
    "device_type browser operating_system browser_version operating_system_version "
    "screen_width screen_height sessions last_seen"
).split()
"""The keys of a device of a user in their order."""

_TIME = "'%Y-%m-%d %H:%M:%S'"
_TIMES = (
    f"min({POSITION}) AS low, max({POSITION}) AS high, "
    "count(*) FILTER (type = 'pageview') AS pageviews, "
    f"{row_of(f'max({POSITION}) FILTER (ip IS NOT NULL)')} AS ip_row"
)


def _of_session(site_id: int, session_id: str) -> str:
    return f"site_id = {site_id} AND session_id = {quoted(session_id)}"


def _of_user(site_id: int, user_id: str) -> str:
    return f"site_id = {site_id} AND {quoted(user_id)} IN (user_id, identified_user_id)"


def find_session(queries: QueryCache, site_id: int, session_id: str) -> tuple[Any, ...] | None:
    """A session, in the order of `SESSION_KEYS`. None if there is no such session.

    Most columns come from its first event. `events` counts all events.
    """
    computed = {
        "session_start": moment_text("page.low >> 32"),
        "session_end": moment_text("page.high >> 32"),
        "session_duration": "(page.high >> 32) - (page.low >> 32)",
        "entry_page": "coalesce(page.entry_page, '')",
        "exit_page": "coalesce(page.exit_page, '')",
        **{name: f"page.{name}" for name in ("pageviews", "events")},
    }
    sources = dict.fromkeys(SESSION_KEYS, "first") | {"ip": "ip"}
    rows = queries.rows(
        f"WITH page AS MATERIALIZED (SELECT *, {row_of('low')} AS first_row FROM (SELECT {_TIMES}, "
        f"count(*) AS events, arg_min(pathname, {POSITION}) FILTER (type = 'pageview') "
        f"AS entry_page, arg_max(pathname, {POSITION}) FILTER (type = 'pageview') AS exit_page "
        f"FROM events WHERE {_of_session(site_id, session_id)} HAVING count(*) > 0)), "
        + columns_query(SESSION_KEYS, computed, sources)
    )
    return rows[0] if rows else None


def session_steps(
    queries: QueryCache, site_id: int, session_id: str, limit: int, offset: int
) -> list[tuple[Any, ...]]:
    """Events of a session, oldest first, in the order of `STEP_KEYS`. `props` is JSON text."""
    columns = [f"strftime(timestamp, {_TIME})", *STEP_KEYS[1:]]
    return queries.rows(
        f"SELECT {', '.join(columns)} FROM events WHERE {_of_session(site_id, session_id)} "
        f"ORDER BY timestamp, rowid LIMIT {limit} OFFSET {offset}"
    )


def find_user(
    queries: QueryCache, site_id: int, user_id: str, keys: Sequence[str]
) -> tuple[Any, ...] | None:
    """A user, in the order of `keys`. None if there is no such user.

    Columns come from the user's last event, and those that begin with `first_` from the first.
    `duration` is the mean of the sessions, in seconds. `traits` is JSON text.
    """
    computed = {
        "last_seen": moment_text("page.high >> 32"),
        "first_seen": moment_text("page.low >> 32"),
        "first_entry_page": "coalesce(page.first_entry_page, '')",
        "traits": traits_of(site_id, "last"),
        **{name: f"page.{name}" for name in ("sessions", "duration", "pageviews", "events")},
    }
    sources = {key: "first" if key.startswith("first_") else "last" for key in keys} | {"ip": "ip"}
    names = {key: key.removeprefix("first_").removeprefix("last_") for key in keys}
    own = _of_user(site_id, user_id)
    rows = queries.rows(
        f"WITH page AS MATERIALIZED (SELECT *, {row_of('low')} AS first_row, "
        f"{row_of('high')} AS last_row FROM (SELECT {_TIMES}, "
        "count(*) FILTER (type = 'custom_event') AS events, "
        "count(DISTINCT session_id) AS sessions, "
        f"arg_min(pathname, {POSITION}) FILTER (type = 'pageview') AS first_entry_page, "
        "(SELECT round_even(avg(lasted), 0)::BIGINT FROM (SELECT "
        f"epoch(max(timestamp) - min(timestamp)) AS lasted FROM events WHERE {own} "
        f"GROUP BY session_id)) AS duration FROM events WHERE {own} HAVING count(*) > 0)), "
        + columns_query(keys, computed, sources, names)
    )
    return rows[0] if rows else None


def user_locations(queries: QueryCache, site_id: int, user_id: str) -> list[tuple[Any, ...]]:
    """The known places of a user, latest first, in the order of `LOCATION_KEYS`."""
    where = f"{_of_user(site_id, user_id)} AND rtrim(country, chr(0)) <> ''"
    return _seen(queries, where, LOCATION_KEYS, 3)


def user_devices(queries: QueryCache, site_id: int, user_id: str) -> list[tuple[Any, ...]]:
    """The devices of a user, latest first, in the order of `DEVICE_KEYS`.

    Devices of one type, browser and system are one; its other columns are those seen last.
    """
    return _seen(queries, _of_user(site_id, user_id), DEVICE_KEYS, 3)


def _seen(
    queries: QueryCache, where: str, keys: Sequence[str], distinct: int
) -> list[tuple[Any, ...]]:
    """Rows that differ in the first keys, with the other ones' values in the last event of each."""
    same = ", ".join(keys[:distinct])
    others = "".join(f", arg_max({key}, {POSITION})" for key in keys[distinct:-2])
    return queries.rows(
        f"SELECT {same}{others}, count(DISTINCT session_id), strftime(max(timestamp), {_TIME}) "
        f"AS seen FROM events WHERE {where} GROUP BY {same} ORDER BY seen DESC, {same}"
    )
