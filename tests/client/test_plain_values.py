"""What a program passes as a member of an enumeration, or as a number of numpy, is sent plainly."""

from __future__ import annotations

import json
from datetime import UTC, date, timedelta, timezone, tzinfo
from enum import Enum, IntEnum
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rybbit_async import (
    CopyGoal,
    EventGoal,
    Filter,
    InvalidParameterError,
    PasswordLogin,
    PathGoal,
    PropertyFilter,
    RateLimit,
    Retry,
    Timeout,
    to_json,
)
from rybbit_async.testing import Store

from ..stand_ins import Int64, NumpyBool, NumpyFloat
from .conftest import Connect, Serve
from .helpers import World, body_of


def member(value: str) -> Any:
    """A member of a ``class X(str, Enum)``, whose ``str()`` is its name."""
    found = Enum("X", {"NAME": value}, type=str)["NAME"]
    assert f"{found}" == str(found) == "X.NAME"
    return found


class Number(IntEnum):
    FIVE = 5


async def test_members_of_enumerations_in_requests(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(
        server,
        member(server.api_key),
        base_url=member(server.url),
        headers={member("X-Mine"): member("mine")},
        routes=member("sites"),
    )
    goals = client.goals
    filters = [
        Filter(member("country"), member("equals"), [member("US")]),
        Filter.contains("referrer", member("50%")),
        Filter.regex("pathname", member("^/a"), member("^/b")),
    ]
    await goals.list(
        member("1"),
        sort=member("name"),
        order=member("asc"),
        start_date=member("2026-03-01"),
        end_date=member("2026-03-31"),
        time_zone=member("Europe/Berlin"),
        segment_id=member("seven"),
        filters=filters,
    )
    await client.request(
        member("get"),
        member("/api/sites/{site}/goals"),
        path_params={member("site"): member("1")},
        params={member("page_size"): Number.FIVE, "sort": member("name")},
    )
    first, second = server.requests
    assert first.headers["Authorization"] == f"Bearer {server.api_key}"
    assert first.headers["X-Mine"] == "mine"
    assert first.path == second.path == "/api/sites/1/goals"
    query = dict(first.query)
    assert [one["value"] for one in json.loads(query.pop("filters"))] == [
        ["US"], ["50%"], ["(?:^/a)|(?:^/b)"],
    ]  # fmt: skip
    assert query == {
        "page": "1", "page_size": "10", "sort": "name", "order": "asc",
        "start_date": "2026-03-01", "end_date": "2026-03-31", "time_zone": "Europe/Berlin",
        "segment_id": "seven",
    }  # fmt: skip
    assert dict(second.query) == {"page_size": "5", "sort": "name"}


async def test_members_of_enumerations_in_a_login(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    login = PasswordLogin(member(server.email), member(server.password))
    assert login == PasswordLogin(server.email, server.password)
    assert "X.NAME" not in repr(login)
    await connect(server, auth=login).goals.list(1)
    assert body_of(server.requests[0]) == {"email": server.email, "password": server.password}


async def test_values_in_bodies(serve: Serve, connect: Connect, store: Store) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    config = EventGoal(
        member("signup"),
        member("seats"),
        Int64(3),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        property_filters=[
            PropertyFilter(member("seats"), Number.FIVE),
            PropertyFilter("seats", 3),
            PropertyFilter("paid", NumpyBool(True)),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            PropertyFilter("rate", NumpyFloat(0.5)),
        ],
    )
    assert [type(one.value) for one in config.property_filters or ()] == [int, int, bool, float]
    made = await client.goals.create(1, config, name=member("Seats"))
    assert body_of(server.requests[-1]) == {
        "goalType": "event",
        "name": "Seats",
        "config": {
            "eventName": "signup", "eventPropertyKey": "seats", "eventPropertyValue": 3,
            "propertyFilters": [
                {"key": "seats", "value": 5}, {"key": "seats", "value": 3},
                {"key": "paid", "value": True}, {"key": "rate", "value": 0.5},
            ],
        },
    }  # fmt: skip
    await client.goals.update(1, made.goal_id, name=member("Two"), config=PathGoal(member("/a")))
    assert body_of(server.requests[-1])["config"] == {"pathPattern": "/a"}
    assert repr(CopyGoal(member("a*"))) == repr(CopyGoal("a*"))
    body = {
        "goalType": member("path"),
        member("name"): member("c"),
        "config": {
            "pathPattern": "/",
            "a": [Int64(7), NumpyBool(False), NumpyFloat(0.5), Number.FIVE],
        },
    }
    await client.request("POST", "/api/sites/1/goals", json=body)
    assert body_of(server.requests[-1]) == {
        "goalType": "path", "name": "c", "config": {"pathPattern": "/", "a": [7, False, 0.5, 5]},
    }  # fmt: skip


async def test_integers_of_other_classes(serve: Serve, connect: Connect, world: World) -> None:
    server = await serve("2.8")
    n: Any = Int64
    client = connect(
        server,
        timeout=Timeout(connect=n(5), total=NumpyFloat(30)),
        retry=Retry(attempts=n(3), timeout=n(9), wait_initial=NumpyFloat(0.1)),
        rate_limit=RateLimit(n(500), per=n(600)),
        concurrency=n(4),
        max_connections=n(9),
        max_depth=n(9),
        settled_after=n(300),
    )
    goal = world.goal("Pricing seen")
    page = await client.goals.list(
        n(1), page=n(1), page_size=n(5), past_minutes_start=n(60), past_minutes_end=n(0),
        segment_id=n(7), filters=[Filter.greater_than("lat", n(3))],
    )  # fmt: skip
    assert len(page) == 5
    assert server.requests[-1].path == "/api/sites/1/goals"
    assert dict(server.requests[-1].query) == {
        "page": "1", "page_size": "5", "past_minutes_start": "60", "past_minutes_end": "0",
        "segment_id": "7", "filters": '[{"parameter":"lat","type":"greater_than","value":[3]}]',
    }  # fmt: skip
    assert (await client.goals.get(n(1), n(goal))).goal_id == goal
    assert len(await client.goals.sessions.list(1, n(goal), limit=n(2))) == 2
    for sites in (n(1), [n(1)], (site for site in [n(1)])):
        rows = await client.goals.sessions.iter_all(
            sites, goals=[n(goal)], page_size=n(5), limit=n(2), concurrency=n(2), max_pages=n(9),
            ordered=NumpyBool(True),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ).collect()  # fmt: skip
        assert [(type(row.site), row.site) for row in rows] == [(int, 1)] * 2
        assert '"site":1,' in to_json(rows)
    await client.request(
        "GET", "/api/sites/{site}/goals", path_params={"site": n(1)}, params={"page_size": n(5)}
    )
    assert server.requests[-1].target == "/api/sites/1/goals?page_size=5"


@pytest.mark.parametrize("value", [NumpyBool(True), NumpyFloat(1.0)], ids=repr)
async def test_what_is_no_integer(serve: Serve, connect: Connect, value: Any) -> None:
    server = await serve("2.8")
    client = connect(server)
    for call in (
        lambda: client.goals.list(value),
        lambda: client.goals.get(1, value),
        lambda: client.goals.list(1, page=value),
        lambda: client.goals.list(1, segment_id=value),
        lambda: client.request("GET", "/api/{site}", path_params={"site": value}),
    ):
        with pytest.raises(InvalidParameterError):
            await call()
    with pytest.raises(InvalidParameterError):
        Timeout(total=NumpyBool(True))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert not server.requests


class PytzZone(tzinfo):
    """A time zone of pytz has its name in ``zone``."""

    zone = "Europe/Berlin"


class UnnamedUTC(tzinfo):
    """Like ``dateutil.tz.UTC``."""

    def utcoffset(self, dt: object) -> timedelta:
        return timedelta(0)


class OtherDate(date):
    """Like ``pendulum.Date``: a subclass, which might be written in another way."""

    def isoformat(self) -> str:
        return "1 March"


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        (ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
        (ZoneInfo("UTC"), "UTC"),
        (PytzZone(), "Europe/Berlin"),
        (UTC, "UTC"),
        (UnnamedUTC(), "UTC"),
    ],
    ids=["ZoneInfo", "ZoneInfo of UTC", "pytz", "UTC", "dateutil"],
)
async def test_time_zones_and_dates_of_other_classes(
    serve: Serve, connect: Connect, zone: tzinfo, name: str
) -> None:
    server = await serve("2.8")
    await connect(server).goals.list(
        1, start_date=OtherDate(2026, 3, 1), end_date=date(2026, 3, 31), time_zone=zone
    )
    query = server.requests[-1].query
    assert (query["start_date"], query["time_zone"]) == ("2026-03-01", name)


@pytest.mark.parametrize(
    "zone", [timezone(timedelta(hours=1)), tzinfo(), 5], ids=["offset", "tzinfo", "int"]
)
async def test_time_zones_without_a_name(serve: Serve, connect: Connect, zone: Any) -> None:
    server = await serve("2.8")
    with pytest.raises(
        InvalidParameterError, match=r"^time_zone: expected str \(an IANA .* ZoneInf"
    ):
        await connect(server).goals.list(1, time_zone=zone)
