"""``client.sessions``: the sessions of a site."""

from __future__ import annotations

from typing import Unpack

from ..models import SiteSession
from ..pages import Page
from ..parameters.checks import check_site
from ..parameters.common import CommonParameters
from ..parameters.signature import expand_parameters
from ..parameters.walk import WalkParameters
from ..walks.paginator import Paginator
from .endpoints import SESSIONS
from .resource import Resource

__all__ = ["Sessions"]


class Sessions(Resource):
    """The sessions of a site, latest ``session_end`` first."""

    @expand_parameters
    async def list(
        self,
        site: int | str,
        *,
        page: int = 1,
        limit: int = 100,
        **common: Unpack[CommonParameters],
    ) -> Page[SiteSession]:
        """One page of ``limit`` sessions (``GET`` sessions); its ``meta`` is ``None``."""
        return await self._page(SESSIONS, {"site": check_site(site)}, page, limit, common)

    @expand_parameters
    def iter(
        self, site: int | str, *, page_size: int = 1000, **walk: Unpack[WalkParameters]
    ) -> Paginator[SiteSession]:
        """Every session of a site. A page costs the server nearly the same whatever its size."""
        return self._walk(SESSIONS, {"site": check_site(site)}, page_size, walk)
