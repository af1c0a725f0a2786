"""Stopping at SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

__all__ = ["stopped_by_signals"]

Stop = Callable[[str], None]


@contextmanager
def stopped_by_signals(stop: Stop) -> Generator[None]:
    """Stop at SIGINT and SIGTERM, where the program has not decided what these do.

    All runs of an event loop are stopped. A second signal does what it did before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    runs = _runs.setdefault(loop, _Runs(loop))
    runs.add(stop)
    try:
        yield
    finally:
        if runs.remove(stop):
            del _runs[loop]


class _Runs:
    """The runs of an event loop in the main thread, as far as signals concern them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stops: list[Stop] = []
        self._before: dict[int, Any] = {}  # what the signals did that are handled here

    def add(self, stop: Stop) -> None:
        self._stops.append(stop)
        for name in ("SIGINT", "SIGTERM"):
            number = getattr(signal, name)
            if _is_default(number):
                before = signal.getsignal(number)
                with suppress(NotImplementedError, RuntimeError, ValueError):  # as on Windows
                    self._loop.add_signal_handler(number, self._on_signal, name)
                    self._before[number] = before

    def remove(self, stop: Stop) -> bool:
        """Leave a run out from now on; return whether it was the last one."""
        self._stops.remove(stop)
        if self._stops:
            return False
        self._restore()
        return True

    def _on_signal(self, name: str) -> None:
        self._restore()
        for stop in self._stops:
            stop(f"{name} stopped the export")

    def _restore(self) -> None:
        while self._before:
            number, before = self._before.popitem()
            self._loop.remove_signal_handler(number)
            if number == signal.SIGINT:
                signal.signal(number, before)


_runs: Final[dict[asyncio.AbstractEventLoop, _Runs]] = {}


def _is_default(number: int) -> bool:
    """Whether a signal does what it does in every Python program, ``asyncio.run`` included."""
    handler = signal.getsignal(number)
    runner = getattr(getattr(handler, "func", None), "__self__", None)
    return handler in (signal.SIG_DFL, signal.default_int_handler) or isinstance(
        runner, asyncio.Runner
    )
