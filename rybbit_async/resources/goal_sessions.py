"""``client.goals.sessions``: the sessions that reached a goal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, Literal, Unpack

from attrs import evolve

from ..errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    RateLimitError,
    RybbitError,
    without_traceback,
)
from ..models import Goal, GoalSession, Session
from ..pages import Page, Report, Skipped
from ..parameters.callers import warning_here
from ..parameters.checks import (
    check_choice,
    check_goal,
    check_int,
    check_many,
    check_site,
    is_list,
)
from ..parameters.common import Common, CommonParameters
from ..parameters.signature import expand_parameters
from ..parameters.walk import WalkParameters
from ..plain import plain
from ..transport.single_flight import SingleFlight
from ..walks.multi_walk import Listing, MultiWalk, SubWalk
from ..walks.options import WalkOptions
from ..walks.paginator import Paginator
from ..walks.walk import PagedWalk, Position
from .endpoints import GOAL_SESSIONS, GOALS
from .goal_owner import no_goal
from .list_source import applied, pinned
from .resource import Resource, walk_options

__all__ = ["GoalSessions"]

# Errors that another list may be spared.
_OF_ONE_LIST: Final = (APIConnectionError, APIResponseError, APIStatusError)


class GoalSessions(Resource):
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
            sites: a site or several, each by its number or its identifier, and not by both.
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
        options, common = walk_options(self._context, walk)
        size = check_int("page_size", page_size)
        many: list[Any] = check_many("sites", sites) if is_list(sites) else [sites]
        by_key = {check_site(site): plain(site) for site in many}  # each once
        skips = check_choice("on_error", on_error, ("raise", "skip")) == "skip"
        warn = warning_here()
        wanted = None if goals is None else {check_goal(g) for g in check_many("goals", goals)}

        def begin(report: Report, _: Position | None) -> MultiWalk[Goal, Session, GoalSession]:
            missing = set(wanted or ())
            agreement = SingleFlight[Common]()

            async def agree() -> Common:
                # The sites have one server, and their lists one window.
                lost = [one.site for one in report.skipped if one.goal is None]
                keys = [key for key, site in by_key.items() if site not in lost]
                places = [{"site": key} for key in keys]
                ready = await applied(self._context, GOAL_SESSIONS, places, common, warn)
                window = await pinned(self._context, keys, ready.window)
                return ready._replace(window=window)

            async def agreed() -> Common:
                return await agreement.get(agree)

            def open_goal(
                site: int | str, key: str, goal: Goal
            ) -> SubWalk[Session, GoalSession] | None:
                if wanted is not None and goal.goal_id not in wanted:
                    return None
                missing.discard(goal.goal_id)
                skip = partial(skipping, site, goal.goal_id)
                return self._sub_walk(site, key, goal, size, common, agreed, report, options, skip)

            def skipping(site: int | str, goal: int | None, error: RybbitError) -> bool:
                if not skips or not isinstance(error, _OF_ONE_LIST):
                    return False
                if isinstance(error, RateLimitError):
                    return False
                name = f"site {site}" if goal is None else f"goal {goal} of site {site}"
                text = f"{name} was skipped: {error}"
                report.skip(Skipped(site, goal, error=without_traceback(error)), text)
                return True

            listings = (
                Listing(
                    self._goals(key, common, agreed, report, options),
                    partial(open_goal, site, key),
                    partial(skipping, site, None),
                )
                for key, site in by_key.items()
            )

            def finish() -> None:
                if not missing:
                    return
                lost = {one.goal: one.error for one in report.skipped}
                for goal in sorted(missing & lost.keys()):
                    if not skips:
                        raise lost[goal]
                    missing.discard(goal)
                if missing and None in lost:
                    names = ", ".join(map(str, sorted(missing)))
                    report.doubt(f"goals {names} were not found among those that could be listed")
                elif missing:
                    raise no_goal(self._context, min(missing), *by_key)

            return MultiWalk(listings, report, options, page_size=size, finish=finish)

        name = f"sessions of all goals of {len(by_key)} sites"
        return self._paginator(begin, options, name, [*by_key], common.query())

    def _goals(
        self,
        site: str,
        common: Common,
        agreed: Callable[[], Awaitable[Common]],
        report: Report,
        options: WalkOptions,
    ) -> PagedWalk[Goal]:
        """The walk over the goals of a site, a page at a time."""
        size = GOALS.max_page_size or 100
        sorting = GOALS.stable_query
        source = self._source(GOALS, {"site": site}, size, common, sorting, agreed=agreed)
        return PagedWalk(source, GOALS.order, report, evolve(options, concurrency=1))

    def _sub_walk(
        self,
        site: int | str,
        key: str,
        goal: Goal,
        size: int,
        common: Common,
        agreed: Callable[[], Awaitable[Common]],
        report: Report,
        options: WalkOptions,
        skip: Callable[[RybbitError], bool],
    ) -> SubWalk[Session, GoalSession]:
        """The walk over the sessions of one goal."""
        expected = goal.total_conversions or 0
        params = _params(key, goal.goal_id)
        source = self._source(GOAL_SESSIONS, params, size, common, expected=expected, agreed=agreed)
        return SubWalk(
            PagedWalk(source, GOAL_SESSIONS.order, report, options),
            lambda session: GoalSession(site, goal, session),
            max(1, -(-expected // size)),
            skip,
        )


def _params(site: str, goal: int) -> dict[str, str | int]:
    return {"site": site, "goal": goal}
