"""Checks of what a client is created with. They run before anything else happens."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import cast

import aiohttp
from yarl import URL

from ..errors import InvalidParameterError
from ..parameters.checks import invalid, type_name
from ..plain import plain, plain_text
from .auth import ApiKey, NoAuth, PasswordLogin, Secret, check_bare
from .connection_errors import DEFAULT_BASE_URL
from .key_function import KeyFunction
from .options import Timeout
from .pacing import Granted, RateLimit
from .retry import Retry

__all__ = [
    "check_base_url",
    "check_credentials",
    "check_headers",
    "check_rate_limit",
    "check_retry",
    "check_session",
    "check_timeout",
]

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~\x80-\uD7FF\uE000-\uFFFF]*")
_OWN_HEADERS = frozenset({"authorization", "cookie", "content-type", "content-length", "host"})


def check_credentials(
    api_key: object, auth: object
) -> ApiKey | KeyFunction | NoAuth | PasswordLogin:
    """The key or what returns it, the login, the key from the environment, or no credentials."""
    if auth is not None:
        if api_key is not None:
            raise InvalidParameterError("api_key and auth must not both be given")
        if not isinstance(auth, PasswordLogin):
            raise InvalidParameterError(
                f"auth must be a PasswordLogin, got {type_name(auth)}; pass a key as api_key"
            )
        return auth
    if api_key is None:
        name = "RYBBIT_API_KEY"
        key = Secret(os.environ.get(name, "").strip())
        return ApiKey(key, name) if key else NoAuth()
    if callable(api_key):
        return KeyFunction(api_key)
    if not isinstance(api_key, str):
        raise InvalidParameterError(
            f"api_key must be a str or a function that returns one, got {type_name(api_key)}"
        )
    return ApiKey(api_key)


def check_timeout(timeout: object, default: Timeout) -> Timeout:
    """The timeout; a number is the total number of seconds."""
    if timeout is None:
        return default
    return timeout if isinstance(timeout, Timeout) else Timeout(total=cast("float", timeout))


def check_retry(retry: object, default: Retry) -> Retry:
    """The retry policy."""
    if retry is not None and not isinstance(retry, Retry):
        raise invalid("retry", retry, "be a Retry, such as Retry(attempts=1)")
    return retry or default


def check_rate_limit(rate_limit: object) -> RateLimit | Granted | None:
    """The rate limit, or ``None``."""
    if rate_limit is not None and not isinstance(rate_limit, (RateLimit, Granted)):
        must = "be a RateLimit, such as RateLimit(500, per=600)"
        raise invalid("rate_limit", rate_limit, must)
    return rate_limit


def check_session(
    session: object, trace_configs: tuple[aiohttp.TraceConfig, ...]
) -> aiohttp.ClientSession | None:
    """The session to use, or ``None``."""
    if session is None:
        return None
    if not isinstance(session, aiohttp.ClientSession):
        raise invalid("session", session, "be an aiohttp.ClientSession")
    if trace_configs:
        raise InvalidParameterError(
            "trace_configs and session must not both be given: a session has its own tracing"
        )
    return session


def check_headers(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """A copy of the additional headers. Error messages do not show their values."""
    checked: dict[str, str] = {}
    if headers is not None and not isinstance(headers, Mapping):
        raise InvalidParameterError(
            f"headers must be a mapping of names to values, got {type_name(headers)}"
        )
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise invalid("headers", name, "have valid header names")
        if name.lower() in _OWN_HEADERS:
            raise InvalidParameterError(
                f"headers must not contain {name}, which the client sets itself; pass a key as "
                "api_key"
            )
        if not isinstance(value, str):
            raise InvalidParameterError(
                f"headers must have str values, got {type_name(value)} for {name}"
            )
        if not _HEADER_VALUE.fullmatch(value):
            raise InvalidParameterError(
                f"headers must have values without control characters; that of {name} has some"
            )
        checked[plain_text(name)] = Secret(value)
    return checked


def check_base_url(base_url: object, allow_http: bool) -> str:
    """The server's address without a slash at its end, or that from the environment."""
    name = "base_url"
    if base_url is None:
        name = "RYBBIT_BASE_URL"
        base_url = os.environ.get(name, "").strip() or DEFAULT_BASE_URL
    base_url = plain(base_url)
    if not isinstance(base_url, str):
        raise InvalidParameterError(f"{name} must be a str, got {type_name(base_url)}")
    check_bare(name, base_url, "RYBBIT_BASE_URL")
    allowed = f"{name} must be an address such as https://analytics.example.com"
    # What follows one of these may be a secret, and what looks like no address may be a key.
    secret = set("@?#") & set(base_url) or not set(".:/") & set(base_url)
    got = "" if secret else f", got {base_url!r}"
    if not base_url.isprintable() or " " in base_url or not base_url:
        raise InvalidParameterError(f"{allowed}, in printable text without white space{got}")
    try:
        url = URL(base_url)  # encodes the host, too: xn--mnchen-3ya.example
        url.port  # noqa: B018  # raises ValueError for an invalid port
    except ValueError as error:
        reason = "" if secret else f" ({error})"
        raise InvalidParameterError(f"{allowed}{reason}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidParameterError(f"{allowed}{got}")
    if url.user or url.password or "@" in url.raw_authority:
        raise InvalidParameterError(f"{allowed}, without a user or a password")
    if url.query_string or url.fragment:
        raise InvalidParameterError(f"{allowed}, without a query or a fragment")
    if url.path.rstrip("/").endswith("/api"):
        raise InvalidParameterError(f"{allowed}, without /api at its end{got}")
    if url.scheme == "http" and not allow_http and not _is_loopback(url.host):
        raise InvalidParameterError(
            f"{name} must use https{got}: over plain HTTP anyone on the way can read "
            "the key; allow_http=True allows it"
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
