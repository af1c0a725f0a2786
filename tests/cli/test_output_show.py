"""Rows for programs and for people, written as they come."""

from __future__ import annotations

import asyncio
import csv
import errno
import fcntl
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow.parquet as pq
import pytest
from attrs import evolve

from rybbit_async import Filter, Goal, PathGoal, RybbitClient, SiteSession, to_dict
from rybbit_async.cli.exits import CommandError, Exit
from rybbit_async.cli.options.output import OneOutput, OutputOptions
from rybbit_async.cli.output.files import check_file, whole_file
from rybbit_async.cli.output.show import show, show_one
from rybbit_async.cli.output.stream import Outlet
from rybbit_async.cli.output.views import EVENTS, GOALS, GOALS_OF_SITES, SITE_SESSIONS
from rybbit_async.cli.terminal import Terminal
from rybbit_async.tables import flat_rows, schema
from rybbit_async.testing import RybbitServer

from .streams import Job, Stream, job, told, written

_F_SETPIPE_SZ = 1031
EVIL = "=1+1\x1b[31m\u202e\x9b \ud800 日本"


def session(at: int, title: str = "", **more: Any) -> SiteSession:
    end = datetime(2024, 1, 31, 12, tzinfo=UTC) - timedelta(minutes=at)
    return SiteSession(session_id=f"s{at}", page_title=title, session_end=end, **more)


ROWS = [session(0, EVIL, lat=1e-7), session(1, 'a "quote", and\na line'), session(2, "-1")]


async def shown(rows: Any, output: OutputOptions, *, tty: bool = False) -> str:
    of = job(tty=tty)
    assert await show(of, rows, SITE_SESSIONS, output) is None
    return written(of)


# --- formats -----------------------------------------------------------------------------------


async def test_json_is_what_to_dict_gives() -> None:
    rows = to_dict(ROWS)
    lines = await shown(ROWS, OutputOptions(jsonl=True))
    assert [json.loads(line) for line in lines.splitlines()] == rows
    assert json.loads(await shown(ROWS, OutputOptions(json=True))) == rows
    assert await shown(ROWS, OutputOptions()) == lines  # stdout is no terminal
    assert "\u202e\x9b" in lines  # exact, and not made harmless
    assert await shown([], OutputOptions(json=True)) == "[]\n"
    assert await shown([], OutputOptions(jsonl=True)) == ""


async def test_csv_has_the_columns_of_tables() -> None:
    text = await shown(ROWS, OutputOptions(csv=True))
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    flat = flat_rows(SiteSession, ROWS, times="text")
    assert list(found[0]) == schema(SiteSession).names
    assert found[0]["page_title"] == "'" + EVIL.replace("\ud800", "\ufffd")
    assert [row["page_title"] for row in found[1:]] == ['a "quote", and\na line', "'-1"]
    assert [row["session_end"] for row in found] == [row["session_end"] for row in flat]
    assert found[0]["lat"] == "0.0000001"
    assert "\r" not in text
    raw = list(csv.DictReader(io.StringIO(await shown(ROWS, OutputOptions(csv=True, raw=True)))))
    assert raw[2]["page_title"] == "-1"
    assert await shown([], OutputOptions(csv=True, columns="lat")) == '"lat"\n'


@pytest.mark.parametrize(
    ("there", "raw", "begin"), [("", False, "\ufeff"), ("", True, ""), ("old\n", False, "old\n")]
)
async def test_a_csv_file_says_that_it_is_utf8(
    tmp_path: Path, there: str, raw: bool, begin: str
) -> None:
    path = tmp_path / "cities.csv"
    path.write_text(there)
    with path.open("a", encoding="utf-8") as out:
        output = OutputOptions(csv=True, columns="city", raw=raw)
        await show(Job(Terminal(out, Stream())), [session(1, city="मुंबई")], SITE_SESSIONS, output)
    assert path.read_text("utf-8") == f'{begin}"city"\n"मुंबई"\n'
    for tty in (True, False):  # a terminal, or what stands for a pipe
        assert (await shown([], OutputOptions(csv=True), tty=tty)).startswith('"session_id"')


