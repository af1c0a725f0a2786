"""What a store holds: its tables, and the values `Site` and `Goal`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import attrs

from .conversions import conversion

__all__ = ["EVENT_COLUMNS", "SCHEMA", "Goal", "Site"]

EVENT_COLUMNS: dict[str, tuple[str, object]] = {
    "timestamp": ("TIMESTAMP", None),
    "session_id": ("VARCHAR", ""),
    "user_id": ("VARCHAR", ""),
    "identified_user_id": ("VARCHAR", ""),
    "type": ("VARCHAR", "pageview"),
    "event_name": ("VARCHAR", ""),
    "props": ("VARCHAR", "{}"),
    "hostname": ("VARCHAR", "shop.example.com"),
    "pathname": ("VARCHAR", "/"),
    "querystring": ("VARCHAR", ""),
    "page_title": ("VARCHAR", ""),
    "referrer": ("VARCHAR", ""),
    "channel": ("VARCHAR", "Direct"),
    "browser": ("VARCHAR", "Chrome"),
    "browser_version": ("VARCHAR", "120"),
    "operating_system": ("VARCHAR", "macOS"),
    "operating_system_version": ("VARCHAR", "10.15.7"),
    "device_type": ("VARCHAR", "Desktop"),
    "screen_width": ("INTEGER", 1920),
    "screen_height": ("INTEGER", 1080),
    "language": ("VARCHAR", "en-US"),
    "country": ("VARCHAR", "US"),
    "region": ("VARCHAR", ""),
    "city": ("VARCHAR", ""),
    "lat": ("DOUBLE", None),
    "lon": ("DOUBLE", None),
    "timezone": ("VARCHAR", "UTC"),
    "ip": ("VARCHAR", None),
    "tag": ("VARCHAR", ""),
    "utm_source": ("VARCHAR", ""),
    "utm_medium": ("VARCHAR", ""),
    "utm_campaign": ("VARCHAR", ""),
    "utm_term": ("VARCHAR", ""),
    "utm_content": ("VARCHAR", ""),
}
"""The columns of an event: their DuckDB type, and the value used when a row leaves them out."""

_EVENTS = ", ".join(f"{name} {kind}" for name, (kind, _) in EVENT_COLUMNS.items())

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS sites (
    site_id INTEGER PRIMARY KEY, string_id VARCHAR UNIQUE, name VARCHAR, public BOOLEAN,
    organisation VARCHAR, events_native_numbers BOOLEAN, created_at TIMESTAMP, block_bots BOOLEAN);
CREATE TABLE IF NOT EXISTS goals (
    goal_id INTEGER, site_id INTEGER, name VARCHAR, goal_type VARCHAR,
    config VARCHAR, created_at TIMESTAMP);
CREATE TABLE IF NOT EXISTS events (site_id INTEGER, {_EVENTS});
CREATE TABLE IF NOT EXISTS traits (
    site_id INTEGER, identified_user_id VARCHAR, traits VARCHAR,
    PRIMARY KEY (site_id, identified_user_id));
CREATE TABLE IF NOT EXISTS replays (
    site_id INTEGER, session_id VARCHAR, PRIMARY KEY (site_id, session_id));
CREATE TABLE IF NOT EXISTS settings (name VARCHAR PRIMARY KEY, value VARCHAR);
CREATE SEQUENCE IF NOT EXISTS site_ids START 1;
-- Goals start higher, so that a goal id used in place of a site id is noticed.
CREATE SEQUENCE IF NOT EXISTS goal_ids START 101;
"""


@attrs.frozen
class Site:
    """A site: its numeric id, and its string identifier of 12 hexadecimal characters."""

    site_id: int
    string_id: str
    name: str | None = None
    public: bool = False
    organisation: str = "default"
    events_native_numbers: bool = False
    """Property values of its events keep numbers and booleans as such. On releases before 2.7,
    a goal with such a value then makes the list of goals fail, and on 2.8 if events hold text in
    that property, too."""
    created_at: datetime = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC, as tables hold times
    block_bots: bool = True

    @property
    def shown_name(self) -> str:
        """Its name, or its domain if it has none."""
        return self.domain if self.name is None else self.name

    @property
    def domain(self) -> str:
        """Its domain, which follows from its name."""
        label = re.sub(r"[^a-z0-9]+", "-", (self.name or self.string_id).lower()).strip("-")
        return f"{label or self.string_id}.example.com"


@attrs.frozen
class Goal:
    """A goal as the server keeps it. The keys of `config` are those of the API (`pathPattern`)."""

    goal_id: int
    site_id: int
    name: str | None
    goal_type: str
    config: Mapping[str, Any]
    created_at: datetime
    """Naive UTC, to the microsecond."""

    @cached_property
    def condition(self) -> str:
        """The SQL condition of the events that convert the goal."""
        return conversion(self.goal_type, self.config)
