"""A goal file, read and checked: which goals which sites have."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from ...errors import InvalidParameterError
from ...parameters.checks import check_site
from ..exits import CommandError, Exit
from .document import Value, read_toml, read_yaml
from .entry import KEYS, FileGoal, read_goal

__all__ = ["FileSite", "doubts", "parse", "read_goal_file"]

_READERS: Final = {".yaml": read_yaml, ".yml": read_yaml, ".toml": read_toml}


@frozen
class FileSite:
    """The goals that a site is to have; ``site`` is its number or identifier as it is written."""

    place: str
    site: str
    goals: tuple[FileGoal, ...]


def read_goal_file(file: Path, *, key_on_stdin: bool = False) -> list[FileSite]:
    """The sites of a file; ``-`` is YAML on standard input, which may be in use for a key.

    Raises:
        CommandError: it cannot be read, or something in it is wrong.
    """
    name = str(file)
    if name == "-" and key_on_stdin:
        must = "FILE and --api-key must not both be -, since there is one standard input"
        raise CommandError(must, Exit.USAGE)
    if name == "-":
        return parse(_text(sys.stdin.buffer.read(), "standard input"), "standard input")
    if file.suffix.lower() not in _READERS:
        must = 'FILE must end in .yaml, .yml or .toml, or be "-" for YAML on standard input'
        raise CommandError(f"{must}, got {name!r}", Exit.USAGE)
    try:
        data = file.read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise CommandError(f"{name} cannot be read: {why}", Exit.USAGE) from None
    return parse(_text(data, name), name)


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CommandError(f"{name}, line {line}: the file must be in UTF-8", Exit.USAGE) from None


def parse(text: str, name: str) -> list[FileSite]:
    """The sites of a document: TOML if ``name`` ends in ``.toml``, else YAML.

    Raises:
        CommandError: something in it is wrong; the message says where, and what must be.
    """
    document = _READERS.get(Path(name).suffix.lower(), read_yaml)(text, name)
    fields = document.fields("the file", ("sites", "site", "goals"), KEYS)
    if "sites" in fields:
        for key in ("site", "goals"):
            if key in fields:
                raise fields[key].error(f'"{key}" must not stand beside "sites"')
        sites = _sites(fields["sites"])
    elif "site" in fields and "goals" in fields:
        site = _site(fields["site"])
        sites = [FileSite(fields["site"].place, site, _goals(fields["goals"]))]
    else:
        raise document.error('the file must have "sites", or "site" and "goals"')
    _check_ids(sites)
    return sites


# --- parts of the document -----------------------------------------------------------------------


def _sites(value: Value) -> list[FileSite]:
    if value.kind != "mapping" or not value.entries:
        raise value.wrong('"sites"', "sites with their goals, such as 123: {goals: []}")
    return [
        FileSite(one.key.place, _site(one.key), _goals_of_site(one.value)) for one in value.entries
    ]


def _site(value: Value) -> str:
    if value.kind not in ("text", "number"):
        raise value.wrong("a site", "a number or an identifier of 12 hexadecimal characters")
    try:
        # As it is written: YAML takes some identifiers for numbers.
        return check_site(value.source)
    except InvalidParameterError as error:
        text = str(error)
    raise value.error(text)


def _goals_of_site(value: Value) -> tuple[FileGoal, ...]:
    fields = value.fields("a site", ("goals",), KEYS)
    if "goals" not in fields:
        raise value.error('a site must have "goals"')
    return _goals(fields["goals"])


def _goals(value: Value) -> tuple[FileGoal, ...]:
    if value.kind != "list":
        raise value.wrong('"goals"', "a list with a - before each goal, or [] for no goals")
    return tuple(map(read_goal, value.items))


# --- what holds for all goals --------------------------------------------------------------------


def _check_ids(sites: Sequence[FileSite]) -> None:
    """Ids are unique on a server, and goals that are equal can only be told apart by them."""
    by_id: dict[int, FileGoal] = {}
    for site in sites:
        equal: dict[tuple[str | None, str], FileGoal] = {}
        for goal in site.goals:
            if goal.goal_id is not None:
                first = by_id.setdefault(goal.goal_id, goal)
                if first is not goal:
                    raise CommandError(
                        f"{goal.place}: id {goal.goal_id} must stand once in the file, and is in "
                        f"{_line(first)}, too",
                        Exit.USAGE,
                    )
            other = equal.setdefault((goal.name, goal.content.key), goal)
            if other is not goal and None in (goal.goal_id, other.goal_id):
                raise CommandError(
                    f"{goal.place}: this goal has the name of the one in {_line(other)} and counts "
                    "the same: remove one of them, or give both the id that the server has",
                    Exit.USAGE,
                )


def _line(goal: FileGoal) -> str:
    return goal.place.rpartition(", ")[2]


def doubts(sites: Sequence[FileSite]) -> Iterator[str]:
    """What is allowed in a file, and may be a mistake: goals that share a name or what they count.

    Two goals that both have an id are meant to be two.
    """
    for site in sites:
        names: dict[str, FileGoal] = {}
        contents: dict[str, FileGoal] = {}
        for goal in site.goals:
            if goal.name is not None:
                first = names.setdefault(goal.name, goal)
                if first is not goal and None in (goal.goal_id, first.goal_id):
                    yield (
                        f"{goal.place}: the name {goal.name!r} is also that of the goal in "
                        f"{_line(first)}"
                    )
            first = contents.setdefault(goal.content.key, goal)
            if first is not goal and None in (goal.goal_id, first.goal_id):
                yield f"{goal.place}: this goal counts the same as the one in {_line(first)}"
