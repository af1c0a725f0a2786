"""How often each value of a parameter occurs."""

from __future__ import annotations

from typing import Any

import attrs

from ..database import DatabaseError
from ..filters import EXPRESSIONS
from ..queries.metrics import MetricQuery, count_metric, metric_page
from ..wire import Response, error_response, json_response
from . import parameters
from .bodies import plain_object
from .call import Call

__all__ = ["get_metric"]

_ROUNDED = frozenset({"percentage", "pageviews_percentage", "bounce_rate"})


def get_metric(call: Call) -> Response:
    """A page of the values of a parameter, most frequent first, and their number."""
    failure = "Failed to fetch metric"
    failed = error_response(500, failure)
    release = call.release
    parameter = call.query.get("parameter", "")
    if parameter not in release.filter_parameters:
        return parameters.invalid_choice(call, parameter, sorted(release.filter_parameters))
    wanted = parameters.page_and_limit(call, failed, 100)
    if release.metric_values_ordered and parameter not in {"entry_page", "exit_page"}:
        wanted = attrs.evolve(wanted, shuffle_ties=False)
    within = parameters.within(call, failure)
    chosen = parameters.filters(call, failure)
    query = MetricQuery(
        parameter,
        _expression(parameter),
        within,
        parameters.condition(call, chosen, within, failure),
        once=release.sessions_counted_once,
        attributed=release.attribution,
        hostnames=release.sessions_counted_once,
    )
    try:
        rows = metric_page(call.queries, query, wanted)
        total = count_metric(call.queries, query)
    except DatabaseError:
        return failed
    data = [_row(query.keys, row) for row in rows]
    return json_response({"data": {"data": data, "totalCount": total}})


def _expression(parameter: str) -> str:
    if parameter in {"entry_page", "exit_page"}:
        return "pathname"
    return f"({EXPRESSIONS.get(parameter, parameter)})::VARCHAR"


def _row(keys: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    rounded = [
        round(value, 2) if key in _ROUNDED else value for key, value in zip(keys, row, strict=True)
    ]
    return plain_object(keys, rounded)
