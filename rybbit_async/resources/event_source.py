"""The events of a site as a walk sees them: by cursor, or by numbered pages on older servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from attrs import evolve, frozen

from ..models import Event
from ..pages import RawPage, Report
from ..parameters.checks import query_string
from ..parameters.common import Common
from ..parameters.window import Days, ExactTimes, Window, zone_of
from ..walks.cursor import CursorPage, Stretch
from ..walks.options import WalkOptions
from ..walks.orders import Unnamed
from ..walks.walk import PagedWalk, Position, ResizableWalk
from ..wire.messages import ResponsePage
from .context import Context
from .endpoints import EVENTS, NUMBERED_EVENTS
from .list_source import ListSource, pinned_here

__all__ = ["EventSource", "time_of"]

# All of time, since servers before 2.4 have no events without dates.
_ALL: Final = Days(date(1970, 1, 1), date(2100, 1, 1))
_UNSETTLED: Final = (
    "the window was not settled, so events that were stored during the walk may be missing"
)


@frozen
class EventSource:
    """The events of one site, newest first; see ``CursorSource``.

    Servers ignore exact times and minutes here. So a window in minutes is resolved by the client,
    and what the server sends in addition is dropped.

    Attributes:
        agreed: what ``common`` is to be in a walk over several sites, which have that in common.
    """

    context: Context
    site: str
    common: Common
    page_size: int
    warn: Callable[[str], None]
    agreed: Callable[[], Awaitable[Common]] | None = None

    @property
    def stretch(self) -> Stretch:
        """See ``CursorSource``."""
        days = self._days()
        before = self._exact.end if self._exact is not None else None
        return Stretch(days.first, days.last, before)

    @property
    def zone(self) -> tzinfo:
        """See ``CursorSource``."""
        return UTC if self._exact is not None else zone_of(self.common.window)

    @property
    def earliest(self) -> datetime | None:
        """See ``CursorSource``."""
        return None if self._exact is None else self._exact.start

    @property
    def state(self) -> Mapping[str, str]:
        """See ``CursorSource``: the exact times of a window in minutes."""
        return self.common.window.state()

    @property
    def note(self) -> str | None:
        """See ``CursorSource``."""
        now, after = self.context.capabilities.now(), self.context.settled_after
        return None if self.common.window.is_settled(now, after) else _UNSETTLED

    @property
    def _exact(self) -> ExactTimes | None:
        value = self.common.window.value
        return value if isinstance(value, ExactTimes) else None

    def _days(self) -> Days:
        value = self.common.window.value
        if isinstance(value, ExactTimes):
            days = Days(value.start.date(), (value.end - timedelta(seconds=1)).date())
        else:
            days = value if isinstance(value, Days) else _ALL
        return Days(max(days.first, _ALL.first), min(days.last, _ALL.last))

    async def prepare(self, state: Mapping[str, str] | None) -> EventSource:
        """See ``CursorSource``."""
        if self.agreed is not None:
            return evolve(self, common=await self.agreed())
        window = self.common.window
        if state:
            window = window.restore(state)
        else:
            window = await pinned_here(self.context, [self.site], window)
        return evolve(self, common=self.common._replace(window=window))

    async def fetch(self, request: CursorPage) -> RawPage[Event]:
        """See ``CursorSource`` (``GET`` events)."""
        stretch = request.stretch
        days = Window(Days(stretch.first, stretch.last), self._zone_name())
        query = {
            "page": "1",
            EVENTS.size_parameter: str(request.size),
            **days.query(),
            **self.common.conditions(),
        }
        if stretch.before is not None:
            query["before_timestamp"] = f"{stretch.before.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        response = await self.context.router.send(
            EVENTS.route,
            "GET",
            {"site": self.site},
            query=query_string(query),
            options=evolve(self.context.options, has_begun=request.has_begun),
        )
        return ResponsePage(response, EVENTS.read)

    def _zone_name(self) -> str | None:
        window = self.common.window
        return window.zone if isinstance(window.value, Days) else None

    def numbered(
        self, report: Report, options: WalkOptions, position: Position | None = None
    ) -> ResizableWalk[Event]:
        """See ``CursorSource``."""
        source = ListSource(
            self.context,
            NUMBERED_EVENTS,
            {"site": self.site},
            self.common._replace(window=Window(self._days(), self._zone_name())),
            {},
            {},
            self.page_size,
            self.warn,
        )
        window = self.common.window
        order = Unnamed[Event](time_of, lambda event: window.holds(event.timestamp))
        return PagedWalk(source, order, report, options, position)


def time_of(event: Event) -> datetime:
    """By what events are sorted."""
    return event.timestamp
