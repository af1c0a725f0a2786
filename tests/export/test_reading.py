"""What other programs see in the folder of an export."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rybbit_async.export import Export, ExportError, PartWritten, UnitEnded, export, open_duckdb
from rybbit_async.export.units import LISTS
from rybbit_async.testing import Store

from ..client.conftest import Connect, Serve
from ..client.helpers import END
from .helpers import RANGE


async def test_every_format_is_read_alike(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    small.add_session(2, end=END - timedelta(days=4), pages=["=1+1", "'quoted", '"', ""])
    found: dict[str, Any] = {}
    for kind, compression in (("parquet", None), ("jsonl", "gzip"), ("csv", "zstd")):
        folder = tmp_path / kind
        options: Any = {"format": kind, "compression": compression, **RANGE}
        report = await export(client, to=folder, sites=[1, 2, 3], **options)
        with open_duckdb(folder) as db:
            for name in LISTS:
                columns = db.sql(f"DESCRIBE {name}").fetchall()
                rows = db.sql(f"SELECT * FROM {name}").fetchall()
                found.setdefault(name, []).append((columns, sorted(map(repr, rows))))
            total = sum(len(found[name][-1][1]) for name in LISTS)
        assert total == report.rows
    for name, (parquet, jsonl, csv) in found.items():
        assert parquet == jsonl, name
        assert parquet == csv, name
    types = dict(row[:2] for row in found["goal_sessions"][0][0])
    assert types["site"] == types["goal"] == types["pageviews"] == "BIGINT"
    assert types["window"] == types["entry_page"] == types["extra"] == "VARCHAR"
    assert types["session_start"] == "TIMESTAMP WITH TIME ZONE"
    assert "'=1+1'" in str(found["events"][0][1])
    assert "'/00123'" in str(found["events"][0][1])


async def test_a_folder_is_one_table_for_everyone(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    client = connect(await serve(store=small))
    report = await export(client, to=tmp_path, sites=[1, 2], what="sessions", **RANGE)
    pattern = f"{tmp_path}/sessions/**/*.parquet"
    polars = pl.scan_parquet(pattern, hive_partitioning=True).collect()
    pandas = pd.read_parquet(tmp_path / "sessions", dtype_backend="pyarrow")
    counted = duckdb.sql(f"SELECT count(*), sum(pageviews) FROM '{pattern}'").fetchall()
    assert len(polars) == len(pandas) == counted[0][0] == report.rows > 90
    assert polars["pageviews"].sum() == pandas["pageviews"].sum() == counted[0][1]
    assert {*polars.columns} == {*pandas.columns}
    assert str(pandas["pageviews"].dtype) == "int64[pyarrow]"
    assert (polars.schema["site"], polars.schema["session_start"]) == (
        pl.Int64,
        pl.Datetime("us", "UTC"),
    )


async def test_readers_of_the_manifest_see_no_rows_twice(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    options: Any = {"to": tmp_path, "sites": 1, "what": "sessions", "since": "2026-02-01"}
    await export(client, until="2026-02-27", **options)
    with open_duckdb(tmp_path) as db:
        before = db.sql("SELECT count(*), count(DISTINCT session_id) FROM sessions").fetchall()
    during: set[int] = set()
    async for event in Export(client, until="2026-02-28", **options).run():
        if isinstance(event, PartWritten | UnitEnded):
            with open_duckdb(tmp_path) as db:
                during |= {row[0] for row in db.sql("SELECT count(*) FROM sessions").fetchall()}
    with open_duckdb(tmp_path) as db:
        (rows, different), *_ = db.sql(
            "SELECT count(*), count(DISTINCT session_id) FROM sessions"
        ).fetchall()
    assert rows == different > before[0][0]
    assert during <= {before[0][0], rows}


def test_a_folder_without_an_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="must hold an export"):
        open_duckdb(tmp_path)


async def test_names_of_folders_are_no_columns_and_no_patterns(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    in_all = set[int]()
    for kind, name, alike in (
        ("parquet", "[ab]*", "ax"),
        ("jsonl", "c*", "cx"),
        ("csv", "d?", "dx"),
    ):
        folder = tmp_path / "site=9" / "x=1" / name
        options: Any = {"what": "sessions", "format": kind, **RANGE}
        report = await export(client, to=folder, sites=[1, 2], **options)
        shutil.copytree(folder, folder.with_name(alike))
        with open_duckdb(folder) as db:
            sites = db.sql("SELECT DISTINCT site FROM sessions ORDER BY site").fetchall()
            found = db.sql('SELECT count(*), count(DISTINCT "window") FROM sessions').fetchall()
            names = [column[0] for column in db.sql("DESCRIBE sessions").fetchall()]
        assert sites == [(1,), (2,)]
        assert found == [(report.rows, 2)]
        assert names[-2:] == ["site", "window"]
        assert "x" not in names
        in_all.add(report.rows)
    assert len(in_all) == 1
