"""What is tried again, over the socket, with a clock that moves by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import attrs
import pytest

from rybbit_async import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    EventGoal,
    NotFoundError,
    PathGoal,
    PermissionDeniedError,
    RateLimitError,
    Retry,
    RybbitClient,
    ServerError,
)
from rybbit_async.testing import RecordedRequest, Store, faults

from ..clock import FakeClock
from .conftest import Connect, Serve
from .helpers import ONCE, lines, login, settled, turns, until, writes

WAITS = [0.1, 0.2, 0.4, 0.8]
"""The waits of the default policy without jitter."""
METHODS = ("GET", "PUT", "DELETE", "POST")


def posts(request: RecordedRequest) -> bool:
    return request.method == "POST"


def deletes(request: RecordedRequest) -> bool:
    return request.method == "DELETE"


async def ask(client: RybbitClient, method: str) -> Any:
    """One request with that method, which the server would answer."""
    path = "/api/sites/1/goals" if method in ("GET", "POST") else "/api/sites/1/goals/7"
    return await client.request(method, path, json={} if method in ("PUT", "POST") else None)


# --- the table ----------------------------------------------------------------------------------

# How many requests are made if the fault stays: for GET, PUT and DELETE, and for POST.
TABLE = [
    (faults.Reset(), 5, 1),
    (faults.Drop(), 5, 1),
    (faults.Status(429), 2, 2),
    (faults.Status(502), 5, 1),
    (faults.Html(502), 5, 1),
    (faults.Status(503), 5, 1),
    (faults.Status(504), 5, 1),
    (faults.Status(408), 5, 1),
    (faults.Status(500), 2, 1),
    (faults.Status(501), 2, 1),
    (faults.Status(400), 1, 1),
    (faults.Status(401), 1, 1),
    (faults.Status(403), 1, 1),
    (faults.Status(404), 1, 1),
    (faults.Status(431), 1, 1),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("fault", "repeatable", "other"),
    [pytest.param(*row, id=repr(row[0]).split(", body")[0]) for row in TABLE],
)
async def test_the_table(
    serve: Serve,
    connect: Connect,
    clock: FakeClock,
    fault: faults.Fault,
    repeatable: int,
    other: int,
    method: str,
) -> None:
    server = await serve()
    client = connect(server)
    expected = other if method == "POST" else repeatable
    injected = server.inject(fault, times=None)
    with pytest.raises((APIConnectionError, APIStatusError)):
        await ask(client, method)
    assert injected.hits == len(server.requests) == expected
    waits = [5.0] if "429" in repr(fault) else WAITS
    assert clock.slept == pytest.approx(waits[: expected - 1])
    assert client.stats.requests == expected
    assert client.stats.retries == expected - 1
    injected.remove()
    server.inject(fault, times=1)
    server.requests.clear()
    result = await settled(ask(client, method))
    assert len(server.requests) == (1 if expected == 1 else 2)
    if method == "GET" and expected > 1:
        assert result[0]["meta"]["total"] == "14"


@pytest.mark.parametrize("method", METHODS)
async def test_a_connection_that_cannot_be_made(
    serve: Serve, connect: Connect, clock: FakeClock, method: str
) -> None:
    server = await serve()
    client = connect(server)
    await server.stop()
    with pytest.raises(APIConnectionError, match="no connection could be made") as caught:
        await ask(client, method)
    assert not caught.value.sent
    assert "carried out" not in str(caught.value)
    assert client.stats.requests == 5
    assert clock.slept == WAITS
    # The server comes back while the client waits, as after a deployment.
    clock.stopped = True
    call = asyncio.create_task(ask(client, method))
    await until(lambda: clock.sleeping)
    await server.start()
    clock.move(0.1)
    await settled(call)
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", METHODS)
async def test_a_response_that_does_not_arrive_in_time(
    serve: Serve, connect: Connect, method: str
) -> None:
    server = await serve()
    injected = server.inject(faults.Stall(), times=None)
    client = connect(server, timeout=0.02, retry=Retry(attempts=2))
    with pytest.raises(APITimeoutError):
        await ask(client, method)
    assert injected.hits == (1 if method == "POST" else 2)


@pytest.mark.parametrize("fault", [faults.ResetInBody(), faults.DropInBody()])
async def test_a_response_that_breaks_off_is_requested_again(
    serve: Serve, connect: Connect, fault: faults.Fault
) -> None:
    server = await serve()
    server.inject(fault, times=4)
    assert len(await connect(server, routes="sites").goals.list(1)) == 10
    assert len(server.requests) == 5


async def test_an_invalid_body_is_not_requested_again(serve: Serve, connect: Connect) -> None:
    server = await serve()
    server.inject(faults.TruncatedJSON(), times=None)
    with pytest.raises(APIResponseError):
        await connect(server, routes="sites").goals.list(1)
    assert len(server.requests) == 1


async def test_full_jitter(serve: Serve, connect: Connect, clock: FakeClock) -> None:
    server = await serve()
    server.inject(faults.Status(503), times=2)
    clock.chance = 0.75
    await connect(server, routes="sites").goals.list(1)
    assert clock.slept == [0.1 * 0.25, 0.2 * 0.25]


async def test_the_deadline_covers_all_attempts(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    server.inject(faults.Before(lambda: clock.move(7)), times=None)
    server.inject(faults.Status(503), times=None)
    client = connect(server, routes="sites", retry=Retry(attempts=100, timeout=30))
    with pytest.raises(ServerError):
        await client.goals.list(1)
    assert len(server.requests) == 5  # the fifth starts at 29.5 s
    assert clock.time() == 36.5


async def test_with_options(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server, routes="sites", retry=Retry(attempts=3))
    server.inject(faults.Status(503), times=None)
    for view, attempts in (
        (client, 3),
        (client.with_options(retry=ONCE), 1),
        (client.with_options(retry=Retry(attempts=7)).with_options(timeout=9), 7),
        (client, 3),
    ):
        server.requests.clear()
        with pytest.raises(ServerError):
            await view.goals.list(1)
        assert len(server.requests) == attempts


async def test_a_walk_retries_its_pages(serve: Serve, connect: Connect) -> None:
    server = await serve()
    chaos = server.chaos(seed=3, rate=0.4, kinds=[faults.Reset(), faults.Status(503)])
    client = connect(server, retry=Retry(attempts=20))
    goals = await client.goals.iter(1, page_size=1).collect()
    assert [goal.goal_id for goal in goals] == sorted({goal.goal_id for goal in goals})
    assert len(goals) == 14
    assert chaos.hits - 14 >= client.stats.retries > 0


async def test_a_sign_in_is_retried_although_it_is_a_post(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.2", store)
    server.inject(faults.Status(503), when=posts)
    server.inject(faults.Reset(handled=True), when=posts)
    client = connect(server, auth=login(server), routes="goals")
    made = await client.goals.create(1, PathGoal("/a"))
    assert [goal.goal_id for goal in store.goals(1)] == [made.goal_id]
    assert lines(server).count("POST /api/auth/sign-in/email") == 3
    assert len(writes(server)) == 1


# --- a POST is never sent twice -----------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        faults.Reset(handled=True),
        faults.Drop(handled=True),
        faults.ResetInBody(),
        faults.DropInBody(),
        faults.Stall(handled=True),
    ],
    ids=repr,
)
async def test_a_create_without_a_response_is_not_repeated(
    serve: Serve, connect: Connect, store: Store, fault: faults.Fault
) -> None:
    server = await serve("2.8", store)
    client = connect(server, routes="sites")
    server.inject(fault, when=posts)
    with pytest.raises(APIConnectionError, match="may have been carried out nevertheless") as lost:
        await client.with_options(timeout=0.2).goals.create(1, PathGoal("/a"))
    assert lost.value.sent
    await turns()
    assert len(store.goals(1)) == len(server.requests) == 1


async def test_a_create_after_a_429_is_made_once(
    serve: Serve, connect: Connect, store: Store, clock: FakeClock
) -> None:
    server = await serve("2.8", store)
    server.inject(faults.Status(429, headers={"Retry-After": "2"}), when=posts)
    await connect(server).goals.create(1, PathGoal("/a"))
    assert len(store.goals(1)) == 1
    assert clock.time() == 2


# --- PUT and DELETE -----------------------------------------------------------------------------


async def test_an_update_without_a_response_is_repeated(
    serve: Serve, connect: Connect, store: Store
) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/"}, name="old")
    server = await serve("2.8", store)
    server.inject(faults.Reset(handled=True), when=lambda request: request.method == "PUT")
    result = await connect(server).goals.update(1, goal, name="new")
    assert result.goal_id == goal
    assert [one.name for one in store.goals(1)] == ["new"]
    first, again = writes(server)
    assert first.body == again.body


@pytest.mark.parametrize("release", ["2.4", "2.8"])
async def test_a_delete_without_a_response_has_succeeded(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/"})
    server = await serve(release, store)
    server.inject(faults.Reset(handled=True), when=deletes)
    result = await connect(server, auth=login(server)).goals.delete(1, goal)
    assert (result.success, result.goal_id) == (True, goal)
    assert [request.status for request in writes(server)] == [None, 404]
    assert store.goals(1) == []


@pytest.mark.parametrize(
    "first",
    [faults.Status(429), faults.Status(408), faults.After(lambda: None)],
    ids=["429", "408", "answered"],
)
async def test_a_goal_that_someone_else_deleted_is_not_found(
    serve: Serve, connect: Connect, store: Store, first: faults.Fault
) -> None:
    """No earlier attempt of this client can have arrived."""
    goal = store.add_goal(1, "path", {"pathPattern": "/"})
    server = await serve("2.8", store)
    server.inject(first, when=deletes)
    server.inject(faults.Status(404, {"error": "Goal not found"}), when=deletes)
    with pytest.raises(NotFoundError) as caught:
        await connect(server).goals.delete(1, goal)
    assert not caught.value.repeated
    assert len(store.goals(1)) == 1


async def test_a_delete_that_is_refused_after_a_lost_response(
    serve: Serve, connect: Connect, store: Store
) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/"})
    server = await serve("2.8", store)
    server.inject(faults.Reset(), when=deletes)
    server.inject(faults.Status(404, {"error": "Site not found"}), when=deletes)
    with pytest.raises(NotFoundError) as caught:
        await connect(server, routes="goals", base_url=server.url).request(
            "DELETE", f"/api/sites/1/goals/{goal}"
        )
    assert caught.value.repeated


# --- Retry-After --------------------------------------------------------------------------------


def in_nine_seconds(clock: FakeClock) -> dict[str, str]:
    return {"Retry-After": format_datetime(clock.now() + timedelta(seconds=9), usegmt=True)}


AFTER: list[tuple[int, Callable[[FakeClock], dict[str, str]], object, float]] = [
    (429, lambda _: {"Retry-After": "7"}, {"error": "x", "retryAfter": 1}, 7),
    (429, lambda _: {"Retry-After": "0.5"}, None, 0.5),
    (429, in_nine_seconds, None, 9),
    (429, lambda _: {}, {"error": "x", "scope": "burst", "retryAfter": 5}, 5),
    (429, lambda _: {"X-Retry-After": "3"}, None, 3),
    (429, lambda _: {"Retry-After": "soon"}, None, 5),
    (429, lambda _: {"Retry-After": "-1"}, None, 5),
    (429, lambda _: {"Retry-After": "inf"}, None, 5),
    (429, lambda _: {"Retry-After": "Fri, 99 Mar 2026 25:00:00 GMT"}, None, 5),
    (503, lambda _: {"Retry-After": "8"}, None, 8),
    (503, in_nine_seconds, None, 9),
]


@pytest.mark.parametrize(("status", "headers", "body", "wait"), AFTER)
async def test_retry_after(
    serve: Serve,
    connect: Connect,
    clock: FakeClock,
    status: int,
    headers: Callable[[FakeClock], dict[str, str]],
    body: object,
    wait: float,
) -> None:
    server = await serve()
    server.inject(faults.Status(status, body, headers(clock)))
    assert len(await connect(server, routes="sites").goals.list(1)) == 10
    assert clock.time() == wait
    assert clock.slept == [wait]


@pytest.mark.parametrize("told", [in_nine_seconds, lambda _: {"Retry-After": "0"}])
async def test_a_retry_after_that_is_over_is_no_busy_loop(
    serve: Serve, connect: Connect, clock: FakeClock, told: Callable[[FakeClock], dict[str, str]]
) -> None:
    server = await serve()
    server.inject(faults.Status(429, None, told(clock)), times=8)
    clock.move(60)
    client = connect(server, routes="sites")
    assert len(await client.goals.list(1)) == 10
    assert clock.slept == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5], abs=1e-5)
    server.inject(faults.Status(429, None, {"Retry-After": "0"}))
    await client.goals.list(1)  # begins with a short pause again
    assert clock.slept[8:] == pytest.approx([0.1], abs=1e-5)


async def test_a_429_that_says_when_uses_up_no_attempt(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    server.inject(faults.Status(429, None, {"Retry-After": "6"}), times=9)
    server.inject(faults.Status(503), skip=0)
    client = connect(server, routes="sites", retry=Retry(attempts=2))
    assert len(await client.goals.list(1)) == 10
    assert clock.time() == pytest.approx(9 * 6 + 0.1)


async def test_a_request_is_not_refused_for_ever(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    server.inject(faults.Status(429, None, {"Retry-After": "1"}), times=None)
    client = connect(server, routes="sites")
    with pytest.raises(RateLimitError, match="Try again in 1 s"):
        await client.goals.list(1)
    assert 55 <= clock.time() <= 60  # the pauses grow to five seconds
    assert len(server.requests) < 20
    with pytest.raises(RateLimitError):
        await client.with_options(retry=ONCE).goals.list(1)


async def test_a_wait_beyond_the_deadline_fails_at_once(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    server.inject(faults.Status(429, {"error": "x", "scope": "burst", "retryAfter": 61}))
    client = connect(server, routes="sites")
    with pytest.raises(RateLimitError, match="Try again in 61 s") as caught:
        await client.goals.list(1)
    assert (caught.value.retry_after, caught.value.scope) == (61, "burst")
    assert clock.time() == 0
    assert len(server.requests) == 1
    # Another call would have to wait, too; it is not sent.
    with pytest.raises(RateLimitError, match=r"not sent.*burst limit.*Try again in 61 s") as again:
        await client.goals.list(1)
    assert (again.value.retry_after, again.value.scope) == (61, "burst")
    assert len(server.requests) == 1
    # A call with a longer deadline waits.
    patient = client.with_options(retry=Retry(timeout=120))
    assert len(await patient.goals.list(1)) == 10
    assert clock.time() == 61
    assert len(await client.goals.list(1)) == 10


async def test_earlier_waits_count_towards_the_deadline(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    server.inject(faults.Status(503, None, {"Retry-After": "40"}), times=None)
    with pytest.raises(ServerError) as caught:
        await connect(server, routes="sites").goals.list(1)
    assert caught.value.retry_after == 40
    assert (clock.time(), len(server.requests)) == (40, 2)


@pytest.mark.parametrize("patience", [60.0, 1e9])
async def test_a_daily_429_raises_at_once(
    serve: Serve, connect: Connect, clock: FakeClock, patience: float
) -> None:
    server = await serve()
    server.inject(faults.Status(429, {"error": "x", "scope": "daily", "retryAfter": 43_200}))
    client = connect(server, routes="sites", retry=Retry(timeout=patience))
    for _ in range(5):
        with pytest.raises(RateLimitError, match="43200 s") as caught:
            await client.goals.list(1)
        assert (caught.value.retry_after, caught.value.scope) == (43_200, "daily")
    assert len(server.requests) == 1
    assert clock.slept == []
    assert client.rate_limit.paused == 43_200
    clock.move(43_200)
    assert len(await client.goals.list(1)) == 10


async def test_a_daily_429_just_before_midnight(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    server.inject(faults.Status(429, {"error": "x", "scope": "daily", "retryAfter": 5}))
    client = connect(server, routes="sites")
    for _ in range(2):
        with pytest.raises(RateLimitError):
            await client.goals.list(1)
    assert clock.slept == []


async def test_ten_requests_a_day(serve: Serve, connect: Connect, clock: FakeClock) -> None:
    """As a 2.4 server has them for keys of its user interface: no answer says how long to wait."""
    server = await serve("2.4")
    client = connect(server, routes="sites")
    used_up = server.inject(
        faults.Status(429, {"error": "Rate limit exceeded"}), times=None, skip=10
    )
    for _ in range(10):
        await client.goals.list(1)
    failed: list[float] = []
    while clock.time() < 600:
        with pytest.raises(RateLimitError, match=r"2\.4 .* ten requests a day") as caught:
            await client.goals.list(1)
        assert (caught.value.retry_after, caught.value.scope) == (None, None)
        failed.append(clock.time())
    assert failed[0] == 5  # tried once again
    assert used_up.hits == 2 * len(failed) <= 14
    assert client.rate_limit.paused == 60
    used_up.remove()
    await client.goals.list(1)
    server.inject(faults.Status(429, {"error": "Rate limit exceeded"}))
    began = clock.time()
    await client.goals.list(1)
    assert clock.time() - began == 5


async def test_many_calls_at_once_that_are_limited(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve("2.4")
    client = connect(server, routes="sites")
    server.inject(faults.Status(429, {"error": "Rate limit exceeded"}), times=None)
    results = await settled(*(client.goals.list(1) for _ in range(8)))
    assert {type(result) for result in results} == {RateLimitError}
    assert len(server.requests) <= 16
    assert client.rate_limit.paused >= 10


# --- the budget ---------------------------------------------------------------------------------


async def test_a_server_that_is_down_gets_few_retries(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    server.inject(faults.Status(503), times=None)
    client = connect(server, routes="sites")
    results = await settled(*(client.goals.list(1) for _ in range(200)))
    assert {type(result) for result in results} == {ServerError}
    assert 250 <= len(server.requests) <= 255  # and not 1,000
    server.requests.clear()
    with pytest.raises(ServerError):
        await client.goals.list(1)
    assert len(server.requests) <= 2
    clock.move(60)
    server.requests.clear()
    with pytest.raises(ServerError):
        await client.goals.list(1)
    assert len(server.requests) == 5


async def test_retries_that_the_server_asks_for_do_not_use_the_budget(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    server.inject(faults.Status(429, None, {"Retry-After": "1"}), times=80)
    client = connect(server, routes="sites", retry=Retry(timeout=1_000))
    assert len(await client.goals.list(1)) == 10
    assert len(server.requests) == 81


# --- cancellation -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [503, 429])
async def test_cancelling_a_wait(
    serve: Serve, connect: Connect, clock: FakeClock, status: int
) -> None:
    server = await serve()
    server.inject(faults.Status(status))
    client = connect(server, routes="sites")
    clock.stopped = True
    call = asyncio.create_task(client.goals.list(1))
    await until(lambda: clock.sleeping)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert clock.sleeping == 0
    assert len(server.requests) == 1
    clock.move(5)
    assert len(await client.goals.list(1)) == 10


async def test_a_cancelled_attempt_is_not_repeated(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    with server.hold() as held:
        call = asyncio.create_task(client.goals.list(1))
        await held.reached(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert len(server.requests) == 1
    assert client.stats.retries == 0


async def test_the_callers_own_timeout_ends_a_wait(
    serve: Serve, connect: Connect, clock: FakeClock
) -> None:
    server = await serve()
    server.inject(faults.Status(503))
    client = connect(server, routes="sites")
    clock.stopped = True
    with pytest.raises(TimeoutError) as caught:
        await asyncio.wait_for(client.goals.list(1), 0.05)
    assert type(caught.value) is TimeoutError
    assert clock.sleeping == 0


# --- ensure -------------------------------------------------------------------------------------

CONFIGS = [PathGoal("/a"), EventGoal("e"), EventGoal("e", "k", 5)]


@pytest.mark.parametrize("config", CONFIGS)
async def test_ensure_creates_a_goal_once_and_then_finds_it(
    serve: Serve, connect: Connect, store: Store, config: Any
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    for other in CONFIGS:
        if other is not config:
            await client.goals.create(1, other, name="A")
    first = await client.goals.ensure(1, config, name="A")
    again = await client.goals.ensure(1, config, name="A")
    any_name = await client.goals.ensure(1, config)
    assert (first.success, first.created) == (True, True)
    assert again == any_name == attrs.evolve(first, created=False)
    assert len(store.goals(1)) == 3
    other_name = await client.goals.ensure(1, config, name="B")
    assert (other_name.goal_id != first.goal_id, other_name.created) == (True, True)
    assert len(store.goals(1)) == 4


@pytest.mark.parametrize(
    "fault",
    [faults.Reset(handled=True), faults.Stall(handled=True), faults.DropInBody(),
     faults.TruncatedJSON()],
    ids=repr,
)  # fmt: skip
async def test_ensure_after_a_lost_response(
    serve: Serve, connect: Connect, store: Store, fault: faults.Fault
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    server.inject(fault, when=posts)
    result = await client.with_options(timeout=0.2).goals.ensure(1, PathGoal("/a"), name="A")
    (made,) = store.goals(1)
    assert (result.success, result.goal_id) == (True, made.goal_id)


@pytest.mark.parametrize(
    ("fault", "error"), [(faults.Reset(), APIConnectionError), (faults.Status(500), ServerError)]
)
async def test_ensure_fails_if_the_goal_was_not_created(
    serve: Serve, connect: Connect, store: Store, fault: faults.Fault, error: type[Exception]
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    server.inject(fault, when=posts)
    with pytest.raises(error):
        await client.goals.ensure(1, PathGoal("/a"))
    assert store.goals(1) == []
    assert (await client.goals.ensure(1, PathGoal("/a"))).success
    assert len(store.goals(1)) == 1


async def test_ensure_that_is_refused(serve: Serve, connect: Connect, store: Store) -> None:
    server = await serve("2.8", store)
    with pytest.raises(PermissionDeniedError):
        await connect(server, server.read_only_key).goals.ensure(1, PathGoal("/a"))
    assert lines(server)[-1] == "POST /api/sites/1/goals"


async def test_concurrent_ensures_create_one_goal(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    calls: list[Awaitable[Any]] = [
        client.goals.ensure(1, PathGoal("/a"), name="A") for _ in range(10)
    ]
    results = await asyncio.gather(*calls)
    assert {result.goal_id for result in results} == {goal.goal_id for goal in store.goals(1)}
    assert [result.created for result in results].count(True) == 1


async def test_concurrent_ensures_of_views_create_one_goal(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    await asyncio.gather(
        *(client.with_options(timeout=9).goals.ensure(1, PathGoal("/a")) for _ in range(5))
    )
    assert len(store.goals(1)) == 1


async def test_a_cancelled_ensure_does_not_block_the_next_one(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server, routes="sites")
    with server.hold(posts) as held:
        first = asyncio.create_task(client.goals.ensure(1, PathGoal("/a")))
        await held.reached(1)
        second = asyncio.create_task(client.goals.ensure(1, PathGoal("/a")))
        first.cancel()
        await asyncio.wait([first])
        await until(lambda: server.in_flight)
    await second
    assert len(store.goals(1)) == 1
