"""What a client is made with, checked before anything else happens."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from typing import cast

import aiohttp
from yarl import URL

from ..errors import InvalidParameterError
from ..wire.messages import Timeout
from .auth import ApiKey, NoAuth, PasswordLogin, Secret
from .http import DEFAULT_BASE_URL
from .pacing import RateLimit
from .retry import Retry

__all__ = [
    "base_url_of",
    "credentials_of",
    "headers_of",
    "proxy_of",
    "rate_limit_of",
    "retry_of",
    "session_of",
    "timeout_of",
]


def credentials_of(api_key: object, auth: object) -> ApiKey | NoAuth | PasswordLogin:
    """A key, a sign-in, or neither; from the environment if not given."""
    if auth is not None:
        if api_key is not None:
            raise InvalidParameterError("api_key and auth: one of them, not both")
        if not isinstance(auth, PasswordLogin):
            raise InvalidParameterError(
                f"auth: a PasswordLogin, not {type(auth).__name__}; a key goes into api_key"
            )
        return auth
    if api_key is None:
        api_key = Secret(os.environ.get("RYBBIT_API_KEY", "").strip()) or None
    return NoAuth() if api_key is None else ApiKey(api_key)


def timeout_of(timeout: object, default: Timeout) -> Timeout:
    """A timeout, as given or as a number of seconds in all."""
    if timeout is None:
        return default
    return timeout if isinstance(timeout, Timeout) else Timeout(total=cast("float", timeout))


def retry_of(retry: object, default: Retry) -> Retry:
    """A retry policy, as given."""
    if retry is not None and not isinstance(retry, Retry):
        raise InvalidParameterError(f"retry={retry!r}: a Retry, such as Retry(attempts=1)")
    return retry or default


def rate_limit_of(rate_limit: object) -> RateLimit | None:
    """A rate limit, as given."""
    if rate_limit is not None and not isinstance(rate_limit, RateLimit):
        raise InvalidParameterError(
            f"rate_limit={rate_limit!r}: a RateLimit, such as RateLimit(500, per=600)"
        )
    return rate_limit


def session_of(
    session: object, trace_configs: Sequence[aiohttp.TraceConfig]
) -> aiohttp.ClientSession | None:
    """A session to use, as given."""
    if session is None:
        return None
    if not isinstance(session, aiohttp.ClientSession):
        raise InvalidParameterError(f"session={session!r}: an aiohttp.ClientSession")
    if trace_configs:
        raise InvalidParameterError(
            "trace_configs and session: one of them; tracing belongs to the session that is passed"
        )
    return session


def headers_of(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """Further headers, checked."""
    checked: dict[str, str] = {}
    if headers is not None and not isinstance(headers, Mapping):
        raise InvalidParameterError(f"headers={headers!r}: a mapping of names to values")
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise InvalidParameterError(f"headers: {name!r} is no name of a header")
        if name.lower() in ("authorization", "cookie", "content-type", "content-length", "host"):
            raise InvalidParameterError(
                f"headers: {name} is the client's own; a key goes into api_key"
            )
        if not isinstance(value, str) or not re.fullmatch(
            r"[\t -~\x80-\uD7FF\uE000-\uFFFF]*", value
        ):
            raise InvalidParameterError(
                f"headers: {name}: text without line breaks or other control characters"
            )
        checked[name] = Secret(value)
    return checked


def proxy_of(proxy: object) -> URL | None:
    """A proxy, checked; the text of an error does not repeat it, for it may hold a password."""
    if proxy is None:
        return None
    try:
        url = URL(proxy) if isinstance(proxy, str) else proxy
    except ValueError:
        url = None
    if not isinstance(url, URL) or not url.host:
        raise InvalidParameterError("proxy: an address such as http://proxy.example:3128")
    return url


def base_url_of(base_url: object, allow_http: bool) -> str:
    """The server's address without a slash at its end; from the environment if not given."""
    name = "base_url"
    if base_url is None:
        name = "RYBBIT_BASE_URL"
        base_url = os.environ.get(name, "").strip() or DEFAULT_BASE_URL
    if not isinstance(base_url, str):
        raise InvalidParameterError(f"{name}: text was expected, not {type(base_url).__name__}")
    allowed = "an address such as https://analytics.example.com"
    if not re.fullmatch(r"[!-~]+", base_url):
        raise InvalidParameterError(
            f"{name}={base_url!r}: {allowed}, printable ASCII without white space"
        )
    try:
        url = URL(base_url)
        url.port  # noqa: B018  # raises where the port is no port
    except ValueError as error:
        raise InvalidParameterError(f"{name}: {allowed} ({error})") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidParameterError(f"{name}={base_url!r}: {allowed}")
    if url.user or url.password or "@" in url.raw_authority:
        raise InvalidParameterError(f"{name}: {allowed}, without a user or a password in it")
    if url.path.rstrip("/").endswith("/api"):
        raise InvalidParameterError(f"{name}={base_url!r}: {allowed}, without /api at its end")
    if url.query_string or url.fragment:
        raise InvalidParameterError(f"{name}: {allowed}, without a query or a fragment")
    if url.scheme == "http" and not allow_http and not _is_loopback(url.host):
        raise InvalidParameterError(
            f"{name}={base_url!r}: https, for over plain http anyone on the way can read the key; "
            "allow_http=True allows it"
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
