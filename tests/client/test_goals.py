"""The goals of a site: list, iter, get, create, update, delete, on each release."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest

from rybbit_async import (
    APIResponseError,
    BadRequestError,
    ButtonClickGoal,
    CopyGoal,
    EventGoal,
    FormSubmitGoal,
    Goal,
    GoalConfig,
    GoalResult,
    InvalidParameterError,
    NotFoundError,
    OutboundGoal,
    PageMeta,
    PathGoal,
    PropertyFilter,
)
from rybbit_async.testing import Store, faults

from .conftest import Connect, Serve
from .helpers import (
    END,
    LAYOUT,
    RELEASES,
    SITES_RELEASES,
    World,
    body_of,
    login,
    may_warn,
    raw,
    raw_path,
    writes,
)

every_release = pytest.mark.parametrize("release", RELEASES)
sized_releases = pytest.mark.parametrize("release", [r for r in RELEASES if r != "2025.06"])


# --- reading ------------------------------------------------------------------------------------


@sized_releases
async def test_a_total_sent_as_a_string_is_returned_as_an_integer(
    serve: Serve, connect: Connect, release: str
) -> None:
    server = await serve(release)
    client = connect(server)
    sent = await raw(client, raw_path(release, 1), page_size=5)
    assert sent["meta"]["total"] == "14"
    page = await client.goals.list(1, page_size=5)
    assert page.meta == PageMeta(total=14, page=1, page_size=5, total_pages=3)
    assert len(page) == len(page.items) == len(list(page)) == 5


async def test_a_server_with_another_name_for_the_page_size(serve: Serve, connect: Connect) -> None:
    server = await serve("2025.06")
    client = connect(server)
    page = await client.goals.list(1, page_size=3)
    assert (page.meta and page.meta.page_size, len(page)) == (10, 10)
    walk = client.goals.iter(1, page_size=3)
    assert len({goal.goal_id async for goal in walk}) == 14
    assert (walk.report.pages, walk.report.complete) == (2, True)


@every_release
async def test_a_site_without_goals(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    server = await serve(release, store)
    client = connect(server)
    page = await client.goals.list(1)
    assert page.items == ()
    assert page.meta == PageMeta(total=0, page=1, page_size=10, total_pages=0)
    assert await client.goals.iter(1).collect() == []
    assert await client.goals.iter(1).first() is None


@every_release
async def test_a_page_beyond_the_end(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    page = await connect(server).goals.list(1, page=99)
    assert page.items == ()
    assert page.meta is not None
    assert (page.meta.total, page.meta.page) == (14, 99)


@every_release
async def test_page_and_page_size_are_always_sent(
    serve: Serve, connect: Connect, release: str
) -> None:
    server = await serve(release)
    client = connect(server)
    await client.goals.list(1)
    await client.goals.iter(1).collect()
    for request in server.requests:
        assert request.query["page"].isdigit()
        assert request.query["page_size"].isdigit()


@every_release
async def test_dates_are_always_sent_with_a_time_zone(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    """Without one, older servers return the data of all time."""
    store.add_goal(1, "path", {"pathPattern": "/"})
    for days in (0, 10, 40):
        store.add_session(1, end=END - timedelta(days=days))
    server = await serve(release, store)
    client = connect(server)
    (goal,) = await client.goals.list(1, start_date="2026-03-01", end_date=date(2026, 3, 31))
    assert (goal.total_conversions, goal.total_sessions) == (2, 2)
    assert server.requests[-1].query["time_zone"] == "UTC"
    (goal,) = await client.goals.iter(
        1, start_date="2026-03-31", end_date="2026-03-31", time_zone="Asia/Kolkata"
    ).collect()
    assert goal.total_conversions == 1
    assert server.requests[-1].query["time_zone"] == "Asia/Kolkata"
    (goal,) = await client.goals.list(1)
    assert goal.total_conversions == 3


@every_release
async def test_past_minutes(serve: Serve, connect: Connect, store: Store, release: str) -> None:
    store.add_goal(1, "path", {"pathPattern": "/"})
    for minutes in (5, 50, 500):
        store.add_session(1, end=END - timedelta(minutes=minutes))
    client = connect(await serve(release, store))
    (goal,) = await client.goals.list(1, past_minutes_start=60, past_minutes_end=0)
    assert goal.total_conversions == 2
    (goal,) = await client.goals.list(1, past_minutes_start=60, past_minutes_end=10)
    assert goal.total_conversions == 1


@every_release
async def test_every_field_of_a_goal(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    created = datetime(2026, 1, 10, 12, 0, 0, 605_470, tzinfo=UTC)
    goal_id = store.add_goal(1, "path", {"pathPattern": "/x/*"}, name="X", created_at=created)
    store.add_session(1, end=END, pages=("/x/1",))
    for _ in range(3):
        store.add_session(1, end=END, pages=("/",))
    (goal,) = await connect(await serve(release, store)).goals.list(1)
    assert goal == Goal(
        goal_id=goal_id,
        site_id=1,
        name="X",
        goal_type="path",
        config=PathGoal("/x/*"),
        created_at=created,
        total_conversions=1,
        total_sessions=4,
        conversion_rate=0.25,
    )
    assert goal.extra == {}


@every_release
async def test_names_that_are_null_or_look_numeric(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    for name in (None, "404", "00123", "名前 🎯"):
        store.add_goal(1, "path", {"pathPattern": "/"}, name=name)
    client = connect(await serve(release, store))
    assert [goal.name async for goal in client.goals.iter(1)] == [None, "404", "00123", "名前 🎯"]


@every_release
async def test_creation_times_with_any_precision(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    times = [
        datetime(2026, 1, 1, 0, 0, 0, micro, tzinfo=UTC)
        for micro in (0, 100_000, 120_000, 123_000, 123_400, 123_450, 123_456)
    ]
    for moment in times:
        store.add_goal(1, "path", {"pathPattern": "/"}, created_at=moment)
    client = connect(await serve(release, store))
    goals = await client.goals.iter(1).collect()
    assert [goal.created_at for goal in goals] == times
    assert all(goal.created_at is not None and goal.created_at.tzinfo is UTC for goal in goals)


async def test_times_in_the_documented_format(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    row: dict[str, Any] = {key: ROW[key] for key in ("goalId", "name", "goalType", "config")}
    row["createdAt"] = "2024-01-10T12:00:00.000Z"
    meta = {"total": "1", "page": 1, "pageSize": 10, "totalPages": 1}
    server.inject(faults.Status(200, {"data": [row], "meta": meta}))
    (goal,) = await connect(server).goals.list(1)
    assert goal.created_at == datetime(2024, 1, 10, 12, tzinfo=UTC)
    assert goal.site_id is None  # not documented, so this response does not have it


@every_release
async def test_event_goals_with_text_number_and_boolean_values(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    values: list[str | float | bool] = ["pro", "5", "", 5, 2.5, True, False]
    for number, value in enumerate(values, 1):
        name = f"purchase {number}"
        config = EventGoal(name, "plan", value)
        with may_warn(not isinstance(value, str) and release != "2.8"):
            made = await client.goals.create(1, config, name="Bought")
        store.add_session(1, end=END, events=[(name, {"plan": value})])
        store.add_session(1, end=END, events=[(name, {"plan": "other"}), "signup"])
        sent = body_of(writes(server)[-1])["config"]["eventPropertyValue"]
        assert (sent, type(sent)) == (value, type(value))
        goal = await client.goals.get(1, made.goal_id)
        assert goal.config == config
        assert isinstance(goal.config, EventGoal)
        assert type(goal.config.property_value) is type(value)
        assert (goal.total_conversions, goal.total_sessions) == (1, 2 * number)


async def test_sorting(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = connect(server)
    keys_of: dict[Any, Any] = {
        "goalId": lambda goal: goal.goal_id,
        "name": lambda goal: (goal.name is None, goal.name or ""),
        "goalType": lambda goal: goal.goal_type,
        "createdAt": lambda goal: goal.created_at,
    }
    orders: list[Any] = ["asc", "desc"]
    for sort, order in ((sort, order) for sort in keys_of for order in orders):
        goals = await client.goals.list(1, page_size=100, sort=sort, order=order)
        keys = [keys_of[sort](goal) for goal in goals]
        assert keys == sorted(keys, reverse=order == "desc"), (sort, order)
        query = server.requests[-1].query
        assert (query["sort"], query["order"]) == (sort, order)


async def test_the_default_order_of_list_and_of_iter(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = connect(server)
    newest = [goal.created_at for goal in await client.goals.list(1, page_size=100)]
    assert newest == sorted(newest, key=str, reverse=True)
    assert "sort" not in server.requests[-1].query
    ids = [goal.goal_id async for goal in client.goals.iter(1)]
    assert ids == sorted(ids)
    ids = [goal.goal_id async for goal in client.goals.iter(1, order="desc")]
    assert ids == sorted(ids, reverse=True)


@every_release
async def test_get_a_goal_by_its_id(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    server = await serve(release)
    client = connect(server)
    wanted = world.goal("Docs, any depth")
    goal = await client.goals.get(1, wanted, start_date="2026-03-01", end_date="2026-03-31")
    assert (goal.goal_id, goal.name, goal.config) == (
        wanted,
        "Docs, any depth",
        PathGoal("/docs/**"),
    )
    assert server.requests[-1].query["start_date"] == "2026-03-01"
    with pytest.raises(NotFoundError, match="999999") as caught:
        await client.goals.get(1, 999_999)
    assert caught.value.status == 404
    with pytest.raises(NotFoundError):
        await client.goals.get(1, world.second_goal)


@every_release
async def test_a_site_can_be_given_by_its_string_identifier(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    client = connect(await serve(release))
    by_text = await client.goals.list(world.site.string_id)
    assert by_text == await client.goals.list(world.site.site_id)
    assert {goal.site_id for goal in by_text} == {world.site.site_id}


# --- create -------------------------------------------------------------------------------------


@every_release
async def test_create(serve: Serve, connect: Connect, store: Store, release: str) -> None:
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    first = await client.goals.create(1, PathGoal("/a/**"), name="A")
    second = await client.goals.create(1, EventGoal("signup"))
    third = await client.goals.create(1, EventGoal("buy", "plan", "pro"), name="")
    assert isinstance(first, GoalResult)
    assert (first.success, first.goal_id) == (True, store.goals(1)[0].goal_id)
    assert [(g.goal_id, g.name, g.goal_type, dict(g.config)) for g in store.goals(1)] == [
        (first.goal_id, "A", "path", {"pathPattern": "/a/**"}),
        (second.goal_id, None, "event", {"eventName": "signup"}),
        (
            third.goal_id,
            None,
            "event",
            {"eventName": "buy", "eventPropertyKey": "plan", "eventPropertyValue": "pro"},
        ),
    ]
    assert body_of(writes(server)[0]) == {
        "name": "A",
        "goalType": "path",
        "config": {"pathPattern": "/a/**"},
    }
    # The server would reject null.
    assert all("name" not in body_of(request) for request in writes(server)[1:])
    assert all(request.headers["Content-Type"] == "application/json" for request in writes(server))


@every_release
async def test_text_in_any_script_is_unchanged(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    name = 'Κατάλογος "quoted" \\ 🎯 \u202e 名前'
    made = await client.goals.create(1, EventGoal(name, name, name), name=name)
    goal = await client.goals.get(1, made.goal_id)
    assert (goal.name, goal.config) == (name, EventGoal(name, name, name))


FILTERS = [PropertyFilter("plan", "pro"), PropertyFilter("seats", 3)]
TYPED: list[tuple[GoalConfig, str, dict[str, Any]]] = [
    (PathGoal("/a"), "path", {"pathPattern": "/a"}),
    (EventGoal("a", "k", True), "event", {
        "eventName": "a", "eventPropertyKey": "k", "eventPropertyValue": True,
    }),
    (OutboundGoal("https://*"), "outbound", {"valuePattern": "https://*"}),
    (OutboundGoal(), "outbound", {}),
    (ButtonClickGoal(" Buy* "), "button_click", {"valuePattern": " Buy* "}),
    (FormSubmitGoal("login"), "form_submit", {"valuePattern": "login"}),
    (CopyGoal(), "copy", {}),
]  # fmt: skip
TYPED_FILTERS = [
    (attrs.evolve(config, property_filters=FILTERS), kind, {
        **wire, "propertyFilters": [{"key": "plan", "value": "pro"}, {"key": "seats", "value": 3}],
    })
    for config, kind, wire in (
        (PathGoal("/a"), "path", {"pathPattern": "/a"}),
        (EventGoal("a"), "event", {"eventName": "a"}),
    )
]  # fmt: skip


@pytest.mark.parametrize(("config", "kind", "wire"), [*TYPED, *TYPED_FILTERS])
async def test_every_kind_of_goal_is_created_found_and_changed(
    serve: Serve,
    connect: Connect,
    store: Store,
    config: GoalConfig,
    kind: str,
    wire: dict[str, Any],
) -> None:
    server = await serve(RELEASES[-1], store)
    client = connect(server)
    made = await client.goals.create(1, config, name="A")
    assert body_of(writes(server)[-1]) == {"name": "A", "goalType": kind, "config": wire}
    goal = await client.goals.get(1, made.goal_id)
    assert (goal.goal_type, goal.config) == (kind, config)
    # Found again by its configuration, and by what a server sent.
    for same in (config, goal.config):
        assert isinstance(same, GoalConfig)
        assert (await client.goals.ensure(1, same)).goal_id == made.goal_id
    assert len(writes(server)) == 1
    await client.goals.update(1, goal, config=PathGoal("/other"))
    await client.goals.update(1, goal, config=config)
    assert body_of(writes(server)[-1])["goalType"] == kind
    assert (await client.goals.get(1, goal.goal_id)) == goal


async def test_ensure_tells_a_boolean_from_a_number(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    made: dict[str, int] = {}
    for value in (1, True, 1.0, "1"):
        for config in (
            EventGoal("signup", "seats", value),
            EventGoal("signup", property_filters=[PropertyFilter("seats", value)]),
        ):
            goal_id = (await client.goals.ensure(1, config)).goal_id
            made.setdefault(f"{config}", goal_id)
            assert (await client.goals.ensure(1, config)).goal_id == goal_id
    assert len(set(made.values())) == len(store.goals(1)) == 6  # 1 and 1.0 are one number
    other = EventGoal("a", "seats", 1, property_filters=[PropertyFilter("seats", True)])
    with pytest.raises(InvalidParameterError, match="must contain the property"):
        await client.goals.create(1, other)


@pytest.mark.parametrize("release", SITES_RELEASES)
@pytest.mark.parametrize(("config", "kind", "wire"), TYPED_FILTERS)
async def test_property_filters_since_2_4(
    serve: Serve,
    connect: Connect,
    store: Store,
    release: str,
    config: GoalConfig,
    kind: str,
    wire: dict[str, Any],
) -> None:
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    made = await client.goals.ensure(1, config)
    again = await client.goals.ensure(1, config)
    assert made.goal_id == again.goal_id
    (goal,) = store.goals(1)
    assert (goal.goal_type, goal.config) == (kind, wire)


@pytest.mark.parametrize("config", [OutboundGoal("a"), ButtonClickGoal(), FormSubmitGoal()])
async def test_types_that_a_release_lacks_are_refused_by_it(
    serve: Serve, connect: Connect, store: Store, config: GoalConfig
) -> None:
    server = await serve("2.4", store)
    with pytest.raises(BadRequestError):
        await connect(server, auth=login(server)).goals.create(1, config)
    assert not store.goals(1)


UNSTORABLE: list[tuple[Any, Any]] = [
    (PathGoal(""), None),
    (OutboundGoal(" "), None),
    (CopyGoal(property_filters=[PropertyFilter("", "a")]), None),
    (EventGoal("a", "k", "v", property_filters=[PropertyFilter("b", "a")]), None),
    (PathGoal("/\0"), None),
    (EventGoal(""), None),
    (EventGoal("a", "key"), None),
    (EventGoal("a", None, "value"), None),
    (EventGoal("a", "", "value"), None),
    (EventGoal("a", "key", "\0"), None),
    (EventGoal("a", "key", float("nan")), None),
    (EventGoal("a", "key", ["list"]), None),  # type: ignore[arg-type]
    ({"pathPattern": "/"}, None),
    ("/", None),
    (PathGoal("/"), "\0"),
    (PathGoal("/"), 404),
]


async def test_values_that_no_server_can_store_are_not_sent(
    serve: Serve, connect: Connect, store: Store
) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/"})
    server = await serve("2.8", store)
    client = connect(server)
    for config, name in UNSTORABLE:
        with pytest.raises(InvalidParameterError):
            await client.goals.create(1, config, name=name)
        if not isinstance(config, Mapping):
            with pytest.raises(InvalidParameterError):
                await client.goals.update(1, goal, config=config, name=name)
    assert not server.requests


async def test_a_rejection_by_the_server_has_its_details(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.4", store)
    client = connect(server, auth=login(server))
    with pytest.raises(BadRequestError) as caught:
        await client.request("POST", "/api/sites/1/goals", json={"goalType": "path", "config": {}})
    assert caught.value.message == "Validation error"
    assert caught.value.details == [
        {
            "code": "custom",
            "message": "Configuration must match goal type",
            "path": ["config"],
        }
    ]


# --- update -------------------------------------------------------------------------------------


@every_release
@pytest.mark.parametrize("by_text", [False, True], ids=["number", "identifier"])
async def test_a_put_has_numeric_ids_in_its_body(
    serve: Serve, connect: Connect, store: Store, release: str, by_text: bool
) -> None:
    site = store.sites()[0]
    goal = store.add_goal(1, "path", {"pathPattern": "/"}, name="old")
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    key = site.string_id if by_text else 1
    result = await client.goals.update(key, goal, name="new")
    assert (result.success, result.goal_id) == (True, goal)
    (put,) = writes(server)
    assert (
        put.path
        == {
            "goals": f"/api/goals/{goal}/{key}",
            "sites": f"/api/sites/{key}/goals/{goal}",
        }[LAYOUT[release]]
    )
    assert body_of(put) == {
        "goalId": goal,
        "siteId": 1,
        "name": "new",
        "goalType": "path",
        "config": {"pathPattern": "/"},
    }


CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("path", {"pathPattern": "/a/*"}),
    ("event", {"eventName": "a"}),
    ("event", {"eventName": "a", "eventPropertyKey": "k", "eventPropertyValue": "v"}),
    ("event", {"eventName": "a", "eventPropertyKey": "k", "eventPropertyValue": ""}),
    ("event", {"eventName": "a", "eventPropertyKey": "k", "eventPropertyValue": 0}),
    ("event", {"eventName": "a", "eventPropertyKey": "k", "eventPropertyValue": 1.5}),
    ("event", {"eventName": "a", "eventPropertyKey": "k", "eventPropertyValue": False}),
    ("event", {"eventName": "a", "propertyFilters": [{"key": "k", "value": "v"}]}),
    ("outbound", {"valuePattern": "https://x.example/**"}),
    ("button_click", {"valuePattern": "Buy"}),
    ("form_submit", {}),
    ("copy", {"valuePattern": "*"}),
]


def _known(release: str, goal_type: str, config: Mapping[str, Any]) -> bool:
    if goal_type not in ("path", "event"):
        return release == "2.8"
    return "propertyFilters" not in config or release in ("2.4", "2.8")


@every_release
async def test_an_update_keeps_the_rest_of_the_goal(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    for goal_type, config in CONFIGS:
        if not _known(release, goal_type, config):
            continue
        goal_id = store.add_goal(1, goal_type, config, name="old")
        await client.goals.update(1, goal_id, name="new")
        goal = store.goals(1)[-1]
        assert (goal.name, goal.goal_type, goal.config) == ("new", goal_type, config)
        value = goal.config.get("eventPropertyValue")
        assert type(value) is type(config.get("eventPropertyValue"))
        # The same with a goal that was read before.
        read = await client.goals.get(1, goal_id)
        await client.goals.update(1, read, name="newer", config=read.config)
        goal = store.goals(1)[-1]
        assert (goal.name, goal.goal_type, goal.config) == ("newer", goal_type, config)


@every_release
async def test_an_update_of_the_config_keeps_the_name(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    named = store.add_goal(1, "path", {"pathPattern": "/"}, name="named")
    nameless = store.add_goal(1, "path", {"pathPattern": "/"})
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    await client.goals.update(1, named, config=EventGoal("signup"))
    await client.goals.update(1, nameless, config=PathGoal("/b"))
    assert [(g.name, g.goal_type, g.config) for g in store.goals(1)] == [
        ("named", "event", {"eventName": "signup"}),
        (None, "path", {"pathPattern": "/b"}),
    ]


@every_release
@pytest.mark.parametrize("name", [None, ""])
async def test_an_update_can_remove_the_name(
    serve: Serve, connect: Connect, store: Store, release: str, name: str | None
) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/"}, name="named")
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    await client.goals.update(1, goal, name=name)
    assert store.goals(1)[0].name is None


async def test_an_update_without_changes_is_an_error(serve: Serve, connect: Connect) -> None:
    server = await serve()
    with pytest.raises(InvalidParameterError, match="name, config or both"):
        await connect(server).goals.update(1, 101)
    assert not server.requests


async def test_update_if_the_server_does_not_send_the_number_of_the_site(
    serve: Serve, connect: Connect, store: Store
) -> None:
    """``siteId`` is not documented in the list, but required in the PUT."""
    server = await serve("2.2", store)
    client = connect(server, auth=login(server))
    goal = store.add_goal(1, "path", {"pathPattern": "/"}, name="old")
    row = {"goalId": goal, "name": "old", "goalType": "path", "config": {"pathPattern": "/"}}
    meta = {"total": "1", "page": 1, "pageSize": 100, "totalPages": 1}
    server.inject(
        faults.Status(200, {"data": [row], "meta": meta}),
        times=None,
        when=lambda request: request.method == "GET",
    )
    with pytest.raises(InvalidParameterError, match=r"^site must be the site's number"):
        await client.goals.update(store.sites()[0].string_id, goal, name="new")
    assert not writes(server)
    await client.goals.update(1, goal, name="new")
    assert store.goals(1)[0].name == "new"


# --- delete -------------------------------------------------------------------------------------


@every_release
async def test_a_delete_has_no_body_and_no_content_type(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/"})
    other = store.add_goal(1, "path", {"pathPattern": "/"})
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    result = await client.goals.delete(1, goal)
    assert (result.success, result.goal_id) == (True, goal)
    (delete,) = writes(server)
    assert (delete.method, delete.body) == ("DELETE", b"")
    assert "json" not in delete.headers.get("Content-Type", "")
    await client.goals.delete(1, await client.goals.get(1, other))
    assert store.goals(1) == []
    with pytest.raises(NotFoundError):
        await client.goals.delete(1, goal)
    assert len(writes(server)) == 2


# --- goals of another site ----------------------------------------------------------------------


@every_release
async def test_a_goal_of_another_site_is_not_found_and_nothing_is_sent(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    other = store.add_site("other")
    goal_id = store.add_goal(other, "path", {"pathPattern": "/"}, name="theirs")
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    goal = await client.goals.get(other.site_id, goal_id)
    for call in (
        client.goals.update(1, goal_id, name="mine"),
        client.goals.update(1, goal, name="mine"),
        client.goals.update(1, goal, config=PathGoal("/mine")),
        client.goals.delete(1, goal_id),
        client.goals.delete(1, goal),
    ):
        with pytest.raises(NotFoundError) as caught:
            await call
        assert caught.value.status == 404
    assert not writes(server)
    assert [goal.name for goal in store.goals(other)] == ["theirs"]


# --- invalid parameters -------------------------------------------------------------------------


async def test_invalid_sites_are_not_sent(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    sites: list[Any] = [0, -1, True, 1.0, None, "", "a/b", "1/", "..", "%31", "xyz", " 1"]
    for site in sites:
        for call in (
            client.goals.list(site),
            client.goals.get(site, 101),
            client.goals.create(site, PathGoal("/")),
            client.goals.update(site, 101, name="a"),
            client.goals.delete(site, 101),
            client.goals.sessions.list(site, 101),
        ):
            with pytest.raises(InvalidParameterError, match=r"^site( must|:)"):
                await call
        with pytest.raises(InvalidParameterError, match=r"^site( must|:)"):
            client.goals.iter(site)
    assert not server.requests


async def test_invalid_goals_are_not_sent(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    goals: list[Any] = [0, -1, True, 101.0, None, "101", "1/2"]
    for goal in goals:
        for call in (
            client.goals.get(1, goal),
            client.goals.update(1, goal, name="a"),
            client.goals.delete(1, goal),
            client.goals.sessions.list(1, goal),
        ):
            with pytest.raises(InvalidParameterError, match=r"^goal( must|:)"):
                await call
    assert not server.requests


async def test_invalid_pages_sizes_and_orders_are_not_sent(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    cases: list[tuple[str, Any]] = [
        ("page", 0),
        ("page", "1"),
        ("page", True),
        ("page_size", 0),
        ("page_size", 101),
        ("page_size", -1),
        ("page_size", 10.0),
        ("sort", "created_at"),
        ("sort", "goalid"),
        ("order", "ASC"),
        ("order", "ascending"),
        ("colour", "red"),
    ]
    for name, value in cases:
        with pytest.raises(InvalidParameterError, match=name):
            await client.goals.list(1, **{name: value})
    assert not server.requests


# --- bodies that do not match the API -----------------------------------------------------------

ROW: dict[str, Any] = {
    "goalId": 1,
    "siteId": 1,
    "name": "a",
    "goalType": "path",
    "config": {"pathPattern": "/"},
    "createdAt": "2026-01-01 00:00:00",
    "total_conversions": 1,
    "total_sessions": 2,
    "conversion_rate": 0.5,
}
META: dict[str, Any] = {"total": "1", "page": 1, "pageSize": 10, "totalPages": 1}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"goalId": None}, "data[1].goalId"),
        ({"goalId": "one"}, "data[1].goalId"),
        ({"goalId": True}, "data[1].goalId"),
        ({"name": 5.5, "createdAt": "yesterday"}, "data[1].createdAt"),
        ({"name": []}, "data[1].name"),
        ({"total_conversions": 1.5}, "data[1].total_conversions"),
        ({"conversion_rate": "half"}, "data[1].conversion_rate"),
        ({"config": []}, "data[1].config"),
        ({"config": {}}, "data[1].config.pathPattern"),
        ({"config": {"pathPattern": None}}, "data[1].config.pathPattern"),
    ],
)
async def test_the_error_for_an_invalid_row_names_the_path(
    serve: Serve, connect: Connect, change: dict[str, Any], path: str
) -> None:
    server = await serve("2.2")
    server.inject(faults.Status(200, {"data": [ROW, {**ROW, **change}], "meta": META}))
    with pytest.raises(APIResponseError) as caught:
        await connect(server).goals.list(1)
    assert caught.value.path == path
    assert path in str(caught.value)
    assert (caught.value.status, caught.value.method) == (200, "GET")
    assert caught.value.url.startswith(f"{server.url}/api/goals/1?")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], ""),
        ("text", ""),
        (b"null", ""),
        ({"data": {}}, "data"),
        ({"data": None, "meta": META}, "data"),
        ({"meta": META}, "data"),
        ({"data": [], "meta": {**META, "total": "many"}}, "meta.total"),
        ({"data": [], "meta": {"page": 1}}, "meta.total"),
        ({"data": []}, "meta"),
        ({"data": [ROW, None], "meta": META}, "data[1]"),
    ],
)
async def test_the_error_for_an_invalid_envelope_names_the_path(
    serve: Serve, connect: Connect, body: object, path: str
) -> None:
    server = await serve("2.2")
    server.inject(faults.Status(200, body if body != "text" else b'"text"'))
    with pytest.raises(APIResponseError) as caught:
        await connect(server).goals.list(1)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"success": "false", "goalId": 1}, "success"),
        ({"success": 1, "goalId": 1}, "success"),
        ({"success": True}, "goalId"),
        ({"success": True, "goalId": True}, "goalId"),
    ],
)
async def test_the_result_of_a_write_is_checked(
    serve: Serve, connect: Connect, store: Store, body: object, path: str
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    server.inject(faults.Status(200, body), when=lambda request: request.method == "POST")
    with pytest.raises(APIResponseError) as caught:
        await client.goals.create(1, PathGoal("/"))
    assert caught.value.path == path


async def test_unknown_fields_are_kept(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    row: dict[str, Any] = {
        **ROW,
        "colour": "red",
        "goalType": "scroll",
        "config": {"depth": 50, "deep": {"er": [1]}},
    }
    server.inject(faults.Status(200, {"data": [row], "meta": {**META, "next": None}}))
    (goal,) = await connect(server).goals.list(1)
    assert goal.extra == {"colour": "red"}
    assert (goal.goal_type, goal.config) == ("scroll", {"depth": 50, "deep": {"er": [1]}})


@pytest.mark.parametrize("keyword", [{"limit": 1}, {"max_pages": 1}, {"page_size": 5}])
async def test_get_takes_no_keyword_of_a_walk(
    serve: Serve, connect: Connect, keyword: dict[str, Any]
) -> None:
    """With one of these it could miss a goal that is there."""
    server = await serve()
    with pytest.raises(InvalidParameterError, match=f"unknown parameter '{next(iter(keyword))}'"):
        await connect(server).goals.get(1, 1, **keyword)
    assert not server.requests


# --- answers to writes that say nothing ---------------------------------------------------------


@pytest.mark.parametrize("fault", [faults.Status(204, b""), faults.Status(200, b"")], ids=repr)
async def test_a_write_that_is_answered_without_a_body(
    serve: Serve, connect: Connect, store: Store, fault: Any
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    made = await client.goals.create(1, PathGoal("/a"))
    server.inject(fault, when=lambda request: request.method != "GET", times=None)
    # A proxy answers a deletion so.
    assert await client.goals.delete(1, made.goal_id) == GoalResult(True, made.goal_id)
    assert await client.request("DELETE", "/api/x") is None
    for call in (
        client.goals.create(1, PathGoal("/b")),
        client.goals.update(1, made.goal_id, name="x"),
        client.goals.ensure(1, PathGoal("/c")),
        client.request("POST", "/api/x", cast_to=dict[str, int]),
    ):
        with pytest.raises(APIResponseError, match=r"the body is empty.*may have been carried out"):
            await call


@pytest.mark.parametrize(
    "fault", [faults.Html(200), faults.Status(200, []), faults.TruncatedJSON()], ids=repr
)
async def test_a_write_whose_answer_cannot_be_read(
    serve: Serve, connect: Connect, store: Store, fault: Any
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    goal = store.add_goal(1, "path", {"pathPattern": "/"})
    server.inject(fault, when=lambda request: request.method != "GET", times=None)
    for call in (
        client.goals.create(1, PathGoal("/b")),
        client.goals.update(1, goal, name="x"),
        client.goals.delete(1, goal),
    ):
        with pytest.raises(APIResponseError, match="may have been carried out nevertheless: check"):
            await call
    server.clear_faults()
    server.inject(fault)
    with pytest.raises(APIResponseError) as caught:
        await client.goals.list(1)
    assert "carried out" not in str(caught.value)


async def test_ensure_looks_again_after_an_answer_that_cannot_be_read(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    for fault in (faults.FalseEncoding("br"), faults.Raw(b"220 hello\r\n", handled=True)):
        server.inject(fault, when=lambda request: request.method == "POST")
        found = await client.goals.ensure(1, PathGoal(f"/{type(fault).__name__}"))
        assert found.success
    assert len(store.goals(1)) == 2
