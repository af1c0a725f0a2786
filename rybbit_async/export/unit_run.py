"""Exporting one unit: its walk, its parts, its record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import attrs
from attrs import define, evolve, frozen

from .. import (
    IncompleteWalkError,
    InvalidParameterError,
    Page,
    Report,
    RybbitClient,
    RybbitError,
)
from ..walks.paginator import lean_pages
from .errors import ExportError
from .formats import PartWriter, open_part
from .lists import MODELS, walk_over
from .manifest import Manifest, Part, UnitRecord
from .progress import ExportEvent, PartWritten, RowsWritten, UnitBegun
from .report import one_line
from .settings import Settings
from .settled import settles_at
from .store import Store
from .together import finished, in_thread
from .units import Unit

__all__ = ["Workshop", "run_unit"]

T = TypeVar("T")


@frozen
class Workshop:
    """What every unit of a run works with.

    Attributes:
        client: reads.
        store: holds the files.
        manifest: holds the records.
        settings: what is wanted.
        threads: runs what blocks, so that the event loop does not.
        tell: called with what happens.
        series: the runs that this one belongs to, see ``Series``.
        stopping: whether units should stop at the end of a page; their parts so far are kept.
    """

    client: RybbitClient
    store: Store
    manifest: Manifest
    settings: Settings
    threads: Executor
    tell: Callable[[ExportEvent], None]
    stopping: Callable[[], bool]
    series: str

    async def blocking(self, job: Callable[..., T], *arguments: Any) -> T:
        """Run something that blocks. It is waited for, also if this task is cancelled."""
        return await in_thread(self.threads, job, *arguments)

    def is_settled(self, unit: Unit) -> bool:
        """Whether nothing in the window of a unit can change any more, if it is read now."""
        settles = settles_at(unit, self.settings.time_zone, self.client.settled_after)
        return settles is not None and self.now() >= settles

    def now(self) -> datetime:
        """The date and time of day, by the clock of the server as soon as it has answered."""
        return self.client.server_time or datetime.now(UTC)


async def run_unit(shop: Workshop, unit: Unit, concurrency: int) -> UnitRecord:
    """Export one unit, and return its record, which is committed.

    An unfinished unit goes on from its position if its window was settled from the beginning; else
    it is read anew, and the new parts take the place of the old ones all at once.

    Raises:
        RybbitError: it cannot be read. What was read before is kept if the next run can go on from
            there.
        ExportStoreError: it cannot be written.
    """
    old = shop.manifest.of(unit)
    if old is not None and old.position is not None and old.settled and old.unit == unit:
        with suppress(_CannotGoOn):
            record = evolve(old, state="open", error=None, series=shop.series)
            return await _UnitRun(shop, record, (), concurrency).run()
    record = UnitRecord(
        unit,
        "open",
        generation=1 if old is None else old.generation + 1,
        began=shop.now(),
        settled=shop.is_settled(unit),
        query=_query(shop.settings, unit),
        series=shop.series,
    )
    return await _UnitRun(shop, record, () if old is None else old.parts, concurrency).run()


def _query(settings: Settings, unit: Unit) -> dict[str, str]:
    query = {
        "start_date": unit.first.isoformat(),
        "end_date": unit.last.isoformat(),
        "time_zone": settings.time_zone,
        "filters": settings.filters_sent,
        "segment_id": settings.segment_id,
    }
    return {name: value for name, value in query.items() if value is not None}


class _CannotGoOn(Exception):  # noqa: N818  # it is no error: the unit is read anew
    """The position of an earlier run is of no use any more."""


@define
class _OpenPart:
    writer: PartWriter
    file: Path
    path: str
    rows: int = 0  # counted here, since the writer works in another thread


class _UnitRun:
    """One walk over a unit.

    Args:
        record: what there is of this generation of the unit.
        replaced: the parts of the generation before, which count until this one is done.
    """

    def __init__(
        self, shop: Workshop, record: UnitRecord, replaced: tuple[Part, ...], concurrency: int
    ) -> None:
        self._shop = shop
        self._record = record
        self._replaced = replaced
        self._concurrency = concurrency
        self._part: _OpenPart | None = None
        self._writing: asyncio.Future[None] | None = None  # of a page, in the thread
        # The parts of a new generation stand where readers look only when all of them are whole.
        self._unpublished: list[tuple[Path, Part]] = []
        self._uncommitted: list[str] = []  # published, and in no record yet
        self._position = record.position  # after the last row that was written

    @property
    def _keeps(self) -> bool:
        """Whether parts can be committed before the unit is done."""
        return self._record.settled and not self._replaced

    async def run(self) -> UnitRecord:
        shop, unit, start = self._shop, self._record.unit, self._record.position
        walk = walk_over(shop.client, unit, shop.settings, self._concurrency)
        try:
            pages = lean_pages(walk, start)
        except (InvalidParameterError, IncompleteWalkError) as error:
            if start is None:
                raise
            raise _CannotGoOn from error
        shop.tell(UnitBegun(unit, self._record.rows))
        try:
            try:
                async with walk:
                    stopped = await self._write(pages)
            except IncompleteWalkError as error:  # it is read to its end, but something is missing
                return await self._end(error.report, str(error))
            except ExportError:  # the store fails, so nothing can be kept
                raise
            except RybbitError as error:
                if start is not None and isinstance(error, InvalidParameterError):
                    raise _CannotGoOn from error  # the server takes the position no more
                await self._keep("failed", walk.report, one_line(error))
                raise
            if stopped:
                return await self._keep("open", walk.report, None)
            return await self._end(walk.report, None)
        finally:
            await self._drop()

    async def _write(self, pages: AsyncGenerator[Page[Any], None]) -> bool:
        """Write pages until the end, or until the export is to stop: then return ``True``."""
        shop, loop = self._shop, asyncio.get_running_loop()
        try:
            async for page in pages:
                await self._written()
                part = self._part
                if part is None:
                    part = await shop.blocking(self._open)
                # The next page is decoded while this one is written.
                self._writing = loop.run_in_executor(shop.threads, part.writer.write, page.items)
                part.rows += len(page)
                shop.tell(RowsWritten(self._record.unit, len(page)))
                self._position = page.position
                if self._position is None:
                    continue
                if part.rows >= shop.settings.part_rows or shop.stopping():
                    await self._close_part()
                    if self._keeps:
                        await self._commit("open")
                    if shop.stopping():
                        return True
            return False
        finally:
            await pages.aclose()

    async def _written(self) -> None:
        """Wait until the last page is written.

        An error is raised each time, so that no part without that page is taken for whole.
        """
        if self._writing is not None:
            await finished(self._writing)
            self._writing = None

    def _open(self) -> _OpenPart:
        """Open a part. It is noted here, in the thread, since the task may have been cancelled."""
        shop, record = self._shop, self._record
        number = len(record.parts) + len(self._unpublished) + 1
        path = record.part_path(number, shop.settings.suffix)
        file = shop.store.new_part(path)
        try:
            writer = open_part(
                MODELS[record.unit.list],
                file,
                format=shop.settings.format,
                compression=shop.settings.compression,
                raw=shop.settings.raw,
            )
        except BaseException:
            shop.store.discard(file)
            raise
        self._part = _OpenPart(writer, file, path)
        return self._part

    async def _close_part(self) -> None:
        """Make the open part whole; publish it, unless it waits for the others of its unit."""
        await self._written()
        part = self._part
        if part is None:
            return
        facts = await self._shop.blocking(part.writer.close)
        self._part = None
        self._unpublished.append(
            (part.file, Part(part.path, facts.rows, facts.bytes, facts.sha256))
        )
        if self._keeps:
            await self._publish()

    async def _publish(self) -> None:
        while self._unpublished:
            file, part = self._unpublished[0]
            self._uncommitted.append(part.path)
            await self._shop.blocking(self._shop.store.publish, file, part.path, part.bytes)
            del self._unpublished[0]
            self._record = evolve(self._record, parts=(*self._record.parts, part))
            self._shop.tell(PartWritten(self._record.unit, part))

    async def _commit(self, state: Any, **changes: Any) -> UnitRecord:
        self._record = evolve(self._record, state=state, position=self._position, **changes)
        self._uncommitted.clear()  # if this fails, nobody knows whether it was written
        await self._shop.blocking(self._shop.manifest.commit, self._record)
        return self._record

    async def _end(self, report: Report, doubt: str | None) -> UnitRecord:
        """Every row is written: make it count, in place of what there was before."""
        await self._close_part()
        await self._publish()
        self._position = None
        record = await self._commit("done", report=_plain(report), error=doubt)
        if self._replaced:
            old = [part.path for part in self._replaced]
            await self._shop.blocking(self._shop.store.remove, old)
        return record

    async def _keep(self, state: Any, report: Report, error: str | None) -> UnitRecord:
        """The walk has ended early: keep what a later run can go on from."""
        told: dict[str, Any] = {"report": _plain(report), "error": error}
        if self._keeps and self._position is not None:
            await self._close_part()
            return await self._commit(state, **told)
        if self._replaced:  # what there was before counts on
            old = self._shop.manifest.of(self._record.unit)
            assert old is not None
            if error is not None:
                failed = evolve(old, state="failed", **told)
                await self._shop.blocking(self._shop.manifest.commit, failed)
                return failed
            return evolve(old, state="open")  # what is there may be done; this generation is not
        # Parts that were committed stay; if the last page has no position, those after it are lost.
        committed, self._position = self._shop.manifest.of(self._record.unit), None
        if committed is not None and committed.generation == self._record.generation:
            self._record, self._position = committed, committed.position
        return await self._commit(state, **told)

    async def _drop(self) -> None:
        """Remove the files that nothing has become of."""
        writing, self._writing = self._writing, None
        try:
            if writing is not None:
                with suppress(Exception):
                    await finished(writing)
        finally:
            await self._shop.blocking(self._remove_rest)

    def _remove_rest(self) -> None:
        store, part = self._shop.store, self._part
        files = [file for file, _ in self._unpublished]
        if part is not None:
            files.append(part.file)
            with suppress(Exception):
                part.writer.abort()
        for file in files:
            with suppress(Exception):
                store.discard(file)
        if self._uncommitted:
            with suppress(Exception):
                store.remove(self._uncommitted)


def _plain(report: Report) -> dict[str, Any]:
    """A report as JSON; what was left out is told by its error."""
    values = attrs.asdict(report, recurse=False)
    values["skipped"] = [
        {"site": one.site, "goal": one.goal, "place": one.place, "error": one_line(one.error)}
        for one in report.skipped
    ]
    return values
