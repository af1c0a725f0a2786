"""Walks over many sites and goals of which some fail, and where their warnings point."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from rybbit_async import (
    APIConnectionError,
    APIResponseError,
    ClientClosedError,
    IncompleteWalkError,
    InvalidParameterError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RybbitClient,
    RybbitWarning,
    ServerError,
    Skipped,
)
from rybbit_async.testing import RecordedRequest, RybbitServer, Store, faults

from .conftest import Connect, Serve
from .helpers import END, ONCE, client_tasks, take, until

SITES = [1, 2, 3]
SETTLED = {"start_date": "2026-03-01", "end_date": "2026-03-30"}


@pytest.fixture
def store() -> Any:
    """Three sites with two goals each, which 12 sessions reached: goals 101 to 106."""
    with Store() as made:
        for site in SITES:
            made.add_site(str(site))
            for path in ("/", "/**"):
                made.add_goal(site, "path", {"pathPattern": path})
            made.add_events(
                site,
                [
                    {
                        "timestamp": END.replace(day=20, minute=at),
                        "session_id": f"{site}-{at}",
                        "user_id": "u",
                    }
                    for at in range(12)
                ],
            )
        yield made


@pytest.fixture
async def server(serve: Serve, store: Store) -> RybbitServer:
    return await serve("2.8", store)


@pytest.fixture
def client(server: RybbitServer, connect: Connect) -> RybbitClient:
    return connect(server, routes="sites", retry=ONCE)


def site(number: int) -> Callable[[RecordedRequest], bool]:
    return lambda request: request.path == f"/api/sites/{number}/goals"


def goal(number: int, page: str = "1") -> Callable[[RecordedRequest], bool]:
    return lambda request: (
        f"/goals/{number}/sessions" in request.path and request.query["page"] == page
    )


def walk_all(client: RybbitClient, sites: Any = SITES, **options: Any) -> Any:
    return client.goals.sessions.iter_all(sites, page_size=5, **SETTLED, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("concurrency", [1, 8])
async def test_what_fails_is_left_out_and_named(
    server: RybbitServer, client: RybbitClient, ordered: bool, concurrency: int
) -> None:
    server.inject(faults.Status(500, {"error": "broken"}), times=None, when=site(2))
    server.inject(faults.Reset(), times=None, when=goal(106, "2"))
    walk = walk_all(client, on_error="skip", ordered=ordered, concurrency=concurrency)
    with pytest.warns(RybbitWarning, match="site 2 was skipped: 500 .* broken") as warned:
        rows = await walk.collect()
    pairs = [(row.goal.goal_id, row.session.session_id) for row in rows]
    assert len(set(pairs)) == len(pairs)
    # What had come of a goal that failed half-way was given.
    given = {one: sum(at == one for at, _ in pairs) for one, _ in pairs}
    assert {**given, 106: 5} == {101: 12, 102: 12, 105: 12, 106: 5}
    assert given.get(106, 0) in ((5,) if ordered or concurrency == 1 else (0, 5, 7))
    report = walk.report
    skipped = sorted(report.skipped, key=lambda one: one.site)
    assert [(one.site, one.goal, one.place) for one in skipped] == [
        (2, None, None), (3, 106, None),
    ]  # fmt: skip
    assert [type(one.error) for one in skipped] == [ServerError, APIConnectionError]
    assert "goal 106 of site 3 was skipped: " in str(report.reason)
    assert (report.complete, report.doubtful, len(warned)) == (False, True, 1)
    assert not client_tasks()


async def test_a_strict_walk_raises_at_the_end(server: RybbitServer, client: RybbitClient) -> None:
    server.inject(faults.Status(500), times=None, when=site(1))
    rows: list[Any] = []
    with pytest.raises(IncompleteWalkError, match="site 1 was skipped") as caught:
        await take(walk_all(client, on_error="skip", strict=True), rows)
    assert len(rows) == 48
    assert caught.value.report.skipped[0].site == 1


async def test_by_default_the_first_error_is_raised(
    server: RybbitServer, client: RybbitClient
) -> None:
    server.inject(faults.Status(500), times=None, when=site(2))
    rows: list[Any] = []
    walk = walk_all(client)
    with pytest.raises(ServerError):
        await take(walk, rows)
    assert {row.site for row in rows} == {1}
    assert walk.report.skipped == []
    for wrong in ("ignore", None, True):
        with pytest.raises(InvalidParameterError, match="on_error"):
            walk_all(client, on_error=wrong)


async def test_sites_as_the_caller_passed_them(
    server: RybbitServer, client: RybbitClient, store: Store
) -> None:
    """The key of one is not the caller's, and one does not exist."""
    foreign = store.add_site("foreign", organisation="elsewhere")
    sites = [foreign.string_id, "1", 99]
    walk = walk_all(client, sites, on_error="skip")
    with pytest.warns(RybbitWarning):
        rows = await walk.collect()
    assert {row.site for row in rows} == {"1"}
    assert [(one.site, type(one.error)) for one in walk.report.skipped] == [
        (foreign.string_id, PermissionDeniedError),
        (99, PermissionDeniedError),
    ]


