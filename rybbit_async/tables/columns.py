"""Which columns the rows of a class have: read from its annotations, without Arrow.

The rules, which ``docs/tables.md`` explains:

- A field is a column of its name: ``str`` is text, ``int``, ``float``, ``bool`` and ``datetime``
  are themselves, a member of an enumeration is its value, and a union such as ``int | str`` is
  text. Fields of this package that repeat few texts (``REPEATED``) are marked for coding them.
- A mapping, a list, a tuple or a value of any type is JSON text; null where there is nothing in it.
- An object in the row is flat: its fields are columns of the row. Where two columns would have the
  same name, those of objects begin with the name of the field that holds the object.
- ``extra`` is the last column.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, cast

import attrs
from attrs import evolve, frozen

from ..errors import InvalidParameterError
from ..models import CLASS_BY, HOLDS_UNKNOWN, Goal, GoalSession, WatchedSession

__all__ = ["SCHEMA_VERSION", "Column", "Kind", "columns"]

SCHEMA_VERSION: Final[int] = 2
"""Grows when the columns of a class of this package change."""

Kind = Literal["text", "repeated", "int", "float", "bool", "time", "json"]

# Fields of this package with few different values, whatever class they are in.
REPEATED: Final = frozenset({
    "browser", "browser_version", "channel", "city", "country", "device_type", "event_name",
    "first_channel", "first_utm_campaign", "first_utm_medium", "first_utm_source", "goal_type",
    "hostname", "language", "last_channel", "operating_system", "operating_system_version",
    "region", "role", "site", "tag", "timezone", "type", "utm_campaign", "utm_content",
    "utm_medium", "utm_source", "utm_term",
})  # fmt: skip

# What a session says of the goal that it reached; the list of goals has the rest.
_OF_A_GOAL: Final = {"goal_id": "goal_id", "name": "goal_name"}
_PARTS: Final[Mapping[tuple[type[Any], str], Mapping[str, str]]] = {
    (GoalSession, "goal"): _OF_A_GOAL,
    (WatchedSession, "goal"): _OF_A_GOAL,
}
_SCALARS: Final = {str: "text", int: "int", float: "float", bool: "bool"}


@frozen
class Column:
    """One column of the rows of a class.

    Attributes:
        name: of the column.
        kind: what its values are; a value of any kind may be null.
        value: Python source of the value in the row ``r``; see ``flat`` for the names in it.
        owner: the name of the class that the field is in, and the name of the field.
    """

    name: str
    kind: Kind
    value: str
    owner: tuple[str, str]


def columns(model: type) -> tuple[Column, ...]:
    """The columns of the rows of a class, in order.

    Raises:
        InvalidParameterError: the class does not say what its rows have, or a field has a type that
            no column can hold.
    """
    return _of_row(model)


@cache
def _of_row(model: Any) -> tuple[Column, ...]:
    if not _has_fields(model):
        raise InvalidParameterError(
            "model must be a class whose annotations say what a row has (an attrs class, a "
            f"dataclass or a TypedDict), got {_shown(model)}: pass model=... "
            "to client.iter"
        )
    found = _columns(model, "r")
    doubles = [name for name, number in Counter(one.name for one in found).items() if number > 1]
    if doubles:
        raise InvalidParameterError(
            f"model must have a different name for each column, got {model.__name__} with several "
            f"columns {doubles[0]!r}"
        )
    return tuple(sorted(found, key=lambda column: column.name == "extra"))


def _columns(model: Any, row: str) -> list[Column]:
    own: list[Column] = []
    inner: list[tuple[str, list[Column]]] = []
    order: list[Column | int] = []  # a number stands for a part of ``inner``
    as_key = typing.is_typeddict(model)
    for name, annotation, metadata in _fields(model):
        value = f"{row}.get({name!r})" if as_key else f"{row}.{name}"
        kind, optional = _without_none(annotation)
        part = _PARTS.get((model, name))
        if CLASS_BY in metadata:
            found = _config(model, name, value, metadata[CLASS_BY][1].values())
            order += found
            own += found
        elif _has_fields(kind):
            order.append(len(inner))
            inside = _columns(kind, value)
            if part is not None:
                names = {(kind.__name__, field): renamed for field, renamed in part.items()}
                inside = [evolve(c, name=names[c.owner]) for c in inside if c.owner in names]
            if optional or as_key:
                inside = [_optional(column, value) for column in inside]
            inner.append((name, inside))
        else:
            column = _column(model, name, value, kind, HOLDS_UNKNOWN in metadata)
            order.append(column)
            own.append(column)
    times = Counter(one.name for one in (*own, *(one for _, part in inner for one in part)))
    result: list[Column] = []
    for one in order:
        if isinstance(one, Column):
            result.append(one)
            continue
        holder, inside = inner[one]
        result += [_prefixed(c, holder) if times[c.name] > 1 else c for c in inside]
    return result


def _optional(column: Column, holder: str) -> Column:
    return evolve(column, value=f"(None if {holder} is None else {column.value})")


def _prefixed(column: Column, holder: str) -> Column:
    prefix = f"{holder}_"
    return column if column.name.startswith(prefix) else evolve(column, name=prefix + column.name)


def _fields(model: Any) -> list[tuple[str, Any, Mapping[str, Any]]]:
    """The name, the annotation and the metadata of each field."""
    if isinstance(model, type) and attrs.has(model):
        return [(f.name, f.type, f.metadata) for f in attrs.fields(attrs.resolve_types(model))]
    hints = typing.get_type_hints(model)
    if typing.is_typeddict(model):
        return [(name, hint, {}) for name, hint in hints.items()]
    return [(f.name, hints[f.name], f.metadata) for f in dataclasses.fields(model)]


def _has_fields(kind: Any) -> bool:
    return typing.is_typeddict(kind) or (
        isinstance(kind, type) and (attrs.has(kind) or dataclasses.is_dataclass(kind))
    )


def _config(model: Any, name: str, value: str, classes: Collection[type[Any]]) -> list[Column]:
    """The columns of an object whose class is one of several: as JSON, and the fields of each."""
    owner = (model.__name__, name)
    result = [Column(name, "json", f"json_text({value})", owner)]
    fields = {f.name: f for cls in classes for f in attrs.fields(attrs.resolve_types(cls))}
    for field in fields.values():
        if HOLDS_UNKNOWN in field.metadata:
            continue
        inside = f"getattr({value}, {field.name!r}, None)"
        kind, _ = _without_none(field.type)
        result.append(evolve(_column(model, field.name, inside, kind, False), owner=owner))
        if _is_union(kind):
            result.append(Column(f"{field.name}_type", "repeated", f"json_type({inside})", owner))
    return result


def _column(model: Any, name: str, value: str, kind: Any, unknown: bool) -> Column:
    owner = (model.__name__, name)
    text: Kind = "repeated" if name in REPEATED and model.__module__ == Goal.__module__ else "text"
    if unknown or kind is Any or typing.get_origin(kind) in _JSON or kind in _JSON:
        # Nearly always there is nothing in it.
        empty = kind is not Any
        source = f"(json_text({value}) if {value} else None)" if empty else f"json_text({value})"
        return Column(name, "json", source, owner)
    if kind in _SCALARS:
        found = cast("Kind", _SCALARS[kind])
        return Column(name, text if found == "text" else found, value, owner)
    if _is_datetime(kind):
        return Column(name, "time", value, owner)
    if isinstance(kind, type) and issubclass(kind, Enum):
        values: Any = {type(member.value) for member in kind}
        only: Any = values.pop() if len(values) == 1 else str
        return Column(name, cast("Kind", _SCALARS.get(only, "text")), f"enum_value({value})", owner)
    options: Sequence[Any] = typing.get_args(kind) if _is_union(kind) else ()
    if typing.get_origin(kind) is Literal:
        options = [type(option) for option in typing.get_args(kind)]
    if {*options} == {int, float}:
        return Column(name, "float", value, owner)
    if options and {*options} <= _SCALARS.keys():
        same = len({*options}) == 1
        found = cast("Kind", _SCALARS[options[0]]) if same else text
        return Column(name, found, value if same else f"scalar_text({value})", owner)
    raise InvalidParameterError(
        f"model must have fields of types that a column can hold ({_HELD}), got "
        f"{model.__name__}.{name}: {_shown(kind)}"
    )


def _shown(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


_HELD: Final = (
    "text, numbers, booleans, datetimes, enumerations, mappings, lists, and classes of these"
)
_JSON: Final[Collection[Any]] = frozenset({dict, Mapping, list, tuple, Sequence})


def _is_datetime(kind: Any) -> bool:
    # Libraries that freeze the time in tests replace the class by a subclass.
    return isinstance(kind, type) and any(
        (cls.__module__, cls.__name__) == ("datetime", "datetime") for cls in kind.__mro__
    )


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    while typing.get_origin(annotation) in (
        typing.Annotated, typing.Required, typing.NotRequired, typing.Final,
    ):  # fmt: skip
        annotation = typing.get_args(annotation)[0]
    if not _is_union(annotation):
        return annotation, False
    options = typing.get_args(annotation)
    rest = tuple(option for option in options if option is not type(None))
    return typing.Union[rest], len(rest) < len(options)  # noqa: UP007  # made at run time
