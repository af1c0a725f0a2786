"""Running the work of a command: the client, Ctrl-C, warnings and the log."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

from attrs import field, frozen

from .. import Activity, RybbitClient, RybbitWarning
from .exits import CommandError, Exit
from .failures import in_words
from .options.connection import Connection
from .options.window import now
from .refusals import REFUSED, explained
from .settings import Settings, settle
from .terminal import Terminal

__all__ = ["Job", "run"]


@frozen
class Job:
    """What a command works with.

    Attributes:
        client: with the settings of the command.
        terminal: where it writes.
        settings: how the server is reached.
    """

    client: RybbitClient
    terminal: Terminal
    settings: Settings
    _listeners: list[Callable[[Activity], object]] = field(factory=list[Any])

    @property
    def time_zone(self) -> str:
        """In which days begin and end, unless ``--tz`` says it."""
        return self.settings.time_zone

    @staticmethod
    def now() -> datetime:
        """The time, by the clock of this machine."""
        return now()

    def listen(self, listener: Callable[[Activity], object]) -> None:
        """Have a function called with each thing that the client does from now on."""
        self._listeners.append(listener)


def run(
    work: Callable[[Job], Awaitable[int | None]],
    connection: Connection,
    *,
    resume: str | None = None,
    takes_sigterm: bool = False,
) -> int:
    """Run the work of a command, and return its exit code.

    Args:
        work: is given the ``Job``, and returns an exit code; ``None`` is 0.
        connection: the options of the command.
        resume: what to do after Ctrl-C, such as "run the same command again to go on".
        takes_sigterm: whether the work has a way of its own to end at SIGTERM.

    Raises:
        CommandError: it was interrupted, or a setting is wrong.
    """
    terminal = Terminal()
    log = _logged_to(terminal) if connection.debug else nullcontext()
    with log, warnings.catch_warnings():
        warnings.simplefilter("always", RybbitWarning)
        warnings.showwarning = _Shown(terminal)
        settings = settle(connection, terminal)
        with _ended_as_by_ctrl_c(takes_sigterm) as ended_by:
            try:
                return asyncio.run(_run(work, settings, terminal)) or Exit.OK
            except KeyboardInterrupt:
                how = "" if resume is None else f"; {resume}"
                if ended_by:
                    terminal.message(f"rybbit-async: ended by {ended_by[0].name}{how}")
                    return 128 + ended_by[0]  # what a shell says of a signal
                raise CommandError(f"interrupted{how}", Exit.INTERRUPTED) from None


@contextmanager
def _ended_as_by_ctrl_c(takes_sigterm: bool) -> Generator[list[signal.Signals]]:
    """Let SIGTERM and SIGHUP end the work as Ctrl-C does, so that it leaves no part of a file.

    A signal that does something else already is left as it is, such as SIGHUP after ``nohup``.
    """
    came: list[signal.Signals] = []

    def end(number: int, _: object) -> None:
        came.append(signal.Signals(number))
        signal.raise_signal(signal.SIGINT)

    taken: list[signal.Signals] = []
    if sys.platform != "win32" and threading.current_thread() is threading.main_thread():
        numbers = (signal.SIGHUP,) if takes_sigterm else (signal.SIGHUP, signal.SIGTERM)
        taken = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    try:
        yield came
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


async def _run(
    work: Callable[[Job], Awaitable[int | None]], settings: Settings, terminal: Terminal
) -> int | None:
    async with settings.client() as client:
        listeners: list[Callable[[Activity], object]] = []

        def tell(activity: Activity) -> None:
            for listener in listeners:
                listener(activity)

        job = Job(client.with_options(on_event=tell), terminal, settings, listeners)
        try:
            return await _only_error(work(job))
        except REFUSED as error:
            refused = error
        raise await explained(client, refused)


async def _only_error(work: Awaitable[int | None]) -> int | None:
    """Of the errors of a ``TaskGroup`` the first one, which is the cause of the others."""
    try:
        return await work
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


class _Shown:
    """Shows each warning once, in one line."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._seen = set[str]()

    def __call__(self, message: Warning | str, *_: Any, **__: Any) -> None:
        text = in_words(str(message))
        if text not in self._seen:
            self._seen.add(text)
            self._terminal.warn(text)


class _LogLines(logging.Handler):
    """Writes records above the progress, if any is drawn."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line, so that text of the server cannot look like another."""
        self._terminal.message(self.format(record))


@contextmanager
def _logged_to(terminal: Terminal) -> Generator[None]:
    """Tell each request."""
    logger = logging.getLogger("rybbit_async")
    before = logger.level, logger.propagate
    handler = _LogLines(terminal)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
