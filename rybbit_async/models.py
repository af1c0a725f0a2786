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

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from attrs import field, frozen

from .plain import comparable, plain

__all__ = [
    "GOAL_CONFIGS",
    "ButtonClickGoal",
    "CapturedGoal",
    "Change",
    "CopyGoal",
    "Event",
    "EventGoal",
    "EventName",
    "EventOfSite",
    "FormSubmitGoal",
    "Goal",
    "GoalBucket",
    "GoalComparison",
    "GoalConfig",
    "GoalOfSite",
    "GoalResult",
    "GoalSession",
    "MetricRow",
    "Organization",
    "OutboundGoal",
    "Overview",
    "OverviewBucket",
    "PathGoal",
    "PropertyFilter",
    "RawResponse",
    "ServerCapabilities",
    "Session",
    "SessionDetails",
    "SessionEvent",
    "SessionOfSite",
    "Site",
    "SiteSession",
    "User",
    "UserDetails",
    "UserDevice",
    "UserLocation",
    "WatchedSession",
]


# The keys of a field's metadata.
JSON_NAME: Final = "rybbit_async.json_name"
HOLDS_UNKNOWN: Final = "rybbit_async.holds_unknown"
CLASS_BY: Final = "rybbit_async.class_by"
IS_TEXT: Final = "rybbit_async.is_text"


def _json_name(name: str) -> dict[str, Any]:
    """Metadata of a field that has another name in JSON."""
    return {JSON_NAME: name}


def _class_by(tag: str, classes: Mapping[str, type]) -> dict[str, Any]:
    """Metadata of a required object whose class depends on the value of the field ``tag``.

    For a value that is not in ``classes`` the object stays a mapping.
    """
    return {CLASS_BY: (tag, classes)}


def _object_in_text(name: str | None = None) -> Any:
    """An object that servers send as text. Text that is no object is kept in ``extra``."""
    metadata = {IS_TEXT: True} if name is None else {IS_TEXT: True, **_json_name(name)}
    return field(factory=dict[str, Any], hash=False, metadata=metadata)


def _extra(*, shown: Callable[[Any], str] | bool = True) -> Any:
    # Left out of the hash, because a dict has none; equality does compare it.
    return field(
        factory=dict[str, Any],
        kw_only=True,
        eq=comparable,
        hash=False,
        repr=shown,
        metadata={HOLDS_UNKNOWN: True},
    )


def only_names(values: Mapping[str, Any]) -> str:
    """A mapping in a repr, without its values, which may be secret."""
    return f"<{', '.join(dict.fromkeys(values))}>"


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
class SessionDetails:
    """One session of a site, over all of time, as ``sessions.get`` gives it.

    Servers send fewer fields than in a list, and take those of the visitor and of the device from
    the first event of the session.

    Attributes:
        country: two letters; ``""`` if the server does not know it.
        session_start, session_end: aware, in UTC, whole seconds.
        session_duration: seconds.
        pageviews: how many there are.
        events: the number of events of any kind, page views included.
        screen_width, screen_height: CSS pixels.
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
    session_start: datetime | None = None
    session_end: datetime | None = None
    session_duration: int | None = None
    pageviews: int | None = None
    events: int | None = None
    entry_page: str | None = None
    exit_page: str | None = None
    ip: str | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class SessionEvent:
    """An event of one session.

    Attributes:
        timestamp: aware, in UTC, whole seconds.
        type: see ``Event``.
        event_name: of a custom event; ``""`` otherwise.
        properties: of the event, as the site sent them.
    """

    timestamp: datetime
    type: str | None = None
    event_name: str | None = None
    properties: Mapping[str, Any] = _object_in_text("props")
    pathname: str | None = None
    querystring: str | None = None
    hostname: str | None = None
    page_title: str | None = None
    referrer: str | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class UserLocation:
    """A place that a user was seen at, and in how many sessions."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    sessions: int | None = None
    last_seen: datetime | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class UserDevice:
    """A device that a user was seen with, and in how many sessions."""

    device_type: str | None = None
    browser: str | None = None
    browser_version: str | None = None
    operating_system: str | None = None
    operating_system_version: str | None = None
    screen_width: int | None = None
    screen_height: int | None = None
    sessions: int | None = None
    last_seen: datetime | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class UserDetails:
    """One user of a site, over all of time, as ``users.get`` gives it.

    The fields below ``linked_devices`` are not sent before 2.8.

    Attributes:
        user_id: the number of the device, made by the server.
        identified_user_id: the user that the site named; ``""`` if it named none.
        sessions, pageviews, events: counts; ``events`` are custom ones.
        duration: the mean length of a session in seconds.
        country: two letters; ``""`` if the server does not know it.
        first_seen, last_seen: aware, in UTC, whole seconds.
        traits: what the site told of the user.
        linked_devices: as the server sends them.
        timezone: the IANA time zone of the visitor.
        vitals: as the server sends them.
        locations, devices: where the user was seen, and with what; latest first.
    """

    user_id: str
    identified_user_id: str | None = None
    sessions: int | None = None
    duration: float | None = None
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
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    pageviews: int | None = None
    events: int | None = None
    ip: str | None = None
    traits: Mapping[str, Any] | None = field(default=None, hash=False)
    linked_devices: tuple[Any, ...] | None = field(default=None, hash=False)
    first_referrer: str | None = None
    first_channel: str | None = None
    first_entry_page: str | None = None
    first_utm_source: str | None = None
    first_utm_medium: str | None = None
    first_utm_campaign: str | None = None
    last_referrer: str | None = None
    last_channel: str | None = None
    timezone: str | None = None
    vitals: Any = field(default=None, hash=False)
    locations: tuple[UserLocation, ...] | None = None
    devices: tuple[UserDevice, ...] | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class Event:
    """An event of a site: a page view, a custom event, or what servers record by themselves.

    Events have no identity: two that are equal are two events. Servers do not send those of the
    type ``"error"`` here.

    Attributes:
        timestamp: aware, in UTC, whole seconds.
        type: ``"pageview"``, ``"custom_event"``, ``"outbound"``, ``"button_click"``, ``"copy"``,
            ``"form_submit"``, or a type that this package does not know.
        event_name: of a custom event; ``""`` otherwise.
        properties: of the event, as the site sent them.
        session_id, identified_user_id, browser_version, operating_system_version, language, region,
            city, lat, lon, screen_width, screen_height, traits: not sent before 2.4.
        country: two letters; ``""`` if the server does not know it.
        traits: what the site told of the user.
    """

    timestamp: datetime
    type: str | None = None
    event_name: str | None = None
    properties: Mapping[str, Any] = _object_in_text()
    session_id: str | None = None
    user_id: str | None = None
    identified_user_id: str | None = None
    pathname: str | None = None
    querystring: str | None = None
    hostname: str | None = None
    page_title: str | None = None
    referrer: str | None = None
    browser: str | None = None
    browser_version: str | None = None
    operating_system: str | None = None
    operating_system_version: str | None = None
    language: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    lat: float | None = None
    lon: float | None = None
    screen_width: int | None = None
    screen_height: int | None = None
    device_type: str | None = None
    traits: Mapping[str, Any] | None = field(default=None, hash=False)
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class GoalSession:
    """A session, the goal that it reached, and the site as the caller passed it."""

    site: int | str
    goal: Goal
    session: Session


