"""Bodies of successful responses: wrong, compressed, in small pieces."""

from __future__ import annotations

from typing import Any

import pytest

from rybbit_async import (
    APIResponseError,
)
from rybbit_async.testing import faults

from .conftest import Connect, Serve


@pytest.mark.parametrize(
    ("fault", "path", "text"),
    [
        (faults.TruncatedJSON(), "", "is not JSON"),
        (faults.Html(200), "", r"\(text/html\) is not JSON"),
        (faults.Status(200, b"", {"Content-Type": "application/json"}), "", "is empty"),
        (faults.Status(200, b"\xff\xfe\x00"), "", "is not JSON"),
        (faults.Status(200, b'{"data":[],"meta":NaN}'), "", "is not JSON"),
        (faults.DeepNesting(), "", "nested more than 64 deep"),
        (faults.ErrorBody("Something went wrong"), "data", "Something went wrong"),
        (faults.Status(200, {"data": None}), "data", "expected list, got None"),
        (faults.Status(204, b""), "", r"is empty \(status 204\)"),
    ],
    ids=["truncated", "html", "empty", "bytes", "NaN", "nested", "error", "null", "204"],
)
async def test_an_invalid_body(
    serve: Serve, connect: Connect, fault: Any, path: str, text: str
) -> None:
    server = await serve("2.8")
    server.inject(fault)
    client = connect(server, routes="sites")
    with pytest.raises(APIResponseError, match=text) as caught:
        await client.goals.list(1)
    error = caught.value
    assert (error.path, error.method) == (path, "GET")
    assert error.url == f"{server.url}/api/sites/1/goals?page=1&page_size=10"
    assert error.status == (
        204 if isinstance(fault, faults.Status) and fault.status == 204 else 200
    )
    assert len(error.body) <= 500
    assert len(await client.goals.list(1)) == 10


async def test_a_valid_body_with_another_content_type(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    server.inject(faults.WrongContentType())
    assert len(await connect(server, routes="sites").goals.list(1)) == 10


async def test_gzip(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    injected = server.inject(faults.Gzip(), times=None)
    client = connect(server, routes="sites")
    goals = await client.goals.iter(1).collect()
    assert len(goals) == 14
    assert injected.hits == 1
    assert "gzip" in server.requests[-1].headers["Accept-Encoding"]
    sessions = await client.goals.sessions.iter(1, goals[0]).collect()
    assert len(sessions) >= (goals[0].total_conversions or 0)


async def test_a_response_in_small_pieces(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    server.inject(faults.Trickle(chunk=100, seconds=0.0))
    assert len(await connect(server, routes="sites").goals.list(1)) == 10
