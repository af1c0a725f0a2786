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

_NARROWEST: Final = 20  # columns
NEEDED: Final = ("cyclopts", "filelock", "platformdirs", "rich", "ruamel", "tomlkit")


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
    _widen()
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
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in NEEDED:
            return _explained(error, arguments)
        missing = f"rybbit-async needs {name}, which is not installed: "
        return _failed(f'{missing}pip install "rybbit_async[cli]"', Exit.ERROR)
    except Exception as error:
        return _explained(error, arguments)
    return code


def _widen() -> None:
    """Take a very narrow terminal for a wider one: in less, rich draws no panel, or never ends."""
    width = os.environ.get("COLUMNS", "")
    if width.isdigit() and int(width) < _NARROWEST:
        os.environ["COLUMNS"] = str(_NARROWEST)


def _explained(error: Exception, arguments: Sequence[str]) -> int:
    if "--debug" in arguments:
        _tell_traceback(arguments)
    from .failures import explain

    message, code = explain(error)
    return _failed(_without_keys(message, arguments), code)


def _run(arguments: Sequence[str]) -> int:
    from .app import app_for

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

    Terminal().message(f"rybbit-async: {message}")
    return code


def _tell_traceback(arguments: Sequence[str]) -> None:
    import traceback

    from .output.text import visible

    text = _without_keys(traceback.format_exc(), arguments)
    with suppress(BrokenPipeError):
        sys.stderr.write("\n".join(map(visible, text.split("\n"))))


# A key, and what may be one if it is an argument: keys of some servers have no prefix. Names of
# events can be as long, and have seldom a digit.
_KEY: Final = re.compile(r"\brb_\w[\w-]*")
_LIKE_A_KEY: Final = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,}")


def _without_keys(text: str, arguments: Sequence[str]) -> str:
    """Text that repeats no key of the command line, also one that was given in a wrong place."""
    for argument in arguments:
        for part in argument.lstrip("-").split("="):
            if _LIKE_A_KEY.fullmatch(part):
                text = text.replace(part, "...")
    return _KEY.sub("rb_...", text)


def _drop_output() -> None:
    """Write nothing more to stdout, whose reader has ended; Python would report it at its exit."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
