"""Record batches of a fixed number of rows, from rows that come a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidParameterError
from .arrow import CHUNK, batch_of, in_chunks, schema, values_batch

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BatchBuilder"]


class BatchBuilder:
    """Takes rows as they come, and makes batches of exactly ``size`` rows but for the last.

    Rows are converted soon after they come, so that only what Arrow makes of them is kept.

    Raises:
        InvalidParameterError, ModuleNotFoundError: see ``schema``.
    """

    def __init__(self, model: type, size: int) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InvalidParameterError(f"rows must be an integer of 1 or more, got {size!r}")
        self.schema = schema(model)
        self._model = model
        self._size = size
        self._rows: list[Any] = []  # not converted yet
        self._chunks: list[Any] = []
        self._converted = 0  # rows in the chunks
        self._given = False  # whether there was a batch

    @property
    def held(self) -> int:
        """How many rows came and are in no batch yet."""
        return len(self._rows) + self._converted

    def add(self, rows: Sequence[Any]) -> Iterator[pa.RecordBatch]:
        """Take rows; give the batches that are full."""
        self._rows += rows
        while self.held >= self._size:
            self._convert(self._size - self._converted)
            yield self._batch()
        if len(self._rows) >= CHUNK:
            self._convert(len(self._rows))

    def rest(self) -> Iterator[pa.RecordBatch]:
        """The last batch: what is left, or one without rows if there were none at all."""
        if self.held or not self._given:
            self._convert(len(self._rows))
            yield self._batch()

    def _convert(self, number: int) -> None:
        taken, self._rows = self._rows[:number], self._rows[number:]
        self._chunks += [values_batch(self._model, chunk) for chunk in in_chunks(taken)]
        self._converted += len(taken)

    def _batch(self) -> pa.RecordBatch:
        chunks, self._chunks, self._converted = self._chunks, [], 0
        self._given = True
        return batch_of(self._model, chunks)
