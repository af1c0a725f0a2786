"""The pacer, tested against models of what servers count. No server, and time is a number."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from rybbit_async import Allowance, InvalidParameterError, RateLimit, RateLimitStatus
from rybbit_async.transport.pacing import LOW, Pacer

# --- models of servers --------------------------------------------------------------------------


@define
class Bucket:
    """The newer limit: a bucket that refills continuously and is announced in every response."""

    burst: int = 50
    refill: float = 5.0
    tokens: float = 50.0
    last: float = 0.0

    def request(self, now: float) -> tuple[bool, dict[str, str]]:
        self.tokens = min(self.burst, self.tokens + (now - self.last) * self.refill)
        self.last = now
        allowed = self.tokens >= 1 - 1e-9
        self.tokens -= allowed
        return allowed, headers(
            self.burst,
            int(self.tokens + 1e-9),
            math.ceil((self.burst - self.tokens) / self.refill - 1e-9),
        )

    def retry_after(self) -> float:
        return max(1, math.ceil((1 - self.tokens) / self.refill))


@define
class Count:
    """The older limit: it counts requests until the key was idle, and announces nothing."""

    requests: int
    seconds: float
    used: int = 0
    last: float = -math.inf

    def request(self, now: float) -> tuple[bool, dict[str, str]]:
        if now - self.last >= self.seconds:
            self.used = 0
        if self.used >= self.requests:
            return False, {}
        self.used, self.last = self.used + 1, now
        return True, {}

    def retry_after(self) -> None:
        return None


def headers(
    limit: int, remaining: int, reset: float, prefix: str = "X-RateLimit-Burst-"
) -> dict[str, str]:
    return {
        f"{prefix}Limit": str(limit),
        f"{prefix}Remaining": str(remaining),
        f"{prefix}Reset": f"{reset:g}",
    }


@define
class Run:
    """The outcome of sending requests as fast as a pacer allows."""

    sent: list[float] = field(factory=list)
    refused: int = 0
    end: float = 0.0


def drive(
    pacer: Pacer,
    server: Bucket | Count,
    total: int,
    at_once: int,
    latency: Callable[[], float],
    idle: Iterator[float] = itertools.repeat(0.0),  # noqa: B008  # without an end
) -> Run:
    """Send ``total`` requests, ``at_once`` of them in flight, their responses in any order.

    ``idle`` is how long each sender rests after an answer.
    """
    run, now, free = Run(), 0.0, at_once
    numbers = itertools.count()
    events: list[tuple[float, int, str, Any]] = []

    def later(seconds: float, kind: str, what: Any = None) -> None:
        heapq.heappush(events, (now + seconds, next(numbers), kind, what))

    while events or len(run.sent) < total:
        delay = pacer.delay(now) if free and len(run.sent) < total else math.inf
        if not delay:
            pacer.take(now)
            run.sent.append(now)
            free -= 1
            later(latency(), "arrives")
            continue
        if not events or now + delay < events[0][0]:
            now += max(delay, 1e-6)  # a clock never stands still
            continue
        now, _, kind, what = heapq.heappop(events)
        if kind == "arrives":
            allowed, told = server.request(now)
            run.refused += not allowed
            later(latency(), "answered", (told, None if allowed else server.retry_after()))
        elif kind == "answered":
            told, pause = what
            pacer.learn(told, now)
            pacer.done(now)
            if pause is not None:
                pacer.pause(pause, "burst", now)
            later(next(idle), "free")
        else:
            free += 1
    run.end = now
    return run


def at_random(seed: int, longest: float) -> Callable[[], float]:
    dice = random.Random(seed)
    return lambda: dice.uniform(0, longest)


# --- a bucket that the server announces ---------------------------------------------------------


@pytest.mark.parametrize("latency", [0.0, 0.01, 0.2, 3.0])
def test_sequential_requests_are_never_refused(latency: float) -> None:
    run = drive(Pacer(), Bucket(), 300, 1, lambda: latency / 2)
    assert run.refused == 0
    # It is not much slower than the server allows: 250 requests wait for the bucket to refill.
    assert run.end <= max(250 / 5 * 1.2, 300 * latency * 1.1)


@settings(max_examples=100)
@given(
    st.integers(1, 100),
    st.floats(0, 1.0),
    st.integers(0, 2**32),
    st.sampled_from([(50, 5.0), (50, 5.0), (10, 1.0), (100, 50.0), (20, 2.5)]),
)
def test_refusals_are_limited_to_the_requests_in_flight(
    at_once: int, longest: float, seed: int, limit: tuple[int, float]
) -> None:
    burst, refill = limit
    run = drive(
        Pacer(), Bucket(burst, refill, tokens=burst), 300, at_once, at_random(seed, longest)
    )
    assert run.refused <= at_once
    for since, until in itertools.combinations(range(0, len(run.sent), 10), 2):
        allowed = burst + refill * (run.sent[until] - run.sent[since])
        assert until - since <= allowed + at_once + 1e-6


@settings(max_examples=60)
@given(st.integers(1, 30), st.floats(0, 0.5), st.integers(0, 2**32))
def test_the_pace_is_close_to_what_the_server_allows(
    at_once: int, longest: float, seed: int
) -> None:
    run = drive(Pacer(), Bucket(), 300, at_once, at_random(seed, longest))
    unlimited = 300 * longest / at_once  # on average, per request
    assert run.end <= (250 / 5 + unlimited) * 1.3 + 2 * longest


def test_it_slows_down_before_the_bucket_is_empty() -> None:
    run = drive(Pacer(), Bucket(), 100, 1, lambda: 0.0)
    gaps = [after - before for before, after in itertools.pairwise(run.sent)]
    quick = sum(gap == 0 for gap in gaps)
    assert quick == 50 * (1 - LOW)
    slowing = gaps[quick:]
    # The delay grows towards the time that a token takes, and does not exceed it.
    assert 0 < slowing[0] < 0.05
    assert slowing == pytest.approx(sorted(slowing), abs=1e-6)
    assert slowing[-1] == pytest.approx(0.2, abs=0.01)
    assert run.refused == 0


@pytest.mark.parametrize(("clients", "at_once"), [(2, 1), (2, 8), (4, 1), (4, 8), (12, 8)])
def test_clients_that_share_a_bucket_share_its_rate(clients: int, at_once: int) -> None:
    """Each in a process of its own, so that they know only what the server tells them."""
    dice, server, now = random.Random(clients), Bucket(), 0.0
    pacers = [Pacer() for _ in range(clients)]
    left, free, ended = [200] * clients, [at_once] * clients, [0.0] * clients
    sent = refused = 0
    numbers = itertools.count()
    events: list[tuple[float, int, int, Any]] = []

    def later(seconds: float, client: int, what: Any = None) -> None:
        heapq.heappush(events, (now + seconds, next(numbers), client, what))

    for client in range(clients):
        later(dice.random(), client)
    while events:
        now, _, client, what = heapq.heappop(events)
        pacer = pacers[client]
        if what == "arrives":
            allowed, told = server.request(now)
            sent, refused = sent + 1, refused + (not allowed)
            pause = None if allowed else server.retry_after()
            later(dice.uniform(0, 0.1), client, (told, pause))
            continue
        if what is not None:  # the answer
            told, pause = what
            pacer.learn(told, now)
            pacer.done(now)
            free[client] += 1
            if pause is None:
                pacer.succeeded()
                ended[client] = now
            else:
                left[client] += 1
                pacer.pause(pause, "burst", now)
        while free[client] and left[client]:
            delay = pacer.delay(now)
            if delay:
                later(delay + 1e-6, client)
                break
            pacer.take(now)
            left[client], free[client] = left[client] - 1, free[client] - 1
            later(dice.uniform(0, 0.1), client, "arrives")
    assert refused < sent / 10
    assert max(ended) <= (clients * 200 - 50) / 5 * 1.1


def test_a_client_that_was_refused_once_still_uses_the_whole_bucket() -> None:
    pacer, server = Pacer(), Bucket(tokens=0)
    pacer.pause(0.0, "burst", 0.0)
    run = drive(pacer, server, 300, 4, lambda: 0.01)
    assert run.end <= 300 / 5 * 1.05


def test_a_pacer_without_a_limit_delays_nothing() -> None:
    pacer = Pacer()
    assert pacer.delay(0.0) == pacer.delay(1e9) == 0
    assert pacer.status(0.0) == RateLimitStatus()
    pacer.take(0.0)
    pacer.learn({"Content-Type": "application/json"}, 0.1)
    pacer.done(0.1)
    assert pacer.delay(0.1) == 0


def test_requests_of_other_clients_are_taken_into_account() -> None:
    """All keys and all clients of an owner share one limit."""
    pacer = Pacer()
    pacer.take(0.0)
    pacer.learn(headers(50, 0, 10), 0.0)
    pacer.done(0.0)
    assert pacer.delay(0.0) == pytest.approx(0.2)
    pacer.take(0.2)
    pacer.learn(headers(50, 49, 1), 0.2)
    pacer.done(0.2)
    assert pacer.delay(0.2) == 0


@pytest.mark.parametrize(
    ("wrong", "known"),
    [
        ({}, None),
        (headers(50, 20, 6), Allowance(50, 20, 6)),
        (headers(50, -3, -1), Allowance(50, 0, 0)),
        (headers(0, 0, 0), None),
        ({**headers(50, 20, 6), "X-RateLimit-Burst-Limit": "many"}, None),
        ({"X-RateLimit-Burst-Limit": "50"}, None),
        (headers(50, 20, 6, "RateLimit-"), Allowance(50, 20, 6)),
    ],
)
def test_headers(wrong: dict[str, str], known: Allowance | None) -> None:
    pacer = Pacer()
    pacer.take(0.0)
    pacer.learn(wrong, 0.0)
    assert pacer.status(0.0).burst == known


def test_the_status_has_both_allowances() -> None:
    pacer = Pacer()
    pacer.take(0.0)
    daily = headers(5000, 4999, 100, "X-RateLimit-Daily-")
    # This one repeats the lower of the two.
    tighter = headers(5000, 4999, 100, "RateLimit-")
    pacer.learn({**headers(50, 49, 1), **daily, **tighter}, 0.0)
    assert pacer.status(0.0) == RateLimitStatus(Allowance(50, 49, 1), Allowance(5000, 4999, 100))
    other = Pacer()
    other.take(0.0)
    other.learn({**daily, **tighter}, 0.0)
    assert other.status(0.0).burst is None


# --- a pause ------------------------------------------------------------------------------------


def test_a_429_pauses() -> None:
    pacer = Pacer()
    assert pacer.pause(3.0, "burst", 10.0)
    assert pacer.delay(10.0) == pacer.paused(10.0) == 3
    assert pacer.delay(12.0) == pacer.status(12.0).paused == 1
    assert pacer.scope == "burst"
    assert pacer.delay(13.0) == pacer.paused(13.0) == 0


def test_several_429s_are_one_pause_as_long_as_the_longest() -> None:
    pacer = Pacer()
    assert pacer.pause(3.0, "burst", 10.0)
    assert not pacer.pause(1.0, None, 10.5)
    assert (pacer.paused(10.5), pacer.scope) == (2.5, "burst")
    assert not pacer.pause(1_000.0, "daily", 11.0)
    assert (pacer.paused(11.0), pacer.scope) == (1_000, "daily")
    assert pacer.pause(1.0, "burst", 1_011.0)


def test_pauses_of_a_length_that_the_server_does_not_say() -> None:
    pacer = Pacer()
    now, pauses = 0.0, list[float]()
    for _ in range(6):
        pauses.append(pacer.back_off(5.0, now))
        assert pacer.pause(pauses[-1], None, now)
        assert pacer.back_off(5.0, now + 1) == pauses[-1]  # of another request in the same pause
        now += pauses[-1]
    assert pauses == [5, 10, 20, 40, 60, 60]
    pacer.succeeded()
    assert pacer.back_off(5.0, now) == 5
    assert Pacer().back_off(100.0, now) == 100
    assert Pacer().back_off(0.0, now) == 0


def test_requests_are_spread_out_after_a_pause() -> None:
    """Otherwise the requests that waited would use up the refilled bucket at once."""
    pacer = Pacer()
    pacer.take(0.0)
    pacer.learn(headers(50, 0, 10), 0.0)
    pacer.done(0.0)
    pacer.pause(2.0, "burst", 0.0)
    assert pacer.delay(1.0) == 1
    at, gone = 2.0, []
    while len(gone) < 20:
        at += pacer.delay(at)
        pacer.take(at)
        pacer.done(at)
        gone.append(at)
    assert gone[0] == 2
    # The bucket has ten tokens again.
    assert all(1 + number <= at * 5 + 1e-6 for number, at in enumerate(gone))


# --- a limit that the server does not announce --------------------------------------------------


@settings(max_examples=100)
@given(
    st.integers(1, 20),
    st.floats(1.0, 600.0),
    st.integers(1, 30),
    st.floats(0, 30.0),
    st.lists(st.floats(0, 700), min_size=1, max_size=10),
    st.integers(0, 2**32),
)
def test_a_key_that_is_paced_is_never_refused(
    requests: int, per: float, at_once: int, longest: float, idle: list[float], seed: int
) -> None:
    run = drive(
        Pacer(RateLimit(requests, per=per)),
        Count(requests, per),
        100,
        at_once,
        at_random(seed, longest),
        itertools.cycle(idle),
    )
    assert run.refused == 0


def test_a_rest_follows_five_hundred_requests() -> None:
    run = drive(Pacer(RateLimit(500, per=600)), Count(500, 600), 1_200, 8, lambda: 0.05)
    assert run.refused == 0
    rests = [after - before for before, after in itertools.pairwise(run.sent)]
    assert [number for number, rest in enumerate(rests, 1) if rest > 1] == [500, 1_000]
    assert run.end < 2 * 601 + 20  # not longer than necessary


def test_an_even_pace_would_be_refused() -> None:
    """Of 500 requests in every ten minutes, evenly spread, half would be refused."""
    server = Count(500, 600)
    answers = [server.request(number * 1.2)[0] for number in range(2_000)]
    assert answers.index(False) == 500
    assert 990 <= answers.count(False) <= 1_000


@pytest.mark.parametrize("wrong", [0, -1, True, "500", None, float("nan")])
@pytest.mark.parametrize("name", ["requests", "per"])
def test_invalid_limits(name: str, wrong: Any) -> None:
    given = {"requests": 500, "per": 600, name: wrong}
    with pytest.raises(InvalidParameterError, match=rf"RateLimit\.{name} must be"):
        RateLimit(**given)


def test_idle_time_counts_as_rest() -> None:
    pacer = Pacer(RateLimit(2, per=10))
    for at in (0.0, 1.0):
        assert pacer.delay(at) == 0
        pacer.take(at)
        pacer.done(at)
    assert pacer.delay(4.0) == 7
    assert pacer.delay(11.0) == 0
    pacer.take(11.0)
    pacer.done(11.0)
    assert pacer.delay(11.0) == 0


def test_the_rest_starts_when_the_last_request_has_ended() -> None:
    pacer = Pacer(RateLimit(1, per=10))
    pacer.take(0.0)
    assert pacer.delay(9.0) == 10  # a request is in flight, so this is the minimum
    pacer.done(9.0)
    assert pacer.delay(9.0) == 10
    assert pacer.delay(19.0) == 0
