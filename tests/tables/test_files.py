"""Tables as files: every library reads the same types and the same number of rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rybbit_async import Session
from rybbit_async.tables import record_batch, schema

MOMENT = datetime(2024, 1, 5, 10, 0, 1, tzinfo=UTC)
PARTS = {
    "site=123/goal=7/window=2024-01": [
        Session("001", "7", country="", page_title="404", session_end=MOMENT, pageviews=3),
        Session("002", browser="Chrome", extra={"new": 1}, lat=52.5),
    ],
    "site=123/goal=8/window=2024-01": [Session("003")],  # nearly all columns are null
    "site=9/goal=1/window=2024-02": [],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("parts")
    for path, rows in PARTS.items():
        (root / path).mkdir(parents=True)
        table = pa.Table.from_batches([record_batch(Session, rows)])
        pq.write_table(table, root / path / "part-0.parquet", compression="zstd")  # pyright: ignore[reportUnknownMemberType]  # pyarrow-stubs
    return root


def test_a_file_has_the_schema(folder: Path) -> None:
    for path in folder.rglob("*.parquet"):
        assert pq.read_schema(path).equals(schema(Session), check_metadata=True)
    table = pq.read_table(folder)  # pyright: ignore[reportUnknownMemberType]  # pyarrow-stubs
    assert table.num_rows == 3
    assert table.select(schema(Session).names).schema.equals(schema(Session))


def test_duckdb(folder: Path) -> None:
    with duckdb.connect() as database:
        found = database.sql(
            f"select * from read_parquet('{folder}/**/*.parquet', hive_partitioning=true)"
        )
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        assert types["session_id"] == types["country"] == types["extra"] == "VARCHAR"
        assert types["session_end"] == "TIMESTAMP WITH TIME ZONE"
        assert types["pageviews"] == types["site"] == types["goal"] == "BIGINT"
        rows = database.sql(
            "select session_id, page_title, pageviews, country, extra->>'$.new' from found "
            "order by session_id"
        ).fetchall()
    assert rows == [
        ("001", "404", 3, "", None), ("002", None, None, None, "1"), ("003", None, None, None, None)
    ]  # fmt: skip


def test_polars(folder: Path) -> None:
    frame = pl.scan_parquet(folder / "**/*.parquet", hive_partitioning=True).collect()
    assert frame.height == 3
    assert frame.schema["session_id"] == frame.schema["page_title"] == pl.String
    assert frame.schema["country"] == pl.Categorical
    assert frame.schema["session_end"] == pl.Datetime("us", "UTC")
    assert frame.schema["pageviews"] == frame.schema["site"] == pl.Int64
    assert frame.sort("session_id")["page_title"].to_list() == ["404", None, None]


def test_pandas(folder: Path) -> None:
    frame = pd.read_parquet(folder, dtype_backend="pyarrow")
    assert len(frame) == 3
    assert str(frame["pageviews"].dtype) == "int64[pyarrow]"
    assert str(frame["session_end"].dtype) == "timestamp[us, tz=UTC][pyarrow]"
    assert sorted(frame["session_id"]) == ["001", "002", "003"]
    assert frame["page_title"].dropna().tolist() == ["404"]
