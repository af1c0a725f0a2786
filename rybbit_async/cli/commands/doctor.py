"""``rybbit-async doctor``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ..options.arguments import site_of
from ..options.connection import Connection

__all__ = ["doctor"]


def doctor(
    site: Annotated[
        str | None,
        Parameter(help="The site to ask about; the first that the key can read if not given."),
    ] = None,
    /,
    *,
    json: Annotated[bool, Parameter(help="Print JSON.", negative="")] = False,
    connection: Connection = Connection(),
) -> int:
    """Find out what is wrong, and what a bug report needs: nothing secret is in it.

    It tells versions, settings and where they come from, the release of the server and what it can
    do, its limits, proxies, the difference of the clocks and how long a request takes. A failure
    comes with its cure, and does not stop the other checks. The exit code is that of the first one.

    ```text
    rybbit-async doctor
    rybbit-async doctor 123 --json
    ```
    """
    from ..doctor.report import doctor as examine
    from ..terminal import Terminal

    number = None if site is None else site_of(site)
    return examine(connection, number, as_json=json, terminal=Terminal())
