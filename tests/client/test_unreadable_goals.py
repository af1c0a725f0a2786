"""Goals that a server cannot count, so that it answers 500 for each page that they are on."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from rybbit_async import (
    AuthenticationError,
    EventGoal,
    Goal,
    IncompleteWalkError,
    InvalidParameterError,
    NotFoundError,
    PageMeta,
    PathGoal,
    RybbitClient,
    RybbitWarning,
    ServerError,
    Skipped,
)
from rybbit_async.testing import RybbitServer, Store, faults

from .conftest import Connect, Serve
from .helpers import END, body_of, login, may_warn, take, writes

BAD = {"eventName": "purchase", "eventPropertyKey": "quantity", "eventPropertyValue": 5}
OLD = ("2.2", "2.4")
RELEASES = (*OLD, "2.8")
old_releases = pytest.mark.parametrize("release", OLD)
releases = pytest.mark.parametrize("release", RELEASES)
KINDS: dict[str, dict[str, Any]] = {
    "id up": {"sort": "goalId", "order": "asc"},
    "id down": {"sort": "goalId", "order": "desc"},
    "time up": {"sort": "createdAt", "order": "asc"},
    "time down": {},
}


def native_store(store: Store, bad: set[int], total: int = 14) -> list[int]:
    """Site 2, whose events hold numbers, and text too; its goals by their places, from 0."""
    site = store.add_site("native", events_native_numbers=True)
    store.add_events(
        site,
        [
            {
                "timestamp": END,
                "session_id": f"s{at}",
                "user_id": f"u{at}",
                **event,
            }
            for at in range(3)
            for event in (
                {"type": "pageview"},
                {
                    "type": "custom_event",
                    "event_name": "purchase",
                    "props": {"quantity": "five" if at == 2 else 5},
                },
            )
        ],
    )
    return [
        store.add_goal(site, "event", BAD, name="bad")
        if at in bad
        else store.add_goal(site, "path", {"pathPattern": "/"}, name=f"goal {at}")
        for at in range(total)
    ]


def ids(goals: Any) -> list[int]:
    return [goal.goal_id for goal in goals]


def reads(server: RybbitServer) -> int:
    return sum(request.method == "GET" for request in server.requests)


# --- walks and pages ------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [{6}, {0}, {13}, {0, 1, 5, 12, 13}], ids=str)
async def test_a_walk_gives_all_other_goals_and_names_the_bad_ones(
    serve: Serve, connect: Connect, store: Store, bad: set[int]
) -> None:
    made = native_store(store, bad)
    server = await serve("2.2", store)
    for release, page_size in (("2.2", 100), ("2.2", 2), ("2.4", 5), ("2.8", 5), ("2.8", 1)):
        server.release = release
        walk = connect(server).goals.iter(2, page_size=page_size)
        with pytest.warns(RybbitWarning, match="the walk is not complete") as warned:
            goals = await walk.collect()
        assert ids(goals) == [one for at, one in enumerate(made) if at not in bad]
        report = walk.report
        assert [(one.site, one.goal, one.place) for one in report.skipped] == [
            (2, made[at], None) for at in sorted(bad)
        ]
        assert (report.complete, report.doubtful, report.passes) == (False, True, 1)
        assert len(warned) == 1
        assert warned[0].filename == __file__
        for at in bad:
            text = f"goal {made[at]} of site 2 cannot be read: the server answers 500"
            assert text in str(warned[0].message)


@releases
async def test_a_strict_walk_raises_after_the_other_goals(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    made = native_store(store, {3})
    client = connect(await serve(release, store))
    found: list[Goal] = []
    with pytest.raises(IncompleteWalkError, match=f"goal {made[3]} of site 2"):
        await take(client.goals.iter(2, strict=True, page_size=4), found)
    assert len(found) == 13


@pytest.mark.parametrize("order", KINDS)
async def test_a_page_keeps_its_number_and_totals(
    serve: Serve, connect: Connect, store: Store, order: str
) -> None:
    bad = {2, 9, 12}
    made = native_store(store, bad)
    names = [*enumerate(made)][:: 1 if "up" in order else -1]
    server = await serve("2.2", store)
    pages = [(1, 10), (2, 10), (3, 4), (7, 2), (1, 100)]
    for release, (page, page_size) in zip(RELEASES * 2, [*pages, pages[0]], strict=True):
        server.release = release
        wanted = names[(page - 1) * page_size : page * page_size]
        gone = [one for at, one in wanted if at in bad]
        with may_warn(bool(gone)):
            result = await connect(server).goals.list(
                2, page=page, page_size=page_size, **KINDS[order]
            )
        assert ids(result) == [one for at, one in wanted if at not in bad]
        meta = result.meta
        assert meta == PageMeta(14, page, page_size, -(-14 // page_size))
        assert [one.goal for one in result.skipped] == gone


async def test_places_where_the_order_does_not_tell_the_id(
    serve: Serve, connect: Connect, store: Store
) -> None:
    native_store(store, {3})
    server = await serve("2.2", store, shuffle_ties=False)
    with pytest.warns(RybbitWarning, match="the goal at place 1 of the list of site 2") as warned:
        page = await connect(server).goals.list(2, sort="name", order="asc")
    assert [(one.goal, one.place) for one in page.skipped] == [(None, 1)]
    assert warned[0].filename == __file__
    assert len(page) == 9


@pytest.mark.parametrize(("gap", "at"), [(3, 0), (3, 1), (3, 2), (30, 0), (30, 2)])
async def test_ids_between_which_other_sites_have_goals(
    serve: Serve, connect: Connect, store: Store, at: int, gap: int
) -> None:
    """Ids of neighbours leave several, which are tried; not too many."""
    site = store.add_site("native", events_native_numbers=True)
    made = []
    for place in range(3):
        for _ in range(gap):
            store.add_goal(1, "path", {"pathPattern": "/"})
        made.append(
            store.add_goal(site, "event", BAD)
            if place == at
            else store.add_goal(site, "path", {"pathPattern": "/"})
        )
    server = await serve("2.2", store)
    walk = connect(server).goals.iter(2)
    with pytest.warns(RybbitWarning):
        await walk.collect()
    (one,) = walk.report.skipped
    named = gap == 3
    assert one.goal == (made[at] if named else None)
    assert one.place == (None if named else at + 1)
    assert reads(server) < 40


async def test_the_cost_of_one_bad_goal_among_many(
    serve: Serve, connect: Connect, store: Store
) -> None:
    native_store(store, {61}, total=150)
    for release in OLD:
        await _check_the_cost(await serve(release, store), connect)


async def _check_the_cost(server: RybbitServer, connect: Connect) -> None:
    release = server.release
    walk = connect(server, routes="goals" if release == "2.2" else "sites").goals.iter(2)
    with pytest.warns(RybbitWarning):
        assert len(await walk.collect()) == 149
    # Page 1 twice, page 2, and page 1 in parts.
    assert len(server.requests) <= 3 + 18
    assert walk.report.requests == len(server.requests) - 1
    asked = [(r.query["page"], r.query["page_size"]) for r in server.requests[1:]]
    assert len(set(asked)) == len(asked), "no part is asked for twice"


async def test_a_server_that_fails_over_everything_costs_few_further_requests(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server, routes="sites")
    server.inject(faults.Status(500, {"error": "Failed to fetch goals data"}), times=None)
    for page, page_size in ((1, 1), (1, 2), (1, 10), (1, 100), (2, 1), (2, 10), (2, 100)):
        server.requests.clear()
        failure = f"page={page}&page_size={page_size}: Failed to fetch goals data"
        with pytest.raises(ServerError, match=failure):
            await client.goals.list(1, page=page, page_size=page_size)
        assert len(server.requests) <= 2 + 7


async def test_a_part_that_fails_otherwise(serve: Serve, connect: Connect, store: Store) -> None:
    """Its error is raised, unless it passes: nothing is left out because of it."""
    made = native_store(store, {3})
    server = await serve("2.2", store)
    client = connect(server)
    part = lambda request: request.query.get("page_size") == "5"  # noqa: E731
    server.inject(faults.Status(503), when=part)
    page: dict[str, Any] = {"sort": "goalId", "order": "asc"}
    with pytest.warns(RybbitWarning, match=f"goal {made[3]} "):
        assert len(await client.goals.list(2, **page)) == 9
    server.inject(faults.Status(401, {"error": "Unauthorized"}), when=part)
    with pytest.raises(AuthenticationError):
        await client.goals.list(2, **page)


async def test_a_server_that_ignores_the_size_of_a_page(
    serve: Serve, connect: Connect, store: Store
) -> None:
    native_store(store, {3})
    client = connect(await serve("2025.06", store))
    with pytest.raises(ServerError, match="Failed to fetch goals data"):
        await client.goals.iter(2, page_size=4).collect()


async def test_a_list_that_changes_while_it_is_read_in_parts(
    serve: Serve, connect: Connect, store: Store
) -> None:
    made = native_store(store, {3, 8})
    server = await serve("2.2", store)
    deletes = iter([made[0]])

    def second_part(request: Any) -> bool:
        if request.query.get("page_size") == "5" and request.query["page"] == "2":
            for one in deletes:
                store.delete_goal(one)
        return False

    server.inject(faults.Status(500), when=second_part, times=None)
    with pytest.warns(RybbitWarning):
        page = await connect(server).goals.list(2, sort="goalId", order="asc")
    assert ids(page) == [one for at, one in enumerate(made[:11]) if at not in (0, 3, 8)]
    assert page.meta is not None
    assert page.meta.total == 13


async def test_pages_of_a_walk_can_be_resumed(serve: Serve, connect: Connect, store: Store) -> None:
    bad = {1, 4, 9, 13}
    made = native_store(store, bad)
    client = connect(await serve("2.2", store))
    got, position = list[int](), None
    while True:
        walk = client.goals.iter(2, page_size=3, concurrency=1)
        pages = walk.pages(start=position)
        page = await anext(pages, None)
        await pages.aclose()
        if page is None:
            break
        got += ids(page)
        position = page.position
        if got[-1] == made[12]:
            break
    assert got == [one for at, one in enumerate(made) if at not in bad]


async def test_first_says_so(serve: Serve, connect: Connect, store: Store) -> None:
    made = native_store(store, {0}, total=3)
    client = connect(await serve("2.2", store))
    with pytest.warns(RybbitWarning, match=f"goal {made[0]} of site 2") as warned:
        first = await client.goals.iter(2).first()
    assert first is not None
    assert first.goal_id == made[1]
    assert warned[0].filename == __file__


async def test_what_was_skipped_is_a_small_value(
    serve: Serve, connect: Connect, store: Store
) -> None:
    made = native_store(store, {0}, total=3)
    walk = connect(await serve("2.2", store)).goals.iter(2)
    with pytest.warns(RybbitWarning):
        await walk.collect()
    (one,) = walk.report.skipped
    assert (one.error.__traceback__, one.error.__cause__, one.error.__context__) == (None,) * 3
    copy = pickle.loads(pickle.dumps(one))
    assert copy == one == Skipped(2, made[0], error=ServerError(
        "", status=500, message="", method="GET", url=""
    ))  # fmt: skip
    assert str(copy.error) == str(one.error)


# --- get, ensure ----------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [1, 2, 14])
async def test_get_a_bad_goal(serve: Serve, connect: Connect, store: Store, total: int) -> None:
    made = native_store(store, {0}, total)
    other = store.add_goal(1, "path", {"pathPattern": "/"})
    for release in RELEASES:
        client = connect(await serve(release, store))
        with pytest.raises(ServerError, match=f"goal {made[0]} of site 2 .* or delete") as caught:
            await client.goals.get(2, made[0])
        assert caught.value.status == 500
        for absent in (other, 999_999):
            with pytest.raises(NotFoundError) as missing:
                await client.goals.get(2, absent)
            end = "/api/goals/2" if release == "2.2" else "/2/goals"
            assert missing.value.url.endswith(end)
        if total > 1:
            assert (await client.goals.get(2, made[1])).goal_id == made[1]


async def test_get_where_the_server_is_down(serve: Serve, connect: Connect, store: Store) -> None:
    """It then fails over the goal's sessions, too, so it is not known whose the goal is."""
    made = native_store(store, set(), total=3)
    server = await serve("2.2", store)
    client = connect(server)
    server.inject(faults.Status(500, {"error": "down"}), times=None)
    with pytest.raises(ServerError, match="down") as caught:
        await client.goals.get(2, made[0])
    assert "sessions" in caught.value.url
    with pytest.raises(ServerError, match="down"):
        await client.goals.delete(2, made[0])
    assert not writes(server)


