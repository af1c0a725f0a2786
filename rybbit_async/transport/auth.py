"""The two kinds of credentials: an API key, or an e-mail address and a password.

Servers before 2.7 let a key only read, so writing to them takes a password. The session that a
sign-in gives is a cookie. It is kept in memory, and the client itself puts it into the header: it
is marked ``Secure``, and no cookie jar would send it over plain HTTP to the local machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

from ..errors import InvalidParameterError

__all__ = [
    "ApiKey",
    "Credentials",
    "LoginSession",
    "NoAuth",
    "PasswordLogin",
    "Secret",
    "find_session",
]

# Contract: ``[__Secure-]better-auth.session_token``.
_COOKIE = re.compile(r"((?:__Secure-|__Host-)?better-auth\.session_token)=([^;\s]+)")
_MAX_AGE = re.compile(r";\s*max-age=(\d+)", re.IGNORECASE)
_WEEK = 604_800.0


class Secret(str):
    """A str whose repr does not show it, in the locals of a traceback or in a dict of headers."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def _secret(value: str) -> str:
    # A value of another type is refused later, and must not become a str here.
    return Secret(value) if isinstance(value, str) else value


@frozen
class PasswordLogin:
    """Sign in with an e-mail address and a password, instead of using an API key.

    The client signs in when it sends its first request, and again when the session has expired
    (``POST /api/auth/sign-in/email``). Concurrent calls share one sign-in.
    """

    email: str
    password: str = field(repr=False, converter=_secret)

    def __attrs_post_init__(self) -> None:
        for name in ("email", "password"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise InvalidParameterError(
                    f"PasswordLogin.{name} must be a str, got {type(value).__name__}"
                )
            if not value:
                raise InvalidParameterError(f"PasswordLogin.{name} must not be empty")


class NoAuth:
    """No credentials: public sites can be read without any."""

    secrets: tuple[str, ...] = ()

    def headers(self) -> Mapping[str, str]:
        """No headers."""
        return {}


class ApiKey:
    """An API key, which is sent in the ``Authorization`` header only.

    Raises:
        InvalidParameterError: for a value that cannot be a key. The message does not show it.
    """

    def __init__(self, key: object) -> None:
        if not isinstance(key, str):
            raise InvalidParameterError(f"api_key must be a str, got {type(key).__name__}")
        if not key:
            raise InvalidParameterError(
                "api_key must not be empty: pass a key (it starts with rb_), or None for no key"
            )
        if not re.fullmatch(r"[!-~]+", key):
            raise InvalidParameterError(
                "api_key must be printable ASCII without white space, line breaks or 'Bearer'"
            )
        self.secrets = (Secret(key),)
        self._headers = {"Authorization": Secret(f"Bearer {key}")}

    def headers(self) -> Mapping[str, str]:
        """The header that contains the key."""
        return self._headers


@frozen
class LoginSession:
    """The session that a sign-in gave, and when it expires (by ``Clock.time``)."""

    cookie: str = field(repr=False)
    expires: float

    def headers(self) -> Mapping[str, str]:
        """The header that contains the session cookie."""
        return {"Cookie": self.cookie}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The text that must not be shown anywhere."""
        return (self.cookie.partition("=")[2],)


Credentials = ApiKey | NoAuth | LoginSession
"""What is sent with one request."""


def find_session(set_cookies: list[str], now: float) -> LoginSession | None:
    """The session among the ``Set-Cookie`` headers of a sign-in, or ``None``."""
    for header in set_cookies:
        found = _COOKIE.match(header.strip())
        if found:
            age = _MAX_AGE.search(header)
            seconds = float(age.group(1)) if age else _WEEK
            return LoginSession(Secret(f"{found.group(1)}={found.group(2)}"), now + seconds)
    return None
