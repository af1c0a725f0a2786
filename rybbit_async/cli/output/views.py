"""The tables of the lists: which columns people want to see, and which of them first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from attrs import frozen

from ...models import (
    Event,
    EventGoal,
    EventOfSite,
    Goal,
    GoalBucket,
    GoalComparison,
    GoalOfSite,
    GoalSession,
    MetricRow,
    PathGoal,
    Session,
    SessionOfSite,
    Site,
    SiteSession,
    User,
    WatchedSession,
)
from .columns import Column, View, within

__all__ = [
    "COMPARISONS",
    "EVENTS",
    "EVENTS_OF_SITES",
    "GOALS",
    "GOALS_OF_SITES",
    "GOAL_SESSIONS",
    "METRICS",
    "SESSIONS",
    "SESSIONS_OF_SITES",
    "SITES",
    "SITE_SESSIONS",
    "SUMMARIES",
    "USERS",
    "WATCHED",
    "SiteSummary",
    "buckets_view",
    "comparisons_of_sites",
    "goal_name",
    "goals_view",
]

T = TypeVar("T")

MOST: Final = 50
"""Rows of a long list that a table has unless a user asks for more."""


# --- goals -------------------------------------------------------------------------------------


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


def goals_view(series: Mapping[int, Sequence[float]] | None = None) -> View[Goal]:
    """The goals of a site.

    Args:
        series: the conversions of each goal over time, by its id, for a small line beside it.
    """
    of = series or {}
    trend: tuple[Column[Goal], ...] = (
        Column("Trend", lambda goal: of.get(goal.goal_id, ()), "spark", 2),
    )
    return View(
        "goals",
        Goal,
        (
            Column("ID", lambda goal: goal.goal_id, "id", 1),
            Column("Goal", goal_name, least=14),
            Column("Type", lambda goal: goal.goal_type, rank=6),
            Column("Counts", goal_counts, rank=5),
            Column("Conversions", lambda goal: goal.total_conversions, "count"),
            Column("", lambda goal: goal.total_conversions, "bar", 3),
            Column("Rate", lambda goal: goal.conversion_rate, "percent"),
            *(trend if series is not None else ()),
            Column("Sessions", lambda goal: goal.total_sessions, "count", 7),
            Column("Created", lambda goal: goal.created_at, "day", 8),
        ),
    )


def _site(row: Any) -> Any:
    return row.site


GOALS: Final = goals_view()
GOALS_OF_SITES: Final[View[GoalOfSite]] = within(
    GoalOfSite, lambda row: row.goal, GOALS, Column("Site", _site)
)

COMPARISONS: Final[View[GoalComparison]] = View(
    "goals",
    GoalComparison,
    (
        Column("ID", lambda row: row.goal.goal_id, "id", 4),
        Column("Goal", lambda row: goal_name(row.goal), least=14),
        Column("Before", lambda row: row.other.total_conversions, "count", 1),
        Column("Now", lambda row: row.goal.total_conversions, "count"),
        Column("Change", lambda row: row.conversions, "change"),
        Column("Rate before", lambda row: row.other.conversion_rate, "percent", 3),
        Column("Rate", lambda row: row.goal.conversion_rate, "percent", 2),
        Column("Change of rate", lambda row: row.rate, "points", 2),
        Column("Sessions", lambda row: row.goal.total_sessions, "count", 6),
        Column("Change of sessions", lambda row: row.sessions, "change", 5),
    ),
)


def comparisons_of_sites(names: Mapping[int, str] | None = None) -> View[GoalComparison]:
    """The same with the site of each goal, by its name where that is known."""
    known = names or {}

    def site(row: GoalComparison) -> Any:
        number = row.goal.site_id
        return number if number is None else known.get(number, number)

    first: Column[GoalComparison] = Column("Site", site, least=18)
    return within(GoalComparison, lambda row: row, COMPARISONS, first)


def buckets_view(names: Mapping[int, str], *, days: bool = True) -> View[GoalBucket]:
    """The conversions of goals over time.

    Args:
        names: of the goals, by their ids.
        days: whether the buckets are days, or longer; else their times are shown, too.
    """
    return View(
        "buckets",
        GoalBucket,
        (
            Column("Day" if days else "Time", lambda row: row.time, "day" if days else "time"),
            Column("Goal", lambda row: names.get(row.goal_id, f"goal {row.goal_id}"), least=14),
            Column("Conversions", lambda row: row.conversions, "count"),
            Column("", lambda row: row.conversions, "bar", 2),
            Column("Rate", lambda row: row.conversion_rate, "percent", 1),
            Column("Sessions", lambda row: row.total_sessions, "count", 3),
        ),
    )


@frozen
class SiteSummary:
    """The goals of a site, added up.

    Attributes:
        site_id: the number of the site.
        domain: of the site.
        goals: how many it has.
        reached: how many of them have conversions in the window.
        conversions: of all goals. A session that reaches two goals counts twice.
        sessions: of the site.
        best_goal: the name of the goal with most conversions; ``None`` without any.
        best_conversions, best_rate: of that goal.
    """

    site_id: int
    domain: str | None
    goals: int
    reached: int
    conversions: int
    sessions: int | None
    best_goal: str | None
    best_conversions: int | None
    best_rate: float | None

    @classmethod
    def of(cls, site: Site, goals: Sequence[Goal]) -> SiteSummary:
        """Add up the goals of a site."""
        counts = [goal.total_conversions or 0 for goal in goals]
        best = max(goals, key=lambda goal: goal.total_conversions or 0, default=None)
        if best is not None and not best.total_conversions:
            best = None
        return cls(
            site_id=site.site_id,
            domain=site.domain or site.name,
            goals=len(goals),
            reached=sum(count > 0 for count in counts),
            conversions=sum(counts),
            sessions=max(
                (goal.total_sessions for goal in goals if goal.total_sessions is not None),
                default=None,
            ),
            best_goal=None if best is None else goal_name(best),
            best_conversions=None if best is None else best.total_conversions,
            best_rate=None if best is None else best.conversion_rate,
        )


SUMMARIES: Final[View[SiteSummary]] = View(
    "sites",
    SiteSummary,
    (
        Column("ID", lambda row: row.site_id, "id", 1),
        Column("Site", lambda row: row.domain, least=14),
        Column("Goals", lambda row: row.goals, "count"),
        Column("Reached", lambda row: row.reached, "count", 4),
        Column("Conversions", lambda row: row.conversions, "count"),
        Column("", lambda row: row.conversions, "bar", 5),
        Column("Sessions", lambda row: row.sessions, "count", 6),
        Column("Best goal", lambda row: row.best_goal, rank=2),
        Column("Rate", lambda row: row.best_rate, "percent", 3),
    ),
)


# --- sites, users and events -------------------------------------------------------------------

SITES: Final[View[Site]] = View(
    "sites",
    Site,
    (
        Column("ID", lambda site: site.site_id, "id"),
        Column("Domain", lambda site: site.domain, least=16),
        Column("Name", lambda site: site.name, rank=2),
        Column("Sessions in 24 h", lambda site: site.sessions_last_24_hours, "count", 1),
        Column("", lambda site: site.sessions_last_24_hours, "bar", 4),
        Column("Public", lambda site: site.public, rank=5),
        Column("Identifier", lambda site: site.identifier, rank=3),
        Column("Type", lambda site: site.type, rank=7),
        Column("Created", lambda site: site.created_at, "day", 6),
    ),
)

USERS: Final[View[User]] = View(
    "users",
    User,
    (
        Column("User", lambda user: user.effective_user_id, least=14),
        Column("Last seen", lambda user: user.last_seen, "time"),
        Column("Sessions", lambda user: user.sessions, "count", 1),
        Column("Page views", lambda user: user.pageviews, "count", 2),
        Column("Events", lambda user: user.events, "count", 3),
        Column("Country", lambda user: user.country, rank=4, least=2),
        Column("City", lambda user: user.city, rank=9, least=8),
        Column("Device", lambda user: user.device_type, rank=6, least=7),
        Column("Browser", lambda user: user.browser, rank=7, least=7),
        Column("System", lambda user: user.operating_system, rank=8, least=7),
        Column("Channel", lambda user: user.channel, rank=10, least=8),
        Column("First seen", lambda user: user.first_seen, "time", 5),
    ),
    MOST,
)

EVENTS: Final[View[Event]] = View(
    "events",
    Event,
    (
        Column("Time", lambda event: event.timestamp, "time"),
        Column("Type", lambda event: event.type, rank=1, least=8),
        Column("Event", lambda event: event.event_name, least=10),
        Column("Page", lambda event: event.pathname, least=14),
        Column("Properties", lambda event: event.properties, rank=2, least=16),
        Column("User", lambda event: event.identified_user_id or event.user_id, rank=3, least=10),
        Column("Country", lambda event: event.country, rank=4, least=2),
        Column("Device", lambda event: event.device_type, rank=6, least=7),
        Column("Browser", lambda event: event.browser, rank=5, least=7),
        Column("Title", lambda event: event.page_title, rank=8, least=12),
        Column("Referrer", lambda event: event.referrer, rank=7, least=12),
    ),
    MOST,
)

# --- sessions ----------------------------------------------------------------------------------


def _user(session: Session) -> str | None:
    return getattr(session, "identified_user_id", None) or session.user_id


def _sessions_view(model: type[T]) -> View[T]:
    columns: tuple[Column[Any], ...] = (
        Column("Ended", lambda session: session.session_end, "time"),
        Column("Length", lambda session: session.session_duration, "duration", 2),
        Column("Pages", lambda session: session.pageviews, "count", 3),
        Column("Events", lambda session: session.events, "count", 4),
        Column("Entry page", lambda session: session.entry_page, least=12),
        Column("Exit page", lambda session: session.exit_page, rank=5, least=12),
        Column("Country", lambda session: session.country, rank=1, least=2),
        Column("City", lambda session: session.city, rank=11, least=8),
        Column("Channel", lambda session: session.channel, rank=6, least=8),
        Column("Device", lambda session: session.device_type, rank=7, least=7),
        Column("Browser", lambda session: session.browser, rank=8, least=7),
        Column("System", lambda session: session.operating_system, rank=10, least=7),
        Column("User", _user, rank=9, least=10),
        Column("Session", lambda session: session.session_id, rank=12, least=14),
    )
    return View("sessions", model, columns, MOST)


SESSIONS: Final = _sessions_view(Session)
SITE_SESSIONS: Final = _sessions_view(SiteSession)
SESSIONS_OF_SITES: Final[View[SessionOfSite]] = within(
    SessionOfSite, lambda row: row.session, SITE_SESSIONS, Column("Site", _site)
)
EVENTS_OF_SITES: Final[View[EventOfSite]] = within(
    EventOfSite, lambda row: row.event, EVENTS, Column("Site", _site)
)


def _goal(row: GoalSession | WatchedSession) -> str:
    return goal_name(row.goal)


GOAL_SESSIONS: Final[View[GoalSession]] = within(
    GoalSession, lambda row: row.session, SESSIONS, Column("Goal", _goal, least=14)
)
WATCHED: Final[View[WatchedSession]] = within(
    WatchedSession, lambda row: row.session, SESSIONS, Column("Goal", _goal, least=14)
)


METRICS: Final[View[MetricRow]] = View(
    "values",
    MetricRow,
    (
        Column("Value", lambda row: row.value, least=20),
        Column("Count", lambda row: row.count, "count"),
        Column("", lambda row: row.count, "bar", 2),
        Column("Share", lambda row: _ratio(row.percentage), "percent", 1),
        Column("Bounces", lambda row: _ratio(row.bounce_rate), "percent", 3),
    ),
    MOST,
)


def _ratio(percentage: float | None) -> float | None:
    return None if percentage is None else percentage / 100