@frozen(weakref_slot=False)
class GoalOfSite:
    """A goal, and its site as the caller passed it; the number for ``sites="all"``."""

    site: int | str
    goal: Goal


@frozen(weakref_slot=False)
class SessionOfSite:
    """A session, and its site as the caller passed it; the number for ``sites="all"``."""

    site: int | str
    session: SiteSession


@frozen(weakref_slot=False)
class EventOfSite:
    """An event, and its site as the caller passed it; the number for ``sites="all"``."""

    site: int | str
    event: Event


@frozen(weakref_slot=False)
class WatchedSession:
    """A session that has reached a goal, as ``watch`` gives it.

    Attributes:
        site: as the caller passed it.
        settled: whether the session can no longer grow, since its visitor has been idle for long
            enough.
        is_new: whether it is given for the first time, and had not reached the goal before the
            watch began.
    """

    site: int | str
    goal: Goal
    session: Session
    settled: bool
    is_new: bool


@frozen(weakref_slot=False)
class Site:
    """A site that the key can read.

    Its switches, such as ``blockBots``, are in ``extra``, since every release has others. A repr
    shows only their names.

    Attributes:
        site_id: the number of the site.
        identifier: 12 hexadecimal characters, which every method takes in place of the number.
            ``None`` among the ``sites`` of an ``Organization``, where servers send only the number.
        name, domain, type: as they were entered; ``type`` is not sent by every release.
        created_at, updated_at: aware, in UTC.
        created_by: the id of the user who created it.
        organization_id: the id of its organization.
        public: whether anybody can read it, without a key.
        sessions_last_24_hours: sent by ``sites.list`` alone.
    """

    site_id: int = field(metadata=_json_name("siteId"))
    identifier: str | None = field(default=None, metadata=_json_name("id"))
    name: str | None = None
    type: str | None = None
    domain: str | None = None
    created_at: datetime | None = field(default=None, metadata=_json_name("createdAt"))
    updated_at: datetime | None = field(default=None, metadata=_json_name("updatedAt"))
    created_by: str | None = field(default=None, metadata=_json_name("createdBy"))
    organization_id: str | None = field(default=None, metadata=_json_name("organizationId"))
    public: bool | None = None
    sessions_last_24_hours: int | None = field(
        default=None, metadata=_json_name("sessionsLast24Hours")
    )
    extra: Mapping[str, Any] = _extra(shown=only_names)  # some releases send a key


