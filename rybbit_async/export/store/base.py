"""What every store can do."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from attrs import frozen

__all__ = ["Lock", "Owner", "Store", "check_path", "part_name"]


class Lock(Protocol):
    """A lock that is held. If ``lost`` becomes true, another run has it: stop writing."""

    @property
    def lost(self) -> bool:
        """Whether it is not certain any more that this run holds the lock."""
        ...


class Store(ABC):
    """A folder of files, here or elsewhere.

    Every method raises `ExportStoreError` if the store does not do what it should.

    Attributes:
        shown: the folder or URL for messages, without user, password and query.
    """

    shown: str
    filesystem: Any = None
    """The file system of fsspec that has the files; ``None`` for a folder of this computer."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shown!r})"

    @abstractmethod
    def new_part(self, path: str) -> Path:
        """An empty local file to write a part into, which no reader sees.

        Args:
            path: the name that the part will be published under.
        """

    @abstractmethod
    def publish(self, local: Path, path: str, size: int) -> None:
        """Show readers a finished part, whole, in place of what had its name; or raise.

        Args:
            local: what `new_part` returned, closed. It is gone afterwards.
            path: the name of the part.
            size: the size that it must have, in bytes.
        """

    @abstractmethod
    def discard(self, local: Path) -> None:
        """Remove a local file of `new_part` that will not be published."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write a small file. Readers see the old one or the new one, and nothing between."""

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """The content of a file, or ``None`` where it is not there."""

    @abstractmethod
    def list(self, folder: str = "") -> list[str]:
        """The paths of all files below a folder, sorted, temporary ones and locks included.

        The files of a lock are those whose path begins with that of the lock.
        """

    @abstractmethod
    def remove(self, paths: Iterable[str]) -> None:
        """Remove files, and local folders that become empty. What is missing does not matter."""

    @abstractmethod
    def address(self, path: str) -> str:
        """What other programs call a file: an absolute path, or a URL of ``filesystem``."""

    @abstractmethod
    def lock(self, path: str) -> AbstractContextManager[Lock]:
        """Hold the lock of this name.

        Its files have names that begin with ``path`` and stay when it is released; they must not
        be removed while other runs may begin.

        Raises:
            ExportLockedError: another run holds it.
        """

    @abstractmethod
    def holder(self, path: str) -> str | None:
        """Who holds the lock of this name, such as ``"process 123 on host-a"``, if anybody does.

        A folder's lock is taken for a moment to find out, so ask only if somebody may hold it.
        """


@frozen
class Owner:
    """The process that holds a lock."""

    pid: int
    host: str
    since: datetime

    @classmethod
    def here(cls, now: datetime) -> Owner:
        """This process."""
        return cls(os.getpid(), socket.gethostname(), now.astimezone(UTC).replace(microsecond=0))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def check_path(path: str) -> PurePosixPath:
    """A path of a store as its parts; refuses one that leads out of the store."""
    parts = PurePosixPath(path)
    if path != str(parts) or parts.is_absolute() or ".." in parts.parts or not parts.name:
        raise ValueError(f"path must be relative and without '..', got {path!r}")
    return parts


def part_name(name: str, token: str) -> str:
    """The name of a temporary file: hidden, and with an ending that no reader looks for."""
    return f".{name}.{token}.tmp"
