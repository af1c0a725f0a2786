"""One ``apply`` at a time for each site, on this machine."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from ...extras import import_extra
from ..exits import CommandError
from ..terminal import Terminal

__all__ = ["one_at_a_time"]

_ASK_AGAIN: Final = 0.1  # seconds


@asynccontextmanager
async def one_at_a_time(
    terminal: Terminal, server: str, sites: Iterable[int]
) -> AsyncGenerator[None]:
    """Wait until no other process of this user applies a file to one of the sites.

    Args:
        server: its base URL.

    Raises:
        CommandError: a lock cannot be made.
    """
    filelock = import_extra("filelock", "goals as code", "'rybbit_async[cli]'")
    folder = _folder()
    with ExitStack() as held:
        for site in sorted(sites):  # in one order, so that two do not wait for each other
            lock = filelock.FileLock(folder / f"{_name(server, site)}.lock")
            waits = False
            while True:
                try:
                    held.enter_context(lock.acquire(timeout=0))
                    break
                except filelock.Timeout:
                    if not waits:
                        terminal.message(f"another apply to site {site} is running here; waiting")
                    waits = True
                except OSError as error:
                    raise _no_lock(folder, error) from None
                await asyncio.sleep(_ASK_AGAIN)
        yield


def _name(server: str, site: int) -> str:
    return hashlib.sha256(f"{server.rstrip('/')} {site}".encode()).hexdigest()[:32]


def _folder() -> Path:
    platformdirs = import_extra("platformdirs", "goals as code", "'rybbit_async[cli]'")
    folder: Path = platformdirs.user_state_path("rybbit-async", appauthor=False) / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_lock(folder, error) from None
    return folder


def _no_lock(folder: Path, error: OSError) -> CommandError:
    why = error.strerror or type(error).__name__
    return CommandError(
        f"{folder} must be a folder that can be written, for the lock that keeps two applies "
        f"apart: {why}. Set XDG_STATE_HOME to another folder"
    )
