"""Rows as Arrow has them: the schema of a class, and record batches."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..errors import RybbitError
from .columns import SCHEMA_VERSION, Column, columns
from .extra import import_compute, import_pyarrow
from .flat import values_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CHUNK", "batch_of", "in_chunks", "record_batch", "schema", "values_batch"]

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# So many rows are converted at once: few enough for the caches of a processor, and for an event
# loop not to wait; many enough for what each column costs.
CHUNK: Final = 1000
_BETWEEN: Final = "\0"
_NAIVE_EPOCH: Final = _EPOCH.replace(tzinfo=None)


def schema(model: type) -> pa.Schema:
    """The columns of a table of ``model``, the same whatever rows there are.

    Its metadata has ``rybbit_async.schema_version``, which grows when columns change, and
    ``rybbit_async.model``, the name of the class. Every column may have nulls.

    Args:
        model: a class of this package that walks give, such as ``Session``, or the ``model`` of
            ``client.iter``: an attrs class, a dataclass or a ``TypedDict``.

    Raises:
        InvalidParameterError: the class does not say what its rows have, as ``dict``, or a field
            has a type that no column can hold.
        ModuleNotFoundError: pyarrow is not installed.
    """
    found: pa.Schema = _schema_of(model)
    return found


@cache
def _schema_of(model: type) -> Any:
    arrow = import_pyarrow()
    types = {
        "text": arrow.string(),
        "json": arrow.string(),
        "repeated": arrow.dictionary(arrow.int32(), arrow.string()),
        "int": arrow.int64(),
        "float": arrow.float64(),
        "bool": arrow.bool_(),
        # The times of servers have up to six digits after the second.
        "time": arrow.timestamp("us", tz="UTC"),
    }
    metadata = {
        "rybbit_async.schema_version": str(SCHEMA_VERSION),
        "rybbit_async.model": model.__name__,
    }
    fields = [arrow.field(one.name, types[one.kind]) for one in columns(model)]
    return arrow.schema(fields, metadata=metadata)


@cache
def _plain_schema_of(model: type) -> Any:
    arrow, wanted = import_pyarrow(), _schema_of(model)
    fields = [
        arrow.field(field.name, arrow.string()) if column.kind == "repeated" else field
        for column, field in zip(columns(model), wanted, strict=True)
    ]
    return arrow.schema(fields, metadata=wanted.metadata)


def record_batch(model: type[T], rows: Sequence[T]) -> pa.RecordBatch:
    """Rows as a record batch with the columns of ``schema(model)``.

    It can be called in any thread.

    Args:
        model: the class of the rows.
        rows: of the class, as walks give them.

    Raises:
        InvalidParameterError, ModuleNotFoundError: see ``schema``.
        RybbitError: a whole number does not fit 64 bits.
    """
    return batch_of(model, [values_batch(model, chunk) for chunk in in_chunks(rows)])


def in_chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Rows, so many at a time as are converted at once."""
    return (rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK))


def values_batch(model: type, rows: Sequence[Any]) -> Any:
    """Rows as a record batch in which no text is coded, a part of one for ``batch_of``."""
    arrow, wanted = import_pyarrow(), _plain_schema_of(model)
    values = values_of(model, rows)
    texts = _texts(arrow, columns(model), values, len(rows))
    arrays = [
        texts.get(at) or _array(arrow, column, values[at], wanted.types[at])
        for at, column in enumerate(columns(model))
    ]
    return arrow.RecordBatch.from_arrays(arrays, schema=wanted)


def batch_of(model: type, parts: Sequence[Any]) -> pa.RecordBatch:
    """A record batch with the schema of the class, made of parts from ``values_batch``."""
    arrow, wanted = import_pyarrow(), _schema_of(model)
    batch = arrow.concat_batches(parts or [values_batch(model, [])])
    arrays = [
        array.dictionary_encode() if column.kind == "repeated" else array
        for column, array in zip(columns(model), batch.columns, strict=True)
    ]
    result: pa.RecordBatch = arrow.RecordBatch.from_arrays(arrays, schema=wanted)
    return result


def _texts(arrow: Any, of: Sequence[Column], values: list[list[Any]], rows: int) -> dict[int, Any]:
    """The columns that have text in every row, by their place.

    Arrow takes single texts slowly. So they are joined to one, which Arrow splits again.
    """
    joined: dict[int, bytes] = {}
    for at, column in enumerate(of):
        if column.kind in ("text", "repeated"):
            # Each column by itself: one with wide characters would make all of the text wide.
            # There may be nulls among them, or halves of characters.
            with suppress(TypeError, UnicodeEncodeError):
                joined[at] = _BETWEEN.join(values[at]).encode()
    data = _BETWEEN.encode().join(joined.values())
    try:
        ends = arrow.py_buffer(struct.pack("=2i", 0, len(data)))
    except struct.error:  # more than 2 GB
        return {}
    whole = arrow.Array.from_buffers(arrow.string(), 1, [None, ends, arrow.py_buffer(data)])
    pieces = import_compute().split_pattern(whole, _BETWEEN).values
    if len(pieces) != rows * len(joined):  # one of the texts has it, too
        return {}
    return {at: pieces.slice(number * rows, rows) for number, at in enumerate(joined)}


def _array(arrow: Any, column: Column, values: list[Any], kind: Any) -> Any:
    if column.kind == "time":
        return arrow.array(_since_epoch(values), arrow.duration("us")).view(kind)
    if column.kind == "int":
        with suppress(struct.error):  # there are nulls among them, or larger numbers
            packed = arrow.py_buffer(struct.pack(f"{len(values)}q", *values))
            return arrow.Array.from_buffers(kind, len(values), [None, packed])
    try:
        return arrow.array(values, kind)
    except UnicodeEncodeError:
        # Halves of characters, which JSON can have and UTF-8 cannot.
        return arrow.array([None if text is None else _whole(text) for text in values], kind)
    except OverflowError:
        least, most = -(2**63), 2**63 - 1
        number = next(n for n in values if n is not None and not least <= n <= most)
    raise RybbitError(f"{column.name} must fit 64 bits to be in a table, got {number}")


def _since_epoch(values: list[Any]) -> list[Any]:
    """Times as durations: much faster than to let Arrow ask each of them for its zone.

    The times of lean rows are naive, in UTC.
    """
    is_naive = next((moment.tzinfo is None for moment in values if moment is not None), False)
    epoch = _NAIVE_EPOCH if is_naive else _EPOCH
    try:
        return [None if moment is None else moment - epoch for moment in values]
    except TypeError:  # some are naive, and some are not
        return [
            None
            if moment is None
            else (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - _EPOCH
            for moment in values
        ]


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
