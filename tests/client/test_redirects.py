"""Which redirects are followed."""

from __future__ import annotations

import pytest

from rybbit_async import (
    APIStatusError,
)
from rybbit_async.testing import RybbitServer, faults

from .conftest import Connect, Serve
from .helpers import (
    login,
)


@pytest.fixture
async def other(serve: Serve) -> RybbitServer:
    """A second server, on another port: another origin."""
    return await serve("2.8")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_origin_is_refused(
    serve: Serve, connect: Connect, other: RybbitServer, status: int, method: str
) -> None:
    server = await serve("2.8")
    server.inject(faults.Redirect(f"{other.url}/api/version", status))
    with pytest.raises(APIStatusError, match="credentials are not sent to another host") as caught:
        await connect(server).request(method, "/api/version")
    assert other.requests == []
    assert caught.value.status == status
    assert other.url in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "to",
    [
        "https://127.0.0.1:{port}/api/version",
        "http://localhost:{port}/api/version",
        "//other.example/api/version",
        "http://127.0.0.1:{port}@other.example/api/version",
        "http://[/api/version",
        "",
    ],
)
async def test_a_redirect_that_only_looks_like_the_same_origin(
    serve: Serve, connect: Connect, to: str
) -> None:
    server = await serve("2.8")
    server.inject(faults.Redirect(to.format(port=server.url.rpartition(":")[2])))
    with pytest.raises(APIStatusError, match="was not followed"):
        await connect(server).request("GET", "/api/version")
    assert len(server.requests) == 1


async def test_a_password_is_not_sent_to_another_origin(
    serve: Serve, connect: Connect, other: RybbitServer
) -> None:
    server = await serve("2.2")
    server.inject(faults.Redirect(f"{other.url}/api/auth/sign-in/email", 307))
    with pytest.raises(APIStatusError, match="was not followed"):
        await connect(server, auth=login(server)).goals.list(1)
    assert other.requests == []


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_within_the_origin_is_followed_for_reads(
    serve: Serve, connect: Connect, status: int, absolute: bool
) -> None:
    server = await serve("2.8")
    to = "/api/sites/1/goals?page=2&page_size=10"
    server.inject(faults.Redirect(server.url + to if absolute else to, status))
    page = await connect(server, routes="sites").goals.list(1)
    assert len(page) == 4
    assert [request.target for request in server.requests][1] == to
    assert server.requests[1].headers["Authorization"] == f"Bearer {server.api_key}"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_redirect_of_a_write_is_not_followed(
    serve: Serve, connect: Connect, method: str
) -> None:
    server = await serve("2.8")
    server.inject(faults.Redirect(f"{server.url}/api/sites/1/goals/", 307))
    with pytest.raises(APIStatusError, match="a write is not sent twice"):
        await connect(server).request(method, "/api/sites/1/goals/101")
    assert len(server.requests) == 1


async def test_endless_redirects_end(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    server.inject(faults.Redirect("/api/version"), times=None)
    with pytest.raises(APIStatusError) as caught:
        await connect(server).request("GET", "/api/version")
    assert caught.value.status == 302
    assert 2 <= len(server.requests) <= 5
