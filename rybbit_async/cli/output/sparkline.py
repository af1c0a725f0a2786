"""Bars and lines that are drawn with characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["bar", "sparkline"]

_LEVELS: Final = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS: Final = "_.-=+*#"
_PARTS: Final = "▏▎▍▌▋▊▉█"


def sparkline(values: Sequence[float], width: int = 24, *, plain: bool = False) -> str:
    """A line whose height follows the values, no wider than ``width``: ``▁▂▅▇▃``.

    Of longer series as many neighbors each are drawn as one, and what is left as the last one. Zero
    is always the lowest step, and nothing else is, so that a day without conversions shows.

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
    size = -(-len(values) // width) or 1
    groups = [values[at : at + size] for at in range(0, len(values), size)]
    # The mean and not the sum, since the last one may be shorter.
    return [sum(group) / len(group) for group in groups]


def bar(share: float, width: int = 10, *, plain: bool = False) -> str:
    """A bar as long as ``share`` (0 to 1) of ``width``; what is not 0 shows at least a little."""
    share = min(1.0, max(0.0, share))
    if plain:
        return "#" * (max(1, round(share * width)) if share else 0)
    parts = max(1, round(share * width * len(_PARTS))) if share else 0
    whole, rest = divmod(parts, len(_PARTS))
    return _PARTS[-1] * whole + (_PARTS[rest - 1] if rest else "")
