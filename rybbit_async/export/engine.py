"""Exporting many units at once, wherever each of them is exported."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

from attrs import define, evolve, field

from .. import (
    APIConnectionError,
    ClientClosedError,
    RateLimitError,
    RybbitError,
)
from ..errors import without_traceback
from .errors import ExportError
from .manifest import UnitRecord
from .progress import UnitEnded
from .report import REFUSALS, Failure, one_line
from .unit_run import Workshop
from .units import Unit

__all__ = ["Engine", "Outcome", "Units"]


class Engine(Protocol):
    """Exports units, here or elsewhere.

    Attributes:
        at_once: how many units it can export at once; that may change meanwhile.
        requests: how many requests it has sent by way of other clients than that of the export.
    """

    @property
    def at_once(self) -> int: ...  # noqa: D102  # the class says it

    @property
    def requests(self) -> int: ...  # noqa: D102

    async def perform(self, unit: Unit, others: int) -> UnitRecord:
        """Export a unit, with so many of the places for units taken by others."""
        ...


# So many units one after another that no connection could be made for: the server is away.
_AWAY: Final = 3


@define
class Outcome:
    """What became of some units.

    Attributes:
        failures: those that could not be read.
        stop: why no further units should be begun.
    """

    failures: list[Failure] = field(factory=list[Failure])
    stop: str | None = None


class Units:
    """Units that are exported, as many of them at once as the engine can."""

    def __init__(self, shop: Workshop, units: Iterable[Unit], engine: Engine) -> None:
        self.outcome = Outcome()
        self._shop = shop
        self._waiting = deque(units)
        self._running = self._workers = 0
        self._engine = engine
        self._refused: dict[tuple[str, int, int | None], RybbitError] = {}
        self._away = 0

    async def run(self) -> Outcome:
        """Export them; those that fail do not stop the others.

        Raises:
            ExportError: the files cannot be written. The units in progress are given up.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._add_workers(group)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return self.outcome

    def _add_workers(self, group: asyncio.TaskGroup) -> None:
        for _ in range(min(self._engine.at_once - self._workers, len(self._waiting))):
            self._workers += 1
            group.create_task(self._work(group))

    async def _work(self, group: asyncio.TaskGroup) -> None:
        shop = self._shop
        while self._waiting and self.outcome.stop is None and not shop.stopping():
            unit = self._waiting.popleft()
            self._running += 1
            try:
                record = await self._one(unit)
            finally:
                self._running -= 1
            shop.tell(UnitEnded(record))
            self._add_workers(group)

    async def _one(self, unit: Unit) -> UnitRecord:
        others = min(self._engine.at_once - 1, self._running - 1 + len(self._waiting))
        scope = (unit.list, unit.site, unit.goal)
        try:
            if scope in self._refused:
                raise self._refused[scope]
            record = await self._engine.perform(unit, others)
        except ExportError:
            raise
        except RybbitError as error:
            return await self._failed(unit, without_traceback(error))
        self._away = 0
        return record

    async def _failed(self, unit: Unit, error: RybbitError) -> UnitRecord:
        self.outcome.failures.append(Failure(unit.site, unit, unit.goal, error))
        self._away = self._away + 1 if isinstance(error, APIConnectionError) else 0
        if isinstance(error, REFUSALS):
            self._refused[unit.list, unit.site, unit.goal] = error
        elif isinstance(error, RateLimitError):
            self.outcome.stop = f"the rate limit of the server is used up ({error})"
        elif isinstance(error, ClientClosedError):
            self.outcome.stop = "the client was closed"
        elif self._away >= _AWAY:
            self.outcome.stop = f"the server is away ({error})"
        text = one_line(error)
        record = self._shop.manifest.of(unit) or UnitRecord(unit, "failed")
        if record.state != "failed" or record.error != text:
            record = evolve(record, state="failed", error=text)
            await self._shop.blocking(self._shop.manifest.commit, record)
        return record
