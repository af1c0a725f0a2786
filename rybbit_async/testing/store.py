"""Sites, goals and events in DuckDB, and what is computed from them.

Nothing is made up: a conversion is an event that matches, a session is what its events say. The
store knows no HTTP and is synchronous; a write counts from the next read on.
"""

# ruff: noqa: S608, SIM905 - DuckDB on the tester's own data; texts go through `quoted` or parameters;
# and a list of names is easier to read as words.

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from itertools import count
from pathlib import Path
from typing import Any, Self, cast

import attrs
import duckdb

from .sql import goal_condition, scope, value_text
from .windows import ALL_TIME, Window
from .wire import utc_naive

__all__ = ["EVENT_COLUMNS", "SESSION_KEYS", "Goal", "Site", "Store", "StoreError"]

StoreError = duckdb.Error
"""What the database raises for a query that it cannot run, such as one with a bad regex."""

_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

EVENT_COLUMNS: dict[str, tuple[str, object]] = {
    "timestamp": ("TIMESTAMP", None),
    "session_id": ("VARCHAR", ""),
    "user_id": ("VARCHAR", ""),
    "type": ("VARCHAR", "pageview"),
    "event_name": ("VARCHAR", ""),
    "props": ("VARCHAR", "{}"),
    "hostname": ("VARCHAR", "shop.example.com"),
    "pathname": ("VARCHAR", "/"),
    "querystring": ("VARCHAR", ""),
    "page_title": ("VARCHAR", ""),
    "referrer": ("VARCHAR", ""),
    "channel": ("VARCHAR", "Direct"),
    "browser": ("VARCHAR", "Chrome"),
    "browser_version": ("VARCHAR", "120"),
    "operating_system": ("VARCHAR", "macOS"),
    "operating_system_version": ("VARCHAR", "10.15.7"),
    "device_type": ("VARCHAR", "Desktop"),
    "screen_width": ("INTEGER", 1920),
    "screen_height": ("INTEGER", 1080),
    "language": ("VARCHAR", "en-US"),
    "country": ("VARCHAR", "US"),
    "region": ("VARCHAR", ""),
    "city": ("VARCHAR", ""),
    "lat": ("DOUBLE", None),
    "lon": ("DOUBLE", None),
    "timezone": ("VARCHAR", "UTC"),
    "ip": ("VARCHAR", None),
    "tag": ("VARCHAR", ""),
    **dict.fromkeys(_UTM, ("VARCHAR", "")),
}
"""Columns of an event: their DuckDB type and the value of those that a row leaves out."""

SESSION_KEYS = (
    "session_id user_id country region city language device_type browser browser_version "
    "operating_system operating_system_version screen_width screen_height referrer channel "
    "hostname page_title querystring utm_source utm_medium utm_campaign utm_term utm_content "
    "session_end session_start session_duration entry_page exit_page pageviews events errors "
    "outbound ip lat lon tag"
).split()
"""The 35 keys of a session in their order, and `tag`, which only newer releases send."""

_SPECIAL = {
    "session_id": "p.session_id",
    "user_id": "p.user_id",
    "session_end": "strftime(make_timestamp(p.last * 1000000), '%Y-%m-%d %H:%M:%S')",
    "session_start": "strftime(make_timestamp(p.start * 1000000), '%Y-%m-%d %H:%M:%S')",
    "session_duration": "p.last - p.start",
    "entry_page": "coalesce(p.entry_page, '')",
    "exit_page": "coalesce(p.exit_page, '')",
    **{name: f"p.{name}" for name in ("pageviews", "events", "errors", "outbound")},
}
_SESSION_SQL = ", ".join(_SPECIAL.get(key, f"first.{key}") for key in SESSION_KEYS)

# One number orders the events of a session and says which row it is: seconds, then the row.
_POSITION = "(epoch(timestamp)::BIGINT << 32) | rowid"
_ROW = "& 4294967295"

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS sites (
    site_id INTEGER PRIMARY KEY, string_id VARCHAR UNIQUE, name VARCHAR, public BOOLEAN,
    organisation VARCHAR, events_native_numbers BOOLEAN);
CREATE TABLE IF NOT EXISTS goals (
    goal_id INTEGER, site_id INTEGER, name VARCHAR, goal_type VARCHAR,
    config VARCHAR, created_at TIMESTAMP);
