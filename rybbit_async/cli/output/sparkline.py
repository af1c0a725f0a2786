"""Bars and lines that are drawn with characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

__all__ = ["bar", "sparkline"]

_LEVELS: Final = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS: Final = "_.-=+*#"
_PARTS: Final = "▏▎▍▌▋▊▉█"


def sparkline(values: Sequence[float], width: int = 24, *, plain: bool = False) -> str:
    """A line whose height follows the values, no wider than ``width``: ``▁▂▅▇▃``.

    Longer series are added up in groups of neighbors. Zero is always the lowest step, and nothing
    else is, so that a day without conversions shows.

    Args:
        plain: draw with ASCII characters.
    """
    levels = _ASCII_LEVELS if plain else _LEVELS
    grouped = _grouped(values, width)
    most = max(grouped, default=0)
    steps = len(levels) - 1
    return "".join(
        levels[0 if value <= 0 else max(1, round(value / most * steps))] for value in grouped
    )


def _grouped(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return [*values]
    edges = [at * len(values) // width for at in range(width + 1)]
    # The mean and not the sum, since groups differ by one in length.
    return [sum(values[first:last]) / (last - first) for first, last in pairwise(edges)]


def bar(share: float, width: int = 10, *, plain: bool = False) -> str:
    """A bar as long as ``share`` (0 to 1) of ``width``; what is not 0 shows at least a little."""
    share = min(1.0, max(0.0, share))
    if plain:
        return "#" * (max(1, round(share * width)) if share else 0)
    parts = max(1, round(share * width * len(_PARTS))) if share else 0
    whole, rest = divmod(parts, len(_PARTS))
    return _PARTS[-1] * whole + (_PARTS[rest - 1] if rest else "")
