"""Keeping a client within the event loop and the process that it belongs to."""

from __future__ import annotations

import asyncio
import os
import threading

from ..errors import RybbitError

__all__ = ["Affinity"]


class Affinity:
    """The event loop and the process in which a client was first used.

    Several threads may ask at the same time; the first one is the owner.
    """

    def __init__(self) -> None:
        self._owner: tuple[asyncio.AbstractEventLoop, int] | None = None
        self._lock = threading.Lock()

    def check(self) -> None:
        """Refuse a use that would hang, or mix up the responses of two processes.

        Raises:
            RybbitError: the client belongs to another event loop, or to the process before a fork.
        """
        loop, process = asyncio.get_running_loop(), os.getpid()
        if self._owner is None:
            with self._lock:
                self._owner = self._owner or (loop, process)
        if self._owner == (loop, process):
            return
        if self._owner[1] != process:
            raise RybbitError(
                "this client was used before the process forked: make a client in each process, "
                "because two processes on one connection read each other's responses"
            )
        raise RybbitError(
            "this client belongs to another event loop, in which it was first used and where its "
            "connections are: make a client in each loop, and so in each thread"
        )

    def idle_owner(self) -> asyncio.AbstractEventLoop | None:
        """The loop that the client belongs to, if it is another one that does not run now.

        It may be closed, or be run again later.

        Raises:
            RybbitError: see ``check``.
        """
        if self._owner is not None:
            loop, process = self._owner
            if process == os.getpid() and not loop.is_running():
                return loop
        self.check()
        return None
