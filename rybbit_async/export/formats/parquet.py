"""Parquet: zstd, the fixed schema of the model, and row groups that are written as they fill."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ...tables import record_batch, schema
from ..errors import ExportStoreError
from .part import ROWS_AT_ONCE, PartWriter

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["ParquetPart"]

_ROW_GROUP: Final = 25_000
"""Rows; readers skip whole groups by their statistics.

Each open part has one group in memory, and several units are exported at once. For four of them,
50,000 rows took 70 MB more, and no less time.
"""


class ParquetPart(PartWriter):
    """A Parquet file. Rows wait as columns, which need much less memory than objects."""

    _writer: pq.ParquetWriter | None = None

    def _begin(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._objects: list[Any] = []
        self._batches: list[pa.RecordBatch] = []
        self._writer = pq.ParquetWriter(
            pa.PythonFile(self._file, "w"), schema(self._model), compression="zstd"
        )

    def _write(self, rows: Sequence[Any]) -> None:
        self._objects += rows
        if len(self._objects) >= ROWS_AT_ONCE:
            self._to_columns()
            if sum(batch.num_rows for batch in self._batches) >= _ROW_GROUP:
                self._write_group()

    def _to_columns(self) -> None:
        if self._objects:
            self._batches.append(record_batch(self._model, self._objects))
            self._objects = []

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._batches and self._writer is not None:
            # One dictionary for each column: a second one in a row group would end the dictionary
            # encoding of its column.
            table = pa.Table.from_batches(self._batches).unify_dictionaries()
            self._batches = []
            self._writer.write_table(table, row_group_size=table.num_rows)

    def _finish(self) -> None:
        self._to_columns()
        self._write_group()
        if self._writer is not None:
            self._writer.close()

    def _drop(self) -> None:
        self._objects, self._batches = [], []
        if self._writer is not None:
            with suppress(Exception):  # after an error of its own it cannot write its end
                self._writer.close()

    def _check(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self._path) as file:
                rows = file.metadata.num_rows
        except pa.ArrowException as error:
            raise self._not_whole(type(error).__name__) from error
        if rows != self.rows:
            raise self._not_whole(f"{rows} rows")

    def _not_whole(self, got: str) -> ExportStoreError:
        return ExportStoreError(
            f"{self._path} must be a Parquet file of {self.rows} rows after it was written, "
            f"got {got}; check the disk, and run the export again",
            path=str(self._path),
        )
