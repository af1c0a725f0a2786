"""The part of an export in a worker process of a Dask cluster."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar, cast

from attrs import define, frozen

from .. import PasswordLogin, RybbitClient
from ..errors import RybbitError, without_traceback
from ..transport.pacing import Granted
from .errors import ExportError
from .grants import LEASE, Spent
from .manifest import Manifest, UnitRecord
from .progress import ExportEvent, RowsWritten, UnitBegun
from .settings import Settings
from .store import open_store
from .unit_run import Workshop, run_unit
from .units import Unit

__all__ = ["Answer", "Hidden", "Job", "News", "Progress", "Sums", "export_there", "leave", "look"]

T = TypeVar("T")

_LOOK: Final = 1.0  # seconds


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
    items = cast("Mapping[Any, Any]", value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in items.items()}
    return value


@frozen
class Job:
    """What a worker has to know of a run, whatever the unit.

    Attributes:
        run: tells runs apart.
        storage: the folder or URL with ``storage_options``, hidden.
        arguments: how to make a client, hidden.
        granted: whether it may only send the requests that are granted.
        settings: what is wanted.
        series: see ``Series``.
    """

    run: str
    storage: Hidden
    arguments: Hidden
    granted: bool
    settings: Settings
    series: str


@frozen
class Sums:
    """What a process has sent so far."""

    process: str
    requests: int


@frozen
class Progress:
    """How far an attempt at a unit has come.

    Attributes:
        attempt: tells attempts apart.
        before: how many rows there were of it.
        rows: how many rows this attempt has written.
    """

    attempt: str
    before: int
    rows: int


@frozen
class News:
    """What a process tells while it works."""

    sums: Sums
    spent: Spent
    progress: Mapping[Unit, Progress]


@frozen
class Answer:
    """What became of a unit.

    Attributes:
        result: its record, or what it failed with; ``None`` if the process gave it up.
        progress: how far it came; ``None`` if it was not begun.
    """

    result: UnitRecord | RybbitError | None
    progress: Progress | None = None
    sums: Sums | None = None


@define
class _Attempt:
    name: str
    begun: bool = False
    before: int = 0
    rows: int = 0

    def tell(self, event: ExportEvent) -> None:
        if isinstance(event, UnitBegun):
            self.begun, self.before = True, event.rows
        elif isinstance(event, RowsWritten):
            self.rows += event.rows

    @property
    def progress(self) -> Progress | None:
        return Progress(self.name, self.before, self.rows) if self.begun else None


class _Home:
    """The event loop and the client of a worker process, for the units of one run."""

    def __init__(self, job: Job) -> None:
        self.name = secrets.token_hex(8)
        self._job = job
        self._store = open_store(**job.storage.value)
        self._check_folder()
        self._granted = Granted() if job.granted else None
        self._attempts: dict[Unit, _Attempt] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._heard = time.monotonic()
        self._writer = ThreadPoolExecutor(1, "rybbit-export-writer")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rybbit-export", daemon=True
        )
        self._thread.start()
        try:
            self._client = self._here(_made(job, self._granted)).result()
        except BaseException:
            self._end_loop()
            raise
        self._watching = self._here(self._watch())

    def _check_folder(self) -> None:
        with suppress(ExportError):
            if Manifest(self._store, {}).identity() == self._job.settings.identity():
                return
        raise ExportError(
            f"{self._store.shown} must be the same folder for every worker, but the one on "
            f"{socket.gethostname()} does not hold this export: use a shared folder or a URL "
            "such as s3://bucket/folder"
        )

    def _here(self, work: Coroutine[Any, Any, T]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def begin(self, unit: Unit, attempt: _Attempt) -> Future[UnitRecord]:
        """Begin to export a unit; several of them may be under way at once."""
        future: Future[UnitRecord] = self._here(self._exported(unit, attempt))
        return future

    async def _exported(self, unit: Unit, attempt: _Attempt) -> UnitRecord:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._attempts[unit] = attempt
        try:
            manifest = await asyncio.to_thread(Manifest.load, self._store, unit)
            if self._stopping:
                return manifest.of(unit) or UnitRecord(unit, "open")
            shop = Workshop(
                self._client, self._store, manifest, self._job.settings, self._writer,
                attempt.tell, lambda: self._stopping, self._job.series,
            )  # fmt: skip
            if self._client.server_time is None:
                with suppress(RybbitError):
                    await self._client.request("GET", "/api/version")
            return await run_unit(shop, unit, self._client.concurrency)
        finally:
            self._attempts.pop(unit, None)
            self._tasks.discard(task)

    def look(self, *, stop: bool, granted: int) -> Future[News]:
        """Take note that this run goes on, and tell how far it is."""
        future: Future[News] = self._here(self._look(stop, granted))
        return future

    async def _look(self, stop: bool, granted: int) -> News:
        self._heard = time.monotonic()
        self._stopping = self._stopping or stop
        left, idle = 0, None
        if self._granted is not None:
            self._granted.left += granted
            left, idle = self._granted.left, self._granted.idle(self._loop.time())
        progress = {unit: one.progress for unit, one in self._attempts.items() if one.progress}
        return News(self.sums(), Spent(left, idle, bool(self._tasks)), progress)

    def sums(self) -> Sums:
        """What was sent so far."""
        return Sums(self.name, self._client.stats.requests)

    async def _watch(self) -> None:
        """Give up if nobody asks any more: the units may be exported elsewhere by then."""
        while time.monotonic() - self._heard < LEASE:  # noqa: ASYNC110  # time has no event
            await asyncio.sleep(_LOOK)
        threading.Thread(target=_end, args=(self._job.run,), daemon=True).start()

    def close(self) -> None:
        """Give up the units, close the client, and end the loop."""
        self._here(self._close()).result()
        self._end_loop()

    async def _close(self) -> None:
        self._watching.cancel()
        while self._tasks:
            tasks = [*self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await self._client.close()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._writer.shutdown()


async def _made(job: Job, granted: Granted | None) -> RybbitClient:
    arguments = dict(job.arguments.value)
    if "auth" in arguments:
        arguments["auth"] = PasswordLogin(**arguments["auth"])
    elif "api_key" not in arguments and not os.environ.get("RYBBIT_API_KEY", "").strip():
        raise ExportError(
            f"RYBBIT_API_KEY must be set for each worker, but it is not on {socket.gethostname()}: "
            "set it there, or pass worker_auth"
        )
    return RybbitClient(rate_limit=cast("Any", granted), **arguments)


_homes: dict[str, _Home] = {}
_left: set[str] = set()  # runs that have ended
_making = threading.Lock()
# Held for moments only, while work is handed to a home: it is not closed before that.
_lock = threading.Lock()


def export_there(job: Job, unit: Unit) -> Answer:
    """Export a unit in this process, which is a worker."""
    attempt = _Attempt(secrets.token_hex(8))
    result: UnitRecord | RybbitError | None
    try:
        home = _home(job)
    except RybbitError as error:
        return Answer(error if isinstance(error, ExportError) else ExportError(_line(error)))
    with _lock:
        if home is None or _homes.get(job.run) is not home:
            return Answer(None)
        future = home.begin(unit, attempt)
    try:
        result = future.result()
    except CancelledError:
        result = None
    except RybbitError as error:
        result = without_traceback(error)
    return Answer(result, attempt.progress, home.sums())


def _home(job: Job) -> _Home | None:
    with _making:
        if job.run in _left:
            return None
        home = _homes.get(job.run)
        if home is None:
            home = _homes[job.run] = _Home(job)
        return home


async def look(run: str, stop: bool, granted: Mapping[str, int]) -> News | None:
    """What this process has done for a run; ``None`` if it takes no part in it."""
    with _lock:
        home = _homes.get(run)
        if home is None:
            return None
        future = home.look(stop=stop, granted=granted.get(home.name, 0))
    return await asyncio.wrap_future(future)


async def leave(run: str) -> None:
    """End what this process does for a run, and begin nothing more."""
    _left.add(run)
    await asyncio.to_thread(_end, run)


def _end(run: str) -> None:
    with _making, _lock:
        home = _homes.pop(run, None)
    if home is not None:
        home.close()


def dask_setup(worker: object) -> None:
    """Ignore Ctrl-C: it stops the export, which ends its own workers after that.

    Dask calls this in the processes of a cluster that was made for an export.
    """
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