@pytest.mark.parametrize("output", [OutputOptions(csv=True), OutputOptions(jsonl=True)])
async def test_nothing_for_programs_controls_a_terminal(output: OutputOptions) -> None:
    text = await shown(ROWS, output, tty=True)
    assert not {"\x1b", "\x9b", "\u202e", "\ud800"} & {*text}
    assert "日本" in text


async def test_json_on_a_terminal_is_the_same_data() -> None:
    text = await shown(ROWS, OutputOptions(json=True), tty=True)
    assert json.loads(text) == to_dict(ROWS)


async def test_chosen_columns() -> None:
    chosen = {"columns": "session_end, session_id"}
    text = await shown(ROWS[:1], OutputOptions(jsonl=True, **chosen))
    assert json.loads(text) == {"session_end": "2024-01-31T12:00:00Z", "session_id": "s0"}
    assert list(json.loads(text)) == ["session_end", "session_id"]
    text = await shown(ROWS[:1], OutputOptions(csv=True, **chosen))
    assert text == '"session_end","session_id"\n"2024-01-31T12:00:00Z","s0"\n'
    text = await shown(ROWS[:1], OutputOptions(table=True, **chosen))
    assert text.splitlines()[0].split() == ["session_end", "session_id"]
    assert text.splitlines()[2].split() == ["2024-01-31", "12:00", "s0"]


@pytest.mark.parametrize(("columns", "got"), [("nix,session_id", "'nix'"), (" , ", "none")])
async def test_a_column_that_is_not_there(columns: str, got: str) -> None:
    with pytest.raises(
        CommandError, match=rf"--columns must be some of session_id,.*, got {got}"
    ) as e:
        await shown(ROWS, OutputOptions(columns=columns))
    assert e.value.exit is Exit.USAGE


async def test_one_thing() -> None:
    goal = Goal(1, 2, EVIL, "path", PathGoal("/"), None, 3, 10, 0.3)
    of = job()
    await show_one(of, goal, OneOutput())
    assert json.loads(written(of)) == to_dict(goal)
    of = job(tty=True)
    await show_one(of, goal, OneOutput(), view=GOALS)
    assert "\x1b[31m" not in written(of)
    assert "30.0 %" in written(of)
    of = job(tty=True)
    await show_one(of, {"name": "a", "at": datetime(2024, 1, 1, tzinfo=UTC)}, OneOutput(json=True))
    assert json.loads(written(of)) == {"name": "a", "at": "2024-01-01T00:00:00Z"}


async def test_a_number_that_is_larger_than_any_float() -> None:
    row = session(1, traits={"a": [float("inf"), 1]})
    assert json.loads(await shown([row], OutputOptions(json=True)))[0]["traits"] == {"a": [None, 1]}


# --- tables ------------------------------------------------------------------------------------


async def test_a_long_list_is_cut_on_a_terminal_alone() -> None:
    rows = [session(at) for at in range(120)]
    of = job(tty=True)
    await show(of, rows, SITE_SESSIONS, OutputOptions(), caption="all of time, UTC")
    lines = written(of).splitlines()
    assert len(lines) == 53
    assert "the first 50 sessions, all of time, UTC" in lines[-1]
    assert "these are the first 50 sessions; --limit 0 shows all" in told(of)
    for output, count in ((OutputOptions(limit=0), 120), (OutputOptions(limit=7), 7)):
        of = job(tty=True)
        await show(of, rows, SITE_SESSIONS, output)
        assert len(written(of).splitlines()) == count + 3
        assert (f"the first {count} sessions" in written(of)) is (count < len(rows))
        assert not told(of)
    assert len((await shown(rows, OutputOptions())).splitlines()) == 120
    assert len((await shown(rows, OutputOptions(limit=7))).splitlines()) == 7


async def test_a_terminal_of_another_encoding() -> None:
    of = job(tty=True, encoding="ascii")
    await show(of, [session(1, "日本")], SITE_SESSIONS, OutputOptions(columns="page_title"))
    assert "\\u65e5\\u672c" in written(of)


async def test_no_rows() -> None:
    of = job(tty=True)
    await show(of, [], EVENTS, OutputOptions(), caption="2024")
    assert "0 events, 2024" in written(of)


