"""What the caller should know of a refusal in addition to the server's few words."""

from __future__ import annotations

from typing import Final

from ..wire.messages import Response
from .auth import ApiKey, Credentials, LoginSession, NoAuth
from .clock import Timer
from .sign_in import SIGN_IN

__all__ = ["Hints"]

REMEMBERED: Final = 256
# These are answered whatever the key, so that a success says nothing of it.
_OPEN_PATHS: Final = frozenset({SIGN_IN, "/api/health", "/api/version"})

_KEY_CAUSES: Final = (
    "Possible causes: the site does not exist or belongs to another organisation; the key is "
    "wrong, expired or disabled"
)
_KEY_LIMIT: Final = (
    "used up: servers before 2.6 allow 500 requests, and then need ten minutes without any (see "
    "rate_limit=RateLimit(500, per=600))"
)


_DAILY_LIMIT: Final = (
    "It does not say until when: servers of release 2.4 allow a key that was made in their user "
    "interface ten requests a day, until the operator lifts that limit"
)


class Hints:
    """Writes the hints in the errors of one client. It remembers which paths have worked."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._worked: dict[str, float] = {}  # path -> when it last did

    def succeeded(self, path: str) -> None:
        """Remember that a request to ``path`` succeeded."""
        if path in _OPEN_PATHS:
            return
        self._worked.pop(path, None)
        self._worked[path] = self._timer.time()
        if len(self._worked) > REMEMBERED:
            del self._worked[next(iter(self._worked))]

    def hint(self, response: Response, credentials: Credentials) -> str:
        """A hint for a response that is not a success: sentences without the last full stop."""
        if response.status == 404 and response.request.method == "HEAD":
            return "A response to HEAD does not say what is missing: send a GET to learn it"
        in_front = _about_what_is_in_front(response)
        if in_front:
            return in_front
        if response.status == 429:
            told = {"Retry-After", "X-Retry-After"} & set(response.headers)
            explained = told or b'"retryAfter"' in response.body.data
            return "" if explained or response.request.path == SIGN_IN else _DAILY_LIMIT
        if response.status not in (401, 403):
            return ""
        if response.status == 403 and response.request.writes and isinstance(credentials, ApiKey):
            return (
                "The key may not write: servers before 2.7 let a key only read, and newer ones "
                "require the scope goals:write. Give the key that scope, or sign in with "
                "auth=PasswordLogin(email, password)"
            )
        if response.request.path == SIGN_IN:
            return "The e-mail address or the password of PasswordLogin is wrong"
        if isinstance(credentials, NoAuth):
            return (
                "No key was sent (see api_key and RYBBIT_API_KEY); only a public site can be read "
                "without one"
            )
        if isinstance(credentials, LoginSession):
            return "The account may not do this, or the site does not exist"
        return self._about_the_key(response)

    def _about_the_key(self, response: Response) -> str:
        worked = self._worked.get(response.request.path)
        if worked is not None:
            ago = self._timer.time() - worked
            return f"The key worked {ago:.0f} s ago, so it is probably {_KEY_LIMIT}. {_KEY_CAUSES}"
        causes = f"{_KEY_CAUSES}, or {_KEY_LIMIT}"
        if response.status == 401:  # only servers up to 2.2 answer so
            causes += "; or the release of this server does not have the endpoint"
        return causes


def _about_what_is_in_front(response: Response) -> str:
    """A hint for a refusal that is not Rybbit's own, but of a proxy in front of it; or ``""``."""
    if response.status == 407:
        return (
            "The proxy that the client uses wants credentials: pass them as "
            "proxy='http://user:password@...'"
        )
    challenge = response.headers.get("WWW-Authenticate")
    if response.status == 401 and challenge is not None:
        scheme = response.redact(challenge.strip().partition(" ")[0])[:20]
        return (
            f"This is not a response of Rybbit, but of a proxy in front of it, which wants "
            f"credentials of its own ({scheme}). They would take the place of the key, which is in "
            "the same header: let the proxy pass requests to /api without them"
        )
    if response.status not in (401, 403, 404, 405, 429) or response.is_from_api:
        return ""
    if response.request.method == "HEAD":
        return ""  # without a body, nothing tells them apart
    if response.status == 404:
        return (
            "This is not a response of Rybbit's API: check base_url, and the proxy if there is one"
        )
    if response.status == 429:
        return "This limit is not Rybbit's, but that of a proxy or a firewall in front of it"
    return (
        "This is not a response of Rybbit, but of a proxy or a firewall in front of it, so it says "
        "nothing about the key: check base_url, and let the proxy pass requests to /api"
    )
