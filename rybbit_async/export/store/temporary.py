"""The temporary folder that parts wait in until they are uploaded."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from .extra import import_filelock

__all__ = ["make_temporary_folder"]

_PREFIX: Final = "rybbit-export-"


def make_temporary_folder(owner: object) -> Path:
    """A folder that is removed together with ``owner``; or after a kill, by the next call.

    Beside each folder is a file that is locked for as long as the folder is in use.
    """
    filelock = import_filelock()
    place = Path(tempfile.gettempdir())
    for lock_file in place.glob(f"{_PREFIX}*.lock"):
        # Folders in use, and those of other users, stay.
        with suppress(OSError), filelock.FileLock(lock_file, timeout=0):
            _remove(lock_file)
    lock_file = place / f"{_PREFIX}{secrets.token_hex(8)}.lock"
    lock = filelock.FileLock(lock_file, thread_local=False)
    lock.acquire(blocking=False)
    folder = lock_file.with_suffix("")
    folder.mkdir(mode=0o700)
    weakref.finalize(owner, _end, lock, lock_file)
    return folder


def _remove(lock_file: Path) -> None:
    shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
    lock_file.unlink(missing_ok=True)


def _end(lock: Any, lock_file: Path) -> None:
    with suppress(OSError):
        _remove(lock_file)
    lock.release()
