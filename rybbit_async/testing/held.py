"""Requests that wait until a test releases them."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

__all__ = ["HeldRequests"]


class HeldRequests:
    """Requests that wait until `release()`, or until the end of the `with` statement.

    The requests and the test may be in different threads and event loops.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._released = False
        self._requests: set[asyncio.Future[None]] = set()
        self._tests: dict[asyncio.Future[None], int] = {}  # -> how many requests it waits for
        self.waiting = 0
        """How many requests wait right now."""

    def release(self) -> None:
        """Let every request continue, and those that come later too."""
        with self._lock:
            self._released = True
            for future in self._requests:
                _wake(future)

    async def wait(self) -> None:
        """Wait like a request."""
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            self._requests.add(future)
            self.waiting += 1
            for test, number in self._tests.items():
                if self.waiting >= number:
                    _wake(test)
            if self._released:
                _wake(future)
        try:
            await future
        finally:
            with self._lock:
                self._requests.discard(future)
                self.waiting -= 1

    async def reached(self, waiting: int = 1) -> None:
        """Return as soon as that many requests wait."""
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self.waiting >= waiting:
                return
            self._tests[future] = waiting
        try:
            await future
        finally:
            with self._lock:
                del self._tests[future]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()


def _wake(future: asyncio.Future[None]) -> None:
    future.get_loop().call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
