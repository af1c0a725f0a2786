"""Create, update, delete."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Rig, Serve

PATH: dict[str, Any] = {"goalType": "path", "config": {"pathPattern": "/a"}}
EVENT: dict[str, Any] = {
    "goalType": "event",
    "config": {"eventName": "x", "eventPropertyKey": "k", "eventPropertyValue": 5},
}


class Writer:
    """Writes as a signed-in user, which every release allows."""

    def __init__(self, rig: Rig, cookie: dict[str, str]) -> None:
        self.rig = rig
        self.cookie = cookie

    async def post(self, body: object, site: object = None) -> Any:
        return await self.rig.send("POST", self.rig.goals(site), json=body, headers=self.cookie)

    async def put(self, goal: object, body: object, site: object = None) -> Any:
        path = self.rig.goal(goal, site)
        return await self.rig.send("PUT", path, json=body, headers=self.cookie)

    async def delete(self, goal: object, site: object = None, **options: Any) -> Any:
        headers = {**self.cookie, **options.pop("headers", {})}
        path = self.rig.goal(goal, site)
        return await self.rig.send("DELETE", path, headers=headers, **options)

    def ids(self, goal: int, site: int | None = None) -> dict[str, int]:
        return {"goalId": goal, "siteId": self.rig.site.site_id if site is None else site}

    def add(self, site: object = None) -> int:
        config = {"pathPattern": "/old"}
        held: Any = self.rig.site if site is None else site
        return self.rig.store.add_goal(held, "path", config, name="old")


@pytest.fixture
async def writer(rig: Rig) -> Writer:
    return Writer(rig, await rig.as_user())


@pytest.mark.parametrize("body", [PATH, EVENT])
async def test_create(writer: Writer, body: dict[str, Any]) -> None:
    reply = await writer.post({**body, "name": "n"})
    assert reply.status == 201
    (goal,) = writer.rig.store.goals(writer.rig.site)
    assert reply.json == {"success": True, "goalId": goal.goal_id}
    assert (goal.name, goal.goal_type, goal.config) == ("n", body["goalType"], body["config"])


@pytest.mark.parametrize("name", [{}, {"name": ""}])
async def test_a_missing_or_empty_name_becomes_null(writer: Writer, name: dict[str, str]) -> None:
    assert (await writer.post({**PATH, **name})).status == 201
    assert writer.rig.store.goals(writer.rig.site)[0].name is None


async def test_unknown_keys_are_dropped(writer: Writer) -> None:
    body = {**PATH, "colour": "red", "config": {"pathPattern": "/a", "colour": "red"}}
    assert (await writer.post(body)).status == 201
    assert writer.rig.store.goals(writer.rig.site)[0].config == {"pathPattern": "/a"}


@pytest.mark.parametrize("extra", [{"name": "a\0b"}, {"config": {"pathPattern": "/\0"}}])
async def test_nul_in_text_is_500(writer: Writer, extra: dict[str, Any]) -> None:
    assert (await writer.post({**PATH, **extra})).status == 500
    assert writer.rig.store.goals(writer.rig.site) == []


INVALID: dict[str, dict[str, Any]] = {
    "name null": {**PATH, "name": None},
    "no goalType": {"config": {"pathPattern": "/"}},
    "unknown goalType": {"goalType": "dream", "config": {}},
    "no config": {"goalType": "path"},
    "config a list": {"goalType": "path", "config": []},
    "mismatch": {"goalType": "path", "config": {"eventName": "x"}},
    "empty pattern": {"goalType": "path", "config": {"pathPattern": ""}},
    "pattern a number": {"goalType": "path", "config": {"pathPattern": 5}},
    "value without key": {
        "goalType": "event",
        "config": {"eventName": "x", "eventPropertyValue": 1},
    },
    "key without value": {
        "goalType": "event",
        "config": {"eventName": "x", "eventPropertyKey": "k"},
    },
    "value an object": {
        "goalType": "event",
        "config": {"eventName": "x", "eventPropertyKey": "k", "eventPropertyValue": {}},
    },
}


async def test_invalid_bodies(writer: Writer) -> None:
    goal = writer.add()
    ids = writer.ids(goal)
    for case, body in INVALID.items():
        for reply in (await writer.post(body), await writer.put(goal, {**ids, **body})):
            if writer.rig.server.release == "2.8":
                assert reply.status == 500, case
                assert reply.json["statusCode"] == 500
                assert reply.json["error"] == "Internal Server Error"
                assert reply.json["message"].startswith("Cannot set property errors of ")
            else:
                assert reply.status == 400, case
                assert reply.json["error"] == "Validation error"
                assert reply.json["details"]
    assert [goal.name for goal in writer.rig.store.goals(writer.rig.site)] == ["old"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("mismatch", "Configuration must match goal type"),
        (
            "key without value",
            (
                "Both eventPropertyKey and eventPropertyValue must be provided together or "
                "omitted together"
            ),
        ),
    ],
)
async def test_details_of_validation(serve: Serve, case: str, message: str) -> None:
    rig = await serve("2.2")
    writer = Writer(rig, await rig.as_user())
    reply = await writer.post(INVALID[case])
    detail = {"code": "custom", "message": message, "path": ["config"]}
    assert reply.json == {"error": "Validation error", "details": [detail]}


async def test_newer_types_and_property_filters_by_release(writer: Writer) -> None:
    release = writer.rig.server.release
    button = {"goalType": "button_click", "config": {"valuePattern": "Buy*"}}
    pairs = [{"key": "plan", "value": "pro"}]
    event = {"goalType": "event", "config": {"eventName": "x", "propertyFilters": pairs}}
    assert (await writer.post(button)).status == (201 if release == "2.8" else 400)
    assert (await writer.post(event)).status == 201
    *_, goal = writer.rig.store.goals(writer.rig.site)
    assert ("propertyFilters" in goal.config) == (release != "2.2")


# Update


async def test_put_is_a_full_replacement(writer: Writer) -> None:
    goal = writer.add()
    reply = await writer.put(goal, {**writer.ids(goal), **EVENT})
    assert (reply.status, reply.json) == (200, {"success": True, "goalId": goal})
    (held,) = writer.rig.store.goals(writer.rig.site)
    assert (held.name, held.goal_type, held.config) == (None, "event", EVENT["config"])


async def test_put_requires_integer_ids_in_the_body_before_2_8(writer: Writer) -> None:
    goal = writer.add()
    reply = await writer.put(goal, PATH)
    if writer.rig.server.release == "2.8":
        assert reply.status == 200
        return
    assert reply.status == 400
    assert [detail["message"] for detail in reply.json["details"]] == ["Required", "Required"]
    assert [detail["path"] for detail in reply.json["details"]] == [["goalId"], ["siteId"]]
    for bad in (str(goal), goal + 0.5, True, None):
        assert (await writer.put(goal, {**writer.ids(goal), **PATH, "goalId": bad})).status == 400


async def test_the_goal_id_in_the_url_of_a_put_is_ignored_before_2_7(writer: Writer) -> None:
    first, second = writer.add(), writer.add()
    reply = await writer.put(first, {**PATH, **writer.ids(second), "name": "new"})
    changed = first if writer.rig.server.release == "2.8" else second
    assert reply.json == {"success": True, "goalId": changed}
    goal = writer.rig.store.find_goal(changed)
    assert goal is not None
    assert goal.name == "new"


async def test_put_of_an_unknown_goal(writer: Writer) -> None:
    reply = await writer.put(9999, {**PATH, **writer.ids(9999)})
    assert (reply.status, reply.json) == (404, {"error": "Goal not found"})


# Delete


async def test_deleting_twice(writer: Writer) -> None:
    goal = writer.add()
    assert (await writer.delete(goal)).json == {"success": True}
    reply = await writer.delete(goal)
    assert (reply.status, reply.json) == (404, {"error": "Goal not found"})


async def test_the_site_in_the_url_of_a_delete_is_ignored_before_2_7(writer: Writer) -> None:
    other = writer.rig.store.add_site("second")
    goal = writer.add(other)
    reply = await writer.delete(goal)
    if writer.rig.server.release != "2.8":
        assert reply.json == {"success": True}
        assert writer.rig.store.goals(other) == []
    else:
        wrong = {"error": "Goal does not belong to the specified site"}
        assert (reply.status, reply.json) == (403, wrong)
        put = await writer.put(goal, {**PATH, **writer.ids(goal)})
        assert (put.status, put.json) == (403, wrong)


async def test_a_goal_of_another_organisation_cannot_be_changed(writer: Writer) -> None:
    theirs = writer.rig.store.add_site("theirs", organisation="theirs")
    goal = writer.add(theirs)
    assert (await writer.delete(goal)).status == 403
    assert (await writer.put(goal, {**PATH, **writer.ids(goal, theirs.site_id)})).status == 403
    assert len(writer.rig.store.goals(theirs)) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_json_content_type_without_a_body(writer: Writer, method: str) -> None:
    goal = writer.add()
    path = writer.rig.goals() if method == "POST" else writer.rig.goal(goal)
    headers = {**writer.cookie, "Content-Type": "application/json"}
    reply = await writer.rig.send(method, path, headers=headers)
    assert reply.status == 400
    assert reply.json["code"] == "FST_ERR_CTP_EMPTY_JSON_BODY"
    assert (reply.json["statusCode"], reply.json["error"]) == (400, "Bad Request")


async def test_malformed_json(writer: Writer) -> None:
    headers = {**writer.cookie, "Content-Type": "application/json"}
    code = {"code"} if writer.rig.server.release == "2.8" else set()
    for body in (b"{", b"nope", b'{"a":NaN}', b"\xff"):
        reply = await writer.rig.send("POST", writer.rig.goals(), headers=headers, data=body)
        assert reply.status == 400, body
        assert reply.json.keys() == {"statusCode", "error", "message"} | code
        assert (reply.json["statusCode"], reply.json["error"]) == (400, "Bad Request")


async def test_another_content_type_is_415(writer: Writer) -> None:
    headers = {**writer.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    reply = await writer.rig.send("POST", writer.rig.goals(), headers=headers, data=b"a=b")
    assert reply.status == 415


async def test_no_body_is_invalid(writer: Writer) -> None:
    reply = await writer.rig.send("POST", writer.rig.goals(), headers=writer.cookie)
    assert reply.status == (500 if writer.rig.server.release == "2.8" else 400)
