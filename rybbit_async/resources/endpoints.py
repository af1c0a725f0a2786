"""The API as data: where each endpoint is, and how each list looks and is ordered.

A list of the API is one ``ListEndpoint`` here, one model in ``models``, and one short method of a
resource. The facts come from the API's documentation and from what servers were seen to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from attrs import evolve, field, frozen

from ..models import Event, Goal, MetricRow, Session, SessionEvent, SiteSession, User
from ..pages import Page
from ..transport.routes import Route
from ..walks.orders import ByCount, ByKey, ByTime, Unnamed
from ..walks.walk import Order
from ..wire.json import Body
from ..wire.page_reader import (
    DATA,
    DATA_CURSOR,
    DATA_DATA,
    DATA_EVENTS,
    DATA_META,
    DATA_PAGINATION,
    DATA_TOTAL_COUNT,
    PageReader,
    page_reader,
)
from ..wire.values import MisfitError

__all__ = [
    "BY_LAST_SEEN",
    "EVENTS",
    "EVENT_NAMES",
    "GOAL",
    "GOALS",
    "GOAL_SERIES",
    "GOAL_SESSIONS",
    "LIVE_USERS",
    "METRIC",
    "NO_GOALS",
    "NUMBERED_EVENTS",
    "ORGANIZATIONS",
    "ORGANIZATION_SITES",
    "OVERVIEW",
    "OVERVIEW_BUCKETED",
    "OVERVIEW_SERIES",
    "PROBE",
    "SESSION",
    "SESSIONS",
    "SITE",
    "USER",
    "USERS",
    "ListEndpoint",
]

T = TypeVar("T")


@frozen
class ListEndpoint(Generic[T]):
    """A list that is read by numbered pages, ``page`` from 1, or by offsets.

    Attributes:
        name: what the list is called in errors and reports; knows the route's parameters.
        route: where it is in each layout of the API's URLs.
        model: the class of the rows.
        read: makes a page of the body of a response.
        order: how the server orders the rows, and what tells them apart.
        size_parameter: the query parameter that says how many rows a page has.
        offset_parameter: the query parameter that says how many rows come before the page, for a
            list whose pages have no numbers.
        max_page_size: the most rows that the server gives on one page; ``None`` for no limit.
        stable_query: the query parameters of an order in which the list can be made whole, for
            walks in an order that shuffles equal rows.
        thrifty: see ``WalkOptions``.
        takes_exact_times: whether the list has the window of exact times, where the server takes
            them; a relative window is then pinned. The others ignore them on every release.
        always_filtered: whether every release applies ``filters``; some ignore them otherwise.
        fails_whole: whether single rows can make a server answer 500 for the whole page.
    """

    name: str
    route: Route
    model: type[T]
    read: Callable[[Body], Page[T]]
    order: Order[T]
    size_parameter: str = "limit"
    offset_parameter: str | None = None
    max_page_size: int | None = None
    stable_query: Mapping[str, str] = field(factory=dict[str, str])
    thrifty: bool = False
    takes_exact_times: bool = True
    always_filtered: bool = True
    fails_whole: bool = False

    def lean(self) -> ListEndpoint[Any]:
        """The same list with lean rows, where it can be read so; otherwise itself."""
        read, order = self.read, self.order
        if not isinstance(read, PageReader) or not isinstance(order, ByTime):
            return self
        if order.rising or order.completed_by is not None:
            return self
        return evolve(self, read=read.lean, order=ByTime(_aware(order.key), order.identity))


def _aware(key: Callable[[Any], datetime | None]) -> Callable[[Any], datetime | None]:
    """The time of a row, lean or not."""

    def aware(row: Any) -> datetime | None:
        time = key(row)
        return time if time is None or time.tzinfo is not None else time.replace(tzinfo=UTC)

    return aware


GOALS: Final = ListEndpoint(
    "goals of site {site}",
    Route("/api/goals/{site}", "/api/sites/{site}/goals"),
    Goal,
    page_reader(Goal, DATA_META),
    ByKey(attrgetter("goal_id"), rising=True, stable=True),
    size_parameter="page_size",
    max_page_size=100,
    stable_query={"sort": "goalId", "order": "asc"},
    fails_whole=True,
)
GOAL: Final = Route("/api/goals/{goal}/{site}", "/api/sites/{site}/goals/{goal}")
GOAL_SESSIONS: Final = ListEndpoint(
    "sessions of goal {goal} of site {site}",
    Route("/api/goals/{goal}/sessions/{site}", "/api/sites/{site}/goals/{goal}/sessions"),
    Session,
    page_reader(Session, DATA),
    # A visitor who signs in half-way has two rows with one session_id.
    ByTime(attrgetter("session_end"), attrgetter("session_id", "user_id")),
    always_filtered=False,
)
SESSIONS: Final = ListEndpoint(
    "sessions of site {site}",
    Route("/api/sessions/{site}", "/api/sites/{site}/sessions"),
    SiteSession,
    page_reader(SiteSession, DATA),
    ByTime(attrgetter("session_end"), attrgetter("session_id")),
    thrifty=True,
)
SESSION: Final = ListEndpoint(
    "events of session {session} of site {site}",
    Route("/api/sessions/{session}/{site}", "/api/sites/{site}/sessions/{session}"),
    SessionEvent,
    page_reader(SessionEvent, DATA_EVENTS),
    Unnamed(attrgetter("timestamp"), rising=True),
    offset_parameter="offset",
)
BY_LAST_SEEN: Final[ByTime[User]] = ByTime(attrgetter("last_seen"), attrgetter("effective_user_id"))
USERS: Final = ListEndpoint(
    "users of site {site}",
    Route("/api/users/{site}", "/api/sites/{site}/users"),
    User,
    page_reader(User, DATA_TOTAL_COUNT),
    BY_LAST_SEEN,
    size_parameter="page_size",
    stable_query={"sort_by": "last_seen", "sort_order": "desc"},
)
USER: Final = Route("/api/users/{user}/{site}", "/api/sites/{site}/users/{user}")
NUMBERED_EVENTS: Final = ListEndpoint(
    "events of site {site}",
    Route("/api/events/{site}", "/api/sites/{site}/events"),
    Event,
    page_reader(Event, DATA_PAGINATION),
    Unnamed(attrgetter("timestamp")),
    size_parameter="page_size",
    takes_exact_times=False,
)
_read_by_cursor = page_reader(Event, DATA_CURSOR)


def _read_events(body: Body) -> Page[Event]:
    """A page of a list with a cursor; of one whose pages are numbered, ``has_more`` is ``None``."""
    try:
        return _read_by_cursor(body)
    except MisfitError as error:
        if not error.path.startswith("cursor"):
            raise
        misfit = error
    try:
        return NUMBERED_EVENTS.read(body)
    except MisfitError:
        raise misfit from None


# Servers before 2.4 number the pages of the same list.
EVENTS: Final = evolve(NUMBERED_EVENTS, read=_read_events)
EVENT_NAMES: Final = Route("/api/events/names/{site}", "/api/sites/{site}/events/names")
METRIC: Final = ListEndpoint(
    "values of {parameter} of site {site}",
    Route("/api/metric/{site}", "/api/sites/{site}/metric"),
    MetricRow,
    page_reader(MetricRow, DATA_DATA),
    # Servers make numbers of text, so "12" and "012" may both be "12".
    ByCount(
        attrgetter("value", "pathname", "hostname"),
        attrgetter("count", "pageviews", "bounce_rate", "time_on_page_seconds"),
    ),
)
OVERVIEW: Final = Route("/api/overview/{site}", "/api/sites/{site}/overview")
# A server has one of these two: the first from 2.7 on.
OVERVIEW_SERIES: Final = Route(None, "/api/sites/{site}/overview/time-series")
OVERVIEW_BUCKETED: Final = Route(
    "/api/overview-bucketed/{site}", "/api/sites/{site}/overview-bucketed"
)
LIVE_USERS: Final = Route("/api/live-user-count/{site}", "/api/sites/{site}/live-user-count")
GOAL_SERIES: Final = Route(None, "/api/sites/{site}/goals/time-series")
SITE: Final = Route("/api/sites/{site}", "/api/sites/{site}")
ORGANIZATIONS: Final = Route("/api/organizations", "/api/organizations")
ORGANIZATION_SITES: Final = Route(
    "/api/organizations/{organization}/sites", "/api/organizations/{organization}/sites"
)
# A page beyond the end of the goals: a small question, for which the server computes nothing.
NO_GOALS: Final[Mapping[str, str]] = {"page": str(10**6), GOALS.size_parameter: "1"}
# Every release has the list of goals, so it can tell which layout a server has.
PROBE: Final = GOALS.route
