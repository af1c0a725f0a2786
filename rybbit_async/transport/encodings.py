"""Decoding compressed bodies, in pieces of a limited size.

aiohttp could do it, but it does not say what was wrong, and does not notice if the end is missing.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any, Final, Protocol

from ..wire.messages import Redact
from .unreadable import UnreadableError

__all__ = ["Decoder", "accept_encoding", "decoder_for"]

# The largest piece that is decoded at once, so that a small body cannot fill the memory.
_PIECE: Final = 256 * 1024
# A body may consist of several compressed streams, one after the other.
_MOST_STREAMS: Final = 100


class _Stream(Protocol):
    """Decodes one compressed stream."""

    @property
    def ended(self) -> bool: ...

    @property
    def rest(self) -> bytes:
        """What came after its end."""
        ...

    def pieces(self, data: bytes) -> Iterator[bytes]: ...


class _Zlib:
    def __init__(self, bits: int) -> None:
        self._object = zlib.decompressobj(bits)

    @property
    def ended(self) -> bool:
        return self._object.eof

    @property
    def rest(self) -> bytes:
        return self._object.unused_data

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while True:
            piece = self._object.decompress(data, _PIECE)
            yield piece
            data = self._object.unconsumed_tail
            if self.ended or (not data and len(piece) < _PIECE):
                return


class _Brotli:
    rest = b""  # it raises an error for bytes after its end

    def __init__(self, module: Any) -> None:
        self._object = module.Decompressor()

    @property
    def ended(self) -> bool:
        return bool(self._object.is_finished())

    def pieces(self, data: bytes) -> Iterator[bytes]:
        piece = self._object.process(data, output_buffer_limit=_PIECE)
        while piece:  # it does not say whether there is more
            yield piece
            piece = b"" if self.ended else self._object.process(b"", output_buffer_limit=_PIECE)


class _Zstd:
    def __init__(self, module: Any) -> None:
        self._object = module.ZstdDecompressor()

    @property
    def ended(self) -> bool:
        return bool(self._object.eof)

    @property
    def rest(self) -> bytes:
        rest: bytes = self._object.unused_data
        return rest

    def pieces(self, data: bytes) -> Iterator[bytes]:
        yield self._object.decompress(data, _PIECE)
        while not self._object.eof and not self._object.needs_input:
            yield self._object.decompress(b"", _PIECE)


def _gzip(_: bytes) -> _Stream:
    return _Zlib(16 + zlib.MAX_WBITS)


def _deflate(data: bytes) -> _Stream:
    # It should have the header of zlib, whose first byte ends in 8, but some servers omit that.
    return _Zlib(zlib.MAX_WBITS if data[0] & 15 == 8 else -zlib.MAX_WBITS)


@cache
def _encodings() -> Mapping[str, Callable[[bytes], _Stream]]:
    """What can be decoded, by its name in headers."""
    found: dict[str, Callable[[bytes], _Stream]] = {"gzip": _gzip, "deflate": _deflate}
    brotli = _first_module("brotli", "brotlicffi")
    # Older versions cannot limit what one piece of a body becomes.
    if hasattr(getattr(brotli, "Decompressor", None), "can_accept_more_data"):
        found["br"] = lambda _: _Brotli(brotli)
    zstd = _first_module("compression.zstd", "backports.zstd")
    if zstd is not None:
        found["zstd"] = lambda _: _Zstd(zstd)
    return found


def _first_module(*names: str) -> Any:
    for name in names:
        with suppress(ImportError):
            return import_module(name)
    return None


def accept_encoding() -> str:
    """The value of ``Accept-Encoding``: what can be decoded."""
    return ", ".join(_encodings())


def decoder_for(encoding: str, redact: Redact) -> Decoder | None:
    """What decodes a body with this ``Content-Encoding``; ``None`` if it is not encoded.

    Raises:
        UnreadableError: it cannot be decoded.
    """
    name = encoding.strip().lower().removeprefix("x-")
    if name in ("", "identity"):
        return None
    make = _encodings().get(name)
    if make is not None:
        return Decoder(name, make)
    cure = {
        "br": "install the package brotli, 1.2 or newer",
        "zstd": "install the package backports.zstd",
    }.get(name)
    raise UnreadableError(
        f"its Content-Encoding must be one of {accept_encoding()}, which were asked for, got "
        f"{redact(encoding)[:100]!r}. Turn that off in the proxy in front of the server"
        + (f", or {cure}" if cure else "")
    )


class Decoder:
    """Decodes the body of one response.

    Args:
        name: of the encoding.
        make: makes what decodes one stream, given its beginning.
    """

    def __init__(self, name: str, make: Callable[[bytes], _Stream]) -> None:
        self._name = name
        self._make = make
        self._stream: _Stream | None = None
        self._streams = 0

    @property
    def is_complete(self) -> bool:
        """Whether what was decoded so far may be the whole body."""
        return self._stream is None

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decode the next part of the body.

        Raises:
            UnreadableError: it is not encoded so.
        """
        while data:
            if self._stream is None:
                if self._streams == _MOST_STREAMS:
                    raise self.wrong()
                self._streams += 1
                self._stream = self._make(data)
            try:
                yield from self._stream.pieces(data)
            except Exception:  # each library has errors of its own
                failed = True
            else:
                failed = False
            if failed:
                raise self.wrong()
            data = self._stream.rest
            if self._stream.ended:
                self._stream = None

    def wrong(self) -> UnreadableError:
        """The error for a body that is not encoded so, or ends too early."""
        return UnreadableError(
            f"its Content-Encoding is {self._name}, but its body is not valid {self._name}. Check "
            "the proxy in front of the server"
        )
