"""Waiting for a server that is away, for the requests that can wait."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final

from ..errors import APIConnectionError, APIStatusError, ClientClosedError, RybbitError
from .clock import Timer

__all__ = ["Outage"]

log = logging.getLogger("rybbit_async")

# At most one request asks every so many seconds whether the server is back.
EVERY: Final = 1.0
# What a proxy answers for a server that it cannot reach.
_UNAVAILABLE: Final = frozenset({502, 503, 504})


class Outage:
    """Whether the server is away, and whose turn it is to ask whether it is back.

    A connection that cannot be made shows at once that the server is away. 502, 503 and 504 do so
    only if different requests fail with them and nothing succeeds in between, since one request
    may be too much for a server that answers all others.

    A request that waits is sent again when it is its turn to ask, or when the server has answered
    another one. Those who ask take turns, so that a request that fails by itself does not hold up
    the others.
    """

    def __init__(self, timer: Timer) -> None:
        self.is_on = False
        self._timer = timer
        self._failed: object | None = None  # a request that the server was not available for
        self._asking: object | None = None  # the request that asks at present
        self._next = float("-inf")  # when the next one may ask
        self._queue: deque[object] = deque()
        self._over = asyncio.Event()

    @staticmethod
    def may_cause(error: RybbitError) -> bool:
        """Whether an error may be due to a server that is away."""
        if isinstance(error, APIConnectionError):
            return not error.sent and error.reason in ("unreachable", "timeout")
        return isinstance(error, APIStatusError) and error.status in _UNAVAILABLE

    def failed(self, request: object, error: RybbitError) -> None:
        """Take note that a request has failed."""
        if isinstance(error, APIStatusError) and error.status not in _UNAVAILABLE:
            self.answered()
        elif self.may_cause(error) and not self.is_on:
            if isinstance(error, APIConnectionError) or self._failed not in (None, request):
                log.info("the server is away: %s", error)
                self.is_on = True
                self._over.clear()
                self._next = self._timer.time() + EVERY
            self._failed = request

    def answered(self) -> None:
        """Take note that the server has answered: it is not away."""
        self._failed = None
        if self.is_on:
            log.info("the server is back")
            self.is_on = False
            self._over.set()

    async def wait(self, request: object, seconds: float) -> bool:
        """Wait until a request may be sent again, for so many seconds at most.

        Returns:
            Whether it may be. ``ended`` has to be called when it was sent.
        """
        timer, queue = self._timer, self._queue
        end = timer.time() + seconds
        queue.append(request)
        try:
            while self.is_on and (now := timer.time()) < end:
                if self._asking is None and queue[0] is request and now >= self._next:
                    self._asking, self._next = request, now + EVERY
                    return True
                pause = self._next - now
                await timer.sleep(min(pause if pause > 0 else EVERY, end - now), self._over)
        except ClientClosedError:
            return True  # the next attempt raises it, without the failure as its context
        finally:
            queue.remove(request)
        return not self.is_on

    def ended(self, request: object) -> bool:
        """Take note that an attempt has ended, whatever the outcome. Returns whether it asked."""
        asked = self._asking is request
        if asked:
            self._asking = None  # the next one may ask
        return asked
