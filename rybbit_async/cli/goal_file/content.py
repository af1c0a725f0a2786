"""What a goal counts, in the words of a goal file and in those of the API.

In a file, ``path: /signup`` or ``event: purchase`` says both the type of a goal and what it
matches. Everything else works with the type and the configuration as the API has them, so that
goals of types that this package does not know, and fields that it does not know, are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, cast

from attrs import frozen

from ...errors import InvalidParameterError
from ...models import GOAL_CONFIGS, GoalConfig
from ...parameters.checks import check_config
from ...wire.converter import config_to_wire, structure
from ...wire.values import MisfitError

__all__ = ["MATCHED_BY", "Content", "from_file", "same_value", "to_file", "writable"]

# The key of a file that is also the type of the goal, and the field of the API for its value.
MATCHED_BY: Final[Mapping[str, str]] = {
    "path": "pathPattern",
    "event": "eventName",
    "outbound": "valuePattern",
    "button_click": "valuePattern",
    "form_submit": "valuePattern",
    "copy": "valuePattern",
}
_KEY, _VALUE, _FILTERS = "eventPropertyKey", "eventPropertyValue", "propertyFilters"
_NEEDS_PATTERN: Final = ("path", "event")

# What checks of the client call these, and what they are in a file.
_NAMES: Final = {
    "config.path_pattern": "path",
    "config.event_name": "event",
    "config.value_pattern": "the pattern",
    "config.property_filters": "properties",
    "config.property_": "property.",
    "property_key": "key",
    "property_value": "value",
    "property_filters": "properties",
}


def _normal(kind: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A configuration as the client would send it, so that two can be compared."""
    cls = GOAL_CONFIGS.get(kind)
    if cls is None:
        return dict(config)
    try:
        wire = config_to_wire(structure(config, cls))
    except MisfitError:
        return dict(config)
    if not wire.get(_FILTERS, True):
        del wire[_FILTERS]  # an empty list says the same as none
    return wire


@frozen(eq=False)
class Content:
    """The type of a goal and its configuration, as the API has them.

    Attributes:
        kind: the type, such as ``"path"``.
        config: the configuration.
    """

    kind: str
    config: Mapping[str, Any]

    @classmethod
    def of(cls, kind: str, config: Mapping[str, Any]) -> Content:
        """The same of a configuration that may say some things in another way than the client."""
        return cls(kind, _normal(kind, config))

    @cached_property
    def key(self) -> str:
        """The same for two that a server reads alike: 1 and 1.0, but not 1 and true."""
        return f"{self.kind} {_key(self.config)}"


def same_value(one: Any, other: Any) -> bool:
    """Whether a server reads two JSON values alike."""
    return _key(one) == _key(other)


def _key(value: Any) -> str:
    return json.dumps(_comparable(value), sort_keys=True)


def _comparable(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _comparable(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        many: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # JSON
        return [_comparable(one) for one in many]
    return value


def writable(content: Content) -> GoalConfig:
    """The configuration as the client takes it.

    Raises:
        InvalidParameterError: no server would store it; the message has the words of a file.
    """
    cls = GOAL_CONFIGS[content.kind]
    try:
        return check_config(structure(content.config, cls))
    except MisfitError as error:
        text = f"config.{error.path}: {error.text()}"
    except InvalidParameterError as error:
        text = str(error)
    for name, here in _NAMES.items():
        text = text.replace(name, here)
    raise InvalidParameterError(text)


# --- the words of a file -------------------------------------------------------------------------


def from_file(fields: Mapping[str, Any]) -> Content:
    """What the keys of a goal in a file say, which have been checked, or came from ``to_file``."""
    if "type" in fields:
        return Content.of(fields["type"], fields["config"])
    kind = next(name for name in MATCHED_BY if name in fields)
    config: dict[str, Any] = {}
    if fields[kind] is not True:
        config[MATCHED_BY[kind]] = fields[kind]
    for key, value in fields.get("property", {}).items():
        config |= {_KEY: key, _VALUE: value}
    properties: Any = fields.get("properties")
    if isinstance(properties, Mapping):
        pairs = cast("Mapping[str, Any]", properties).items()
        properties = [{"key": key, "value": value} for key, value in pairs]
    if properties:
        config[_FILTERS] = properties
    return Content.of(kind, {**fields.get("extra", {}), **config})


def to_file(content: Content) -> dict[str, Any]:
    """The keys of a goal in a file that say the same.

    What has no keys of its own there, or could not be written to a server as it is, is a ``type``
    with its ``config`` as the API has it.
    """
    fields = _fields(content)
    try:
        if fields is not None and from_file(fields).key == content.key:
            writable(content)
            return fields
    except InvalidParameterError:
        pass
    return {"type": content.kind, "config": dict(content.config)}


def _fields(content: Content) -> dict[str, Any] | None:
    kind, rest = content.kind, dict(content.config)
    if kind not in MATCHED_BY:
        return None
    pattern = rest.pop(MATCHED_BY[kind], None if kind in _NEEDS_PATTERN else True)
    if pattern is None:
        return None
    fields: dict[str, Any] = {kind: pattern}
    if kind == "event" and _KEY in rest and _VALUE in rest:
        fields["property"] = {rest.pop(_KEY): rest.pop(_VALUE)}
    filters: list[dict[str, Any]] = rest.pop(_FILTERS, [])
    if filters:
        by_key = {one["key"]: one["value"] for one in filters}
        are_plain = all(one.keys() == {"key", "value"} for one in filters)
        is_mapping = are_plain and len(by_key) == len(filters)
        fields["properties"] = by_key if is_mapping else filters
    if rest:
        fields["extra"] = rest
    return fields
