"""Stopping at SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

__all__ = ["stopped_by_signals"]


@contextmanager
def stopped_by_signals(stop: Callable[[str], None]) -> Generator[None]:
    """Stop at SIGINT and SIGTERM, where the program has not decided what these do.

    A second one does what it did before.
    """
    loop = asyncio.get_running_loop()
    ours: list[int] = []

    def restore() -> None:
        while ours:
            number = ours.pop()
            loop.remove_signal_handler(number)
            if number == signal.SIGINT:
                signal.signal(number, before)

    def on_signal(name: str) -> None:
        restore()
        stop(f"{name} stopped the export")

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM"):
            number = getattr(signal, name)
            if _is_default(number):
                with suppress(NotImplementedError, RuntimeError, ValueError):  # as on Windows
                    loop.add_signal_handler(number, on_signal, name)
                    ours.append(number)
    try:
        yield
    finally:
        restore()


def _is_default(number: int) -> bool:
    """Whether a signal does what it does in every Python program, ``asyncio.run`` included."""
    handler = signal.getsignal(number)
    runner = getattr(getattr(handler, "func", None), "__self__", None)
    return handler in (signal.SIG_DFL, signal.default_int_handler) or isinstance(
        runner, asyncio.Runner
    )
