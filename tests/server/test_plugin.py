"""The pytest plugin, in a pytest of its own: whatever loop a test runs in, or none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFTEST = """
import pytest, pytest_asyncio
from rybbit_async import RybbitClient
from rybbit_async.testing import generate


@pytest.fixture(scope="session")
def site(rybbit_session_server):
    return generate(rybbit_session_server.store, seed=1, sessions=20, goals=2).site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_client(rybbit_session_server, site):
    url = rybbit_session_server.url
    async with RybbitClient(rybbit_session_server.api_key, base_url=url) as client:
        yield client


@pytest.fixture
def filled(rybbit_server):
    return generate(rybbit_server.store, seed=1, sessions=20, goals=2).site


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""

SYNC = """
import urllib.request
from rybbit_async.testing import faults


def read(server):
    request = urllib.request.Request(
        f"{server.url}/api/sites/1/goals", headers={"Authorization": f"Bearer {server.api_key}"}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.status


def test_sync(rybbit_server, filled):
    assert read(rybbit_server) == 200
    assert len(rybbit_server.requests) == 1


def test_session(rybbit_session_server, site):
    assert read(rybbit_session_server) == 200


def test_again(rybbit_session_server, site):
    before = len(rybbit_session_server.requests)
    assert read(rybbit_session_server) == 200
    assert before and len(rybbit_session_server.requests) == before + 1


def test_a_hold_that_is_forgotten(rybbit_server, filled):
    import threading

    rybbit_server.hold()
    thread = threading.Thread(target=lambda: _fails(rybbit_server), daemon=True)
    thread.start()
    while not rybbit_server.in_flight:
        pass


def _fails(server):
    try:
        read(server)
    except OSError:
        pass
"""

BODY = """
    assert len(await rybbit_client.goals.list(1)) == 2
    held = rybbit_server.hold()
    call = asyncio.ensure_future(rybbit_client.goals.list(1))
    await held.reached()
    assert not call.done()
    held.release()
    assert len(await call) == 2
    rybbit_server.inject(faults.Status(503))
    rybbit_server.release = "2.4"
    await rybbit_server.restart()
    assert len(await rybbit_client.goals.iter(1).collect()) == 2
    assert rybbit_client.stats.retries >= 1
    rybbit_server.store.add_goal(1, "path", {"pathPattern": "/new"})
    iterator = aiter(rybbit_client.goals.iter(1, page_size=1))
    await anext(iterator)
    # Whatever the test forgets, the teardown neither waits for it nor warns.
    forgotten = rybbit_server.hold()
    call = asyncio.ensure_future(rybbit_client.goals.list(1))
    call.add_done_callback(lambda call: call.cancelled() or call.exception())
    await forgotten.reached()
"""

WIDER = """
@pytest.mark.asyncio(loop_scope="session")
async def test_a_fixture_of_a_wider_scope(session_client):
    assert len(await session_client.goals.list(1)) == 2
"""

HEAD = "import asyncio, pytest\nfrom rybbit_async.testing import faults\n\n"


def test_every_kind_of_test_can_use_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_sync.py").write_text(SYNC)
    lines = [HEAD]
    for scope in ("function", "class", "module", "package", "session"):
        lines += [
            f"class Test_{scope}:\n",
            f"  @pytest.mark.asyncio(loop_scope={scope!r})\n",
            f"  async def test_{scope}(self, rybbit_server, filled, rybbit_client):{BODY}\n",
        ]
    lines.append(WIDER)
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "test_scopes.py").write_text("".join(lines))
    number = 4 + 5 + 1
    if "anyio" in _plugins():
        number += 1
        text = (
            f"{HEAD}@pytest.mark.anyio\nasync def test_anyio(rybbit_server, filled, rybbit_client):"
        )
        (tmp_path / "test_anyio.py").write_text(text + BODY)
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider",
         "-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function",
         str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )  # fmt: skip
    assert f"{number} passed" in run.stdout, run.stdout + run.stderr
    assert run.returncode == 0, run.stdout + run.stderr


def _plugins() -> set[str]:
    from importlib.metadata import distributions

    return {
        entry.name
        for found in distributions()
        for entry in found.entry_points
        if entry.group == "pytest11"
    }
