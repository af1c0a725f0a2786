"""Events on their way into a store: checked rows, and the statement that inserts them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any, cast

from .schema import EVENT_COLUMNS, Site
from .sql import literal, value_text
from .wire import utc_naive

__all__ = ["LateEvents", "insert_statement", "session_rows"]

_REQUIRED = ("timestamp", "session_id", "user_id")


class LateEvents:
    """Events that are not stored yet, each with the time at which it will be."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, int, Site, Mapping[str, Any]]] = []
        self._serial = count()  # of two events that are due at once, the first one comes first

    def add(
        self,
        site: Site,
        rows: Iterable[Mapping[str, Any]],
        delay: float | Callable[[Mapping[str, Any]], float],
    ) -> None:
        """Add events of a site. `delay` is in seconds after their timestamp."""
        for row in rows:
            seconds = delay(row) if callable(delay) else delay
            due = row["timestamp"] + timedelta(seconds=seconds)
            heappush(self._waiting, (due, next(self._serial), site, row))

    def take(self, now: datetime) -> list[tuple[Site, list[Mapping[str, Any]]]]:
        """The events that are due at `now` or before, by site. They are no longer kept."""
        due: dict[Site, list[Mapping[str, Any]]] = {}
        while self._waiting and self._waiting[0][0] <= now:
            _, _, site, row = heappop(self._waiting)
            due.setdefault(site, []).append(row)
        return list(due.items())


def insert_statement(
    site: Site, rows: Sequence[Mapping[str, Any]]
) -> tuple[str, list[list[object]]]:
    """The statement that inserts these events into a site, and the values of each column."""
    names: dict[str, None] = dict.fromkeys(_REQUIRED)
    for row in rows:
        names.update(dict.fromkeys(row))
    if unknown := names.keys() - EVENT_COLUMNS.keys():
        raise ValueError(f"columns of an event must be in EVENT_COLUMNS, got {sorted(unknown)}")
    columns: list[list[object]] = []
    selected = [f"{site.site_id}"]
    for position, name in enumerate(names, 1):
        kind, default = EVENT_COLUMNS[name]
        if name == "timestamp":
            columns.append([_microseconds(row[name]) for row in rows])
            selected.append(f"make_timestamp(unnest(${position}::BIGINT[]))")
            continue
        if name == "props":
            columns.append([_props(site, row.get(name, default)) for row in rows])
        elif name in _REQUIRED:
            columns.append([row[name] for row in rows])
        else:
            columns.append([row.get(name, default) for row in rows])
        selected.append(f"unnest(${position}::{kind}[])")
    absent = [name for name in EVENT_COLUMNS if name not in names]
    selected += [literal(EVENT_COLUMNS[name][1]) for name in absent]
    target = ", ".join(["site_id", *names, *absent])
    return f"INSERT INTO events ({target}) SELECT {', '.join(selected)}", columns


def session_rows(
    *,
    start: datetime | None,
    end: datetime | None,
    session_id: str,
    user_id: str | None,
    pages: Sequence[str],
    seconds_between: int,
    events: Sequence[str | tuple[str, Mapping[str, Any]]],
    columns: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The events of one session: its page views, then its custom events, evenly spaced."""
    if (start is None) == (end is None):
        raise ValueError("add_session must get either start or end")
    steps = len(pages) + len(events)
    if not steps:
        raise ValueError("add_session must get at least one page or event")
    gap = timedelta(seconds=seconds_between)
    if start is None:
        assert end is not None
        start = end - gap * (steps - 1)
    base = {"session_id": session_id, "user_id": user_id or f"u{secrets.token_hex(8)}"}
    rows: list[dict[str, Any]] = [
        {**base, "type": "pageview", "pathname": page, **columns} for page in pages
    ]
    last_page = {"pathname": pages[-1]} if pages else {}
    for event in events:
        name: str
        props: Mapping[str, Any]
        name, props = (event, {}) if isinstance(event, str) else event
        kind: dict[str, Any] = {"type": "custom_event", "event_name": name, "props": props}
        rows.append({**base, **last_page, **kind, **columns})
    for step, row in enumerate(rows):
        row.setdefault("timestamp", start + gap * step)
    return rows


def _props(site: Site, props: object) -> str:
    """Properties as real servers return them: compact JSON, sorted by key, with escaped slashes."""
    if props == "{}":
        return "{}"
    if isinstance(props, str):
        return _compact(json.loads(props))
    if not isinstance(props, Mapping):
        raise ValueError(f"props must be a mapping or JSON text, got {props!r}")
    held = cast("Mapping[str, Any]", props)
    if not site.events_native_numbers:
        held = {
            key: value_text(value) if isinstance(value, bool | int | float) else value
            for key, value in held.items()
        }
    return _compact(dict(held))


def _compact(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.replace("/", "\\/")


def _microseconds(moment: Any) -> int:
    if not isinstance(moment, datetime):
        raise ValueError(f"timestamp must be an aware datetime, got {moment!r}")
    naive = utc_naive(moment, "timestamp").replace(microsecond=0)
    if naive.year < 1970:
        raise ValueError(f"timestamp must not be before 1970, got {moment!r}")
    return int(naive.replace(tzinfo=UTC).timestamp()) * 1_000_000
