"""Waiting for a turn: the requests of one client form a queue at the pace of its rate limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Final

from ..activity import RateLimitStatus
from ..errors import RateLimitError
from ..wire.messages import Request
from .clock import Timer
from .options import Options
from .pacing import Granted, Pacer, RateLimit
from .retry import Retry
from .told_request import ToldRequest, tell_pause

__all__ = ["Turns"]

log = logging.getLogger("rybbit_async")

# The first pause after a 429 is not shorter than this, also where the server says 0 seconds.
SHORTEST: Final = 0.1


class Turns:
    """Lets one request after the other go, in the order in which they came.

    Single calls go ahead of the requests of walks.

    Those who wait hold neither a connection nor one of the client's ``max_connections``. Every
    turn that is taken must be ended with ``done``.

    Attributes:
        pauses: how many times the server's rate limit stopped the client.
    """

    def __init__(self, limit: RateLimit | Granted | None, timer: Timer) -> None:
        self.pauses = 0
        self._timer = timer
        self._pacer = Pacer(limit)
        # The waiters of a lock are served in order. Of the walks' requests only the first one
        # waits at the lock of all, and it lets single calls go ahead.
        self._lock = asyncio.Lock()
        self._walks = asyncio.Lock()
        self._waiting = 0
        self._single_calls = 0  # of those who wait
        self._told_until = float("-inf")  # the end of a pause that the client has told itself

    @property
    def status(self) -> RateLimitStatus:
        """What is known of the server's limits."""
        return self._pacer.status(self._timer.time())

    def take_at_once(self) -> None:
        """Take a turn without waiting."""
        self._pacer.take(self._timer.time())

    async def take(
        self, request: Request, url: str, options: Options, told: ToldRequest | None = None
    ) -> float:
        """Wait for a turn and take it.

        Returns:
            How many seconds that took.

        Raises:
            RateLimitError: the server has asked for a pause that is too long to wait for.
        """
        timer, pacer = self._timer, self._pacer
        if not self._waiting and not pacer.delay(timer.time()):
            self.take_at_once()
            return 0.0
        began, single = timer.time(), not options.is_walk
        self._waiting += 1
        self._single_calls += single
        try:
            async with nullcontext() if single else self._walks:
                while not await self._take_in_order(request, url, options, told):
                    pass  # single calls have come in the meantime
        finally:
            self._waiting -= 1
            self._single_calls -= single
        return timer.time() - began

    async def _take_in_order(
        self, request: Request, url: str, options: Options, told: ToldRequest | None
    ) -> bool:
        """Take a turn, unless the request is one of a walk and single calls wait for theirs."""
        async with self._lock:
            while not (options.is_walk and self._single_calls):
                now = self._timer.time()
                delay = self._pacer.delay(now)
                if not delay:
                    self.take_at_once()
                    return True
                self._check_pause(request, url, options.retry)
                self._tell_own_pause(delay, now, options, told)
                await self._timer.sleep(delay)
        return False

    def learn(self, headers: Mapping[str, str]) -> None:
        """Read the rate limit from the headers of a response; call it before ``done``."""
        self._pacer.learn(headers, self._timer.time())

    def done(self) -> None:
        """End a turn, whatever the outcome of its request."""
        self._pacer.done(self._timer.time())

    def succeeded(self) -> None:
        """Take note that the server has answered a request."""
        self._pacer.succeeded()

    def pause(
        self, error: RateLimitError, options: Options, told: ToldRequest | None = None
    ) -> float:
        """Let no request go for as long as the server asks, or longer and longer if it does not.

        Returns:
            How many seconds that is from now on.
        """
        now, asked, retry = self._timer.time(), error.retry_after, options.retry
        if asked is None:
            seconds = self._pacer.back_off(retry.wait_max, now)
        else:
            seconds = max(asked, self._pacer.back_off(SHORTEST, now, retry.wait_max))
        if self._pacer.pause(seconds, error.scope, now):
            self.pauses += 1
            log.info("%s rate limit: pausing for %.3f s", error.scope or "the", seconds)
            tell_pause(told, options.observers, seconds, error.scope)
        return self._pacer.paused(now)

    def _tell_own_pause(
        self, delay: float, now: float, options: Options, told: ToldRequest | None
    ) -> None:
        """Tell of a pause because of the client's own limit, once; ``delay`` is as of ``now``."""
        if self._pacer.limit_delay(now) >= delay and now >= self._told_until:
            self._told_until = now + delay
            tell_pause(told, options.observers, delay, "rate_limit")

    def _check_pause(self, request: Request, url: str, retry: Retry) -> None:
        """A pause is waited for completely or not at all; the rest of a day never is."""
        paused, scope = self._pacer.paused(self._timer.time()), self._pacer.scope
        if not paused or (paused <= retry.timeout and scope != "daily"):
            return
        raise RateLimitError(
            f"429 for {request.method} {url}: not sent, because the server has asked for a pause "
            f"({scope or 'rate'} limit). Try again in {paused:g} s",
            status=429,
            message="Rate limit exceeded",
            method=request.method,
            url=url,
            retry_after=paused,
            scope=scope,
        )
