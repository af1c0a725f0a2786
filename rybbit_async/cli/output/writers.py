"""Rows as text for programs, page by page: JSON, JSON Lines and CSV; and Parquet files.

JSON has the names and the objects of ``rybbit_async.to_dict``. CSV and Parquet have the flat
columns of ``rybbit_async.tables``, and so has JSON if columns are chosen.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ... import to_dict
from ...tables import flat_rows
from ...tables.batches import BatchBuilder
from ...tables.columns import columns
from ...tables.csv_text import csv_line, utf8
from ..exits import CommandError, Exit
from .text import json_escape, visible, visible_json

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["CsvText", "JsonLinesText", "JsonText", "ParquetRows", "Rows", "chosen", "json_text"]

_ROW_GROUP: Final = 25_000  # rows


def chosen(model: type[Any], names: str | None) -> tuple[str, ...] | None:
    """The columns that ``--columns`` names; ``None`` if it is not given.

    Raises:
        CommandError: there is no such column.
    """
    if names is None:
        return None
    known = [column.name for column in columns(model)]
    wanted = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    wrong = [name for name in wanted if name not in known]
    if wrong or not wanted:
        got = repr(", ".join(wrong)) if wrong else "none"
        raise CommandError(f"--columns must be some of {','.join(known)}, got {got}", Exit.USAGE)
    return wanted


def json_text(data: Any, *, indent: int | None = None) -> str:
    """Plain data as JSON that any stream can have: a half of a character is an escape."""
    separators = (",", ":") if indent is None else None
    try:
        text = json.dumps(
            data, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
        )
    except ValueError:  # a number that is larger than any float, such as 1e999
        text = json.dumps(_finite(data), ensure_ascii=False, indent=indent, separators=separators)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Such characters can only be in strings, where an escape says the same.
        text = "".join([json_escape(c) if "\ud800" <= c <= "\udfff" else c for c in text])
    return text


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _finite(value) for name, value in cast("dict[str, Any]", data).items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in cast("Sequence[Any]", data)]
    return None if isinstance(data, float) and not math.isfinite(data) else data


class Rows(ABC):
    """Makes text of rows, page by page.

    Args:
        model: the class of the rows.
        names: the columns that were chosen, if any were.
        is_terminal: whether people see the text, so that nothing in it may control a terminal.
    """

    def __init__(
        self, model: type[Any], names: Sequence[str] | None = None, *, is_terminal: bool = False
    ) -> None:
        self._model = model
        self._names = names
        self._is_terminal = is_terminal

    def head(self) -> str:
        """What comes before the rows."""
        return ""

    @abstractmethod
    def page(self, rows: Sequence[Any]) -> str:
        """Some rows, at least one."""

    def tail(self) -> str:
        """What comes after the last row. Without it the text is not whole."""
        return ""

    def _flat(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        flat = flat_rows(self._model, rows, times="text")
        if self._names is None:
            return flat
        return [{name: row[name] for name in self._names} for row in flat]

    def _lines(self, rows: Sequence[Any]) -> list[str]:
        """Each row as JSON on one line."""
        made: Sequence[Any] = (
            [to_dict(row) for row in rows] if self._names is None else self._flat(rows)
        )
        lines = [json_text(row) for row in made]
        return [visible_json(line) for line in lines] if self._is_terminal else lines


class JsonLinesText(Rows):
    """One object for each row and line."""

    def page(self, rows: Sequence[Any]) -> str:
        """See ``Rows``."""
        return "".join([f"{line}\n" for line in self._lines(rows)])


class JsonText(Rows):
    """One array, which is not closed before its last row has come."""

    _has_begun = False

    def page(self, rows: Sequence[Any]) -> str:
        """See ``Rows``."""
        begin = ",\n" if self._has_begun else "[\n"
        self._has_begun = True
        return begin + ",\n".join(self._lines(rows))

    def tail(self) -> str:
        """See ``Rows``."""
        return "\n]\n" if self._has_begun else "[]\n"


class CsvText(Rows):
    """A line of names, then one line for each row; see ``tables.csv_text``.

    Args:
        raw: leave text as it is, even if a spreadsheet would run it as a formula.
        mark: begin with a byte order mark, by which spreadsheets know that a file is UTF-8. The
            programs that read a pipe would take it for a part of the first name.
    """

    def __init__(
        self,
        model: type[Any],
        names: Sequence[str] | None = None,
        *,
        is_terminal: bool = False,
        raw: bool = False,
        mark: bool = False,
    ) -> None:
        super().__init__(model, names, is_terminal=is_terminal)
        self._raw = raw
        self._mark = "\ufeff" if mark else ""

    def head(self) -> str:
        """See ``Rows``."""
        names = self._names or [column.name for column in columns(self._model)]
        return f"{self._mark}{csv_line(names, raw=True)}\n"

    def page(self, rows: Sequence[Any]) -> str:
        """See ``Rows``."""
        shown = _shown if self._is_terminal else _same
        lines = [
            csv_line([shown(value) for value in row.values()], raw=self._raw)
            for row in self._flat(rows)
        ]
        return utf8("".join([f"{line}\n" for line in lines])).decode()


def _shown(value: object) -> object:
    return visible(value) if isinstance(value, str) else value


_same: Callable[[object], object] = lambda value: value  # noqa: E731  # beside the other one


class ParquetRows:
    """Writes a Parquet file; the rows wait as columns until there are enough for a group.

    Raises:
        ModuleNotFoundError: pyarrow is not installed; the message has the line to install it.
    """

    def __init__(self, model: type[Any], names: Sequence[str] | None = None) -> None:
        self._builder = BatchBuilder(model, _ROW_GROUP)
        self._names = names
        self._writer: pq.ParquetWriter | None = None

    async def write(self, path: Path, rows: Sequence[Any]) -> None:
        """Take rows, and write the groups that are full."""
        for making in self._builder.add(rows):
            await self._write(path, await making)

    async def close(self, path: Path) -> None:
        """Write what is left, and the end of the file."""
        for making in self._builder.rest():
            await self._write(path, await making)
        self.drop()

    def drop(self) -> None:
        """Close the file as it is."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    async def _write(self, path: Path, batch: pa.RecordBatch) -> None:
        # Not at the top: only files need it. A thread goes on after Ctrl-C, so it is waited for
        # before anybody closes the file that it writes.
        from ...export.together import in_thread

        await in_thread(None, self._group, path, batch)

    def _group(self, path: Path, batch: pa.RecordBatch) -> None:
        import pyarrow.parquet as pq

        if self._names is not None:
            batch = batch.select([*self._names])
        if self._writer is None:
            self._writer = pq.ParquetWriter(path, batch.schema, compression="zstd")
        self._writer.write_batch(batch)
