"""The formats and compressions, and how their files are called."""

from __future__ import annotations

from typing import Final, Literal, get_args

from ...errors import InvalidParameterError
from ...parameters.checks import check_bool, check_choice, invalid

__all__ = ["Compression", "Format", "check_format", "suffix"]

Format = Literal["parquet", "jsonl", "csv"]
Compression = Literal["none", "gzip", "zstd"]

_ENDINGS: Final[dict[Compression, str]] = {"none": "", "gzip": ".gz", "zstd": ".zst"}

_ALSO: Final = {"json": ["jsonl"], "ndjson": ["jsonl"], "gz": ["gzip"], "zst": ["zstd"]}


def check_format(
    format: Format, compression: Compression | None = None, *, raw: bool = False
) -> Compression:
    """Check what a caller asks for, and return the compression that this means.

    Raises:
        InvalidParameterError: one of them is unknown, or they do not fit together.
    """
    kind = check_choice("format", format, get_args(Format), _ALSO)
    if compression is not None:
        compression = check_choice("compression", compression, get_args(Compression), _ALSO)
    if check_bool("raw", raw) and kind != "csv":
        raise InvalidParameterError(f"raw must be False unless format is 'csv', got {kind!r}")
    if kind == "parquet":
        if compression not in (None, "zstd"):
            raise invalid("compression", compression, "be 'zstd' or None for format='parquet'")
        return "zstd"
    return compression or "none"


def suffix(format: Format, compression: Compression | None = None) -> str:
    """How the names of the files end, such as ``".parquet"`` or ``".jsonl.gz"``."""
    known = check_format(format, compression)
    return ".parquet" if format == "parquet" else f".{format}{_ENDINGS[known]}"
