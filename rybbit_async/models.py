"""The rows and objects that the API sends, as frozen attrs classes.

In every class an optional field that the server did not send is ``None``. A field that the server
sent and that the class does not have is kept in ``extra``, under the server's own name and with
the value that was sent. Two objects are equal if a server would read them alike: ``1`` equals
``1.0``, and ``True`` equals neither.

The classes contain no JSON code. What the ``wire`` package needs to know about a field besides its
name and type is in the field's metadata: the name in JSON where it differs (``_json_name``), the
field that holds unknown fields (``_extra``), and a field whose class depends on another field
(``_class_by``). The annotations are evaluated here (there is no ``from __future__ import
annotations``), so that nothing has to resolve them later.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen

from .plain import comparable, plain

__all__ = [
    "GOAL_CONFIGS",
    "ButtonClickGoal",
    "CapturedGoal",
    "CopyGoal",
    "EventGoal",
    "FormSubmitGoal",
    "Goal",
    "GoalConfig",
    "GoalResult",
    "GoalSession",
    "OutboundGoal",
    "PathGoal",
    "PropertyFilter",
    "RawResponse",
    "Session",
    "SiteSession",
    "User",
]


# The keys of a field's metadata.
JSON_NAME: Final = "rybbit_async.json_name"
HOLDS_UNKNOWN: Final = "rybbit_async.holds_unknown"
CLASS_BY: Final = "rybbit_async.class_by"


def _json_name(name: str) -> dict[str, Any]:
    """Metadata of a field that has another name in JSON."""
    return {JSON_NAME: name}


def _class_by(tag: str, classes: Mapping[str, type]) -> dict[str, Any]:
    """Metadata of a required object whose class depends on the value of the field ``tag``.

    For a value that is not in ``classes`` the object stays a mapping.
    """
    return {CLASS_BY: (tag, classes)}


def _extra() -> Any:
    # Left out of the hash, because a dict has none; equality does compare it.
    return field(
        factory=dict[str, Any],
        kw_only=True,
        eq=comparable,
        hash=False,
        metadata={HOLDS_UNKNOWN: True},
    )


# Converters of what a program passes, one for each annotation, since type checkers show them.
def _text(given: str) -> str:
    return plain(given)


def _text_or_none(given: str | None) -> str | None:
    return plain(given)


def _scalar(given: str | int | float | bool) -> str | int | float | bool:
    return plain(given)


def _scalar_or_none(
    given: str | int | float | bool | None,
) -> str | int | float | bool | None:
    return plain(given)


@frozen(weakref_slot=False)
class GoalConfig:
    """What a goal counts; the type of the goal follows from the class.

    Each is a ``PathGoal``, an ``EventGoal``, an ``OutboundGoal``, a ``ButtonClickGoal``, a
    ``FormSubmitGoal`` or a ``CopyGoal``.
    """


@frozen(weakref_slot=False)
class PropertyFilter:
    """A property of an event: its ``key``, and its ``value`` as text, a number or a boolean.

    A goal that has several counts the events that have all of them. Servers before 2.4 store a
    goal without its filters and report no error, so it counts more events there.

    ``True`` is not the same as 1: servers count the two apart.
    """

    key: str = field(converter=_text)
    value: str | int | float | bool = field(converter=_scalar, eq=comparable)
    extra: Mapping[str, Any] = _extra()


def _tuple_of_filters(given: Iterable[PropertyFilter] | None) -> tuple[PropertyFilter, ...] | None:
    # What is neither is left for the check, which says what must be.
    return tuple(given) if isinstance(given, Iterable) else given


@frozen(weakref_slot=False)
class PathGoal(GoalConfig):
    """A conversion is a page view whose path matches ``path_pattern``.

    ``*`` matches anything within one segment of the path, ``**`` anything across segments.
    ``property_filters`` narrow it down to page views with these parameters in their URL, such as
    ``PropertyFilter("utm_source", "newsletter")``. Servers before 2.4 ignore them.
    """

    path_pattern: str = field(converter=_text, metadata=_json_name("pathPattern"))
    property_filters: tuple[PropertyFilter, ...] | None = field(
        default=None,
        kw_only=True,
        converter=_tuple_of_filters,
        metadata=_json_name("propertyFilters"),
    )
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class EventGoal(GoalConfig):
    """A conversion is a custom event of this name.

    ``property_key`` and ``property_value`` (text, number or boolean) narrow it down to events that
    have the property; give both or neither. ``property_filters`` do the same with any number of
    properties, on 2.4 and newer: there they take the place of the pair, while older servers drop
    them and know only the pair.
    """

    event_name: str = field(converter=_text, metadata=_json_name("eventName"))
    property_key: str | None = field(
        default=None, converter=_text_or_none, metadata=_json_name("eventPropertyKey")
    )
    property_value: str | int | float | bool | None = field(
        default=None,
        converter=_scalar_or_none,
        eq=comparable,
        metadata=_json_name("eventPropertyValue"),
    )
    property_filters: tuple[PropertyFilter, ...] | None = field(
        default=None,
        kw_only=True,
        converter=_tuple_of_filters,
        metadata=_json_name("propertyFilters"),
    )
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class CapturedGoal(GoalConfig):
    """A goal of events that servers record by themselves."""

    value_pattern: str | None = field(
        default=None, converter=_text_or_none, metadata=_json_name("valuePattern")
    )
    property_filters: tuple[PropertyFilter, ...] | None = field(
        default=None,
        kw_only=True,
        converter=_tuple_of_filters,
        metadata=_json_name("propertyFilters"),
    )
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class OutboundGoal(CapturedGoal):
    """A conversion is a click on a link to another site whose URL matches ``value_pattern``.

    Without a pattern every such click counts. ``*`` matches anything, slashes too, and blanks
    around the pattern do not count. ``property_filters`` narrow it down to events that have these
    properties. Servers before 2.8 refuse this type with ``BadRequestError``.
    """


@frozen(weakref_slot=False)
class ButtonClickGoal(CapturedGoal):
    """A conversion is a click on a button whose text matches ``value_pattern``.

    For everything else see ``OutboundGoal``.
    """


@frozen(weakref_slot=False)
class FormSubmitGoal(CapturedGoal):
    """A conversion is a form whose name, id or action matches ``value_pattern``, when it is sent.

    For everything else see ``OutboundGoal``.
    """


@frozen(weakref_slot=False)
class CopyGoal(CapturedGoal):
    """A conversion is text that matches ``value_pattern``, when it is copied.

    For everything else see ``OutboundGoal``.
    """


# By the type of a goal that they are the configuration of.
GOAL_CONFIGS: Final[Mapping[str, type[GoalConfig]]] = {
    "path": PathGoal,
    "event": EventGoal,
    "outbound": OutboundGoal,
    "button_click": ButtonClickGoal,
    "form_submit": FormSubmitGoal,
    "copy": CopyGoal,
}


@frozen(weakref_slot=False)
class Goal:
    """A goal of a site, with its conversions in the requested time window.

    Attributes:
        goal_id: the goal's number, unique on the server.
        site_id: the numeric id of the site; not documented, but sent by every known server.
        name: may be ``None``.
        goal_type: ``"path"``, ``"event"``; on 2.8 also ``"outbound"``, ``"button_click"``,
            ``"form_submit"``, ``"copy"``; or a type that this package does not know.
        config: a ``PathGoal``, ``EventGoal``, ``OutboundGoal``, ``ButtonClickGoal``,
            ``FormSubmitGoal`` or ``CopyGoal``; for other types the mapping that the server sent.
        created_at: an aware datetime in UTC.
        total_conversions: sessions in the window that reached the goal.
        total_sessions: sessions in the window.
        conversion_rate: the ratio of the two, 0 to 1.
    """

    goal_id: int = field(metadata=_json_name("goalId"))
    site_id: int | None = field(metadata=_json_name("siteId"))
    name: str | None
    goal_type: str = field(metadata=_json_name("goalType"))
    config: GoalConfig | Mapping[str, Any] = field(
        eq=comparable, hash=False, metadata=_class_by("goal_type", GOAL_CONFIGS)
    )
    created_at: datetime | None = field(default=None, metadata=_json_name("createdAt"))
    total_conversions: int | None = None
    total_sessions: int | None = None
    conversion_rate: float | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class Session:
    """A session that reached a goal, limited to the requested time window.

    ``session_id`` and ``user_id`` together identify a session: a visitor who signs in during a
    session gives two rows with the same ``session_id``.

    The server turns text that looks like a number into a number before it sends it. The client
    turns it back into text, but part of the information is lost: ``"00123"`` was sent as 123 and
    is ``"123"`` here, ``"1e5"`` is ``"100000"``, ``"14.0"`` is ``"14"``, blanks are ``"0"``, and
    ``"Infinity"`` is ``None``.

    Attributes:
        country: two letters; ``""`` where the server does not know the country.
        session_start, session_end: aware datetimes in UTC, in whole seconds.
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
class SiteSession(Session):
    """A session of a site, cut to the window that was asked for.

    It has the fields of ``Session`` and those below; servers send neither ``page_title`` nor
    ``querystring`` here. There is one row for each ``session_id``.

    Attributes:
        identified_user_id: the user that the site named; ``""`` if it named none.
        has_replay: 1 if a replay of the session was recorded, else 0.
        traits: what the site told of that user.
        button_clicks, copies, form_submits, input_changes: counts within the window; not sent
            before 2.4.
        timezone: the IANA time zone of the visitor; not sent before 2.8.
    """

    identified_user_id: str | None = None
    has_replay: int | None = None
    traits: Mapping[str, Any] | None = field(default=None, eq=comparable, hash=False)
    button_clicks: int | None = None
    copies: int | None = None
    form_submits: int | None = None
    input_changes: int | None = None
    timezone: str | None = None


