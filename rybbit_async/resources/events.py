"""``client.events``: the events of a site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, TypeVar, Unpack

from ..activity import Activity
from ..errors import RybbitError
from ..models import Event, EventName, EventOfSite
from ..pages import Report
from ..parameters.callers import warning_here
from ..parameters.checks import check_int, check_site
from ..parameters.common import CommonParameters, check_conditions, parse_common
from ..parameters.filters import Filter
from ..parameters.signature import expand_parameters
from ..parameters.walk import WalkParameters
from ..walks.cursor import Stretches, StretchWalk
from ..walks.multi_walk import Listing, MultiWalk, SubWalk, raise_it
from ..walks.paginator import Paginator
from ..walks.walk import Position, ResizableWalk
from ..walks.watch import Watch
from ..wire.page_reader import read_at
from .endpoints import EVENT_NAMES, EVENTS
from .event_source import EventSource, time_of
from .many_sites import ManySites, ManySitesResource
from .resource import walk_options
from .watching import EventPoller

__all__ = ["Events"]

Row = TypeVar("Row")


class Events(ManySitesResource):
    """The events of a site, newest first: page views, custom events, and what servers record."""

    @expand_parameters
    def iter(
        self, site: int | str, *, page_size: int = 1000, **walk: Unpack[WalkParameters]
    ) -> Paginator[Event]:
        """Every event of a site.

        Events have no identity: two that are equal are two events, and both come. Those that are
        stored during the walk, or before a walk that goes on from one of its positions, may be
        missing, which the report says of every window that is not settled. The window is divided
        into stretches of whole days, which are read at once. Servers before 2.4 number the pages of
        events; if events arrive there while the walk reads, it is not complete, and the report says
        so.

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
            stretches = Stretches(source, time_of, report, options, position)
            listing = _listing(stretches, options.concurrency, _same)
            return MultiWalk(iter([listing]), report, options, page_size=size)

        name = EVENTS.name.format_map({"site": key})
        return self._paginator(begin, options, Event, name, common.query())

    @expand_parameters
    def iter_all(
        self,
        sites: int | str | Iterable[int | str],
        *,
        page_size: int = 1000,
        on_error: Literal["raise", "skip"] = "raise",
        **walk: Unpack[WalkParameters],
    ) -> Paginator[EventOfSite]:
        """Every event of many sites, walked together under one window.

        The pages have no positions: to stop and go on, walk site by site.

        Args:
            sites: a site or several, each by its number or its identifier, and not by both; or
                ``"all"`` for every site that the key can read.
            page_size: how many events a request asks for.
            on_error: ``"skip"`` goes on without the sites, and the days of a site, that cannot be
                read. ``report.skipped`` says which, and with what error; the walk is then not
                complete, and doubtful. Errors that would not spare the others are raised all the
                same, such as ``RateLimitError``.
            walk: see ``WalkParameters``. ``concurrency`` counts pages of all sites; ``ordered`` is
                site by site.
        """
        size = check_int("page_size", page_size)

        def begin(many: ManySites) -> MultiWalk[ResizableWalk[Event], Event, EventOfSite]:
            def listing(key: str) -> Listing[ResizableWalk[Event], Event, EventOfSite]:
                source = EventSource(self._context, key, many.common, size, many.warn, many.agreed)
                return _listing(
                    Stretches(source, time_of, many.report, many.options),
                    many.options.concurrency,
                    partial(EventOfSite, many.by_key[key]),
                    partial(many.skip, many.by_key[key], None),
                )

            listings = (listing(key) for key in many.by_key)
            return MultiWalk(listings, many.report, many.options, page_size=size)

        return self._walk_many(sites, walk, EVENTS, EventOfSite, "events", begin, on_error=on_error)

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
        on_event: Callable[[Activity], object] | None = None,
    ) -> Watch[Event]:
        """The events of a site as they come, each once, without an end.

        Servers store events up to ten seconds late; those that are up to 30 seconds late are found.

        Args:
            site: the site's number, or its identifier of 12 hexadecimal characters.
            start: the ``position`` of an earlier watch; without it, the watch begins now.
            interval: how many seconds to wait before asking again, more while nothing happens.
            filters, segment_id: see ``CommonParameters``.
            on_event: called for what happens in this watch, besides the client's ``on_event``;
                see ``Activity``.
        """
        parsed, key, warn = check_conditions(filters, segment_id), check_site(site), warning_here()
        source = EventSource(self._context, key, parsed, 1000, warn)
        return self._watch(
            lambda position: EventPoller(self._context, source, position),
            start,
            interval,
            on_event,
            f"new {EVENTS.name.format_map({'site': key})}",
            parsed.query(),
        )


def _listing(
    stretches: Stretches[Event],
    concurrency: int,
    combine: Callable[[Event], Row],
    skip: Callable[[RybbitError], bool] = raise_it,
) -> Listing[ResizableWalk[Event], Event, Row]:
    """The stretches of one site, as the outer list of a walk over many lists."""

    def open_walk(one: ResizableWalk[Event]) -> SubWalk[Event, Row]:
        return SubWalk(
            one,
            combine,
            concurrency,
            skip,
            most_pages=2 if isinstance(one, StretchWalk) else concurrency,
            position=lambda: stretches.position_of(one),
        )

    return Listing(stretches, open_walk, skip)


def _same(event: Event) -> Event:
    return event
