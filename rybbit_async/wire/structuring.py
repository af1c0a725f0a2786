"""cattrs, set up for what the servers send. Imported when it is first needed.

This is the lenient way from JSON to objects: it accepts every form of a value that servers are
known to send, and can say where in a body a value does not fit. ``row_decoder`` is the fast way
for the rows of a page, and must agree with this one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import attrs
from cattrs import ClassValidationError, Converter, IterableValidationError
from cattrs.cols import (
    is_mapping,
    is_sequence,
    list_structure_factory,
    mapping_structure_factory,  # pyright: ignore[reportUnknownVariableType]  # untyped there
)
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from . import values
from .fields import JsonField, extra_field, is_scalar_union, is_tuple, json_fields
from .values import REPAIRS, Genuine, MisfitError, to_list, to_mapping

__all__ = ["located", "make_converter"]

Hook = Callable[[Any, Any], Any]


def make_converter() -> Converter:
    """A converter with every rule of the API."""
    converter = Converter(detailed_validation=True)
    for kind, convert in (
        (str, values.to_text),
        (int, values.to_int),
        (float, values.to_float),
        (bool, values.to_bool),
        (Genuine.datetime, values.to_datetime),
    ):
        converter.register_structure_hook(kind, cast("Any", _ignoring_type(convert)))
    # Text and objects can be iterated too, but they are not lists; a list of pairs is no object.
    kinds: list[tuple[Any, Any, Callable[[object], Any]]] = [
        (is_sequence, list_structure_factory, to_list),
        (is_mapping, mapping_structure_factory, to_mapping),
        (is_tuple, _tuple_factory, to_list),
    ]
    for fits, factory, check in kinds:
        converter.register_structure_hook_factory(fits, _checked(factory, check))
    converter.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and attrs.has(kind), _class_hook
    )
    # A value of several scalar types keeps the one that it was sent with.
    converter.register_structure_hook_func(is_scalar_union, _ignoring_type(values.to_scalar))
    converter.register_unstructure_hook(Genuine.datetime, _datetime_text)
    return converter


def _ignoring_type(convert: Callable[[object], Any]) -> Hook:
    return lambda value, _: convert(value)


def _tuple_factory(kind: Any, converter: Converter) -> Hook:
    # The lowest cattrs that is allowed has no factory for tuples of any length.
    items = list[kind.__args__[0]]
    as_list: Any = list_structure_factory(items, converter)
    return lambda value, _: tuple(as_list(value, items))


def _checked(factory: Any, check: Callable[[object], Any]) -> Any:
    def hook_for(kind: Any, converter: Converter) -> Hook:
        hook = factory(kind, converter)
        return lambda value, _: hook(check(value), kind)

    return hook_for


def _class_hook(cls: type[Any], converter: Converter) -> Hook:
    """What cattrs generates for ``cls``, by names in JSON; unknown fields go to ``extra``."""
    fields, extra = json_fields(cls), extra_field(cls)
    overrides = {field.name: _override(field, converter) for field in fields}
    if extra is not None:
        overrides[extra] = override(omit=True)
    generated = make_dict_structure_fn(
        cls,
        converter,
        **overrides,
    )
    known = frozenset(field.json_name for field in fields)
    # In the API's classes, an optional field that was not sent is ``None``.
    absent = {f.json_name: None for f in fields if extra is not None and f.required and f.optional}
    class_by = [field for field in fields if field.class_by is not None]
    in_text = [field.json_name for field in fields if field.is_text]

    def hook(value: object, _: object) -> Any:
        data = {**absent, **to_mapping(value)}
        unknown = {key: data[key] for key in data if key not in known}
        for name in in_text:
            try:
                data[name] = values.object_in_text(data.get(name) or {})
            except MisfitError:  # text that is no object is kept as it was sent
                unknown[name], data[name] = data[name], {}
        result = generated(data, cls)
        changes = {field.name: _by_tag(field, result, converter) for field in class_by}
        if extra is not None and unknown:
            changes[extra] = unknown
        return attrs.evolve(result, **changes) if changes else result

    return hook


def _override(field: JsonField, converter: Converter) -> Any:
    if field.class_by is not None:
        return override(rename=field.json_name, struct_hook=_ignoring_type(to_mapping))
    meanings = REPAIRS.get(field.json_name)
    if meanings is None or field.kind is not str:
        return override(rename=field.json_name)

    def repaired(value: object, kind: Any) -> Any:
        text = converter.structure(value, kind)
        return meanings.get(text, text)

    return override(rename=field.json_name, struct_hook=repaired)


def _by_tag(field: JsonField, owner: Any, converter: Converter) -> Any:
    """A field whose class depends on another field of ``owner``."""
    assert field.class_by is not None
    tag, classes = field.class_by
    value, cls = getattr(owner, field.name), classes.get(getattr(owner, tag))
    if cls is None:
        return value
    try:
        return converter.structure(value, cls)
    except ClassValidationError as error:
        misfit = located(error)
        raise misfit.at(f".{field.json_name}{misfit.path}") from None


def _datetime_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def located(error: BaseException) -> MisfitError:
    """The first value that does not fit, with its path: ``.data[0].goalId``."""
    if isinstance(error, (ClassValidationError, IterableValidationError)):
        first = error.exceptions[0]
        step = ""
        for note in getattr(first, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                step = f".{_json_name(error.cl, note.name)}"
            elif isinstance(note, IterableValidationNote):
                step = f"[{note.index}]"
        misfit = located(first)
        return misfit.at(step + misfit.path)
    if isinstance(error, KeyError):
        return MisfitError("is missing")  # the note on the error has the name
    if isinstance(error, MisfitError):
        return error
    return MisfitError(str(error) or type(error).__name__)


def _json_name(cls: Any, name: str) -> str:
    if isinstance(cls, type) and attrs.has(cls):
        return next((f.json_name for f in json_fields(cls) if f.name == name), name)
    return name
