"""JSON as servers send it: decoded strictly, with errors that say what is wrong."""

from __future__ import annotations

import json
import re
from typing import Any, Final, cast

from attrs import field, frozen

from ..parameters.checks import invalid
from ..plain import plain

__all__ = ["MAX_DEPTH", "BadJSONError", "Body", "deeper_than", "dump"]

# The API's own responses are five levels deep.
MAX_DEPTH: Final = 64


class BadJSONError(ValueError):
    """The text is not JSON, or it is nested too deeply; the message says which."""


@frozen
class Body:
    """The bytes of a response's body, and how deeply its lists and objects may be nested."""

    data: bytes = field(repr=False)
    max_depth: int = MAX_DEPTH

    def json(self) -> Any:
        """Decode the body.

        Integers keep all of their digits. ``NaN`` and ``Infinity`` are not JSON.

        Raises:
            BadJSONError: it is not JSON, or nested too deeply.
        """
        try:
            value = json.loads(self.data, parse_constant=_refuse_constant)
        except RecursionError:
            raise self._too_deep() from None
        except ValueError:
            raise BadJSONError("is not JSON") from None
        brackets = self.data.count(b"[") + self.data.count(b"{")
        if brackets > self.max_depth and deeper_than(value, self.max_depth):
            raise self._too_deep()
        return value

    def _too_deep(self) -> BadJSONError:
        return BadJSONError(f"is nested more than {self.max_depth} deep (see max_depth)")


def deeper_than(value: object, levels: int) -> bool:
    """Whether lists and objects are nested more than ``levels`` deep; ``[]`` is one level."""
    level = _containers([value])
    for _ in range(levels):
        if not level:
            return False
        level = [inner for container in level for inner in _containers(container)]
    return bool(level)


def _containers(parent: Any) -> list[Any]:
    values: Any = cast("dict[str, Any]", parent).values() if isinstance(parent, dict) else parent
    return [value for value in values if isinstance(value, (dict, list))]


def dump(value: Any, name: str) -> bytes:
    """Encode ``value`` as JSON; ``name`` is the parameter that it belongs to.

    Raises:
        InvalidParameterError: JSON cannot represent it, or it has text that no server can store.
    """
    try:
        # A lone surrogate stays in the text, where UTF-8 refuses it, instead of being escaped.
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=_plain)
        body = text.encode()
    except UnicodeEncodeError:
        must = "have text that UTF-8 can encode (no lone surrogates)"
        raise invalid(name, value, must) from None
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        must = "be a value that JSON can represent"
        raise invalid(name, value, must, f" ({error})") from None
    if re.search(_NUL, text):
        must = "have text without NUL characters (the server answers 500 to them)"
        raise invalid(name, value, must)
    return body


# As it is escaped in JSON: with an odd number of backslashes.
_NUL: Final = r"(?<!\\)(?:\\\\)*\\u0000"


def _plain(value: object) -> object:
    """The number or the boolean that an object stands for; JSON knows every other scalar."""
    found = plain(value)
    if found is value:
        raise TypeError(f"it cannot represent {type(value).__name__}")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
