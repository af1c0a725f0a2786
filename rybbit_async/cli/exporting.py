"""``rybbit-async export``: files of every list, with progress."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from .. import RybbitClient
from ..export import (
    Export,
    ExportEnded,
    ExportEvent,
    ExportMismatchError,
    ExportPaused,
    ExportPlanned,
    ExportReport,
    Plan,
    RowsWritten,
    Unit,
    UnitBegun,
    UnitEnded,
)
from ..tables.extra import import_pyarrow
from .exits import CommandError, Exit
from .names import find_sites
from .output.progress import Progress
from .output.text import visible
from .output.values import counted, duration, number, size
from .run import Job
from .terminal import Terminal

__all__ = ["export", "plan"]

_AGAIN = "run the same command again to go on"


async def export(job: Job, options: Mapping[str, Any], *, as_json: bool) -> int:
    """Export, with progress on stderr, and say what was done.

    Args:
        job: of the command.
        options: the arguments of ``Export``.
        as_json: whether what was done is told as JSON.

    Returns:
        ``Exit.PARTIAL`` if something is missing, ``Exit.INTERRUPTED`` after Ctrl-C.

    Raises:
        CommandError: the folder holds another export.
    """
    if options.get("format") == "parquet":
        import_pyarrow()  # before anything is sent
    progress = _ExportProgress(job.terminal)
    work = _Stoppable(job.client, await _with_sites(job, options), progress)
    try:
        with progress:
            async for event in work.run():
                progress.follow(event)
    except ExportMismatchError as error:
        raise _other_export(error) from None
    report = work.report
    if as_json:
        job.terminal.write_data(json.dumps(_report(report), ensure_ascii=False, indent=2) + "\n")
    else:
        job.terminal.write(f"{visible(_summary(report))}\n")
    job.terminal.out.flush()
    for failure in report.failures:
        job.terminal.message(f"missing: {failure}")
    for doubt in report.doubts:
        job.terminal.message(f"in doubt: {doubt}")
    if work.stopped and report.interrupted:
        raise CommandError(
            f"interrupted, with {counted(report.left, 'units')} left; {_AGAIN}", Exit.INTERRUPTED
        )
    if report.interrupted:
        job.terminal.message(f"{report.interrupted}, with {counted(report.left, 'units')} left")
    elif not report.complete:
        job.terminal.message("some of it is missing; the same command tries that again")
    return Exit.OK if report.complete else Exit.PARTIAL


async def _with_sites(job: Job, options: Mapping[str, Any]) -> dict[str, Any]:
    return {**options, "sites": await find_sites(job, options["sites"]) or "all"}


async def plan(job: Job, options: Mapping[str, Any], *, as_json: bool) -> int:
    """Say what an export would do, and about what that costs.

    Raises:
        CommandError: the folder holds another export.
    """
    try:
        found = await Export(job.client, **await _with_sites(job, options)).plan()
    except ExportMismatchError as error:
        raise _other_export(error) from None
    if as_json:
        job.terminal.write_data(json.dumps(_plan(found), ensure_ascii=False, indent=2) + "\n")
        return Exit.OK
    days = f"{found.first}" if found.first == found.last else f"{found.first} to {found.last}"
    first, *missing = str(found).splitlines()
    job.terminal.write(f"{days}: {visible(first)}\n")
    for line in missing:
        job.terminal.message(line)
    return Exit.OK


def _other_export(error: ExportMismatchError) -> CommandError:
    return CommandError(str(error).replace("pass force=True", "pass --force"), Exit.USAGE)


def _summary(report: ExportReport) -> str:
    kept = f" ({number(report.kept)} from before)" if report.kept else ""
    return (
        f"{report.to}: {counted(report.done, 'units')}{kept}, {counted(report.rows, 'rows')}, "
        f"{size(report.bytes)}, {counted(report.requests, 'requests')} "
        f"in {duration(report.seconds)}"
    )


def _report(report: ExportReport) -> dict[str, Any]:
    return {
        "to": report.to,
        "complete": report.complete,
        "done": report.done,
        "kept": report.kept,
        "left": report.left,
        "rows": report.rows,
        "bytes": report.bytes,
        "requests": report.requests,
        "seconds": round(report.seconds, 3),
        "interrupted": report.interrupted,
        "failures": [dict(failure.plain()) for failure in report.failures],
        "doubts": list(report.doubts),
    }


def _plan(found: Plan) -> dict[str, Any]:
    return {
        "first": str(found.first),
        "last": str(found.last),
        "units": len(found.units),
        "kept": found.kept,
        "rows": found.rows,
        "requests": found.requests,
        "days": found.days,
        "seconds": found.seconds,
        "failures": [dict(failure.plain()) for failure in found.failures],
    }


class _Stoppable(Export):
    """An export that says so when Ctrl-C or SIGTERM stops it at the end of a page.

    Attributes:
        stopped: whether that has happened.
    """

    def __init__(
        self, client: RybbitClient, options: Mapping[str, Any], progress: _ExportProgress
    ) -> None:
        super().__init__(client, **options)
        self._progress = progress
        self.stopped = False

    def stop(self, reason: str = "the export was stopped") -> None:
        """See ``Export.stop``."""
        if not self.stopped:
            self._progress.end_with("stopping after this page; Ctrl-C again stops at once")
        self.stopped = True
        super().stop(reason)


class _ExportProgress(Progress):
    """The units that are done of all of them, the rows and their rate, and what is being read."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal, "rows")
        self._units = self._done = self._written = 0
        self._reading: dict[Unit, None] = {}
        self._begun = time.monotonic()

    def follow(self, event: ExportEvent) -> None:
        """Show what has happened."""
        match event:
            case ExportPlanned(plan):
                self._units = len(plan.units)
                self._begun = time.monotonic()
            case UnitBegun(unit):
                self._reading[unit] = None
            case RowsWritten(_, rows):
                self._written += rows
                self.rows(self._written)
            case UnitEnded(record):
                self._reading.pop(record.unit, None)
                self._done += 1
            case ExportPaused(scope, seconds):
                self.pause(scope, seconds)
            case ExportEnded():
                self.close()
            case _:
                pass

    def end_with(self, message: str) -> None:
        """Show a message in place of the progress."""
        self.close()
        self._terminal.message(message)

    def line(self) -> Text:
        """What is shown at this moment."""
        text = super().line()
        if not self._units:
            return text.append("  looking at the sites")
        text.append(f"  {number(self._done)} of {number(self._units)} units", "cyan")
        if self._done and self._done < self._units:
            left = (time.monotonic() - self._begun) / self._done * (self._units - self._done)
            text.append(f", about {duration(left)} left")
        if reading := next(iter(self._reading), None):
            more = f" and {len(self._reading) - 1} more" if len(self._reading) > 1 else ""
            text.append(f"  {reading}{more}", "dim")
        return text
