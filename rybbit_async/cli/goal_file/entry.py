"""One goal of a file, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from ...errors import InvalidParameterError
from ...parameters.checks import MAX_INT, check_name
from .content import MATCHED_BY, Content, from_file, same_value, writable
from .document import Value

__all__ = ["KEYS", "FileGoal", "read_goal"]

KEYS: Final = ("id", "name", *MATCHED_BY, "property", "properties", "extra", "type", "config")
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


def read_goal(value: Value) -> FileGoal:
    """A goal of a file.

    Raises:
        CommandError: something in it is wrong.
    """
    fields = value.fields("a goal", KEYS)
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
    if value.kind != "text" and not (value.kind == "nothing" and value.source):
        raise value.wrong("name", "text, or null for a goal without a name")
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
        raise fields["config"].wrong("config", "keys with values")
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
        raise value.wrong(
            "property", 'one key with one value, as in {plan: pro}; "properties" may have several'
        )
    return _by_key(value, "property")


def _properties(value: Value) -> Any:
    if value.kind == "mapping":
        return _by_key(value, "properties")
    if value.kind != "list":
        raise value.wrong("properties", "keys with values, such as plan: pro")
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
        raise value.wrong("a property", '"key" and "value" with their values')
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
        raise value.wrong("extra", "keys with values")
    known = {MATCHED_BY[kind]: kind, "propertyFilters": "properties"}
    if kind == "event":
        known |= {"eventPropertyKey": "property", "eventPropertyValue": "property"}
    for one in value.entries:
        if one.key.content in known:
            name = known[one.key.content]
            raise one.key.error(f'extra must not have {one.key.source!r}: use "{name}"')
    plain: dict[str, Any] = value.plain("extra")
    return plain
