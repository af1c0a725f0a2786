"""Objects from JSON and back: what the other packages call.

cattrs does the work. It is imported, and set up, when it is first needed: importing it takes
longer than many programs take to do what they are for. Everything that does not fit raises
``APIResponseError`` with the path in the body, in the names that JSON has.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from ..errors import APIResponseError
from ..models import GoalConfig
from .json import Body

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["config_to_wire", "read", "structure", "to_dict", "to_json"]

T = TypeVar("T")


@cache
def _converter() -> Converter:
    from .structuring import make_converter

    return make_converter()


def structure(data: Any, kind: type[T], at: str = "") -> T:
    """``data`` as a ``kind``.

    Raises:
        APIResponseError: it does not fit; ``path`` says where, starting with ``at``.
    """
    try:
        return _converter().structure(data, kind)
    except (BaseExceptionGroup, KeyError, TypeError, ValueError) as error:
        from .structuring import locate

        steps, text = locate(error)
        path = (at + steps).lstrip(".")
        raise APIResponseError(f"{path or 'the body'}: {text}", path=path) from None


def read(body: Body, kind: type[T]) -> T:
    """A body as a ``kind``; see ``structure``."""
    return structure(body.json(), kind)


def config_to_wire(config: GoalConfig | Mapping[str, Any]) -> dict[str, Any]:
    """A goal's configuration as a server expects it, with its unknown fields."""
    return dict(config) if isinstance(config, Mapping) else _to_wire(config)


def _to_wire(value: Any) -> Any:
    """What was structured as ``value``; an optional field that is ``None`` is not sent."""
    from .fields import extra_field, json_fields

    cls = value.__class__
    if cls is tuple:
        return [_to_wire(item) for item in value]
    if not attrs.has(cls):
        return value
    fields = {field.json_name: field for field in json_fields(cls)}
    values = {name: getattr(value, field.name) for name, field in fields.items()}
    sent = {n: _to_wire(v) for n, v in values.items() if v is not None or fields[n].required}
    extra = extra_field(cls)
    return sent if extra is None else {**getattr(value, extra), **sent}


def to_dict(obj: Any) -> Any:
    """``obj`` as plain data, by attribute names, for a program to store.

    Times become ISO 8601 text that ends in ``Z``; ``extra`` keeps the names that the server sent.
    Accepts any class of this package, and lists of them.
    """
    return _converter().unstructure(obj)


def to_json(obj: Any) -> str:
    """``to_dict(obj)`` as JSON text on one line."""
    data = to_dict(obj)
    try:
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:  # ``extra`` holds a number that is larger than any float, such as 1e999
        return json.dumps(_finite(data), separators=(",", ":"), allow_nan=False)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in cast("dict[str, Any]", data).items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in cast("list[Any]", data)]
    return None if isinstance(data, float) and not math.isfinite(data) else data
