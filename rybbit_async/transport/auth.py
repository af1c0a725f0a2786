"""The two ways in: an API key, or an e-mail address and a password.

Older servers let a key only read, so whoever writes to them signs in. The session that a sign-in
gives is a cookie, kept here, in memory, and sent by hand: it is marked ``Secure``, and no cookie
jar would send it over plain loopback.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

from ..errors import InvalidParameterError

__all__ = ["ApiKey", "NoAuth", "PasswordLogin", "Secret", "SignedIn", "session_cookie"]

# Contract: ``[__Secure-]better-auth.session_token``.
_COOKIE = re.compile(r"((?:__Secure-|__Host-)?better-auth\.session_token)=([^;\s]+)")
_MAX_AGE = re.compile(r";\s*max-age=(\d+)", re.IGNORECASE)


class Secret(str):
    """Text that no repr shows, be it in a traceback's locals or in a dict of headers."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def _secret(text: str) -> str:
    # What is no text is found out later, and must not become one here.
    return Secret(text) if isinstance(text, str) else text


@frozen
class PasswordLogin:
    """Sign in with an e-mail address and a password, in place of an API key.

    The client signs in when it first needs to, once however many calls wait for it, and again
    when the session has run out (``POST /api/auth/sign-in/email``).
    """

    email: str
    password: str = field(repr=False, converter=_secret)

    def __attrs_post_init__(self) -> None:
        for name in ("email", "password"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                wrong = "is empty" if value == "" else "is no text"
                raise InvalidParameterError(f"PasswordLogin: {name} {wrong}")


class NoAuth:
    """No credentials: public sites can be read without any."""

    secrets: tuple[str, ...] = ()

    def headers(self) -> dict[str, str]:
        """Nothing."""
        return {}


class ApiKey:
    """A key, in the ``Authorization`` header and nowhere else.

    Raises:
        InvalidParameterError: for what cannot be a key; the text does not repeat it.
    """

    def __init__(self, key: object) -> None:
        if not isinstance(key, str):
            raise InvalidParameterError(f"api_key: text was expected, not {type(key).__name__}")
        if not key:
            raise InvalidParameterError(
                "api_key is empty: pass a key (it begins with rb_), or None for none"
            )
        if not re.fullmatch(r"[!-~]+", key):
            raise InvalidParameterError(
                "api_key: a key is printable ASCII without white space, line breaks or 'Bearer'"
            )
        self.secrets = (Secret(key),)
        self._headers = {"Authorization": Secret(f"Bearer {key}")}

    def headers(self) -> Mapping[str, str]:
        """The header that carries the key."""
        return self._headers


@frozen
class SignedIn:
    """A session: what to send, and until when (``time.monotonic()``) it is good."""

    cookie: str = field(repr=False)
    until: float

    def headers(self) -> dict[str, str]:
        """The header that carries the session."""
        return {"Cookie": self.cookie}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may show."""
        return (self.cookie.partition("=")[2],)


def session_cookie(set_cookies: list[str], now: float) -> SignedIn | None:
    """The session among the ``Set-Cookie`` headers of a sign-in, if there is one."""
    for header in set_cookies:
        found = _COOKIE.match(header.strip())
        if found:
            age = _MAX_AGE.search(header)
            seconds = float(age.group(1)) if age else 604_800.0
            return SignedIn(Secret(f"{found.group(1)}={found.group(2)}"), now + seconds)
    return None
