"""The tables of the lists: which columns people want to see, and which of them first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from ...models import (
    Change,
    Event,
    Goal,
    GoalOfSite,
    GoalSession,
    MetricRow,
    Session,
    Site,
    SiteSession,
    User,
    WatchedSession,
)
from .columns import Column, View, within
from .rows import GoalAtTime, GoalInTwoTimes, SiteSummary
from .values import goal_counts, goal_name

__all__ = [
    "BUCKETS",
    "COMPARISONS",
    "EVENTS",
    "GOALS",
    "GOALS_OF_SITES",
    "GOAL_SESSIONS",
    "METRICS",
    "SESSIONS",
    "SITES",
    "SITE_SESSIONS",
    "SUMMARIES",
    "USERS",
    "comparisons_of_sites",
    "trends_view",
]

T = TypeVar("T")

MOST: Final = 50
"""Rows of a long list that a table has unless a user asks for more."""


# --- goals -------------------------------------------------------------------------------------


_NAME: Final = 20
"""Cells that the name of a goal or a site has before other columns are left out."""

GOALS: Final[View[Goal]] = View(
    "goals",
    Goal,
    (
        Column("ID", lambda goal: goal.goal_id, "id", 1),
        Column("Goal", goal_name, least=_NAME),
        Column("Type", lambda goal: goal.goal_type, rank=6),
        Column("Counts", goal_counts, rank=5),
        Column("Conversions", lambda goal: goal.total_conversions, "count"),
        Column("", lambda goal: goal.total_conversions, "bar", 3),
        Column("Rate", lambda goal: goal.conversion_rate, "percent"),
        Column("Sessions", lambda goal: goal.total_sessions, "count", 7),
        Column("Created", lambda goal: goal.created_at, "day", 8),
    ),
    figure=lambda goal: goal.total_sessions,
)


def trends_view(series: Mapping[int, Sequence[float]]) -> View[Goal]:
    """The goals of a site, with a small line of their conversions over time.

    Args:
        series: the conversions of each goal, by its number.
    """
    return View(
        "goals",
        Goal,
        (
            Column("ID", lambda goal: goal.goal_id, "id", 2),
            Column("Goal", goal_name, least=_NAME),
            Column("Conversions", lambda goal: goal.total_conversions, "count"),
            Column("Rate", lambda goal: goal.conversion_rate, "percent", 1),
            Column("Trend", lambda goal: series.get(goal.goal_id, ()), "spark", least=15),
        ),
        figure=lambda goal: goal.total_sessions,
    )


def _site(row: Any) -> Any:
    return row.site


GOALS_OF_SITES: Final[View[GoalOfSite]] = within(
    GoalOfSite, lambda row: row.goal, GOALS, Column("Site", _site)
)


def _conversions(row: GoalInTwoTimes) -> Change:
    return Change(row.conversions_change, row.conversions_change_relative)


def _sessions(row: GoalInTwoTimes) -> Change:
    return Change(row.total_sessions_change, row.total_sessions_change_relative)


COMPARISONS: Final[View[GoalInTwoTimes]] = View(
    "goals",
    GoalInTwoTimes,
    (
        Column("ID", lambda row: row.goal_id, "id", 4),
        Column("Goal", lambda row: row.goal, least=_NAME),
        Column("Before", lambda row: row.conversions_before, "count", 1),
        Column("Now", lambda row: row.conversions, "count"),
        Column("Change", _conversions, "change"),
        Column("Rate before", lambda row: row.conversion_rate_before, "percent", 3),
        Column("Rate", lambda row: row.conversion_rate, "percent", 2),
        Column("Change of rate", lambda row: Change(row.conversion_rate_change, None), "points", 2),
        Column("Sessions", lambda row: row.total_sessions, "count", 6),
        Column("Change of sessions", _sessions, "change", 5),
    ),
    figure=lambda row: (row.total_sessions or 0) + (row.total_sessions_before or 0),
)


def comparisons_of_sites(names: Mapping[int, str] | None = None) -> View[GoalInTwoTimes]:
    """The same with the site of each goal, by its name where that is known."""
    known = names or {}

    def site(row: GoalInTwoTimes) -> Any:
        return None if row.site_id is None else known.get(row.site_id, row.site_id)

    first: Column[GoalInTwoTimes] = Column("Site", site, least=_NAME)
    return within(GoalInTwoTimes, lambda row: row, COMPARISONS, first)


BUCKETS: Final[View[GoalAtTime]] = View(
    "rows",
    GoalAtTime,
    (),  # on a terminal they are the lines of `trends_view`
    figure=lambda row: row.total_sessions,
)

SUMMARIES: Final[View[SiteSummary]] = View(
    "sites",
    SiteSummary,
    (
        Column("ID", lambda row: row.site_id, "id", 1),
        Column("Site", lambda row: row.domain, least=_NAME),
        Column("Goals", lambda row: row.goals, "count"),
        Column("Reached", lambda row: row.reached, "count", 4),
        Column("Conversions", lambda row: row.conversions, "count"),
        Column("", lambda row: row.conversions, "bar", 5),
        Column("Sessions", lambda row: row.sessions, "count", 6),
        Column("Best goal", lambda row: row.best_goal, rank=2),
        Column("Rate", lambda row: row.best_rate, "percent", 3),
    ),
    figure=lambda row: row.sessions,
)


# --- sites, users and events -------------------------------------------------------------------

SITES: Final[View[Site]] = View(
    "sites",
    Site,
    (
        Column("ID", lambda site: site.site_id, "id"),
        Column("Domain", lambda site: site.domain, least=_NAME),
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
        Column("User", lambda user: user.effective_user_id, least=_NAME),
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


def _share(percentage: float | None) -> float | None:
    return None if percentage is None else percentage / 100


METRICS: Final[View[MetricRow]] = View(
    "values",
    MetricRow,
    (
        Column("Value", lambda row: row.value, least=_NAME),
        Column("Count", lambda row: row.count, "count"),
        Column("", lambda row: row.count, "bar", 2),
        Column("Share", lambda row: _share(row.percentage), "percent", 1),
        Column("Bounce rate", lambda row: _share(row.bounce_rate), "percent", 3),
        Column("Time on page", lambda row: row.time_on_page_seconds, "duration", 4),
        Column("Page", lambda row: row.pathname, rank=5),
        Column("Host", lambda row: row.hostname, rank=6),
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


def _goal(row: GoalSession | WatchedSession) -> str:
    return goal_name(row.goal)


GOAL_SESSIONS: Final[View[GoalSession]] = within(
    GoalSession, lambda row: row.session, SESSIONS, Column("Goal", _goal, least=_NAME)
)
