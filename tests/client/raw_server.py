"""A server that answers with given bytes, which need not be HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class RawServer:
    """Answers each request with ``parts``, with a short break between them."""

    def __init__(self) -> None:
        self.url = ""
        self.parts: tuple[bytes, ...] = ()
        self.closes = False
        """Whether it closes the connection after an answer."""
        self.heads: list[str] = []
        """What was requested, oldest first."""
        self._writers: set[asyncio.StreamWriter] = set()

    def answer(self, *parts: bytes, closes: bool = False) -> None:
        """Answer so from now on, and forget the requests so far."""
        self.parts, self.closes = parts, closes
        self.heads.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head.decode())
                for part in self.parts:
                    writer.write(part)
                    await asyncio.sleep(0.01 if len(self.parts) > 1 else 0)
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with suppress(ConnectionError):
                await writer.wait_closed()
        await asyncio.sleep(0.02 if len(self.parts) > 1 else 0)


@asynccontextmanager
async def raw_server() -> AsyncIterator[RawServer]:
    """A ``RawServer`` that listens."""
    server = RawServer()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server
        await server.close()


def http(*headers: str, body: bytes = b'{"a":1}', status: str = "HTTP/1.1 200 OK") -> bytes:
    """A response, with the length of its body unless ``headers`` say how that ends."""
    lines = [status, *headers]
    if not any(header.startswith(("Content-Length", "Transfer-Encoding")) for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
