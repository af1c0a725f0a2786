"""Exports on a Dask cluster of processes; ``nox -s export_dask`` runs this.

Starting such a cluster takes seconds, so that these tests are not among those that every change
runs. The figures that divide a rate limit among processes are tested in ``test_grants.py``.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dask.config
import distributed
import pytest

from rybbit_async import InvalidParameterError, PasswordLogin, RateLimit, RybbitClient
from rybbit_async.export import (
    Export,
    ExportError,
    ExportReport,
    RowsWritten,
    UnitBegun,
    export,
)
from rybbit_async.export.worker import Hidden, Job
from rybbit_async.testing import KeyLimit, RybbitServer, Store, faults
from rybbit_async.transport.auth import Secret

from ..client.conftest import Serve
from ..client.helpers import ONCE
from .helpers import RANGE, listed, parts, temporary
from .test_export import sizes

SLOW: dict[str, Any] = {"page_size": 10, "part_rows": 20}

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("default")]


def start(workers: int, **options: Any) -> distributed.LocalCluster:
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", **options
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    with start(2) as made:
        yield made


@pytest.fixture
async def server(serve: Serve, small: Store) -> RybbitServer:
    return await serve(store=small)


@pytest.fixture
async def client(server: RybbitServer) -> AsyncIterator[RybbitClient]:
    async with RybbitClient(server.api_key, base_url=server.url, retry=ONCE) as made:
        yield made


def on(cluster: Any, server: RybbitServer, to: Path, **options: Any) -> dict[str, Any]:
    return {
        "to": to, "sites": [1, 2], "engine": "dask", "cluster": cluster,
        "worker_auth": Secret(server.api_key), **RANGE, **SLOW, **options,
    }  # fmt: skip


async def alone(client: RybbitClient, to: Path, **options: Any) -> dict[str, tuple[int, int]]:
    """What one process writes."""
    report = await export(client, to=to, sites=[1, 2], **RANGE, **SLOW, **options)
    assert report.complete
    return sizes(to)


def slow(server: RybbitServer, seconds: float = 0.1) -> Any:
    """Let each page take some time."""
    return server.inject(
        faults.Latency(seconds), times=None, when=lambda request: "sessions" in request.path
    )


def pids(cluster: distributed.LocalCluster) -> list[int]:
    return [worker.pid for worker in cluster.workers.values() if worker.pid]


async def run(maker: Export, act: Callable[[list[Any]], Any]) -> ExportReport:
    """Run an export, and act with the events so far whenever something was told."""
    events: list[Any] = []
    async for event in maker.run():
        events.append(event)
        act(events)
    return maker.report


def assert_clean(folder: Path) -> None:
    assert not temporary(folder)
    assert parts(folder) == listed(folder)


async def test_the_same_as_in_one_process(
    cluster: Any, server: RybbitServer, client: RybbitClient, tmp_path: Path
) -> None:
    whole = await alone(client, tmp_path / "alone")
    before = len(server.requests)
    to = tmp_path / "here"
    events = [event async for event in Export(client, **on(cluster, server, to)).run()]
    report = events[-1].report
    assert report.complete, report
    assert sizes(to) == whole
    assert_clean(to)
    # Requests that were given up before they were sent are counted, too.
    assert 0 <= report.requests - (len(server.requests) - before) <= 5
    assert report.rows == sum(rows for rows, _ in whole.values())
    assert sum(e.rows for e in events if isinstance(e, RowsWritten)) == report.rows
    assert sum(isinstance(e, UnitBegun) for e in events) == report.done
    again = await export(client, **on(cluster.scheduler_address, server, to))
    assert (again.done, again.kept, again.rows) == (0, report.done, 0)


@pytest.mark.parametrize(("workers", "killed"), [(2, 1), (2, 2), (1, 1)])
async def test_workers_that_are_killed(
    server: RybbitServer, client: RybbitClient, tmp_path: Path, workers: int, killed: int
) -> None:
    whole = await alone(client, tmp_path / "alone")
    slow(server)
    left: list[int] = []

    def kill(events: list[Any]) -> None:
        if len([e for e in events if isinstance(e, RowsWritten)]) > 3 and left:
            for pid in left[:killed]:
                os.kill(pid, signal.SIGKILL)
            left.clear()

    with start(workers) as cluster:
        left += pids(cluster)
        report = await run(Export(client, **on(cluster, server, tmp_path / "here")), kill)
    assert not left
    assert report.complete, report
    assert sizes(tmp_path / "here") == whole
    assert report.rows == sum(rows for rows, _ in whole.values())
    assert_clean(tmp_path / "here")


async def test_a_unit_that_its_worker_always_dies_of(
    server: RybbitServer, client: RybbitClient, small: Store, tmp_path: Path
) -> None:
    whole = await alone(client, tmp_path / "alone")
    goal = small.goals(1)[0].goal_id
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}), start(1) as cluster:

        def kill() -> None:
            for pid in pids(cluster):
                os.kill(pid, signal.SIGKILL)

        poison = server.inject(
            faults.Before(kill),
            times=None,
            when=lambda request: (
                f"/goals/{goal}/sessions" in request.path
                and "start_date=2026-02" in request.target
                and "/sites/1/" in request.path
            ),
        )
        options = on(cluster, server, tmp_path / "here")
        report = await export(client, **options)
        assert [(one.goal, one.unit and one.unit.window) for one in report.failures] == [
            (goal, "2026-02")
        ], report
        assert "one worker process after another died" in str(report)
        assert (report.done, report.left) == (len(whole) - 1, 0)
        assert_clean(tmp_path / "here")
        poison.remove()
        report = await export(client, **options)
        assert report.complete, report
        assert sizes(tmp_path / "here") == whole


@pytest.mark.parametrize("way", ["stop", "SIGTERM", "cancel"])
async def test_a_run_that_is_stopped(
    cluster: Any, server: RybbitServer, client: RybbitClient, tmp_path: Path, way: str
) -> None:
    whole = await alone(client, tmp_path / "alone")
    delay = slow(server)
    to = tmp_path / "here"
    maker = Export(client, **on(cluster, server, to))
    if way == "cancel":
        task = asyncio.create_task(maker.finish())
        while not [path for path in to.glob("*/**/*") if path.name.endswith(".tmp")]:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:

        def act(events: list[Any]) -> None:
            if isinstance(events[-1], RowsWritten) and maker._stopping is None:
                if way == "stop":
                    maker.stop()
                else:
                    os.kill(os.getpid(), signal.SIGTERM)

        report = await run(maker, act)
        assert "run the same export again" in str(report.interrupted)
        assert report.left
    assert_clean(to)
    seen = len(server.requests)
    await asyncio.sleep(0.5)
    assert len(server.requests) == seen
    delay.remove()
    assert (await export(client, **on(cluster, server, to))).complete
    assert sizes(to) == whole
    assert_clean(to)


async def test_a_scheduler_that_goes_away(
    server: RybbitServer, client: RybbitClient, tmp_path: Path
) -> None:
    whole = await alone(client, tmp_path / "alone")
    delay = slow(server, 0.3)
    to = tmp_path / "here"
    cluster = start(1)
    closing: list[Any] = []

    def close(events: list[Any]) -> None:
        if isinstance(events[-1], RowsWritten) and not closing:
            closing.append(asyncio.create_task(asyncio.to_thread(cluster.close)))

    with pytest.raises(ExportError, match="scheduler was lost"):
        await run(Export(client, **on(cluster, server, to)), close)
    await closing[0]
    delay.remove()
    assert (await export(client, to=to, sites=[1, 2], **RANGE, **SLOW)).complete
    assert sizes(to) == whole
    assert_clean(to)


async def test_a_worker_that_is_cut_off_gives_up(
    server: RybbitServer, client: RybbitClient, tmp_path: Path
) -> None:
    whole = await alone(client, tmp_path / "alone")
    slow(server)
    to = tmp_path / "here"
    with dask.config.set({"distributed.scheduler.worker-ttl": "4s"}), start(1) as cluster:
        # Without the process that would end it.
        command = ["-m", "distributed.cli.dask_worker", cluster.scheduler_address, "--no-nanny"]
        worker = subprocess.Popen([sys.executable, *command, "--nthreads", "1"])  # noqa: ASYNC220
        while len(cluster.scheduler.workers) < 2:  # noqa: ASYNC110  # there is no event
            await asyncio.sleep(0.05)
        stopped = False

        def stop(events: list[Any]) -> None:
            nonlocal stopped
            if len(events) > 4 and isinstance(events[-1], RowsWritten) and not stopped:
                stopped = True
                worker.send_signal(signal.SIGSTOP)

        report = await run(Export(client, **on(cluster, server, to)), stop)
        assert stopped
        assert report.complete, report
        assert sizes(to) == whole
        assert_clean(to)
        worker.send_signal(signal.SIGCONT)
        await asyncio.sleep(3)
        assert sizes(to) == whole
        assert_clean(to)
        worker.kill()
        worker.wait()


async def test_a_cluster_that_cannot_be_reached(
    server: RybbitServer, client: RybbitClient, tmp_path: Path
) -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ExportError, match=r"can be reached, got 'tcp://127.0.0.1:1'"),
    ):
        await export(client, **on("tcp://127.0.0.1:1", server, tmp_path))
    with pytest.raises(InvalidParameterError, match="cluster: expected str"):
        await export(client, **on(7, server, tmp_path))


async def test_what_fails_does_not_stop_the_rest(
    cluster: Any, server: RybbitServer, client: RybbitClient, small: Store, tmp_path: Path
) -> None:
    whole = await alone(client, tmp_path / "alone")
    goal = small.goals(1)[0].goal_id
    one_site = server.inject(
        faults.Status(403), times=None, when=lambda r: r.path.startswith("/api/sites/2/sessions")
    )
    one_goal = server.inject(
        faults.Status(500),
        times=None,
        skip=1,  # a page was read before
        when=lambda r: f"/goals/{goal}/sessions" in r.path and "/sites/1/" in r.path,
    )
    options = on(cluster, server, tmp_path / "here")
    report = await export(client, **options)
    failed = {(one.site, one.goal, type(one.error).__name__) for one in report.failures}
    assert failed == {(2, None, "PermissionDeniedError"), (1, goal, "ServerError")}
    assert report.done + len(report.failures) == len(whole)
    assert_clean(tmp_path / "here")
    one_site.remove()
    one_goal.remove()
    assert (await export(client, **options)).complete
    assert sizes(tmp_path / "here") == whole


async def test_a_cluster_that_grows(
    server: RybbitServer, client: RybbitClient, tmp_path: Path
) -> None:
    whole = await alone(client, tmp_path / "alone")
    slow(server)
    most = 0

    def watch(events: list[Any]) -> None:
        nonlocal most
        most = max(most, len(cluster.scheduler.workers))

    with start(0) as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="200ms", target_duration="200ms")
        report = await run(Export(client, **on(cluster, server, tmp_path / "here")), watch)
    assert report.complete, report
    assert most == 2
    assert sizes(tmp_path / "here") == whole


async def test_within_a_program_that_uses_dask(
    cluster: Any, server: RybbitServer, client: RybbitClient, tmp_path: Path
) -> None:
    with distributed.Client(cluster) as theirs:
        report = await export(client, **on(theirs, server, tmp_path, what="goals"))
        assert report.complete, report
        assert distributed.default_client() is theirs
        assert theirs.submit(sum, [1, 2]).result() == 3


async def test_no_secret_is_shown(
    cluster: Any, server: RybbitServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key, password = server.api_key, "hunter22-proxy"
    async with RybbitClient(
        key, base_url=server.url, retry=ONCE, headers={"X-Extra": password}
    ) as client:
        seen: list[str] = []
        with distributed.Client(cluster, set_as_default=False) as theirs:

            def look(events: list[Any]) -> None:
                if isinstance(events[-1], RowsWritten) and len(seen) < 3:
                    tasks = cluster.scheduler.tasks.values()
                    seen.append(repr([(t, t.key, t.run_spec, t.group) for t in tasks]))

            slow(server)
            await run(Export(client, **on(cluster, server, tmp_path / "here")), look)
            # A task that fails in an unexpected way: Dask logs its arguments.
            job: Any = Job(
                "run", Hidden({"to": password}), Hidden({"api_key": key}), False, None, ""
            )  # type: ignore[arg-type]
            failed = theirs.submit(_fail, job)
            assert isinstance(failed.exception(), RuntimeError)
            state = await asyncio.to_thread(theirs.dump_cluster_state, str(tmp_path / "dump"))
            logs = [theirs.get_worker_logs(), theirs.get_scheduler_logs(), state, seen]
            shown = "".join(map(repr, logs)) + caplog.text + repr(failed.key) + repr(job)
            shown += failed.traceback and repr(failed.traceback())
            for path in tmp_path.glob("dump*"):  # noqa: ASYNC240
                shown += repr(gzip.decompress(path.read_bytes()))
    assert "Compute Failed" in shown
    assert "_fail" in shown
    assert "export sessions of site 1" in shown
    assert key not in shown
    assert password not in shown


def _fail(job: Job) -> None:
    raise RuntimeError("failed")


async def test_credentials_of_the_workers(
    server: RybbitServer, client: RybbitClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(1) as cluster:
        options = on(cluster, server, tmp_path / "none", worker_auth=None, what="goals")
        with pytest.raises(ExportError, match="RYBBIT_API_KEY must be set for each worker"):
            await export(client, **options)
        login = PasswordLogin(server.email, server.password)
        options |= {"to": tmp_path / "login", "worker_auth": login}
        assert (await export(client, **options)).complete
    monkeypatch.setenv("RYBBIT_API_KEY", server.api_key)
    with start(1) as cluster:
        options = on(cluster, server, tmp_path / "key", worker_auth=None, what="goals")
        assert (await export(client, **options)).complete


async def test_a_rate_limit_that_the_server_does_not_tell(
    cluster: Any, serve: Serve, small: Store, tmp_path: Path
) -> None:
    limit = KeyLimit(requests=12, seconds=3)
    server = await serve("2.2", small, rate_limit=limit, clock=lambda: datetime.now(UTC))
    async with RybbitClient(server.api_key, base_url=server.url, retry=ONCE) as client:
        options = on(cluster, server, tmp_path / "here", what=["goals", "goal_sessions"])
        with pytest.raises(InvalidParameterError, match="rate_limit must be given"):
            await export(client, **options)
        assert not parts(tmp_path)
        assert not (tmp_path / "here" / "_manifest" / "export.json").exists()
        await asyncio.sleep(limit.seconds)
        began = time.monotonic()
        report = await export(client, rate_limit=RateLimit(12, per=3), **options)
    assert report.complete, report
    assert report.requests > 24
    assert time.monotonic() - began > 3
    assert not [r for r in server.requests if r.status in (401, 403) and r.path != "/api/version"]


async def test_a_folder_that_is_not_shared(
    cluster: Any, server: RybbitServer, client: RybbitClient
) -> None:
    with pytest.raises(ExportError, match="must be the same folder for every worker"):
        await export(client, **on(cluster, server, "memory://here"))  # type: ignore[arg-type]


SCRIPT = """
import asyncio, sys
from rybbit_async import RybbitClient
from rybbit_async.export import export

