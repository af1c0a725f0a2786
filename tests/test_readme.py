"""Every code sample of the README runs, against the embedded server."""

from __future__ import annotations

import asyncio
import datetime
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

import rybbit_async
from rybbit_async import testing
from rybbit_async.testing import RybbitServer, Traffic, generate

from .certificate import CERTIFICATE
from .clock import FakeClock

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
SAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PROGRAMS = [sample for sample in SAMPLES if "asyncio.run(" in sample]
TESTS = [sample for sample in SAMPLES if "def test_" in sample]
WATCHES = [sample for sample in SAMPLES if ".watch(" in sample]
FRAGMENTS = [sample for sample in SAMPLES if sample not in PROGRAMS + TESTS + WATCHES]


def names(server: RybbitServer, traffic: Traffic) -> dict[str, Any]:
    """What the README says that a sample can use."""
    public = {name: getattr(rybbit_async, name) for name in rybbit_async.__all__}
    tools = {name: getattr(testing, name) for name in testing.__all__}
    site = traffic.site.site_id
    return {
        **tools,
        **public,
        "aiohttp": aiohttp,
        "attrs": attrs,
        "Path": Path,
        "date": datetime.date,
        "goal": traffic.goals[site][0],
        "site": site,
    }


def here(sample: str, server: RybbitServer, traffic: Traffic) -> str:
    """The sample, with the key and the address of this server in place of the README's."""
    number = str(traffic.site.site_id)
    sample = sample.replace('"rb_..."', repr(server.api_key)).replace("(123,", f"({number},")
    sample = re.sub(r"^( *)123, goal", rf"\g<1>{number}, goal", sample, flags=re.MULTILINE)
    for day, moment in (("2024-01-01", traffic.start), ("2024-01-31", traffic.end)):
        sample = sample.replace(day, str(moment.date()))
    return sample.replace("https://analytics.example.com", server.url)


def test_the_first_sample_is_near_the_top() -> None:
    assert README[: README.index("```python")].count("\n") < 30


def test_there_are_samples() -> None:
    assert len(PROGRAMS) == 1
    assert len(TESTS) == 1
    assert len(FRAGMENTS) >= 8


@pytest.mark.parametrize("sample", FRAGMENTS, ids=lambda sample: sample.partition("\n")[0][:40])
async def test_fragment(sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    async with RybbitServer() as server:
        traffic = generate(server.store, seed=1, sessions=100)
        monkeypatch.setenv("RYBBIT_BASE_URL", server.url)
        async with rybbit_async.RybbitClient(server.api_key, base_url=server.url) as client:
            scope = names(server, traffic) | {"given": client}
            body = textwrap.indent(here(sample, server, traffic), "    ")
            reads = "    client = given\n" if "client" in sample else ""
            exec(f"async def fragment():\n{reads}{body}", scope)
            await scope["fragment"]()


async def test_watches(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    async with RybbitServer(clock=clock.now) as server:
        traffic = generate(server.store, seed=1, sessions=50, end=clock.now())
        client = rybbit_async.RybbitClient(server.api_key, base_url=server.url)
        async with clock.drive(client):
            scope = names(server, traffic) | {"client": client}
            exec(here(WATCHES[0], server, traffic), scope)
            started = clock.now()
            clock.at(
                20,
                lambda: server.store.add_session(
                    traffic.site, start=started, pages=["/pricing"] * 3
                ),
            )
            # It is the watches that move the clock.
            await clock.run_until(3_600, scope["follow_goals"](), scope["follow_events"]())
    printed = capsys.readouterr().out
    assert printed.count("pageview /pricing") == 3
    assert printed.count("goes on") == printed.count("is over") >= 1


async def test_program(capsys: pytest.CaptureFixture[str]) -> None:
    async with RybbitServer() as server:
        traffic = generate(server.store, seed=1, sessions=50)
        code = compile(here(PROGRAMS[0], server, traffic), "README.md", "exec")
        # In a thread, for the sample has a loop of its own.
        await asyncio.to_thread(exec, code, {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert "Pricing seen" in printed
    assert len(printed.splitlines()) > 12


def test_test(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(TESTS[0], "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error"]
    options = ["-o", "asyncio_default_fixture_loop_scope=function"]
    run = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
