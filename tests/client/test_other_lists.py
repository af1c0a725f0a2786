"""``client.iter``: lists without a method, over a server that shuffles rows that tie."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any

import attrs
import pytest

from rybbit_async import (
    APIResponseError,
    ByKey,
    ByRank,
    ByTime,
    EndpointNotFoundError,
    Envelope,
    InvalidParameterError,
    Paginator,
    RybbitClient,
    RybbitWarning,
)
from rybbit_async.testing import RybbitServer, faults
from rybbit_async.testing.wire import Response

from .conftest import Connect, Serve

DAY = datetime(2026, 3, 1, tzinfo=UTC)
MARCH: dict[str, Any] = {"start_date": "2026-03-01", "end_date": "2026-03-30"}
Row = dict[str, Any]


@attrs.frozen
class Lists(faults.Fault):
    """Rows, sorted by ``key`` alone, in the pages that are asked for, and in their envelope."""

    rows: list[Row]
    key: Callable[[Row], Any]
    wrap: Callable[[list[Row], int], Any]
    size: str = "limit"

    async def __call__(self, exchange: Any, proceed: Any) -> Response:
        request = exchange._request
        query, size = request.query, int(request.query[self.size])
        first = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * size

        def place(row: Row) -> Any:
            return self.key(row), hash((str(row), first, size))

        page = sorted(self.rows, key=place)[first : first + size]
        body = json.dumps(self.wrap(page, len(self.rows))).encode()
        return Response(200, body, {"Content-Type": "application/json"})


@attrs.frozen
class ErrorName:
    """A row of a list of errors."""

    value: str
    count: int


@dataclasses.dataclass
class Trait:
    """A row of a list of traits."""

    value: str
    userCount: int  # noqa: N815  # its name on the wire


@attrs.define
class Visit:
    """A session of a funnel."""

    session_id: str
    session_end: datetime
    extra: dict[str, Any] = attrs.field(factory=dict)


def only_data(rows: list[Row], total: int) -> Row:
    return {"data": rows}


def nested(rows: list[Row], total: int) -> Row:
    return {"data": {"data": rows, "totalCount": total}}


def values(rows: list[Row], total: int) -> Row:
    return {"values": rows, "total": total, "hasMore": True}


ERRORS = [{"value": f"e{at:03}", "count": at % 3, "sessionCount": 1} for at in range(150)]
NESTED = Envelope("data.data", "data.totalCount")


def by_count(row: Row) -> int:
    return -int(row["count"])


async def start(serve: Serve, connect: Connect, fault: Lists) -> tuple[RybbitServer, RybbitClient]:
    server = await serve()
    server.inject(fault, times=None)
    return server, connect(server)


@pytest.mark.parametrize("wrap", [nested, only_data])
async def test_a_list_by_a_count(serve: Serve, connect: Connect, wrap: Any) -> None:
    server, client = await start(serve, connect, Lists(ERRORS, by_count, wrap))
    walk = client.iter(
        "/api/sites/{site}/errors/names",
        path_params={"site": 1},
        params={"search": "x", "deep": True, "left_out": None},
        model=ErrorName,
        order=ByRank(attrgetter("value")),
        envelope=NESTED if wrap is nested else Envelope(),
        page_size=20,
        **MARCH,
    )
    rows = await walk.collect()
    assert sorted(row.value for row in rows) == sorted(row["value"] for row in ERRORS)
    assert [row.count for row in rows] == sorted((row.count for row in rows), reverse=True)
    assert isinstance(rows[0], ErrorName)
    assert walk.report.complete
    # Without a total, a further request shows that the server has no smaller pages.
    sizes = ["20", "175"] if wrap is nested else ["20", "10000", "10000"]
    assert [r.query["limit"] for r in server.requests] == sizes
    query = dict(server.requests[0].query)
    assert query == {
        "page": "1", "limit": "20", "search": "x", "deep": "true", "time_zone": "UTC", **MARCH,
    }  # fmt: skip
    assert repr(walk) == "<Paginator: rows of /api/sites/1/errors/names>"


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_list_by_offsets(serve: Serve, connect: Connect, ordered: bool) -> None:
    rows = [{"value": f"v{at:03}", "userCount": 1} for at in range(150)]
    server, client = await start(serve, connect, Lists(rows, itemgetter("value"), values))
    walk = client.iter(
        "/api/sites/1/user-traits/values",
        params={"key": "plan"},
        model=Trait,
        order=ByKey(lambda row: row.value, rising=True, stable=True),
        envelope=Envelope("values", "total"),
        offset_parameter="offset",
        page_size=20,
        ordered=ordered,
    )
    assert sorted(row.value for row in await walk.collect()) == [row["value"] for row in rows]
    asked = sorted((int(r.query["offset"]), r.query["limit"]) for r in server.requests)
    assert asked == [(at, "20") for at in range(0, 160, 20)]
    assert {*server.requests[0].query} == {"offset", "limit", "key"}
    if ordered:
        positions = [page.position async for page in walk.pages()]
        rest = [row.value async for page in walk.pages(start=positions[3]) for row in page]
        assert rest == [f"v{at:03}" for at in range(80, 150)]


@pytest.mark.parametrize("model", [dict, Visit])
async def test_a_list_that_is_read_with_post(serve: Serve, connect: Connect, model: Any) -> None:
    """The sessions of a funnel, many of which end in the same second."""
    rows = [
        {"session_id": f"s{at:03}", "session_end": f"{DAY + timedelta(seconds=at % 9):%F %T}"}
        for at in range(150)
    ]
    fault = Lists(
        rows, lambda row: -datetime.fromisoformat(row["session_end"]).timestamp(), only_data
    )
    server, client = await start(serve, connect, fault)
    order: ByTime[Any] = ByTime(attrgetter("session_end"), attrgetter("session_id"))
    if model is dict:
        order = ByTime(
            lambda row: datetime.fromisoformat(f"{row['session_end']}Z"), itemgetter("session_id")
        )
    body = {"steps": [{"type": "page", "value": "/"}]}

    def walk(**more: Any) -> Paginator[Any]:
        return client.iter(
            "/api/sites/1/funnels/2/sessions",
            params={"mode": "reached"},
            json=body,
            model=model,
            order=order,
            page_size=20,
            **MARCH,
            **more,
        )

    server.inject(faults.Status(503), times=1)  # such a POST only reads, so it is repeated
    whole = walk()
    found = await whole.collect()
    assert {type(row) for row in found} == {model}
    names = [row["session_id"] if model is dict else row.session_id for row in found]
    assert sorted(names) == [row["session_id"] for row in rows]
    assert whole.report.complete
    assert {(r.method, r.query["mode"]) for r in server.requests} == {("POST", "reached")}
    assert {r.body for r in server.requests} == {json.dumps(body).encode()}
    assert len(await walk(ordered=False, limit=33).collect()) == 33
    pages = [page async for page in walk().pages()]
    resumed = walk().pages(start=pages[2].position)
    assert sum([len(page) async for page in resumed]) == 150 - sum(map(len, pages[:3]))
    other = client.iter("/api/sites/1/funnels/2/sessions", json={}, order=order, **MARCH)
    with pytest.raises(InvalidParameterError, match="another query"):
        other.pages(start=pages[0].position)


async def test_minutes_are_resolved_by_the_server(serve: Serve, connect: Connect) -> None:
    """It is not known whether such a list takes exact times, so it is not asked for them."""
    rows = [{"id": at, "at": "2026-03-31T11:59:00Z"} for at in range(30)]
    server, client = await start(serve, connect, Lists(rows, itemgetter("at"), only_data))
    walk = client.iter(
        "/api/sites/1/session-replay/list",
        order=ByKey(itemgetter("id"), rising=False, stable=True),
        past_minutes_start=60,
        past_minutes_end=0,
    )
    assert len(await walk.collect()) == 30
    (request,) = server.requests
    assert (request.query["past_minutes_start"], request.query["past_minutes_end"]) == ("60", "0")
    assert walk.report.reason is not None
    assert "past_minutes" in walk.report.reason


async def test_a_list_that_the_server_does_not_have(serve: Serve, connect: Connect) -> None:
    client = connect(await serve())
    order = ByRank[Row](itemgetter("value"))
    with pytest.raises(EndpointNotFoundError) as caught:
        await client.iter("/api/sites/{site}/nothing", path_params={"site": 1}, order=order).first()
    assert caught.value.route == "/api/sites/{site}/nothing"


async def test_pages_that_are_not_what_was_said(serve: Serve, connect: Connect) -> None:
    _, client = await start(serve, connect, Lists(ERRORS, by_count, only_data))
    path, order = "/api/sites/1/errors/names", ByRank[Any](attrgetter("value"))
    with pytest.raises(APIResponseError, match=r"data\.data: expected dict|data: expected dict"):
        await client.iter(path, order=order, model=ErrorName, envelope=NESTED).first()
    with pytest.raises(APIResponseError, match=r"data\[0\].session_id: is missing"):
        await client.iter(path, order=order, model=Visit).first()
    wrong: list[tuple[Any, str]] = [
        (ByTime(itemgetter("value"), itemgetter("value")), r"order\.key of a row: .* got str"),
        (ByTime(lambda _: datetime(2026, 1, 1), itemgetter("value")), "an aware datetime"),  # noqa: DTZ001
        (ByRank(lambda row: row), r"order\.identity of a row: .* got dict"),
        (ByKey(lambda row: [1], rising=True, stable=True), r"order\.key of a row: .* got list"),
    ]
    for bad, message in wrong:
        with pytest.raises(InvalidParameterError, match=message):
            await client.iter(path, order=bad).first()


RANK = ByRank[Any](itemgetter("value"))


@pytest.mark.parametrize(
    ("passed", "message"),
    [
        ({"order": "count"}, "order: expected ByTime, ByKey or ByRank, got str"),
        ({"order": ByRank(RANK.identity, ByTime(RANK.identity, RANK.identity))}, "completed_by"),
        ({"envelope": "data"}, "envelope: expected Envelope, got str"),
        ({"size_parameter": ""}, "size_parameter: expected str"),
        ({"model": 5}, "model must be a type that JSON can be structured into"),
        ({"params": {"page": 2}}, "params must not contain 'page', which the walk sets"),
        ({"params": {"limit": 2}}, "params must not contain 'limit', which the walk sets"),
        ({"params": {"start_date": "2026-03-01"}}, "pass start_date=... to iter itself"),
        ({"params": {"api_key": "x"}}, "params must not contain api_key"),
        ({"path": "/api/sites/1/errors?x=1"}, "path must be a path such as"),
        ({"path_params": {"sit": 1}}, "path_params must contain only names"),
        ({"json": {1, 2}}, "json must be a value that JSON can represent"),
        ({"page_size": 0}, "page_size must be 1 or more, got 0"),
        ({"methd": "POST"}, r"unknown parameter 'methd'"),
    ],
)
async def test_what_cannot_be_walked(
    serve: Serve, connect: Connect, passed: dict[str, Any], message: str
) -> None:
    client = connect(await serve())
    with pytest.raises(InvalidParameterError, match=message):
        client.iter(**{"path": "/api/sites/1/errors/names", "order": RANK, **passed})


async def test_rows_that_tie_too_often(serve: Serve, connect: Connect) -> None:
    """Without a total, and with pages that are too small, it is said that rows may be missing."""
    _, client = await start(serve, connect, Lists(ERRORS, by_count, only_data))
    order = ByRank[Row](itemgetter("value"), largest_page=20)
    walk = client.iter("/api/sites/1/errors/names", order=order, page_size=10)
    with pytest.warns(RybbitWarning, match="so some may be missing"):
        rows = await walk.collect()
    assert len({row["value"] for row in rows}) == len(rows) > 120
