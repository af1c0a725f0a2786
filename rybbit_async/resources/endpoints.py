"""The endpoints of the API, as data."""

from __future__ import annotations

from typing import Final

from ..transport.routes import Route

__all__ = ["GOAL", "GOALS", "GOAL_SESSIONS"]

GOALS: Final = Route("/api/goals/{site}", "/api/sites/{site}/goals")
GOAL: Final = Route("/api/goals/{goal}/{site}", "/api/sites/{site}/goals/{goal}")
GOAL_SESSIONS: Final = Route(
    "/api/goals/{goal}/sessions/{site}", "/api/sites/{site}/goals/{goal}/sessions"
)
