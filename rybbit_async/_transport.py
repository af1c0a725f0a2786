"""Sending a request and getting its answer: the only part that knows aiohttp.

Foreign exceptions become this package's here, and an answer that says no becomes an error here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar, cast

import aiohttp
from attrs import field, frozen
from yarl import URL

from ._json import BadJSONError, loads
from ._shared import Shared
from ._version import __version__
from .auth import ApiKey, NoAuth, PasswordLogin, SignedIn, session_cookie
from .errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    ClientClosedError,
    InvalidParameterError,
    PermissionDeniedError,
    RateLimitError,
    status_error_class,
)

__all__ = ["Answer", "Request", "Timeout", "Transport", "decode"]

T = TypeVar("T")

CLIP: Final = 500
MAX_REDIRECTS: Final = 3


def _seconds(_: object, attribute: Any, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise InvalidParameterError(f"Timeout {attribute.name}={value!r}: seconds, more than 0")


@frozen
class Timeout:
    """How long one attempt may take, in seconds; ``None`` is for ever.

    Attributes:
        connect: to make a connection, its TLS included.
        read: between two pieces of an answer.
        total: the whole attempt, from the first byte sent to the last byte read. Waiting for one
            of the client's ``max_connections`` does not count.
    """

    connect: float | None = field(default=10.0, validator=_seconds)
    read: float | None = field(default=60.0, validator=_seconds)
    total: float | None = field(default=300.0, validator=_seconds)


@frozen
class Request:
    """What to send. ``path`` and ``query`` are encoded already; ``body`` is JSON."""

    method: str
    path: str
    query: str = ""
    body: bytes | None = field(default=None, repr=False)

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD", "OPTIONS")


@frozen
class Answer:
    """What came back, whole, with a status that is a success."""

    request: Request
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    set_cookies: list[str] = field(repr=False)
    redact: Callable[[str], str] = field(repr=False)


class _DroppedError(Exception):
    """A connection that was lost; see ``_one_request``."""


async def _one_request(
    request: aiohttp.ClientRequest,
    handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    """Keeps aiohttp from silently sending a request again when its connection drops.

    It does so for GET, PUT and DELETE when it sees one of these two exceptions. A middleware is
    the public way to step in between, and works for sessions that are passed in, too.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _DroppedError(str(error) or type(error).__name__) from error


