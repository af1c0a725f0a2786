"""What the tests of this folder share."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rybbit_async import Goal, InvalidParameterError, PathGoal, RybbitError

GOAL = Goal(7, 1, "a", "path", PathGoal("/"))


def error_of(call: Any, *args: Any, **kwargs: Any) -> str:
    """The text of the ``InvalidParameterError`` that a call raises, which is a ``ValueError``."""
    with pytest.raises(InvalidParameterError) as caught:
        call(*args, **kwargs)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, RybbitError)
    return str(caught.value)


def is_about(text: str, name: str, value: object) -> bool:
    """Whether ``text`` says what ``name`` must be, then that it was ``value``.

    Either "page must be 1 or more, got 0", or, for a value of another type, "page: expected int
    (1 or more), got str ('0')".
    """
    subject, shown = re.escape(name), re.escape(repr(value))
    got = "None" if value is None else rf"{re.escape(type(value).__name__)} \({shown}\)"
    pattern = rf"{subject} must .+, got {shown}|{subject}: expected .+, got {got}"
    return re.match(pattern, text, re.DOTALL) is not None
