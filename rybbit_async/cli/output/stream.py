"""Writing to stdout from an event loop, also where its reader is slow or goes away."""

from __future__ import annotations

import asyncio
import os
import select
import stat
from contextlib import suppress
from typing import Final, TextIO

__all__ = ["Outlet", "check_cancelled", "is_new_file", "kind_of"]

# So many bytes fit into a pipe that says that it can be written to, so writing them never blocks.
_AT_ONCE: Final[int] = getattr(select, "PIPE_BUF", 512)


class Outlet:
    """Writes data to a stream, in UTF-8 unless it is a terminal, and at once.

    A pipe is only written to while it takes data, so that the event loop goes on meanwhile, Ctrl-C
    is heard, and a reader that has gone is noticed when it goes: ``BrokenPipeError`` is raised.

    Attributes:
        whole: whether the latest text was written to its end, also if Ctrl-C came just then.
    """

    def __init__(self, out: TextIO, *, is_terminal: bool) -> None:
        self._out = out
        self._is_terminal = is_terminal
        self.whole = True
        self._pipe = None if is_terminal else _pipe(out)

    async def write(self, text: str) -> None:
        """Write text.

        Raises:
            OSError: it cannot be written; ``BrokenPipeError`` if nobody reads it any more.
        """
        if not text:
            return
        self.whole = False
        self._out.flush()
        data = text.encode("utf-8", "replace")
        if self._is_terminal:
            encoding = self._out.encoding or "utf-8"
            self._out.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._out.flush()
        elif self._pipe is not None:
            await self._write_pipe(self._pipe, data)
        elif (binary := getattr(self._out, "buffer", None)) is not None:
            binary.write(data)
            binary.flush()
        else:
            self._out.write(data.decode())
            self._out.flush()
        self.whole = True

    async def _write_pipe(self, descriptor: int, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        rest = memoryview(data)

        def write() -> None:
            nonlocal rest
            try:
                rest = rest[os.write(descriptor, rest[:_AT_ONCE]) :]
            except BlockingIOError:
                return
            except OSError as error:
                if not done.done():
                    done.set_exception(error)
                loop.remove_writer(descriptor)
                return
            if not rest:
                self.whole = True
                loop.remove_writer(descriptor)
                if not done.done():
                    done.set_result(None)

        loop.add_writer(descriptor, write)
        try:
            await done
        finally:
            loop.remove_writer(descriptor)


def check_cancelled() -> None:
    """End a task that Ctrl-C has cancelled before it blocks.

    Raises:
        asyncio.CancelledError: the task was cancelled.
    """
    with suppress(RuntimeError):  # there is no event loop
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError


def kind_of(out: TextIO) -> int | None:
    """What a stream is, as ``stat.S_IFMT`` says; ``None`` if it is no file of the system."""
    try:
        return stat.S_IFMT(os.fstat(out.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):  # a stream in memory, or none at all
        return None


def is_new_file(out: TextIO) -> bool:
    """Whether a stream writes a file of its own, of which nothing has been written yet."""
    return kind_of(out) == stat.S_IFREG and not os.fstat(out.fileno()).st_size


def _pipe(out: TextIO) -> int | None:
    """The descriptor of a pipe that the event loop can wait for."""
    if kind_of(out) not in (stat.S_IFIFO, stat.S_IFSOCK):
        return None
    descriptor = out.fileno()
    loop = asyncio.get_running_loop()
    try:
        loop.add_writer(descriptor, lambda: None)
        loop.remove_writer(descriptor)
    except NotImplementedError:  # Windows
        return None
    return descriptor
