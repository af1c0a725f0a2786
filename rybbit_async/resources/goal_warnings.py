"""Configurations of goals that a server stores, and that do not do what they seem to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..models import EventGoal, GoalConfig, PathGoal
from ..parameters.checks import shown
from .context import Context

__all__ = ["pattern_warning", "value_warning"]


def pattern_warning(config: GoalConfig | Mapping[str, Any]) -> str | None:
    """Why the path pattern of a goal never matches; ``None`` if nothing is known against it."""
    if not isinstance(config, PathGoal):
        return None
    pattern = config.path_pattern
    path, question_mark, _ = pattern.partition("?")
    scheme, is_url, rest = path.partition("://")
    if is_url and scheme.strip().isalnum():
        never, path = "a path has no scheme and no host", f"/{rest.partition('/')[2]}"
    elif not path.startswith(("/", "*")):
        never, path = 'a path begins with "/"', f"/{path.strip().lstrip('/')}"
    elif question_mark:
        never = "the query is not part of a path; property_filters are for its parameters"
    else:
        return None
    return (
        f"config.path_pattern must match a path, got {shown(pattern)}, which never does: {never}. "
        f"Write {shown(path)}"
    )


async def value_warning(
    context: Context, site: str, config: GoalConfig | Mapping[str, Any]
) -> str | None:
    """Why the server may fail over a goal; ``None`` if nothing is known against it."""
    value = config.property_value if isinstance(config, EventGoal) else None
    if not isinstance(value, (bool, int, float)):
        return None
    if await context.capabilities.counts_typed_values(site, context.options) is not False:
        return None
    text = str(value).lower() if isinstance(value, bool) else f"{value}"
    return (
        f"config.property_value should be text such as {shown(text)} on this server, got "
        f"{shown(value)}: if events hold this property as a number or a boolean, the server "
        "answers 500 for each page of goals with such a goal on it"
    )
