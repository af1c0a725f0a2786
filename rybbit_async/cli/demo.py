"""``rybbit-async demo``: the package at work.

It lists the goals of a site with their conversion rates, walks the sessions of all goals at once,
and then walks them one goal after another for comparison. At last it exports the goals and their
sessions to Parquet files, and asks DuckDB a question about them. Without a site it starts an
embedded server in a separate process, so that the measured time is that of the client.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Final

from attrs import evolve, frozen
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from .. import Goal, Report, RybbitClient
from ..export import Export, ExportReport, RowsWritten, open_duckdb
from .demo_tables import Tally, answer_table, expected, goals_table, summary_table
from .exits import CommandError, Exit
from .options.connection import Connection
from .output.text import visible
from .output.values import goal_name
from .run import Job, run
from .terminal import Terminal

__all__ = ["demo"]

# The landing pages that led to most conversions, with the goal that most of them reached.
QUESTION: Final = """
SELECT entry_page AS landing_page,
       count(*) AS conversions,
       mode(name) AS most_often
FROM goal_sessions
JOIN goals ON goals.goal_id = goal_sessions.goal
GROUP BY landing_page
ORDER BY conversions DESC, landing_page
LIMIT 5
"""
DAYS: Final = 30
SESSIONS: Final = 50_000
GOALS: Final = 12
LATENCY: Final = 0.05  # seconds, roughly a server on the same continent
CONNECTIONS: Final = 16  # enough to show the difference without straining a real server
PAGE_SIZE: Final = 500


@frozen
class Window:
    """The first and the last day of the data, both included."""

    start: date
    end: date


@asynccontextmanager
async def _embedded_server(sessions: int) -> AsyncGenerator[tuple[RybbitClient, int], None]:
    """Run ``rybbit-async serve`` in a separate process, which ends with the block.

    Raises:
        CommandError: it does not start.
    """
    options = {"sessions": sessions, "days": DAYS, "goals": GOALS, "latency": LATENCY}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rybbit_async", "serve", "--json"),
        *(f"--{name}={value}" for name, value in options.items()),
        # Otherwise the second walk would be faster, because the server has cached its pages.
        "--cache=0",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = await process.stdout.readline()
        if not line:
            output = (await process.stderr.read()).decode(errors="replace").strip()
            reason = output.rpartition("\n")[2] or f"exit status {await process.wait()}"
            raise CommandError(f"the embedded server did not start: {reason}")
        ready = json.loads(line)
        client = RybbitClient(ready["api_key"], base_url=ready["url"], max_connections=CONNECTIONS)
        async with client:
            yield client, ready["sites"][0]["site_id"]
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()


# --- walks -------------------------------------------------------------------------------------


@frozen
class Walks:
    """The goals to walk, and the client to walk them with."""

    client: RybbitClient
    site: int | str
    window: Window
    goals: Sequence[Goal]

    async def at_once(self, progress: Progress) -> Tally:
        """Walk the sessions of all goals at once; ``progress`` gets a row for each goal."""
        rows = [
            progress.add_task(escape(visible(goal_name(g))), total=expected(g)) for g in self.goals
        ]
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            walks = [
                group.create_task(self._walk(self.client, goal, progress, row))
                for goal, row in zip(self.goals, rows, strict=True)
            ]
        seconds = time.perf_counter() - began
        reports = [walk.result() for walk in walks]
        for row, report in zip(rows, reports, strict=True):
            # A visitor who signs in during a session is one conversion, but two rows.
            progress.update(row, total=report.items)
        return Tally.of(reports, seconds)

    async def in_turn(self, progress: Progress) -> Tally:
        """Walk the sessions one goal after another, and one page after another."""
        client = self.client.with_options(concurrency=1)
        row = progress.add_task("One after another", total=sum(map(expected, self.goals)))
        began = time.perf_counter()
        reports = [await self._walk(client, goal, progress, row) for goal in self.goals]
        tally = Tally.of(reports, time.perf_counter() - began)
        progress.update(row, total=tally.sessions)
        return tally

    async def _walk(
        self, client: RybbitClient, goal: Goal, progress: Progress, row: TaskID
    ) -> Report:
        sessions = client.goals.sessions.iter(
            self.site,
            goal,
            page_size=PAGE_SIZE,
            start_date=self.window.start,
            end_date=self.window.end,
        )
        async for page in sessions.pages():
            progress.advance(row, len(page))
        return sessions.report

    async def export(self, folder: str, progress: Progress) -> ExportReport:
        """Export the goals and their sessions."""
        work = Export(
            self.client,
            to=folder,
            sites=self.site,
            since=self.window.start,
            until=self.window.end,
            what=["goals", "goal_sessions"],
            partition="none",
        )
        row = progress.add_task("Rows", total=sum(map(expected, self.goals)) + len(self.goals))
        async for event in work.run():
            if isinstance(event, RowsWritten):
                progress.advance(row, event.rows)
        progress.update(row, total=work.report.rows)
        return work.report


def progress_on(console: Console) -> Progress:
    """Progress rows that update on a terminal; in a file, only their final state."""
    return Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:>7,.0f} of {task.total:>7,.0f}"),
        console=console,
    )


async def _show(console: Console, client: RybbitClient, site: int | str) -> None:
    """Show one site of one server."""
    today = datetime.now(UTC).date()
    window = Window(today - timedelta(days=DAYS), today)
    found = client.goals.iter(site, start_date=window.start, end_date=window.end)
    goals = sorted([goal async for goal in found], key=lambda goal: -expected(goal))
    _title(console, f"Goals of site {site}, {window.start} to {window.end}\n")
    if not goals:
        console.print("This site has no goals.")
        return
    console.print(goals_table(goals))

    console.print(
        "\nThe sessions of all goals: at once, then one goal after another\n", style="bold"
    )
    walks = Walks(client, site, window, goals)
    with progress_on(console) as progress:
        at_once = await walks.at_once(progress)
        in_turn = await walks.in_turn(progress)

    with TemporaryDirectory(prefix="rybbit-") as folder:
        console.print(
            "\nAn export of the goals and their sessions to Parquet files\n", style="bold"
        )
        with progress_on(console) as progress:
            report = await walks.export(folder, progress)
        _title(console, "The landing pages that led to most conversions, by DuckDB")
        console.print(QUESTION, style="dim")
        with open_duckdb(folder) as db:
            answer = db.sql(QUESTION)
            console.print(answer_table(answer.columns, answer.fetchall()))

    _title(console, "Summary\n")
    console.print(summary_table(at_once, in_turn))
    console.print(
        f"\nAll at once was {in_turn.seconds / at_once.seconds:.1f} times as fast, "
        f"with {PAGE_SIZE} sessions per page and at most {CONNECTIONS} connections. The export "
        f"wrote {report.rows:,} rows with {report.requests} requests in {report.seconds:.1f} s."
    )


def _title(console: Console, text: str) -> None:
    console.print(f"\n{text}", style="bold")


def demo(
    site: int | str | None, connection: Connection, terminal: Terminal, *, sessions: int = SESSIONS
) -> int:
    """Show a site of the server that is set, or else an embedded server.

    Args:
        site: the site; ``None`` for the embedded server.
        connection: how to reach the server of the site.
        terminal: where to show it.
        sessions: how many the embedded server has.

    Raises:
        CommandError: the embedded server does not start.
        RybbitError: the site cannot be read.
    """
    # The encoding of a redirected output may not have all characters of the tables.
    if (reconfigure := getattr(terminal.out, "reconfigure", None)) is not None:
        reconfigure(errors="replace")
    console = terminal.console
    if site is None:
        _show_embedded(console, sessions)
        return Exit.OK

    async def show(job: Job) -> None:
        options = {**job.settings.options, "max_connections": CONNECTIONS}
        async with evolve(job.settings, options=options).client() as client:
            await _show(console, client, site)

    return run(show, connection)


def _show_embedded(console: Console, sessions: int) -> None:
    async def show() -> None:
        async with _embedded_server(sessions) as (client, site):
            await _show(console, client, site)

    console.print(
        f"Starting an embedded server with {DAYS} days of generated traffic: {sessions:,} sessions "
        f"and {GOALS} goals. Each request is delayed by {LATENCY * 1000:.0f} ms. "
        "To use a server of your own, name a site of it: rybbit-async demo SITE."
    )
    # Stop the server on SIGTERM, too, and not only on Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(show())
    except ExceptionGroup as group:  # of a TaskGroup: its first error is the cause
        raise group.exceptions[0] from None
    finally:
        signal.signal(signal.SIGTERM, before)
