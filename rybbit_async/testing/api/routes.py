"""Every endpoint of the API as data: its route on each layout, and its handler."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Generic, TypeVar
from urllib.parse import unquote

import attrs

from ..releases import Release
from ..wire import Response
from . import details, events, goals, metric, overview, sessions, sites, users
from .call import AccountCall, Call, RecordedRequest

__all__ = ["ACCOUNT_ENDPOINTS", "ENDPOINTS", "Endpoint", "endpoint_of"]

CallT = TypeVar("CallT", bound=AccountCall)


def _every_release(_: Release) -> bool:
    return True


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))


@attrs.frozen
class Endpoint(Generic[CallT]):
    """One endpoint. `{name}` in a template is a parameter of the path."""

    method: str
    goals: str | None
    """The path on layout `goals`. None if the layout lacks the endpoint."""
    sites: str | None
    """The path on layout `sites`. None if the layout lacks the endpoint."""
    handler: Callable[[CallT], Response]
    exists: Callable[[Release], bool] = _every_release
    """Whether a release that has the layout also has the endpoint."""

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        templates = {"goals": self.goals, "sites": self.sites}
        return {layout: _pattern(path) for layout, path in templates.items() if path is not None}

    def match(self, request: RecordedRequest, release: Release) -> dict[str, str] | None:
        """The parameters of the path, percent-decoded. None if it is another endpoint's request."""
        pattern = self._patterns.get(release.layout)
        if pattern is None or request.method != self.method or not self.exists(release):
            return None
        found = pattern.fullmatch(request.path)
        if found is None:
            return None
        params = found.groupdict()
        if release.percent_breaks_site and "%" in params.get("site", ""):
            return None
        return {name: unquote(text) for name, text in params.items()}


ACCOUNT_ENDPOINTS: tuple[Endpoint[AccountCall], ...] = (
    Endpoint("GET", "/api/organizations", "/api/organizations", sites.list_organisations),
    Endpoint(
        "GET",
        "/api/organizations/{organisation}/sites",
        "/api/organizations/{organisation}/sites",
        sites.list_organisation_sites,
    ),
)
ENDPOINTS: tuple[Endpoint[Call], ...] = (
    Endpoint("GET", "/api/sites/{site}", "/api/sites/{site}", sites.get_site),
    Endpoint("GET", "/api/goals/{site}", "/api/sites/{site}/goals", goals.list_goals),
    Endpoint("POST", "/api/goals/{site}", "/api/sites/{site}/goals", goals.create_goal),
    Endpoint(
        "PUT", "/api/goals/{goal}/{site}", "/api/sites/{site}/goals/{goal}", goals.update_goal
    ),
    Endpoint(
        "DELETE", "/api/goals/{goal}/{site}", "/api/sites/{site}/goals/{goal}", goals.delete_goal
    ),
    Endpoint(
        "GET",
        None,
        "/api/sites/{site}/goals/time-series",
        goals.goal_time_series,
        exists=lambda release: release.time_series,
    ),
    Endpoint(
        "GET",
        "/api/goals/{goal}/sessions/{site}",
        "/api/sites/{site}/goals/{goal}/sessions",
        sessions.list_goal_sessions,
    ),
    Endpoint("GET", "/api/sessions/{site}", "/api/sites/{site}/sessions", sessions.list_sessions),
    Endpoint(
        "GET",
        "/api/sessions/{session}/{site}",
        "/api/sites/{site}/sessions/{session}",
        details.get_session,
    ),
    Endpoint("GET", "/api/users/{site}", "/api/sites/{site}/users", users.list_users),
    Endpoint("GET", "/api/users/{user}/{site}", "/api/sites/{site}/users/{user}", details.get_user),
    Endpoint(
        "GET", "/api/events/names/{site}", "/api/sites/{site}/events/names", events.list_event_names
    ),
    Endpoint("GET", "/api/events/{site}", "/api/sites/{site}/events", events.list_events),
    Endpoint("GET", "/api/metric/{site}", "/api/sites/{site}/metric", metric.get_metric),
    Endpoint("GET", "/api/overview/{site}", "/api/sites/{site}/overview", overview.get_overview),
    Endpoint(
        "GET",
        "/api/overview-bucketed/{site}",
        "/api/sites/{site}/overview-bucketed",
        overview.get_overview_series,
        exists=lambda release: not release.overview_time_series,
    ),
    Endpoint(
        "GET",
        None,
        "/api/sites/{site}/overview/time-series",
        overview.get_overview_series,
        exists=lambda release: release.overview_time_series,
    ),
    Endpoint(
        "GET",
        "/api/live-user-count/{site}",
        "/api/sites/{site}/live-user-count",
        overview.live_user_count,
    ),
)


def endpoint_of(
    endpoints: Iterable[Endpoint[CallT]], request: RecordedRequest, release: Release
) -> tuple[Endpoint[CallT], dict[str, str]] | None:
    """The endpoint of a request and the parameters of its path. None if no route matches."""
    for endpoint in endpoints:
        params = endpoint.match(request, release)
        if params is not None:
            return endpoint, params
    return None
