"""Live iterators, over a server whose events come late and which is restarted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rybbit_async import (
    InvalidParameterError,
    NotFoundError,
    PermissionDeniedError,
    RybbitClient,
)
from rybbit_async.models import WatchedSession
from rybbit_async.testing import RybbitServer, Store, faults
from rybbit_async.testing.faults import Injection
from rybbit_async.transport.clock import ServerClock

from ..clock import START, FakeClock
from .conftest import Connect, Serve
from .helpers import RELEASES, client_tasks, take


def visit(store: Store, at: float, number: int, page: str = "/thanks") -> None:
    """One page view of a session, so many seconds after the start."""
    store.add_events(
        store.sites()[0],
        [
            {
                "timestamp": START + timedelta(seconds=at),
                "session_id": f"s{number}",
                "user_id": f"u{number}",
                "pathname": page,
                "type": "pageview",
            }
        ],
    )


@pytest.fixture
def goal(store: Store) -> int:
    return store.add_goal(store.sites()[0], "path", {"pathPattern": "/thanks"}, name="Thanks")


async def seen_until(
    client: RybbitClient, clock: FakeClock, end: float, **watch: Any
) -> list[WatchedSession]:
    """What a watch gives until the clock shows ``end``."""
    seen: list[WatchedSession] = []
    await clock.run_until(end, take(client.goals.sessions.watch(1, **watch), seen))
    return seen


async def test_a_goal_that_cannot_be_read_costs_no_session_of_another(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store, goal: int
) -> None:
    """While the second goal is away, sessions reach the first one."""
    second = store.add_goal(store.sites()[0], "path", {"pathPattern": "/more"})
    server: RybbitServer = await serve(store=store, clock=clock.now)
    client = connect(server)
    visit(store, 12, 1)
    visit(store, 45, 2)
    visit(store, 46, 3, "/more")
    away: list[Injection] = []

    def goes_away() -> None:
        of_second = f"/goals/{second}/sessions"
        away.append(
            server.inject(faults.Status(503), times=None, when=lambda r: of_second in r.path)
        )

    clock.at(11, goes_away)
    clock.at(80, lambda: away[0].remove())
    seen = await seen_until(client, clock, 200)
    assert sorted(one.session.session_id for one in seen if one.is_new) == ["s1", "s2", "s3"]


@pytest.mark.parametrize("release", RELEASES[1:])
async def test_each_session_comes_once_and_settled_once(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store, goal: int, release: str
) -> None:
    """An hour with late events and two restarts."""
    delays = {n: (n * 7) % 20 + 0.3 for n in range(41)}
    server: RybbitServer = await serve(
        release,
        store=store,
        clock=clock.now,
        store_delay=lambda event: delays[int(event["session_id"][1:])],
    )
    visit(store, -4_000, 39)  # over before the watch begins
    visit(store, -600, 40)  # goes on when the watch begins
    for number in range(15):
        visit(store, 20 + number * 80, number, "/landing")
        visit(store, 30 + number * 80, number)
        visit(store, 300 + number * 80, number, "/more")
    client = connect(server)
    for down, up in ((400, 425), (900, 950)):
        clock.at(down, server.stop)
        clock.at(up, server.start)
    seen = await seen_until(client, clock, 3_600 + 600)
    assert [one.session.session_id for one in seen if one.settled and one.is_new] == []
    new = [one.session.session_id for one in seen if one.is_new]
    assert sorted(new) == sorted(f"s{number}" for number in range(15))  # not s40, which was there
    for settled in (False, True):
        names = [one.session.session_id for one in seen if one.settled is settled]
        there = ["s40"] if settled else []
        assert sorted(names) == sorted([*there, *(f"s{number}" for number in range(15))])
    for one in seen:
        if one.settled and one.session.session_id != "s40":
            assert one.session.pageviews == 3
            assert one.goal.name == "Thanks"
    assert not client_tasks()


async def test_a_watch_goes_on_in_another_process(
    serve: Serve,
    connect: Connect,
    clock: FakeClock,
    store: Store,
    goal: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Outside of tests, some time has passed since the response that tells the time.
    now = ServerClock.now
    monkeypatch.setattr(ServerClock, "now", lambda one: now(one) + timedelta(seconds=0.4))
    server = await serve(store=store, clock=clock.now, store_delay=5.0)
    for number in range(12):
        visit(store, 10 + number * 20, number)
    client = connect(server)
    position, seen = None, list[tuple[str, bool]]()
    while clock.time() < 3_000 and len(seen) < 24:
        watch = client.goals.sessions.watch(1, goal, start=position)
        one = await anext(watch)
        seen.append((one.session.session_id, one.settled))
        position = watch.position
        clock.move(3)
    assert sorted(seen) == sorted((f"s{n}", settled) for n in range(12) for settled in (0, 1))
    with pytest.raises(InvalidParameterError, match="start must be a position of new sessions"):
        client.goals.sessions.watch(1, start=position)
    with pytest.raises(InvalidParameterError, match="start must be the position of a watch"):
        client.goals.sessions.watch(1, goal, start="x")


async def test_a_watch_goes_on_days_later(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store, goal: int
) -> None:
    server = await serve(store=store, clock=clock.now)
    client = connect(server, routes="sites")
    watch = client.goals.sessions.watch(1)
    visit(store, -2_000, 0)  # over before the watch began
    visit(store, 40, 1)
    assert (await anext(watch)).session.session_id == "s1"
    days = 86_400.0
    for number in range(2, 7):
        visit(store, (number - 1.5) * days, number)
    clock.move(6 * days)
    later = client.goals.sessions.watch(1, start=watch.position)
    seen = [await anext(later) for _ in range(6)]
    assert [(one.session.session_id, one.settled, one.is_new) for one in seen] == [
        (f"s{number}", True, number > 1) for number in range(1, 7)
    ]
    # The days that were made up for are not read again.
    clock.move(120)
    server.requests.clear()
    visit(store, clock.time() - 5, 7)
    assert (await anext(later)).session.session_id == "s7"
    assert {r.query["start_date"] for r in server.requests} == {"2026-04-05"}


async def test_goals_and_sessions_that_are_deleted(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store, goal: int
) -> None:
    client = connect(await serve(store=store, clock=clock.now), routes="sites")
    with pytest.raises(NotFoundError, match="goal 7 is not among the goals of site 1"):
        await anext(client.goals.sessions.watch(1, 7))
    other = store.add_goal(1, "path", {"pathPattern": "/other"})
    clock.at(60, lambda: visit(store, 50, 1))
    clock.at(60, lambda: visit(store, 50, 2, "/other"))
    watch = client.goals.sessions.watch(1)
    assert {(await anext(watch)).goal.goal_id for _ in range(2)} == {goal, other}
    store.delete_goal(other)
    store.insert("DELETE FROM events")
    visit(store, clock.time() + 4_000, 3)
    clock.move(4_000)
    one = await anext(watch)
    assert (one.session.session_id, one.settled) == ("s3", False)
    assert (await anext(watch)).settled
    assert '"s1"' not in watch.position
    watch = client.goals.sessions.watch(1, goal)
    store.delete_goal(goal)
    with pytest.raises(NotFoundError, match=f"goal {goal} is not among"):
        await anext(watch)


async def test_nothing_happens(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store, goal: int
) -> None:
    server = await serve(store=store, clock=clock.now)
    client = connect(server, routes="sites")
    assert await seen_until(client, clock, 3_600) == []
    # One list of goals every 30 seconds, and the head of their sessions every five minutes.
    assert len(server.requests) <= 3_600 / 30 + 3_600 / 300 + 10
    with pytest.raises(TypeError, match="async for"):
        iter(client.goals.sessions.watch(1))


async def test_a_refusal_ends_it(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store, goal: int
) -> None:
    server = await serve(store=store, clock=clock.now)
    client = connect(server, routes="sites")
    server.inject(faults.Status(429, None, {"Retry-After": "600"}))
    clock.at(1_000, lambda: server.disable_key(server.api_key))
    with pytest.raises(PermissionDeniedError):
        await seen_until(client, clock, 5_000)
    assert 1_000 <= clock.time() < 1_100
