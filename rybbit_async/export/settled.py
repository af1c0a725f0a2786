"""Whether a unit can still change, or has to be read again."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..parameters.window import Days, Window
from .manifest import Series, UnitRecord
from .settings import Settings
from .units import Unit

__all__ = ["is_final", "settles_at"]


def settles_at(unit: Unit, time_zone: str, after: timedelta) -> datetime | None:
    """When nothing in the window of a unit changes any more; ``None`` if it never is so.

    Args:
        after: how far back the end of the window must be.
    """
    return Window(Days(unit.first, unit.last), time_zone).settles_at(after)


def is_final(record: UnitRecord, settings: Settings, series: Series) -> bool:
    """Whether a unit need not be read again by a run of this series."""
    if record.state != "done" or record.error is not None or record.began is None:
        return False
    if record.series == series.id:
        return True
    settles = settles_at(record.unit, settings.time_zone, settings.lookback)
    return record.settled and settles is not None and record.began >= settles
