"""``completion``: completion for shells."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

__all__ = ["completion"]

_ZSH_NEEDS = " If ~/.zshrc does not do so yet, add to its end: autoload -Uz compinit && compinit"
# The file works under any name in a folder of $fpath, where zsh runs it as a function, and sourced.
_ZSH_END = """
if [[ "$funcstack[1]" == _* ]]; then
  _cyclopts_rybbit-async "$@"
else
  compdef _cyclopts_rybbit-async rybbit-async
fi
"""


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
    rybbit-async completion zsh > ~/.zfunc/_rybbit-async
    ```
    """
    from cyclopts.completion.detect import ShellDetectionError, detect_shell

    from ..app import app_for
    from ..exits import CommandError, Exit

    try:
        found = shell or detect_shell()
    except ShellDetectionError:
        raise CommandError("the shell must be bash, zsh or fish: name it", Exit.USAGE) from None
    if install:
        path = app_for().install_completion(shell=found)
        needs = _ZSH_NEEDS if found == "zsh" else ""
        sys.stderr.write(
            f"Completion was written to {path}; open a new terminal to use it.{needs}\n"
        )
    else:
        script = app_for().generate_completion(shell=found)
        sys.stdout.write(script + _ZSH_END if found == "zsh" else script)
    return Exit.OK
