"""The API's lists as walks see them, and what every walk over them is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from operator import attrgetter
from typing import Any, Final, Generic, Literal, TypeVar

from attrs import evolve, frozen

from ..models import Goal, Session
from ..pages import Page, Report
from ..parameters.checks import check_choice, check_int, query_string
from ..parameters.window import freeze, is_frozen, is_past, is_relative, thaw
from ..transport.capabilities import Capabilities
from ..transport.routing import Router
from ..transport.transport import Options
from ..walks.options import WalkOptions
from ..walks.orders import ByKey, ByTime
from ..walks.paginator import Paginator, WalkRegistry
from ..walks.walk import PageRequest, Position, Walk
from ..wire.converter import read_goals, read_sessions
from ..wire.json import Body, dump
from ..wire.messages import Response, decode

__all__ = [
    "BY_ID",
    "SESSION_ORDER",
    "Api",
    "GoalSource",
    "SessionSource",
    "goal_order",
    "paginator",
    "walk_options",
]

T = TypeVar("T")

MAX_CONCURRENCY: Final = 1000
# The order in which goals stand the same way on every page.
BY_ID: Final[Mapping[str, str]] = {"sort": "goalId", "order": "asc"}


@frozen
class ResponsePage(Generic[T]):
    """A page as its answer brought it, see ``RawPage``."""

    response: Response
    read: Callable[[Body], Page[T]]

    def decode(self) -> Page[T]:
        """See ``RawPage``."""
        return decode(self.response, self.read)


@frozen
class Api:
    """What the resources work with: the server, and the options of one view of the client."""

    router: Router
    server: Capabilities
    walks: WalkRegistry
    ensuring: asyncio.Lock
    options: Options
    concurrency: int

    async def read(
        self,
        endpoint: Literal["goals", "sessions"],
        site: str,
        goal: int | None,
        query: Mapping[str, str],
        read: Callable[[Body], Page[T]],
    ) -> ResponsePage[T]:
        """Request a page, which ``read`` makes of the answer."""
        answer = await self.router.send(
            endpoint, "GET", site, goal, query=query_string(query), options=self.options
        )
        return ResponsePage(answer, read)

    async def write(
        self, method: str, site: str, goal: int | None, body: Mapping[str, Any] | None
    ) -> Response:
        """Send a write to a site's goals, or to one of them."""
        # A DELETE with a JSON content type and no body is refused, so it has neither.
        return await self.router.send(
            "goals" if goal is None else "goal",
            method,
            site,
            goal,
            body=None if body is None else dump(body, "config"),
            options=self.options,
        )

    async def freeze(
        self, query: Mapping[str, str], state: Mapping[str, str] | None
    ) -> Mapping[str, str]:
        """``query`` with its relative window made exact, where the server takes exact times."""
        if state:
            return thaw(query, state)
        if is_relative(query) and await self.server.takes_exact_times(self.options):
            return freeze(query, self.server.now())
        return query


@frozen
class GoalSource:
    """The goals of a site: a list with a known total, whose rows have keys of their own."""

    api: Api
    site: str
    query: Mapping[str, str]
    sorting: Mapping[str, str]
    page_size: int
    expected: int | None = None
    settled: bool = False
    note: str | None = None

    @property
    def state(self) -> Mapping[str, str]:
        """The window, where it was frozen."""
        return self.query if is_frozen(self.query) else {}

    async def prepare(self, state: Mapping[str, str] | None) -> GoalSource:
        """With a relative window frozen."""
        return evolve(self, query=await self.api.freeze(self.query, state))

    async def fetch(self, request: PageRequest) -> ResponsePage[Goal]:
        """``GET`` list goals."""
        sorting = BY_ID if request.stable else self.sorting
        query = {
            "page": str(request.number), "page_size": str(request.size), **sorting, **self.query
        }  # fmt: skip
        return await self.api.read("goals", self.site, None, query, read_goals)


def goal_order(sorting: Mapping[str, str], verify: bool = False) -> ByKey[Goal]:
    """How the server sorts goals."""
    return ByKey(
        _goal_id,
        rising=sorting == BY_ID,
        # Equal names and types come another way on each page.
        stable=sorting.get("sort") not in ("name", "goalType"),
        verify=verify,
    )


@frozen
class SessionSource:
    """The sessions of a goal: a list by time that ends with a page that is short."""

    api: Api
    site: str
    goal: int
    query: Mapping[str, str]
    page_size: int
    expected: int | None = None
    settled: bool = False
    note: str | None = None

    @property
    def state(self) -> Mapping[str, str]:
        """The window, where it was frozen."""
        return self.query if is_frozen(self.query) else {}

    async def prepare(self, state: Mapping[str, str] | None) -> SessionSource:
        """With a relative window frozen, and held against the clock."""
        query = await self.api.freeze(self.query, state)
        note = None
        if is_relative(query):
            note = (
                "the server resolves past_minutes at each request and takes no exact times: each "
                "page saw a window of its own"
            )
        return evolve(self, query=query, settled=is_past(query, self.api.server.now()), note=note)

    async def fetch(self, request: PageRequest) -> ResponsePage[Session]:
        """``GET`` goal sessions."""
        query = {"page": str(request.number), "limit": str(request.size), **self.query}
        return await self.api.read("sessions", self.site, self.goal, query, read_sessions)


_goal_id: Callable[[Goal], int] = attrgetter("goal_id")
_session_end: Callable[[Session], datetime | None] = attrgetter("session_end")
_session_identity: Callable[[Session], tuple[str, str | None]] = attrgetter("session_id", "user_id")
SESSION_ORDER: Final = ByTime(_session_end, _session_identity)


def walk_options(
    api: Api,
    concurrency: int | None,
    ordered: bool,
    limit: int | None,
    strict: bool,
    max_pages: int | None,
) -> WalkOptions:
    """The options of a walk as a caller gave them, checked.

    Raises:
        InvalidParameterError: one of them cannot be.
    """
    if concurrency is not None:
        check_int("concurrency", concurrency, maximum=MAX_CONCURRENCY)
    if limit is not None:
        check_int("limit", limit, minimum=0)
    if max_pages is not None:
        check_int("max_pages", max_pages)
    return WalkOptions(
        concurrency or api.concurrency,
        check_choice("ordered", ordered, (True, False)),
        limit,
        check_choice("strict", strict, (True, False)),
        max_pages,
    )


def paginator(
    api: Api,
    options: WalkOptions,
    begin: Callable[[Report, Position | None], Walk[T]],
    name: str,
    *query: object,
) -> Paginator[T]:
    """A paginator over the walks that ``begin`` begins; ``query`` is what was asked for."""
    return Paginator(
        begin,
        name=name,
        query=sha256(json.dumps([name, *query]).encode()).hexdigest()[:16],
        walks=api.walks,
        options=options,
    )
