"""The list of all sessions of a site."""

# ruff: noqa: SIM905 - a list of names reads best as words.

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from .conftest import NOW, Rig, Serve

KEYS = (
    "session_id user_id identified_user_id country region city language device_type browser "
    "browser_version operating_system operating_system_version screen_width screen_height "
    "referrer channel hostname utm_source utm_medium utm_campaign utm_term utm_content "
    "session_end session_start session_duration entry_page exit_page pageviews events errors "
    "outbound"
).split()
AUTOCAPTURE = ["button_clicks", "copies", "form_submits", "input_changes"]
EXPECTED_KEYS = {
    "2.2": [*KEYS, "ip", "lat", "lon", "has_replay", "traits"],
    "2.4": [*KEYS, *AUTOCAPTURE, "ip", "lat", "lon", "tag", "has_replay", "traits"],
    "2.8": [*KEYS, *AUTOCAPTURE, "ip", "lat", "lon", "tag", "timezone", "has_replay", "traits"],
}
LAST = {
    "country": ("DE", "GB"),
    "region": ("DE-BE", "GB-ENG"),
    "city": ("Berlin", "London"),
    "language": ("de", "en"),
    "device_type": ("Desktop", "Mobile"),
    "browser": ("Chrome", "Safari"),
    "browser_version": ("1.2.3", "4.5.6"),
    "operating_system": ("macOS", "iOS"),
    "operating_system_version": ("10.15.7", "17.4.1"),
    "screen_width": (1920, 390),
    "screen_height": (1080, 844),
    "ip": ("10.0.0.1", "10.0.0.2"),
    "lat": (52.52, 51.51),
    "lon": (13.4, -0.13),
    "tag": ("a", "b"),
    "timezone": ("Europe/Berlin", "Europe/London"),
    "user_id": ("anonymous", "member"),
    "identified_user_id": ("", "member"),
}
FIRST = {
    "referrer": ("https://a.example/", "https://b.example/"),
    "channel": ("Email", "Referral"),
    "hostname": ("a.example", "b.example"),
    **{f"utm_{name}": ("x", "y") for name in ("source", "medium", "campaign", "term", "content")},
}


async def read(rig: Rig, **query: object) -> list[dict[str, Any]]:
    reply = await rig.get(rig.all_sessions(), query)
    assert reply.status == 200, reply.body
    assert reply.json.keys() == {"data"}
    rows: list[dict[str, Any]] = reply.json["data"]
    return rows


async def ids(rig: Rig, **query: object) -> list[str]:
    return [row["session_id"] for row in await read(rig, **query)]


def one(parameter: str, kind: str, *values: object) -> str:
    return json.dumps([{"parameter": parameter, "type": kind, "value": list(values)}])


# Rows


async def test_the_keys_of_each_release_in_their_order(rig: Rig) -> None:
    rig.store.add_session(rig.site, start=NOW)
    (session,) = await read(rig)
    assert list(session) == EXPECTED_KEYS[rig.server.release]
    assert (session["has_replay"], session["traits"]) == (0, None)


async def test_there_is_one_row_for_each_session(rig: Rig) -> None:
    for user in ("anonymous", "member"):
        rig.store.add_session(rig.site, start=NOW, session_id="s", user_id=user, pages=("/", "/b"))
    (session,) = await read(rig)
    assert (session["user_id"], session["pageviews"]) == ("member", 4)


async def test_columns_come_from_the_first_or_the_last_event(rig: Rig) -> None:
    both = {**LAST, **FIRST}
    for at in (0, 1):
        columns = {name: values[at] for name, values in both.items()}
        moment = NOW + timedelta(seconds=at)
        rig.store.add_events(rig.site, [{"timestamp": moment, "session_id": "s", **columns}])
    (session,) = await read(rig)
    for name, (_, last) in LAST.items():
        if name in session:
            assert session[name] == last, name
    for name, (first, _) in FIRST.items():
        assert session[name] == first, name


