"""``rybbit-async watch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..options.arguments import Site
from ..options.connection import Connection
from ..options.filters import FilterOptions

__all__ = ["watch"]


def watch(
    site: Site,
    /,
    *,
    goal: Annotated[
        tuple[str, ...],
        Parameter(
            consume_multiple=False,
            metavar="GOAL",
            help="The number or the name of a goal; may be given several times. All if not given.",
        ),
    ] = (),
    jsonl: Annotated[
        bool,
        Parameter(help="Write JSON Lines, as is done in any case where stdout is no terminal."),
    ] = False,
    for_: Annotated[
        str | None, Parameter(name="--for", metavar="TIME", help="End after a time, such as `10m`.")
    ] = None,
    count: Annotated[
        int | None, Parameter(metavar="N", help="End after so many conversions.")
    ] = None,
    state: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="A file that keeps how far it has come. With the same file, the same command goes "
            "on there, with what came in the meantime.",
        ),
    ] = None,
    interval: Annotated[
        float,
        Parameter(
            metavar="SECONDS",
            show_default=True,
            help="How long to wait before asking again; more while nothing happens, or as the rate "
            "limit needs.",
        ),
    ] = 5.0,
    filters: FilterOptions = FilterOptions(),
    connection: Connection = Connection(),
) -> int:
    """Watch the conversions of a site arrive: each session that reaches a goal, once.

    A line shows when the session was last active, the goal, the country, and its first and its last
    page so far. While the server is away, or the rate limit is used up, it waits and says so. At
    the end the conversions of each goal are counted. Ctrl-C ends it, with the exit code 130; --for,
    --count and SIGTERM end it with 0.

    ```text
    rybbit-async watch 123
    rybbit-async watch 123 --goal Signup --goal 7 --for 1h
    rybbit-async watch 123 --state watch.json >> conversions.jsonl
    ```
    """
    from ..durations import seconds_of
    from ..exits import CommandError, Exit
    from ..run import Job, run
    from ..watching import Watching
    from ..watching import watch as follow

    if count is not None and count < 1:
        raise CommandError(f"--count must be at least 1, got {count}", Exit.USAGE)
    watching = Watching(
        site=site,
        goals=goal,
        filters=filters.resolve(),
        jsonl=jsonl,
        seconds=None if for_ is None else seconds_of("--for", for_),
        count=count,
        state=state,
        interval=interval,
    )

    async def work(job: Job) -> int:
        return await follow(job, watching)

    resume = None if state is None else "run the same command again to go on"
    return run(work, connection, resume=resume)
