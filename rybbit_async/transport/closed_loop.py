"""Closing the connections of an event loop that was closed before they were."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import aiohttp

__all__ = ["close_without_loop"]


def close_without_loop(connector: aiohttp.BaseConnector) -> None:
    """Close every connection of a connector whose event loop is closed.

    A transport closes its socket in a later turn of its loop, which will not come. aiohttp drops
    such transports, and they warn when they are collected. So this calls what the loop would have
    called. Neither asyncio nor aiohttp has a public way to do that; ``tests/test_dependencies.py``
    checks that the names below still exist. Loops of other packages close their sockets themselves.
    """
    idle: Any = getattr(connector, "_conns", {})
    in_use: Any = getattr(connector, "_acquired", ())
    protocols = [*in_use, *(protocol for entries in idle.values() for protocol, *_ in entries)]
    for protocol in protocols:
        transport = protocol.transport
        if transport is None:
            continue
        # With TLS, one transport is on top of another, which has the socket.
        tls = getattr(transport, "_ssl_protocol", None)
        lowest = transport if tls is None else getattr(tls, "_transport", None)
        with suppress(RuntimeError):  # "Event loop is closed"
            transport.abort()
        with suppress(RuntimeError):
            lost: Any = getattr(lowest, "_call_connection_lost", None)
            if lost is not None:
                lost(None)
