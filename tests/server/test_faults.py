"""Every fault, as a client sees it."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from rybbit_async.testing import faults

from .conftest import NOW, Rig, Serve

NO_ANSWER = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@pytest.fixture
async def one(serve: Serve) -> Rig:
    rig = await serve("2.8")
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/"}, name="n" * 1000)
    return rig


async def ok(rig: Rig) -> bool:
    return (await rig.get(rig.goals())).status == 200


async def until(condition: Callable[[], bool]) -> None:
    """Run the event loop until a condition is true."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the server has no event for this
            await asyncio.sleep(0)


async def connected(rig: Rig) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = rig.server.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def test_status_with_any_body_and_headers(one: Rig) -> None:
    one.server.inject(faults.Status(429, headers={"Retry-After": "7"}))
    reply = await one.get(one.goals())
    assert (reply.status, reply.headers["Retry-After"]) == (429, "7")
    for body, sent in (
        ({"error": "x"}, b'{"error":"x"}'),
        ("plain", b"plain"),
        (b"\x00", b"\x00"),
        ([1], b"[1]"),
    ):
        one.server.inject(faults.Status(503, body))
        reply = await one.get(one.goals())
        assert (reply.status, reply.body) == (503, sent)
    assert await ok(one)


async def test_latency(one: Rig) -> None:
    one.server.inject(faults.Latency(0.05))
    begun = time.perf_counter()
    assert await ok(one)
    assert time.perf_counter() - begun >= 0.05


async def test_latency_of_every_request(one: Rig) -> None:
    one.server.latency = 0.05
    begun = time.perf_counter()
    await asyncio.gather(*[ok(one) for _ in range(8)])
    assert 0.05 <= time.perf_counter() - begun < 0.35
    assert one.server.peak_in_flight == 8
    assert one.server.in_flight == 0


@pytest.mark.parametrize("fault", [faults.Reset(), faults.Drop()])
async def test_no_response_at_all(one: Rig, fault: faults.Fault) -> None:
    await ok(one)
    one.server.inject(fault)
    with pytest.raises(NO_ANSWER):
        await one.get(one.goals())
    assert await ok(one)


