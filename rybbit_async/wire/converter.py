"""cattrs, set up for what the servers send: wire names, values that need care, unknown fields.

The one place that knows how a class looks on the wire. Everything that does not fit raises
``APIResponseError`` with the path in the body, in the wire's own names.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

import attrs
import msgspec
from cattrs import ClassValidationError, Converter, IterableValidationError
from cattrs.cols import (
    is_mapping,
    is_sequence,
    list_structure_factory,
    mapping_structure_factory,  # pyright: ignore[reportUnknownVariableType]  # untyped there
)
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from ..errors import APIResponseError
from ..models import EventGoal, Goal, GoalResult, PathGoal, Session
from ..pages import Page, PageMeta
from .json import Body
from .row_decoder import RowsDecoder

__all__ = [
    "config_to_wire",
    "goal_page",
    "read",
    "read_goals",
    "read_sessions",
    "session_page",
    "structure",
    "to_dict",
    "to_json",
]

T = TypeVar("T")

# Attribute -> wire name, where they differ.
_WIRE: Final[Mapping[type, Mapping[str, str]]] = {
    Goal: {
        "goal_id": "goalId",
        "site_id": "siteId",
        "goal_type": "goalType",
        "created_at": "createdAt",
    },
    PathGoal: {"path_pattern": "pathPattern"},
    EventGoal: {
        "event_name": "eventName",
        "property_key": "eventPropertyKey",
        "property_value": "eventPropertyValue",
    },
    GoalResult: {"goal_id": "goalId"},
    PageMeta: {"page_size": "pageSize", "total_pages": "totalPages"},
}
# In sessions, attribute -> what servers send -> what it means: an unknown country is two NULs.
_REPLACED: Final[Mapping[str, Mapping[str, str]]] = {"country": {"\0\0": ""}}
_CONFIGS: Final[Mapping[str, type[PathGoal | EventGoal]]] = {"path": PathGoal, "event": EventGoal}


class _MisfitError(ValueError):
    """A value that is not what the API promises; becomes an ``APIResponseError`` further out."""

    def __init__(self, what: str, at: str = "") -> None:
        super().__init__(what)
        self.at = at


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- single values -----------------------------------------------------------------------------


def number_text(value: int | float) -> str:
    """A number as the server wrote it, which is as JavaScript does: ``14``, ``0.1``, ``1e-7``."""
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    if not value:
        return "0"  # -0.0 too
    if 1e-6 <= abs(value) < 1e21:
        plain = f"{Decimal(repr(value)):f}"  # the shortest digits that tell it apart, as JS has
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    mantissa, _, power = repr(value).partition("e")
    return f"{mantissa}e{power[0]}{power[1:].lstrip('0')}"


def _text(value: object, _: object = None) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_text(value)
    raise _MisfitError(f"text was expected, not {_kind(value)}")


def _int(value: object, _: object = None) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):  # totals are text
        digits = value.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 20:
            return int(value)
    raise _MisfitError(f"an integer was expected, not {_kind(value)}")


def _float(value: object, _: object = None) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    elif isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise _MisfitError(f"a number was expected, not {_kind(value)}")


def _bool(value: object, _: object = None) -> bool:
    if isinstance(value, bool):
        return value
    raise _MisfitError(f"true or false was expected, not {_kind(value)}")


def _datetime(value: object, _: object = None) -> datetime:
    # Documented with T and Z, observed with a space and no zone; UTC either way.
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if moment.tzinfo is None:
                return moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
    raise _MisfitError(f"a time was expected, not {_kind(value)}")


def _mapping(value: object, _: object = None) -> dict[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise _MisfitError(f"an object was expected, not {_kind(value)}")


def _list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value  # pyright: ignore[reportUnknownVariableType]  # JSON
    raise _MisfitError(f"a list was expected, not {_kind(value)}")


def _property_value(value: object, _: object = None) -> str | int | float | bool | None:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise _MisfitError(f"text, a number or a boolean was expected, not {_kind(value)}")


# --- classes -----------------------------------------------------------------------------------


def _structure_hook(cls: type[Any], converter: Converter) -> Callable[[Any, Any], Any]:
    """Cattrs' generated hook for ``cls``, by wire names, with the unknown fields in ``extra``."""
    wire = _WIRE.get(cls, {})
    fields = [a.name for a in attrs.fields(cls)]
    overrides = {name: override(rename=wire.get(name, name)) for name in fields}
    with_extra = cls.__module__.startswith("rybbit_async") and "extra" in fields
    if with_extra:
        overrides["extra"] = override(omit=True)
        fields.remove("extra")
    generated = make_dict_structure_fn(
        cls,
        converter,
        **overrides,  # type: ignore[arg-type]  # mypy takes them for cattrs' own keywords
    )
    known = frozenset(wire.get(name, name) for name in fields)

    def hook(value: object, _: object) -> Any:
        data = _mapping(value)
        result = generated(data, cls)
        if with_extra and not data.keys() <= known:
            extra = {key: data[key] for key in data if key not in known}
            result = attrs.evolve(result, extra=extra)
        return result

    return hook


