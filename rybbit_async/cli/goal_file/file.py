"""A goal file, read and checked: which goals which sites have."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from attrs import frozen

from ...errors import InvalidParameterError
from ...parameters.checks import MAX_INT, check_name, check_site, did_you_mean
from ..exits import CommandError, Exit
from .content import MATCHED_BY, Content, from_file, same_value, writable
from .document import Value, read_toml, read_yaml

__all__ = ["FileGoal", "FileSite", "parse", "read_goal_file"]

_READERS: Final = {".yaml": read_yaml, ".yml": read_yaml, ".toml": read_toml}
_KEYS: Final = ("id", "name", *MATCHED_BY, "property", "properties", "extra", "type", "config")
_EITHER: Final = '"path", "event", "outbound", "button_click", "form_submit" or "copy"'


@frozen
class FileGoal:
    """A goal that a file asks for.

    Attributes:
        place: where it stands in the file.
        goal_id: its id on the server, if the file has it.
        name: ``None`` for a goal without a name.
    """

    place: str
    goal_id: int | None
    name: str | None
    content: Content


@frozen
class FileSite:
    """The goals that a site is to have; ``site`` is its number or identifier as it is written."""

    place: str
    site: str
    goals: tuple[FileGoal, ...]


def read_goal_file(file: str, *, key_on_stdin: bool = False) -> list[FileSite]:
    """The sites of a file; ``-`` is YAML on standard input, which may be in use for a key.

    Raises:
        CommandError: it cannot be read, or something in it is wrong.
    """
    if file == "-" and key_on_stdin:
        must = "FILE and --api-key must not both be -, since there is one standard input"
        raise CommandError(must, Exit.USAGE)
    if file == "-":
        return parse(_text(sys.stdin.buffer.read(), "standard input"), "standard input")
    suffix = Path(file).suffix.lower()
    if suffix not in _READERS:
        must = 'FILE must end in .yaml, .yml or .toml, or be "-" for YAML on standard input'
        raise CommandError(f"{must}, got {file!r}", Exit.USAGE)
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise CommandError(f"{file} cannot be read: {why}", Exit.USAGE) from None
    return parse(_text(data, file), file)


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
    fields = _fields(document, "the file", ("sites", "site", "goals"))
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


def _fields(value: Value, name: str, known: Sequence[str]) -> dict[str, Value]:
    """The keys of a mapping, which must be among ``known``."""
    if value.kind != "mapping":
        raise value.wrong(name, "a mapping")
    for one in value.entries:
        key = one.key.content
        if key not in known:
            *others, last = (f'"{one}"' for one in known)
            keys = f"{', '.join(others)} or {last}"
            hint = did_you_mean(key, known)
            raise one.key.error(f"a key in {name} must be {keys}, got {one.key.source!r}{hint}")
    return {one.key.content: one.value for one in value.entries}


def _sites(value: Value) -> list[FileSite]:
    if value.kind != "mapping" or not value.entries:
        raise value.wrong('"sites"', "a mapping of sites to their goals")
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
    fields = _fields(value, "a site", ("goals",))
    if "goals" not in fields:
        raise value.error('a site must have "goals"')
    return _goals(fields["goals"])


def _goals(value: Value) -> tuple[FileGoal, ...]:
    if value.kind != "list":
        raise value.wrong('"goals"', "a list, or [] for no goals at all")
    return tuple(map(_goal, value.items))


def _goal(value: Value) -> FileGoal:
    fields = _fields(value, "a goal", _KEYS)
    if "name" not in fields:
        must = 'a goal must have "name", which is null (in TOML: "") for one without a name'
        raise value.error(must)
    goal_id = None
    if (given := fields.get("id")) is not None:
        goal_id = given.content
        if isinstance(goal_id, bool) or not isinstance(goal_id, int) or not 0 < goal_id <= MAX_INT:
            raise given.wrong("id", "the number of a goal, 1 or more")
    return FileGoal(value.place, goal_id, _name(fields["name"]), _content(value, fields))


def _name(value: Value) -> str | None:
    if value.kind not in ("text", "nothing"):
        raise value.wrong("name", "text")
    try:
        return check_name(value.content) or None  # servers store no empty names
    except InvalidParameterError as error:
        text = str(error)
    raise value.error(text)


def _content(goal: Value, fields: Mapping[str, Value]) -> Content:
    given = [name for name in (*MATCHED_BY, "type") if name in fields]
    if len(given) != 1:
        got = " and ".join(f'"{name}"' for name in given) or "none of them"
        raise goal.error(f'a goal must have one of {_EITHER} (or "type" with "config"), got {got}')
    if given == ["type"]:
        return _raw(goal, fields)
    kind = given[0]
    if "config" in fields:
        raise fields["config"].error('"config" must stand beside "type" only')
    plain: dict[str, Any] = {kind: _pattern(kind, fields[kind])}
    if "property" in fields:
        plain["property"] = _property(kind, fields["property"])
    if "properties" in fields:
        plain["properties"] = _properties(fields["properties"])
    if "extra" in fields:
        plain["extra"] = _extra(kind, fields["extra"])
    content = from_file(plain)
    if "property" in plain and not _has_property(content.config):
        must = '"property" must be among "properties", too: beside them, servers ignore it'
        raise fields["property"].error(must)
    try:
        writable(content)
    except InvalidParameterError as error:
        text = str(error)
    else:
        return content
    raise goal.error(text)


def _has_property(config: Mapping[str, Any]) -> bool:
    filters: list[dict[str, Any]] = config.get("propertyFilters", [])
    key, value = config["eventPropertyKey"], config["eventPropertyValue"]
    same = (one["key"] == key and same_value(one["value"], value) for one in filters)
    return not filters or any(same)


def _raw(goal: Value, fields: Mapping[str, Value]) -> Content:
    for key in ("property", "properties", "extra"):
        if key in fields:
            raise fields[key].error(f'"{key}" must not stand beside "type": write it into "config"')
    kind = fields["type"]
    if kind.kind != "text" or not kind.content:
        raise kind.wrong("type", "text")
    if "config" not in fields:
        hint = f": write {kind.content}: ... in place of type" if kind.content in MATCHED_BY else ""
        raise goal.error(f'a goal with "type" must have "config"{hint}')
    if fields["config"].kind != "mapping":
        raise fields["config"].wrong("config", "a mapping")
    return Content.of(kind.content, fields["config"].plain("config"))


def _pattern(kind: str, value: Value) -> str | bool:
    every = kind not in ("path", "event")
    if every and value.content is True:
        return True
    if value.kind != "text":
        raise value.wrong(kind, "text, or true for every event of this type" if every else "text")
    text: str = value.content
    return text


def _property(kind: str, value: Value) -> dict[str, Any]:
    if kind != "event":
        raise value.error(f'"property" must stand beside "event" only: use "properties" for {kind}')
    if value.kind != "mapping" or len(value.entries) != 1:
        raise value.wrong("property", 'one key with one value; "properties" may have several')
    return _by_key(value, "property")


def _properties(value: Value) -> Any:
    if value.kind == "mapping":
        return _by_key(value, "properties")
    if value.kind != "list":
        raise value.wrong("properties", 'a mapping, or a list of mappings of "key" and "value"')
    return [_filter(one) for one in value.items]


def _by_key(value: Value, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in value.entries:
        if one.key.kind != "text":
            raise one.key.wrong(f"a key in {name}", "text")
        found[one.key.content] = one.value.scalar(f"{name}.{one.key.content}")
    return found


def _filter(value: Value) -> dict[str, Any]:
    if value.kind != "mapping":
        raise value.wrong("a property", 'a mapping of "key" and "value"')
    by_key = {one.key.content: one.value for one in value.entries}
    if not {"key", "value"} <= by_key.keys():
        raise value.error('a property must have "key" and "value"')
    if by_key["key"].kind != "text":
        raise by_key["key"].wrong("key", "text")
    by_key["value"].scalar("value")
    plain: dict[str, Any] = value.plain("properties")
    return plain


def _extra(kind: str, value: Value) -> dict[str, Any]:
    if value.kind != "mapping":
        raise value.wrong("extra", "a mapping")
    known = {MATCHED_BY[kind]: kind, "propertyFilters": "properties"}
    if kind == "event":
        known |= {"eventPropertyKey": "property", "eventPropertyValue": "property"}
    for one in value.entries:
        if one.key.content in known:
            name = known[one.key.content]
            raise one.key.error(f'extra must not have {one.key.source!r}: use "{name}"')
    plain: dict[str, Any] = value.plain("extra")
    return plain


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
                    _refuse(goal, f"id {goal.goal_id} must stand once in the file", first)
            other = equal.setdefault((goal.name, goal.content.key), goal)
            if other is not goal and None in (goal.goal_id, other.goal_id):
                must = "two goals of a site with one name that count the same must both have an id"
                _refuse(goal, must, other)


def _refuse(goal: FileGoal, must: str, first: FileGoal) -> NoReturn:
    where = first.place.rpartition(", ")[2]
    raise CommandError(f"{goal.place}: {must}; the other one is in {where}", Exit.USAGE)
