"""The two kinds of credentials: an API key, or an e-mail address and a password.

Servers before 2.7 let a key only read, so writing to them takes a password. The session that a
sign-in gives is a cookie. It is kept in memory, and the client itself puts it into the header: it
is marked ``Secure``, and no cookie jar would send it over plain HTTP to the local machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, Self, cast
from urllib.parse import unquote

from attrs import field, frozen

from ..errors import InvalidParameterError
from ..parameters.checks import type_name
from ..plain import plain, plain_text

__all__ = [
    "ApiKey",
    "Credentials",
    "LoginSession",
    "NoAuth",
    "PasswordLogin",
    "Secret",
    "check_bare",
    "find_session",
    "hidden",
]

# Contract: ``[__Secure-]better-auth.session_token``.
_COOKIE = re.compile(r"((?:__Secure-|__Host-)?better-auth\.session_token)=([^;\s]+)")
_MAX_AGE = re.compile(r";\s*max-age=(\d+)", re.IGNORECASE)
_WEEK = 604_800.0


class Secret(str):
    """A str whose repr does not show it, in the locals of a traceback or in a dict of headers.

    It does not pickle, and so nothing does that contains one. What is not a str is written as one.
    """

    __slots__ = ()

    def __new__(cls, value: object) -> Self:  # noqa: D102  # the class says it
        return super().__new__(cls, plain_text(value) if isinstance(value, str) else str(value))

    def __repr__(self) -> str:
        return "'***'"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "keys, passwords and cookies do not pickle, because a pickle shows them: pass a key "
            "or a password to another process by itself"
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def hidden(value: Any) -> Any:
    """A str as a ``Secret``; a value of another type as it is, since it is refused later."""
    return Secret(value) if isinstance(value, str) else value


# The same, for the signature of ``PasswordLogin``.
def _secret(value: str) -> str:
    return cast("str", hidden(value))


def _text(value: str) -> str:
    return plain(value)


@frozen
class PasswordLogin:
    """Sign in with an e-mail address and a password, instead of using an API key.

    The client signs in when it sends its first request, and again when the session has expired
    (``POST /api/auth/sign-in/email``). Concurrent calls share one sign-in.
    """

    email: str = field(converter=_text)
    password: str = field(repr=False, converter=_secret)

    def __attrs_post_init__(self) -> None:
        for name in ("email", "password"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise InvalidParameterError(
                    f"PasswordLogin.{name} must be a str, got {type_name(value)}"
                )
            if not value:
                raise InvalidParameterError(f"PasswordLogin.{name} must not be empty")


# Straight, curved and angled ones.
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"


def check_bare(name: str, value: str, variable: str) -> None:
    """Refuse a value that was copied from an environment file with what is around it there.

    Raises:
        InvalidParameterError: it is in quotes, or begins with the name of the variable and ``=``.
            The message does not show it.
    """
    bare = Secret(value.strip())
    if bare and (bare[0] in _QUOTES or bare[-1] in _QUOTES):
        raise InvalidParameterError(f"{name} must not be in quotes")
    if re.match(rf"(?:export\s+)?{variable}\s*=", bare):
        raise InvalidParameterError(f"{name} must be the value by itself, without '{variable}='")


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

    def __init__(self, key: object, name: str = "api_key") -> None:
        if not isinstance(key, str):
            raise InvalidParameterError(f"{name} must be a str, got {type_name(key)}")
        if not key:
            raise InvalidParameterError(
                f"{name} must not be empty: pass a key (it starts with rb_), or None for no key"
            )
        check_bare(name, key, "RYBBIT_API_KEY")
        if re.match(r"bearer\s", key.lstrip(), re.IGNORECASE):
            raise InvalidParameterError(f"{name} must be the key by itself, without 'Bearer'")
        if key != key.strip():
            raise InvalidParameterError(
                f"{name} must not begin or end with white space or a line break: use .strip()"
            )
        if not re.fullmatch(r"[!-~]+", key):
            raise InvalidParameterError(
                f"{name} must be printable ASCII without white space or line breaks"
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
        value = self.cookie.partition("=")[2]
        return (value, unquote(value))  # servers encode the value of a cookie like that of a URL


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
