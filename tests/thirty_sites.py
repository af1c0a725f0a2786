"""Export thirty sites with twelve goals each and ninety days; `nox -s export_faults`.

One site is forbidden, and one goal fails. The rest must be there, the report must name the two, and
the next run must mend them.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rybbit_async import PermissionDeniedError, Retry, RybbitClient, ServerError
from rybbit_async.export import ExportReport, export, open_duckdb
from rybbit_async.export.units import LISTS
from rybbit_async.testing import RybbitServer, Store, faults

END = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAYS, SITES, GOALS, SESSIONS = 90, 30, 12, 120
FORBIDDEN, FAILING = 17, 4  # a site, and the place of a goal of site 3


def fill(store: Store) -> None:
    for number in range(1, SITES + 1):
        site = store.add_site(f"site {number}")
        store.add_events(
            site,
            [
                {
                    "timestamp": END - timedelta(days=1 + at * (DAYS - 2) / SESSIONS, seconds=page),
                    "session_id": f"s{number}-{at}",
                    "user_id": f"u{at % 50}",
                    "pathname": f"/{(at + page) % GOALS}",
                }
                for at in range(SESSIONS)
                for page in range(2)
            ],
        )
        for at in range(GOALS):
            pattern = {"pathPattern": f"/{at}"}
            store.add_goal(site, "path", pattern, name=f"Goal {at}", created_at=END)


def rows(folder: Path) -> dict[str, list[str]]:
    with open_duckdb(folder) as db:
        return {
            name: sorted(map(repr, db.sql(f"SELECT * FROM {name}").fetchall())) for name in LISTS
        }


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Store() as store:
        fill(store)
        goal = store.goals(3)[FAILING].goal_id
        async with RybbitServer(store=store, clock=lambda: END) as server:
            retry = Retry(attempts=1)
            async with RybbitClient(server.api_key, base_url=server.url, retry=retry) as client:
                options: Any = {"since": (END - timedelta(days=DAYS)).date(), "until": "2026-03-30"}

                async def run(to: str) -> ExportReport:
                    began = time.monotonic()
                    report = await export(client, to=Path(folder, to), **options)
                    print(f"{time.monotonic() - began:.0f} s: {report}\n", flush=True)
                    return report

                whole = await run("whole")
                assert whole.complete
                assert whole.done == (SITES * (GOALS + 4)) * 4
                site = server.inject(
                    faults.Status(403),
                    times=None,
                    when=lambda request: f"/sites/{FORBIDDEN}/" in request.path,
                )
                failing = server.inject(
                    faults.Status(500),
                    times=None,
                    when=lambda request: f"/sites/3/goals/{goal}/sessions" in request.path,
                )
                part = await run("part")
                errors = [(one.site, one.goal, type(one.error)) for one in part.failures]
                assert errors[0] == (str(FORBIDDEN), None, PermissionDeniedError)
                assert errors[1:] == [(3, goal, ServerError)] * 4, errors
                assert part.done == whole.done - (GOALS + 4) * 4 - 4
                site.remove()
                failing.remove()
                mended = await run("part")
                assert mended.complete
                assert mended.kept + mended.done == whole.done
        expected, found = rows(Path(folder, "whole")), rows(Path(folder, "part"))
        assert found == expected
        print({name: len(each) for name, each in found.items()}, "equal")


if __name__ == "__main__":
    asyncio.run(main())
