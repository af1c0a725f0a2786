"""Exporting units on the workers of a Dask cluster; install ``rybbit_async[dask]``.

The process that was asked for the export holds the lock, plans, and sends each unit to a worker. A
worker process has one client of its own, which all of its units share, so that the rate limit of
the run can be divided among the processes. A unit whose worker dies is sent to another one, which
goes on from what the store says.
"""

from __future__ import annotations

import asyncio
import importlib
import secrets
import threading
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final

from attrs import frozen

from .. import InvalidParameterError, PasswordLogin, RateLimit, RybbitClient
from ..errors import RybbitError, without_traceback
from ..parameters.checks import wrong_type
from .engine import Perform
from .errors import ExportError
from .manifest import Manifest, UnitRecord
from .progress import ExportEvent, PartWritten
from .settings import Settings
from .store import open_store
from .unit_run import Workshop, run_unit
from .units import Unit

__all__ = ["Cluster", "Hidden", "Job"]

# How often it is looked whether the workers that a unit was sent to are still there, in seconds.
_LOOK: Final = 2.0


class Hidden:
    """Something that no repr shows, and that pickles, for it has to reach the workers."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> tuple[type[Hidden], tuple[Any]]:
        return Hidden, (_plain(self.value),)


def _plain(value: Any) -> Any:
    """A value with plain text in place of text that refuses to be pickled."""
    if isinstance(value, str):
        return "".join(value)
    if isinstance(value, PasswordLogin):
        return {"email": value.email, "password": "".join(value.password)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


@frozen
class Job:
    """What a worker has to know of a run, whatever the unit.

    Attributes:
        run: tells runs apart.
        to: the folder or URL; with ``storage_options``, hidden.
        arguments: how to make a client, hidden.
        rate_limit: the share of one process.
        settings: what is wanted.
    """

    run: str
    to: Hidden
    arguments: Hidden
    rate_limit: RateLimit | None
    settings: Settings


# --- in the process that was asked ---------------------------------------------------------------


@frozen
class Cluster:
    """Where to find the workers, and what they need.

    Attributes:
        address: of a scheduler; a cluster or a client of ``distributed``; ``None`` for one worker
            process for each processor of this machine.
        auth: the key or login that is passed on to the workers; ``None`` for the key that
            ``RYBBIT_API_KEY`` is there.
        rate_limit: that of all workers together; ``None`` if the server tells its limit.
    """

    address: Any
    auth: Hidden
    rate_limit: RateLimit | None = None

    @asynccontextmanager
    async def engine(
        self, shop: Workshop, storage: Hidden
    ) -> AsyncGenerator[tuple[Perform, int], None]:
        """What exports a unit, and how many at once.

        Raises:
            InvalidParameterError: a rate limit must be given, or the client cannot be copied.
        """
        limits = shop.client.rate_limit
        if self.rate_limit is None and limits.burst is None and limits.daily is None:
            raise InvalidParameterError(
                "rate_limit must be given with engine='dask', since this server does not tell its "
                "limit, such as RateLimit(500, per=600); the workers keep to it together"
            )
        arguments = _arguments(shop.client, self.auth.value)
        async with _connected(self.address) as client:
            workers = await _workers(client)
            share = _share(self.rate_limit, len(workers))
            job = Job(
                secrets.token_hex(8),
                storage,
                arguments,
                share,
                shop.settings,
            )
            places = _Places(client, job, [*workers], shop)
            try:
                yield places.perform, sum(workers.values())
            finally:
                await client.run(_leave, job.run, on_error="ignore")


def _arguments(client: RybbitClient, auth: str | PasswordLogin | None) -> Hidden:
    arguments = client.arguments()
    if isinstance(auth, str):
        arguments["api_key"] = auth
    elif auth is not None:
        arguments["auth"] = auth
    return Hidden(arguments)


def _share(limit: RateLimit | None, processes: int) -> RateLimit | None:
    if limit is None:
        return None
    if limit.requests < processes:
        raise InvalidParameterError(
            f"rate_limit must allow a request for each of the {processes} worker processes, "
            f"got {limit}"
        )
    return RateLimit(limit.requests // processes, limit.per)


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
                asynchronous=True, threads_per_worker=1, dashboard_address=None
            ) as made,
            dask.Client(made, asynchronous=True, set_as_default=False) as client,
        ):
            yield client
        return
    scheduler = getattr(cluster, "scheduler", None)
    address = getattr(cluster, "scheduler_address", None) or getattr(scheduler, "address", cluster)
    if not isinstance(address, str):
        raise wrong_type("cluster", cluster, "str (the address of a scheduler) or a Dask cluster")
    try:
        client = await dask.Client(address, asynchronous=True, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExportError(
            f"cluster must be the address of a Dask scheduler that can be reached, got {address!r} "
            f"({type(error).__name__})"
        ) from None
    async with client:
        yield client


async def _workers(client: Any) -> dict[str, int]:
    """How many units each worker process can export at once, by its address."""
    await client.wait_for_workers(1)
    known = await client.scheduler.identity(n_workers=-1)
    return {address: int(worker["nthreads"]) for address, worker in known["workers"].items()}


class _Places:
    """The worker processes that take part: never more of them than share the rate limit."""

    def __init__(self, client: Any, job: Job, workers: list[str], shop: Workshop) -> None:
        self._client = client
        self._job = job
        self._workers = workers
        self._shop = shop
        self._stopped = False

    async def perform(self, unit: Unit, others: int) -> UnitRecord:
        """Export one unit on one of the workers, and on another one if that dies."""
        result: UnitRecord | RybbitError | None = None
        while result is None:
            future: Any = self._client.submit(
                export_there,
                self._job,
                unit,
                key=f"export {unit} {secrets.token_hex(4)}",
                workers=self._workers,
                pure=False,
            )
            result = await self._result(future, unit)
        if isinstance(result, RybbitError):
            raise result
        self._shop.manifest.records[unit.folder] = result
        for part in result.parts:
            self._shop.tell(PartWritten(unit, part))
        return result

    async def _result(self, future: Any, unit: Unit) -> UnitRecord | RybbitError | None:
        """What became of a unit; ``None`` if all workers that it was for are gone."""

        async def answer() -> Any:
            return await future

        waiting = asyncio.create_task(answer())
        try:
            while True:
                done, _ = await asyncio.wait([waiting], timeout=_LOOK)
                if done:
                    result: UnitRecord | RybbitError = waiting.result()
                    return result
                if self._shop.stopping() and not self._stopped:
                    self._stopped = True
                    await self._client.run(_stop, self._job.run, on_error="ignore")
                if not await self._replace_the_dead():
                    return None
        except _distributed().KilledWorker:
            return RybbitError(f"{unit}: one worker process after another died over it")
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])
            if not future.done():
                await future.cancel()

    async def _replace_the_dead(self) -> bool:
        """Have new workers take the places of those that are gone.

        Returns ``False`` if none of those is left that could have a unit that was sent.
        """
        alive = await _workers(self._client)
        before = set(self._workers)
        gone = [address for address in self._workers if address not in alive]
        new = [address for address in alive if address not in before]
        for address, other in zip(gone, new, strict=False):
            self._workers[self._workers.index(address)] = other
        return bool(before & set(alive))


# --- in a worker process -------------------------------------------------------------------------


class _Home:
    """The event loop and the client of a worker process, for the units of one run."""

    def __init__(self, job: Job) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rybbit-export", daemon=True
        )
        self._thread.start()
        self.stopping = False
        self._store = open_store(**job.to.value)
        self._settings = job.settings
        self._client = self._here(_made(dict(job.arguments.value), job.rate_limit))
        self._writer = ThreadPoolExecutor(1, "rybbit-export-writer")

    def _here(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def export(self, unit: Unit) -> UnitRecord | RybbitError:
        """Export one unit; several threads may call this at once."""
        manifest = Manifest.load(self._store, unit)
        shop = Workshop(
            self._client, self._store, manifest, self._settings, self._writer, _ignore,
            lambda: self.stopping,
        )  # fmt: skip
        try:
            record: UnitRecord = self._here(_exported(shop, unit))
        except RybbitError as error:
            return without_traceback(error)
        return record

    def close(self) -> None:
        """Close the client, and end the loop."""
        self._here(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._writer.shutdown()


async def _made(arguments: dict[str, Any], rate_limit: RateLimit | None) -> RybbitClient:
    if "auth" in arguments:
        arguments["auth"] = PasswordLogin(**arguments["auth"])
    return RybbitClient(rate_limit=rate_limit, **arguments)


async def _exported(shop: Workshop, unit: Unit) -> UnitRecord:
    if shop.client.server_time is None:
        await shop.client.request("GET", "/api/version")
    return await run_unit(shop, unit, shop.client.concurrency)


def _ignore(event: ExportEvent) -> None:
    pass


_homes: dict[str, _Home] = {}
_making = threading.Lock()


def export_there(job: Job, unit: Unit) -> UnitRecord | RybbitError:
    """Export a unit in this process, which is a worker."""
    with _making:
        home = _homes.get(job.run)
        if home is None:
            home = _homes[job.run] = _Home(job)
    return home.export(unit)


def _stop(run: str) -> None:
    home = _homes.get(run)
    if home is not None:
        home.stopping = True


def _leave(run: str) -> None:
    home = _homes.pop(run, None)
    if home is not None:
        home.close()