async def test_an_answer_that_is_not_what_it_should_be(
    server: RybbitServer, client: RybbitClient
) -> None:
    server.inject(faults.Status(200, {"data": 5}), when=site(1))
    walk = walk_all(client, on_error="skip")
    with pytest.warns(RybbitWarning):
        assert len(await walk.collect()) == 48
    assert type(walk.report.skipped[0].error) is APIResponseError


@pytest.mark.parametrize("scope", ["daily", "burst"])
async def test_a_rate_limit_is_of_all_and_raised(
    server: RybbitServer, client: RybbitClient, scope: str
) -> None:
    body = {"error": "Rate limit exceeded", "scope": scope, "retryAfter": 5000}
    server.inject(faults.Status(429, body), times=None, when=goal(102))
    walk = walk_all(client, on_error="skip")
    with pytest.raises(RateLimitError):
        await walk.collect()
    assert walk.report.skipped == []


async def test_closing_and_cancelling_are_not_errors_of_a_site(
    server: RybbitServer, client: RybbitClient
) -> None:
    with server.hold(goal(103)) as held:
        walk = walk_all(client, on_error="skip")
        task = asyncio.create_task(walk.collect())
        await held.reached(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert walk.report.skipped == []
        task = asyncio.create_task(walk.collect())
        await held.reached(1)
        await client.close()
        with pytest.raises(ClientClosedError):
            await task
    assert walk.report.skipped == []
    await until(lambda: not client_tasks())


async def test_goals_that_were_asked_for(server: RybbitServer, client: RybbitClient) -> None:
    """One that is not found may be of the site that was left out."""
    walk = walk_all(client, goals=[101, 103], on_error="skip")
    server.inject(faults.Status(500), times=None, when=site(2))
    with pytest.warns(RybbitWarning, match="goals 103 were not found among those"):
        assert len(await walk.collect()) == 12
    server.clear_faults()
    with pytest.raises(NotFoundError, match="goal 999 ") as caught:
        await walk_all(client, goals=[101, 999], on_error="skip").collect()
    assert caught.value.url.endswith("/api/sites/1/goals")


async def test_a_relative_window_is_agreed_on_with_a_site_that_works(
    server: RybbitServer, client: RybbitClient
) -> None:
    server.inject(faults.Status(503), times=None, when=site(1))
    window: dict[str, Any] = {"past_minutes_start": 60 * 24 * 30, "past_minutes_end": 0}
    walk = client.goals.sessions.iter_all(SITES, on_error="skip", **window)
    with pytest.warns(RybbitWarning, match="site 1 was skipped"):
        assert len(await walk.collect()) == 48
    assert [one.site for one in walk.report.skipped] == [1]
    assert "takes no exact times" not in str(walk.report.reason)


async def test_many_that_fail_are_counted_and_few_are_told(
    server: RybbitServer, client: RybbitClient
) -> None:
    walk = walk_all(client, list(range(1, 40)), on_error="skip")
    with pytest.warns(RybbitWarning, match="more was left out, see skipped"):
        assert len(await walk.collect()) == 72
    assert len(walk.report.skipped) == 36
    assert str(walk.report.reason).count("was skipped") == 5


async def test_the_errors_keep_nothing_else_alive(
    server: RybbitServer, client: RybbitClient
) -> None:
    server.inject(faults.Status(500, {"error": "x"}), times=None, when=goal(101, "2"))
    walk = walk_all(client, on_error="skip")
    with pytest.warns(RybbitWarning):
        await walk.collect()
    (one,) = walk.report.skipped
    assert (one.error.__traceback__, one.error.__cause__, one.error.__context__) == (None,) * 3
    reached = gc.get_referents(one.error)
    assert not [thing for thing in reached if inspect.isframe(thing) or inspect.istraceback(thing)]
    assert pickle.loads(pickle.dumps(one)) == one == Skipped(1, 101, error=one.error)


# --- where warnings point -------------------------------------------------------------------------


def line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


async def test_the_warning_of_a_walk_points_at_the_line_that_began_it(
    server: RybbitServer, client: RybbitClient
) -> None:
    server.inject(faults.Status(500), times=None, when=site(2))
    walk = walk_all(client, on_error="skip")

    async def in_a_loop() -> int:
        began = line() + 1
        async for _ in walk:
            await asyncio.sleep(0)
        return began

    async def by_pages() -> int:
        began = line() + 1
        async for _ in walk.pages():
            await asyncio.sleep(0)
        return began

    async def in_a_list() -> int:
        began = line() + 1
        await walk.collect()
        return began

    async def in_tasks() -> int:
        began = line() + 1
        await asyncio.gather(walk.collect(), walk.collect())
        return began

    for use in (in_a_loop, by_pages, in_a_list, in_tasks):
        with pytest.warns(RybbitWarning) as warned:
            began = await use()
        assert {(one.filename, one.lineno) for one in warned} == {(__file__, began)}
