"""A YAML or TOML document as values that know where they stand in it.

YAML is read as nodes and not as the objects that a loader would make of them: nodes have the line
and the text of each scalar, so that what YAML takes for something else than its author meant can
be refused, such as ``0123`` or a date.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, Final, Literal, cast

from attrs import define, field, frozen

from ...extras import import_extra
from ...parameters.checks import did_you_mean
from ..exits import CommandError, Exit
from .slips import shortened, unreadable

__all__ = ["Entry", "Value", "read_toml", "read_yaml"]

Kind = Literal["text", "number", "boolean", "nothing", "date", "list", "mapping"]

_AN: Final[Mapping[Kind, str]] = {
    "text": "text",
    "number": "the number",
    "boolean": "",
    "nothing": "nothing",
    "date": "the date",
    "list": "a list",
    "mapping": "keys with values",
}
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MAX_VALUES: Final = 1_000_000
_MAX_DEPTH: Final = 32
_TOO_LARGE: Final = "a number must be at most 1.8e308, got a larger one"


@frozen
class Value:
    """A value of a document.

    Attributes:
        kind: what it is.
        content: a tuple of ``Entry`` for a mapping, a tuple of ``Value`` for a list, else a plain
            ``str``, ``int``, ``float``, ``bool`` or ``None``; a date is text. It is ``None`` for a
            number that may not be meant as one, such as ``0123``.
        place: where it stands, such as ``"goals.yaml, line 5"``.
        source: a scalar as it is written in the document, without quotes.
    """

    kind: Kind
    content: Any
    place: str
    source: str = ""

    def error(self, text: str) -> CommandError:
        """The error for a document that is wrong here."""
        return CommandError(f"{self.place}: {text}", Exit.USAGE)

    def wrong(self, name: str, must: str) -> CommandError:
        """The error for a value that is none of those that ``name`` may have."""
        shown = shortened(self.source)
        got = f"text ({shown!r})" if self.kind == "text" else f"{_AN[self.kind]} {shown}".strip()
        hint = ""
        if self.kind in ("number", "boolean", "date") and "text" in must:
            hint = f': put it in quotes, "{shown}"'
        elif self.kind == "nothing" and not shown and "text" in must:
            hint = ": write it after the colon, in quotes if it begins with # or &"
        return self.error(f"{name} must be {must}, got {got}{hint}")

    @property
    def entries(self) -> Sequence[Entry]:
        """What a mapping has."""
        return cast("Sequence[Entry]", self.content)

    @property
    def items(self) -> Sequence[Value]:
        """What a list has."""
        return cast("Sequence[Value]", self.content)

    def fields(
        self, name: str, known: Sequence[str], inner: Sequence[str] = ()
    ) -> dict[str, Value]:
        """The values of a mapping by their keys; ``inner`` are keys of the goals in it.

        Raises:
            CommandError: it is no mapping, or has a key that is not ``known``.
        """
        if self.kind != "mapping":
            raise self.wrong(name, "lines of the form key: value")
        for one in self.entries:
            key = one.key.content
            if key not in known:
                *others, last = (f'"{one}"' for one in known)
                keys = f"{', '.join(others)} or {last}" if others else last
                hint = did_you_mean(key, known)
                if key in inner:
                    hint = ": indent this line like the other lines of its goal"
                raise one.key.error(f"a key in {name} must be {keys}, got {one.key.source!r}{hint}")
        return {one.key.content: one.value for one in self.entries}

    def plain(self, name: str) -> Any:
        """The value as JSON has it.

        Raises:
            CommandError: it has a date, or a key that is not text.
        """
        if self.kind == "mapping":
            for one in self.entries:
                if one.key.kind != "text":
                    raise one.key.wrong(f"a key in {name}", "text")
            return {one.key.content: one.value.plain(name) for one in self.entries}
        if self.kind == "list":
            return [one.plain(name) for one in self.items]
        return None if self.kind == "nothing" else self.scalar(f"a value in {name}")

    def scalar(self, name: str) -> str | int | float | bool:
        """Text, a number or a boolean.

        Raises:
            CommandError: it is none of these, or a number that may be meant as text.
        """
        if self.kind not in ("text", "number", "boolean"):
            raise self.wrong(name, "text, a number or a boolean")
        if self.content is None:
            shown = shortened(self.source)
            must = f"{name}: a number must be written as in 12 or 0.5, got {shown}"
            raise self.error(f'{must}: if it is text, put it in quotes, "{shown}"')
        scalar: str | int | float | bool = self.content
        return scalar


@frozen
class Entry:
    """A key of a mapping, and its value."""

    key: Value
    value: Value


# --- YAML ----------------------------------------------------------------------------------------


def read_yaml(text: str, name: str) -> Value:
    """A YAML document.

    Args:
        name: of the file, for errors.

    Raises:
        CommandError: it is not YAML, or has something that only some readers of YAML understand.
    """
    ruamel = import_extra("ruamel.yaml", "goals as code", "'rybbit_async[cli]'")
    try:
        node = ruamel.YAML(typ="rt").compose(text)
    except ruamel.error.MarkedYAMLError as error:
        raise unreadable(text, name, error) from None
    except ruamel.error.YAMLError as error:  # of characters that YAML does not allow
        said = str(error).splitlines()[0]
        raise CommandError(f"{name}: this is not YAML: {said}", Exit.USAGE) from None
    except RecursionError:
        raise CommandError(f"{name}: it must not be nested so deeply", Exit.USAGE) from None
    if node is None:
        raise CommandError(f"{name}: the file is empty", Exit.USAGE)
    return _Nodes(name).value(node)


_SCALARS: Final[Mapping[str, Kind]] = {
    "str": "text",
    "int": "number",
    "float": "number",
    "bool": "boolean",
    "null": "nothing",
    "timestamp": "date",
}


@define
class _Nodes:
    """Makes values of nodes. An alias is a node that stands in several places."""

    name: str
    count: int = 0
    open: list[Any] = field(factory=list[Any])

    def value(self, node: Any) -> Value:
        place = f"{self.name}, line {node.start_mark.line + 1}"
        self.count += 1
        if self.count > _MAX_VALUES:
            raise CommandError(f"{place}: the document must have fewer values", Exit.USAGE)
        if any(node is one for one in self.open):
            raise CommandError(f"{place}: a value must not contain itself", Exit.USAGE)
        if len(self.open) > _MAX_DEPTH:
            raise CommandError(f"{place}: it must not be nested so deeply", Exit.USAGE)
        tag = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if node.id == "scalar" and tag in _SCALARS:
            return _scalar(_SCALARS[tag], node.value, place)
        if node.id == "scalar" and tag == "merge":
            raise CommandError(
                f'{place}: "<<" must not be used: write the keys out, or use an alias of the whole',
                Exit.USAGE,
            )
        if tag not in ("seq", "map"):
            must = f"text that begins with ! must stand in quotes, got {shortened(tag)!r}"
            raise CommandError(f"{place}: {must}", Exit.USAGE)
        self.open.append(node)
        made = self._list(node, place) if tag == "seq" else self._mapping(node, place)
        self.open.pop()
        return made

    def _list(self, node: Any, place: str) -> Value:
        return Value("list", tuple(self.value(one) for one in node.value), place)

    def _mapping(self, node: Any, place: str) -> Value:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            key = self.value(key_node)
            if key.kind in ("list", "mapping"):
                raise key.error(f"a key must be text, got {_AN[key.kind]}")
            if key.source in entries:
                first = entries[key.source].key.place.rpartition(", ")[2]
                raise key.error(f"{key.source!r} must stand here once, and stands in {first}, too")
            entries[key.source] = Entry(key, self.value(value_node))
        return Value("mapping", tuple(entries.values()), place)


def _scalar(kind: Kind, source: str, place: str) -> Value:
    content: Any = source
    if kind == "number":
        content = json.loads(source) if _NUMBER.fullmatch(source) and _is_float(source) else None
    elif kind == "boolean":
        content = source.lower() == "true"
        if source.lower() not in ("true", "false"):  # a document can ask for YAML 1.1
            must = "a boolean must be true or false"
            raise CommandError(f'{place}: {must}; put text in quotes, "{source}"', Exit.USAGE)
    elif kind == "nothing":
        content = None
    elif kind == "text":
        content = source = _joined(source)
    return Value(kind, content, place, source)


def _is_float(number: Any) -> bool:
    """Whether a number is not larger than any that a server has; Python has larger ones."""
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False


def _joined(text: str) -> str:
    """Text in which JSON may have written a character as two escapes, which YAML takes for two."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:  # half of one is refused later
        return text


