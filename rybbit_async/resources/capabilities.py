"""What the server can do. It is asked for that once, when something depends on it.

The number of its release decides nothing: derivatives number as they like.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable, Mapping
from datetime import datetime
from typing import Any, Final

from ..errors import APIResponseError, APIStatusError, BadRequestError, EndpointNotFoundError
from ..models import Goal, ServerCapabilities
from ..parameters.checks import query_string
from ..parameters.common import NO_EVENTS, parse_common
from ..transport.clock import ServerClock
from ..transport.options import Options
from ..transport.routes import Layout, Route
from ..transport.routing import Router
from ..transport.single_flight import SingleFlight
from ..wire.messages import Response, decode
from .alternatives import Alternatives
from .endpoints import (
    GOAL_SESSIONS,
    GOALS,
    NO_GOALS,
    OVERVIEW_BUCKETED,
    OVERVIEW_SERIES,
    USERS,
)

__all__ = ["Capabilities"]

Ask = Callable[[], Coroutine[Any, Any, bool | None]]

# A day in which no site has sessions.
_FIRST_DAY: Final = {
    "start_datetime": "1970-01-01T00:00:00Z",
    "end_datetime": "1970-01-02T00:00:00Z",
}
_NO_TIME: Final = {"start_datetime": "x"}
_FIRST_DATE: Final = {"bucket": "day", **parse_common(NO_EVENTS).query()}
_NO_FILTERS: Final = {"filters": "x"}
_NOBODY: Final = {"search": "nobody-9c1b7e52d84f4a0fa6e3"}
# The server is overloaded or down, so it would not answer the request in question, either.
_UNAVAILABLE: Final = frozenset({429, 502, 503, 504})


class Capabilities:
    """Finds out what one server can do, for all who want to know.

    An answer is remembered until the server contradicts it. ``None`` means that the site does not
    show it, and is not remembered.

    Attributes:
        overview_series: the route of the overview by time.
    """

    def __init__(self, router: Router, clock: ServerClock) -> None:
        self._router = router
        self._clock = clock
        self._exact_times = _Finding(router)
        self._goal_session_filters = _Finding(router)
        self._user_search = _Finding(router)
        self.overview_series = Alternatives(router, OVERVIEW_SERIES, OVERVIEW_BUCKETED)
        self._typed_values = _Finding(router)

    def now(self) -> datetime:
        """The date and time of day, by the server's clock as far as it is known."""
        return self._clock.now()

    async def time(self, site: str, options: Options) -> datetime:
        """The same by the server's clock; asks the server if it has not responded yet.

        Args:
            site: any site; it need not be one that the key can read.
        """
        if not self._clock.is_known:
            await self._get(GOALS.route, {"site": site}, NO_GOALS, options)
        return self.now()

    # --- exact times --------------------------------------------------------------------------

    async def takes_exact_times(self, site: str, options: Options) -> bool | None:
        """Whether the server knows ``start_datetime`` and ``end_datetime``."""
        return await self._exact_times.get(site, lambda: self._ask_exact_times(site, options))

    def forget_exact_times(self) -> None:
        """Ask again the next time: the server has contradicted the answer."""
        self._exact_times.forget()

    async def _ask_exact_times(self, site: str, options: Options) -> bool | None:
        params: dict[str, str | int] = {"site": site}
        query = {"page": "1", GOALS.size_parameter: "1"}
        # Each goal tells the number of the site's sessions in the window. A server that does not
        # know exact times ignores them, and tells the number of all time.
        total = _total(await self._get(GOALS.route, params, {**query, **_FIRST_DAY}, options))
        if total:
            return False
        # This is ignored as well, or the newest servers refuse it, whatever the site has.
        answer = await self._get(GOALS.route, params, {**query, **_NO_TIME}, options)
        if isinstance(answer, BadRequestError):
            return True if "start_datetime" in answer.message else None
        return True if total == 0 and _total(answer) else None

    # --- goals whose property value is a number or a boolean ---------------------------------

    async def counts_typed_values(self, site: str, options: Options) -> bool | None:
        """Whether the server counts a goal with such a value where events hold such values, too.

        Those that do not (2.2 and 2.4 were observed) also take any text for a time, and the others
        refuse it.
        """
        return await self._typed_values.get(site, lambda: self._ask_typed_values(site, options))

    async def _ask_typed_values(self, site: str, options: Options) -> bool | None:
        # That page has no goal on it that the server could fail over.
        answer = await self._get(GOALS.route, {"site": site}, {**NO_GOALS, **_NO_TIME}, options)
        if isinstance(answer, Response):
            return False
        refuses = isinstance(answer, BadRequestError) and "start_datetime" in answer.message
        return True if refuses else None

    # --- filters of the sessions of a goal ----------------------------------------------------

    async def filters_goal_sessions(
        self, site: str, goal: int | None, options: Options
    ) -> bool | None:
        """Whether the server applies ``filters`` to the sessions of a goal.

        Args:
            goal: a goal of the site; ``None`` for any.
        """
        return await self._goal_session_filters.get(
            (site, goal), lambda: self._ask_goal_session_filters(site, goal, options)
        )

    async def _ask_goal_session_filters(
        self, site: str, goal: int | None, options: Options
    ) -> bool | None:
        goal = goal or await self._any_goal(site, options)
        if goal is None:
            return None
        params: dict[str, str | int] = {"site": site, "goal": goal}
        query = {"page": "1", "limit": "1"}
        # A server that reads filters fails over these.
        garbled = await self._get(GOAL_SESSIONS.route, params, {**query, **_NO_FILTERS}, options)
        if isinstance(garbled, Response):
            return False
        if garbled.status not in (400, 500):
            return None
        # It may fail for another reason.
        plain = await self._get(GOAL_SESSIONS.route, params, query, options)
        return True if isinstance(plain, Response) else None

    async def _any_goal(self, site: str, options: Options) -> int | None:
        """The id of one of a site's goals, if it has any."""
        query = {"page": "1", GOALS.size_parameter: "1"}
        goal = _first_goal(await self._get(GOALS.route, {"site": site}, query, options))
        return None if goal is None else goal.goal_id

    # --- the search for users -----------------------------------------------------------------

    async def searches_users(self, site: str, options: Options) -> bool | None:
        """Whether the server applies ``search`` to the list of users."""
        return await self._user_search.get(site, lambda: self._ask_user_search(site, options))

    async def _ask_user_search(self, site: str, options: Options) -> bool | None:
        params: dict[str, str | int] = {"site": site}
        query = {"page": "1", USERS.size_parameter: "1"}
        found = _number_of_users(await self._get(USERS.route, params, query | _NOBODY, options))
        if found:
            return False
        # It may be that the site has no users at all.
        users = _number_of_users(await self._get(USERS.route, params, query, options))
        return True if found == 0 and users else None

    # --- everything ---------------------------------------------------------------------------

    async def all(self, site: str, options: Options) -> ServerCapabilities:
        """Everything that is known of the server, and everything else is asked."""
        series = await self._find_overview_series(site, options)
        return ServerCapabilities(
            layout=self._router.layout,
            exact_times=await self.takes_exact_times(site, options),
            goal_session_filters=await self.filters_goal_sessions(site, None, options),
            user_search=await self.searches_users(site, options),
            typed_values=await self.counts_typed_values(site, options),
            overview_series=series,
        )

    async def _find_overview_series(self, site: str, options: Options) -> str | None:
        # The first request, because it raises an error where the site cannot be read.
        query = query_string({"page": "1", GOALS.size_parameter: "1"})
        await self._router.send(GOALS.route, "GET", {"site": site}, query=query, options=options)
        query = query_string(_FIRST_DATE)
        try:
            await self.overview_series.send({"site": site}, query=query, options=options)
        except EndpointNotFoundError:
            return None
        layout = self._router.layout
        return None if layout is None else self.overview_series.route.template(layout)

    async def _get(
        self,
        route: Route,
        params: Mapping[str, str | int],
        query: Mapping[str, str],
        options: Options,
    ) -> Response | APIStatusError:
        """The answer, whether it is a success or not."""
        try:
            return await self._router.send(
                route, "GET", params, query=query_string(query), options=options
            )
        except APIStatusError as error:
            if error.status in _UNAVAILABLE:
                raise
            return error