@frozen(weakref_slot=False)
class Organization:
    """An organization that the key belongs to, with its sites.

    Attributes:
        organization_id: its id, as text.
        name, slug, logo: as they were entered.
        created_at: aware, in UTC.
        role: what the owner of the key is there, such as ``"owner"``.
        members: as the server sends them; newer releases send none.
        sites: those that the key can read.
    """

    organization_id: str = field(metadata=_json_name("id"))
    name: str | None = None
    slug: str | None = None
    logo: str | None = None
    created_at: datetime | None = field(default=None, metadata=_json_name("createdAt"))
    role: str | None = None
    members: tuple[Any, ...] = field(default=(), hash=False)
    sites: tuple[Site, ...] = ()
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class Overview:
    """The figures of a site in a window.

    Attributes:
        sessions: how many there are.
        pages_per_session: the mean number of page views.
        bounce_rate: per cent of the sessions that have exactly one page view, 0 to 100.
        session_duration: the mean length of a session, in seconds.
        pageviews: how many there are.
        users: different users; those whom the site named count once since 2.4.
    """

    sessions: int
    pages_per_session: float | None = None
    bounce_rate: float | None = None
    session_duration: float | None = None
    pageviews: int | None = None
    users: int | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class OverviewBucket(Overview):
    """The figures of a site in one bucket of time: those of ``Overview``, and ``time``.

    Attributes:
        time: when the bucket begins, aware, in the time zone that was asked for. A week begins on
            Sunday, and the first bucket may begin before the window.
    """

    time: datetime = field(kw_only=True)


@frozen(weakref_slot=False)
class MetricRow:
    """One value of a parameter in a window, and how often it occurs.

    Attributes:
        value: the value, as text. Servers turn text that looks like a number into a number, as
            ``Session`` says; text that cannot be told any more is ``None``.
        count: sessions with the value (events, for ``event_name``).
        percentage: of the counts of all values, 0 to 100.
        pageviews: page views with the value; on 2.4 and newer the same as ``count``.
        pageviews_percentage: of the page views of all values, 0 to 100.
        bounce_rate: per cent of these sessions that have exactly one page view, 0 to 100.
        time_on_page_seconds: the mean time; of pages only.
        pathname: a page with this title; of ``page_title`` only.
        hostname: of pages only, on 2.4 and newer.
    """

    value: str | None
    count: int
    percentage: float | None = None
    pageviews: int | None = None
    pageviews_percentage: float | None = None
    bounce_rate: float | None = None
    time_on_page_seconds: float | None = None
    pathname: str | None = None
    hostname: str | None = None
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class EventName:
    """The name of a custom event, and how many of them there are in a window."""

    event_name: str = field(metadata=_json_name("eventName"))
    count: int
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class GoalBucket:
    """The conversions of a goal in one bucket of time.

    Attributes:
        time: when the bucket begins, aware, in the time zone that was asked for. A week begins on
            Sunday, and the first bucket may begin before the window.
        goal_id: the goal.
        conversions: sessions that reached the goal in the bucket.
        total_sessions: sessions in the bucket. One that lies in two buckets counts in both.
        conversion_rate: the ratio of the two, 0 to 1.
    """

    time: datetime
    goal_id: int
    conversions: int
    total_sessions: int
    conversion_rate: float
    extra: Mapping[str, Any] = _extra()


@frozen(weakref_slot=False)
class Change:
    """How a figure differs between two windows.

    Attributes:
        absolute: the figure of the first window less that of the other one.
        relative: ``absolute`` as a part of the other figure: 0.5 is half as much again. ``None``
            where the other figure is 0.
    """

    absolute: float
    relative: float | None


@frozen(weakref_slot=False)
class GoalComparison:
    """A goal in two windows, and what changed from the other one to the first.

    Attributes:
        goal: with its figures in the first window.
        other: the same goal with its figures in the other window.
        conversions: the change of ``total_conversions``.
        sessions: the change of ``total_sessions``.
        rate: the change of ``conversion_rate``; ``absolute`` is in points of 0 to 1.
    """

    goal: Goal
    other: Goal
    conversions: Change
    sessions: Change
    rate: Change


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


@frozen(weakref_slot=False)
class RawResponse:
    """An undecoded response, from ``client.request(..., cast_to=RawResponse)``."""

    status: int
    # Headers may be cookies, or credentials that a server sends back.
    headers: Mapping[str, str] = field(hash=False, repr=only_names)
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")


@frozen(weakref_slot=False)
class ServerCapabilities:
    """What a server can do, from ``client.capabilities``; ``None`` where the site does not show it.

    Attributes:
        layout: the form of its URLs: ``"goals"`` (documented; up to 2.2) or ``"sites"``.
        exact_times: whether it takes windows that are exact to the second (2.6 and later).
        goal_session_filters: whether filters choose among the sessions of a goal (after 2.8).
        user_search: whether the list of users can be searched (2.4 and later).
        typed_values: whether it counts goals whose property value is a number or a boolean. The
            servers that do (2.7 and later) also refuse windows that are wrong, and let keys write.
        overview_series: the path of the overview by time, with its parameter in braces.
    """

    layout: Literal["goals", "sites"] | None
    exact_times: bool | None
    goal_session_filters: bool | None
    user_search: bool | None
    typed_values: bool | None
    overview_series: str | None
