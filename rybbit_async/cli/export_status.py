"""``rybbit-async export status``: what a folder holds, without a server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from textwrap import wrap
from typing import Any, Final, cast

from attrs import asdict, frozen

from ..export.manifest import LOCK, Identity, LatestRun, Manifest, UnitRecord
from ..export.store import open_store
from ..export.units import LISTS
from .exits import Exit
from .output.columns import Column, View
from .output.show import print_table
from .output.text import visible
from .output.values import counted, size
from .terminal import Terminal

__all__ = ["ListStatus", "status"]

_SHOWN: Final = 10  # unfinished units
_WIDE: Final = 10_000  # columns of a file


@frozen
class ListStatus:
    """What an export has of one list.

    Attributes:
        list: its name.
        sites: how many sites there are files or records of.
        done, unfinished: how many units.
        first, last: the days, both included.
        rows, bytes: of its files.
    """

    list: str
    sites: int
    done: int
    unfinished: int
    first: date
    last: date
    rows: int
    bytes: int

    @classmethod
    def of(cls, name: str, records: Sequence[UnitRecord]) -> ListStatus:
        """Add up the records of a list."""
        done = sum(record.state == "done" for record in records)
        return cls(
            name,
            len({record.unit.site for record in records}),
            done,
            len(records) - done,
            min(record.unit.first for record in records),
            max(record.unit.last for record in records),
            sum(record.rows for record in records),
            sum(part.bytes for record in records for part in record.parts),
        )


_VIEW: Final[View[ListStatus]] = View(
    "lists",
    ListStatus,
    (
        Column("list", lambda row: row.list),
        Column("sites", lambda row: row.sites, "count", rank=1),
        Column("units", lambda row: row.done, "count"),
        Column("unfinished", lambda row: row.unfinished or None, "count"),
        Column("days", lambda row: f"{row.first} to {row.last}", rank=2, least=24),
        Column("rows", lambda row: row.rows, "count"),
        Column("size", lambda row: size(row.bytes), "id", rank=1),
    ),
)


def status(to: str, options: Mapping[str, Any] | None, terminal: Terminal, *, as_json: bool) -> int:
    """Tell what a folder or URL holds.

    Raises:
        ExportError: it holds no export, or cannot be read.
        InvalidParameterError: it is no folder and no URL.
    """
    store = open_store(to, options)
    manifest = Manifest.load(store)
    identity = manifest.identity()
    run = manifest.latest_run()
    running = store.holder(LOCK) if run is None or run.ended is None else None
    records = sorted(manifest.records.values(), key=lambda record: record.unit)
    lists = [
        ListStatus.of(name, found)
        for name in LISTS
        if (found := [record for record in records if record.unit.list == name])
    ]
    unfinished = [record for record in records if record.state != "done"]
    if as_json:
        told = {
            "to": store.shown,
            "running": running,
            "export": asdict(identity),
            "lists": [asdict(one) for one in lists],
            "unfinished": [
                {"unit": str(one.unit), "state": one.state, "rows": one.rows, "error": one.error}
                for one in unfinished
            ],
            "latest_run": None if run is None else asdict(run),
        }
        text = json.dumps(told, ensure_ascii=False, indent=2, default=_plain)
        terminal.write_data(f"{text}\n")
        return Exit.OK
    print_table(terminal, _VIEW, lists, caption=f"{store.shown}: {_described(identity)}")
    width = terminal.width if terminal.out_is_terminal else _WIDE
    for line in _lines(run, running, unfinished):
        text = "\n".join(wrap(line, width, subsequent_indent="    ", break_on_hyphens=False))
        terminal.write(f"{text}\n")
    return Exit.OK


def _plain(value: object) -> Any:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else str(value)


def _described(identity: Identity) -> str:
    each = "all days in one" if identity.partition == "none" else f"by {identity.partition}"
    what = f"{identity.format}, {each}, {identity.time_zone}"
    return f"{what}, filtered" if identity.filters or identity.segment_id else what


def _lines(
    run: LatestRun | None, running: str | None, unfinished: Sequence[UnitRecord]
) -> list[str]:
    lines: list[str] = []
    if running is not None:
        lines.append(f"A run goes on: {running}.")
    elif run is not None and run.ended is None:
        lines.append("The latest run was killed; the next one goes on.")
    elif run is not None and run.ended is not None:
        days = f"{run.series.first} to {run.series.last}"
        lines.append(f"The latest run ended at {run.ended:%Y-%m-%d %H:%M} UTC, for {days}.")
        if run.left:
            lines.append(f"It left {counted(run.left, 'units')}; the next one goes on.")
        lines += [f"missing: {failure.get('error')}" for failure in run.failures]
        lines += [f"in doubt: {doubt}" for doubt in run.doubts]
    for record in unfinished[:_SHOWN]:
        error = f": {record.error}" if record.error else ""
        lines.append(f"unfinished: {record.unit}, {counted(record.rows, 'rows')} so far{error}")
    if len(unfinished) > _SHOWN:
        lines.append(f"... and {len(unfinished) - _SHOWN:,} more")
    return [visible(line) for line in lines]
