"""The samples and the SQL of docs/export.md, as they stand."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import rybbit_async.export
from rybbit_async import RybbitClient
from rybbit_async.export import export, open_duckdb
from rybbit_async.testing import Store

from ..client.conftest import Connect, Serve
from ..client.helpers import END

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text("utf-8")
# Not those for Dask and dlt, which take too long to begin; others test them.
SAMPLES = re.findall(
    r"```python\n(.*?)```", PAGE[: PAGE.index("## On several machines")], re.DOTALL
)
VIEW, *QUESTIONS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
RANGE: dict[str, Any] = {"sites": 1, "since": "2026-02-01", "until": "2026-03-28"}


def here(text: str, goals: list[int]) -> str:
    """The text, with the days and the goals of the tests in place of those of the page."""
    for old, new in (("2024-01", "2026-02"), ("2024-02", "2026-03"), ("yesterday", "2026-03-28")):
        text = text.replace(old, new)
    return re.sub(r"goal = ([12])", lambda found: f"goal = {goals[int(found[1]) - 1]}", text)


@pytest.fixture
async def client(serve: Serve, connect: Connect, small: Store) -> RybbitClient:
    return connect(await serve(store=small))


async def test_the_samples_run(
    client: RybbitClient, small: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    lines = textwrap.indent(here("\n".join(SAMPLES), []), "    ")
    scope: dict[str, Any] = {**vars(rybbit_async.export), "client": client}
    exec(f"async def samples():\n{lines}", scope)  # the samples of our own page
    await scope["samples"]()
    assert "units (" in capsys.readouterr().out


async def test_the_answers_are_those_of_the_server(
    client: RybbitClient, small: Store, tmp_path: Path
) -> None:
    goals = [goal.goal_id for goal in small.goals(1)]
    days, months_ = tmp_path / "days", tmp_path / "months"
    window: Any = {"what": "goal_sessions", "partition": "day", "since": "2026-03-20"}
    await export(client, to=days, sites=1, until="2026-03-28", **window)
    await export(client, to=months_, **RANGE)
    with open_duckdb(days) as db:
        by_day = db.sql(here(QUESTIONS[0], goals)).fetchall()
    with open_duckdb(months_) as db:
        landing, channels, months, funnel = (
            db.sql(here(question, goals)).fetchall() for question in QUESTIONS[1:]
        )
    dates: Any = {"start_date": "2026-03-20", "end_date": "2026-03-28"}
    series = await client.goals.series(1, goals, bucket="day", **dates)
    expected = {(one.goal_id, str(one.time.date())): one.conversions for one in series}
    assert {row[:2]: row[2] for row in by_day} == {k: v for k, v in expected.items() if v}
    assert sum(row[2] for row in landing) > 80
    assert {row[0] for row in channels} == {"Direct"}
    assert {row[0] for row in months} == {*goals}
    assert funnel[0][0] > 80
    assert funnel[0][1] == 0


async def test_the_halves_of_sessions_can_be_joined(
    client: RybbitClient, small: Store, tmp_path: Path
) -> None:
    days, whole = tmp_path / "days", tmp_path / "whole"
    for folder, partition in ((days, "day"), (whole, "none")):
        options: Any = {"what": "sessions", "partition": partition, "until": "2026-03-28"}
        await export(client, to=folder, sites=1, since="2026-03-18", **options)
    with open_duckdb(days) as db:
        db.sql(VIEW)
        columns = db.sql("FROM whole_sessions").columns
        joined = db.sql("FROM whole_sessions").fetchall()
        halves = db.sql("FROM sessions").fetchall()
    with open_duckdb(whole) as db:
        one = db.sql(f"SELECT {', '.join(columns)} FROM sessions").fetchall()
    assert len(one) < len(halves)
    assert sorted(map(repr, joined)) == sorted(map(repr, one))


async def test_a_session_over_midnight_is_cut(
    connect: Connect, serve: Serve, store: Store, tmp_path: Path
) -> None:
    """The table of the page, as measured."""
    night = END.replace(day=20, hour=23, minute=58, second=0)
    store.add_session(1, start=night, pages=["/", "/00123", "/end"], seconds_between=100)
    client = connect(await serve(store=store))
    found: dict[str, list[str]] = defaultdict(list)
    for partition in ("none", "day"):
        options: Any = {"partition": partition, "what": "sessions"}
        await export(
            client, to=tmp_path / partition, since="2026-03-20", until="2026-03-22", **options
        )
        with open_duckdb(tmp_path / partition) as db:
            rows = db.sql(
                "SELECT session_start, session_end, pageviews, entry_page, exit_page "
                "FROM sessions ORDER BY session_start"
            ).fetchall()
        found[partition] = [
            f"{start:%H:%M:%S} | {end:%H:%M:%S} | {' | '.join(map(str, rest))}"
            for start, end, *rest in rows
        ]
    (all_of_it,), (before, after) = found["none"], found["day"]
    assert f'| `"none"` | all | {all_of_it} |' in PAGE
    assert f'| `"day"` | the day before | {before} |' in PAGE
    assert f'| `"day"` | the day after | {after} |' in PAGE