async def test_reset_is_a_tcp_reset(one: Rig) -> None:
    one.server.inject(faults.Reset())
    reader, writer = await connected(one)
    writer.write(b"GET /api/version HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize("kind", [faults.Reset, faults.Drop])
async def test_a_response_lost_after_the_request_took_effect(one: Rig, kind: Any) -> None:
    one.server.inject(kind(handled=True))
    body = {"goalType": "path", "config": {"pathPattern": "/new"}}
    with pytest.raises(NO_ANSWER):
        await one.send("POST", one.goals(), json=body)
    assert len(one.store.goals(one.site)) == 2


@pytest.mark.parametrize("fault", [faults.ResetInBody(20), faults.DropInBody(20)])
async def test_a_body_that_ends_early(one: Rig, fault: faults.Fault) -> None:
    one.server.inject(fault)
    headers = {"Authorization": f"Bearer {one.key}"}
    async with one.http.get(one.server.url + one.goals(), headers=headers) as response:
        assert response.status == 200
        assert response.content_length is not None
        assert response.content_length > 1000
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
            await response.read()
    assert await ok(one)


async def test_stall_until_the_client_disconnects(one: Rig) -> None:
    stall = one.server.inject(faults.Stall())
    with pytest.raises(TimeoutError):
        await one.get(one.goals(), timeout=aiohttp.ClientTimeout(total=0.05))
    assert stall.hits == 1
    await until(lambda: not one.server.in_flight)
    assert await ok(one)


async def test_stall_until_the_server_stops(one: Rig) -> None:
    one.server.inject(faults.Stall(handled=True))
    request = asyncio.create_task(one.get(one.goals()))
    await until(lambda: bool(one.server.in_flight))
    await one.server.stop()
    assert one.server.in_flight == 0
    with pytest.raises(NO_ANSWER):
        await request


async def test_close_idle(one: Rig) -> None:
    one.server.inject(faults.CloseIdle())
    reader, writer = await connected(one)
    writer.write(b"GET /api/version HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"version":"2.8.0"}')
    assert b"connection" not in answer.lower()
    writer.close()


async def test_close_idle_late_loses_the_next_request(one: Rig) -> None:
    one.server.inject(faults.CloseIdle(late=True))
    assert await ok(one)
    with pytest.raises(NO_ANSWER):
        await one.get(one.goals())
    assert await ok(one)
    assert [request.status for request in one.server.requests] == [200, None, 200]


async def test_truncated_json(one: Rig) -> None:
    one.server.inject(faults.TruncatedJSON())
    reply = await one.get(one.goals())
    assert (reply.status, len(reply.body)) == (200, int(reply.headers["Content-Length"]))
    with pytest.raises(json.JSONDecodeError):
        assert reply.json


async def test_wrong_content_type(one: Rig) -> None:
    one.server.inject(faults.WrongContentType("text/html"))
    reply = await one.get(one.goals())
    assert reply.headers["Content-Type"] == "text/html"
    assert reply.json["data"]


async def test_html(one: Rig) -> None:
    one.server.inject(faults.Html(504))
    reply = await one.get(one.goals())
    assert (reply.status, reply.headers["Content-Type"]) == (504, "text/html")
    assert reply.body.startswith(b"<html>")


async def test_trickle(one: Rig) -> None:
    whole = (await one.get(one.goals())).body
    one.server.inject(faults.Trickle(chunk=400, seconds=0.01))
    begun = time.perf_counter()
    assert (await one.get(one.goals())).body == whole
    assert time.perf_counter() - begun >= 0.02


async def test_error_body(one: Rig) -> None:
    one.server.inject(faults.ErrorBody("no"))
    reply = await one.get(one.goals())
    assert (reply.status, reply.json) == (200, {"error": "no"})


async def test_gzip(one: Rig) -> None:
    whole = (await one.get(one.goals())).body
    one.server.inject(faults.Gzip())
    reply = await one.get(one.goals())
    assert reply.headers["Content-Encoding"] == "gzip"
    assert int(reply.headers["Content-Length"]) < len(whole)
    assert reply.body == whole


@pytest.mark.parametrize("size", [(5 << 20) + 17, 3 << 20, 100])
async def test_gzip_bomb(one: Rig, size: int) -> None:
    one.server.inject(faults.GzipBomb(size))
    reply = await one.get(one.goals())
    assert int(reply.headers["Content-Length"]) < max(200, size // 500)
    assert len(reply.body) == size
    assert reply.json == {"data": []}


async def sent_by(one: Rig, fault: faults.Fault) -> tuple[bytes, bytes]:
    """The head and the body of a response as they are sent, until the connection is quiet."""
    one.server.inject(fault)
    reader, writer = await connected(one)
    key = one.server.api_key
    head = f"GET {one.goals()} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode())
    sent = await reader.read()
    writer.close()
    await writer.wait_closed()
    return (*sent.split(b"\r\n\r\n", 1), b"")[:2]  # type: ignore[return-value]


async def test_responses_that_cannot_be_read(one: Rig) -> None:
    whole = (await one.get(one.goals())).body
    head, body = await sent_by(one, faults.FalseEncoding("br"))
    assert b"Content-Encoding: br" in head
    assert body == whole
    _, body = await sent_by(one, faults.Gzip(garbage=b"garbage"))
    assert (zlib.decompress(body[:-7], 31), body[-7:]) == (whole, b"garbage")
    head, body = await sent_by(one, faults.MoreHeaders(3, 1_000))
    assert head.count(b"X-More-") == 3
    assert b"X-More-2: " + b"x" * 1_000 in head
    assert body == whole
    head, body = await sent_by(one, faults.BadChunks())
    size, _, rest = body.partition(b"\r\n")
    half = int(size, 16)
    assert b"Transfer-Encoding: chunked" in head
    assert rest == whole[:half] + b"\r\nno chunk\r\n"
    assert await sent_by(one, faults.Raw(b"220 hello\r\n")) == (b"220 hello\r\n", b"")
    assert await ok(one)


async def test_deep_nesting(one: Rig) -> None:
    one.server.inject(faults.DeepNesting(5))
    assert (await one.get(one.goals())).json == {"data": [[[[[]]]]]}


async def test_redirect(one: Rig) -> None:
    one.server.inject(faults.Redirect("https://elsewhere.example/", 307))
    reply = await one.get(one.goals())
    assert (reply.status, reply.headers["Location"]) == (307, "https://elsewhere.example/")


async def test_before_writes_between_two_pages(one: Rig) -> None:
    def write() -> None:
        one.store.add_goal(one.site, "path", {"pathPattern": "/between"})

    one.server.inject(faults.Before(write), skip=1)
    totals = [(await one.get(one.goals())).json["meta"]["total"] for _ in range(3)]
    assert totals == ["1", "2", "2"]


async def test_after_is_called_when_the_response_was_sent(one: Rig) -> None:
    called = asyncio.Event()

    async def write() -> None:
        called.set()

    one.server.inject(faults.After(write))
    assert await ok(one)
    await asyncio.wait_for(called.wait(), 5)


async def test_hold_everything(one: Rig) -> None:
    async with one.server.hold() as held:
        requests = [asyncio.create_task(one.get(one.goals())) for _ in range(3)]
        await held.reached(3)
        assert held.waiting == one.server.in_flight == 3
        requests[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await requests[0]
    assert [(await request).status for request in requests[1:]] == [200, 200]
    assert await ok(one)


async def test_hold_some(one: Rig) -> None:
    with one.server.hold(when=lambda request: request.query.get("page") == "2") as held:
        assert await ok(one)
        waiting = asyncio.create_task(one.get(one.goals(), {"page": 2}))
        await held.reached()
    assert (await waiting).status == 200


# Injection


async def test_times_skip_and_when(one: Rig) -> None:
    server = one.server
    always = server.inject(faults.Status(500), times=None)
    assert [await ok(one) for _ in range(3)] == [False] * 3
    assert always.hits == 3
    always.remove()
    always.remove()
    server.inject(faults.Status(500), times=2, skip=1)
    assert [await ok(one) for _ in range(4)] == [True, False, False, True]
    posts = server.inject(faults.Status(500), when=lambda request: request.method == "POST")
    assert await ok(one)
    assert (await one.send("POST", one.goals(), json={})).status == 500
    assert posts.hits == 1


async def test_faults_apply_in_order_and_those_that_wait_let_later_ones_apply(one: Rig) -> None:
    server = one.server
    for status in (500, 502, 503):
        server.inject(faults.Status(status))
    assert [(await one.get(one.goals())).status for _ in range(4)] == [500, 502, 503, 200]
    server.inject(faults.Latency(0.01))
    server.inject(faults.Status(504))
    assert (await one.get(one.goals())).status == 504
    server.inject(faults.Status(500), times=None)
    server.clear_faults()
    assert await ok(one)


async def test_invalid_arguments(one: Rig) -> None:
    with pytest.raises(TypeError, match=r"must be a fault such as .*, got '503'"):
        one.server.inject("503")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rate must be between 0 and 1, got 2"):
        one.server.chaos(rate=2)


async def test_chaos_is_a_mixture_with_a_seed(one: Rig) -> None:
    async def outcomes() -> list[int]:
        kinds = [faults.Status(500), faults.Status(503), faults.Html(502)]
        chaos = one.server.chaos(seed=7, rate=0.5, kinds=kinds)
        statuses = [(await one.get(one.goals())).status for _ in range(60)]
        assert isinstance(chaos.fault, faults.Chaos)
        assert chaos.hits == 60
        assert sum(chaos.fault.counts.values()) == sum(status != 200 for status in statuses)
        chaos.remove()
        return statuses

    first = await outcomes()
    assert {200, 500, 502, 503} == set(first)
    assert await outcomes() == first


async def test_the_whole_mixture_leaves_nothing(one: Rig, caplog: pytest.LogCaptureFixture) -> None:
    one.store.add_session(one.site, start=NOW)
    one.server.chaos(seed=1, rate=0.9)
    timeout = aiohttp.ClientTimeout(total=0.3)

    async def attempt() -> str:
        try:
            return str((await one.get(one.goals(), timeout=timeout)).status)
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__

    results: list[str] = []
    for _ in range(12):
        results += await asyncio.gather(*[attempt() for _ in range(16)])
    assert {"200", "429", "500", "503", "TimeoutError", "ServerDisconnectedError"} <= set(results)
    one.server.clear_faults()
    assert await ok(one)
    assert one.server.in_flight == 0
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]
    assert not [record for record in caplog.records if record.name == "asyncio"]
