"""The way of a request until it is answered: credentials, pace, retries.

The decisions are made in ``retry`` and ``pacing``; ``http`` sends the request.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from attrs import define, frozen

from ..errors import APIConnectionError, APIStatusError, RateLimitError, RybbitError
from ..wire.messages import Request, Response, error_from_response
from .auth import ApiKey, Credentials, NoAuth, PasswordLogin
from .clock import Clock, ServerClock, Timer
from .hints import Hints
from .http import Http, HttpOptions
from .key_function import KeyFunction
from .options import Options
from .pacing import RateLimit, RateLimitStatus
from .redaction import without_secrets
from .renewal import Renewal
from .retry import RetryBudget, may_have_arrived
from .sign_in import SIGN_IN, SignIn
from .turns import Turns

__all__ = ["Stats", "Transport"]

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger("rybbit_async")


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
    """Sends the requests of one client, at one pace and with one budget of retries."""

    def __init__(
        self,
        base_url: str,
        auth: ApiKey | KeyFunction | NoAuth | PasswordLogin,
        *,
        session: aiohttp.ClientSession | None,
        options: HttpOptions,
        rate_limit: RateLimit | None,
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
        self._hints = Hints(self.timer)
        self._requests = self._retries = 0

    @property
    def stats(self) -> Stats:
        """What was done so far."""
        return Stats(self._requests, self._retries, self._turns.pauses, self.http.received)

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
        timer, call = self.timer, _Call(request, options)
        start, attempt, unexplained, arrived = timer.time(), 0, 0, False
        while True:
            attempt += 1
            try:
                return await self._authorised(call)
            except (APIConnectionError, APIStatusError) as error:
                signing_in = error.url.endswith(self.redact(SIGN_IN))
                limited = None if signing_in or not isinstance(error, RateLimitError) else error
                if limited is not None and limited.retry_after is None:
                    unexplained += 1
                wait = options.retry.wait(
                    "GET" if signing_in else request.method,
                    error,
                    attempt=attempt,
                    unexplained=unexplained,
                    elapsed=timer.time() - start - call.queued,
                    chance=timer.clock.chance(),
                )
                if limited is not None:
                    self._turns.pause(limited, options.retry)
                if wait is None or not (limited or self._budget.retry(timer.time())):
                    # The effect of an earlier attempt may be the reason why this one failed.
                    if isinstance(error, APIStatusError):
                        error.repeated = arrived
                    if attempt > 1:
                        error.add_note(f"after {attempt} attempts, see Retry")
                    raise
                arrived = arrived or (may_have_arrived(error) and not signing_in)
                log.info("attempt %d failed, next one in %.3f s: %s", attempt, wait, error)
            self._retries += 1
            if limited is None:  # otherwise all requests wait, see ``Turns``
                await timer.sleep(wait)

    async def _authorised(self, call: _Call) -> Response:
        """One attempt, with credentials that are valid as far as is known."""
        auth = self._auth
        if isinstance(auth, Renewal):
            return await auth.attempt(
                call.request, call.options, lambda current: self._attempt(call, current)
            )
        return await self._attempt(call, auth)

    async def _post_sign_in(self, request: Request, options: Options) -> Response:
        response = await self._attempt(_Call(request, options), NoAuth())
        self.http.forget_cookies(response)
        return response

    async def _attempt(self, call: _Call, credentials: Credentials) -> Response:
        """One request on the wire, when it is its turn."""
        timer, request = self.timer, call.request
        url = self.redact(self.http.base_url + request.target)
        if request.path == SIGN_IN:  # the server limits sign-ins separately
            self._turns.take_at_once()
        else:
            call.queued += await self._turns.take(request, url, call.options.retry)
        began = timer.time()
        self._budget.request(began)
        self._requests += 1
        outcome = "cancelled"
        try:
            response = await self.http.exchange(
                request, credentials.headers(), call.options.timeout
            )
            outcome = str(response.status)
            self._turns.learn(response.headers)
            self.server_clock.learn(response.headers)
        except RybbitError as error:
            outcome = type(error).__name__
            raise
        finally:
            self._turns.done()
            if log.isEnabledFor(logging.DEBUG):
                took = timer.time() - began
                log.debug("%s %s: %s in %.3f s", request.method, url, outcome, took)
        if not response.succeeded:
            hint = self._hints.hint(response, credentials)
            raise error_from_response(response, hint, timer.now())
        self._turns.succeeded()
        self._hints.succeeded(request.path)
        return response

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


@define
class _Call:
    """A request that is being sent, and how many seconds it has waited for its turns."""

    request: Request
    options: Options
    queued: float = 0.0
