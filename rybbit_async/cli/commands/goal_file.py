"""The commands of goals as code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..options.arguments import AnySites
from ..options.connection import Connection

__all__ = ["apply", "dump", "plan"]

File = Annotated[
    Path,  # so that shells complete the names of files
    Parameter(
        name=("--file", "-f"),
        help="A goal file that ends in `.yaml`, `.yml` or `.toml`; `-` is YAML on stdin.",
        allow_leading_hyphen=True,
    ),
]
Prune = Annotated[bool, Parameter(help="Delete goals of these sites that the file does not have.")]

_AGAIN = "run the same command again to go on: what was done is not done twice"


def dump(
    *sites: AnySites,
    no_ids: Annotated[
        bool, Parameter(help="Leave the ids out, for a file that is for another site.")
    ] = False,
    connection: Connection = Connection(),
) -> int:
    """Write the goals of sites as YAML, to edit and to keep under version control.

    The ids in the file let `plan` and `apply` tell a goal that gets another name.

    ```text
    rybbit-async goals dump 123 > goals.yaml
    rybbit-async goals dump > all-sites.yaml
    ```
    """
    from ..goal_file.dump import dump as write
    from ..names import find_sites
    from ..run import Job, run

    async def work(job: Job) -> None:
        await write(job, await find_sites(job, sites), ids=not no_ids)

    return run(work, connection)


def plan(
    file: File,
    *,
    prune: Prune = False,
    exit_code: Annotated[
        bool, Parameter(help="Exit with 8 if there are changes, with 0 if there are none.")
    ] = False,
    json: Annotated[bool, Parameter(help="Write the plan as JSON.")] = False,
    connection: Connection = Connection(),
) -> int:
    """Show what `apply` would create (+), change (~) and delete (-). Nothing is changed.

    A goal of the file is the goal of the site with its id, else the one with its name, else the one
    that counts the same. Where that is not clear, the plan says so (!) and cannot be applied.

    ```text
    rybbit-async goals plan goals.yaml
    rybbit-async goals plan goals.yaml --exit-code
    ```

    A goal file:

    ```yaml
    site: 123
    goals:
      - name: Signup
        path: /signup/**          # ** is any text, * any text without a /
      - name: Bought pro
        event: purchase
        property: {plan: pro}     # only events with this property
      - name: Partner link
        outbound: https://partner.example/*
    ```

    Every key is explained in docs/goals-as-code.md of rybbit_async.
    """
    from ..exits import Exit
    from ..goal_file.file import read_goal_file
    from ..goal_file.plan import make_plan, numbers_of
    from ..goal_file.show import plan_as_json, show_plan, warn_of_doubts, warn_of_paths
    from ..run import Job, run

    sites = read_goal_file(file, key_on_stdin=connection.api_key == "-")

    async def work(job: Job) -> Exit:
        warn_of_doubts(job.terminal, sites)
        found = await make_plan(job.client, await numbers_of(job.client, sites), prune=prune)
        if json:
            job.terminal.write_json(plan_as_json(found))
        else:
            show_plan(job.terminal, found)
        warn_of_paths(job.terminal, found)
        if found.refusals:
            return Exit.ERROR
        return Exit.CHANGES if exit_code and found.size else Exit.OK

    return run(work, connection)


def apply(
    file: File,
    *,
    prune: Prune = False,
    yes: Annotated[
        bool,
        Parameter(
            name=("--yes", "-y"), help="Do not ask. Needed to delete where nobody can be asked."
        ),
    ] = False,
    dry_run: Annotated[
        bool, Parameter(help="Show the request of each write, and send none of them.")
    ] = False,
    connection: Connection = Connection(),
) -> int:
    """Make the goals of sites as the file says: plan afresh, ask, and do it.

    On a terminal you are asked before anything is done. It can be run again at any time: what is
    as the file says stays as it is.

    ```text
    rybbit-async goals apply goals.yaml
    rybbit-async goals apply goals.yaml --prune --yes
    ```
    """
    from ..goal_file.apply import apply as carry_out
    from ..goal_file.file import read_goal_file
    from ..run import Job, run

    sites = read_goal_file(file, key_on_stdin=connection.api_key == "-")

    async def work(job: Job) -> int:
        return await carry_out(job, sites, prune=prune, yes=yes, only_show=dry_run)

    return run(work, connection, resume=_AGAIN)
