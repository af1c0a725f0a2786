"""Both layouts of the URLs, and how ``routes="auto"`` finds out which one a server has."""

from __future__ import annotations

import asyncio

import pytest

from rybbit_async import (
    AuthenticationError,
    NotFoundError,
    PathGoal,
    PermissionDeniedError,
)
from rybbit_async.testing import Store, faults

from .conftest import Connect, Serve
from .helpers import (
    LAYOUT,
    ONCE,
    RELEASES,
    SITES_RELEASES,
    UNKNOWN_ID,
    World,
    lines,
    login,
    settled,
    writes,
)


def _five(layout: str, goal: int) -> list[str]:
    """The five endpoints of site 1 in a layout."""
    if layout == "goals":
        return [
            "GET /api/goals/1",
            f"GET /api/goals/{goal}/sessions/1",
            "POST /api/goals/1",
            f"PUT /api/goals/{goal}/1",
            f"DELETE /api/goals/{goal}/1",
        ]
    return [
        "GET /api/sites/1/goals",
        f"GET /api/sites/1/goals/{goal}/sessions",
        "POST /api/sites/1/goals",
        f"PUT /api/sites/1/goals/{goal}",
        f"DELETE /api/sites/1/goals/{goal}",
    ]


@pytest.mark.parametrize("fixed", [False, True], ids=["auto", "fixed"])
@pytest.mark.parametrize("release", RELEASES)
async def test_all_endpoints_use_the_layout_of_the_server(
    serve: Serve, connect: Connect, store: Store, release: str, fixed: bool
) -> None:
    server = await serve(release, store)
    layout = LAYOUT[release]
    client = connect(server, auth=login(server), routes=layout if fixed else "auto")
    first = store.add_goal(1, "path", {"pathPattern": "/first"})
    await client.goals.list(1)
    await client.goals.sessions.list(1, first)
    created = await client.goals.create(1, PathGoal("/second"))
    await client.goals.update(1, first, name="a name")
    await client.goals.delete(1, first)
    assert [goal.goal_id for goal in store.goals(1)] == [created.goal_id]
    seen = set(lines(server)) - {"POST /api/auth/sign-in/email"}
    probe = {"GET /api/goals/1"} if layout == "sites" and not fixed else set()
    assert seen == set(_five(layout, first)) | probe
    assert lines(server).count("GET /api/goals/1") == 1 or not probe


