"""A store that fsspec reaches, such as S3. Parts wait on this computer until they are uploaded."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from .. import disk
from ..errors import ExportStoreError, disk_error
from .base import Lock, Store, check_path, part_name
from .extra import import_fsspec
from .lease import Clock, Lease
from .place import RemotePlace
from .temporary import make_temporary_folder

__all__ = ["RemoteStore"]

_T = TypeVar("_T")

_ADVICE: Final = "Check the address, the credentials and the connection, and run the export again"


class RemoteStore(Store):
    """Files of a file system of fsspec.

    Stores of objects, such as S3, show a file when its upload has ended. Those that have folders,
    such as SFTP, show it while it grows, so there a file gets its name after the upload.
    """

    def __init__(self, place: RemotePlace, clock: Clock | None = None) -> None:
        self.shown = place.shown
        self.filesystem = place.system
        self._folder = place.folder
        self._clean = place.clean
        self._clock = clock or Clock()
        # A file system with folders has a "move" of its own, in place of a copy.
        moves: Any = getattr(place.system.mv, "__func__", None)
        self._has_folders = moves is not import_fsspec().AbstractFileSystem.mv
        self._temporary: Path | None = None
        self._making = threading.Lock()

    def new_part(self, path: str) -> Path:
        """Create a file in a temporary folder of this computer."""
        name = check_path(path).name
        try:
            with self._making:
                if self._temporary is None:
                    self._temporary = make_temporary_folder(self)
            local = self._temporary / part_name(name, secrets.token_hex(4))
            disk.create(local)
        except OSError as error:
            raise disk_error("write to", tempfile.gettempdir(), error) from error
        return local

    def publish(self, local: Path, path: str, size: int) -> None:
        """Upload the file, and compare the size of what is there then."""

        def upload(target: str) -> None:
            self.filesystem.put_file(str(local), target)

        self._call("upload", path, lambda: self._put(path, size, upload))
        self.discard(local)

    def discard(self, local: Path) -> None:
        """Remove the local file."""
        try:
            disk.remove(local)
        except OSError as error:
            raise disk_error("remove", local, error) from error

    def write(self, path: str, data: bytes) -> None:
        """Upload a small file."""

        def upload(target: str) -> None:
            self.filesystem.pipe_file(target, data)

        self._call("write", path, lambda: self._put(path, len(data), upload))

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file unless it exists, and return whether it was written.

        A store that cannot do both at once may write it although it exists.
        """
        target = self._at(path)

        def create() -> bool:
            if self._has_folders:
                self.filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
            try:
                self.filesystem.pipe_file(target, data, mode="create")
            except FileExistsError:
                return False
            return True

        return self._call("write", path, create)

    def read(self, path: str) -> bytes | None:
        """The content of a file, or ``None``."""
        target = self._at(path)
        return self._call("read", path, lambda: _if_there(self.filesystem.cat_file, target))

    def list(self, folder: str = "") -> list[str]:
        """The files below a folder."""
        top = self._at(folder) if folder else self._folder
        start = len(self._folder) + 1

        def find() -> list[str]:
            self.filesystem.invalidate_cache()
            found: list[str] = _if_there(self.filesystem.find, top) or []
            return sorted(name[start:] for name in found if not name.endswith("/"))

        return self._call("list", folder, find)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files."""
        for path in paths:
            call = partial(_if_there, self.filesystem.rm_file, self._at(path))
            self._call("remove", path, call)

    def address(self, path: str) -> str:
        """The URL of a file in ``filesystem``."""
        url: str = self.filesystem.unstrip_protocol(self._at(path))
        return url

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

    def holder(self, path: str) -> str | None:
        """Who has the lease, if it has not run out."""
        check_path(path)
        return Lease(self, path, self._clock).holder()

    def _put(self, path: str, size: int, upload: Callable[[str], None]) -> None:
        target = self._at(path)
        if not self._has_folders:
            upload(target)
            self._check_size(path, target, size)
            return
        folder, _, name = target.rpartition("/")
        self.filesystem.makedirs(folder, exist_ok=True)
        hidden = f"{folder}/{part_name(name, secrets.token_hex(4))}"
        try:
            upload(hidden)
            self._check_size(path, hidden, size)
            self._move(hidden, target)
        except BaseException:
            with suppress(Exception):
                self.filesystem.rm_file(hidden)
            raise

    def _check_size(self, path: str, target: str, size: int) -> None:
        self.filesystem.invalidate_cache()
        found = self.filesystem.info(target)["size"]
        if found not in (size, None):  # None: the store does not tell it
            raise ExportStoreError(
                f"{self._shown(path)} must have {size} bytes after the upload, got {found}; "
                "run the export again",
                path=self._shown(path),
            )

    def _move(self, hidden: str, target: str) -> None:
        try:
            self.filesystem.mv(hidden, target)
        except Exception:
            if not self.filesystem.exists(target):
                raise
            # A store that does not replace files.
            self.filesystem.rm_file(target)
            self.filesystem.mv(hidden, target)

    def _at(self, path: str) -> str:
        return f"{self._folder}/{check_path(path)}"

    def _shown(self, path: str) -> str:
        return f"{self.shown.rstrip('/')}/{path}"

    def _call(self, doing: str, path: str, call: Callable[[], _T]) -> _T:
        """Call the file system. Each has errors of its own, which may contain credentials."""
        try:
            return call()
        except ExportStoreError:
            raise
        except Exception as error:
            told = self._clean(f"{type(error).__name__}: {error}")
            raise ExportStoreError(
                f"cannot {doing} {self._shown(path)}: {told}. {_ADVICE}; finished parts are kept",
                path=self._shown(path),
            ) from None


def _if_there(call: Callable[[str], _T], target: str) -> _T | None:
    with suppress(FileNotFoundError):
        return call(target)
    return None
