"""Windows that are not settled yet: what a report says, and how to wait until they are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rybbit_async import (
    ClientClosedError,
    IncompleteWalkError,
    InvalidParameterError,
    RybbitClient,
)
from rybbit_async.testing import RybbitServer, Store, faults

from ..clock import FakeClock
from .conftest import Connect, Serve
from .helpers import client_tasks, until

MIDNIGHT = datetime(2026, 3, 31, tzinfo=UTC)
YESTERDAY: dict[str, Any] = {"start_date": "2026-03-30", "end_date": "2026-03-30"}
SETTLED = "it is from 2026-03-31 00:05:00 UTC on"


@pytest.fixture
def clock() -> FakeClock:
    """Two minutes after midnight."""
    return FakeClock(MIDNIGHT + timedelta(minutes=2))


@pytest.fixture
def store() -> Any:
    """Fifty sessions of the day before, the last of them at its end."""
    with Store() as made:
        made.add_site("one")
        made.add_goal(1, "path", {"pathPattern": "/"})
        made.add_events(
            1,
            [
                {
                    "timestamp": MIDNIGHT - timedelta(seconds=1 + at),
                    "session_id": f"s{at:02}",
                    "user_id": "u",
                }
                for at in range(50)
            ],
        )
        yield made


@pytest.fixture
async def server(serve: Serve, store: Store, clock: FakeClock) -> RybbitServer:
    return await serve("2.8", store, clock=clock.now)


@pytest.fixture
def client(server: RybbitServer, connect: Connect) -> RybbitClient:
    return connect(server, routes="sites")


def walks(client: RybbitClient, **options: Any) -> list[Any]:
    given = {**YESTERDAY, **options}
    return [
        client.goals.sessions.iter(1, 101, **given),
        client.sessions.iter(1, **given),
        client.users.iter(1, **given),
        client.goals.sessions.iter_all([1], **given),
    ]


async def begin(client: RybbitClient, **window: Any) -> tuple[list[str], str]:
    """The sessions of the first two pages, and the position after them."""
    walk = client.goals.sessions.iter(1, 101, page_size=10, **window)
    pages = walk.pages()
    got = [await anext(pages), await anext(pages)]
    await pages.aclose()
    position = got[-1].position
    assert position is not None
    return [session.session_id for page in got for session in page], position


# --- what the report says -------------------------------------------------------------------------


async def test_a_report_says_that_the_window_was_not_settled(
    client: RybbitClient, clock: FakeClock
) -> None:
    for walk in walks(client):
        await walk.collect()
        assert SETTLED in walk.report.reason
        assert "may repeat rows" in walk.report.reason
        assert (walk.report.complete, walk.report.doubtful) == (True, False)
    for walk in walks(client, strict=True):
        await walk.collect()
    for walk in walks(client, end_date="2026-03-31"):
        await walk.collect()
        assert "2026-04-01 00:05:00" in walk.report.reason
    everything = client.sessions.iter(1)
    await everything.collect()
    assert "it never is" in str(everything.report.reason)
    clock.move(180)
    for walk in walks(client):
        await walk.collect()
        assert (walk.report.complete, walk.report.reason) == (True, None)


async def test_goals_have_nothing_to_repeat(client: RybbitClient) -> None:
    walk = client.goals.iter(1, **YESTERDAY)
    await walk.collect()
    assert walk.report.reason is None


@pytest.mark.parametrize("later", [0, 600], ids=["not settled", "settled meanwhile"])
async def test_a_walk_that_is_resumed(
    client: RybbitClient, clock: FakeClock, store: Store, later: int
) -> None:
    """Each row comes at least once; twice at most what was changed, or new, in the last seconds."""
    got, position = await begin(client, **YESTERDAY)
    # An event of the last second is stored late: a session that has come moves up, and one is new.
    late = {"timestamp": MIDNIGHT - timedelta(seconds=1), "user_id": "u"}
    store.add_events(1, [{**late, "session_id": "s05"}, {**late, "session_id": "new"}])
    clock.move(later)
    walk = client.goals.sessions.iter(1, 101, page_size=10, **YESTERDAY)
    got += [session.session_id async for page in walk.pages(start=position) for session in page]
    assert {*got} == {"new", *(f"s{at:02}" for at in range(50))}
    assert {one for one in got if got.count(one) > 1} <= {"s05", *(f"s{at:02}" for at in range(30))}
    assert "s05" in got[20:]
    assert "rows may have come before" in str(walk.report.reason)
    assert (SETTLED in str(walk.report.reason)) is not bool(later)
    assert (walk.report.complete, walk.report.doubtful) == (True, False)


@pytest.mark.parametrize("later", [0, 600], ids=["not settled", "settled meanwhile"])
async def test_a_strict_walk_is_not_resumed_where_rows_may_come_twice(
    client: RybbitClient, server: RybbitServer, clock: FakeClock, later: int
) -> None:
    _, position = await begin(client, **YESTERDAY)
    clock.move(later)
    server.requests.clear()
    walk = client.goals.sessions.iter(1, 101, page_size=10, strict=True, **YESTERDAY)
    with pytest.raises(IncompleteWalkError, match="rows may have come before") as caught:
        walk.pages(start=position)
    assert caught.value.report.complete is False
    assert not server.requests
    # The position stays valid.
    relaxed = client.goals.sessions.iter(1, 101, page_size=10, **YESTERDAY)
    assert len([page async for page in relaxed.pages(start=position)]) >= 3


async def test_a_walk_over_a_settled_window_is_exact_whenever_it_is_resumed(
    client: RybbitClient, clock: FakeClock, connect: Connect, server: RybbitServer
) -> None:
    """Also in another process, whose clock is slow, and which has asked the server nothing yet."""
    clock.move(180)
    got, position = await begin(client, **YESTERDAY)
    other = FakeClock(MIDNIGHT - timedelta(hours=1)).drive(connect(server, routes="sites"))
    walk = other.goals.sessions.iter(1, 101, page_size=10, strict=True, **YESTERDAY)
    got += [session.session_id async for page in walk.pages(start=position) for session in page]
    assert got == [f"s{at:02}" for at in range(50)]


async def test_a_relative_window(client: RybbitClient) -> None:
    window: dict[str, Any] = {"past_minutes_start": 60, "past_minutes_end": 0}
    _, position = await begin(client, **window)
    walk = client.goals.sessions.iter(1, 101, page_size=10, strict=True, **window)
    with pytest.raises(IncompleteWalkError, match="rows may have come before"):
        walk.pages(start=position)


# --- waiting --------------------------------------------------------------------------------------


async def test_waiting_until_a_window_is_settled(
    client: RybbitClient, server: RybbitServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    await client.wait_until_settled(1, **YESTERDAY)
    assert clock.now() >= MIDNIGHT + timedelta(minutes=5)
    assert clock.now() - MIDNIGHT < timedelta(minutes=5, seconds=2)
    assert "waiting 180 s, until the window is settled" in caplog.messages
    walk = client.goals.sessions.iter(1, 101, **YESTERDAY)
    await walk.collect()
    assert walk.report.reason is None
    server.requests.clear()
    slept = len(clock.slept)
    await client.wait_until_settled(1, **YESTERDAY)
    await client.wait_until_settled(1, start_date="2024-01-01", end_date="2024-01-31")
    assert (len(server.requests), len(clock.slept)) == (2, slept)


async def test_waiting_for_the_end_of_today(client: RybbitClient, clock: FakeClock) -> None:
    today: dict[str, Any] = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
    await client.wait_until_settled(1, **today, time_zone="America/New_York")
    assert clock.now() - datetime(2026, 4, 1, 4, 5, tzinfo=UTC) < timedelta(seconds=2)
    view = client.with_options(settled_after=timedelta(hours=9))
    await view.wait_until_settled(1, **today)
    assert clock.now() >= datetime(2026, 4, 1, 9, tzinfo=UTC)


async def test_the_clock_of_the_server_decides(
    serve: Serve, connect: Connect, store: Store, clock: FakeClock
) -> None:
    """Here the server's is an hour behind."""
    slow = await serve("2.8", store, clock=lambda: clock.now() - timedelta(hours=1))
    await connect(slow).wait_until_settled(1, **YESTERDAY)
    assert clock.now() >= MIDNIGHT + timedelta(hours=1, minutes=5)


