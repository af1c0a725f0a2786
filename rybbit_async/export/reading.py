"""Reading an export with DuckDB; install ``rybbit_async[duckdb]``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ..tables import schema
from .errors import ExportError
from .lists import MODELS
from .manifest import Manifest
from .store import open_store
from .units import LISTS, ListName

if TYPE_CHECKING:
    import duckdb

__all__ = ["open_duckdb"]

_PATH_TYPES: Final = {"site": "BIGINT", "goal": "BIGINT", "window": "VARCHAR"}
_GLOB: Final = re.compile(r"[*?\[]")

# Without a guess at what the file is like; "" is empty text, and nothing is null.
_CSV: Final = (
    "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', "
    "new_line = '\\r\\n', allow_quoted_nulls = false"
)


def open_duckdb(
    folder: str | os.PathLike[str],
    storage_options: Mapping[str, Any] | None = None,
) -> duckdb.DuckDBPyConnection:
    """A connection to a DuckDB in memory, with a view for each list of an export.

    A view reads the files that the manifest lists at this moment, and no others. A list that has
    no rows is an empty view with the same columns. Times are shown in UTC.

    Args:
        folder: the folder of the export, or its URL.
        storage_options: for fsspec, as for ``Export``.

    Raises:
        ExportError: it holds no export, or a record cannot be read.
    """
    try:
        import duckdb
    except ImportError:
        raise ExportError(
            'open_duckdb needs a package that is not installed: pip install "rybbit_async[duckdb]"'
        ) from None
    store = open_store(folder, storage_options)
    manifest = Manifest.load(store)
    identity = manifest.identity()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if store.filesystem is not None:
        connection.register_filesystem(store.filesystem)
    paths: dict[str, list[str]] = {name: [] for name in LISTS}
    for record in manifest.records.values():
        paths[record.unit.list] += [store.address(part.path) for part in record.parts]
    for name in LISTS:
        if name in identity.lists:
            connection.execute(_view(name, identity.format, identity.raw, paths[name]))
    return connection


def _view(name: ListName, kind: str, raw: bool, paths: Iterable[str]) -> str:
    fields: Any = schema(MODELS[name])
    columns: dict[str, str] = {field.name: _type(field.type) for field in fields}
    in_path = {
        column: type_
        for column, type_ in _PATH_TYPES.items()
        if column != "goal" or name == "goal_sessions"
    }
    files = ", ".join(_quoted(_no_glob(path)) for path in sorted(paths))
    if not files:
        nothing = ", ".join(
            f"NULL::{type_} AS {_name(column)}" for column, type_ in {**columns, **in_path}.items()
        )
        return f"CREATE VIEW {name} AS SELECT {nothing} WHERE false"
    # Not by DuckDB's own ``hive_partitioning``, which takes ``site=5`` in the path of the folder
    # itself for a column, too. With this it also leaves out the files that a query does not need.
    named = "filename = true, hive_partitioning = false"
    chosen = "* EXCLUDE (filename)"
    match kind:
        case "parquet":
            source = f"read_parquet([{files}], {named})"
        case "jsonl":
            options = f"columns = {_struct(columns)}, format = 'newline_delimited'"
            source = f"read_json([{files}], {options}, {named})"
        case _:
            source = f"read_csv([{files}], columns = {_struct(columns)}, {_CSV}, {named})"
            if not raw:
                text = [column for column, type_ in columns.items() if type_ == "VARCHAR"]
                chosen += f" REPLACE ({', '.join(map(_unguarded, text))})"
    steps = [rf"{column}=([^/\\]+)[/\\]" for column in in_path]
    place = _quoted(rf"{''.join(steps)}[^/\\]+$")
    for number, (column, type_) in enumerate(in_path.items(), 1):
        value = f"regexp_extract(filename, {place}, {number})"
        chosen += f", CAST({value} AS {type_}) AS {_name(column)}"
    return f"CREATE VIEW {name} AS SELECT {chosen} FROM {source}"  # noqa: S608  # of our own names


def _no_glob(path: str) -> str:
    """A path in which no character stands for others."""
    return _GLOB.sub(r"[\g<0>]", path)


def _unguarded(column: str) -> str:
    """Text as it was before it got a leading quote that keeps spreadsheets from running it."""
    name = _name(column)
    return f"CASE WHEN starts_with({name}, '''') THEN {name}[2:] ELSE {name} END AS {name}"


def _type(kind: Any) -> str:
    """The DuckDB type of an Arrow type."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    names = {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN"}
    return names.get(kind, "VARCHAR")


def _struct(types: Mapping[str, str]) -> str:
    entries = (f"{_quoted(name)}: {_quoted(type_)}" for name, type_ in types.items())
    return "{" + ", ".join(entries) + "}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
