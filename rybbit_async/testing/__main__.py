"""`python -m rybbit_async.testing` runs the embedded server until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from .extra import missing_extra
from .releases import RELEASES

if TYPE_CHECKING:
    from .server import RybbitServer
    from .store import Store


def _number(
    kind: Callable[[str], float], minimum: float, maximum: float | None = None
) -> Callable[[str], float]:
    """An argparse type: a number within these bounds."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not minimum <= value <= (value if maximum is None else maximum):
            upper = "" if maximum is None else f" and at most {maximum}"
            name = "an integer" if kind is int else "a number"
            raise argparse.ArgumentTypeError(
                f"must be {name} of at least {minimum}{upper}, got {text!r}"
            )
        return value

    return parse


def _key(text: str) -> str:
    """An argparse type: a key, as the client accepts it."""
    if not re.fullmatch(r"[!-~]+", text):
        raise argparse.ArgumentTypeError("must be printable ASCII without white space")
    return text


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rybbit_async.testing",
        description="Run a Rybbit-compatible server on loopback, filled with generated traffic.",
    )
    add = parser.add_argument
    count = _number(int, 0)
    add("--release", default="2.8", choices=sorted(RELEASES), help="release that it behaves like")
    add("--host", default="127.0.0.1", help="address to listen on")
    add(
        "--port",
        type=_number(int, 0, 65_535),
        default=0,
        help="0 to 65,535; default: a free one",
    )
    add("--sessions", type=count, default=50_000, help="number of sessions on all sites together")
    days = _number(float, 0.001, 1_000)
    add("--days", type=days, default=30, help="length of the traffic in days, 0.001 to 1,000")
    add("--sites", type=_number(int, 1), default=1, help="number of sites, 1 or more")
    add("--goals", type=count, default=12, help="number of goals of each site")
    add("--seed", type=int, default=1, help="seed of the traffic")
    latency = _number(float, 0, 3_600)
    add(
        "--latency",
        type=latency,
        default=0.0,
        help="seconds that each request takes longer, up to 3,600",
    )
    add(
        "--database",
        default=":memory:",
        help="DuckDB file, which is filled if it has no site; the keys are kept in it, too",
    )
    add("--api-key", type=_key, help="the key; default: that of the database, or a new one")
    add("--no-ties", action="store_true", help="keep equal rows in the same order on every page")
    add("--rate-limit", action="store_true", help="apply the rate limit of the release")
    add("--uniform", action="store_true", help="generate sessions that are all alike")
    add("--distinct-ends", action="store_true", help="let no two sessions end in the same second")
    add("--cache", type=count, default=64, help="MiB of pages to keep in memory")
    add("--json", action="store_true", help="print one line of JSON when the server is ready")
    return parser.parse_args(argv)


def _fill(store: Store, options: argparse.Namespace) -> None:
    from .traffic import generate

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
    from .server import RybbitServer

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no signal handlers in its event loops: there, Ctrl+C cancels this task.
        with suppress(NotImplementedError):
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
        api_key=options.api_key,
    )
    async with server:
        sys.stdout.write(_description(server, as_json=options.json) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _description(server: RybbitServer, *, as_json: bool) -> str:
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
    """Run the server until it is interrupted. Returns the exit status."""
    options = _arguments(argv)
    try:
        from .store import Store
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{missing_extra(error)}\n")
        return 1
    with Store(options.database) as store:
        try:
            _fill(store, options)
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        try:
            with suppress(KeyboardInterrupt):
                asyncio.run(_serve(store, options))
        except OSError as error:  # the port is taken, or the host is not of this machine
            sys.stderr.write(f"cannot listen on {options.host}, port {options.port}: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
