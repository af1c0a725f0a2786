"""Rows as flat values: the functions that are generated from the columns of a class.

What they are made of is the same for tables and for dicts, so that both have the same values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache, lru_cache
from typing import Any, Final, Literal, TypeVar, cast

import attrs
import msgspec

from ..errors import InvalidParameterError
from ..models import HOLDS_UNKNOWN, JSON_NAME
from .columns import columns

__all__ = ["Times", "flat_rows", "flat_structs", "values_of"]

T = TypeVar("T")

Times = Literal["datetime", "text"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = _EPOCH.replace(tzinfo=None)


def flat_rows(
    model: type[T], rows: Sequence[T], *, times: Times = "datetime"
) -> list[dict[str, Any]]:
    """A flat dict for each row, whose keys are the columns of ``schema(model)``, in order.

    Args:
        model: the class of the rows.
        rows: of the class, as walks give them.
        times: ``"datetime"`` for aware datetimes in UTC, or ``"text"`` for ISO 8601 text that ends
            in ``Z``.

    Raises:
        InvalidParameterError: see ``schema``.
    """
    if times not in ("datetime", "text"):
        raise InvalidParameterError(f'times must be "datetime" or "text", got {times!r}')
    made: list[dict[str, Any]] = _dict_maker(cast("type", model), times)(rows)
    return made


def flat_structs(model: type[T], rows: Sequence[T]) -> list[msgspec.Struct]:
    """For each row what msgspec writes as the JSON of its flat dict, faster than the dict itself.

    Args:
        model: the class of the rows.
        rows: of the class, as walks give them, or lean.

    Raises:
        InvalidParameterError: see ``schema``.
    """
    made: list[msgspec.Struct] = _struct_maker(cast("type", model))(rows)
    return made


def values_of(model: type[T], rows: Sequence[T]) -> list[list[Any]]:
    """The values of each column of ``schema(model)``; times as the rows have them."""
    made: list[list[Any]] = _list_maker(cast("type", model))(rows)
    return made


@cache
def _dict_maker(model: type, times: Times) -> Any:
    of_time = "in_utc" if times == "datetime" else "time_text"
    items = (
        f"{c.name!r}: {f'{of_time}({c.value})' if c.kind == 'time' else c.value}"
        for c in columns(model)
    )
    return _made(f"lambda rows: [{{{', '.join(items)}}} for r in rows]")


@cache
def _struct_maker(model: type) -> Any:
    of = columns(model)
    names = {f"c{number}": column.name for number, column in enumerate(of)}
    struct = msgspec.defstruct(f"{model.__name__}Columns", list(names), rename=names, gc=False)
    values = (_TIME.format(c.value) if c.kind == "time" else c.value for c in of)
    return _made(f"lambda rows: [struct({', '.join(values)}) for r in rows]", struct=struct)


# The same as ``in_utc``, without a call for the times of lean rows, which are naive.
_TIME: Final = (
    "(in_utc(v) if (v := {}) is None or v.tzinfo is not None else EPOCH + (v - NAIVE_EPOCH))"
)


@cache
def _list_maker(model: type) -> Any:
    lists = (f"[{column.value} for r in rows]" for column in columns(model))
    return _made(f"lambda rows: [{', '.join(lists)}]")


def _made(source: str, **names: Any) -> Any:
    return eval(source, {**_NAMES, **names})  # noqa: S307  # of the names of a class's own fields, as attrs does


# --- what the columns say in their sources -----------------------------------------------------


def json_text(value: Any) -> str | None:
    """A value as JSON text with the names that servers use; ``None`` where there is nothing."""
    if not value and (value is None or isinstance(value, (Mapping, list, tuple))):
        return None
    sent = _sent(value)
    if not sent and isinstance(sent, dict):
        return None
    try:
        return json.dumps(sent, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:  # a number that is larger than any float, such as 1e999
        return json.dumps(_finite(sent), separators=(",", ":"), ensure_ascii=False)


def json_type(value: object) -> str | None:
    """What JSON calls the type of a scalar."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def scalar_text(value: object) -> str | None:
    """Text as it is, and a number or a boolean as in JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def enum_value(value: Enum | None) -> Any:
    """What a member of an enumeration stands for; as text if members have several types."""
    return None if value is None else value.value


def in_utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC; times of lean rows are naive, in UTC."""
    if moment is None or moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        return _EPOCH + (moment - _NAIVE_EPOCH)  # a tenth of the time that ``replace`` takes
    return moment.astimezone(UTC)


def time_text(moment: datetime | None) -> str | None:
    """The same moment as ISO 8601 text that ends in ``Z``."""
    if moment is None:
        return None
    since = moment - (_NAIVE_EPOCH if moment.tzinfo is None else _EPOCH)  # naive in lean rows
    if since.microseconds:
        return f"{(_EPOCH + since).isoformat()[:-6]}Z"
    # A fifth of the time that isoformat takes, and files have two times in each row.
    minute, second = divmod(since.seconds, 60)
    return f"{_day_text(since.days)}{_MINUTES[minute]}{_SECONDS[second]}"


@lru_cache(1000)
def _day_text(days: int) -> str:
    return (_EPOCH + timedelta(days)).date().isoformat()


_MINUTES: Final = [f"T{hour:02}:{minute:02}:" for hour in range(24) for minute in range(60)]
_SECONDS: Final = [f"{second:02}Z" for second in range(60)]


_NAMES: Final[Mapping[str, Any]] = {
    "EPOCH": _EPOCH,
    "NAIVE_EPOCH": _NAIVE_EPOCH,
    **{f.__name__: f for f in (json_text, json_type, scalar_text, enum_value, in_utc, time_text)},
}


def _sent(value: Any) -> Any:
    """A value as JSON has it; an optional field of an object that is ``None`` is left out."""
    if isinstance(value, Mapping):
        return {key: _sent(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_sent(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Enum):
        return value.value
    cls = value.__class__
    if not attrs.has(cls):
        return value
    sent: dict[str, Any] = {}
    for field in attrs.fields(cls):
        held = getattr(value, field.name)
        if HOLDS_UNKNOWN in field.metadata:
            sent = {**_sent(held), **sent}
        elif held is not None or field.default is attrs.NOTHING:
            sent[field.metadata.get(JSON_NAME, field.name)] = _sent(held)
    return sent


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
    return None if isinstance(value, float) and not math.isfinite(value) else value
