"""Rows as Arrow has them: the schema of a class, and record batches."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import frozen

from ..errors import RybbitError
from .columns import SCHEMA_VERSION, Column, columns
from .extra import import_compute, import_pyarrow
from .flat import values_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CHUNK", "Part", "batch_of", "pack", "record_batch", "schema", "unpack"]

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# So many rows are converted at once: few enough for the caches of a processor, and for an event
# loop not to wait; many enough for what each column costs.
CHUNK: Final = 1000
_BETWEEN: Final = "\0"
_MOST_TEXT: Final = 2**31 - 1  # bytes; Arrow's text has no more
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
    return batch_of(model, [unpack(model, part) for part in pack(model, rows)])


@frozen
class Part:
    """Some rows, no longer as objects and not yet as a batch.

    Attributes:
        rows: how many there are.
        arrays: the columns; ``None`` for those whose text is in ``texts``.
        texts: the texts of these columns, one column after another, with ``_BETWEEN`` between them.
    """

    rows: int
    arrays: list[Any]
    texts: bytes


def pack(model: type, rows: Sequence[Any]) -> Iterator[Part]:
    """What can only be done by the thread that holds the interpreter; the rest is ``unpack``.

    Raises:
        RybbitError: a whole number does not fit 64 bits.
    """
    for first in range(0, len(rows), CHUNK):
        chunk = rows[first : first + CHUNK]
        yield _packed(import_pyarrow(), model, values_of(model, chunk), len(chunk))


def _packed(arrow: Any, model: type, values: list[list[Any]], rows: int) -> Part:
    # Arrow takes single texts slowly. So they are joined to one, which ``unpack`` splits again.
    joined: dict[int, str] = {}
    for at, column in enumerate(columns(model)):
        if column.kind in ("text", "repeated"):
            with suppress(TypeError):  # there are nulls among them
                joined[at] = _BETWEEN.join(values[at])
    try:
        texts = _BETWEEN.join(joined.values()).encode()
    except UnicodeEncodeError:
        texts, joined = b"", {}
    if texts.count(_BETWEEN.encode()) != rows * len(joined) - 1 or len(texts) > _MOST_TEXT:
        texts, joined = b"", {}
    types = _plain_schema_of(model).types
    arrays = [
        None if at in joined else _array(arrow, column, values[at], types[at])
        for at, column in enumerate(columns(model))
    ]
    return Part(rows, arrays, texts)


def unpack(model: type, part: Part) -> Any:
    """A part as a record batch in which no text is coded, for ``batch_of``."""
    arrow, arrays = import_pyarrow(), part.arrays
    if places := [at for at, array in enumerate(arrays) if array is None]:
        ends = struct.pack("2i", 0, len(part.texts))
        buffers = [None, arrow.py_buffer(ends), arrow.py_buffer(part.texts)]
        whole = arrow.Array.from_buffers(arrow.string(), 1, buffers)
        texts = import_compute().split_pattern(whole, _BETWEEN).values
        for number, at in enumerate(places):
            arrays[at] = texts.slice(number * part.rows, part.rows)
    return arrow.RecordBatch.from_arrays(arrays, schema=_plain_schema_of(model))


def batch_of(model: type, parts: Sequence[Any]) -> pa.RecordBatch:
    """A record batch with the schema of the class, made of parts that were unpacked."""
    arrow, wanted = import_pyarrow(), _schema_of(model)
    if not parts:
        empty: pa.RecordBatch = arrow.RecordBatch.from_pylist([], schema=wanted)
        return empty
    batch = arrow.concat_batches(parts)
    arrays = [
        array.dictionary_encode() if column.kind == "repeated" else array
        for column, array in zip(columns(model), batch.columns, strict=True)
    ]
    result: pa.RecordBatch = arrow.RecordBatch.from_arrays(arrays, schema=wanted)
    return result


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
