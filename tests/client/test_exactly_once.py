"""Every row exactly once: ties, changes between pages, live windows, smaller pages, many goals."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rybbit_async import (
    APIResponseError,
    BadRequestError,
    GoalSession,
    IncompleteWalkError,
    InvalidParameterError,
    NotFoundError,
    RybbitClient,
    RybbitWarning,
    ServerError,
    Session,
)
from rybbit_async.testing import RecordedRequest, RybbitServer, Store, faults, generate

from ..clock import FakeClock
from .conftest import Connect, Serve
from .helpers import END, client_tasks, lines, raw, raw_path, take, turns

LAST = datetime(2024, 3, 31, 12, tzinfo=UTC)
PAST: Any = {"start_date": "2024-03-01", "end_date": "2024-03-31"}
GOAL = 101
ROWS = 900
BUSY = ((100, 249), (450, 599))
"""Ranks of sessions that end in the same second; all others end in different seconds."""


def identities(sessions: list[Session]) -> list[tuple[str, str | None]]:
    return [(session.session_id, session.user_id) for session in sessions]


def numbers(server: RybbitServer) -> list[int]:
    return [int(request.query["page"]) for request in server.requests]


def page(number: int) -> Callable[[RecordedRequest], bool]:
    return lambda request: request.query.get("page") == str(number)


@pytest.fixture(scope="module")
def busy() -> Iterator[Store]:
    """A goal with two seconds in which many sessions end."""
    with Store() as store:
        site = store.add_site("one")
        store.add_goal(site, "path", {"pathPattern": "/"}, created_at=LAST)
        seconds = [next((low for low, high in BUSY if low <= at <= high), at) for at in range(ROWS)]
        store.add_events(
            site,
            [
                {
                    "timestamp": LAST - timedelta(seconds=second),
                    "session_id": f"s{at:04}",
                    "user_id": f"u{at:04}",
                }
                for at, second in enumerate(seconds)
            ],
        )
        yield store


# --- ties ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "further"), [(25, 2), (500, 1), (899, 0)])
@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_ties_in_a_past_window(
    serve: Serve, connect: Connect, busy: Store, release: str, size: int, further: int
) -> None:
    """A measurement on real servers: simply turning pages loses rows, and this walk does not."""
    server = await serve(release, busy)
    client = connect(server)
    pages = ROWS // size + 1
    rows: list[Any] = []
    for number in range(1, pages + 1):
        path = raw_path(release, 1, GOAL)
        rows += (await raw(client, path, page=number, limit=size, time_zone="UTC", **PAST))["data"]
    naive = {(row["session_id"], row["user_id"]) for row in rows}
    assert len(rows) == ROWS
    assert (len(naive) < ROWS) is (further > 0)

    goal = await client.goals.get(1, GOAL, **PAST)
    server.requests.clear()
    walk = client.goals.sessions.iter(1, goal, page_size=size, **PAST)
    found = identities(await walk.collect())
    assert len(found) == len(set(found)) == ROWS
    report = walk.report
    assert report.requests == report.pages == len(server.requests) == pages + further
    assert (report.complete, report.passes, report.reason) == (True, 1, None)
    assert report.duplicates == ROWS - len(naive)


async def test_ties_in_a_window_that_reaches_the_present(
    serve: Serve, connect: Connect, busy: Store
) -> None:
    server = await serve("2.8", busy)
    walk = connect(server, routes="sites").goals.sessions.iter(
        1, GOAL, page_size=100, ordered=False
    )
    found = identities(await walk.collect())
    assert len(found) == len(set(found)) == ROWS
    assert (walk.report.complete, walk.report.passes) == (True, 2)


async def test_a_walk_resumed_by_another_client(
    serve: Serve, connect: Connect, busy: Store
) -> None:
    server = await serve("2.8", busy)
    first, second = connect(server), connect(server)
    found: list[Session] = []
    position = None
    async for some in first.goals.sessions.iter(1, GOAL, page_size=100, **PAST).pages():
        found += some
        position = some.position
        if len(found) > 500:
            break
    await first.close()
    assert position is not None
    server.requests.clear()
    walk = second.goals.sessions.iter(1, GOAL, page_size=70, concurrency=3, **PAST)
    async for some in walk.pages(start=position):
        found += some
    assert len(found) == len(set(identities(found))) == ROWS
    assert min(int(r.query["page"]) for r in server.requests if r.query["limit"] == "70") == 7
    assert walk.report.complete is True
    for other in (
        second.goals.sessions.iter(1, GOAL + 1, **PAST),
        second.goals.sessions.iter(2, GOAL, **PAST),
        second.goals.sessions.iter(1, GOAL),
        second.goals.iter(1, **PAST),
    ):
        with pytest.raises(InvalidParameterError, match="another query"):
            other.pages(start=position)


# --- changes between pages ----------------------------------------------------------------------


def add_minute_by_minute(store: Store, end: datetime, minutes: range) -> None:
    """Add a session of one page view for each of these minutes before the end."""
    store.add_events(
        1,
        [
            {
                "timestamp": end - timedelta(minutes=at),
                "session_id": f"s{at:02}",
                "user_id": "u",
            }
            for at in minutes
        ],
    )


@pytest.fixture
def moving(store: Store) -> Store:
    """Goal 101 of site 1 with forty sessions, one minute apart."""
    store.add_goal(1, "path", {"pathPattern": "/**"}, created_at=LAST)
    add_minute_by_minute(store, LAST, range(40))
    return store


def gains(store: Store, *sessions: int) -> faults.Before:
    """A fault that adds an event to each of these sessions, in this order."""

    def callback() -> None:
        for at, session in enumerate(sessions, 1):
            store.add_session(
                1,
                end=LAST + timedelta(seconds=at),
                session_id=f"s{session:02}",
                user_id="u",
                pages=("/more",),
            )

    return faults.Before(callback)


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_a_session_that_gains_an_event(
    serve: Serve, connect: Connect, moving: Store, concurrency: int
) -> None:
    """It moves to the head of the list, which has been read already."""
    server = await serve("2.8", moving)
    server.inject(gains(moving, 35), when=page(2))
    walk = connect(server, routes="sites").goals.sessions.iter(
        1, GOAL, page_size=10, concurrency=concurrency
    )
    found = [session.session_id for session in await walk.collect()]
    assert sorted(found) == [f"s{at:02}" for at in range(40)]
    assert found.index("s35") > 30
    assert walk.report.complete is True
    assert walk.report.passes == (2 if concurrency == 1 else 3)


async def test_sessions_above_one_that_moved(serve: Serve, connect: Connect, moving: Store) -> None:
    server = await serve("2.8", moving)
    server.inject(gains(moving, 39, *range(15)), when=page(3))
    walk = connect(server, routes="sites").goals.sessions.iter(1, GOAL, page_size=10, concurrency=1)
    found = [session.session_id for session in await walk.collect()]
    assert sorted(found) == [f"s{at:02}" for at in range(40)]
    assert walk.report.passes > 1


async def test_the_head_of_a_past_window_is_not_read_again(
    serve: Serve, connect: Connect, moving: Store
) -> None:
    server = await serve("2.8", moving)
    walk = connect(server, routes="sites").goals.sessions.iter(
        1, GOAL, page_size=10, concurrency=1, **PAST
    )
    assert len(await walk.collect()) == 40
    assert numbers(server) == [1, 2, 3, 4, 5]


# --- windows that have just ended ---------------------------------------------------------------

HOUR: Any = {"past_minutes_start": 60, "past_minutes_end": 0}
SESSIONS = "GET /api/sites/1/goals/101/sessions"
GOALS = "GET /api/sites/1/goals"


@pytest.fixture
def recent(store: Store) -> Store:
    """Goal 101 of site 1 with thirty sessions, one minute apart; the latest ended a minute ago."""
    store.add_goal(1, "path", {"pathPattern": "/**"})
    add_minute_by_minute(store, END, range(1, 31))
    return store


ALL_RECENT = [f"s{at:02}" for at in range(1, 31)]


def time_passes(clock: FakeClock, seconds: float = 1.0) -> faults.Before:
    return faults.Before(lambda: clock.move(seconds))


@pytest.mark.parametrize("release", ["2.6", "2.8"])
async def test_a_relative_window_is_pinned_if_the_server_accepts_exact_times(
    serve: Serve, connect: Connect, clock: FakeClock, recent: Store, release: str
) -> None:
    """Once for each walk; what the server can do is found out once."""
    server = await serve(release, recent, clock=clock.now)
    client = connect(server, routes="sites")
    server.inject(time_passes(clock), times=None)
    for begun in (2, 7):  # seconds of the two questions, and of the walk before
        walk = client.goals.sessions.iter(1, GOAL, page_size=10, concurrency=1, **HOUR)
        assert [session.session_id for session in await walk.collect()] == ALL_RECENT
        assert (walk.report.complete, walk.report.passes, walk.report.doubtful) == (True, 2, False)
        windows = {
            tuple(request.query.get(f"{edge}_datetime") for edge in ("start", "end"))
            for request in server.requests[-5:]
        }
        ((start, end),) = windows
        # Later than an hour ago, up to that second, which is part of it.
        assert start == f"{END - timedelta(hours=1) + timedelta(seconds=begun + 1):%FT%TZ}"
        assert end == f"{END + timedelta(seconds=begun + 1):%FT%TZ}"
    assert lines(server) == [GOALS] * 2 + [SESSIONS] * 10
    assert all("past_minutes_start" not in request.query for request in server.requests)


@pytest.mark.parametrize(("ago", "passes"), [(0, 2), (5, 2), (6, 1)])
async def test_a_window_is_settled_when_its_end_lies_some_time_back(
    serve: Serve, connect: Connect, recent: Store, ago: int, passes: int
) -> None:
    client = connect(await serve("2.8", recent))
    window: Any = {"past_minutes_start": 60, "past_minutes_end": ago}
    walk = client.goals.sessions.iter(1, GOAL, page_size=4, **window)
    assert [session.session_id for session in await walk.collect()] == ALL_RECENT[max(0, ago - 1) :]
    assert (walk.report.passes, walk.report.complete) == (passes, True)


@pytest.mark.parametrize("after", [59, timedelta(seconds=59), 61])
async def test_how_far_back_can_be_told(
    serve: Serve, connect: Connect, recent: Store, after: float | timedelta
) -> None:
    server = await serve("2.8", recent)
    settled = after != 61
    client = connect(server, settled_after=after)
    for one in (client, connect(server).with_options(settled_after=after)):
        walk = one.goals.sessions.iter(
            1, GOAL, page_size=4, past_minutes_start=60, past_minutes_end=1
        )
        assert len(await walk.collect()) == 30
        assert walk.report.passes == (1 if settled else 2)
    yesterday = client.goals.sessions.iter(
        1, GOAL, page_size=4, start_date="2024-01-01", end_date="2026-03-30"
    )
    assert await yesterday.collect() == []


@pytest.mark.parametrize("release", ["2.2", "2.6", "2.8"])
async def test_rows_at_the_edges_of_a_relative_window(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store, release: str
) -> None:
    """Pinned or not, it has the rows that the server has in it."""
    store.add_goal(1, "path", {"pathPattern": "/**"})
    for second in (-1, 0, 1, 2, 1798, 1799, 1800, 1801):
        end = END - timedelta(hours=1) + timedelta(seconds=second)
        store.add_session(1, end=end, session_id=f"s{second}", pages=["/"])
    server = await serve(release, store, clock=clock.now)
    client = connect(server)
    window: Any = {"past_minutes_start": 60, "past_minutes_end": 30}
    page = await client.goals.sessions.list(1, GOAL, **window)
    there = [session.session_id for session in page]
    assert there == ["s1800", "s1799", "s1798", "s2", "s1"]
    walk = client.goals.sessions.iter(1, GOAL, **window)
    assert [session.session_id for session in await walk.collect()] == there


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("late", [0, 3])
async def test_sessions_that_gain_an_event_that_is_stored_late(
    serve: Serve, connect: Connect, clock: FakeClock, recent: Store, late: int, concurrency: int
) -> None:
    """They move up within the window, once it is stored; after its end it changes nothing."""
    server = await serve("2.8", recent, clock=clock.now)
    client = connect(server, routes="sites")
    assert await client.goals.sessions.iter(1, GOAL, **HOUR).first()

    def gain() -> None:
        for session in (30, 20, 11, 5):
            end = clock.now() - timedelta(seconds=late)
            recent.add_session(
                1, end=end, session_id=f"s{session:02}", user_id="u", pages=("/more",)
            )
        clock.move(1)

    server.inject(faults.Before(gain), skip=1, when=lambda request: "limit" in request.query)
    walk = client.goals.sessions.iter(
        1, GOAL, page_size=4, concurrency=concurrency, strict=True, **HOUR
    )
    assert sorted(session.session_id for session in await walk.collect()) == ALL_RECENT
    assert walk.report.complete is True


async def test_rows_that_appear_some_seconds_below_the_head(
    serve: Serve, connect: Connect, clock: FakeClock, recent: Store
) -> None:
    """A session moves there from the part that has not been read."""
    for second in range(20):
        recent.add_session(1, end=END - timedelta(seconds=second), session_id=f"h{second}")
    server = await serve("2.8", recent, clock=clock.now)
    client = connect(server, routes="sites")
    assert await client.goals.sessions.iter(1, GOAL, **HOUR).first()

    def late() -> None:
        end = END - timedelta(seconds=9)
        recent.add_session(1, end=end, session_id="s30", user_id="u", pages=("/more",))

    server.inject(faults.Before(late), when=page(5))
    walk = client.goals.sessions.iter(1, GOAL, page_size=4, concurrency=1, **HOUR)
    found = [session.session_id for session in await walk.collect()]
    assert Counter(found) == Counter([*ALL_RECENT, *(f"h{second}" for second in range(20))])


@pytest.mark.parametrize("release", ["2.2", "2.4"])
async def test_a_relative_window_that_cannot_be_pinned_is_reported(
    serve: Serve, connect: Connect, clock: FakeClock, recent: Store, release: str
) -> None:
    server = await serve(release, recent, clock=clock.now)
    client = connect(server)
    for _ in range(2):
        walk = client.goals.sessions.iter(1, GOAL, page_size=10, **HOUR)
        assert len(await walk.collect()) == 30
        # No second has passed, so each page had the same window.
        assert "takes no exact times" in str(walk.report.reason)
        assert walk.report.complete is True
        assert walk.report.passes == 2
    asked = [request for request in server.requests if "start_datetime" in request.query]
    assert {request.path for request in asked} <= {"/api/goals/1", "/api/sites/1/goals"}
    assert len(asked) <= 2  # in the other layout, too
    server.requests.clear()
    await client.goals.sessions.list(1, GOAL, **HOUR)
    assert len(server.requests) == 1


async def test_rows_that_leave_a_relative_window_while_it_is_read(
    serve: Serve, connect: Connect, clock: FakeClock, recent: Store
) -> None:
    server = await serve("2.4", recent, clock=clock.now)
    client = connect(server)
    await client.goals.list(1)
    server.inject(time_passes(clock), times=None)
    window: Any = {"past_minutes_start": 31, "past_minutes_end": 0}
    walk = client.goals.sessions.iter(1, GOAL, page_size=10, **window)
    with pytest.warns(RybbitWarning, match="rows that were at its start may be missing"):
        assert len(await walk.collect()) == 30
    assert (walk.report.complete, walk.report.doubtful) == (False, True)
    with pytest.raises(IncompleteWalkError):
        await client.goals.sessions.iter(1, GOAL, page_size=10, strict=True, **window).collect()
    # A single page is a single moment, and a goal does not leave a window.
    whole = (client.goals.sessions.iter(1, GOAL, **window), client.goals.iter(1, **window))
    for one in whole:
        await one.collect()
        assert one.report.complete is True


# --- what the server can do ---------------------------------------------------------------------


async def test_callers_at_once_ask_once(serve: Serve, connect: Connect, recent: Store) -> None:
    server = await serve("2.8", recent)
    client = connect(server, routes="sites")
    walks = [client.goals.sessions.iter(1, GOAL, **HOUR).collect() for _ in range(5)]
    assert [len(rows) for rows in await asyncio.gather(*walks)] == [30] * 5
    assert lines(server).count(GOALS) == 2


async def test_cancelling_the_first_to_ask_does_not_harm_the_others(
    serve: Serve, connect: Connect, recent: Store
) -> None:
    server = await serve("2.8", recent)
    client = connect(server, routes="sites")
    with server.hold(lambda request: "start_datetime" in request.query) as held:
        first, second = (
            asyncio.create_task(client.goals.sessions.iter(1, GOAL, **HOUR).collect())
            for _ in range(2)
        )
        await held.reached(1)
        first.cancel()
        await turns()
    assert len(await second) == 30
    assert lines(server).count(GOALS) == 2


@pytest.mark.parametrize(
    ("release", "goals", "sessions", "takes"),
    [
        ("2.4", True, True, False),
        ("2.4", True, False, None),
        ("2.4", False, True, None),
        ("2.6", True, True, True),
        ("2.6", True, False, None),
        ("2.6", False, True, None),
        ("2.8", True, True, True),
        ("2.8", True, False, True),  # it refuses what is no time
        ("2.8", False, False, True),
    ],
)
async def test_what_a_site_shows(
    serve: Serve,
    connect: Connect,
    store: Store,
    release: str,
    goals: bool,
    sessions: bool,
    takes: bool | None,
) -> None:
    if goals:
        store.add_goal(1, "path", {"pathPattern": "/**"})
    if sessions:
        store.add_session(1, end=END - timedelta(days=90))
    server = await serve(release, store)
    client = connect(server, routes="sites")
    found = [
        await client._context.capabilities.takes_exact_times("1", client._context.options)
        for _ in range(2)
    ]
    assert found == [takes, takes]
    once = 1 if takes is False else 2
    assert len(server.requests) == (once if takes is not None else 2 * once)


async def test_a_site_that_shows_nothing_does_not_answer_for_another(
    serve: Serve, connect: Connect, recent: Store
) -> None:
    recent.add_site("empty")
    server = await serve("2.6", recent)
    client = connect(server, routes="sites")
    empty = client.sessions.iter(2, **HOUR)
    full = client.sessions.iter(1, **HOUR)
    assert [len(rows) for rows in await asyncio.gather(empty.collect(), full.collect())] == [0, 30]
    assert "takes no exact times" in str(empty.report.reason)
    assert "takes no exact times" not in str(full.report.reason)
    # In a walk over both, their lists have one window.
    server.requests.clear()
    both = client.goals.sessions.iter_all([2, 1], **HOUR)
    assert len(await both.collect()) == 30
    assert "takes no exact times" not in str(both.report.reason)
    assert len({r.query.get("start_datetime") for r in server.requests}) == 1


async def test_a_failure_of_the_question_is_not_an_answer(
    serve: Serve, connect: Connect, recent: Store
) -> None:
    server = await serve("2.8", recent)
    client = connect(server, routes="sites")
    down = server.inject(faults.Status(503), times=None)
    with pytest.raises(ServerError):
        await client.goals.sessions.iter(1, GOAL, **HOUR).collect()
    down.remove()
    # The list of goals fails over some goals of old servers.
    broken = server.inject(
        faults.Status(500), times=None, when=lambda request: request.path.endswith("/goals")
    )
    walk = client.goals.sessions.iter(1, GOAL, **HOUR)
    assert len(await walk.collect()) == 30
    assert "takes no exact times" in str(walk.report.reason)
    broken.remove()
    walk = client.goals.sessions.iter(1, GOAL, **HOUR)
    assert len(await walk.collect()) == 30
    assert "takes no exact times" not in str(walk.report.reason)


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_a_server_that_does_not_take_exact_times_any_more(
    serve: Serve, connect: Connect, recent: Store, concurrency: int
) -> None:
    """Its rows are outside the window, which none may be; the next walk asks again."""
    recent.add_session(1, end=END - timedelta(days=400), session_id="old", user_id="u")
    server = await serve("2.6", recent)
    client = connect(server, routes="sites")
    options: Any = {"page_size": 10, "concurrency": concurrency, **HOUR}
    assert len(await client.goals.sessions.iter(1, GOAL, **options).collect()) == 30
    server.release = "2.4"
    with pytest.raises(APIResponseError, match="does not take exact times any more"):
        await client.goals.sessions.iter(1, GOAL, **options).collect()
    walk = client.goals.sessions.iter(1, GOAL, **options)
    assert len(await walk.collect()) == 30
    assert "takes no exact times" in str(walk.report.reason)
    server.release = "2.6"
    walk = client.goals.sessions.iter(1, GOAL, **options)
    assert len(await walk.collect()) == 30  # that it takes them again shows only in its layout


async def test_a_server_that_refuses_exact_times(
    serve: Serve, connect: Connect, recent: Store
) -> None:
    server = await serve("2.8", recent)
    client = connect(server, routes="sites")
    assert len(await client.goals.sessions.iter(1, GOAL, **HOUR).collect()) == 30
    server.inject(faults.Status(400, {"error": "Invalid start_datetime format"}))
    with pytest.raises(BadRequestError, match="start_datetime"):
        await client.goals.sessions.iter(1, GOAL, **HOUR).collect()
    server.requests.clear()
    assert len(await client.goals.sessions.iter(1, GOAL, **HOUR).collect()) == 30
    assert lines(server) == [GOALS, GOALS, SESSIONS]


async def test_another_layout_is_another_release(
    serve: Serve, connect: Connect, recent: Store
) -> None:
    server = await serve("2.2", recent)
    client = connect(server)
    assert len(await client.goals.sessions.iter(1, GOAL, **HOUR).collect()) == 30
    server.release = "2.8"
    await client.goals.list(1)
    walk = client.goals.sessions.iter(1, GOAL, **HOUR)
    assert len(await walk.collect()) == 30
    assert "takes no exact times" not in str(walk.report.reason)
    assert "start_datetime" in server.requests[-1].query


# --- the server's clock -------------------------------------------------------------------------


@pytest.mark.parametrize("off", [timedelta(hours=-7), timedelta(minutes=20)])
async def test_the_time_is_that_of_the_server(
    serve: Serve, connect: Connect, clock: FakeClock, recent: Store, off: timedelta
) -> None:
    server = await serve("2.8", recent, clock=lambda: clock.now() + off)
    client = connect(server, routes="sites")
    walk = client.goals.sessions.iter(1, GOAL, page_size=5, **HOUR)
    await walk.collect()
    assert server.requests[-1].query["end_datetime"] == f"{END + off + timedelta(seconds=1):%FT%TZ}"
    clock.move(90)
    await client.goals.sessions.iter(1, GOAL, page_size=5, **HOUR).first()
    end = END + off + timedelta(seconds=91)
    assert server.requests[-1].query["end_datetime"] == f"{end:%FT%TZ}"


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 31 Mar 1970 12:00:00 GMT", "0"])
async def test_a_server_whose_clock_is_not_set(
    serve: Serve, connect: Connect, clock: FakeClock, recent: Store, date: str
) -> None:
    server = await serve("2.8", recent)
    client = connect(server, routes="sites")
    assert client._context.capabilities.now() == END
    client._transport.server_clock.learn({"Date": date})
    clock.move(5)
    assert client._context.capabilities.now() == END + timedelta(seconds=5)


# --- goals --------------------------------------------------------------------------------------


@pytest.fixture
def many(store: Store) -> Store:
    """Goals 101 to 122 of site 1."""
    for at in range(22):
        config = {"pathPattern": f"/{at}"}
        store.add_goal(1, "path", config, name="abc"[at % 3], created_at=LAST)
    return store


def new_goal(store: Store) -> int:
    return store.add_goal(1, "path", {"pathPattern": "/new"}, name="new")


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_a_goal_deleted_between_pages(
    serve: Serve, connect: Connect, many: Store, concurrency: int
) -> None:
    server = await serve("2.8", many)
    server.inject(faults.Before(lambda: many.delete_goal(102)), when=page(2))
    walk = connect(server, routes="sites").goals.iter(1, page_size=5, concurrency=concurrency)
    goals = await walk.collect()
    found = [goal.goal_id for goal in goals]
    assert len(found) == len(set(found))
    assert set(range(101, 123)) - {102} <= set(found)
    report = walk.report
    assert (report.complete, report.doubtful, report.passes) == (True, False, 2)
    assert "came last" in str(report.reason)
    assert len(server.requests) == report.requests == 10


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_goals_created_and_deleted_between_pages(
    serve: Serve, connect: Connect, many: Store, order: Any
) -> None:
    server = await serve("2.8", many)
    server.inject(faults.Before(lambda: new_goal(many)), when=page(2))
    server.inject(faults.Before(lambda: many.delete_goal(103)), when=page(3))
    server.inject(faults.Before(lambda: many.delete_goal(121)), when=page(4))
    walk = connect(server, routes="sites").goals.iter(
        1, page_size=4, concurrency=1, sort="goalId", order=order
    )
    found = [goal.goal_id for goal in await walk.collect()]
    assert len(found) == len(set(found))
    assert set(range(101, 123)) - {103, 121} <= set(found)
    assert walk.report.complete is True


@pytest.mark.parametrize("verify", [False, True])
async def test_a_change_that_only_verify_detects(
    serve: Serve, connect: Connect, many: Store, verify: bool
) -> None:
    """A goal is deleted and another created between two pages; one more pass finds the lost row."""

    def delete_and_create() -> None:
        many.delete_goal(101)
        new_goal(many)

    server = await serve("2.8", many)
    server.inject(faults.Before(delete_and_create), when=page(3))
    walk = connect(server, routes="sites").goals.iter(1, page_size=5, concurrency=1, verify=verify)
    found = {goal.goal_id for goal in await walk.collect()}
    assert (111 in found) is verify
    assert (walk.report.complete, walk.report.passes) == (True, 1 + verify)
    assert len(server.requests) == 5 * (1 + verify)


async def test_goals_sorted_by_name(serve: Serve, connect: Connect, many: Store) -> None:
    server = await serve("2.8", many)
    walk = connect(server, routes="sites").goals.iter(1, page_size=3, sort="name", order="asc")
    goals = await walk.collect()
    assert sorted(goal.goal_id for goal in goals) == list(range(101, 123))
    late = walk.report.duplicates
    assert late > 0
    names = [goal.name for goal in goals[:-late]]
    assert names == sorted(names, key=str)
    assert str(walk.report.reason).startswith(f"{late} rows came last, out of order")
    assert [r.query["sort"] for r in server.requests] == 8 * ["name"] + 8 * ["goalId"]


@pytest.mark.parametrize("strict", [True, False])
async def test_a_list_that_changes_during_each_pass(
    serve: Serve, connect: Connect, many: Store, strict: bool
) -> None:
    server = await serve("2.8", many)
    server.inject(faults.Before(lambda: new_goal(many)), times=None)
    walk = connect(server, routes="sites").goals.iter(1, page_size=20, strict=strict, concurrency=1)
    found: list[Any] = []
    if strict:
        with pytest.raises(IncompleteWalkError, match="10 passes") as caught:
            await take(walk, found)
        assert caught.value.report is walk.report
    else:
        with pytest.warns(RybbitWarning, match="goals of site 1: .* 10 passes"):
            await take(walk, found)
    assert set(range(101, 123)) <= {goal.goal_id for goal in found}
    assert (walk.report.complete, walk.report.passes) == (False, 10)


async def test_a_walk_over_goals_resumed_after_a_deletion(
    serve: Serve, connect: Connect, many: Store
) -> None:
    server = await serve("2.8", many)
    client = connect(server, routes="sites")
    pages = client.goals.iter(1, page_size=5).pages()
    first = await anext(pages)
    await pages.aclose()
    many.delete_goal(101)
    assert first.position is not None
    walk = client.goals.iter(1, page_size=7)
    rest = [goal.goal_id async for some in walk.pages(first.position) for goal in some]
    assert rest == list(range(106, 123))


# --- pages smaller than requested ---------------------------------------------------------------


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_smaller_pages_of_sessions(
    serve: Serve, connect: Connect, busy: Store, release: str
) -> None:
    server = await serve(release, busy)
    server.cap_page_size = 350
    walk = connect(server).goals.sessions.iter(1, GOAL, concurrency=1, **PAST)
    found = identities(await walk.collect())
    assert len(found) == len(set(found)) == ROWS
    assert walk.report.complete is True
    assert walk.report.requests == 3, "no tie straddles two pages"


async def test_smaller_pages_of_goals(serve: Serve, connect: Connect, many: Store) -> None:
    server = await serve("2.8", many)
    server.cap_page_size = 4
    walk = connect(server, routes="sites").goals.iter(1)
    assert [goal.goal_id for goal in await walk.collect()] == list(range(101, 123))
    assert len(server.requests) == math.ceil(22 / 4)


async def test_a_release_with_its_own_page_size(
    serve: Serve, connect: Connect, many: Store
) -> None:
    server = await serve("2025.06", many)
    walk = connect(server, routes="goals").goals.iter(1, page_size=100)
    assert [goal.goal_id for goal in await walk.collect()] == list(range(101, 123))
    assert numbers(server) == [1, 2, 3]
    assert (walk.report.complete, walk.report.reason) == (True, None)


# --- all goals of many sites --------------------------------------------------------------------

SITES = (1, 2, 3)
Reached = Counter[tuple[Any, int, str]]
"""Triples of site, goal and session."""


@pytest.fixture(scope="module")
def sites() -> Iterator[Store]:
    with Store() as store:
        generate(store, sessions=300, sites=3, days=5, goals=6, end=LAST, seed=3)
        yield store


@pytest.fixture(scope="module")
def truth(sites: Store) -> Reached:
    """Which sessions reached which goals, by the store."""
    from rybbit_async.testing.queries.cache import PageOf
    from rybbit_async.testing.queries.sessions import goal_sessions_page
    from rybbit_async.testing.windows import ALL_TIME

    found: Reached = Counter()
    for site in sites.sites():
        within = sites.queries.within(site, ALL_TIME)
        for goal in sites.goals(site):
            rows = goal_sessions_page(sites.queries, within, goal.condition, PageOf(1, 10**6))
            found.update((site.site_id, goal.goal_id, str(row[0])) for row in rows)
    return found


def of(pairs: list[GoalSession]) -> Reached:
    return Counter((pair.site, pair.goal.goal_id, pair.session.session_id) for pair in pairs)


@pytest.mark.parametrize(
    ("size", "concurrency", "ordered"),
    [(20, 1, False), (20, 2, True), (20, 8, True), (20, 8, False), (1_000, 1, True)],
)
async def test_all_goals_of_many_sites(
    serve: Serve,
    connect: Connect,
    sites: Store,
    truth: Reached,
    size: int,
    concurrency: int,
    ordered: bool,
) -> None:
    server = await serve("2.8", sites)
    client = connect(server, routes="sites")
    walk = client.goals.sessions.iter_all(
        SITES, page_size=size, concurrency=concurrency, ordered=ordered, **PAST
    )
    pairs = await walk.collect()
    assert of(pairs) == truth
    assert server.peak_in_flight <= concurrency
    report = walk.report
    assert (report.complete, report.reason, report.items) == (True, None, len(pairs))
    assert report.requests >= len(server.requests)
    if size == 1_000:
        assert len(server.requests) == 3 * (1 + 6)
    if ordered:
        keys = [(pair.site, pair.goal.goal_id) for pair in pairs]
        assert keys == sorted(keys)


@pytest.mark.parametrize("ordered", [True, False])
async def test_all_goals_share_the_limit_of_requests_in_flight(
    serve: Serve, connect: Connect, sites: Store, truth: Reached, ordered: bool
) -> None:
    server = await serve("2.8", sites)
    client = connect(server, routes="sites")
    walk = client.goals.sessions.iter_all(
        SITES, page_size=5, concurrency=5, ordered=ordered, **PAST
    )
    with server.hold(lambda request: "sessions" in request.path) as held:
        task = asyncio.create_task(walk.collect())
        await held.reached(4)  # one request is reserved for the next goal
        await turns(200)
        assert server.in_flight <= 5
    assert of(await task) == truth
    assert 4 <= server.peak_in_flight <= 5


async def test_sites_given_by_identifier_and_a_single_site(
    serve: Serve, connect: Connect, sites: Store, truth: Reached
) -> None:
    client = connect(await serve("2.8", sites), routes="sites")
    first = sites.sites()[0]
    want = Counter({key: n for key, n in truth.items() if key[0] == 1})
    alone = await client.goals.sessions.iter_all(1, **PAST).collect()
    assert of(alone) == want
    named = await client.goals.sessions.iter_all([first.string_id], **PAST).collect()
    assert {pair.site for pair in named} == {first.string_id}
    assert len(named) == len(alone)
    assert await client.goals.sessions.iter_all([]).collect() == []


async def test_selected_goals_and_one_that_does_not_exist(
    serve: Serve, connect: Connect, sites: Store, truth: Reached
) -> None:
    """The error comes after the last item, when the goals of all sites have been listed."""
    client = connect(await serve("2.8", sites), routes="sites")
    (one, two), missing = [goal.goal_id for goal in sites.goals(2)[:2]], 999
    want = Counter({key: n for key, n in truth.items() if key[1] in (one, two)})
    goal = await client.goals.get(2, one)
    walk = client.goals.sessions.iter_all(SITES, goals=[goal, two], **PAST)
    assert of(await walk.collect()) == want
    found: list[GoalSession] = []
    walk = client.goals.sessions.iter_all(SITES, goals=[one, two, missing], **PAST)
    with pytest.raises(NotFoundError, match="goal 999") as caught:
        await take(walk, found)
    assert caught.value.status == 404
    assert of(found) == want
    assert walk.report.complete is False
    limited = client.goals.sessions.iter_all(SITES, goals=[one, missing], limit=3, **PAST)
    assert len(await limited.collect()) == 3


async def test_a_limit_applies_to_all_goals_together(
    serve: Serve, connect: Connect, sites: Store
) -> None:
    server = await serve("2.8", sites)
    client = connect(server, routes="sites")
    walk = client.goals.sessions.iter_all(SITES, page_size=5, limit=12, concurrency=8, **PAST)
    assert len(await walk.collect()) == 12
    assert walk.report.complete is False
    assert "limit=12" in str(walk.report.reason)
    sessions = [line for line in lines(server) if line.endswith("sessions")]
    assert len(sessions) <= 4


async def test_a_session_that_gains_an_event_while_all_goals_are_walked(
    serve: Serve, connect: Connect, moving: Store
) -> None:
    """Each goal's list is made complete by itself."""
    moving.add_goal(1, "path", {"pathPattern": "/"}, created_at=LAST)
    server = await serve("2.8", moving)

    def second(request: RecordedRequest) -> bool:
        return "sessions" in request.path and request.query["page"] == "2"

    server.inject(gains(moving, 35, 20), when=second)
    walk = connect(server, routes="sites").goals.sessions.iter_all(1, page_size=10, concurrency=2)
    found = Counter((p.goal.goal_id, p.session.session_id) for p in await walk.collect())
    assert found == Counter((goal, f"s{at:02}") for goal in (101, 102) for at in range(40))


@pytest.mark.parametrize("ordered", [True, False])
async def test_ending_a_walk_over_all_goals_early(
    serve: Serve, connect: Connect, sites: Store, ordered: bool
) -> None:
    client = connect(await serve("2.8", sites), routes="sites")
    async with client.goals.sessions.iter_all(SITES, page_size=3, ordered=ordered) as walk:
        async for _ in walk:
            break
    assert not client_tasks()
    await _close_in_the_middle(client, ordered)


async def _close_in_the_middle(client: RybbitClient, ordered: bool) -> None:
    iterator = aiter(client.goals.sessions.iter_all(SITES, page_size=3, ordered=ordered))
    await anext(iterator)
    await client.close()
    assert not client_tasks()
