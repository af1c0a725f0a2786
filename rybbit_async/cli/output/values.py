"""How values are written for people: figures, shares, times, changes, and the names of goals."""

from __future__ import annotations

import json
from datetime import datetime, tzinfo

from ...models import Change, EventGoal, Goal, PathGoal

__all__ = [
    "change",
    "counted",
    "day",
    "duration",
    "goal_counts",
    "goal_name",
    "moment",
    "number",
    "percent",
    "points",
    "size",
]


def number(value: float) -> str:
    """A figure: ``1,234``, or ``1,234.5`` where it is not whole."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def counted(count: float, plural: str) -> str:
    """So many things: ``1 goal``, ``1,234 goals``.

    Args:
        count: how many there are.
        plural: what they are. One of them has no ``s`` at the end of the last word.
    """
    return f"{number(count)} {plural.removesuffix('s') if count == 1 else plural}"


def percent(ratio: float) -> str:
    """A ratio of 0 to 1: ``12.3 %``. One that is not 0 is not written as 0."""
    if 0 < ratio < 0.0005:
        return "<0.1 %"
    return f"{ratio * 100:,.1f} %"


def duration(seconds: float) -> str:
    """``45s``, ``3m 12s``, ``1h 03m`` or ``2d 04h``."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes}m {rest:02}s"
    days, hours = divmod(hours, 24)
    return f"{hours}h {minutes:02}m" if not days else f"{days}d {hours:02}h"


def moment(when: datetime, zone: tzinfo | None) -> str:
    """A time in a zone, or in its own: ``2024-01-31 13:05``."""
    return f"{when if zone is None else when.astimezone(zone):%Y-%m-%d %H:%M}"


def day(when: datetime, zone: tzinfo | None) -> str:
    """The day of a time: ``2024-01-31``."""
    return f"{when if zone is None else when.astimezone(zone):%Y-%m-%d}"


def change(of: Change) -> str:
    """``+12 (+8.1 %)``, ``-3 (-50.0 %)``, ``+5 (new)`` where there was nothing, or ``0``."""
    if not of.absolute:
        return "0"
    sign = "+" if of.absolute > 0 else "-"
    part = "new" if of.relative is None else f"{of.relative * 100:+,.1f} %"
    return f"{sign}{number(abs(of.absolute))} ({part})"


def points(of: Change) -> str:
    """The change of a ratio, in points of a hundred: ``+1.2 pts``, or ``0``."""
    text = f"{of.absolute * 100:+,.1f}"
    return "0" if float(text.replace(",", "")) == 0 else f"{text} pts"


def size(number_of_bytes: float) -> str:
    """The size of files: ``512 bytes``, ``1.2 kB`` or ``207 MB``."""
    units = ["bytes", "kB", "MB", "GB"]
    while number_of_bytes >= 1000 and len(units) > 1:
        number_of_bytes /= 1000
        units.pop(0)
    digits = 0 if units[0] == "bytes" or number_of_bytes >= 100 else 1
    return f"{number_of_bytes:,.{digits}f} {units[0]}"


def goal_name(goal: Goal) -> str:
    """The name of a goal, or what it counts if it has none."""
    return goal.name or goal_counts(goal) or f"goal {goal.goal_id}"


def goal_counts(goal: Goal) -> str:
    """What a goal counts, in short: a path, the name of an event, or a pattern."""
    config = goal.config
    if isinstance(config, PathGoal):
        return config.path_pattern
    if isinstance(config, EventGoal):
        if config.property_key is None:
            return config.event_name
        value = json.dumps(config.property_value, ensure_ascii=False)
        return f"{config.event_name} {config.property_key}={value}"
    return str(getattr(config, "value_pattern", None) or "")
