"""Files of rows: Parquet, JSON Lines and CSV.

    writer = open_part(Session, path, format="jsonl", compression="gzip")
    writer.write(rows)
    facts = writer.close()      # rows, bytes, sha256

Everything here blocks, and is meant for a worker thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .choices import Compression, Format, check_format, suffix
from .parquet import ParquetPart
from .part import PartFacts, PartWriter
from .text import CsvPart, JsonLinesPart

__all__ = [
    "Compression",
    "Format",
    "PartFacts",
    "PartWriter",
    "check_format",
    "open_part",
    "suffix",
]


def open_part(
    model: type[Any],
    path: Path,
    *,
    format: Format,
    compression: Compression | None = None,
    raw: bool = False,
) -> PartWriter:
    """A writer of rows of one model to a new file, or over an empty one.

    Args:
        model: the class of the rows, such as ``Session``.
        path: the file; its name does not matter.
        format, compression: as `check_format` says.
        raw: CSV without a byte order mark, and with text as it is, even if a spreadsheet would
            run it as a formula.

    Raises:
        InvalidParameterError: format and compression do not fit together.
        ExportStoreError: the file cannot be written.
    """
    known = check_format(format, compression, raw=raw)
    if format == "parquet":
        return ParquetPart(model, path)
    if format == "jsonl":
        return JsonLinesPart(model, path, known)
    return CsvPart(model, path, known, raw=raw)
