"""What became of an export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from ..errors import AuthenticationError, NotFoundError, PermissionDeniedError, RybbitError
from .units import Unit

__all__ = ["REFUSALS", "ExportReport", "Failure", "one_line"]

REFUSALS: Final = (AuthenticationError, NotFoundError, PermissionDeniedError)
"""What holds for a site, or for a goal, in every window."""


def one_line(error: BaseException) -> str:
    """The class and the text of an error, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@frozen
class Failure:
    """Something that is missing because the server failed over it, or did not let the key read it.

    Attributes:
        site: the site, by its number or as it was given.
        unit: the unit; ``None`` for a whole site, or for a goal that the server cannot list.
        goal: the number of the goal, where one is concerned and it is known.
        error: what went wrong. It has no traceback, so that nothing else is kept alive.
    """

    site: int | str
    unit: Unit | None
    goal: int | None
    error: RybbitError

    def __str__(self) -> str:
        what = f"site {self.site}" if self.unit is None else str(self.unit)
        return f"{what}: {one_line(self.error)}"

    def plain(self) -> Mapping[str, Any]:
        """This as JSON."""
        return {
            "site": self.site,
            "goal": self.goal,
            "list": None if self.unit is None else self.unit.list,
            "window": None if self.unit is None else self.unit.window,
            "error": str(self),
        }


@frozen
class ExportReport:
    """What a run has done.

    Attributes:
        to: where the export is, without secrets.
        done: how many units were exported by this run.
        kept: how many were finished by earlier runs and were left as they are.
        left: how many have not been begun, or have been stopped; the next run exports them.
        failures: what is missing, each with its error; the next run tries it again.
        doubts: what the walks say of units that are done though rows may be missing. The next run
            exports these units again.
        rows: how many rows this run wrote.
        bytes: how many bytes.
        requests: how many requests it sent.
        seconds: how long it took.
        interrupted: why the run ended before its end, and how to go on; ``None`` if it did not.
    """

    to: str
    done: int = 0
    kept: int = 0
    left: int = 0
    failures: tuple[Failure, ...] = ()
    doubts: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    requests: int = 0
    seconds: float = 0.0
    interrupted: str | None = None

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is there."""
        return not (self.left or self.failures or self.doubts or self.interrupted)

    @property
    def exit_status(self) -> int:
        """What a program may exit with: 0 if everything is there, else 1."""
        return 0 if self.complete else 1

    def __str__(self) -> str:
        kept = f" ({self.kept:,} were there)" if self.kept else ""
        lines = [
            f"{self.to}: {self.done:,} units{kept}, {self.rows:,} rows, {self.requests:,} requests",
            *(f"missing: {failure}" for failure in self.failures),
            *(f"in doubt: {doubt}" for doubt in self.doubts),
        ]
        if self.interrupted:
            lines.append(f"{self.interrupted}; {self.left:,} units are left")
        return "\n".join(lines)
