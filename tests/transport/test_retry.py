"""When to try again: the policy and the budget, with no server and no clock."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given, settings
from hypothesis import strategies as st

from rybbit_async import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    ClientClosedError,
    InvalidParameterError,
    RateLimitError,
    Retry,
    RybbitError,
)
from rybbit_async.errors import ConnectionReason, status_error_class
from rybbit_async.transport.retry import RetryBudget, may_have_arrived

METHODS = ("GET", "HEAD", "PUT", "DELETE", "POST", "PATCH")
READS_AND_IDEMPOTENT = METHODS[:4]
ALWAYS = 1_000_000


def unsent(
    cls: type[APIConnectionError] = APIConnectionError, reason: ConnectionReason = "unreachable"
) -> APIConnectionError:
    return cls("x", method="GET", url="u", sent=False, reason=reason)


def lost(cls: type[APIConnectionError] = APIConnectionError) -> APIConnectionError:
    return cls("x", method="GET", url="u", sent=True)


def status(code: int, **more: Any) -> APIStatusError:
    return status_error_class(code)("x", status=code, message="m", method="GET", url="u", **more)


def tries(policy: Retry, method: str, error: RybbitError) -> int:
    """How many attempts are made if each fails like this; only the waits after a 429 take time."""
    attempt, elapsed = 1, 0.0
    while (
        wait := policy.wait(
            method, error, attempt=attempt, elapsed=elapsed, chance=0.5, unexplained=attempt
        )
    ) is not None:
        attempt += 1
        elapsed += wait if isinstance(error, RateLimitError) else 0.0
    return attempt


# --- the table ----------------------------------------------------------------------------------

# How many of five attempts are made if each fails in the same way: for GET, PUT and DELETE, and
# for POST and PATCH.
TABLE: list[tuple[str, RybbitError, int, int]] = [
    ("not sent", unsent(), 5, 5),
    ("not sent in time", unsent(APITimeoutError), 5, 5),
    ("no answer", lost(), 5, 1),
    ("no answer in time", lost(APITimeoutError), 5, 1),
    ("429", status(429), 2, 2),
    # One that says when to come again is limited by the time only, of 60 s.
    ("429 burst", status(429, scope="burst", retry_after=20.0), 4, 4),
    ("429 burst, soon", status(429, scope="burst", retry_after=1.0), 61, 61),
    ("429 daily", status(429, scope="daily", retry_after=1.0), 1, 1),
    ("408", status(408), 5, 1),
    ("502", status(502), 5, 1),
    ("503", status(503), 5, 1),
    ("503 with Retry-After", status(503, retry_after=2.0), 5, 1),
    ("504", status(504), 5, 1),
    *((str(code), status(code), 2, 1) for code in (500, 501, 505, 507, 520, 599)),
    *(
        (str(code), status(code), 1, 1)
        for code in (301, 400, 401, 403, 404, 405, 409, 410, 418, 425, 431)
    ),
    ("no JSON", APIResponseError("x", status=200), 1, 1),
    ("closed", ClientClosedError("x"), 1, 1),
    ("certificate", unsent(reason="certificate"), 1, 1),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("error", "repeatable", "other"), [pytest.param(*row[1:], id=row[0]) for row in TABLE]
)
def test_the_table(method: str, error: RybbitError, repeatable: int, other: int) -> None:
    expected = repeatable if method in READS_AND_IDEMPOTENT else other
    assert tries(Retry(attempts=5), method, error) == expected
    assert tries(Retry(attempts=1), method, error) == 1
    told = isinstance(error, RateLimitError) and error.retry_after is not None
    assert tries(Retry(attempts=2), method, error) == (expected if told else min(2, expected))


@pytest.mark.parametrize("method", READS_AND_IDEMPOTENT)
def test_a_500_is_retried_only_as_the_first_failure(method: str) -> None:
    """The cause of most 500s is the request, whatever happened before."""
    assert Retry().wait(method, status(500), attempt=1, elapsed=0, chance=0) is not None
    assert Retry().wait(method, status(500), attempt=2, elapsed=0, chance=0) is None


def test_what_may_have_arrived() -> None:
    arrived = {name: may_have_arrived(error) for name, error, *_ in TABLE}
    assert [name for name, may in arrived.items() if may] == [
        "no answer", "no answer in time", "502", "503", "503 with Retry-After", "504",
        "500", "501", "505", "507", "520", "599",
    ]  # fmt: skip


# --- how long -----------------------------------------------------------------------------------

seconds = st.floats(0, 100)
policies = st.builds(
    Retry,
    attempts=st.integers(1, 12),
    timeout=seconds,
    wait_initial=seconds,
    wait_max=seconds,
    wait_jitter=st.floats(0, 1),
)
chances = st.floats(0, 1)


@given(policies, st.integers(1, 15), seconds, chances)
def test_waits_are_within_their_limits(
    policy: Retry, attempt: int, elapsed: float, chance: float
) -> None:
    wait = policy.wait("GET", lost(), attempt=attempt, elapsed=elapsed, chance=chance)
    longest = min(policy.wait_max, policy.wait_initial * 2 ** (attempt - 1))
    if wait is None:
        least = longest * (1 - policy.wait_jitter * chance)
        assert attempt >= policy.attempts or elapsed + least > policy.timeout
        return
    assert attempt < policy.attempts
    assert elapsed + wait <= policy.timeout
    assert longest * (1 - policy.wait_jitter) <= wait + 1e-9
    assert 0 <= wait <= longest


@given(policies, chances, st.floats(0, 3))
def test_no_attempt_starts_after_the_deadline(policy: Retry, chance: float, takes: float) -> None:
    """However long attempts take, the last one starts in time, and there are never too many."""
    elapsed, attempt = 0.0, 1
    while True:
        begun = elapsed
        elapsed += takes
        wait = policy.wait("GET", lost(), attempt=attempt, elapsed=elapsed, chance=chance)
        if wait is None:
            break
        elapsed += wait
        attempt += 1
    assert attempt <= policy.attempts
    assert begun <= policy.timeout


def test_full_jitter_is_between_zero_and_the_full_wait() -> None:
    policy = Retry(wait_initial=1, wait_max=10, timeout=ALWAYS)
    for attempt, longest in enumerate((1, 2, 4, 8), 1):
        for chance in (0.0, 0.25, 1.0):
            wait = policy.wait("GET", lost(), attempt=attempt, elapsed=0, chance=chance)
            assert wait == longest * (1 - chance)
    policy = Retry(wait_initial=1, wait_max=10, wait_jitter=0.5)
    assert policy.wait("GET", lost(), attempt=1, elapsed=0, chance=1) == 0.5
    policy = Retry(wait_initial=1, wait_max=10, wait_jitter=0)
    assert policy.wait("GET", lost(), attempt=1, elapsed=0, chance=1) == 1


def test_waits_double_up_to_the_maximum() -> None:
    policy = Retry(attempts=ALWAYS, timeout=ALWAYS)
    waits = [policy.wait("GET", lost(), attempt=n, elapsed=0, chance=0) for n in range(1, 10)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5]
    assert policy.wait("GET", lost(), attempt=5_000, elapsed=0, chance=0) == 5


@given(policies, st.floats(0, 1_000), seconds, chances, st.sampled_from([429, 503]))
def test_a_wait_that_the_server_asks_for_is_not_shortened(
    policy: Retry, told: float, elapsed: float, chance: float, code: int
) -> None:
    error = status(code, retry_after=told)
    wait = policy.wait("GET", error, attempt=1, elapsed=elapsed, chance=chance)
    may = policy.attempts > 1 and elapsed + told <= policy.timeout
    assert wait == (told if may else None)


def test_a_retry_after_of_zero_means_no_wait() -> None:
    assert Retry().wait("GET", status(429, retry_after=0.0), attempt=1, elapsed=0, chance=0) == 0


@given(policies, chances)
def test_a_429_that_does_not_say_when(policy: Retry, chance: float) -> None:
    """Four attempts within a second would be most of ten requests a day."""
    for unexplained in (1, 2):
        wait = policy.wait(
            "GET", status(429), attempt=1, elapsed=0, chance=chance, unexplained=unexplained
        )
        may = unexplained == 1 and policy.attempts > 1 and policy.wait_max <= policy.timeout
        assert wait == (policy.wait_max if may else None)


# --- a policy is a value ------------------------------------------------------------------------


def test_a_policy_is_a_value() -> None:
    policy = Retry(attempts=3)
    assert policy == Retry(attempts=3) != Retry()
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert hash(policy) == hash(Retry(attempts=3))
    with pytest.raises(FrozenInstanceError):
        policy.attempts = 4  # type: ignore[misc]
    assert repr(Retry()) == (
        "Retry(attempts=5, timeout=60.0, wait_initial=0.1, wait_max=5.0, wait_jitter=1.0)"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": True},
        {"attempts": "5"},
        {"attempts": None},
        {"timeout": -1},
        {"timeout": None},
        {"timeout": float("nan")},
        {"wait_initial": -0.1},
        {"wait_max": "5"},
        {"wait_jitter": 1.1},
        {"wait_jitter": -0.1},
        {"wait_jitter": float("nan")},
    ],
)
def test_invalid_policies(wrong: dict[str, Any]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(
        InvalidParameterError, match=rf"Retry\.{name} must be a number.*, got {value!r}"
    ):
        Retry(**wrong)


# --- the budget ---------------------------------------------------------------------------------


def test_fifty_retries_are_always_allowed() -> None:
    budget = RetryBudget()
    assert [budget.retry(0.0) for _ in range(52)] == [True] * 50 + [False] * 2


def test_one_retry_for_every_five_requests() -> None:
    budget = RetryBudget()
    for _ in range(1_000):
        budget.request(0.0)
    assert sum(budget.retry(0.0) for _ in range(1_000)) == 200


def test_old_requests_and_old_retries_do_not_count() -> None:
    budget = RetryBudget(seconds=60)
    for _ in range(1_000):
        budget.request(0.0)
    assert sum(budget.retry(59.0) for _ in range(1_000)) == 200
    assert not budget.retry(60.0)  # 50 are allowed without requests, and 200 were used
    assert sum(budget.retry(119.0) for _ in range(1_000)) == 50


# Many retries, so that the budget runs out.
events = st.lists(
    st.tuples(st.sampled_from([True, False, False]), st.floats(0, 1)), min_size=200, max_size=400
)


@settings(max_examples=20)
@given(events)
def test_the_budget_against_a_model(happened: list[tuple[bool, float]]) -> None:
    """In any minute, one retry for every five requests is allowed, and always fifty."""
    budget, now = RetryBudget(), 0.0
    requests: list[float] = []
    retries: list[float] = []
    for is_request, passed in happened:
        now += passed
        if is_request:
            budget.request(now)
            requests.append(now)
            continue
        recent = sum(now - 60 < at for at in requests)
        used = sum(now - 60 < at for at in retries)
        may = used < max(50, recent / 5)
        assert budget.retry(now) is may
        if may:
            retries.append(now)


def test_the_budget_forgets() -> None:
    budget = RetryBudget()
    for second in range(10_000):
        budget.request(float(second))
        budget.retry(float(second))
    assert len(budget._requests) <= 60
    assert len(budget._retries) <= 60
