"""The list of the users of a site."""

# ruff: noqa: SIM905 - a list of names reads best as words.

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from .conftest import NOW, Rig, Serve

KEYS = (
    "effective_user_id user_id identified_user_id country region city language browser "
    "browser_version operating_system operating_system_version device_type screen_width "
    "screen_height referrer channel hostname pageviews events sessions last_seen first_seen"
).split()


async def reply_of(rig: Rig, **query: object) -> dict[str, Any]:
    reply = await rig.get(rig.users(), query)
    assert reply.status == 200, reply.body
    body: dict[str, Any] = reply.json
    assert list(body) == ["data", "totalCount", "page", "pageSize"]
    return body


async def read(rig: Rig, **query: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await reply_of(rig, **query))["data"]
    return rows


async def ids(rig: Rig, **query: object) -> list[str]:
    return [row["effective_user_id"] for row in await read(rig, **query)]


def one(parameter: str, kind: str, *values: object) -> str:
    return json.dumps([{"parameter": parameter, "type": kind, "value": list(values)}])


# Rows


async def test_the_keys_of_each_release_and_the_envelope(rig: Rig) -> None:
    rig.store.add_session(rig.site, start=NOW)
    body = await reply_of(rig)
    assert (body["totalCount"], body["page"], body["pageSize"]) == (1, 1, 100)
    tag = [] if rig.server.release == "2.2" else ["tag"]
    assert list(body["data"][0]) == [*KEYS, *tag, "traits"]


async def test_a_site_without_users(rig: Rig) -> None:
    body = await reply_of(rig)
    assert body == {"data": [], "totalCount": 0, "page": 1, "pageSize": 100}


async def test_a_user_is_the_sum_of_its_events(rig: Rig) -> None:
    for at, pages in enumerate((("/", "/a"), ("/b",))):
        rig.store.add_session(
            rig.site,
            start=NOW - timedelta(hours=2 - at),
            user_id="u",
            pages=pages,
            events=("buy",),
        )
    row = {"timestamp": NOW, "session_id": "s", "user_id": "u", "type": "outbound"}
    rig.store.add_events(rig.site, [row])
    (user,) = await read(rig)
    wanted = {
        "effective_user_id": "u",
        "user_id": "u",
        "identified_user_id": "",
        "pageviews": 3,
        "events": 2,
        "sessions": 3,
        "last_seen": "2026-11-24 12:00:00",
        "first_seen": "2026-11-24 10:00:00",
        "traits": None,
    }
    assert {key: user[key] for key in wanted} == wanted


async def test_columns_come_from_the_first_or_the_last_event(rig: Rig) -> None:
    changing: dict[str, tuple[object, object]] = {
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
        "tag": ("a", "b"),
    }
    first: dict[str, tuple[object, object]] = {
        "referrer": ("https://a.example/", "https://b.example/"),
        "hostname": ("a.example", "b.example"),
        "channel": ("Email", "Referral"),
    }
    for at in (0, 1):
        columns = {name: values[at] for name, values in {**changing, **first}.items()}
        moment = NOW + timedelta(seconds=at)
        row = {"timestamp": moment, "session_id": f"s{at}", "user_id": "u", **columns}
        rig.store.add_events(rig.site, [row])
    (user,) = await read(rig)
    for name, (_, last) in changing.items():
        if name in user:
            assert user[name] == last, name
    assert (user["referrer"], user["hostname"]) == ("https://a.example/", "a.example")
    # 2.2 takes the channel from the last event.
    assert user["channel"] == ("Referral" if rig.server.release == "2.2" else "Email")


async def test_channel_and_referrer_on_2_8_are_the_first_attributed_ones(rig: Rig) -> None:
    visits = (("Direct", ""), ("Email", "https://mail.example/"), ("Direct", ""))
    for at, (channel, referrer) in enumerate(visits):
        moment = NOW + timedelta(seconds=at)
        row = {"timestamp": moment, "session_id": f"s{at}", "user_id": "u"}
        rig.store.add_events(rig.site, [{**row, "channel": channel, "referrer": referrer}])
    (user,) = await read(rig)
    expected = visits[1] if rig.server.release == "2.8" else visits[0]
    assert (user["channel"], user["referrer"]) == expected


async def test_identified_users(rig: Rig) -> None:
    for user, member in (("a1", "42"), ("a2", "42"), ("a3", "")):
        rig.store.add_session(rig.site, end=NOW, user_id=user, identified_user_id=member)
    rig.store.set_traits(rig.site, "42", {"name": "Ζωή", "plan": "12"})
    body = await reply_of(rig)
    assert body["totalCount"] == 2
    rows = {row["effective_user_id"]: row for row in body["data"]}
    assert rows.keys() == {"42", "a3"}
    assert (rows["42"]["user_id"], rows["42"]["sessions"]) == ("a2", 2)
    assert rows["42"]["traits"] == {"name": "Ζωή", "plan": "12"}
    assert rows["a3"]["traits"] is None
    only = await reply_of(rig, identified_only="true")
    assert (only["totalCount"], [row["effective_user_id"] for row in only["data"]]) == (1, ["42"])


