"""What is sent is exactly the encoded path: nothing encodes, decodes or resolves it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import define

from rybbit_async import InvalidParameterError, RybbitClient
from rybbit_async.testing import faults
from rybbit_async.transport.routes import Route

from .conftest import Connect, Serve
from .helpers import ONCE


@define
class Wire:
    """A server that answers everything, and the targets that it was asked for."""

    client: RybbitClient
    url: str
    targets: list[str]
    redirect: str | None = None


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    targets: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        targets.append(head.split(" ")[1])
        status = "200 OK"
        if made.redirect is not None:
            status, made.redirect = f"302 Found\r\nLocation: {made.redirect}", None
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode()
        )
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with RybbitClient("rb_key", base_url=f"{url}/base", retry=ONCE) as client:
            made = Wire(client, url, targets)
            yield made


VALUES = [
    ("auth0|42", "auth0%7C42"),
    ("a b", "a%20b"),
    ("a+b", "a%2Bb"),
    ("a/b", "a%2Fb"),
    ("100%", "100%25"),
    ("%41", "%2541"),
    ("a?b#c", "a%3Fb%23c"),
    ("jürgen", "j%C3%BCrgen"),
    ("~a-b_c.d", "~a-b_c.d"),
    ("me@example.com", "me%40example.com"),
    ("...", "..."),
]


@pytest.mark.parametrize(("value", "encoded"), VALUES)
async def test_path_parameters_of_a_request(wire: Wire, value: str, encoded: str) -> None:
    await wire.client.request(
        "GET",
        "/api/users/{user}/{site}",
        path_params={"user": value, "site": 1},
        params={"q": "a/b"},
    )
    assert wire.targets == [f"/base/api/users/{encoded}/1?q=a%2Fb"]


@pytest.mark.parametrize("layout", ["goals", "sites"])
@pytest.mark.parametrize(("value", "encoded"), VALUES)
async def test_path_parameters_of_a_route(
    wire: Wire, value: str, encoded: str, layout: str
) -> None:
    route = Route("/api/users/{user}/{site}", "/api/sites/{site}/users/{user}")
    client = RybbitClient("rb_key", base_url=wire.url, routes=layout)  # type: ignore[arg-type]
    async with client:
        await client._context.router.send(
            route, "GET", {"user": value, "site": "1"}, options=client._context.options
        )
    path = f"users/{encoded}/1" if layout == "goals" else f"sites/1/users/{encoded}"
    assert wire.targets == [f"/api/{path}"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/users/auth0%7C42/1",
        "/api/users/auth0%7c42/1",
        "/api/users/a%2Fb/1",
        "/api/users/%41%2E%7E/1",
        "/api/users/%C3%BC%ff/1",
        "/api/a@b:c+d=e,f~g",
        "/api/.../1",
    ],
)
async def test_escapes_in_a_path_are_sent_as_they_are(wire: Wire, path: str) -> None:
    await wire.client.request("GET", path)
    assert wire.targets == [f"/base{path}"]


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    "target", ["/api/users/auth0%7c42/%41%40?q=a%2fb%7E", "/base/api/users/a%20b%C3%BC"]
)
async def test_a_redirect_is_followed_as_it_was_written(
    wire: Wire, target: str, absolute: bool
) -> None:
    wire.redirect = wire.url + target if absolute else target
    await wire.client.request("GET", "/api/x")
    assert wire.targets == ["/base/api/x", target]


async def test_a_redirect_with_characters_that_must_be_encoded(wire: Wire) -> None:
    wire.redirect = "/api/a b"
    await wire.client.request("GET", "/api/x")
    assert wire.targets == ["/base/api/x", "/api/a%20b"]


async def test_a_redirect_may_write_the_host_in_another_case(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    client = connect(server, base_url=server.url.replace("127.0.0.1", "localhost"))
    port = server.url.rpartition(":")[2]
    server.inject(faults.Redirect(f"HTTP://LocalHost:{port}/api/version"))
    assert await client.request("GET", "/api/health") == {"version": "2.8.0"}


async def test_a_user_at_the_embedded_server(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    page = await connect(server).request(
        "GET", "/api/sites/{site}/goals", path_params={"site": 1}, params={"page_size": 3}
    )
    assert len(page["data"]) == 3
    assert server.requests[0].target == "/api/sites/1/goals?page_size=3"


@pytest.mark.parametrize(
    ("path", "path_params", "text"),
    [
        ("/api/{site}", None, "path parameter site must be given for /api/{site}"),
        ("/api/{site}", {}, "path parameter site must be given for /api/{site}"),
        ("/api/{site}", {"site": 1, "user": 2}, "names that /api/{site} has in braces, got 'user'"),
        ("/api/1", {"site": 1}, "names that /api/1 has in braces, got 'site'"),
        (
            "/api/{site}",
            [("site", 1)],
            "must be a mapping of names to values, got list",
        ),
        ("/api/{site}", {"site": ".."}, "must not contain '.' or '..' as a segment, got '..'"),
        ("/api/{site}", {"site": ""}, "must not be empty"),
        ("/api/{site}", {"site": 1.0}, "must be a str or an int, got float"),
    ],
)
async def test_path_parameters_that_are_refused(
    wire: Wire, path: str, path_params: Any, text: str
) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        await wire.client.request("GET", path, path_params=path_params)
    assert text in str(caught.value)
    assert wire.targets == []
