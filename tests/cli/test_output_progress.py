"""Progress on stderr: only where it disturbs nothing, and pauses by their names."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from rybbit_async import PageRead, Paused, RetryPlanned
from rybbit_async.cli.output.progress import Progress, may_draw
from rybbit_async.cli.terminal import Terminal

from .streams import Job, Stream, job, told

PAUSE = Paused(scope="daily", seconds=42.0)
RETRY: dict[str, Any] = {
    "request_id": 1,
    "method": "GET",
    "route": "/",
    "url": "/",
    "attempt": 1,
    "cause": "ServerError",
    "status": 503,
}


@pytest.fixture(autouse=True)
def terminal_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def line(progress: Progress) -> str:
    """What is shown, without the spinner."""
    return progress.line().plain.partition(" ")[2]


def test_rows_speed_and_the_time_that_is_left() -> None:
    clock = Clock()
    progress = Progress(job(tty=True).terminal, "sessions", clock=clock)
    assert line(progress) == "sessions  0"
    clock.now += 2
    progress.rows(1000)
    assert line(progress) == "sessions  1,000  500/s"
    progress.rows(1000, total=4000)
    assert line(progress) == "sessions  ████              1,000 of 4,000  500/s  6s left"
    progress.rows(5000, label="users")
    assert line(progress).startswith("users  ████████████████  5,000 of 5,000")


def test_the_total_that_a_page_tells() -> None:
    progress = Progress(job(tty=True).terminal, "users")
    progress.tell(PageRead(rows=1, items=1, pages=1, requests=1, total=10))
    progress.rows(1)
    assert "1 of 10" in line(progress)


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ("daily", "daily limit"),
        ("burst", "burst limit"),
        ("rate_limit", "rate limit"),
        (None, "rate limit"),
    ],
)
def test_a_pause_is_shown_with_its_limit_until_it_ends(scope: str | None, name: str) -> None:
    clock = Clock()
    progress = Progress(job(tty=True).terminal, clock=clock, draw=False)
    progress.pause(scope, 42)
    clock.now += 2
    progress.tell(PageRead(rows=1, items=1, pages=1, requests=1))  # was asked for before
    assert line(progress).endswith(f"paused 40 s: {name}")
    clock.now += 40
    assert "paused" not in line(progress)


def test_a_retry_is_shown_until_a_page_comes() -> None:
    progress = Progress(job(tty=True).terminal, draw=False)
    progress.tell(RetryPlanned(wait=30.0, **RETRY))
    assert line(progress).endswith("paused 30 s: trying again after status 503")
    progress.tell(PageRead(rows=1, items=1, pages=1, requests=1))
    assert "paused" not in line(progress)
    progress.tell(RetryPlanned(wait=None, **RETRY))
    assert line(progress).endswith("waiting: the server is away (status 503)")


def test_a_pause_is_one_line_where_nothing_is_drawn() -> None:
    of = job()
    with Progress(of.terminal) as progress:
        progress.tell(Paused(scope="burst", seconds=4.0))
        progress.tell(PAUSE)
        progress.tell(PAUSE)  # of another request
        progress.tell(RetryPlanned(wait=None, **RETRY))
        progress.tell(RetryPlanned(wait=0.2, **RETRY))
    progress.tell(PAUSE)
    assert told(of).splitlines() == [
        "paused 42 s: daily limit",
        "waiting: the server is away (status 503)",
    ]


async def test_it_is_drawn_when_it_takes_long_and_cleared_at_the_end() -> None:
    of = job(tty=True)
    with Progress(of.terminal, "sessions") as progress:
        progress.rows(10)
        assert not told(of)
        progress.pause("burst", 9)
        assert "sessions" in told(of)
        of.terminal.warn("something")
        assert "warning: something\n" in told(of)
    assert told(of).endswith(("\x1b[2K", "\x1b[?25h"))
    before = told(of)
    progress.pause("burst", 9)
    assert told(of) == before


async def test_a_message_comes_above_the_line_and_leaves_none_of_it() -> None:
    of = job(tty=True)
    with Progress(of.terminal, "sessions", draw=True) as progress:
        progress.pause("daily", 42.0)  # which draws at once
        progress.rows(7)
        of.terminal.warn("look at this")
        # A line that is drawn again is erased first.
        screen = [line.rpartition("\x1b[2K")[2] for line in told(of).split("\n")]
    assert screen[0] == "warning: look at this"
    assert ["sessions" in line for line in screen] == [False, True]


async def test_what_is_quick_draws_nothing() -> None:
    of = job(tty=True)
    with Progress(of.terminal, "sessions") as progress:
        progress.rows(10)
        await asyncio.sleep(0)
    assert not told(of)


def test_where_progress_can_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tty, read_write = Stream(tty=True), os.pipe()
    both = Terminal(tty, Stream(tty=True))
    assert may_draw(both, "table")
    assert may_draw(both, "parquet")
    assert not may_draw(both, "jsonl")  # rows are written to the same terminal
    with (tmp_path / "rows").open("w") as file:
        assert may_draw(Terminal(file, Stream(tty=True)), "jsonl")
    os.close(read_write[0])
    with os.fdopen(read_write[1], "w") as pipe:
        assert not may_draw(Terminal(pipe, Stream(tty=True)), "jsonl")  # a pager may read it
    assert not may_draw(Terminal(tty, Stream()), "table")
    monkeypatch.setenv("TERM", "dumb")
    assert not may_draw(Terminal(tty, Stream(tty=True)), "table")


def test_a_terminal_without_these_characters() -> None:
    progress = Progress(job(tty=True, encoding="ascii").terminal, "rows", 10, draw=False)
    progress.rows(5)
    assert "########" in progress.line().plain
    assert progress.line().plain.isascii()


def test_a_job_is_listened_to() -> None:
    of: Job = job()
    of.listen(Progress(of.terminal).tell)
    for listener in of.listeners:
        listener(PAUSE)
    assert "daily limit" in told(of)
