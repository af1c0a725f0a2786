"""Rows that the command line makes of what it has read, each flat and with the name of its goal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ...models import Goal, GoalBucket, GoalComparison, Site
from .values import goal_name

__all__ = ["GoalAtTime", "GoalInTwoTimes", "SiteSummary"]


@frozen
class GoalAtTime:
    """The conversions of a goal in one bucket of time.

    Attributes:
        time: when the bucket begins, in the time zone that was asked for.
        goal_id: the number of the goal.
        goal: its name, or what it counts if it has none.
        conversions: sessions that reached the goal in the bucket.
        total_sessions: sessions in the bucket.
        conversion_rate: the ratio of the two, 0 to 1; 0 where there were no sessions.
    """

    time: datetime
    goal_id: int
    goal: str
    conversions: int
    total_sessions: int
    conversion_rate: float

    @classmethod
    def all_of(cls, buckets: Iterable[GoalBucket], names: Mapping[int, str]) -> list[GoalAtTime]:
        """A row for each bucket.

        Args:
            buckets: of any goals.
            names: of the goals, by their numbers.
        """
        return [
            cls(
                one.time,
                one.goal_id,
                names.get(one.goal_id) or f"goal {one.goal_id}",
                one.conversions,
                one.total_sessions,
                one.conversion_rate,
            )
            for one in buckets
        ]


@frozen
class GoalInTwoTimes:
    """A goal in two times, and the change.

    Attributes:
        site_id: the number of its site.
        goal_id: its number.
        goal: its name, or what it counts if it has none.
        conversions, conversions_before: sessions that reached it, now and in the other time.
        conversions_change: the difference of the two.
        conversions_change_relative: the difference as a part of that before, so that 0.5 is half
            as much again; ``None`` where there were none.
        total_sessions, total_sessions_before, total_sessions_change,
            total_sessions_change_relative: likewise of all sessions of the site.
        conversion_rate, conversion_rate_before: conversions as a part of all sessions, 0 to 1.
        conversion_rate_change: the difference of the two.
    """

    site_id: int | None
    goal_id: int
    goal: str
    conversions: int | None
    conversions_before: int | None
    conversions_change: int
    conversions_change_relative: float | None
    total_sessions: int | None
    total_sessions_before: int | None
    total_sessions_change: int
    total_sessions_change_relative: float | None
    conversion_rate: float | None
    conversion_rate_before: float | None
    conversion_rate_change: float

    @classmethod
    def of(cls, one: GoalComparison) -> GoalInTwoTimes:
        """The row of a goal."""
        now, before = one.goal, one.other
        return cls(
            site_id=now.site_id,
            goal_id=now.goal_id,
            goal=goal_name(now),
            conversions=now.total_conversions,
            conversions_before=before.total_conversions,
            conversions_change=int(one.conversions.absolute),
            conversions_change_relative=one.conversions.relative,
            total_sessions=now.total_sessions,
            total_sessions_before=before.total_sessions,
            total_sessions_change=int(one.sessions.absolute),
            total_sessions_change_relative=one.sessions.relative,
            conversion_rate=now.conversion_rate,
            conversion_rate_before=before.conversion_rate,
            conversion_rate_change=one.rate.absolute,
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
            site_id=site.site_id or next((g.site_id for g in goals if g.site_id), 0),
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
