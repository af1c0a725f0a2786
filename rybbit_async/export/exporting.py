"""``Export``: every list of every site, in files that can be trusted."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import (
    AsyncGenerator,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, Final, Literal, TypedDict, Unpack

from .. import (
    Activity,
    APIStatusError,
    Filter,
    InvalidParameterError,
    PasswordLogin,
    Paused,
    RateLimit,
    RybbitClient,
)
from ..parameters.checks import check_choice
from ..transport.pacing import Granted
from ..transport.settings import check_rate_limit
from .cluster import Cluster
from .engine import Engine, Units
from .errors import ExportError
from .formats import Compression, Format
from .manifest import LOCK, Manifest, UnitRecord
from .plan import Found, Plan, SitePlan, estimated, find_sites, make_plan
from .progress import ExportEnded, ExportEvent, ExportPaused, ExportPlanned
from .report import ExportReport
from .settings import LOOKBACK, check_settings
from .signals import stopped_by_signals
from .store import Lock, open_store
from .tally import Tally
from .together import finished, in_thread
from .unit_run import Workshop, run_unit
from .units import LISTS, ListName, Partition, Unit
from .worker import Hidden

__all__ = ["Export", "export"]

log = logging.getLogger("rybbit_async")

PART_ROWS: Final = 250_000
_AT_ONCE: Final = 4  # units in this process


class _Optional(TypedDict, total=False):
    until: date | str
    sites: int | str | Iterable[int | str]
    what: ListName | Sequence[ListName]
    format: Format
    partition: Partition
    time_zone: str | tzinfo
    filters: Sequence[Filter] | None
    segment_id: int | str | None
    compression: Compression | None
    raw: bool
    lookback: timedelta | float
    part_rows: int
    page_size: int
    storage_options: Mapping[str, Any] | None
    force: bool
    engine: Literal["local", "dask"]
    cluster: Any
    rate_limit: RateLimit | None
    worker_auth: str | PasswordLogin | None


class ExportOptions(_Optional):
    """The arguments of ``Export``, which says what each is."""

    to: str | os.PathLike[str]
    since: date | str


class Export:
    """An export of lists into files, which can be stopped and gone on with at any time.

    The folder holds a file or more for each list, site (and goal) and window::

        goal_sessions/site=123/goal=7/window=2024-01/part-1-00001.parquet

    DuckDB, Polars, pandas and Spark read each list as one table, with ``site``, ``goal`` and
    ``window`` as columns. ``_manifest/`` says which files count, and how far each unit has come.

    Running the same export again keeps the units that are finished, goes on with those that are
    not, and adds the windows that are new. See ``docs/export.md``.

    Args:
        client: reads; it is not closed.
        to: a folder, or the URL of one that fsspec can write to, such as ``s3://bucket/folder``.
        sites: a site or several, each by its number or its identifier; or ``"all"`` for every site
            that the key can read.
        since, until: the first and the last day, as a ``date``, ``"2024-01-31"``, ``"today"`` or
            ``"yesterday"``.
        what: the lists: ``"goals"``, ``"goal_sessions"``, ``"sessions"``, ``"users"`` and
            ``"events"``; all of them if not given.
        format: ``"parquet"``, ``"jsonl"`` or ``"csv"``.
        partition: the windows: each ``"day"``, each ``"month"``, or ``"none"`` for one window. The
            figures of goals and users, and the rows of sessions, are those of one window each.
        time_zone: the IANA time zone in which days begin and end.
        filters, segment_id: see ``CommonParameters``.
        compression: ``"zstd"``, ``"gzip"`` or ``"none"``; if not given, Parquet has zstd, and the
            other formats none.
        raw: write CSV for programs, without what spreadsheets need; see ``docs/export.md``.
        lookback: how long after its end a window is read again by each run, as a ``timedelta`` or
            in seconds; two days if not given.
        part_rows: about how many rows a file has at most.
        page_size: how many rows a request asks for; of goals 100 at most.
        storage_options: for fsspec, such as a key for the store. They are kept nowhere.
        force: throw away what another export has written to the folder.
        engine: ``"local"`` for this process, ``"dask"`` for the workers of a Dask cluster; see
            ``docs/export.md`` for when that helps.
        cluster: the address of a Dask scheduler, or a cluster or client of ``distributed``; if not
            given, one worker process for each processor of this machine.
        rate_limit: that of all workers together; must be given for servers before 2.7, which do not
            tell theirs.
        worker_auth: a key, or a ``PasswordLogin``, to pass on to the workers, which is never
            shown; if not given, each worker takes the key from its own ``RYBBIT_API_KEY``.

    Raises:
        InvalidParameterError: for what cannot work, before anything is sent or written.
    """

    def __init__(
        self,
        client: RybbitClient,
        *,
        to: str | os.PathLike[str],
        since: date | str,
        until: date | str = "yesterday",
        sites: int | str | Iterable[int | str] = "all",
        what: ListName | Sequence[ListName] = LISTS,
        format: Format = "parquet",
        partition: Partition = "month",
        time_zone: str | tzinfo = "UTC",
        filters: Sequence[Filter] | None = None,
        segment_id: int | str | None = None,
        compression: Compression | None = None,
        raw: bool = False,
        lookback: timedelta | float = LOOKBACK,
        part_rows: int = PART_ROWS,
        page_size: int = 1000,
        storage_options: Mapping[str, Any] | None = None,
        force: bool = False,
        engine: Literal["local", "dask"] = "local",
        cluster: Any = None,
        rate_limit: RateLimit | None = None,
        worker_auth: str | PasswordLogin | None = None,
    ) -> None:
        self._client = client
        self._settings = check_settings(
            sites=sites,
            what=what,
            since=since,
            until=until,
            time_zone=time_zone,
            partition=partition,
            format=format,
            compression=compression,
            raw=raw,
            filters=filters,
            segment_id=segment_id,
            lookback=lookback,
            part_rows=part_rows,
            page_size=page_size,
        )
        self._store = open_store(to, storage_options)
        # Workers may have another working directory.
        place = to if self._store.filesystem else self._store.shown
        self._storage = Hidden({"to": place, "storage_options": storage_options})
        self._cluster = _check_engine(engine, cluster, rate_limit, worker_auth)
        self._force = force
        self._stopping: str | None = None
        self.report = ExportReport(self._store.shown)
        """What the latest run has done."""

    def __repr__(self) -> str:
        return f"<Export to {self._store.shown}>"

    def stop(self, reason: str = "the export was stopped") -> None:
        """End the run at the next page of each unit in progress; what was read is kept.

        A run that has not begun yet ends before its first unit.
        """
        self._stopping = reason

    async def plan(self) -> Plan:
        """What a run would do, and about what it would cost. Nothing is written.

        It takes two requests for each site, and one for each further hundred goals of it.

        Raises:
            ExportMismatchError: the folder holds another export.
            RybbitError: the key cannot list its sites.
        """
        manifest = await asyncio.to_thread(Manifest.load, self._store)
        if not self._force:
            await asyncio.to_thread(manifest.check, self._settings.identity(), write=False)
        found = await self._look()
        series = await asyncio.to_thread(manifest.series, found.first, found.last, found.now)
        plan = make_plan(self._settings, manifest, found, series)
        return await estimated(self._client, self._settings, plan, found.sites)

    async def run(self) -> AsyncGenerator[ExportEvent, None]:
        """Export, and tell what happens. The last event is ``ExportEnded``, with the report.

        A loop that is left early ends the run as soon as the generator is closed, which
        ``contextlib.aclosing`` does at once; what was read so far is kept as after a kill.

        Raises:
            ExportMismatchError: the folder holds another export.
            ExportLockedError: another run is writing to the folder.
            ExportStoreError: a file cannot be written or read.
            RybbitError: the key cannot list its sites.
        """
        events: asyncio.Queue[ExportEvent | None] = asyncio.Queue()
        run = asyncio.create_task(self._run(events.put_nowait))
        run.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await run
        finally:
            run.cancel()
            await asyncio.wait([run])
            self._stopping = None

    async def finish(self) -> ExportReport:
        """Export, and return the report. For errors see ``run``."""
        try:
            return await self._run(lambda event: None)
        finally:
            self._stopping = None

    async def _run(self, tell: Callable[[ExportEvent], None]) -> ExportReport:
        tally = Tally(tell, self._client, self._store.shown)
        # One thread converts and writes: several would only keep the event loop waiting.
        with ThreadPoolExecutor(1, "rybbit-export") as writer:
            try:
                async with _held(self._store.lock(LOCK)) as lock:
                    with stopped_by_signals(self.stop):
                        await self._export(tally, writer, lock)
                    if lock.lost:
                        raise ExportError(
                            f"{self._store.shown}: another run has taken over, since this one was "
                            "not heard of for too long; what this run had committed counts"
                        )
            except asyncio.CancelledError:
                log.warning("%r was cancelled: run it again to go on", self)
                raise
            finally:
                self.report = tally.report
        tell(ExportEnded(self.report))
        return self.report

    async def _export(self, tally: Tally, writer: ThreadPoolExecutor, lock: Lock) -> None:
        settings = self._settings
        if self._cluster is not None:
            await self._cluster.check(self._client)
        manifest = await in_thread(writer, Manifest.load, self._store)
        check = partial(manifest.check, settings.identity(), force=self._force)
        if not self._force:
            await in_thread(writer, partial(check, write=False))
        found = await self._look()
        # Nothing is written before it is known that there is something to export.
        await in_thread(writer, check)
        await in_thread(writer, manifest.sweep)
        series = await in_thread(writer, manifest.series, found.first, found.last, found.now)
        await in_thread(writer, manifest.note_run, series)
        plan = make_plan(settings, manifest, found, series)

        def listen(activity: Activity) -> None:
            if isinstance(activity, Paused):
                tally(ExportPaused(activity.scope, activity.seconds))

        def stopping() -> bool:
            if lock.lost and self._stopping is None:
                self._stopping = "the lease on the store could not be renewed in time"
            return self._stopping is not None

        shop = Workshop(
            self._client.with_options(on_event=listen),
            self._store,
            manifest,
            settings,
            writer,
            tally,
            stopping,
            series.id,
        )
        shop.tell(ExportPlanned(plan))
        tally.kept, tally.units, tally.failures = plan.kept, len(plan.units), [*plan.failures]
        async with self._engine(shop) as engine:
            units = Units(shop, plan.units, engine)
            try:
                await units.run()
            finally:
                tally.elsewhere = engine.requests
                tally.failures += units.outcome.failures
                tally.interrupted = units.outcome.stop or self._stopping
                await in_thread(writer, manifest.note_run, series, tally.report)

    def _engine(self, shop: Workshop) -> AbstractAsyncContextManager[Engine]:
        if self._cluster is None:
            return nullcontext(_Here(shop))
        return self._cluster.engine(shop, self._storage)

    async def _look(self) -> Found:
        """What there is to export."""
        client, settings = self._client, self._settings
        if client.server_time is None:  # a question that every server answers, and without a key
            with suppress(APIStatusError):
                await client.request("GET", "/api/version")
        now = client.server_time or datetime.now(UTC)
        goals = not {"goals", "goal_sessions"}.isdisjoint(settings.what)
        found = await find_sites(client, settings, now, goals=goals)
        await self._check_filters(found.sites)
        return found

    async def _check_filters(self, sites: Iterable[SitePlan]) -> None:
        """Refuse filters that the server would ignore, since the files would not show that."""
        settings = self._settings
        filtered = settings.filters is not None or settings.segment_id is not None
        if not filtered or "goal_sessions" not in settings.what:
            return
        for site, goal in ((one.site, next(iter(one.goals))) for one in sites if one.goals):
            applies = await self._client.goals.sessions.applies_filters(site, goal)
            if applies is False:
                raise InvalidParameterError(
                    "filters and segment_id must not be given for goal_sessions, since this server "
                    'ignores them there: leave "goal_sessions" out of what, and join the sessions '
                    "of goals to the filtered sessions in another export"
                )
            if applies:
                return


class _Here:
    """Exports units in this process."""

    requests = 0

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self.at_once = min(_AT_ONCE, shop.client.concurrency)

    async def perform(self, unit: Unit, others: int) -> UnitRecord:
        """Export one unit. The pages that other units will not need at once are for this one."""
        return await run_unit(
            self._shop, unit, max(1, self._shop.client.concurrency // (1 + others))
        )


def _check_engine(
    engine: str,
    cluster: object,
    rate_limit: RateLimit | None,
    auth: str | PasswordLogin | None,
) -> Cluster | None:
    if check_choice("engine", engine, ("local", "dask")) == "dask":
        limit = check_rate_limit(rate_limit)
        assert not isinstance(limit, Granted)  # that is for the workers
        return Cluster(cluster, Hidden(auth), limit)
    given = {"cluster": cluster, "rate_limit": rate_limit, "worker_auth": auth}
    for name, value in given.items():
        if value is not None:
            raise InvalidParameterError(
                f"{name} must be given with engine='dask' only"
                + ("; without it, pass rate_limit to the client" if name == "rate_limit" else "")
            )
    return None


@asynccontextmanager
async def _held(lock: AbstractContextManager[Lock]) -> AsyncGenerator[Lock, None]:
    """Hold a lock whose methods block. It is released also if this task is cancelled meanwhile."""
    entering = asyncio.get_running_loop().run_in_executor(None, lock.__enter__)
    try:
        yield await finished(entering)
    finally:
        if entering.exception() is None:
            await in_thread(None, lock.__exit__, None, None, None)


async def export(client: RybbitClient, **options: Unpack[ExportOptions]) -> ExportReport:
    """Export lists into files, and return what was done; see ``Export`` for everything.

    Raises:
        ExportMismatchError, ExportLockedError, ExportStoreError, RybbitError: see ``Export.run``.
    """
    return await Export(client, **options).finish()
