"""Endpoints that a server does not have, told from a wrong base URL and from other refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rybbit_async import (
    AuthenticationError,
    EndpointNotFoundError,
    NotFoundError,
    PathGoal,
    RybbitClient,
)
from rybbit_async.testing import RybbitServer, faults
from rybbit_async.transport.routes import Route

from .conftest import Connect, Serve
from .helpers import LAYOUT, ONCE, RELEASES, SITES_RELEASES, UNKNOWN_ID, World, lines, login, writes

SERIES = Route(None, "/api/sites/{site}/goals/time-series")
"""Only of the newer layout, and there only of 2.8."""
MISSING = Route("/api/missing/{site}", "/api/sites/{site}/missing")
"""No server has it, in either layout."""
COMMON = Route("/api/missing/{site}", "/api/missing/{site}")
WITHOUT_SITE = Route("/api/missing", "/api/missing")
OLD = Route("/api/goals/{site}", None)
"""Only of the documented layout."""

STATES = ["unknown", "known", "fixed"]
SAYING_SO = [release for release in RELEASES if release != "2.2"]
"""The releases that say which route they do not have. 2.2 answers as if the key were wrong."""


async def send(
    client: RybbitClient, route: Route, method: str = "GET", site: int | str | None = 1
) -> int:
    """The status of a success."""
    params: dict[str, str | int] = {} if site is None else {"site": site}
    response = await client._context.router.send(
        route, method, params, query="page=1", options=client._context.options
    )
    return response.status


async def connected(server: RybbitServer, connect: Connect, state: str) -> RybbitClient:
    """A client that knows the layout of the server, or does not, or was told."""
    routes = LAYOUT[server.release] if state == "fixed" else "auto"
    client = connect(server, routes=routes, retry=ONCE)
    if state == "known":
        await client.goals.list(1)
    server.requests.clear()
    return client


async def refused(
    client: RybbitClient, route: Route, method: str = "GET", site: int | str | None = 1
) -> NotFoundError:
    with pytest.raises(NotFoundError) as caught:
        await send(client, route, method, site)
    assert caught.value.status == 404
    return caught.value


async def assert_usable(client: RybbitClient, server: RybbitServer) -> None:
    """The layout is known, and it is the right one."""
    server.requests.clear()
    assert len(await client.goals.list(1)) == 10
    assert len(server.requests) == 1


# --- an endpoint of some releases ---------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
async def test_an_endpoint_of_one_layout_that_the_server_has(
    serve: Serve, connect: Connect, state: str
) -> None:
    server = await serve("2.8")
    client = await connected(server, connect, state)
    assert await send(client, SERIES) == 200
    probe = ["GET /api/goals/1", "GET /api/sites/1/goals"] if state == "unknown" else []
    assert lines(server) == [*probe, "GET /api/sites/1/goals/time-series"]
    await assert_usable(client, server)


@pytest.mark.parametrize("state", STATES)
async def test_a_release_that_lacks_an_endpoint_of_its_layout(
    serve: Serve, connect: Connect, state: str
) -> None:
    server = await serve("2.4")
    client = await connected(server, connect, state)
    error = await refused(client, SERIES)
    assert isinstance(error, EndpointNotFoundError)
    assert error.route == "/api/sites/{site}/goals/time-series"
    assert error.message == "Route GET:/api/sites/1/goals/time-series?page=1 not found"
    assert error.url == f"{server.url}/api/sites/1/goals/time-series?page=1"
    assert "The release of this server does not have the endpoint" in str(error)
    assert "base_url" not in str(error)
    assert lines(server).count("GET /api/sites/1/goals/time-series") == 1
    await assert_usable(client, server)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_layout_that_lacks_the_endpoint(
    serve: Serve, connect: Connect, state: str, method: str
) -> None:
    server = await serve("2.2")
    client = await connected(server, connect, state)
    error = await refused(client, SERIES, method)
    assert isinstance(error, EndpointNotFoundError)
    assert error.route == "/api/sites/{site}/goals/time-series"
    assert error.message == "Servers with the URL layout 'goals' do not have this endpoint"
    assert (error.method, error.url) == (method, "")
    assert "not sent" in str(error)
    assert ("routes='goals'" in str(error)) == (state == "fixed")
    # What is remembered is checked before it is told as a fact.
    assert lines(server) == ([] if state == "fixed" else ["GET /api/goals/1"])
    await assert_usable(client, server)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("release", SITES_RELEASES)
async def test_an_endpoint_that_only_older_servers_have(
    serve: Serve, connect: Connect, release: str, state: str
) -> None:
    server = await serve(release)
    client = await connected(server, connect, state)
    error = await refused(client, OLD)
    assert isinstance(error, EndpointNotFoundError)
    assert error.route == "/api/goals/{site}"
    await assert_usable(client, server)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("release", SAYING_SO)
async def test_an_endpoint_that_is_missing_in_both_layouts(
    serve: Serve, connect: Connect, release: str, method: str, state: str
) -> None:
    server = await serve(release)
    client = await connected(server, connect, state)
    error = await refused(client, MISSING, method)
    assert isinstance(error, EndpointNotFoundError)
    assert error.route == MISSING.template("goals" if LAYOUT[release] == "goals" else "sites")
    assert error.message.startswith(f"Route {method}:/api/")
    assert error.method == method
    assert "base_url" not in str(error)
    assert "routes=" not in str(error)
    assert len(writes(server)) == (method != "GET")
    await assert_usable(client, server)


@pytest.mark.parametrize("release", SAYING_SO)
async def test_a_missing_endpoint_of_a_site_that_may_not_be_read(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    """The probe is refused, and nevertheless shows that the server is one of Rybbit's."""
    server = await serve(release)
    client = await connected(server, connect, "known")
    error = await refused(client, MISSING, site=world.foreign.site_id)
    assert isinstance(error, EndpointNotFoundError)
    await assert_usable(client, server)


