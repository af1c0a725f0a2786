"""``client.goals.sessions``: the sessions that reached a goal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, Literal, Unpack

from attrs import evolve

from ..activity import Activity
from ..models import Goal, GoalSession, Session, WatchedSession
from ..pages import Page
from ..parameters.callers import warning_here
from ..parameters.checks import check_goal, check_int, check_many, check_seconds, check_site
from ..parameters.common import CommonParameters, check_conditions
from ..parameters.filters import Filter
from ..parameters.signature import expand_parameters
from ..parameters.walk import WalkParameters
from ..walks.multi_walk import Listing, MultiWalk, SubWalk
from ..walks.paginator import Paginator
from ..walks.walk import PagedWalk
from ..walks.watch import Watch
from .endpoints import GOAL_SESSIONS, GOALS
from .goal_owner import no_goal
from .many_sites import ManySites, ManySitesResource
from .watching import SessionPoller

__all__ = ["GoalSessions"]


# Servers end a session when its visitor has been idle for half an hour.
IDLE: Final = timedelta(minutes=30)


class GoalSessions(ManySitesResource):
    """The sessions that reached a goal, latest ``session_end`` first.

    A goal is given by its id or as a ``Goal``. Servers up to 2.8 ignore ``filters`` here: with one
    of those, passing any warns, and the rows are those of the unfiltered window.
    """

    @expand_parameters
    async def list(
        self,
        site: int | str,
        goal: int | Goal,
        *,
        page: int = 1,
        limit: int = 25,
        **common: Unpack[CommonParameters],
    ) -> Page[Session]:
        """One page of ``limit`` sessions (``GET`` goal sessions); its ``meta`` is ``None``.

        The response has no total: a page that is short, or empty, is the last one.
        """
        params = _params(check_site(site), check_goal(goal))
        return await self._page(GOAL_SESSIONS, params, page, limit, common)

    @expand_parameters
    def iter(
        self,
        site: int | str,
        goal: int | Goal,
        *,
        page_size: int = 1000,
        **walk: Unpack[WalkParameters],
    ) -> Paginator[Session]:
        """Every session that reached a goal.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            goal: a ``Goal`` that was read with the same common parameters tells how many sessions
                to expect, which saves requests beyond the end.
            page_size: how many sessions a request asks for; a page costs the server nearly the
                same whatever its size.
            walk: see ``WalkParameters``.
        """
        params = _params(check_site(site), check_goal(goal))
        expected = goal.total_conversions if isinstance(goal, Goal) else None
        return self._walk(GOAL_SESSIONS, params, page_size, walk, expected=expected)

    @expand_parameters
    def iter_all(
        self,
        sites: int | str | Iterable[int | str],
        *,
        goals: Iterable[int | Goal] | None = None,
        page_size: int = 1000,
        on_error: Literal["raise", "skip"] = "raise",
        **walk: Unpack[WalkParameters],
    ) -> Paginator[GoalSession]:
        """The sessions of every goal of one site or of many, walked together under one window.

        Sessions begin to arrive while goals are still being listed. A session that reached two
        goals comes once for each. The pages have no positions: to stop and go on, walk goal by
        goal.

        Args:
            sites: a site or several, each by its number or its identifier, and not by both; or
                ``"all"`` for every site that the key can read.
            goals: only these goals, by id or as ``Goal``; for one that none of the sites has,
                ``NotFoundError`` is raised after the last item, or ``ServerError`` if the server
                has it and cannot list it.
            page_size: how many sessions a request asks for.
            on_error: ``"skip"`` goes on without a site whose goals cannot be listed, and without
                the rest of a goal whose sessions cannot be read. ``report.skipped`` says which,
                and with what error; the walk is then not complete, and doubtful. Errors that would
                not spare the others are raised all the same, such as ``RateLimitError``.
            walk: see ``WalkParameters``. ``concurrency`` counts pages of goals and of sessions;
                ``ordered`` is site by site and goal by goal, by ``goal_id``; without it each goal
                has an equal share of the requests, and sessions come as their pages arrive.
        """
        size = check_int("page_size", page_size)
        wanted = None if goals is None else {check_goal(g) for g in check_many("goals", goals)}

        def begin(many: ManySites) -> MultiWalk[Goal, Session, GoalSession]:
            missing = set(wanted or ())

            def open_goal(key: str, goal: Goal) -> SubWalk[Session, GoalSession] | None:
                if wanted is not None and goal.goal_id not in wanted:
                    return None
                missing.discard(goal.goal_id)
                return self._sub_walk(many, key, goal, size)

            listings = (
                Listing(
                    self._goals(many, key),
                    partial(open_goal, key),
                    partial(many.skip, many.by_key[key], None),
                )
                for key in many.by_key
            )

            def finish() -> None:
                if not missing:
                    return
                lost = {one.goal: one.error for one in many.report.skipped}
                for goal in sorted(missing & lost.keys()):
                    if not many.skips:
                        raise lost[goal]
                    missing.discard(goal)
                if missing and None in lost:
                    names = ", ".join(map(str, sorted(missing)))
                    many.report.doubt(
                        f"goals {names} were not found among those that could be listed"
                    )
                elif missing:
                    raise no_goal(self._context, min(missing), *many.by_key)

            return MultiWalk(listings, many.report, many.options, page_size=size, finish=finish)

        return self._walk_many(
            sites,
            walk,
            GOAL_SESSIONS,
            GoalSession,
            "sessions of all goals",
            begin,
            on_error=on_error,
        )

    async def applies_filters(self, site: int | str, goal: int | Goal) -> bool | None:
        """Whether the server applies ``filters`` to these sessions; ``None`` if it cannot be told.

        That takes two requests for one row each; the answer is remembered.
        """
        context = self._context
        context.router.check_usable()
        return await context.capabilities.filters_goal_sessions(
            check_site(site), check_goal(goal), context.options
        )

    def watch(
        self,
        site: int | str,
        goal: int | Goal | None = None,
        *,
        start: str | None = None,
        interval: float = 5.0,
        idle: timedelta | float = IDLE,
        filters: Sequence[Filter] | None = None,
        segment_id: int | str | None = None,
        on_event: Callable[[Activity], object] | None = None,
    ) -> Watch[WatchedSession]:
        """The sessions that reach a goal as they come, without an end.

        Each session comes with ``settled=False`` when it is first seen, and with ``settled=True``
        once its visitor has been idle for so long that it can no longer grow. A session that goes
        on when the watch begins comes only then, and so does one that is over when it is first
        seen. Its figures are those of today and yesterday, in UTC, and after a position of an
        earlier day, of the days since the day before that.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            goal: the goal, by its id or as a ``Goal``; ``None`` for all goals of the site, also for
                those that are created later.
            start: the ``position`` of an earlier watch; without it, the watch begins now.
            interval: how many seconds to wait before asking again, more while nothing happens.
            idle: after how long without an event a session has ended, as a ``timedelta`` or in
                seconds. It comes 30 seconds after that, for events that are stored late.
            filters, segment_id: see ``CommonParameters``.
            on_event: called for what happens in this watch, besides the client's ``on_event``;
                see ``Activity``.
        """
        parsed, key, warn = check_conditions(filters, segment_id), check_site(site), warning_here()
        goals = None if goal is None else frozenset({check_goal(goal)})
        over = idle if isinstance(idle, timedelta) else _seconds(idle)
        which = "all goals" if goals is None else f"goal {min(goals)}"
        return self._watch(
            lambda position: SessionPoller(
                self._context, site, key, goals, parsed, over, warn, position
            ),
            start,
            interval,
            on_event,
            f"new sessions of {which} of site {key}",
            parsed.query(),
        )

    def _goals(self, many: ManySites, site: str) -> PagedWalk[Goal]:
        """The walk over the goals of a site, a page at a time."""
        size, sorting = GOALS.max_page_size or 100, GOALS.stable_query
        params = {"site": site}
        source = self._source(GOALS, params, size, many.common, sorting, agreed=many.agreed)
        return PagedWalk(source, GOALS.order, many.report, evolve(many.options, concurrency=1))

    def _sub_walk(
        self, many: ManySites, site: str, goal: Goal, size: int
    ) -> SubWalk[Session, GoalSession]:
        """The walk over the sessions of one goal."""
        expected, over = goal.total_conversions or 0, many.over(GOAL_SESSIONS)
        source = self._source(
            over,
            _params(site, goal.goal_id),
            size,
            many.common,
            expected=expected,
            agreed=many.agreed,
        )
        return SubWalk(
            PagedWalk(source, over.order, many.report, many.options),
            lambda session: GoalSession(many.by_key[site], goal, session),
            max(1, -(-expected // size)),
            partial(many.skip, many.by_key[site], goal.goal_id),
        )


def _params(site: str, goal: int) -> dict[str, str | int]:
    return {"site": site, "goal": goal}


def _seconds(idle: float) -> timedelta:
    return timedelta(seconds=check_seconds("idle", idle))
