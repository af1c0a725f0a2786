"""Going through all checks, and showing them."""

from __future__ import annotations

import json
from collections.abc import Callable
from textwrap import wrap
from typing import Final

from rich.text import Text

from ..exits import Exit
from ..options.connection import Connection
from ..output.text import visible
from ..run import Job, run
from ..terminal import Terminal
from .check import Check, failed
from .machine import proxies, settings_lines, versions
from .server import examine

__all__ = ["doctor"]

_NAME: Final = 26  # columns
_STYLES: Final = {"ok": "", "warning": "yellow", "failed": "bold red", "skipped": "dim"}
_MARKS: Final = {"ok": "", "warning": "warning: ", "failed": "FAILED: ", "skipped": ""}


def doctor(
    connection: Connection, site: int | str | None, *, as_json: bool, terminal: Terminal
) -> int:
    """Check everything, show it, and return the exit code: that of the first failure."""
    found: list[Check] = []
    print_it = _nothing if as_json else _printer(terminal)

    def show(check: Check) -> None:
        found.append(check)
        print_it(check)

    for check in versions(terminal):
        show(check)
    has_begun = False

    async def ask(job: Job) -> None:
        nonlocal has_begun
        has_begun = True
        base_url = str(job.client.arguments()["base_url"])
        for check in (*settings_lines(job.settings, base_url), *proxies(job.settings, base_url)):
            show(check)
        async for check in examine(job.client, job.settings, base_url, site):
            show(check)

    try:
        run(ask, connection)
    except Exception as error:
        if has_begun:
            raise
        show(failed("settings", error))
    code = next((check.exit for check in found if check.state == "failed"), Exit.OK)
    if as_json:
        told = {"exit": int(code), "checks": [check.plain() for check in found]}
        terminal.write_json(json.dumps(told, ensure_ascii=False, indent=2))
    return code


def _nothing(check: Check) -> None:
    """Show nothing yet."""


def _printer(terminal: Terminal) -> Callable[[Check], None]:
    """Prints each check as soon as it is known."""

    def show(check: Check) -> None:
        name, width = check.name, max(20, terminal.width - _NAME - 1)
        lines = [(line, _STYLES[check.state]) for line in _lines(_told(check), width)]
        if check.cure is not None:
            lines += [(line, "") for line in _lines(visible(check.cure), width)]
        for line, style in lines:
            text = Text.assemble((name.ljust(_NAME), "bold"), (line, style))
            terminal.print(text)
            name = ""

    return show


def _told(check: Check) -> str:
    return _MARKS[check.state] + visible(check.text)


def _lines(text: str, width: int) -> list[str]:
    return wrap(text, width, break_on_hyphens=False)
