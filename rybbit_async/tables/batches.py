"""Record batches of a fixed number of rows, from rows that come a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..errors import InvalidParameterError
from .arrow import CHUNK, batch_of, pack, schema, unpack

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BatchBuilder"]


class BatchBuilder:
    """Takes rows as they come, and makes batches of exactly ``size`` rows but for the last.

    Rows are packed soon after they come, so that their objects do not pile up. What Arrow does
    after that needs no interpreter, so a thread does it while the walk goes on.

    Raises:
        InvalidParameterError, ModuleNotFoundError: see ``schema``.
    """

    def __init__(self, model: type, size: int) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InvalidParameterError(f"rows must be an integer of 1 or more, got {size!r}")
        schema(model)
        self._model = model
        self._size = size
        self._rows: list[Any] = []  # not packed yet
        self._parts: list[Future[Any]] = []
        self._packed = 0  # rows in the parts
        self._has_given = False
        self._thread = ThreadPoolExecutor(1, "rybbit_async-tables")  # starts with its first job

    @property
    def held(self) -> int:
        """How many rows came and are in no batch yet."""
        return len(self._rows) + self._packed

    def add(self, rows: Sequence[Any]) -> Iterator[Awaitable[pa.RecordBatch]]:
        """Take rows; give the batches that are full."""
        self._rows += rows
        while self.held >= self._size:
            self._pack(self._size - self._packed)
            yield self._batch()
        if len(self._rows) >= CHUNK:
            self._pack(len(self._rows))

    def rest(self) -> Iterator[Awaitable[pa.RecordBatch]]:
        """The last batch: what is left, or one without rows if there were none at all."""
        if self.held or not self._has_given:
            self._pack(len(self._rows))
            yield self._batch()

    def close(self) -> None:
        """End the thread, after its job if it has one."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _pack(self, number: int) -> None:
        taken, self._rows = self._rows[:number], self._rows[number:]
        for part in pack(self._model, taken):
            self._parts.append(self._thread.submit(unpack, self._model, part))
        self._packed += len(taken)

    def _batch(self) -> Awaitable[pa.RecordBatch]:
        parts, self._parts, self._packed = self._parts, [], 0
        self._has_given = True
        # The thread does one job after another, so it has unpacked them by then.
        job = self._thread.submit(lambda: batch_of(self._model, [part.result() for part in parts]))
        return asyncio.wrap_future(job)
