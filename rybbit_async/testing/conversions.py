"""What converts a goal, as a condition on the events table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .sql import escaped, pointer, quoted, value_text, wildcard

__all__ = ["conversion"]

_PATTERN_ON = {
    "outbound": ("url",),
    "button_click": ("text",),
    "copy": ("text",),
    "form_submit": ("formName", "formId", "formAction"),
}
"""Goal types of autocaptured events, and the properties that `valuePattern` is matched on."""
_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")


def conversion(goal_type: str, config: Mapping[str, Any]) -> str:
    """The SQL condition of the events that convert a goal with this config."""
    if goal_type == "path":
        parts = ["type = 'pageview'", wildcard(str(config.get("pathPattern", "")), "pathname")]
        parts += [f"{_url_parameter(key)} = {value}" for key, value in _properties(config)]
        return " AND ".join(parts)
    if goal_type == "event":
        name = quoted(str(config.get("eventName", "")))
        parts = ["type = 'custom_event'", f"event_name = {name}"]
    else:
        parts = [f"type = {quoted(goal_type)}"]
        pattern = str(config.get("valuePattern") or "").strip()
        if pattern:
            tests = [
                wildcard(pattern, _property(key), one=".*")
                for key in _PATTERN_ON.get(goal_type, ())
            ]
            parts.append("(" + " OR ".join(tests or ["FALSE"]) + ")")
    parts += [f"{_property(key)} = {value}" for key, value in _properties(config)]
    return " AND ".join(parts)


def _properties(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys, and the quoted values that they must have. `propertyFilters` replace the older pair."""
    pairs = config.get("propertyFilters")
    if pairs:
        return [(str(pair["key"]), quoted(value_text(pair["value"]))) for pair in pairs]
    key = config.get("eventPropertyKey")
    if key is None:
        return []
    return [(str(key), quoted(value_text(config.get("eventPropertyValue"))))]


def _property(key: str) -> str:
    return f"json_extract_string(props, {quoted(pointer(key))})"


def _url_parameter(key: str) -> str:
    """A parameter of the page's URL: those of campaigns have columns of their own."""
    if key in _UTM:
        return key
    found = f"regexp_extract(querystring, {quoted(f'[?&]{escaped(key)}=([^&]*)')}, 1)"
    return f"url_decode(replace({found}, '+', ' '))"
