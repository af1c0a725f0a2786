"""Keys with scopes, sign-in sessions, and rate limits."""

from __future__ import annotations

import base64
import math
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, unquote

import attrs

from .credentials import EMAIL, PASSWORD, new_key
from .releases import Release
from .schema import Site

__all__ = [
    "READ",
    "WRITE",
    "Access",
    "BucketLimit",
    "Caller",
    "Key",
    "KeyLimit",
    "LimitExceededError",
]

READ, WRITE = "goals:read", "goals:write"
SIGN_INS, SIGN_IN_SECONDS = 5, 10
COOKIE_SECONDS = 604_800


@attrs.frozen
class KeyLimit:
    """The older limit, for each key: after `requests`, the key is answered like a bad key, without
    rate limit headers, until `seconds` have passed since its last success.
    """

    requests: int = 500
    seconds: float = 600
    told: bool = False
    """A used-up key is answered 429 without `Retry-After`, and not like a bad key."""


DAILY_LIMIT = KeyLimit(requests=10, seconds=86_400, told=True)
"""The limit of a key that was made in the user interface of 2.4."""


@attrs.frozen
class BucketLimit:
    """The newer limit, shared by all keys of an owner: a bucket of `burst` requests that refills
    at `refill` per second, and a `daily` quota that resets at 00:00 UTC. Every response has rate
    limit headers.
    """

    burst: int = 50
    refill: float = 5
    daily: int = 5000


@attrs.define
class Key:
    """An API key. If `sites` is None, it is for every site of the organisation."""

    text: str
    name: str
    organisation: str
    scopes: frozenset[str]
    sites: frozenset[int] | None = None
    disabled: bool = False
    expires: datetime | None = None


@attrs.frozen
class LimitExceededError(Exception):
    """A rate limit is exceeded.

    `scope` is `key`, `told` (a key whose used-up limit is told), `burst`, `daily` or `sign-in`.
    """

    scope: str
    limit: int
    retry_after: int
    headers: dict[str, str]


@attrs.frozen
class Caller:
    """The sender of a request: a key, a signed-in user, or neither."""

    key: Key | None = None
    user: str | None = None
    anyone: bool = False
    """Authentication is off: the caller may do everything."""
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    """Rate limit headers of the response."""

    def may_read(self, site: Site, organisation: str) -> bool:
        """Whether the caller may read the site. `organisation` is that of the signed-in user."""
        if self.anyone or site.public:
            return True
        return self.owns(site, organisation)

    def owns(self, site: Site, organisation: str) -> bool:
        """Whether the site belongs to the caller."""
        if self.anyone or (self.user is not None and site.organisation == organisation):
            return True
        return (
            self.key is not None
            and site.organisation == self.key.organisation
            and (self.key.sites is None or site.site_id in self.key.sites)
        )


@attrs.define
class _Used:
    requests: int = 0
    last: datetime | None = None
    tokens: float | None = None
    day: int = 0
    today: int = 0


