"""What is said of an error, and with what the command exits."""

from __future__ import annotations

import os
from typing import Final

from cyclopts import CycloptsError

from .. import (
    APIConnectionError,
    APIResponseError,
    AuthenticationError,
    IncompleteWalkError,
    InvalidParameterError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RybbitError,
    ServerError,
)
from .exits import CommandError, Exit
from .output.text import visible
from .usage import describe

__all__ = ["WORDS", "exit_of", "explain", "in_words"]

WORDS: Final = {
    "(see rate_limit=RateLimit(500, per=600))": "(see --rate-limit 500/10m)",
    "(see api_key and RYBBIT_API_KEY)": "(set RYBBIT_API_KEY, or run rybbit-async config)",
    "auth=PasswordLogin(email, password)": "--email",
    "password of PasswordLogin is wrong": "password is wrong",
    "proxy='http://user:password@...'": "HTTPS_PROXY=http://user:password@...",
    "allow_http=True allows it": "--allow-http allows it",
    "check base_url": "check --base-url",
    "pass base_url, or set RYBBIT_BASE_URL": "set RYBBIT_BASE_URL, or run rybbit-async config",
    "config.path_pattern": "--path",
}
"""What an error says of the arguments of the client, and what the command line calls them."""

_EXITS: Final[tuple[tuple[type[BaseException], Exit], ...]] = (
    (InvalidParameterError, Exit.USAGE),
    (AuthenticationError, Exit.AUTHENTICATION),
    (PermissionDeniedError, Exit.AUTHENTICATION),
    (NotFoundError, Exit.NOT_FOUND),
    (RateLimitError, Exit.RATE_LIMIT),
    (APIConnectionError, Exit.NETWORK),
    (APIResponseError, Exit.NETWORK),
    (ServerError, Exit.NETWORK),
    (IncompleteWalkError, Exit.PARTIAL),
    (KeyboardInterrupt, Exit.INTERRUPTED),
    (CycloptsError, Exit.USAGE),
)


def exit_of(error: BaseException) -> Exit:
    """The exit code for an error."""
    if isinstance(error, CommandError):
        return error.exit
    return next((code for kind, code in _EXITS if isinstance(error, kind)), Exit.ERROR)


def explain(error: Exception) -> tuple[str, Exit]:
    """One line about an error, and the exit code."""
    return visible(in_words(" ".join(_text(error).split()))), exit_of(error)


def in_words(text: str) -> str:
    """A message of the client, with the words of the command line."""
    for python, words in WORDS.items():
        text = text.replace(python, words)
    return text


def _text(error: Exception) -> str:
    if isinstance(error, CycloptsError):
        return describe(error)
    if isinstance(error, OSError) and error.strerror:
        # The name of a file is for the user; the number of the error is not.
        where = "" if error.filename is None else f"{os.fspath(error.filename)}: "
        return f"{where}{error.strerror}"
    if isinstance(error, (CommandError, RybbitError, ModuleNotFoundError)):
        return str(error)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{what} (this is a fault of rybbit-async: run it with --debug, and report what it says)"
