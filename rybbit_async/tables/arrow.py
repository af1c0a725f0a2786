"""Rows as Arrow has them: the schema of a class, and record batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..errors import RybbitError
from .columns import SCHEMA_VERSION, Column, columns
from .extra import import_pyarrow
from .flat import values_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["coded", "record_batch", "schema", "values_batch"]

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
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
    return coded(model, values_batch(model, rows))


def values_batch(model: type, rows: Sequence[Any]) -> Any:
    """Rows as a record batch in which no text is coded, so that batches can be put together."""
    arrow, wanted = import_pyarrow(), _plain_schema_of(model)
    triples = zip(columns(model), values_of(model, rows), wanted.types, strict=True)
    arrays = [_array(arrow, column, values, kind) for column, values, kind in triples]
    return arrow.RecordBatch.from_arrays(arrays, schema=wanted)


def coded(model: type, batch: Any) -> pa.RecordBatch:
    """The same with the columns coded that the schema has so."""
    arrow, wanted = import_pyarrow(), _schema_of(model)
    arrays = [
        array.dictionary_encode() if column.kind == "repeated" else array
        for column, array in zip(columns(model), batch.columns, strict=True)
    ]
    result: pa.RecordBatch = arrow.RecordBatch.from_arrays(arrays, schema=wanted)
    return result


def _array(arrow: Any, column: Column, values: list[Any], kind: Any) -> Any:
    if column.kind == "time":
        return arrow.array(_since_epoch(values), arrow.duration("us")).view(kind)
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
