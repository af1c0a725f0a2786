"""A store that fsspec reaches, such as S3. Objects appear whole there, when an upload has ended."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import weakref
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Lock as ThreadLock
from typing import Any, Final, TypeVar

from .. import disk
from ..errors import ExportStoreError, disk_error
from .base import Lock, Store, check_path, part_name
from .lease import Clock, Lease
from .place import RemotePlace

__all__ = ["RemoteStore"]

_T = TypeVar("_T")

_ADVICE: Final = "Check the address, the credentials and the connection, and run the export again"


class RemoteStore(Store):
    """Files of a file system of fsspec. Parts are written to a temporary folder and uploaded."""

    def __init__(self, place: RemotePlace, clock: Clock | None = None) -> None:
        self.shown = place.shown
        self._system: Any = place.system
        self._folder = place.folder
        self._clean = place.clean
        self._clock = clock or Clock()
        self._temporary: Path | None = None
        self._making = ThreadLock()

    def new_part(self, path: str) -> Path:
        """Create a file in a temporary folder of this computer."""
        name = check_path(path).name
        try:
            with self._making:
                folder = self._temporary or self._make_temporary()
            local = folder / part_name(name, secrets.token_hex(4))
            disk.create(local)
        except OSError as error:
            raise disk_error("write to", tempfile.gettempdir(), error) from error
        return local

    def publish(self, local: Path, path: str, size: int) -> None:
        """Upload the file, and compare the size of what is there then."""
        target = self._at(path)
        self._call("upload", path, lambda: self._system.put_file(str(local), target))
        found = self._call("read", path, lambda: self._size(target))
        if found != size:
            raise ExportStoreError(
                f"{self._shown(path)} must have {size} bytes after the upload, got {found}; "
                "run the export again",
                path=self._shown(path),
            )
        self.discard(local)

    def discard(self, local: Path) -> None:
        """Remove the local file."""
        try:
            disk.remove(local)
        except OSError as error:
            raise disk_error("remove", local, error) from error

    def write(self, path: str, data: bytes) -> None:
        """Write a small file with one call."""
        target = self._at(path)
        self._call("write", path, lambda: self._system.pipe_file(target, data))

    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless it exists, and return whether it was written.

        Where the store cannot do both at once, the file is written in any case.
        """
        target = self._at(path)

        def exclusively() -> bool:
            try:
                self._system.pipe_file(target, data, mode="create")
            except FileExistsError:
                return False
            return True

        return self._call("write", path, exclusively)

    def read(self, path: str) -> bytes | None:
        """The content of a file, or ``None``."""
        target = self._at(path)
        return self._call("read", path, lambda: self._if_there(self._system.cat_file, target))

    def list(self, folder: str = "") -> list[str]:
        """The files below a folder."""
        top = self._at(folder) if folder else self._folder
        start = len(self._folder) + 1

        def find() -> list[str]:
            self._system.invalidate_cache()
            found: list[str] = self._if_there(self._system.find, top) or []
            return sorted(name[start:] for name in found if not name.endswith("/"))

        return self._call("list", folder, find)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files."""
        for path in paths:
            target = self._at(path)
            self._call("remove", path, partial(self._if_there, self._system.rm_file, target))

    @contextmanager
    def lock(self, path: str) -> Generator[Lock]:
        """Hold a lease, which another run can take over when it is not renewed any more."""
        check_path(path)
        lease = Lease(self, path, self._clock)
        lease.acquire()
        try:
            yield lease
        finally:
            lease.release()

    def _at(self, path: str) -> str:
        return f"{self._folder}/{check_path(path)}"

    def _shown(self, path: str) -> str:
        return f"{self.shown.rstrip('/')}/{path}"

    def _size(self, target: str) -> int | None:
        self._system.invalidate_cache()
        size: int | None = self._system.info(target)["size"]
        return size

    def _make_temporary(self) -> Path:
        self._temporary = Path(tempfile.mkdtemp(prefix="rybbit-export-"))
        weakref.finalize(self, shutil.rmtree, self._temporary, ignore_errors=True)
        return self._temporary

    @staticmethod
    def _if_there(call: Callable[[str], _T], target: str) -> _T | None:
        with suppress(FileNotFoundError):
            return call(target)
        return None

    def _call(self, doing: str, path: str, call: Callable[[], _T]) -> _T:
        """Call the file system; each has errors of its own, which may contain credentials."""
        try:
            return call()
        except Exception as error:
            told = self._clean(f"{type(error).__name__}: {error}")
            place = self._shown(path)
            raise ExportStoreError(
                f"cannot {doing} {place}: {told}. {_ADVICE}; finished parts are kept", path=place
            ) from None
