"""Turning the exceptions of aiohttp into those of this package."""

from __future__ import annotations

from typing import Final

import aiohttp

from ..errors import APIConnectionError, APITimeoutError, ConnectionReason
from ..wire.messages import CLIP, Redact, Request
from .options import Timeout
from .single_attempt import ConnectionDroppedError

__all__ = ["DEFAULT_BASE_URL", "connection_error", "forget_frames", "public_cause"]

DEFAULT_BASE_URL: Final = "https://api.rybbit.io"

# The request was not sent. A proxy that refuses to connect, and an unexpected certificate, are
# among the causes.
_NOT_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


def connection_error(
    error: Exception, request: Request, url: str, timeout: Timeout, redact: Redact
) -> APIConnectionError:
    """The error for a request whose response did not arrive.

    Args:
        error: what aiohttp raised.
        url: where the request was sent, without secrets.
        timeout: of the attempt.
        redact: removes the client's secrets from a text.
    """
    what = f"{request.method} {url}"
    sent = not isinstance(error, _NOT_SENT)
    cls: type[APIConnectionError] = APITimeoutError
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        text = f"{what}: no connection was made within {timeout.connect} s (Timeout.connect)"
    elif isinstance(error, aiohttp.ServerTimeoutError):
        text = f"{what}: no data arrived for {timeout.read} s (Timeout.read)"
    elif isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
        text = f"{what}: not finished within {timeout.total} s (Timeout.total)"
    else:
        cls = APIConnectionError
        if isinstance(error, aiohttp.ClientHttpProxyError):
            reason = f"the proxy answered {error.status} {redact(error.message)[:CLIP]}"
        else:
            reason = redact(str(error))[:CLIP]
        if isinstance(error, aiohttp.ClientPayloadError):
            text = f"{what}: the connection was lost in the middle of the response"
        elif sent:
            text = f"{what}: the connection was lost before a response arrived ({reason})"
        else:
            text = f"{what}: no connection could be made ({reason})"
    if not sent and url.startswith(f"{DEFAULT_BASE_URL}/"):
        text += (
            ". This is the address of Rybbit's cloud. For a server of your own pass base_url, or "
            "set RYBBIT_BASE_URL"
        )
    if sent and request.writes:
        text += ". The write may have been carried out nevertheless: check before you send it again"
    return cls(text, method=request.method, url=url, sent=sent, reason=_reason(error))


def _reason(error: Exception) -> ConnectionReason:
    if isinstance(
        error, (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)
    ):
        return "certificate"
    if isinstance(error, (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError)):
        return "proxy"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(
        error, aiohttp.ClientSSLError
    ):
        return "unreachable"
    return "lost"


def public_cause(error: Exception, redact: Redact) -> BaseException | None:
    """What to show as the cause of the error: an exception of aiohttp without secrets, if any."""
    cause: BaseException | None = error
    if isinstance(error, (ConnectionDroppedError, aiohttp.ClientHttpProxyError)):
        cause = error.__cause__  # the words of aiohttp would show the password of the proxy
    link = cause
    while link is not None:
        text = f"{link} {link!r}"
        if redact(text) != text:
            return None
        link = link.__cause__ or link.__context__
    return cause


def forget_frames(error: BaseException) -> None:
    """Remove the tracebacks of a chain of errors: aiohttp's frames contain what was sent."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
