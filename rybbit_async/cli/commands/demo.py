"""``rybbit-async demo``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ..options.arguments import site_of
from ..options.connection import Connection

__all__ = ["demo"]


def demo(
    site: Annotated[
        str | None,
        Parameter(
            env_var="RYBBIT_SITE",
            help="A site of your server, by its number or identifier; the demo only reads. Without "
            "one, it starts a server with made-up traffic.",
        ),
    ] = None,
    /,
    *,
    sessions: Annotated[
        int,
        Parameter(
            metavar="N", show_default=True, help="How many sessions the made-up traffic has."
        ),
    ] = 50_000,
    connection: Connection = Connection(),
) -> int:
    """See the package at work: goals, walks at once and in turn, an export, and SQL over it.

    It needs `pip install "rybbit_async[demo]"`.

    ```text
    rybbit-async demo
    rybbit-async demo 123
    ```
    """
    from ..demo import demo as show
    from ..terminal import Terminal

    number = None if site is None else site_of(site)
    return show(number, connection, Terminal(), sessions=sessions)