async def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    goals = [Goal(1, 1, "a", "path", PathGoal("/"), None, 5, 10, 0.5)]
    of = job(tty=True)
    await show(of, goals, GOALS, OutputOptions())
    assert "\x1b[36m" in written(of)
    monkeypatch.setenv("NO_COLOR", "1")
    of = job(tty=True)
    await show(of, goals, GOALS, OutputOptions())
    assert "\x1b[36m" not in written(of)
    of = job()
    await show(of, goals, GOALS, OutputOptions(table=True))
    assert "\x1b" not in written(of)


async def test_chosen_columns_for_which_there_is_no_room_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    of = job(tty=True)
    names = "session_id,session_start,session_end,entry_page,exit_page,country"
    await show(of, ROWS, SITE_SESSIONS, OutputOptions(columns=names))
    left = told(of).removeprefix("there is no room for ").strip().split(", ")
    assert left == names.split(",")[-len(left) :]
    title = written(of).splitlines()[0].replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert title.split() == names.split(",")[: -len(left)]


@pytest.mark.parametrize("output", [OutputOptions(), OutputOptions(csv=True)])
async def test_filters_that_nothing_matches_are_told(output: OutputOptions) -> None:
    filters = [Filter("city", "equals", ["berlin"])]
    nothing = Goal(1, 1, "a", "path", PathGoal("/"), None, 0, 0, 0.0)
    something = evolve(nothing, total_sessions=5)
    for rows, filtered, is_told in (
        ([], filters, True),
        ([nothing, nothing], filters, True),
        ([nothing, something], filters, False),
        ([], None, False),
    ):
        of = job()
        await show(of, rows, GOALS, output, filtered=filtered)
        assert ("nothing matches these filters; " in told(of)) is is_told
        assert told(of).count("rybbit-async values SITE city shows them") == is_told


# --- walks -------------------------------------------------------------------------------------


async def test_rows_are_written_page_by_page() -> None:
    of = job()
    seen: list[int] = []

    async def rows() -> AsyncIterator[SiteSession]:
        for at in range(3):
            seen.append(len(written(of).splitlines()))
            yield session(at)

    await show(of, rows(), SITE_SESSIONS, OutputOptions())
    assert seen == [0, 1, 2]


async def test_an_array_that_is_not_complete_does_not_look_so() -> None:
    async def rows() -> AsyncIterator[SiteSession]:
        yield session(1)
        raise RuntimeError("the server is gone")

    for output in (OutputOptions(json=True), OutputOptions(jsonl=True), OutputOptions(csv=True)):
        of = job()
        with pytest.raises(RuntimeError, match="gone"):
            await show(of, rows(), SITE_SESSIONS, output)
        text = written(of)
        if output.json:
            with pytest.raises(ValueError, match="Expecting"):
                json.loads(text)
        else:
            assert text.endswith("\n")
            assert len(text.splitlines()) == (1 if output.jsonl else 2)


async def test_a_walk_that_is_not_complete_is_partial(server: RybbitServer) -> None:
    # One of two sites is unknown, and left out.
    async with RybbitClient(server.api_key, base_url=server.url) as client:
        walk = client.goals.iter_all([1, 4040], on_error="skip")
        of = job()
        with pytest.warns(Warning, match="not complete"):
            assert await show(of, walk, GOALS_OF_SITES, OutputOptions()) is Exit.PARTIAL
        assert len(written(of).splitlines()) == 12


@pytest.mark.skipif(sys.platform != "linux", reason="sets the size of a pipe")
async def test_a_reader_that_goes_costs_a_page_or_two(server: RybbitServer) -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, _F_SETPIPE_SZ, 4096)  # so that it does not hold several pages
    out = os.fdopen(write, "w")
    of = Job(Terminal(out, Stream()))
    seen = len(server.requests)
    async with RybbitClient(server.api_key, base_url=server.url) as client:
        walk = client.sessions.iter(1, page_size=20)
        task = asyncio.create_task(show(of, walk, SITE_SESSIONS, OutputOptions(jsonl=True)))
        line = await asyncio.to_thread(os.read, read, 100)
        os.close(read)
        with pytest.raises(BrokenPipeError):
            await task
    assert line.startswith(b'{"session_id"')
    assert len([one for one in server.requests[seen:] if "limit=20" in one.query]) <= 2
    assert not told(of)
    with suppress(BrokenPipeError):
        out.close()


