"""When to try again. Only decisions: no I/O, no clock, no random numbers."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from attrs import field, frozen

from ..errors import (
    APIConnectionError,
    APIStatusError,
    RateLimitError,
    RybbitError,
)
from ..parameters.checks import invalid
from ..plain import plain_float, plain_int

__all__ = ["Retry", "RetryBudget", "may_have_arrived"]

# A GET changes nothing, a PUT replaces everything, and deleting twice has the same effect as once.
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_TEMPORARY: Final = frozenset({408, 502, 503, 504})


def _number(minimum: float, maximum: float | None = None) -> Any:
    allowed = f"a number of at least {minimum}"
    if maximum is not None:
        allowed += f" and at most {maximum}"
    highest = 1e9 if maximum is None else maximum

    def check(_: object, attribute: Any, value: object) -> None:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not minimum <= value <= highest:  # type: ignore[operator]  # a number
            raise invalid(f"Retry.{attribute.name}", value, f"be {allowed}")

    return check


@frozen
class Retry:
    """How often, and for how long, a request is tried.

    | | not sent | no response | 429 | 408, 502, 503, 504 | other 5xx |
    |---|---|---|---|---|---|
    | GET, HEAD, PUT, DELETE | again | again | when the server says | again | once again |
    | POST, PATCH | again | never | when the server says | never | never |

    A certificate that is not accepted is not tried again.

    A 429 that says when to come again uses up no attempt, as long as the request is not refused
    for longer than ``timeout``. A 429 that does not say when is tried once again, after
    ``wait_max``: it may be a limit of ten requests a day. While such answers go on, all requests
    wait longer and longer, up to a minute.

    If the server is away while a walk is under way, the walk waits up to ``timeout`` for it: one
    request of the client at a time asks whether it is back, once a second, which uses up no
    attempt. A server is away if no connection to it can be made, or if different requests are
    answered with 502, 503 or 504 and none succeeds. The first request of a walk, and any other
    call, gives up after ``attempts``.

    Attributes:
        attempts: the maximum number of attempts, including the first one; 1 means no retries, and
            no waiting for a server that is away.
        timeout: the maximum time in seconds from the first attempt to the start of the last one,
            including the waits between them. Waiting for a turn under a rate limit does not count.
        wait_initial: seconds before the second attempt. Each further wait is twice as long.
        wait_max: the longest wait in seconds, unless the server asks for a longer one.
        wait_jitter: the part of a wait that is random, from 0 to 1. At 1 a wait is between zero
            and its full length.
    """

    attempts: int = field(default=5, converter=plain_int, validator=_number(1))
    timeout: float = field(default=60.0, converter=plain_float, validator=_number(0))
    wait_initial: float = field(default=0.1, converter=plain_float, validator=_number(0))
    wait_max: float = field(default=5.0, converter=plain_float, validator=_number(0))
    wait_jitter: float = field(default=1.0, converter=plain_float, validator=_number(0, 1))

    def wait(
        self,
        method: str,
        error: RybbitError,
        *,
        attempt: int,
        elapsed: float,
        chance: float,
        unexplained: int = 0,
    ) -> float | None:
        """Seconds to wait before the next attempt, or ``None`` to give up.

        Args:
            method: the method of the request.
            error: why the attempt failed.
            attempt: the number of the attempt, from 1, of those that count.
            elapsed: seconds since the first attempt started, or for a 429 since the first one.
            chance: a random number from 0 to 1, for the jitter.
            unexplained: how many attempts failed with a 429 that does not say when to try again.
        """
        wait = getattr(error, "retry_after", None)
        is_told = isinstance(error, RateLimitError) and wait is not None
        last = 1 if is_told else attempt  # a 429 that says when uses up no attempt
        if last >= self.attempts or not _is_retryable(method, error, attempt):
            return None
        if wait is None and isinstance(error, RateLimitError):
            if unexplained > 1:
                return None
            wait = self.wait_max
        elif wait is None:
            longest = min(self.wait_max, self.wait_initial * 2.0 ** min(attempt - 1, 60))
            wait = longest * (1 - self.wait_jitter * chance)
        # A wait that the server asks for is never cut short.
        return wait if elapsed + wait <= self.timeout else None


def _is_retryable(method: str, error: RybbitError, attempt: int) -> bool:
    if isinstance(error, APIConnectionError):
        if error.reason == "certificate":
            return False
        return not error.sent or method in _IDEMPOTENT
    if isinstance(error, RateLimitError):
        return error.scope != "daily"
    if isinstance(error, APIStatusError) and method in _IDEMPOTENT:
        # The cause of most 500s is the request itself, so that repeating it is useless.
        return error.status in _TEMPORARY or (error.status >= 500 and attempt == 1)
    return False


def may_have_arrived(error: RybbitError) -> bool:
    """Whether a request that failed with ``error`` may nevertheless have been carried out."""
    if isinstance(error, APIConnectionError):
        return error.sent
    return isinstance(error, APIStatusError) and error.status >= 500


class RetryBudget:
    """How many retries all calls together may make, to protect a server that is down.

    Within ``seconds`` there may be one retry for every five requests, and always 50.
    """

    MINIMUM: Final = 50
    SHARE: Final = 0.2

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()

    def request(self, now: float) -> None:
        """Count a request."""
        self._requests.append(now)
        self._drop_old(now)

    def retry(self, now: float) -> bool:
        """Whether there may be one more retry. If so, it is counted."""
        self._drop_old(now)
        if len(self._retries) >= max(self.MINIMUM, len(self._requests) * self.SHARE):
            return False
        self._retries.append(now)
        return True

    def _drop_old(self, now: float) -> None:
        for times in (self._requests, self._retries):
            while times and times[0] <= now - self._seconds:
                times.popleft()
