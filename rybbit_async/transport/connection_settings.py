"""Checks of what connections are made with: TLS, a proxy, tracing. Nothing is sent."""

from __future__ import annotations

import os
import ssl as tls
from collections.abc import Iterable
from typing import Final, cast
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from yarl import URL

from ..errors import InvalidParameterError
from ..parameters.checks import invalid, type_name

__all__ = ["check_proxy", "check_ssl", "check_trace_configs", "proxy_in_environment"]

_SOCKS: Final = frozenset({"socks", "socks4", "socks4a", "socks5", "socks5h"})


def check_ssl(ssl: object) -> tls.SSLContext | aiohttp.Fingerprint | bool:
    """What aiohttp takes as ``ssl``; the path of a CA file becomes a context that trusts it."""
    if isinstance(ssl, (bool, aiohttp.Fingerprint)):
        return ssl
    if isinstance(ssl, tls.SSLContext):
        if ssl.protocol == tls.PROTOCOL_TLS_SERVER:
            raise InvalidParameterError(
                "ssl must be an SSLContext for clients, such as ssl.create_default_context() "
                "makes, got one for servers"
            )
        return ssl
    if not isinstance(ssl, (str, os.PathLike)):
        raise InvalidParameterError(
            "ssl must be True, False, the path of a CA file, an ssl.SSLContext or an "
            f"aiohttp.Fingerprint, got {type_name(ssl)}"
        )
    path = os.fspath(cast("str | os.PathLike[str]", ssl))
    must = "be the path of a file with CA certificates in PEM format"
    reason: str | None = "it is empty"
    try:
        if path:  # without one, the context would trust the CAs of the system
            return tls.create_default_context(cafile=path)
    except OSError as error:  # also an SSLError
        reason = "it has none" if isinstance(error, tls.SSLError) else error.strerror
    except ValueError as error:  # a NUL, or an empty file name
        reason = str(error)
    raise invalid("ssl", path, must, f" ({reason})")


def check_proxy(proxy: object, name: str = "proxy") -> URL | None:
    """The proxy, or ``None``. The error message does not show it: it may contain a password.

    Args:
        name: what it is called in errors.
    """
    if proxy is None:
        return None
    try:
        url = URL(proxy) if isinstance(proxy, str) else proxy
        if isinstance(url, URL):
            url.port  # noqa: B018  # raises ValueError for an invalid port
    except ValueError:
        url = None
    if isinstance(url, URL) and url.scheme in _SOCKS:
        raise InvalidParameterError(
            f"{name} must start with http:// or https://, got {url.scheme}://. For a SOCKS proxy, "
            "pass a session with a connector of the package aiohttp-socks: "
            "session=aiohttp.ClientSession(connector=ProxyConnector.from_url(...))"
        )
    if not isinstance(url, URL) or not url.host or url.scheme not in ("http", "https"):
        raise InvalidParameterError(f"{name} must be an address such as http://proxy.example:3128")
    return url


def check_trace_configs(trace_configs: object) -> tuple[aiohttp.TraceConfig, ...]:
    """A copy of the configurations of tracing."""
    must = "trace_configs must be a list of aiohttp.TraceConfig"
    if isinstance(trace_configs, str) or not isinstance(trace_configs, Iterable):
        raise InvalidParameterError(f"{must}, got {type_name(trace_configs)}")
    copy = tuple(cast("Iterable[object]", trace_configs))
    for one in copy:
        if not isinstance(one, aiohttp.TraceConfig):
            raise InvalidParameterError(f"{must}, got one with {type_name(one)}")
    return cast("tuple[aiohttp.TraceConfig, ...]", copy)


def proxy_in_environment(base_url: str) -> tuple[str, str] | None:
    """The environment variable that names a proxy for this address, and its value; or ``None``.

    ``HTTP_PROXY`` or ``HTTPS_PROXY``, unless ``NO_PROXY`` excepts the host. Names in lower case
    come first.
    """
    url, proxies = URL(base_url), getproxies_environment()
    proxy = proxies.get(url.scheme)
    if not proxy or proxy_bypass(f"{url.host}:{url.port}"):
        return None
    name = f"{url.scheme}_proxy"
    name = name if os.environ.get(name) else name.upper()
    return name, proxy if "://" in proxy else f"http://{proxy}"
