"""Organisations and their sites, and one site."""

# ruff: noqa: S608 - DuckDB on the tester's own data; the condition is the server's own.

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from ..schema import Site
from ..windows import Window
from ..wire import Response, json_response, timestamp
from .call import AccountCall, Call

__all__ = ["get_site", "list_organisation_sites", "list_organisations"]

_FOUNDED = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC, as tables hold times
"""When an organisation without sites was created."""
_TRACKING = {
    "trackOutbound": True,
    "trackUrlParams": True,
    "trackInitialPageView": True,
    "trackSpaNavigation": True,
}
_FORMS = {"trackButtonClicks": False, "trackCopy": False, "trackFormInteractions": False}
_RECORDING = {"sessionReplay": False, "webVitals": False, "trackErrors": False}
_SUBSCRIPTION = {
    "monthlyEventCount": 0,
    "eventLimit": None,
    "overMonthlyLimit": False,
    "planName": "free",
    "status": "free",
}


def _id(text: str) -> str:
    """An id of an organisation or a user: 32 letters and digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _owner(site: Site) -> str:
    return _id(f"owner of {site.organisation}")


# Organisations


def list_organisations(call: AccountCall) -> Response:
    """The caller's organisation with its sites. Their ids are numbers as text."""
    organisation = _organisation(call)
    body = _described(call, organisation)
    body["role"] = "owner"
    body["members"] = [] if call.release.members_hidden else [_member(call, organisation, body)]
    body["sites"] = [
        {
            "id": str(site.site_id),
            "domain": site.domain,
            "name": site.shown_name,
            "organizationId": body["id"],
            "createdBy": _owner(site),
            "public": site.public,
            "saltUserIds": False,
            "blockBots": site.block_bots,
            "createdAt": timestamp(site.created_at),
        }
        for site in _readable(call, organisation)
    ]
    return json_response([body])


def _organisation(call: AccountCall) -> str:
    """The organisation of the caller. Ends the call if there is none, or none that is told."""
    if call.caller.user is not None:
        return call.service.access.organisation
    if call.caller.key is None or not call.release.keys_list_sites:
        raise call.forbidden()
    return call.caller.key.organisation


def _readable(call: AccountCall, organisation: str) -> list[Site]:
    """The sites of the organisation that the caller may read, oldest first."""
    own = call.service.access.organisation
    return [
        site
        for site in call.service.store.sites()
        if site.organisation == organisation and call.caller.owns(site, own)
    ]


def _described(call: AccountCall, organisation: str) -> dict[str, Any]:
    created = [
        site.created_at for site in call.service.store.sites() if site.organisation == organisation
    ]
    return {
        "id": _id(organisation),
        "name": organisation,
        "slug": organisation.lower().replace(" ", "-"),
        "logo": None,
        "createdAt": _milliseconds(min(created, default=_FOUNDED)),
    }


def _member(call: AccountCall, organisation: str, described: dict[str, Any]) -> dict[str, Any]:
    user = _id(f"owner of {organisation}")
    return {
        "id": _id(f"member of {organisation}"),
        "role": "owner",
        "userId": user,
        "createdAt": described["createdAt"],
        "user": {"id": user, "name": "Owner", "email": call.service.access.email},
    }


def list_organisation_sites(call: AccountCall) -> Response:
    """The sites of the caller's organisation, those with most sessions of late first."""
    organisation = _organisation(call)
    if call.params["organisation"] != _id(organisation):
        raise call.forbidden()
    body = {
        **_described(call, organisation),
        "metadata": None,
        "stripeCustomerId": None,
        "monthlyEventCount": 0,
        "overMonthlyLimit": False,
        "approachingLimitNotifiedPeriodStart": None,
        "planOverride": None,
        "customPlan": None,
    }
    listed = [_listed(call, site) for site in _readable(call, organisation)]
    listed.sort(key=lambda site: -site["sessionsLast24Hours"])
    return json_response({"organization": body, "sites": listed, "subscription": _SUBSCRIPTION})


def _listed(call: AccountCall, site: Site) -> dict[str, Any]:
    """A site as the list of its organisation shows it."""
    release = call.release
    excluded = ["IPs", "Countries"]
    if release.site_types:
        excluded += ["Paths", "Hostnames", "UserAgents", "ASNs", "QueryParams"]
    return {
        **_head(call, site),
        "public": site.public,
        **({"embedEnabled": False} if release.sites_embedded else {}),
        "saltUserIds": False,
        "blockBots": site.block_bots,
        **({"firstPartyProxy": False} if release.site_types else {}),
        **{f"excluded{name}": [] for name in excluded},
        **_RECORDING,
        **_TRACKING,
        "trackIp": False,
        **(_FORMS if release.autocapture_counts else {}),
        **({} if release.site_types else {"apiKey": None, "privateLinkKey": None}),
        "tags": [],
        "sessionsLast24Hours": _sessions_of_late(call, site),
        "isOwner": True,
        "teams": [],
    }


def _sessions_of_late(call: AccountCall, site: Site) -> int:
    queries = call.service.store.queries
    now = call.service.clock().astimezone(UTC).replace(tzinfo=None, microsecond=0)
    within = queries.within(site, Window(now - timedelta(days=1), now + timedelta(seconds=1)))
    ((sessions,),) = queries.rows(f"SELECT count(DISTINCT session_id) FROM events WHERE {within}")
    return int(sessions)


# One site


def get_site(call: Call) -> Response:
    """A site with its switches."""
    site, release = call.site, call.release
    return json_response(
        {
            **_head(call, site),
            "saltUserIds": False,
            "public": site.public,
            **({"embedEnabled": False} if release.sites_embedded else {}),
            "blockBots": site.block_bots,
            **({"firstPartyProxy": False} if release.site_types else {}),
            "trackIp": False,
            "isOwner": call.caller.user is not None or release.keys_own_sites,
            **_RECORDING,
            **_TRACKING,
            **(_FORMS if release.autocapture_counts else {}),
        }
    )


def _head(call: AccountCall, site: Site) -> dict[str, Any]:
    """What every site begins with. `id` is its string identifier."""
    created = timestamp(site.created_at)
    return {
        "id": site.string_id,
        "siteId": site.site_id,
        "name": site.shown_name,
        **({"type": "web"} if call.release.site_types else {}),
        "domain": site.domain,
        "createdAt": created,
        "updatedAt": created,
        "createdBy": _owner(site),
        "organizationId": _id(site.organisation),
    }


def _milliseconds(moment: datetime) -> str:
    return timestamp(moment.replace(microsecond=moment.microsecond // 1000 * 1000))
