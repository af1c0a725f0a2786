"""Exports into a folder: what is there, what a second run does, what is left after a failure."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import threading
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from rybbit_async import (
    Filter,
    InvalidParameterError,
    PermissionDeniedError,
    RybbitClient,
    ServerError,
)
from rybbit_async.export import (
    Export,
    ExportEnded,
    ExportError,
    ExportLockedError,
    ExportMismatchError,
    ExportStoreError,
    Manifest,
    PartWritten,
    RowsWritten,
    UnitEnded,
    disk,
    export,
)
from rybbit_async.export.formats.parquet import ParquetPart
from rybbit_async.export.signals import stopped_by_signals
from rybbit_async.export.store import open_store
from rybbit_async.export.units import LISTS, spans
from rybbit_async.testing import BucketLimit, Store, faults
from rybbit_async.testing.wire import Response

from ..client.conftest import Connect, Serve
from ..client.helpers import END, ONCE, answer, client_tasks
from ..clock import FakeClock
from .helpers import RANGE, listed, parts, rows_of, rows_of_walks, temporary

DAY = timedelta(days=1)


async def everything(client: RybbitClient, folder: Path) -> dict[str, Counter[str]]:
    """What the units of the folder's manifest hold, by walks."""
    maker = Export(client, to=folder, **RANGE)
    units = [record.unit for record in Manifest.load(open_store(folder)).records.values()]
    return {name: await rows_of_walks(client, units, maker._settings, name) for name in LISTS}


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_every_list_of_every_site(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path, release: str
) -> None:
    client = connect(await serve(release, small))
    sites: Any = "all" if release == "2.8" else [1, 2, 3]
    report = await export(client, to=tmp_path, sites=sites, **RANGE)
    assert report.complete, report
    # Three lists of three sites and the sessions of two goals of each, in two months.
    assert report.done == (4 * 3 + 6) * 2
    assert parts(tmp_path) == listed(tmp_path)
    walked = await everything(client, tmp_path)
    assert sum(walked["goal_sessions"].values()) > 90
    for name in LISTS:
        assert rows_of(tmp_path, name) == walked[name], name
    assert report.rows == sum(sum(rows.values()) for rows in walked.values())


