"""What an export has written so far: one small file for each unit, and one for the export.

A file of data that no record lists does not count. Each worker writes the records of its own units
only, and a reader merges them all, so that many workers can commit at once.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, cast

import attrs
from attrs import field, frozen
from cattrs.preconf.json import JsonConverter, make_converter

from .errors import ExportError, ExportMismatchError
from .report import ExportReport
from .store import Store
from .units import LISTS, Unit

__all__ = ["FOLDER", "LOCK", "Identity", "LatestRun", "Manifest", "Part", "Series", "UnitRecord"]

FOLDER: Final = "_manifest"  # readers of tables leave out names that begin with "_"
LOCK: Final = f"{FOLDER}/lock"
_EXPORT: Final = f"{FOLDER}/export.json"
_RUN: Final = f"{FOLDER}/run.json"
_ONE_SERIES: Final = timedelta(days=1)
_AT_ONCE: Final = 16  # records that are read at once
_PART: Final = re.compile(r"\.?part-[0-9]+-[0-9]+\.")  # temporary names included


@frozen
class Part:
    """A file of rows.

    Attributes:
        path: where it is, below the folder of the export.
        rows: how many it has.
        bytes: its size.
        sha256: of its bytes, in hexadecimal.
    """

    path: str
    rows: int
    bytes: int
    sha256: str


@frozen
class UnitRecord:
    """How far a unit has come.

    Attributes:
        unit: the unit.
        state: ``"done"``; ``"open"`` if more rows follow; ``"failed"`` after an error.
        parts: the files that count, in the order of their rows.
        generation: how many times the unit was begun from its beginning.
        began: when this generation was begun, by the clock of the server.
        settled: whether nothing in the window could change any more by then.
        position: where the walk can go on after the last row of the last part.
        query: what was asked for.
        report: what the latest walk reported.
        series: the runs that it was exported by, see ``Series``.
        error: what went wrong, without secrets.
    """

    unit: Unit
    state: Literal["open", "done", "failed"]
    parts: tuple[Part, ...] = ()
    generation: int = 1
    began: datetime | None = None
    settled: bool = False
    position: str | None = None
    query: Mapping[str, str] = field(factory=dict[str, str])
    report: Mapping[str, Any] | None = None
    error: str | None = None
    series: str | None = None

    @property
    def rows(self) -> int:
        """How many rows its files have."""
        return sum(part.rows for part in self.parts)

    @property
    def path(self) -> str:
        """Where the record itself is."""
        return _path_of(self.unit)

    def part_path(self, number: int, suffix: str) -> str:
        """The name of a part, which follows from its unit."""
        return f"{self.unit.folder}/part-{self.generation}-{number:05d}{suffix}"


def _path_of(unit: Unit) -> str:
    """Where the record of a unit is."""
    return f"{FOLDER}/{unit.folder}.json"


@frozen
class Identity:
    """What makes two runs the same export. The range of days, the server and the key do not.

    Attributes:
        version: of this form of manifest.
        lists: the lists.
        filters, segment_id: the conditions, as they are sent.
        time_zone: where days begin and end.
        partition, format, compression, raw: see ``Export``.
        schema_version: of the columns; see ``rybbit_async.tables.SCHEMA_VERSION``.
    """

    lists: tuple[str, ...]
    filters: str | None
    segment_id: str | None
    time_zone: str
    partition: str
    format: str
    compression: str | None
    raw: bool
    schema_version: int
    version: int = 1

    def differences(self, other: Identity) -> Iterator[str]:
        """What differs, in words."""
        for name in attrs.fields_dict(Identity):
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours != theirs:
                yield f"{name} is {_plain(theirs)} there, got {_plain(ours)}"


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, cast("tuple[object, ...]", value)))
    return repr(value)


@frozen
class Series:
    """Runs over the same days that go on with one another, as long as units are left.

    What one of them has exported, the next ones do not read again, although windows may not have
    settled. So runs that are interrupted again and again come to an end. A series lasts a day.

    Attributes:
        id: tells series apart.
        began: when the first of the runs began, by the clock of the server.
        first, last: the days, both included.
    """

    id: str
    began: datetime
    first: date
    last: date


@frozen
class LatestRun:
    """What the latest run has noted.

    Attributes:
        series: that of the run.
        ended: when it ended; ``None`` if it goes on, or was killed.
        done, kept, left, rows, interrupted, doubts: see ``ExportReport``.
        failures: what is missing, each as a mapping with its ``"error"``.
    """

    series: Series
    ended: datetime | None = None
    done: int = 0
    kept: int = 0
    left: int | None = None
    rows: int = 0
    interrupted: str | None = None
    failures: tuple[Mapping[str, Any], ...] = ()
    doubts: tuple[str, ...] = ()


class Manifest:
    """The records of one export, as they were when it was loaded; and the way to write more."""

    def __init__(self, store: Store, records: Mapping[str, UnitRecord]) -> None:
        self._store = store
        self.records = dict(records)
        """The record of each unit that was begun, by the folder of the unit."""

    @classmethod
    def load(cls, store: Store, unit: Unit | None = None) -> Manifest:
        """Read every record, or only that of a unit.

        Raises:
            ExportError: a record cannot be read.
        """
        if unit is not None:
            path = _path_of(unit)
            body = store.read(path)
            return cls(store, {} if body is None else {unit.folder: _read(path, body, UnitRecord)})
        paths = [
            path
            for path in store.list(FOLDER)
            if path.startswith(tuple(f"{FOLDER}/{name}/" for name in LISTS))
            and path.endswith(".json")
            and not path.rpartition("/")[2].startswith(".")
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            bodies = pool.map(store.read, paths)
            read = [
                _read(path, body, UnitRecord)
                for path, body in zip(paths, bodies, strict=True)
                if body is not None
            ]
        return cls(store, {record.unit.folder: record for record in read})

    def identity(self) -> Identity:
        """What the folder holds an export of.

        Raises:
            ExportError: it holds none.
        """
        body = self._store.read(_EXPORT)
        if body is None:
            raise ExportError(f"{self._store.shown} must hold an export, but has no {_EXPORT}")
        found: Identity = _read(_EXPORT, body, Identity)
        return found

    def of(self, unit: Unit) -> UnitRecord | None:
        """The record of a unit."""
        return self.records.get(unit.folder)

    def commit(self, record: UnitRecord) -> None:
        """Write a record: from now on its parts count, and no others of its unit."""
        self._store.write(record.path, _written(record))
        self.records[record.unit.folder] = record

    def sweep(self) -> None:
        """Remove what a killed run has left: parts that no record lists, and temporary files."""
        left = self._unlisted()
        left += [path for path in self._store.list(FOLDER) if path.endswith(".tmp")]
        if left:
            self._store.remove(left)

    def _unlisted(self) -> list[str]:
        """The files of parts that no record lists."""
        listed = {part.path for record in self.records.values() for part in record.parts}
        return [
            path
            for name in LISTS
            for path in self._store.list(name)
            if path not in listed and _PART.match(path.rpartition("/")[2])
        ]

    def check(self, identity: Identity, *, force: bool = False, write: bool = True) -> None:
        """Make sure that the folder holds this export, or none yet.

        Args:
            force: throw away what another export has written.
            write: note in the folder which export it holds.

        Raises:
            ExportMismatchError: it holds another one.
        """
        if self._store.read(_EXPORT) is not None:
            there = self.identity()
            differences = list(identity.differences(there))
            if not differences:
                return
            # An export that has written nothing yet, say with a wrong key, is in nobody's way.
            is_empty = not any(record.parts for record in self.records.values())
            if not force and not (is_empty and not self._unlisted()):
                raise ExportMismatchError(
                    f"{self._store.shown} must hold the same export, or none, but "
                    f"{'; '.join(differences)}: choose another folder, or pass force=True to "
                    "remove what is there and to begin anew"
                )
            if write:
                self._discard()
        elif lost := [*(record.path for record in self.records.values()), *self._unlisted()]:
            if not force:
                raise ExportMismatchError(
                    f"{self._store.shown} must hold an export with its manifest, or none, but has "
                    f"no {_EXPORT} and {len(lost):,} files such as {lost[0]}: choose another "
                    "folder, or pass force=True to remove them"
                )
            self._discard()
        if write:
            self._store.write(_EXPORT, _written(identity))

    def series(self, first: date, last: date, now: datetime) -> Series:
        """The series that a run over these days belongs to: the latest one, or a new one."""
        run = self.latest_run()
        if run is not None and run.left != 0:
            latest = run.series
            same_days = (latest.first, latest.last) == (first, last)
            if same_days and timedelta() <= now - latest.began < _ONE_SERIES:
                return latest
        return Series(secrets.token_hex(8), now, first, last)

    def latest_run(self) -> LatestRun | None:
        """What the latest run has noted; ``None`` if there was none, or it cannot be read."""
        with suppress(Exception):
            return _CONVERTER.loads(self._store.read(_RUN) or b"", LatestRun)
        return None

    def note_run(self, series: Series, report: ExportReport | None = None) -> None:
        """Write what the latest run does, for the next one and for whoever asks.

        Args:
            series: that of the run.
            report: what it has done; ``None`` if it begins.
        """
        told: dict[str, Any] = {"series": series, "left": None}
        if report is None:
            self._store.write(_RUN, _written(told))
            return
        told |= {
            "ended": datetime.now(UTC),
            "done": report.done,
            "kept": report.kept,
            "left": report.left,
            "rows": report.rows,
            "interrupted": report.interrupted,
            "failures": [failure.plain() for failure in report.failures],
            "doubts": report.doubts,
        }
        self._store.write(_RUN, _written(told))

    def _discard(self) -> None:
        """Remove every record, and after that every part."""
        self._store.remove([record.path for record in self.records.values()])
        self.records.clear()
        self.sweep()


_CONVERTER: Final[JsonConverter] = make_converter(forbid_extra_keys=False)


def _written(value: object) -> bytes:
    text = json.dumps(_CONVERTER.unstructure(value), indent=1, ensure_ascii=False)
    # Halves of characters, which errors that servers send may have, are escaped as in JSON.
    return f"{text}\n".encode(errors="backslashreplace")


def _read(path: str, body: bytes, kind: Any) -> Any:
    try:
        return _CONVERTER.loads(body, kind)
    except Exception as error:
        raise ExportError(
            f"{path} must be a file that this package wrote, got what cannot be read "
            f"({type(error).__name__}): remove it, and what it was about is exported again"
        ) from None
