"""The sessions of a site, and the sessions that reached a goal."""

# ruff: noqa: S608, SIM905 - DuckDB on the tester's own data; a list of names reads best as words.

from __future__ import annotations

from ..database import DatabaseError
from ..filters import Filter
from ..queries.sessions import (
    GOAL_SESSION_KEYS,
    SessionsQuery,
    goal_sessions_page,
    sessions_page,
)
from ..releases import Release
from ..sql import quoted
from ..wire import Response, error_response
from . import parameters
from .bodies import body_response, page_body
from .call import Call, ResponseError
from .goals import condition_of_goal, goal_of_call

__all__ = ["list_goal_sessions", "list_sessions", "session_keys"]

# Filters on these test single events: a session passes if one of its events does.
_OF_EVENTS = frozenset({"pathname", "page_title", "querystring"})


def session_keys(release: Release) -> list[str]:
    """The keys of a session of a site, in their order."""
    keys = (
        "session_id user_id identified_user_id country region city language device_type browser "
        "browser_version operating_system operating_system_version screen_width screen_height "
        "referrer channel hostname utm_source utm_medium utm_campaign utm_term utm_content "
        "session_end session_start session_duration entry_page exit_page pageviews events errors "
        "outbound"
    ).split()
    if release.autocapture_counts:
        keys += "button_clicks copies form_submits input_changes".split()
    keys += ["ip", "lat", "lon"]
    if release.tags:
        keys.append("tag")
    if release.session_timezone:
        keys.append("timezone")
    return [*keys, "has_replay", "traits"]


def list_sessions(call: Call) -> Response:
    """A page of a site's sessions, newest end first. There is no total."""
    failure = "Failed to fetch sessions"
    failed = error_response(500, failure)
    wanted = parameters.page_and_limit(call, failed, 100)
    within = parameters.within(call, failure)
    chosen = parameters.filters(call, failure)
    if any(one.parameter in call.release.failing_session_filters for one in chosen):
        return failed
    query = SessionsQuery(
        call.site.site_id,
        within,
        _passing(call, chosen, within, failure),
        user_id=_quoted(call, "user_id"),
        session_id=_quoted(call, "session_id") if call.release.session_minimums else None,
        identified_only=call.query.get("identified_only") == "true",
        minimums=_minimums(call, failed),
        attributed=call.release.attribution,
    )
    keys = session_keys(call.release)

    def render() -> bytes:
        return page_body(keys, sessions_page(call.queries, query, keys, wanted))

    try:
        key = ("sessions", query, tuple(keys), wanted)
        return body_response(call.service.bodies.get(call.service.store.version, key, render))
    except DatabaseError:
        return failed


def _passing(call: Call, chosen: list[Filter], within: str, failure: str) -> str:
    """The condition of the sessions that pass the filters."""
    conditions: list[str] = []
    for one in chosen:
        test = parameters.condition(call, [one], within, failure)
        if one.parameter in _OF_EVENTS:
            test = f"session_id IN (SELECT session_id FROM events WHERE {within} AND {test})"
        conditions.append(f"({test})")
    return " AND ".join(conditions) or "TRUE"


def _quoted(call: Call, name: str) -> str | None:
    given = call.query.get(name)
    return quoted(given) if given else None


def _minimums(call: Call, failed: Response) -> tuple[tuple[str, int], ...]:
    if not call.release.session_minimums:
        return ()
    found = [
        (name, parameters.whole_number(call, f"min_{name}", failed))
        for name in ("pageviews", "events", "duration")
    ]
    return tuple((name, least) for name, least in found if least is not None)


def list_goal_sessions(call: Call) -> Response:
    """A page of the sessions that reached a goal, newest end first. There is no total.

    Most releases ignore filters here. With filters, the event that converts must pass them.
    """
    failure = "Failed to fetch goal sessions"
    failed = error_response(500, failure)
    goal = goal_of_call(call, "Goal does not belong to this site", failed)
    if call.release.page_required and "page" not in call.query:
        raise ResponseError(failed)
    wanted = parameters.page_and_limit(call, failed, 25)
    within = parameters.within(call, failure)
    condition = condition_of_goal(call, goal)
    if call.release.goal_session_filters:
        chosen = parameters.filters(call, failure)
        condition += f" AND {parameters.condition(call, chosen, within, failure)}"
    keys = GOAL_SESSION_KEYS if call.release.tags else GOAL_SESSION_KEYS[:-1]

    def render() -> bytes:
        rows = goal_sessions_page(call.queries, within, condition, wanted)
        return page_body(keys, (row[: len(keys)] for row in rows))

    try:
        key = ("goal sessions", within, condition, len(keys), wanted)
        return body_response(call.service.bodies.get(call.service.store.version, key, render))
    except DatabaseError:
        return failed
