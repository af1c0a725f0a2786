"""When to try again. Decisions only: no I/O, no clock, no dice of its own."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from attrs import field, frozen

from ..errors import (
    APIConnectionError,
    APIStatusError,
    InvalidParameterError,
    RateLimitError,
    RybbitError,
)

__all__ = ["Retry", "RetryBudget", "may_have_arrived"]

# A GET changes nothing, a PUT replaces the whole, a DELETE of what is gone is done.
_REPEATABLE: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_PASSING: Final = frozenset({408, 502, 503, 504})


def _number(least: float, most: float | None = None) -> Any:
    def check(_: object, attribute: Any, value: object) -> None:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not fits or not least <= value <= (1e9 if most is None else most):  # type: ignore[operator]
            allowed = f"a number, at least {least}" + ("" if most is None else f", at most {most}")
            raise InvalidParameterError(f"Retry {attribute.name}={value!r}: {allowed}")

    return check


@frozen
class Retry:
    """How often, and for how long, a request is tried.

    | | not sent | no answer | 429 | 502, 503, 504, 408 | other 5xx |
    |---|---|---|---|---|---|
    | GET, PUT, DELETE | again | again | as told | again | once more |
    | POST, PATCH | again | never | as told | never | never |

    Attributes:
        attempts: at most so many requests, the first one counted; 1 is never to try again.
        timeout: no further attempt is begun once so many seconds would have passed, attempts and
            waits together. Waiting for the client's turn under a rate limit does not count.
        wait_initial: seconds before the second attempt; twice that before the third, and so on.
        wait_max: no wait is longer, but one that the server asks for.
        wait_jitter: which part of a wait is left to chance, 0 to 1; at 1 it is anything from
            nothing to all of it.
    """

    attempts: int = field(default=5, validator=_number(1))
    timeout: float = field(default=60.0, validator=_number(0))
    wait_initial: float = field(default=0.1, validator=_number(0))
    wait_max: float = field(default=5.0, validator=_number(0))
    wait_jitter: float = field(default=1.0, validator=_number(0, 1))

    def wait(
        self, method: str, error: RybbitError, *, attempt: int, elapsed: float, chance: float
    ) -> float | None:
        """Seconds to wait before the next attempt, or ``None`` for giving up.

        Args:
            method: that of the request.
            error: why attempt number ``attempt`` failed.
            elapsed: seconds since the first attempt began.
            chance: 0 to 1, for the jitter.
        """
        if attempt >= self.attempts or not _worth_it(method, error, attempt):
            return None
        told = getattr(error, "retry_after", None)
        if told is None:
            longest = min(self.wait_max, self.wait_initial * 2.0 ** min(attempt - 1, 60))
            told = longest * (1 - self.wait_jitter * chance)
        # What the server asks for is honoured whole or not at all.
        return told if elapsed + told <= self.timeout else None


def _worth_it(method: str, error: RybbitError, attempt: int) -> bool:
    if isinstance(error, APIConnectionError):
        return not error.sent or method in _REPEATABLE
    if isinstance(error, RateLimitError):
        return error.scope != "daily"
    if isinstance(error, APIStatusError) and method in _REPEATABLE:
        # Most 500s are the caller's mistakes, and repeating them helps nobody.
        return error.status in _PASSING or (error.status >= 500 and attempt == 1)
    return False


def may_have_arrived(error: RybbitError) -> bool:
    """Whether the request that failed so may have been carried out all the same."""
    if isinstance(error, APIConnectionError):
        return error.sent
    return isinstance(error, APIStatusError) and error.status >= 500


class RetryBudget:
    """How many retries all callers together may make, so that a dead server is not hammered.

    Within ``seconds``, a fifth of the requests that were made, and never less than 50.
    """

    LEAST: Final = 50
    SHARE: Final = 0.2

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()

    def request(self, now: float) -> None:
        """A request is made."""
        self._requests.append(now)
        self._drop(now)

    def retry(self, now: float) -> bool:
        """Whether there may be one retry more, which is then counted."""
        self._drop(now)
        if len(self._retries) >= max(self.LEAST, len(self._requests) * self.SHARE):
            return False
        self._retries.append(now)
        return True

    def _drop(self, now: float) -> None:
        for times in (self._requests, self._retries):
            while times and times[0] <= now - self._seconds:
                times.popleft()
