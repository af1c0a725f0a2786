"""The main job, to be seen: `nox -s demo`, or `python -m rybbit_async.demo`.

Lists the goals of a site with their conversion rates, walks the sessions of every goal at once,
and then one after another for comparison. The server is an embedded one, in a process of its
own, so that the seconds that are shown are the client's; or, where `RYBBIT_BASE_URL` names one,
that one, with `RYBBIT_API_KEY` and `RYBBIT_SITE`.
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
from typing import Final, cast

from attrs import frozen
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from . import EventGoal, Goal, PathGoal, Report, RybbitClient, RybbitError

DAYS: Final = 30
SESSIONS: Final = 50_000
GOALS: Final = 12
LATENCY: Final = 0.05  # seconds, roughly a server on the same continent
CONNECTIONS: Final = 16  # enough to show the difference, and polite to a real server
PAGE_SIZE: Final = 500
BAR_WIDTH: Final = 20
BAR_PARTS: Final = " ▏▎▍▌▋▊▉"


class DemoError(Exception):
    """What keeps the demo from running, in one line for the user."""


@frozen
class Target:
    """The server to talk to, and the site to look at."""

    base_url: str | None
    api_key: str | None
    site: int | str


@frozen
class Window:
    """The days that are looked at, both included."""

    start: date
    end: date


@frozen
class Tally:
    """What one way of walking took."""

    sessions: int
    requests: int
    duplicates: int
    seconds: float

    @classmethod
    def of(cls, reports: Sequence[Report], seconds: float) -> Tally:
        """The sum of what the walks report, in ``seconds`` by the clock."""
        return cls(
            sum(report.items for report in reports),
            sum(report.requests for report in reports),
            sum(report.duplicates for report in reports),
            seconds,
        )


@asynccontextmanager
async def embedded_server() -> AsyncGenerator[Target, None]:
    """`python -m rybbit_async.testing` in a process of its own, ended with the block."""
    options = {"sessions": SESSIONS, "days": DAYS, "goals": GOALS, "latency": LATENCY}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rybbit_async.testing", "--json"),
        *(f"--{name}={value}" for name, value in options.items()),
        # A page that was kept from the first walk would make the second one look faster.
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
            said = (await process.stderr.read()).decode(errors="replace").strip()
            reason = said.rpartition("\n")[2] or f"exit status {await process.wait()}"
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
    """The server that the environment names."""
    site = os.environ.get("RYBBIT_SITE", "").strip()
    if not site:
        raise DemoError(
            "RYBBIT_BASE_URL is set, but not RYBBIT_SITE: the numeric id of the site to look at, "
            "or its identifier of 12 hexadecimal characters"
        )
    # The client itself reads RYBBIT_BASE_URL and RYBBIT_API_KEY.
    return Target(None, None, int(site) if site.isdecimal() else site)


# --- what is drawn -----------------------------------------------------------------------------


def title(goal: Goal) -> str:
    """A goal's name, or what it looks for if it has none."""
    return goal.name or matches(goal)


def matches(goal: Goal) -> str:
    """What a goal looks for, in a few words."""
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
    """A bar of up to ``BAR_WIDTH`` columns, in eighths of a column."""
    eighths = round(share * BAR_WIDTH * 8)
    return "█" * (eighths // 8) + BAR_PARTS[eighths % 8].strip()


def goals_table(goals: Sequence[Goal]) -> Table:
    """The goals with their conversion rates."""
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
    """What both ways took, side by side."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("all at once", justify="right", style="bold green")
    table.add_column("one after another", justify="right")
    table.add_row("sessions", f"{at_once.sessions:,}", f"{in_turn.sessions:,}")
    if at_once.duplicates or in_turn.duplicates:
        table.add_row("rows that came twice", f"{at_once.duplicates:,}", f"{in_turn.duplicates:,}")
    table.add_row("requests", f"{at_once.requests:,}", f"{in_turn.requests:,}")
    table.add_row("seconds", f"{at_once.seconds:.2f}", f"{in_turn.seconds:.2f}")
    return table


# --- the walks ---------------------------------------------------------------------------------


@frozen
class Job:
    """What is walked, and with which client."""

    client: RybbitClient
    site: int | str
    window: Window
    goals: Sequence[Goal]

    async def at_once(self, progress: Progress) -> Tally:
        """Walk every goal's sessions at once, a row for each in ``progress``."""
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
            # A visitor who signs in half-way is one conversion, and two rows.
            progress.update(row, total=report.items)
        return Tally.of(reports, seconds)

    async def in_turn(self, progress: Progress) -> Tally:
        """Walk them one goal after another, one page after another."""
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


def expected(goal: Goal) -> int:
    """How many sessions the list of goals promises."""
    return goal.total_conversions or 0


def progress_on(console: Console) -> Progress:
    """Live rows on a terminal; in a file, only how they ended."""
    return Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:>7,.0f} of {task.total:>7,.0f}"),
        console=console,
    )


async def show(console: Console, target: Target) -> None:
    """The whole job against one server."""
    today = datetime.now(UTC).date()
    window = Window(today - timedelta(days=DAYS), today)
    async with RybbitClient(
        target.api_key, base_url=target.base_url, max_connections=CONNECTIONS
    ) as client:
        found = client.goals.iter(target.site, start_date=window.start, end_date=window.end)
        goals = sorted([goal async for goal in found], key=lambda goal: -expected(goal))
        console.print(f"\n[bold]Goals of site {target.site}, {window.start} to {window.end}\n")
        if not goals:
            console.print("There are none.")
            return
        console.print(goals_table(goals))

        console.print("\n[bold]The sessions of every goal, all at once, then one after another\n")
        job = Job(client, target.site, window, goals)
        with progress_on(console) as progress:
            at_once = await job.at_once(progress)
            in_turn = await job.in_turn(progress)

    console.print("\n[bold]Summary\n")
    console.print(summary_table(at_once, in_turn))
    console.print(
        f"\n{in_turn.seconds / at_once.seconds:.1f} times as fast, "
        f"with {PAGE_SIZE} sessions a page, over at most {CONNECTIONS} connections."
    )


async def run(console: Console) -> None:
    """The job, against the server that the environment asks for."""
    if os.environ.get("RYBBIT_BASE_URL", "").strip():
        await show(console, real_server())
        return
    console.print(
        f"An embedded server, in a process of its own: {DAYS} days of made-up traffic, "
        f"{SESSIONS:,} sessions, {GOALS} goals, and {LATENCY * 1000:.0f} ms added to each request. "
        "RYBBIT_BASE_URL, RYBBIT_API_KEY and RYBBIT_SITE point this at a real one."
    )
    async with embedded_server() as target:
        await show(console, target)


def main() -> int:
    """Run the demo; give the exit status."""
    # A file may be in an encoding that lacks what is drawn.
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="replace")
    # Whoever ends the demo, the embedded server ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False)
    try:
        try:
            asyncio.run(run(console))
        except ExceptionGroup as group:  # of a TaskGroup: the first is what went wrong
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
