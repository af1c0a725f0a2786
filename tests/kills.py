"""Kill exports at random moments and at steps on the disk, and go on; `nox -s kills`.

An export that was killed again and again must give the files of one that was not: the same rows of
each unit, each once, in Parquet and in JSON Lines, in a folder and in a store for S3.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rybbit_async import RybbitClient
from rybbit_async.export import Export, ExportLockedError, Manifest, open_duckdb
from rybbit_async.export.store import lease, open_store
from rybbit_async.export.store.remote import RemoteStore
from rybbit_async.export.units import LISTS
from rybbit_async.testing import RybbitServer, Store

END = datetime(2026, 3, 31, 12, tzinfo=UTC)
RANGE = {"since": "2026-02-01", "until": "2026-03-28"}
STEPS = ("fsync", "replace")


def fill(store: Store) -> None:
    for number, sessions in ((1, 130), (2, 50)):
        site = store.add_site(f"site {number}")
        store.add_events(
            site,
            [
                {
                    "timestamp": END - timedelta(hours=at * 10, seconds=17 * page),
                    "session_id": f"s{number}-{at}",
                    "user_id": f"u{at % 70}",
                    "pathname": pathname,
                }
                for at in range(sessions)
                for page, pathname in enumerate(("/", "/00123"))
            ],
        )
        store.add_goal(site, "path", {"pathPattern": "/"}, name="Home", created_at=END)


# --- the export that is killed -------------------------------------------------------------------


async def child(told: Mapping[str, Any]) -> None:
    """One run, which kills itself at its step number ``kill_at``, if it has so many."""
    steps = 0

    def deadly(job: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == told["kill_at"] and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = job(*args, **kwargs)
            if steps == told["kill_at"]:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return step

    for name in STEPS:
        setattr(os, name, deadly(getattr(os, name), after=told["after"]))
    if told["storage_options"]:
        RemoteStore._call = deadly(RemoteStore._call, after=told["after"])  # type: ignore[method-assign]
    lease.LEASE, lease.RENEW = 2.0, 0.5  # type: ignore[misc]  # so that nobody waits for a minute
    async with RybbitClient(told["key"], base_url=told["url"]) as client:
        work = Export(
            client,
            to=told["to"],
            storage_options=told["storage_options"],
            format=told["format"],
            sites=[1, 2],
            part_rows=40,
            page_size=20,
            **RANGE,
        )
        print("begun", flush=True)
        while True:
            try:
                report = await work.finish()
            except ExportLockedError:  # by the run that was killed
                await asyncio.sleep(0.2)
                continue
            if report.interrupted is None:  # by a lease so short that a busy machine loses it
                break
    assert report.complete, report


async def run(told: Mapping[str, Any], kill_after: float | None = None) -> bool:
    """Run a child, and kill it after so many seconds. Returns whether it came to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--child", json.dumps(told), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    if kill_after is not None:
        try:
            async with asyncio.timeout(kill_after):
                await process.wait()
        except TimeoutError:
            process.kill()
    status = await process.wait()
    if status not in (0, -signal.SIGKILL):
        raise SystemExit(f"a run failed with status {status}: {told['to']}")
    return status == 0


# --- what must be there --------------------------------------------------------------------------


def found(told: Mapping[str, Any]) -> dict[str, Any]:
    """For each list, its rows; and whether a plain listing finds the files of the manifest."""
    store = open_store(told["to"], told["storage_options"])
    manifest = Manifest.load(store)
    listed = {part.path for record in manifest.records.values() for part in record.parts}
    there = {path for name in LISTS for path in store.list(name)}
    assert there == listed, (sorted(there - listed), sorted(listed - there))
    with open_duckdb(told["to"], told["storage_options"]) as db:
        rows = {
            name: Counter(map(repr, db.sql(f"SELECT * FROM {name}").fetchall())) for name in LISTS
        }
    assert not [
        row for name in LISTS if name != "events" for row in rows[name] if rows[name][row] > 1
    ]
    return rows


async def check(label: str, told: Mapping[str, Any], whole: Any) -> None:
    rows = await asyncio.to_thread(found, told)
    for name in LISTS:
        if rows[name] != whole[name]:
            lost, more = whole[name] - rows[name], rows[name] - whole[name]
            raise SystemExit(f"{label}: {name}: lost {lost}, too many {more}")


async def rounds(
    base: Mapping[str, Any], number: int, seed: int, fresh: Callable[[], None]
) -> tuple[int, int]:
    """Random moments, then each step. Returns how many kills of each there were."""
    fresh()
    began = asyncio.get_running_loop().time()
    assert await run(base)
    takes = asyncio.get_running_loop().time() - began
    whole = await asyncio.to_thread(found, base)
    assert sum(whole["goal_sessions"].values()) > 100
    chance = random.Random(seed)  # no secret
    kills = 0
    while kills < number:
        fresh()
        while kills < number and not await run(base, chance.uniform(0, takes)):
            kills += 1
        await run(base)
        await check(f"random kill {kills}", base, whole)
    at_steps, step, ended = 0, 0, False
    while not ended:
        step += 1
        for after in (False, True):
            fresh()
            ended = await run({**base, "kill_at": step, "after": after})
            if not ended:
                at_steps += 1
                assert await run(base)
            await check(f"kill {'after' if after else 'before'} step {step}", base, whole)
        step += max(0, step // 12)  # the steps at the beginning one by one, later ones a sample
    return kills, at_steps


async def main(options: argparse.Namespace) -> None:
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    storage = {
        "endpoint_url": f"http://{host}:{port}",
        "key": "made-up",
        "secret": "made-up",
        "use_listings_cache": False,
    }
    import s3fs

    s3 = s3fs.S3FileSystem(**storage)
    s3.mkdir("bucket")
    with tempfile.TemporaryDirectory() as folder, Store() as store:
        fill(store)
        async with RybbitServer(store=store, clock=lambda: END) as server:
            for kind in ("parquet", "jsonl"):
                for to, storage_options in (
                    (f"{folder}/{kind}", None),
                    (f"s3://bucket/{kind}", storage),
                ):
                    base = {
                        "to": to,
                        "storage_options": storage_options,
                        "format": kind,
                        "key": server.api_key,
                        "url": server.url,
                        "kill_at": None,
                        "after": False,
                    }

                    def fresh(to: str = to, remote: bool = storage_options is not None) -> None:
                        if not remote:
                            shutil.rmtree(to, ignore_errors=True)
                        elif s3.exists(to):
                            s3.rm(to, recursive=True)

                    kills, steps = await rounds(base, options.kills, options.seed, fresh)
                    where = "S3" if storage_options else "a folder"
                    print(f"{kind} in {where}: equal after each of {kills} kills at random "
                          f"moments and {steps} at steps", flush=True)  # fmt: skip
    moto.stop()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="at random moments, for each store")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    asyncio.run(child(json.loads(given.child)) if given.child else main(given))
