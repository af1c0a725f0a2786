"""Common parameters: windows, as each release reads them, and filters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import NOW, Rig, Serve

DAYS = (
    datetime(2026, 1, 31, 12, tzinfo=UTC),
    datetime(2026, 3, 2, 12, tzinfo=UTC),
    datetime(2026, 11, 20, 12, tzinfo=UTC),
    NOW - timedelta(minutes=30),
)


async def total(rig: Rig, query: Mapping[str, object] | str) -> int:
    """The number of sessions in the list of goals."""
    if not rig.store.goals(rig.site):
        rig.store.add_goal(rig.site, "path", {"pathPattern": "/**"})
    reply = await rig.get(rig.goals(), query)
    assert reply.status == 200, reply.body
    return int(reply.json["data"][0]["total_sessions"])


async def answered(rig: Rig, query: Mapping[str, object] | str) -> tuple[int, int | None]:
    """The status, and the number of sessions for a 200. Both endpoints must agree on them."""
    goal = rig.store.add_goal(rig.site, "path", {"pathPattern": "/**"})
    text = query if isinstance(query, str) else ""
    more: Mapping[str, object] = {} if isinstance(query, str) else query
    sessions = await rig.get(rig.sessions(goal), f"{text}&page=1" if text else {**more, "page": 1})
    reply = await rig.get(rig.goals(), query)
    rig.store.delete_goal(goal)
    assert reply.status == sessions.status
    if reply.status != 200:
        assert reply.json["error"]
        return reply.status, None
    assert len(sessions.json["data"]) == reply.json["data"][0]["total_sessions"]
    return 200, int(reply.json["data"][0]["total_sessions"])


@pytest.fixture
def filled(rig: Rig) -> Rig:
    rows = [
        {"timestamp": day, "session_id": f"s{at}", "user_id": f"u{at}"}
        for at, day in enumerate(DAYS)
    ]
    rig.store.add_events(rig.site, rows)
    return rig


async def test_no_time_parameters_is_all_of_time(filled: Rig) -> None:
    assert await answered(filled, {}) == (200, 4)


async def test_dates_are_inclusive_days_in_the_zone(rig: Rig) -> None:
    # 00:30 on the 11th in Paris is the evening of the 10th in UTC.
    rig.store.add_session(rig.site, start=datetime(2026, 5, 10, 22, 30, tzinfo=UTC))
    day = {"start_date": "2026-05-10", "end_date": "2026-05-10"}
    assert await answered(rig, {**day, "time_zone": "UTC"}) == (200, 1)
    assert await answered(rig, {**day, "time_zone": "Europe/Paris"}) == (200, 0)
    next_day = {"start_date": "2026-05-11", "end_date": "2026-05-11"}
    assert await answered(rig, {**next_day, "time_zone": "Europe/Paris"}) == (200, 1)


async def test_when_end_date_is_today_the_window_ends_now(rig: Rig) -> None:
    today = {"start_date": "2026-11-24", "end_date": "2026-11-24", "time_zone": "UTC"}
    rig.store.add_session(rig.site, start=NOW)
    rig.store.add_session(rig.site, start=NOW + timedelta(seconds=1))
    assert await answered(rig, today) == (200, 1)
    rig.clock.move(seconds=1)
    assert await answered(rig, today) == (200, 2)


async def test_today_is_today_in_the_zone(rig: Rig) -> None:
    # It is the 25th already in Auckland, where this window must end now too.
    rig.store.add_session(rig.site, start=NOW + timedelta(hours=1))
    zone = {"start_date": "2026-11-25", "end_date": "2026-11-25", "time_zone": "Pacific/Auckland"}
    assert await answered(rig, zone) == (200, 0)


async def test_past_minutes_are_resolved_at_each_request(filled: Rig) -> None:
    query = {"past_minutes_start": 60, "past_minutes_end": 0}
    assert await answered(filled, query) == (200, 1)
    assert await answered(filled, {"past_minutes_start": 29, "past_minutes_end": 0}) == (200, 0)
    assert await answered(filled, {"past_minutes_start": 60, "past_minutes_end": 31}) == (200, 0)
    filled.clock.move(minutes=31)
    assert await answered(filled, query) == (200, 0)


UTC_ZONE = {"time_zone": "UTC"}
INVALID: dict[str, dict[str, object]] = {
    "only the start": {"start_date": "2026-11-20", **UTC_ZONE},
    "only the end": {"end_date": "2026-11-20", **UTC_ZONE},
    "a bad date": {"start_date": "20-11-2026", "end_date": "2026-11-20", **UTC_ZONE},
    "an unknown zone": {
        "start_date": "2026-11-20",
        "end_date": "2026-11-20",
        "time_zone": "Mars/Olympus",
    },
    "32 November": {"start_date": "2026-11-20", "end_date": "2026-11-32", **UTC_ZONE},
    "month 13": {"start_date": "2026-11-20", "end_date": "2026-13-01", **UTC_ZONE},
    "minutes reversed": {"past_minutes_start": 10, "past_minutes_end": 60},
    "minutes equal": {"past_minutes_start": 10, "past_minutes_end": 10},
    "minutes half given": {"past_minutes_start": 10},
    "minutes negative": {"past_minutes_start": 10, "past_minutes_end": -1},
}


async def test_invalid_windows_are_all_of_time_or_400(filled: Rig) -> None:
    expected = (400, None) if filled.server.release == "2.8" else (200, 4)
    for case, query in INVALID.items():
        assert await answered(filled, query) == expected, case


async def test_dates_without_a_zone(filled: Rig) -> None:
    query = {"start_date": "2026-11-20", "end_date": "2026-11-20"}
    expected = 1 if filled.server.release == "2.8" else 4
    assert await answered(filled, query) == (200, expected)


async def test_a_zone_in_the_wrong_case_is_500(filled: Rig) -> None:
    for zone in ("utc", "america/new_york", "EUROPE/PARIS"):
        query = {"start_date": "2026-11-20", "end_date": "2026-11-20", "time_zone": zone}
        assert await answered(filled, query) == (500, None), zone


async def test_end_before_start(filled: Rig) -> None:
    query = {"start_date": "2026-11-20", "end_date": "2026-11-19", **UTC_ZONE}
    assert await answered(filled, query) == (200, 0)


async def test_a_day_that_the_month_lacks_is_a_neighbouring_day(filled: Rig) -> None:
    # 30 February 2026 is 2 March.
    day = {"start_date": "2026-02-30", "end_date": "2026-02-30", **UTC_ZONE}
    assert await answered(filled, day) == (200, 1)
    november = {"start_date": "2026-11-20", "end_date": "2026-11-31", **UTC_ZONE}
    assert await answered(filled, november) == (200, 2)


async def test_dates_win_over_minutes(filled: Rig) -> None:
    dates = {"start_date": "2026-01-01", "end_date": "2026-03-31", **UTC_ZONE}
    assert await answered(filled, {**dates, **INVALID["minutes reversed"]}) == (200, 2)
    minutes = {"past_minutes_start": 60, "past_minutes_end": 0}
    assert await answered(filled, {**dates, **minutes}) == (200, 2)


async def test_exact_datetimes(filled: Rig) -> None:
    exact = {"start_datetime": "2026-03-02 12:00:00", "end_datetime": "2026-11-20T12:00:01Z"}
    expected = 2 if filled.server.release == "2.8" else 4
    assert await answered(filled, exact) == (200, expected)


async def test_2_8_exact_datetimes_end_exclusive(serve: Serve) -> None:
    rig = await serve("2.8")
    rig.store.add_session(rig.site, start=datetime(2026, 3, 2, 12, tzinfo=UTC))
    start = {"start_datetime": "2026-03-02T14:00:00+02:00"}
    assert await answered(rig, {**start, "end_datetime": "2026-03-02 12:00:01"}) == (200, 1)
    before = {"start_datetime": "2026-03-02 11:00:00"}
    assert await answered(rig, {**before, "end_datetime": "2026-03-02 12:00:00"}) == (200, 0)


async def test_2_8_bad_exact_datetimes_are_400(serve: Serve) -> None:
    rig = await serve("2.8")
    for start, end in (
        ("2026-03-02 12:00:00.000", "2026-03-03 12:00:00"),
        ("2026-03-02", "2026-03-03"),
        ("2026-03-02 12:00:00", ""),
        ("2026-03-03 12:00:00", "2026-03-02 12:00:00"),
        ("2026-02-30 12:00:00", "2026-03-03 12:00:00"),
    ):
        exact = {"start_datetime": start, "end_datetime": end}
        assert await answered(rig, exact) == (400, None), exact


async def test_a_window_cuts_the_session_itself(rig: Rig) -> None:
    rig.store.add_session(
        rig.site,
        start=datetime(2026, 11, 19, 23, 59, 40, tzinfo=UTC),
        pages=("/before", "/also-before", "/first", "/last"),
        events=("signup",),
    )
    goal = rig.store.add_goal(rig.site, "path", {"pathPattern": "/**"})
    early = rig.store.add_goal(rig.site, "path", {"pathPattern": "/before"})
    query = {"start_date": "2026-11-20", "end_date": "2026-11-20", **UTC_ZONE, "page": 1}
    (session,) = (await rig.get(rig.sessions(goal), query)).json["data"]
    wanted = {
        "session_start": "2026-11-20 00:00:00",
        "session_end": "2026-11-20 00:00:20",
        "session_duration": 20,
        "entry_page": "/first",
        "exit_page": "/last",
        "pageviews": 2,
        "events": 1,
    }
    assert {key: session[key] for key in wanted} == wanted
    assert (await rig.get(rig.sessions(early), query)).json == {"data": []}


# Filters


def filters(*each: object) -> dict[str, object]:
    return {"filters": json.dumps(each)}


def one(parameter: str, kind: str, *values: object) -> dict[str, object]:
    return filters({"parameter": parameter, "type": kind, "value": list(values)})


VISITOR: dict[str, Any] = {
    "browser": "Chrome",
    "browser_version": "120",
    "operating_system": "macOS",
    "operating_system_version": "14",
    "device_type": "Mobile",
    "screen_width": 390,
    "screen_height": 844,
    "language": "de-DE",
    "country": "GB",
    "region": "GB-ENG",
    "city": "London",
    "timezone": "Europe/London",
    "lat": 51.5,
    "lon": -0.125,
    "page_title": "Startseite",
    "hostname": "shop.example.com",
    "querystring": "?a=b",
    "referrer": "https://www.google.com/search",
    "channel": "Organic Search",
    "utm_source": "x",
    "utm_medium": "cpc",
    "utm_campaign": "0012",
    "utm_term": "term",
    "utm_content": "content",
    "user_id": "u1",
}
OTHER: dict[str, Any] = {
    **{name: "other" if isinstance(value, str) else 1 for name, value in VISITOR.items()},
    "referrer": "https://other.example/",
    "tag": "b",
}
MATCHES = {
    **{name: value for name, value in VISITOR.items() if not name.startswith("screen")},
    "browser_version": "Chrome 120",
    "operating_system_version": "macOS 14",
    "dimensions": "390x844",
    "city": "GB-ENG-London",
    "referrer": "google.com",
    "pathname": "/in",
    "entry_page": "/in",
    "exit_page": "/out",
    "event_name": "signup",
}


@pytest.fixture
def two(rig: Rig) -> Rig:
    """Two visitors who have nothing in common."""
    mine: dict[str, Any] = {**VISITOR, "tag": "a"}
    rig.store.add_session(rig.site, start=NOW, pages=("/in", "/out"), events=("signup",), **mine)
    rig.store.add_session(rig.site, start=NOW, pages=("/x", "/y"), events=("other",), **OTHER)
    return rig


async def test_every_parameter_filters(two: Rig) -> None:
    for parameter, value in MATCHES.items():
        assert await total(two, one(parameter, "equals", value)) == 1, parameter
        assert await total(two, one(parameter, "equals", "nothing like it")) == 0, parameter
        # Each session has an event on another path, and one with another name.
        others = 2 if parameter in {"pathname", "event_name"} else 1
        if parameter in {"lat", "lon"} and two.server.release != "2.8":
            value, others = "1", 1
        assert await total(two, one(parameter, "not_equals", value)) == others, parameter


async def test_tag_filters_from_2_4_on(two: Rig) -> None:
    rig = two
    if rig.server.release != "2.2":
        assert await total(rig, one("tag", "equals", "a")) == 1
    else:
        assert await total(rig, {}) == 2
        assert (await rig.get(rig.goals(), one("tag", "equals", "a"))).status == 500


async def test_types(two: Rig) -> None:
    for kind, value, expected in (
        ("equals", "Chrome", 1),
        ("not_equals", "Chrome", 1),
        ("contains", "hrom", 1),
        ("not_contains", "hrom", 1),
        ("regex", "^C.*e$", 1),
        ("not_regex", "^C.*e$", 1),
    ):
        assert await total(two, one("browser", kind, value)) == expected, kind


async def test_comparisons(two: Rig) -> None:
    assert await total(two, one("lat", "greater_than", 51)) == 1
    assert await total(two, one("lat", "less_than", 51.5)) == 1


async def test_2_8_has_more_types(serve: Serve) -> None:
    rig = await serve("2.8")
    rig.store.add_session(rig.site, start=NOW, browser="Chrome", utm_source="")
    for kind, value, expected in (
        ("starts_with", "Chr", 1),
        ("ends_with", "Chr", 0),
        ("ends_with", "ome", 1),
    ):
        assert await total(rig, one("browser", kind, value)) == expected
    assert await total(rig, one("utm_source", "is_null", "")) == 1
    assert await total(rig, one("utm_source", "is_not_null", "")) == 0
    await rig.server.restart(release="2.2")
    assert (await rig.get(rig.goals(), one("browser", "starts_with", "C"))).status == 500


async def test_several_filters_are_and_several_values_or(two: Rig) -> None:
    assert await total(two, one("browser", "equals", "Chrome", "other")) == 2
    chrome = {"parameter": "browser", "type": "equals", "value": ["Chrome"]}
    elsewhere = {"parameter": "country", "type": "equals", "value": ["other"]}
    assert await total(two, filters(chrome, elsewhere)) == 0
    assert await total(two, filters(chrome, chrome)) == 1
    assert await total(two, filters()) == 2


async def test_filters_count_conversions_too(two: Rig) -> None:
    two.store.add_goal(two.site, "path", {"pathPattern": "/in"})
    for name, converted in (("signup", 1), ("other", 0)):
        (goal,) = (await two.get(two.goals(), one("event_name", "equals", name))).json["data"]
        assert (goal["total_conversions"], goal["total_sessions"]) == (converted, 1)
        assert goal["conversion_rate"] == converted


BROKEN: dict[str, str] = {
    "not JSON": "filters=%5B",
    "not an array": "filters=%7B%7D",
    "unknown parameter": 'filters=[{"parameter":"nose","type":"equals","value":["x"]}]',
    "unknown type": 'filters=[{"parameter":"browser","type":"is","value":["x"]}]',
    "empty value": 'filters=[{"parameter":"browser","type":"equals","value":[]}]',
    "scalar value": 'filters=[{"parameter":"browser","type":"equals","value":"x"}]',
    "null in it": 'filters=[{"parameter":"browser","type":"equals","value":[null]}]',
    "boolean in it": 'filters=[{"parameter":"browser","type":"equals","value":[true]}]',
    "parameter a list": 'filters=[{"parameter":[],"type":"equals","value":["x"]}]',
    "given twice": "filters=[]&filters=[]",
    "bad regex": 'filters=[{"parameter":"browser","type":"regex","value":["("]}]',
    "long regex": f'filters=[{{"parameter":"browser","type":"regex","value":["{"x" * 501}"]}}]',
}

# What the validator of 2.8 does not find.
FAILING = {"not JSON", "empty value", "bad regex", "long regex"}
CRASH: dict[str, Any] = {
    "statusCode": 500,
    "error": "Internal Server Error",
    "message": "Cannot set property errors of [object Object] which has only a getter",
}


async def test_invalid_filters_are_500(two: Rig) -> None:
    two.store.add_goal(two.site, "path", {"pathPattern": "/"})
    empty = two.store.add_site("empty")
    for case, text in BROKEN.items():
        query = text.replace('"', "%22")
        reply = await two.get(two.goals(), query)
        expected = {"error": "Failed to fetch goals data"}
        if two.server.release == "2.8" and case not in FAILING:
            expected = CRASH
        assert (reply.status, reply.json) == (500, expected), case
        # The filters are not read beyond the last page,
        beyond = await two.get(two.goals(), f"{query}&page=9")
        assert (beyond.status, beyond.json["data"]) == (200, []), case
        # and not on a site without goals.
        assert (await two.get(two.goals(empty.site_id), query)).status == 200, case


async def test_regex_on_parameters_of_a_whole_session(two: Rig) -> None:
    two.store.add_goal(two.site, "path", {"pathPattern": "/"})
    for parameter in ("event_name", "entry_page", "exit_page"):
        reply = await two.get(two.goals(), one(parameter, "regex", "^(signup|/in|/out)$"))
        if two.server.release == "2.8":
            assert reply.json["data"][0]["total_sessions"] == 1, parameter
        else:
            assert reply.status == 500, parameter


async def test_not_equals_with_two_values(two: Rig) -> None:
    either = 1 if two.server.release == "2.8" else 2
    for parameter, value, expected in (
        ("browser", "Chrome", either),
        ("lat", 51.5, 1),
        ("entry_page", "/in", either),
    ):
        assert await total(two, one(parameter, "not_equals", value, 7)) == expected, parameter


async def test_contains_with_wildcards(two: Rig) -> None:
    expected = 0 if two.server.release == "2.8" else 1
    assert await total(two, one("browser", "contains", "C%e")) == expected
    assert await total(two, one("browser", "contains", "Chr_me")) == expected


async def test_user_id_with_contains(two: Rig) -> None:
    # Before 2.8 it behaves like not_equals, which shows when the value is a whole id.
    rows = two.store.add_session(two.site, start=NOW, user_id="u1")
    assert rows
    expected = 2 if two.server.release == "2.8" else 1
    assert await total(two, one("user_id", "contains", "u1")) == expected


async def test_no_match_is_zeros(two: Rig) -> None:
    two.store.add_goal(two.site, "path", {"pathPattern": "/"})
    (goal,) = (await two.get(two.goals(), one("country", "equals", "ZZ"))).json["data"]
    assert (goal["total_sessions"], goal["total_conversions"], goal["conversion_rate"]) == (0, 0, 0)
