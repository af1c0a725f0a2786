"""`python -m rybbit_async.testing` runs the embedded server until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from .credentials import EMAIL, PASSWORD, check_credential
from .extra import missing_extra
from .releases import RELEASES

if TYPE_CHECKING:
    from .server import RybbitServer
    from .store import Store


def _add_number(
    parser: argparse.ArgumentParser,
    flag: str,
    kind: type[int | float],
    bounds: tuple[float, float],
    default: float,
    what: str,
) -> None:
    """Add an option whose number must be within `bounds`, which its help names."""
    minimum, maximum = bounds

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not minimum <= value <= maximum:
            name = "an integer" if kind is int else "a number"
            raise argparse.ArgumentTypeError(
                f"must be {name} between {minimum:,} and {maximum:,}, got {text!r}"
            )
        return value

    what += f", {minimum:,} to {maximum:,}; default: {default:,}"
    parser.add_argument(flag, type=parse, default=default, metavar="NUMBER", help=what)


def _credential(text: str) -> str:
    """An argparse type: what servers keep as a key, an email or a password."""
    try:
        return check_credential("it", text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("it ")) from None


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rybbit_async.testing",
        description="Run a Rybbit-compatible server, by default on loopback, filled with generated "
        "traffic.",
    )
    add, number = parser.add_argument, functools.partial(_add_number, parser)
    kept = "; default: what the database keeps, or else"
    add("--release", default="2.8", choices=sorted(RELEASES), help="release that it behaves like")
    add("--host", default="127.0.0.1", help="address or name to listen on")
    number("--port", int, (0, 65_535), 0, "port, or 0 for a free one")
    number("--sessions", int, (0, 100_000_000), 50_000, "number of sessions on all sites together")
    number("--days", float, (0.001, 10_000), 30, "length of the traffic in days")
    number("--sites", int, (1, 1_000), 1, "number of sites")
    number("--goals", int, (0, 10_000), 12, "number of goals of each site")
    add("--seed", type=int, default=1, help="seed of the traffic, any integer")
    number("--latency", float, (0, 3_600), 0, "seconds that each request takes longer")
    add(
        "--database",
        default=":memory:",
        metavar="FILE",
        help="DuckDB file, which is made if it does not exist, and filled if it has no site; it "
        "keeps the data, both keys, the email and the password for the next start",
    )
    add("--api-key", type=_credential, metavar="KEY", help=f"the key{kept} a new one")
    add("--email", type=_credential, help=f"email of the user{kept} {EMAIL}")
    add("--password", type=_credential, help=f"password of the user{kept} {PASSWORD}")
    add("--no-ties", action="store_true", help="keep equal rows in the same order on every page")
    add("--rate-limit", action="store_true", help="apply the rate limit of the release")
    add("--uniform", action="store_true", help="generate sessions that are all alike")
    add("--distinct-ends", action="store_true", help="let no two sessions end in the same second")
    number("--cache", int, (0, 1_000_000), 64, "MiB of pages to keep in memory")
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


async def _serve(store: Store, options: argparse.Namespace) -> int:
    """Serve until a signal. Returns the exit status."""
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
        email=options.email,
        password=options.password,
    )
    try:
        await server.start()
    except OSError as error:
        where = f"--host {options.host} --port {options.port}"
        return _failed(f"{where}: cannot listen there: {error.strerror or error}")
    try:
        sys.stdout.write(_description(server, as_json=options.json) + "\n")
        sys.stdout.flush()
        await stopped.wait()
    finally:
        await server.stop()
    return 0


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
        from .store import DatabaseError, Store
    except ModuleNotFoundError as error:
        return _failed(str(missing_extra(error)))
    try:
        store = Store(options.database)
    except DatabaseError as error:
        reason = str(error).splitlines()[0]
        return _failed(f"--database {options.database}: cannot be opened: {reason}")
    with store:
        try:
            _fill(store, options)
        except ValueError as error:
            return _failed(str(error), 2)
        with suppress(KeyboardInterrupt):
            return asyncio.run(_serve(store, options))
    return 0


def _failed(message: str, status: int = 1) -> int:
    sys.stderr.write(message + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
