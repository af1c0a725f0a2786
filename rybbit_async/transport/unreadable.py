"""Responses that came, but that cannot be read: what is wrong with them, in words of our own.

The words of aiohttp repeat parts of the response, which may contain a cookie.
"""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp
from aiohttp.http_exceptions import (
    BadStatusLine,
    ContentLengthError,
    HttpProcessingError,
    InvalidHeader,
    LineTooLong,
    TransferEncodingError,
)

__all__ = [
    "MAX_HEADERS",
    "MAX_HEADER_BYTES",
    "UnreadableError",
    "is_not_tls",
    "reason_of",
    "ssl_error",
]

MAX_HEADER_BYTES: Final = 65 * 1024  # 64 KB and the header's name
MAX_HEADERS: Final = 1000

_TRUNCATED: Final = "Not enough data"  # how aiohttp's text begins if the connection ended early
# What OpenSSL finds where it expects the first record of TLS.
_NOT_TLS: Final = frozenset(
    {"HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"}
)


class UnreadableError(Exception):
    """A response came, but cannot be read; the message says why, and shows nothing of it.

    Attributes:
        status: its HTTP status, if that could be read.
        sent: whether the request may have been carried out.
    """

    def __init__(self, reason: str, *, status: int | None = None, sent: bool = True) -> None:
        super().__init__(reason)
        self.status = status
        self.sent = sent


def reason_of(error: BaseException) -> str | None:
    """Why aiohttp could not read a response, and what to do about it.

    Returns:
        Sentences without the last full stop; ``None`` if the connection was lost instead.
    """
    if isinstance(error, aiohttp.ClientPayloadError):
        link = error.__cause__
    elif isinstance(error, (HttpProcessingError, aiohttp.ClientResponseError)):
        link = error
    else:
        return None
    # The last one in the chain is what aiohttp's parser raised.
    while link is not None and link.__cause__ is not None:
        link = link.__cause__
    text = getattr(link, "message", "")
    if link is None or isinstance(link, ContentLengthError) or text.startswith(_TRUNCATED):
        return None
    # llhttp, the parser that is written in C, has few classes of errors; after its own words, its
    # text has a line break and what was received.
    words = text.partition(":\n")[0].lower()
    if isinstance(link, BadStatusLine):
        return (
            "it does not begin with a status line of HTTP/1.0 or 1.1, or goes on after its end. "
            "Check the scheme and the port of base_url"
        )
    if isinstance(link, LineTooLong):
        wrong = f"a header, or its first line, has more than {MAX_HEADER_BYTES // 1024 - 1} KB"
    elif words.startswith("too many headers"):
        wrong = f"it has more than {MAX_HEADERS:,} headers"
    elif isinstance(link, TransferEncodingError) or "chunk" in words:
        wrong = "its chunked encoding is wrong"
    elif "content-length" in words or "transfer-encoding" in words:
        wrong = "its Content-Length is wrong, or there are two, or a Transfer-Encoding as well"
    elif isinstance(link, InvalidHeader) or "header" in words:
        wrong = "one of its headers is malformed"
    else:
        wrong = "it is not valid HTTP"
    return f"{wrong}. Check the proxy in front of the server"


def ssl_error(error: BaseException) -> ssl.SSLError | None:
    """The error of TLS that is the cause of an error of aiohttp, if one is.

    It is one that would come again: not that the connection ended.
    """
    link: BaseException | None = error
    while link is not None:
        # Some exceptions of aiohttp are errors of ssl as well, without what those have.
        if isinstance(link, ssl.SSLError) and not isinstance(link, aiohttp.ClientError):
            ended = isinstance(link, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
            return None if ended else link
        link = link.__cause__ or link.__context__
    return None


def is_not_tls(error: ssl.SSLError) -> bool:
    """Whether the server answered in something other than TLS."""
    return error.reason in _NOT_TLS
