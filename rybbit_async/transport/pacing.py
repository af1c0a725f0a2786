"""How fast to go under a rate limit. Decisions only: no I/O, and time is passed in, in seconds.

Newer servers have a bucket that refills all the time and a quota for the day, and say on each
answer what is left. Older ones say nothing, and count the requests of a key until it has rested.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from ..errors import InvalidParameterError

__all__ = ["Allowance", "Pacer", "RateLimit", "RateLimitStatus"]

# Below this part of the bucket, requests are spread out more and more.
LOW: Final = 0.2
DAY: Final = 86_400.0


def _positive(_: object, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e12:
        raise InvalidParameterError(f"RateLimit {attribute.name}={value!r}: a number above 0")


@frozen
class RateLimit:
    """A limit that the server does not tell: ``RateLimit(500, per=600)`` for servers up to 2.4.

    After ``requests`` requests there is a rest of ``per`` seconds. That is what these servers
    ask for: their count starts anew only when a key has rested for ten minutes, so that a mere
    500 requests in each ten minutes would be refused in the long run.
    """

    requests: int = field(validator=_positive)
    per: float = field(validator=_positive)


@frozen
class Allowance:
    """One limit: how many requests it allows, how many are left, and when it is whole again.

    ``reset`` is in seconds.
    """

    limit: int
    remaining: int
    reset: float


@frozen
class RateLimitStatus:
    """What is known of the server's limits; ``None`` for what it has not told.

    Attributes:
        burst: the bucket that refills all the time.
        daily: the quota for the day, which ends at 00:00 UTC.
        paused: seconds for which no request will be sent, because the server said so.
    """

    burst: Allowance | None = None
    daily: Allowance | None = None
    paused: float = 0.0


class Pacer:
    """The budget of one client, as far as its answers tell it.

    Every request is announced with ``take`` and reported over with ``done``.
    """

    def __init__(self, limit: RateLimit | None = None) -> None:
        self._limit = limit
        self._counted = 0  # requests since the last rest
        self._rested = 0.0  # since when no request was under way
        self._under_way = 0
        self._status = RateLimitStatus()
        self._tokens = 0.0  # in the bucket at ``_as_of``, those under way taken off
        self._as_of = 0.0
        self._rate = 0.0  # tokens a second
        self._last = float("-inf")  # when the last request went
        self._resume = float("-inf")  # no request before this
        self.scope: str | None = None  # of the limit that the pause is for

    def status(self, now: float) -> RateLimitStatus:
        """What is known at ``now``."""
        return evolve(self._status, paused=self.paused(now))

    def paused(self, now: float) -> float:
        """Seconds until the pause that a server asked for is over."""
        return max(0.0, self._resume - now)

    def delay(self, now: float) -> float:
        """Seconds until the next request may go."""
        return max(0.0, self._resume - now, self._bucket_delay(now), self._limit_delay(now))

    def take(self, now: float) -> None:
        """A request goes."""
        self._under_way += 1
        self._last = now
        self._counted += 1
        if self._status.burst is not None:
            self._tokens, self._as_of = self._in_bucket(now) - 1, now

    def done(self, now: float) -> None:
        """A request is over, however it ended."""
        self._under_way -= 1
        self._rested = now

    def pause(self, seconds: float, scope: str | None, now: float) -> bool:
        """No request for so many seconds; tells whether that is news."""
        news = now >= self._resume
        if now + seconds > self._resume:
            self._resume, self.scope = now + seconds, scope
        self._tokens, self._as_of = min(0.0, self._tokens), now
        return news

    def learn(self, headers: Mapping[str, str], now: float) -> None:
        """What an answer's headers say; call it before ``done``."""
        if "RateLimit-Limit" not in headers and "X-RateLimit-Burst-Limit" not in headers:
            return  # a server of one's own has no limits
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
        # Of those under way some may be counted already; the next answers will tell.
        self._tokens, self._as_of = burst.remaining - (self._under_way - 1), now

    def _in_bucket(self, now: float) -> float:
        assert self._status.burst is not None
        grown = self._tokens + self._rate * (now - self._as_of)
        return min(float(self._status.burst.limit), grown)

    def _bucket_delay(self, now: float) -> float:
        burst = self._status.burst
        if burst is None or not self._rate:
            return 0.0
        tokens, low = self._in_bucket(now), max(1.0, burst.limit * LOW)
        if tokens < 1:
            return (1 - tokens) / self._rate
        if tokens >= low:
            return 0.0
        return self._last + (1 - tokens / low) / self._rate - now

    def _limit_delay(self, now: float) -> float:
        if self._limit is None:
            return 0.0
        rested = now - self._rested if not self._under_way else 0.0
        if rested >= self._limit.per:
            self._counted = 0
        if self._counted < self._limit.requests:
            return 0.0
        return self._limit.per - rested


def _allowance(headers: Mapping[str, str], prefix: str) -> Allowance | None:
    try:
        limit, remaining = int(headers[f"{prefix}Limit"]), int(headers[f"{prefix}Remaining"])
        reset = float(headers[f"{prefix}Reset"])
    except (KeyError, ValueError, OverflowError):
        return None
    if not 0 < limit < 2**53 or not remaining < 2**53 or not reset <= DAY:
        return None  # no limit that there is
    return Allowance(limit, max(0, remaining), max(0.0, reset))
