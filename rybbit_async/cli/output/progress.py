"""What a user sees while rows are read: how many, how fast, how long it takes, and why it waits."""

from __future__ import annotations

import asyncio
import stat
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from ...activity import Activity, PageRead, Paused, RetryPlanned
from ..options.output import Format
from ..terminal import Terminal
from .sparkline import bar
from .stream import kind_of
from .values import duration, number

__all__ = ["Progress", "may_draw"]

_DELAY: Final = 0.5  # seconds; what takes less time needs no progress
_TOLD: Final = 5.0  # seconds; a pause of this length is told where nothing is drawn
_SAMPLES: Final = 30  # pages over which the speed is measured
_BAR: Final = 16  # cells
_SCOPES: Final = {"burst": "burst limit", "daily": "daily limit"}


def may_draw(terminal: Terminal, format: Format) -> bool:
    """Whether progress can be drawn on stderr without disturbing what is written to stdout.

    Where stdout is a pipe, its reader may write to the same terminal, as a pager does.
    """
    if not terminal.err_is_terminal or terminal.err_console.is_dumb_terminal:
        return False
    if format in ("table", "parquet"):  # written when all rows have come, or not to stdout
        return True
    return not terminal.out_is_terminal and kind_of(terminal.out) not in (
        stat.S_IFIFO,
        stat.S_IFSOCK,
    )


class Progress:
    """A line on stderr that follows what is read, and goes when it ends.

    It is drawn only if stderr is a terminal, and after half a second. Otherwise pauses of five
    seconds and more are told, each in one line.

    Args:
        terminal: where to draw.
        label: what is read, in the plural.
        total: how many there are, where that is known.
        draw: whether to draw; by default, if stderr is a terminal.
        clock: the time in seconds.
    """

    def __init__(
        self,
        terminal: Terminal,
        label: str = "rows",
        total: int | None = None,
        *,
        draw: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal = terminal
        self._label = label
        self._total = total
        self._draw = may_draw(terminal, "parquet") if draw is None else draw
        self._clock = clock
        self._rows = 0
        self._samples = deque([(clock(), 0)], maxlen=_SAMPLES)
        self._wait = ""  # what is waited for
        self._until = 0.0  # by the clock
        self._is_retry = False
        self._live: Live | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._spinner = Spinner("dots" if _can_draw(terminal) else "line")

    def __enter__(self) -> Self:
        if self._draw:
            self._timer = asyncio.get_running_loop().call_later(_DELAY, self._start)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def rows(self, rows: int, total: int | None = None, label: str | None = None) -> None:
        """Show how many rows have been read.

        Args:
            rows: all of them so far.
            total: how many there are, where that is known.
            label: what is read, in the plural.
        """
        self._rows = rows
        self._total = self._total if total is None else total
        self._label = self._label if label is None else label
        self._samples.append((self._clock(), rows))

    def pause(self, scope: str | None, seconds: float) -> None:
        """Show that a rate limit holds everything up.

        Args:
            scope: the limit, as ``Paused`` names it.
            seconds: for how long.
        """
        self._waits(_SCOPES.get(scope or "", "rate limit"), seconds, is_retry=False)

    def tell(self, activity: Activity) -> None:
        """Show what a client tells of itself; for ``on_event``."""
        if self._closed:
            return
        if isinstance(activity, Paused):
            self.pause(activity.scope, activity.seconds)
        elif isinstance(activity, RetryPlanned):
            cause = activity.cause if activity.status is None else f"status {activity.status}"
            if activity.wait is None:
                self._waits(f"the server is away ({cause})", None)
            elif activity.wait >= 1:
                self._waits(f"trying again after {cause}", activity.wait)
        elif isinstance(activity, PageRead):
            if self._is_retry:  # during a pause pages still come that were asked for before it
                self._until = 0.0
            self._total = self._total if activity.total is None else activity.total

    def close(self) -> None:
        """Clear the line. Nothing is shown any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._live is not None:
            self._live.stop()
            self._live = None

    # --- waits --------------------------------------------------------------------------------

    def _waits(self, why: str, seconds: float | None, *, is_retry: bool = True) -> None:
        now = self._clock()
        self._is_retry = is_retry
        until = now + (3600 if seconds is None else seconds)
        is_new = why != self._wait or until > self._until + 1
        self._wait, self._until = why, until
        if self._draw:
            if self._live is None and not self._closed:
                self._start()
        elif is_new and (seconds is None or seconds >= _TOLD):
            self._terminal.message(self._waiting(seconds))

    def _waiting(self, seconds: float | None) -> str:
        if seconds is None:
            return f"waiting: {self._wait}"
        return f"paused {_seconds(seconds)}: {self._wait}"

    # --- the line -----------------------------------------------------------------------------

    def _start(self) -> None:
        if self._live is None and not self._closed:
            self._live = Live(
                get_renderable=self.line,
                console=self._terminal.err_console,
                transient=True,
                refresh_per_second=8,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)

    def line(self) -> Text:
        """What is shown at this moment."""
        now = self._clock()
        text = Text(no_wrap=True, overflow="ellipsis")
        frame = self._spinner.render(now)
        text.append(frame.plain if isinstance(frame, Text) else "")
        text.append(f" {self._label}  ")
        if self._total:
            share = min(1.0, self._rows / self._total)
            plain = not _can_draw(self._terminal)
            text.append(bar(share, _BAR, plain=plain).ljust(_BAR), "cyan")
            text.append(f"  {number(self._rows)} of {number(max(self._total, self._rows))}")
        else:
            text.append(number(self._rows))
        if (speed := self._speed()) is not None:
            text.append(f"  {number(round(speed))}/s")
            if self._total and self._rows < self._total:
                text.append(f"  {duration((self._total - self._rows) / speed)} left")
        if (left := self._until - now) > 0:
            away = left > 600 and self._wait.startswith("the server")
            text.append(f"  {self._waiting(None if away else left)}", "yellow")
        return text

    def _speed(self) -> float | None:
        """Rows per second, lately."""
        (first, before), (last, rows) = self._samples[0], self._samples[-1]
        if last <= first or rows <= before:
            return None
        return (rows - before) / (last - first)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else duration(seconds)


def _can_draw(terminal: Terminal) -> bool:
    try:
        "⠋█".encode(terminal.err.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
