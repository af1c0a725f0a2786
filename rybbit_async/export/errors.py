"""What can go wrong in an export.

    ExportError (a RybbitError)
    ├── ExportLockedError      another export writes to the same place
    ├── ExportMismatchError    the place holds another export
    └── ExportStoreError       a file could not be written, read or removed

None of them contains a key or a password: of a URL only what ``Store.shown`` has is told.
"""

from __future__ import annotations

import errno
from typing import Final

from ..errors import RybbitError

__all__ = [
    "ExportError",
    "ExportLockedError",
    "ExportMismatchError",
    "ExportStoreError",
    "disk_error",
]


class ExportError(RybbitError):
    """The base class of the errors of an export."""


class ExportLockedError(ExportError):
    """Another export writes to the same place; the message says which, and since when.

    Attributes:
        place: the folder or URL, without credentials.
        owner: the process that holds the lock, such as ``"process 123 on host-a"``, or ``None``
            if it is not known.
    """

    def __init__(self, message: str, *, place: str, owner: str | None = None) -> None:
        super().__init__(message)
        self.place = place
        self.owner = owner


class ExportMismatchError(ExportError):
    """The place holds another export, with other lists, filters or formats, for example."""


class ExportStoreError(ExportError):
    """A file of the export could not be written, read or removed.

    Parts that are finished are not touched by it, and the next run goes on after them.

    Attributes:
        path: the file or folder, or the URL without credentials.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


# What happened, and what to do.
_CAUSES: Final = {
    errno.ENOSPC: ("the disk is full", "free some space"),
    errno.EDQUOT: ("the disk quota is used up", "free some space"),
    errno.EROFS: ("the file system is read-only", "make it writable, or export to another folder"),
    errno.EACCES: ("permission is denied", "allow it, or export to another folder"),
    errno.EPERM: ("permission is denied", "allow it, or export to another folder"),
    errno.EFBIG: ("the file is too large for the file system", "choose a smaller partition"),
    errno.EMFILE: ("too many files are open", "raise the limit of open files (ulimit -n)"),
    errno.ENFILE: ("too many files are open", "close other programs"),
    errno.ENAMETOOLONG: ("the name is too long", "export to a folder with a shorter path"),
    errno.EEXIST: ("a file has the name of a folder", "move it, or export to another folder"),
    errno.ENOTDIR: ("a part of the path is a file", "move that file, or export to another folder"),
    errno.EISDIR: ("a folder has this name", "move that folder, or export to another one"),
    errno.ENOENT: ("it is not there any more", "do not change the folder during an export"),
    errno.EIO: ("the disk reported an error", "check the disk"),
    errno.ESTALE: ("the network drive lost the file", "check the connection to it"),
}


def disk_error(doing: str, path: object, error: OSError) -> ExportStoreError:
    """The error for one of the operating system: ``cannot write x: the disk is full``.

    Args:
        doing: a verb, such as ``"write"``.
        path: the file or folder.
        error: its cause.
    """
    what, advice = _CAUSES.get(error.errno or 0, (error.strerror or type(error).__name__, ""))
    then = f"{advice[:1].upper()}{advice[1:]} and run the export again" if advice else ""
    text = f"cannot {doing} {path}: {what}. {then or 'Run the export again'}"
    return ExportStoreError(f"{text}; finished parts are kept", path=str(path))
