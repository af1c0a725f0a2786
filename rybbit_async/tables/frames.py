"""Tables of Arrow as the data frames of other libraries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from .arrow import record_batch, schema
from .extra import import_pyarrow, import_table_library

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["table", "table_of", "to_pandas", "to_polars"]


def table(model: type, batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """One table of all batches; a column that is coded has one dictionary."""
    arrow: Any = import_pyarrow()
    result: pa.Table = arrow.Table.from_batches(list(batches), schema(model)).unify_dictionaries()
    return result


def table_of(model: type, rows: Sequence[Any]) -> pa.Table:
    """One table of rows."""
    return table(model, [record_batch(model, rows)])


def to_polars(of: pa.Table) -> pl.DataFrame:
    """A data frame of Polars."""
    frame: pl.DataFrame = import_table_library("polars").from_arrow(of)
    return frame


def to_pandas(of: pa.Table) -> pd.DataFrame:
    """A data frame of pandas with types of Arrow; text that is coded is a ``category``.

    pandas can do more with a ``category`` than with what Arrow has for it.
    """
    pandas, arrow = import_table_library("pandas"), import_pyarrow()

    def type_of(kind: Any) -> Any:
        return None if arrow.types.is_dictionary(kind) else pandas.ArrowDtype(kind)

    frame: pd.DataFrame = cast("Any", of).to_pandas(types_mapper=type_of)
    return frame
