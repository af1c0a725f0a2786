"""What an export costs beside the walk that it reads with, and beside dlt."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from rybbit_async import RybbitClient
from rybbit_async.export import export

from . import baselines
from .measure import Row, Timed, pairs, speeds
from .rows import Effort, client_of, count, giving, speeds_of
from .servers import PAST, Site, Target, serving

SESSIONS: Final = 100_000
PAGE: Final = 1000  # as an export asks for
CACHE: Final = 256  # MiB: every page is sent from memory after it was asked for once
TICK: Final = 0.001  # seconds that the loop's task sleeps
MEMORY_CACHE: Final = 1024


def _options(site: Site, kind: str, to: str) -> dict[str, Any]:
    return {
        "sites": site.site_id,
        "what": "goal_sessions",
        "since": PAST["start_date"],
        "until": PAST["end_date"],
        "partition": "none",
        "format": kind,
        "to": to,
    }


def _exporting(client: RybbitClient, site: Site, kind: str) -> Timed:
    """An export to a new folder each time, which has to have every row."""

    async def job() -> int:
        with TemporaryDirectory() as folder:
            report = await export(client, **_options(site, kind, folder))
        return report.rows

    return giving(site.sessions, job)


def _walking(client: RybbitClient, site: Site) -> Timed:
    sessions = client.goals.sessions.iter(site.site_id, site.goal_id, page_size=PAGE, **PAST)
    return giving(site.sessions, lambda: count(sessions))


@asynccontextmanager
async def _served() -> AsyncGenerator[tuple[Target, RybbitClient], None]:
    with serving([SESSIONS], cache=CACHE) as target:
        async with client_of(target) as client:
            yield target, client


async def export_speed(effort: Effort) -> AsyncGenerator[Row, None]:
    """Rows a second of an export against those of the typed walk, and of dlt."""
    async with _served() as (target, client):
        site = target.site
        for kind in ("parquet", "jsonl"):
            measured = await pairs(
                _exporting(client, site, kind), _walking(client, site), effort.exports
            )
            yield Row(
                f"export of {SESSIONS:,} sessions as {kind}: rows/s against the typed walk",
                "x", speeds(measured), 0.7, at_least=True, note=speeds_of(SESSIONS, measured),
            )  # fmt: skip
        with baselines.dlt_parquet(
            target, target.sessions_url(site), {"limit": str(PAGE), **PAST}
        ) as theirs:
            measured = await pairs(
                _exporting(client, site, "parquet"), giving(SESSIONS, theirs), effort.dlt
            )
        yield Row(
            f"export of {SESSIONS:,} sessions as parquet: rows/s against dlt's rest_api source",
            "x", speeds(measured), 4.0, at_least=True, note=speeds_of(SESSIONS, measured),
        )  # fmt: skip


async def export_stall(effort: Effort) -> AsyncGenerator[Row, None]:
    """How long an event loop has to wait for its turn at worst, beside the walk alone."""
    async with _served() as (target, client):
        site = target.site
        walking = _walking(client, site)
        for kind in ("parquet", "jsonl"):
            exporting = _exporting(client, site, kind)
            await exporting()
            await walking()
            stalls = [
                (await _longest_stall(exporting), await _longest_stall(walking))
                for _ in range(effort.exports)
            ]
            ours, theirs = (median(side) * 1000 for side in zip(*stalls, strict=True))
            yield Row(
                f"longest stall of the event loop in an export as {kind} against the typed walk",
                "x", tuple(one / other for one, other in stalls), 2.0,
                note=f"{ours:.1f} and {theirs:.1f} ms",
            )  # fmt: skip


async def _longest_stall(job: Timed) -> float:
    """The largest lateness of a task that wakes up again and again while a job is done."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            longest = max(longest, time.perf_counter() - due)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await job()
    watching.cancel()
    await asyncio.wait([watching])
    return longest


async def export_memory(effort: Effort) -> AsyncGenerator[Row, None]:
    """The most memory that a process has which does nothing but an export."""
    with serving([effort.many], cache=MEMORY_CACHE) as target:
        for kind in ("parquet", "jsonl"):
            peaks = tuple(_peak(target, kind) / 1e6 for _ in range(effort.memory))
            yield Row(
                f"peak memory of an export of {effort.many:,} sessions as {kind}, in all",
                "MB", peaks, 250.0,
            )  # fmt: skip


def _peak(target: Target, kind: str) -> int:
    site = target.site
    with TemporaryDirectory() as folder:
        told: Mapping[str, Any] = {
            "url": target.url,
            "api_key": target.api_key,
            "export": _options(site, kind, folder),
        }
        command = [sys.executable, "-m", "benchmarks.memory", json.dumps(told)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    said = json.loads(done.stdout)
    if said["items"] != site.sessions:
        raise AssertionError(f"{said['items']} rows instead of {site.sessions}")
    return int(said["peak"])


COMPARISONS: Final = (export_speed, export_stall, export_memory)
