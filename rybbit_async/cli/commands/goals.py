"""``goals list``, ``get``, ``create``, ``update`` and ``delete``."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Group, Parameter

from ..options.arguments import GoalOf, Site
from ..options.connection import Connection
from ..options.filters import FilterOptions
from ..options.goal import GoalOptions
from ..options.output import ChartOptions, OneOutput, OutputOptions
from ..options.window import WindowOptions

__all__ = ["create", "delete", "get", "list_goals", "update"]

_WRITING = Group("Writing", sort_key=1)

DryRun = Annotated[
    bool, Parameter(group=_WRITING, help="Print the request that would be sent, and send none.")
]


def list_goals(
    site: Site,
    /,
    *,
    sort: Annotated[
        Literal["conversions", "rate", "name", "created", "id"],
        Parameter(help="What they are sorted by: figures and times from the highest down."),
    ] = "conversions",
    window: WindowOptions = WindowOptions(),
    filters: FilterOptions = FilterOptions(),
    output: OutputOptions = OutputOptions(),
    chart: ChartOptions = ChartOptions(),
    connection: Connection = Connection(),
) -> int:
    """The goals of a site, with their conversions.

    Without a time, the figures are those of all time.

    ```text
    rybbit-async goals list 123 --last 30d
    rybbit-async goals list 123 --month 2024-01 --filter country=US,CA --csv > goals.csv
    rybbit-async goals list 123 --last 30d --chart goals.svg
    ```
    """
    from ..goals import list_goals
    from ..run import run

    return run(lambda job: list_goals(job, site, sort, window, filters, output, chart), connection)


def get(
    site: Site,
    goal: GoalOf,
    /,
    *,
    window: WindowOptions = WindowOptions(),
    filters: FilterOptions = FilterOptions(),
    output: OneOutput = OneOutput(),
    connection: Connection = Connection(),
) -> int:
    """One goal.

    ```text
    rybbit-async goals get 123 7 --last 30d
    ```
    """
    from ..goals import get_goal
    from ..run import run

    return run(lambda job: get_goal(job, site, goal, window, filters, output), connection)


def create(
    site: Site,
    /,
    *,
    name: Annotated[str | None, Parameter(help="The name of the goal.")] = None,
    counts: GoalOptions = GoalOptions(),
    duplicate: Annotated[
        bool,
        Parameter(group=_WRITING, help="Create it even if the site has the same goal already."),
    ] = False,
    dry_run: DryRun = False,
    output: OneOutput = OneOutput(),
    connection: Connection = Connection(),
) -> int:
    """Create a goal.

    If the site has a goal that counts the same and has the same name, none is created, so that the
    command can be repeated.

    ```text
    rybbit-async goals create 123 --name Signup --path '/signup/**'
    rybbit-async goals create 123 --name Bought --event purchase --property plan=pro
    ```
    """
    from ..goals import create_goal
    from ..run import run

    return run(
        lambda job: create_goal(
            job, site, name, counts, output, duplicate=duplicate, is_dry=dry_run
        ),
        connection,
    )


def update(
    site: Site,
    goal: GoalOf,
    /,
    *,
    name: Annotated[str | None, Parameter(help="The new name.")] = None,
    no_name: Annotated[bool, Parameter(help="Remove the name.")] = False,
    counts: GoalOptions = GoalOptions(),
    dry_run: DryRun = False,
    output: OneOutput = OneOutput(),
    connection: Connection = Connection(),
) -> int:
    """Change a goal. What is not given stays as it is.

    ```text
    rybbit-async goals update 123 7 --name 'Signed up'
    rybbit-async goals update 123 7 --path '/welcome'
    ```
    """
    from ..goals import update_goal
    from ..run import run

    return run(
        lambda job: update_goal(
            job, site, goal, name, counts, output, no_name=no_name, is_dry=dry_run
        ),
        connection,
    )


def delete(
    site: Site,
    goal: GoalOf,
    /,
    *,
    yes: Annotated[
        bool,
        Parameter(
            name=("--yes", "-y"),
            group=_WRITING,
            help="Do not ask; needed where nobody can be asked.",
        ),
    ] = False,
    dry_run: DryRun = False,
    output: OneOutput = OneOutput(),
    connection: Connection = Connection(),
) -> int:
    """Delete a goal. The sessions that reached it stay.

    ```text
    rybbit-async goals delete 123 7
    rybbit-async goals delete 123 7 --yes
    ```
    """
    from ..goals import delete_goal
    from ..run import run

    return run(
        lambda job: delete_goal(job, site, goal, output, yes=yes, is_dry=dry_run), connection
    )
