"""What queries keep until events are written: extents, counts, and rankings.

A ranking is a temporary table of all rows of one list in their order. It is computed once, so that
each page of a walk costs little.
"""

# ruff: noqa: S608 - DuckDB on the tester's own data; text goes through `quoted` or parameters.

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Any

import attrs

from ..database import Database
from ..schema import Site
from ..sql import scope
from ..windows import ALL_TIME, Window

__all__ = ["PageOf", "QueryCache"]

_MOST_RANKINGS = 200
_MOST_ROWS = 4_000_000
_MOST_COUNTS = 1000


@attrs.frozen
class PageOf:
    """Which page of a list is wanted. `size` may be negative: then it is the last rows."""

    page: float
    """From 1; a fraction or a number below 1 is allowed, as real servers allow it."""
    size: int
    shuffle_ties: bool = False
    """Equal rows come in an order that depends on the page and its size."""
    after: float | None = None
    """Only rows whose `sort_key` is greater than this."""
    until: float | None = None
    """Only rows whose `sort_key` is at most this."""

    def span(self, rows: int) -> tuple[int, int]:
        """Ranks of the first row and of the row after the last, from 0."""
        if self.size < 0:
            return max(0, rows + self.size), rows
        # The database of real servers takes a negative offset for none.
        first = max(0, int((self.page - 1) * self.size))
        return min(first, rows), min(first + self.size, rows)


@attrs.frozen
class _Ranking:
    table: str
    rows: int
    ties: bool


class QueryCache:
    """Runs queries on a database and keeps what they need again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._serial = count()
        self._rankings: OrderedDict[str, _Ranking] = OrderedDict()
        self._counts: OrderedDict[tuple[str, str], dict[str, int]] = OrderedDict()
        self._extents: dict[int, tuple[datetime, datetime] | None] = {}

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises `DatabaseError` if the database cannot run it."""
        return self._database.rows(statement)

    def clear(self) -> None:
        """Forget everything, because events have been written."""
        self._extents.clear()
        self._counts.clear()
        while self._rankings:
            self._drop_oldest()

    def within(self, site: Site, window: Window) -> str:
        """The SQL condition of a site's events in a window.

        A bound that lies beyond the events is left out, so that a window that ends now stays the
        same query until an event is written.
        """
        site_id = site.site_id
        if site_id not in self._extents:
            ((low, high),) = self.rows(
                f"SELECT min(timestamp), max(timestamp) FROM events WHERE site_id = {site_id}"
            )
            self._extents[site_id] = None if low is None else (low, high)
        extent = self._extents[site_id]
        if extent is None:
            return scope(site_id, ALL_TIME)
        start = window.start if window.start is not None and window.start > extent[0] else None
        end = window.end if window.end is not None and window.end <= extent[1] else None
        return scope(site_id, Window(start, end))

    def counts(self, within: str, passing: str) -> dict[str, int]:
        """Counts of sessions by condition, for the events in a window that pass the filters."""
        known = self._counts.setdefault((within, passing), {})
        self._counts.move_to_end((within, passing))
        while len(self._counts) > _MOST_COUNTS:
            self._counts.popitem(last=False)
        return known

    def page(
        self, listing: str, identity: Sequence[str], columns: str, wanted: PageOf
    ) -> list[tuple[Any, ...]]:
        """One page of a list.

        `listing` is a query that gives one row for each item of the list, with a number
        `sort_key` (smallest first) and the columns `identity`, which tell its rows apart.
        `columns` is a query that turns the rows of the page, a table `page` with a column
        `place`, into what is returned.
        """
        ranking = self._ranking(listing, identity)
        head, tail = self._bounds(ranking, wanted)
        first, end = (head + rank for rank in wanted.span(tail - head))
        if first >= end:
            return []
        if wanted.shuffle_ties and ranking.ties:
            # Only the groups that reach into the page matter: shuffle those, then cut.
            ((low, high),) = self.rows(
                f"SELECT min(sort_key), max(sort_key) FROM {ranking.table} "
                f"WHERE rank IN ({first}, {end - 1})"
            )
            ((start,),) = self.rows(f"SELECT min(rank) FROM {ranking.table} WHERE sort_key = {low}")
            salt = f"{wanted.size}, {wanted.page if wanted.after is None else wanted.after}"
            order = f"hash({', '.join(identity)}, {salt})"
            chosen = (
                f"SELECT *, row_number() OVER (ORDER BY sort_key, {order}) + {start - 1} AS place "
                f"FROM {ranking.table} WHERE sort_key BETWEEN {low} AND {high} "
                f"QUALIFY place BETWEEN {first} AND {end - 1}"
            )
        else:
            chosen = (
                f"SELECT *, rank AS place FROM {ranking.table} "
                f"WHERE rank BETWEEN {first} AND {end - 1}"
            )
        return self.rows(f"WITH page AS MATERIALIZED ({chosen}), {columns} ORDER BY place")

    def count(self, listing: str, identity: Sequence[str], wanted: PageOf | None = None) -> int:
        """The number of rows of a list, on all pages like this one together."""
        ranking = self._ranking(listing, identity)
        if wanted is None:
            return ranking.rows
        head, tail = self._bounds(ranking, wanted)
        return tail - head

    def _bounds(self, ranking: _Ranking, wanted: PageOf) -> tuple[int, int]:
        """The rank of the first row that is wanted, and that of the row after the last one."""
        head = 0 if wanted.after is None else self._rank_after(ranking, wanted.after)
        tail = ranking.rows if wanted.until is None else self._rank_after(ranking, wanted.until)
        return head, max(head, tail)

    def _rank_after(self, ranking: _Ranking, sort_key: float) -> int:
        ((rank,),) = self.rows(
            f"SELECT min(rank) FROM {ranking.table} WHERE sort_key > {sort_key!r}"
        )
        return ranking.rows if rank is None else int(rank)

    def _ranking(self, listing: str, identity: Sequence[str]) -> _Ranking:
        found = self._rankings.get(listing)
        if found is not None:
            self._rankings.move_to_end(listing)
            return found
        table = f"ranking{next(self._serial)}"
        self.rows(
            f"CREATE TEMP TABLE {table} AS WITH listing AS ({listing}) SELECT *, "
            f"row_number() OVER (ORDER BY sort_key, {', '.join(identity)}) - 1 AS rank "
            "FROM listing ORDER BY rank"
        )
        ((rows, keys),) = self.rows(f"SELECT count(*), count(DISTINCT sort_key) FROM {table}")
        made = self._rankings[listing] = _Ranking(table, rows, ties=rows != keys)
        while len(self._rankings) > 1 and (
            len(self._rankings) > _MOST_RANKINGS
            or sum(ranking.rows for ranking in self._rankings.values()) > _MOST_ROWS
        ):
            self._drop_oldest()
        return made

    def _drop_oldest(self) -> None:
        _, ranking = self._rankings.popitem(last=False)
        self.rows(f"DROP TABLE {ranking.table}")
