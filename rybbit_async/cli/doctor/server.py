"""What ``doctor`` asks the server."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from ... import (
    Allowance,
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    EndpointNotFoundError,
    PermissionDeniedError,
    RawResponse,
    Retry,
    RybbitClient,
    RybbitError,
    ServerCapabilities,
    ServerError,
)
from ..exits import Exit
from ..output.values import counted
from ..settings import Settings
from .certificate import expires
from .check import Check, failed, skipped

__all__ = ["examine"]

_VERSION: Final = "/api/version"
_ASKED: Final = 3  # how many requests the latency is the median of
_TOO_FAR: Final = 5.0  # seconds between two clocks; the server tells its time in whole seconds
_CURES: Final[Mapping[str, str]] = {
    "unreachable": "check the address (--base-url, RYBBIT_BASE_URL), and that the server runs",
    "timeout": "check the address, the network, and whether a proxy is needed (--proxy)",
    "proxy": "check the proxy (--proxy, HTTPS_PROXY), or except the server with NO_PROXY",
    "certificate": "for a certificate of your own, pass --ca FILE",
    "lost": "check the address and its port, and whether something in front closes connections",
}
_NOT_ASKED: Final = "not asked, since the server does not answer"
_REFUSED: Final = (AuthenticationError, PermissionDeniedError)
_ALLOWED: Final = {True: "yes", False: "no", None: "not shown by this site"}


async def examine(
    client: RybbitClient, settings: Settings, base_url: str, site: int | str | None
) -> AsyncIterator[Check]:
    """Ask the server, and say what it is and what it can do; a failure stops nothing else.

    Args:
        client: asks.
        settings: of the client.
        base_url: of the server.
        site: the site to ask about; ``None`` for the first one that the key can read.
    """
    client = client.with_options(retry=Retry(attempts=1))
    examined = _Examination(client, settings, base_url, site)
    async for check in examined.server():
        yield check
    if not examined.answers:
        for name in ("clock", "latency", "certificate", "sites", "capabilities", "rate limit"):
            yield skipped(name, _NOT_ASKED)
        return
    for part in (
        examined.clock,
        examined.latency,
        examined.certificate,
        examined.sites,
        examined.capabilities,
        examined.limits,
    ):
        async for check in part():
            yield check


class _Examination:
    """What is found out, and what the next questions need of it."""

    def __init__(
        self, client: RybbitClient, settings: Settings, base_url: str, site: int | str | None
    ) -> None:
        self._client = client
        self._base_url = base_url
        self._settings = settings
        self._site = site
        self._release: str | None = None
        self.answers = False

    async def server(self) -> AsyncIterator[Check]:
        """Whether the server answers, and its release."""
        try:
            response = await self._client.request("GET", _VERSION, cast_to=RawResponse)
        except APIConnectionError as error:
            yield failed("answers", error, _CURES.get(error.reason))
            return
        except ServerError as error:
            yield failed("answers", error, "look into the log of the server")
            self.answers = True
            return
        except APIStatusError as error:
            self.answers = True
            yield Check("answers", f"yes, with status {error.status}")
            yield Check("release", "not told, as by servers up to 2.3")
            return
        except RybbitError as error:
            yield failed("answers", error, _CURES["unreachable"])
            return
        self.answers = True
        yield Check("answers", "yes")
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            self._release = str(json.loads(response.body)["version"])
        if self._release is not None:
            yield Check("release", self._release)
            return
        yield Check(
            "release",
            f"what answers to {_VERSION} is not Rybbit",
            "failed",
            "the base URL must be that of the server, without /api and without a page of it",
            Exit.NOT_FOUND,
        )

    async def clock(self) -> AsyncIterator[Check]:
        """How far apart the clocks are."""
        there = self._client.server_time
        if there is None:
            yield skipped("clock", "the server does not tell its time")
            return
        ahead = (there - datetime.now(UTC)).total_seconds()
        if abs(ahead) <= _TOO_FAR:
            yield Check("clock", f"less than {_TOO_FAR:.0f} s from that of the server")
            return
        word = "behind" if ahead > 0 else "ahead of"
        yield Check(
            "clock",
            f"this machine is {abs(ahead):,.0f} s {word} the server",
            "warning",
            "set both clocks by NTP: rows of the last minutes, and which day it is, depend on them",
        )

    async def latency(self) -> AsyncIterator[Check]:
        """How long a small request takes."""
        taken: list[float] = []
        for _ in range(_ASKED):
            began = time.perf_counter()
            try:
                with suppress(APIStatusError):
                    await self._client.request("GET", _VERSION, cast_to=RawResponse)
            except RybbitError as error:
                yield failed("latency", error)
                return
            taken.append(time.perf_counter() - began)
        median = statistics.median(taken) * 1000
        yield Check("latency", f"{median:,.1f} ms (median of {_ASKED} requests)")

    async def certificate(self) -> AsyncIterator[Check]:
        """When the certificate of the server expires."""
        yield await expires(self._base_url, self._settings)

    async def sites(self) -> AsyncIterator[Check]:
        """What the key can read."""
        named, found = self._site, False
        try:
            organizations = await self._client.organizations.list()
        except EndpointNotFoundError:
            yield skipped("sites", "this server does not list them")
        except _REFUSED as error:
            if self._settings.api_key is None and self._settings.login is None:
                yield skipped("sites", "not listed without a key")
            elif named is not None and self._release is None:
                # Servers of 2.2 do not let a key list its sites, so the site itself decides.
                yield skipped("sites", "the key may not list them, as on servers of 2.2")
            else:
                yield failed("sites", error)
        except RybbitError as error:
            yield failed("sites", error)
        else:
            numbers = [site.site_id for one in organizations for site in one.sites]
            found = bool(numbers)
            of = counted(len(organizations), "organizations")
            yield Check("sites", f"the key can read {len(numbers):,}, of {of}")
            if found and named is None:
                self._site = numbers[0]
        if self._site is None and not found:
            yield skipped("site", "name one to learn more: rybbit-async doctor SITE")
        elif named is not None:
            yield await self._named_site(named)

    async def _named_site(self, site: int | str) -> Check:
        try:
            found = await self._client.sites.get(site)
        except RybbitError as error:
            return failed("site", error)
        return Check("site", f"{site} can be read: {found.domain}")

    async def capabilities(self) -> AsyncIterator[Check]:
        """What the server can do, and the key."""
        if self._site is None:
            yield skipped("capabilities", "a site is needed to ask")
            return
        try:
            found = await self._client.capabilities(self._site)
        except RybbitError as error:
            yield failed("capabilities", error)
            return
        yield Check("layout of URLs", f"{found.layout or 'not known'}")
        yield Check("exact times", _ALLOWED[found.exact_times])
        yield Check("filters of goal sessions", _ALLOWED[found.goal_session_filters])
        yield Check("search for users", _ALLOWED[found.user_search])
        yield Check("typed values of goals", _ALLOWED[found.typed_values])
        yield Check("overview by time", found.overview_series or "no")
        yield self._writing(found)

    def _writing(self, found: ServerCapabilities) -> Check:
        name = "writing"
        if self._settings.login is not None:
            return Check(name, "yes, as the user who signs in may")
        if self._settings.api_key is None:
            return Check(name, "no, that needs a key or a password")
        if found.typed_values is None:
            return Check(name, "not known; servers before 2.7 let a key only read")
        if found.typed_values:
            return Check(name, "if the key has the scope goals:write; that is not tried")
        cure = "to write, sign in with --email"
        return Check(name, "no, this server lets a key only read", "ok", cure)

    async def limits(self) -> AsyncIterator[Check]:
        """The rate limits that the server has told by now."""
        limits = self._client.rate_limit
        told = [("burst", limits.burst), ("daily", limits.daily)]
        shown = [_limit(name, one) for name, one in told if one is not None]
        if limits.paused:
            shown.append(f"no request for {limits.paused:,.0f} s")
        if own := self._settings.options.get("rate_limit"):
            shown.append(f"{own.requests} requests in {own.per:,.0f} s ({_source(self._settings)})")
        if shown:
            is_used_up = any(one is not None and not one.remaining for _, one in told)
            yield Check("rate limit", "; ".join(shown), "warning" if is_used_up else "ok")
            return
        yield Check(
            "rate limit",
            "the server tells none; up to 2.4 there are 500 requests in ten minutes all the same: "
            "--rate-limit 500/10m",
        )


def _source(settings: Settings) -> str:
    return settings.sources.get("rate_limit", "set")


def _limit(name: str, one: Allowance) -> str:
    return f"{name}: {one.remaining:,} of {one.limit:,} left, all of them in {one.reset:,.0f} s"
