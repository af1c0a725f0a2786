"""When the certificate of a server expires."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from yarl import URL

from ...transport.connection_settings import proxy_in_environment
from ..output.values import counted
from ..settings import Settings
from .check import Check, skipped

__all__ = ["expires"]

_TIMEOUT: Final = 10.0  # seconds
_SOON: Final = 14  # days


async def expires(base_url: str, settings: Settings) -> Check:
    """The line about the certificate, which is read with a connection of its own."""
    name = "certificate"
    url = URL(base_url)
    if url.scheme != "https":
        return skipped(name, "none: the connection is not encrypted")
    if settings.options.get("proxy") or proxy_in_environment(base_url):
        return skipped(name, "not looked at behind a proxy")
    try:
        moment = await _read(url, settings.options.get("ssl"))
    except (OSError, ValueError, KeyError, TimeoutError):  # requests have said whether it is good
        return skipped(name, "cannot be read")
    days = (moment - datetime.now(UTC)).days
    text = f"until {moment:%Y-%m-%d}, {counted(days, 'days')}"
    if days < _SOON:
        return Check(name, text, "warning", "renew it: when it has expired, nothing works")
    return Check(name, text)


async def _read(url: URL, ca: Any) -> datetime:
    context = ssl.create_default_context(cafile=ca)
    async with asyncio.timeout(_TIMEOUT):
        _, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
        try:
            found = writer.get_extra_info("peercert")
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC)
