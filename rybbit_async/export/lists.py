"""The lists that are exported: the model of their rows, and the walk over a unit of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import Event, Goal, Paginator, RybbitClient, Session, SiteSession, User
from .settings import Settings
from .units import ListName, Unit

__all__ = ["GOALS_PAGE", "KEYS", "MODELS", "walk_over"]

MODELS: Final[Mapping[ListName, type[Any]]] = {
    "goals": Goal,
    "goal_sessions": Session,
    "sessions": SiteSession,
    "users": User,
    "events": Event,
}

GOALS_PAGE: Final = 100
"""Servers give no more goals than this on a page."""

KEYS: Final[Mapping[ListName, tuple[str, ...]]] = {
    "goals": ("site", "window", "goal_id"),
    "goal_sessions": ("site", "goal", "window", "session_id", "user_id"),
    "sessions": ("site", "window", "session_id"),
    "users": ("site", "window", "effective_user_id"),
    "events": (),
}
"""The columns that identify a row of each list; two events that are equal are two events."""


def walk_over(
    client: RybbitClient, unit: Unit, settings: Settings, concurrency: int
) -> Paginator[Any]:
    """The walk over a unit. At its end it raises an error if it was not complete."""
    options: Any = {
        "start_date": unit.first,
        "end_date": unit.last,
        "time_zone": settings.time_zone,
        "filters": settings.filters,
        "segment_id": settings.segment_id,
        "page_size": settings.page_size,
        "concurrency": concurrency,
        "strict": True,
    }
    match unit.list:
        case "goals":
            options["page_size"] = min(settings.page_size, GOALS_PAGE)
            return client.goals.iter(unit.site, **options)
        case "goal_sessions":
            assert unit.goal is not None
            return client.goals.sessions.iter(unit.site, unit.goal, **options)
        case "sessions":
            return client.sessions.iter(unit.site, **options)
        case "users":
            return client.users.iter(unit.site, **options)
        case "events":
            return client.events.iter(unit.site, **options)
