"""The API's lists as walks see them, and what every walk over them is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from hashlib import sha256
from operator import attrgetter
from typing import Any, Final, TypeVar

from attrs import evolve, frozen

from ..models import Goal, Session
from ..parameters.checks import check_choice, check_int, query_string
from ..parameters.window import freeze, is_frozen, is_past, is_relative, thaw
from ..transport.capabilities import Capabilities
from ..transport.options import Options
from ..transport.routes import Route
from ..transport.routing import Router
from ..walks.paginator import Page, Paginator, Report, Walks
from ..walks.reconcile import CatalogLedger, TimelineLedger
from ..walks.walk import ListWalk, Resume, Walk
from ..wire.converter import read_goals, read_sessions
from ..wire.json import Body, dump
from ..wire.messages import Response, decode
from .endpoints import GOAL, GOAL_SESSIONS, GOALS

__all__ = ["BY_ID", "Api", "GoalSource", "SessionSource", "WalkOptions"]

T = TypeVar("T")

MAX_CONCURRENCY: Final = 1000
# The order in which goals stand the same way on every page.
BY_ID: Final[Mapping[str, str]] = {"sort": "goalId", "order": "asc"}


@frozen
class Api:
    """What the resources work with: the server, and the options of one view of the client."""

    router: Router
    server: Capabilities
    walks: Walks
    ensuring: asyncio.Lock
    options: Options
    concurrency: int

    async def read(
        self,
        route: Route,
        params: Mapping[str, str | int],
        query: Mapping[str, str],
        read: Callable[[Body], T],
    ) -> Callable[[], T]:
        """Send a read; what ``read`` makes of its answer is made when it is called for."""
        response = await self.router.send(
            route, "GET", params, query=query_string(query), options=self.options
        )
        return partial(decode, response, read)

    async def write(
        self, method: str, site: str, goal: int | None, body: Mapping[str, Any] | None
    ) -> Response:
        """Send a write to a site's goals, or to one of them."""
        # A DELETE with a JSON content type and no body is refused, so it has neither.
        return await self.router.send(
            GOALS if goal is None else GOAL,
            method,
            {"site": site} if goal is None else {"site": site, "goal": goal},
            body=None if body is None else dump(body, "config"),
            options=self.options,
        )

    async def freeze(self, query: Mapping[str, str], resume: Resume | None) -> Mapping[str, str]:
        """``query`` with its relative window made exact, where the server takes exact times."""
        if resume is not None and resume.source:
            return thaw(query, resume.source)
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
    verify: bool = False
    expected: int | None = None
    moves: bool = False

    @property
    def state(self) -> Mapping[str, str]:
        """The window, where it was frozen."""
        return self.query if is_frozen(self.query) else {}

    async def prepare(self, resume: Resume | None) -> GoalSource:
        """With a relative window frozen."""
        return evolve(self, query=await self.api.freeze(self.query, resume))

    async def fetch(self, number: int, size: int, stable: bool = False) -> Callable[[], Page[Goal]]:
        """``GET`` list goals."""
        sorting = BY_ID if stable else self.sorting
        query = {"page": str(number), "page_size": str(size), **sorting, **self.query}
        return await self.api.read(GOALS, {"site": self.site}, query, read_goals)

    def ledger(
        self, report: Report, concurrency: int, resume: Resume | None
    ) -> CatalogLedger[Goal]:
        """See ``CatalogLedger``."""
        return CatalogLedger(
            report,
            _goal_id,
            rising=self.sorting == BY_ID,
            # Equal names and types come another way on each page.
            stable=self.sorting.get("sort") not in ("name", "goalType"),
            verify=self.verify,
            patience=concurrency + 3,
            resume=resume,
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
    moves: bool = True

    @property
    def state(self) -> Mapping[str, str]:
        """The window, where it was frozen."""
        return self.query if is_frozen(self.query) else {}

    async def prepare(self, resume: Resume | None) -> SessionSource:
        """With a relative window frozen, and held against the clock."""
        query = await self.api.freeze(self.query, resume)
        return evolve(self, query=query, moves=not is_past(query, self.api.server.now()))

    async def fetch(
        self, number: int, size: int, stable: bool = False
    ) -> Callable[[], Page[Session]]:
        """``GET`` goal sessions."""
        query = {"page": str(number), "limit": str(size), **self.query}
        params: dict[str, str | int] = {"site": self.site, "goal": self.goal}
        return await self.api.read(GOAL_SESSIONS, params, query, read_sessions)

    def ledger(
        self, report: Report, concurrency: int, resume: Resume | None
    ) -> TimelineLedger[Session]:
        """See ``TimelineLedger``."""
        if is_relative(self.query):
            report.note(
                "the server resolves past_minutes at each request and takes no exact times: each "
                "page saw a window of its own"
            )
        return TimelineLedger(
            report,
            _session_end,
            _session_identity,
            past=not self.moves,
            size=self.page_size,
            concurrency=concurrency,
            resume=resume,
        )


_goal_id: Callable[[Goal], int] = attrgetter("goal_id")
_session_end: Callable[[Session], datetime | None] = attrgetter("session_end")
_session_identity: Callable[[Session], tuple[str, str | None]] = attrgetter("session_id", "user_id")


@frozen
class WalkOptions:
    """What every walk takes, checked."""

    concurrency: int
    ordered: bool
    limit: int | None
    strict: bool
    max_pages: int | None

    @classmethod
    def of(
        cls,
        api: Api,
        concurrency: int | None,
        ordered: bool,
        limit: int | None,
        strict: bool,
        max_pages: int | None,
    ) -> WalkOptions:
        """The options as a caller gave them.

        Raises:
            InvalidParameterError: one of them cannot be.
        """
        if concurrency is not None:
            check_int("concurrency", concurrency, maximum=MAX_CONCURRENCY)
        if limit is not None:
            check_int("limit", limit, minimum=0)
        if max_pages is not None:
            check_int("max_pages", max_pages)
        return cls(
            concurrency or api.concurrency,
            check_choice("ordered", ordered, (True, False)),
            limit,
            check_choice("strict", strict, (True, False)),
            max_pages,
        )

    def walk(self, source: Any, report: Report, resume: Resume | None = None) -> ListWalk[Any]:
        """A walk over one list."""
        return ListWalk(
            source,
            report,
            concurrency=self.concurrency,
            ordered=self.ordered,
            most=self.max_pages,
            resume=resume,
        )

    def paginator(
        self,
        api: Api,
        begin: Callable[[Report, Resume | None], Walk[T]],
        name: str,
        *query: object,
    ) -> Paginator[T]:
        """A paginator over the walks that ``begin`` begins; ``query`` is what was asked for."""
        return Paginator(
            begin,
            name=name,
            query=sha256(json.dumps([name, *query]).encode()).hexdigest()[:16],
            walks=api.walks,
            limit=self.limit,
            strict=self.strict,
        )
