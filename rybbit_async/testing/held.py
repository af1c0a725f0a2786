"""Requests that wait until a test releases them."""

from __future__ import annotations

import asyncio
from typing import Self

__all__ = ["HeldRequests"]


class HeldRequests:
    """Requests that wait until `release()`, or until the end of the `with` statement."""

    def __init__(self) -> None:
        self._released = asyncio.Event()
        self._changed = asyncio.Event()
        self.waiting = 0
        """How many requests wait right now."""

    def release(self) -> None:
        """Let every request continue, and those that come later too."""
        self._released.set()

    async def wait(self) -> None:
        """Wait like a request."""
        self.waiting += 1
        self._changed.set()
        try:
            await self._released.wait()
        finally:
            self.waiting -= 1

    async def reached(self, waiting: int = 1) -> None:
        """Return as soon as that many requests wait."""
        while self.waiting < waiting:
            self._changed.clear()
            await self._changed.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()