@pytest.mark.parametrize(
    "window",
    [{}, {"past_minutes_start": 60, "past_minutes_end": 30}, {"start_date": "2026-01-01",
     "end_date": "9999-12-31"}],
)  # fmt: skip
async def test_windows_that_are_never_settled(
    client: RybbitClient, server: RybbitServer, window: Any
) -> None:
    with pytest.raises(InvalidParameterError, match="start_date and end_date must be given"):
        await client.wait_until_settled(1, **window)
    assert not server.requests


async def test_closing_the_client_ends_the_waiting(client: RybbitClient, clock: FakeClock) -> None:
    clock.stopped = True
    waiting = asyncio.create_task(client.wait_until_settled(1, **YESTERDAY))
    await until(lambda: clock.sleeping)
    await client.close()
    with pytest.raises(ClientClosedError):
        await waiting
    with pytest.raises(ClientClosedError):
        await client.wait_until_settled(1, **YESTERDAY)
    assert not client_tasks()


async def test_waiting_outlasts_a_server_that_is_away(
    client: RybbitClient, server: RybbitServer, clock: FakeClock
) -> None:
    server.inject(faults.Status(503), times=20, skip=1)
    await client.wait_until_settled(1, **YESTERDAY)
    assert clock.now() >= MIDNIGHT + timedelta(minutes=5)
