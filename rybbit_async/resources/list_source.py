"""A list of the API as a walk sees it: numbered pages of rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

from attrs import evolve, field, frozen

from ..errors import APIResponseError, BadRequestError, ServerError
from ..pages import Page, PageMeta, RawPage
from ..parameters.checks import query_string
from ..parameters.common import Common
from ..parameters.window import LATENESS, Window
from ..transport.options import Options
from ..walks.orders import ByTime
from ..walks.walk import PageRequest
from ..wire.json import Body
from ..wire.messages import ResponsePage
from .context import Context
from .endpoints import ListEndpoint
from .goal_owner import owns_goal
from .unreadable_goals import GoalList, read_in_parts

__all__ = ["ListSource", "applied", "pinned", "pinned_here"]

T = TypeVar("T")

Warn = Callable[[str], None]

_RELATIVE: Final = (
    "the server resolves past_minutes at each request and takes no exact times, so each page had "
    "a window of its own"
)
_MOVED_ON: Final = (
    "the window moved on while it was read, so rows that were at its start may be missing"
)
_UNSETTLED: Final = (
    "the window was not settled when the walk began ({}), so a walk that is resumed from one of "
    "its positions may repeat rows"
)


async def applied(
    context: Context,
    endpoint: ListEndpoint[Any],
    places: Sequence[Mapping[str, str | int]],
    common: Common,
    warn: Warn,
) -> Common:
    """The common parameters that the server applies; warns of filters that it would ignore.

    Args:
        places: the parameters of the route, for each list that can show what the server does.
    """
    ignored = " and ".join(common.conditions())
    if endpoint.always_filtered or not ignored:
        return common
    for params in places:
        site, goal = str(params["site"]), params.get("goal")
        goal = None if goal is None else int(goal)
        applies = await context.capabilities.filters_goal_sessions(site, goal, context.options)
        if applies:
            return common
        if applies is not None:
            break
    warn(
        f"{ignored}: the server ignores this for the sessions of a goal, so these rows are those "
        "of the unfiltered window; filter them in your program"
    )
    return common._replace(filters=None, segment_id=None)


async def pinned(context: Context, sites: Sequence[str], window: Window) -> Window:
    """A relative window with exact times, if the server takes them; any other as it is."""
    if window.is_relative:
        for site in sites:
            takes = await context.capabilities.takes_exact_times(site, context.options)
            if takes is not None:
                return window.pin(context.capabilities.now()) if takes else window
    return window


async def pinned_here(context: Context, sites: Sequence[str], window: Window) -> Window:
    """The same for a list in which servers ignore exact times, so that the client cuts its rows."""
    if not window.is_relative:
        return window
    return window.pin(await context.capabilities.time(sites[0], context.options))


@frozen
class ListSource(Generic[T]):
    """One list with the parameters of one call.

    Attributes:
        params: those of the route, such as the site.
        common: the window in time that the rows are from, and the filters.
        query: the other query parameters, such as a search.
        sorting: the query parameters that say how the rows are sorted.
        page_size: how many rows a request asks for.
        warn: how to warn the caller.
        expected: how many rows there may be, where that is known beforehand; a hint.
        agreed: what ``common`` is to be in a walk over several lists, which have that in common.
        body: what is sent with a ``POST`` for each page; ``None`` for a ``GET``.
        before: what has to be found out before the first page, such as whether the server ignores
            one of the parameters.
        settled: whether nothing in the list can change any more.
        moments: the times of the pages that were read, as the server wrote them.
    """

    context: Context
    endpoint: ListEndpoint[T]
    params: Mapping[str, str | int]
    common: Common
    query: Mapping[str, str]
    sorting: Mapping[str, str]
    page_size: int
    warn: Warn
    expected: int | None = None
    agreed: Callable[[], Awaitable[Common]] | None = None
    before: Callable[[], Awaitable[None]] | None = None
    body: bytes | None = None
    settled: bool = False
    moments: set[object] = field(factory=set[object])

    @property
    def window(self) -> Window:
        """The window in time that the rows are from."""
        return self.common.window

    @property
    def lateness(self) -> timedelta:
        """How far back from the head rows may appear and move to, while they still may."""
        return min(LATENESS, self.context.settled_after)

    @property
    def state(self) -> Mapping[str, str]:
        """What a position has to store: the exact times of a window that was pinned."""
        return self.window.state()

    @property
    def note(self) -> str | None:
        """What a report should say of this list."""
        relative = _RELATIVE if self.window.is_relative else None
        if self.settled or not isinstance(self.endpoint.order, ByTime):
            return relative
        moment = self.window.settles_at(self.context.settled_after)
        when = "it never is" if moment is None else f"it is from {moment:%Y-%m-%d %H:%M:%S} UTC on"
        unsettled = _UNSETTLED.format(when)
        return unsettled if relative is None else f"{relative}, and {unsettled}"

    @property
    def doubt(self) -> str | None:
        """Why rows may be missing: those that left a relative window while it was read."""
        moved_on = self.window.is_relative and len(self.moments) > 1
        return _MOVED_ON if moved_on and isinstance(self.endpoint.order, ByTime) else None

    async def prepare(self, state: Mapping[str, str] | None) -> ListSource[T]:
        """The list for one walk: a relative window is pinned where the server takes exact times.

        Raises:
            InvalidParameterError: ``state`` is not what ``state`` of such a list was.
        """
        context, common = self.context, self.common
        if self.before is not None:
            await self.before()
        if self.agreed is not None:
            common = await self.agreed()
        else:
            common = await applied(context, self.endpoint, [self.params], common, self.warn)
            window = common.window
            if state:
                window = window.restore(state)
            elif self.endpoint.takes_exact_times:
                window = await pinned(context, [str(self.params["site"])], window)
            common = common._replace(window=window)
        settled = common.window.is_settled(context.capabilities.now(), context.settled_after)
        return evolve(self, common=common, settled=settled, moments=set())

    async def applied(self) -> ListSource[T]:
        """This list with the filters that the server applies."""
        if self.before is not None:
            await self.before()
        if self.endpoint.always_filtered:
            return self
        common = await applied(self.context, self.endpoint, [self.params], self.common, self.warn)
        return evolve(self, common=common)

    async def fetch(self, request: PageRequest) -> RawPage[T]:
        """One page of the list, from the endpoint's route.

        Where single rows can make a page fail, it is read again in parts, unless the caller wants
        no request to be repeated.
        """
        options = evolve(self.context.options, has_begun=request.has_begun)
        try:
            return await self._fetch(request, options)
        except ServerError as error:
            repeats = self.endpoint.fails_whole and options.retry.attempts > 1
            if error.status != 500 or not repeats:
                raise
            failure = error
        once, site = evolve(options, repeats_500=False), str(self.params["site"])

        async def fetch(part: PageRequest) -> Any:  # only the list of goals fails as a whole
            request.count()
            return await self._fetch(part, once)

        goals = GoalList(site, self.sorting, fetch, partial(owns_goal, self.context, site))
        return cast("RawPage[T]", await read_in_parts(goals, request, failure))

    async def _fetch(self, request: PageRequest, options: Options) -> ResponsePage[T]:
        query = {
            **self._place(request),
            **(self.endpoint.stable_query if request.stable else self.sorting),
            **self.common.query(),
            **self.query,
        }
        try:
            response = await self.context.router.send(
                self.endpoint.route,
                "GET" if self.body is None else "POST",
                self.params,
                query=query_string(query),
                body=self.body,
                options=options,
            )
        except BadRequestError as error:
            if self.window.is_pinned and "start_datetime" in error.message:
                self.context.capabilities.forget_exact_times()
            raise
        self.moments.add(response.headers.get("Date") or object())
        return ResponsePage(response, partial(self._read, request))

    def _place(self, request: PageRequest) -> dict[str, str]:
        """The query parameters that say which part of the list is wanted."""
        endpoint, size = self.endpoint, request.size
        if endpoint.offset_parameter is None:
            return {"page": str(request.number), endpoint.size_parameter: str(size)}
        offset = str((request.number - 1) * size)
        return {endpoint.size_parameter: str(size), endpoint.offset_parameter: offset}

    def _read(self, request: PageRequest, body: Body) -> Page[T]:
        page, order = self.endpoint.read(body), self.endpoint.order
        meta = page.meta
        if meta is not None and not (meta.page and meta.page_size):
            # The server told no more than a total.
            size = meta.page_size or request.size
            meta = PageMeta(meta.total, meta.page or request.number, size, -(-meta.total // size))
            page = evolve(page, meta=meta)
        if self.window.is_pinned and page.items and isinstance(order, ByTime):
            for row in (page.items[0], page.items[-1]):
                time = order.key(row)
                if time is not None and not self.window.holds(time):
                    self.context.capabilities.forget_exact_times()
                    raise APIResponseError(
                        f"data: rows must be in the window that was asked for, got one of {time}: "
                        "the server does not take exact times any more; begin the walk again",
                        path="data",
                    )
        return page
