"""What an export tells while it runs, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from .manifest import Part, UnitRecord
from .units import Unit

if TYPE_CHECKING:
    from .plan import Plan
    from .report import ExportReport

__all__ = [
    "ExportEnded",
    "ExportEvent",
    "ExportPaused",
    "ExportPlanned",
    "PartWritten",
    "RowsWritten",
    "UnitBegun",
    "UnitEnded",
]


@frozen
class ExportEvent:
    """Something that happened in an export; each is of one of the classes below."""


@frozen
class ExportPlanned(ExportEvent):
    """It is known what there is to do.

    Attributes:
        plan: the units that follow, and those that are done; without estimates.
    """

    plan: Plan


@frozen
class UnitBegun(ExportEvent):
    """A unit is being read.

    Attributes:
        unit: the unit.
        rows: how many of its rows were written by an earlier run, which this one goes on from.
    """

    unit: Unit
    rows: int = 0


@frozen
class RowsWritten(ExportEvent):
    """A page was written; it counts when its part is whole.

    Attributes:
        unit: the unit.
        rows: how many rows the page had.
    """

    unit: Unit
    rows: int


@frozen
class PartWritten(ExportEvent):
    """A part is whole, and stands where readers look."""

    unit: Unit
    part: Part


@frozen
class UnitEnded(ExportEvent):
    """A unit is done, was stopped, or has failed, as its record says."""

    record: UnitRecord


@frozen
class ExportPaused(ExportEvent):
    """The rate limit of the server makes every request wait.

    Attributes:
        scope: the limit, as the server names it; ``None`` if it does not.
        seconds: for how long.
    """

    scope: str | None
    seconds: float


@frozen
class ExportEnded(ExportEvent):
    """The export has ended; nothing follows."""

    report: ExportReport
