"""One request and its response over HTTP: the part of the client that uses aiohttp.

The exceptions of aiohttp become those of this package here.
"""

from __future__ import annotations

import asyncio
import re
import warnings
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from attrs import field, frozen
from yarl import URL

from ..errors import APIResponseError, APIStatusError, ClientClosedError, RybbitError
from ..version import __version__
from ..wire.json import Body
from ..wire.messages import CLIP, Redact, Request, Response
from .affinity import Affinity
from .auth import Secret
from .bodies import BodyReader
from .clock import closed_error
from .closed_loop import close_without_loop
from .connection_errors import connection_error, public_cause, response_error
from .encodings import accept_encoding
from .options import Timeout
from .single_attempt import ConnectionDroppedError, SingleAttemptMiddleware
from .unreadable import MAX_HEADER_BYTES, MAX_HEADERS, UnreadableError

__all__ = ["Http", "HttpOptions"]

MAX_REDIRECTS: Final = 3


@frozen
class HttpOptions:
    """What is the same for every request of one client.

    Attributes:
        max_connections: how many requests may be in flight at once.
        max_response_bytes: the size of the largest body, after decompression.
        max_depth: how deeply the lists and objects of a body may be nested.
        headers: additional headers for every request.
        proxy, ssl, trace_configs: passed to aiohttp.
        unused_proxy: the name of the environment variable that names a proxy for the server, if it
            is not used.
    """

    max_connections: int
    max_response_bytes: int
    max_depth: int
    headers: Mapping[str, str]
    proxy: URL | None = field(repr=False)
    ssl: Any
    trace_configs: Sequence[aiohttp.TraceConfig]
    unused_proxy: str | None = None


class Http:
    """Requests to one server, over one ``ClientSession``.

    Args:
        base_url: the server's address; the targets of requests are appended to it.
        session: a session to use, which is never closed. Without one, a session is created in the
            running loop when it is needed, and closed together with this object.
        redact: removes the client's secrets from a text.
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
        self.bodies = BodyReader(options.max_response_bytes, redact)
        self._session = session
        self._owns_session = session is None
        self._options = options
        self._redact = redact
        self._headers = _headers(options.headers)
        self._middleware = SingleAttemptMiddleware({})
        self._unclosed: weakref.finalize[..., Http] | None = None
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
        self._affinity.check()
        if self.closed:
            raise closed_error()

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
            APIResponseError: the response cannot be read, or its body is too large.
            APIStatusError: a redirect that is not followed.
            ClientClosedError: the client was closed.
        """
        async with self._slots:
            self.check_usable()
            url = Secret(self.base_url + request.target)
            response = await self._send(request, url, credentials, timeout)
            for followed in range(MAX_REDIRECTS + 1):
                if not 300 <= response.status < 400:
                    break
                url = self._redirected(response, url, followed)
                response = await self._send(request, url, credentials, timeout)
        return response

    async def _send(
        self, request: Request, url: Secret, credentials: Mapping[str, str], timeout: Timeout
    ) -> Response:
        shown = self._redact(url)  # a redirect may lead to anywhere
        scope = asyncio.timeout(timeout.total)
        failure: RybbitError
        cause: OSError | None = None
        try:
            async with scope:
                self._in_flight.add(scope)
                return await self._receive(request, url, shown, credentials, timeout)
        except asyncio.CancelledError:
            # aiohttp cancels everyone who waits for a connection of a session that is closed.
            task = asyncio.current_task()
            if not self.closed or task is None or task.cancelling():
                raise
            failure = closed_error()
        except APIResponseError as error:
            failure = error
            error.__traceback__ = None  # aiohttp's response is in it, whose repr shows the headers
        except UnreadableError as error:
            failure = response_error(error, request, shown)
        except (
            aiohttp.ClientError,
            HttpProcessingError,
            OSError,
            TimeoutError,
            ConnectionDroppedError,
        ) as error:
            failure = connection_error(
                error, request, shown, timeout, self._redact, self._options.unused_proxy
            )
            cause = public_cause(error, self._redact)
        finally:
            self._in_flight.discard(scope)
            if not self._in_flight and self._idle is not None:
                self._idle.set()
        if self.closed:
            failure, cause = closed_error(), None
        # Out here, the exception of aiohttp is not its context: it may show parts of the response.
        raise failure from cause

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
            # With trust_env, aiohttp takes credentials for the server from the file .netrc.
            netrc = session.trust_env and "Authorization" not in session.headers
            self._middleware = SingleAttemptMiddleware(credentials, ignores_netrc=netrc)
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
            auto_decompress=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        ) as response:
            body, unreadable = b"", ""
            try:
                body = await self.bodies.read(response, request, shown)
            except UnreadableError as error:
                if 200 <= response.status < 300:
                    error.status = response.status
                    raise
                unreadable = f"the body cannot be read: {error}"  # but the status says enough
            return Response(
                request,
                shown,
                response.status,
                response.headers,
                Body(body, options.max_depth),
                response.headers.getall("Set-Cookie", []),
                self._redact,
                unreadable,
            )

    def _redirected(self, response: Response, url: Secret, followed: int) -> Secret:
        """Where the response of ``url`` leads to, if that may be followed."""
        target = self._same_origin_target(response, url)
        location = self._redact(response.headers.get("Location", ""))[:CLIP]
        what = f"a redirect to {location}" if location else "a redirect without a Location"
        if response.status == 304:
            what = "which says that nothing has changed"
        if target is None and not location:
            reason = "it is probably an answer of a proxy or a cache in front of the server"
        elif target is None:
            reason = "credentials are not sent to another host; check base_url"
        elif response.request.writes:
            reason = "a write is not sent twice; check base_url"
        elif followed == MAX_REDIRECTS:
            reason = f"it is one of more than {MAX_REDIRECTS} in a row; check base_url"
        else:
            return target
        raise APIStatusError(
            f"{response.what}: {response.status}, {what}, was not followed: {reason}",
            status=response.status,
            message=f"redirect to {location or 'nowhere'}",
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
            self._unclosed = weakref.finalize(
                self, _warn_unclosed, self.base_url, self._session, asyncio.get_running_loop()
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
        if self._unclosed is not None:
            self._unclosed.detach()
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


def _headers(more: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of every request: ours, and those of the user, which take their place."""
    ours = {
        "Accept": "application/json",
        # Said in full, since a session that was passed in may ask for what cannot be decoded.
        "Accept-Encoding": accept_encoding(),
        "User-Agent": f"rybbit_async/{__version__}",
    }
    theirs = {name.lower() for name in more}
    return {**{name: text for name, text in ours.items() if name.lower() not in theirs}, **more}


def _warn_unclosed(
    base_url: str, session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop
) -> None:
    """Warn in place of aiohttp, which would not say what to do, and close the connections."""
    connector = session.connector
    if connector is None:  # it was closed
        return
    session.detach()  # so that it does not warn, too
    if loop.is_closed():
        close_without_loop(connector)
    # There is no public way that does not wait, and nobody can wait here.
    connector._close(abort_ssl=True)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    warnings.warn(
        f"unclosed <RybbitClient {base_url}>: use 'async with', or call 'await client.close()'",
        ResourceWarning,
        stacklevel=2,
        source=session,
    )