async def test_events_of_one_second_keep_the_order_in_which_they_were_written(rig: Rig) -> None:
    for page in ("/b", "/a", "/c"):
        row = {"timestamp": NOW, "session_id": "s", "user_id": "u", "pathname": page, "tag": page}
        rig.store.add_events(rig.site, [{**row, "hostname": page}])
    (session,) = await read(rig)
    assert (session["entry_page"], session["exit_page"]) == ("/b", "/c")
    assert (session["hostname"], session.get("tag", "/c")) == ("/b", "/c")


async def test_ip_is_the_last_that_is_not_null(rig: Rig) -> None:
    for at, ip in enumerate(("10.0.0.1", "10.0.0.2", None)):
        moment = NOW + timedelta(seconds=at)
        row = {"timestamp": moment, "session_id": "s", "user_id": "u", "ip": ip}
        rig.store.add_events(rig.site, [row])
    rig.store.add_session(rig.site, end=NOW, session_id="none")
    last, none = await read(rig)
    assert (last["ip"], none["ip"]) == ("10.0.0.2", None)
    goal = rig.store.add_goal(rig.site, "path", {"pathPattern": "/**"})
    reply = await rig.get(rig.sessions(goal), {"page": 1})
    assert [row["ip"] for row in reply.json["data"]] == ["10.0.0.2", None]


async def test_channel_and_referrer_on_2_8_are_the_first_attributed_ones(rig: Rig) -> None:
    visits = (
        ("Direct", ""),
        ("Email", "https://mail.example/"),
        ("Referral", "https://b.example/"),
    )
    for at, (channel, referrer) in enumerate(visits):
        columns = {"channel": channel, "referrer": referrer, "utm_source": f"source{at}"}
        moment = NOW + timedelta(seconds=at)
        row = {"timestamp": moment, "session_id": "s", "user_id": "u", **columns}
        rig.store.add_events(rig.site, [row])
    (session,) = await read(rig)
    expected = visits[1] if rig.server.release == "2.8" else visits[0]
    assert (session["channel"], session["referrer"]) == expected
    assert session["utm_source"] == "source0"


async def test_counts_by_type_and_first_and_last_page_view(rig: Rig) -> None:
    start = NOW - timedelta(hours=1)
    rig.store.add_session(
        rig.site,
        start=start,
        session_id="s",
        user_id="u",
        pages=("/a", "/b"),
        events=("signup", "buy", "buy"),
        seconds_between=7,
    )
    kinds = {
        "error": 1,
        "outbound": 2,
        "button_click": 3,
        "copy": 4,
        "form_submit": 5,
        "input_change": 6,
    }
    for kind, number in kinds.items():
        row = {"timestamp": start, "session_id": "s", "user_id": "u", "type": kind}
        rig.store.add_events(rig.site, [{**row, "pathname": "/elsewhere"}] * number)
    (session,) = await read(rig)
    wanted = {
        "entry_page": "/a",
        "exit_page": "/b",
        "pageviews": 2,
        "events": 3,
        "errors": 1,
        "outbound": 2,
        "session_start": "2026-11-24 11:00:00",
        "session_end": "2026-11-24 11:00:28",
        "session_duration": 28,
    }
    if rig.server.release != "2.2":
        wanted |= {"button_clicks": 3, "copies": 4, "form_submits": 5, "input_changes": 6}
    assert {key: session[key] for key in wanted} == wanted


