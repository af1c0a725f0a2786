"""``sites``, ``sessions``, ``users``, ``events`` and the figures of goals."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rybbit_async import RybbitClient, to_json
from rybbit_async.cli.exits import Exit
from rybbit_async.cli.names import find_site
from rybbit_async.testing import RybbitServer

from .conftest import Result

Cli = Callable[..., Result]


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.code == Exit.OK, result.err
    return [json.loads(line) for line in result.out.splitlines()]


def test_every_list_is_that_of_the_client(cli: Cli, server: RybbitServer) -> None:
    async def read() -> list[list[Any]]:
        async with RybbitClient(server.api_key, base_url=server.url) as client:
            walks = client.sessions.iter(1), client.users.iter(1), client.events.iter(1)
            lists = [await client.sites.list(), *[await walk.collect() for walk in walks]]
            return [[json.loads(to_json(row)) for row in rows] for rows in lists]

    expected = asyncio.run(read())
    assert [len(one) > 100 for one in expected] == [False, True, True, True]
    assert [rows(cli(name, 1)) for name in ("sessions", "users", "events")] == expected[1:]
    assert rows(cli("sites")) == expected[0]
    assert json.loads(cli("users", 1, "--json").out) == expected[2]


def test_a_terminal_gets_a_table_and_a_program_gets_rows(cli: Cli) -> None:
    shown = cli("sessions", 1, tty=True, width=100)
    assert shown.out.startswith("\x1b[1mEnded ")
    assert "50 sessions, all time" in shown.out
    assert "--limit 0 shows all" in shown.err
    assert len(rows(cli("sessions", 1, "--limit", 7))) == 7
    table = cli("goals", "list", 1, "--table")
    assert table.code == Exit.OK
    assert "Conversions" in table.out
    assert "\x1b" not in table.out


def test_csv_and_parquet_have_the_same_rows(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "sessions.parquet"
    assert cli("sessions", 1, "--goal", 103, "--parquet", path).code == Exit.OK
    text = cli("sessions", 1, "--goal", 103, "--csv").out
    lines = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    ids = [line["session_id"] for line in lines]
    assert ids == pq.read_table(path).column("session_id").to_pylist()
    assert ids
    listed = {goal["goal_id"]: goal for goal in rows(cli("goals", "list", 1))}
    assert len(ids) == listed[103]["total_conversions"]


def test_filters_and_times(cli: Cli, server: RybbitServer) -> None:
    everything = rows(cli("sessions", 1))
    japan = rows(cli("sessions", 1, "--filter", "country=JP"))
    assert japan == [row for row in everything if row["country"] == "JP"]
    assert 0 < len(japan) < len(everything)
    both = rows(cli("sessions", 1, "--filter", "country=JP", "--filter", "device_type!=Mobile"))
    assert both == [row for row in japan if row["device_type"] != "Mobile"]
    day = japan[0]["session_start"][:10]
    that_day = rows(cli("sessions", 1, "--since", day, "--until", day))
    assert 0 < len(that_day) < len(everything)
    assert all(row["session_end"][:10] >= day for row in that_day)


def test_choices_of_sessions(cli: Cli) -> None:
    one = rows(cli("sessions", 1, "--limit", 1))[0]
    of_user = rows(cli("sessions", 1, "--user", one["user_id"]))
    assert {row["user_id"] for row in of_user} == {one["user_id"]}
    long = rows(cli("sessions", 1, "--min-duration", 60, "--min-pageviews", 3))
    assert long
    assert all(row["session_duration"] >= 60 and row["pageviews"] >= 3 for row in long)
    refused = cli("sessions", 1, "--goal", 103, "--min-pageviews", 3)
    assert refused.code == Exit.USAGE
    assert "--min-pageviews must come without --goal" in refused.err


def test_a_goal_by_its_name(cli: Cli) -> None:
    by_number, by_name = (cli("goals", "get", 1, goal) for goal in (103, "Signed up"))
    assert by_number.out == by_name.out
    assert json.loads(by_name.out)["goal_id"] == 103
    everybody = rows(cli("sessions", 1, "--goal", 103))
    assert rows(cli("sessions", 1, "--goal", "Signed up")) == everybody
    series = rows(cli("goals", "series", 1, "--last", "2d", "--goal", "Signed up"))
    assert {row["goal_id"] for row in series} == {103}
    unknown = cli("sessions", 1, "--goal", "Sign up")
    assert unknown.code == Exit.NOT_FOUND
    said = "of site 1, got 'Sign up': did you mean 103 (Signed up)"
    assert said in unknown.err
    nothing = cli("sessions", 1, "--goal", "zzz")
    assert "got 'zzz': 101 (Pricing seen), 102 (Any product), " in nothing.err


def test_a_site_by_its_domain(cli: Cli) -> None:
    domain = rows(cli("sites"))[0]["domain"]
    assert rows(cli("goals", "list", domain)) == rows(cli("goals", "list", 1))
    assert rows(cli("sessions", domain.upper(), "--goal", 103))
    unknown = cli("users", "example.org")
    assert unknown.code == Exit.NOT_FOUND
    assert f"the domain of a site, got 'example.org': 1 ({domain})" in unknown.err


def test_a_site_by_its_identifier(cli: Cli) -> None:
    identifier = rows(cli("sites"))[0]["identifier"]
    (line,) = rows(cli("goals", "summary", identifier, 1))
    assert line["site_id"] == 1
    assert find("000000000001") == "000000000001"  # an identifier, and no number
    assert find("12345") == 12345


def find(text: str) -> int | str:
    return asyncio.run(find_site(None, text))  # type: ignore[arg-type]  # nothing is read


def test_values_of_a_parameter(cli: Cli) -> None:
    countries = rows(cli("values", 1, "country"))
    assert sum(row["count"] for row in countries) <= 300  # some have none
    first = countries[0]["value"]
    filtered = rows(cli("sessions", 1, "--filter", f"country={first}"))
    assert len(filtered) == countries[0]["count"]


def test_goals_are_sorted(cli: Cli) -> None:
    counts = [goal["total_conversions"] for goal in rows(cli("goals", "list", 1))]
    assert counts == sorted(counts, reverse=True)
    ids = [goal["goal_id"] for goal in rows(cli("goals", "list", 1, "--sort", "id"))]
    assert ids == sorted(ids)


def test_summary_has_a_line_for_each_site(cli: Cli) -> None:
    (line,) = rows(cli("goals", "summary"))
    goals = rows(cli("goals", "list", 1))
    assert line["goals"] == len(goals) == 12
    assert line["conversions"] == sum(goal["total_conversions"] for goal in goals)
    assert (line["best_goal"], line["best_conversions"]) == (
        goals[0]["name"],
        goals[0]["total_conversions"],
    )
    assert rows(cli("goals", "summary", 1)) == [line]


def test_series_has_a_line_for_each_goal_and_a_row_for_each_day(cli: Cli) -> None:
    shown = cli("goals", "series", 1, "--last", "7d", tty=True, width=100)
    assert "Signed up" in shown.out
    assert "by day, " in shown.out
    days = rows(cli("goals", "series", 1, "--last", "7d", "--goal", 103, "--goal", 101))
    assert [(row["goal_id"], row["goal"]) for row in days] == [
        (101, "Pricing seen"),
        (103, "Signed up"),
    ] * 7
    assert list(days[0]) == [
        *("time", "goal_id", "goal", "conversions", "total_sessions", "conversion_rate")
    ]
    month = ("--month", "2024-01", "--by", "week")
    weeks = cli("goals", "series", 1, *month, "--goal", 103, "--csv")
    assert weeks.out.splitlines()[1:] == [
        f'"{day}T00:00:00Z",103,"Signed up",0,0,0.0'
        for day in ("2023-12-31", "2024-01-07", "2024-01-14", "2024-01-21", "2024-01-28")
    ]
    shown = cli("goals", "series", 1, *month, "--table")
    assert "2024-01-31, UTC; weeks begin on Sunday, and the first and the last are sh" in shown.out


def test_compare_with_the_days_before(cli: Cli) -> None:
    changes = rows(cli("goals", "compare", "--last", "7d"))
    assert changes == rows(cli("goals", "compare", 1, "--last", "7d"))
    now = {goal["goal_id"]: goal for goal in rows(cli("goals", "list", 1, "--last", "7d"))}
    assert [*now] == [row["goal_id"] for row in changes]
    for row in changes:
        goal = now[row["goal_id"]]
        assert row["goal"] == goal["name"] or goal["name"] is None
        assert row["conversions"] == goal["total_conversions"]
        assert row["conversions_change"] == row["conversions"] - row["conversions_before"]
    assert rows(cli("goals", "compare", 1, "--today", "--against", "yesterday..today"))
    same = cli("goals", "compare", 1, "--last", "7d", "--against", "year", tty=True, width=100)
    assert ", against " in same.out


def test_times_that_are_hard_to_compare(cli: Cli) -> None:
    future = ("--since", "2024-02-01", "--until", "2999-03-01")
    said = cli("goals", "compare", 1, *future, "--against", "2024-01").err.splitlines()
    assert said[0].startswith("2024-02-01 to 2999-03-01, UTC, is not over: today is ")
    assert said[1] == "the two times have 356,141 and 31 days"
    assert not cli("goals", "compare", 1, "--last", "7d", "--csv").err


@pytest.mark.parametrize(
    ("against", "said"),
    [
        ("befor", "--against must be before, year, a month such as 2024-01, or days such as"),
        ("2024-01-05..2024-01-01", "the first day of --against must not be after its last"),
        ("2024-01-05..", "--against must be a day such as 2024-01-31"),
        ("2024-01-05..9999-99-99", "--against must be a day such as 2024-01-31"),
    ],
)
def test_what_cannot_be_compared(cli: Cli, against: str, said: str) -> None:
    result = cli("goals", "compare", 1, "--last", "7d", "--against", against)
    assert result.code == Exit.USAGE
    assert said in result.err


def test_a_site_that_fails_does_not_stop_the_others(cli: Cli) -> None:
    result = cli("goals", "compare", 1, 99, "--last", "7d")
    assert result.code == Exit.PARTIAL
    assert "warning: site 99: there is no site 99 that the key can read" in result.err
    assert len(result.out.splitlines()) == 12
    alone = cli("goals", "compare", 99, "--last", "7d")
    assert alone.code == Exit.NOT_FOUND


def test_a_reader_that_ends_is_no_error(server: RybbitServer) -> None:
    command = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "rybbit_async", "events", "1", "--jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            "RYBBIT_BASE_URL": server.url,
            "RYBBIT_API_KEY": server.api_key,
            "PATH": "",
            "PYTHONPATH": ":".join(sys.path),
        },
    )
    assert command.stdout is not None
    assert command.stderr is not None
    assert json.loads(command.stdout.readline())["timestamp"]
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait(20) == Exit.OK
