"""Time, as the client sees it, in one place that can be moved."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from attrs import frozen

__all__ = ["Clock"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@frozen
class Clock:
    """``time`` in seconds from anywhere, ``now`` as the time of day, ``chance`` from 0 to 1."""

    time: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], datetime] = _utc_now
    chance: Callable[[], float] = random.random
