"""Objects from JSON and back: what the other packages call.

cattrs does the work. It is imported, and set up, when it is first needed: importing it takes
longer than many programs take to do what they are for. Everything that does not fit raises
``MisfitError`` with the path in the body, in the names that JSON has.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast

import attrs

from ..models import GoalConfig
from ..parameters.checks import invalid
from ..plain import comparable
from .json import Body

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = [
    "check_structurable",
    "config_to_wire",
    "read",
    "same_config",
    "structure",
    "to_dict",
    "to_json",
]

T = TypeVar("T")


@cache
def _converter() -> Converter:
    from .structuring import make_converter

    return make_converter()


def structure(data: Any, kind: type[T], at: str = "") -> T:
    """``data`` as a ``kind``.

    Raises:
        MisfitError: it does not fit; ``path`` says where, starting with ``at``.
    """
    try:
        return _converter().structure(data, kind)
    except Exception as error:  # a class of the caller may raise anything
        from .structuring import located

        misfit = located(error)
    raise misfit.at((at + misfit.path).lstrip("."))


def check_structurable(name: str, kind: Any) -> None:
    """Refuse a type that no value can be structured into.

    Raises:
        InvalidParameterError: cattrs does not support it.
    """
    must = f"be a type that JSON can be structured into ({_STRUCTURABLE})"
    if kind in (bytes, bytearray):  # cattrs would make bytes of a number or a list
        raise invalid(name, kind, must, " (RawResponse has the bytes of the body)")
    try:
        _converter().get_structure_hook(kind)
    except Exception as error:  # there is one for each way in which a type can be wrong
        problem = str(error).partition(". ")[0]  # what follows is advice for users of cattrs
        raise invalid(name, kind, must, f" ({problem})") from None


_STRUCTURABLE: Final = (
    "an attrs class, a dataclass, a TypedDict, an enumeration, a str, int, float, bool or "
    "datetime, or a list, dict or union of these"
)


def read(body: Body, kind: type[T]) -> T:
    """A body as a ``kind``; see ``structure``."""
    return structure(body.json(), kind)


def config_to_wire(config: GoalConfig | Mapping[str, Any]) -> dict[str, Any]:
    """A goal's configuration as a server expects it, with its unknown fields."""
    return dict(config) if isinstance(config, Mapping) else _to_wire(config)


def same_config(one: GoalConfig | Mapping[str, Any], other: GoalConfig) -> bool:
    """Whether two configurations say the same to a server, which tells ``True`` from 1."""
    texts = [comparable(config_to_wire(config)) for config in (one, other)]
    return type(one) is type(other) and texts[0] == texts[1]


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


def to_dict(obj: Any, *, flat: bool = False, times: Literal["text", "datetime"] = "text") -> Any:
    """``obj`` as plain data, by attribute names, for a program to store.

    ``extra`` keeps the names that the server sent. Accepts any class of this package, and lists of
    them.

    Args:
        flat: make a dict of the columns that a table has, see ``rybbit_async.tables.schema``: what
            is an object of this package has its fields beside the others, and a mapping or a list
            is JSON text, or ``None`` if it is empty. ``extra`` is left out where it is empty.
        times: ``"text"`` for ISO 8601 text that ends in ``Z``, or ``"datetime"`` for aware
            datetimes in UTC, which only flat dicts can have.

    Raises:
        InvalidParameterError: ``times`` is neither, or ``"datetime"`` without ``flat=True``; or
            ``obj`` is of a class that has no columns.
    """
    from ..tables import flat_rows

    if times not in ("text", "datetime") or (times == "datetime" and not flat):
        must = 'be "text", or with flat=True "text" or "datetime"'
        raise invalid("times", times, must)
    if not flat:
        return _converter().unstructure(obj)
    if isinstance(obj, (list, tuple)):
        return [to_dict(item, flat=True, times=times) for item in cast("Sequence[Any]", obj)]
    model: Any = obj.__class__
    row: dict[str, Any] = flat_rows(model, [obj], times=times)[0]
    if row.get("extra", "") is None:
        del row["extra"]
    return row


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
