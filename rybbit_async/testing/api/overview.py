"""Figures of a whole site, and how many users are there now."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from ..database import DatabaseError
from ..queries.buckets import BUCKETS
from ..queries.overview import OverviewQuery, overview, overview_by_bucket
from ..windows import Window
from ..wire import Response, error_response, json_response, plain_number, timestamp
from . import parameters
from .call import Call

__all__ = ["get_overview", "get_overview_series", "live_user_count"]

_FAILURE = "Failed to fetch overview"


def get_overview(call: Call) -> Response:
    """The figures of a site in a window."""
    query = _query(call)
    try:
        figures = overview(call.queries, query, last_users=call.release.last_users_counted)
    except DatabaseError:
        return error_response(500, _FAILURE)
    return json_response({"data": _plain(figures)})


def get_overview_series(call: Call) -> Response:
    """The figures of a site in each bucket of a window, in local time."""
    bucket = call.query.get("bucket", "hour")
    if bucket not in BUCKETS:
        return parameters.invalid_choice(call, bucket, BUCKETS)
    query, window = _query(call), parameters.window(call, _FAILURE)
    zone = call.query.get("time_zone") or "UTC"
    try:
        series = overview_by_bucket(call.queries, query, bucket, zone, window)
    except DatabaseError:
        return error_response(500, _FAILURE)
    data = [{"time": timestamp(moment), **_plain(figures)} for moment, figures in series]
    return json_response({"data": data})


def _query(call: Call) -> OverviewQuery:
    within = parameters.within(call, _FAILURE)
    chosen = parameters.filters(call, _FAILURE)
    return OverviewQuery(within, parameters.condition(call, chosen, within, _FAILURE))


def _plain(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if value is None else plain_number(value) for name, value in figures.items()
    }


def live_user_count(call: Call) -> Response:
    """The number of users with an event in the last minutes."""
    failed = error_response(500, "Failed to fetch live user count")
    minutes = parameters.whole_number(call, "minutes", failed, 5)
    assert minutes is not None
    now = call.service.clock().astimezone(UTC).replace(tzinfo=None, microsecond=0)
    try:
        since = now - timedelta(minutes=minutes)
    except OverflowError:
        return failed
    within = call.queries.within(call.site, Window(since))
    ((count,),) = call.queries.rows(
        f"SELECT count(DISTINCT user_id) FROM events WHERE {within}"  # noqa: S608 - own condition
    )
    return json_response({"count": count})
