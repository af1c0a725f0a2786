"""What the writers of all formats share: the file, its checksum, and when it is whole."""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from attrs import frozen

from .. import disk
from ..errors import ExportStoreError, disk_error

__all__ = ["ROWS_AT_ONCE", "PartFacts", "PartFile", "PartWriter"]

ROWS_AT_ONCE: Final = 2000
"""Rows that are turned into text or columns at once: enough to be fast, few enough to be small.

Rows that wait need some 2 KB each, as columns a tenth of that.
"""

_T = TypeVar("_T")


@frozen
class PartFacts:
    """A finished file: its ``rows``, its size in ``bytes``, and the ``sha256`` of these bytes."""

    rows: int
    bytes: int
    sha256: str


class PartFile(io.RawIOBase):
    """The file of a part, as an object that can be written to; counts and hashes what it is given.

    The formats and compressions write what they have left when they are closed, also when the part
    is given up. After `give_up` such bytes are dropped.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__()
        self._path = path
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0
        self._given_up = False

    @classmethod
    def open(cls, path: Path) -> PartFile:
        """Open a file, before there is an object that would be closed when it is collected."""
        return cls(path, path.open("wb"))

    def writable(self) -> bool:
        """Always; there is nothing to read."""
        return True

    def write(self, data: Any) -> int:
        """Write all of ``data`` and return its length."""
        size = memoryview(data).nbytes
        if not self._given_up:
            disk.write(self._file, data)
            self._hash.update(data)
            self._size += size
        return size

    def tell(self) -> int:
        """How many bytes were written."""
        return self._size

    def flush(self) -> None:
        """Hand over to the system what is buffered."""
        if not self._given_up and not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """Close the file, after which it can still be asked for its `facts`."""
        self._file.close()
        super().close()

    def give_up(self) -> None:
        """Close the file and drop what is still written to it."""
        self._given_up = True
        with suppress(OSError):  # what is left in the buffer is not needed, if it does not fit
            self._file.close()

    def facts(self, rows: int) -> PartFacts:
        """What the closed file holds.

        Raises:
            ExportStoreError: the disk does not have all of it.
        """
        size = self._path.stat().st_size
        if size != self._size:
            raise ExportStoreError(
                f"{self._path} must have {self._size} bytes after it was written, got {size}; "
                "check the disk, and run the export again",
                path=str(self._path),
            )
        return PartFacts(rows, size, self._hash.hexdigest())


class PartWriter(ABC):
    """Writes rows of one model to a file, and can be used by one thread at a time.

    Attributes:
        rows: how many rows were written.
    """

    def __init__(self, model: type[Any], path: Path) -> None:
        self.rows = 0
        self._model = model
        self._path = path
        self._file = self._guard(lambda: PartFile.open(path))
        try:
            self._guard(self._begin)
        except BaseException:
            self.abort()
            raise

    def write(self, rows: Sequence[Any]) -> None:
        """Write rows of the model, as walks give them.

        Raises:
            ExportStoreError: they cannot be written; the part can only be given up then.
        """
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            self._guard(partial(self._write, some))
            self.rows += len(some)

    def close(self) -> PartFacts:
        """Finish the file, read back what can be, and return its facts.

        Raises:
            ExportStoreError: it is not whole; the part can only be given up then.
        """
        self._guard(self._finish)
        self._guard(self._file.close)
        facts = self._guard(partial(self._file.facts, self.rows))
        self._guard(self._check)
        return facts

    def abort(self) -> None:
        """Close the file as it is. Removing it is up to the caller."""
        self._file.give_up()
        self._drop()

    @abstractmethod
    def _begin(self) -> None:
        """Write what comes before the rows."""

    @abstractmethod
    def _write(self, rows: Sequence[Any]) -> None: ...

    @abstractmethod
    def _finish(self) -> None:
        """Write what is left."""

    @abstractmethod
    def _drop(self) -> None:
        """Let go of what writes to the file, which drops everything by now."""

    def _check(self) -> None:  # noqa: B027 - not every format says something of itself
        """Read back what the finished file says of itself."""

    def _guard(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except OSError as error:
            raise disk_error("write", self._path, error) from error
