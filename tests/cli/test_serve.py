from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rybbit_async.testing import RELEASES, RybbitServer, Store, generate
from rybbit_async.testing.live import Visits
from rybbit_async.testing.traffic_data import NOWHERE

Cli = Callable[..., Any]


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "rybbit_async", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_it_serves_until_a_signal(tmp_path: Path) -> None:
    database = str(tmp_path / "traffic.duckdb")
    with command("--json", "--sessions", "50", "--sites", "2", "--database", database) as process:
        assert process.stdout is not None
        told = json.loads(await asyncio.to_thread(process.stdout.readline))
        site = told["sites"][0]
        url = f"{told['url']}/api/sites/{site['string_id']}/goals"
        headers = {"Authorization": f"Bearer {told['read_only_key']}"}
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as response:
            assert response.status == 200
            assert len((await response.json())["data"]) == 10
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.to_thread(process.communicate, timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    with Store(database) as store:
        assert len(store.sites()) == 2


async def test_it_prints_lines_to_copy() -> None:
    options = ("--sessions=10", "--release=2.2", "--api-key=rb_mine", "--live=1")
    with command(*options) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("Ctrl-C"):
            lines.append(await asyncio.to_thread(process.stdout.readline))
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    first, *_, url = lines[0].split()
    assert first == "A"
    assert url.startswith("http://127.0.0.1:")
    text = "".join(lines)
    assert "Rybbit 2.2 runs" in text
    assert f"  export RYBBIT_BASE_URL={url} RYBBIT_API_KEY=rb_mine\n" in text
    assert "12 goals" in text
    assert "  rybbit-async watch 1\n" in text


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--port=65536", "must be between 0 and 65,535, got 65536"),
        ("--port=-1", "must be between 0 and 65,535, got -1"),
        ("--sites=0", "must be between 1 and 1,000, got 0"),
        ("--sessions=many", "must be a whole number, got 'many'"),
        ("--latency=inf", "must be between 0 and 3,600, got inf"),
        ("--days=nan", "must be between 0.001 and 10,000, got nan"),
        ("--live=-1", "must be between 0 and 1,000, got -1"),
        ("--faults=2", "must be between 0 and 1, got 2"),
        ("--release=3.0", "must be one of 2.2, "),
        ("--api-key=rb mine", "must be printable ASCII without white space, and not empty"),
        ("--password=", "must be printable ASCII without white space, and not empty"),
    ],
)
def test_options_that_are_wrong(cli: Cli, option: str, message: str) -> None:
    result = cli("serve", option)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert option.partition("=")[0] in result.err
    assert message in result.err
    assert "mine" not in result.err


def test_options_that_do_not_fit_one_another(cli: Cli) -> None:
    result = cli("serve", "--distinct-ends", "--sessions=1000", "--days=0.01")
    assert result.code == 2
    assert "distinct ends" in result.err


def test_the_help_names_every_release(cli: Cli) -> None:
    told = cli("serve", "--help", width=200).out
    assert all(release in told for release in RELEASES)


def test_it_says_in_one_line_why_it_cannot_start(
    cli: Cli, server: RybbitServer, tmp_path: Path
) -> None:
    (tmp_path / "text.duckdb").write_text("no database" * 1000)
    port = server.url.rpartition(":")[2]
    for arguments, words in (
        (["--sessions=0", f"--port={port}"], "address already in use"),
        (["--sessions=0", "--goals=0", "--host=192.0.2.1"], "cannot listen there: "),
        ([f"--database={tmp_path / 'text.duckdb'}"], "not a valid DuckDB database"),
        ([f"--database={tmp_path / 'no' / 'file'}"], "No such file or directory"),
    ):
        result = cli("serve", *arguments)
        assert (result.code, result.out) == (1, "")
        (line,) = result.err.splitlines()
        assert arguments[-1].replace("=", " ") in line
        assert words in line


def test_live_visits_reach_goals() -> None:
    now = datetime.now(UTC)
    with Store() as store:
        site = generate(store, sessions=0, goals=14).site
        other = store.add_goal(site, "path", {"pathPattern": "/thanks/*"}, name="Mine")
        visits = Visits(store, lambda: now)
        visits.add(80)
        reached = {
            goal.goal_id
            for goal in store.goals(site)
            if store.queries.rows(f"SELECT 1 FROM events WHERE {goal.condition}")
        }
        never = [g.goal_id for g in store.goals(site) if NOWHERE in g.config.values()]
        assert other in reached
        assert reached == {goal.goal_id for goal in store.goals(site)} - {*never}
        assert store.count_events(site) >= 160


async def test_live_visits_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds
        if slept > 10:
            raise asyncio.CancelledError

    monkeypatch.setattr("rybbit_async.testing.live.asyncio.sleep", sleep)
    with Store() as store:
        store.add_site()
        visits = Visits(store, lambda: datetime.now(UTC) - timedelta(seconds=1))
        with pytest.raises(asyncio.CancelledError):
            await visits.keep_coming(1.5)
        assert store.count_events(1) == 15
