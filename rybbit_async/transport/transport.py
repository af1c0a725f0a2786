"""Sending a request until it is answered: credentials, pace, retries.

What to do is decided elsewhere, in ``retry`` and ``pacing``; how it goes over the wire is
``_http``'s. Nobody waits here while holding a connection or a place.
"""

from __future__ import annotations

import asyncio
import json
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

from attrs import define, frozen

from ..errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    RateLimitError,
    RybbitError,
)
from ..wire.messages import Request, Response, Timeout, error_from_response
from .auth import ApiKey, NoAuth, PasswordLogin, SignedIn, session_cookie
from .clock import Clock
from .http import Http, HttpOptions, closed_error
from .pacing import Pacer, RateLimit, RateLimitStatus
from .retry import Retry, RetryBudget, may_have_arrived
from .single_flight import SingleFlight

__all__ = ["Options", "Stats", "Transport"]

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger("rybbit_async")

REMEMBERED: Final = 256  # paths that worked
SIGN_IN: Final = "/api/auth/sign-in/email"
# What is answered whatever the key.
_OPEN: Final = frozenset({SIGN_IN, "/api/health", "/api/version"})


@frozen
class Options:
    """What a view of the client may change."""

    timeout: Timeout
    retry: Retry


@frozen
class Stats:
    """What a client has done so far, for a metrics exporter to read.

    Attributes:
        requests: attempts that were begun, sign-ins among them.
        retries: attempts that were not the first of their request.
        pauses: times that a server's rate limit stopped the client.
        bytes: of bodies that came, after decompression.
    """

    requests: int = 0
    retries: int = 0
    pauses: int = 0
    bytes: int = 0