CREATE TABLE IF NOT EXISTS events (site_id INTEGER, {
    ", ".join(f"{name} {kind}" for name, (kind, _) in EVENT_COLUMNS.items())
});
CREATE SEQUENCE IF NOT EXISTS site_ids START 1;
-- Goals start higher, so that a goal id taken for a site id is noticed.
CREATE SEQUENCE IF NOT EXISTS goal_ids START 101;
"""


@attrs.frozen
class Site:
    """A site: its numeric id, and the identifier of 12 hexadecimal characters."""

    site_id: int
    string_id: str
    name: str | None = None
    public: bool = False
    organisation: str = "default"
    events_native_numbers: bool = False
    """Its events hold numbers and booleans as such; on 2.2 goals with such values then fail."""


@attrs.frozen
class Goal:
    """A goal as the server keeps it; `config` has the names of the wire."""

    goal_id: int
    site_id: int
    name: str | None
    goal_type: str
    config: Mapping[str, Any]
    created_at: datetime
    """Naive UTC, to the microsecond."""

    @cached_property
    def condition(self) -> str:
        """The SQL condition of the events that convert it."""
        return goal_condition(self.goal_type, self.config)


@attrs.frozen
class _Ranking:
    table: str
    rows: int
    ties: bool


_serials = count()


@cache
def _memory() -> duckdb.DuckDBPyConnection:
    """One engine for all stores in memory: each has a catalogue of its own in it.

    To start an engine takes fifty times as long as to add a catalogue.
    """
    return duckdb.connect(":memory:")


class Store:
    """Sites, goals and events. `path` is a DuckDB file, or `":memory:"`.

    Times passed in are aware datetimes; events count whole seconds. Not for use from two threads
    at once. `close()` it, or use it in a `with`.
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        self.path = str(path)
        self._catalog = None if self.path != ":memory:" else f"store_{next(_serials)}"
        if self._catalog is None:
            self._db = duckdb.connect(self.path)
        else:
            self._db = _memory().cursor()
            self._db.execute(f"ATTACH ':memory:' AS {self._catalog}; USE {self._catalog}")
        self._db.execute(_SCHEMA)
        self._db.execute("SET TimeZone = 'UTC'")
        self.events_version = 0
        """Grows with every write of events."""
        self._closed = False
        self._serial = count()
        self._rankings: OrderedDict[tuple[str, str], _Ranking] = OrderedDict()
        self._counts: OrderedDict[tuple[str, str], dict[str, int]] = OrderedDict()
        self._extents: dict[int, tuple[datetime, datetime] | None] = {}
        self._goals: dict[int, list[Goal]] = {}
        self._sites: dict[int, Site] = {}
        self._by_string: dict[str, Site] = {}
        for row in self._rows("SELECT * FROM sites"):
            self._remember(Site(*row))

    def __repr__(self) -> str:
        return f"<Store {self.path!r}, {len(self._sites)} sites>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. Closing twice does nothing."""
        if not self._closed:
            self._closed = True
            if self._catalog is not None:
                self._db.execute(f"USE memory; DETACH {self._catalog}")
            self._db.close()

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if self._closed:
            raise ValueError(f"Store({self.path!r}) is closed")
        return self._db.execute(statement, list(values)).fetchall()

    # Sites

    def add_site(
        self,
        name: str | None = None,
        *,
        public: bool = False,
        organisation: str = "default",
        string_id: str | None = None,
        events_native_numbers: bool = False,
    ) -> Site:
        """A new site. The key and the user of a server belong to the organisation `default`."""
        # One letter at least: an identifier of digits alone would read as a number.
        string_id = string_id or "a" + secrets.token_hex(6)[1:]
        if string_id in self._by_string:
            raise ValueError(f"string_id={string_id!r}: another site has it")
        ((site_id,),) = self._rows("SELECT nextval('site_ids')")
        site = Site(site_id, string_id, name, public, organisation, events_native_numbers)
        self._rows("INSERT INTO sites VALUES (?, ?, ?, ?, ?, ?)", attrs.astuple(site))
        self._remember(site)
        return site

    def _remember(self, site: Site) -> None:
        self._sites[site.site_id] = site
        self._by_string[site.string_id] = site

    def sites(self) -> list[Site]:
        """Every site, oldest first."""
        return list(self._sites.values())

    def find_site(self, identifier: int | str) -> Site | None:
        """The site with this numeric id or string identifier."""
        if isinstance(identifier, int):
            return self._sites.get(identifier)
        return self._by_string.get(identifier)

    def _site(self, site: Site | int | str) -> Site:
        found = self.find_site(site.site_id if isinstance(site, Site) else site)
        if found is None:
            raise ValueError(f"site={site!r}: no such site in {self!r}")
        return found

    # Goals

    def add_goal(
        self,
        site: Site | int | str,
        goal_type: str,
        config: Mapping[str, Any],
        *,
        name: str | None = None,
        created_at: datetime | None = None,
    ) -> int:
        """A new goal, whose id is returned. `config` has the names of the wire, unchecked."""
        site_id = self._site(site).site_id
        made = utc_naive(created_at or datetime.now(UTC), "created_at")
        ((goal_id,),) = self._rows(
            "INSERT INTO goals VALUES (nextval('goal_ids'), ?, ?, ?, ?, ?) RETURNING goal_id",
            [site_id, name, goal_type, json.dumps(dict(config)), made],
        )
        self._goals.pop(site_id, None)
        return int(goal_id)

    def update_goal(
        self, goal_id: int, *, goal_type: str, config: Mapping[str, Any], name: str | None
    ) -> None:
        """Replace a goal whole. Raises `ValueError` where there is none."""
        changed = self._rows(
            "UPDATE goals SET name = ?, goal_type = ?, config = ? WHERE goal_id = ? RETURNING 1",
            [name, goal_type, json.dumps(dict(config)), goal_id],
        )
        if not changed:
            raise ValueError(f"goal_id={goal_id}: no such goal")
        self._goals.clear()

    def delete_goal(self, goal_id: int) -> None:
        """Delete a goal. Raises `ValueError` where there is none."""
        if not self._rows("DELETE FROM goals WHERE goal_id = ? RETURNING 1", [goal_id]):
            raise ValueError(f"goal_id={goal_id}: no such goal")
        self._goals.clear()

    def goals(self, site: Site | int | str) -> list[Goal]:
        """The goals of a site by id."""
        site_id = self._site(site).site_id
        found = self._goals.get(site_id)
        if found is None:
            rows = self._rows("SELECT * FROM goals WHERE site_id = ? ORDER BY goal_id", [site_id])
            found = self._goals[site_id] = [
                Goal(goal_id, site, name, kind, json.loads(config), made)
                for goal_id, site, name, kind, config, made in rows
            ]
        return list(found)

    def find_goal(self, goal_id: int) -> Goal | None:
        """The goal with this id, of whatever site."""
        for site_id in self._sites:
            for goal in self.goals(site_id):
                if goal.goal_id == goal_id:
                    return goal
        return None

    # Events

    def add_events(self, site: Site | int | str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Insert events, and return how many.

        Each row is a mapping of `EVENT_COLUMNS`; `timestamp` (aware, cut to whole seconds),
        `session_id` and `user_id` are needed, the rest has defaults. `props` may be a mapping,
        and then is stored with its numbers as text unless the site `events_native_numbers`.
        """
        owner = self._site(site)
        held = list(rows)
        if not held:
            return 0
        names: dict[str, None] = dict.fromkeys(("timestamp", "session_id", "user_id"))
        for row in held:
            names.update(dict.fromkeys(row))
        if unknown := names.keys() - EVENT_COLUMNS.keys():
            raise ValueError(f"{sorted(unknown)}: events have no such columns")
        columns: list[list[object]] = []
        for name in names:
            default = EVENT_COLUMNS[name][1]
            if name == "timestamp":
                columns.append([_microseconds(row[name]) for row in held])
            elif name == "props":
                columns.append([self._props(owner, row.get(name, default)) for row in held])
            elif name in {"session_id", "user_id"}:
                columns.append([row[name] for row in held])
            else:
                columns.append([row.get(name, default) for row in held])
        chosen = [f"{owner.site_id}"]
        for position, name in enumerate(names, 1):
            kind = "BIGINT" if name == "timestamp" else EVENT_COLUMNS[name][0]
            value = f"unnest(${position}::{kind}[])"
            chosen.append(f"make_timestamp({value})" if name == "timestamp" else value)
        absent = [name for name in EVENT_COLUMNS if name not in names]
        chosen += [_literal(EVENT_COLUMNS[name][1]) for name in absent]
        target = ", ".join(["site_id", *names, *absent])
        self.insert(f"INSERT INTO events ({target}) SELECT {', '.join(chosen)}", columns)
        return len(held)

    @staticmethod
    def _props(site: Site, props: object) -> str:
        if isinstance(props, str):
            return props
        if not isinstance(props, Mapping):
            raise ValueError(f"props={props!r}: a mapping or JSON text is needed")
        held = cast("Mapping[str, Any]", props)
        if not site.events_native_numbers:
            held = {
                key: value_text(value) if isinstance(value, bool | int | float) else value
                for key, value in held.items()
            }
        return json.dumps(dict(held))

    def count_events(self, site: Site | int | str) -> int:
        """How many events a site has."""
        site_id = self._site(site).site_id
        ((number,),) = self._rows("SELECT count(*) FROM events WHERE site_id = ?", [site_id])
        return int(number)

    def insert(self, statement: str, values: Sequence[object] = ()) -> None:
        """Run one statement that writes events, made by the caller, such as a generator's."""
        self._rows(statement, values)
        self.events_version += 1
        self._extents.clear()
        self._counts.clear()
        while self._rankings:
            self._forget_oldest()

    def add_session(
        self,
        site: Site | int | str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        pages: Sequence[str] = ("/",),
        seconds_between: int = 10,
        events: Sequence[str | tuple[str, Mapping[str, Any]]] = (),
        **columns: Any,
    ) -> str:
        """The events of one session: its `pages`, then its custom `events`, evenly spaced.

        Give `start`, or `end` to say when the last one happened; `seconds_between=0` puts all
        into one second. An event is a name or `(name, props)`. `columns` are those of every
        event (`EVENT_COLUMNS`). Returns the session id.
        """
        if (start is None) == (end is None):
            raise ValueError("add_session: give either start or end")
        steps = len(pages) + len(events)
        if not steps:
            raise ValueError("add_session: a session without pages and events does not exist")
        gap = timedelta(seconds=seconds_between)
        if start is None:
            assert end is not None
            start = end - gap * (steps - 1)
        session_id = session_id or f"session{secrets.token_hex(8)}"
        base = {"session_id": session_id, "user_id": user_id or f"u{secrets.token_hex(8)}"}
        rows: list[dict[str, Any]] = [
            {**base, "type": "pageview", "pathname": page, **columns} for page in pages
        ]
        last = {"pathname": pages[-1]} if pages else {}
        for event in events:
            name: str
            props: Mapping[str, Any] = {}
            if isinstance(event, str):
                name = event
            else:
                name, props = event
            kind: dict[str, Any] = {"type": "custom_event", "event_name": name, "props": props}
            rows.append({**base, **last, **kind, **columns})
        for step, row in enumerate(rows):
            row.setdefault("timestamp", start + gap * step)
        self.add_events(site, rows)
        return session_id

    # What is computed

    def _clamped(self, site_id: int, window: Window) -> str:
        """Site and window as SQL. A bound beyond the events is left out, so that a window that
        ends now stays the same query until an event is written.
        """
        if site_id not in self._extents:
            ((low, high),) = self._rows(
                f"SELECT min(timestamp), max(timestamp) FROM events WHERE site_id = {site_id}"
            )
            self._extents[site_id] = None if low is None else (low, high)
        extent = self._extents[site_id]
        if extent is None:
            return scope(site_id, ALL_TIME)
        start = window.start if window.start is not None and window.start > extent[0] else None
        end = window.end if window.end is not None and window.end <= extent[1] else None
        return scope(site_id, Window(start, end))

    def within(self, site: Site, window: Window) -> str:
        """The SQL condition of a site's events in a window, for `filter_condition`."""
        return self._clamped(site.site_id, window)

    def count_sessions(
        self, within: str, passing: str, conditions: Sequence[str]
    ) -> tuple[int, list[int]]:
        """Sessions in all, and those with an event that meets each condition.

        Raises `StoreError` where the database cannot run a condition.
        """
        known = self._counts.setdefault((within, passing), {})
        self._counts.move_to_end((within, passing))
        while len(self._counts) > 1000:
            self._counts.popitem(last=False)
        wanted = list(dict.fromkeys(one for one in conditions if one not in known))
        if wanted or "" not in known:
            flags = "".join(f", bool_or({one}) AS c{at}" for at, one in enumerate(wanted))
            sums = "".join(f", count(*) FILTER (c{at})" for at in range(len(wanted)))
            ((total, *found),) = self._rows(
                f"SELECT count(*){sums} FROM (SELECT session_id{flags} FROM events "
                f"WHERE {within} AND {passing} GROUP BY session_id)"
            )
            known[""] = total
            known.update(zip(wanted, found, strict=True))
        return known[""], [known[one] for one in conditions]

    def sessions_page(
        self, within: str, condition: str, *, limit: int, page: int, shuffle_ties: bool
    ) -> list[tuple[Any, ...]]:
        """One page of the sessions with an event that meets the condition, newest end first.

        A row per `session_id` and `user_id`, its values in the order of `SESSION_KEYS`. With
        `shuffle_ties`, rows that share a `session_end` come in an order that depends on `limit`
        and `page`; without, always in the same.
        """
        ranking = self._ranking(within, condition)
        first = (page - 1) * limit
        if first >= ranking.rows or limit < 1:
            return []
        if shuffle_ties and ranking.ties:
            # Only groups that reach into the page matter: take these whole, shuffle, cut.
            last = min(first + limit, ranking.rows) - 1
            ((low, high),) = self._rows(
                f"SELECT min(last), max(last) FROM {ranking.table} WHERE rank IN ({first}, {last})"
            )
            ((head,),) = self._rows(f"SELECT min(rank) FROM {ranking.table} WHERE last = {high}")
            chosen = (
                f"SELECT *, row_number() OVER (ORDER BY last DESC, "
                f"hash(session_id, user_id, {limit}, {page})) + {head - 1} AS place "
                f"FROM {ranking.table} WHERE last BETWEEN {low} AND {high} "
                f"QUALIFY place BETWEEN {first} AND {last}"
            )
        else:
            chosen = (
                f"SELECT *, rank AS place FROM {ranking.table} "
                f"WHERE rank BETWEEN {first} AND {first + limit - 1}"
            )
        return self._rows(
            f"WITH p AS MATERIALIZED ({chosen}) SELECT {_SESSION_SQL} FROM p "
            "JOIN events first ON first.rowid = p.first_row ORDER BY p.place"
        )

    def _ranking(self, within: str, condition: str) -> _Ranking:
        """All sessions of a query in their order, computed once until events are written."""
        found = self._rankings.get((within, condition))
        if found is not None:
            self._rankings.move_to_end((within, condition))
            return found
        table = f"ranking{next(self._serial)}"
        self._rows(
            f"CREATE TEMP TABLE {table} AS WITH grouped AS ("
            f"SELECT session_id, user_id, min({_POSITION}) AS low, max({_POSITION}) AS high, "
            f"arg_min(pathname, {_POSITION}) FILTER (type = 'pageview') AS entry_page, "
            f"arg_max(pathname, {_POSITION}) FILTER (type = 'pageview') AS exit_page, "
            "count(*) FILTER (type = 'pageview') AS pageviews, "
            "count(*) FILTER (type = 'custom_event') AS events, "
            "count(*) FILTER (type = 'error') AS errors, "
            "count(*) FILTER (type = 'outbound') AS outbound "
            f"FROM events WHERE {within} AND session_id IN "
            f"(SELECT session_id FROM events WHERE {within} AND {condition}) "
            "GROUP BY session_id, user_id) "
            f"SELECT session_id, user_id, low >> 32 AS start, high >> 32 AS last, "
            f"low {_ROW} AS first_row, entry_page, exit_page, pageviews, events, errors, outbound, "
            "row_number() OVER (ORDER BY high >> 32 DESC, session_id, user_id) - 1 AS rank "
            "FROM grouped ORDER BY rank"
        )
        ((rows, ends),) = self._rows(f"SELECT count(*), count(DISTINCT last) FROM {table}")
        made = self._rankings[within, condition] = _Ranking(table, rows, ties=rows != ends)
        while len(self._rankings) > 1 and (
            len(self._rankings) > 200 or sum(r.rows for r in self._rankings.values()) > 4_000_000
        ):
            self._forget_oldest()
        return made

    def _forget_oldest(self) -> None:
        _, ranking = self._rankings.popitem(last=False)
        self._rows(f"DROP TABLE {ranking.table}")

    def series(
        self, within: str, passing: str, condition: str, bucket: str, zone: str
    ) -> list[tuple[datetime, int, int]]:
        """Per bucket of local time: its start, sessions that convert, sessions in all."""
        local = "(timestamp AT TIME ZONE 'UTC' AT TIME ZONE " + _literal(zone) + ")"
        return [
            (moment, conversions, total)
            for moment, conversions, total in self._rows(
                f"SELECT bucket, count(*) FILTER (hit), count(*) FROM (SELECT "
                f"{bucket.format(local)} AS bucket, session_id, bool_or({condition}) AS hit "
                f"FROM events WHERE {within} AND {passing} GROUP BY bucket, session_id) "
                "GROUP BY bucket ORDER BY bucket"
            )
        ]


def _microseconds(moment: Any) -> int:
    if not isinstance(moment, datetime):
        raise ValueError(f"timestamp={moment!r}: an aware datetime is needed")
    naive = utc_naive(moment, "timestamp").replace(microsecond=0)
    if naive.year < 1970:
        raise ValueError(f"timestamp={moment!r}: events begin in 1970")
    return int(naive.replace(tzinfo=UTC).timestamp()) * 1_000_000


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
