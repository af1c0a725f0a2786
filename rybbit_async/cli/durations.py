"""Lengths of time as people write them: ``90s``, ``60m``, ``24h``, ``7d``."""

from __future__ import annotations

import re
from typing import Final

from .exits import CommandError, Exit

__all__ = ["seconds_of"]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LENGTH: Final = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)


def seconds_of(option: str, text: str) -> int:
    """A length of time in seconds.

    Raises:
        CommandError: it is none.
    """
    found = _LENGTH.fullmatch(text.strip().lower())
    if found is None or not int(found[1]):
        must = "must be a number of seconds, minutes, hours, days or weeks, such as 60m or 7d"
        raise CommandError(f"{option} {must}, got {text!r}", Exit.USAGE)
    return int(found[1]) * _UNITS[found[2]]
