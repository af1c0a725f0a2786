from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rybbit_async.cli.exits import CommandError
from rybbit_async.cli.exporting import _ExportProgress
from rybbit_async.cli.options import window
from rybbit_async.cli.options.export import ExportWindow, parse_storage_options
from rybbit_async.cli.terminal import Terminal
from rybbit_async.export import ExportPaused, ExportPlanned, Plan, RowsWritten, Unit, UnitBegun
from rybbit_async.export.store import open_store
from rybbit_async.testing import RybbitServer, faults

Cli = Callable[..., Any]
SMALL = ("--what", "goals", "sessions", "--partition=none", "--last=30d")


@pytest.fixture
def clean(server: RybbitServer) -> Iterator[RybbitServer]:
    yield server
    server.clear_faults()


def test_names_of_folders_in_json(cli: Cli, tmp_path: Path) -> None:
    to = f"{tmp_path}/a\x9b31m\u202e"
    for arguments in (["--to", to, *SMALL[:2], "--last=1d"], ["status", to]):
        out = cli("export", *arguments, "--json", tty=True).out
        assert json.loads(out)["to"] == to
        assert not {"\x9b", "\u202e"} & {*out}
        out = cli("export", *arguments, tty=True).out
        assert not {"\x9b", "\u202e"} & {*out}


def test_an_export_and_what_it_holds(cli: Cli, tmp_path: Path) -> None:
    to = str(tmp_path / "rybbit")
    result = cli("export", "plan", "--to", to, *SMALL)
    assert result.code == 0
    assert ": 2 units, about " in result.out
    assert not Path(to).exists()

    result = cli("export", "--to", to, *SMALL)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"{to}: 2 units, ")
    assert len([*Path(to).rglob("*.parquet")]) == 2

    result = cli("export", "--to", to, *SMALL, "--json")
    told = json.loads(result.out)
    assert (told["done"], told["kept"], told["complete"]) == (2, 0, True)

    told = json.loads(cli("export", "plan", "--to", to, *SMALL, "--json").out)
    assert (told["units"], told["kept"], told["failures"]) == (2, 0, [])

    result = cli("export", "status", to, url="http://127.0.0.1:9", key="")
    assert (result.code, result.err) == (0, "")
    assert f"{to}: parquet, all days in one, UTC\n" in result.out
    assert "The latest run ended at 20" in result.out
    told = json.loads(cli("export", "status", to, "--json").out)
    assert told["running"] is None
    assert told["export"]["lists"] == ["goals", "sessions"]
    assert [one["list"] for one in told["lists"]] == ["goals", "sessions"]
    assert told["lists"][1]["rows"] > 250
    assert told["unfinished"] == []

    result = cli("export", "--to", to, *SMALL, "--format=csv")
    assert result.code == 2
    assert "choose another folder, or pass --force to remove what is there" in result.err
    result = cli("export", "--to", to, *SMALL, "--format=csv", "--force", "--filter=country=GR")
    assert result.code == 0
    assert len([*Path(to).rglob("*.csv")]) == 2
    assert ": csv, all days in one, UTC, filtered\n" in cli("export", "status", to).out


def test_a_part_that_is_missing(cli: Cli, clean: RybbitServer, tmp_path: Path) -> None:
    to = str(tmp_path / "rybbit")
    clean.inject(
        faults.Status(500), times=None, when=lambda request: request.path.endswith("/sessions")
    )
    result = cli("export", "--to", to, *SMALL, "--site", "1", "999")
    assert result.code == 7
    assert result.out.count("\n") == 1
    first, second, last = result.err.splitlines()
    assert first.startswith("missing: site 999: PermissionDeniedError: ")
    assert second.startswith("missing: sessions of site 1 in all: ServerError: ")
    assert last == "some of it is missing; the same command tries that again"
    result = cli("export", "status", to)
    assert "unfinished: sessions of site 1 in all, 0 rows so far: ServerError" in result.out
    assert "missing: site 999: " in result.out


