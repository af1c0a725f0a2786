"""The events of a site, and their names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from ..database import DatabaseError
from ..queries.cache import PageOf
from ..queries.events import (
    EVENT_KEYS,
    NUMBERED_EVENT_KEYS,
    count_events,
    event_names,
    events_page,
)
from ..windows import ALL_TIME, Window
from ..wire import Response, error_response, json_response
from . import parameters
from .bodies import body_response, page_body
from .call import Call, ResponseError

__all__ = ["list_event_names", "list_events"]

_FAILURE = "Failed to fetch events"
_NEWEST = 500
"""How many events a request with `since_timestamp` is answered with at most."""
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?)?", re.ASCII
)


def list_events(call: Call) -> Response:
    """Events of a site, newest first: what comes before a time, or a page with a number."""
    if not call.release.events_cursor:
        return _numbered(call)
    size = parameters.parse_int(call, "page_size", 50)
    if size is None:
        return error_response(500, _FAILURE)
    since, before = _moment(call, "since_timestamp"), _moment(call, "before_timestamp")
    window = parameters.wanted_days(call, _FAILURE) or ALL_TIME
    if since is not None:
        newest = attrs.evolve(call.page_of(1, _NEWEST), until=-(math.floor(since) + 1))
        return _answer(call, _passing(call, ALL_TIME), newest, None)
    if before is None:
        return _answer(call, _passing(call, window), _within(call.page_of(1, size), window), size)
    # The end of the window does not matter beside it.
    window = Window(window.start)
    wanted = attrs.evolve(_within(call.page_of(1, size), window), after=-before)
    return _answer(call, _passing(call, window), wanted, size)


def _within(page: PageOf, window: Window) -> PageOf:
    """A page of the events in a window, which are sorted by time, latest first."""
    start, end = (
        None if moment is None else -int(moment.replace(tzinfo=UTC).timestamp())
        for moment in (window.start, window.end)
    )
    return attrs.evolve(page, after=end, until=start)


def _answer(call: Call, passing: str, wanted: PageOf, size: int | None) -> Response:
    """These events, with a cursor if there is a page size."""
    wanted = attrs.evolve(
        wanted, shuffle_ties=wanted.shuffle_ties and not call.release.events_fixed_order
    )

    def render() -> bytes:
        rows = events_page(call.queries, call.site.site_id, passing, EVENT_KEYS, wanted)
        if size is None:
            return page_body(EVENT_KEYS, rows)
        oldest = rows[-1][0] if rows else None
        # A cap on the size of a page takes effect before this is found out.
        cursor = {"hasMore": len(rows) == wanted.size, "oldestTimestamp": oldest}
        return page_body(EVENT_KEYS, rows, {"cursor": cursor})

    return _rendered(call, ("events", passing, wanted, size is None), render)


def _numbered(call: Call) -> Response:
    """A page with a number. Without dates it is empty, whatever other times are given."""
    page = parameters.parse_int(call, "page", 1)
    size = parameters.parse_int(call, "page_size", 20)
    if page is None or size is None:
        return error_response(500, _FAILURE)
    window = parameters.wanted_days(call, _FAILURE)
    passing = _passing(call, window or ALL_TIME)
    wanted = _within(call.page_of(page, size), window or ALL_TIME)
    if window is None:
        passing = "FALSE"

    def render() -> bytes:
        keys = NUMBERED_EVENT_KEYS
        rows = events_page(call.queries, call.site.site_id, passing, keys, wanted)
        total = count_events(call.queries, passing, wanted)
        pagination = {
            "total": total,
            "page": page,
            "pageSize": wanted.size,
            "totalPages": -(-total // wanted.size) if wanted.size else None,
        }
        return page_body(keys, rows, {"pagination": pagination})

    return _rendered(call, ("events", passing, wanted), render)


def _rendered(call: Call, key: tuple[Any, ...], render: Callable[[], bytes]) -> Response:
    try:
        return body_response(call.service.bodies.get(call.service.store.version, key, render))
    except DatabaseError:
        return error_response(500, _FAILURE)


def _passing(call: Call, window: Window) -> str:
    """The SQL condition of the site's events that pass the filters.

    What filters look up of whole sessions is looked up in the window.
    """
    within = call.queries.within(call.site, window)
    chosen = parameters.filters(call, _FAILURE)
    condition = parameters.condition(
        call, chosen, within, _FAILURE, of_events=call.release.event_names_choose_events
    )
    return f"{call.queries.within(call.site, ALL_TIME)} AND {condition}"


def _moment(call: Call, name: str) -> float | None:
    """The time in a parameter, in seconds since 1970. An empty one is none."""
    given = ",".join(call.query.getall(name, []))
    if not given:
        return None
    try:
        if not _MOMENT.fullmatch(given):
            raise ValueError(given)
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise ResponseError(error_response(500, _FAILURE)) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def list_event_names(call: Call) -> Response:
    """The names of a site's custom events with their counts, most frequent first."""
    failure = "Failed to fetch event names"
    within = parameters.within(call, failure)
    condition = parameters.condition(
        call, parameters.filters(call, failure), within, failure, of_events=True
    )
    try:
        found = event_names(call.queries, f"{within} AND {condition}")
    except DatabaseError:
        return error_response(500, failure)
    return json_response({"data": [{"eventName": name, "count": count} for name, count in found]})
