"""Tables of walks and of pages."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import attrs
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from rybbit_async import (
    ByTime,
    Goal,
    GoalSession,
    IncompleteWalkError,
    InvalidParameterError,
    Page,
    RybbitClient,
    Session,
)
from rybbit_async.tables import record_batch, schema

from ..client.helpers import client_tasks
from .rows import MONTH, Served, serving, session

Given = tuple[RybbitClient, Served]


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    """A client of a server with 2,500 sessions; two that share a time are on two pages."""
    rows = [session((n + 1) // 2, session_id=f"s{n}") for n in range(2_500)]
    rows[1_700]["is_bot"] = False  # learned there
    rows[2_100]["pageviews"] = "7"
    async with serving(rows) as made:
        yield made
        assert not client_tasks()


async def test_a_table_has_what_the_walk_gives(given: Given) -> None:
    walk = given[0].goals.sessions.iter(1, 7, page_size=300, **MONTH)
    table = await walk.to_arrow()
    assert table.schema.equals(schema(Session), check_metadata=True)
    assert table.num_rows == walk.report.items == 2_500
    assert walk.report.complete
    expected = record_batch(Session, await walk.collect())
    assert table.to_pylist() == expected.to_pylist()
    assert table["page_title"].to_pylist()[0:8:2] == ["404", "Home", "007", None]
    assert table["pageviews"].type == pa.int64()


async def test_batches_have_the_number_of_rows_that_was_asked_for(given: Given) -> None:
    walk = given[0].goals.sessions.iter(1, 7, page_size=300, **MONTH)
    batches = [batch async for batch in walk.record_batches(rows=1_100)]
    assert [batch.num_rows for batch in batches] == [1_100, 1_100, 300]
    small = [batch.num_rows async for batch in walk.record_batches(rows=125)]
    assert small == [125] * 20
    assert pa.Table.from_batches(batches).to_pylist() == (await walk.to_arrow()).to_pylist()
    for bad in (0, -1, True, 1.5):
        with pytest.raises(InvalidParameterError, match="rows must be an integer of 1 or more"):
            walk.record_batches(bad)  # type: ignore[arg-type]  # that is the test


async def test_closing_the_batches_ends_the_walk(given: Given) -> None:
    client, served = given
    walk = client.goals.sessions.iter(1, 7, page_size=300, **MONTH)
    batches = walk.record_batches(rows=200)
    assert (await anext(batches)).num_rows == 200
    await batches.aclose()
    assert walk.report.items == 200
    assert walk.report.complete is False
    assert served.requests < 9
    async with walk:
        async for _ in walk.record_batches(rows=200):
            break


async def test_limits_and_strict_walks(given: Given) -> None:
    client, _ = given
    some = client.goals.sessions.iter(1, 7, page_size=300, limit=700, **MONTH)
    assert (await some.to_arrow()).num_rows == 700
    strict = client.goals.sessions.iter(1, 7, page_size=300, strict=True, max_pages=2, **MONTH)
    batches = strict.record_batches(rows=500)
    assert [(await anext(batches)).num_rows for _ in range(2)] == [500, 100]
    with pytest.raises(IncompleteWalkError):
        await anext(batches)


async def test_frames(given: Given) -> None:
    walk = given[0].goals.sessions.iter(1, 7, page_size=1_000, **MONTH)
    frame = await walk.to_polars()
    assert frame.schema["session_end"] == pl.Datetime("us", "UTC")
    assert frame.schema["pageviews"] == pl.Int64
    assert frame.schema["country"] == pl.Categorical
    assert frame.height == 2_500
    panda = await walk.to_pandas()
    assert panda["pageviews"].dtype == pd.ArrowDtype(pa.int64())
    assert panda["pageviews"].isna().sum() == frame["pageviews"].null_count() > 0
    assert panda["session_end"].dtype == pd.ArrowDtype(pa.timestamp("us", tz="UTC"))
    assert panda["country"].dtype == "category"
    assert panda["country"].str.len().max() == 2


async def test_pages(given: Given) -> None:
    page = await given[0].goals.sessions.list(1, 7, limit=10, **MONTH)
    assert page.to_arrow().to_pylist() == record_batch(Session, page.items).to_pylist()
    assert page.to_polars().shape == (10, len(schema(Session)))
    assert page.to_pandas().shape == (10, len(schema(Session)))
    async for part in given[0].goals.sessions.iter(1, 7, page_size=1_000, **MONTH).pages():
        assert part.model is Session
    assert "model" not in repr(page)
    assert page == attrs.evolve(page, model=None)
    assert Page((Session("a"),)).to_arrow().num_rows == 1
    with pytest.raises(InvalidParameterError, match="got dict"):
        Page(()).to_arrow()


async def test_every_list_without_rows_has_its_schema() -> None:
    async with serving([]) as (client, _):
        walks = {
            Goal: client.goals.iter(1, **MONTH),
            Session: client.goals.sessions.iter(1, 7, **MONTH),
            GoalSession: client.goals.sessions.iter_all([1, 2], **MONTH),
        }
        for model, walk in walks.items():
            table = await walk.to_arrow()
            assert table.schema.equals(schema(model), check_metadata=True)
            assert table.num_rows == 0
        assert [batch.num_rows async for batch in walks[Goal].record_batches()] == [0]
        assert (await client.goals.list(1)).to_arrow().schema == schema(Goal)


async def test_merged_walks(given: Given) -> None:
    client, served = given
    config = {"pathPattern": "/"}
    served.goals = [
        {"goalId": number, "siteId": 1, "name": name, "goalType": "path", "config": config}
        for number, name in ((1, "Home"), (2, None))
    ]
    served.rows = served.rows[1_500:1_900]
    walk = client.goals.sessions.iter_all([1, 2], page_size=100, **MONTH)
    table = await walk.to_arrow()
    assert table.num_rows == 1_600
    assert table.to_pylist() == record_batch(GoalSession, await walk.collect()).to_pylist()
    assert {*table["site"].to_pylist()} == {"1", "2"}
    assert {*table["goal_name"].to_pylist()} == {"Home", None}
    goals = client.goals.iter_all([1, 2], **MONTH)
    assert (await goals.to_arrow())["path_pattern"].to_pylist() == ["/"] * 4


@attrs.frozen
class Row:
    session_id: str
    session_end: datetime
    pageviews: int | None = None


async def test_lists_with_a_class_of_ones_own(given: Given) -> None:
    client, served = given
    served.rows = [
        {name: row[name] for name in ("session_id", "session_end")} for row in served.rows[:50]
    ]
    order = ByTime[Any](lambda row: row.session_end, lambda row: row.session_id)
    walk = client.iter("/api/sites/1/other", order=order, model=Row, **MONTH)
    table = await walk.to_arrow()
    assert table.schema.names == ["session_id", "session_end", "pageviews"]
    assert table.num_rows == 50
    dicts = client.iter("/api/sites/1/other", order=order, **MONTH)
    requests = served.requests
    with pytest.raises(InvalidParameterError, match="pass model="):
        await dicts.to_arrow()
    assert served.requests == requests


@pytest.mark.parametrize("missing", ["pyarrow", "polars", "pandas"])
def test_what_is_missing_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @attrs.frozen
    class Fresh:  # whose schema nobody has asked for yet
        at: datetime

    monkeypatch.setitem(sys.modules, missing, None)
    client = RybbitClient(base_url="https://a.example")
    order = ByTime[Fresh](lambda row: row.at, lambda row: 0)
    walk, page = client.iter("/a", order=order, model=Fresh), Page((), model=Fresh)
    packages = {"pyarrow": "", "polars": " polars", "pandas": " pandas"}
    with pytest.raises(ModuleNotFoundError) as error:
        {"pyarrow": walk.to_arrow, "polars": walk.to_polars, "pandas": walk.to_pandas}[missing]()
    assert str(error.value) == (
        f'tables need {missing}, which is not installed: pip install "rybbit_async[arrow]"'
        + packages[missing]
    )
    with pytest.raises(ModuleNotFoundError, match="which is not installed"):
        {"pyarrow": page.to_arrow, "polars": page.to_polars, "pandas": page.to_pandas}[missing]()


async def test_a_window_that_still_moves(given: Given) -> None:
    window = {"start_date": "2024-01-01", "end_date": "2999-12-31"}
    walk = given[0].goals.sessions.iter(1, 7, page_size=300, **window)  # type: ignore[arg-type]  # dates
    table = await walk.to_arrow()
    assert walk.report.complete
    assert table.num_rows == 2_500
    assert table.to_pylist() == record_batch(Session, await walk.collect()).to_pylist()
