"""The goals of a site, and the sessions that reached them: the five endpoints of the Goals API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, Unpack, cast

from attrs import evolve

from ..errors import (
    APIConnectionError,
    APIResponseError,
    InvalidParameterError,
    NotFoundError,
    ServerError,
)
from ..models import EventGoal, Goal, GoalResult, GoalSession, PathGoal, Session
from ..pages import Page, Report
from ..parameters.checks import (
    check_choice,
    check_config,
    check_goal,
    check_int,
    check_many,
    check_name,
    check_site,
    warn,
)
from ..parameters.common import CommonParameters, common_query
from ..walks.multi_walk import MultiWalk, SubWalk
from ..walks.paginator import Paginator
from ..walks.walk import PagedWalk, PageRequest, Position
from ..wire.converter import config_to_wire, structure
from ..wire.json import Body
from ..wire.messages import Response, decode
from .sources import (
    BY_ID,
    SESSION_ORDER,
    Api,
    GoalSource,
    SessionSource,
    goal_order,
    paginator,
    walk_options,
)

__all__ = ["GoalSessions", "Goals", "Order", "Sort"]

Sort = Literal["goalId", "name", "goalType", "createdAt"]
Order = Literal["asc", "desc"]

_SORTS: Final = ("goalId", "name", "goalType", "createdAt")
_ORDERS: Final = ("asc", "desc")
MAX_PAGE_SIZE: Final = 100


class _Keep:
    def __repr__(self) -> str:
        return "<as it is>"


_KEEP: Final = _Keep()


class Goals:
    """``client.goals``: a site's goals. ``site`` is its numeric id or its 12-character identifier.

    Every method takes the common query parameters where the endpoint has them, see
    ``CommonParameters``, and refuses with ``InvalidParameterError`` what the server would refuse
    or ignore. Any of them may raise an ``APIStatusError``, an ``APIConnectionError`` or an
    ``APIResponseError``.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self.sessions = GoalSessions(api)

    async def list(
        self,
        site: int | str,
        *,
        page: int = 1,
        page_size: int = 10,
        sort: Sort | None = None,
        order: Order | None = None,
        **common: Unpack[CommonParameters],
    ) -> Page[Goal]:
        """One page of a site's goals (``GET`` list goals), newest first unless told otherwise.

        ``page_size`` is 1 to 100. A page beyond the end is empty, its ``meta`` whole.
        """
        source = GoalSource(
            self._api,
            check_site(site),
            common_query(common),
            _sorting(sort, order),
            check_int("page_size", page_size, maximum=MAX_PAGE_SIZE),
        )
        request = PageRequest(check_int("page", page), source.page_size)
        return (await source.fetch(request)).decode()

    def iter(
        self,
        site: int | str,
        *,
        page_size: int = 100,
        sort: Sort | None = None,
        order: Order | None = None,
        concurrency: int | None = None,
        ordered: bool = True,
        limit: int | None = None,
        strict: bool = False,
        max_pages: int | None = None,
        verify: bool = False,
        **common: Unpack[CommonParameters],
    ) -> Paginator[Goal]:
        """Every goal of a site, by ``goal_id`` unless told otherwise, since that order is stable.

        Args:
            page_size: how many goals a request asks for, 1 to 100.
            concurrency: how many pages may be in flight or buffered; the client's if not given.
            ordered: whether goals come in the list's order, or as their pages arrive.
            limit: how many goals to give in all.
            strict: raise ``IncompleteWalkError`` where the walk could not be made whole.
            max_pages: how many pages to read at most.
            verify: read the list once more than the answers ask for: a goal deleted and another
                created between the same two pages leave no trace in them.
        """
        options = walk_options(self._api, concurrency, ordered, limit, strict, max_pages)
        if sort is None:
            sort, order = "goalId", order or "asc"
        source = GoalSource(
            self._api,
            check_site(site),
            common_query(common),
            _sorting(sort, order),
            check_int("page_size", page_size, maximum=MAX_PAGE_SIZE),
        )
        by = goal_order(source.sorting, check_choice("verify", verify, (True, False)))
        return paginator(
            self._api,
            options,
            lambda report, position: PagedWalk(source, by, report, options, position),
            f"goals of site {source.site}",
            source.query,
            source.sorting,
        )

    async def get(self, site: int | str, goal_id: int, **common: Unpack[CommonParameters]) -> Goal:
        """One goal of a site. The API has no route for that, so its goals are walked.

        Raises:
            NotFoundError: the goal is not one of this site's; ``status`` is 404 here too.
        """
        wanted = check_goal(goal_id)
        async with self.iter(site, **common) as goals:
            async for goal in goals:
                if goal.goal_id == wanted:
                    return goal
        raise _no_goal(wanted, site)

    async def create(
        self, site: int | str, config: PathGoal | EventGoal, *, name: str | None = None
    ) -> GoalResult:
        """Make a goal; its type follows from ``config``. Names need not be unique."""
        body: dict[str, Any] = {
            "goalType": "path" if isinstance(check_config(config), PathGoal) else "event",
            "config": config_to_wire(config),
        }
        if check_name(name):
            body["name"] = name  # null is refused; a goal without a name has none sent
        return _result(await self._api.write("POST", check_site(site), None, body), None)

    async def ensure(
        self, site: int | str, config: PathGoal | EventGoal, *, name: str | None = None
    ) -> GoalResult:
        """The goal with this configuration, and this name if one is given; made if there is none.

        The safe way to create: a ``create`` whose answer was lost cannot be repeated, since goals
        need not be unique. This looks before it makes, and again after an answer that was lost;
        if the goal is not there then, what had gone wrong is raised, and ``ensure`` can be called
        again. Calls of one client take their turns.
        """
        check_config(config)
        check_name(name)
        async with self._api.ensuring:
            found = await self._find(site, config, name)
            if found is not None:
                return GoalResult(True, found.goal_id)
            try:
                return await self.create(site, config, name=name)
            except (APIConnectionError, APIResponseError, ServerError):
                found = await self._find(site, config, name)
                if found is None:
                    raise
                return GoalResult(True, found.goal_id)

    async def _find(
        self, site: int | str, config: PathGoal | EventGoal, name: str | None
    ) -> Goal | None:
        wire = config_to_wire(config)
        async with self.iter(site) as goals:
            async for goal in goals:
                same = type(goal.config) is type(config) and config_to_wire(goal.config) == wire
                if same and (name is None or goal.name == name):
                    return goal
        return None

    async def update(
        self,
        site: int | str,
        goal: int | Goal,
        *,
        name: str | _Keep | None = _KEEP,
        config: PathGoal | EventGoal | Mapping[str, Any] | _Keep = _KEEP,
    ) -> GoalResult:
        """Change a goal; what is not passed stays as it is. ``name=None`` takes the name away.

        The server replaces the whole goal, so it is read first, and a goal that is not this
        site's is ``NotFoundError`` with nothing sent. A mapping as ``config`` is for goal types
        that this package has no class for: it is sent as it is, and the type stays.
        """
        site_key, wanted = check_site(site), check_goal(goal)
        if name is _KEEP and config is _KEEP:
            raise InvalidParameterError("update: pass name, config or both")
        if not isinstance(name, _Keep):
            check_name(name)
        if not isinstance(config, (_Keep, Mapping)):
            check_config(config)
        old = await self.get(site, wanted)
        new_name = old.name if isinstance(name, _Keep) else name
        new_config = old.config if isinstance(config, _Keep) else config
        body: dict[str, Any] = {
            # Undocumented, and required by servers before 2.14.
            "goalId": wanted,
            "siteId": _numeric_site(site_key, old),
            "goalType": _type_of(new_config, old.goal_type),
            "config": config_to_wire(new_config),
        }
        if new_name:
            body["name"] = new_name
        return _result(await self._api.write("PUT", site_key, wanted, body), wanted)

    async def delete(self, site: int | str, goal: int | Goal) -> GoalResult:
        """Delete a goal of this site.

        An older server deletes a goal whatever site the URL names, so the goal is read first: one
        that is not this site's is ``NotFoundError`` with nothing deleted.
        """
        site_key, wanted = check_site(site), check_goal(goal)
        await self.get(site, wanted)
        try:
            return _result(await self._api.write("DELETE", site_key, wanted, None), wanted)
        except NotFoundError as error:
            if error.repeated and error.message == "Goal not found":
                return GoalResult(True, wanted)  # the attempt before, whose answer was lost
            raise


