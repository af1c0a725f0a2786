"""What is said of a command line that is wrong, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final, Literal, get_args, get_origin

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)
from cyclopts.exceptions import UnknownCommandError

from .app import COMMANDS, PARENTS

__all__ = ["describe"]

# What other programs call it.
_OPTIONS: Final = {
    **dict.fromkeys(("--from", "--start", "--begin", "--start-date"), "--since"),
    **dict.fromkeys(("--to", "--end", "--end-date"), "--until"),
    **dict.fromkeys(("-o", "--output", "--out"), "--json, --jsonl, --csv, or > FILE"),
    "--format": "--json, --jsonl, --csv or --parquet FILE",
    **dict.fromkeys(("--json", "--csv", "--jsonl", "--parquet"), "--format"),
    **dict.fromkeys(("--dark", "--light"), "--theme"),
    **dict.fromkeys(("--follow", "-f"), "rybbit-async watch"),
    **dict.fromkeys(("--site", "-s"), "the site as an argument, without --site"),
    **dict.fromkeys(("-n", "--max", "--top", "--head"), "--limit"),
    "--force": "--yes",
    "--url": "--base-url",
    "--key": "--api-key -",
    "--timezone": "--tz",
    "--where": "--filter",
}
_COMMANDS: Final = {
    **dict.fromkeys(("rm", "remove"), "delete"),
    **dict.fromkeys(("add", "new", "make"), "create"),
    **dict.fromkeys(("show", "describe", "view"), "get"),
    **dict.fromkeys(("edit", "rename", "set", "change"), "update"),
    **dict.fromkeys(("ls", "all"), "list"),
    "diff": "plan",
    "stats": "summary",
    "login": "config",
    "profile": "config",
    "download": "export",
    "tail": "watch",
    "top": "values",
    "server": "serve",
    "check": "doctor",
}
_NUMBERS: Final = {int: "a whole number", float: "a number"}


def describe(error: CycloptsError) -> str:
    """One line: what must be, what was got, and where help is."""
    text = _text(error)
    return f"{text}; see rybbit-async {''.join(f'{name} ' for name in _chain(error))}--help"


def _chain(error: CycloptsError) -> tuple[str, ...]:
    return tuple(error.command_chain or ())


def _text(error: CycloptsError) -> str:
    match error:
        case UnknownCommandError():
            return _unknown_command(error)
        case UnknownOptionError():
            return _unknown_option(error)
        case UnusedCliTokensError():
            return _too_much(error)
        case CoercionError(token=token) if token is not None and error.msg is None:
            return f"{_name(error)} must be {_kind(error.target_type)}, got {token.value!r}"
        case ValidationError(exception_message=message) if message.lower().startswith("must"):
            return f"{_name(error)} {message[0].lower()}{message[1:].rstrip('.')}"
        case MissingArgumentError() if type(error) is MissingArgumentError:
            return _missing(error)
        case _:
            return str(error).rstrip(".")


def _unknown_command(error: UnknownCommandError) -> str:
    (given, *_), chain = error.unused_tokens or [""], _chain(error)
    parent = chain[-1] if chain else ""
    known = [name for of, name, *_ in COMMANDS if of == parent]
    known += [] if parent else [name for name, *_ in PARENTS]
    words = _nearest(given, known, _COMMANDS)
    meant = f", did you mean {words}?" if words else ""
    return f"the command must be one of {', '.join(sorted(known))}, got {given!r}{meant}"


def _unknown_option(error: UnknownOptionError) -> str:
    given = (error.token.keyword or error.token.value).partition("=")[0]
    known = [name for argument in error.argument_collection for name in argument.names]
    words = _nearest(given, known, _OPTIONS)
    meant = f", did you mean {words}?" if words else ""
    return f"there is no option {given}{meant}"


def _nearest(given: str, known: Iterable[str], others: dict[str, str]) -> str | None:
    """What was probably meant; ``None`` rather than a bad guess."""
    known = [*known]
    words = others.get(given)
    if words is not None and (words in known or " " in words):
        return words
    close = difflib.get_close_matches(given, known, 1, 0.75)
    return close[0] if close else None


def _too_much(error: UnusedCliTokensError) -> str:
    given = (error.unused_tokens or [""])[0]
    hint = ""
    if given.endswith((".csv", ".json", ".jsonl")):
        hint = f": to write a file, use > {given}"
    if _chain(error) and given in ("list", "ls"):
        hint = f": {' '.join(_chain(error))} is the whole command"
    return f"there is an argument too much, {given!r}{hint}"


def _missing(error: MissingArgumentError) -> str:
    name = error.keyword or _name(error)
    if name.startswith("-"):
        given = (
            error.keyword or any(t.keyword for t in error.argument.tokens) if error.argument else ""
        )
        return f"{name} needs a value" if given else f"{name} is missing"
    hint = " (rybbit-async sites lists the sites)" if name == "SITE" else ""
    return f"{name} is missing{hint}"


def _name(error: CycloptsError) -> str:
    token: Any = getattr(error, "token", None)
    if token is not None and token.keyword:
        return str(token.keyword)
    if error.argument is None:
        return "an argument"
    used = [token.keyword for token in error.argument.tokens if token.keyword]
    name = used[0] if used else error.argument.name
    return name if name.startswith("-") else name.lstrip("-").upper()


def _kind(target: Any) -> str:
    if get_origin(target) is Literal:
        *others, last = (str(value) for value in get_args(target))
        return f"{', '.join(others)} or {last}" if others else last
    return _NUMBERS.get(target, "of another kind")
