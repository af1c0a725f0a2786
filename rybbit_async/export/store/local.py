"""A folder of this computer, or on a network drive."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from attrs import asdict

from .. import disk
from ..errors import ExportLockedError, ExportStoreError, disk_error
from .base import Lock, Owner, Store, check_path, part_name
from .extra import import_filelock

__all__ = ["LocalStore"]

_T = TypeVar("_T")

_TRIES: Final = 10
"""How often a file is created in a folder that another thread removes because it is empty."""


class _Held:
    """A lock of the operating system, which cannot be lost."""

    lost = False


class LocalStore(Store):
    """Files in a folder. A name always stands for a whole file, also after a loss of power."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self.shown = str(folder)

    def new_part(self, path: str) -> Path:
        """Create a temporary file beside the name."""
        final = self._at(path)
        return self._guard("write", final, lambda: self._create_beside(final))

    def publish(self, local: Path, path: str, size: int) -> None:
        """Rename the temporary file, once its content is on the disk."""
        final = self._at(path)
        found = self._guard("read", local, lambda: local.stat().st_size)
        if found != size:
            raise ExportStoreError(
                f"{local} must have {size} bytes before it becomes {final.name}, got {found}; "
                "do not change files of an export while it runs, and run it again",
                path=str(local),
            )
        self._guard("write", final, lambda: self._settle(local, final))

    def discard(self, local: Path) -> None:
        """Remove a temporary file."""
        self._guard("remove", local, lambda: self._remove(local))

    def write(self, path: str, data: bytes) -> None:
        """Write a temporary file and rename it."""
        final = self._at(path)
        self._guard("write", final, lambda: self._replace(final, data))

    def read(self, path: str) -> bytes | None:
        """The content of a file, or ``None``."""
        file = self._at(path)
        try:
            return self._guard("read", file, file.read_bytes)
        except ExportStoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def list(self, folder: str = "") -> list[str]:
        """The files below a folder."""
        top = self._at(folder) if folder else self._root
        return self._guard("list", top, lambda: sorted(self._below(top)))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files, and the folders that become empty."""
        for path in paths:
            file = self._at(path)
            self._guard("remove", file, partial(self._remove, file))

    def address(self, path: str) -> str:
        """The absolute path of a file."""
        return str(self._at(path))

    @contextmanager
    def lock(self, path: str) -> Generator[Lock]:
        """Hold a lock of the system, which ends with this process, however it ends."""
        filelock = import_filelock()
        file, owner = self._at(path), f"{path}.owner"
        # Not only for the thread that takes it: threads of a pool take turns.
        lock = filelock.FileLock(file, thread_local=False)
        self._guard("lock", file, lambda: self._make_folders(file.parent))
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:  # is an OSError, too
            raise self._locked(owner) from None
        except OSError as error:
            raise disk_error("lock", file, error) from error
        try:
            here = Owner.here(datetime.now(UTC))
            self.write(owner, json.dumps(asdict(here), default=datetime.isoformat).encode())
            yield _Held()
        finally:
            lock.release()

    def holder(self, path: str) -> str | None:
        """Who has the lock of the system; ``None`` as well if this user may not look at it."""
        filelock = import_filelock()
        file = self._at(path)
        if not file.exists():
            return None
        lock = filelock.FileLock(file)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return self._owner(f"{path}.owner")[0] or "another process"
        except OSError:
            return None
        lock.release()
        return None

    # --- what the methods above guard ------------------------------------------------------------

    def _create_beside(self, final: Path) -> Path:
        """Create an empty temporary file beside a name."""
        path = final.with_name(part_name(final.name, secrets.token_hex(4)))
        for tries_left in reversed(range(_TRIES)):
            try:
                self._make_folders(final.parent)
                # Not only the folder: another thread may remove it while it is empty.
                disk.create(path)
                break
            # The second comes from `mkdir`, if the folder is gone when it looks at what exists.
            except (FileNotFoundError, FileExistsError):
                if not tries_left:
                    raise
        return path

    def _make_folders(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make_folders(folder.parent)
            disk.make_folder(folder)
            disk.sync_folder(folder.parent)

    def _replace(self, final: Path, data: bytes) -> None:
        local = self._create_beside(final)
        try:
            with local.open("wb") as file:
                disk.write(file, data)
            self._settle(local, final)
        except BaseException:
            with suppress(OSError):
                disk.remove(local)
            raise

    def _settle(self, local: Path, final: Path) -> None:
        """Give a file its final name once its content is on the disk."""
        disk.sync(local)
        disk.rename(local, final)
        disk.sync_folder(final.parent)

    def _below(self, folder: Path) -> Iterator[str]:
        def failed(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # it was removed while it was read
                raise error

        for where, _, names in os.walk(folder, onerror=failed):
            place = Path(where).relative_to(self._root)
            yield from ((place / name).as_posix() for name in names)

    def _remove(self, file: Path) -> None:
        with suppress(NotADirectoryError):
            disk.remove(file)
        for folder in file.parents:
            if folder == self._root:
                break
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:  # it is not empty
                break

    def _locked(self, owner: str) -> ExportLockedError:
        who, since = self._owner(owner)
        return ExportLockedError(
            f"{self.shown} must have one export at a time: {who or 'another process'} has been "
            f"exporting to it{since}. Wait until it has ended, or export to another folder",
            place=self.shown,
            owner=who,
        )

    def _owner(self, path: str) -> tuple[str | None, str]:
        """The process that a file of an owner names, and since when."""
        with suppress(ExportStoreError, ValueError, KeyError, TypeError):
            told = json.loads(self.read(path) or b"")
            return f"process {told['pid']} on {told['host']}", f" since {told['since']}"
        return None, ""

    def _at(self, path: str) -> Path:
        return self._root / check_path(path)

    def _guard(self, doing: str, path: Path, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except OSError as error:
            raise disk_error(doing, path, error) from error
