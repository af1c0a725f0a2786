"""The DuckDB connection of a store."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

__all__ = ["Database", "DatabaseError"]

DatabaseError = duckdb.Error
"""Raised for a query that the database cannot run, for example one with a bad regex."""

_serials = count()
_engine_lock = threading.Lock()


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """One engine for all databases in memory, each of which is a catalog of its own in it.

    Starting an engine takes fifty times as long as adding a catalog.
    """
    return duckdb.connect(":memory:")


class Database:
    """A connection to the DuckDB file at `path`, or to a new database in memory (`":memory:"`).

    Several threads can use it: `lock` is held while a statement runs, and can be held for several.
    """

    def __init__(self, path: str | Path, schema: str) -> None:
        self.path = str(path)
        self.lock = threading.RLock()
        self._catalog = None if self.path != ":memory:" else f"store_{next(_serials)}"
        if self._catalog is None:
            self._connection = duckdb.connect(self.path)
        else:
            with _engine_lock:
                self._connection = _engine().cursor()
            self._connection.execute(f"ATTACH ':memory:' AS {self._catalog}; USE {self._catalog}")
        self._connection.execute(schema)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._closed = False

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return all of its rows."""
        with self.lock:
            if self._closed:
                raise ValueError(f"Store({self.path!r}) is closed")
            return self._connection.execute(statement, list(values)).fetchall()

    def close(self) -> None:
        """Close the connection. Closing twice does nothing."""
        with self.lock:
            if not self._closed:
                self._closed = True
                if self._catalog is not None:
                    self._connection.execute(f"USE memory; DETACH {self._catalog}")
                self._connection.close()
