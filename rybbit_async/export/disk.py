"""Every call that changes something on the local disk, so that tests can make each of them fail.

Other modules call these as ``disk.rename(...)``, never by a name that they have imported.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["create", "make_folder", "remove", "rename", "sync", "sync_folder", "write"]


def create(path: Path) -> None:
    """Create an empty file, which must not exist."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def make_folder(path: Path) -> None:
    """Create a folder in one that exists."""
    path.mkdir(exist_ok=True)


def write(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of ``data``."""
    file.write(data)


def sync(path: Path) -> None:
    """Wait until what was written to a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def rename(path: Path, to: Path) -> None:
    """Rename a file; it takes the place of one that has the name already, at once."""
    path.replace(to)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that."""
    if os.name == "nt":
        return  # Windows opens no folders, and keeps the order of changes to names by itself
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise  # the others mean that this file system, a network drive, cannot do it
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file; it does not matter if it is missing."""
    path.unlink(missing_ok=True)
