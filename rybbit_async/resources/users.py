"""``client.users``: the users of a site."""

from __future__ import annotations

from typing import Unpack

from ..models import User
from ..pages import Page
from ..parameters.checks import check_site
from ..parameters.common import CommonParameters
from ..parameters.signature import expand_parameters
from ..parameters.walk import WalkParameters
from ..walks.paginator import Paginator
from .endpoints import USERS
from .resource import Resource

__all__ = ["Users"]


class Users(Resource):
    """The users of a site, latest ``last_seen`` first."""

    @expand_parameters
    async def list(
        self,
        site: int | str,
        *,
        page: int = 1,
        page_size: int = 100,
        **common: Unpack[CommonParameters],
    ) -> Page[User]:
        """One page of users (``GET`` users)."""
        return await self._page(USERS, {"site": check_site(site)}, page, page_size, common)

    @expand_parameters
    def iter(
        self, site: int | str, *, page_size: int = 1000, **walk: Unpack[WalkParameters]
    ) -> Paginator[User]:
        """Every user of a site."""
        return self._walk(USERS, {"site": check_site(site)}, page_size, walk)
