"""One request and its response over HTTP: the part of the client that uses aiohttp.

The exceptions of aiohttp become those of this package here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import aiohttp
from attrs import field, frozen
from yarl import URL

from ..errors import APIResponseError, APIStatusError, ClientClosedError
from ..version import __version__
from ..wire.json import Body
from ..wire.messages import CLIP, Redact, Request, Response
from .affinity import Affinity
from .auth import Secret
from .clock import closed_error
from .closed_loop import close_without_loop
from .connection_errors import connection_error, forget_frames, public_cause
from .options import Timeout
from .single_attempt import ConnectionDroppedError, SingleAttemptMiddleware

__all__ = ["Http", "HttpOptions"]

MAX_REDIRECTS: Final = 3
# Up to this size, a body that is not compressed is read in one go.
READ_AT_ONCE: Final = 16 * 2**20


@frozen
class HttpOptions:
    """What is the same for every request of one client.

    Attributes:
        max_connections: how many requests may be in flight at once.
        max_response_bytes: the size of the largest body, after decompression.
        max_depth: how deeply the lists and objects of a body may be nested.
        headers: additional headers for every request.
        proxy, ssl, trace_configs: passed to aiohttp.
    """

    max_connections: int
    max_response_bytes: int
    max_depth: int
    headers: Mapping[str, str]
    proxy: URL | None = field(repr=False)
    ssl: Any
    trace_configs: Sequence[aiohttp.TraceConfig]


class Http:
    """Requests to one server, over one ``ClientSession``.

    Args:
        base_url: the server's address; the targets of requests are appended to it.
        session: a session to use, which is never closed. Without one, a session is created in the
            running loop when it is needed, and closed together with this object.
        redact: removes the client's secrets from a text.

    Attributes:
        received: how many bytes of bodies have arrived, after decompression.
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
        self.received = 0
        self._session = session
        self._owns_session = session is None
        self._options = options
        self._redact = redact
        self._headers: Mapping[str, str] = {
            "Accept": "application/json",
            "User-Agent": f"rybbit_async/{__version__}",
            **options.headers,
        }
        self._middleware = SingleAttemptMiddleware({})
        self._slots = asyncio.Semaphore(options.max_connections)
        self._in_flight: set[asyncio.Timeout] = set()
        self._idle: asyncio.Event | None = None
        self._affinity = Affinity()

    def check_usable(self) -> None:
        """Refuse to be used where that would not work.

        Raises:
            ClientClosedError: the client was closed.
            RybbitError: see ``Affinity.check``.
        """
        if self.closed:
            raise closed_error()
        self._affinity.check()

    def idle_owner(self) -> asyncio.AbstractEventLoop | None:
        """See ``Affinity.idle_owner``."""
        return self._affinity.idle_owner()

    async def exchange(
        self, request: Request, credentials: Mapping[str, str], timeout: Timeout
    ) -> Response:
        """Send one request and return the response, whatever its status.

        Redirects of a read within the same origin are followed.

        Raises:
            APIConnectionError: no response arrived.
            APIResponseError: the body is too large.
            APIStatusError: a redirect that is not followed.
            ClientClosedError: the client was closed.
        """
        async with self._slots:
            self.check_usable()
            url = Secret(self.base_url + request.target)
            response = await self._send(request, url, credentials, timeout)
            for _ in range(MAX_REDIRECTS):
                if not 300 <= response.status < 400:
                    break
                url = self._redirected(response, url)
                response = await self._send(request, url, credentials, timeout)
        return response

    async def _send(
        self, request: Request, url: Secret, credentials: Mapping[str, str], timeout: Timeout
    ) -> Response:
        shown = self._redact(url)  # a redirect may lead to anywhere
        scope = asyncio.timeout(timeout.total)
        try:
            async with scope:
                self._in_flight.add(scope)
                return await self._receive(request, url, shown, credentials, timeout)
        except asyncio.CancelledError:
            # aiohttp cancels everyone who waits for a connection of a session that is closed.
            task = asyncio.current_task()
            if self.closed and task is not None and not task.cancelling():
                raise closed_error() from None
            raise
        except (aiohttp.ClientError, OSError, TimeoutError, ConnectionDroppedError) as error:
            forget_frames(error)
            if self.closed:
                raise closed_error() from None
            raise connection_error(error, request, shown, timeout, self._redact) from public_cause(
                error, self._redact
            )
        except APIResponseError as error:
            forget_frames(error)  # they contain aiohttp's response, whose repr shows the headers
            raise error from None
        finally:
            self._in_flight.discard(scope)
            if not self._in_flight and self._idle is not None:
                self._idle.set()

    async def _receive(
        self,
        request: Request,
        url: Secret,
        shown: str,
        credentials: Mapping[str, str],
        timeout: Timeout,
    ) -> Response:
        session, options, headers = self._open_session(), self._options, self._headers
        if request.body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        if self._middleware.credentials is not credentials:  # they seldom change
            self._middleware = SingleAttemptMiddleware(credentials)
        # The middlewares of a session that was passed in come after ours, which has to see the
        # errors that reach aiohttp's own retries.
        middlewares = (self._middleware, *getattr(session, "_middlewares", ()))
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
            middlewares=middlewares,
            proxy=options.proxy,
            ssl=options.ssl,
        ) as response:
            return Response(
                request,
                shown,
                response.status,
                response.headers,
                Body(await self._read(response, request, shown), options.max_depth),
                response.headers.getall("Set-Cookie", []),
                self._redact,
            )

    async def _read(self, response: aiohttp.ClientResponse, request: Request, url: str) -> bytes:
        maximum, size, chunks = self._options.max_response_bytes, 0, list[bytes]()
        is_plain = response.headers.get("Content-Encoding") is None
        if is_plain and 0 < (response.content_length or 0) <= min(maximum, READ_AT_ONCE):
            body = await response.read()  # faster, and its size is known
            self.received += len(body)
            return body
        async for chunk in response.content.iter_any():
            size += len(chunk)
            chunks.append(chunk)
            if size > maximum:
                break
        self.received += size
        if size > maximum:
            response.close()
            raise APIResponseError(
                f"{request.method} {url}: the body must not be larger than {maximum:,} bytes: ask "
                "for smaller pages, or increase max_response_bytes",
                method=request.method,
                url=url,
                status=response.status,
            )
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _redirected(self, response: Response, url: Secret) -> Secret:
        """Where the response of ``url`` leads to, if that may be followed."""
        target = self._same_origin_target(response, url)
        if target is not None and not response.request.writes:
            return target
        where = self._redact(response.headers.get("Location", ""))[:CLIP] or "nowhere"
        reason = (
            "credentials are not sent to another host"
            if target is None
            else "a write is not sent twice"
        )
        raise APIStatusError(
            f"{response.what}: {response.status}, a redirect to {where}, was not followed: "
            f"{reason}; check base_url",
            status=response.status,
            message=f"redirect to {where}",
            method=response.request.method,
            url=response.url,
        )

    def _same_origin_target(self, response: Response, url: Secret) -> Secret | None:
        # A method of its own: no frame that an error shows has these variables.
        location = response.headers.get("Location", "")
        try:
            # An encoded location is requested as the server wrote it. The normal form of URLs is
            # for the comparison only.
            is_encoded = re.fullmatch(r"[!-~]+", location) is not None
            target = URL(url, encoded=True).join(URL(location, encoded=is_encoded))
            if location and URL(str(target)).origin() == URL(self.base_url).origin():
                return Secret(target)
        except ValueError:
            pass
        return None

    # --- the session --------------------------------------------------------------------------

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

    def forget_cookies(self, response: Response) -> None:
        """Remove the cookies that a sign-in set from the jar of a session that was passed in.

        The session that is created here keeps no cookies, and the owner of another one did not
        sign in.
        """
        if not self._owns_session and self._session is not None:
            names = {cookie.partition("=")[0].strip() for cookie in response.set_cookies}
            self._session.cookie_jar.clear(lambda cookie: cookie.key in names)

    def __reduce__(self) -> NoReturn:
        raise TypeError("connections do not pickle: make a RybbitClient in each process")

    async def close_without_loop(self) -> None:
        """Close every connection, of an event loop that is closed."""
        self.closed = True
        if self._owns_session and self._session is not None:
            if self._session.connector is not None:
                close_without_loop(self._session.connector)
            await self._session.close()

    async def close(self) -> None:
        """End the requests in flight with ``ClientClosedError``, and close every connection."""
        self.closed = True
        now = asyncio.get_running_loop().time()
        for scope in self._in_flight:
            if not scope.expired():
                scope.reschedule(now)
        try:
            if self._in_flight:
                self._idle = self._idle or asyncio.Event()  # others may be closing, too
                await self._idle.wait()
        finally:
            if self._owns_session and self._session is not None:
                await self._session.close()
