"""``rybbit-async watch``: the conversions of a site as they come, each once."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen
from rich.text import Text

from .. import (
    Activity,
    Filter,
    InvalidParameterError,
    Paused,
    Polled,
    WatchedSession,
    to_json,
)
from ..walks.watch import Watch
from .exits import CommandError, Exit
from .names import find_site, several_goals
from .options.window import zone_of
from .output.stream import Outlet
from .output.text import visible, visible_json
from .output.values import counted, duration, goal_name
from .run import Job
from .terminal import Terminal
from .watch_state import WatchState

__all__ = ["Watching", "watch"]

_COLORS: Final = (
    *("cyan", "green", "yellow", "magenta", "blue", "bright_red", "bright_cyan", "bright_green"),
    *("bright_yellow", "bright_magenta", "bright_blue", "red"),
)
_LONG: Final = 5.0  # seconds; a pause of this length is told
_WIDE: Final = 100  # columns; a line has more then


@frozen(kw_only=True)
class Watching:
    """What to watch.

    Attributes:
        site: the site.
        goals: their numbers or names; none stand for all.
        filters: which sessions.
        jsonl: whether rows are JSON, also on a terminal.
        seconds: for how long; ``None`` for ever.
        count: how many conversions; ``None`` for all.
        state: a file that keeps the position.
        interval: how many seconds to wait before asking again.
    """

    site: str
    goals: tuple[str, ...] = ()
    filters: Sequence[Filter] | None = None
    jsonl: bool = False
    seconds: float | None = None
    count: int | None = None
    state: Path | None = None
    interval: float = 5.0


async def watch(job: Job, watching: Watching) -> int:
    """Watch until the time, or the number of conversions, is reached.

    Raises:
        CommandError: there is no such goal, or the file of the state cannot be used.
    """
    state = None if watching.state is None else WatchState(watching.state, job.terminal)
    start = None if state is None else state.read()
    site = await find_site(job, watching.site)
    wanted = await several_goals(job, site, watching.goals) if watching.goals else None
    can = await job.client.capabilities(site) if watching.filters else None
    if can is not None and can.goal_session_filters is False:
        raise CommandError(
            "--filter must not be given here, since this server (Rybbit before 2.9) ignores "
            "filters for the sessions of goals",
            Exit.USAGE,
        )
    try:
        news = job.client.goals.sessions.watch(
            site,
            next(iter(wanted)) if wanted is not None and len(wanted) == 1 else None,
            start=start,
            interval=watching.interval,
            filters=watching.filters,
            on_event=_Told(job.terminal, state),
        )
    except InvalidParameterError as error:
        if start is None:
            raise
        raise CommandError(
            f"--state must name a file that was written for the same site, goals and filters, got "
            f"{watching.state}: "
            "name another file, or remove it to begin anew",
            Exit.USAGE,
        ) from error
    if state is not None:
        state.news = news
    as_json = watching.jsonl or not job.terminal.out_is_terminal
    lines = _Lines(job, as_json=as_json)
    if not as_json:
        which = "all goals" if wanted is None else ", ".join(watching.goals)
        since = "" if start is None else ", from where it was left"
        job.terminal.message(
            f"Watching {which} of site {watching.site}{since}; times are in {job.time_zone}. "
            "Ctrl-C ends it."
        )
    begun, limit = time.monotonic(), asyncio.timeout(watching.seconds)
    try:
        async with limit:
            with _ended_by_sigterm(limit):
                await _follow(news, watching, wanted, lines, state)
    except TimeoutError:
        if not limit.expired():
            raise
    finally:
        if state is not None:
            state.write()
        lines.sum_up(time.monotonic() - begun)
    return Exit.OK


@contextmanager
def _ended_by_sigterm(limit: asyncio.Timeout) -> Generator[None]:
    """Let SIGTERM end a watch as its time does, so that whoever stops a service loses nothing."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGTERM, lambda: limit.reschedule(loop.time()))
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or another thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def _follow(
    news: Watch[WatchedSession],
    watching: Watching,
    wanted: set[int] | None,
    lines: _Lines,
    state: WatchState | None,
) -> None:
    left = watching.count
    async for row in news:
        # Each comes once more when its visitor has gone.
        if row.is_new and (wanted is None or row.goal.goal_id in wanted):
            try:
                await lines.write(row)
            except asyncio.CancelledError:
                # A row of which only a part was written is written again by the next run.
                if state is not None and lines.whole:
                    state.given()
                raise
            left = None if left is None else left - 1
        if state is not None:
            state.given()
        if left == 0:
            return


