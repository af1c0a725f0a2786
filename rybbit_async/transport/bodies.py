"""Reading the body of a response: decoded, limited in size, and with a word on what is wrong."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, TransferEncodingError
from attrs import define

from ..errors import APIResponseError
from ..wire.messages import Redact, Request
from .encodings import Decoder, decoder_for
from .unreadable import UnreadableError, reason_of

__all__ = ["BodyReader"]

# Up to this size, a body that is not compressed is read in one go.
READ_AT_ONCE: Final = 16 * 2**20


class BodyReader:
    """Reads the bodies of one client.

    Args:
        maximum: the size in bytes of the largest body, after decompression.
        redact: removes the client's secrets from a text.

    Attributes:
        received: how many bytes of bodies have arrived, after decompression.
    """

    def __init__(self, maximum: int, redact: Redact) -> None:
        self.received = 0
        self._maximum = maximum
        self._redact = redact
        self._watched = weakref.WeakKeyDictionary[asyncio.BaseProtocol, _Watched]()

    async def read(self, response: aiohttp.ClientResponse, request: Request, url: str) -> bytes:
        """The body, decoded.

        Args:
            request: what was asked.
            url: where, without secrets.

        Raises:
            APIResponseError: it is too large.
            UnreadableError: it cannot be read.
            aiohttp.ClientError: the connection was lost.
        """
        encoding = ", ".join(response.headers.getall("Content-Encoding", []))
        if not encoding and 0 < (response.content_length or 0) <= min(self._maximum, READ_AT_ONCE):
            body = await response.read()  # faster, and its size is known
            self.received += len(body)
            return body
        _check_transfer_encoding(response)
        self._watch(response)
        pieces, size, decoder = list[bytes](), 0, None
        try:
            async for chunk in response.content.iter_any():
                if encoding and decoder is None:  # only now, since a body may be missing
                    decoder = decoder_for(encoding, self._redact)
                for piece in (chunk,) if decoder is None else decoder.pieces(chunk):
                    size += len(piece)
                    pieces.append(piece)
                    if size > self._maximum:
                        response.close()
                        raise self._too_large(request, url, response.status)
                    if len(piece) > len(chunk):
                        await asyncio.sleep(0)  # decoding may take long
        except (aiohttp.ClientPayloadError, HttpProcessingError) as error:
            reason = reason_of(error)
            if reason is None:
                raise
            raise UnreadableError(reason) from None
        finally:
            self.received += size
        if decoder is not None:
            _check_end(response, decoder)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _too_large(self, request: Request, url: str, status: int) -> APIResponseError:
        return APIResponseError(
            f"{request.method} {url}: the body must not be larger than {self._maximum:,} bytes: "
            f"ask for smaller pages, or increase max_response_bytes{request.caution}",
            method=request.method,
            url=url,
            status=status,
        )

    def _watch(self, response: aiohttp.ClientResponse) -> None:
        """Have reading end if aiohttp gives the body up without saying so.

        If chunked encoding turns out to be wrong in a later part of a body, aiohttp closes the
        connection, and who reads the body would wait until the timeout.
        """
        connection = response.connection
        if connection is None or "Transfer-Encoding" not in response.headers:
            return
        protocol: Any = connection.protocol
        watched = self._watched.get(protocol)
        if watched is not None:
            watched.content = response.content
            return
        watched = self._watched[protocol] = _Watched(response.content)
        if protocol.closed is None:  # already
            watched.end()
        else:
            protocol.closed.add_done_callback(watched.end)


@define(eq=False)
class _Watched:
    """The latest body on one connection."""

    content: aiohttp.StreamReader

    def end(self, closed: asyncio.Future[None] | None = None) -> None:
        """The connection has closed."""
        if closed is not None and not closed.cancelled():
            closed.exception()  # otherwise asyncio reports it; the body has it, too
        if not self.content.is_eof() and self.content.exception() is None:
            self.content.set_exception(TransferEncodingError("given up"))


def _check_transfer_encoding(response: aiohttp.ClientResponse) -> None:
    coding = ", ".join(response.headers.getall("Transfer-Encoding", [])).lower()
    if coding not in ("", "chunked", "identity"):
        raise UnreadableError(
            "its Transfer-Encoding must be chunked, the only one that can be read. Check the proxy "
            "in front of the server"
        )


def _check_end(response: aiohttp.ClientResponse, decoder: Decoder) -> None:
    if decoder.is_complete:
        return
    if response.content_length is None and "Transfer-Encoding" not in response.headers:
        raise aiohttp.ClientPayloadError  # only the end of the connection ends such a body
    raise decoder.wrong()
