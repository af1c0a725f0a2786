"""Rows as Arrow has them: the schema of a class, and record batches."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ..errors import RybbitError
from .columns import SCHEMA_VERSION, Column, columns
from .extra import import_compute, import_pyarrow
from .flat import values_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Packed", "batch_of", "pack", "record_batch", "schema"]

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK: Final = 1000  # rows that are packed at once, since larger parts leave the caches
_BETWEEN: Final = "\0"
_PACKED: Final[Mapping[str, str]] = {"int": "q", "float": "d"}
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
    chunks = (rows[first : first + _CHUNK] for first in range(0, len(rows), _CHUNK))
    return batch_of(model, [pack(model, chunk) for chunk in chunks])


# The values of a column in some rows: text with ``_BETWEEN`` between, numbers as Arrow has them, or
# where neither can be, a list.
Packed = str | bytes | list[Any]


def pack(model: type, rows: Sequence[Any]) -> list[Packed]:
    """What is kept of some rows until a batch is made: their columns, each in one piece.

    So the objects of the rows can go as soon as they have come, while they are in the caches of the
    processor; and Arrow splits a text much faster than it takes one text after another.

    Raises:
        RybbitError: a whole number does not fit 64 bits.
    """
    return [
        _packed(column, values)
        for column, values in zip(columns(model), values_of(model, rows), strict=True)
    ]


def _packed(column: Column, values: list[Any]) -> Packed:
    kind = column.kind
    if kind == "time":
        return _since_epoch(values)
    if kind in _PACKED:
        try:
            return struct.pack(f"{len(values)}{_PACKED[kind]}", *values)
        except struct.error:  # there are nulls among them, or larger numbers
            least, most = -(2**63), 2**63 - 1
            for number in values:
                if kind == "int" and number is not None and not least <= number <= most:
                    raise RybbitError(
                        f"{column.name} must fit 64 bits to be in a table, got {number}"
                    ) from None
            return values
    if kind != "bool":
        with suppress(TypeError):  # there are nulls among them
            joined = _BETWEEN.join(values)
            if joined.count(_BETWEEN) == len(values) - 1:
                return joined
    return values


def batch_of(model: type, parts: Sequence[list[Packed]]) -> pa.RecordBatch:
    """A record batch with the schema of the class, made of parts from ``pack``.

    Nearly all of it is done without the interpreter, so that other threads can go on.
    """
    arrow, wanted = import_pyarrow(), _schema_of(model)
    found = [
        _array(arrow, column, [part[at] for part in parts], wanted.types[at])
        for at, column in enumerate(columns(model))
    ]
    result: pa.RecordBatch = arrow.RecordBatch.from_arrays(found, schema=wanted)
    return result


def _array(arrow: Any, column: Column, parts: list[Packed], kind: Any) -> Any:
    """The values of a column, put together."""
    packed = _PACKED.get(column.kind)
    if packed is not None and parts and all(isinstance(part, bytes) for part in parts):
        data = b"".join(cast("list[bytes]", parts))
        return arrow.Array.from_buffers(kind, len(data) // 8, [None, arrow.py_buffer(data)])
    if column.kind in ("text", "repeated", "json"):
        texts = _texts(arrow, parts)
        return texts.dictionary_encode() if column.kind == "repeated" else texts
    values = [value for part in parts for value in _values(part, packed)]
    if column.kind == "time":
        return arrow.array(values, arrow.duration("us")).view(kind)
    return arrow.array(values, kind)


def _texts(arrow: Any, parts: list[Packed]) -> Any:
    if not parts or not all(isinstance(part, str) for part in parts):
        texts = [text for part in parts for text in _values(part)]
        try:
            return arrow.array(texts, arrow.string())
        except UnicodeEncodeError:
            texts = [None if text is None else _whole(text) for text in texts]
            return arrow.array(texts, arrow.string())
    joined = _BETWEEN.join(cast("list[str]", parts))
    try:
        data = joined.encode()
    except UnicodeEncodeError:
        data = _whole(joined).encode()
    buffers = [None, arrow.py_buffer(struct.pack("2q", 0, len(data))), arrow.py_buffer(data)]
    one = arrow.Array.from_buffers(arrow.large_string(), 1, buffers)
    return import_compute().split_pattern(one, _BETWEEN).values.cast(arrow.string())


def _values(part: Packed, packed: str | None = None) -> list[Any]:
    """The single values of a part."""
    if isinstance(part, str):
        return part.split(_BETWEEN)
    if isinstance(part, bytes):
        return [*struct.unpack(f"{len(part) // 8}{packed}", part)]
    return part


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
    """Text without halves of characters, which JSON can have and UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
