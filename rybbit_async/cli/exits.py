"""With what ``rybbit-async`` exits."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["MEANINGS", "CommandError", "Exit"]


class Exit(IntEnum):
    """The exit codes; scripts rely on them."""

    OK = 0
    ERROR = 1
    USAGE = 2
    AUTHENTICATION = 3
    NOT_FOUND = 4
    RATE_LIMIT = 5
    NETWORK = 6
    PARTIAL = 7
    CHANGES = 8
    INTERRUPTED = 130


MEANINGS: Final = {
    Exit.OK: "Everything was done; also if the program that reads the output has ended.",
    Exit.ERROR: "Something else failed, such as writing a file; or you said no.",
    Exit.USAGE: "The command, an option or a file is wrong. Nothing was changed.",
    Exit.AUTHENTICATION: "The key is missing or wrong, or may not do this.",
    Exit.NOT_FOUND: "There is no such site, goal or endpoint.",
    Exit.RATE_LIMIT: "The rate limit is used up.",
    Exit.NETWORK: "The server cannot be reached, does not answer in time, or fails.",
    Exit.PARTIAL: "A part is missing; messages say which.",
    Exit.CHANGES: "`goals plan --exit-code` found changes.",
    Exit.INTERRUPTED: "Ctrl-C was pressed.",
}


class CommandError(Exception):
    """A command cannot go on.

    Attributes:
        message: one line for the user, with what to do about it.
        exit: the exit code.
    """

    def __init__(self, message: str, exit: Exit = Exit.ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.exit = exit
