"""Routes, and the differences between the two layouts."""

from __future__ import annotations

import pytest

from .conftest import Rig, Serve


async def test_the_five_endpoints_and_no_route_for_one_goal(rig: Rig) -> None:
    config = {"goalType": "path", "config": {"pathPattern": "/"}}
    cookie = await rig.as_user()
    created = await rig.send("POST", rig.goals(), json=config, headers=cookie)
    assert created.status == 201
    goal = created.json["goalId"]
    assert (await rig.get(rig.goals(), headers=cookie)).json["meta"]["total"] == "1"
    assert (await rig.get(rig.sessions(goal), {"page": 1}, headers=cookie)).json == {"data": []}
    ids = {"goalId": goal, "siteId": rig.site.site_id}
    put = await rig.send("PUT", rig.goal(goal), json={**ids, **config}, headers=cookie)
    assert put.json == {"success": True, "goalId": goal}
    assert (await rig.get(rig.goal(goal), headers=cookie)).status == 404
    assert (await rig.send("DELETE", rig.goal(goal), headers=cookie)).json == {"success": True}


@pytest.mark.parametrize("release", ["2.4", "2.8"])
@pytest.mark.parametrize("credentials", [True, False])
async def test_sites_server_has_no_goals_route(
    serve: Serve, release: str, credentials: bool
) -> None:
    rig = await serve(release)
    rig.key = rig.key if credentials else None
    reply = await rig.get("/api/goals/1")
    assert reply.status == 404
    assert reply.json == {
        "message": "Route GET:/api/goals/1 not found",
        "error": "Not Found",
        "statusCode": 404,
    }


async def test_goals_server_answers_site_not_found_to_the_sites_route(serve: Serve) -> None:
    rig = await serve("2.2")
    reply = await rig.get("/api/sites/1/goals")
    assert (reply.status, reply.json) == (404, {"error": "Site not found"})


@pytest.mark.parametrize(
    ("release", "status", "body"),
    [
        ("2.2", 401, {"error": "Unauthorized"}),
        ("2.4", 200, {"version": "2.4.0"}),
        ("2.8", 200, {"version": "2.8.0"}),
    ],
)
async def test_version_without_credentials(
    serve: Serve, release: str, status: int, body: object
) -> None:
    rig = await serve(release)
    rig.key = None
    reply = await rig.get("/api/version")
    assert (reply.status, reply.json) == (status, body)


async def test_a_site_by_its_string_identifier(rig: Rig) -> None:
    assert len(rig.site.string_id) == 12
    assert int(rig.site.string_id, 16) >= 0
    assert (await rig.get(rig.goals(rig.site.string_id))).status == 200


async def test_a_trailing_slash_breaks_the_route(rig: Rig) -> None:
    reply = await rig.get(rig.goals() + "/")
    status, error = (401, "Unauthorized") if rig.server.release == "2.2" else (404, "Not Found")
    assert (reply.status, reply.json["error"]) == (status, error)


async def test_a_percent_encoded_character_in_the_site_breaks_the_route_on_2_2_only(
    rig: Rig,
) -> None:
    encoded = f"%3{rig.site.site_id}"
    reply = await rig.get(rig.goals(encoded))
    assert reply.status == (401 if rig.server.release == "2.2" else 200)
    goal = rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    assert (await rig.get(rig.sessions(f"{goal}%20"), {"page": 1})).status == 200


async def test_a_request_line_beyond_20_kb_is_431(rig: Rig) -> None:
    assert (await rig.get(rig.goals(), {"filters": "x" * 19_000})).status == 200
    assert (await rig.get(rig.goals(), {"filters": "x" * 20_001})).status == 431


async def test_a_server_that_restarts_as_a_newer_release_has_the_other_layout(
    serve: Serve,
) -> None:
    rig = await serve("2.2")
    old, url = rig.goals(), rig.server.url
    assert (await rig.get(old)).status == 200
    await rig.server.restart(release="2.8")
    assert rig.server.url == url
    assert (await rig.get(old)).status == 404
    assert (await rig.get(rig.goals())).status == 200


async def test_no_compression_no_etag_no_cache_control_and_keep_alive(rig: Rig) -> None:
    reply = await rig.get(rig.goals(), headers={"Accept-Encoding": "gzip, zstd"})
    assert not {"Content-Encoding", "ETag", "Cache-Control"} & set(reply.headers)
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    await rig.get(rig.goals())
    assert rig.server.connections == 1


async def test_mid_2025_servers_ignore_page_size_and_echo_their_own(serve: Serve) -> None:
    rig = await serve("2025.06")
    for number in range(25):
        rig.store.add_goal(rig.site, "path", {"pathPattern": f"/{number}"})
    reply = await rig.get(rig.goals(), {"page_size": 100})
    assert len(reply.json["data"]) == 10
    assert reply.json["meta"] == {"total": "25", "page": 1, "pageSize": 10, "totalPages": 3}
    assert len((await rig.get(rig.goals(), {"pageSize": 20})).json["data"]) == 20
