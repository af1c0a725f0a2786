"""Record batches of a fixed number of rows, from rows that come a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidParameterError
from .arrow import Packed, batch_of, pack, schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BatchBuilder"]


class BatchBuilder:
    """Takes rows as they come, and makes batches of exactly ``size`` rows but for the last.

    Rows are packed when they come. A batch is made of that in a thread, so that the event loop does
    not wait.

    Raises:
        InvalidParameterError, ModuleNotFoundError: see ``schema``.
    """

    def __init__(self, model: type, size: int) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InvalidParameterError(f"rows must be an integer of 1 or more, got {size!r}")
        schema(model)
        self._model = model
        self._size = size
        self._parts: list[list[Packed]] = []
        self._held = 0  # rows in the parts
        self._has_given = False

    def add(self, rows: Sequence[Any]) -> Iterator[Awaitable[pa.RecordBatch]]:
        """Take rows; give the batches that are full, to be awaited."""
        first = 0
        while first < len(rows):
            some = rows[first : first + self._size - self._held]
            self._parts.append(pack(self._model, some))
            self._held += len(some)
            first += len(some)
            if self._held == self._size:
                yield self._batch()

    def rest(self) -> Iterator[Awaitable[pa.RecordBatch]]:
        """The last batch: what is left, or one without rows if there were none at all."""
        if self._held or not self._has_given:
            yield self._batch()

    def _batch(self) -> Awaitable[pa.RecordBatch]:
        parts, self._parts, self._held = self._parts, [], 0
        self._has_given = True
        return asyncio.to_thread(batch_of, self._model, parts)
