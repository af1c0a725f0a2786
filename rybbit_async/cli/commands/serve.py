"""``rybbit-async serve``."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import Group, Parameter

__all__ = ["serve"]

_DATA: Final = Group("Data", sort_key=2)
_SIGN_IN: Final = Group("Sign-in", sort_key=3)
_BEHAVIOR: Final = Group("Behavior", sort_key=4)


def serve(
    *,
    host: Annotated[
        str, Parameter(show_default=True, help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(show_default=True, help="The port; 0 is a free one.")] = 0,
    json: Annotated[bool, Parameter(help="Print one line of JSON when it is ready.")] = False,
    sessions: Annotated[
        int,
        Parameter(
            show_default=True, group=_DATA, help="The number of sessions on all sites together."
        ),
    ] = 50_000,
    days: Annotated[
        float, Parameter(show_default=True, group=_DATA, help="The length of the traffic in days.")
    ] = 30,
    sites: Annotated[
        int, Parameter(show_default=True, group=_DATA, help="The number of sites.")
    ] = 1,
    goals: Annotated[
        int, Parameter(show_default=True, group=_DATA, help="The number of goals of each site.")
    ] = 12,
    seed: Annotated[
        int,
        Parameter(show_default=True, group=_DATA, help="The same number gives the same traffic."),
    ] = 1,
    live: Annotated[
        float,
        Parameter(
            metavar="N",
            group=_DATA,
            help="Go on with so many conversions a second while it runs, for `rybbit-async watch`.",
        ),
    ] = 0,
    database: Annotated[
        str,
        Parameter(
            metavar="FILE",
            group=_DATA,
            help="A DuckDB file, which is made if it does not exist, and filled if it has no site. "
            "It keeps the data, both keys, the email and the password for the next start.",
        ),
    ] = ":memory:",
    uniform: Annotated[
        bool, Parameter(group=_DATA, help="Generate sessions that are all alike.")
    ] = False,
    distinct_ends: Annotated[
        bool, Parameter(group=_DATA, help="Let no two sessions end in the same second.")
    ] = False,
    api_key: Annotated[
        str | None,
        Parameter(
            metavar="KEY",
            group=_SIGN_IN,
            help="The key; if not given, the one that the database keeps, or a new one.",
        ),
    ] = None,
    email: Annotated[
        str | None, Parameter(group=_SIGN_IN, help="The email of the user, likewise.")
    ] = None,
    password: Annotated[
        str | None, Parameter(group=_SIGN_IN, help="The password of the user, likewise.")
    ] = None,
    release: Annotated[
        str,
        Parameter(
            show_default=True,
            group=_BEHAVIOR,
            help="The release that it behaves like: `2.2`, `2.3`, `2.4`, `2.6`, `2.7`, `2.8`, "
            "`2.9`, or `2025.06`.",
        ),
    ] = "2.8",
    latency: Annotated[
        float,
        Parameter(metavar="SECONDS", group=_BEHAVIOR, help="How much longer each request takes."),
    ] = 0,
    rate_limit: Annotated[
        bool, Parameter(group=_BEHAVIOR, help="Apply the rate limit of the release.")
    ] = False,
    faults: Annotated[
        float,
        Parameter(
            metavar="SHARE",
            group=_BEHAVIOR,
            help="The share of requests that fail in some way, such as `0.05`.",
        ),
    ] = 0,
    no_ties: Annotated[
        bool, Parameter(group=_BEHAVIOR, help="Keep equal rows in the same order on every page.")
    ] = False,
    cache: Annotated[
        int,
        Parameter(
            show_default=True,
            metavar="MIB",
            group=_BEHAVIOR,
            help="MiB of pages to keep in memory.",
        ),
    ] = 64,
) -> int:
    """Run a Rybbit-compatible server with made-up traffic, on this machine unless told otherwise.

    It prints its address, its key and lines to copy. Ctrl-C ends it, with the exit code 0. It needs
    `pip install "rybbit_async[cli,testing]"`.

    ```text
    rybbit-async serve --api-key rb_mine --port 8080
    rybbit-async serve --live 5
    rybbit-async serve --database traffic.duckdb --release 2.6
    ```
    """
    from ..serving import Serving
    from ..serving import serve as run
    from ..terminal import Terminal

    serving = Serving(
        release=release,
        host=host,
        port=port,
        sessions=sessions,
        days=days,
        sites=sites,
        goals=goals,
        seed=seed,
        live=live,
        latency=latency,
        database=database,
        api_key=api_key,
        email=email,
        password=password,
        rate_limit=rate_limit,
        faults=faults,
        no_ties=no_ties,
        uniform=uniform,
        distinct_ends=distinct_ends,
        cache=cache,
    )
    return run(serving, Terminal(), as_json=json)
