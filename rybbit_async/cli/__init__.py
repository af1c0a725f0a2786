"""``rybbit-async``, the command line; install ``rybbit_async[cli]``."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, cast

from .exits import Exit

__all__ = ["main"]

NEEDED: Final = ("cyclopts", "platformdirs", "rich", "ruamel", "tomlkit", "filelock")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code.

    Args:
        arguments: those of the command line; ``sys.argv[1:]`` if not given.
    """
    arguments = sys.argv[1:] if arguments is None else [*arguments]
    # A stream that was closed before the start is None.
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the end
    if sys.stdout is None:
        return _failed("standard output must be open, got a closed one", Exit.ERROR)
    out: object = sys.stdout
    if isinstance(out, io.TextIOWrapper):  # the help has characters that Latin-1 lacks
        cast("io.TextIOWrapper", out).reconfigure(errors="backslashreplace")
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return Exit.OK
    except KeyboardInterrupt:
        return _failed("interrupted", Exit.INTERRUPTED)
    except SystemExit:  # rich ends so if the reader of the help has ended
        return Exit.OK
    except Exception as error:
        if "--debug" in arguments:
            import traceback

            traceback.print_exc()
        from .failures import explain

        return _failed(*explain(error))
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        from .app import app_for
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        missing = f"rybbit-async needs {error.name}, which is not installed: "
        return _failed(f'{missing}pip install "rybbit_async[cli]"', Exit.ERROR)
    code = app_for(arguments)(
        arguments,
        exit_on_error=False,
        print_error=False,
        help_on_error=False,
        result_action="return_value",
    )
    return code if isinstance(code, int) else Exit.OK


def _failed(message: str, code: Exit) -> int:
    from .terminal import Terminal

    with suppress(BrokenPipeError):
        Terminal().message(f"rybbit-async: {_KEY.sub('rb_...', message)}")
    return code


# No key of the command line is repeated in the message about it.
_KEY: Final = re.compile(r"\brb_\w+")


def _drop_output() -> None:
    """Write nothing more to stdout, whose reader has ended; Python would report it at its exit."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
