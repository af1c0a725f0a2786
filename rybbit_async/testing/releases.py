"""What differs from one Rybbit release to the next, as data.

Each flag is one observed difference. No other code compares version numbers: it reads a flag, so
that one more release is one more value here.
"""

# ruff: noqa: SIM905 - a list of names reads best as words.

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["RELEASES", "Release", "release_named"]

BASE_FILTER_TYPES = frozenset(
    "equals not_equals contains not_contains regex not_regex greater_than less_than".split()
)
BASE_FILTER_PARAMETERS = frozenset(
    "browser browser_version operating_system operating_system_version device_type dimensions "
    "language country region city timezone lat lon pathname page_title hostname querystring "
    "referrer entry_page exit_page channel utm_source utm_medium utm_campaign utm_term "
    "utm_content user_id event_name".split()
)
LATE_FILTER_TYPES = frozenset(
    "starts_with ends_with greater_than_or_equal less_than_or_equal is_null is_not_null".split()
)


@attrs.frozen
class Release:
    """How one server release behaves. The defaults are those of 2.2."""

    name: str
    """The name passed to `RybbitServer(release=...)`."""
    layout: Literal["goals", "sites"] = "goals"
    """Which of the two URL layouts the server has."""
    version: str | None = None
    """The version that `GET /api/version` returns. None if the route does not exist."""
    forbidden_status: int = 401
    forbidden_message: str = "Unauthorized"
    """Status and message for no key, a bad key, and a site that is not the caller's."""
    page_size_parameter: str = "page_size"
    """The query parameter for the size of a page of goals, which mid-2025 servers call
    `pageSize`."""
    percent_breaks_site: bool = True
    """A path with a percent-encoded character in the site matches no route."""
    health_skips_authentication: bool = True
    """`/api/health` anywhere in the raw target turns authentication off."""
    keys_write: bool = False
    """Keys may create, update and delete, by scope."""
    checks_origin: bool = False
    """A write with the `Origin` header of another site is answered 403."""
    strict_parameters: bool = False
    """Invalid common parameters are answered 400. Otherwise they are ignored."""
    exact_datetimes: bool = False
    """`start_datetime` and `end_datetime` are read."""
    page_required: bool = True
    """Goal sessions without `page` are answered 500."""
    tags: bool = False
    """Sessions and users have a key `tag`, and `tag` is a filter parameter."""
    autocapture_counts: bool = False
    """Sessions of a site have counts of button clicks, copies, form submits, input changes."""
    session_timezone: bool = False
    """Sessions of a site have a key `timezone`."""
    session_minimums: bool = False
    """The list of sessions reads `session_id` and `min_pageviews`, `min_events`, `min_duration`."""
    user_search: bool = False
    """The list of users reads `search`."""
    user_channel: Literal["last", "first"] = "last"
    """Which event of a user `channel` comes from, unless `attribution` says otherwise."""
    attribution: bool = False
    """In lists of sessions and users, `channel` and `referrer` come from the first event that came
    through a channel."""
    user_filters_on_events: bool = False
    """Filters of the list of users choose events. Otherwise they test the columns of a user, while
    `totalCount` counts the users with an event that passes."""
    failing_session_filters: frozenset[str] = frozenset({"pathname"})
    """Filter parameters for which the list of sessions is answered 500."""
    failing_user_filters: frozenset[str] = frozenset(
        {"event_name", "pathname", "entry_page", "exit_page"}
    )
    """Filter parameters for which the list of users is answered 500."""
    events_cursor: bool = False
    """The list of events goes on from `before_timestamp`, and a list without dates is of all time.
    Otherwise it has numbered pages, and is empty without dates."""
    events_fixed_order: bool = False
    """Events of one second come in the same order on each page."""
    event_names_choose_events: bool = False
    """A filter on `event_name` in the list of events chooses events. Otherwise it chooses sessions
    with such an event."""
    overview_time_series: bool = False
    """The series of the overview is `overview/time-series`. Otherwise it is `overview-bucketed`."""
    last_users_counted: bool = False
    """The users of the overview are the last user of each session. Otherwise they are all users."""
    user_profiles: bool = False
    """A single user has the first and last origin, a time zone, places, and devices."""
    sessions_counted_once: bool = False
    """A metric counts each session once, by its first value, and shows host names of pages.
    Otherwise a session counts for each of its values."""
    metric_values_ordered: bool = False
    """Values of a metric that occur equally often are sorted, except for entry and exit pages."""
    keys_list_sites: bool = False
    """Keys may list their organisation and its sites. Otherwise only a signed-in user may."""
    members_hidden: bool = False
    """A list of organisations shows no members."""
    sites_embedded: bool = False
    """Sites have the switch `embedEnabled`."""
    site_types: bool = False
    """Sites have a `type`, a switch for a proxy, and lists of what is excluded."""
    keys_own_sites: bool = False
    """A single site is the caller's own (`isOwner`) with a key too."""
    goal_session_filters: bool = False
    """Goal sessions are filtered. Otherwise `filters` is not even read there."""
    time_series: bool = False
    """The goal time series route exists."""
    ids_in_put_body: bool = True
    """PUT requires integers `goalId` and `siteId` in the body."""
    url_ids_ignored: bool = True
    """PUT takes the goal from the body, and DELETE ignores the site in the URL."""
    validation_crashes: bool = False
    """Invalid bodies and filters are answered with a 500 that does not name the mistake."""
    property_filters: bool = False
    """Goals may have `propertyFilters`, and those of path goals test the parameters of the URL."""
    goal_types: frozenset[str] = frozenset({"path", "event"})
    native_numbers_fail: bool = True
    """The list of goals fails if an event goal has a number or boolean value and events of the
    site hold such values."""
    mixed_values_fail: bool = False
    """It fails only if some of the events in the window hold text in that property, and others a
    number or a boolean."""
    filter_types: frozenset[str] = BASE_FILTER_TYPES
    filter_parameters: frozenset[str] = BASE_FILTER_PARAMETERS
    negations_ored: bool = True
    """Several values of `not_equals` or `not_contains` are ORed, so that they match everything."""
    contains_wildcards: bool = True
    """`%` and `_` are wildcards in `contains`."""
    user_id_equality_only: bool = True
    """On `user_id`, every type but `equals` is taken for `not_equals`."""
    session_regexes_fail: bool = True
    """A regex on `event_name`, `entry_page` or `exit_page` is answered 500."""
    coordinates_negated: bool = False
    """`not_equals` on `lat` and `lon` is right. Otherwise it is taken for `equals`."""
    channel_filter: Literal["event", "first", "attributed"] = "event"
    """What `channel` tests: each event, or for the whole session the channel of its first event,
    or of its first event that came through one."""
    goals_catch_filter_errors: bool = True
    """Invalid filters are answered by the list of goals with its own 500, and by other lists with
    one that quotes the validator. Otherwise every list has its own 500 for invalid JSON, and
    quotes the validator for the rest."""
    unreadable_site_fails: bool = False
    """A site that is neither a number nor a string identifier is answered 500, not as forbidden."""
    invalid_goal_id_is_400: bool = False
    """DELETE of a goal whose id is no number is answered 400, not 500."""
    json_error_code: bool = False
    """A body that is not JSON is answered with a `code`."""
    unknown_routes_forbidden: bool = True
    """With a key, an unknown route is answered like a bad key."""
    rate_limit: Literal["key", "daily", "bucket"] = "key"
    """The kind of rate limit that `rate_limit=True` turns on."""


