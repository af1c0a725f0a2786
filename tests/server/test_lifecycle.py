"""Start, stop and restart, recorded requests, the command line, the fixtures."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import subprocess
import sys
import threading
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rybbit_async import CommonParameters, RybbitClient
from rybbit_async.testing import RybbitServer, Store, faults

from .conftest import NOW, NUMBERED, Serve


def test_creating_a_server_does_no_io() -> None:
    server = RybbitServer()
    with pytest.raises(RuntimeError, match="no URL"):
        assert server.url
    assert "not started" in repr(server)
    assert server.connections == 0


def test_an_unknown_release() -> None:
    with pytest.raises(ValueError, match=r"2\.2, 2\.3, 2\.4, 2\.6, 2\.7, 2\.8, 2\.9"):
        RybbitServer("3.0")


async def test_start_and_stop_twice() -> None:
    server = RybbitServer()
    await server.stop()
    await server.start()
    url = server.url
    await server.start()
    assert server.url == url
    await server.stop()
    await server.stop()
    assert not server.running
    server.store.close()


async def test_no_task_and_no_connection_remains() -> None:
    before = asyncio.all_tasks()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with RybbitServer() as server, aiohttp.ClientSession() as http:
            async with http.get(server.url + "/api/version") as response:
                assert response.status == 200
            assert server.connections == 1
        assert server.connections == 0
        assert asyncio.all_tasks() == before
        gc.collect()


async def test_stop_closes_every_connection_and_start_uses_the_same_port(serve: Serve) -> None:
    rig = await serve()
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    assert (await rig.get(rig.goals())).status == 200
    await rig.server.stop()
    assert rig.server.connections == 0
    with pytest.raises(aiohttp.ClientConnectorError):
        await rig.get(rig.goals())
    await rig.server.start()
    assert (await rig.get(rig.goals())).json["meta"]["total"] == "1"


async def test_restart_under_requests(serve: Serve) -> None:
    rig = await serve()
    with rig.server.hold() as held:
        request = asyncio.create_task(rig.get(rig.goals()))
        await held.reached()
        await rig.server.restart(down_for=0.01)
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await request
    assert (await rig.get(rig.goals())).status == 200


async def test_restart_by_a_request_itself(serve: Serve) -> None:
    rig = await serve()
    rig.server.inject(faults.Before(lambda: rig.server.restart(release="2.4")))
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await rig.get("/api/version")
    async with asyncio.timeout(5):
        while not rig.server.running:  # noqa: ASYNC110 - it comes back in a few turns
            await asyncio.sleep(0)
    assert (await rig.get("/api/version")).json == {"version": "2.4.0"}


async def test_the_release_is_switched_while_it_runs(serve: Serve) -> None:
    rig = await serve("2.4")
    rig.key = None
    rig.server.release = "2.8"
    assert (await rig.get("/api/version")).json == {"version": "2.8.0"}
    with pytest.raises(ValueError, match="release must be one of"):
        rig.server.release = "1"


async def test_requests_are_recorded_as_received(serve: Serve) -> None:
    rig = await serve()
    await rig.get(rig.goals(), "filters=%5B%5D&x=a%2Fb+c&page=1&page=2")
    await rig.send("POST", rig.goals(), json={"a": 1})
    get, post = rig.server.requests
    assert get.method == "GET"
    assert get.target == f"{rig.goals()}?filters=%5B%5D&x=a%2Fb+c&page=1&page=2"
    assert get.path == rig.goals()
    assert get.query.getall("page") == ["1", "2"]
    assert get.query["x"] == "a/b c"
    assert get.headers["authorization"] == f"Bearer {rig.key}"
    assert get.status == 200
    assert json.loads(post.body) == {"a": 1}
    assert post.status == 500
    rig.server.requests.clear()
    assert rig.server.requests == []


async def test_record_may_be_switched_off(serve: Serve) -> None:
    rig = await serve(record=False)
    await rig.get(rig.goals())
    assert rig.server.requests == []


async def test_a_store_passed_in_is_used_and_not_closed() -> None:
    with Store() as store:
        site = store.add_site()
        store.add_goal(site, "path", {"pathPattern": "/"})
        for _ in range(2):
            async with RybbitServer(store=store) as server, aiohttp.ClientSession() as http:
                headers = {"Authorization": f"Bearer {server.api_key}"}
                url = f"{server.url}/api/sites/{site.site_id}/goals"
                async with http.get(url, headers=headers) as response:
                    assert (await response.json())["meta"]["total"] == "1"
        assert len(store.sites()) == 1


async def test_pages_are_cached_until_events_are_written(serve: Serve) -> None:
    rig = await serve(cache_pages=1000)
    goal = rig.store.add_goal(rig.site, "path", {"pathPattern": "/**"})
    for at in range(4):
        bodies = {(await rig.get(rig.sessions(goal), {"page": 1})).body for _ in range(2)}
        (body,) = bodies
        assert body.count(b"session_id") == at
        rig.store.add_session(rig.site, start=NOW)


# The extra


WITHOUT_DUCKDB = "import runpy, sys; sys.modules['duckdb'] = None; sys.argv[1:] = ['serve']; "


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("runpy.run_module('rybbit_async', run_name='__main__')", 1),
        ("import rybbit_async.testing as testing; testing.RybbitServer", 1),
        ("import rybbit_async.testing as testing; testing.RELEASES, testing.missing", 1),
        ("from rybbit_async.testing import plugin; next(plugin.rybbit_server.__wrapped__())", 1),
    ],
)
def test_without_duckdb_the_error_names_the_extra(code: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DUCKDB + code], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == status
    last = done.stderr.strip().splitlines()[-1]
    if "missing" in code:
        assert last.startswith("AttributeError")
    else:
        assert last.endswith("pip install 'rybbit_async[testing]'")


async def test_the_server_fixture(rybbit_server: RybbitServer) -> None:
    assert rybbit_server.running
    assert rybbit_server.release == "2.8"
    assert rybbit_server.store.sites() == []


def test_the_plugin_loads_without_duckdb_and_plugins_of_others() -> None:
    code = (
        "import sys, rybbit_async.testing.plugin; "
        "assert not {'duckdb', 'pytest_asyncio', 'anyio'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_the_public_names() -> None:
    import rybbit_async.testing as testing

    kinds = {name: (not name.isupper(), name.islower(), name) for name in testing.__all__}
    assert testing.__all__ == sorted(testing.__all__, key=kinds.__getitem__)
    for name in testing.__all__:
        assert getattr(testing, name) is not None
        assert name in dir(testing)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        assert testing.nothing


def test_the_credentials_are_kept_in_a_database(tmp_path: Path) -> None:
    def credentials(**given: str) -> tuple[str, ...]:
        with Store(tmp_path / "data.duckdb") as store, RybbitServer(store=store, **given) as server:
            return server.api_key, server.read_only_key, server.email, server.password

    first = credentials()
    assert credentials() == first
    assert first[2:] == ("owner@example.com", "embedded-server-password")
    mine = credentials(api_key="rb_mine", email="me@example.com", password="secret")
    assert mine == ("rb_mine", first[1], "me@example.com", "secret")
    assert credentials() == mine
    assert RybbitServer().api_key != RybbitServer().api_key
    assert RybbitServer(api_key="rb_mine").api_key == "rb_mine"
    with pytest.raises(ValueError, match="api_key must be printable ASCII") as caught:
        RybbitServer(api_key="rb mine")
    assert "mine" not in str(caught.value)


def server_threads() -> list[threading.Thread]:
    """The threads of servers; another test file may have one for the whole run."""
    return [one for one in threading.enumerate() if one.name == "RybbitServer"]


def test_a_server_in_a_thread_of_its_own_can_be_used_from_everywhere() -> None:
    before = server_threads()
    with RybbitServer() as server:
        with pytest.raises(RuntimeError, match="runs already"):
            server.__enter__()
        asyncio.run(server.restart("2.4"))
        assert server.running
        assert server.release == "2.4"
        asyncio.run(server.stop())
        assert not server.running
    assert server_threads() == before


def test_blocks_are_not_nested() -> None:
    async def nest(server: RybbitServer) -> None:
        async with server:
            pass

    with RybbitServer() as server:
        with pytest.raises(RuntimeError, match="runs already"):
            asyncio.run(nest(server))
        assert server.running


def test_a_port_that_is_taken() -> None:
    before = server_threads()
    with RybbitServer() as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"), RybbitServer(port=port):
            pass
    assert server_threads() == before


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("0", "127.0.0.1"),
        ("localhost", "localhost"),
        ("::1", "[::1]"),
        ("::", "[::1]"),
        ("0:0:0:0:0:0:0:0", "[::1]"),
    ],
)
async def test_the_url_works_for_every_host_and_stays(host: str, shown: str) -> None:
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    async with RybbitServer(host=host) as server:
        url = server.url
        assert url.rpartition(":")[0] == f"http://{shown}"
        async with RybbitClient(server.api_key, base_url=url) as client:
            assert await client.request("GET", "/api/version") == {"version": "2.8.0"}
            await server.restart()
            assert server.url == url
            assert await client.request("GET", "/api/version") == {"version": "2.8.0"}


async def test_a_host_with_several_addresses_has_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2")]

    async def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(family, socket.SOCK_STREAM, 6, "", (one, port)) for family, one in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    async with RybbitServer(host="two.localhost") as server, aiohttp.ClientSession() as http:
        port = int(server.url.rpartition(":")[2])
        for _ in range(2):
            for _, address in found:
                async with http.get(f"http://{address}:{port}/api/version") as response:
                    assert response.status == 200
            await server.restart()


@pytest.mark.parametrize("release", NUMBERED)
async def test_relative_windows_are_those_of_the_clock_of_the_server(release: str) -> None:
    """It stands still, and is far from that of this machine."""
    window = CommonParameters(past_minutes_start=60, past_minutes_end=0)
    for year in (2001, 2035):
        now = NOW.replace(year=year)
        with Store() as store:
            site = store.add_site()
            store.add_goal(site, "path", {"pathPattern": "/"})
            rows = [
                {"timestamp": now - timedelta(minutes=at), "session_id": f"s{at}", "user_id": "u"}
                for at in (0, 5, 30, 90)
            ]
            store.add_events(site, rows)
            async with (
                RybbitServer(release, store, clock=lambda now=now: now) as server,
                RybbitClient(server.api_key, base_url=server.url) as client,
            ):
                assert len(await client.sessions.iter(site.site_id, **window).collect()) == 3
                (goal,) = await client.goals.iter(site.site_id, **window).collect()
                assert goal.total_sessions == goal.total_conversions == 3
