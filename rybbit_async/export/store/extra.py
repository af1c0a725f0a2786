"""The packages that stores are made of, imported when they are first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["import_filelock", "import_fsspec"]


def import_filelock() -> Any:
    """The module ``filelock``.

    Raises:
        ModuleNotFoundError: it is not installed; the message has the line to install it.
    """
    return _imported("filelock")


def import_fsspec() -> Any:
    """The module ``fsspec``.

    Raises:
        ModuleNotFoundError: it is not installed; the message has the line to install it.
    """
    return _imported("fsspec")


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
    raise ModuleNotFoundError(
        f'exports need {name}, which is not installed: pip install "rybbit_async[export]"',
        name=name,
    )
