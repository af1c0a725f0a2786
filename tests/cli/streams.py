"""Streams and a job for tests of the output."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from attrs import define, field

from rybbit_async import Activity
from rybbit_async.cli.terminal import Terminal


class Stream(io.TextIOWrapper):
    """A stream in memory, which may be a terminal."""

    def __init__(self, *, tty: bool = False, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding, newline="\n", write_through=True)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    @property
    def data(self) -> bytes:
        self.flush()
        return self.buffer.getvalue()  # type: ignore[attr-defined, no-any-return]  # it is a BytesIO

    @property
    def text(self) -> str:
        return self.data.decode(self.encoding)


@define
class Job:
    """What ``show`` needs of a job."""

    terminal: Terminal
    listeners: list[Callable[[Activity], object]] = field(factory=list[Any])

    def listen(self, callback: Callable[[Activity], object], /) -> None:
        self.listeners.append(callback)


def job(*, tty: bool = False, encoding: str = "utf-8") -> Job:
    """A job whose streams are in memory."""
    return Job(Terminal(Stream(tty=tty, encoding=encoding), Stream(tty=tty, encoding=encoding)))


def written(of: Job) -> str:
    """What the job wrote to stdout."""
    assert isinstance(of.terminal.out, Stream)
    return of.terminal.out.text


def told(of: Job) -> str:
    """What the job wrote to stderr."""
    assert isinstance(of.terminal.err, Stream)
    return of.terminal.err.text