class Transport:
    """Sends the requests of one client, through one pace and one budget of retries."""

    def __init__(
        self,
        base_url: str,
        auth: ApiKey | NoAuth | PasswordLogin,
        *,
        session: aiohttp.ClientSession | None,
        options: HttpOptions,
        rate_limit: RateLimit | None,
        clock: Clock,
    ) -> None:
        self.http = Http(base_url, session=session, options=options, redact=self.redact)
        self.clock = clock
        self._auth = auth
        self._signed_in: SignedIn | None = None
        self._signing_in: SingleFlight[SignedIn] = SingleFlight()
        # What was refused to a session fresh from a sign-in is not worth another sign-in.
        self._refused: set[tuple[str, str]] = set()
        self._pacer = Pacer(rate_limit)
        self._turn = asyncio.Lock()
        self._waiting = 0  # for their turn, first come, first served
        self._budget = RetryBudget()
        self._closing: asyncio.Event | None = None
        self._worked: dict[str, float] = {}  # path -> when it last did
        self._requests = self._retries = self._pauses = 0

    @property
    def stats(self) -> Stats:
        """See ``Stats``."""
        return Stats(self._requests, self._retries, self._pauses, self.http.received)

    @property
    def rate_limit(self) -> RateLimitStatus:
        """See ``RateLimitStatus``."""
        return self._pacer.status(self.clock.time())

    # --- the one way in -----------------------------------------------------------------------

    async def send(self, request: Request, options: Options) -> Response:
        """Send ``request``, as often as it takes and the policy allows, and give its answer.

        Raises:
            ClientClosedError, APIConnectionError, APITimeoutError, APIStatusError: see each.
        """
        self.http.check_usable()
        clock, call = self.clock, _Call(request, options)
        start, attempt, arrived = clock.time(), 0, False
        while True:
            attempt += 1
            try:
                return await self._authorised(call)
            except (APIConnectionError, APIStatusError) as error:
                signing_in = error.url.endswith(SIGN_IN)
                wait = options.retry.wait(
                    "GET" if signing_in else request.method,
                    error,
                    attempt=attempt,
                    elapsed=clock.time() - start - call.queued,
                    chance=clock.chance(),
                )
                limited = None if signing_in or not isinstance(error, RateLimitError) else error
                if limited is not None:
                    self._pause(limited, wait)
                if wait is None or not (limited or self._budget.retry(clock.time())):
                    # What an earlier attempt did may be why this one failed.
                    if isinstance(error, APIStatusError):
                        error.repeated = arrived
                    if attempt > 1:
                        error.add_note(f"after {attempt} attempts, see Retry")
                    raise
                arrived = arrived or (may_have_arrived(error) and not signing_in)
                log.info("attempt %d failed, next one in %.3f s: %s", attempt, wait, error)
            self._retries += 1
            if limited is None:  # that wait is everybody's, see ``_take_turn``
                await self._sleep(wait)

    async def _authorised(self, call: _Call) -> Response:
        """One attempt, with credentials that are good as far as is known."""
        if not isinstance(self._auth, PasswordLogin):
            return await self._attempt(call, self._auth)
        session = await self._session_of(self._auth, call.options)
        try:
            return await self._attempt(call, session)
        except APIStatusError as error:
            refused = (call.request.method, call.request.path)
            if not _session_may_be_over(error) or refused in self._refused:
                raise
            # The session may have run out: servers say so in the words of any other refusal.
            if self._signed_in is session:
                self._signed_in = None
            session = await self._session_of(self._auth, call.options)
            try:
                answer = await self._attempt(call, session)
            except APIStatusError as again:
                if _session_may_be_over(again):
                    self._refused.add(refused)
                raise
            self._refused.clear()
            return answer

    async def _attempt(self, call: _Call, auth: ApiKey | NoAuth | SignedIn) -> Response:
        """One request on the wire, when it is its turn."""
        clock, request = self.clock, call.request
        call.queued += await self._take_turn(call)
        began = clock.time()
        self._budget.request(began)
        self._requests += 1
        said = "cancelled"
        try:
            answer = await self.http.exchange(request, auth.headers(), call.options.timeout)
            said = str(answer.status)
            self._pacer.learn(answer.headers, clock.time())
        except RybbitError as error:
            said = type(error).__name__
            raise
        finally:
            self._pacer.done(clock.time())
            if log.isEnabledFor(logging.DEBUG):
                url, took = self.http.base_url + request.target, clock.time() - began
                log.debug("%s %s: %s in %.3f s", request.method, url, said, took)
        if not answer.succeeded:
            raise error_from_response(answer, self._hint(answer, auth), clock.now())
        if request.path not in _OPEN:
            self._worked.pop(request.path, None)
            self._worked[request.path] = clock.time()
            if len(self._worked) > REMEMBERED:
                del self._worked[next(iter(self._worked))]
        return answer

    def _hint(self, answer: Response, auth: ApiKey | NoAuth | SignedIn) -> str:
        """What the caller should know of a refusal besides the server's own few words."""
        if answer.status not in (401, 403):
            return ""
        if answer.status == 403 and answer.request.writes and isinstance(auth, ApiKey):
            return (
                "A key may not write here: servers before 2.14 let a key only read, later ones ask "
                "for the scope goals:write. Give the key that scope, or sign in with "
                "auth=PasswordLogin(email, password)"
            )
        if answer.request.path == SIGN_IN:
            return "The e-mail address or the password of PasswordLogin is not right"
        if isinstance(auth, NoAuth):
            return (
                "No key was sent (api_key, RYBBIT_API_KEY), and only a public site can be read "
                "without one"
            )
        if isinstance(auth, SignedIn):
            return "The account may not do this, or there is no such site"
        causes = (
            "Likely causes: no site of that number, or one of another organisation, or a key that "
            "is wrong, expired or disabled"
        )
        limit = (
            "used up: older servers allow 500 requests, and then want ten minutes of rest (see "
            "rate_limit=RateLimit(500, per=600))"
        )
        since = self._worked.get(answer.request.path)
        if since is None:
            return f"{causes}, or {limit}"
        ago = self.clock.time() - since
        return f"This key worked {ago:.0f} s ago, so it is probably {limit}. {causes}"

    # --- pace ---------------------------------------------------------------------------------

    async def _take_turn(self, call: _Call) -> float:
        """Wait until this request may go; gives the seconds that it waited."""
        pacer, clock = self._pacer, self.clock
        if call.request.path == SIGN_IN:  # it has a limit of its own
            pacer.take(clock.time())
            return 0.0
        if not self._waiting and not pacer.delay(clock.time()):
            pacer.take(clock.time())
            return 0.0
        began = clock.time()
        self._waiting += 1
        try:
            async with self._turn:
                while delay := pacer.delay(clock.time()):
                    self._check_pause(call)
                    await self._sleep(delay)
                pacer.take(clock.time())
        finally:
            self._waiting -= 1
        return clock.time() - began

    def _check_pause(self, call: _Call) -> None:
        """A pause is waited for whole or not at all; the rest of a day never is."""
        paused, scope = self._pacer.paused(self.clock.time()), self._pacer.scope
        if not paused or (paused <= call.options.retry.timeout and scope != "daily"):
            return
        request = call.request
        url = self.http.base_url + request.target
        raise RateLimitError(
            f"429 for {request.method} {url}: not sent, for the server has asked for a pause "
            f"({scope or 'rate'} limit). Try again in {paused:g} s",
            status=429,
            message="Rate limit exceeded",
            method=request.method,
            url=url,
            retry_after=paused,
            scope=scope,
        )

    def _pause(self, error: RateLimitError, wait: float | None) -> None:
        seconds = error.retry_after if error.retry_after is not None else wait or 0.0
        if self._pacer.pause(seconds, error.scope, self.clock.time()):
            self._pauses += 1
            log.info("%s rate limit: pausing for %.3f s", error.scope or "the", seconds)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but not through the closing of the client."""
        if self._closing is None:
            self._closing = asyncio.Event()
        sleeper = asyncio.ensure_future(self.clock.sleep(seconds))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((sleeper, closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            closing.cancel()
            await asyncio.gather(sleeper, closing, return_exceptions=True)
        if self.http.closed:
            raise closed_error()

    # --- signing in ---------------------------------------------------------------------------

    async def _session_of(self, login: PasswordLogin, options: Options) -> SignedIn:
        if self._signed_in is not None and self.clock.time() < self._signed_in.until:
            return self._signed_in
        self._signing_in.forget()
        return await self._signing_in.get(lambda: self._sign_in(login, options))

    async def _sign_in(self, login: PasswordLogin, options: Options) -> SignedIn:
        request = Request(
            "POST",
            SIGN_IN,
            body=json.dumps({"email": login.email, "password": login.password}).encode(),
        )
        answer = await self._attempt(_Call(request, options), NoAuth())
        self.http.forget_cookies(answer)
        session = session_cookie(answer.set_cookies, self.clock.time())
        if session is None:
            raise APIResponseError(
                f"{answer.what}: signed in, but no session cookie came",
                method=answer.request.method,
                url=answer.url,
                status=answer.status,
            )
        self._signed_in = session
        return session

    # --- life cycle ---------------------------------------------------------------------------

    def redact(self, text: str) -> str:
        """``text`` without any of the client's secrets."""
        secrets: tuple[str, ...] = ()
        if isinstance(self._auth, PasswordLogin):
            secrets = (self._auth.password,)
        else:
            secrets = self._auth.secrets
        if self._signed_in is not None:
            secrets += self._signed_in.secrets
        for secret in secrets:
            for form in _forms(str(secret)):
                text = text.replace(form, "***")
        return text

    async def close(self) -> None:
        """End what waits and what is under way with ``ClientClosedError``."""
        self.http.closed = True
        if self._closing is not None:
            self._closing.set()
        try:
            await self.http.close()
        finally:
            await self._signing_in.settle()


@lru_cache(maxsize=8)
def _forms(secret: str) -> list[str]:
    """A secret as it may be echoed: plain, in JSON, in a URL; the longest first."""
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return sorted(forms, key=len, reverse=True)


@define
class _Call:
    """A request on its way, and how long it has waited for its turns, in seconds."""

    request: Request
    options: Options
    queued: float = 0.0


def _session_may_be_over(error: APIStatusError) -> bool:
    # Other refusals say more: "Goal does not belong to this site", "Origin not allowed".
    return error.status == 401 or (error.status == 403 and error.message == "Forbidden")
