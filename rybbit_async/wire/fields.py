"""How the fields of a class look in JSON: read from an attrs class and its metadata."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import attrs
from attrs import frozen

from ..models import CLASS_BY, HOLDS_UNKNOWN, JSON_NAME
from .values import Genuine

__all__ = ["JsonField", "extra_field", "is_scalar_union", "is_tuple", "json_fields"]

_SCALARS: Final = frozenset({str, int, float, bool})


@frozen
class JsonField:
    """One field of a class.

    Attributes:
        name: of the attribute.
        json_name: in JSON.
        type: its annotation, without ``None``.
        kind: ``str``, ``int``, ``float``, ``bool`` or ``datetime``; ``dict`` for any JSON object;
            ``None`` for every other annotation.
        optional: whether it may be ``None``.
        default: its default, ``attrs.NOTHING`` if it has none.
        factory: what makes its default, if something does.
        class_by: the field that says which class an object has, and the classes.
    """

    name: str
    json_name: str
    type: Any
    kind: type[Any] | None
    optional: bool
    default: Any
    factory: Callable[[], Any] | None
    class_by: tuple[str, Mapping[str, type[Any]]] | None

    @property
    def required(self) -> bool:
        """Whether the class cannot be made without it."""
        return self.default is attrs.NOTHING and self.factory is None


_known: dict[type[Any], tuple[JsonField, ...]] = {}


def json_fields(cls: type[Any]) -> tuple[JsonField, ...]:
    """The fields of an attrs class; without the one that holds unknown fields."""
    if cls not in _known:
        _known[cls] = tuple(
            _json_field(field)
            for field in attrs.fields(attrs.resolve_types(cls))
            if HOLDS_UNKNOWN not in field.metadata
        )
    return _known[cls]


def extra_field(cls: type[Any]) -> str | None:
    """The name of the field that holds unknown fields, if the class has one."""
    holders = (field.name for field in attrs.fields(cls) if HOLDS_UNKNOWN in field.metadata)
    return next(holders, None)


def _json_field(field: attrs.Attribute[Any]) -> JsonField:
    annotation, optional = _without_none(field.type)
    default: Any = field.default
    factory: Any = None
    if isinstance(default, cast("type[Any]", attrs.Factory)):  # typed as a function
        default, factory = attrs.NOTHING, default.factory
    return JsonField(
        field.name,
        field.metadata.get(JSON_NAME, field.name),
        annotation,
        _kind(annotation),
        optional,
        default,
        factory,
        field.metadata.get(CLASS_BY),
    )


def is_scalar_union(annotation: Any) -> bool:
    """Whether it is a union of text, numbers and booleans; ``None`` may be among them."""
    options = {*typing.get_args(annotation)} - {type(None)}
    return _is_union(annotation) and len(options) > 1 and options <= _SCALARS


def is_tuple(annotation: Any) -> bool:
    """Whether it is a tuple of any length, such as ``tuple[int, ...]``."""
    return typing.get_origin(annotation) is tuple and typing.get_args(annotation)[1:] == (...,)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if not _is_union(annotation):
        return annotation, False
    options = typing.get_args(annotation)
    rest = tuple(option for option in options if option is not type(None))
    if len(rest) == len(options):
        return annotation, False
    return typing.Union[rest], True  # noqa: UP007  # made at run time


def _kind(annotation: Any) -> type[Any] | None:
    if annotation in _SCALARS:
        return annotation  # type: ignore[no-any-return]  # a class
    # A subclass where the models were imported while the time was frozen.
    if isinstance(annotation, type) and issubclass(annotation, Genuine.datetime):
        return Genuine.datetime
    if typing.get_origin(annotation) in (dict, Mapping) and typing.get_args(annotation) == (
        str,
        Any,
    ):
        return dict
    return None