def test_ctrl_c(cli: Cli, clean: RybbitServer, tmp_path: Path) -> None:
    async def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    clean.inject(faults.Before(press), when=lambda request: request.path.endswith("/sessions"))
    to = str(tmp_path / "rybbit")
    result = cli("export", "--to", to, "--last=30d", "--what", "goals", "sessions", "users")
    assert result.code == 130
    stopping, interrupted = result.err.splitlines()
    assert stopping == "stopping after this page; Ctrl-C again stops at once"
    assert interrupted.startswith("rybbit-async: interrupted, ")
    assert interrupted.endswith(" left; run the same command again to go on")
    assert "; the next one goes on.\n" in cli("export", "status", to).out
    assert cli("export", "--to", to, "--last=30d", "--what", "goals", "sessions", "users").code == 0


def test_what_runs(cli: Cli, tmp_path: Path) -> None:
    to = tmp_path / "rybbit"
    assert cli("export", "status", str(to)).code == 1
    cli("export", "--to", to, "--what=goals", "--today")
    run = to / "_manifest" / "run.json"
    run.write_text(json.dumps({"series": json.loads(run.read_text())["series"], "left": None}))
    assert "The latest run was killed; the next one goes on.\n" in cli("export", "status", to).out
    with open_store(to).lock("_manifest/lock"):
        assert f"A run goes on: process {os.getpid()} on " in cli("export", "status", to).out
        result = cli("export", "--to", to, "--what=goals", "--today")
        assert result.code == 1
        assert "must have one export at a time" in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "the time must be given: --last 30d for the 30 days up to yesterday, "),
        (("--past=60m",), "there is no option --past"),
        (
            ("--last=30d", "--what=pages"),
            "--what must be goals, goal_sessions, sessions, users or events, got 'pages'",
        ),
        (("--last=30d", "--raw"), "raw must be False unless format is 'csv'"),
        (("--last=30d", "--lookback=soon"), "--lookback must be a number of seconds"),
        (
            ("--last=30d", "--storage-option=secret=hunter2"),
            "must not be secret, since other users",
        ),
    ],
)
def test_options_that_are_wrong(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = cli("export", "--to", tmp_path / "x", *options)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert "hunter2" not in result.err


def test_options_of_stores() -> None:
    assert parse_storage_options([]) is None
    assert parse_storage_options(["endpoint_url=https://a?b=c", "x="]) == {
        "endpoint_url": "https://a?b=c",
        "x": "",
    }
    with pytest.raises(CommandError, match="a name and a value"):
        parse_storage_options(["=1"])


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        ({"last": "30d"}, "2024-02-01", "2024-03-01"),
        ({"last": "1d"}, "2024-03-01", "2024-03-01"),
        ({"since": "2024-01-01"}, "2024-01-01", "2024-03-01"),
        ({"since": "2024-01-01", "until": "today"}, "2024-01-01", "2024-03-02"),
        ({"since": "yesterday"}, "2024-03-01", "2024-03-01"),
        ({"today": True}, "2024-03-02", "2024-03-02"),
        ({"month": "2024-03"}, "2024-03-01", "2024-03-01"),
        ({"month": "2024-01"}, "2024-01-01", "2024-01-31"),
    ],
)
def test_days(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], first: str, last: str
) -> None:
    from datetime import UTC, datetime

    now = lambda: datetime(2024, 3, 1, 23, 30, tzinfo=UTC)  # noqa: E731 - in Berlin it is 2 March
    monkeypatch.setattr(window, "now", now)
    monkeypatch.setattr("rybbit_async.cli.options.export.now", now)
    found = ExportWindow(**options).days("Europe/Berlin")
    assert found == (date.fromisoformat(first), date.fromisoformat(last))
    with pytest.raises(CommandError, match="must not be after yesterday"):
        ExportWindow(since="today").days("Europe/Berlin")


def test_progress() -> None:
    days = date(2024, 1, 1), date(2024, 1, 31)
    units = tuple(Unit(name, 1, None, "all", *days) for name in ("sessions", "users"))
    progress = _ExportProgress(Terminal())
    assert progress.line().plain.endswith("  looking at the sites")
    for event in (ExportPlanned(Plan(*days, units)), *map(UnitBegun, units)):
        progress.follow(event)
    progress.follow(RowsWritten(units[0], 1234))
    line = progress.line().plain
    assert "1,234" in line
    assert "0 of 2 units  sessions of site 1 in all and 1 more" in line
    progress.follow(ExportPaused("daily", 30.0))
    assert "daily limit" in progress.line().plain
