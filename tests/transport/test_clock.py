"""The clock of a client in a program that replaces ``time.monotonic``."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from rybbit_async.transport.clock import Clock, Timer

FROZEN = """
import asyncio, time
asyncio.new_event_loop().close()
time.monotonic = lambda: 1.0  # before the import, as in a test that freezes time
from rybbit_async.transport.clock import Clock, Timer

async def main():
    timer, loop = Timer(Clock()), asyncio.get_running_loop()
    loop.time = __import__("itertools").count(10.0, 1.0).__next__
    assert timer.time() < timer.time(), "the clock stands still"

asyncio.run(main())
"""


async def test_the_time_is_that_of_the_event_loop() -> None:
    before = asyncio.get_running_loop().time()
    assert before <= Timer(Clock()).time() <= asyncio.get_running_loop().time()


def test_the_time_is_known_outside_of_a_loop() -> None:
    assert Timer(Clock()).time() > 0


def test_a_frozen_clock_does_not_stop_waits() -> None:
    subprocess.run([sys.executable, "-c", FROZEN], check=True)


async def test_a_sleep_ends_at_an_event() -> None:
    timer, event = Timer(Clock()), asyncio.Event()
    sleep = asyncio.create_task(timer.sleep(3600, event))
    await asyncio.sleep(0)
    event.set()
    await sleep
