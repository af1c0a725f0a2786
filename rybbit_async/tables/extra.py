"""The packages that tables are made of, imported when they are first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..extras import import_extra

__all__ = ["import_compute", "import_pyarrow", "import_table_library"]


def import_pyarrow() -> Any:
    """The module ``pyarrow``.

    Raises:
        ModuleNotFoundError: it is not installed; the message has the line to install it.
    """
    return import_extra("pyarrow", "tables", '"rybbit_async[arrow]"')


def import_compute() -> Any:
    """The functions of Arrow, which it does not import by itself."""
    return import_module("pyarrow.compute")


def import_table_library(name: str) -> Any:
    """The module ``pandas`` or ``polars``.

    Raises:
        ModuleNotFoundError: it is not installed; the message has the line to install it.
    """
    return import_extra(name, "tables", f'"rybbit_async[arrow]" {name}')
