"""How fast to send requests under a rate limit. Only decisions: no I/O, and no clock.

Newer servers have a token bucket that refills continuously and a daily quota, and say in each
response what is left. Older ones say nothing, and count the requests of a key until it has been
idle for some time. All times are in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from ..activity import Allowance, RateLimitStatus
from ..parameters.checks import invalid
from ..plain import plain_float, plain_int

__all__ = ["Granted", "Pacer", "RateLimit"]

# When less than this part of the bucket is left, requests are spread out more and more.
LOW: Final = 0.2
# The smallest share of a bucket that a client takes when others use it, too.
LEAST_SHARE: Final = 1 / 64
DAY: Final = 86_400.0
# The longest pause after a 429 that does not say how long to wait.
LONGEST: Final = 60.0
# How often it is looked for requests that were granted meanwhile.
LOOK: Final = 0.1


def _positive(_: object, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e12:
        raise invalid(f"RateLimit.{attribute.name}", value, "be a number greater than 0")


@frozen
class RateLimit:
    """A limit that the server does not announce: ``RateLimit(500, per=600)`` for servers up to 2.4.

    After ``requests`` requests, the client sends none for ``per`` seconds. This is what these
    servers require: they reset their count only when a key has been idle for ten minutes, so that
    500 requests in every ten minutes would be refused after a while.
    """

    requests: int = field(converter=plain_int, validator=_positive)
    per: float = field(converter=plain_float, validator=_positive)


class Granted:
    """A limit that several processes share: one of them grants requests to the others.

    Attributes:
        left: how many requests may still be sent. Whoever grants some adds to it.
    """

    def __init__(self) -> None:
        self.left = 0
        self._in_flight = 0
        self._ended: float | None = None

    def take(self) -> None:
        """Count a request that is being sent."""
        self.left -= 1
        self._in_flight += 1

    def done(self, now: float) -> None:
        """Count a request that has ended."""
        self._in_flight -= 1
        self._ended = now

    def idle(self, now: float) -> float | None:
        """Seconds since the end of the latest request; ``None`` if there was none."""
        if self._in_flight:
            return 0.0
        return None if self._ended is None else now - self._ended


class Pacer:
    """Decides when the next request of one client may be sent.

    ``take`` must be called when a request is sent, and ``done`` when it has ended.
    """

    def __init__(self, limit: RateLimit | Granted | None = None) -> None:
        self._limit = limit
        self._counted = 0  # requests since the key was last idle for long enough
        self._idle_since = 0.0  # when the last request ended
        self._in_flight = 0
        self._status = RateLimitStatus()
        self._tokens = 0.0  # in the bucket at ``_as_of``, without those of requests in flight
        self._as_of = 0.0
        self._rate = 0.0  # tokens per second
        # How much of the rate this client counts on. It is halved when the server refuses a
        # request, since others use the bucket then, and grows again with each success. Clients
        # that share a bucket so come to share its rate, and few of their requests are refused.
        self._share = 1.0
        self._last = float("-inf")  # when the last request was sent
        self._resume = float("-inf")  # when the pause ends
        self._pauses = 0  # one after another, of a length that the server did not say
        self.scope: str | None = None  # the limit that caused the pause

    def status(self, now: float) -> RateLimitStatus:
        """What is known at ``now``."""
        return evolve(self._status, paused=self.paused(now))

    def paused(self, now: float) -> float:
        """Seconds until the end of a pause that the server asked for."""
        return max(0.0, self._resume - now)

    def delay(self, now: float) -> float:
        """Seconds until the next request may be sent."""
        return max(0.0, self._resume - now, self._bucket_delay(now), self.limit_delay(now))

    def take(self, now: float) -> None:
        """Count a request that is being sent."""
        self._in_flight += 1
        self._last = now
        self._counted += 1
        if isinstance(self._limit, Granted):
            self._limit.take()
        if self._status.burst is not None:
            self._tokens, self._as_of = self._in_bucket(now) - 1, now

    def done(self, now: float) -> None:
        """Count a request that has ended, whatever the outcome."""
        self._in_flight -= 1
        self._idle_since = now
        if isinstance(self._limit, Granted):
            self._limit.done(now)

    def pause(self, seconds: float, scope: str | None, now: float) -> bool:
        """Send no request for ``seconds``. Returns whether there was no pause before."""
        is_new = now >= self._resume
        if is_new:
            self._share = max(LEAST_SHARE, self._share / 2)
        if now + seconds > self._resume:
            self._resume, self.scope = now + seconds, scope
        self._tokens, self._as_of = min(0.0, self._tokens), now
        return is_new

    def back_off(self, shortest: float, now: float, longest: float = LONGEST) -> float:
        """How long to pause at least: while nothing succeeds, each time twice as long."""
        if now >= self._resume:  # otherwise it is one of several answers in the same pause
            self._pauses += 1
        return min(max(shortest, longest), shortest * 2.0 ** min(self._pauses - 1, 60))

    def succeeded(self) -> None:
        """Begin with short pauses again, and count on a little more of the bucket."""
        self._pauses = 0
        self._share = min(1.0, self._share * 1.01)

    def learn(self, headers: Mapping[str, str], now: float) -> None:
        """Read the limits from the headers of a response; call it before ``done``."""
        if "RateLimit-Limit" not in headers and "X-RateLimit-Burst-Limit" not in headers:
            return  # a self-hosted server has no limits
        daily = _allowance(headers, "X-RateLimit-Daily-")
        burst = _allowance(headers, "X-RateLimit-Burst-") or (
            None if daily else _allowance(headers, "RateLimit-")
        )
        if daily is not None:
            self._status = evolve(self._status, daily=daily)
        if burst is None:
            return
        self._status = evolve(self._status, burst=burst)
        used = burst.limit - burst.remaining
        if used > 0 and burst.reset > 0:
            self._rate = used / burst.reset
        elif not self._rate:
            self._rate = burst.limit / 10
        # Some of those in flight may be counted already; the next responses correct that.
        self._tokens, self._as_of = burst.remaining - (self._in_flight - 1), now

    def _in_bucket(self, now: float) -> float:
        assert self._status.burst is not None
        tokens = self._tokens + self._rate * self._share * (now - self._as_of)
        return min(float(self._status.burst.limit), tokens)

    def _bucket_delay(self, now: float) -> float:
        burst = self._status.burst
        if burst is None or not self._rate:
            return 0.0
        tokens, low, rate = self._in_bucket(now), max(1.0, burst.limit * LOW), self._rate
        rate *= self._share
        if tokens < 1:
            return (1 - tokens) / rate
        if tokens >= low:
            return 0.0
        return self._last + (1 - tokens / low) / rate - now

    def limit_delay(self, now: float) -> float:
        """The same because of a limit that the server does not announce."""
        if self._limit is None:
            return 0.0
        if isinstance(self._limit, Granted):
            return 0.0 if self._limit.left > 0 else LOOK
        idle = now - self._idle_since if not self._in_flight else 0.0
        if idle >= self._limit.per:
            self._counted = 0
        if self._counted < self._limit.requests:
            return 0.0
        return self._limit.per - idle


def _allowance(headers: Mapping[str, str], prefix: str) -> Allowance | None:
    try:
        limit, remaining = int(headers[f"{prefix}Limit"]), int(headers[f"{prefix}Remaining"])
        reset = float(headers[f"{prefix}Reset"])
    except (KeyError, ValueError, OverflowError):
        return None
    if not 0 < limit < 2**53 or not remaining < 2**53 or not reset <= DAY:
        return None  # not a plausible limit
    return Allowance(limit, max(0, remaining), max(0.0, reset))