@frozen(weakref_slot=False)
class User:
    """A visitor of a site, as far as the window that was asked for shows.

    Attributes:
        effective_user_id: what tells users apart: ``identified_user_id`` if there is one, else
            ``user_id``.
        user_id: the number of the device, made by the server.
        identified_user_id: the user that the site named; ``""`` if it named none.
        country: two letters; ``""`` if the server does not know it.
        pageviews, events, sessions: counts within the window; ``events`` are custom ones.
        first_seen, last_seen: aware, in UTC, whole seconds; of the window.
        traits: what the site told of the user.
        tag: not sent before 2.4.
    """

    effective_user_id: str
    user_id: str | None = None
    identified_user_id: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    language: str | None = None
    browser: str | None = None
    browser_version: str | None = None
    operating_system: str | None = None
    operating_system_version: str | None = None
    device_type: str | None = None
    screen_width: int | None = None
    screen_height: int | None = None
    referrer: str | None = None
    channel: str | None = None
    hostname: str | None = None
    pageviews: int | None = None
    events: int | None = None
    sessions: int | None = None
    last_seen: datetime | None = None
    first_seen: datetime | None = None
    tag: str | None = None
    traits: Mapping[str, Any] | None = field(default=None, eq=comparable, hash=False)
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class GoalSession:
    """A session, the goal that it reached, and the site as the caller passed it."""

    site: int | str
    goal: Goal
    session: Session


@frozen(weakref_slot=False)
class GoalResult:
    """The result of a write.

    Attributes:
        success: whether it succeeded.
        goal_id: the goal's id.
        created: whether the call made the goal: ``True`` after ``create``, and after ``ensure`` if
            there was none before; ``False`` otherwise.
    """

    success: bool
    goal_id: int = field(metadata=_json_name("goalId"))
    created: bool = False
    extra: Mapping[str, Any] = _extra()


def header_names(headers: Mapping[str, str]) -> str:
    """Headers in a repr: their values may be cookies, or credentials that a server sends back."""
    return f"<{', '.join(dict.fromkeys(headers))}>"


@frozen(weakref_slot=False)
class RawResponse:
    """An undecoded response, from ``client.request(..., cast_to=RawResponse)``."""

    status: int
    headers: Mapping[str, str] = field(hash=False, repr=header_names)
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")
