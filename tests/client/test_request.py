"""``client.request()``: any other endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import frozen

from rybbit_async import (
    APIResponseError,
    BadRequestError,
    InvalidParameterError,
    RawResponse,
)
from rybbit_async.testing import Store, faults

from .conftest import Connect, Serve
from .helpers import (
    World,
    writes,
)


@frozen
class Point:
    time: str
    goal_id: int
    conversions: int
    total_sessions: int
    conversion_rate: float


@frozen
class Series:
    data: list[Point]


async def test_request(serve: Serve, connect: Connect, world: World) -> None:
    server = await serve("2.8")
    client = connect(server)
    params = {
        "goal_ids": str(world.goal("Pricing seen")),
        "bucket": "day",
        "start_date": "2026-03-20",
        "end_date": "2026-03-25",
        "time_zone": "UTC",
        "absent": None,
        "flag": True,
        "number": 5,
    }
    path = "/api/sites/1/goals/time-series"
    plain = await client.request("get", path, params=params)
    series = await client.request("GET", path, params=params, cast_to=Series)
    whole = await client.request("GET", path, params=params, cast_to=RawResponse)
    assert 1 <= len(series.data) <= 6
    assert plain["data"][0]["time"] == series.data[0].time
    assert [point.conversions for point in series.data] == [
        row["conversions"] for row in plain["data"]
    ]
    assert isinstance(series.data[0].conversion_rate, float)
    assert (whole.status, json.loads(whole.body)) == (200, plain)
    assert whole.headers["content-type"] == "application/json; charset=utf-8"
    query = server.requests[-1].query
    assert "absent" not in query
    assert (query["flag"], query["number"]) == ("true", "5")


async def test_a_response_that_does_not_fit_the_class(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server)
    server.inject(faults.Status(200, {"data": [{"time": "a", "goal_id": "x"}]}))
    with pytest.raises(APIResponseError) as caught:
        await client.request("GET", "/api/sites/1/goals/time-series", cast_to=Series)
    assert caught.value.path.startswith("data[0].")
    with pytest.raises(BadRequestError, match="fortnight"):
        await client.request(
            "GET", "/api/sites/1/goals/time-series", params={"bucket": "fortnight"}
        )


async def test_request_with_a_body_and_an_empty_response(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    body = {"goalType": "path", "config": {"pathPattern": "/é"}}
    made = await client.request("POST", "/api/sites/1/goals", json=body)
    assert made["success"] is True
    assert json.loads(writes(server)[0].body) == body
    server.inject(faults.Status(204, b""))
    assert await client.request("DELETE", f"/api/sites/1/goals/{made['goalId']}") is None
    server.inject(faults.Status(204, b""))
    raw = await client.request("DELETE", "/api/sites/1/goals/1", cast_to=RawResponse)
    assert (raw.status, raw.body) == (204, b"")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "api/sites",
        "//other.example/api",
        "https://other.example/api",
        "/api//sites",
        "/api/sites/",
        "/api/../sites",
        "/api/./sites",
        "/api/..",
        "/api/sites?x=1",
        "/api/sites#x",
        "/api/%2e%2e/sites",
        "/api/a b",
        "/api/\r\nX: y",
        "/api/ünï",
        "/api\\sites",
        5,
    ],
)
async def test_invalid_paths(serve: Serve, connect: Connect, path: Any) -> None:
    server = await serve()
    with pytest.raises(InvalidParameterError, match="path must be a path"):
        await connect(server).request("GET", path)
    assert not server.requests


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"params": {"api_key": "rb_key"}}, "params must not contain api_key"),
        ({"params": {"a": [1, 2]}}, r"params\['a'\] must be text"),
        ({"params": {"a": {}}}, r"params\['a'\] must be text"),
        ({"json": {"a": object()}}, "json"),
        ({"json": float("nan")}, "json"),
        ({"json": {1, 2}}, "json"),
        ({"method": "TRACE"}, "^method must be .*, got "),
        ({"method": "GET\r\nX: y"}, "^method must be .*, got "),
    ],
)
async def test_invalid_requests(
    serve: Serve, connect: Connect, wrong: dict[str, Any], text: str
) -> None:
    server = await serve()
    client = connect(server)
    with pytest.raises(InvalidParameterError, match=text) as caught:
        await client.request(wrong.pop("method", "POST"), "/api/sites/1/goals", **wrong)
    assert "rb_key" not in str(caught.value)
    assert not server.requests
