"""One session with its events, and one user."""

# ruff: noqa: SIM905 - a list of names reads best as words.

from __future__ import annotations

from typing import Any

from ..queries.details import (
    DEVICE_KEYS,
    LOCATION_KEYS,
    SESSION_KEYS,
    STEP_KEYS,
    find_session,
    find_user,
    session_steps,
    user_devices,
    user_locations,
)
from ..releases import Release
from ..wire import Response, error_response, json_response
from . import parameters
from .bodies import plain_object
from .call import Call

__all__ = ["get_session", "get_user"]

_NOBODY: dict[str, Any] = {
    "sessions": 0,
    "duration": None,
    "country": "\0\0",
    "screen_height": 0,
    "screen_width": 0,
    "last_seen": "1970-01-01 00:00:00",
    "first_seen": "1970-01-01 00:00:00",
    "pageviews": 0,
    "events": 0,
    "ip": None,
    "traits": None,
}
"""What is known of an unknown user. All else is an empty text."""


def get_session(call: Call) -> Response:
    """A session and a part of its events, oldest first. No window applies."""
    failed = error_response(500, "Failed to fetch session data")
    limit = parameters.whole_number(call, "limit", failed, 100)
    offset = parameters.whole_number(call, "offset", failed, 0)
    assert limit is not None
    assert offset is not None
    if limit < 0 or offset < 0:
        return failed
    if call.service.cap_page_size is not None:
        limit = min(limit, call.service.cap_page_size)
    wanted = call.queries, call.site.site_id, call.params["session"]
    found = find_session(*wanted)
    if found is None:
        return error_response(404, "Session not found")
    session = plain_object(SESSION_KEYS, found)
    steps = [plain_object(STEP_KEYS, row) for row in session_steps(*wanted, limit, offset)]
    total = session["events"]
    pagination = {
        "total": total,
        "limit": limit,
        "offset": offset,
        "hasMore": offset + limit < total,
    }
    return json_response({"data": {"session": session, "events": steps, "pagination": pagination}})


def _user_keys(release: Release) -> list[str]:
    keys = (
        "sessions duration user_id identified_user_id country region city language device_type "
        "browser browser_version operating_system operating_system_version screen_height "
        "screen_width last_seen first_seen pageviews events ip"
    ).split()
    if release.user_profiles:
        keys += (
            "first_referrer first_channel first_entry_page first_utm_source first_utm_medium "
            "first_utm_campaign last_referrer last_channel timezone"
        ).split()
    return [*keys, "traits"]


def get_user(call: Call) -> Response:
    """A user. An unknown one has no sessions and an empty `user_id`. No window applies."""
    keys = _user_keys(call.release)
    wanted = call.queries, call.site.site_id, call.params["user"]
    found = find_user(*wanted, keys)
    if found is None:
        user = {key: _NOBODY.get(key, "") for key in keys}
    else:
        user = plain_object(keys, found)
    # Devices are linked when a visitor signs in for the first time, which a store does not record.
    user["linked_devices"] = []
    if call.release.user_profiles:
        user["vitals"] = None
        user["locations"] = [plain_object(LOCATION_KEYS, row) for row in user_locations(*wanted)]
        user["devices"] = [plain_object(DEVICE_KEYS, row) for row in user_devices(*wanted)]
    return json_response({"data": user})
