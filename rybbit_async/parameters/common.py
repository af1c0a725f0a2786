"""The query parameters that most endpoints take: the window in time, and the filters."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import date
from typing import Any, Final, TypedDict

from ..errors import InvalidParameterError
from .filters import Filter, filters_json
from .window import dates_query, minutes_query, zone_name

__all__ = ["CommonParameters", "common_query"]

# What the methods that take the common parameters call their own.
_OWN_WORDS: Final = (
    "page", "page_size", "limit", "sort", "order", "concurrency", "ordered", "strict", "max_pages",
    "verify", "goals",
)  # fmt: skip


class CommonParameters(TypedDict, total=False):
    """The API's common query parameters: the window in time, and the filters.

    ``start_date`` and ``end_date`` go together, both days included, in ``time_zone`` (IANA,
    ``"UTC"`` if not given); or ``past_minutes_start`` > ``past_minutes_end`` >= 0. With neither,
    all of time.
    """

    start_date: date | str | None
    end_date: date | str | None
    time_zone: str | None
    past_minutes_start: int | None
    past_minutes_end: int | None
    filters: Sequence[Filter] | None


def common_query(common: CommonParameters) -> dict[str, str]:
    """The query parameters that say ``common``, checked; absent and ``None`` mean the same.

    Raises:
        InvalidParameterError: for values, and for combinations, that a server would refuse or
            silently answer with data of all time.
    """
    given: dict[str, Any] = {name: value for name, value in common.items() if value is not None}
    unknown = sorted(given.keys() - CommonParameters.__annotations__.keys())
    if unknown:
        known = [*CommonParameters.__annotations__, *_OWN_WORDS]
        near = difflib.get_close_matches(unknown[0], known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        allowed = ", ".join(CommonParameters.__annotations__)
        raise InvalidParameterError(
            f"unknown parameter {unknown[0]!r}: {meant}(besides those of the method: {allowed})"
        )
    query: dict[str, str] = {}
    dates = given.keys() & {"start_date", "end_date"}
    minutes = given.keys() & {"past_minutes_start", "past_minutes_end"}
    if dates and minutes:
        raise InvalidParameterError(
            f"{min(dates)} and {min(minutes)}: dates or minutes, not both "
            "(the server would ignore the minutes)"
        )
    if dates:
        query |= dates_query(given)
    if minutes:
        query |= minutes_query(given)
    if "time_zone" in given:
        # On its own it changes no row, so a program may set it once for all of its calls.
        query["time_zone"] = zone_name(given["time_zone"])
    if "filters" in given:
        filters = filters_json(given["filters"])
        if filters != "[]":
            query["filters"] = filters
    return query
