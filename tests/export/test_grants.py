"""One rate limit for several processes: a key is never used up, and everybody gets on."""

from __future__ import annotations

import random

import pytest
from attrs import define

from rybbit_async import RateLimit
from rybbit_async.export.grants import LEASE, Grants, Spent
from rybbit_async.transport.pacing import LOOK, Granted, Pacer

PER = 100.0


class Key:
    """A key of a server that counts requests until none has come for some time."""

    def __init__(self, requests: int) -> None:
        self.requests = requests
        self.used = 0
        self.last = float("-inf")

    def use(self, now: float) -> None:
        if now - self.last >= PER:
            self.used = 0
        self.used, self.last = self.used + 1, now
        assert self.used <= self.requests, f"the key is used up at {now}"


@define
class Process:
    name: str
    work: int
    speed: float  # requests per second
    left: int = 0
    last: float | None = None

    def go_on(self, key: Key, now: float, chance: random.Random) -> None:
        for _ in range(10):
            if self.left > 0 and self.work and chance.random() < self.speed / 10:
                key.use(now)
                self.left, self.work, self.last = self.left - 1, self.work - 1, now

    def told(self, now: float) -> Spent:
        idle = None if self.last is None else now - self.last
        return Spent(self.left, idle, self.work > 0)


@pytest.mark.parametrize(
    ("number", "requests", "seed"), [(1, 5, 0), (2, 1, 0), (3, 7, 1), (7, 5, 1), (7, 60, 2)]
)
def test_a_key_is_never_used_up(number: int, requests: int, seed: int) -> None:
    chance, key, now = random.Random(seed), Key(requests), 0.0
    key.use(now)
    grants = Grants(RateLimit(requests, per=PER), 1, now)
    processes = [Process(str(n), 12, 0.02 + chance.random()) for n in range(number)]
    killed = chance.choice(processes) if number > 2 else None
    cut_off = chance.choice(processes) if number > 2 else None
    total = 1 + sum(process.work for process in processes)
    while any(process.work for process in processes):
        now += 1
        for process in processes:
            process.go_on(key, now, chance)
        told = {process.name: process.told(now) for process in processes}
        if cut_off is not None and 30 < now < 30 + LEASE:
            told.pop(cut_off.name, None)  # its answers are lost
        for name, number_granted in grants.grant(told, now).items():
            next(one for one in processes if one.name == name).left += number_granted
        if killed is not None and now == 40:
            total -= killed.work
            processes = [process for process in processes if process is not killed]
        assert now < PER * 2 * (total + 2)
    # Nobody rests for longer than is needed, apart from what it takes to ask.
    assert now < (total / requests + 2) * (PER + 80)


def test_a_client_waits_for_what_is_granted() -> None:
    granted = Granted()
    pacer = Pacer(granted)
    assert (pacer.delay(0), granted.idle(5)) == (LOOK, None)
    granted.left += 1
    assert pacer.delay(0) == 0
    pacer.take(0)
    assert (pacer.delay(0), granted.idle(5)) == (LOOK, 0)
    pacer.done(7)
    assert (pacer.delay(9), granted.idle(9)) == (LOOK, 2)