class Access:
    """The keys, the user and the limits of one server. `clock` returns the current time."""

    organisation = "default"

    def __init__(
        self, clock: Callable[[], datetime], limit: KeyLimit | BucketLimit | bool | None
    ) -> None:
        self._clock = clock
        self.limit = limit
        self.keys: dict[str, Key] = {}
        self.email = EMAIL
        self.password = PASSWORD
        self.cookie = "better-auth.session_token"
        """Name of the session cookie. Real servers behind TLS put `__Secure-` before it."""
        self.sign_ins = 0
        self._attempts: list[datetime] = []
        self._sessions: dict[str, datetime] = {}
        self._used: dict[str, _Used] = {}

    # Keys

    def add_key(
        self,
        *,
        name: str,
        sites: Iterable[int] | None,
        scopes: Iterable[str],
        disabled: bool,
        organisation: str,
        expires: datetime | None,
        of_organisation: bool,
        text: str | None = None,
    ) -> str:
        """Add a key and return its text."""
        text = text or new_key("rb_org_" if of_organisation else "rb_")
        self.keys[text] = Key(
            text,
            name,
            organisation,
            frozenset(scopes),
            None if sites is None else frozenset(sites),
            disabled,
            expires,
        )
        return text

    def _key(self, text: str) -> Key | None:
        key = self.keys.get(text)
        if key is None or key.disabled:
            return None
        if key.expires is not None and key.expires <= self._clock():
            return None
        return key

    # Sign-in

    def sign_in(self, email: object, password: object) -> str | None:
        """The value of a new session cookie. None if e-mail or password are wrong.

        Raises `LimitExceededError` after a few attempts in ten seconds.
        """
        now = self._clock()
        span = timedelta(seconds=SIGN_IN_SECONDS)
        self._attempts = [moment for moment in self._attempts if now - moment < span]
        if len(self._attempts) >= SIGN_INS:
            wait = math.ceil((self._attempts[0] + span - now).total_seconds())
            raise LimitExceededError("sign-in", SIGN_INS, wait, {})
        self._attempts.append(now)
        if (email, password) != (self.email, self.password):
            return None
        self.sign_ins += 1
        # A signed token ends in base64, and the cookie percent-encodes some of its characters.
        token = f"{secrets.token_hex(16)}.{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self._sessions[token] = now + timedelta(seconds=COOKIE_SECONDS)
        return quote(token, safe="")

    def expire_sessions(self) -> None:
        """Make every session cookie invalid."""
        self._sessions.clear()

    def _signed_in(self, cookies: Iterable[str]) -> bool:
        for line in cookies:
            try:
                jar = SimpleCookie(line)
            except CookieError:
                continue
            for name in (self.cookie, "__Secure-" + self.cookie):
                if name in jar:
                    until = self._sessions.get(unquote(jar[name].value))
                    if until is not None and self._clock() < until:
                        return True
        return False

    # Callers

    def caller(
        self,
        release: Release,
        *,
        authorization: str | None,
        api_key: str | None,
        cookies: Iterable[str],
    ) -> Caller:
        """The caller of a request, which is counted. A bad Bearer key wins over a good `api_key`.

        Raises `LimitExceededError` if the key has used up its limit.
        """
        user = self.email if self._signed_in(cookies) else None
        if authorization is not None and authorization.startswith("Bearer "):
            key = self._key(authorization.removeprefix("Bearer "))
        else:
            key = self._key(api_key) if api_key else None
        if key is None:
            return Caller(user=user)
        return Caller(key, user, headers=self._count(release, key))

    def _limit(self, release: Release) -> KeyLimit | BucketLimit | None:
        if self.limit is True:
            if release.rate_limit == "bucket":
                return BucketLimit()
            return DAILY_LIMIT if release.rate_limit == "daily" else KeyLimit()
        return self.limit or None

    def _count(self, release: Release, key: Key) -> dict[str, str]:
        limit = self._limit(release)
        if limit is None:
            return {}
        if isinstance(limit, KeyLimit):
            return self._count_key(limit, key)
        return self._count_bucket(limit, self._used.setdefault(f"of {key.organisation}", _Used()))

    def _count_key(self, limit: KeyLimit, key: Key) -> dict[str, str]:
        used, now = self._used.setdefault(key.text, _Used()), self._clock()
        if used.last is not None and (now - used.last).total_seconds() >= limit.seconds:
            used.requests = 0
        if used.requests >= limit.requests:
            raise LimitExceededError("told" if limit.told else "key", limit.requests, 0, {})
        used.requests, used.last = used.requests + 1, now
        return {}

    def _count_bucket(self, limit: BucketLimit, used: _Used) -> dict[str, str]:
        now = self._clock()
        tokens = float(limit.burst) if used.tokens is None else used.tokens
        if used.last is not None:
            tokens += (now - used.last).total_seconds() * limit.refill
        used.tokens, used.last = min(tokens, float(limit.burst)), now
        day, second = divmod(int(now.timestamp()), 86_400)
        if used.day != day:
            used.day, used.today = day, 0
        until_midnight = 86_400 - second
        exceeded: tuple[str, int, int] | None = None
        if used.today >= limit.daily:
            exceeded = "daily", limit.daily, until_midnight
        elif used.tokens < 1 - 1e-9:
            exceeded = "burst", limit.burst, max(1, math.ceil((1 - used.tokens) / limit.refill))
        else:
            used.tokens, used.today = used.tokens - 1, used.today + 1
        burst = (
            limit.burst,
            int(used.tokens + 1e-9),
            math.ceil((limit.burst - used.tokens) / limit.refill - 1e-9),
        )
        daily = (limit.daily, limit.daily - used.today, until_midnight)
        headers: dict[str, str] = {}
        for prefix, figures in (
            ("X-RateLimit-Burst", burst),
            ("X-RateLimit-Daily", daily),
            ("RateLimit", min(burst, daily, key=lambda figures: figures[1])),
        ):
            for word, figure in zip(("Limit", "Remaining", "Reset"), figures, strict=True):
                headers[f"{prefix}-{word}"] = str(figure)
        if exceeded:
            raise LimitExceededError(*exceeded, headers)
        return headers