async def main():
    async with RybbitClient(base_url=sys.argv[1]) as client:
        print(await export(client, to=sys.argv[2], sites=[1, 2], since="2026-02-01",
                           until="2026-03-28", page_size=10, part_rows=20, engine="dask"))

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("interrupted", [False, True])
async def test_processes_of_its_own(
    server: RybbitServer, client: RybbitClient, tmp_path: Path, interrupted: bool
) -> None:
    whole = await alone(client, tmp_path / "alone")
    delay = slow(server, 0.1 if interrupted else 0)
    script, to = tmp_path / "script.py", tmp_path / "here"
    script.write_text(SCRIPT)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), server.url, str(to), start_new_session=True,
        env={**os.environ, "RYBBIT_API_KEY": server.api_key}, stdout=-1, stderr=-1,
    )  # fmt: skip
    if interrupted:
        while not parts(to) and process.returncode is None:  # noqa: ASYNC110  # no event for it
            await asyncio.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal
    try:
        out, err = await asyncio.wait_for(process.communicate(), 60)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, err
    assert_clean(to)
    if interrupted:
        assert b"SIGINT stopped the export; run the same export again to go on" in out
        assert b"KeyboardInterrupt" not in err
        delay.remove()
        assert (await export(client, to=to, sites=[1, 2], **RANGE, **SLOW)).complete
    else:
        assert err == b""
    assert sizes(to) == whole