async def test_text_that_looks_numeric_is_a_number_except_in_ids(rig: Rig) -> None:
    texts = (
        "country region city language device_type browser browser_version operating_system "
        "operating_system_version referrer channel hostname utm_source utm_medium utm_campaign "
        "utm_term utm_content ip"
    ).split()
    late = [name for name in ("tag", "timezone") if name in EXPECTED_KEYS[rig.server.release]]
    ids = dict.fromkeys(("session_id", "user_id", "identified_user_id"), "0012")
    columns: dict[str, Any] = {**dict.fromkeys((*texts, *late), "0012"), **ids}
    rig.store.add_session(rig.site, start=NOW, pages=("0012",), **columns)
    (session,) = await read(rig)
    for name in (*texts, *late, "entry_page", "exit_page"):
        assert session[name] == 12, name
    assert {name: session[name] for name in ids} == ids


async def test_identified_users_traits_and_replays(rig: Rig) -> None:
    rig.store.add_session(rig.site, end=NOW, session_id="a", identified_user_id="42")
    rig.store.add_session(rig.site, end=NOW - timedelta(seconds=1), session_id="b")
    other = rig.store.add_site("second")
    rig.store.set_traits(other, "42", {"of": "another site"})
    rig.store.add_replay(other, "a")
    assert [(row["has_replay"], row["traits"]) for row in await read(rig)] == [(0, None)] * 2
    rig.store.set_traits(rig.site, "42", {"plan": "old"})
    rig.store.set_traits(rig.site, "42", {"plan": "12", "name": "Ζωή", "seats": 3})
    rig.store.add_replay(rig.site, "a")
    rig.store.add_replay(rig.site, "a")
    first, second = await read(rig)
    assert first["identified_user_id"] == "42"
    assert first["traits"] == {"plan": "12", "name": "Ζωή", "seats": 3}
    assert first["has_replay"] == 1
    assert (second["identified_user_id"], second["traits"]) == ("", None)
    assert await ids(rig, identified_only="true") == ["a"]
    assert await ids(rig, identified_only="false") == ["a", "b"]


# Order and paging


@pytest.fixture
async def busy(serve: Serve) -> Rig:
    """200 sessions, of which 70 end in one second and 50 in another."""
    rig = await serve()
    rows = []
    for at in range(200):
        second = 100 if at < 70 else 300 if at < 120 else 1000 + at
        moment = NOW - timedelta(seconds=second)
        rows.append({"timestamp": moment, "session_id": f"s{at}", "user_id": f"u{at}"})
    rig.store.add_events(rig.site, rows)
    return rig


