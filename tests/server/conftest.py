"""A server whose clock the tests set, and a plain HTTP client for its responses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import attrs
import pytest
from yarl import URL

from rybbit_async.testing import RELEASES, RybbitServer, Site, Store

NUMBERED = [name for name in RELEASES if name != "2025.06"]
"""Every release but the servers of mid-2025, oldest first."""
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@attrs.frozen
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Rig:
    """A running server, its first site, and requests to it with `key`."""

    def __init__(self, server: RybbitServer, http: aiohttp.ClientSession, clock: Clock) -> None:
        self.server = server
        self.http = http
        self.clock = clock
        self.store: Store = server.store
        self.site: Site = self.store.add_site("first")
        self.key: str | None = server.api_key

    @property
    def goals_layout(self) -> bool:
        return self.server.release in {"2.2", "2025.06"}

    def goals(self, site: object = None) -> str:
        site = self.site.site_id if site is None else site
        return f"/api/goals/{site}" if self.goals_layout else f"/api/sites/{site}/goals"

    def goal(self, goal: object, site: object = None) -> str:
        site = self.site.site_id if site is None else site
        if self.goals_layout:
            return f"/api/goals/{goal}/{site}"
        return f"/api/sites/{site}/goals/{goal}"

    def sessions(self, goal: object, site: object = None) -> str:
        site = self.site.site_id if site is None else site
        if self.goals_layout:
            return f"/api/goals/{goal}/sessions/{site}"
        return f"/api/sites/{site}/goals/{goal}/sessions"

    def all_sessions(self, site: object = None) -> str:
        return self.listed("sessions", site)

    def users(self, site: object = None) -> str:
        return self.listed("users", site)

    def listed(self, name: str, site: object = None) -> str:
        """The path of a list or a figure of a site."""
        site = self.site.site_id if site is None else site
        return f"/api/{name}/{site}" if self.goals_layout else f"/api/sites/{site}/{name}"

    def single(self, name: str, identifier: str) -> str:
        """The path of one thing in a list of the site."""
        return self.listed(f"{name}/{quote(identifier, safe='')}")

    async def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Reply:
        text = query if isinstance(query, str) else urlencode(query, quote_via=quote)
        url = URL(f"{self.server.url}{path}{'?' if text else ''}{text}", encoded=True)
        sent = dict(headers or {})
        if self.key is not None:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        options.setdefault("allow_redirects", False)
        async with self.http.request(method, url, headers=sent, **options) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, query: Mapping[str, object] | str = "", **more: Any) -> Reply:
        return await self.send("GET", path, query, **more)

    async def sign_in(self) -> str:
        """The cookie of a new sign-in session, as a header value."""
        credentials = {"email": self.server.email, "password": self.server.password}
        reply = await self.send("POST", "/api/auth/sign-in/email", json=credentials)
        assert reply.status == 200
        return reply.headers["Set-Cookie"].partition(";")[0]

    async def as_user(self) -> dict[str, str]:
        """Headers of a signed-in user, who may write on every release."""
        self.key = None
        return {"Cookie": await self.sign_in()}


Serve = Callable[..., Awaitable[Rig]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def serve(clock: Clock) -> AsyncIterator[Serve]:
    """Start servers, each with a site. They are stopped after the test."""
    rigs: list[Rig] = []

    async def start(release: str = "2.8", **options: Any) -> Rig:
        server = RybbitServer(release, clock=clock, **options)
        await server.start()
        # Tests send cookies themselves, because Secure cookies are not sent over plain HTTP.
        jar = aiohttp.DummyCookieJar()
        http = aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(10))
        # One request of a test must be one request to the server.
        http._retry_connection = False
        rigs.append(Rig(server, http, clock))
        return rigs[-1]

    yield start
    for rig in rigs:
        await rig.http.close()
        await rig.server.__aexit__(None, None, None)


@pytest.fixture(params=["2.2", "2.4", "2.8"])
async def rig(request: pytest.FixtureRequest, serve: Serve) -> Rig:
    """A server of each release in turn."""
    return await serve(request.param)
