"""The data of a server: sites, goals, events, traits and replays, in DuckDB.

Everything that a list shows is computed from the events: a conversion is an event that matches a
goal, a session or a user is the sum of its events. The queries are in `queries`.
"""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import attrs

from .database import Database, DatabaseError
from .events import LateEvents, insert_statement, session_rows
from .queries.cache import QueryCache
from .schema import EVENT_COLUMNS, SCHEMA, Goal, Site
from .wire import utc_naive

__all__ = ["EVENT_COLUMNS", "DatabaseError", "Goal", "Site", "Store"]

P = ParamSpec("P")
T = TypeVar("T")


def _exclusive(
    method: Callable[Concatenate[Store, P], T],
) -> Callable[Concatenate[Store, P], T]:
    """A method that one thread at a time runs, and never while a request is answered."""

    @functools.wraps(method)
    def locked(self: Store, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked


class Store:
    """Sites, goals and events. `path` is a DuckDB file, or `":memory:"`.

    It knows nothing of HTTP and is synchronous. What is written is in the next answer of every
    server that uses the store. Times passed in are aware datetimes; those of events are cut to
    whole seconds. Several threads can use it. Close it with `close()` or use it in a `with`
    statement.

    With a `delay`, events are stored late, as on real servers: `add_events` and `add_session` keep
    them back until `store_due` is told a time that is `delay` seconds after their timestamp. A
    server does this at each request. `delay` is a number, or a function of the event, which is a
    mapping of `EVENT_COLUMNS`.
    """

    def __init__(
        self,
        path: str | Path = ":memory:",
        *,
        delay: float | Callable[[Mapping[str, Any]], float] = 0.0,
    ) -> None:
        self._database = Database(path, SCHEMA)
        self.lock = self._database.lock
        """Held while something is written, and while a server answers a request."""
        self.queries = QueryCache(self._database)
        """The queries' temporary tables and results, dropped when events are written."""
        self.version = 0
        """Increases with every write that may change a list of sessions or users."""
        self.delay = delay
        self._late = LateEvents()
        self._goals: dict[int, list[Goal]] = {}
        self._sites: dict[int, Site] = {}
        self._by_string: dict[str, Site] = {}
        for row in self._database.rows("SELECT * FROM sites"):
            self._remember(Site(*row))

    @property
    def is_file(self) -> bool:
        """Whether the data are in a file, and so remain."""
        return self._database.path != ":memory:"

    def __repr__(self) -> str:
        return f"<Store {self._database.path!r}, {len(self._sites)} sites>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. Closing twice does nothing."""
        self._database.close()

    @_exclusive
    def setting(self, name: str, given: str | None, default: str) -> str:
        """A text that the database keeps from now on: `given`, or the stored one, or `default`."""
        if given is None:
            found = self._database.rows("SELECT value FROM settings WHERE name = ?", [name])
            given = str(found[0][0]) if found else default
        self._database.rows("INSERT OR REPLACE INTO settings VALUES (?, ?)", [name, given])
        return given

    # Sites

    @_exclusive
    def add_site(
        self,
        name: str | None = None,
        *,
        public: bool = False,
        organisation: str = "default",
        string_id: str | None = None,
        events_native_numbers: bool = False,
    ) -> Site:
        """Add a site. The default key and the user of a server own the organisation `default`.

        Raises `ValueError` if another site has the same `string_id`.
        """
        # It starts with a letter, because an identifier of digits alone would read as a number.
        string_id = string_id or "a" + secrets.token_hex(6)[1:]
        if string_id in self._by_string:
            raise ValueError(f"string_id must be unique, but another site has {string_id!r}")
        ((site_id,),) = self._database.rows("SELECT nextval('site_ids')")
        site = Site(site_id, string_id, name, public, organisation, events_native_numbers)
        self._database.rows("INSERT INTO sites VALUES (?, ?, ?, ?, ?, ?)", attrs.astuple(site))
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
            raise ValueError(f"site must be one of the store's sites, got {site!r}")
        return found

    # Goals

    @_exclusive
    def add_goal(
        self,
        site: Site | int | str,
        goal_type: str,
        config: Mapping[str, Any],
        *,
        name: str | None = None,
        created_at: datetime | None = None,
        goal_id: int | None = None,
    ) -> int:
        """Add a goal and return its id. `config` has the keys of the API and is not checked.

        With `goal_id` it gets this id, and the next goal the one after it. Raises `ValueError` if
        another goal has that id.
        """
        site_id = self._site(site).site_id
        created = utc_naive(created_at or datetime.now(UTC), "created_at")
        if goal_id is not None:
            if self._database.rows("SELECT 1 FROM goals WHERE goal_id = ?", [goal_id]):
                raise ValueError(f"goal_id must be unique, but another goal has {goal_id}")
            self._database.rows(f"CREATE OR REPLACE SEQUENCE goal_ids START {int(goal_id)}")
        ((added,),) = self._database.rows(
            "INSERT INTO goals VALUES (nextval('goal_ids'), ?, ?, ?, ?, ?) RETURNING goal_id",
            [site_id, name, goal_type, json.dumps(dict(config)), created],
        )
        self._goals.pop(site_id, None)
        return int(added)

    @_exclusive
    def update_goal(
        self, goal_id: int, *, goal_type: str, config: Mapping[str, Any], name: str | None
    ) -> None:
        """Replace all values of a goal. Raises `ValueError` if there is no such goal."""
        changed = self._database.rows(
            "UPDATE goals SET name = ?, goal_type = ?, config = ? WHERE goal_id = ? RETURNING 1",
            [name, goal_type, json.dumps(dict(config)), goal_id],
        )
        if not changed:
            raise ValueError(f"goal_id must be the id of a goal, got {goal_id}")
        self._goals.clear()

    @_exclusive
    def delete_goal(self, goal_id: int) -> None:
        """Delete a goal. Raises `ValueError` if there is no such goal."""
        if not self._database.rows("DELETE FROM goals WHERE goal_id = ? RETURNING 1", [goal_id]):
            raise ValueError(f"goal_id must be the id of a goal, got {goal_id}")
        self._goals.clear()

    @_exclusive
    def goals(self, site: Site | int | str) -> list[Goal]:
        """The goals of a site, sorted by id."""
        site_id = self._site(site).site_id
        found = self._goals.get(site_id)
        if found is None:
            rows = self._database.rows(
                "SELECT * FROM goals WHERE site_id = ? ORDER BY goal_id", [site_id]
            )
            found = self._goals[site_id] = [
                Goal(goal_id, site, name, kind, json.loads(config), created)
                for goal_id, site, name, kind, config, created in rows
            ]
        return list(found)

    def find_goal(self, goal_id: int) -> Goal | None:
        """The goal with this id, of any site."""
        for site_id in self._sites:
            for goal in self.goals(site_id):
                if goal.goal_id == goal_id:
                    return goal
        return None

    # Events, traits, replays

    @_exclusive
    def add_events(self, site: Site | int | str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Insert events and return how many there were.

        Each row is a mapping of `EVENT_COLUMNS`. `timestamp` (aware, cut to whole seconds),
        `session_id` and `user_id` are required, the other columns have defaults. `props` may be a
        mapping; its numbers are stored as text unless the site `events_native_numbers`.
        """
        owner = self._site(site)
        held = list(rows)
        if held:
            statement, values = insert_statement(owner, held)  # so that mistakes show at once
            if self.delay:
                self._late.add(owner, held, self.delay)
            else:
                self.insert(statement, values)
        return len(held)

    @_exclusive
    def store_due(self, now: datetime) -> None:
        """Insert the late events whose time has come."""
        for site, rows in self._late.take(now):
            self.insert(*insert_statement(site, rows))

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
        """Insert the events of one session: its `pages`, then its custom `events`, evenly spaced.

        Give either `start` or `end`, the time of the first or of the last event.
        `seconds_between=0` puts all of them into one second. An event is a name or
        `(name, props)`. `columns` are those of every event (`EVENT_COLUMNS`). Returns the id of
        the session.
        """
        session_id = session_id or f"session{secrets.token_hex(8)}"
        rows = session_rows(
            start=start,
            end=end,
            session_id=session_id,
            user_id=user_id,
            pages=pages,
            seconds_between=seconds_between,
            events=events,
            columns=columns,
        )
        self.add_events(site, rows)
        return session_id

    def count_events(self, site: Site | int | str) -> int:
        """The number of events of a site."""
        site_id = self._site(site).site_id
        ((number,),) = self._database.rows(
            "SELECT count(*) FROM events WHERE site_id = ?", [site_id]
        )
        return int(number)

    @_exclusive
    def insert(self, statement: str, values: Sequence[object] = ()) -> None:
        """Run one SQL statement that writes events, traits or replays."""
        self._database.rows(statement, values)
        self.version += 1
        self.queries.clear()

    def set_traits(
        self, site: Site | int | str, identified_user_id: str, traits: Mapping[str, Any]
    ) -> None:
        """Set the traits of an identified user, which the lists of sessions and users show."""
        self.insert(
            "INSERT OR REPLACE INTO traits VALUES (?, ?, ?)",
            [self._site(site).site_id, identified_user_id, json.dumps(dict(traits))],
        )

    def add_replay(self, site: Site | int | str, session_id: str) -> None:
        """Mark a session as recorded: its `has_replay` is 1."""
        self.insert(
            "INSERT OR IGNORE INTO replays VALUES (?, ?)", [self._site(site).site_id, session_id]
        )
