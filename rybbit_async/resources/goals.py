"""``client.goals``: the goals of a site, to read and to write."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final, Literal, Unpack, cast
from weakref import WeakKeyDictionary

from ..errors import (
    APIConnectionError,
    APIResponseError,
    IncompleteWalkError,
    InvalidParameterError,
    NotFoundError,
    ServerError,
)
from ..models import (
    GOAL_CONFIGS,
    Goal,
    GoalBucket,
    GoalComparison,
    GoalConfig,
    GoalOfSite,
    GoalResult,
)
from ..pages import Page, Skipped
from ..parameters.callers import warning_here
from ..parameters.checks import (
    check_bool,
    check_choice,
    check_config,
    check_goal,
    check_int,
    check_many,
    check_name,
    check_site,
    wrong_type,
)
from ..parameters.common import NO_EVENTS, Common, CommonParameters, parse_common
from ..parameters.figures import Bucket, check_bucket, with_zone
from ..parameters.signature import expand_parameters
from ..parameters.walk import WalkParameters
from ..transport.routing import Router
from ..walks.orders import ByKey
from ..walks.paginator import Paginator
from ..wire.converter import config_to_wire, same_config, structure
from ..wire.json import Body, dump
from ..wire.messages import Response, decode
from .context import Context
from .endpoints import GOAL, GOALS
from .goal_figures import GoalFigures
from .goal_owner import no_goal, owns_goal
from .goal_sessions import GoalSessions
from .goal_warnings import pattern_warning, value_warning
from .many_sites import ManySitesResource
from .unreadable_goals import unreadable

__all__ = ["Goals", "NotGiven", "Order", "Sort"]

Sort = Literal["goalId", "name", "goalType", "createdAt"]
Order = Literal["asc", "desc"]

_SORTS: Final = ("goalId", "name", "goalType", "createdAt")
ORDERS: Final = ("asc", "desc")


class NotGiven:
    """Stands for a parameter that was not passed, where ``None`` means something else."""

    def __repr__(self) -> str:
        return "NotGiven()"


_NOT_GIVEN: Final = NotGiven()
# One for each client: all views of a client share its router.
_ensuring: Final = WeakKeyDictionary[Router, asyncio.Lock]()


class Goals(ManySitesResource):
    """The goals of a site. ``site`` is its number or its identifier of 12 hexadecimal characters.

    Methods refuse with ``InvalidParameterError`` what the server would refuse or ignore. Any of
    them may raise an ``APIStatusError``, an ``APIConnectionError`` or an ``APIResponseError``.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sessions = GoalSessions(context)
        self._figures = GoalFigures(context)
        self._ensuring = _ensuring.setdefault(context.router, asyncio.Lock())

    # --- reading ------------------------------------------------------------------------------

    @expand_parameters
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

        ``page_size`` is 1 to 100. A page beyond the end is empty, its ``meta`` complete.
        """
        params = {"site": check_site(site)}
        sorting = _sorting(sort, order)
        return await self._page(GOALS, params, page, page_size, common, sorting=sorting)

    @expand_parameters
    def iter(
        self,
        site: int | str,
        *,
        page_size: int = 100,
        sort: Sort | None = None,
        order: Order | None = None,
        verify: bool = False,
        **walk: Unpack[WalkParameters],
    ) -> Paginator[Goal]:
        """Every goal of a site, by ``goal_id`` unless told otherwise, since that order is stable.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            page_size: how many goals a request asks for, 1 to 100.
            sort: the column to sort by; goals that share a name or a type have no fixed order.
            order: ``"asc"`` or ``"desc"``.
            verify: read the list once more than the responses ask for: a goal deleted and another
                created between the same two pages leave no trace in them.
            walk: see ``WalkParameters``.
        """
        if sort is None:
            sort, order = "goalId", order or "asc"
        sorting = _sorting(sort, order)
        return self._walk(
            GOALS,
            {"site": check_site(site)},
            page_size,
            walk,
            order=ByKey(
                attrgetter("goal_id"),
                rising=sorting == GOALS.stable_query,
                stable=sorting.get("sort") not in ("name", "goalType"),
                verify=check_bool("verify", verify),
            ),
            sorting=sorting,
        )

    @expand_parameters
    def iter_all(
        self,
        sites: int | str | Iterable[int | str],
        *,
        page_size: int = 100,
        on_error: Literal["raise", "skip"] = "raise",
        **walk: Unpack[WalkParameters],
    ) -> Paginator[GoalOfSite]:
        """Every goal of many sites, walked together under one window.

        The goals of each site come by ``goal_id``. The pages have no positions.

        Args:
            sites: a site or several, each by its number or its identifier, and not by both; or
                ``"all"`` for every site that the key can read.
            page_size: how many goals a request asks for, 1 to 100.
            on_error: ``"skip"`` goes on without the rest of a site that cannot be read.
                ``report.skipped`` says which, and with what error; the walk is then not complete,
                and doubtful. Errors that would not spare the others are raised all the same, such
                as ``RateLimitError``.
            walk: see ``WalkParameters``. ``concurrency`` counts pages of all sites; ``ordered`` is
                site by site; without it, each site has an equal share of the requests.
        """
        size = check_int("page_size", page_size, maximum=GOALS.max_page_size)
        return self._walk_sites(
            sites,
            size,
            walk,
            GOALS,
            "goals",
            GoalOfSite,
            on_error=on_error,
            sorting=GOALS.stable_query,
        )

    @expand_parameters
    async def get(self, site: int | str, goal_id: int, **common: Unpack[CommonParameters]) -> Goal:
        """One goal of a site. The API has no route for it: the goals are read up to this one.

        Raises:
            NotFoundError: the goal is not one of this site's; ``status`` is 404 here too.
            ServerError: the server cannot list the goal; the text says how to mend that.
            IncompleteWalkError: the goal was not found, but goals may have been missed, since the
                list changed all the time.
        """
        wanted = check_goal(goal_id)
        parse_common(common)  # what only a walk takes is refused
        found = await self._read(site, wanted, common)
        if isinstance(found, ServerError):
            raise found
        return found

    async def _read(
        self, site: int | str, wanted: int, common: CommonParameters = NO_EVENTS
    ) -> Goal | ServerError:
        """One goal of a site, or the error for one that the server cannot list.

        Raises:
            NotFoundError: the goal is not one of this site's.
        """
        key = check_site(site)
        try:
            found = await self._first(site, lambda goal: goal.goal_id == wanted, common)
        except IncompleteWalkError as error:
            skipped: list[Skipped] = error.report.skipped
            if not skipped:
                raise
            failures = [one.error for one in skipped if one.goal in (wanted, None)]
        except ServerError as error:
            if error.status != 500:
                raise
            failures = [error]
        else:
            if found is not None:
                return found
            failures = []
        # Older servers change and delete the goal of this id whatever site it is of.
        if failures and await owns_goal(self._context, key, wanted):
            return unreadable(failures[0], key, wanted)
        raise no_goal(self._context, wanted, key)

    async def _first(
        self,
        site: int | str,
        matches: Callable[[Goal], bool],
        common: CommonParameters = NO_EVENTS,
    ) -> Goal | None:
        """The first goal that matches, or ``None`` if it is certain that there is none.

        Raises:
            IncompleteWalkError: there may be one.
        """
        # Page after page, since most sites have their goals on one.
        options = WalkParameters(concurrency=1, strict=True)
        options.update(common)  # type: ignore[typeddict-item]  # which has the same keys, and fewer
        walk: Paginator[Goal] = self._walk(
            GOALS,
            {"site": check_site(site)},
            GOALS.max_page_size or 100,
            options,
            sorting=GOALS.stable_query,
            is_call=True,
        )
        async with walk as goals:
            async for goal in goals:
                if matches(goal):
                    return goal
        return None

    # --- figures ------------------------------------------------------------------------------

    @expand_parameters
    async def series(
        self,
        site: int | str,
        goals: int | Goal | Iterable[int | Goal],
        *,
        bucket: Bucket = "hour",
        compute: bool = False,
        **common: Unpack[CommonParameters],
    ) -> builtins.list[GoalBucket]:
        """The conversions of goals in each bucket of a window, by time and ``goal_id``.

        Every goal has a row for each bucket that has sessions.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            goals: one or several, by id or as ``Goal``.
            bucket: ``"minute"``, ``"five_minutes"``, ``"ten_minutes"``, ``"fifteen_minutes"``,
                ``"hour"``, ``"day"``, ``"week"`` (from Sunday), ``"month"`` or ``"year"``, of local
                time in ``time_zone``.
            compute: where the server has no such endpoint (before 2.7), compute the same. Days
                and longer buckets of a window of dates are exact, and cost a request for each
                bucket and 100 goals of the site. Others are counted from all sessions of the site
                and of the goals: a session that converted and lies in several buckets counts in the
                one that it ended in, and a ``RybbitWarning`` says how many did.
            common: see ``CommonParameters``.

        Raises:
            EndpointNotFoundError: the server has no such endpoint, and ``compute`` is false.
            NotFoundError: a goal is not one of this site's, which has sessions in the window.
        """
        one = isinstance(goals, (int, Goal))
        ids = dict.fromkeys(map(check_goal, [goals] if one else check_many("goals", goals)))
        key, bucket, parsed = check_site(site), check_bucket(bucket), parse_common(common)
        compute = check_bool("compute", compute)
        if not ids:
            return []
        return await self._figures.series(key, [*ids], bucket, with_zone(parsed), compute=compute)

    async def compare(
        self, site: int | str, window: CommonParameters, other: CommonParameters
    ) -> builtins.list[GoalComparison]:
        """Each goal of a site in two windows, with the change from ``other`` to ``window``.

        A goal that is created or deleted meanwhile may be left out.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            window, other: such as ``CommonParameters(start_date="2024-02-01",
                end_date="2024-02-29")``, each with filters of its own if you like.
        """
        key, windows = check_site(site), {"window": window, "other": other}
        for name, one in windows.items():
            if not isinstance(one, Mapping):
                raise wrong_type(name, one, "CommonParameters, or another dict of their names")
        return await self._figures.compare(key, _window(**window), _window(**other))

    # --- writing ------------------------------------------------------------------------------

    async def create(
        self, site: int | str, config: GoalConfig, *, name: str | None = None
    ) -> GoalResult:
        """Create a goal; its type follows from the class of ``config``. Names need not be unique.

        Servers before 2.8 know only ``PathGoal`` and ``EventGoal`` and raise ``BadRequestError``
        for the others; those before 2.4 drop ``property_filters`` and report no error. A path that
        never matches, and a property value that makes the server fail, emit a ``RybbitWarning``.
        """
        return await self._create(site, config, name, warning_here())

    async def _create(
        self, site: int | str, config: GoalConfig, name: str | None, warn: Callable[[str], None]
    ) -> GoalResult:
        body: dict[str, Any] = {
            "goalType": _type_of(check_config(config)),
            "config": config_to_wire(config),
        }
        if check_name(name):
            body["name"] = name  # null is refused; a goal without a name has none sent
        site_key = check_site(site)
        await self._warn(site_key, config, warn)
        response = await self._context.router.send(
            GOALS.route,
            "POST",
            {"site": site_key},
            body=dump(body, "config"),
            options=self._context.options,
        )
        return _result(response, created=True)

    async def _warn(
        self, site: str, config: GoalConfig | Mapping[str, Any], warn: Callable[[str], None]
    ) -> None:
        self._context.router.check_usable()
        for text in (pattern_warning(config), await value_warning(self._context, site, config)):
            if text is not None:
                warn(text)

    async def ensure(
        self, site: int | str, config: GoalConfig, *, name: str | None = None
    ) -> GoalResult:
        """The goal with this configuration, and this name if given; created if there is none.

        This is the safe way to create a goal: a ``create`` whose response was lost cannot be
        repeated, since goals need not be unique. ``ensure`` looks for the goal before it creates
        one, and again after a response that was lost; if the goal is not there then, the first
        error is raised, and ``ensure`` can be called again. Calls of one client run one at a time.
        If the server cannot list some of the site's goals, and the goal is not among the others, it
        may be one of those: then ``ServerError`` is raised and nothing is created.
        A server before 2.4, which drops ``property_filters``, never has a goal with them, and each
        call creates another one: use ``property_key`` there.
        """
        check_config(config)
        check_name(name)
        warn = warning_here()
        self._context.router.check_usable()
        async with self._ensuring:
            found = await self._find(site, config, name)
            if found is not None:
                pattern = pattern_warning(config)
                if pattern is not None:
                    warn(pattern)
                return GoalResult(True, found.goal_id)
            try:
                return await self._create(site, config, name, warn)
            except (APIConnectionError, APIResponseError, ServerError):
                found = await self._find(site, config, name)
                if found is None:
                    raise
                return GoalResult(True, found.goal_id, created=True)

    async def _find(self, site: int | str, config: GoalConfig, name: str | None) -> Goal | None:
        def matches(goal: Goal) -> bool:
            same_name = name is None or goal.name == name
            return same_name and same_config(goal.config, config)

        try:
            return await self._first(site, matches)
        except IncompleteWalkError as error:
            skipped: list[Skipped] = error.report.skipped
            if not skipped:
                raise
            one = skipped[0]
            why = "ensure cannot tell whether the goal exists"
            failure = unreadable(one.error, one.site, one.goal, one.place, why=why)
        raise failure

    async def update(
        self,
        site: int | str,
        goal: int | Goal,
        *,
        name: str | NotGiven | None = _NOT_GIVEN,
        config: GoalConfig | Mapping[str, Any] | NotGiven = _NOT_GIVEN,
    ) -> GoalResult:
        """Change a goal; what is not passed stays as it is. ``name=None`` removes the name.

        The server replaces the whole goal, so it is read first, and for a goal that is not this
        site's ``NotFoundError`` is raised and nothing is sent. A goal that the server cannot list
        needs both ``name`` and ``config``. A mapping as ``config`` is for goal types that this
        package has no class for: it is sent as it is, and the type stays.
        """
        warn = warning_here()
        site_key, wanted = check_site(site), check_goal(goal)
        if isinstance(name, NotGiven) and isinstance(config, NotGiven):
            raise InvalidParameterError("update must be given name, config or both, got neither")
        if not isinstance(name, NotGiven):
            check_name(name)
        if not isinstance(config, (NotGiven, Mapping)):
            check_config(config)
        found = await self._read(site, wanted)
        if isinstance(found, Goal):
            old = found
        else:
            if isinstance(name, NotGiven) or not isinstance(config, GoalConfig):
                raise InvalidParameterError(
                    "update must be given both name and config, one of the classes of goals, since "
                    f"the server cannot tell what they are now: {found}"
                )
            old = Goal(wanted, None, name, "", config)
        new_name = old.name if isinstance(name, NotGiven) else name
        new_config = old.config if isinstance(config, NotGiven) else config
        body: dict[str, Any] = {
            # Not documented, and required by servers before 2.7.
            "goalId": wanted,
            "siteId": _numeric_site(site_key, old),
            "goalType": _type_of(new_config, old.goal_type),
            "config": config_to_wire(new_config),
        }
        if new_name:
            body["name"] = new_name
        if old is not found or config_to_wire(old.config) != body["config"]:
            await self._warn(site_key, new_config, warn)
        return _result(await self._write("PUT", site_key, wanted, dump(body, "config")), wanted)

    async def delete(self, site: int | str, goal: int | Goal) -> GoalResult:
        """Delete a goal of this site. A response without a body counts as a success.

        An older server deletes a goal whatever site the URL names, so the goal is read first: for
        one that is not this site's ``NotFoundError`` is raised and nothing is deleted.
        """
        site_key, wanted = check_site(site), check_goal(goal)
        await self._read(site, wanted)
        try:
            # A DELETE with a JSON content type and no body is refused, so it has neither.
            return _result(await self._write("DELETE", site_key, wanted, None), wanted)
        except NotFoundError as error:
            if error.repeated and error.message == "Goal not found":
                return GoalResult(True, wanted)  # an earlier attempt, whose response was lost
            raise

    async def _write(self, method: str, site: str, goal: int, body: bytes | None) -> Response:
        params: Mapping[str, str | int] = {"site": site, "goal": goal}
        router, options = self._context.router, self._context.options
        return await router.send(GOAL, method, params, body=body, options=options)


def _window(**common: Unpack[CommonParameters]) -> Common:
    return parse_common(common)


def _sorting(sort: object, order: object) -> dict[str, str]:
    # The server silently takes what it does not know for the default.
    query: dict[str, str] = {}
    if sort is not None:
        query["sort"] = str(check_choice("sort", sort, _SORTS))
    if order is not None:
        query["order"] = str(check_choice("order", order, ORDERS))
    return query


def _numeric_site(site: str, goal: Goal) -> int:
    if goal.site_id is not None:
        return goal.site_id
    if not site.isdigit():
        raise InvalidParameterError(
            "site must be the site's number, since this server requires it in an update and does "
            f"not send it, got {site!r}"
        )
    return int(site)


def _type_of(config: GoalConfig | Mapping[str, Any], old: str = "") -> str:
    return next((name for name, cls in GOAL_CONFIGS.items() if isinstance(config, cls)), old)


def _result(response: Response, goal_id: int | None = None, *, created: bool = False) -> GoalResult:
    is_deletion = response.request.method == "DELETE"

    def result(body: Body) -> GoalResult:
        # A proxy may answer a deletion with a 204 of its own.
        data = body.json() if body.data or not is_deletion else {"success": True}
        if isinstance(data, dict):
            # The response to a deletion does not repeat the id.
            known = {} if goal_id is None else {"goalId": goal_id}
            data = {**known, **cast("dict[str, object]", data), "created": created}
        return structure(data, GoalResult)

    return decode(response, result)
