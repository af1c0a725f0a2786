"""`python -m rybbit_async.testing`: the embedded server by hand, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from .releases import RELEASES
from .server import RybbitServer
from .store import Store
from .traffic import generate


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rybbit_async.testing",
        description="A Rybbit-compatible server on loopback, filled with traffic.",
    )
    parser.add_argument("--release", default="2.14", choices=sorted(RELEASES))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--sessions", type=int, default=50_000, help="over all sites")
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--sites", type=int, default=1)
    parser.add_argument("--goals", type=int, default=12, help="of each site")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds for each request")
    parser.add_argument("--database", default=":memory:", help="a DuckDB file; filled if new")
    parser.add_argument("--no-ties", action="store_true", help="equal rows keep their order")
    parser.add_argument("--rate-limit", action="store_true", help="the release's own limit")
    parser.add_argument("--uniform", action="store_true", help="sessions that are all alike")
    parser.add_argument("--distinct-ends", action="store_true", help="no two end together")
    parser.add_argument("--cache", type=int, default=64, help="MiB of rendered pages kept")
    parser.add_argument("--json", action="store_true", help="one line of JSON when ready")
    return parser.parse_args(argv)


def _fill(store: Store, options: argparse.Namespace) -> None:
    if not store.sites():
        generate(
            store,
            seed=options.seed,
            sites=options.sites,
            sessions=options.sessions,
            days=options.days,
            goals=options.goals,
            uniform=options.uniform,
            distinct_ends=options.distinct_ends,
        )


async def _serve(store: Store, options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    server = RybbitServer(
        release=options.release,
        store=store,
        latency=options.latency,
        shuffle_ties=not options.no_ties,
        rate_limit=options.rate_limit or None,
        host=options.host,
        port=options.port,
        cache_pages=options.cache << 20,
        record=False,
    )
    async with server:
        sys.stdout.write(_described(server, as_json=options.json) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _described(server: RybbitServer, *, as_json: bool) -> str:
    sites = server.store.sites()
    described = {
        "url": server.url,
        "release": server.release,
        "api_key": server.api_key,
        "read_only_key": server.read_only_key,
        "email": server.email,
        "password": server.password,
    }
    if as_json:
        listed = [
            {
                "site_id": site.site_id,
                "string_id": site.string_id,
                "goals": [goal.goal_id for goal in server.store.goals(site)],
            }
            for site in sites
        ]
        return json.dumps({**described, "sites": listed})
    lines = [f"{name.replace('_', ' '):<14} {value}" for name, value in described.items()]
    lines += [
        f"{'site':<14} {site.site_id} or {site.string_id}, "
        f"{len(server.store.goals(site))} goals, {server.store.count_events(site)} events"
        for site in sites
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal ends it."""
    options = _arguments(argv)
    with Store(options.database) as store:
        _fill(store, options)
        asyncio.run(_serve(store, options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
