"""One session, one user, one site; organisations and their sites."""

# ruff: noqa: SIM905 - a list of names reads best as words.

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from .conftest import NOW, Reply, Rig, Serve

USER_KEYS = (
    "sessions duration user_id identified_user_id country region city language device_type browser "
    "browser_version operating_system operating_system_version screen_height screen_width "
    "last_seen first_seen pageviews events ip"
).split()
PROFILE_KEYS = (
    "first_referrer first_channel first_entry_page first_utm_source first_utm_medium "
    "first_utm_campaign last_referrer last_channel timezone"
).split()


async def session_of(rig: Rig, session_id: str, **query: object) -> Reply:
    return await rig.get(rig.single("sessions", session_id), query)


async def user_of(rig: Rig, user_id: str) -> dict[str, Any]:
    reply = await rig.get(rig.single("users", user_id))
    assert reply.status == 200, reply.body
    data: dict[str, Any] = reply.json["data"]
    return data


# One session


async def test_a_session_and_its_events_oldest_first(rig: Rig) -> None:
    pages = ["/a", "/b"]
    events = [("signup", {"plan": "pro"})]
    rig.store.add_session(
        rig.site, session_id="s", start=NOW, pages=pages, events=events, page_title="7"
    )
    rig.store.add_session(rig.site, start=NOW)
    data = (await session_of(rig, "s")).json["data"]
    assert list(data) == ["session", "events", "pagination"]
    session = data["session"]
    assert len(session) == 23
    assert (session["entry_page"], session["exit_page"]) == ("/a", "/b")
    # It counts all events.
    assert (session["pageviews"], session["events"], session["session_duration"]) == (2, 3, 20)
    assert [event["pathname"] for event in data["events"]] == ["/a", "/b", "/b"]
    assert data["events"][-1] == {
        "timestamp": "2026-11-24 12:00:20",
        "pathname": "/b",
        "hostname": "shop.example.com",
        "querystring": "",
        "page_title": 7,
        "referrer": "",
        "type": "custom_event",
        "event_name": "signup",
        "props": {"plan": "pro"},
    }
    assert data["pagination"] == {"total": 3, "limit": 100, "offset": 0, "hasMore": False}


async def test_parts_of_the_events_of_a_session(rig: Rig) -> None:
    rig.store.add_session(rig.site, session_id="s", start=NOW, pages=["/0", "/1", "/2"])
    for limit, offset, paths, more in (
        (2, 0, ["/0", "/1"], True),
        (2, 1, ["/1", "/2"], False),
        (2, 9, [], False),
        (0, 0, [], True),
    ):
        # The time parameters do not count.
        window = {"past_minutes_start": 2, "past_minutes_end": 1}
        reply = await session_of(rig, "s", limit=limit, offset=offset, **window)
        data = reply.json["data"]
        assert [event["pathname"] for event in data["events"]] == paths
        expected = {"total": 3, "limit": limit, "offset": offset, "hasMore": more}
        assert data["pagination"] == expected


async def test_columns_of_a_session_come_from_its_first_event(rig: Rig) -> None:
    for at, country in enumerate(("DE", "FR")):
        start = NOW + timedelta(seconds=at)
        rig.store.add_session(rig.site, session_id="s", start=start, country=country)
    assert (await session_of(rig, "s")).json["data"]["session"]["country"] == "DE"


async def test_no_session(rig: Rig) -> None:
    unknown = await session_of(rig, "nope")
    assert (unknown.status, unknown.json) == (404, {"error": "Session not found"})
    for query in ({"limit": "x"}, {"offset": "x"}):
        failed = await session_of(rig, "nope", **query)
        assert (failed.status, failed.json) == (500, {"error": "Failed to fetch session data"})


# One user


