"""The units of an export: what is read by one walk, written by one worker and finished as a whole.

A unit is a list of a site (or of a goal) in one window. It is a small value that pickles, so that
it can be sent to another machine.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final, Literal

from attrs import frozen

__all__ = ["LISTS", "PARTITIONS", "ListName", "Partition", "Span", "Unit", "spans"]

ListName = Literal["goals", "goal_sessions", "sessions", "users", "events"]
Partition = Literal["day", "month", "none"]

LISTS: Final[tuple[ListName, ...]] = ("goals", "goal_sessions", "sessions", "users", "events")
PARTITIONS: Final[tuple[Partition, ...]] = ("day", "month", "none")

_DAY: Final = timedelta(days=1)


@frozen
class Span:
    """The days of one window, as far as they are wanted, both included.

    Attributes:
        window: what the window is called in paths: ``2024-01-31``, ``2024-01`` or ``all``.
    """

    window: str
    first: date
    last: date


def spans(first: date, last: date, partition: Partition) -> Iterator[Span]:
    """The windows of a range of days, the first and the last of them cut to the range."""
    if partition == "none":
        yield Span("all", first, last)
        return
    at = first
    while True:
        end = at if partition == "day" else min(last, _end_of_month(at))
        yield Span(at.isoformat() if partition == "day" else at.isoformat()[:7], at, end)
        if end >= last:
            return
        at = end + _DAY


def _end_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


@frozen(order=True)
class Unit:
    """A list of a site, or of a goal of it, in one window.

    Attributes:
        list: ``"goals"``, ``"goal_sessions"``, ``"sessions"``, ``"users"`` or ``"events"``.
        site: the number of the site.
        goal: the number of the goal; of ``goal_sessions`` only.
        window: the window, as paths name it.
        first, last: the days that are read, both included.
    """

    list: ListName
    site: int
    goal: int | None
    window: str
    first: date
    last: date

    @property
    def folder(self) -> str:
        """Where its files are: ``goal_sessions/site=123/goal=7/window=2024-01``."""
        goal = "" if self.goal is None else f"/goal={self.goal}"
        return f"{self.list}/site={self.site}{goal}/window={self.window}"

    def __str__(self) -> str:
        goal = "" if self.goal is None else f" of goal {self.goal}"
        what = self.list.replace("goal_sessions", "sessions")
        return f"{what}{goal} of site {self.site} in {self.window}"
