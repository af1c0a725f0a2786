from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from rybbit_async import RybbitClient
from rybbit_async.cli import demo

Cli = Callable[..., Any]


def test_a_site_of_a_server(cli: Cli) -> None:
    result = cli("demo", env={"RYBBIT_SITE": "1"})
    assert result.code == 0
    assert result.err == ""
    for title in ("Goals of site 1, ", "The sessions of all goals", "An export", "Summary"):
        assert f"\n{title}" in result.out
    assert "/product/*" in result.out
    assert "All at once was " in result.out
    assert all(len(line) <= 80 for line in result.out.splitlines())
    assert cli("demo", 999).code == 4


def test_an_embedded_server(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def show(console: Console, client: RybbitClient, site: int) -> None:
        console.print([goal.name async for goal in client.goals.iter(site, limit=1)])

    monkeypatch.setattr(demo, "_show", show)
    monkeypatch.setattr(demo, "LATENCY", 0)
    result = cli("demo", "--sessions=60", url="", key="")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(
        "Starting an embedded server with 30 days of generated traffic: 60"
    )
    assert result.out.endswith("['Pricing seen']\n")


def test_an_embedded_server_that_does_not_start(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    result = cli("demo", url="", key="")
    assert result.code == 1
    assert result.err == "rybbit-async: the embedded server did not start: exit status 1\n"
