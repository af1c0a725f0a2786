"""What a client tells while it works: ``on_event``."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from rybbit_async import (
    Activity,
    AttemptEnded,
    ByKey,
    ClientClosedError,
    IncompleteWalkError,
    InvalidParameterError,
    NotFoundError,
    PageRead,
    Paused,
    Polled,
    RateLimit,
    RateLimitStatus,
    RequestActivity,
    RequestBegun,
    RequestEnded,
    Retry,
    RetryPlanned,
    RybbitClient,
    WalkBegun,
    WalkEnded,
)
from rybbit_async.testing import BucketLimit, faults
from rybbit_async.transport.told_request import ToldRequest

from ..clock import FakeClock
from .conftest import Connect, Serve
from .helpers import ONCE, World, login, take, turns, until

A = TypeVar("A", bound=Activity)

GOALS = "/api/sites/{site}/goals"
PAUSE = {"error": "x", "scope": "burst", "retryAfter": 30}
BY_ID = ByKey[dict[str, Any]](lambda row: row["id"], rising=True, stable=True)


class Log(list[Activity]):
    """What was told, oldest first."""

    def __call__(self, activity: Activity) -> None:
        self.append(activity)

    @property
    def kinds(self) -> str:
        return " ".join(type(one).__name__ for one in self)

    def of(self, kind: type[A]) -> list[A]:
        return [one for one in self if isinstance(one, kind)]

    def one(self, kind: type[A]) -> A:
        (found,) = self.of(kind)
        return found

    def last(self) -> Activity:
        return self[-1]


@pytest.fixture
def log() -> Log:
    return Log()


async def connected(serve: Serve, connect: Connect, **options: Any) -> RybbitClient:
    return connect(await serve(), routes="sites", **options)


# --- requests -----------------------------------------------------------------------------------


async def test_a_call(serve: Serve, connect: Connect, log: Log, world: World) -> None:
    server = await serve()
    client = connect(server, routes="sites", on_event=log)
    await client.goals.list(1, page_size=5)
    url = f"{server.url}/api/sites/1/goals?page=1&page_size=5"
    request = {"request_id": 1, "method": "GET", "route": GOALS, "url": url}
    ended = log.one(AttemptEnded)
    assert log == [
        RequestBegun(**request),
        AttemptEnded(
            **request,
            attempt=1,
            status=200,
            error=None,
            seconds=ended.seconds,
            bytes=client.stats.bytes,
            waited=0.0,
            rate_limit=RateLimitStatus(),
        ),
        RequestEnded(**request, attempts=1, status=200, error=None, seconds=ended.seconds),
    ]
    assert ended.bytes > 100
    assert pickle.loads(pickle.dumps(log)) == log
    assert len({*log}) == 3


async def test_attempts_of_one_request(
    serve: Serve, connect: Connect, log: Log, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites", on_event=log)
    server.inject(faults.Status(503), times=1)
    server.inject(faults.Drop(), times=1)
    await client.goals.list(1)
    assert log.kinds == (
        "RequestBegun AttemptEnded RetryPlanned AttemptEnded RetryPlanned AttemptEnded RequestEnded"
    )
    assert {one.request_id for one in log.of(RequestActivity)} == {1}
    tried = [(one.attempt, one.status, one.error) for one in log.of(AttemptEnded)]
    assert tried == [(1, 503, "ServerError"), (2, None, "APIConnectionError"), (3, 200, None)]
    planned = [(one.attempt, one.wait, one.cause, one.status) for one in log.of(RetryPlanned)]
    assert planned == [(1, 0.1, "ServerError", 503), (2, 0.2, "APIConnectionError", None)]
    ended = log.one(RequestEnded)
    assert (ended.attempts, ended.status, ended.error) == (3, 200, None)
    assert ended.seconds == pytest.approx(0.3)
    assert log.of(AttemptEnded)[0].bytes > 0


async def test_a_request_that_fails(serve: Serve, connect: Connect, log: Log) -> None:
    client = await connected(serve, connect, on_event=log)
    with pytest.raises(NotFoundError):
        await client.request("GET", "/api/none/{x}", path_params={"x": "a b"})
    assert log.kinds == "RequestBegun AttemptEnded RequestEnded"
    begun, ended = log.one(RequestBegun), log.one(RequestEnded)
    assert begun.route == "/api/none/{x}"
    assert begun.url.endswith("/api/none/a%20b")
    assert (ended.attempts, ended.status, ended.error) == (1, 404, "NotFoundError")


async def test_a_request_that_is_cancelled(serve: Serve, connect: Connect, log: Log) -> None:
    server = await serve()
    client = connect(server, routes="sites", on_event=log)
    with server.hold() as held:
        call = asyncio.create_task(client.goals.list(1))
        await held.reached()
        call.cancel()
        await asyncio.wait([call])
    assert log.kinds == "RequestBegun AttemptEnded RequestEnded"
    assert log.one(AttemptEnded).error == log.one(RequestEnded).error == "CancelledError"
    assert log.one(AttemptEnded).status is None


async def test_waiting_for_a_server_that_is_away(
    serve: Serve, connect: Connect, log: Log, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites", on_event=log)
    walk = aiter(client.goals.iter(1, page_size=5, concurrency=1))
    for _ in range(5):
        await anext(walk)
    server.inject(faults.Status(503), times=6)
    assert len([goal async for goal in walk]) == 9
    waits = [one.wait for one in log.of(RetryPlanned)]
    assert None in waits  # until the server is back
    asked = [one for one in log.of(RequestBegun) if one.route == "/api/version"]
    assert asked
    assert {one.walk_id for one in log} == {1}


async def test_what_is_left_of_the_quota(
    serve: Serve, connect: Connect, log: Log, clock: FakeClock
) -> None:
    server = await serve(clock=clock.now, rate_limit=BucketLimit())
    client = connect(server, routes="sites", on_event=log)
    for _ in range(52):
        await client.goals.list(1, page_size=1)
    told = log.of(AttemptEnded)
    assert told[-1].rate_limit == client.rate_limit
    left = [one.rate_limit.daily.remaining for one in told if one.rate_limit.daily]
    assert left == sorted(left, reverse=True)
    assert len(left) == 52
    assert told[0].waited == 0 < told[-1].waited  # it slows down when little is left
    assert not log.of(Paused)


# --- pauses -------------------------------------------------------------------------------------


async def test_a_pause_is_told_to_all_walks_under_way(
    serve: Serve, connect: Connect, log: Log, clock: FakeClock
) -> None:
    server, own, late, gone = await serve(), Log(), Log(), Log()
    client = connect(server, routes="sites")
    walk = client.goals.iter(1, page_size=5, on_event=own)
    await client.goals.iter(1, on_event=gone).first()
    async with walk:
        rows = aiter(walk)
        await anext(rows)
        server.inject(faults.Status(429, body=PAUSE), times=1)
        await client.with_options(on_event=log).goals.list(1)
        await client.goals.iter(1, on_event=late).first()
        server.inject(faults.Status(429, body=PAUSE), times=1)
        await client.goals.list(1)  # nobody is told of this request
    assert log.kinds == ("RequestBegun AttemptEnded Paused RetryPlanned AttemptEnded RequestEnded")
    pause = log.one(Paused)
    assert (pause.scope, pause.seconds, pause.walk_id) == ("burst", 30, None)
    assert pause.request_id == log.one(RequestBegun).request_id
    assert log.one(RetryPlanned).wait == 30
    assert not late.of(Paused) + gone.of(Paused)
    assert own.of(Paused) == [pause, Paused(scope="burst", seconds=30)]


async def test_a_pause_of_the_clients_own_limit_is_told_while_time_goes_on(
    serve: Serve, connect: Connect, log: Log, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ticking() -> float:
        clock._micros += 1
        return clock._micros / 1e6

    monkeypatch.setattr(clock, "time", ticking)
    client = await connected(serve, connect, on_event=log, rate_limit=RateLimit(2, per=600))
    for _ in range(3):
        await client.goals.list(1, page_size=1)
    assert log.one(Paused).seconds == pytest.approx(600, abs=0.001)


async def test_a_pause_of_the_clients_own_limit(
    serve: Serve, connect: Connect, log: Log, clock: FakeClock
) -> None:
    limit = RateLimit(2, per=600)
    client = await connected(serve, connect, on_event=log, rate_limit=limit)
    for _ in range(3):
        await client.goals.list(1, page_size=1)
    pause = log.one(Paused)
    assert (pause.scope, pause.seconds, pause.request_id) == ("rate_limit", 600, 3)
    assert log.of(AttemptEnded)[-1].waited == 600
    clock.stopped = True
    await client.goals.list(1, page_size=1)
    calls = [asyncio.create_task(client.goals.list(1, page_size=1)) for _ in range(2)]
    await until(lambda: len(log.of(Paused)) == 2)
    calls[0].cancel()
    await turns()
    clock.move(600)
    await asyncio.wait(calls)
    assert len(log.of(Paused)) == 2  # the second call went on with the same pause


async def test_the_wait_after_a_429_is_that_of_the_pause(
    serve: Serve, connect: Connect, log: Log
) -> None:
    server = await serve()
    client = connect(server, routes="sites", on_event=log)
    server.inject(faults.Status(429, body=PAUSE | {"retryAfter": 0}), times=1)
    await client.goals.list(1)
    assert log.one(RetryPlanned).wait == log.one(Paused).seconds == 0.1


async def test_a_sign_in_that_is_sent_again(serve: Serve, connect: Connect, log: Log) -> None:
    server = await serve()
    client = connect(server, routes="sites", auth=login(server), on_event=log)
    server.inject(faults.Status(503), times=1)
    await client.goals.list(1)
    begun = [one.route for one in log.of(RequestBegun)]
    assert begun == ["/api/auth/sign-in/email", "/api/auth/sign-in/email", GOALS]
    assert log.kinds == " ".join(["RequestBegun AttemptEnded RequestEnded"] * 3)


# --- walks --------------------------------------------------------------------------------------


async def test_a_walk_with_a_retry_and_a_pause(
    serve: Serve, connect: Connect, log: Log, clock: FakeClock
) -> None:
    server = await serve()
    client = connect(server, routes="sites", on_event=log)
    server.inject(faults.Status(503), times=1)
    server.inject(faults.Status(429, body=PAUSE), times=1)
    walk = client.goals.iter(1, page_size=5, concurrency=1)
    goals = await walk.collect()
    request = "RequestBegun AttemptEnded RequestEnded PageRead "
    assert log.kinds == (
        "WalkBegun RequestBegun AttemptEnded RetryPlanned AttemptEnded Paused RetryPlanned "
        f"AttemptEnded RequestEnded PageRead {request}{request}WalkEnded"
    )
    assert {(one.walk_id, one.walk) for one in log} == {(1, "goals of site 1")}
    pages = log.of(PageRead)
    assert [one.rows for one in pages] == [5, 5, 4]
    assert [one.items for one in pages] == [5, 10, 14]
    assert [one.pages for one in pages] == [1, 2, 3]
    assert pages[-1].total == len(goals) == 14
    assert pages[-1].requests == 3
    ended = log.one(WalkEnded)
    assert ended.error is None
    assert ended.report == walk.report
    assert ended.report is not walk.report
    assert ended.report.skipped is not walk.report.skipped
    assert hash(ended)


async def broken_off(client: RybbitClient) -> None:
    rows = aiter(client.goals.iter(1, page_size=5))
    await anext(rows)
    del rows
    gc.collect()
    await turns()


async def left_with_its_block(client: RybbitClient) -> None:
    walk = client.goals.iter(1, page_size=5)
    async with walk:
        rows = aiter(walk)
        await anext(rows)
    with pytest.raises(Exception, match="ended with its 'async with' block"):
        await take(rows, [])


async def pages_left(client: RybbitClient) -> None:
    pages = client.goals.iter(1, page_size=5).pages()
    await anext(pages)
    await pages.aclose()


async def cancelled(client: RybbitClient) -> None:
    walk = asyncio.create_task(client.goals.iter(1, page_size=5).collect())
    await until(lambda: client.stats.requests)
    walk.cancel()
    await asyncio.wait([walk])


async def closed(client: RybbitClient) -> None:
    rows = aiter(client.goals.iter(1, page_size=5))
    await anext(rows)
    await client.close()
    with pytest.raises(ClientClosedError):
        await take(rows, [])


async def closed_while_it_waits(client: RybbitClient) -> None:
    walk = asyncio.create_task(client.goals.iter(1, page_size=5).collect())
    await until(lambda: client.stats.requests)
    await client.close()
    with pytest.raises(ClientClosedError):
        await walk


async def failed(client: RybbitClient) -> None:
    with pytest.raises(NotFoundError):
        await client.goals.sessions.iter(1, 999_999).collect()


async def incomplete(client: RybbitClient) -> None:
    with pytest.raises(IncompleteWalkError):
        await client.goals.iter(1, page_size=5, strict=True, max_pages=1).collect()


async def limited(client: RybbitClient) -> None:
    assert len(await client.goals.iter(1, page_size=5, limit=7).collect()) == 7


async def first_only(client: RybbitClient) -> None:
    await client.goals.iter(1, page_size=5).first()


async def left_in_the_handler_of_an_error(client: RybbitClient) -> None:
    try:
        raise KeyError
    except KeyError:
        await pages_left(client)


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (broken_off, None),
        (left_with_its_block, None),
        (pages_left, None),
        (left_in_the_handler_of_an_error, None),
        (limited, None),
        (first_only, None),
        (cancelled, "CancelledError"),
        (closed, "ClientClosedError"),
        (closed_while_it_waits, "ClientClosedError"),
        (failed, "NotFoundError"),
        (incomplete, "IncompleteWalkError"),
    ],
)
async def test_a_walk_ends_once(
    serve: Serve, connect: Connect, log: Log, end: Callable[[RybbitClient], Any], error: str | None
) -> None:
    client = await connected(serve, connect, on_event=log)
    await end(client)
    await client.close()
    assert isinstance(log[0], WalkBegun)
    ended = log.one(WalkEnded)
    assert ended is log.last()
    assert ended.error == error
    assert ended.report.complete is False
    assert ended.report.reason or error
    begun = [one.request_id for one in log.of(RequestBegun)]
    assert sorted(one.request_id for one in log.of(RequestEnded)) == begun
    assert begun


async def test_merged_walks_and_calls_at_once(serve: Serve, connect: Connect, log: Log) -> None:
    client = await connected(serve, connect, on_event=log)
    own, walk, site = Log(), client.goals.sessions.iter_all([1, 2], limit=30, on_event=None), 2
    goals = client.goals.iter_all("all", on_event=own)
    await asyncio.gather(walk.collect(), goals.collect(), client.goals.list(site))
    names = {one.walk_id: one.walk for one in log.of(WalkBegun)}
    assert sorted(names.values()) == ["goals of all sites", "sessions of all goals of 2 sites"]
    by_name = {name: number for number, name in names.items()}
    merged = by_name["sessions of all goals of 2 sites"]
    requests = log.of(RequestBegun)
    assert {one.route for one in requests if one.walk_id == merged} == {
        GOALS,
        "/api/sites/{site}/goals/{goal}/sessions",
    }
    everything = by_name["goals of all sites"]
    others = {one.route for one in requests if one.walk_id == everything}
    assert others == {GOALS, "/api/organizations"}  # which sites there are is part of the walk
    assert [one.route for one in requests if one.walk_id is None] == [GOALS]
    assert own == [one for one in log if one.walk_id == everything]
    last = [one for one in log.of(PageRead) if one.walk_id == everything][-1]
    assert last.items == goals.report.items


async def test_a_call_that_reads_pages_is_a_walk(
    serve: Serve, connect: Connect, log: Log, world: World
) -> None:
    client = await connected(serve, connect, on_event=log)
    await client.goals.get(1, world.goal("Pricing seen"))
    assert log.one(WalkBegun).walk == "goals of site 1"
    assert {one.walk_id for one in log} == {1}


async def test_the_events_of_a_session_are_a_walk(serve: Serve, connect: Connect, log: Log) -> None:
    client = await connected(serve, connect, on_event=log)
    session = await client.sessions.iter(1, page_size=1).first()
    assert session is not None
    found = await client.sessions.get(1, session.session_id)
    log.clear()
    events = await found.events.collect()
    assert log.kinds == "WalkBegun PageRead WalkEnded"  # the page came with the session
    assert log.one(PageRead).rows == len(events)


async def test_a_watch(serve: Serve, connect: Connect, clock: FakeClock) -> None:
    own, server = Log(), await serve("2.8", clock=clock.now)
    client = connect(server, routes="sites")
    server.inject(faults.Status(503), times=None, when=lambda _: 12 < clock.time() < 15)

    async def follow() -> None:
        async for _ in client.with_options(retry=ONCE).events.watch(1, on_event=own):
            pass

    await clock.run_until(40, follow())
    assert {(one.walk_id, one.walk) for one in own} == {(1, "new events of site 1")}
    polls = own.of(Polled)
    assert [one.rows for one in polls] == [0] * len(polls)
    assert {one.error for one in polls} == {None, "ServerError"}
    assert [one.wait for one in polls][:2] == [5.0, 7.5]
    assert {one.route for one in own.of(RequestBegun)} >= {"/api/sites/{site}/events"}


# --- who is told --------------------------------------------------------------------------------


async def test_each_is_told_once(serve: Serve, connect: Connect, log: Log) -> None:
    client, view_log, own = await connected(serve, connect, on_event=log), Log(), Log()
    view = client.with_options(on_event=view_log)
    await view.goals.iter(1, on_event=own).collect()
    assert log == view_log == own
    assert log.kinds.startswith("WalkBegun RequestBegun AttemptEnded RequestEnded PageRead")
    for logged in (log, view_log, own):
        logged.clear()
    await view.goals.iter(1, on_event=log).collect()  # the same once more
    assert log == view_log
    assert len(log.of(WalkBegun)) == 1
    assert not own
    view_log.clear()
    await client.goals.list(1)
    assert not view_log


@pytest.mark.parametrize("method", ["append", "__call__"])
async def test_a_method_is_told_once(serve: Serve, connect: Connect, log: Log, method: str) -> None:
    client = await connected(serve, connect, on_event=getattr(log, method))
    await client.goals.iter(1, on_event=getattr(log, method)).collect()
    assert len(log.of(WalkBegun)) == len(log.of(WalkEnded)) == 1


async def test_nothing_is_made_where_nobody_is_told(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    client = await connected(serve, connect)
    for kind in (ToldRequest, RequestBegun, PageRead, WalkBegun, WalkEnded, AttemptEnded):
        monkeypatch.setattr(kind, "__init__", fail)
    assert len(await client.goals.iter(1, page_size=5).collect()) == 14


async def test_what_it_starts_is_no_part_of_the_walk(
    serve: Serve, connect: Connect, log: Log
) -> None:
    calls: list[asyncio.Task[Any]] = []

    def on_event(activity: Activity) -> None:
        log(activity)
        if isinstance(activity, PageRead) or (isinstance(activity, AttemptEnded) and not calls):
            calls.append(asyncio.create_task(client.sites.get(1)))

    client = await connected(serve, connect, on_event=on_event)
    await client.goals.iter(1).collect()
    await asyncio.gather(*calls)
    assert len(calls) == 2
    begun = [(one.walk_id, one.route) for one in log.of(RequestBegun)]
    assert begun.count((None, "/api/sites/{site}")) == 2
    assert begun.count((1, GOALS)) == 1


async def test_walks_of_two_clients(serve: Serve, connect: Connect, log: Log) -> None:
    server, other_log = await serve(), Log()
    other = connect(server, routes="sites", on_event=other_log)

    async def key() -> str:
        await other.goals.list(1, page_size=1)
        return server.api_key

    client = RybbitClient(key, base_url=server.url, routes="sites", on_event=log)
    async with client:
        await client.goals.iter(1).collect()
    assert {one.walk_id for one in log} == {1}
    assert {one.walk_id for one in other_log} == {None}


# --- callables that fail ------------------------------------------------------------------------


async def returns_a_coroutine(_: Activity) -> None: ...


def asks_a_cancelled_future(_: Activity) -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    future.result()


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (lambda _: 1 / 0, "ZeroDivisionError (test_activity.py:"),
        (lambda one: returns_a_coroutine(one), "TypeError (observers.py:"),
        (asks_a_cancelled_future, "CancelledError (test_activity.py:"),
    ],
    ids=["raises", "coroutine", "cancelled"],
)
async def test_one_that_raises_disturbs_nothing(
    serve: Serve,
    connect: Connect,
    log: Log,
    caplog: pytest.LogCaptureFixture,
    wrong: Callable[[Activity], object],
    expected: str,
) -> None:
    client = await connected(serve, connect, on_event=wrong)
    for _ in range(2):
        assert len(await client.goals.iter(1, page_size=5, on_event=log).collect()) == 14
    assert len(log.of(WalkEnded)) == 2
    (line,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert expected in line.getMessage()
    assert "division" not in line.getMessage()


async def test_an_interrupt_is_not_swallowed(serve: Serve, connect: Connect) -> None:
    class Interrupt(BaseException):
        pass

    def stop(activity: Activity) -> None:
        if isinstance(activity, PageRead):
            raise Interrupt

    client = await connected(serve, connect, on_event=stop)
    with pytest.raises(Interrupt):
        await client.goals.iter(1, page_size=5).collect()
    assert await client.goals.list(1)


class Asynchronous:
    async def __call__(self, activity: Activity) -> None: ...


@pytest.mark.parametrize(
    "wrong",
    [5, "print", returns_a_coroutine, functools.partial(returns_a_coroutine), Asynchronous()],
    ids=["int", "str", "function", "partial", "object"],
)
async def test_what_cannot_be_called_is_refused(wrong: Any) -> None:
    client = RybbitClient("rb_key")
    for use in (
        functools.partial(RybbitClient, "rb_key"),
        client.with_options,
        functools.partial(client.goals.iter, 1),
        functools.partial(client.goals.sessions.iter_all, [1]),
        functools.partial(client.events.watch, 1),
        functools.partial(client.goals.sessions.watch, 1),
    ):
        with pytest.raises(InvalidParameterError, match=r"on_event: expected a function"):
            use(on_event=wrong)


# --- secrets ------------------------------------------------------------------------------------


async def sends_its_secret(client: RybbitClient, secret: str) -> None:
    """Use a client so that its secret is in a path, a query and a response."""
    path = {"x": secret}
    for job in (
        client.request("GET", "/api/none/{x}", path_params=path, params={"q": secret}),
        client.request("GET", f"/api/none/{secret}"),
        client.request("POST", "/api/none", json={"x": secret}),
        client.iter(f"/api/none/{secret}", order=BY_ID).collect(),
    ):
        with pytest.raises(Exception):  # noqa: B017, PT011  # they are about what is told
            await job


@pytest.mark.echoes_key
@pytest.mark.parametrize("kind", ["key", "function", "password"])
async def test_no_secret_is_told(serve: Serve, connect: Connect, log: Log, kind: str) -> None:
    server = await serve()
    secret, options = server.api_key, {}
    if kind == "password":
        secret, options = server.password, {"auth": login(server)}
    elif kind == "function":
        options = {"api_key": lambda: secret}
    client = connect(server, routes="sites", on_event=log, retry=Retry(attempts=2), **options)
    await sends_its_secret(client, secret)
    routes = {one.route for one in log.of(RequestBegun)}
    assert "/api/none/***" in routes
    assert ("/api/auth/sign-in/email" in routes) == (kind == "password")
    numbers = [one.request_id for one in log.of(RequestBegun)]
    assert numbers == [*range(1, len(numbers) + 1)]
    told = repr(log) + pickle.dumps(log, 0).decode("latin1")
    assert secret not in told
    assert "authorization" not in told.lower()
    assert "cookie" not in told.lower()


async def test_a_request_without_credentials_never_begins(
    serve: Serve, connect: Connect, log: Log
) -> None:
    def key() -> str:
        raise KeyError

    client = await connected(serve, connect, on_event=log, api_key=key)
    with pytest.raises(KeyError):
        await client.goals.list(1)
    assert not log