class _Lines:
    """Writes a line for each conversion, and counts them."""

    def __init__(self, job: Job, *, as_json: bool) -> None:
        self._terminal = job.terminal
        self._zone = zone_of(job.time_zone)
        self._as_json = as_json
        self._outlet = Outlet(job.terminal.out, is_terminal=job.terminal.out_is_terminal)
        self._colors: dict[int, str] = {}
        self._counts: Counter[int] = Counter()
        self._titles: dict[int, str] = {}

    @property
    def whole(self) -> bool:
        """Whether the latest line was written to its end."""
        return self._outlet.whole

    async def write(self, row: WatchedSession) -> None:
        """Write one, so that a reader has it at once."""
        text = self._json(row) if self._as_json else self._line(row)
        try:
            await self._outlet.write(text)
        finally:
            if self.whole:
                self._counts[row.goal.goal_id] += 1
                self._titles[row.goal.goal_id] = goal_name(row.goal)

    def _json(self, row: WatchedSession) -> str:
        text = to_json(row)
        return (visible_json(text) if self._terminal.out_is_terminal else text) + "\n"

    def _line(self, row: WatchedSession) -> str:
        goal, session, width = row.goal, row.session, self._terminal.width
        color = self._colors.setdefault(goal.goal_id, _COLORS[len(self._colors) % len(_COLORS)])
        cells = [
            (
                f"{session.session_end.astimezone(self._zone):%H:%M:%S}"
                if session.session_end
                else "",
                8,
                "dim",
            ),
            (goal_name(goal), min(28, width // 3), color),
            (session.country or "--", 2, ""),
        ]
        if width >= _WIDE:
            cells += [(session.channel or "", 16, ""), (session.device_type or "", 8, "")]
        used = sum(size + 2 for _, size, _ in cells)
        pages = " > ".join(dict.fromkeys(p for p in (session.entry_page, session.exit_page) if p))
        cells.append((pages, max(10, width - used), ""))
        line = Text()
        for text, size, style in cells:
            cell = Text(visible(text), style)
            cell.truncate(size, overflow="ellipsis", pad=True)
            line.append_text(cell).append("  ")
        line.rstrip()
        console = self._terminal.console
        with console.capture() as captured:
            console.print(line, soft_wrap=True)
        return captured.get()

    def sum_up(self, seconds: float) -> None:
        """Tell how many there were, by goal, most first."""
        total = self._counts.total()
        self._terminal.message(f"{counted(total, 'conversions')} in {duration(seconds)}")
        for goal, number in self._counts.most_common():
            self._terminal.message(f"{number:>8,}  {self._titles[goal]}")


class _Told:
    """Says once why nothing comes, and when it goes on; and tells the state of each poll."""

    def __init__(self, terminal: Terminal, state: WatchState | None) -> None:
        self._terminal = terminal
        self._state = state
        self._why: str | None = None

    def __call__(self, activity: Activity) -> None:
        """Listen to what a watch does."""
        if isinstance(activity, Polled):
            self._polled(activity)
        elif isinstance(activity, Paused) and activity.seconds >= _LONG:
            limit = f"the {activity.scope} limit" if activity.scope else "the rate limit"
            self._terminal.message(f"{limit} is used up: going on in {duration(activity.seconds)}")

    def _polled(self, poll: Polled) -> None:
        if poll.error is None:
            if self._why is not None:
                self._terminal.message("the server answers again")
            self._why = None
            if self._state is not None:
                self._state.polled(poll.rows)
            return
        is_limited = poll.error == "RateLimitError"
        why = "the rate limit is used up" if is_limited else "the server is away"
        if why != self._why:
            self._why = why
            self._terminal.message(
                f"{why} ({poll.error}): trying again, next in {duration(poll.wait)}"
            )