class _Finding:
    """Something that is found out once, by one caller for all."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._known: bool | None = None
        self._layout: Layout | None = None  # of the server that it is known of
        self._flight: SingleFlight[tuple[Hashable, bool | None]] = SingleFlight()

    async def get(self, about: Hashable, ask: Ask) -> bool | None:
        """The answer, or ``None`` if what is asked ``about`` does not show it."""
        while self._known is None or self._layout != self._router.layout:
            asked_about, answer = await self._flight.get(lambda: self._find_out(about, ask))
            self._flight.forget()
            if asked_about == about or answer is not None:
                return answer
            # Another site did not show it, but this one may.
        return self._known

    async def _find_out(self, about: Hashable, ask: Ask) -> tuple[Hashable, bool | None]:
        self._known = await ask()
        # With another layout, it is another release.
        self._layout = self._router.layout
        return about, self._known

    def forget(self) -> None:
        """Find it out again the next time."""
        self._known = None


def _first_goal(answer: Response | APIStatusError) -> Goal | None:
    """The first goal on a page of a list of goals, if there is one."""
    try:
        return decode(answer, GOALS.read).items[0] if isinstance(answer, Response) else None
    except (APIResponseError, IndexError):
        return None


def _number_of_users(answer: Response | APIStatusError) -> int | None:
    """The total of a list of users."""
    try:
        meta = decode(answer, USERS.read).meta if isinstance(answer, Response) else None
    except APIResponseError:
        return None
    return None if meta is None else meta.total


def _total(answer: Response | APIStatusError) -> int | None:
    """The number of a site's sessions, as its goals tell it."""
    goal = _first_goal(answer)
    return None if goal is None else goal.total_sessions