_RELEASE_2_2 = Release(name="2.2")
_RELEASE_2_3 = attrs.evolve(
    _RELEASE_2_2,
    name="2.3",
    layout="sites",
    forbidden_status=403,
    forbidden_message="Forbidden",
    percent_breaks_site=False,
    health_skips_authentication=False,
    unknown_routes_forbidden=False,
    keys_list_sites=True,
)
_RELEASE_2_4 = attrs.evolve(
    _RELEASE_2_3,
    name="2.4",
    version="2.4.0",
    page_required=False,
    tags=True,
    autocapture_counts=True,
    session_minimums=True,
    user_search=True,
    user_channel="first",
    failing_session_filters=frozenset(),
    events_cursor=True,
    last_users_counted=True,
    sessions_counted_once=True,
    property_filters=True,
    filter_parameters=BASE_FILTER_PARAMETERS | {"tag"},
    rate_limit="daily",
)
_RELEASE_2_6 = attrs.evolve(
    _RELEASE_2_4,
    name="2.6",
    version="2.6.0",
    exact_datetimes=True,
    sites_embedded=True,
    failing_user_filters=_RELEASE_2_4.failing_user_filters | {"channel"},
    filter_types=BASE_FILTER_TYPES | LATE_FILTER_TYPES,
    user_id_equality_only=False,
    session_regexes_fail=False,
    channel_filter="first",
    rate_limit="bucket",
)
_RELEASE_2_7 = attrs.evolve(
    _RELEASE_2_6,
    name="2.7",
    version="2.7.0",
    keys_write=True,
    checks_origin=True,
    strict_parameters=True,
    user_filters_on_events=True,
    failing_user_filters=frozenset(),
    event_names_choose_events=True,
    overview_time_series=True,
    time_series=True,
    ids_in_put_body=False,
    url_ids_ignored=False,
    native_numbers_fail=False,
    negations_ored=False,
    coordinates_negated=True,
    goals_catch_filter_errors=False,
)
_RELEASE_2_8 = attrs.evolve(
    _RELEASE_2_7,
    name="2.8",
    version="2.8.0",
    session_timezone=True,
    attribution=True,
    events_fixed_order=True,
    user_profiles=True,
    metric_values_ordered=True,
    members_hidden=True,
    site_types=True,
    keys_own_sites=True,
    mixed_values_fail=True,
    validation_crashes=True,
    contains_wildcards=False,
    channel_filter="attributed",
    unreadable_site_fails=True,
    invalid_goal_id_is_400=True,
    json_error_code=True,
    goal_types=frozenset({"path", "event", "outbound", "button_click", "form_submit", "copy"}),
)
_RELEASE_2_9 = attrs.evolve(
    _RELEASE_2_8,
    name="2.9",
    version="2.9.0",
    goal_session_filters=True,
)

RELEASES: dict[str, Release] = {
    "2025.06": attrs.evolve(
        _RELEASE_2_2,
        name="2025.06",
        page_size_parameter="pageSize",
        unknown_routes_forbidden=False,
    ),
    **{
        release.name: release
        for release in (
            _RELEASE_2_2,
            _RELEASE_2_3,
            _RELEASE_2_4,
            _RELEASE_2_6,
            _RELEASE_2_7,
            _RELEASE_2_8,
            _RELEASE_2_9,
        )
    },
}
"""The releases from `2.2` (December 2025) to `2.8` (August 2026), as observed; `2.9` as documented;
and `2025.06` for the servers of mid-2025, which read `pageSize` instead of `page_size`."""


def release_named(name: str | Release) -> Release:
    """The release of that name. A `Release` is returned as it is.

    Raises `ValueError` for a name that is not in `RELEASES`.
    """
    if isinstance(name, Release):
        return name
    try:
        return RELEASES[name]
    except KeyError:
        known = ", ".join(RELEASES)
        raise ValueError(f"release must be one of {known}, got {name!r}") from None
