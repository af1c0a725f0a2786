"""Which rows of a list are wanted, beside the common parameters."""

from __future__ import annotations

from .checks import check_bool, check_int, check_text, invalid, wrong_type

__all__ = ["check_id", "session_choice", "session_minimums", "user_choice"]


def check_id(name: str, value: object) -> str:
    """An id or another text that a server takes for no condition at all if it is empty."""
    if not isinstance(value, str):
        raise wrong_type(name, value, "str")
    if not value:
        raise invalid(name, value, "not be empty")
    return check_text(name, value)


def user_choice(search: object, identified_only: object) -> dict[str, str]:
    """The query parameters that choose users."""
    query = {} if search is None else {"search": check_id("search", search)}
    return query | _identified(identified_only)


def session_choice(user_id: object, identified_only: object) -> dict[str, str]:
    """The query parameters that choose sessions by their users."""
    query = {} if user_id is None else {"user_id": check_id("user_id", user_id)}
    return query | _identified(identified_only)


def session_minimums(**minimums: object) -> dict[str, int]:
    """How many of each a session must have at least, by parameter, where that is given."""
    return {
        name: check_int(name, value, minimum=0)
        for name, value in minimums.items()
        if value is not None
    }


def _identified(identified_only: object) -> dict[str, str]:
    only = check_bool("identified_only", identified_only)
    return {"identified_only": "true"} if only else {}
