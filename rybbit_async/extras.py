"""Packages that only an extra installs, imported when they are first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["import_extra"]


def import_extra(name: str, what: str, install: str) -> Any:
    """A module of another package.

    Args:
        name: the module.
        what: those that need it, in the plural.
        install: what pip installs.

    Raises:
        ModuleNotFoundError: it is not installed; the message has the line to install it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
    raise ModuleNotFoundError(
        f"{what} need {name}, which is not installed: pip install {install}", name=name
    )
