"""The key, the email and the password of a server, and what they may be."""

from __future__ import annotations

import re
import secrets

__all__ = ["EMAIL", "PASSWORD", "check_credential", "new_key"]

EMAIL = "owner@example.com"
PASSWORD = "embedded-server-password"  # noqa: S105 - a server for tests


def new_key(prefix: str = "rb_") -> str:
    """The text of a new key."""
    return prefix + secrets.token_hex(16)


def check_credential(name: str, value: str) -> str:
    """`value`, if it can be sent in a header. The error does not show it."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
        raise ValueError(f"{name} must be printable ASCII without white space, and not empty")
    return value
