"""Checks of the bodies of create and update, like those of the server."""

from __future__ import annotations

from typing import Any, cast

import attrs

from .releases import Release

__all__ = ["GoalBody", "InvalidBodyError", "as_object", "check_matching", "goal_body", "has_nul"]


@attrs.frozen
class InvalidBodyError(Exception):
    """A body that is not valid, with the `details` of the server."""

    details: list[dict[str, Any]]


@attrs.frozen
class GoalBody:
    """A valid body. Unknown keys are dropped."""

    name: str | None
    goal_type: str
    config: dict[str, Any]
    goal_id: int | None
    site_id: int | None


_NAMES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    list: "array",
}


def as_object(value: Any) -> dict[str, Any] | None:
    """The value if it is a JSON object, otherwise None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _kind(value: object) -> str:
    return "null" if value is None else _NAMES.get(type(value), "object")


def _mistyped(expected: str, body: dict[str, Any], key: str, *path: str) -> dict[str, Any]:
    received = _kind(body[key]) if key in body else "undefined"
    return {
        "code": "invalid_type",
        "expected": expected,
        "received": received,
        "path": [*path, key],
        "message": "Required" if key not in body else f"Expected {expected}, received {received}",
    }


def _custom(message: str) -> dict[str, Any]:
    return {"code": "custom", "message": message, "path": ["config"]}


def has_nul(value: Any) -> bool:
    """Whether any text in a JSON value contains NUL, which the database rejects."""
    if isinstance(value, str):
        return "\0" in value
    held = as_object(value)
    if held is not None:
        return any(has_nul(key) or has_nul(inner) for key, inner in held.items())
    return isinstance(value, list) and any(map(has_nul, cast("list[object]", value)))


def _is_integer(value: object) -> bool:
    return not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    )


def goal_body(body: Any, release: Release, *, update: bool) -> GoalBody:
    """The checked body of create or update, except for what `check_matching` checks.

    Raises `InvalidBodyError`.
    """
    held = as_object(body)
    if held is None:
        received = "undefined" if body is ... else _kind(body)
        message = "Required" if body is ... else f"Expected object, received {received}"
        raise InvalidBodyError(
            [
                {
                    "code": "invalid_type",
                    "expected": "object",
                    "received": received,
                    "path": [],
                    "message": message,
                }
            ]
        )
    wrong: list[dict[str, Any]] = []
    ids_required = update and release.ids_in_put_body
    if ids_required:
        wrong += [
            _mistyped("number", held, key)
            if not isinstance(held.get(key), float)
            else {**_mistyped("integer", held, key), "message": "Expected integer, received float"}
            for key in ("goalId", "siteId")
            if not _is_integer(held.get(key))
        ]
    if "name" in held and not isinstance(held["name"], str):
        wrong.append(_mistyped("string", held, "name"))
    goal_type, config = held.get("goalType"), as_object(held.get("config"))
    if not isinstance(goal_type, str) or goal_type not in release.goal_types:
        options = sorted(release.goal_types)
        wrong.append(
            _mistyped("string", held, "goalType")
            if "goalType" not in held
            else {
                "code": "invalid_enum_value",
                "received": goal_type,
                "options": options,
                "path": ["goalType"],
                "message": f"Invalid enum value. Expected {' | '.join(map(repr, options))}, "
                f"received {goal_type!r}",
            }
        )
    if config is None:
        wrong.append(_mistyped("object", held, "config"))
        raise InvalidBodyError(wrong)
    kept, mistakes = _config(config, release)
    needed = {"path": "pathPattern", "event": "eventName"}.get(str(goal_type))
    wrong += mistakes
    if not wrong and needed and not kept.get(needed):
        wrong.append(_custom("Configuration must match goal type"))
    if wrong:
        raise InvalidBodyError(wrong)
    return GoalBody(
        name=held.get("name") or None,
        goal_type=str(goal_type),
        config=kept,
        goal_id=int(held["goalId"]) if ids_required else None,
        site_id=int(held["siteId"]) if ids_required else None,
    )


def _config(
    config: dict[str, Any], release: Release
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The known keys of a config, and the mistakes in their types."""
    kept: dict[str, Any] = {}
    wrong: list[dict[str, Any]] = []
    texts = ["pathPattern", "eventName", "eventPropertyKey"]
    if "outbound" in release.goal_types:
        texts.append("valuePattern")
    for key in texts:
        if key in config:
            kept[key] = config[key]
            if not isinstance(config[key], str):
                wrong.append(_mistyped("string", config, key, "config"))
    if "eventPropertyValue" in config:
        kept["eventPropertyValue"] = config["eventPropertyValue"]
        if not isinstance(config["eventPropertyValue"], str | int | float):
            wrong.append(_mistyped("string", config, "eventPropertyValue", "config"))
    if release.property_filters and "propertyFilters" in config:
        filters = kept["propertyFilters"] = config["propertyFilters"]
        if not isinstance(filters, list) or not all(
            map(_is_property, cast("list[object]", filters))
        ):
            wrong.append(_mistyped("array", config, "propertyFilters", "config"))
        else:
            kept["propertyFilters"] = [
                {"key": one["key"], "value": one["value"]}
                for one in cast("list[dict[str, Any]]", filters)
            ]
    return kept, wrong


def _is_property(one: object) -> bool:
    held = as_object(one)
    return (
        held is not None
        and isinstance(held.get("key"), str)
        and isinstance(held.get("value"), str | int | float)
    )


def check_matching(body: GoalBody) -> None:
    """Raise `InvalidBodyError` for a key without a value or a value without a key.

    Real servers find this only after they have checked that the caller may write.
    """
    if ("eventPropertyKey" in body.config) != ("eventPropertyValue" in body.config):
        message = (
            "Both eventPropertyKey and eventPropertyValue must be provided together or omitted "
            "together"
        )
        raise InvalidBodyError([_custom(message)])
