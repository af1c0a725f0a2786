"""Exporting units on the workers of a Dask cluster; install ``rybbit_async[dask]``.

The process that was asked for the export holds the lock, plans, and sends each unit to a worker. It
asks the workers all the time how far they are, and with that grants them the requests that the rate
limit allows. A unit whose worker dies is sent to another one, which goes on from what the store
says. A worker that is not asked any more, since it is cut off, gives up its units.
"""

from __future__ import annotations

import asyncio
import importlib
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from attrs import frozen

from .. import InvalidParameterError, PasswordLogin, RateLimit, RybbitClient
from ..errors import APIConnectionError, RybbitError
from ..parameters.checks import wrong_type
from .errors import ExportError
from .grants import LEASE, Grants, Spent
from .manifest import Manifest, UnitRecord
from .progress import PartWritten, RowsWritten, UnitBegun
from .unit_run import Workshop
from .units import Unit
from .worker import Answer, Hidden, Job, News, Progress, Sums, export_there, leave, look

__all__ = ["Cluster", "Places"]

_LOOK: Final = 0.5  # seconds between questions to the workers
_PATIENCE: Final = 5.0  # seconds for an answer
_FIRST_WORKER: Final = 60.0  # seconds for a cluster to have one
_GONE: Final = (
    "the Dask cluster must stay until the end of the export, but the connection to its scheduler "
    "was lost, or a task was cancelled there: run the export again to go on"
)
# The first release that tells its limit, where it has one. Those before 2.4 tell no release either.
_TELLING: Final = (2, 7)


@frozen
class Cluster:
    """Where to find the workers, and what they need.

    Attributes:
        address: of a scheduler; a cluster or a client of ``distributed``; ``None`` for one worker
            process for each processor of this machine.
        auth: the key or login that is passed on to the workers, hidden; that of ``None`` for the
            key that ``RYBBIT_API_KEY`` is there.
        rate_limit: that of all workers together; ``None`` if the server tells its limit or has
            none.
    """

    address: Any
    auth: Hidden
    rate_limit: RateLimit | None = None

    async def check(self, client: RybbitClient) -> None:
        """Make sure of what can be known before anything is written.

        Raises:
            InvalidParameterError: a rate limit must be given, or the client cannot be copied.
            ExportError: ``distributed`` is not installed.
        """
        _distributed()
        _arguments(client, self.auth.value)
        if self.rate_limit is None and not await _tells_its_limit(client):
            raise InvalidParameterError(
                "rate_limit must be given with engine='dask', since this server does not tell its "
                "limit, such as RateLimit(500, per=600); the workers keep to it together"
            )

    @asynccontextmanager
    async def engine(self, shop: Workshop, storage: Hidden) -> AsyncGenerator[Places, None]:
        """What exports units on the workers.

        Raises:
            ExportError: the cluster cannot be reached, or has no workers.
        """
        job = Job(
            secrets.token_hex(8),
            storage,
            _arguments(shop.client, self.auth.value),
            self.rate_limit is not None,
            shop.settings,
            shop.series,
        )
        async with _connected(self.address) as client:
            places = Places(client, job, shop, self.rate_limit)
            await places.open()
            try:
                yield places
            finally:
                await places.close()


async def _tells_its_limit(client: RybbitClient) -> bool:
    try:
        answer: Any = await client.request("GET", "/api/version")
    except APIConnectionError:
        raise
    except RybbitError:
        return False
    with suppress(AttributeError, TypeError, ValueError):
        return tuple(map(int, answer.get("version").split(".")[:2])) >= _TELLING
    return False


def _arguments(client: RybbitClient, auth: str | PasswordLogin | None) -> Hidden:
    arguments = client.arguments()
    if isinstance(auth, str):
        arguments["api_key"] = auth
    elif auth is not None:
        arguments["auth"] = auth
    return Hidden(arguments)


def _distributed() -> Any:
    """Dask's ``distributed``, which has few types."""
    try:
        return importlib.import_module("distributed")
    except ImportError:
        raise ExportError(
            'engine="dask" needs a package that is not installed: pip install "rybbit_async[dask]"'
        ) from None


