"""What differs from one Rybbit release to the next, as data.

Each flag is one observed difference. Nothing else in this package compares version numbers: the
code asks a flag, so that a further release is one more value here.
"""

# ruff: noqa: SIM905 - a list of names is easier to read as words.

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["RELEASES", "Release", "release_named"]

BASE_FILTER_TYPES = frozenset(
    {
        "equals",
        "not_equals",
        "contains",
        "not_contains",
        "regex",
        "not_regex",
        "greater_than",
        "less_than",
    }
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
    """The quirks of one server release. Defaults are those of 2.2."""

    name: str
    """As passed to `RybbitServer(release=...)`."""
    layout: Literal["goals", "sites"] = "goals"
    """Which of the two URL layouts the server routes."""
    version: str | None = None
    """What `GET /api/version` says; `None` where the route does not exist."""
    refusal_status: int = 401
    refusal: str = "Unauthorized"
    """Status and text for no key, a bad key, and a site that is not the caller's."""
    page_size_parameter: str = "page_size"
    """The query parameter that sizes a page of goals; mid-2025 servers read another name."""
    percent_breaks_route: bool = True
    """A percent-encoded character in a path segment is not decoded, and no route matches."""
    health_skips_authentication: bool = True
    """`/api/health` anywhere in the raw target turns authentication off."""
    keys_write: bool = False
    """Keys may create, update and delete, by scope."""
    checks_origin: bool = False
    """A write with a foreign `Origin` header is refused."""
    strict_parameters: bool = False
    """Common parameters that make no sense are 400; elsewhere they are dropped in silence."""
    exact_datetimes: bool = False
    """`start_datetime` and `end_datetime` are read."""
    page_required: bool = True
    """Goal sessions without `page` are 500."""
    session_tag: bool = False
    """Sessions carry a 36th key, `tag`."""
    time_series: bool = False
    """The goal time series route exists."""
    ids_in_put_body: bool = True
    """PUT requires integer `goalId` and `siteId` in the body."""
    url_ids_ignored: bool = True
    """PUT takes the goal from the body, DELETE does not look at the site in the URL."""
    validation_crashes: bool = False
    """A body that does not validate is answered 500 in place of 400."""
    property_filters: bool = False
    """Event goals may have `propertyFilters`."""
    goal_types: frozenset[str] = frozenset({"path", "event"})
    native_numbers_fail: bool = True
    """An event goal with a number or boolean value breaks a site whose events hold such values."""
    filter_types: frozenset[str] = BASE_FILTER_TYPES
    filter_parameters: frozenset[str] = BASE_FILTER_PARAMETERS
    filter_quirks: bool = True
    """`not_equals` is ORed, `contains` takes wildcards, `user_id` with `contains` is
    `not_equals`, and a regex on `event_name`, `entry_page` or `exit_page` is 500."""
    rate_limit: Literal["key", "bucket"] = "key"
    """The kind of rate limit that `rate_limit=True` turns on."""


_RELEASE_2_4 = Release(
    name="2.4",
    layout="sites",
    version="2.4.0",
    refusal_status=403,
    refusal="Forbidden",
    percent_breaks_route=False,
    health_skips_authentication=False,
    url_ids_ignored=False,
    property_filters=True,
)

RELEASES: dict[str, Release] = {
    "2025.06": Release(name="2025.06", page_size_parameter="pageSize"),
    "2.2": Release(name="2.2"),
    "2.4": _RELEASE_2_4,
    "2.14": attrs.evolve(
        _RELEASE_2_4,
        name="2.14",
        version="2.14.0",
        keys_write=True,
        checks_origin=True,
        strict_parameters=True,
        exact_datetimes=True,
        page_required=False,
        session_tag=True,
        time_series=True,
        ids_in_put_body=False,
        validation_crashes=True,
        goal_types=frozenset({"path", "event", "outbound", "button_click", "form_submit", "copy"}),
        native_numbers_fail=False,
        filter_types=BASE_FILTER_TYPES | LATE_FILTER_TYPES,
        filter_parameters=BASE_FILTER_PARAMETERS | {"tag"},
        filter_quirks=False,
        rate_limit="bucket",
    ),
}
"""`2.2` (December 2025), `2.4` (March 2026), `2.14` (August 2026), and `2025.06`, which stands for
the mid-2025 servers that know `pageSize` in place of `page_size`."""


def release_named(name: str | Release) -> Release:
    """The release of that name; a `Release` made by the caller passes through.

    Raises `ValueError` for a name that is not in `RELEASES`.
    """
    if isinstance(name, Release):
        return name
    try:
        return RELEASES[name]
    except KeyError:
        known = ", ".join(RELEASES)
        raise ValueError(f"release={name!r}: this server can be {known}") from None
