"""Exports on a Dask cluster of processes; ``nox -s export_dask`` runs this.

Starting such a cluster takes seconds, so that these tests are not among those that every change
runs. The figures that divide a rate limit among processes are tested in ``test_grants.py``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest

from rybbit_async import InvalidParameterError, PasswordLogin, RateLimit, RybbitClient
from rybbit_async.export import (
    Export,
    ExportError,
    ExportReport,
    Manifest,
    RowsWritten,
    UnitBegun,
    UnitEnded,
    export,
)
from rybbit_async.export.store import open_store
from rybbit_async.export.worker import Hidden, Job
from rybbit_async.testing import KeyLimit, RybbitServer, Store, faults

from ..client.conftest import Serve
from ..client.helpers import ONCE
from .helpers import RANGE, listed, parts, temporary
from .test_export import sizes

SLOW: dict[str, Any] = {"page_size": 10, "part_rows": 20}

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("default")]


def start(workers: int, **options: Any) -> distributed.LocalCluster:
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=None, **options
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
        "worker_auth": server.api_key, **RANGE, **SLOW, **options,
    }  # fmt: skip


async def alone(client: RybbitClient, to: Path, **options: Any) -> dict[str, tuple[int, int]]:
    """What one process writes."""
    report = await export(client, to=to, sites=[1, 2], **RANGE, **SLOW, **options)
    assert report.complete
    return sizes(to)


def slow(server: RybbitServer, seconds: float = 0.15) -> Any:
    """Let each page take some time."""
    return server.inject(
        faults.Delay(seconds), times=None, when=lambda request: "sessions" in request.path
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
    events: list[Any] = []
    report = await run(Export(client, **on(cluster, server, to)), events.__init__)
    assert report.complete, report
    assert sizes(to) == whole
    assert_clean(to)
    assert report.requests == len(server.requests) - before
    assert report.rows == sum(rows for rows, _ in whole.values())
    assert sum(e.rows for e in events if isinstance(e, RowsWritten)) == report.rows
    assert sum(isinstance(e, UnitBegun) for e in events) == report.done
    again = await export(client, **on(cluster.scheduler_address, server, to))
    assert (again.done, again.kept, again.rows) == (0, report.done, 0)
