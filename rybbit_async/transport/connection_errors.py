"""Turning the exceptions of aiohttp into those of this package.

The text of aiohttp's exceptions is not repeated: it may contain parts of the response, such as a
cookie, and says of every address how it would use TLS.
"""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp

from ..errors import APIConnectionError, APIResponseError, APITimeoutError, ConnectionReason
from ..wire.messages import CLIP, Redact, Request
from .options import Timeout
from .unreadable import UnreadableError, is_not_tls, reason_of, ssl_error

__all__ = ["DEFAULT_BASE_URL", "connection_error", "public_cause", "response_error"]

DEFAULT_BASE_URL: Final = "https://api.rybbit.io"

# The request was not sent. A proxy that refuses to connect, and an unexpected certificate, are
# among the causes.
_NOT_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


def response_error(error: UnreadableError, request: Request, url: str) -> APIResponseError:
    """The error for a response that came but cannot be read."""
    status = "" if error.status is None else f" (status {error.status})"
    text = f"{request.method} {url}: the response{status} cannot be read: {error}"
    return APIResponseError(
        text + (request.caution if error.sent else ""),
        method=request.method,
        url=url,
        status=error.status,
    )


def connection_error(
    error: Exception,
    request: Request,
    url: str,
    timeout: Timeout,
    redact: Redact,
    unused_proxy: str | None,
) -> APIConnectionError | APIResponseError:
    """The error for a request whose response did not arrive, or could not be read.

    Args:
        error: what aiohttp raised.
        url: where the request was sent, without secrets.
        timeout: of the attempt.
        redact: removes the client's secrets from a text.
        unused_proxy: the name of the environment variable that names a proxy for this URL, if it
            was not used.
    """
    through_proxy = isinstance(error, aiohttp.ClientResponseError) and (
        error.request_info.method == "CONNECT"
    )
    unreadable = None if through_proxy else _unreadable(error)
    if unreadable is not None:
        return response_error(unreadable, request, url)
    what = f"{request.method} {url}"
    sent = not (isinstance(error, _NOT_SENT) or through_proxy)
    cls: type[APIConnectionError] = APITimeoutError
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        text = f"{what}: no connection was made within {timeout.connect} s (Timeout.connect)"
    elif isinstance(error, aiohttp.ServerTimeoutError):
        text = f"{what}: no data arrived for {timeout.read} s (Timeout.read)"
    elif isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
        text = f"{what}: not finished within {timeout.total} s (Timeout.total)"
    else:
        cls = APIConnectionError
        why = redact(_why(error))[:CLIP]
        if isinstance(error, aiohttp.ClientPayloadError):
            text = f"{what}: the connection was lost in the middle of the response"
        elif sent:
            text = f"{what}: the connection was lost before a response arrived ({why})"
        else:
            text = f"{what}: no connection could be made ({why})"
    if not sent and url.startswith(f"{DEFAULT_BASE_URL}/"):
        text += (
            ". This is the address of Rybbit's cloud. For a server of your own pass base_url, or "
            "set RYBBIT_BASE_URL"
        )
    if not sent and unused_proxy is not None:
        text += f". {unused_proxy} is set but was not used: trust_env=True uses it"
    if sent:
        text += request.caution
    return cls(text, method=request.method, url=url, sent=sent, reason=_reason(error))


def _unreadable(error: Exception) -> UnreadableError | None:
    reason = reason_of(error)
    if reason is not None and not isinstance(error, aiohttp.ClientHttpProxyError):
        return UnreadableError(reason)
    tls = ssl_error(error)
    if tls is not None and is_not_tls(tls):
        return UnreadableError(
            "it is not TLS, which an address with https:// needs: check the port of base_url, or "
            "use http:// if the server does not encrypt",
            sent=False,
        )
    return None


def _why(error: Exception) -> str:
    """Why there was no response, in a few words that show nothing of it."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        answer = f"the proxy answered {error.status} {error.message}".rstrip()
        wants = "; it wants proxy='http://user:password@...'" if error.status == 407 else ""
        return answer + wants
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer of the proxy cannot be read: it is not valid HTTP"
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return "the server's certificate has another fingerprint than ssl says"
    tls = ssl_error(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate was not accepted: {tls.verify_message or tls.reason}; for a "
            "CA of your own pass ssl='/path/to/ca.pem'"
        )
    if tls is not None:
        return f"no agreement on TLS: {tls.reason or tls.strerror}"
    found = _os_error(error)
    if isinstance(found, aiohttp.ClientError) or found is None:
        return "the server closed it"
    return found.strerror or str(found) or type(found).__name__


def _reason(error: Exception) -> ConnectionReason:
    if isinstance(error, aiohttp.ServerFingerprintMismatch) or ssl_error(error) is not None:
        return "certificate"
    if isinstance(error, (aiohttp.ClientResponseError, aiohttp.ClientProxyConnectionError)):
        return "proxy"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "unreachable"
    return "lost"


def _os_error(error: BaseException) -> OSError | None:
    """The error of the operating system that is the cause of an error of aiohttp, if one is."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and not isinstance(link, aiohttp.ClientError):
            return link
        link = link.__cause__ or link.__context__
    return None


def public_cause(error: Exception, redact: Redact) -> OSError | None:
    """What to show as the cause of the error: an error of the operating system, if there is one.

    Its traceback and its context are removed: aiohttp's frames contain what was sent.
    """
    cause = _os_error(error)
    if cause is None or isinstance(cause, TimeoutError):
        return None  # the message says it all
    text = f"{cause} {cause!r}"
    if redact(text) != text:
        return None
    cause.__traceback__ = cause.__cause__ = cause.__context__ = None
    return cause
