"""A demonstration of the package: `nox -s demo`, or `python -m rybbit_async.demo`.

It lists the goals of a site with their conversion rates, walks the sessions of all goals at once,
and then walks them one goal after another for comparison. At last it exports the goals and their
sessions to Parquet files, and asks DuckDB a question about them. By default it starts an embedded
server in a separate process, so that the measured time is that of the client. If `RYBBIT_BASE_URL`
is set, it uses that server, with `RYBBIT_API_KEY` and `RYBBIT_SITE`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from io import TextIOWrapper
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

from attrs import frozen
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from . import EventGoal, Goal, PathGoal, Report, RybbitClient, RybbitError
from .export import Export, ExportReport, RowsWritten, open_duckdb

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
BAR_WIDTH: Final = 20
BAR_PARTS: Final = " ▏▎▍▌▋▊▉"


class DemoError(Exception):
    """The demo cannot run. The message is one line, for the user."""


@frozen
class Target:
    """The server to connect to, and the site to show."""

    base_url: str | None
    api_key: str | None
    site: int | str


@frozen
class Window:
    """The first and the last day of the data, both included."""

    start: date
    end: date


@frozen
class Tally:
    """The totals of one way of walking."""

    sessions: int
    requests: int
    duplicates: int
    seconds: float

    @classmethod
    def of(cls, reports: Sequence[Report], seconds: float) -> Tally:
        """Add up the reports of walks that together took ``seconds``."""
        return cls(
            sum(report.items for report in reports),
            sum(report.requests for report in reports),
            sum(report.duplicates for report in reports),
            seconds,
        )


@asynccontextmanager
async def embedded_server() -> AsyncGenerator[Target, None]:
    """Run `python -m rybbit_async.testing` in a separate process, which ends with the block."""
    options = {"sessions": SESSIONS, "days": DAYS, "goals": GOALS, "latency": LATENCY}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rybbit_async.testing", "--json"),
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
            raise DemoError(f"the embedded server did not start: {reason}")
        ready = json.loads(line)
        yield Target(ready["url"], ready["api_key"], ready["sites"][0]["site_id"])
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()


def real_server() -> Target:
    """The server that the environment variables describe."""
    site = os.environ.get("RYBBIT_SITE", "").strip()
    if not site:
        raise DemoError(
            "RYBBIT_BASE_URL is set, but RYBBIT_SITE is not: it must be the numeric id of the site "
            "to show, or its identifier of 12 hexadecimal characters"
        )
    # The client itself reads RYBBIT_BASE_URL and RYBBIT_API_KEY.
    return Target(None, None, int(site) if site.isdecimal() else site)


# --- output ------------------------------------------------------------------------------------


def title(goal: Goal) -> str:
    """The name of a goal, or a description of what it matches if it has no name."""
    return goal.name or matches(goal)


def matches(goal: Goal) -> str:
    """A short description of what a goal matches."""
    match goal.config:
        case PathGoal(path_pattern=pattern):
            return pattern
        case EventGoal(event_name=event, property_key=None):
            return event
        case EventGoal(event_name=event, property_key=key, property_value=value):
            return f"{event}, {key}={value}"
        case _:
            return goal.goal_type


def bar(share: float) -> str:
    """A bar of up to ``BAR_WIDTH`` columns for a ``share`` from 0 to 1."""
    eighths = round(share * BAR_WIDTH * 8)
    return "█" * (eighths // 8) + BAR_PARTS[eighths % 8].strip()


def goals_table(goals: Sequence[Goal]) -> Table:
    """A table of the goals with their conversion rates."""
    best = max((goal.conversion_rate or 0 for goal in goals), default=0) or 1
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("goal", no_wrap=True, ratio=3)
    table.add_column("path or event", no_wrap=True, style="dim", ratio=3)
    table.add_column("reached", justify="right")
    table.add_column("rate", justify="right")
    table.add_column("", width=BAR_WIDTH, style="cyan")
    for goal in goals:
        rate = goal.conversion_rate or 0
        table.add_row(
            Text(goal.name or "(no name)", style="" if goal.name else "dim"),
            Text(matches(goal)),
            f"{expected(goal):,}",
            f"{rate:.1%}",
            bar(rate / best),
        )
    return table


def summary_table(at_once: Tally, in_turn: Tally) -> Table:
    """A table that compares both ways of walking."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("all at once", justify="right", style="bold green")
    table.add_column("one after another", justify="right")
    table.add_row("sessions", f"{at_once.sessions:,}", f"{in_turn.sessions:,}")
    if at_once.duplicates or in_turn.duplicates:
        table.add_row("duplicate rows", f"{at_once.duplicates:,}", f"{in_turn.duplicates:,}")
    table.add_row("requests", f"{at_once.requests:,}", f"{in_turn.requests:,}")
    table.add_row("seconds", f"{at_once.seconds:.2f}", f"{in_turn.seconds:.2f}")
    return table