async def test_a_table_that_nobody_reads() -> None:
    read, write = os.pipe()
    os.close(read)
    out = os.fdopen(write, "w")
    with pytest.raises(BrokenPipeError):
        await show(Job(Terminal(out, Stream())), ROWS, SITE_SESSIONS, OutputOptions(table=True))
    with suppress(BrokenPipeError):
        out.close()


async def test_a_slow_reader_does_not_stop_the_event_loop() -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w") as out:
        data = "x" * 1_000_000
        writing = asyncio.create_task(Outlet(out, is_terminal=False).write(data))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not writing.done()
        got = b""
        while len(got) < len(data):
            got += await asyncio.to_thread(os.read, read, 1 << 20)
        await writing
        assert got == data.encode()
        # Ctrl-C is heard while nobody reads.
        writing = asyncio.create_task(Outlet(out, is_terminal=False).write(data))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    os.close(read)


# --- Parquet -----------------------------------------------------------------------------------


async def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "sessions.parquet"
    path.write_text("old")
    rows = [session(at, "" if at % 2 else "é") for at in range(30)]
    assert await shown(rows, OutputOptions(parquet=path)) == ""
    table = pq.read_table(path)
    assert table.schema.names == schema(SiteSession).names
    assert table.column("session_id").to_pylist() == [row.session_id for row in rows]
    await shown([], OutputOptions(parquet=path, columns="city,lat"))
    assert pq.read_table(path).schema.names == ["city", "lat"]
    assert os.listdir(tmp_path) == [path.name]


async def test_a_parquet_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "sessions.parquet"
    path.write_text("old")

    async def rows() -> AsyncIterator[SiteSession]:
        yield session(1)
        assert os.listdir(tmp_path) == [path.name]
        raise OSError(errno.ENOSPC, "no space")

    with pytest.raises(OSError, match="no space"):
        await shown(rows(), OutputOptions(parquet=path))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


async def test_ctrl_c_waits_for_the_thread_that_writes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, begun, go_on, is_open = tmp_path / "sessions.parquet", Event(), Event(), list[bool]()

    def slow(self: pq.ParquetWriter, *_: object) -> None:
        begun.set()
        go_on.wait(5)
        is_open.append(self.is_open)

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", slow)
    task = asyncio.create_task(shown([session(0)], OutputOptions(parquet=path)))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.wait([task], timeout=0.02)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_open == [True]
    assert os.listdir(tmp_path) == []


async def test_a_folder_is_no_parquet_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--parquet must be a file, and this is a folder, got"):
        await shown([], OutputOptions(parquet=tmp_path))


def test_where_a_file_cannot_be(tmp_path: Path) -> None:
    for path, must in (
        (tmp_path / "a.pdf", r"a file that ends in .svg or .png"),
        (tmp_path / "no" / "a.svg", "a file in a folder that exists"),
        (Path(os.devnull), "a file,"),
    ):
        suffixes: Sequence[str] = (".svg", ".png") if path.suffix else ()
        with pytest.raises(CommandError, match=f"--chart must be {must}"):
            check_file("--chart", path, suffixes)


def test_nothing_is_left_of_a_file_that_fails(tmp_path: Path) -> None:
    def write() -> None:
        with whole_file(tmp_path / "a") as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert os.listdir(tmp_path) == []


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    with whole_file(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "real").read_text() == "new"


# --- options -----------------------------------------------------------------------------------


def test_how_many_rows_and_in_which_pages() -> None:
    assert OutputOptions().page_size(True) == 51
    assert OutputOptions(limit=0).page_size(True) == 1000
    assert OutputOptions(limit=5).page_size(False) == 6
    assert OutputOptions().page_size(False) == 1000
    assert OutputOptions(csv=True).page_size(True) == 1000


def test_one_format_at_most() -> None:
    with pytest.raises(CommandError, match="must be given, got --json and --parquet") as e:
        OutputOptions(json=True, parquet=Path("a.parquet"))
    assert e.value.exit is Exit.USAGE


def test_a_format_is_chosen_or_follows_from_the_terminal() -> None:
    assert OutputOptions().format(True) == "table"
    assert OutputOptions().format(False) == "jsonl"
    assert OutputOptions(table=True).format(False) == "table"
    assert OneOutput().format(True) == "table"
    assert OneOutput(json=True).format(True) == "json"
    assert OutputOptions(csv=True).is_chosen
    assert not OutputOptions().is_chosen
