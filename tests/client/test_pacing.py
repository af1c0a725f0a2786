"""Rate limits of the embedded server, and a client that shares its clock."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from rybbit_async import (
    Allowance,
    APIConnectionError,
    ClientClosedError,
    PermissionDeniedError,
    RateLimit,
    RateLimitError,
    RateLimitStatus,
    Retry,
    RybbitClient,
    Stats,
)
from rybbit_async.testing import BucketLimit, KeyLimit, RybbitServer, faults

from ..clock import FakeClock
from .conftest import Connect, Serve
from .helpers import ONCE, client_tasks, settled, turns, until


def refused(server: RybbitServer) -> int:
    return sum(request.status == 429 for request in server.requests)


PAUSE = {"error": "x", "scope": "burst", "retryAfter": 30}


# --- a bucket that the server announces ---------------------------------------------------------


async def test_sequential_calls_are_never_refused(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve(clock=clock.now, rate_limit=BucketLimit())
    client = connect(server, routes="sites")
    for _ in range(100):
        await client.goals.list(1, page_size=1)
    assert refused(server) == 0
    assert client.stats == Stats(requests=100, bytes=client.stats.bytes)
    assert 10 <= clock.time() <= 15  # fifty requests waited for a fifth of a second each
    assert max(clock.slept) <= 0.2


async def test_fifty_concurrent_walks_cause_no_error_and_one_pause(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve(clock=clock.now, rate_limit=BucketLimit())
    client = connect(server, routes="sites")
    walks = [client.goals.iter(1, page_size=3).collect() for _ in range(50)]
    goals = await asyncio.gather(*walks)
    assert {len(found) for found in goals} == {14}
    assert refused(server) == client.stats.retries
    assert client.stats.pauses <= 1
    # The first fifty were sent before the limit was known.
    assert refused(server) <= 50
    assert clock.time() >= (len(server.requests) - refused(server) - 50) / 5 - 1


async def test_a_bucket_emptied_by_another_client_causes_one_pause_and_no_error(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    """Another client of the same owner has emptied the bucket."""
    server = await serve(clock=clock.now, rate_limit=BucketLimit())
    other, client = connect(server, routes="sites"), connect(server, routes="sites")
    await asyncio.gather(*(other.goals.list(1, page_size=1) for _ in range(50)))
    server.requests.clear()
    walks = [client.goals.iter(1, page_size=5).collect() for _ in range(20)]
    assert {len(found) for found in await asyncio.gather(*walks)} == {14}
    assert 1 <= refused(server) <= 20
    assert client.stats.pauses == 1


async def test_views_and_walks_share_one_budget(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve(clock=clock.now, rate_limit=BucketLimit(burst=10, refill=2))
    client = connect(server, routes="sites")
    await client.goals.list(1, page_size=1)
    for _ in range(15):
        await client.with_options(timeout=9).goals.list(1, page_size=1)
        await client.request("GET", "/api/sites/1/goals")
    assert refused(server) == 0
    assert clock.time() > 10


async def test_the_status_shows_what_is_left(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve(clock=clock.now, rate_limit=BucketLimit(daily=100))
    client = connect(server, routes="sites")
    assert client.rate_limit == RateLimitStatus()
    for _ in range(3):
        await client.goals.list(1)
    assert client.rate_limit == RateLimitStatus(Allowance(50, 47, 1), Allowance(100, 97, 43_200))
    assert client.with_options(timeout=1).rate_limit == client.rate_limit
    server.inject(faults.Status(429, PAUSE))
    with pytest.raises(RateLimitError):
        await client.with_options(retry=ONCE).goals.list(1)
    clock.move(10)
    assert client.rate_limit.paused == 20
    assert client.stats.pauses == 1


async def test_a_server_without_a_limit_has_an_empty_status(serve: Serve, connect: Connect) -> None:
    client = connect(await serve(), routes="sites")
    await client.goals.list(1)
    assert client.rate_limit == RateLimitStatus(None, None, 0.0)


async def test_the_daily_quota_runs_out(serve: Serve, connect: Connect, clock: FakeClock) -> None:
    server = await serve(clock=clock.now, rate_limit=BucketLimit(daily=20))
    client = connect(server, routes="sites")
    found = [await client.goals.list(1, page_size=1) for _ in range(20)]
    assert len(found) == 20
    results = await settled(*(client.goals.list(1) for _ in range(10)))
    assert {type(result) for result in results} == {RateLimitError}
    assert {result.scope for result in results} == {"daily"}
    assert len(server.requests) <= 30
    seen = len(server.requests)
    with pytest.raises(RateLimitError, match="daily limit"):
        await client.goals.iter(1).collect()
    assert len(server.requests) == seen
    clock.move(43_200)
    assert len(await client.goals.list(1)) == 10


# --- a pause ------------------------------------------------------------------------------------


async def paused(client: RybbitClient, server: RybbitServer) -> None:
    server.inject(faults.Status(429, PAUSE))
    with pytest.raises(RateLimitError):
        await client.with_options(retry=ONCE).goals.list(1)
    server.requests.clear()


async def test_a_pause_stops_every_request_that_was_not_sent(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    await paused(client, server)
    clock.stopped = True
    calls = [asyncio.create_task(client.goals.list(1)) for _ in range(5)]
    calls.append(asyncio.create_task(client.goals.iter(1).collect()))
    await until(lambda: clock.sleeping)
    await turns(200)
    assert server.requests == []
    assert clock.sleeping == 1  # one sleeps for all
    clock.move(29.9)
    await turns()
    assert server.requests == []
    clock.move(0.1)
    results: list[Any] = await asyncio.gather(*calls)
    assert [len(result) for result in results] == [10] * 5 + [14]
    assert client.stats.pauses == 1


async def test_waiting_for_a_turn_holds_no_connection(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    """The only connection is free although many requests wait."""
    server = await serve()
    client = connect(server, routes="sites", max_connections=1)
    await paused(client, server)
    clock.stopped = True
    calls = [asyncio.create_task(client.goals.list(1)) for _ in range(5)]
    await until(lambda: clock.sleeping)
    assert client._transport.http._slots._value == 1
    assert client._transport._turns._pacer._in_flight == 0
    clock.move(30)
    await asyncio.gather(*calls)


async def test_first_come_first_served(serve: Serve, connect: Connect, clock: FakeClock) -> None:
    server = await serve(clock=clock.now, rate_limit=BucketLimit(burst=5, refill=1))
    client = connect(server, routes="sites", max_connections=1)
    await paused(client, server)
    calls = []
    for number in range(1, 21):
        calls.append(asyncio.create_task(client.goals.list(1, page=number, page_size=1)))
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    order = [int(request.query["page"]) for request in server.requests if request.status == 200]
    assert order == list(range(1, 21))


async def test_a_late_request_does_not_overtake_those_that_wait(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites", max_connections=1)
    await paused(client, server)
    clock.stopped = True
    calls = [asyncio.create_task(client.goals.list(1, page=number)) for number in (1, 2, 3)]
    await until(lambda: clock.sleeping)
    clock.move(30)  # the pause is over, but those that waited have not run yet
    calls.append(asyncio.create_task(client.goals.list(1, page=4)))
    await asyncio.gather(*calls)
    assert [request.query["page"] for request in server.requests] == ["1", "2", "3", "4"]


async def test_a_request_may_be_cancelled_while_it_waits(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    await paused(client, server)
    clock.stopped = True
    calls = [asyncio.create_task(client.goals.list(1, page=number)) for number in (1, 2, 3)]
    await until(lambda: clock.sleeping)
    for call in (calls[0], calls[1]):  # the one that sleeps for all, and one in the queue
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    await until(lambda: clock.sleeping == 1)
    clock.move(30)
    await calls[2]
    assert [request.query["page"] for request in server.requests] == ["3"]
    # They leave nothing behind: the next call is sent at once.
    assert len(await client.goals.list(1)) == 10


async def test_closing_while_requests_wait(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    await paused(client, server)
    clock.stopped = True
    calls = [asyncio.create_task(client.goals.list(1)) for _ in range(5)]
    calls.append(asyncio.create_task(client.goals.iter(1).collect()))
    await until(lambda: clock.sleeping)
    await client.close()
    results = await settled(*calls)
    assert {type(result) for result in results} == {ClientClosedError}
    assert clock.sleeping == 0
    assert server.requests == []
    assert not client_tasks()
    await until(lambda: server.connections == 0)


async def test_closing_while_a_request_waits_for_its_retry(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    server.inject(faults.Reset())
    clock.stopped = True
    call = asyncio.create_task(client.goals.list(1))
    await until(lambda: clock.sleeping)
    await client.close()
    with pytest.raises(ClientClosedError):
        await call
    assert clock.sleeping == 0


async def test_a_second_429_after_a_pause_pauses_again(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    server.inject(faults.Status(429, None, {"Retry-After": "3"}), times=2)
    client = connect(server, routes="sites")
    await client.goals.list(1)
    assert client.stats.pauses == client.stats.retries == 2
    assert clock.time() == 6


# --- a limit that the server does not announce --------------------------------------------------


@pytest.mark.parametrize("release", ["2.2", "2.4"])
async def test_a_key_that_is_paced_is_never_used_up(
    serve: Serve, connect: Connect, clock: FakeClock, release: str
) -> None:
    server = await serve(release, clock=clock.now, rate_limit=KeyLimit(20, 600))
    client = connect(server, rate_limit=RateLimit(20, per=600), concurrency=1)
    for _ in range(8):
        await client.goals.iter(1, page_size=2).collect()
    statuses = {request.status for request in server.requests if "api/goals" not in request.path}
    assert statuses <= {200}
    rests = [slept for slept in clock.slept if slept > 1]
    assert len(rests) == (len(server.requests) - 1) // 20 >= 2
    assert clock.time() == pytest.approx(600 * len(rests), abs=1)


async def test_a_key_that_is_not_paced_is_used_up(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve("2.4", clock=clock.now, rate_limit=KeyLimit(20, 600))
    client = connect(server, routes="sites")
    for _ in range(20):
        await client.goals.list(1)
    clock.move(42)
    with pytest.raises(PermissionDeniedError, match=r"worked 42 s ago.*rate_limit=RateLimit"):
        await client.goals.list(1)


async def test_the_rest_is_waited_for_whatever_its_length(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    """The caller asked for it, so that it does not count towards the deadline."""
    server = await serve()
    client = connect(server, routes="sites", rate_limit=RateLimit(2, per=600), retry=ONCE)
    clock.move(10)
    for _ in range(5):
        await client.goals.list(1)
    assert clock.time() == 10 + 2 * 600
    assert client.stats.pauses == 0


async def test_failed_requests_count_too(serve: Serve, connect: Connect, clock: FakeClock) -> None:
    server = await serve()
    client = connect(server, routes="sites", rate_limit=RateLimit(2, per=600), retry=ONCE)
    server.inject(faults.Reset(), times=2)
    for _ in range(2):
        with pytest.raises(APIConnectionError):
            await client.goals.list(1)
    assert clock.time() == 0
    await client.goals.list(1)
    assert clock.time() == 600


# --- statistics ---------------------------------------------------------------------------------


async def test_stats(serve: Serve, connect: Connect, clock: FakeClock) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    assert client.stats == Stats(0, 0, 0, 0)
    page = await client.request("GET", "/api/version")
    assert page == {"version": "2.8.0"}
    assert client.stats == Stats(requests=1, bytes=len(b'{"version":"2.8.0"}'))
    server.inject(faults.Status(503, b"busy"))
    server.inject(faults.Status(429, b"busy"))
    before = client.stats
    await client.with_options(timeout=9).request("GET", "/api/version")
    after = client.stats
    assert before == Stats(requests=1, bytes=19)  # a value, not a view
    assert after == Stats(requests=4, retries=2, pauses=1, bytes=19 + 4 + 4 + 19)
    server.inject(faults.Gzip())
    await client.request("GET", "/api/version")
    assert client.stats.bytes == after.bytes + 19  # counted after decompression


async def test_a_deadline_does_not_run_while_a_call_waits_for_its_turn(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites", retry=Retry(timeout=35, wait_initial=10, wait_max=10))
    await paused(client, server)
    server.inject(faults.Status(503), times=2)
    await client.goals.list(1)  # 30 s for its turn, and two waits of 10 s
    assert clock.time() == 50
    gaps = [b - a for a, b in itertools.pairwise(clock.slept)]
    assert gaps == [-20, 0]
