"""The way of a request until it is answered: credentials, pace, retries.

The decisions are made in ``retry`` and ``pacing``; ``http`` sends the request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, frozen

from ..activity import RateLimitStatus
from ..errors import APIConnectionError, APIStatusError, RateLimitError, RybbitError
from ..wire.messages import Request, Response, error_from_response
from .auth import ApiKey, Credentials, NoAuth, PasswordLogin
from .clock import Clock, ServerClock, Timer
from .hints import Hints
from .http import Http, HttpOptions
from .key_function import KeyFunction
from .options import Options
from .outage import Outage
from .pacing import Granted, RateLimit
from .redaction import without_secrets
from .renewal import Renewal
from .retry import RetryBudget, may_have_arrived
from .sign_in import SIGN_IN, SignIn
from .told_request import ToldRequest
from .turns import Turns

__all__ = ["Stats", "Transport"]

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger("rybbit_async")

# Every release has it, and answers it without credentials.
_VERSION: Final = Request("GET", "/api/version")

_NOBODY: Final = nullcontext()


@frozen
class Stats:
    """What a client has done so far, for example for a metrics exporter.

    Attributes:
        requests: how many attempts were started, including those of sign-ins.
        retries: how many attempts were not the first one of their request.
        pauses: how many times the server's rate limit stopped the client.
        bytes: the size of all bodies that arrived, after decompression.
    """

    requests: int = 0
    retries: int = 0
    pauses: int = 0
    bytes: int = 0


class Transport:
    """Sends the requests of one client, at one pace and with one budget of retries.

    Attributes:
        on_write: called with each request that may change something, before it is sent. What it
            raises is raised by ``send``.
    """

    def __init__(
        self,
        base_url: str,
        auth: ApiKey | KeyFunction | NoAuth | PasswordLogin,
        *,
        session: aiohttp.ClientSession | None,
        options: HttpOptions,
        rate_limit: RateLimit | Granted | None,
        clock: Clock,
    ) -> None:
        self.http = Http(base_url, session=session, options=options, redact=self.redact)
        self.timer = Timer(clock)
        self.server_clock = ServerClock(self.timer)
        self._auth = (
            SignIn(auth, self._post_sign_in, self.timer)
            if isinstance(auth, PasswordLogin)
            else auth
        )
        self._turns = Turns(rate_limit, self.timer)
        self._budget = RetryBudget()
        self._outage = Outage(self.timer)
        self._hints = Hints(self.timer)
        self.on_write: Callable[[Request], object] | None = None
        self._requests = self._retries = 0

    @property
    def stats(self) -> Stats:
        """What was done so far."""
        return Stats(self._requests, self._retries, self._turns.pauses, self.http.bodies.received)

    @property
    def rate_limit(self) -> RateLimitStatus:
        """What is known of the server's limits."""
        return self._turns.status

    # --- sending ------------------------------------------------------------------------------

    async def send(self, request: Request, options: Options) -> Response:
        """Send a request, as often as necessary and allowed, and return the successful response.

        Raises:
            APIStatusError: the server answered with an error status.
            APIConnectionError: no response arrived.
            APIResponseError: the body is too large.
            ClientClosedError: the client was closed.
        """
        self.http.check_usable()
        if self.on_write is not None and request.writes and not options.is_walk:
            self.on_write(request)
        call = self._call(request, options)
        with call.told or _NOBODY:
            return await self._send(call)

    def _call(self, request: Request, options: Options) -> _Call:
        timer = self.timer
        told = ToldRequest.of(request, options.observers, timer.time)
        return _Call(request, options, told, timer.time())

    async def _send(self, call: _Call) -> Response:
        while True:
            try:
                return await self._authorised(call)
            except (APIConnectionError, APIStatusError) as error:
                wait = await self._next_wait(call, error)
                if wait is None:
                    # The effect of an earlier attempt may be the reason why this one failed.
                    if isinstance(error, APIStatusError):
                        error.repeated = call.arrived
                    if call.sent > 1:
                        error.add_note(f"after {call.sent} attempts, see Retry")
                    raise
                call.arrived = call.arrived or (
                    may_have_arrived(error) and not self._is_sign_in(error)
                )
            self._retries += 1
            if wait:
                await self.timer.sleep(wait)

    async def _next_wait(
        self, call: _Call, error: APIConnectionError | APIStatusError
    ) -> float | None:
        """Seconds to wait before the next attempt, or ``None`` if there is to be none."""
        if getattr(error, "status", None) == 500 and not call.options.repeats_500:
            return None
        timer, retry, signing_in = self.timer, call.options.retry, self._is_sign_in(error)
        pause = 0.0
        now = timer.time()
        elapsed = now - call.began - call.queued
        limited = error if isinstance(error, RateLimitError) and not signing_in else None
        if limited is not None and limited.retry_after is not None:
            call.limited_at = now if call.limited_at is None else call.limited_at
            elapsed = now - call.limited_at
        elif not call.asked:
            call.attempts += 1
            call.unexplained += limited is not None
        wait = retry.wait(
            # The requests of a walk only read, also where the server wants a POST for that.
            "GET" if signing_in or call.options.is_walk else call.request.method,
            error,
            attempt=max(1, call.attempts),
            unexplained=call.unexplained,
            elapsed=elapsed,
            chance=timer.clock.chance(),
        )
        if limited is not None:
            pause = self._turns.pause(limited, call.options, call.told)
            if limited.retry_after is not None and elapsed + pause > retry.timeout:
                return None
        elif not signing_in and call.waits and self._outage.may_cause(error):
            if wait is None and not self._outage.is_on:
                await self._ask_for_version(call.options)
            if self._outage.is_on:
                if call.told is not None:
                    call.told.retry_planned(error, None)
                return 0.0 if await self._outage.wait(call, retry.timeout - elapsed) else None
        if wait is None or not (limited or self._budget.retry(now)):
            return None
        log.info("attempt %d failed, next one in %.3f s: %s", call.sent, wait, error)
        if call.told is not None:
            call.told.retry_planned(error, pause if limited else wait)
        return 0.0 if limited else wait  # after a 429 all requests wait, see ``Turns``

    async def _ask_for_version(self, options: Options) -> None:
        """Send another request, to see whether it fails in the same way."""
        with suppress(RybbitError):
            await self._send_once(_VERSION, evolve(options, has_begun=None))

    async def _authorised(self, call: _Call) -> Response:
        """One attempt, with credentials that are valid as far as is known."""
        call.sent += 1
        auth = self._auth
        try:
            if isinstance(auth, Renewal):
                return await auth.attempt(
                    call.request, call.options, lambda current: self._attempt(call, current)
                )
            return await self._attempt(call, auth)
        finally:
            call.asked = self._outage.ended(call)

    async def _post_sign_in(self, request: Request, options: Options) -> Response:
        response = await self._send_once(request, options)
        self.http.forget_cookies(response)
        return response

    async def _send_once(self, request: Request, options: Options) -> Response:
        """One attempt without credentials."""
        call = self._call(request, options)
        with call.told or _NOBODY:
            return await self._attempt(call, NoAuth())

    async def _attempt(self, call: _Call, credentials: Credentials) -> Response:
        """One request on the wire, when it is its turn."""
        request, told, waited = call.request, call.told, 0.0
        url = self.redact(self.http.base_url + request.target)
        if told is not None:
            told.begin(url)
        if request.path == SIGN_IN:  # the server limits sign-ins separately
            self._turns.take_at_once()
        else:
            waited = await self._turns.take(request, url, call.options, told)
            call.queued += waited
        if told is None:
            return await self._exchange(call, url, credentials)
        began, failure = self.timer.time(), None
        call.status, call.received = None, 0
        try:
            return await self._exchange(call, url, credentials)
        except BaseException as error:
            failure = error
            raise
        finally:
            told.attempt_ended(
                failure,
                status=call.status,
                seconds=self.timer.time() - began,
                bytes_=call.received,
                waited=waited,
                rate_limit=self.rate_limit,
            )

    async def _exchange(self, call: _Call, url: str, credentials: Credentials) -> Response:
        timer, request = self.timer, call.request
        began = timer.time()
        self._budget.request(began)
        self._requests += 1
        outcome = "cancelled"
        try:
            response = await self.http.exchange(
                request, credentials.headers(), call.options.timeout
            )
            outcome = str(response.status)
            call.status, call.received = response.status, len(response.body.data)
            self._turns.learn(response.headers)
            self.server_clock.learn(response.headers)
        except RybbitError as error:
            outcome = type(error).__name__
            self._outage.failed(call, error)
            raise
        finally:
            self._turns.done()
            if log.isEnabledFor(logging.DEBUG):
                took = timer.time() - began
                log.debug("%s %s: %s in %.3f s", request.method, url, outcome, took)
        if not response.succeeded:
            hint = self._hints.hint(response, credentials)
            refusal = error_from_response(response, hint, timer.now())
            self._outage.failed(call, refusal)
            raise refusal
        self._outage.answered()
        self._turns.succeeded()
        self._hints.succeeded(request.path)
        return response

    def _is_sign_in(self, error: APIConnectionError | APIStatusError) -> bool:
        """Whether it was not the request that failed, but the sign-in before it."""
        return error.url.endswith(self.redact(SIGN_IN))

    # --- life cycle ---------------------------------------------------------------------------

    def redact(self, text: str) -> str:
        """``text`` without the client's secrets."""
        return without_secrets(text, self._auth.secrets)

    def refuse_requests(self) -> None:
        """Raise ``ClientClosedError`` for requests from now on, and do nothing else yet."""
        self.http.closed = self.timer.closed = True

    async def close(self) -> None:
        """End the requests that wait or are in flight with ``ClientClosedError``."""
        self.refuse_requests()
        self.timer.close()
        try:
            await self.http.close()
        finally:
            if isinstance(self._auth, Renewal):
                await self._auth.close()


@define(eq=False)
class _Call:
    """A request that is being sent.

    Attributes:
        told: the same for those who are told of it, if there is anyone.
        began: when ``send`` was called.
        queued: how many seconds it has waited for its turns under a rate limit.
        sent: how many attempts were made.
        attempts: how many failed attempts count towards ``Retry.attempts``.
        unexplained: how many failed with a 429 that does not say when to try again.
        limited_at: when it was first answered with a 429 that does.
        arrived: whether a failed attempt may have been carried out.
        asked: whether the last attempt only asked whether the server is back.
        status, received: of the last attempt: the status of its response, and the size of the body.
    """

    request: Request
    options: Options
    told: ToldRequest | None
    began: float
    queued: float = 0.0
    sent: int = 0
    attempts: int = 0
    unexplained: int = 0
    limited_at: float | None = None
    arrived: bool = False
    asked: bool = False
    status: int | None = None
    received: int = 0

    @property
    def waits(self) -> bool:
        """Whether it waits for a server that is away, and may be sent again after that."""
        return self.options.outlasts and self.attempts <= self.options.retry.attempts
