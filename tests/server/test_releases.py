"""What differs from release to release, behaviour by behaviour, on every release."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from rybbit_async.testing import RELEASES, RybbitServer, Store

from .conftest import NOW, NUMBERED, Rig, Serve


def every_release(
    test: Callable[[Rig, str], Awaitable[None]],
) -> Callable[[Serve], Awaitable[None]]:
    """Run a test once for each release: on one server, which is fast, with a new site each."""

    async def test_on_every_release(serve: Serve) -> None:
        rig = await serve()
        for release in NUMBERED:
            rig.server.release = release
            rig.site, rig.key = rig.store.add_site(), rig.server.api_key
            rig.clock.move(minutes=1)  # because sign-ins are limited
            try:
                await test(rig, release)
            except BaseException as error:
                error.add_note(f"on release {release}")
                raise

    test_on_every_release.__name__ = test.__name__
    return test_on_every_release


OLD = {"2.2", "2.3", "2.4"}
BEFORE_2_7 = OLD | {"2.6"}
BEFORE_2_8 = BEFORE_2_7 | {"2.7"}


def test_the_releases() -> None:
    assert NUMBERED == ["2.2", "2.3", "2.4", "2.6", "2.7", "2.8", "2.9"]
    assert RybbitServer().release == "2.8"
    assert all(release.name == name for name, release in RELEASES.items())


@every_release
async def test_layout_and_version(rig: Rig, release: str) -> None:
    assert (await rig.get("/api/goals/1")).status == (200 if release == "2.2" else 404)
    reply = await rig.get("/api/version")
    if release in {"2.2", "2.3"}:
        assert reply.status == (401 if release == "2.2" else 404)
    else:
        assert reply.json == {"version": f"{release}.0"}


@every_release
async def test_an_unknown_route(rig: Rig, release: str) -> None:
    reply = await rig.get("/api/nowhere/1", {"a": "b"})
    if release == "2.2":
        assert (reply.status, reply.json) == (401, {"error": "Unauthorized"})
    else:
        message = "Route GET:/api/nowhere/1?a=b not found"
        assert reply.json == {"message": message, "error": "Not Found", "statusCode": 404}


# Sites and goals in the path


@every_release
async def test_a_site_that_is_no_number(rig: Rig, release: str) -> None:
    for site, shown in (("abc", "NaN"), ("main", "NaN"), ("1.5", "1.5"), ("1%2F", "NaN")):
        reply = await rig.get(rig.goals(site))
        if release in {"2.8", "2.9"}:
            assert (reply.status, reply.json["error"]) == (500, "Internal Server Error")
            assert reply.json["message"].startswith('Failed query: select "organization_id" from')
            assert reply.json["message"].endswith(f"params: {shown},1")
        else:
            assert reply.status == (401 if release == "2.2" else 403)
    rig.key = None
    assert (await rig.get(rig.goals("abc"))).status == (401 if release == "2.2" else 403)


@every_release
async def test_a_site_in_other_notations(rig: Rig, release: str) -> None:
    forbidden = 401 if release == "2.2" else 403
    for site, status in (("1", 200), ("1.0", 200), ("1e0", 200), ("-1", forbidden)):
        assert (await rig.get(rig.goals(site))).status == status


@every_release
async def test_an_unknown_string_identifier(rig: Rig, release: str) -> None:
    reply = await rig.get(rig.goals("abcdefabcdef"))
    assert (reply.status, reply.json) == (404, {"error": "Site not found"})


@every_release
async def test_a_goal_that_is_no_number(rig: Rig, release: str) -> None:
    user = await rig.as_user()
    for goal in ("abc", "1.5", "9999999999"):
        reply = await rig.get(rig.sessions(goal), {"page": 1}, headers=user)
        assert (reply.status, reply.json) == (500, {"error": "Failed to fetch goal sessions"})
        reply = await rig.send("DELETE", rig.goal(goal), headers=user)
        if release in {"2.8", "2.9"}:
            assert (reply.status, reply.json) == (400, {"error": "Invalid goal ID"})
        else:
            assert (reply.status, reply.json) == (500, {"error": "Failed to delete goal"})


@every_release
async def test_white_space_around_the_number_of_a_goal(rig: Rig, release: str) -> None:
    goal = rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    assert (await rig.get(rig.sessions(f"{goal}%20"), {"page": 1})).status == 200


# Pages of goal sessions


@every_release
async def test_the_page_of_goal_sessions(rig: Rig, release: str) -> None:
    for at in range(8):
        rig.store.add_session(rig.site, start=NOW - timedelta(minutes=at), session_id=f"s{at}")
    path = rig.sessions(rig.store.add_goal(rig.site, "path", {"pathPattern": "/"}))

    async def ids(query: str) -> list[str]:
        reply = await rig.get(path, query)
        return [row["session_id"] for row in reply.json["data"]] if reply.status == 200 else []

    assert await ids("page=&limit=2") == ["s0", "s1"]
    assert await ids("page=1.5&limit=2") == ["s1", "s2"]
    assert (await rig.get(path, "page=1.5&limit=1")).status == 500
    without = await rig.get(path, "limit=2")
    assert without.status == (500 if release in {"2.2", "2.3"} else 200)


# Windows


@every_release
async def test_a_window_that_ends_before_it_starts(rig: Rig, release: str) -> None:
    rig.store.add_session(rig.site, start=NOW)
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    dates = {"start_date": "2026-11-22", "end_date": "2026-11-16", "time_zone": "UTC"}
    reply = await rig.get(rig.goals(), dates)
    assert reply.json["data"][0]["total_sessions"] == 0
    times = {"start_datetime": "2026-11-22 00:00:00", "end_datetime": "2026-11-16 00:00:00"}
    reply = await rig.get(rig.goals(), times)
    if release not in BEFORE_2_7:
        assert reply.json == {"error": "start_datetime must be before end_datetime"}
    else:
        assert reply.json["data"][0]["total_sessions"] == int(release in OLD)


@every_release
async def test_exact_times_that_are_none(rig: Rig, release: str) -> None:
    rig.store.add_session(rig.site, start=NOW)
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    moment = "2026-11-22 00:00:00"
    for start, end in (("x", "y"), (moment, ""), ("2026-11-32 00:00:00", moment)):
        reply = await rig.get(rig.goals(), {"start_datetime": start, "end_datetime": end})
        if release in BEFORE_2_7:  # all of time
            assert reply.json["data"][0]["total_sessions"] == 1
        else:
            assert reply.status == 400


@every_release
async def test_a_day_of_1970_shows_whether_exact_times_are_taken(rig: Rig, release: str) -> None:
    rig.store.add_session(rig.site, start=NOW)
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    day = {"start_datetime": "1970-01-01 00:00:00", "end_datetime": "1970-01-02 00:00:00"}
    (goal,) = (await rig.get(rig.goals(), day)).json["data"]
    assert goal["total_sessions"] == (1 if release in OLD else 0)


# Filters


async def passing(
    rig: Rig, parameter: str, kind: str, *values: object, path: str | None = None
) -> int | None:
    """How many sessions pass a filter. None if the response is a 500."""
    one = {"parameter": parameter, "type": kind, "value": list(values)}
    reply = await rig.get(rig.goals(), {"filters": json.dumps([one])})
    if reply.status == 500:
        return None
    assert reply.status == 200
    return int(reply.json["data"][0]["total_sessions"])


def visit(rig: Rig, **columns: Any) -> None:
    rig.store.add_session(rig.site, start=NOW, **columns)


def filtered(rig: Rig, *visits: Mapping[str, Any]) -> None:
    """Add a goal, and for each of the mappings a session with an event of these columns."""
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    rows = [
        {"timestamp": NOW, "session_id": f"s{at}", "user_id": f"u{at}", **columns}
        for at, columns in enumerate(visits)
    ]
    rig.store.add_events(rig.site, rows)


BROWSERS = [{"browser": name} for name in ("Chrome", "Firefox", "Opera")]


@every_release
async def test_only_the_first_value_of_a_regex_counts(rig: Rig, release: str) -> None:
    filtered(rig, *BROWSERS)
    assert await passing(rig, "browser", "regex", "Chrome", "Fire") == 1
    assert await passing(rig, "browser", "not_regex", "Chrome", "Fire") == 2
    assert await passing(rig, "browser", "regex", "(?:Chrome)|(?:Fire)") == 2


@every_release
async def test_negations_with_several_values(rig: Rig, release: str) -> None:
    filtered(rig, *BROWSERS)
    both = 3 if release in BEFORE_2_7 else 1
    for kind in ("not_equals", "not_contains"):
        assert await passing(rig, "browser", kind, "Chrome") == 2
        assert await passing(rig, "browser", kind, "Chrome", "Firefox") == both


@every_release
async def test_contains_minds_the_case(rig: Rig, release: str) -> None:
    filtered(rig, *BROWSERS)
    assert await passing(rig, "browser", "contains", "o") == 2
    assert await passing(rig, "browser", "not_contains", "o") == 1
    wild = 3 if release in BEFORE_2_8 else 0
    assert await passing(rig, "browser", "contains", "%") == wild
    assert await passing(rig, "browser", "contains", "_") == wild


@every_release
async def test_an_unknown_country_is_empty_in_a_comparison(rig: Rig, release: str) -> None:
    filtered(rig, {"country": "\0\0"}, {"country": "DE"}, {"country": "US"})
    assert await passing(rig, "country", "equals", "") == 1
    assert await passing(rig, "country", "not_equals", "") == 2
    assert await passing(rig, "country", "is_null", "DE") == (None if release in OLD else 1)
    assert await passing(rig, "country", "is_not_null") == (None if release in OLD else 2)


@every_release
async def test_a_referrer_is_its_domain(rig: Rig, release: str) -> None:
    referrers = [
        "https://www.google.com/search?q=a",
        "http://google.com:80/",
        "google.com",
        "www.google.com/a",
        "//google.com/a",
    ]
    filtered(rig, *({"referrer": text} for text in (*referrers, "")))
    assert await passing(rig, "referrer", "equals", "google.com") == 5
    assert await passing(rig, "referrer", "not_equals", "google.com") == 1
    assert await passing(rig, "referrer", "is_null") == (None if release in OLD else 1)


@every_release
async def test_the_channel_of_a_session(rig: Rig, release: str) -> None:
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    for name, channels in (
        ("a", ("Direct", "Email")),
        ("b", ("Direct", "Direct")),
        ("c", ("Social", "Direct")),
    ):
        for at, channel in enumerate(channels):
            moment = NOW + timedelta(seconds=at)
            visit_of = {"session_id": name, "user_id": name, "channel": channel}
            rig.store.add_events(rig.site, [{"timestamp": moment, **visit_of}])
    counts = [await passing(rig, "channel", "equals", name) for name in ("Direct", "Email")]
    if release in OLD:  # an event will do
        assert counts == [3, 1]
    elif release in {"2.6", "2.7"}:  # the session's first event
        assert counts == [2, 0]
    else:  # the session's first event that came through a channel
        assert counts == [1, 1]


@every_release
async def test_text_has_no_greater_and_less(rig: Rig, release: str) -> None:
    filtered(rig, {"utm_campaign": "0012"})
    for kind in ("greater_than", "less_than", "greater_than_or_equal", "less_than_or_equal"):
        assert await passing(rig, "browser", kind, "Chrome") is None
        assert await passing(rig, "utm_campaign", kind, "0012") is None
        assert await passing(rig, "page_title", kind, 404) is None


@every_release
async def test_pages_and_names_are_compared_as_text(rig: Rig, release: str) -> None:
    filtered(rig)
    visit(rig, pages=("/a", "/b"), events=("buy",))
    visit(rig, pages=("/c", "/d"))
    assert await passing(rig, "entry_page", "less_than", "/b") == 1
    assert await passing(rig, "exit_page", "greater_than", "/a") == 2
    # Of names any event will do, and a page view has an empty one.
    assert await passing(rig, "event_name", "less_than", "a") == 2
    assert await passing(rig, "event_name", "not_equals", "buy") == 2
    late = None if release in OLD else 1
    assert await passing(rig, "entry_page", "greater_than_or_equal", "/c") == late
    assert await passing(rig, "event_name", "greater_than_or_equal", "buy") == late
    channel = None if release in OLD else 0
    assert await passing(rig, "channel", "less_than", "Direct") == channel


@every_release
async def test_a_regex_on_what_is_known_of_whole_sessions(rig: Rig, release: str) -> None:
    filtered(rig)
    visit(rig, pages=("/a",), events=("/a",))
    visit(rig, pages=("/b",))
    expected = None if release in OLD else 1
    for parameter in ("event_name", "entry_page", "exit_page"):
        assert await passing(rig, parameter, "regex", "^/a$") == expected, parameter


@every_release
async def test_filters_on_user_id(rig: Rig, release: str) -> None:
    filtered(rig, {"user_id": "u1"}, {"user_id": "u2"}, {"user_id": "u3"})
    others = 2 if release in OLD else None  # everything but "equals" is taken for "not_equals"
    assert await passing(rig, "user_id", "equals", "u1") == 1
    assert await passing(rig, "user_id", "not_equals", "u1") == 2
    assert await passing(rig, "user_id", "contains", "u1") == (others or 1)
    assert await passing(rig, "user_id", "not_contains", "u1") == 2
    assert await passing(rig, "user_id", "regex", "u1") == (others or 1)
    assert await passing(rig, "user_id", "greater_than", "u1") == others


@every_release
async def test_filters_on_coordinates(rig: Rig, release: str) -> None:
    filtered(rig, {"lat": 10.5}, {"lat": 20}, {"lat": -30.25})
    assert await passing(rig, "lat", "equals", "10.5") == 1
    assert await passing(rig, "lat", "equals", "10.5", 20) == 2
    for kind in ("contains", "not_contains"):
        assert await passing(rig, "lat", kind, 10.5) == 1  # like "equals"
        assert await passing(rig, "lat", kind, 10) == 0
    assert await passing(rig, "lat", "not_equals", 10.5) == (1 if release in BEFORE_2_7 else 2)
    assert await passing(rig, "lat", "greater_than", 0) == 2
    assert await passing(rig, "lat", "greater_than", "x") is None
    assert await passing(rig, "lat", "less_than_or_equal", 10.5) == (None if release in OLD else 2)
    for kind in ("regex", "not_regex", "starts_with", "ends_with", "is_null", "is_not_null"):
        assert await passing(rig, "lat", kind, "10.5") is None


@every_release
async def test_filters_that_are_none(rig: Rig, release: str) -> None:
    filtered(rig, {})
    for text in ("x", "{}"):
        reply = await rig.get(rig.goals(), {"filters": text})
        assert reply.status == 500
        if text == "x" or release in BEFORE_2_7:
            assert reply.json == {"error": "Failed to fetch goals data"}
        else:
            assert reply.json["statusCode"] == 500
            assert reply.json["error"] == "Internal Server Error"
            assert ("Cannot set property" in reply.json["message"]) == (release != "2.7")


@every_release
async def test_filters_of_goal_sessions(rig: Rig, release: str) -> None:
    filtered(rig, *BROWSERS)
    (goal,) = rig.store.goals(rig.site)
    one = {"parameter": "browser", "type": "equals", "value": ["Opera"]}

    async def sessions(filters: str) -> int | None:
        reply = await rig.get(rig.sessions(goal.goal_id), {"page": 1, "filters": filters})
        return len(reply.json["data"]) if reply.status == 200 else None

    applied = release == "2.9"
    assert await sessions(json.dumps([one])) == (1 if applied else 3)
    assert await sessions("x") == (None if applied else 3)


# Goals


def add_event(rig: Rig, kind: str, **columns: Any) -> None:
    session = f"s{rig.store.count_events(rig.site)}"
    base = {"timestamp": NOW, "session_id": session, "user_id": "u", "type": kind}
    rig.store.add_events(rig.site, [{**base, **columns}])


async def conversions(rig: Rig, kind: str, config: Mapping[str, Any]) -> int:
    goal = rig.store.add_goal(rig.site, kind, config)
    rows = (await rig.get(rig.goals(), {"sort": "goalId"})).json["data"]
    rig.store.delete_goal(goal)
    assert rows[0]["goalId"] == goal
    return int(rows[0]["total_conversions"])


@every_release
async def test_properties_of_a_path_goal_are_parameters_of_the_url(rig: Rig, release: str) -> None:
    query = "?plan=a+b%2F%C3%A4&n=5&a.b=1"
    add_event(rig, "pageview", querystring=query, utm_source="x")
    add_event(rig, "pageview", querystring="?plan=c&n=55&axb=1", utm_source="y")
    add_event(rig, "pageview")
    expected = 3 if release in {"2.2", "2.3"} else 1
    for key, value in (("utm_source", "x"), ("plan", "a b/ä"), ("n", 5), ("a.b", "1")):
        pair = {"eventPropertyKey": key, "eventPropertyValue": value}
        filters = {"propertyFilters": [{"key": key, "value": value}]}
        assert await conversions(rig, "path", {"pathPattern": "/", **pair}) == expected
        assert await conversions(rig, "path", {"pathPattern": "/", **filters}) == expected


@every_release
async def test_property_filters_take_the_place_of_the_older_pair(rig: Rig, release: str) -> None:
    for plan, currency in (("pro", "EUR"), ("free", "EUR"), ("pro", "USD")):
        props = {"plan": plan, "currency": currency}
        add_event(rig, "custom_event", event_name="buy", props=props)
    pair = {"eventPropertyKey": "plan", "eventPropertyValue": "free"}
    filters = {"propertyFilters": [{"key": "currency", "value": "EUR"}]}
    assert await conversions(rig, "event", {"eventName": "buy", **pair}) == 1
    assert await conversions(rig, "event", {"eventName": "buy", **filters}) == 2
    assert await conversions(rig, "event", {"eventName": "buy", **pair, **filters}) == 2


async def test_what_the_value_pattern_is_matched_on(serve: Serve) -> None:
    rig = await serve("2.8")
    for url in ("https://a.example/x/y", "https://b.example/"):
        add_event(rig, "outbound", props={"url": url, "text": "go"})
    for text in ("Buy now", "Cancel"):
        add_event(rig, "button_click", props={"text": text})
    add_event(rig, "copy", props={"text": "coupon"})
    form = {"formName": "f1", "formId": "id1", "formAction": "/send", "method": "post"}
    add_event(rig, "form_submit", props=form)
    assert await conversions(rig, "outbound", {}) == 2
    for kind, pattern, expected in (
        ("outbound", "https://a.example/*", 1),
        ("outbound", "https://*", 2),
        ("outbound", "https://a.example/x", 0),
        ("button_click", "Buy*", 1),
        ("button_click", " Buy* ", 1),
        ("button_click", "  ", 2),
        ("button_click", "Buy", 0),
        ("copy", "**", 1),
        ("copy", "coupon", 1),
        ("form_submit", "f1", 1),
        ("form_submit", "id*", 1),
        ("form_submit", "/send", 1),
        ("form_submit", "post", 0),
    ):
        assert await conversions(rig, kind, {"valuePattern": pattern}) == expected, pattern


async def test_property_filters_of_autocaptured_events(serve: Serve) -> None:
    rig = await serve("2.8")
    for url in ("https://a.example/", "https://b.example/"):
        add_event(rig, "outbound", props={"url": url})
    config = {"propertyFilters": [{"key": "url", "value": "https://b.example/"}]}
    assert await conversions(rig, "outbound", config) == 1


# Writes


@every_release
async def test_half_a_property_pair(rig: Rig, release: str) -> None:
    key = {"Authorization": f"Bearer {rig.key}"}
    user = await rig.as_user()
    for half in ({"eventPropertyKey": "k"}, {"eventPropertyValue": 3}):
        body = {"goalType": "event", "config": {"eventName": "e", **half}}
        with_key = await rig.send("POST", rig.goals(), json=body, headers=key)
        signed_in = await rig.send("POST", rig.goals(), json=body, headers=user)
        if release in BEFORE_2_7:  # what the caller may do is checked before the pair
            assert (with_key.status, with_key.json) == (403, {"error": "Forbidden"})
            assert signed_in.status == 400
        else:
            expected = 400 if release == "2.7" else 500
            assert (with_key.status, signed_in.status) == (expected, expected)


@every_release
async def test_a_wrong_body_is_found_before_the_caller_is_checked(rig: Rig, release: str) -> None:
    body = {"goalType": "event", "config": {"pathPattern": "/"}}
    reply = await rig.send("POST", rig.goals(), json=body)
    assert reply.status == (400 if release in BEFORE_2_8 else 500)


@every_release
async def test_a_body_that_is_not_json(rig: Rig, release: str) -> None:
    headers = {**await rig.as_user(), "Content-Type": "application/json"}
    reply = await rig.send("POST", rig.goals(), data=b"{bad", headers=headers)
    assert reply.status == 400
    coded = release not in BEFORE_2_8
    assert reply.json.get("code") == ("FST_ERR_CTP_INVALID_JSON_BODY" if coded else None)


@every_release
async def test_keys_write_from_2_7_on(rig: Rig, release: str) -> None:
    body = {"goalType": "path", "config": {"pathPattern": "/"}}
    reply = await rig.send("POST", rig.goals(), json=body)
    assert reply.status == (403 if release in BEFORE_2_7 else 201)


@every_release
async def test_ids_in_the_body_of_a_put(rig: Rig, release: str) -> None:
    first, second = (rig.store.add_goal(rig.site, "path", {"pathPattern": "/"}) for _ in "ab")
    headers = await rig.as_user()
    body: dict[str, object] = {"goalType": "path", "config": {"pathPattern": "/x"}}
    without = await rig.send("PUT", rig.goal(first), json=body, headers=headers)
    assert without.status == (400 if release in BEFORE_2_7 else 200)
    body |= {"goalId": second, "siteId": rig.site.site_id}
    reply = await rig.send("PUT", rig.goal(first), json=body, headers=headers)
    assert reply.json["goalId"] == (second if release in BEFORE_2_7 else first)


@every_release
async def test_a_goal_of_another_site(rig: Rig, release: str) -> None:
    goal = rig.store.add_goal(rig.store.add_site(), "path", {"pathPattern": "/"})
    headers = await rig.as_user()
    reply = await rig.send("DELETE", rig.goal(goal), headers=headers)
    assert reply.status == (200 if release in BEFORE_2_7 else 403)


# Limits


async def test_2_4_allows_ten_requests_a_day(serve: Serve) -> None:
    rig = await serve("2.4", rate_limit=True)
    for _ in range(10):
        assert (await rig.get(rig.goals())).status == 200
    reply = await rig.get(rig.goals())
    assert (reply.status, reply.json) == (429, {"error": "Rate limit exceeded"})
    assert not [name for name in reply.headers if "rate" in name.lower() or name == "Retry-After"]
    rig.clock.move(days=1, seconds=-1)
    assert (await rig.get(rig.goals())).status == 429
    rig.clock.move(seconds=1)
    assert (await rig.get(rig.goals())).status == 200


# Events that are stored late


async def count(rig: Rig) -> int:
    return int((await rig.get(rig.goals())).json["data"][0]["total_sessions"])


async def test_events_are_shown_only_after_the_delay(serve: Serve) -> None:
    rig = await serve(store_delay=3.5)
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    visit(rig)
    rig.store.add_session(rig.site, start=NOW - timedelta(seconds=3))
    rig.store.add_session(rig.site, start=NOW - timedelta(seconds=4))
    assert await count(rig) == 1
    rig.clock.move(seconds=0.5)
    assert await count(rig) == 2
    rig.clock.move(seconds=2.9)
    assert await count(rig) == 2
    rig.clock.move(seconds=0.1)
    assert await count(rig) == 3


async def test_the_delay_may_depend_on_the_event(serve: Serve) -> None:
    rig = await serve(store_delay=lambda event: 10 if event["pathname"] == "/late" else 0)
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/**"})
    rig.store.add_session(rig.site, start=NOW, pages=("/a", "/late", "/b"), seconds_between=1)
    rig.clock.move(seconds=2)

    async def pages() -> list[int]:
        (goal,) = rig.store.goals(rig.site)
        rows = (await rig.get(rig.sessions(goal.goal_id))).json["data"]
        return [row["pageviews"] for row in rows]

    assert await pages() == [2]
    rig.clock.move(seconds=9)
    assert await pages() == [3]


async def test_a_store_that_is_passed_in_keeps_its_own_delay_or_gets_that_of_the_server() -> None:
    with Store(delay=2) as store:
        RybbitServer(store=store)
        assert store.delay == 2
        RybbitServer(store=store, store_delay=5)
        assert store.delay == 5
        site = store.add_site()
        store.add_session(site, start=NOW)
        assert store.count_events(site) == 0
        store.store_due(NOW + timedelta(seconds=4))
        assert store.count_events(site) == 0
        store.store_due(NOW + timedelta(seconds=5))
        assert store.count_events(site) == 1
        store.store_due(NOW + timedelta(seconds=9))
        assert store.count_events(site) == 1


def test_mistakes_in_late_events_show_at_once() -> None:
    with Store(delay=2) as store:
        site = store.add_site()
        with pytest.raises(ValueError, match="columns of an event"):
            store.add_session(site, start=NOW, colour="red")


# The store


def test_goals_with_given_ids() -> None:
    with Store() as store:
        site = store.add_site()
        assert store.add_goal(site, "path", {"pathPattern": "/"}, goal_id=7) == 7
        assert store.add_goal(site, "path", {"pathPattern": "/"}) == 8
        with pytest.raises(ValueError, match="goal_id must be unique, but another goal has 7"):
            store.add_goal(site, "path", {"pathPattern": "/"}, goal_id=7)