@pytest.mark.parametrize("route", [MISSING, COMMON], ids=str)
@pytest.mark.parametrize("state", STATES)
async def test_2_2_answers_a_missing_endpoint_like_a_wrong_key(
    serve: Serve, connect: Connect, state: str, route: Route
) -> None:
    server = await serve("2.2")
    client = await connected(server, connect, state)
    with pytest.raises(AuthenticationError, match="Unauthorized"):
        await send(client, route)
    await assert_usable(client, server)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("release", RELEASES)
async def test_a_site_that_does_not_exist_is_not_a_missing_endpoint(
    serve: Serve, connect: Connect, release: str, state: str
) -> None:
    server = await serve(release)
    client = await connected(server, connect, state)
    with pytest.raises(NotFoundError) as caught:
        await client.goals.sessions.list(UNKNOWN_ID, 101)
    assert type(caught.value) is NotFoundError
    assert caught.value.message == "Site not found"
    await assert_usable(client, server)


@pytest.mark.parametrize("route", [SERIES, MISSING], ids=["of one layout", "of none"])
async def test_concurrent_first_calls_cost_one_probe(
    serve: Serve, connect: Connect, route: Route
) -> None:
    server = await serve("2.8")
    client = await connected(server, connect, "unknown")
    calls = [send(client, route) for _ in range(10)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {
        int if route is SERIES else EndpointNotFoundError
    }
    if route is SERIES:
        assert lines(server).count("GET /api/goals/1") == 1


# --- an endpoint with the same path in both layouts ---------------------------------------------


@pytest.mark.parametrize("state", STATES)
async def test_a_common_path_needs_no_probe(serve: Serve, connect: Connect, state: str) -> None:
    server = await serve("2.8")
    client = await connected(server, connect, state)
    assert await send(client, Route("/api/version", "/api/version")) == 200
    assert lines(server) == ["GET /api/version"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("release", SAYING_SO)
async def test_a_common_path_that_is_missing(
    serve: Serve, connect: Connect, release: str, method: str, state: str
) -> None:
    server = await serve(release)
    client = await connected(server, connect, state)
    error = await refused(client, COMMON, method)
    assert isinstance(error, EndpointNotFoundError)
    assert error.route == "/api/missing/{site}"
    assert "base_url" not in str(error)
    assert lines(server).count(f"{method} /api/missing/1") == 1
    await assert_usable(client, server)


@pytest.mark.parametrize("state", STATES)
async def test_a_common_path_without_a_site_cannot_be_probed(
    serve: Serve, connect: Connect, state: str
) -> None:
    server = await serve("2.8")
    client = await connected(server, connect, state)
    error = await refused(client, WITHOUT_SITE, site=None)
    assert isinstance(error, EndpointNotFoundError)
    # Only a layout that was found out proves that base_url is right.
    assert ("base_url" in str(error)) == (state != "known")
    assert lines(server) == ["GET /api/missing"]


async def test_a_request_of_ones_own(serve: Serve, connect: Connect) -> None:
    server = await serve("2.4")
    client = connect(server)
    with pytest.raises(EndpointNotFoundError, match="may not have the endpoint") as caught:
        await client.request("GET", "/api/sites/{site}/goals/time-series", path_params={"site": 1})
    assert caught.value.route == "/api/sites/{site}/goals/time-series"
    assert caught.value.message == "Route GET:/api/sites/1/goals/time-series not found"
    with pytest.raises(NotFoundError) as other:
        await client.request("GET", f"/api/sites/{UNKNOWN_ID}/goals")
    assert type(other.value) is NotFoundError


# --- a server that is not there -----------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("route", [SERIES, MISSING, COMMON, OLD], ids=str)
@pytest.mark.parametrize("release", ["2025.06", "2.8"])
async def test_a_wrong_base_url(
    serve: Serve, connect: Connect, release: str, route: Route, method: str
) -> None:
    server = await serve(release)
    client = connect(server, base_url=server.url + "/analytics", retry=ONCE)
    error = await refused(client, route, method)
    assert type(error) is NotFoundError
    assert "The server knows neither layout of the API: check base_url" in str(error)
    if route is not COMMON:
        assert not writes(server)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_base_url_that_becomes_wrong(serve: Serve, connect: Connect, method: str) -> None:
    """Something else has taken the server's place."""
    server = await serve("2.8")
    client = await connected(server, connect, "known")
    for route in (SERIES, MISSING, COMMON):
        server.inject(
            faults.Status(404, {"error": "Not Found", "message": "Route GET:/x not found"}),
            times=None,
        )
        error = await refused(client, route, method)
        assert type(error) is NotFoundError
        assert "check base_url" in str(error)
    server.clear_faults()
    assert len(await client.goals.list(1)) == 10


@pytest.mark.parametrize(("release", "routes"), [("2.8", "goals"), ("2.2", "sites")])
async def test_a_wrong_fixed_layout_is_not_a_missing_endpoint(
    serve: Serve, connect: Connect, release: str, routes: str
) -> None:
    server = await serve(release)
    client = connect(server, routes=routes, retry=ONCE)
    with pytest.raises(
        NotFoundError, match=f"does not know the layout routes='{routes}'"
    ) as caught:
        await client.goals.sessions.list(1, 101)
    assert type(caught.value) is NotFoundError


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("route", [SERIES, MISSING, COMMON], ids=str)
async def test_the_page_of_a_proxy_is_not_a_missing_endpoint(
    serve: Serve, connect: Connect, route: Route, state: str
) -> None:
    server = await serve("2.8")
    client = await connected(server, connect, state)
    server.inject(faults.Html(404), times=None)
    error = await refused(client, route)
    assert type(error) is NotFoundError
    assert "not a response of Rybbit's API: check base_url" in str(error)
    server.clear_faults()
    assert len(await client.goals.list(1)) == 10


async def test_the_page_of_a_proxy_does_not_tell_the_layout(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = await connected(server, connect, "unknown")
    server.inject(faults.Html(404))
    with pytest.raises(NotFoundError):
        await client.goals.list(1)
    server.inject(faults.Html(404))
    with pytest.raises(NotFoundError, match="check base_url"):
        await client.goals.create(1, PathGoal("/a"))
    assert not writes(server)


# --- refusals that say nothing of the endpoint --------------------------------------------------


@pytest.mark.parametrize("route", [SERIES, MISSING, COMMON], ids=str)
async def test_a_401_stays_a_401(serve: Serve, connect: Connect, route: Route) -> None:
    """2.2 refuses a key on some endpoints that it does not have, and says no more than that."""
    server = await serve("2.2")
    client = connect(server, retry=ONCE)
    server.inject(
        faults.Status(401, {"error": "Unauthorized"}),
        times=None,
        when=lambda request: "missing" in request.path,
    )
    if route is SERIES:  # there is nothing to ask
        assert isinstance(await refused(client, route), EndpointNotFoundError)
        return
    with pytest.raises(AuthenticationError, match="does not have the endpoint") as caught:
        await send(client, route)
    assert caught.value.message == "Unauthorized"
    await assert_usable(client, server)


@pytest.mark.parametrize("key", ["rb_wrong", None])
async def test_a_key_that_is_wrong_comes_before_a_missing_endpoint(
    serve: Serve, connect: Connect, key: str | None
) -> None:
    server = await serve("2.2")
    client = connect(server, key, auth=None) if key is None else connect(server, key)
    with pytest.raises(AuthenticationError):
        await send(client, MISSING)


@pytest.mark.parametrize("fault", [faults.Reset(), faults.Status(503)], ids=str)
@pytest.mark.parametrize("route", [MISSING, COMMON], ids=str)
async def test_what_cannot_be_found_out_is_not_told_as_a_fact(
    serve: Serve, connect: Connect, route: Route, fault: faults.Fault
) -> None:
    server = await serve("2.8")
    client = await connected(server, connect, "unknown")
    server.inject(fault, times=None, when=lambda request: "missing" not in request.path)
    error = await refused(client, route)
    assert isinstance(error, EndpointNotFoundError)
    assert "may not have the endpoint" in str(error)
    assert "check base_url" in str(error)
    server.clear_faults()
    assert len(await client.goals.list(1)) == 10


@pytest.mark.parametrize("fault", [faults.Reset(), faults.Status(503)], ids=str)
async def test_a_probe_that_fails_after_a_write_leaves_what_was_known(
    serve: Serve, connect: Connect, fault: faults.Fault
) -> None:
    server = await serve("2.8")
    client = await connected(server, connect, "known")
    server.inject(fault, times=None, when=lambda request: request.method == "GET")
    assert isinstance(await refused(client, MISSING, "POST"), EndpointNotFoundError)
    assert len(writes(server)) == 1
    with pytest.raises(NotFoundError) as caught:
        await client.goals.create(UNKNOWN_ID, PathGoal("/a"))
    assert caught.value.message == "Site not found"


# --- a server that becomes another release ------------------------------------------------------


async def test_a_newer_release_gets_an_endpoint(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = await connected(server, connect, "known")
    assert isinstance(await refused(client, SERIES), EndpointNotFoundError)
    server.release = "2.4"
    assert isinstance(await refused(client, SERIES), EndpointNotFoundError)
    server.release = "2.8"
    assert await send(client, SERIES) == 200
    await assert_usable(client, server)


async def test_an_older_release_loses_an_endpoint(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = await connected(server, connect, "known")
    server.release = "2.2"
    error = await refused(client, SERIES)
    assert isinstance(error, EndpointNotFoundError)
    assert error.message == "Servers with the URL layout 'goals' do not have this endpoint"
    assert await send(client, OLD) == 200
    server.release = "2.8"
    error = await refused(client, OLD)
    assert isinstance(error, EndpointNotFoundError)
    await assert_usable(client, server)


@pytest.mark.parametrize(("old", "new"), [("2.2", "2.8"), ("2.8", "2025.06")])
async def test_a_write_to_a_missing_endpoint_is_sent_once_in_each_layout(
    serve: Serve, connect: Connect, old: str, new: str
) -> None:
    server = await serve(old)
    client = await connected(server, connect, "known")
    server.release = new
    error = await refused(client, MISSING, "PUT")
    assert isinstance(error, EndpointNotFoundError)
    assert len(writes(server)) == 2
    await assert_usable(client, server)


# --- other -------------------------------------------------------------------------------------


async def test_a_missing_endpoint_after_a_sign_in(serve: Serve, connect: Connect) -> None:
    server = await serve("2.4")
    client = connect(server, auth=login(server))
    assert isinstance(await refused(client, SERIES), EndpointNotFoundError)
    assert isinstance(await refused(client, MISSING, "POST"), EndpointNotFoundError)
    assert server.sign_ins == 1


@asynccontextmanager
async def answering(body: str) -> AsyncIterator[str]:
    """A server that answers 404 to everything."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 404 Not Found\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write((head + body).encode())
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("body", ["", "404 page not found\n", "[]", "<html></html>"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_server_that_is_not_rybbit(body: str, method: str) -> None:
    async with answering(body) as url, RybbitClient("rb_key", base_url=url) as client:
        calls: list[Any] = [send(client, route, method) for route in (SERIES, MISSING, COMMON)]
        calls.append(client.request(method, "/api/version"))
        for call in calls:
            with pytest.raises(NotFoundError, match="check base_url") as caught:
                await call
            assert type(caught.value) is NotFoundError
