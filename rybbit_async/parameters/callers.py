"""Warnings that point at the line of the caller, also when they are given later."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from types import FrameType

from ..errors import RybbitWarning

__all__ = ["warning_here"]


def warning_here() -> Callable[[str], None]:
    """A function that warns with a ``RybbitWarning``, as if at the present line.

    That is the first line outside this package of those that are being executed.
    """
    frame: FrameType | None = inspect.currentframe()
    while (
        frame is not None
        and frame.f_back is not None
        and frame.f_globals.get("__name__", "").startswith("rybbit_async.")
    ):
        frame = frame.f_back
    assert frame is not None
    # The frame itself is not kept: it would keep all of its variables.
    file, line, names = frame.f_code.co_filename, frame.f_lineno, frame.f_globals

    def warn(text: str) -> None:
        warnings.warn_explicit(
            text,
            RybbitWarning,
            file,
            line,
            names.get("__name__"),
            names.setdefault("__warningregistry__", {}),
        )

    return warn
