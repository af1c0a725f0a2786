"""``rybbit-async export``, ``export plan`` and ``export status``."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from ..options.connection import Connection
from ..options.export import ExportOptions, parse_storage_options

__all__ = ["export", "plan", "status"]


_Json = Annotated[bool, Parameter(help="Write JSON.")]


def export(
    *, options: ExportOptions, json: _Json = False, connection: Connection = Connection()
) -> int:
    """Write every list of every site into files: Parquet, JSON Lines or CSV.

    The same command adds what is new the next time, and goes on where it was interrupted. A file is
    whole, or it is not there. The time ends yesterday, unless --until or --today says otherwise.
    Ctrl-C stops it after the page that is being read. The exit code is 7 if something is missing.

    ```text
    rybbit-async export --to rybbit --last 30d
    rybbit-async export --to rybbit --site 123 --what users --month 2024-01
    rybbit-async export --to rybbit-csv --format csv --last 7d
    rybbit-async export --to s3://bucket/rybbit --since 2024-01-01
    ```
    """
    from ..exporting import export as work
    from ..run import Job, run

    async def start(job: Job) -> int:
        return await work(job, options.arguments(job.time_zone), as_json=json)

    return run(start, connection, resume="run the same command again to go on", takes_sigterm=True)


def plan(
    *, options: ExportOptions, json: _Json = False, connection: Connection = Connection()
) -> int:
    """Say what an export would do, and about what it would cost. Nothing is written.

    It counts the units (a list of a site or a goal in one window), the rows and the requests, and
    says how many days the rate limit of the server makes of it.

    ```text
    rybbit-async export plan --to rybbit --last 365d
    ```
    """
    from ..exporting import plan as work
    from ..run import Job, run

    async def start(job: Job) -> int:
        return await work(job, options.arguments(job.time_zone), as_json=json)

    return run(start, connection)


def status(
    to: Annotated[str, Parameter(name=("URL", "--to"), help="The folder or URL of the export.")],
    *,
    storage_option: Annotated[
        tuple[str, ...],
        Parameter(
            consume_multiple=False,
            metavar="NAME=VALUE",
            help="An option of fsspec for the URL; may be given several times.",
        ),
    ] = (),
    json: _Json = False,
) -> int:
    """Tell what a folder holds: lists, days, rows, the latest run, and what is not finished.

    It needs no server and no key.

    ```text
    rybbit-async export status rybbit
    ```
    """
    from ..export_status import status as work
    from ..terminal import Terminal

    options: dict[str, Any] | None = parse_storage_options(storage_option)
    return work(to, options, Terminal(), as_json=json)