@old_releases
async def test_ensure_makes_no_second_goal(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    made = native_store(store, {4})
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    config = EventGoal("purchase", "quantity", 5)
    with pytest.raises(ServerError, match=f"ensure cannot tell .* goal {made[4]} of site 2"):
        await client.goals.ensure(2, config)
    found = await client.goals.ensure(2, PathGoal("/"), name="goal 9")
    assert (found.goal_id, found.created) == (made[9], False)
    assert not writes(server)


async def test_writes_look_where_the_server_cannot_fail(
    serve: Serve, connect: Connect, store: Store
) -> None:
    """2.8 fails over events with values of mixed types, so writes ask for a day without events."""
    made = native_store(store, {4})
    server = await serve("2.8", store)
    goals = connect(server).goals
    with pytest.raises(ServerError, match=f"goal {made[4]} of site 2"):
        await goals.get(2, made[4])
    assert (await goals.ensure(2, EventGoal("purchase", "quantity", 5))).goal_id == made[4]
    assert (await goals.ensure(2, PathGoal("/new"))).created
    await goals.update(2, made[4], name="still bad")
    body = {"goalId": made[4], "siteId": 2, "name": "still bad", "goalType": "event", "config": BAD}
    assert body_of(writes(server)[-1]) == body
    assert (await goals.delete(2, made[4])).success


# --- update, delete -------------------------------------------------------------------------------


@releases
@pytest.mark.parametrize("total", [1, 14])
async def test_a_bad_goal_is_mended(
    serve: Serve, connect: Connect, store: Store, release: str, total: int
) -> None:
    made = native_store(store, {0}, total)
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    result = await client.goals.update(
        2, made[0], name="mended", config=EventGoal("purchase", "quantity", "5")
    )
    assert (result.success, result.goal_id, result.created) == (True, made[0], False)
    goals = await client.goals.iter(2).collect()
    assert (goals[0].goal_id, goals[0].name) == (made[0], "mended")
    assert (len(goals), goals[0].total_conversions) == (total, 2)
    assert body_of(writes(server)[0])["siteId"] == 2


@releases
async def test_a_bad_goal_is_deleted(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    made = native_store(store, {3})
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    assert (await client.goals.delete(2, made[3])).success
    assert ids(await client.goals.iter(2).collect()) == made[:3] + made[4:]


@old_releases
async def test_a_goal_of_another_site_is_neither_changed_nor_deleted(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    """Though both sites have goals that cannot be read, and the server would do it."""
    mine = native_store(store, {0}, total=2)
    site = store.add_site("other", events_native_numbers=True)
    theirs = store.add_goal(site, "event", BAD)
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    calls: list[Callable[[], Any]] = [
        lambda: client.goals.delete(2, theirs),
        lambda: client.goals.update(2, theirs, name="x", config=PathGoal("/x")),
        lambda: client.goals.delete(3, mine[0]),
        lambda: client.goals.delete(3, 999_999),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            await call()
    assert not writes(server)


async def test_a_bad_goal_whose_sessions_fail_too(
    serve: Serve, connect: Connect, store: Store
) -> None:
    """Its site is still told: an id that no goal has is 404."""
    made = native_store(store, {3})
    server = await serve("2.2", store)
    client = connect(server, auth=login(server))
    fails = faults.Status(500, {"error": "Failed to fetch goal sessions"})
    server.inject(fails, times=None, when=lambda r: f"/{made[3]}/sessions/" in r.path)
    assert (await client.goals.delete(2, made[3])).success


@pytest.mark.parametrize(
    "given", [{"name": "x"}, {"config": PathGoal("/")}, {"name": "x", "config": {"depth": 5}}]
)
async def test_an_update_of_a_bad_goal_needs_everything(
    serve: Serve, connect: Connect, store: Store, given: dict[str, Any]
) -> None:
    made = native_store(store, {3})
    server = await serve("2.2", store)
    client = connect(server, auth=login(server))
    with pytest.raises(InvalidParameterError, match="both name and config"):
        await client.goals.update(2, made[3], **given)
    assert not writes(server)


# --- the sessions of all goals --------------------------------------------------------------------


@releases
async def test_the_sessions_of_all_goals_but_the_bad_one(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    made = native_store(store, {3}, total=5)
    client = connect(await serve(release, store))
    walk = client.goals.sessions.iter_all([2])
    with pytest.warns(RybbitWarning, match=f"goal {made[3]} of site 2 cannot be read"):
        rows = await walk.collect()
    assert {row.goal.goal_id for row in rows} == {*made} - {made[3]}
    assert len(rows) == 12
    assert [one.goal for one in walk.report.skipped] == [made[3]]
    # One goal alone is read by its id.
    assert len(await client.goals.sessions.iter(2, made[3]).collect()) == 2
    with pytest.raises(ServerError, match=f"goal {made[3]} of site 2"):
        await client.goals.sessions.iter_all([2], goals=[made[3]]).collect()
    with pytest.warns(RybbitWarning, match=f"goal {made[3]} of site 2"):
        await client.goals.sessions.iter_all([2], goals=[made[3]], on_error="skip").collect()


# --- warnings before a goal is stored -------------------------------------------------------------


@pytest.mark.parametrize("release", ["2.2", "2.3", "2.4", "2.6", "2.7", "2.8"])
async def test_numbers_and_booleans_on_servers_that_may_fail_over_them(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    """The site has no goal that could show it at first, and then one that the server fails over."""
    store.add_site("native", events_native_numbers=True)
    server = await serve(release, store)
    client: RybbitClient = connect(
        server, auth=login(server), routes="goals" if release == "2.2" else "sites"
    )
    fails = release < "2.7"
    for value, text in ((5, "5"), (2.5, "2.5"), (True, "true")):
        with may_warn(fails) as warned:
            await client.goals.create(2, EventGoal("purchase", "quantity", value))
        if fails:
            (one,) = warned
            assert f"should be text such as {text!r} on this server" in str(one.message)
            assert one.filename == __file__
    await client.goals.create(2, EventGoal("purchase", "quantity", "5"))
    await client.goals.create(2, EventGoal("purchase"))
    asked = [request for request in server.requests if request.query.get("start_datetime") == "x"]
    assert len(asked) == 1


@old_releases
async def test_an_update_warns_of_a_number_that_it_brings(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    goal = store.add_goal(1, "event", BAD)
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    read = await client.goals.get(1, goal)
    await client.goals.update(1, goal, name="x")
    await client.goals.update(1, goal, config=read.config)
    with pytest.warns(RybbitWarning, match="got 6"):
        await client.goals.update(1, goal, config=EventGoal("purchase", "quantity", 6))


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        ("checkout", "/checkout"),
        (" /checkout", "/checkout"),
        ("https://shop.example/a/*", "/a/*"),
        ("http://shop.example", "/"),
        ("shop.example/a", "/shop.example/a"),
        ("/search?q=*", "/search"),
        ("https://shop.example/a?b=1", "/a"),
    ],
)
async def test_a_path_that_never_matches(
    serve: Serve, connect: Connect, store: Store, pattern: str, instead: str
) -> None:
    client = connect(await serve("2.8", store), routes="sites")
    config = PathGoal(pattern)
    other = store.add_goal(1, "path", {"pathPattern": "/"})
    calls: list[Callable[[], Any]] = [
        lambda: client.goals.create(1, config),
        lambda: client.goals.ensure(1, config, name="new"),
        lambda: client.goals.ensure(1, config, name="new"),
        lambda: client.goals.update(1, other, config=config),
    ]
    for call in calls:
        with pytest.warns(RybbitWarning, match="config.path_pattern must match a path") as warned:
            await call()
        assert str(warned[0].message).endswith(f"Write {instead!r}")
        assert (len(warned), warned[0].filename) == (1, __file__)
    store.add_session(1, end=END, pages=["/checkout", "/a/b", "/search", "/"], querystring="?q=1")
    assert [goal.total_conversions async for goal in client.goals.iter(1)] == [0, 0, 0]


async def test_paths_that_may_match(serve: Serve, connect: Connect, store: Store) -> None:
    client = connect(await serve("2.8", store))
    for pattern in ("/", "/a", "*", "**/a", "*.html", "/a://b", "/#/a"):
        await client.goals.create(1, PathGoal(pattern))
    await client.goals.create(1, EventGoal("checkout"))


# --- what a goal by its id costs ------------------------------------------------------------------


async def test_get_stops_at_the_goal(serve: Serve, connect: Connect, store: Store) -> None:
    made = [store.add_goal(1, "path", {"pathPattern": f"/{at}"}) for at in range(120)]
    server = await serve("2.8", store)
    client = connect(server, routes="sites")
    for at, requests in ((0, 1), (99, 1), (100, 2), (119, 2)):
        server.requests.clear()
        assert (await client.goals.get(1, made[at])).goal_id == made[at]
        await asyncio.sleep(0)
        assert len(server.requests) == requests
        assert (await client.goals.ensure(1, PathGoal(f"/{at}"))).goal_id == made[at]
        assert len(server.requests) == 2 * requests


async def test_get_is_not_misled_by_a_list_that_changes(
    serve: Serve, connect: Connect, store: Store
) -> None:
    made = [store.add_goal(1, "path", {"pathPattern": "/"}) for _ in range(120)]
    server = await serve("2.8", store)
    gone = iter(made)

    def second(request: Any) -> bool:
        if request.query["page"] == "2":
            store.delete_goal(next(gone))
        return False

    server.inject(faults.Status(500), when=second, times=None)
    client = connect(server)
    assert (await client.goals.get(1, made[100])).goal_id == made[100]
    # As long as the list changes, it is not certain that a goal is not there.
    with pytest.raises(IncompleteWalkError, match="changed during each of 10 passes"):
        await client.goals.get(1, 999_999)
