"""One exchange over HTTP: the only part of the core that knows aiohttp.

Foreign exceptions become this package's here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
from attrs import field, frozen
from yarl import URL

from ..errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    ClientClosedError,
    RybbitError,
)
from ..version import __version__
from ..wire.json import Body
from ..wire.messages import CLIP, Redact, Request, Response, Timeout

__all__ = ["DEFAULT_BASE_URL", "Http", "HttpOptions"]

DEFAULT_BASE_URL: Final = "https://api.rybbit.io"
MAX_REDIRECTS: Final = 3
PLAIN: Final = 16 * 2**20


@frozen
class HttpOptions:
    """What holds for every exchange of one client.

    Attributes:
        max_connections: exchanges that may be under way at once.
        max_response_bytes: the largest body, counted after decompression.
        max_depth: how deeply lists and objects of a body may be nested.
        headers: further ones, sent with every request.
        proxy, ssl, trace_configs: as in aiohttp.
    """

    max_connections: int
    max_response_bytes: int
    max_depth: int
    headers: Mapping[str, str]
    proxy: URL | None = field(repr=False)
    ssl: Any
    trace_configs: Sequence[aiohttp.TraceConfig]


# A proxy that refuses to connect, and a certificate that is not the one expected, among them.
_NOT_CONNECTED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


class _DroppedError(Exception):
    """A connection that was lost; see ``_Once``."""


class _Once:
    """A middleware that has one request go over the wire once, with its credentials.

    aiohttp silently sends a GET, PUT or DELETE again when it sees one of these two exceptions as
    a connection drops. A middleware is the public way to step in between, also for sessions that
    are passed in. And what is added here is not shown to tracing when a request starts.
    """

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self.credentials = credentials

    async def __call__(
        self,
        request: aiohttp.ClientRequest,
        handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
    ) -> aiohttp.ClientResponse:
        request.headers.update(self.credentials)
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _DroppedError(str(error) or type(error).__name__) from error


class Http:
    """Exchanges with one server, over one ``ClientSession``.

    Args:
        base_url: the server; the paths of requests are appended to it.
        session: one to use and never to close; without it, one is made in the running loop when
            it is first needed, and closed with this.
        redact: takes the client's secrets out of a text.
    """

    def __init__(
        self,
        base_url: str,
        *,
        session: aiohttp.ClientSession | None,
        options: HttpOptions,
        redact: Redact,
    ) -> None:
        self.base_url = base_url
        self.closed = False
        self.received = 0  # bytes of bodies
        self._origin = URL(base_url).origin()
        self._session = session
        self._owns_session = session is None
        self._options = options
        self._redact = redact
        self._headers: Mapping[str, str] = {
            "Accept": "application/json",
            "User-Agent": f"rybbit_async/{__version__}",
            **options.headers,
        }
        self._middleware = _Once({})
        self._slots = asyncio.Semaphore(options.max_connections)
        self._under_way: set[asyncio.Timeout] = set()
        self._idle: asyncio.Event | None = None
        self._home: tuple[asyncio.AbstractEventLoop, int] | None = None

    def check_usable(self) -> None:
        """Refuse what would hang or cross-talk.

        Raises:
            ClientClosedError: the client was closed.
            RybbitError: it belongs to another event loop, or to the process before a fork.
        """
        if self.closed:
            raise closed_error()
        home = asyncio.get_running_loop(), os.getpid()
        if self._home is None:
            self._home = home
        elif self._home[1] != home[1]:
            raise RybbitError(
                "this client was used before the process forked: make a client in each process, "
                "for two processes on one connection read each other's answers"
            )
        elif self._home[0] is not home[0]:
            raise RybbitError(
                "this client belongs to another event loop: its connections live in the loop that "
                "it was first used in; make a client in each loop"
            )

    async def exchange(
        self, request: Request, credentials: Mapping[str, str], timeout: Timeout
    ) -> Response:
        """One request on the wire, plus those that a redirect within the same origin asks for."""
        async with self._slots:
            self.check_usable()
            answer = await self._once(request, self.base_url + request.target, credentials, timeout)
            for _ in range(MAX_REDIRECTS):
                if not 300 <= answer.status < 400:
                    break
                answer = await self._once(request, self._redirected(answer), credentials, timeout)
        return answer

    async def _once(
        self, request: Request, url: str, credentials: Mapping[str, str], timeout: Timeout
    ) -> Response:
        session, options, headers = self._open_session(), self._options, self._headers
        if request.body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        # A session that was passed in may have middlewares; they go inside ours, which has to see
        # what reaches aiohttp's own loop.
        theirs = getattr(session, "_middlewares", ())
        scope = asyncio.timeout(timeout.total)
        try:
            async with scope:
                self._under_way.add(scope)
                async with session.request(
                    request.method,
                    URL(url, encoded=True),
                    data=request.body,
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(
                        total=None, sock_connect=timeout.connect, sock_read=timeout.read
                    ),
                    allow_redirects=False,
                    raise_for_status=False,
                    middlewares=(self._once_with(credentials), *theirs),
                    proxy=options.proxy,
                    ssl=options.ssl,
                ) as response:
                    return Response(
                        request,
                        url,
                        response.status,
                        response.headers,
                        Body(await self._read(response, request, url), options.max_depth),
                        response.headers.getall("Set-Cookie", []),
                        self._redact,
                    )
        except asyncio.CancelledError:
            # aiohttp cancels whoever waits for a connection of a session that is closed.
            task = asyncio.current_task()
            if self.closed and task is not None and not task.cancelling():
                raise closed_error() from None
            raise
        except (aiohttp.ClientError, OSError, TimeoutError, _DroppedError) as error:
            _forget_frames(error)
            if self.closed:
                raise closed_error() from None
            # What a proxy refuses is told without aiohttp's words: they show its password.
            stands_for = (_DroppedError, aiohttp.ClientHttpProxyError)
            cause = error.__cause__ if isinstance(error, stands_for) else error
            raise self._connection_error(error, request, url, timeout) from cause
        finally:
            self._under_way.discard(scope)
            if not self._under_way and self._idle is not None:
                self._idle.set()

    def _once_with(self, credentials: Mapping[str, str]) -> _Once:
        if self._middleware.credentials is not credentials:  # they seldom change
            self._middleware = _Once(credentials)
        return self._middleware

    async def _read(self, response: aiohttp.ClientResponse, request: Request, url: str) -> bytes:
        most, size, chunks = self._options.max_response_bytes, 0, list[bytes]()
        if response.headers.get("Content-Encoding") is None and 0 < (
            response.content_length or 0
        ) <= min(most, PLAIN):
            body = await response.read()  # the quick way, for what cannot grow
            self.received += len(body)
            return body
        async for chunk in response.content.iter_any():
            size += len(chunk)
            chunks.append(chunk)
            if size > most:
                break
        self.received += size
        if size > most:
            response.close()
            raise APIResponseError(
                f"{request.method} {url}: the body is larger than {most:,} bytes: ask for smaller "
                "pages, or allow it with max_response_bytes",
                method=request.method,
                url=url,
                status=response.status,
            )
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def forget_cookies(self, answer: Response) -> None:
        """Have no session that a sign-in gave in the jar of a session that was passed in.

        Our own session keeps no cookies; the owner of one that was passed in did not sign in.
        """
        if not self._owns_session and self._session is not None:
            names = {cookie.partition("=")[0].strip() for cookie in answer.set_cookies}
            self._session.cookie_jar.clear(lambda cookie: cookie.key in names)

    def _redirected(self, answer: Response) -> str:
        location = answer.headers.get("Location", "")
        try:
            target = URL(answer.url, encoded=True).join(URL(location))
            same = bool(location) and target.origin() == self._origin
        except ValueError:
            target, same = None, False
        if same and not answer.request.writes:
            return str(target)
        where = self._redact(location)[:CLIP] or "nowhere"
        raise APIStatusError(
            f"{answer.what}: {answer.status}, a redirect to {where}, was not followed: "
            + ("a write is not sent twice" if same else "credentials go to no other host")
            + "; check base_url",
            status=answer.status,
            message=f"redirect to {where}",
            method=answer.request.method,
            url=answer.url,
        )

    def _connection_error(
        self, error: Exception, request: Request, url: str, timeout: Timeout
    ) -> APIConnectionError:
        what = f"{request.method} {url}"
        sent = not isinstance(error, _NOT_CONNECTED)
        late = True
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            text = f"{what}: no connection within {timeout.connect} s (Timeout.connect)"
        elif isinstance(error, aiohttp.ServerTimeoutError):
            text = f"{what}: nothing came for {timeout.read} s (Timeout.read)"
        elif isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
            text = f"{what}: not done within {timeout.total} s (Timeout.total)"
        else:
            late = False
            why = self._redact(str(error))[:CLIP]
            if isinstance(error, aiohttp.ClientHttpProxyError):
                why = f"{error.status} {error.message[:CLIP]} from the proxy"
            if isinstance(error, aiohttp.ClientPayloadError):
                text = f"{what}: the connection was lost in the middle of the answer"
            elif sent:
                text = f"{what}: the connection was lost before an answer came ({why})"
            else:
                text = f"{what}: no connection could be made ({why})"
        if not sent and self.base_url == DEFAULT_BASE_URL:
            text += (
                ". This is the cloud's address; for a server of your own pass base_url, or set "
                "RYBBIT_BASE_URL"
            )
        if sent and request.writes:
            text += ". It may have been carried out all the same: look before you send it again"
        cls = APITimeoutError if late else APIConnectionError
        return cls(text, method=request.method, url=url, sent=sent)

    # --- life cycle ---------------------------------------------------------------------------

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._options.max_connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=list(self._options.trace_configs),
            )
        if self._session.closed:
            raise ClientClosedError("the aiohttp session that was passed in is closed")
        return self._session

    async def close(self) -> None:
        """End what is under way with ``ClientClosedError`` and let go of every connection."""
        self.closed = True
        now = asyncio.get_running_loop().time()
        for scope in self._under_way:
            if not scope.expired():
                scope.reschedule(now)
        try:
            if self._under_way:
                self._idle = self._idle or asyncio.Event()  # others may be closing, too
                await self._idle.wait()
        finally:
            if self._owns_session and self._session is not None:
                await self._session.close()


def _forget_frames(error: BaseException) -> None:
    """Take the tracebacks from a chain of errors: aiohttp's frames hold what was sent, in bytes."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__


def closed_error() -> ClientClosedError:
    """For whoever uses a client that is closed, or uses it while it is being closed."""
    return ClientClosedError("the client is closed: make a new one, or close it later")