def answer_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """The answer to a question in SQL."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column, value in zip(columns, rows[0] if rows else columns, strict=True):
        table.add_column(column, justify="right" if isinstance(value, int) else "left")
    for row in rows:
        table.add_row(*(f"{each:,}" if isinstance(each, int) else str(each) for each in row))
    return table


# --- walks -------------------------------------------------------------------------------------


@frozen
class Job:
    """The goals to walk, and the client to walk them with."""

    client: RybbitClient
    site: int | str
    window: Window
    goals: Sequence[Goal]

    async def at_once(self, progress: Progress) -> Tally:
        """Walk the sessions of all goals at once; ``progress`` gets a row for each goal."""
        rows = [progress.add_task(escape(title(g)), total=expected(g)) for g in self.goals]
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


def expected(goal: Goal) -> int:
    """The number of sessions of a goal, according to the list of goals."""
    return goal.total_conversions or 0


def progress_on(console: Console) -> Progress:
    """Progress rows that update on a terminal; in a file, only their final state."""
    return Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:>7,.0f} of {task.total:>7,.0f}"),
        console=console,
    )


async def show(console: Console, target: Target) -> None:
    """Run the demo against one server."""
    today = datetime.now(UTC).date()
    window = Window(today - timedelta(days=DAYS), today)
    async with RybbitClient(
        target.api_key, base_url=target.base_url, max_connections=CONNECTIONS
    ) as client:
        found = client.goals.iter(target.site, start_date=window.start, end_date=window.end)
        goals = sorted([goal async for goal in found], key=lambda goal: -expected(goal))
        console.print(f"\n[bold]Goals of site {target.site}, {window.start} to {window.end}\n")
        if not goals:
            console.print("This site has no goals.")
            return
        console.print(goals_table(goals))

        console.print("\n[bold]The sessions of all goals: at once, then one goal after another\n")
        job = Job(client, target.site, window, goals)
        with progress_on(console) as progress:
            at_once = await job.at_once(progress)
            in_turn = await job.in_turn(progress)

        with TemporaryDirectory(prefix="rybbit-") as folder:
            console.print("\n[bold]An export of the goals and their sessions to Parquet files\n")
            with progress_on(console) as progress:
                report = await job.export(folder, progress)
            console.print("\n[bold]The landing pages that led to most conversions, by DuckDB")
            console.print(QUESTION, style="dim")
            with open_duckdb(folder) as db:
                answer = db.sql(QUESTION)
                console.print(answer_table(answer.columns, answer.fetchall()))

    console.print("\n[bold]Summary\n")
    console.print(summary_table(at_once, in_turn))
    console.print(
        f"\nAll at once was {in_turn.seconds / at_once.seconds:.1f} times as fast, "
        f"with {PAGE_SIZE} sessions per page and at most {CONNECTIONS} connections. The export "
        f"wrote {report.rows:,} rows with {report.requests} requests in {report.seconds:.1f} s."
    )


async def run(console: Console) -> None:
    """Run the demo against the server in the environment variables, or an embedded one."""
    if os.environ.get("RYBBIT_BASE_URL", "").strip():
        await show(console, real_server())
        return
    console.print(
        f"Starting an embedded server with {DAYS} days of generated traffic: {SESSIONS:,} sessions "
        f"and {GOALS} goals. Each request is delayed by {LATENCY * 1000:.0f} ms. "
        "To use a real server, set RYBBIT_BASE_URL, RYBBIT_API_KEY and RYBBIT_SITE."
    )
    async with embedded_server() as target:
        await show(console, target)


def main() -> int:
    """Run the demo and return the exit status."""
    # The encoding of a redirected output may not have all characters of the tables.
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="replace")
    # Stop the embedded server on SIGTERM, too, not only on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False)
    try:
        try:
            asyncio.run(run(console))
        except ExceptionGroup as group:  # from a TaskGroup: its first error is the cause
            raise group.exceptions[0] from None
    except KeyboardInterrupt:
        return 130
    except (DemoError, RybbitError) as error:
        Console(stderr=True, highlight=False).print(
            f"demo: {error}", style="red", markup=False, soft_wrap=True
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
