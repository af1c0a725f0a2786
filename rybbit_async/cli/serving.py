"""``rybbit-async serve``: the embedded server, until it is stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from attrs import frozen

from ..testing import RELEASES, RybbitServer, Store, generate
from ..testing.credentials import check_credential
from ..testing.database import DatabaseError
from ..testing.live import Visits
from .exits import CommandError, Exit
from .output.values import counted
from .terminal import Terminal

__all__ = ["Serving", "serve"]

_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "port": (0, 65_535),
    "sessions": (0, 100_000_000),
    "days": (0.001, 10_000),
    "sites": (1, 1_000),
    "goals": (0, 10_000),
    "latency": (0, 3_600),
    "live": (0, 1_000),
    "faults": (0, 1),
    "cache": (0, 1_000_000),
}


@frozen(kw_only=True)
class Serving:
    """What to serve; the options of the command have the same names.

    Attributes:
        release: the release that it behaves like.
        host, port: where it listens; port 0 is a free one.
        sessions, days, sites, goals, seed: the traffic; see ``rybbit_async.testing.generate``.
        live: how many conversions a second are added while it runs.
        latency: seconds that each request takes longer.
        database: a DuckDB file, or ``":memory:"``.
        api_key, email, password: the credentials.
        rate_limit: whether the rate limit of the release applies.
        faults: the share of the requests that fail in some way.
        no_ties, uniform, distinct_ends: see ``RybbitServer`` and ``generate``.
        cache: MiB of pages to keep in memory.
    """

    release: str
    host: str
    port: int
    sessions: int
    days: float
    sites: int
    goals: int
    seed: int
    live: float
    latency: float
    database: str
    api_key: str | None
    email: str | None
    password: str | None
    rate_limit: bool
    faults: float
    no_ties: bool
    uniform: bool
    distinct_ends: bool
    cache: int

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            CommandError: an option is wrong.
        """
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise CommandError(
                    f"--{name} must be between {least:,} and {most:,}, got {value}", Exit.USAGE
                )
        if self.release not in RELEASES:
            known = ", ".join(sorted(RELEASES))
            raise CommandError(
                f"--release must be one of {known}, got {self.release!r}", Exit.USAGE
            )
        for name in ("api_key", "email", "password"):
            value = getattr(self, name)
            if value is not None:
                try:
                    check_credential(f"--{name.replace('_', '-')}", value)
                except ValueError as error:
                    raise CommandError(str(error), Exit.USAGE) from None


def serve(serving: Serving, terminal: Terminal, *, as_json: bool) -> int:
    """Serve until Ctrl-C or SIGTERM, which are the way to end it, and return the exit code.

    Raises:
        CommandError: it cannot start.
    """
    serving.check()
    try:
        store = Store(serving.database)
    except DatabaseError as error:
        reason = str(error).splitlines()[0]
        raise CommandError(f"--database {serving.database}: cannot be opened: {reason}") from None
    with store, suppress(KeyboardInterrupt):  # Windows, where the loop takes no signal handlers
        _fill(store, serving)
        asyncio.run(_serve(store, serving, terminal, as_json))
    return Exit.OK


def _fill(store: Store, serving: Serving) -> None:
    """Add traffic to a store that has no site."""
    if store.sites():
        return
    try:
        generate(
            store,
            seed=serving.seed,
            sites=serving.sites,
            sessions=serving.sessions,
            days=serving.days,
            goals=serving.goals,
            uniform=serving.uniform,
            distinct_ends=serving.distinct_ends,
        )
    except ValueError as error:
        raise CommandError(str(error), Exit.USAGE) from None


async def _serve(store: Store, serving: Serving, terminal: Terminal, as_json: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stopped.set)
    server = RybbitServer(
        release=serving.release,
        store=store,
        latency=serving.latency,
        shuffle_ties=not serving.no_ties,
        rate_limit=serving.rate_limit or None,
        host=serving.host,
        port=serving.port,
        cache_pages=serving.cache << 20,
        record=False,
        api_key=serving.api_key,
        email=serving.email,
        password=serving.password,
    )
    if serving.faults:
        server.chaos(seed=serving.seed, rate=serving.faults)
    try:
        await server.start()
    except OSError as error:
        where = f"--host {serving.host} --port {serving.port}"
        reason = error.strerror or error
        raise CommandError(f"{where}: cannot listen there: {reason}") from None
    visits = Visits(store, lambda: datetime.now(UTC), serving.seed)
    live = asyncio.create_task(visits.keep_coming(serving.live)) if serving.live else None
    try:
        told = _told(server)
        text = json.dumps(told) if as_json else _for_people(told, server, serving)
        terminal.write(f"{text}\n")
        terminal.out.flush()
        await stopped.wait()
    finally:
        if live is not None:
            live.cancel()
            await asyncio.wait([live])
        await server.stop()


def _told(server: RybbitServer) -> dict[str, Any]:
    return {
        "url": server.url,
        "release": server.release,
        "api_key": server.api_key,
        "read_only_key": server.read_only_key,
        "email": server.email,
        "password": server.password,
        "sites": [
            {
                "site_id": site.site_id,
                "string_id": site.string_id,
                "goals": [goal.goal_id for goal in server.store.goals(site)],
            }
            for site in server.store.sites()
        ],
    }


def _for_people(told: Mapping[str, Any], server: RybbitServer, serving: Serving) -> str:
    """What it serves, and lines to copy."""
    lines = [
        f"A server like Rybbit {told['release']} runs at {told['url']}",
        "",
        f"  {'key':<14} {told['api_key']}",
        f"  {'read-only key':<14} {told['read_only_key']}",
        f"  {'email':<14} {told['email']}",
        f"  {'password':<14} {told['password']}",
    ]
    sites = server.store.sites()
    for site in sites[:_SHOWN]:
        goals, events = len(server.store.goals(site)), server.store.count_events(site)
        what = f"{counted(goals, 'goals')}, {counted(events, 'events')}"
        what = f"{site.site_id} or {site.string_id}: {what}"
        lines.append(f"  {'site':<14} {what}")
    if len(sites) > _SHOWN:
        lines.append(f"  {'':<14} and {counted(len(sites) - _SHOWN, 'more sites')}")
    if serving.live:
        lines.append(f"  {'live':<14} about {serving.live:g} conversions a second")
    number = sites[0].site_id if sites else 1
    lines += [
        "",
        "In another terminal:",
        "",
        *(f"  {line}" for line in _settings(told)),
        f"  rybbit-async goals list {number}",
        f"  rybbit-async watch {number}" if serving.live else "  rybbit-async export --help",
        "",
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines)


_SHOWN: Final = 8  # sites


def _settings(told: Mapping[str, Any]) -> list[str]:
    """Lines that tell other commands of the server."""
    url, key = f"RYBBIT_BASE_URL={told['url']}", f"RYBBIT_API_KEY={told['api_key']}"
    if os.name == "nt":  # PowerShell
        return [
            f'$env:{name}="{value}"' for name, _, value in (url.partition("="), key.partition("="))
        ]
    return [f"export {url} {key}"]
