"""The server that is measured against: the embedded one, in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from attrs import frozen

from rybbit_async.testing import Store, generate

DAYS: Final = 30
END: Final = datetime(2025, 1, 1, tzinfo=UTC)  # of all traffic: the same data in every run
PAST: Final[dict[str, Any]] = {
    "start_date": "2024-11-01",
    "end_date": "2024-12-31",
    "time_zone": "UTC",
}


def live_window() -> dict[str, Any]:
    """A window that reaches the present. It holds the same rows as ``PAST``."""
    return {**PAST, "end_date": str(date.today() + timedelta(days=2))}  # noqa: DTZ011  # two days off, in any zone


def stretches(number: int) -> list[dict[str, str]]:
    """The days of the traffic as windows that follow one another, about equally long."""
    begin = (END - timedelta(days=DAYS)).date()
    edges = [begin + timedelta(days=DAYS * n // number) for n in range(number + 1)]
    return [
        {
            "start_date": str(first),
            "end_date": str(until - timedelta(days=1)),
            "time_zone": "UTC",
        }
        for first, until in pairwise(edges)
    ]


@frozen
class Site:
    """A site whose first goal was reached by every one of its ``sessions``."""

    site_id: int
    goal_id: int
    sessions: int


@frozen
class Target:
    """A server that runs."""

    url: str
    api_key: str
    sites: tuple[Site, ...]

    @property
    def site(self) -> Site:
        """The first site."""
        return self.sites[0]

    def goals_url(self, site: Site) -> str:
        """Where the goals of a site are listed."""
        return f"{self.url}/api/sites/{site.site_id}/goals"

    def sessions_url(self, site: Site) -> str:
        """Where the sessions of its first goal are listed."""
        return f"{self.goals_url(site)}/{site.goal_id}/sessions"


@contextmanager
def serving(
    sessions: Sequence[int], *, goals: int = 1, latency: float = 0.0, cache: int = 128
) -> Generator[Target, None, None]:
    """A server with one site for each number of sessions, ended with the block.

    Each session is one page view with a ``session_end`` of its own; three of its text fields
    arrive as numbers. ``cache`` is MiB of rendered pages, so that a page which was asked for
    before costs the server next to nothing.
    """
    with TemporaryDirectory() as directory:
        database = Path(directory) / "events.duckdb"
        sites: list[Site] = []
        with Store(database) as store:
            for number in sessions:
                traffic = generate(
                    store,
                    sessions=number,
                    days=DAYS,
                    end=END,
                    goals=goals,
                    uniform=True,
                    distinct_ends=True,
                )
                site_id = traffic.site.site_id
                sites.append(Site(site_id, traffic.goals[site_id][0], number))
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "rybbit_async", "serve", "--json"),
                *(f"--database={database}", f"--latency={latency}", f"--cache={cache}"),
                "--release=2.4",  # with the 35 fields of a session that the documentation has
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield Target(ready["url"], ready["api_key"], tuple(sites))
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()
