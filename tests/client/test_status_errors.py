"""The errors for responses that are not a success, and that no key is in them."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from rybbit_async import (
    APIResponseError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RybbitError,
    ServerError,
)
from rybbit_async.testing import faults

from .conftest import Connect, Serve
from .helpers import (
    ONCE,
)

STATUSES: list[tuple[int, type[APIStatusError]]] = [
    (400, BadRequestError),
    (401, AuthenticationError),
    (403, PermissionDeniedError),
    (404, NotFoundError),
    (405, APIStatusError),
    (409, APIStatusError),
    (415, APIStatusError),
    (418, APIStatusError),
    (429, RateLimitError),
    (431, APIStatusError),
    (500, ServerError),
    (502, ServerError),
    (503, ServerError),
    (504, ServerError),
    (599, ServerError),
]


@pytest.mark.parametrize(("status", "cls"), STATUSES)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_each_status_has_its_class(
    serve: Serve, connect: Connect, status: int, cls: type[APIStatusError], method: str
) -> None:
    server = await serve("2.8")
    server.inject(faults.Status(status, {"error": "No", "message": "Because", "details": [1]}))
    client = connect(server, retry=ONCE)
    with pytest.raises(APIStatusError) as caught:
        await client.request(method, "/api/sites/1/goals", params={"a": "b/c"})
    error = caught.value
    assert type(error) is cls
    assert (error.status, error.message, error.details) == (status, "Because", [1])
    assert (error.method, error.url) == (method, f"{server.url}/api/sites/1/goals?a=b%2Fc")
    assert json.loads(error.body) == {"error": "No", "message": "Because", "details": [1]}
    assert str(error).startswith(f"{status} for {method} {error.url}: Because")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "Forbidden"}, "Forbidden"),
        ({"error": "Bad Request", "message": "Unexpected end of JSON", "statusCode": 400},
         "Unexpected end of JSON"),
        ({"success": False, "error": "Rate limit exceeded. Wait."}, "Rate limit exceeded. Wait."),
        ({"error": {"code": 5}}, '{"error":{"code":5}}'),
        ("plain words", "plain words"),
        (b"", "no text"),
        ([], "[]"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)  # fmt: skip
async def test_each_shape_of_an_error_body(
    serve: Serve, connect: Connect, body: object, message: str
) -> None:
    server = await serve("2.8")
    server.inject(faults.Status(400, body))
    with pytest.raises(BadRequestError) as caught:
        await connect(server, routes="sites").goals.list(1)
    assert caught.value.message == message


async def test_the_page_of_a_proxy(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    server.inject(faults.Html(502))
    with pytest.raises(ServerError) as caught:
        await connect(server, routes="sites", retry=ONCE).goals.list(1)
    assert caught.value.message == "502"  # its title
    assert caught.value.body.startswith("<html><head><title>502")


async def test_a_long_body_is_shortened(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server, routes="sites", retry=ONCE)
    server.inject(faults.Status(500, "x" * 100_000))
    with pytest.raises(ServerError) as caught:
        await client.goals.list(1)
    assert len(caught.value.body) == 500
    assert len(str(caught.value)) < 1_000
    server.inject(faults.Status(500, {"error": "y" * 100_000}))
    with pytest.raises(ServerError) as caught:
        await client.goals.list(1)
    assert len(str(caught.value)) < 1_000
    assert len(repr(caught.value)) < 1_000
    server.inject(faults.Status(200, "z" * 100_000))
    with pytest.raises(APIResponseError) as other:
        await client.goals.list(1)
    assert len(other.value.body) == 500


@pytest.mark.parametrize(
    ("headers", "body", "after", "scope"),
    [
        ({"Retry-After": "7"}, {"error": "a", "scope": "burst", "retryAfter": 1}, 7.0, "burst"),
        ({}, {"error": "a", "scope": "daily", "retryAfter": 56_104}, 56_104.0, "daily"),
        ({}, {"error": "a"}, None, None),
        ({"Retry-After": "soon"}, "busy", None, None),
    ],
)
async def test_rate_limit_errors(
    serve: Serve, connect: Connect, headers: Any, body: Any, after: Any, scope: Any
) -> None:
    server = await serve("2.8")
    server.inject(faults.Status(429, body, headers))
    with pytest.raises(RateLimitError) as caught:
        await connect(server, routes="sites", retry=ONCE).goals.list(1)
    assert (caught.value.retry_after, caught.value.scope) == (after, scope)


def _everything(error: BaseException) -> str:
    """Everything about an error that could be logged."""
    clone = pickle.loads(pickle.dumps(error))
    texts = [str(error), repr(error), repr(vars(error)), repr(error.args)]
    texts += [str(clone), repr(vars(clone)), pickle.dumps(error, 0).decode("latin1")]
    return "\n".join(texts)


ECHOES = ["error", "message", "details", "scope", "nested", "text", "location", "type", "rows"]


@pytest.mark.echoes_key
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("echo", ECHOES)
async def test_the_key_is_in_no_error_even_if_the_server_echoes_it(
    serve: Serve, connect: Connect, status: int, echo: str
) -> None:
    server = await serve("2.8")
    key = server.api_key
    body: Any = {
        "error": {"error": f"bad key {key}"},
        "message": {"message": f"Bearer {key}"},
        "details": {"error": "x", "details": [{"received": key}]},
        "scope": {"error": "x", "scope": key},
        "nested": {"error": {"key": [key]}},
        "text": f"{'.' * 480}{key}",
        "location": {"error": "x"},
        "type": {"error": "x"},
        "rows": {"data": [{"goalId": key}], "meta": {}},
    }[echo]
    headers = {"Location": f"https://other.example/?key={key}"} if echo == "location" else {}
    if echo == "type":
        headers, body = {"Content-Type": f"text/{key}"}, "x"
    server.inject(faults.Status(status, body, headers))
    with pytest.raises(RybbitError) as caught:
        await connect(server, routes="sites", retry=ONCE).goals.list(1)
    link: BaseException | None = caught.value
    while link is not None:
        assert key not in _everything(link)
        link = link.__cause__ or link.__context__


async def test_errors_pickle_and_copy(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server, routes="sites", timeout=0.05, retry=ONCE)
    for fault in (
        faults.Status(429, {"error": "a", "details": [1]}, {"Retry-After": "1"}),
        faults.Reset(),
        faults.Stall(),
        faults.TruncatedJSON(),
    ):
        server.inject(fault)
        with pytest.raises(RybbitError) as caught:
            await client.goals.list(1)
        for clone in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
            assert type(clone) is type(caught.value)
            assert (str(clone), vars(clone)) == (str(caught.value), vars(caught.value))