async def test_text_that_looks_numeric_is_a_number_except_in_ids(rig: Rig) -> None:
    texts = (
        "country region city language device_type browser browser_version operating_system "
        "operating_system_version referrer channel hostname"
    ).split()
    ids = dict.fromkeys(("user_id", "identified_user_id"), "0012")
    columns: dict[str, Any] = {**dict.fromkeys((*texts, "tag"), "0012"), **ids}
    rig.store.add_session(rig.site, start=NOW, **columns)
    (user,) = await read(rig)
    for name in (*texts, "tag"):
        assert user.get(name, 12) == 12, name
    for name in (*ids, "effective_user_id"):
        assert user[name] == "0012", name


# Order and paging


@pytest.fixture
def several(rig: Rig) -> Rig:
    """Three users whose orders by each column differ."""
    for at, (name, pages, events, sessions) in enumerate(
        (("a", 1, 2, 3), ("b", 3, 1, 2), ("c", 2, 3, 1))
    ):
        for session in range(sessions):
            rig.store.add_session(
                rig.site,
                # c is the first to come and to go.
                start=NOW - timedelta(hours=at, minutes=session),
                session_id=f"{name}{session}",
                user_id=name,
                pages=("/",) * (10 * pages if session == 0 else 1),
                events=("x",) * (10 * events if session == 0 else 1),
                seconds_between=0,
            )
    return rig


async def test_orders(several: Rig) -> None:
    for sort_by, falling in (
        ("last_seen", "abc"),
        ("first_seen", "abc"),
        ("pageviews", "bca"),
        ("sessions", "abc"),
        ("events", "cab"),
        ("bogus", "abc"),
        ("", "abc"),
    ):
        for order in ("desc", "bogus", ""):
            found = await ids(several, sort_by=sort_by, sort_order=order)
            assert "".join(found) == falling, (sort_by, order)
        rising = await ids(several, sort_by=sort_by, sort_order="asc")
        assert "".join(rising) == falling[::-1], sort_by
        assert "".join(await ids(several, sort_by=sort_by)) == falling, sort_by


async def test_last_seen_falling_is_the_default(several: Rig) -> None:
    assert await ids(several) == ["a", "b", "c"]
    several.store.add_session(several.site, end=NOW + timedelta(hours=1), user_id="c")
    assert await ids(several) == ["c", "a", "b"]


@pytest.fixture
async def busy(serve: Serve) -> Rig:
    """150 users, of whom 100 were last seen in one second; each has one page view."""
    rig = await serve()
    rows = []
    for at in range(150):
        moment = NOW - timedelta(seconds=50 if at < 100 else at)
        rows.append({"timestamp": moment, "session_id": f"s{at}", "user_id": f"u{at}"})
    rig.store.add_events(rig.site, rows)
    return rig


async def walk(rig: Rig, size: int, **query: object) -> list[str]:
    found: list[str] = []
    page = 1
    while chunk := await ids(rig, page=page, page_size=size, **query):
        found += chunk
        page += 1
    return found


@pytest.mark.parametrize(
    ("release", "query"),
    [
        ("2.2", {"sort_by": "pageviews"}),
        ("2.4", {}),
        ("2.8", {}),
        ("2.8", {"sort_by": "sessions", "sort_order": "asc"}),
    ],
)
async def test_ties_are_shuffled_by_page_and_size(
    busy: Rig, release: str, query: dict[str, object]
) -> None:
    busy.server.release = release
    found = await walk(busy, 25, **query)
    whole = await ids(busy, page_size=1000, **query)
    assert len(found) == 150
    assert len(set(whole)) == 150
    lost = set(whole) - set(found)
    assert lost
    assert Counter(found).most_common(1)[0][1] > 1
    if not query:
        # Only users who were last seen in the busy second are lost.
        assert {int(name[1:]) for name in lost} <= set(range(100))
    again = await ids(busy, page=2, page_size=25, **query)
    assert again == found[25:50]
    busy.server.shuffle_ties = False
    found = await walk(busy, 25, **query)
    assert len(found) == len(set(found)) == 150
    assert found == await ids(busy, page_size=1000, **query)


async def test_paging(rig: Rig) -> None:
    rows = [
        {"timestamp": NOW - timedelta(seconds=at), "session_id": "s", "user_id": f"u{at}"}
        for at in range(120)
    ]
    rig.store.add_events(rig.site, rows)

    async def page_of(query: str) -> tuple[list[int], int, int]:
        reply = await rig.get(rig.users(), query)
        assert reply.status == 200, reply.body
        body = reply.json
        assert body["totalCount"] == 120
        ranks = [int(row["user_id"][1:]) for row in body["data"]]
        return ranks, body["page"], body["pageSize"]

    first = list(range(100))
    assert await page_of("") == (first, 1, 100)
    assert await page_of("page=0") == (first, 0, 100)
    assert await page_of("page=-1") == (first, -1, 100)
    assert await page_of("page=2") == (list(range(100, 120)), 2, 100)
    assert await page_of("page=9999&page_size=50") == ([], 9999, 50)
    assert await page_of("page_size=0") == ([], 1, 0)
    assert await page_of("page_size=1.5") == ([0], 1, 1)
    assert await page_of("page_size=3x") == ([0, 1, 2], 1, 3)
    assert await page_of("page_size=-1") == ([119], 1, -1)
    assert await page_of("page_size=100000") == (list(range(120)), 1, 100_000)
    rig.server.cap_page_size = 50
    assert await page_of("page=2&page_size=1000") == (list(range(50, 100)), 2, 50)


