"""Where a command writes, and whom it asks: data goes to stdout, and everything else to stderr."""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final, TextIO

from attrs import define, field

from .output.text import visible, visible_json, wrapped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["Terminal", "interruptible"]

_WIDTH: Final = 80  # where there is no terminal


@contextmanager
def interruptible() -> Generator[None]:
    """Let Ctrl-C end what blocks, such as reading a line: the handler of asyncio would wait.

    Raises:
        asyncio.CancelledError: it was pressed before, and nothing has heard of it yet.
    """
    from .output.stream import check_cancelled  # not at the top: it imports asyncio

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        check_cancelled()
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # another program has made the pipe so
            select.select([], [descriptor], [])


@define(slots=False)
class Terminal:
    """The streams of a command.

    Attributes:
        out: data.
        err: messages and progress.
    """

    out: TextIO = field(factory=lambda: sys.stdout)
    err: TextIO = field(factory=lambda: sys.stderr)

    @cached_property
    def out_is_terminal(self) -> bool:
        """Whether people read the data."""
        return self.out.isatty()

    @cached_property
    def err_is_terminal(self) -> bool:
        """Whether people read the messages."""
        return self.err.isatty()

    @cached_property
    def in_is_terminal(self) -> bool:
        """Whether somebody can answer a question."""
        return sys.stdin is not None and sys.stdin.isatty()

    @property
    def width(self) -> int:
        """How many columns the terminal has, also where data goes to a file."""
        columns = os.environ.get("COLUMNS", "")
        if columns.isdecimal() and int(columns):
            return int(columns)
        for stream in (self.out, self.err):
            with suppress(AttributeError, OSError, ValueError):  # no terminal, or no file at all
                if size := os.get_terminal_size(stream.fileno()).columns:
                    return size
        return _WIDTH

    def colored(self, stream: TextIO) -> bool:
        """Whether what is written to a stream has colors; see https://no-color.org."""
        if os.environ.get("NO_COLOR"):
            return False
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    def write(self, text: str) -> None:
        """Write text for people; what the encoding of the stream does not have is an escape."""
        self._write(text, self.out.encoding or "utf-8")

    def write_data(self, text: str) -> None:
        """Write text for programs, such as JSON: it is in UTF-8 unless people read it."""
        self._write(text, (self.out_is_terminal and self.out.encoding) or "utf-8")

    def print(self, *lines: Text) -> None:
        """Write lines with colors."""
        # Rich would end the process with an exit code of its own when nobody reads any more.
        with interruptible(), self.console.capture() as drawn:
            for line in lines:
                self.console.print(line, soft_wrap=True)
        self.write(drawn.get())

    def _write(self, text: str, encoding: str) -> None:
        from .output.stream import kind_of  # not at the top: it imports asyncio

        data = text.encode(encoding, "backslashreplace")
        with interruptible():
            self.out.flush()
            if kind_of(self.out) in (stat.S_IFIFO, stat.S_IFSOCK):
                # No buffer is left full after Ctrl-C, which Python would write at its exit.
                _write_all(self.out.fileno(), data)
            elif not self.out_is_terminal and hasattr(self.out, "buffer"):
                self.out.buffer.write(data)
                self.out.buffer.flush()
            else:
                self.out.write(data.decode(encoding))
                self.out.flush()

    def write_json(self, text: str) -> None:
        """Write JSON, in which characters that a terminal does not simply show are escapes."""
        self.write_data(f"{visible_json(text)}\n")

    def message(self, text: str) -> None:
        """Tell something, in one line; on a terminal in lines that end at words."""
        text = visible(text)
        if self.err_is_terminal:
            text = "\n".join(wrapped(text, self.width - 1))
        if "err_console" in self.__dict__:  # if progress is drawn, the line comes above it
            self.err_console.print(text, soft_wrap=True)
            return
        with suppress(BrokenPipeError):  # a message that nobody reads stops no work
            self.err.write(f"{text}\n")
            self.err.flush()

    def warn(self, text: str) -> None:
        """Tell something that may be wrong, in one line."""
        self.message(f"warning: {' '.join(text.split())}")

    def confirm(self, question: str) -> bool:
        """Ask, and return whether the answer is yes. Without a terminal the answer is no."""
        if not self.in_is_terminal:
            return False
        self.err.write(f"{visible(question)} [y/N] ")
        self.err.flush()
        try:
            with interruptible():
                answer = sys.stdin.readline()
        except KeyboardInterrupt:
            self.err.write("\n")
            raise
        if not answer.endswith("\n"):
            self.err.write("\n")
        return answer.strip().lower() in ("y", "yes")

    @cached_property
    def console(self) -> Console:
        """For tables."""
        return self._console(self.out)

    @cached_property
    def err_console(self) -> Console:
        """For progress."""
        return self._console(self.err)

    def _console(self, stream: TextIO) -> Console:
        from rich.console import Console

        return Console(
            file=stream,
            width=self.width,
            no_color=not self.colored(stream),
            force_terminal=stream.isatty(),
            highlight=False,
            markup=False,
            emoji=False,
        )