class Transport:
    """Sends requests to one server, over one ``ClientSession``.

    Args:
        base_url: the server; the paths of requests are appended to it.
        session: one to use and never to close; without it, one is made in the running loop when
            it is first needed, and closed with the transport.
        max_connections: how many requests may be under way at once.
    """

    def __init__(
        self,
        base_url: str,
        auth: ApiKey | NoAuth | PasswordLogin,
        *,
        session: aiohttp.ClientSession | None,
        max_connections: int,
    ) -> None:
        self.base_url = base_url
        self.closed = False
        self._origin = URL(base_url).origin()
        self._auth = auth
        self._signed_in: SignedIn | None = None
        self._signing_in: Shared[SignedIn] = Shared()
        # What was refused to a session fresh from a sign-in is not worth another sign-in.
        self._refused: set[tuple[str, str]] = set()
        self._session = session
        self._owns_session = session is None
        self._max_connections = max_connections
        self._slots = asyncio.Semaphore(max_connections)
        self._under_way: set[asyncio.Timeout] = set()
        self._idle: asyncio.Event | None = None

    # --- the one way in -----------------------------------------------------------------------

    async def send(self, request: Request, timeout: Timeout) -> Answer:
        """Send ``request`` and give its answer.

        Raises:
            ClientClosedError, APIConnectionError, APITimeoutError, APIStatusError: see each.
        """
        if not isinstance(self._auth, PasswordLogin):
            return await self._attempt(request, self._auth, timeout)
        session = await self._session_of(self._auth, timeout)
        try:
            return await self._attempt(request, session, timeout)
        except APIStatusError as error:
            refusal = (request.method, request.path)
            if not _session_may_be_over(error) or refusal in self._refused:
                raise
            # The session may have run out: servers say so in the words of any other refusal.
            if self._signed_in is session:
                self._signed_in = None
            session = await self._session_of(self._auth, timeout)
            try:
                answer = await self._attempt(request, session, timeout)
            except APIStatusError as again:
                if _session_may_be_over(again):
                    self._refused.add(refusal)
                raise
            self._refused.clear()
            return answer

    # --- signing in ---------------------------------------------------------------------------

    async def _session_of(self, login: PasswordLogin, timeout: Timeout) -> SignedIn:
        if self._signed_in is not None and time.monotonic() < self._signed_in.until:
            return self._signed_in
        self._signing_in.forget()
        return await self._signing_in.get(lambda: self._sign_in(login, timeout))

    async def _sign_in(self, login: PasswordLogin, timeout: Timeout) -> SignedIn:
        body = json.dumps({"email": login.email, "password": login.password}).encode()
        request = Request("POST", "/api/auth/sign-in/email", body=body)
        answer = await self._attempt(request, NoAuth(), timeout)
        session = session_cookie(answer.set_cookies, time.monotonic())
        if session is None:
            raise APIResponseError(
                f"{request.method} {answer.url}: signed in, but no session cookie came",
                method=request.method,
                url=answer.url,
                status=answer.status,
            )
        self._signed_in = session
        return session

    # --- one attempt --------------------------------------------------------------------------

    async def _attempt(
        self, request: Request, auth: ApiKey | NoAuth | SignedIn, timeout: Timeout
    ) -> Answer:
        """One request on the wire, plus those that a redirect within the same origin asks for."""
        self._check_open()
        async with self._slots:
            self._check_open()
            answer = await self._exchange(request, self.base_url + request.target, auth, timeout)
            for _ in range(MAX_REDIRECTS):
                if not 300 <= answer.status < 400:
                    break
                answer = await self._exchange(request, self._redirected(answer), auth, timeout)
        if not 200 <= answer.status < 300:
            raise self._refusal(answer, auth)
        return answer

    async def _exchange(
        self,
        request: Request,
        url: str,
        auth: ApiKey | NoAuth | SignedIn,
        timeout: Timeout,
    ) -> Answer:
        session = self._open_session()
        headers = {
            "Accept": "application/json",
            "User-Agent": f"rybbit_async/{__version__}",
            **auth.headers(),
        }
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        limits = aiohttp.ClientTimeout(
            total=None, sock_connect=timeout.connect, sock_read=timeout.read
        )
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
                    timeout=limits,
                    allow_redirects=False,
                    raise_for_status=False,
                    middlewares=(_one_request, *theirs),
                ) as response:
                    body = await response.read()
                    set_cookies = response.headers.getall("Set-Cookie", [])
                    self._forget_cookies(session, response)
                    return Answer(
                        request,
                        url,
                        response.status,
                        response.headers,
                        body,
                        set_cookies,
                        self._redact,
                    )
        except asyncio.CancelledError:
            # aiohttp cancels whoever waits for a connection of a session that is closed.
            task = asyncio.current_task()
            if self.closed and task is not None and not task.cancelling():
                raise self._closed_error() from None
            raise
        except (aiohttp.ClientError, OSError, TimeoutError, _DroppedError) as error:
            if self.closed:
                raise self._closed_error() from None
            cause = error.__cause__ if isinstance(error, _DroppedError) else error
            raise self._connection_error(error, request, url, timeout) from cause
        finally:
            self._under_way.discard(scope)
            if not self._under_way and self._idle is not None:
                self._idle.set()

    def _forget_cookies(
        self, session: aiohttp.ClientSession, response: aiohttp.ClientResponse
    ) -> None:
        # Our own session keeps no cookies. In the jar of one that was passed in, the session that
        # a sign-in gave has no business either: its owner did not sign in.
        if not self._owns_session and isinstance(self._auth, PasswordLogin) and response.cookies:
            names = set(response.cookies)
            session.cookie_jar.clear(lambda cookie: cookie.key in names)

    def _redirected(self, answer: Answer) -> str:
        location = answer.headers.get("Location", "")
        said = f"{answer.request.method} {answer.url}: {answer.status}, a redirect"
        try:
            target = URL(answer.url, encoded=True).join(URL(location))
            same = bool(location) and target.origin() == self._origin
        except ValueError:
            target, same = None, False
        if same and not answer.request.writes:
            return str(target)
        where = self._redact(location)[:CLIP] or "nowhere"
        raise APIStatusError(
            f"{said} to {where}, was not followed: "
            + ("a write is not sent twice" if same else "credentials go to no other host")
            + "; check base_url",
            status=answer.status,
            message=f"redirect to {where}",
            method=answer.request.method,
            url=answer.url,
        )

    # --- errors -------------------------------------------------------------------------------

    def _connection_error(
        self, error: Exception, request: Request, url: str, timeout: Timeout
    ) -> APIConnectionError:
        sent = not isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
        what = f"{request.method} {url}"
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            text = f"{what}: no connection within {timeout.connect} s (Timeout.connect)"
        elif isinstance(error, aiohttp.ServerTimeoutError):
            text = f"{what}: nothing came for {timeout.read} s (Timeout.read)"
        elif isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
            text = f"{what}: not done within {timeout.total} s (Timeout.total)"
        elif isinstance(error, aiohttp.ClientPayloadError):
            text = f"{what}: the connection was lost in the middle of the answer"
            return APIConnectionError(text, method=request.method, url=url, sent=True)
        elif sent:
            text = f"{what}: the connection was lost before an answer came ({error})"
            return APIConnectionError(text, method=request.method, url=url, sent=True)
        else:
            text = f"{what}: no connection could be made ({error})"
            return APIConnectionError(text, method=request.method, url=url, sent=False)
        return APITimeoutError(text, method=request.method, url=url, sent=sent)

    def _refusal(self, answer: Answer, auth: ApiKey | NoAuth | SignedIn) -> APIStatusError:
        request = answer.request
        said = self._redact_all(_error_body(answer.body))
        body = self._redact(answer.body.decode(errors="replace"))[:CLIP]
        message = _message(said) or body.partition("\n")[0][:120] or "no text"
        cls = status_error_class(answer.status)
        text = f"{answer.status} for {request.method} {answer.url}: {message[:CLIP]}"
        if cls is PermissionDeniedError and request.writes and isinstance(auth, ApiKey):
            text += (
                ". A key may not write here: servers before 2.14 let a key only read, later ones "
                "ask for the scope goals:write. Give the key that scope, or sign in with "
                "auth=PasswordLogin(email, password)"
            )
        fields: dict[str, Any] = {
            "status": answer.status,
            "message": message,
            "method": request.method,
            "url": answer.url,
            "body": body,
            "details": said.get("details"),
        }
        if cls is RateLimitError:
            fields["retry_after"] = _retry_after(answer.headers, said)
            scope = said.get("scope")
            fields["scope"] = scope if isinstance(scope, str) else None
        return cls(text, **fields)

    def _redact(self, text: str) -> str:
        secrets: tuple[str, ...] = ()
        if isinstance(self._auth, PasswordLogin):
            secrets = (self._auth.password,)
        else:
            secrets = self._auth.secrets
        if self._signed_in is not None:
            secrets += self._signed_in.secrets
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    def _redact_all(self, value: Any) -> Any:
        """JSON without a secret in any of its text."""
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, list):
            many: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # JSON
            return [self._redact_all(one) for one in many]
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {self._redact(key): self._redact_all(one) for key, one in items}
        return value

    # --- life cycle ---------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.closed:
            raise self._closed_error()

    def _closed_error(self) -> ClientClosedError:
        return ClientClosedError("the client is closed: make a new one, or close it later")

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._max_connections),
                cookie_jar=aiohttp.DummyCookieJar(),
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
        if self._under_way:
            self._idle = asyncio.Event()
            await self._idle.wait()
        await self._signing_in.settle()
        if self._owns_session and self._session is not None:
            await self._session.close()


