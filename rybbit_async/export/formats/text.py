"""JSON Lines and CSV, plain or compressed."""

from __future__ import annotations

import gzip
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from ...tables import flat_rows
from ...tables.columns import columns
from ...tables.csv_text import csv_line, utf8
from ...tables.flat import flat_structs
from .choices import Compression
from .part import PartFile, PartWriter

__all__ = ["CsvPart", "JsonLinesPart"]


class _Stream(Protocol):
    def write(self, data: bytes, /) -> Any: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


def _compressed(file: PartFile, compression: Compression) -> _Stream:
    if compression == "gzip":
        # Without a time, so that the same rows give the same bytes.
        return gzip.GzipFile("", "wb", 6, file, mtime=0)
    if compression == "zstd":
        import pyarrow as pa

        return pa.CompressedOutputStream(pa.PythonFile(file, "w"), "zstd")
    return file


class _TextPart(PartWriter):
    """A file of text in UTF-8."""

    def __init__(self, model: type[Any], path: Path, compression: Compression) -> None:
        self._compression: Compression = compression
        self._stream: _Stream | None = None
        super().__init__(model, path)

    def _begin(self) -> None:
        self._stream = _compressed(self._file, self._compression)
        self._stream.write(self._head())

    def _write(self, rows: Sequence[Any]) -> None:
        assert self._stream is not None
        self._stream.write(self._lines(rows))

    def _finish(self) -> None:
        assert self._stream is not None
        # First: a GzipFile whose close fails over this can never be closed, and tries it once more
        # when it is collected.
        self._stream.flush()
        self._stream.close()

    def _drop(self) -> None:
        if self._stream is not None:
            with suppress(Exception):  # after an error of its own it cannot write its end
                self._stream.close()

    def _head(self) -> bytes:
        return b""

    def _flat(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        return flat_rows(self._model, rows, times="text")

    @abstractmethod
    def _lines(self, rows: Sequence[Any]) -> bytes: ...


class JsonLinesPart(_TextPart):
    """A file of one JSON object for each row and line; unknown values are ``null``."""

    _encode = staticmethod(msgspec.json.Encoder().encode_lines)

    def _lines(self, rows: Sequence[Any]) -> bytes:
        try:
            return self._encode(flat_structs(self._model, rows))
        except (UnicodeEncodeError, OverflowError):  # see `utf8`; or more than 64 bits
            return b"".join(map(_json_line, self._flat(rows)))


_MARK: Final = "\ufeff"


class CsvPart(_TextPart):
    r"""A CSV file (RFC 4180) in UTF-8: a line of names, then one for each row.

    Text is in quotes and nothing else is, so that a program can tell text from numbers, and empty
    text (``""``) from an unknown value (nothing). Unless ``raw`` is set, the file begins with a
    byte order mark, by which spreadsheets know UTF-8, and text that begins with a character of
    ``= + - @``, with blanks before it or not, or with a tab, a line break or ``'``, has one ``'``
    more at its beginning, so that a spreadsheet shows it and does not run it. To undo this, remove
    one ``'`` from each text that begins with it.
    """

    def __init__(
        self, model: type[Any], path: Path, compression: Compression, *, raw: bool
    ) -> None:
        self._raw = raw
        super().__init__(model, path, compression)

    def _head(self) -> bytes:
        names = csv_line([column.name for column in columns(self._model)], raw=True)
        return f"{'' if self._raw else _MARK}{names}\r\n".encode()

    def _lines(self, rows: Sequence[Any]) -> bytes:
        lines = [csv_line(row.values(), raw=self._raw) for row in self._flat(rows)]
        return utf8("\r\n".join(lines) + "\r\n" if lines else "")


def _json_line(row: Mapping[str, Any]) -> bytes:
    known = {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in row.items()
    }
    return utf8(json.dumps(known, ensure_ascii=False, separators=(",", ":")) + "\n")