async def test_a_user(rig: Rig) -> None:
    rig.store.set_traits(rig.site, "ann", {"plan": "pro"})
    for days, country in ((2, "DE"), (1, "FR"), (0, "\0\0")):
        rig.store.add_session(
            rig.site,
            start=NOW - timedelta(days=days),
            user_id="ann",
            identified_user_id="ann",
            pages=[f"/{days}", "/"],
            country=country,
            referrer=f"https://{days}.example/",
        )
    user = await user_of(rig, "ann")
    profile = PROFILE_KEYS if rig.server.release == "2.8" else []
    more = ["vitals", "locations", "devices"] if profile else []
    assert list(user) == [*USER_KEYS, *profile, "traits", "linked_devices", *more]
    assert (user["sessions"], user["duration"], user["pageviews"], user["events"]) == (3, 10, 6, 0)
    assert (user["first_seen"], user["last_seen"]) == ("2026-11-22 12:00:00", "2026-11-24 12:00:10")
    assert (user["country"], user["traits"]) == ("\0\0", {"plan": "pro"})
    if profile:
        assert (user["first_referrer"], user["last_referrer"]) == (
            "https://2.example/",
            "https://0.example/",
        )
        assert user["first_entry_page"] == "/2"
        # Latest first, and no unknown place.
        assert [place["country"] for place in user["locations"]] == ["FR", "DE"]
        assert [device["sessions"] for device in user["devices"]] == [3]


async def test_an_unknown_user_is_answered_200(rig: Rig) -> None:
    rig.store.add_session(rig.site, start=NOW, user_id="ann")
    user = await user_of(rig, "a|b")
    assert (user["sessions"], user["user_id"], user["duration"]) == (0, "", None)
    assert (user["last_seen"], user["traits"]) == ("1970-01-01 00:00:00", None)


# Sites


async def test_a_site_by_number_and_by_identifier(rig: Rig) -> None:
    rig.store.add_site("foreign", organisation="theirs")
    for name in (rig.site.site_id, rig.site.string_id):
        site = (await rig.get(f"/api/sites/{name}")).json
        assert (site["id"], site["siteId"], site["name"]) == (rig.site.string_id, 1, "first")
        assert site["domain"] == "first.example.com"
        assert ("type" in site) == site["isOwner"] == (rig.server.release == "2.8")
    forbidden = 401 if rig.server.release == "2.2" else 403
    for other in (2, 99):
        assert (await rig.get(f"/api/sites/{other}")).status == forbidden


async def test_organisations_and_their_sites(serve: Serve) -> None:
    rig = await serve("2.3")
    rig.store.add_site("busy")
    rig.store.add_site("foreign", organisation="theirs")
    rig.store.add_session(2, start=NOW - timedelta(hours=23))
    rig.store.add_session(1, start=NOW - timedelta(hours=25))
    for release in ("2.3", "2.6", "2.8"):
        rig.server.release = release
        (organisation,) = (await rig.get("/api/organizations")).json
        assert [site["id"] for site in organisation["sites"]] == ["1", "2"]
        assert bool(organisation["members"]) == (release != "2.8")
        listed = await rig.get(f"/api/organizations/{organisation['id']}/sites")
        assert list(listed.json) == ["organization", "sites", "subscription"]
        # Those with most sessions in the last day come first.
        assert [
            (site["siteId"], site["id"], site["sessionsLast24Hours"])
            for site in listed.json["sites"]
        ] == [(2, rig.store.sites()[1].string_id, 1), (1, rig.site.string_id, 0)]
        assert (await rig.get("/api/organizations/nope/sites")).status == 403


async def test_which_sites_a_key_lists(serve: Serve) -> None:
    rig = await serve("2.8")
    rig.store.add_site("second")
    rig.key = rig.server.add_key(sites=[2])
    (organisation,) = (await rig.get("/api/organizations")).json
    assert [site["name"] for site in organisation["sites"]] == ["second"]
    for key in ("rb_unknown", None):
        rig.key = key
        assert (await rig.get("/api/organizations")).status == 403


async def test_on_the_older_layout_only_a_user_lists_sites(serve: Serve) -> None:
    rig = await serve("2.2")
    reply = await rig.get("/api/organizations")
    assert (reply.status, reply.json) == (401, {"error": "Unauthorized"})
    headers = await rig.as_user()
    (organisation,) = (await rig.get("/api/organizations", headers=headers)).json
    path = f"/api/organizations/{organisation['id']}/sites"
    assert (await rig.get(path, headers=headers)).status == 200


@pytest.mark.parametrize(
    "path", ["events", "overview", "metric", "live-user-count", "events/names"]
)
async def test_another_organisations_lists_are_forbidden(serve: Serve, path: str) -> None:
    rig = await serve("2.8")
    rig.store.add_site("foreign", organisation="theirs")
    reply = await rig.get(rig.listed(path, 2))
    assert (reply.status, reply.json) == (403, {"error": "Forbidden"})
