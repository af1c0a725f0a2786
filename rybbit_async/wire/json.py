"""JSON as servers send it: strict, and with an error that says what is wrong."""

from __future__ import annotations

import json
from typing import Any, Final

from attrs import field, frozen

from ..errors import InvalidParameterError

__all__ = ["MAX_DEPTH", "BadJSONError", "Body", "dump"]

# The API's own answers are five deep.
MAX_DEPTH: Final = 64


class BadJSONError(ValueError):
    """What is no JSON, or nested too deeply; the text says which."""


@frozen
class Body:
    """The body of an answer, and how deeply its lists and objects may be nested."""

    data: bytes = field(repr=False)
    max_depth: int = MAX_DEPTH

    def json(self) -> Any:
        """Its value as JSON.

        Integers keep all of their digits, whatever their number, and ``NaN`` is no JSON.

        Raises:
            BadJSONError: it is none, or nested too deeply.
        """
        try:
            value = json.loads(self.data, parse_constant=_no_constant)
        except RecursionError:
            raise self._too_deep() from None
        except ValueError:
            raise BadJSONError("is not JSON") from None
        if self.data.count(b"[") + self.data.count(b"{") <= self.max_depth:
            return value
        level = [value]
        for _ in range(self.max_depth):
            level = [inner for one in level for inner in _inner(one)]
            if not level:
                return value
        raise self._too_deep()

    def _too_deep(self) -> BadJSONError:
        return BadJSONError(f"is nested more than {self.max_depth} deep (see max_depth)")


def dump(value: Any, name: str) -> bytes:
    """``value`` as JSON, for a parameter called ``name``.

    Raises:
        InvalidParameterError: it cannot be.
    """
    try:
        return json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise InvalidParameterError(f"{name}: {error}") from None


def _inner(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [one for one in value.values() if isinstance(one, (dict, list))]  # pyright: ignore[reportUnknownVariableType]  # JSON
    if isinstance(value, list):
        return [one for one in value if isinstance(one, (dict, list))]  # pyright: ignore[reportUnknownVariableType]  # JSON
    return []


def _no_constant(name: str) -> None:
    raise ValueError(name)
