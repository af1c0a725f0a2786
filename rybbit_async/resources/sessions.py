"""``client.sessions``: the sessions of a site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Final, Literal, Unpack

from attrs import evolve, field, frozen

from ..models import SessionDetails, SessionEvent, SessionOfSite, SiteSession
from ..pages import Page, RawPage, Report
from ..parameters.callers import warning_here
from ..parameters.checks import check_int, check_site
from ..parameters.common import Common, CommonParameters
from ..parameters.rows import check_id, session_choice, session_minimums
from ..parameters.signature import expand_parameters
from ..parameters.walk import WalkParameters
from ..walks.chosen import ChosenRows
from ..walks.options import WalkOptions
from ..walks.paginator import Paginator
from ..walks.walk import PagedWalk, PageRequest, Position, ResizableWalk
from ..wire.messages import ResponsePage, decode
from ..wire.page_reader import read_at
from .endpoints import SESSION, SESSIONS
from .list_source import ListSource
from .many_sites import ManySitesResource

__all__ = ["SessionWithEvents", "Sessions"]

# What each of the parameters is a minimum of.
_COLUMNS: Final[Mapping[str, str]] = {
    "min_pageviews": "pageviews",
    "min_events": "events",
    "min_duration": "session_duration",
}
_LEFT_OUT: Final = "{}: the server ignores this, so the client left out the rows that have less"


@frozen
class SessionWithEvents:
    """One session, and a walk over its events, oldest first.

    The first page of events came with the session, so the first walk begins with it, without a
    request. Each further walk reads the events again.
    """

    session: SessionDetails
    events: Paginator[SessionEvent]


class Sessions(ManySitesResource):
    """The sessions of a site, latest ``session_end`` first.

    ``user_id`` is a ``user_id`` or an ``identified_user_id``, and ``identified_only`` leaves out
    the sessions of users whom the site has not named. ``min_pageviews``, ``min_events`` (custom
    ones) and ``min_duration`` (seconds) are what a session must have at least, in the window.
    Servers before 2.4 ignore these three; there, the client leaves out the rows that have less.
    """

    @expand_parameters
    async def list(
        self,
        site: int | str,
        *,
        page: int = 1,
        limit: int = 100,
        user_id: str | None = None,
        identified_only: bool = False,
        min_pageviews: int | None = None,
        min_events: int | None = None,
        min_duration: int | None = None,
        **common: Unpack[CommonParameters],
    ) -> Page[SiteSession]:
        """One page of ``limit`` sessions (``GET`` sessions); its ``meta`` is ``None``.

        Where the server ignores a minimum, there is a warning, since a page may then be shorter
        than ``limit`` although more follow.
        """
        least = session_minimums(
            min_pageviews=min_pageviews, min_events=min_events, min_duration=min_duration
        )
        query = session_choice(user_id, identified_only) | _texts(least)
        params, warn = {"site": check_site(site)}, warning_here()
        given = await self._page(SESSIONS, params, page, limit, common, query=query)
        wanted = _has_least(least)
        chosen = tuple(row for row in given.items if wanted(row))
        if len(chosen) < len(given):
            warn(f"{_LEFT_OUT.format(', '.join(least))}; this page has {len(chosen)} of {limit}")
        return evolve(given, items=chosen)

    @expand_parameters
    def iter(
        self,
        site: int | str,
        *,
        page_size: int = 1000,
        user_id: str | None = None,
        identified_only: bool = False,
        min_pageviews: int | None = None,
        min_events: int | None = None,
        min_duration: int | None = None,
        **walk: Unpack[WalkParameters],
    ) -> Paginator[SiteSession]:
        """Every session of a site. A page costs the server nearly the same whatever its size."""
        least = session_minimums(
            min_pageviews=min_pageviews, min_events=min_events, min_duration=min_duration
        )
        query = session_choice(user_id, identified_only) | _texts(least)
        return self._walk(
            SESSIONS,
            {"site": check_site(site)},
            page_size,
            walk,
            query=query,
            choose=choose_sessions(least),
        )

    @expand_parameters
    def iter_all(
        self,
        sites: int | str | Iterable[int | str],
        *,
        page_size: int = 1000,
        user_id: str | None = None,
        identified_only: bool = False,
        min_pageviews: int | None = None,
        min_events: int | None = None,
        min_duration: int | None = None,
        on_error: Literal["raise", "skip"] = "raise",
        **walk: Unpack[WalkParameters],
    ) -> Paginator[SessionOfSite]:
        """Every session of many sites, walked together under one window.

        The pages have no positions: to stop and go on, walk site by site.

        Args:
            sites: a site or several, each by its number or its identifier, and not by both; or
                ``"all"`` for every site that the key can read.
            page_size: how many sessions a request asks for.
            user_id, identified_only, min_pageviews, min_events, min_duration: see ``Sessions``.
            on_error: ``"skip"`` goes on without the rest of a site that cannot be read.
                ``report.skipped`` says which, and with what error; the walk is then not complete,
                and doubtful. Errors that would not spare the others are raised all the same, such
                as ``RateLimitError``.
            walk: see ``WalkParameters``. ``concurrency`` counts pages of all sites; ``ordered`` is
                site by site; without it, each site has an equal share of the requests.
        """
        least = session_minimums(
            min_pageviews=min_pageviews, min_events=min_events, min_duration=min_duration
        )
        return self._walk_sites(
            sites,
            check_int("page_size", page_size),
            walk,
            SESSIONS,
            "sessions",
            SessionOfSite,
            on_error=on_error,
            query=session_choice(user_id, identified_only) | _texts(least),
            choose=choose_sessions(least),
        )

    async def get(
        self, site: int | str, session_id: str, *, page_size: int = 1000
    ) -> SessionWithEvents:
        """One session with its events, over all of time (``GET`` session).

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            session_id: the session's ``session_id``.
            page_size: how many events a request asks for; few sessions have more than a page.

        Raises:
            NotFoundError: the site has no such session.
        """
        params = {"site": check_site(site), "session": check_id("session_id", session_id)}
        size = check_int("page_size", page_size)
        source = _SessionEvents(
            self._context, SESSION, params, Common(), {}, {}, size, warning_here()
        )
        page = await source.first()
        session = decode(page.response, lambda body: read_at(body, "data.session", SessionDetails))
        source.came_along.append(page)
        context = self._context
        options = WalkOptions(context.concurrency, observers=context.options.observers)

        def begin(report: Report, position: Position | None) -> PagedWalk[SessionEvent]:
            return PagedWalk(source, SESSION.order, report, options, position)

        name = SESSION.name.format_map(params)
        return SessionWithEvents(session, self._paginator(begin, options, SessionEvent, name))


@frozen
class _SessionEvents(ListSource[SessionEvent]):
    """The events of one session.

    Attributes:
        came_along: the first page, until a walk has taken it.
    """

    came_along: list[ResponsePage[SessionEvent]] = field(
        factory=list[ResponsePage[SessionEvent]], kw_only=True
    )

    async def first(self) -> ResponsePage[SessionEvent]:
        """The first page, with the session."""
        return await self._fetch(PageRequest(1, self.page_size), self.context.options)

    async def fetch(self, request: PageRequest) -> RawPage[SessionEvent]:
        """See ``ListSource``."""
        if self.came_along and request.number == 1 and request.size == self.page_size:
            return self.came_along.pop()
        return await super().fetch(request)


def _texts(least: Mapping[str, int]) -> dict[str, str]:
    return {name: str(value) for name, value in least.items()}


def _has_least(least: Mapping[str, int]) -> Callable[[SiteSession], bool]:
    """Whether a session has so many of each."""
    columns = [(attrgetter(_COLUMNS[name]), value) for name, value in least.items()]

    def wanted(row: SiteSession) -> bool:
        return all((given := column(row)) is None or given >= value for column, value in columns)

    return wanted


def choose_sessions(
    least: Mapping[str, int],
) -> Callable[[ResizableWalk[SiteSession]], ResizableWalk[SiteSession]] | None:
    """What makes of a walk one that leaves out sessions that have less, if there are minimums."""
    wanted, note = _has_least(least), _LEFT_OUT.format(", ".join(least))
    return (lambda walk: ChosenRows(walk, wanted, note)) if least else None
