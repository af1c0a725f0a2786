"""``sites``, ``sessions``, ``users`` and ``events``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ..options.arguments import Site
from ..options.connection import Connection
from ..options.filters import FilterOptions, Name
from ..options.output import OutputOptions
from ..options.window import WindowOptions

__all__ = ["events", "sessions", "sites", "users", "values"]

Identified = Annotated[bool, Parameter(help="Only of users whom the site named.")]


def sites(*, output: OutputOptions = OutputOptions(), connection: Connection = Connection()) -> int:
    """The sites that the key can read.

    ```text
    rybbit-async sites
    rybbit-async sites --csv > sites.csv
    ```
    """
    from ..lists import list_sites
    from ..run import run

    return run(lambda job: list_sites(job, output), connection)


def sessions(
    site: Site,
    /,
    *,
    goal: Annotated[
        str | None,
        Parameter(metavar="GOAL", help="Only those that reached this goal: its number or name."),
    ] = None,
    user: Annotated[str | None, Parameter(help="Only those of this user.")] = None,
    identified: Identified = False,
    min_pageviews: Annotated[int | None, Parameter(help="At least so many page views.")] = None,
    min_events: Annotated[int | None, Parameter(help="At least so many custom events.")] = None,
    min_duration: Annotated[int | None, Parameter(help="At least so many seconds.")] = None,
    window: WindowOptions = WindowOptions(),
    filters: FilterOptions = FilterOptions(),
    output: OutputOptions = OutputOptions(),
    connection: Connection = Connection(),
) -> int:
    """The sessions of a site, or those that reached a goal; the latest ones first.

    ```text
    rybbit-async sessions 123 --today
    rybbit-async sessions 123 --goal 7 --last 30d --csv > sessions.csv
    rybbit-async sessions 123 --last 7d --jsonl | head -3
    ```
    """
    from ..lists import list_sessions
    from ..run import run

    choice = {
        "user_id": user,
        "identified_only": identified or None,
        "min_pageviews": min_pageviews,
        "min_events": min_events,
        "min_duration": min_duration,
    }
    return run(
        lambda job: list_sessions(job, site, goal, choice, window, filters, output), connection
    )


def users(
    site: Site,
    /,
    *,
    search: Annotated[
        str | None, Parameter(help="Only users with this text in their name, email or id.")
    ] = None,
    identified: Identified = False,
    window: WindowOptions = WindowOptions(),
    filters: FilterOptions = FilterOptions(),
    output: OutputOptions = OutputOptions(),
    connection: Connection = Connection(),
) -> int:
    """The users of a site; those who were seen last come first.

    ```text
    rybbit-async users 123 --last 30d
    rybbit-async users 123 --identified --csv > users.csv
    ```
    """
    from ..lists import list_users
    from ..run import run

    return run(
        lambda job: list_users(job, site, search, identified, window, filters, output), connection
    )


def events(
    site: Site,
    /,
    *,
    window: WindowOptions = WindowOptions(),
    filters: FilterOptions = FilterOptions(),
    output: OutputOptions = OutputOptions(),
    connection: Connection = Connection(),
) -> int:
    """The events of a site; the latest ones first.

    ```text
    rybbit-async events 123 --past 60m
    rybbit-async events 123 --last 7d --filter event_name=purchase --jsonl > events.jsonl
    ```
    """
    from ..lists import list_events
    from ..run import run

    return run(lambda job: list_events(job, site, window, filters, output), connection)


def values(
    site: Site,
    name: Annotated[
        Name,
        Parameter(name="NAME", help="What to list, such as country, pathname or utm_source."),
    ],
    /,
    *,
    window: WindowOptions = WindowOptions(),
    filters: FilterOptions = FilterOptions(),
    output: OutputOptions = OutputOptions(),
    connection: Connection = Connection(),
) -> int:
    """The values of a parameter and how often they occur, such as countries, pages or browsers.

    These are also the values that filters compare with.

    ```text
    rybbit-async values 123 country --last 30d
    rybbit-async values 123 pathname --last 7d --limit 20
    ```
    """
    from ..lists import list_values
    from ..run import run

    return run(lambda job: list_values(job, site, name, window, filters, output), connection)
