"""Connections, timeouts, errors, redirects and the life of a client."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import socket
import sys
from typing import Any

import aiohttp
import pytest
from attrs import frozen

import rybbit_async
from rybbit_async import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    Goal,
    InvalidParameterError,
    NotFoundError,
    PathGoal,
    PermissionDeniedError,
    RateLimitError,
    RawResponse,
    RybbitClient,
    RybbitError,
    ServerError,
    Timeout,
)
from rybbit_async.testing import RybbitServer, Store, faults

from .conftest import Connect, Serve
from .helpers import (
    ONCE,
    World,
    client_tasks,
    lines,
    login,
    settled,
    take,
    turns,
    until,
    writes,
)

# --- connections --------------------------------------------------------------------------------


async def test_making_a_client_opens_nothing(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    client.goals.iter(1)
    await turns()
    assert (server.connections, server.requests) == (0, [])
    await client.close()


async def test_connections_are_kept_and_used_again(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    for _ in range(10):
        await client.goals.list(1)
    assert server.connections == 1
    with server.hold() as held:
        calls = [asyncio.create_task(client.goals.list(1)) for _ in range(5)]
        await held.reached(5)
    await asyncio.gather(*calls)
    for _ in range(10):
        await client.with_options(timeout=5).goals.list(1)
    assert server.connections == 5
    await client.close()
    await until(lambda: server.connections == 0)


async def test_max_connections(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server, routes="sites", max_connections=3)
    with server.hold() as held:
        calls = [asyncio.create_task(client.goals.list(1)) for _ in range(10)]
        await held.reached(3)
        await turns(200)
        assert (held.waiting, server.connections) == (3, 3)
    await asyncio.gather(*calls)
    assert server.peak_in_flight == 3
    assert len(server.requests) == 10


async def test_waiting_for_a_connection_is_no_timeout(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server, routes="sites", max_connections=1)
    with server.hold() as held:
        first = asyncio.create_task(client.goals.list(1))
        await held.reached(1)
        second = asyncio.create_task(client.with_options(timeout=0.05).goals.list(1))
        done, _ = await asyncio.wait([second], timeout=0.15)
        assert not done
    await asyncio.gather(first, second)


async def test_headers(serve: Serve, connect: Connect) -> None:
    server = await serve()
    await connect(server).goals.list(1)
    headers = server.requests[-1].headers
    assert headers["User-Agent"] == f"rybbit_async/{rybbit_async.__version__}"
    assert headers["Accept"] == "application/json"
    assert "Content-Type" not in headers


async def test_a_session_passed_in_is_used_and_not_closed(serve: Serve, connect: Connect) -> None:
    server = await serve()
    made = []

    async def count(*_: Any) -> None:
        made.append(1)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(count)
    async with aiohttp.ClientSession(
        trace_configs=[trace], headers={"X-Theirs": "1"}, raise_for_status=True
    ) as session:
        async with connect(server, session=session) as client:
            await client.goals.list(1)
            await client.goals.list(1)
            with pytest.raises(NotFoundError):
                await client.goals.sessions.list(1, 999_999)
        assert client.closed
        assert not session.closed
        assert len(made) == 1
        assert all(request.headers["X-Theirs"] == "1" for request in server.requests)
        assert all(
            request.headers["User-Agent"].startswith("rybbit_async/") for request in server.requests
        )
        async with session.get(server.url + "/api/version") as answer:
            assert answer.status == 200
        assert len(made) == 1


async def test_a_session_passed_in_may_have_middlewares_and_a_base_url(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    seen = []

    async def theirs(request: Any, handler: Any) -> Any:
        seen.append(request.method)
        return await handler(request)

    async with aiohttp.ClientSession("http://127.0.0.1:1/", middlewares=(theirs,)) as session:
        client = connect(server, session=session, routes="sites")
        assert len(await client.goals.list(1)) == 10
        await client.close()
    assert seen == ["GET"]


async def test_a_closed_session_passed_in(serve: Serve, connect: Connect) -> None:
    server = await serve()
    async with aiohttp.ClientSession() as session:
        client = connect(server, session=session)
    with pytest.raises(ClientClosedError, match="passed in is closed"):
        await client.goals.list(1)


def test_a_session_of_another_kind() -> None:
    with pytest.raises(InvalidParameterError, match=r"an aiohttp\.ClientSession"):
        RybbitClient("rb_key", session=object())  # type: ignore[arg-type]


# --- one attempt is one request ------------------------------------------------------------------

LOSSES = [
    pytest.param(faults.Reset(), id="reset"),
    pytest.param(faults.Drop(), id="drop"),
    pytest.param(faults.ResetInBody(), id="reset in body"),
    pytest.param(faults.DropInBody(), id="drop in body"),
]
METHODS = ["GET", "PUT", "DELETE", "POST", "PATCH"]


@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("used", [False, True], ids=["new connection", "used connection"])
async def test_one_attempt_is_one_request(
    serve: Serve, connect: Connect, loss: Any, method: str, passed_in: bool, used: bool
) -> None:
    server = await serve("2.14")
    async with aiohttp.ClientSession() as session:
        client = connect(server, session=session if passed_in else None, retry=ONCE)
        if used:
            await client.request("GET", "/api/version")
            server.requests.clear()
        server.inject(loss)
        body = {"a": 1} if method in ("PUT", "POST", "PATCH") else None
        with pytest.raises(APIConnectionError) as caught:
            await client.request(method, "/api/sites/1/goals", json=body)
        await turns()
        assert lines(server) == [f"{method} /api/sites/1/goals"]
        assert not isinstance(caught.value, APITimeoutError)
        assert (caught.value.method, caught.value.sent) == (method, True)
        assert caught.value.url == f"{server.url}/api/sites/1/goals"
        assert await client.request("GET", "/api/version") == {"version": "2.14.0"}
        await client.close()


@pytest.mark.parametrize("passed_in", [False, True], ids=["own session", "passed in"])
@pytest.mark.parametrize("method", METHODS)
async def test_a_connection_that_closes_under_a_request_is_one_request(
    serve: Serve, connect: Connect, method: str, passed_in: bool
) -> None:
    server = await serve("2.14")
    server.inject(faults.CloseIdle(late=True))
    async with aiohttp.ClientSession() as session:
        client = connect(server, session=session if passed_in else None, retry=ONCE)
        await client.request("GET", "/api/version")
        with pytest.raises(APIConnectionError) as caught:
            await client.request(method, "/api/sites/1/goals")
        await turns()
        assert lines(server) == ["GET /api/version", f"{method} /api/sites/1/goals"]
        assert caught.value.sent
        await client.close()


async def test_aiohttp_by_itself_sends_twice(serve: Serve) -> None:
    """What the tests above are worth."""
    server = await serve("2.14")
    server.inject(faults.CloseIdle(late=True))
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(server.url + "/api/version") as answer:
                await answer.read()
    assert len(server.requests) == 3


async def test_a_connection_that_closed_while_idle_is_replaced(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.14")
    client = connect(server)
    server.inject(faults.CloseIdle())
    await client.request("GET", "/api/version")
    await until(lambda: server.connections == 0)
    await turns()
    assert await client.request("GET", "/api/version") == {"version": "2.14.0"}


async def test_a_write_whose_answer_is_lost_may_have_been_carried_out(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.14", store)
    client = connect(server)
    await client.goals.list(1)
    server.inject(faults.Reset(handled=True), when=lambda request: request.method == "POST")
    with pytest.raises(APIConnectionError) as caught:
        await client.goals.create(1, PathGoal("/a"))
    assert caught.value.sent
    assert len(store.goals(1)) == 1


async def test_no_server_there(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server)
    await server.stop()
    with pytest.raises(APIConnectionError, match="no connection could be made") as caught:
        await client.goals.list(1)
    assert not caught.value.sent
    assert not isinstance(caught.value, APITimeoutError)
    await server.start()
    assert len(await client.goals.list(1)) == 10


# --- timeouts -----------------------------------------------------------------------------------


async def test_total_timeout(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    server.inject(faults.Stall(), times=None)
    for client in (
        connect(server, timeout=0.05, retry=ONCE),
        connect(server, timeout=Timeout(total=0.05), retry=ONCE),
        connect(server, retry=ONCE).with_options(timeout=0.05),
    ):
        with pytest.raises(APITimeoutError, match=r"0\.05 s \(Timeout.total\)") as caught:
            await client.goals.list(1)
        assert caught.value.sent
        assert isinstance(caught.value, APIConnectionError)
    await until(lambda: server.in_flight == 0)


async def test_total_timeout_of_an_answer_that_trickles(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    server.inject(faults.Trickle(chunk=1, seconds=0.005))
    client = connect(server, routes="sites", timeout=Timeout(read=1, total=0.1), retry=ONCE)
    with pytest.raises(APITimeoutError, match=r"Timeout\.total"):
        await client.goals.list(1)


@pytest.mark.parametrize(
    "fault", [faults.Stall(), faults.Trickle(chunk=10, seconds=60)], ids=["head", "body"]
)
async def test_read_timeout(serve: Serve, connect: Connect, fault: Any) -> None:
    server = await serve("2.14")
    server.inject(fault)
    client = connect(server, routes="sites", timeout=Timeout(read=0.05), retry=ONCE)
    with pytest.raises(APITimeoutError, match=r"0\.05 s \(Timeout.read\)") as caught:
        await client.goals.list(1)
    assert caught.value.sent
    assert len(server.requests) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's way with a full backlog")
async def test_connect_timeout() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fill = [socket.socket() for _ in range(4)]
        try:
            for one in fill:
                one.setblocking(False)
                one.connect_ex(listener.getsockname())
            port = listener.getsockname()[1]
            async with RybbitClient(
                "rb_key",
                base_url=f"http://127.0.0.1:{port}",
                timeout=Timeout(connect=0.05),
                retry=ONCE,
            ) as client:
                began = loop.time()
                with pytest.raises(APITimeoutError, match=r"0\.05 s \(Timeout.connect\)") as caught:
                    await client.goals.list(1)
                assert not caught.value.sent
                assert loop.time() - began < 5
        finally:
            for one in fill:
                one.close()


@pytest.mark.parametrize("seconds", [0, -1, True, "1", float("nan")])
def test_timeouts_that_are_none(seconds: Any) -> None:
    with pytest.raises(InvalidParameterError, match="Timeout total"):
        RybbitClient("rb_key", timeout=seconds)
    for name in ("connect", "read", "total"):
        with pytest.raises(InvalidParameterError, match=f"Timeout {name}"):
            Timeout(**{name: seconds})


async def test_a_timeout_leaves_the_client_usable(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server, routes="sites")
    server.inject(faults.Stall())
    with pytest.raises(APITimeoutError):
        await client.with_options(timeout=0.05, retry=ONCE).goals.list(1)
    assert len(await client.goals.list(1)) == 10
    server.inject(faults.Stall())
    assert len(await client.with_options(timeout=0.05).goals.list(1)) == 10


async def test_cancelling_a_call_is_a_cancellation(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server, routes="sites")
    with server.hold() as held:
        call = asyncio.create_task(client.goals.list(1))
        await held.reached(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: server.in_flight == 0)
    with server.hold(), pytest.raises(TimeoutError):  # the caller's own, no APITimeoutError
        await asyncio.wait_for(client.goals.list(1), 0.01)
    assert len(await client.goals.list(1)) == 10


# --- bodies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "path", "text"),
    [
        (faults.TruncatedJSON(), "", "is not JSON"),
        (faults.Html(200), "", r"\(text/html\) is not JSON"),
        (faults.Status(200, b"", {"Content-Type": "application/json"}), "", "is not JSON"),
        (faults.Status(200, b"\xff\xfe\x00"), "", "is not JSON"),
        (faults.Status(200, b'{"data":[],"meta":NaN}'), "", "is not JSON"),
        (faults.DeepNesting(), "", "nested more than 64 deep"),
        (faults.ErrorBody("Something went wrong"), "data", "Something went wrong"),
        (faults.Status(200, {"data": None}), "data", "a list was expected, not null"),
        (faults.Status(204, b""), "", "is not JSON"),
    ],
    ids=["truncated", "html", "empty", "bytes", "NaN", "nested", "error", "null", "204"],
)
async def test_a_body_that_is_not_what_was_promised(
    serve: Serve, connect: Connect, fault: Any, path: str, text: str
) -> None:
    server = await serve("2.14")
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


async def test_the_right_body_under_another_content_type(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    server.inject(faults.WrongContentType())
    assert len(await connect(server, routes="sites").goals.list(1)) == 10


async def test_gzip(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    injected = server.inject(faults.Gzip(), times=None)
    client = connect(server, routes="sites")
    goals = await client.goals.iter(1).collect()
    assert len(goals) == 14
    assert injected.hits == 1
    assert "gzip" in server.requests[-1].headers["Accept-Encoding"]
    sessions = await client.goals.sessions.iter(1, goals[0]).collect()
    assert len(sessions) >= (goals[0].total_conversions or 0)


async def test_an_answer_in_small_pieces(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    server.inject(faults.Trickle(chunk=100, seconds=0.0))
    assert len(await connect(server, routes="sites").goals.list(1)) == 10


# --- errors -------------------------------------------------------------------------------------

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
    server = await serve("2.14")
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
    server = await serve("2.14")
    server.inject(faults.Status(400, body))
    with pytest.raises(BadRequestError) as caught:
        await connect(server, routes="sites").goals.list(1)
    assert caught.value.message == message


async def test_the_page_of_a_proxy(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    server.inject(faults.Html(502))
    with pytest.raises(ServerError) as caught:
        await connect(server, routes="sites", retry=ONCE).goals.list(1)
    assert caught.value.message.startswith("<html><head><title>502")
    assert "\n" not in str(caught.value)


async def test_a_body_is_clipped(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
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
    server = await serve("2.14")
    server.inject(faults.Status(429, body, headers))
    with pytest.raises(RateLimitError) as caught:
        await connect(server, routes="sites", retry=ONCE).goals.list(1)
    assert (caught.value.retry_after, caught.value.scope) == (after, scope)


def _everything(error: BaseException) -> str:
    """All that could end up in a log."""
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
    server = await serve("2.14")
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
    server = await serve("2.14")
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


# --- redirects ----------------------------------------------------------------------------------


@pytest.fixture
async def other(serve: Serve) -> RybbitServer:
    """A second server, on another port: another origin."""
    return await serve("2.14")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_origin_is_refused(
    serve: Serve, connect: Connect, other: RybbitServer, status: int, method: str
) -> None:
    server = await serve("2.14")
    server.inject(faults.Redirect(f"{other.url}/api/version", status))
    with pytest.raises(APIStatusError, match="credentials go to no other host") as caught:
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
    server = await serve("2.14")
    server.inject(faults.Redirect(to.format(port=server.url.rpartition(":")[2])))
    with pytest.raises(APIStatusError, match="was not followed"):
        await connect(server).request("GET", "/api/version")
    assert len(server.requests) == 1


async def test_a_password_goes_to_no_other_origin(
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
    server = await serve("2.14")
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
    server = await serve("2.14")
    server.inject(faults.Redirect(f"{server.url}/api/sites/1/goals/", 307))
    with pytest.raises(APIStatusError, match="a write is not sent twice"):
        await connect(server).request(method, "/api/sites/1/goals/101")
    assert len(server.requests) == 1


async def test_redirects_in_a_circle_end(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    server.inject(faults.Redirect("/api/version"), times=None)
    with pytest.raises(APIStatusError) as caught:
        await connect(server).request("GET", "/api/version")
    assert caught.value.status == 302
    assert 2 <= len(server.requests) <= 5


# --- the life of a client -----------------------------------------------------------------------


async def test_close_ends_calls_that_are_under_way(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server, routes="sites", max_connections=4)
    with server.hold() as held:
        calls = [asyncio.create_task(client.goals.list(1)) for _ in range(10)]
        await held.reached(4)
        await client.close()
        await client.close()
        results = await settled(*calls)
        assert {type(result) for result in results} == {ClientClosedError}
        await until(lambda: server.connections == server.in_flight == 0)
    assert client.closed
    assert not client_tasks()


@pytest.mark.parametrize("fault", [faults.Stall(), faults.Trickle(10, 60)], ids=["head", "body"])
async def test_close_with_a_session_passed_in_ends_only_its_own_calls(
    serve: Serve, connect: Connect, fault: Any
) -> None:
    server = await serve("2.14")
    async with aiohttp.ClientSession() as session:
        client = connect(server, session=session, routes="sites")
        injected = server.inject(fault, when=lambda request: "page" in request.query)
        call = asyncio.create_task(client.goals.list(1))
        await until(lambda: injected.hits)
        with server.hold() as held:
            theirs = asyncio.create_task(session.request("GET", server.url + "/api/version"))
            await held.reached(1)
            await client.close()
            with pytest.raises(ClientClosedError):
                await call
        async with await theirs as answer:
            assert answer.status == 200


async def test_close_ends_walks_that_are_under_way(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server, routes="sites")
    found: list[Goal] = []
    with server.hold(lambda request: request.query.get("page") == "4") as held:
        walks = [
            asyncio.create_task(take(client.goals.iter(1, page_size=2), found)) for _ in range(3)
        ]
        await held.reached(3)
        await client.close()
        results = await settled(*walks)
        assert {type(result) for result in results} == {ClientClosedError}
        assert len(found) <= 3 * 6
        await until(lambda: server.connections == server.in_flight == 0)
    assert not client_tasks()


async def test_close_in_the_middle_of_ones_own_walk(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server)
    found: list[Goal] = []

    async def walk() -> None:
        async for goal in client.goals.iter(1, page_size=2):
            found.append(goal)
            await client.close()

    with pytest.raises(ClientClosedError, match="closed during this walk"):
        await walk()
    # The page that was there already is given whole.
    assert len(found) == 2
    assert not client_tasks()


async def test_after_close(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server)
    await client.close()
    walk = client.goals.iter(1)
    for call in (
        lambda: client.goals.list(1),
        lambda: client.with_options(timeout=1).goals.list(1),
        lambda: client.goals.create(1, PathGoal("/")),
        lambda: client.goals.sessions.list(1, 101),
        lambda: client.request("GET", "/api/version"),
        walk.collect,
        walk.first,
    ):
        with pytest.raises(ClientClosedError):
            await call()
    assert server.requests == []
    assert isinstance(ClientClosedError("x"), RybbitError)


async def test_a_walk_begun_before_and_continued_after_close(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.14")
    client = connect(server)
    iterator = aiter(client.goals.iter(1, page_size=2, concurrency=1))
    await anext(iterator)
    await client.close()
    await anext(iterator)
    with pytest.raises(ClientClosedError):
        await anext(iterator)


async def test_async_with(serve: Serve) -> None:
    server = await serve("2.14")
    async with RybbitClient(server.api_key, base_url=server.url) as client:
        assert len(await client.goals.list(1)) == 10
        assert not client.closed
    assert client.closed
    await until(lambda: server.connections == 0)
    other = RybbitClient(server.api_key, base_url=server.url)

    async def fail() -> None:
        async with other:
            await other.goals.list(1)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await fail()
    assert other.closed


async def test_closing_a_view_closes_the_client(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server)
    view = client.with_options(concurrency=2)
    await view.close()
    assert client.closed


def test_a_plain_with_says_what_to_write() -> None:
    with pytest.raises(TypeError, match="async with"), RybbitClient("rb_key"):
        pass


def test_a_client_does_not_pickle() -> None:
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(RybbitClient("rb_key"))


def test_making_a_client_needs_no_loop(world: World) -> None:
    """Made in a plain function, used in a loop that begins later."""

    async def main(server: RybbitServer, client: RybbitClient) -> int:
        async with client:
            return len(await client.goals.list(1))

    async def run() -> int:
        async with RybbitServer(store=world.store) as server:
            client = await asyncio.to_thread(RybbitClient, server.api_key, base_url=server.url)
            return await main(server, client)

    early = RybbitClient("rb_key", base_url="http://127.0.0.1:1")
    assert asyncio.run(run()) == 10
    asyncio.run(early.close())


def test_the_repr_has_the_address_and_no_key() -> None:
    client = RybbitClient("rb_0123456789", base_url="https://a.example/base/")
    assert repr(client) == "<RybbitClient https://a.example/base>"
    asyncio.run(client.close())
    assert repr(client) == "<RybbitClient https://a.example/base (closed)>"


# --- where to, and as whom ----------------------------------------------------------------------


async def test_environment(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await serve("2.14")
    monkeypatch.setenv("RYBBIT_API_KEY", f" {server.api_key}\n")
    monkeypatch.setenv("RYBBIT_BASE_URL", server.url + "/")
    async with RybbitClient() as client:
        assert len(await client.goals.list(1)) == 10
    other = server.add_key()
    async with RybbitClient(other) as client:
        await client.goals.list(1)
    assert server.requests[-1].headers["Authorization"] == f"Bearer {other}"
    monkeypatch.setenv("RYBBIT_BASE_URL", "http://127.0.0.1:1")
    async with RybbitClient(base_url=server.url) as client:
        assert len(await client.goals.list(1)) == 10


def test_without_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert repr(RybbitClient()) == "<RybbitClient https://api.rybbit.io>"
    monkeypatch.setenv("RYBBIT_BASE_URL", " ")
    assert repr(RybbitClient()) == "<RybbitClient https://api.rybbit.io>"
    monkeypatch.setenv("RYBBIT_BASE_URL", "analytics.example.com")
    with pytest.raises(InvalidParameterError, match="RYBBIT_BASE_URL"):
        RybbitClient()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "analytics.example.com",
        "/api",
        "ftp://analytics.example.com",
        "https://",
        "https:///api",
        "https://user:password@analytics.example.com",
        "https://rb_key@analytics.example.com",
        "https://analytics.example.com?site=1",
        "https://analytics.example.com#top",
        "https://analytics.example.com:port",
        "https://analytics.example.com:99999",
        "https://analytics example.com",
        "https://analytics.example.com\r\n",
        " https://analytics.example.com",
        "https://аналитика.example",
        5,
        b"https://analytics.example.com",
    ],
)
def test_bad_base_urls(url: Any) -> None:
    with pytest.raises(InvalidParameterError, match="base_url") as caught:
        RybbitClient("rb_key", base_url=url)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "url",
    [
        "http://analytics.example.com",
        "http://10.0.0.1:3001",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://[2001:db8::1]",
    ],
)
def test_plain_http_to_another_machine(url: str) -> None:
    with pytest.raises(InvalidParameterError, match="allow_http=True"):
        RybbitClient("rb_key", base_url=url)
    assert url in repr(RybbitClient("rb_key", base_url=url, allow_http=True))


@pytest.mark.parametrize(
    "url",
    ["http://localhost:3001", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:3001",
     "http://rybbit.localhost", "https://analytics.example.com/base", "HTTPS://EXAMPLE.COM"],
)  # fmt: skip
def test_good_base_urls(url: str) -> None:
    assert url.lower() in repr(RybbitClient("rb_key", base_url=url)).lower()


@pytest.mark.parametrize(
    "key",
    ["", " ", "Bearer rb_key", "rb_key\n", "rb_key\r\nX: y", "rb_ключ", "rb\0key", 5, b"rb_key"],
)
def test_bad_keys(key: Any) -> None:
    with pytest.raises(InvalidParameterError, match="api_key") as caught:
        RybbitClient(key)
    assert "rb_key" not in str(caught.value)


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"concurrency": True},
                                     {"max_connections": 0}, {"max_connections": "9"},
                                     {"max_response_bytes": 0}, {"max_depth": 0},
                                     {"retry": 5}, {"rate_limit": 500}])  # fmt: skip
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        RybbitClient("rb_key", **options)


# --- any other endpoint -------------------------------------------------------------------------


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
    server = await serve("2.14")
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


async def test_request_that_does_not_fit_its_class(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server)
    server.inject(faults.Status(200, {"data": [{"time": "a", "goal_id": "x"}]}))
    with pytest.raises(APIResponseError) as caught:
        await client.request("GET", "/api/sites/1/goals/time-series", cast_to=Series)
    assert caught.value.path.startswith("data[0].")
    with pytest.raises(BadRequestError, match="fortnight"):
        await client.request(
            "GET", "/api/sites/1/goals/time-series", params={"bucket": "fortnight"}
        )


async def test_request_with_a_body_and_without_an_answer(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.14", store)
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
async def test_paths_that_would_lead_elsewhere(serve: Serve, connect: Connect, path: Any) -> None:
    server = await serve()
    with pytest.raises(InvalidParameterError, match="path="):
        await connect(server).request("GET", path)
    assert not server.requests


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"params": {"api_key": "rb_key"}}, "api_key does not belong in a URL"),
        ({"params": {"a": [1, 2]}}, "params: a="),
        ({"params": {"a": {}}}, "params: a="),
        ({"json": {"a": object()}}, "json"),
        ({"json": float("nan")}, "json"),
        ({"json": {1, 2}}, "json"),
        ({"method": "TRACE"}, "^method must be .*, got "),
        ({"method": "GET\r\nX: y"}, "^method must be .*, got "),
    ],
)
async def test_requests_that_make_no_sense(
    serve: Serve, connect: Connect, wrong: dict[str, Any], text: str
) -> None:
    server = await serve()
    client = connect(server)
    with pytest.raises(InvalidParameterError, match=text) as caught:
        await client.request(wrong.pop("method", "POST"), "/api/sites/1/goals", **wrong)
    assert "rb_key" not in str(caught.value)
    assert not server.requests


async def test_with_options(serve: Serve, connect: Connect) -> None:
    server = await serve("2.14")
    client = connect(server, routes="sites", concurrency=8)
    view = client.with_options(concurrency=2)
    assert type(view) is RybbitClient
    await view.goals.iter(1, page_size=1).collect()
    assert server.peak_in_flight <= 2
    server.inject(faults.Stall())
    with pytest.raises(APITimeoutError):
        await client.with_options(timeout=Timeout(total=0.05), retry=ONCE).goals.list(1)
    for wrong in ({"concurrency": 0}, {"timeout": -1}, {"retry": 3}):
        with pytest.raises(InvalidParameterError):
            client.with_options(**wrong)
