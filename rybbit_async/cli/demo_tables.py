"""The tables of ``rybbit-async demo``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen
from rich.table import Table
from rich.text import Text

from .. import Goal, Report
from .output.text import visible
from .output.values import goal_counts

__all__ = ["Tally", "answer_table", "expected", "goals_table", "summary_table"]

BAR_WIDTH: Final = 20
BAR_PARTS: Final = " ▏▎▍▌▋▊▉"


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


def expected(goal: Goal) -> int:
    """The number of sessions of a goal, according to the list of goals."""
    return goal.total_conversions or 0


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
            Text(visible(goal.name or "(no name)"), style="" if goal.name else "dim"),
            Text(visible(goal_counts(goal))),
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
        table.add_row(*map(_cell, row))
    return table


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else visible(str(value))
