"""The API as data: where each endpoint is, and how each list looks and is ordered.

A list of the API is one ``ListEndpoint`` here, one model in ``models``, and one short method of a
resource. The facts come from the API's documentation and from what servers were seen to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Final, Generic, TypeVar

from attrs import field, frozen

from ..models import Goal, Session, SiteSession, User
from ..pages import Page
from ..transport.routes import Route
from ..walks.orders import ByKey, ByTime
from ..walks.walk import Order
from ..wire.json import Body
from ..wire.page_reader import DATA, DATA_META, DATA_TOTAL_COUNT, page_reader

__all__ = ["GOAL", "GOALS", "GOAL_SESSIONS", "PROBE", "SESSIONS", "USERS", "ListEndpoint"]

T = TypeVar("T")


@frozen
class ListEndpoint(Generic[T]):
    """A list that is read by numbered pages, ``page`` from 1.

    Attributes:
        name: what the list is called in errors and reports; knows the route's parameters.
        route: where it is in each layout of the API's URLs.
        read: makes a page of the body of a response.
        order: how the server orders the rows, and what tells them apart.
        size_parameter: the query parameter that says how many rows a page has.
        max_page_size: the most rows that the server gives on one page; ``None`` for no limit.
        stable_query: the query parameters of an order in which equal rows stand the same way on
            every page, where the server has one.
        always_filtered: whether every release applies ``filters``; some ignore them otherwise.
        fails_whole: whether single rows can make a server answer 500 for the whole page.
    """

    name: str
    route: Route
    read: Callable[[Body], Page[T]]
    order: Order[T]
    size_parameter: str = "limit"
    max_page_size: int | None = None
    stable_query: Mapping[str, str] = field(factory=dict[str, str])
    always_filtered: bool = True
    fails_whole: bool = False


GOALS: Final = ListEndpoint(
    "goals of site {site}",
    Route("/api/goals/{site}", "/api/sites/{site}/goals"),
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
    page_reader(Session, DATA),
    # A visitor who signs in half-way has two rows with one session_id.
    ByTime(attrgetter("session_end"), attrgetter("session_id", "user_id")),
    always_filtered=False,
)
SESSIONS: Final = ListEndpoint(
    "sessions of site {site}",
    Route("/api/sessions/{site}", "/api/sites/{site}/sessions"),
    page_reader(SiteSession, DATA),
    ByTime(attrgetter("session_end"), attrgetter("session_id")),
)
USERS: Final = ListEndpoint(
    "users of site {site}",
    Route("/api/users/{site}", "/api/sites/{site}/users"),
    page_reader(User, DATA_TOTAL_COUNT),
    ByTime(attrgetter("last_seen"), attrgetter("effective_user_id")),
    size_parameter="page_size",
)
# Every release has the list of goals, so it can tell which layout a server has.
PROBE: Final = GOALS.route
