"""``completion``: completion for shells."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

__all__ = ["completion"]


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"] | None,
        Parameter(help="The shell; the one that this runs in if none is named."),
    ] = None,
    /,
    *,
    install: Annotated[
        bool, Parameter(help="Write it to where the shell finds it, rather than to stdout.")
    ] = False,
) -> int:
    """Completion for bash, zsh and fish.

    ```text
    rybbit-async completion --install
    rybbit-async completion bash > ~/.local/share/bash-completion/completions/rybbit-async
    ```
    """
    from cyclopts.completion.detect import ShellDetectionError

    from ..app import app_for
    from ..exits import CommandError, Exit

    app = app_for()
    try:
        if install:
            path = app.install_completion(shell=shell)
            sys.stderr.write(f"Completion was written to {path}; open a new terminal to use it.\n")
        else:
            sys.stdout.write(app.generate_completion(shell=shell))
    except ShellDetectionError:
        raise CommandError("the shell must be bash, zsh or fish: name it", Exit.USAGE) from None
    return Exit.OK
