"""A lock in a store that has none: a file that says who has it and until when.

Every holder has a file of its own, ``<path>.00000001`` and so on. The highest number is the one
that counts, and it is never removed. So to take over a lease that has run out means to create the
next number, which a store that creates files exclusively allows only once. While a run goes on, a
thread renews its lease. A run that is killed renews nothing, so that its lease can be taken over
after `LEASE` seconds.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Protocol, cast

from attrs import evolve, field, frozen

from ..errors import ExportLockedError, ExportStoreError
from .base import Owner

__all__ = ["LEASE", "RENEW", "Clock", "Lease", "LeaseFiles"]

LEASE: Final = 60.0
"""Seconds after which a lease that is not renewed has run out."""
RENEW: Final = 15.0
"""Seconds between renewals: three may fail before the lease is lost."""


class LeaseFiles(Protocol):
    """What a lease needs of a store."""

    shown: str

    def read(self, path: str) -> bytes | None:
        """The content of a file, or ``None``."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write a file."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless it exists, and return whether it was written."""
        ...

    def list(self, folder: str = "") -> list[str]:
        """The files below a folder."""
        ...


@frozen
class Clock:
    """The times that a lease goes by: ``now`` is told to others, ``elapsed`` never goes back."""

    now: Callable[[], float] = time.time
    elapsed: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], bool] = field(default=threading.Event.wait)


@frozen
class _Record:
    """What a file of a lease says; the times are seconds since 1970."""

    token: str
    owner: str
    since: float
    until: float

    def to_bytes(self) -> bytes:
        return json.dumps(
            {"token": self.token, "owner": self.owner, "since": self.since, "until": self.until}
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> _Record:
        """Read a record; of a file that cannot be read, one that has run out."""
        with suppress(ValueError, TypeError, KeyError):
            told = cast("dict[str, object]", json.loads(data))
            return cls(
                str(told["token"]),
                str(told["owner"]),
                float(cast("float", told["since"])),
                float(cast("float", told["until"])),
            )
        return cls("", "another process", 0.0, 0.0)


class Lease:
    """A lease that this process has or wants to have."""

    def __init__(self, files: LeaseFiles, path: str, clock: Clock) -> None:
        self._files = files
        self._path = path
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._number = 0
        self._taken_from_us = False
        self._good_until = 0.0  # by `clock.elapsed`
        now = clock.now()
        owner = str(Owner.here(datetime.fromtimestamp(now, UTC)))
        self._record = _Record(secrets.token_hex(8), owner, now, now + LEASE)

    @property
    def lost(self) -> bool:
        """Whether another run has taken the lease, or may take it by now."""
        return self._taken_from_us or self._clock.elapsed() >= self._good_until

    def acquire(self) -> None:
        """Take the lease and begin to renew it.

        Raises:
            ExportLockedError: another run has it.
        """
        newest = max(self._numbers(), default=0)
        before = self._read(newest) if newest else None
        if before is not None and before.until > self._clock.now():
            raise self._locked(before)
        self._number = newest + 1
        asked = self._clock.elapsed()
        created = self._files.create(self._name(self._number), self._record.to_bytes())
        # Stores that create no file exclusively overwrite it: what is read then counts.
        found = self._read(self._number)
        if not created or found != self._record:
            raise self._locked(found)
        self._good_until = asked + LEASE
        self._thread = threading.Thread(target=self._run, name="rybbit-export-lease", daemon=True)
        self._thread.start()

    def holder(self) -> str | None:
        """Who has the lease at this moment, if anybody does."""
        newest = max(self._numbers(), default=0)
        found = self._read(newest) if newest else None
        return found.owner if found is not None and found.until > self._clock.now() else None

    def renew(self) -> None:
        """Renew the lease, or find out that another run has it."""
        asked = self._clock.elapsed()
        if max(self._numbers(), default=0) != self._number or (
            (found := self._read(self._number)) is not None and found.token != self._record.token
        ):
            self._taken_from_us = True
            return
        self._record = evolve(self._record, until=self._clock.now() + LEASE)
        self._files.write(self._name(self._number), self._record.to_bytes())
        self._good_until = asked + LEASE

    def release(self) -> None:
        """Stop to renew the lease, and let others have it at once."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if not self.lost:
            # If it fails, others have to wait until the lease has run out.
            with suppress(ExportStoreError):
                ended = evolve(self._record, until=0.0)
                self._files.write(self._name(self._number), ended.to_bytes())

    def _run(self) -> None:
        while not self._clock.wait(self._stop, RENEW) and not self._taken_from_us:
            # A failure is tried again; if it lasts, `lost` becomes true with time.
            with suppress(ExportStoreError):
                self.renew()

    def _numbers(self) -> list[int]:
        folder, _, name = self._path.rpartition("/")
        files = (path.rpartition("/")[2] for path in self._files.list(folder))
        found = (re.fullmatch(re.escape(name) + r"\.(\d{8})", file) for file in files)
        return [int(match[1]) for match in found if match]

    def _name(self, number: int) -> str:
        return f"{self._path}.{number:08}"

    def _read(self, number: int) -> _Record | None:
        data = self._files.read(self._name(number))
        return None if data is None else _Record.from_bytes(data)

    def _locked(self, found: _Record | None) -> ExportLockedError:
        owner = found.owner if found else "another process"
        told = ""
        if found and found.until:
            told = f" since {_shown(found.since)}, and has it until {_shown(found.until)} or longer"
        return ExportLockedError(
            f"{self._files.shown} must have one export at a time: {owner} has been exporting to "
            f"it{told}. Wait until it has ended, or export to another place",
            place=self._files.shown,
            owner=found.owner if found else None,
        )


def _shown(seconds: float) -> str:
    return datetime.fromtimestamp(round(seconds), UTC).isoformat()
