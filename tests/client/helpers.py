"""Helpers for the tests of the client: constants, URLs, and the requests of a server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from rybbit_async import PasswordLogin, Retry, RybbitClient, RybbitWarning
from rybbit_async.testing import RecordedRequest, RybbitServer, Site, Store

END = datetime(2026, 3, 31, 12, 0, 0, tzinfo=UTC)
"""The current time of every server in these tests."""

RELEASES = ("2025.06", "2.2", "2.4", "2.8")
LAYOUT = {"2025.06": "goals", "2.2": "goals", "2.4": "sites", "2.8": "sites"}
ONCE = Retry(attempts=1)
"""For tests of a single attempt."""
SITES_RELEASES = ("2.4", "2.8")
UNKNOWN_ID = "abcdefabcdef"


@attrs.frozen
class World:
    """A store that tests only read."""

    store: Store
    site: Site
    """A site of the caller, with traffic and fourteen goals."""
    second: Site
    """Another site of the caller, with one goal."""
    second_goal: int
    foreign: Site
    """A site of an organization that the caller does not belong to."""
    public: Site
    """A public site of that same organization."""

    def goal(self, name: str | None) -> int:
        return next(g.goal_id for g in self.store.goals(self.site) if g.name == name)


def login(server: RybbitServer) -> PasswordLogin:
    return PasswordLogin(server.email, server.password)


def lines(server: RybbitServer) -> list[str]:
    """The requests so far without their queries, such as ``GET /api/goals/1``."""
    return [f"{request.method} {request.path}" for request in server.requests]


def writes(server: RybbitServer) -> list[RecordedRequest]:
    return [
        request
        for request in server.requests
        if request.method != "GET" and not request.path.startswith("/api/auth/")
    ]


def sign_in_requests(server: RybbitServer) -> int:
    return lines(server).count("POST /api/auth/sign-in/email")


def body_of(request: RecordedRequest) -> Any:
    return json.loads(request.body)


async def until(condition: Callable[[], object]) -> None:
    """Run the event loop until ``condition()`` is true."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0)


def client_tasks() -> set[asyncio.Task[Any]]:
    """Running tasks of the client, without those of the server in the same event loop."""
    return {
        task
        for task in asyncio.all_tasks()
        if "/rybbit_async/" in (file := _file(task)) and "/testing/" not in file
    }


def _file(task: asyncio.Task[Any]) -> str:
    code = getattr(task.get_coro(), "cr_code", None)
    return code.co_filename if code else ""


async def turns(number: int = 50) -> None:
    """Run the event loop for some iterations, so that all ready tasks have run."""
    for _ in range(number):
        await asyncio.sleep(0)


async def settled(*waiting: Awaitable[Any]) -> list[Any]:
    """Wait for all, and return the results, including exceptions."""
    return await asyncio.gather(*waiting, return_exceptions=True)


def may_warn(warns: bool) -> contextlib.AbstractContextManager[object]:
    """A block in which there is a ``RybbitWarning``, or none."""
    return pytest.warns(RybbitWarning) if warns else contextlib.nullcontext()


async def take(walk: AsyncIterable[Any], into: list[Any]) -> None:
    """Append every item to a list, which keeps the items before an error."""
    async for item in walk:
        into.append(item)  # noqa: PERF401


def raw_path(release: str, site: Site | int | str, goal: int | None = None) -> str:
    """The path of the list of goals, or of the sessions of a goal, on that release."""
    key = site.site_id if isinstance(site, Site) else site
    if LAYOUT[release] == "goals":
        return f"/api/goals/{key}" if goal is None else f"/api/goals/{goal}/sessions/{key}"
    return f"/api/sites/{key}/goals" + ("" if goal is None else f"/{goal}/sessions")


async def raw(client: RybbitClient, path: str, **params: Any) -> Any:
    """The decoded JSON of a response, without models."""
    return await client.request("GET", path, params=params)
