"""The packages that stores are made of, imported when they are first needed."""

from __future__ import annotations

from typing import Any, Final

from ...extras import import_extra

__all__ = ["import_filelock", "import_fsspec"]

_INSTALL: Final = '"rybbit_async[export]"'


def import_filelock() -> Any:
    """The module ``filelock``.

    Raises:
        ModuleNotFoundError: it is not installed; the message has the line to install it.
    """
    return import_extra("filelock", "exports", _INSTALL)


def import_fsspec() -> Any:
    """The module ``fsspec``.

    Raises:
        ModuleNotFoundError: it is not installed; the message has the line to install it.
    """
    return import_extra("fsspec", "exports", _INSTALL)
