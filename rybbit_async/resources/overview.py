"""``client.overview``: the figures of a site."""

from __future__ import annotations

from typing import Unpack

from ..models import Overview, OverviewBucket
from ..parameters.checks import check_site, query_string
from ..parameters.common import CommonParameters, parse_common
from ..parameters.figures import Bucket, check_bucket, with_zone
from ..parameters.signature import expand_parameters
from ..parameters.window import zone_of
from ..wire.messages import decode
from ..wire.page_reader import DATA, page_reader, read_at
from .buckets import in_zone
from .endpoints import OVERVIEW
from .resource import Resource

__all__ = ["SiteOverview"]

_read_buckets = page_reader(OverviewBucket, DATA)


class SiteOverview(Resource):
    """The figures of a site: of a whole window, or by time.

    With a filter on ``pathname``, servers take sessions, page views, users and durations from the
    events that match, and the other figures from their whole sessions.
    """

    @expand_parameters
    async def __call__(self, site: int | str, **common: Unpack[CommonParameters]) -> Overview:
        """The figures of a window (``GET`` overview)."""
        return await self._get(
            OVERVIEW,
            {"site": check_site(site)},
            lambda body: read_at(body, "data", Overview),
            parse_common(common).query(),
        )

    @expand_parameters
    async def series(
        self, site: int | str, *, bucket: Bucket = "hour", **common: Unpack[CommonParameters]
    ) -> list[OverviewBucket]:
        """The figures of each bucket of a window, by time.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            bucket: ``"minute"``, ``"five_minutes"``, ``"ten_minutes"``, ``"fifteen_minutes"``,
                ``"hour"``, ``"day"``, ``"week"`` (from Sunday), ``"month"`` or ``"year"``, of local
                time in ``time_zone``.
            common: see ``CommonParameters``.
        """
        params, bucket = {"site": check_site(site)}, check_bucket(bucket)
        parsed, context = with_zone(parse_common(common)), self._context
        query = query_string({"bucket": bucket, **parsed.query()})
        response = await context.capabilities.overview_series.send(
            params, query=query, options=context.options
        )
        return in_zone(decode(response, _read_buckets).items, zone_of(parsed.window))
