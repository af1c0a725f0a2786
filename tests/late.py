"""Walks over a busy site whose events are stored up to ten seconds late.

    python -m tests.late [WALKS]

Sixty visits a second, on the release and in the kind of window that is asked for. Each walk is
compared with what the server had when it began: every row of that must come, and none twice, or
the report must say that it is not whole. The clock is moved, so nothing waits.
"""

# ruff: noqa: T201 - it prints a summary

from __future__ import annotations

import asyncio
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

from attrs import define, field, frozen

from rybbit_async import RybbitClient, Session
from rybbit_async.testing import RybbitServer, Store, faults

from .clock import FakeClock

__all__ = ["KINDS", "RELEASES", "Kind", "Outcome", "measure"]

Kind = Literal["relative", "live"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
RELEASES: Final = ("2.2", "2.6", "2.8")

START: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
RATE: Final = 60
LATEST: Final = 10.0
"""How late an event may be stored, in seconds."""
MINUTES: Final = 2
"""How long the windows are."""
REQUEST: Final = (0.02, 0.25)
"""How long a request takes, in seconds."""


@frozen
class Outcome:
    """What became of one walk.

    Attributes:
        whole: whether the report says that nothing is missing.
        lost: how many rows did not come, of those that the server had when the walk began.
        twice: how many rows came twice.
        requests: how many requests it took.
    """

    whole: bool
    lost: int
    twice: int
    requests: int

    @property
    def is_wrong(self) -> bool:
        """Whether the walk went wrong and its report does not say so."""
        return self.twice > 0 or (self.whole and self.lost > 0)


@define(eq=False)
class Visits:
    """Visitors of site 1, each of whom begins a session or goes on with one."""

    store: Store
    rng: random.Random
    until: datetime
    sessions: int = 0
    latest: list[int] = field(factory=list[int])  # the session of each visit

    def go_on(self, until: datetime) -> None:
        """Have the visits up to a moment happen; the store keeps each until it is due."""
        if until > self.until:
            self.store.add_events(1, self._events(until))

    def _events(self, until: datetime) -> Iterator[dict[str, Any]]:
        while self.until < until:
            self.until += timedelta(seconds=1 / RATE)
            if not self.latest or self.rng.random() < 0.5:
                self.sessions += 1
                session = self.sessions
            else:
                session = self.latest[-self.rng.randint(1, min(len(self.latest), 2000))]
            self.latest.append(session)
            yield {
                "timestamp": self.until,
                "session_id": f"s{session}",
                "user_id": f"u{session}",
                "pathname": "/",
                "type": "pageview",
            }


def window_of(kind: Kind, minutes: int) -> dict[str, Any]:
    """The common parameters of a window of that kind."""
    if kind == "relative":
        return {"past_minutes_start": minutes, "past_minutes_end": 0}
    return {"start_date": START.date(), "end_date": START.date(), "time_zone": "UTC"}


async def measure(
    release: str, kind: Kind, walks: int, minutes: int = MINUTES, seed: int = 0
) -> list[Outcome]:
    """What becomes of so many walks, one after another, in pages of any size."""
    rng = random.Random(f"{release} {kind} {seed}")
    window = window_of(kind, minutes)
    clock = FakeClock(START)
    with Store(delay=lambda _: rng.uniform(0.2, LATEST)) as store:
        store.add_site("busy")
        goal = store.add_goal(1, "path", {"pathPattern": "/**"}, created_at=START)
        visits = Visits(store, rng, START - timedelta(minutes=minutes + 1))

        def request_takes_time() -> None:
            clock.move(rng.uniform(*REQUEST))
            visits.go_on(clock.now())

        async with RybbitServer(release, store, clock=clock.now, record=False) as server:
            client = clock.drive(RybbitClient(server.api_key, base_url=server.url))
            async with client:
                visits.go_on(clock.now())
                # Finds out the layout, and whether the server takes exact times.
                await client.goals.sessions.iter(1, goal, **window).first()
                return [
                    await _one(client, server, goal, window, rng, request_takes_time)
                    for _ in range(walks)
                ]


async def _one(
    client: RybbitClient,
    server: RybbitServer,
    goal: int,
    window: dict[str, Any],
    rng: random.Random,
    request_takes_time: Callable[[], None],
) -> Outcome:
    # One page is one moment, and the first page of the walk is answered at the same one.
    there = await client.goals.sessions.list(1, goal, limit=1_000_000, **window)
    injected = server.inject(faults.Before(request_takes_time), times=None, skip=1)
    walk = client.goals.sessions.iter(
        1,
        goal,
        page_size=rng.choice((250, 500, 1000)),
        concurrency=rng.choice((1, 2, 8)),
        ordered=rng.random() < 0.5,
        **window,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = [_identity(row) for row in await walk.collect()]
    injected.remove()
    request_takes_time()
    report = walk.report
    lost = len({_identity(row) for row in there} - set(got))
    return Outcome(report.complete is True, lost, len(got) - len(set(got)), report.requests)


def _identity(row: Session) -> tuple[str, str | None]:
    return row.session_id, row.user_id


def main() -> None:
    """Print a line for each release and kind of window."""
    walks = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print(f"{walks} walks each: lost rows, rows that came twice, reports that say so, requests")
    for release in RELEASES:
        for kind in KINDS:
            outcomes = asyncio.run(measure(release, kind, walks))
            silent = sum(one.is_wrong for one in outcomes)
            requests = sorted(one.requests for one in outcomes)
            print(
                f"{release} {kind:8}: {sum(one.lost for one in outcomes)} lost, "
                f"{sum(one.twice for one in outcomes)} twice, "
                f"{sum(not one.whole for one in outcomes)} not whole, {silent} wrong in silence; "
                f"{requests[0]} to {requests[-1]} requests, median {requests[len(requests) // 2]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