def _checked(factory: Any, check: Callable[[object], Any]) -> Any:
    def hook_for(kind: Any, converter: Converter) -> Callable[[object, Any], Any]:
        hook = factory(kind, converter)
        return lambda value, _: hook(check(value), kind)

    return hook_for


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=True)
    for kind, hook in (
        (str, _text),
        (int, _int),
        (float, _float),
        (bool, _bool),
        (datetime, _datetime),
    ):
        converter.register_structure_hook(kind, cast("Any", hook))
    # Text and objects iterate too, but they are no lists; and a list of pairs is no object.
    kinds: list[tuple[Any, Any, Callable[[object], Any]]] = [
        (is_sequence, list_structure_factory, _list),
        (is_mapping, mapping_structure_factory, _mapping),
    ]
    for fits, factory, check in kinds:
        converter.register_structure_hook_factory(fits, _checked(factory, check))
    converter.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and attrs.has(kind), _structure_hook
    )
    # The type of a config stands beside it, in goalType: see ``_goal``.
    config = attrs.fields(attrs.resolve_types(Goal)).config.type
    converter.register_structure_hook_func(lambda kind: kind == config, _mapping)
    value = attrs.fields(attrs.resolve_types(EventGoal)).property_value.type
    converter.register_structure_hook_func(lambda kind: kind == value, _property_value)
    plain = _structure_hook(Goal, converter)

    def goal(value: object, kind: object) -> Goal:
        # Neither is always sent: the one is not documented, the other may be null.
        result: Goal = plain({"siteId": None, "name": None, **_mapping(value)}, kind)
        cls = _CONFIGS.get(result.goal_type)
        if cls is None:
            return result
        try:
            return attrs.evolve(result, config=converter.structure(result.config, cls))
        except ClassValidationError as error:
            at, what = _place(error)
            raise _MisfitError(what, ".config" + at) from None

    def session(value: object, kind: object) -> Session:
        result: Session = sessions(value, kind)
        changes: dict[str, Any] = {
            name: values[getattr(result, name)]
            for name, values in _REPLACED.items()
            if getattr(result, name) in values
        }
        return attrs.evolve(result, **changes) if changes else result

    sessions = _structure_hook(Session, converter)
    converter.register_structure_hook(Goal, goal)
    converter.register_structure_hook(Session, session)
    converter.register_unstructure_hook(datetime, _datetime_text)
    return converter


def _datetime_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


_converter = _make_converter()


