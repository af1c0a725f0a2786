"""``client.users``: the users of a site."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Final, Literal, Unpack

from ..errors import NotFoundError
from ..models import User, UserDetails
from ..pages import Page
from ..parameters.callers import warning_here
from ..parameters.checks import check_choice, check_site
from ..parameters.common import CommonParameters
from ..parameters.rows import check_id, user_choice
from ..parameters.signature import expand_parameters
from ..parameters.walk import WalkParameters
from ..walks import orders
from ..walks.paginator import Paginator
from ..wire.messages import decode
from ..wire.page_reader import read_at
from .endpoints import BY_LAST_SEEN, USER, USERS
from .goals import ORDERS, Order
from .resource import Resource

__all__ = ["UserSort", "Users"]

UserSort = Literal["last_seen", "first_seen", "pageviews", "sessions", "events"]

_TIMES: Final = ("last_seen", "first_seen")
_SORTS: Final = (*_TIMES, "pageviews", "sessions", "events")
_SEARCH_IGNORED: Final = (
    "search: the server ignores it, so these are all users; search them in your program"
)


class Users(Resource):
    """The users of a site, latest ``last_seen`` first unless told otherwise.

    ``sort`` is a time or a count: ``"last_seen"``, ``"first_seen"``, ``"pageviews"``,
    ``"sessions"`` or ``"events"`` (custom ones). ``order`` is ``"desc"`` (the default) or
    ``"asc"``. ``search`` finds users whom the site has named, by their id or their traits, in any
    case; servers before 2.4 ignore it, and then there is a warning. ``identified_only`` leaves out
    users whom the site has not named.
    """

    @expand_parameters
    async def list(
        self,
        site: int | str,
        *,
        page: int = 1,
        page_size: int = 100,
        sort: UserSort | None = None,
        order: Order | None = None,
        search: str | None = None,
        identified_only: bool = False,
        **common: Unpack[CommonParameters],
    ) -> Page[User]:
        """One page of users (``GET`` users)."""
        key = check_site(site)
        return await self._page(
            USERS,
            {"site": key},
            page,
            page_size,
            common,
            sorting=_sorting(sort, order),
            query=user_choice(search, identified_only),
            before=self._search_check(key, search),
        )

    @expand_parameters
    def iter(
        self,
        site: int | str,
        *,
        page_size: int = 1000,
        sort: UserSort | None = None,
        order: Order | None = None,
        search: str | None = None,
        identified_only: bool = False,
        **walk: Unpack[WalkParameters],
    ) -> Paginator[User]:
        """Every user of a site.

        By a count nearly all users tie, and servers put those in another order on each page. So
        after its first page, such a walk reads pages of up to 10,000 users, one after another. If
        there are more users, those who fell between two pages come last, and the report says how
        many. The same holds for times in rising order, unless the window is settled. Pages of such
        walks have no positions.
        """
        key, sorting = check_site(site), _sorting(sort, order)
        return self._walk(
            USERS,
            {"site": key},
            page_size,
            walk,
            order=_order(sort, order),
            sorting=sorting,
            query=user_choice(search, identified_only),
            before=self._search_check(key, search),
        )

    async def get(self, site: int | str, user_id: str) -> UserDetails:
        """One user, over all of time (``GET`` user).

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            user_id: a ``User.effective_user_id`` or a ``Session.user_id``.

        Raises:
            NotFoundError: the site has no such user; ``status`` is 404, although the server's
                answer is 200.
        """
        params = {"site": check_site(site), "user": check_id("user_id", user_id)}
        context = self._context
        response = await context.router.send(USER, "GET", params, options=context.options)
        user = decode(response, lambda body: read_at(body, "data", UserDetails))
        if not user.user_id:
            raise NotFoundError(
                f"user {user_id} is not among the users of site {site}",
                status=404,
                message="User not found",
                method="GET",
                url=response.url,
            )
        return user

    def _search_check(self, site: str, search: str | None) -> Callable[[], Awaitable[None]] | None:
        """What warns if the server ignores ``search``, if there is one."""
        if search is None:
            return None
        warn = warning_here()

        async def check() -> None:
            context = self._context
            if await context.capabilities.searches_users(site, context.options) is False:
                warn(_SEARCH_IGNORED)

        return check


def _sorting(sort: UserSort | None, order: Order | None) -> dict[str, str]:
    # The server silently takes what it does not know for the default.
    query: dict[str, str] = {}
    if sort is not None:
        query["sort_by"] = check_choice("sort", sort, _SORTS)
    if order is not None:
        query["sort_order"] = check_choice("order", order, ORDERS)
    return query


def _order(sort: UserSort | None, order: Order | None) -> orders.ByTime[User] | orders.ByRank[User]:
    """How the server sorts the users."""
    identity = BY_LAST_SEEN.identity
    if sort is None or sort in _TIMES:
        time = attrgetter(sort or "last_seen")
        return orders.ByTime(time, identity, order == "asc", BY_LAST_SEEN)
    return orders.ByRank(identity, BY_LAST_SEEN)
