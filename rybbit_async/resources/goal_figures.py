"""The conversions of goals by time, and the change between two windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, TypeVar

from attrs import evolve

from ..errors import EndpointNotFoundError
from ..models import Change, Goal, GoalBucket, GoalComparison
from ..pages import Report
from ..parameters.callers import warning_here
from ..parameters.common import Common
from ..parameters.figures import Bucket
from ..parameters.window import Days, zone_of
from ..transport.not_found import with_hint
from ..walks.multi_walk import Listing, MultiWalk, SubWalk
from ..walks.paginator import Paginator
from ..walks.pending import KnownItems
from ..walks.walk import PagedWalk, Position
from ..wire.page_reader import DATA, page_reader
from .buckets import DATED, begin_of, days_of, in_zone
from .endpoints import GOAL_SERIES, GOAL_SESSIONS, GOALS, SESSIONS, ListEndpoint
from .goal_owner import no_goal
from .list_source import pinned
from .resource import Resource, walk_options

__all__ = ["GoalFigures"]

K = TypeVar("K")
T = TypeVar("T")
Lists = Mapping[K, tuple[Mapping[str, str | int], Common]]

_COMPUTE: Final = "Pass compute=True to have it computed from lists that every release has"
_ACROSS: Final = (
    "compute=True: {} of the conversions are of sessions that lie in several buckets; the server's "
    "lists do not tell when they happened, so each counts in the bucket that its session ended in"
)
_read_buckets = page_reader(GoalBucket, DATA)


class GoalFigures(Resource):
    """What ``Goals.series`` and ``Goals.compare`` do with arguments that are checked."""

    # --- by time ------------------------------------------------------------------------------

    async def series(
        self, site: str, goals: Sequence[int], bucket: Bucket, common: Common, *, compute: bool
    ) -> list[GoalBucket]:
        """The conversions of goals in each bucket of a window, which has a time zone."""
        params, warn = {"site": site}, warning_here()
        query = {"goal_ids": ",".join(map(str, goals)), "bucket": bucket, **common.query()}
        try:
            page = await self._get(GOAL_SERIES, params, _read_buckets, query)
        except EndpointNotFoundError as error:
            missing = error
        else:
            rows = in_zone(page.items, zone_of(common.window), attrgetter("goal_id"))
            return await self._of_goals(site, goals, rows)
        if not compute:
            raise with_hint(missing, _COMPUTE)
        days = common.window.value
        if bucket in DATED and isinstance(days, Days):
            return await self._by_windows(site, goals, bucket, common, days)
        rows, across = await self._by_sessions(site, goals, bucket, common)
        if across:
            warn(_ACROSS.format(across))
        return rows

    async def _by_windows(
        self, site: str, goals: Sequence[int], bucket: Bucket, common: Common, days: Days
    ) -> list[GoalBucket]:
        """From the goals of the site, read once for each bucket, with its days as the window."""
        window, zone = common.window, zone_of(common.window)
        today = self._context.capabilities.now().astimezone(zone).date()
        lists = {
            datetime(begin.year, begin.month, begin.day, tzinfo=zone): (
                {"site": site},
                common._replace(window=evolve(window, value=part)),
            )
            for begin, part in days_of(bucket, days, today)
        }
        rows = [
            _bucket(time, goal.goal_id, goal.total_conversions or 0, goal.total_sessions)
            async for time, goal in self._together(GOALS, lists, f"goals of site {site}")
            if goal.goal_id in goals and goal.total_sessions
        ]
        return await self._of_goals(site, goals, rows)

    async def _by_sessions(
        self, site: str, goals: Sequence[int], bucket: Bucket, common: Common
    ) -> tuple[list[GoalBucket], int]:
        """From the sessions of the site, and the ids of those that reached the goals.

        Returns:
            The buckets, and how many sessions have a conversion that may be in one or another.
        """
        window = await pinned(self._context, [site], common.window)
        zone, common = zone_of(window), common._replace(window=window)
        times: dict[float, datetime] = {}
        buckets: dict[str, tuple[float, ...]] = {}  # of a session: the first and the last one
        lists: Lists[str | int] = {site: ({"site": site}, common)}
        async for _, session in self._together(SESSIONS, lists, f"sessions of site {site}"):
            seen = (session.session_start, session.session_end)
            begins = [begin_of(bucket, time.astimezone(zone)) for time in seen if time is not None]
            times |= {time.timestamp(): time for time in begins}
            buckets[session.session_id] = tuple(dict.fromkeys(t.timestamp() for t in begins))
        # Most releases ignore the filters of these lists; those of the site's sessions hold.
        unfiltered = common._replace(filters=None, segment_id=None)
        lists = {goal: ({"site": site, "goal": goal}, unfiltered) for goal in goals}
        reached = {
            (goal, session.session_id)
            async for goal, session in self._together(
                GOAL_SESSIONS, lists, f"sessions of goals of site {site}"
            )
            if buckets.get(session.session_id)
        }
        totals = Counter(at for of_one in buckets.values() for at in of_one)
        converted = Counter((goal, buckets[one][-1]) for goal, one in reached)
        rows = [
            _bucket(times[at], goal, converted[goal, at], total)
            for at, total in sorted(totals.items())
            for goal in sorted(goals)
        ]
        return rows, sum(len(buckets[one]) > 1 for _, one in reached)

    async def _of_goals(
        self, site: str, goals: Sequence[int], rows: list[GoalBucket]
    ) -> list[GoalBucket]:
        """The rows, in which every goal of the site has one for each bucket.

        Raises:
            NotFoundError: one of the goals is not of the site.
        """
        missing = {*goals} - {row.goal_id for row in rows}
        if missing and not rows:  # there may have been no sessions
            lists: Lists[str] = {site: ({"site": site}, Common())}
            async for _, goal in self._together(GOALS, lists, f"goals of site {site}"):
                missing.discard(goal.goal_id)
        if missing:
            raise no_goal(self._context, min(missing), site)
        return rows

    # --- two windows --------------------------------------------------------------------------

    async def compare(self, site: str, window: Common, other: Common) -> list[GoalComparison]:
        """Each goal in two windows."""
        found: tuple[dict[int, Goal], dict[int, Goal]] = {}, {}
        lists = {0: ({"site": site}, window), 1: ({"site": site}, other)}
        async for which, goal in self._together(GOALS, lists, f"goals of site {site}"):
            found[which][goal.goal_id] = goal
        before = found[1]
        return [
            GoalComparison(
                goal,
                before[goal_id],
                _change(goal.total_conversions, before[goal_id].total_conversions),
                _change(goal.total_sessions, before[goal_id].total_sessions),
                _change(goal.conversion_rate, before[goal_id].conversion_rate),
            )
            for goal_id, goal in found[0].items()
            if goal_id in before
        ]

    # --- lists --------------------------------------------------------------------------------

    def _together(
        self,
        endpoint: ListEndpoint[T],
        lists: Lists[K],
        name: str,
    ) -> Paginator[tuple[K, T]]:
        """All rows of several lists, each with the key of its list.

        Args:
            lists: by key, the parameters of the route, and the window with the filters.
            name: what is walked.
        """
        options, _ = walk_options(self._context, {})
        size = endpoint.max_page_size or 1000

        def begin(report: Report, _: Position | None) -> MultiWalk[K, T, tuple[K, T]]:
            def open_list(key: K) -> SubWalk[T, tuple[K, T]]:
                params, common = lists[key]
                source = self._source(endpoint, params, size, common, endpoint.stable_query)
                walk = PagedWalk(source, endpoint.order, report, options)
                return SubWalk(walk, lambda row: (key, row), 1, reach=lambda: walk.reach)

            listing = Listing(KnownItems([*lists], report), open_list)
            return MultiWalk(iter([listing]), report, options, page_size=size)

        return self._paginator(begin, options, tuple, name)


def _bucket(time: datetime, goal: int, conversions: int, sessions: int) -> GoalBucket:
    return GoalBucket(time, goal, conversions, sessions, conversions / sessions)


def _change(now: float | None, before: float | None) -> Change:
    now, before = now or 0, before or 0
    return Change(now - before, (now - before) / before if before else None)
