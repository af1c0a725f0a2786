"""Keeping a client within the event loop and the process that it belongs to."""

from __future__ import annotations

import asyncio
import os

from ..errors import RybbitError

__all__ = ["Affinity"]


class Affinity:
    """The event loop and the process in which a client was first used."""

    def __init__(self) -> None:
        self._owner: tuple[asyncio.AbstractEventLoop, int] | None = None

    def check(self) -> None:
        """Refuse a use that would hang, or mix up the responses of two processes.

        Raises:
            RybbitError: the client belongs to another event loop, or to the process before a fork.
        """
        loop, process = asyncio.get_running_loop(), os.getpid()
        if self._owner is None:
            self._owner = loop, process
        elif self._owner[1] != process:
            raise RybbitError(
                "this client was used before the process forked: make a client in each process, "
                "because two processes on one connection read each other's responses"
            )
        elif self._owner[0] is not loop:
            raise RybbitError(
                "this client belongs to another event loop, in which it was first used and where "
                "its connections are: make a client in each loop"
            )