async def test_a_later_run_adds_what_is_new(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    server = await serve(store=small)
    client = connect(server)
    options: Any = {"to": tmp_path, "sites": 1, "what": ["sessions"], "since": "2026-02-01"}
    first = await export(client, until="2026-03-10", **options)
    assert (first.done, first.kept, first.complete) == (2, 0, True)
    before = parts(tmp_path)
    again = await export(client, until="2026-03-10", **options)
    assert (again.done, again.kept, again.rows, parts(tmp_path)) == (0, 2, 0, before)
    # The window of March was cut; the days that both ranges have are not lost.
    later = await export(client, **options | {"since": "2026-03-05", "until": "2026-03-20"})
    assert (later.done, later.kept) == (1, 0)
    march = next(
        record
        for record in Manifest.load(open_store(tmp_path)).records.values()
        if record.unit.window == "2026-03"
    )
    assert (march.unit.first.day, march.unit.last.day, march.generation) == (1, 20, 2)
    assert parts(tmp_path) == listed(tmp_path)
    assert rows_of(tmp_path, "sessions") == (await everything(client, tmp_path))["sessions"]


async def test_windows_that_ended_lately_are_read_again(
    serve: Serve, connect: Connect, store: Store, tmp_path: Path, clock: FakeClock
) -> None:
    server = await serve(store=store, clock=clock.now)
    client = connect(server)
    store.add_session(1, end=END - timedelta(hours=14), session_id="yesterday")
    options: Any = {"to": tmp_path, "since": "2026-03-20", "what": "sessions", "partition": "day"}
    report = await export(client, until="today", **options)
    assert report.done == 12
    store.add_session(1, end=END - timedelta(hours=15), session_id="late")
    store.add_session(1, end=END - timedelta(days=5), session_id="too late")
    clock.move(3 * 3600)
    report = await export(client, until="today", **options)
    # Today is not over, and yesterday and the day before have ended within two days.
    assert (report.done, report.kept) == (3, 9)
    assert parts(tmp_path) == listed(tmp_path)
    found = str(rows_of(tmp_path, "sessions"))
    assert ("late" in found, "too late" in found) == (True, False)
    report = await export(client, until="today", lookback=timedelta(days=9), **options)
    assert "too late" in str(rows_of(tmp_path, "sessions"))


async def test_another_export_is_refused(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    options: Any = {"to": tmp_path, "sites": 1, **RANGE}
    await export(client, what=["sessions", "goals"], **options)
    before = parts(tmp_path)
    changed = Export(client, what="goals", partition="day", **options)
    for attempt in (changed.finish, changed.plan):
        with pytest.raises(ExportMismatchError) as caught:
            await attempt()
        assert "partition is 'month' there, got 'day'" in str(caught.value)
        assert "lists is goals, sessions there, got goals" in str(caught.value)
        assert "force=True" in str(caught.value)
    assert parts(tmp_path) == before
    (tmp_path / "sessions" / "mine.txt").write_text("kept")
    report = await export(client, what="goals", partition="day", force=True, **options)
    assert report.complete
    assert parts(tmp_path) - {"sessions/mine.txt"} == listed(tmp_path)
    assert (tmp_path / "sessions" / "mine.txt").exists()


@pytest.mark.parametrize(
    ("format", "what"), [("parquet", ["goals", "users", "events"]), ("jsonl", ["goal_sessions"])]
)
async def test_an_export_that_was_stopped_goes_on(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path, format: Any, what: Any
) -> None:
    server = await serve(store=small)
    client = connect(server)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    options: Any = {"sites": [1, 2], "what": what, "format": format, **RANGE}
    options |= {"page_size": 20, "part_rows": 40}
    await export(client, to=whole, **options)
    stops = 0
    while True:
        work = Export(client, to=halves, **options)
        async for event in work.run():
            if isinstance(event, RowsWritten):
                work.stop()
        stops += 1
        if work.report.complete:
            break
        assert "run the same export again" in str(work.report.interrupted)
        assert work.report.left
        assert parts(halves) == listed(halves)
    assert stops > 1
    assert sizes(halves) == sizes(whole)


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """For each unit, its rows and what they are, in order, however they are divided into parts."""
    import pyarrow.parquet as pq

    found: dict[str, tuple[int, int]] = {}
    for record in Manifest.load(open_store(folder)).records.values():
        rows: list[str] = []
        for part in record.parts:
            path = folder / part.path
            assert path.stat().st_size == part.bytes
            if path.suffix == ".parquet":
                rows += map(repr, pq.read_table(path).to_pylist())
            else:
                rows += path.read_text("utf-8").splitlines()
            assert part.rows <= len(rows)
        found[record.unit.folder] = (len(rows), hash(tuple(rows)))
    return found


async def test_a_window_that_is_read_again_and_stopped_is_not_done(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    options: Any = {"to": tmp_path, "sites": 1, "what": "sessions", "page_size": 10}
    options |= {"since": "2026-03-01", "until": "2026-03-30"}  # yesterday, so it is not final
    await export(client, **options)
    before = sizes(tmp_path)
    work = Export(client, **options)
    async for event in work.run():
        if isinstance(event, RowsWritten):
            work.stop()
    assert (work.report.done, work.report.left, work.report.complete) == (0, 1, False)
    assert sizes(tmp_path) == before


async def test_a_run_can_be_stopped_before_it_begins(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    work = Export(client, to=tmp_path, sites=1, what="sessions", **RANGE)
    work.stop()
    report = await work.finish()
    assert (report.done, report.left) == (0, 2)
    assert "was stopped" in str(report)
    assert (await work.finish()).complete


async def test_a_client_that_is_closed_ends_the_run(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    work = Export(client, to=tmp_path, sites=1, what="sessions", partition="day", **RANGE)
    async for event in work.run():
        if isinstance(event, PartWritten):
            await client.close()
    assert "the client was closed; run the same export again" in str(work.report)
    assert len(work.report.failures) <= 4
    assert work.report.left > 10


async def test_errors_may_have_any_text(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    server = await serve(store=small)
    client = connect(server, retry=ONCE)
    halves = Response(500, b'{"error": "odd \\ud800"}', {"Content-Type": "application/json"})
    answer(server, "/api/sites/1/users", halves)
    options: Any = {"to": tmp_path, "sites": 1, "what": ["sessions", "users"], **RANGE}
    report = await export(client, **options)
    assert (report.done, len(report.failures)) == (2, 2)
    records = Manifest.load(open_store(tmp_path)).records.values()
    assert sum("odd \ud800" in str(record.error) for record in records) == 2


async def test_a_server_of_another_release_goes_on(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    """Its events have no numbered pages any more, so those are read anew."""
    older, newer = connect(await serve("2.2", small)), connect(await serve("2.8", small))
    options: Any = {"to": tmp_path, "sites": 1, "what": ["sessions", "events"]}
    options |= {"page_size": 20, "part_rows": 20, **RANGE}
    work = Export(older, **options)
    async for event in work.run():
        if isinstance(event, PartWritten):
            work.stop()
    assert (await export(newer, **options)).complete
    assert parts(tmp_path) == listed(tmp_path)
    walked = await everything(newer, tmp_path)
    for name in ("sessions", "events"):
        assert ids_of(rows_of(tmp_path, name)) == ids_of(walked[name])


def ids_of(rows: Counter[str]) -> Counter[str]:
    """The rows by what older servers send of them, too."""
    told = [json.loads(row) for row in rows.elements()]
    return Counter(f"{row['session_id']} {row.get('timestamp')}" for row in told)


@pytest.mark.parametrize("partition", ["day", "month", "none"])
def test_windows_may_be_the_first_and_the_last_of_the_calendar(partition: Any) -> None:
    for first, last in ((date(1, 1, 1), date(1, 2, 3)), (date(9999, 11, 30), date.max)):
        found = [*spans(first, last, partition)]
        assert (found[0].first, found[-1].last) == (first, last)
        assert [one.first for one in found[1:]] == [one.last + DAY for one in found[:-1]]
        names = [one.window for one in found]
        assert names == sorted(set(names))
    assert [one.window for one in spans(date(1, 1, 1), date(1, 2, 3), "month")] == [
        "0001-01",
        "0001-02",
    ]


async def test_what_fails_does_not_stop_the_rest(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    server = await serve(store=small)
    client = connect(server, retry=ONCE)
    goal = small.goals(1)[0].goal_id
    whole = tmp_path / "whole"
    await export(client, to=whole, sites=[1, 2], **RANGE)
    one_site = server.inject(
        faults.Status(403), times=None, when=lambda request: "/sites/2/" in request.path
    )
    one_goal = server.inject(
        faults.Status(500),
        times=None,
        when=lambda request: f"/goals/{goal}/sessions" in request.path,
    )
    events = [event async for event in Export(client, to=tmp_path, sites=[1, 2], **RANGE).run()]
    assert isinstance(events[-1], ExportEnded)
    report = events[-1].report
    assert not report.complete
    assert report.exit_status == 1
    site, *goals = report.failures
    assert (site.site, site.unit, type(site.error)) == ("2", None, PermissionDeniedError)
    assert [(one.site, one.goal, type(one.error)) for one in goals] == [(1, goal, ServerError)] * 2
    assert f"missing: sessions of goal {goal} of site 1 in 2026-02: ServerError" in str(report)
    failed = [one for one in events if isinstance(one, UnitEnded) and one.record.state == "failed"]
    assert len(failed) == 2
    assert "ServerError" in str(failed[0].record.error)
    assert "site 2" in (tmp_path / "_manifest" / "run.json").read_text()
    one_site.remove()
    one_goal.remove()
    mended = await export(client, to=tmp_path, sites=[1, 2], **RANGE)
    assert (mended.complete, mended.failures) == (True, ())
    assert mended.kept == report.done
    assert sizes(tmp_path) == sizes(whole)


async def test_a_site_whose_goals_cannot_be_listed_has_its_other_lists(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    server = await serve(store=small)
    client = connect(server, retry=ONCE)
    server.inject(faults.Status(500), times=None, when=lambda one: one.path.endswith("/goals"))
    options: Any = {"to": tmp_path, "what": ["goals", "goal_sessions", "sessions"], **RANGE}
    report = await export(client, sites=1, **options)
    assert report.done == 2
    site, *goals = report.failures
    assert (site.unit, type(site.error)) == (None, ServerError)
    assert {one.unit and one.unit.list for one in goals} == {"goals"}
    server.clear_faults()
    assert (await export(client, sites=1, **options)).complete


async def test_one_run_at_a_time(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    options: Any = {"to": tmp_path, "sites": 1, "what": "sessions", **RANGE}
    async for event in Export(client, **options).run():
        if isinstance(event, PartWritten):
            with pytest.raises(ExportLockedError, match="one export at a time"):
                await export(client, **options)
    assert (await export(client, **options)).kept == 2


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
async def test_signals_stop_a_run(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path, name: str
) -> None:
    client = connect(await serve(store=small))
    number = getattr(signal, name)
    found = signal.getsignal(number)
    before = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
    signal.signal(number, before)  # whatever runs the tests may have its own
    work = Export(client, to=tmp_path, sites=1, **RANGE)
    async for event in work.run():
        if isinstance(event, RowsWritten) and signal.getsignal(number) != before:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)
    assert f"{name} stopped the export; run the same export again" in str(work.report)
    assert signal.getsignal(number) == before
    signal.signal(number, found)
    assert parts(tmp_path) == listed(tmp_path)
    assert (await export(client, to=tmp_path, sites=1, **RANGE)).complete


async def test_a_signal_stops_every_run_of_the_program() -> None:
    before = signal.getsignal(signal.SIGTERM)
    told: list[str] = []
    with stopped_by_signals(told.append), stopped_by_signals(told.append):
        with stopped_by_signals(told.append):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        while not told:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0)
        assert signal.getsignal(signal.SIGTERM) == before
    assert told == ["SIGTERM stopped the export"] * 2
    assert signal.getsignal(signal.SIGTERM) == before


async def test_a_run_that_is_left_or_cancelled_leaves_nothing_half_written(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    options: Any = {"to": tmp_path, "sites": 1, "part_rows": 20, **RANGE}
    run = Export(client, **options).run()
    async for event in run:
        if isinstance(event, RowsWritten):
            break
    await run.aclose()
    assert not temporary(tmp_path)
    assert parts(tmp_path) == listed(tmp_path)
    task = asyncio.create_task(export(client, **options))
    while not parts(tmp_path):  # noqa: ASYNC110  # there is no event to wait for
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not temporary(tmp_path)
    assert (await export(client, **options)).complete
    assert rows_of(tmp_path, "sessions") == (await everything(client, tmp_path))["sessions"]


@pytest.mark.parametrize("held", ["sync", "create"])
async def test_what_blocks_is_waited_for_however_often_a_run_is_cancelled(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path, held: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """As at the end of ``asyncio.run``, which cancels every task, besides its task group."""
    client = connect(await serve(store=small))
    options: Any = {"to": tmp_path, "sites": 1, "what": ["sessions", "users"], "part_rows": 20}
    loop, job = asyncio.get_running_loop(), getattr(disk, held)
    reached, go_on = asyncio.Event(), threading.Event()

    def slow(path: Path) -> None:
        if held != "sync" or path.name.startswith(".part-"):
            loop.call_soon_threadsafe(reached.set)
            go_on.wait(5)
        job(path)

    with monkeypatch.context() as patch:
        patch.setattr(disk, held, slow)
        task = asyncio.create_task(export(client, page_size=20, **options, **RANGE))
        await reached.wait()
        for _ in range(3):
            for one in client_tasks():
                one.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        with pytest.raises(ExportLockedError):  # it still has the lock
            await export(client, **options, **RANGE)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not temporary(tmp_path)
    assert parts(tmp_path) == listed(tmp_path)
    assert (await export(client, **options, **RANGE)).complete


async def test_the_plan(serve: Serve, connect: Connect, small: Store, tmp_path: Path) -> None:
    server = await serve(store=small, rate_limit=BucketLimit(burst=50, refill=5, daily=60))
    client = connect(server)
    work = Export(client, to=tmp_path, sites="all", **RANGE)
    plan = await work.plan()
    assert not parts(tmp_path)
    report = await work.finish()
    assert len(plan.units) == report.done
    assert plan.rows is not None
    assert plan.requests is not None
    assert 0.7 < plan.rows / report.rows < 1.4
    assert 0.7 < plan.requests / report.requests < 1.4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"since": "2024-02-30"}, "since must be a day that exists"),
        ({"since": "2024-03-01", "until": "2024-02-01"}, "since must not be after until"),
        ({"until": "tomorrow"}, "until must be a date such as \"2024-01-31\", got 'tomorrow'; or"),
        ({"what": ["session"]}, "what must be"),
        ({"what": []}, "name at least one list"),
        ({"sites": []}, "name at least one site"),
        ({"sites": "every"}, "site must be"),
        ({"format": "xlsx"}, "format must be"),
        ({"partition": "year"}, "partition must be"),
        ({"time_zone": "Berlin"}, "time_zone must be"),
        ({"part_rows": 0}, "part_rows must be 1 or more, got 0"),
        ({"lookback": -1}, "lookback must be"),
        ({"to": ""}, "to must"),
    ],
)
async def test_bad_input_is_refused_at_once(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    async with RybbitClient("rb_x", base_url="http://localhost:1") as client:
        with pytest.raises(InvalidParameterError) as caught:
            Export(client, **{"to": tmp_path / "new", "since": "2024-01-01", **changes})
    assert says in str(caught.value)
    assert not parts(tmp_path)


@pytest.mark.parametrize("step", [2, 11])
async def test_a_full_disk_is_told_and_what_is_finished_stays(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path, step: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    client = connect(await serve(store=small))
    steps, fsync = 0, os.fsync

    def failing(file: int) -> None:
        nonlocal steps
        steps += 1
        if steps >= step:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    options: Any = {"to": tmp_path, "sites": 1, "what": ["sessions", "events"], **RANGE}
    options |= {"part_rows": 20, "page_size": 20}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(ExportStoreError, match=r"the disk is full\. Free some space"):
            await export(client, **options)
    assert not temporary(tmp_path)
    assert parts(tmp_path) >= listed(tmp_path)
    assert (await export(client, **options)).complete
    assert parts(tmp_path) == listed(tmp_path)
    walked = await everything(client, tmp_path)
    for name in ("sessions", "events"):
        assert rows_of(tmp_path, name) == walked[name]


async def test_a_server_without_sites_is_no_empty_success(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    with Store() as empty:
        client = connect(await serve(store=empty))
        with pytest.raises(ExportError, match="lists no site that the key can read"):
            await export(client, to=tmp_path, **RANGE)


async def test_parts_without_a_manifest_are_not_thrown_away(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    options: Any = {"to": tmp_path, "sites": 1, "what": "sessions", **RANGE}
    await export(client, **options)
    before = parts(tmp_path)
    shutil.rmtree(tmp_path / "_manifest")
    with pytest.raises(ExportMismatchError, match=r"has no _manifest/export\.json and 2 files"):
        await export(client, **options)
    assert parts(tmp_path) == before
    assert (await export(client, force=True, **options)).complete
    assert parts(tmp_path) == listed(tmp_path)
    (tmp_path / "_manifest" / "export.json").unlink()  # nobody knows what the records are of
    with pytest.raises(ExportMismatchError, match=r"has no _manifest/export\.json and 2 files"):
        await export(client, partition="day", **options)
    assert (await export(client, force=True, partition="day", **options)).complete
    assert parts(tmp_path) == listed(tmp_path)
    assert not parts(tmp_path) & before


async def test_a_position_that_the_server_takes_no_more_is_read_anew(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    options: Any = {"sites": 1, "what": "sessions", "part_rows": 20, "page_size": 20, **RANGE}
    work = Export(client, to=tmp_path, **options)
    async for event in work.run():
        if isinstance(event, PartWritten):
            work.stop()
    for path in (tmp_path / "_manifest" / "sessions").glob("**/*.json"):
        path.write_text(
            path.read_text().replace('\\"strategy\\":{', '\\"strategy\\":{\\"odd\\":1,')
        )
    assert (await export(client, to=tmp_path, **options)).complete
    assert parts(tmp_path) == listed(tmp_path)
    assert rows_of(tmp_path, "sessions") == (await everything(client, tmp_path))["sessions"]


async def test_a_page_that_could_not_be_written_is_not_taken_for_written(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the walk fails right after it, and what was written before is kept."""
    server = await serve(store=small)
    client = connect(server, retry=ONCE)
    options: Any = {"to": tmp_path, "sites": 1, "what": "sessions", "page_size": 10}
    options |= {"since": "2026-03-01", "until": "2026-03-28"}  # one unit
    server.inject(faults.Status(500), times=None, when=lambda one: one.query.get("page") == "3")
    written, write = 0, ParquetPart.write

    def failing(self: Any, rows: Any) -> None:
        nonlocal written
        written += 1
        if written == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(ParquetPart, "write", failing)
        with pytest.raises(OSError, match="No space left"):
            await export(client, **options)
    server.clear_faults()
    await export(client, **options)
    assert rows_of(tmp_path, "sessions") == (await everything(client, tmp_path))["sessions"]


async def test_filters_that_the_server_ignores_are_refused(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    options: Any = {"to": tmp_path, "sites": 1, "filters": [Filter.equals("country", "GR")]}
    old, new = connect(await serve("2.8", small)), connect(await serve("2.9", small))
    for attempt in (Export(old, **options, **RANGE).finish, Export(old, **options, **RANGE).plan):
        with pytest.raises(InvalidParameterError, match="must not be given for goal_sessions"):
            await attempt()
    # Nothing was written, so that another export of that folder is not refused.
    assert (await export(old, what="sessions", **options, **RANGE)).rows
    whole, some = tmp_path / "whole", tmp_path / "some"
    every = await export(new, **options | {"to": whole, "filters": None}, **RANGE)
    assert 0 < (await export(new, **options | {"to": some}, **RANGE)).rows < every.rows


async def test_runs_that_are_interrupted_come_to_an_end(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    """Although each of them could read again what ended lately."""
    client = connect(await serve(store=small))
    options: Any = {"sites": 1, "what": ["sessions", "users"], "partition": "day"}
    options |= {"to": tmp_path, "since": "2026-03-24", "until": "today", "page_size": 5}
    await export(client, **options)
    work, runs = Export(client, **options), 0
    while not work.report.complete or not runs:
        pages, runs = 0, runs + 1
        async for event in work.run():
            pages += isinstance(event, RowsWritten)
            if pages == 3:
                work.stop()
        assert runs < 12
    assert work.report.kept + work.report.done == 16
    # It is over: the next run reads again what ended lately.
    assert (await export(client, **options)).done >= 2


async def test_a_lease_that_was_lost_for_a_while_interrupts_a_run(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path
) -> None:
    client = connect(await serve(store=small))
    work = Export(client, to=tmp_path, sites=1, what=["sessions", "users"], **RANGE)

    class Lapsed:
        answers = iter([False, True])

        @property
        def lost(self) -> bool:
            return next(self.answers, False)

    work._store.lock = lambda path: contextlib.nullcontext(Lapsed())  # type: ignore[method-assign]
    report = await work.finish()
    assert report.left
    assert "the lease on the store could not be renewed in time; run" in str(report)