def _session_may_be_over(error: APIStatusError) -> bool:
    # Other refusals say more: "Goal does not belong to this site", "Origin not allowed".
    return error.status == 401 or (error.status == 403 and error.message == "Forbidden")


def _error_body(body: bytes) -> dict[str, Any]:
    try:
        data = loads(body)
    except BadJSONError:
        return {}
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _message(said: Mapping[str, Any]) -> str:
    # Two shapes: "error" alone, or "error" with a "message" that says more.
    for name in ("message", "error"):
        text = said.get(name)
        if isinstance(text, str) and text:
            return text
    return ""


def _retry_after(headers: Mapping[str, str], said: Mapping[str, Any]) -> float | None:
    for value in (headers.get("Retry-After"), said.get("retryAfter")):
        try:
            seconds = float(value)  # type: ignore[arg-type]  # what is no number raises
        except (TypeError, ValueError):
            continue
        if seconds >= 0:
            return seconds
    return None


def decode(answer: Answer, read: Callable[[bytes], T]) -> T:
    """What ``read`` makes of an answer's body.

    Raises:
        APIResponseError: the body is no JSON, or not what ``read`` expects.
    """
    what = f"{answer.request.method} {answer.url}"
    try:
        return read(answer.body)
    except BadJSONError as error:
        kind = answer.headers.get("Content-Type", "no content type")
        raise _response_error(answer, f"{what}: the body ({kind}) {error}", "") from None
    except APIResponseError as error:
        raise _response_error(answer, f"{what}: {error}", error.path) from None


def _response_error(answer: Answer, text: str, path: str) -> APIResponseError:
    return APIResponseError(
        answer.redact(text),
        path=answer.redact(path),
        method=answer.request.method,
        url=answer.url,
        status=answer.status,
        body=answer.redact(answer.body.decode(errors="replace"))[:CLIP],
    )
