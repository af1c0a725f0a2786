"""Counting what a run does, for its report."""

from __future__ import annotations

import time
from collections.abc import Callable

from .. import RybbitClient
from .progress import ExportEvent, PartWritten, UnitEnded
from .report import ExportReport, Failure

__all__ = ["Tally"]


class Tally:
    """Counts what is told, and passes it on.

    Attributes:
        elsewhere: how many requests other clients have sent.
    """

    def __init__(self, tell: Callable[[ExportEvent], None], client: RybbitClient, to: str) -> None:
        self.units = self.kept = self.elsewhere = 0
        self.failures: list[Failure] = []
        self.interrupted: str | None = None
        self._tell = tell
        self._client = client
        self._to = to
        self._began = time.monotonic()
        self._requests = client.stats.requests
        self._done = self._rows = self._bytes = 0
        self._doubts: list[str] = []

    def __call__(self, event: ExportEvent) -> None:
        """Count what an event says."""
        if isinstance(event, PartWritten):
            self._rows += event.part.rows
            self._bytes += event.part.bytes
        elif isinstance(event, UnitEnded) and event.record.state == "done":
            self._done += 1
            if event.record.error is not None:
                self._doubts.append(f"{event.record.unit}: {event.record.error}")
        self._tell(event)

    @property
    def report(self) -> ExportReport:
        """What was done so far."""
        failed = sum(failure.unit is not None for failure in self.failures)
        left = self.units - self._done - failed
        reason = self.interrupted if left else None  # it came too late
        return ExportReport(
            self._to,
            done=self._done,
            kept=self.kept,
            left=left,
            failures=tuple(self.failures),
            doubts=tuple(self._doubts),
            rows=self._rows,
            bytes=self._bytes,
            requests=self._client.stats.requests - self._requests + self.elsewhere,
            seconds=time.monotonic() - self._began,
            interrupted=None if reason is None else f"{reason}; run the same export again to go on",
        )
