"""Walks over the lists of many sites as one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from rybbit_async import (
    AuthenticationError,
    GoalOfSite,
    InvalidParameterError,
    PermissionDeniedError,
    RybbitWarning,
    SessionOfSite,
)
from rybbit_async.testing import Store

from .conftest import Connect, Serve
from .helpers import END, client_tasks

WINDOW: dict[str, Any] = {"start_date": "2026-03-01", "end_date": "2026-03-30"}
SIZES = [130, 3, 0, 41, 1]
"""How many sessions each site has; three of them end in each second."""


@pytest.fixture(scope="module")
def five() -> Iterator[Store]:
    with Store() as made:
        for number, sessions in enumerate(SIZES, 1):
            site = made.add_site(f"site {number}")
            made.add_events(
                site,
                [
                    {
                        "timestamp": END - timedelta(days=2, seconds=at // 3),
                        "session_id": f"{number}-{at:03}",
                        "user_id": f"u{at}",
                    }
                    for at in range(sessions)
                ],
            )
            for _ in range(number - 1):
                made.add_goal(site, "path", {"pathPattern": "/"}, created_at=END)
        yield made


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_the_sessions_of_many_sites(
    serve: Serve, connect: Connect, five: Store, release: str, ordered: bool
) -> None:
    server = await serve(release, five)
    client = connect(server)
    for size, concurrency in ((20, 4), (1000, 1)):
        server.requests.clear()
        walk = client.sessions.iter_all(
            [4, 1, 3, 1, 2], page_size=size, ordered=ordered, concurrency=concurrency, **WINDOW
        )
        rows = await walk.collect()
        assert {type(row) for row in rows} == {SessionOfSite}
        assert sorted((row.site, row.session.session_id) for row in rows) == [
            (site, f"{site}-{at:03}") for site in (1, 2, 3, 4) for at in range(SIZES[site - 1])
        ]
        assert walk.report.complete
        assert walk.report.items == 174
        if ordered:
            assert [*dict.fromkeys(row.site for row in rows)] == [4, 1, 2]


@pytest.mark.parametrize("ordered", [True, False])
async def test_the_goals_of_many_sites(
    serve: Serve, connect: Connect, five: Store, ordered: bool
) -> None:
    identifier = five.sites()[2].string_id
    client = connect(await serve("2.8", five))
    walk = client.goals.iter_all([1, 2, identifier, 5], page_size=2, ordered=ordered, **WINDOW)
    rows = await walk.collect()
    assert {type(row) for row in rows} == {GoalOfSite}
    assert [row.site for row in rows].count(identifier) == 2
    assert len({row.goal.goal_id for row in rows}) == len(rows) == 0 + 1 + 2 + 4
    assert walk.report.complete
    if ordered:
        assert [row.goal.goal_id for row in rows] == sorted(row.goal.goal_id for row in rows)
    assert [row.goal.goal_id async for row in client.goals.iter_all(2)] == [rows[0].goal.goal_id]


async def test_one_window_and_one_limit(serve: Serve, connect: Connect, five: Store) -> None:
    server = await serve("2.8", five)
    client = connect(server, routes="sites")
    walk = client.sessions.iter_all(
        [1, 2, 3, 4, 5], past_minutes_start=60 * 24 * 3, past_minutes_end=0, page_size=20, limit=50
    )
    rows = await walk.collect()
    assert len(rows) == 50
    assert (walk.report.reason or "").endswith("limit=50 was reached")
    pages = [r for r in server.requests if r.path.endswith("/sessions")]
    assert len({r.query["start_datetime"] for r in pages}) == 1
    assert len(pages) < 9
    assert not client_tasks()
    server.requests.clear()
    few = client.sessions.iter_all([1, 2, 3, 4, 5], page_size=20, max_pages=3, **WINDOW)
    assert 0 < len(await few.collect()) < 175
    assert len(server.requests) == 3


async def test_many_sites_share_the_requests(serve: Serve, connect: Connect, five: Store) -> None:
    """No more pages at once than was asked for, and in order the first list has most of them."""
    server = await serve("2.8", five)
    client = connect(server, routes="sites")
    for ordered in (True, False):
        walk = client.sessions.iter_all(
            [1, 4], page_size=3, concurrency=5, ordered=ordered, **WINDOW
        )
        async with walk:
            rows = aiter(walk)
            for taken in range(1, 40):
                await anext(rows)
                assert len(client_tasks()) <= 5 + 2
                assert walk.report.requests <= taken // 3 + 2 * 5
    assert not client_tasks()


async def test_every_site_of_a_key(serve: Serve, connect: Connect, five: Store) -> None:
    client = connect(await serve("2.8", five))
    walk = client.sessions.iter_all("all", **WINDOW)
    assert [*dict.fromkeys([row.site async for row in walk])] == [1, 2, 4, 5]
    assert repr(walk) == "<Paginator: sessions of all sites>"
    assert {row.site async for row in client.goals.iter_all("all")} == {2, 3, 4, 5}
    of_goals = client.goals.sessions.iter_all("all", **WINDOW)
    assert {row.site async for row in of_goals} == {2, 4, 5}
    async with walk:
        assert (await anext(aiter(walk))).site == 1
    client = connect(await serve("2.2", five))
    with pytest.raises(AuthenticationError, match="name each site instead"):
        await client.sessions.iter_all("all", **WINDOW).first()


async def test_a_site_that_cannot_be_read(serve: Serve, connect: Connect, five: Store) -> None:
    client = connect(await serve("2.8", five))
    with pytest.raises(PermissionDeniedError):
        await client.sessions.iter_all([1, 99], **WINDOW).collect()
    for ordered in (True, False):
        many = client.sessions.iter_all([1, 99, 4], on_error="skip", ordered=ordered, **WINDOW)
        with pytest.warns(RybbitWarning, match="site 99 was skipped: 403"):
            assert {row.site for row in await many.collect()} == {1, 4}
        (skipped,) = many.report.skipped
        assert (skipped.site, skipped.goal) == (99, None)
        assert isinstance(skipped.error, PermissionDeniedError)
    with pytest.warns(RybbitWarning, match="site 99 was skipped"):
        goals = await client.goals.iter_all([99, 2], on_error="skip").collect()
    assert [row.site for row in goals] == [2]
    with pytest.raises(InvalidParameterError, match="on_error must be 'raise' or 'skip'"):
        client.goals.iter_all([1], on_error="ignore")  # type: ignore[arg-type]
    for sites in (None, ["here"], [True], 0, "al", ["all"], five.sites()):
        with pytest.raises(InvalidParameterError, match=r"^sites?\b.*, a list of sites, or .all"):
            client.sessions.iter_all(sites)  # type: ignore[arg-type]
    assert await client.goals.iter_all([]).collect() == []
