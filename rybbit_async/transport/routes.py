"""The two layouts of the goal endpoints' URLs, as data.

Servers up to December 2025 have the documented layout, ``goals``; newer ones ``sites``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

__all__ = ["LAYOUTS", "Layout", "LayoutName"]

LayoutName = Literal["goals", "sites"]


@frozen
class Layout:
    """Paths with ``{site}`` and ``{goal}`` to fill in."""

    name: LayoutName
    goals: str
    goal: str
    sessions: str


LAYOUTS: Mapping[LayoutName, Layout] = {
    "goals": Layout(
        name="goals",
        goals="/api/goals/{site}",
        goal="/api/goals/{goal}/{site}",
        sessions="/api/goals/{goal}/sessions/{site}",
    ),
    "sites": Layout(
        name="sites",
        goals="/api/sites/{site}/goals",
        goal="/api/sites/{site}/goals/{goal}",
        sessions="/api/sites/{site}/goals/{goal}/sessions",
    ),
}