def _place(error: BaseException) -> tuple[str, str]:
    """Where the first thing went wrong, and what: ``(".data[0].goalId", "...")``."""
    if isinstance(error, (ClassValidationError, IterableValidationError)):
        first = error.exceptions[0]
        step = ""
        for note in getattr(first, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                wire = _WIRE.get(error.cl, {}) if isinstance(error, ClassValidationError) else {}
                step = f".{wire.get(note.name, note.name)}"
            elif isinstance(note, IterableValidationNote):
                step = f"[{note.index}]"
        rest, what = _place(first)
        return step + rest, what
    if isinstance(error, KeyError):
        return "", "is missing"  # the note beside it has its name
    return getattr(error, "at", ""), str(error) or type(error).__name__


def structure(data: Any, kind: type[T], at: str = "") -> T:
    """``data`` as a ``kind``.

    Raises:
        APIResponseError: with ``path`` in the body, starting from ``at``.
    """
    try:
        return _converter.structure(data, kind)
    except (_MisfitError, BaseExceptionGroup, KeyError, TypeError, ValueError) as error:
        steps, what = _place(error)
        path = (at + steps).lstrip(".")
        raise APIResponseError(f"{path or 'the body'}: {what}", path=path) from None


def _rows(body: object, kind: type[T]) -> tuple[T, ...]:
    try:
        data = _mapping(body)
    except _MisfitError as error:
        raise APIResponseError(f"the body: {error}") from None
    if "data" not in data:
        said = data.get("error")
        hint = f" (the server says: {_kind(said)})" if said is not None else ""
        raise APIResponseError(f"data: is missing{hint}", path="data")
    rows = data["data"]
    if not isinstance(rows, list):
        raise APIResponseError(f"data: a list was expected, not {_kind(rows)}", path="data")
    return tuple(structure(rows, cast("type[list[T]]", list[kind]), at="data"))  # type: ignore[valid-type]  # made at run time


def goal_page(body: object) -> Page[Goal]:
    """The answer to a list of goals: ``{"data": [...], "meta": {...}}``."""
    items = _rows(body, Goal)
    return Page(items, structure(cast("dict[str, Any]", body).get("meta"), PageMeta, at="meta"))


def session_page(body: object) -> Page[Session]:
    """The answer to a goal's sessions: ``{"data": [...]}``."""
    return Page(_rows(body, Session))


def read(body: Body, kind: type[T]) -> T:
    """A body as a ``kind``; see ``structure``."""
    return structure(body.json(), kind)


def read_goals(body: Body) -> Page[Goal]:
    """The body of a list of goals: the fast way if all of it fits, else the lenient one."""
    found = _fast_goals(body.data)
    if found is None:
        return goal_page(body.json())
    rows, meta = found
    try:
        total = _int(meta.total)
    except _MisfitError:
        return goal_page(body.json())  # which says where it is wrong
    return Page(rows, PageMeta(total, meta.page, meta.pageSize, meta.totalPages))


def read_sessions(body: Body) -> Page[Session]:
    """The body of a goal's sessions: the fast way if all of it fits, else the lenient one."""
    found = _fast_sessions(body.data)
    return session_page(body.json()) if found is None else Page(found[0])


def _config(row: Any) -> PathGoal | EventGoal | Mapping[str, Any]:
    """A goal's config, from a struct of the fast way."""
    config: dict[str, Any] = row.config
    cls = _CONFIGS.get(row.goal_type)
    if len(config) == 1:
        ((name, value),) = config.items()
        if isinstance(value, str):  # most goals are a path or the name of an event
            if cls is PathGoal and name == "pathPattern":
                return PathGoal(value)
            if cls is EventGoal and name == "eventName":
                return EventGoal(value)
    if any(isinstance(value, (dict, list)) for value in config.values()):
        raise ValueError("the lenient way knows how deep it may be")
    if cls is None:
        return config
    try:
        return _converter.structure(config, cls)
    except ClassValidationError as error:
        raise ValueError from error  # the lenient way says what is wrong


class _Meta(msgspec.Struct):
    total: str | int
    page: int
    pageSize: int  # noqa: N815  # the wire's own name
    totalPages: int  # noqa: N815  # likewise


_fast_sessions = RowsDecoder(
    Session, wire=_WIRE.get(Session, {}), text=_text, time=_datetime, replaced=_REPLACED
)
_fast_goals = RowsDecoder(
    Goal,
    wire=_WIRE[Goal],
    text=_text,
    time=_datetime,
    hooks={"config": (dict[str, Any], _config)},
    meta=_Meta,
)


def config_to_wire(config: PathGoal | EventGoal | Mapping[str, Any]) -> dict[str, Any]:
    """A goal's configuration as a server wants it, with what it had sent besides."""
    if not isinstance(config, (PathGoal, EventGoal)):
        return dict(config)
    wire = _WIRE[type(config)]
    values = {name: getattr(config, attribute) for attribute, name in wire.items()}
    return {**config.extra, **{name: v for name, v in values.items() if v is not None}}


def to_dict(obj: Any) -> Any:
    """``obj`` as plain data, by attribute names, for a program to store.

    Times are ISO 8601 text that ends in ``Z``; ``extra`` keeps the wire's own names. Takes any
    class of this package, and lists of them.
    """
    return _converter.unstructure(obj)


def to_json(obj: Any) -> str:
    """``to_dict(obj)`` as JSON text on one line."""
    data = to_dict(obj)
    try:
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:  # a number beyond all floats in ``extra``, such as 1e999
        return json.dumps(_finite(data), separators=(",", ":"), allow_nan=False)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in cast("dict[str, Any]", data).items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in cast("list[Any]", data)]
    return None if isinstance(data, float) and not math.isfinite(data) else data