async def test_an_invalid_page_or_size_is_500(rig: Rig) -> None:
    for query in ("page=abc", "page=", "page_size=abc", "page_size="):
        reply = await rig.get(rig.users(), query)
        assert (reply.status, reply.json) == (500, {"error": "Failed to fetch users"}), query


# Parameters


async def test_a_window_cuts_users(rig: Rig) -> None:
    start = NOW - timedelta(days=1, hours=12, seconds=10)  # 23:59:50
    rig.store.add_session(rig.site, start=start, user_id="u", pages=("/", "/", "/"))
    rig.store.add_session(rig.site, start=NOW, user_id="other")
    day = {"start_date": "2026-11-23", "end_date": "2026-11-23", "time_zone": "UTC"}
    body = await reply_of(rig, **day)
    assert body["totalCount"] == 1
    (user,) = body["data"]
    assert (user["first_seen"], user["pageviews"]) == ("2026-11-23 00:00:00", 2)


async def test_search(rig: Rig) -> None:
    rig.store.add_session(rig.site, end=NOW, user_id="anonymous")
    rig.store.add_session(rig.site, end=NOW, user_id="a1", identified_user_id="member-1")
    rig.store.add_session(rig.site, end=NOW, user_id="a2", identified_user_id="member-2")
    rig.store.set_traits(rig.site, "member-2", {"email": "zoe@example.com"})
    everybody = {"anonymous", "member-1", "member-2"}
    for search, expected in (
        ("zzz", set[str]()),
        # Part of a user_id that is not identified finds nothing.
        ("anonym", set[str]()),
        ("EMBER-1", {"member-1"}),
        ("zoe@", {"member-2"}),
        ("", everybody),
    ):
        body = await reply_of(rig, search=search)
        # 2.2 ignores the parameter.
        wanted = everybody if rig.server.release == "2.2" else expected
        assert {row["effective_user_id"] for row in body["data"]} == wanted, search
        assert body["totalCount"] == len(wanted)


@pytest.fixture
def moved(rig: Rig) -> Rig:
    """One user who moved from Germany to Britain, and one who stayed in Germany."""
    for at, country in enumerate(("DE", "DE", "GB")):
        start = NOW + timedelta(minutes=at)
        rig.store.add_session(rig.site, start=start, user_id="moved", country=country)
    rig.store.add_session(rig.site, start=NOW, user_id="stayed", country="DE", channel="Email")
    return rig


async def test_filters_test_columns_of_users_before_2_8_and_events_on_2_8(moved: Rig) -> None:
    body = await reply_of(moved, filters=one("country", "equals", "DE"))
    pageviews = {row["effective_user_id"]: row["pageviews"] for row in body["data"]}
    # The total counts users with an event that passes, on every release.
    assert body["totalCount"] == 2
    if moved.server.release == "2.8":
        assert pageviews == {"moved": 2, "stayed": 1}
    else:
        assert pageviews == {"stayed": 1}
    body = await reply_of(moved, filters=one("country", "equals", "GB"))
    pageviews = {row["effective_user_id"]: row["pageviews"] for row in body["data"]}
    assert body["totalCount"] == 1
    assert pageviews == {"moved": 1 if moved.server.release == "2.8" else 3}


async def test_filters_that_fail_before_2_8(moved: Rig) -> None:
    for parameter, total in (("event_name", 0), ("pathname", 2), ("entry_page", 2)):
        reply = await moved.get(moved.users(), {"filters": one(parameter, "equals", "/")})
        if moved.server.release == "2.8":
            assert (reply.status, reply.json["totalCount"]) == (200, total), parameter
        else:
            failed = {"error": "Failed to fetch users"}
            assert (reply.status, reply.json) == (500, failed), parameter


async def test_filters_on_other_columns(moved: Rig) -> None:
    assert await ids(moved, filters=one("channel", "equals", "Email")) == ["stayed"]
    assert await ids(moved, filters=one("user_id", "equals", "moved")) == ["moved"]
    assert await ids(moved, filters="[]") == ["moved", "stayed"]


# The traffic


async def test_generated_traffic_has_identified_users(serve: Serve) -> None:
    from rybbit_async.testing import generate

    rig = await serve()
    traffic = generate(rig.store, sessions=2_000, end=NOW)
    path = rig.users(traffic.site.site_id)
    reply = await rig.get(path, {"identified_only": "true", "page_size": 1000})
    users = reply.json["data"]
    assert len(users) == reply.json["totalCount"] > 5
    for user in users:
        name = user["identified_user_id"]
        assert user["effective_user_id"] == user["user_id"] == name
        assert user["traits"] == {"username": name, "email": f"{name}@example.com"}
    assert (await rig.get(path)).json["totalCount"] > len(users)
