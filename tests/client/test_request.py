"""``client.request()``: any other endpoint."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum, IntEnum
from typing import Any, Literal, TypedDict

import pytest
from attrs import define, frozen

from rybbit_async import (
    APIResponseError,
    BadRequestError,
    InvalidParameterError,
    NotFoundError,
    RawResponse,
)
from rybbit_async.testing import Store, faults

from .conftest import Connect, Serve
from .helpers import (
    World,
    body_of,
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


class Colour(str, Enum):  # noqa: UP042  # a str whose own text is the name of a member
    RED = "red"


class Level(IntEnum):
    HIGH = 3


async def test_values_of_a_query_are_sent_as_what_they_are(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server)
    params = {Colour.RED: Colour.RED, "level": Level.HIGH, "ratio": 0.5, "flag": False}
    await client.request("GET", "/api/version", params=params)
    query = {"red": "red", "level": "3", "ratio": "0.5", "flag": "false"}
    assert server.requests[-1].query == query


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"\ud800": "x"}, "must be text that UTF-8 can encode .* got '.ud800'$"),
        ({"a\0": "x"}, "must not contain NUL"),
        ({"": "x"}, "params must have names that are a str and not empty, got ''$"),
        ({5: "x"}, "params must have names that are a str and not empty, got 5$"),
        ({10**5000: "x"}, "params must have names that are a str and not empty, got <int>$"),
        ({"x": 10**5000}, r"params\['x'\] must be an integer of at most 4300 digits, got <int>$"),
        ({"x": float("nan")}, r"params\['x'\] must be a finite number, got nan$"),
        ({"x": float("-inf")}, r"params\['x'\] must be a finite number, got -inf$"),
        ({"x": "\ud800"}, r"params\['x'\] must be text that UTF-8 can encode"),
        ({"x": b"1"}, "must be text, a number, a boolean or None, got bytes$"),
        ([("x", 1)], "must be a mapping of names to values, got list$"),
    ],
)
async def test_queries_that_are_refused(
    serve: Serve, connect: Connect, params: Any, text: str
) -> None:
    server = await serve("2.8")
    with pytest.raises(InvalidParameterError, match=text):
        await connect(server).request("GET", "/api/version", params=params)
    assert not server.requests


@pytest.mark.parametrize("method", [None, 5, "TRACE", "GET\r\n"])
async def test_methods_that_are_refused(serve: Serve, connect: Connect, method: Any) -> None:
    server = await serve("2.8")
    with pytest.raises(InvalidParameterError) as caught:
        await connect(server).request(method, "/api/version")
    assert str(caught.value).startswith("method must be 'DELETE', 'GET'")
    assert f"got {method!r}" in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize(
    "value",
    [object(), {"a": {1}}, b"x", float("nan"), pytest.param(10**5000, id="digits")],
)
async def test_bodies_that_are_refused(serve: Serve, connect: Connect, value: Any) -> None:
    server = await serve("2.8")
    with pytest.raises(InvalidParameterError, match=r"^json must be a value that JSON can"):
        await connect(server).request("POST", "/api/sites/1/goals", json=value)
    assert not server.requests


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": ["\ud800"]}, "no lone surrogates"),
        ({"\udfff": 1}, "no lone surrogates"),
        ({"a": "\0"}, "without NUL characters"),
        ({"\\\\\0": 1}, "without NUL characters"),
    ],
)
async def test_text_that_no_server_can_store(
    serve: Serve, connect: Connect, value: Any, text: str
) -> None:
    server = await serve("2.8")
    with pytest.raises(InvalidParameterError, match=rf"^json must have text .*{text}.*, got {{"):
        await connect(server).request("POST", "/api/sites/1/goals", json=value)
    assert not server.requests


async def test_text_that_only_looks_like_that(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    server.inject(faults.Status(200, {}))
    body = {"a": "\\u0000", "\\\\u0000": "\\ud800", "b": "\N{PILE OF POO} ключ"}
    await connect(server).request("POST", "/api/sites/1/goals", json=body)
    assert body_of(server.requests[-1]) == body


@frozen
class Vague:
    anything: object


class Unknown:
    pass


@pytest.mark.parametrize(
    "kind", [5, "Point", object, print, [Point], Unknown, Vague, list[Unknown], bytes]
)
async def test_types_that_nothing_can_be_structured_into(
    serve: Serve, connect: Connect, kind: Any
) -> None:
    server = await serve("2.8")
    with pytest.raises(InvalidParameterError, match=r"^cast_to must be a type that JSON can be"):
        await connect(server).request("POST", "/api/sites/1/goals", json={}, cast_to=kind)
    assert not server.requests


class Plain(TypedDict):
    version: str


@dataclass
class Data:
    version: str


@pytest.mark.parametrize("kind", [Plain, Data, dict, dict[str, str], Any])
async def test_types_that_a_response_is_structured_into(
    serve: Serve, connect: Connect, kind: Any
) -> None:
    server = await serve("2.8")
    found = await connect(server).request("GET", "/api/version", cast_to=kind)
    assert (asdict(found) if isinstance(found, Data) else found) == {"version": "2.8.0"}


@define
class Moody:
    version: str

    def __attrs_post_init__(self) -> None:
        raise RuntimeError(self.version)


@pytest.mark.parametrize("kind", [Moody, Literal[1], Colour, list[Moody]])
async def test_a_type_that_refuses_the_response(serve: Serve, connect: Connect, kind: Any) -> None:
    server = await serve("2.8")
    server.inject(faults.Status(200, {"version": "v" * 5000}))
    with pytest.raises(APIResponseError) as caught:
        await connect(server).request("GET", "/api/version", cast_to=kind)
    assert len(str(caught.value)) < 700


async def test_a_response_to_head_does_not_say_what_is_missing(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.8")
    with pytest.raises(NotFoundError, match=r"send a GET to learn it$") as caught:
        await connect(server).request("HEAD", "/api/nope")
    assert "base_url" not in str(caught.value)


async def test_a_long_content_type_is_shortened(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    server.inject(faults.Status(200, b"x", {"Content-Type": "text/" + "x" * 5000}))
    with pytest.raises(APIResponseError, match=r"the body \(text/x+\) is not JSON") as caught:
        await connect(server).request("GET", "/api/version")
    assert len(str(caught.value)) < 250
