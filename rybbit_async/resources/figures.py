"""``client.metric`` and ``client.live_users``."""

from __future__ import annotations

from ..models import MetricRow
from ..parameters.checks import check_int, check_site
from ..parameters.figures import check_metric
from ..parameters.walk import WalkParameters
from ..walks.paginator import Paginator
from ..wire.page_reader import read_at
from .endpoints import LIVE_USERS, METRIC
from .resource import Resource

__all__ = ["Figures"]


class Figures(Resource):
    """Figures of a site."""

    def metric(
        self, site: int | str, parameter: str, page_size: int, walk: WalkParameters
    ) -> Paginator[MetricRow]:
        """See ``RybbitClient.metric``."""
        query = {"parameter": check_metric(parameter)}
        params = {"site": check_site(site), **query}
        return self._walk(METRIC, params, page_size, walk, query=query)

    async def live_users(self, site: int | str, minutes: int) -> int:
        """See ``RybbitClient.live_users``."""
        return await self._get(
            LIVE_USERS,
            {"site": check_site(site)},
            lambda body: read_at(body, "count", int),
            {"minutes": str(check_int("minutes", minutes))},
        )
