"""JSON as servers send it: strict, and with an error that says what is wrong."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["BadJSONError", "loads"]


class BadJSONError(ValueError):
    """What is no JSON, or nested too deeply; the text says which."""


def loads(body: bytes) -> Any:
    """The value of a JSON text.

    Integers keep all of their digits, whatever their length, and ``NaN`` is no JSON.

    Raises:
        BadJSONError: it is none.
    """
    try:
        return json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise BadJSONError("is nested too deeply") from None
    except ValueError:
        raise BadJSONError("is not JSON") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)
