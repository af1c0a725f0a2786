"""Query parameters that several lists read: numbers, the window, the filters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from ..filters import (
    Filter,
    InvalidFilterError,
    MalformedFiltersError,
    UnusableFilterError,
    condition_of,
    parse_filters,
)
from ..queries.cache import PageOf
from ..windows import Window, ZoneError, resolve, resolve_dates
from ..wire import Response, error_response, integer_prefix, json_response
from .call import Call, ResponseError

__all__ = [
    "condition",
    "crash",
    "filters",
    "internal_error",
    "invalid_choice",
    "page_and_limit",
    "parse_int",
    "wanted_days",
    "whole_number",
    "window",
    "within",
]

_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)


def parse_int(call: Call, name: str, default: int) -> int | None:
    """A number read as JavaScript's `parseInt` reads it. None if it is not one."""
    given = call.query.getall(name, [])
    return integer_prefix(",".join(given)) if given else default


def whole_number(call: Call, name: str, failed: Response, default: int | None = None) -> int | None:
    """An integer. An empty value is the default; anything else ends the call with `failed`."""
    number = _number(call, name, failed, default)
    if number is None or isinstance(number, int):
        return number
    if not number.is_integer():
        raise ResponseError(failed)
    return int(number)


def _number(call: Call, name: str, failed: Response, default: int | None) -> float | None:
    given = call.query.getall(name, [])
    if not given or given == [""]:
        return default
    if len(given) > 1 or not _NUMBER.fullmatch(given[0]):
        raise ResponseError(failed)
    return float(given[0]) if "." in given[0] else int(given[0])


def page_and_limit(call: Call, failed: Response, limit: int) -> PageOf:
    """The page that `page` and `limit` ask for.

    Both may be empty. `page` may be a fraction, if only the first row is a whole number: real
    servers compute with it before their database checks the result.
    """
    page = _number(call, "page", failed, 1)
    size = whole_number(call, "limit", failed, limit)
    assert page is not None
    assert size is not None
    if not float((page - 1) * size).is_integer():
        raise ResponseError(failed)
    return call.page_of(page, size)


def window(call: Call, failure: str) -> Window:
    """The window that the query asks for.

    `failure` is the message of the 500 for a time zone in the wrong case.
    """
    try:
        return resolve(call.query, call.release, call.service.clock())
    except ZoneError:
        raise ResponseError(error_response(500, failure)) from None


def within(call: Call, failure: str) -> str:
    """The SQL condition of the site and of the window that the query asks for. See `window`."""
    return call.queries.within(call.site, window(call, failure))


def wanted_days(call: Call, failure: str) -> Window | None:
    """The window that the dates of the query ask for, whatever its other times. None without dates.

    `failure` is the message of the 500 for a time zone in the wrong case.
    """
    try:
        return resolve_dates(call.query, call.release, call.service.clock())
    except ZoneError:
        raise ResponseError(error_response(500, failure)) from None


def filters(call: Call, failure: str, *, of_goals: bool = False) -> list[Filter]:
    """The filters of the query. Ends the call with a 500 if they are invalid.

    On older releases, the endpoints `of_goals` catch the validator's error themselves.
    """
    own, release = error_response(500, failure), call.release
    try:
        return parse_filters(call.query.getall("filters", []), release)
    except MalformedFiltersError:
        caught = of_goals or not release.goals_catch_filter_errors
        response = own if caught else internal_error("Invalid JSON format")
    except InvalidFilterError as error:
        if of_goals and release.goals_catch_filter_errors:
            response = own
        else:
            response = crash() if release.validation_crashes else internal_error(str(error))
    except UnusableFilterError:
        response = own
    raise ResponseError(response)


def condition(
    call: Call, chosen: list[Filter], within: str, failure: str, *, of_events: bool = False
) -> str:
    """The SQL condition of these filters. See `condition_of` for `of_events`."""
    try:
        return condition_of(chosen, call.release, within, of_events=of_events)
    except UnusableFilterError:
        raise ResponseError(error_response(500, failure)) from None


def invalid_choice(call: Call, given: str, choices: Iterable[str]) -> Response:
    """The response to a value that is not one of the choices: it quotes the validator."""
    if call.release.validation_crashes:
        return crash()
    problem = {"received": given, "code": "invalid_enum_value", "options": list(choices)}
    return internal_error(json.dumps([problem], indent=2))


def crash() -> Response:
    """How newer releases answer what they find invalid, because their error handling fails."""
    return internal_error("Cannot set property errors of [object Object] which has only a getter")


def internal_error(message: str) -> Response:
    """A 500 of the server's framework."""
    body = {"statusCode": 500, "error": "Internal Server Error", "message": message}
    return json_response(body, 500)