class GoalSessions:
    """``client.goals.sessions``: the sessions that reached a goal, newest ``session_end`` first.

    A goal is given by its id or as a ``Goal``. The endpoint ignores ``filters``: passing any
    warns, and the rows are those of the unfiltered window.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(
        self,
        site: int | str,
        goal: int | Goal,
        *,
        page: int = 1,
        limit: int = 25,
        **common: Unpack[CommonParameters],
    ) -> Page[Session]:
        """One page of sessions (``GET`` goal sessions) of ``limit`` rows; ``meta`` is ``None``.

        The answer has no total: a page that is short, or empty, is the last one.
        """
        source = SessionSource(
            self._api,
            check_site(site),
            check_goal(goal),
            _without_filters(common),
            check_int("limit", limit),
        )
        request = PageRequest(check_int("page", page), source.page_size)
        return (await source.fetch(request)).decode()

    def iter(
        self,
        site: int | str,
        goal: int | Goal,
        *,
        page_size: int = 1000,
        concurrency: int | None = None,
        ordered: bool = True,
        limit: int | None = None,
        strict: bool = False,
        max_pages: int | None = None,
        **common: Unpack[CommonParameters],
    ) -> Paginator[Session]:
        """Every session that reached a goal.

        Args:
            goal: a ``Goal`` that came with the same common parameters tells how many sessions to
                expect, and saves requests beyond the end.
            page_size: how many sessions a request asks for; a page costs the server nearly the
                same whatever its size.
            concurrency: how many pages may be in flight or buffered; the client's if not given.
            ordered: whether sessions come in the list's order, or as their pages arrive.
            limit: how many sessions to give in all.
            strict: raise ``IncompleteWalkError`` where the walk could not be made whole.
            max_pages: how many pages to read at most.
        """
        options = walk_options(self._api, concurrency, ordered, limit, strict, max_pages)
        source = SessionSource(
            self._api,
            check_site(site),
            check_goal(goal),
            _without_filters(common),
            check_int("page_size", page_size),
            expected=goal.total_conversions if isinstance(goal, Goal) else None,
        )
        return paginator(
            self._api,
            options,
            lambda report, position: PagedWalk(source, SESSION_ORDER, report, options, position),
            f"sessions of goal {source.goal} of site {source.site}",
            source.query,
        )

    def iter_all(
        self,
        sites: int | str | Iterable[int | str],
        *,
        goals: Iterable[int | Goal] | None = None,
        page_size: int = 1000,
        concurrency: int | None = None,
        ordered: bool = True,
        limit: int | None = None,
        strict: bool = False,
        max_pages: int | None = None,
        **common: Unpack[CommonParameters],
    ) -> Paginator[GoalSession]:
        """The sessions of every goal of one site or many, walked together under one window.

        Sessions begin while goals are still being listed. A session that reached two goals comes
        once for each. Its pages have no positions: to stop and go on, walk goal by goal.

        Args:
            sites: a site or several, each by its numeric id or its identifier, and not by both.
            goals: only these goals, by id or as ``Goal``; for one that none of the sites has,
                ``NotFoundError`` is raised after the last item.
            page_size: how many sessions a request asks for.
            concurrency: how many pages, of goals or of sessions, may be in flight or buffered in
                all; the client's if not given.
            ordered: site by site and goal by goal, by ``goal_id``; otherwise each goal has a
                like share of the window, and sessions come as their pages arrive.
            limit: how many sessions to give in all.
            strict: raise ``IncompleteWalkError`` where the walk could not be made whole.
            max_pages: how many pages to read at most.
        """
        api, size = self._api, check_int("page_size", page_size)
        options = walk_options(api, concurrency, ordered, limit, strict, max_pages)
        many = [sites] if isinstance(sites, (int, str)) else check_many("sites", sites)
        by_key = {check_site(site): site for site in many}  # each once
        wanted = None if goals is None else {check_goal(g) for g in check_many("goals", goals)}
        query = _without_filters(common)

        def begin(report: Report, _: Position | None) -> MultiWalk[Goal, Session, GoalSession]:
            missing = set(wanted or ())

            def listing(site: int | str, key: str) -> tuple[PagedWalk[Goal], Any]:
                def sub_walk(goal: Goal) -> SubWalk[Session, GoalSession] | None:
                    if wanted is not None and goal.goal_id not in wanted:
                        return None
                    missing.discard(goal.goal_id)
                    hint = goal.total_conversions or 0
                    source = SessionSource(api, key, goal.goal_id, query, size, hint)
                    return SubWalk(
                        PagedWalk(source, SESSION_ORDER, report, options),
                        lambda session: GoalSession(site, goal, session),
                        max(1, -(-hint // size)),
                    )

                goals_of = GoalSource(api, key, query, BY_ID, MAX_PAGE_SIZE)
                one = evolve(options, concurrency=1)
                return PagedWalk(goals_of, goal_order(BY_ID), report, one), sub_walk

            def finish() -> None:
                if missing:
                    raise _no_goal(min(missing), ", ".join(by_key))

            return MultiWalk(
                (listing(site, key) for key, site in by_key.items()),
                report,
                options,
                page_size=size,
                finish=finish,
            )

        return paginator(
            api, options, begin, f"sessions of all goals of {len(by_key)} sites", [*by_key], query
        )


def _no_goal(goal_id: int, site: int | str) -> NotFoundError:
    return NotFoundError(
        f"goal {goal_id} is not among the goals of site {site}",
        status=404,
        message="Goal not found",
        method="GET",
        url="",
    )


def _sorting(sort: object, order: object) -> dict[str, str]:
    # The server takes what it does not know for the default, silently.
    query: dict[str, str] = {}
    if sort is not None:
        query["sort"] = str(check_choice("sort", sort, _SORTS))
    if order is not None:
        query["order"] = str(check_choice("order", order, _ORDERS))
    return query


def _without_filters(common: CommonParameters) -> dict[str, str]:
    query = common_query(common)
    if query.pop("filters", None):
        warn(
            "filters: the server ignores them for the sessions of a goal, so these rows are those "
            "of the unfiltered window; filter them in your program"
        )
    return query


def _numeric_site(site: str, goal: Goal) -> int:
    if goal.site_id is not None:
        return goal.site_id
    if not site.isdigit():
        raise InvalidParameterError(
            f"site={site!r}: this server asks for the numeric id in an update and does not tell "
            "it: pass the site's number"
        )
    return int(site)


def _type_of(config: PathGoal | EventGoal | Mapping[str, Any], old: str) -> str:
    if isinstance(config, PathGoal):
        return "path"
    return "event" if isinstance(config, EventGoal) else old


def _result(answer: Response, goal_id: int | None) -> GoalResult:
    def result(body: Body) -> GoalResult:
        data = body.json()
        if goal_id is not None and isinstance(data, dict):
            # A deletion's answer does not repeat it.
            data = {"goalId": goal_id, **cast("dict[str, object]", data)}
        return structure(data, GoalResult)

    return decode(answer, result)