# --- TOML ----------------------------------------------------------------------------------------


def read_toml(text: str, name: str) -> Value:
    """A TOML document. Its values are named by their path, since the parser tells no lines.

    Args:
        name: of the file, for errors.

    Raises:
        CommandError: it is not TOML.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"{name}: this is not TOML: {error}", Exit.USAGE) from None
    except ValueError:  # Python makes no number of thousands of digits
        raise CommandError(f"{name}: {_TOO_LARGE}", Exit.USAGE) from None
    except RecursionError:
        raise CommandError(f"{name}: it must not be nested so deeply", Exit.USAGE) from None
    return _toml(data, name, "", 0)


def _toml(data: Any, name: str, path: str, depth: int) -> Value:
    place = f"{name}, {path}" if path else name
    if depth > _MAX_DEPTH:
        raise CommandError(f"{place}: it must not be nested so deeply", Exit.USAGE)
    if isinstance(data, dict):
        entries: list[Entry] = []
        for key, value in cast("dict[str, Any]", data).items():
            inner = f"{path}.{key}" if path else key
            at = Value("text", key, f"{name}, {inner}", key)
            entries.append(Entry(at, _toml(value, name, inner, depth + 1)))
        return Value("mapping", tuple(entries), place)
    if isinstance(data, list):
        items: list[Any] = data  # pyright: ignore[reportUnknownVariableType]  # TOML
        values = (_toml(one, name, f"{path}[{i}]", depth + 1) for i, one in enumerate(items))
        return Value("list", tuple(values), place)
    if isinstance(data, bool):
        return Value("boolean", data, place, str(data).lower())
    if isinstance(data, (date, time)):
        return Value("date", str(data), place, str(data))
    if isinstance(data, (int, float)) and not _is_float(data):
        must = f"a number must be finite, got {data}" if isinstance(data, float) else _TOO_LARGE
        raise CommandError(f"{place}: {must}", Exit.USAGE)
    return Value("text" if isinstance(data, str) else "number", data, place, str(data))
