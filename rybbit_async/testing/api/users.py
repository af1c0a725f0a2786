"""The users of a site."""

# ruff: noqa: SIM905 - a list of names reads best as words.

from __future__ import annotations

from ..database import DatabaseError
from ..queries.users import USER_ORDERS, UsersQuery, count_users, users_page
from ..releases import Release
from ..wire import Response, error_response
from . import parameters
from .bodies import body_response, page_body
from .call import Call

__all__ = ["list_users", "user_keys"]


def user_keys(release: Release) -> list[str]:
    """The keys of a user, in their order."""
    keys = (
        "effective_user_id user_id identified_user_id country region city language browser "
        "browser_version operating_system operating_system_version device_type screen_width "
        "screen_height referrer channel hostname pageviews events sessions last_seen first_seen"
    ).split()
    return [*keys, "tag", "traits"] if release.tags else [*keys, "traits"]


def list_users(call: Call) -> Response:
    """A page of a site's users, and their total as a number."""
    failure = "Failed to fetch users"
    failed = error_response(500, failure)
    release = call.release
    page = parameters.parse_int(call, "page", 1)
    size = parameters.parse_int(call, "page_size", 100)
    if page is None or size is None:
        return failed
    within = parameters.within(call, failure)
    chosen = parameters.filters(call, failure)
    if any(one.parameter in release.failing_user_filters for one in chosen):
        return failed
    passing = parameters.condition(call, chosen, within, failure)
    on_events = release.user_filters_on_events
    sort_by = call.query.get("sort_by", "")
    query = UsersQuery(
        call.site.site_id,
        within,
        events_passing=passing if on_events else "TRUE",
        passing="TRUE" if on_events else passing,
        channel_from="attributed" if release.attribution else release.user_channel,
        sort_by=sort_by if sort_by in USER_ORDERS else "last_seen",
        descending=call.query.get("sort_order") != "asc",
        identified_only=call.query.get("identified_only") == "true",
        search=(call.query.get("search") or None) if release.user_search else None,
    )
    keys = user_keys(release)
    wanted = call.page_of(page, size)

    def render() -> bytes:
        more = {
            "totalCount": count_users(call.queries, query, passing),
            "page": page,
            "pageSize": wanted.size,
        }
        return page_body(keys, users_page(call.queries, query, keys, wanted), more)

    try:
        key = ("users", query, passing, tuple(keys), wanted)
        return body_response(call.service.bodies.get(call.service.store.version, key, render))
    except DatabaseError:
        return failed
