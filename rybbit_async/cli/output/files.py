"""Files that are there only once they are whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..exits import CommandError, Exit

__all__ = ["check_file", "whole_file"]


def check_file(option: str, path: Path, suffixes: Sequence[str] = ()) -> None:
    """Refuse a path that no file can be written to, before anything is sent.

    Args:
        option: what the user gave it with, such as ``"--parquet"``.
        path: where the file is to be.
        suffixes: how its name may end; in any way if none is given.

    Raises:
        CommandError: there is a folder or a device, the folder of the file is missing, or its
            name ends otherwise.
    """
    wrong: str | None = None
    if suffixes and path.suffix.lower() not in suffixes:
        wrong = f"a file that ends in {' or '.join(suffixes)}"
    elif path.is_dir():
        wrong = "a file, and this is a folder"
    elif path.exists() and not path.is_file():
        wrong = "a file"
    elif not path.absolute().parent.is_dir():
        wrong = "a file in a folder that exists"
    if wrong is not None:
        raise CommandError(f"{option} must be {wrong}, got {str(path)!r}", Exit.USAGE)


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """A path beside ``path`` to write to, which takes its place when the block ends.

    After an error the file that was written is removed, and ``path`` is as it was before.
    """
    target = path.resolve()  # what a link points to is replaced, and not the link
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