async def walk(rig: Rig, limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = 1
    while chunk := await read(rig, page=page, limit=limit):
        rows += chunk
        page += 1
    return rows


@pytest.mark.parametrize(("release", "limit"), [("2.2", 25), ("2.4", 25), ("2.8", 15)])
async def test_ties_are_shuffled_by_page_and_limit(busy: Rig, release: str, limit: int) -> None:
    busy.server.release = release
    rows = await walk(busy, limit)
    whole = await read(busy, limit=1000)
    assert len(rows) == len(whole) == 200
    assert len({row["session_id"] for row in whole}) == 200
    seen = Counter(row["session_id"] for row in rows)
    lost = {row["session_id"] for row in whole} - seen.keys()
    assert lost
    # Only rows with the same end are lost, and each place has the end that it must have.
    assert {int(name[1:]) for name in lost} <= set(range(120))
    assert [row["session_end"] for row in rows] == [row["session_end"] for row in whole]
    assert await read(busy, page=2, limit=limit) == await read(busy, page=2, limit=limit)


async def test_without_shuffling_a_walk_is_complete(busy: Rig) -> None:
    busy.server.shuffle_ties = False
    for limit in (25, 150):
        rows = await walk(busy, limit)
        assert len(rows) == len({row["session_id"] for row in rows}) == 200
        assert rows == await read(busy, limit=1000)


async def test_a_session_that_gains_an_event_moves_to_the_head(rig: Rig) -> None:
    for at in (3, 1, 2):
        rig.store.add_session(rig.site, end=NOW + timedelta(seconds=at), session_id=f"s{at}")
    assert await ids(rig) == ["s3", "s2", "s1"]
    rig.store.add_session(rig.site, end=NOW + timedelta(minutes=1), session_id="s1")
    assert await ids(rig) == ["s1", "s3", "s2"]


async def test_paging(rig: Rig) -> None:
    rows = [
        {"timestamp": NOW - timedelta(seconds=at), "session_id": f"s{at}", "user_id": "u"}
        for at in range(120)
    ]
    rig.store.add_events(rig.site, rows)

    async def ranks(query: str) -> list[int]:
        reply = await rig.get(rig.all_sessions(), query)
        assert reply.status == 200, reply.body
        return [int(row["session_id"][1:]) for row in reply.json["data"]]

    first = list(range(100))
    for query in ("", "page=", "page=0", "page=-1", "limit=", "page=&limit=", "page=1&limit=100"):
        assert await ranks(query) == first, query
    assert await ranks("page=2") == list(range(100, 120))
    assert await ranks("page=3") == []
    assert await ranks("limit=0") == []
    assert await ranks("limit=100000") == list(range(120))
    assert await ranks("page=1.5&limit=10") == list(range(5, 15))
    assert await ranks("limit=-1") == [119]
    rig.server.cap_page_size = 50
    assert await ranks("page=2&limit=1000") == list(range(50, 100))


async def test_an_invalid_page_or_limit_is_500(rig: Rig) -> None:
    for query in ("page=abc", "limit=abc", "limit=1.5", "page=1&page=2"):
        reply = await rig.get(rig.all_sessions(), query)
        failed = {"error": "Failed to fetch sessions"}
        assert (reply.status, reply.json) == (500, failed), query


# Parameters


async def test_user_id_and_session_id(rig: Rig) -> None:
    for name in ("a", "b"):
        rig.store.add_session(rig.site, end=NOW, session_id=name, user_id=f"user {name}")
    assert await ids(rig, user_id="user a") == ["a"]
    assert await ids(rig, user_id="unknown") == []
    # session_id is ignored on 2.2.
    expected = {"a", "b"} if rig.server.release == "2.2" else {"b"}
    assert set(await ids(rig, session_id="b")) == expected


async def test_minimums(rig: Rig) -> None:
    for at, pages in enumerate((1, 2, 3)):
        end = NOW - timedelta(seconds=at)
        events = ["x"] * at
        rig.store.add_session(
            rig.site, end=end, session_id=f"s{at}", pages=("/",) * pages, events=events
        )
    everything = ["s0", "s1", "s2"]
    old = rig.server.release == "2.2"
    for query, expected in (
        ({"min_pageviews": 2}, ["s1", "s2"]),
        ({"min_events": 1}, ["s1", "s2"]),
        ({"min_duration": 40}, ["s2"]),
        ({"min_duration": 41}, []),
        ({"min_pageviews": 2, "min_events": 2}, ["s2"]),
        ({"min_events": ""}, everything),
    ):
        assert await ids(rig, **query) == (everything if old else expected), query
    reply = await rig.get(rig.all_sessions(), {"min_events": "x"})
    assert reply.status == (200 if old else 500)
    assert old or reply.json == {"error": "Failed to fetch sessions"}


async def test_a_window_cuts_sessions(rig: Rig) -> None:
    start = NOW - timedelta(days=1, hours=12, seconds=10)  # 23:59:50
    rig.store.add_session(rig.site, start=start, pages=("/before", "/first", "/last"))
    rig.store.add_session(rig.site, start=NOW - timedelta(days=9))
    day = {"start_date": "2026-11-23", "end_date": "2026-11-23", "time_zone": "UTC"}
    (session,) = await read(rig, **day)
    assert session["session_start"] == "2026-11-23 00:00:00"
    assert (session["entry_page"], session["pageviews"]) == ("/first", 2)


DATE_FORMAT = "Invalid start_date format. Use YYYY-MM-DD; Invalid start_date value"
DATETIME_FORMAT = "Invalid {0} format. Use YYYY-MM-DD HH:mm:ss; Invalid {0} value; "
MINUTES_ORDER = (
    "past_minutes_start must be greater than past_minutes_end (start = older, end = newer)"
)
INVALID_WINDOWS: list[tuple[dict[str, object], str]] = [
    ({"start_date": "2026-11-19"}, "start_date and end_date must be provided together"),
    ({"start_date": "x", "end_date": "2026-11-20"}, DATE_FORMAT),
    ({"start_date": "2026-11-32", "end_date": "2026-11-24"}, "Invalid start_date value"),
    (
        {"start_date": "2026-11-16", "end_date": "2026-11-22", "time_zone": "Mars/Base"},
        "Invalid time_zone",
    ),
    (
        {"past_minutes_start": 3000},
        "past_minutes_start and past_minutes_end must be provided together",
    ),
    ({"past_minutes_start": 60, "past_minutes_end": 60}, MINUTES_ORDER),
    (
        {"past_minutes_start": "a", "past_minutes_end": 0},
        f"past_minutes values must be non-negative numbers; {MINUTES_ORDER}",
    ),
    (
        {"start_datetime": "x", "end_datetime": "y"},
        DATETIME_FORMAT.format("start_datetime")
        + DATETIME_FORMAT.format("end_datetime")
        + "start_datetime must be before end_datetime",
    ),
]


async def test_an_invalid_window_is_all_of_time_or_400(rig: Rig) -> None:
    rig.store.add_session(rig.site, start=NOW - timedelta(days=300))
    for query, message in INVALID_WINDOWS:
        for path in (rig.all_sessions(), rig.users()):
            reply = await rig.get(path, query)
            if rig.server.release == "2.8":
                assert (reply.status, reply.json) == (400, {"error": message})
            else:
                assert (reply.status, len(reply.json["data"])) == (200, 1), query


async def test_a_zone_in_the_wrong_case_is_500(rig: Rig) -> None:
    query = {"start_date": "2026-11-20", "end_date": "2026-11-20", "time_zone": "utc"}
    for name, path in (("sessions", rig.all_sessions()), ("users", rig.users())):
        reply = await rig.get(path, query)
        assert (reply.status, reply.json) == (500, {"error": f"Failed to fetch {name}"})


# Filters


@pytest.fixture
def visited(rig: Rig) -> Rig:
    """A session whose browser and hostname change, and one that stays as it is."""
    for at, (browser, host) in enumerate((("Chrome", "a.example"), ("Safari", "b.example"))):
        rig.store.add_session(
            rig.site,
            start=NOW + timedelta(seconds=at),
            session_id="changing",
            user_id="u",
            pages=(f"/page/{at}",),
            browser=browser,
            hostname=host,
        )
    rig.store.add_session(
        rig.site,
        end=NOW,
        session_id="plain",
        pages=("/plain",),
        events=("buy",),
        browser="Edge",
        seconds_between=0,
    )
    return rig


async def test_filters_choose_whole_sessions(visited: Rig) -> None:
    for parameter, value, expected in (
        # A filter tests the columns of the row, so the browser of the first event does not count.
        ("browser", "Chrome", []),
        ("browser", "Safari", ["changing"]),
        ("hostname", "a.example", ["changing"]),
        ("hostname", "b.example", []),
        ("event_name", "buy", ["plain"]),
        ("entry_page", "/page/0", ["changing"]),
        ("exit_page", "/page/1", ["changing"]),
        ("exit_page", "/page/0", []),
        ("user_id", "u", ["changing"]),
    ):
        rows = await read(visited, filters=one(parameter, "equals", value))
        assert [row["session_id"] for row in rows] == expected, (parameter, value)
        for row in rows:
            assert row["pageviews"] == (2 if row["session_id"] == "changing" else 1)


async def test_several_filters_must_all_pass(visited: Rig) -> None:
    safari = {"parameter": "browser", "type": "equals", "value": ["Safari"]}
    plain = {"parameter": "entry_page", "type": "equals", "value": ["/plain"]}
    assert await ids(visited, filters=json.dumps([safari])) == ["changing"]
    assert await ids(visited, filters=json.dumps([safari, plain])) == []
    assert await ids(visited, filters="[]") == ["changing", "plain"]


async def test_a_filter_on_pathname_is_500_on_2_2(visited: Rig) -> None:
    query = {"filters": one("pathname", "equals", "/page/0")}
    reply = await visited.get(visited.all_sessions(), query)
    if visited.server.release == "2.2":
        assert (reply.status, reply.json) == (500, {"error": "Failed to fetch sessions"})
    else:
        (session,) = reply.json["data"]
        assert (session["session_id"], session["pageviews"]) == ("changing", 2)


async def test_a_filter_on_the_attributed_channel(rig: Rig) -> None:
    for at, channel in enumerate(("Direct", "Email")):
        moment = NOW + timedelta(seconds=at)
        row = {"timestamp": moment, "session_id": "s", "user_id": "u", "channel": channel}
        rig.store.add_events(rig.site, [row])
    expected = "Email" if rig.server.release == "2.8" else "Direct"
    for channel in ("Direct", "Email"):
        found = await ids(rig, filters=one("channel", "equals", channel))
        assert found == (["s"] if channel == expected else []), channel


async def test_invalid_filters_are_500(rig: Rig) -> None:
    rig.store.add_session(rig.site, start=NOW)
    new = rig.server.release == "2.8"
    for filters, kind in (
        ("x", "not JSON"),
        (one("bogus", "equals", "x"), "invalid"),
        (one("browser", "bogus", "x"), "invalid"),
        ("{}", "invalid"),
        (one("browser", "regex", "("), "unusable"),
        (one("lat", "greater_than", "x"), "unusable"),
    ):
        for name, path in (("sessions", rig.all_sessions()), ("users", rig.users())):
            reply = await rig.get(path, {"filters": filters})
            assert reply.status == 500, filters
            if kind == "unusable" or (new and kind == "not JSON"):
                assert reply.json == {"error": f"Failed to fetch {name}"}, filters
                continue
            assert reply.json["statusCode"] == 500
            assert reply.json["error"] == "Internal Server Error"
            crashed = reply.json["message"].startswith("Cannot set property errors of")
            assert crashed == new, filters
            assert (reply.json["message"] == "Invalid JSON format") == (kind == "not JSON")


# Routes and access


@pytest.mark.parametrize("release", ["2.2", "2.4", "2.8"])
@pytest.mark.parametrize("name", ["sessions", "users"])
async def test_each_layout_has_its_own_route(serve: Serve, release: str, name: str) -> None:
    rig = await serve(release)
    documented = await rig.get(f"/api/{name}/{rig.site.site_id}")
    newer = await rig.get(f"/api/sites/{rig.site.site_id}/{name}")
    assert (documented.status, newer.status) == ((200, 404) if release == "2.2" else (404, 200))
    path = rig.all_sessions if name == "sessions" else rig.users
    assert (await rig.get(path(rig.site.string_id))).status == 200
    assert (await rig.get(path("ffffffffffff"))).status == 404
    assert (await rig.get(path(999))).status == (401 if release == "2.2" else 403)
    rig.key = None
    assert (await rig.get(path())).status == (401 if release == "2.2" else 403)
    assert (await rig.send("POST", path(), json={})).status in {401, 404}


async def test_pages_are_kept_until_events_are_written(serve: Serve) -> None:
    rig = await serve(cache_pages=100_000)
    for at in range(3):
        bodies = {(await rig.get(rig.all_sessions())).body for _ in range(2)}
        (body,) = bodies
        assert body.count(b"session_id") == at
        rig.store.add_session(rig.site, start=NOW)