@pytest.mark.parametrize("release", RELEASES)
async def test_auto_finds_the_layout_once(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    client = connect(server)
    await client.goals.list(1)
    probing = ["GET /api/goals/1"] if LAYOUT[release] == "sites" else []
    listing = _five(LAYOUT[release], 0)[0]
    assert lines(server) == [*probing, listing]
    await client.goals.list(1)
    await client.with_options(timeout=5).goals.list(1)
    assert lines(server) == [*probing, listing, listing, listing]


async def test_any_read_can_find_the_layout(serve: Serve, connect: Connect, world: World) -> None:
    server = await serve("2.8")
    client = connect(server)
    goal = world.goal("Pricing seen")
    await client.goals.sessions.list(1, goal)
    await client.goals.list(1)
    assert lines(server) == [
        f"GET /api/goals/{goal}/sessions/1",
        f"GET /api/sites/1/goals/{goal}/sessions",
        "GET /api/sites/1/goals",
    ]


async def test_many_concurrent_first_calls_cost_one_probe(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server)
    with server.hold() as held:
        calls = [asyncio.create_task(client.goals.list(1)) for _ in range(20)]
        await held.reached(1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert lines(server) == ["GET /api/goals/1"]
    await asyncio.gather(*calls)
    assert lines(server) == ["GET /api/goals/1"] + ["GET /api/sites/1/goals"] * 20


async def test_the_call_that_finds_the_layout_may_be_cancelled(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.8")
    client = connect(server)
    with server.hold() as held:
        first = asyncio.create_task(client.goals.list(1))
        await held.reached(1)
        second = asyncio.create_task(client.goals.list(1))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
    assert len(await second) == 10
    assert first.cancelled()


async def test_the_call_that_finds_the_layout_may_fail(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    server.inject(faults.Reset())
    client = connect(server, retry=ONCE)
    results = await settled(*(client.goals.list(1) for _ in range(5)))
    assert [type(r).__name__ for r in results] == ["APIConnectionError"] + ["Page"] * 4


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_a_first_write_is_preceded_by_a_probe(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    await client.goals.create(1, PathGoal("/a"))
    await client.goals.create(1, PathGoal("/b"))
    assert (
        lines(server)[1:]
        == {
            "2.2": ["GET /api/goals/1", "POST /api/goals/1", "POST /api/goals/1"],
            "2.8": [
                "GET /api/goals/1",
                "GET /api/sites/1/goals",
                "POST /api/sites/1/goals",
                "POST /api/sites/1/goals",
            ],
        }[release]
    )
    assert len(store.goals(1)) == 2


async def test_concurrent_first_writes_are_preceded_by_one_probe(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    await asyncio.gather(*(client.goals.create(1, PathGoal(f"/{n}")) for n in range(8)))
    assert lines(server).count("GET /api/goals/1") == 1
    assert {request.path for request in writes(server)} == {"/api/sites/1/goals"}
    assert len(store.goals(1)) == 8


async def test_a_first_write_with_a_key_that_may_not_read(
    serve: Serve, connect: Connect, store: Store
) -> None:
    """The read that finds the layout is refused, which shows the layout, too."""
    server = await serve("2.8", store)
    client = connect(server, server.add_key(scopes=["goals:write"]))
    result = await client.goals.create(1, PathGoal("/a"))
    assert result.success
    assert len(writes(server)) == 1


# --- responses that look like those of the other layout ------------------------------------------


@pytest.mark.parametrize("known", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("release", RELEASES)
async def test_a_site_that_does_not_exist(
    serve: Serve, connect: Connect, release: str, known: bool
) -> None:
    server = await serve(release)
    client = connect(server)
    if known:
        await client.goals.list(1)
    with pytest.raises(NotFoundError) as caught:
        await client.goals.list(UNKNOWN_ID)
    assert (caught.value.status, caught.value.message) == (404, "Site not found")
    assert "base_url" not in str(caught.value)
    await client.goals.list(1)
    server.requests.clear()
    assert len(await client.goals.list(1)) == 10
    assert lines(server) == [_five(LAYOUT[release], 0)[0]]


@pytest.mark.parametrize("known", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("release", RELEASES)
async def test_a_goal_that_does_not_exist(
    serve: Serve, connect: Connect, release: str, known: bool
) -> None:
    server = await serve(release)
    client = connect(server)
    if known:
        await client.goals.list(1)
    with pytest.raises(NotFoundError) as caught:
        await client.goals.sessions.list(1, 999_999)
    assert caught.value.message == "Goal not found"
    await client.goals.list(1)
    server.requests.clear()
    assert len(await client.goals.list(1)) == 10
    assert lines(server) == [_five(LAYOUT[release], 0)[0]]


async def test_a_write_to_a_missing_site_is_not_repeated_in_the_other_layout(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.8")
    client = connect(server)
    await client.goals.list(1)
    with pytest.raises(NotFoundError, match="Site not found"):
        await client.goals.create(UNKNOWN_ID, PathGoal("/a"))
    assert [request.path for request in writes(server)] == [f"/api/sites/{UNKNOWN_ID}/goals"]


@pytest.mark.parametrize("release", SITES_RELEASES)
async def test_a_refused_read_shows_the_layout(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    server = await serve(release)
    client = connect(server)
    for _ in range(3):
        with pytest.raises(PermissionDeniedError):
            await client.goals.list(world.foreign.site_id)
    assert lines(server).count(f"GET /api/goals/{world.foreign.site_id}") == 1


@pytest.mark.parametrize("release", SITES_RELEASES)
async def test_a_goal_that_is_not_found_shows_the_layout(
    serve: Serve, connect: Connect, release: str
) -> None:
    server = await serve(release)
    client = connect(server)
    for _ in range(3):
        with pytest.raises(NotFoundError, match="Goal not found"):
            await client.goals.sessions.list(1, 999_999)
    assert lines(server).count("GET /api/goals/999999/sessions/1") == 1


async def test_a_refusal_in_the_documented_layout_is_not_asked_twice(
    serve: Serve, connect: Connect, world: World
) -> None:
    server = await serve("2.2")
    client = connect(server)
    with pytest.raises(AuthenticationError):
        await client.goals.list(world.foreign.site_id)
    assert len(server.requests) == 1


# --- a layout that the caller chooses -----------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "routes"), [("2.8", "goals"), ("2.4", "goals"), ("2.2", "sites")]
)
async def test_a_wrong_fixed_layout_is_named_in_the_error(
    serve: Serve, connect: Connect, release: str, routes: str
) -> None:
    server = await serve(release)
    client = connect(server, routes=routes)
    with pytest.raises(NotFoundError, match=f"routes='{routes}'"):
        await client.goals.list(1)
    with pytest.raises(NotFoundError, match=f"routes='{routes}'"):
        await client.goals.create(1, PathGoal("/a"))
    assert all(request.path.startswith(f"/api/{routes}/") for request in server.requests)
    assert len(server.requests) == 2


async def test_an_unknown_layout_is_refused_by_the_constructor(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    with pytest.raises(ValueError, match="routes must be 'auto', 'goals' or 'sites', got 'v2'"):
        connect(server, routes="v2")


@pytest.mark.parametrize("release", ["2025.06", "2.8"])
async def test_a_server_with_neither_layout_is_told_as_a_wrong_base_url(
    serve: Serve, connect: Connect, release: str
) -> None:
    server = await serve(release)
    client = connect(server, base_url=server.url + "/analytics")
    with pytest.raises(NotFoundError, match="base_url") as caught:
        await client.goals.list(1)
    assert caught.value.status == 404
    assert len(server.requests) == 2
    with pytest.raises(NotFoundError, match="base_url"):
        await client.goals.create(1, PathGoal("/a"))
    assert not writes(server)


# --- a server that becomes another release ------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [("2.2", "2.8"), ("2.8", "2.2")])
async def test_a_read_notices_another_release(
    serve: Serve, connect: Connect, old: str, new: str
) -> None:
    server = await serve(old)
    client = connect(server)
    await client.goals.list(1)
    await server.restart(release=new)
    assert len(await client.goals.list(1)) == 10
    server.requests.clear()
    await client.goals.list(1)
    assert lines(server) == [_five(LAYOUT[new], 0)[0]]
    await server.restart(release=old)
    assert len(await client.goals.list(1)) == 10
    server.requests.clear()
    await client.goals.list(1)
    assert lines(server) == [_five(LAYOUT[old], 0)[0]]


@pytest.mark.parametrize(("old", "new"), [("2.2", "2.8"), ("2.8", "2.2")])
async def test_a_write_notices_another_release(
    serve: Serve, connect: Connect, store: Store, old: str, new: str
) -> None:
    server = await serve(old, store)
    client = connect(server, auth=login(server))
    await client.goals.create(1, PathGoal("/old"))
    server.release = new
    server.requests.clear()
    await client.goals.create(1, PathGoal("/new"))
    assert [goal.config["pathPattern"] for goal in store.goals(1)] == ["/old", "/new"]
    # The refused write, the probe, which starts with the layout "goals", and the write.
    probe = ["GET /api/goals/1", "GET /api/sites/1/goals"][: 2 if LAYOUT[new] == "sites" else 1]
    assert lines(server) == [
        _five(LAYOUT[old], 0)[2],
        *probe,
        _five(LAYOUT[new], 0)[2],
    ]


async def test_a_walk_goes_on_across_an_upgrade(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = connect(server)
    found = []
    async for goal in client.goals.iter(1, page_size=2, concurrency=1):
        found.append(goal.goal_id)
        if len(found) == 5:
            server.release = "2.8"
    assert len(found) == len(set(found)) == 14


async def test_concurrent_calls_notice_another_release(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = connect(server)
    await client.goals.list(1)
    server.release = "2.8"
    pages = await asyncio.gather(*(client.goals.list(1) for _ in range(10)))
    assert [len(page) for page in pages] == [10] * 10
    server.requests.clear()
    await client.goals.list(1)
    assert lines(server) == ["GET /api/sites/1/goals"]
