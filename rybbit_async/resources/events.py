"""``client.events``: the events of a site."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Unpack

from ..models import Event, EventName
from ..pages import Report
from ..parameters.callers import warning_here
from ..parameters.checks import check_int, check_site
from ..parameters.common import CommonParameters, check_conditions, parse_common
from ..parameters.filters import Filter
from ..parameters.signature import expand_parameters
from ..parameters.walk import WalkParameters
from ..walks.cursor import Stretches, StretchWalk
from ..walks.multi_walk import Listing, MultiWalk, SubWalk
from ..walks.paginator import Paginator
from ..walks.walk import Position, ResizableWalk
from ..walks.watch import Watch
from ..wire.page_reader import read_at
from .endpoints import EVENT_NAMES, EVENTS
from .event_source import EventSource
from .resource import Resource, walk_options
from .watching import EventPoller

__all__ = ["Events"]


class Events(Resource):
    """The events of a site, newest first: page views, custom events, and what servers record."""

    @expand_parameters
    def iter(
        self, site: int | str, *, page_size: int = 1000, **walk: Unpack[WalkParameters]
    ) -> Paginator[Event]:
        """Every event of a site.

        Events have no identity: two that are equal are two events, and both come. The window is
        divided into stretches of whole days, which are read at once. Servers before 2.4 number the
        pages of events; there, the walk is complete if the window is settled.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            page_size: how many events a request asks for.
            walk: see ``WalkParameters``. A position is at a whole second.
        """
        options, common = walk_options(self._context, walk)
        size, key, warn = check_int("page_size", page_size), check_site(site), warning_here()

        def begin(
            report: Report, position: Position | None
        ) -> MultiWalk[ResizableWalk[Event], Event, Event]:
            source = EventSource(self._context, key, common, size, warn)
            stretches = Stretches(source, _time, report, options, position)

            def open_walk(one: ResizableWalk[Event]) -> SubWalk[Event, Event]:
                return SubWalk(
                    one,
                    _same,
                    options.concurrency,
                    most_pages=2 if isinstance(one, StretchWalk) else options.concurrency,
                    position=lambda: stretches.position_of(one),
                )

            listings = iter([Listing(stretches, open_walk)])
            return MultiWalk(listings, report, options, page_size=size, finish=lambda: None)

        name = EVENTS.name.format_map({"site": key})
        return self._paginator(begin, options, name, common.query())

    @expand_parameters
    async def names(self, site: int | str, **common: Unpack[CommonParameters]) -> list[EventName]:
        """The names of custom events, the most frequent first (``GET`` event names).

        Servers give 1,000 at most. ``client.metric(site, "event_name")`` has all of them.
        """
        return await self._get(
            EVENT_NAMES,
            {"site": check_site(site)},
            lambda body: read_at(body, "data", list[EventName]),
            parse_common(common).query(),
        )

    def watch(
        self,
        site: int | str,
        *,
        start: str | None = None,
        interval: float = 5.0,
        filters: Sequence[Filter] | None = None,
        segment_id: int | str | None = None,
    ) -> Watch[Event]:
        """The events of a site as they come, each once, without an end.

        Servers store events up to ten seconds late; those that are up to 30 seconds late are found.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            start: the ``position`` of an earlier watch; without it, the watch begins now.
            interval: how many seconds to wait before asking again, more while nothing happens.
            filters, segment_id: see ``CommonParameters``.
        """
        parsed, key, warn = check_conditions(filters, segment_id), check_site(site), warning_here()
        source = EventSource(self._context, key, parsed, 1000, warn)
        return self._watch(
            lambda position: EventPoller(self._context, source, position),
            start,
            interval,
            f"new {EVENTS.name.format_map({'site': key})}",
            parsed.query(),
        )


def _time(event: Event) -> datetime:
    return event.timestamp


def _same(event: Event) -> Event:
    return event