@asynccontextmanager
async def _connected(cluster: Any) -> AsyncGenerator[Any, None]:
    """A client of the cluster."""
    dask = _distributed()
    if cluster is None:
        async with (
            dask.LocalCluster(
                asynchronous=True,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
                preload=["rybbit_async.export.worker"],
            ) as made,
            dask.Client(made, asynchronous=True, set_as_default=False) as client,
        ):
            yield client
        return
    scheduler = getattr(cluster, "scheduler", None)
    address = getattr(cluster, "scheduler_address", None) or getattr(scheduler, "address", cluster)
    if not isinstance(address, str):
        raise wrong_type("cluster", cluster, "str (the address of a scheduler) or a Dask cluster")
    client = dask.Client(
        address,
        asynchronous=True,
        set_as_default=False,
        security=getattr(cluster, "security", None),  # its certificates, if it has any
    )
    try:
        await client
    except (OSError, ValueError) as error:
        with suppress(Exception):
            await client.close()
        raise ExportError(
            f"cluster must be the address of a Dask scheduler that can be reached, got {address!r} "
            f"({type(error).__name__})"
        ) from None
    try:
        yield client
    finally:
        with suppress(OSError):  # the scheduler is gone
            await client.close()


class Places:
    """The places that the workers have for units."""

    def __init__(self, client: Any, job: Job, shop: Workshop, rate_limit: RateLimit | None) -> None:
        self._client = client
        self._job = job
        self._shop = shop
        self._grants = (
            None
            if rate_limit is None
            else Grants(rate_limit, shop.client.stats.requests, time.monotonic())
        )
        self._granted: dict[str, int] = {}
        self._threads = 1
        self._requests: dict[str, int] = {}
        self._progress: dict[Unit, Progress | None] = {}
        self._blamed = asyncio.Lock()
        # The worker processes by address: when each has answered last, and whether it took part.
        self._heard: dict[str, float] = {}
        self._taking_part: set[str] = set()
        self._lost: dict[str, float] = {}
        self._looking: asyncio.Task[None] | None = None

    @property
    def at_once(self) -> int:
        """How many units to send: one more than there are places, so that clusters can grow."""
        return self._threads + 1

    @property
    def requests(self) -> int:
        """How many requests the workers have sent."""
        return sum(self._requests.values())

    async def open(self) -> None:
        """Wait for the first worker, and begin to ask how far they are."""
        # Clusters that grow by themselves have no worker until there is something to do.
        first = self._client.submit(int, key=f"export begins {self._job.run}", pure=False)
        try:
            await asyncio.wait_for(_result(first), _FIRST_WORKER)
        except TimeoutError:
            raise ExportError(
                f"the Dask cluster must have workers, but had none within {_FIRST_WORKER:g} seconds"
            ) from None
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Have every worker give up what it does, and wait until that is certain."""
        assert self._looking is not None
        self._looking.cancel()
        await asyncio.wait([self._looking])
        left: dict[str, Any] = {}
        with suppress(Exception):  # such as a scheduler that is gone
            left = await asyncio.wait_for(
                self._client.run(leave, self._job.run, on_error="return"), LEASE
            )
        now = time.monotonic()
        unsure = {
            address: heard
            for address, heard in {**self._heard, **self._lost}.items()
            if (address in self._taking_part or address in self._lost)
            and (address not in left or isinstance(left[address], BaseException))
        }
        if unsure:
            # Nobody else may write to the folder while a worker that was cut off still does.
            await asyncio.sleep(max(0.0, max(unsure.values()) + LEASE - now))
            await asyncio.to_thread(self._clean_up)

    def _clean_up(self) -> None:
        """Remove what workers that died have left."""
        Manifest.load(self._shop.store).sweep()

    # --- units -----------------------------------------------------------------------------------

    async def perform(self, unit: Unit, others: int) -> UnitRecord:
        """Export one unit on one of the workers, and on another one if that dies."""
        before = self._shop.manifest.of(unit)
        self._progress[unit] = None
        try:
            result = await self._result(unit)
        finally:
            del self._progress[unit]
            # The worker has written it.
            record = await self._shop.blocking(self._record, unit)
        if isinstance(result, RybbitError):
            raise result
        if result.state == "done" and record is None:
            raise ExportError(
                f"{self._shop.store.shown} must be the same folder for every worker, but nothing "
                f"of {unit} arrived here: use a shared folder or a URL such as s3://bucket/folder"
            )
        if result.state == "done" and record != result:
            # A worker that was cut off has written it after the one that took its place.
            await self._shop.blocking(self._shop.manifest.commit, result)
        known = () if before is None else before.parts
        for part in result.parts:
            if part not in known:
                self._shop.tell(PartWritten(unit, part))
        return result

    def _record(self, unit: Unit) -> UnitRecord | None:
        records, manifest = self._shop.manifest.records, Manifest.load(self._shop.store, unit)
        record = manifest.of(unit)
        records.pop(unit.folder, None)
        if record is not None:
            records[unit.folder] = record
        return record

    async def _result(self, unit: Unit) -> UnitRecord | RybbitError:
        try:
            return await self._submit(unit)
        except _distributed().KilledWorker:
            pass
        # Dask blames all units that were on the worker, also those that had not begun. So each of
        # them is tried again when none of the others is.
        async with self._blamed:
            try:
                return await self._submit(unit)
            except _distributed().KilledWorker:
                return RybbitError("one worker process after another died while it exported this")

    async def _submit(self, unit: Unit) -> UnitRecord | RybbitError:
        while not self._shop.stopping():
            key = f"export {unit} {secrets.token_hex(4)}"
            future = self._client.submit(export_there, self._job, unit, key=key, pure=False)
            answer: Answer = await _result(future)
            if answer.sums is not None:
                self._count(answer.sums)
            if answer.progress is not None:
                self._tell(unit, answer.progress)
            if answer.result is not None:
                return answer.result
        return self._shop.manifest.of(unit) or UnitRecord(unit, "open")

    # --- what the workers tell -------------------------------------------------------------------

    async def _look(self) -> None:
        asked: dict[str, asyncio.Task[None]] = {}
        told: dict[str, Spent] = {}
        try:
            while True:
                workers: dict[str, Any] = {}
                with suppress(Exception):  # the units tell if the scheduler is gone
                    known = await asyncio.wait_for(
                        self._client.scheduler.identity(n_workers=-1), _PATIENCE
                    )
                    workers = known["workers"]
                    self._threads = max(1, sum(int(one["nthreads"]) for one in workers.values()))
                    for address in self._heard.keys() - workers.keys():
                        self._lost[address] = self._heard.pop(address)
                for address in workers:
                    # One that does not answer does not keep the others waiting.
                    if address not in asked or asked[address].done():
                        asked[address] = asyncio.create_task(self._ask(address, told))
                await asyncio.sleep(_LOOK)
                if self._grants is not None:
                    # What was granted before has been delivered, or is not any more.
                    self._granted = self._grants.grant(told, time.monotonic())
                told.clear()
        finally:
            for task in asked.values():
                task.cancel()
            if asked:
                await asyncio.wait(asked.values())

    async def _ask(self, address: str, told: dict[str, Spent]) -> None:
        with suppress(Exception):
            answers = await asyncio.wait_for(
                self._client.run(
                    look, self._job.run, self._shop.stopping(), self._granted,
                    workers=[address], on_error="ignore",
                ),
                _PATIENCE,
            )  # fmt: skip
            if address not in answers:
                return
            self._heard[address] = time.monotonic()
            news: News | None = answers[address]
            if news is None:
                return
            self._taking_part.add(address)
            told[news.sums.process] = news.spent
            self._count(news.sums)
            for unit, progress in news.progress.items():
                if unit in self._progress:
                    self._tell(unit, progress)

    def _count(self, sums: Sums) -> None:
        self._requests[sums.process] = max(sums.requests, self._requests.get(sums.process, 0))

    def _tell(self, unit: Unit, progress: Progress) -> None:
        """Tell what is new since the last time."""
        before = self._progress[unit]
        if before is None or before.attempt != progress.attempt:
            self._shop.tell(UnitBegun(unit, progress.before))
            rows = progress.rows
        else:
            rows = progress.rows - before.rows
        if rows > 0:
            self._shop.tell(RowsWritten(unit, rows))
        self._progress[unit] = progress


async def _result(future: Any) -> Any:
    """What became of a task.

    Raises:
        ExportError: it cannot be known, or the worker could not begin.
    """

    async def answer() -> Any:
        return await future

    dask = _distributed()
    # A task of its own, since a future that is lost looks like a task that is cancelled.
    waiting = asyncio.create_task(answer())
    try:
        await asyncio.wait([waiting])
        if waiting.cancelled():
            raise ExportError(_GONE)
        return waiting.result()
    except (RybbitError, dask.KilledWorker):
        raise
    except dask.client.FutureCancelledError:
        raise ExportError(_GONE) from None
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise ExportError(
            "the scheduler and the workers of the Dask cluster must have the same versions of "
            f"Python, rybbit_async and distributed; a task failed there with {type(error).__name__}"
            f": {text}"
        ) from None
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait([waiting])
            with suppress(Exception):
                await future.cancel()
