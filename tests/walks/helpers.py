"""What the tests of walks share: requests that wait for the test, an event loop, a reconciler."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable, Sequence
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen

from rybbit_async import Page, Report, RybbitError
from rybbit_async.walks.options import WalkOptions
from rybbit_async.walks.paginator import WalkRegistry
from rybbit_async.walks.reconcile.reconciler import (
    CONTINUE,
    Decision,
    Done,
    ReadPage,
    Reconciler,
)
from rybbit_async.walks.walk import Order, Position, Source

K = TypeVar("K", int, str)
T = TypeVar("T")


class OutageError(RybbitError):
    """What a page that fails raises."""


# --- requests ----------------------------------------------------------------------------------


@define(eq=False)
class HeldRequests(Generic[K]):
    """Requests, by their keys, that wait until the test answers them."""

    asked: list[K] = field(factory=list, init=False)
    answered: list[K] = field(factory=list, init=False)
    waiting: dict[K, asyncio.Future[None]] = field(factory=dict, init=False)
    on_ask: Callable[[K], None] = field(default=lambda _: None, init=False)
    slow_to_stop: int = field(default=0, kw_only=True)  # turns until a cancelled request ends
    stops_badly: bool = field(default=False, kw_only=True)  # a cancelled request raises an error

    def ask(self, key: K) -> None:
        self.asked.append(key)
        self.on_ask(key)

    async def hold(self, key: K) -> None:
        self.waiting[key] = asyncio.get_running_loop().create_future()
        try:
            await self.waiting[key]
        except asyncio.CancelledError:
            if self.stops_badly:
                raise OutageError(key) from None
            raise
        finally:
            del self.waiting[key]
            for _ in range(self.slow_to_stop):
                await asyncio.sleep(0)
        self.answered.append(key)

    def let_go(self, key: K) -> None:
        if not self.waiting[key].done():
            self.waiting[key].set_result(None)

    def held(self) -> list[K]:
        return sorted(key for key, future in self.waiting.items() if not future.done())


Choice = Callable[[Sequence[K]], K | None]
"""Which of the waiting requests to answer in this turn, if any."""


def picked(picks: Sequence[int] = ()) -> Choice[Any]:
    """One in each turn: of those that wait, the one that the next pick says; none for 0."""
    cycle = itertools.cycle([*picks, 1])

    def choose(held: Sequence[K]) -> K | None:
        pick = next(cycle)
        return held[(pick - 1) % len(held)] if held and pick else None

    return choose


def at_random(seed: int = 0) -> Choice[Any]:
    """Any one of them, or in some turns none."""
    rng = random.Random(seed)
    return lambda held: rng.choice(held) if held and rng.random() < 0.8 else None


@contextlib.asynccontextmanager
async def answering(
    requests: HeldRequests[K], choose: Choice[K] | None = None
) -> AsyncGenerator[None, None]:
    """With a server that answers while the block runs."""
    choose = choose or picked()

    async def serve() -> None:
        while True:
            await asyncio.sleep(0)
            key = choose(requests.held())
            if key is not None:
                requests.let_go(key)

    task = asyncio.create_task(serve())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@frozen
class LoadedPage(Generic[T]):
    """A raw page that is made when it is decoded."""

    make: Callable[[], Page[T]]

    def decode(self) -> Page[T]:
        return self.make()


# --- the event loop ----------------------------------------------------------------------------


async def turns(count: int = 12) -> None:
    """Let everything that can run without an answer do so."""
    for _ in range(count):
        await asyncio.sleep(0)


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """``asyncio.run`` that checks that no task is left and no exception was lost."""
    tasks: list[asyncio.Task[Any]] = []
    complaints: list[dict[str, Any]] = []

    def make(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        tasks.append(asyncio.Task(coro, loop=loop, **kwargs))
        return tasks[-1]

    async def whole() -> T:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(make)
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        async with asyncio.timeout(20):
            result = await main()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left: {left}"
        return result

    result = asyncio.run(whole())
    # What asyncio would log when such a task is collected, found at once.
    lost = [task for task in tasks if getattr(task, "_log_traceback", False)]
    assert not lost, f"exceptions that nobody retrieved: {lost}"
    assert not complaints
    return result


def in_progress(walks: WalkRegistry) -> int:
    """How many walks have started and not ended."""
    return len(walks._walks)


# --- a strategy --------------------------------------------------------------------------------


@define(eq=False)
class FakeReconciler(Reconciler[T]):
    """Drops rows that came before, and reads nothing again. (``test_reconcile`` has the others.)"""

    report: Report
    kind: Callable[[T], Hashable]
    seen: set[Hashable] = field(factory=set)

    def take(self, page: ReadPage[T]) -> list[T]:
        fresh: list[T] = []
        for row in page.rows:
            kind = self.kind(row)
            if kind in self.seen:
                self.report.duplicates += 1
            else:
                self.seen.add(kind)
                fresh.append(row)
        return fresh

    def decide(self, *, at_end: bool) -> Decision[T]:
        return Done() if at_end else CONTINUE


@frozen
class FakeOrder(Order[T]):
    """An order whose rows are told apart by their kind."""

    kind: Callable[[T], Hashable] = lambda row: row

    def reconciler(
        self, source: Source[T], report: Report, options: WalkOptions, position: Position | None
    ) -> Reconciler[T]:
        return FakeReconciler(report, self.kind)
