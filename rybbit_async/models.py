"""What the API answers, as frozen attrs classes. They know no JSON; ``_converter`` does.

In every class a field that the server did not send is ``None``, and a field that it sent and the
class does not know is in ``extra``, under the wire's own name and as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

__all__ = [
    "EventGoal",
    "Goal",
    "GoalResult",
    "GoalSession",
    "PathGoal",
    "RawResponse",
    "Session",
]


def _extra() -> Any:
    # A dict has no hash; equality still counts it.
    return field(factory=dict[str, Any], kw_only=True, hash=False)


@frozen(weakref_slot=False)
class PathGoal:
    """A conversion is a page view whose path matches ``path_pattern``.

    ``*`` stands for anything within one segment of the path, ``**`` for anything across them.
    """

    path_pattern: str
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class EventGoal:
    """A conversion is a custom event of this name.

    ``property_key`` and ``property_value`` (text, number or boolean) narrow it down to events
    that carry the property; they are given together or not at all.
    """

    event_name: str
    property_key: str | None = None
    property_value: str | int | float | bool | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class Goal:
    """A goal of a site, with its conversions in the window that was asked for.

    Attributes:
        goal_id: the goal's number, unique on the server.
        site_id: the numeric id of the site; not documented, yet sent by every known server.
        name: may be ``None``.
        goal_type: ``"path"``, ``"event"``, or a type that only newer servers know.
        config: ``PathGoal`` or ``EventGoal``; for other types the mapping that the server sent.
        created_at: aware, in UTC.
        total_conversions: sessions of the window that reached the goal.
        total_sessions: sessions of the window.
        conversion_rate: their ratio, 0 to 1.
    """

    goal_id: int
    site_id: int | None
    name: str | None
    goal_type: str
    config: PathGoal | EventGoal | Mapping[str, Any] = field(hash=False)
    created_at: datetime | None = None
    total_conversions: int | None = None
    total_sessions: int | None = None
    conversion_rate: float | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class Session:
    """A session that reached a goal, cut to the window that was asked for.

    A session is told apart by ``session_id`` and ``user_id`` together: a visitor who signs in
    half-way gives two rows with one ``session_id``.

    The server turns text that looks like a number into a number before it sends it. The client
    makes text of it again, but ``"00123"`` came as 123 and is ``"123"``, ``"1e5"`` is
    ``"100000"``, ``"14.0"`` is ``"14"``, blanks are ``"0"``, and ``"Infinity"`` is ``None``:
    that cannot be undone.

    Attributes:
        country: two letters; ``""`` where the server does not know.
        session_start, session_end: aware, in UTC, whole seconds.
        session_duration: seconds.
        screen_width, screen_height: CSS pixels.
        pageviews, events, errors, outbound: counts within the window.
        lat, lon: degrees.
        tag: newer servers only.
    """

    session_id: str
    user_id: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    language: str | None = None
    device_type: str | None = None
    browser: str | None = None
    browser_version: str | None = None
    operating_system: str | None = None
    operating_system_version: str | None = None
    screen_width: int | None = None
    screen_height: int | None = None
    referrer: str | None = None
    channel: str | None = None
    hostname: str | None = None
    page_title: str | None = None
    querystring: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    session_end: datetime | None = None
    session_start: datetime | None = None
    session_duration: int | None = None
    entry_page: str | None = None
    exit_page: str | None = None
    pageviews: int | None = None
    events: int | None = None
    errors: int | None = None
    outbound: int | None = None
    ip: str | None = None
    lat: float | None = None
    lon: float | None = None
    tag: str | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class GoalSession:
    """A session, the goal that it reached, and the site as the caller named it."""

    site: int | str
    goal: Goal
    session: Session


@frozen(weakref_slot=False)
class GoalResult:
    """What a write did: whether it succeeded, and the goal that it was about."""

    success: bool
    goal_id: int
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class RawResponse:
    """An answer as it came: for ``client.request(..., cast_to=RawResponse)``."""

    status: int
    headers: Mapping[str, str] = field(hash=False)
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")
