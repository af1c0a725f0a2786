"""The SQL that draws generated sessions and their events."""

# ruff: noqa: S608 - DuckDB on the tester's own data; text goes through `quoted`.

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from .schema import EVENT_COLUMNS
from .sql import quoted
from .traffic_data import DEVICES, EVENT_NAMES, ORIGINS, PAGES, PLACES

__all__ = ["Draw", "SessionPlan", "insert_sessions", "insert_traits"]


class Draw:
    """SQL expressions that draw at random, and draw the same again for the same `salt`."""

    def __init__(self, salt: str) -> None:
        self._salt = quoted(salt)

    def unit(self, row: str, what: str) -> str:
        """A number in [0, 1), uniformly distributed. It depends on the row and on `what`."""
        return f"((hash({row}, {quoted(what)}, {self._salt}) >> 11) / 9007199254740992.0)"

    def index(self, row: str, what: str, size: int, *, bias: int = 1) -> str:
        """An integer from 1 to `size`. With a bias above 1, small ones are more likely."""
        power = " * ".join([self.unit(row, what)] * bias)
        return f"(1 + floor({power} * {size})::INTEGER)"


@attrs.frozen
class SessionPlan:
    """How many sessions to generate, and when they take place."""

    number: int
    origin: int
    """Seconds since 1970 at which the traffic begins."""
    seconds: int
    """How long the traffic lasts."""
    uniform: bool
    """Each session is one page view, and all are alike."""
    distinct: bool
    """No two sessions end in the same second."""

    @property
    def plain(self) -> bool:
        """Whether sessions begin at regular intervals, without busy seconds and sign-ins."""
        return self.uniform or self.distinct


def insert_sessions(site_id: int, draw: Draw, plan: SessionPlan) -> str:
    """The statement that inserts the events of all sessions.

    Sessions begin in the order of their rows, so that the sessions of one page lie together.
    """
    columns = _columns(site_id, draw, plan)
    assert columns.keys() == EVENT_COLUMNS.keys(), EVENT_COLUMNS.keys() ^ columns.keys()
    place = draw.index("visitor", "place", len(PLACES), bias=2)
    device = draw.index("visitor", "device", len(DEVICES), bias=2)
    source = draw.index("i", "origin", len(ORIGINS))
    page = draw.index("(i, k)", "page", len(PAGES), bias=2)
    pages = f"greatest(1, steps - {draw.index('i', 'extra', 4, bias=3)} + 1)"
    signs_in = "FALSE" if plan.plain else f"{draw.unit('i', 'member')} < 0.01"
    kind = (
        "CASE WHEN k < pages THEN 'pageview' "
        f"WHEN {draw.unit('(i, k)', 'kind')} < 0.85 THEN 'custom_event' "
        f"WHEN {draw.unit('(i, k)', 'kind')} < 0.95 THEN 'outbound' ELSE 'error' END"
    )
    return f"""
        INSERT INTO events (site_id, {", ".join(columns)})
        SELECT {site_id}, {", ".join(columns.values())}
        FROM (
            SELECT *, {page} AS page, {kind} AS kind FROM (
                SELECT *, {pages} AS pages, {place} AS place, {device} AS device,
                    {source} AS origin, {signs_in} AS signs_in,
                    unnest(range(steps)) AS k
                FROM ({_sessions(draw, plan)})
            )
        )"""


def insert_traits(site_id: int) -> str:
    """The statement that gives each identified user of a site traits."""
    return f"""
        INSERT OR IGNORE INTO traits
        SELECT DISTINCT {site_id}, identified_user_id, json_object(
            'username', identified_user_id, 'email', identified_user_id || '@example.com')
        FROM events WHERE site_id = {site_id} AND identified_user_id <> ''"""


def _sessions(draw: Draw, plan: SessionPlan) -> str:
    """One row for each session: its visitor, its start, and how many events it has."""
    number, seconds, origin = plan.number, plan.seconds, plan.origin
    # A session lasts a quarter of an hour at most, and less if the whole span is short.
    step = 1 if plan.plain else max(1, min(40, seconds // 200))
    room = seconds - (2 if plan.plain else min(seconds // 2, 12 * step + 2))
    if plan.uniform:
        steps, gap = "1", "0"
    elif plan.distinct:
        steps, gap = "2", "1"
    else:
        steps = f"{draw.index('i', 'pages', 6, bias=2)} + {draw.index('i', 'extra', 4, bias=3)} - 1"
        gap = draw.index("i", "gap", step)
    if plan.plain:
        start = f"{origin} + (i * {max(room, number)} // {max(number, 1)})"
    else:
        # A daily rhythm. The slope of x - 0.8 sin(2πdx) / 2πd is never negative, so that the order
        # of the rows stays the order of the starts.
        cycles = Decimal("6.283185307179586") * max(1, seconds // 86_400)
        x = f"((i + {draw.unit('i', 'start')}) / {max(number, 1)})"
        start = f"{origin} + floor({room} * ({x} - 0.8 * sin({x} * {cycles}) / {cycles}))::BIGINT"
    # Two busy seconds: all sessions of two short stretches end in the same second.
    busy = "FALSE" if plan.plain else f"i % {max(number // 2, 1)} < {number // 200}"
    visitors = max(1, int(number * 0.6))
    visitor = f"floor({draw.unit('i', 'visitor')} ** 1.3 * {visitors})::BIGINT"
    return f"""
        SELECT i, {visitor} AS visitor, {steps} AS steps, {gap} AS gap, {start} AS start,
               {busy} AS busy FROM range({number}) t(i)"""


def _columns(site_id: int, draw: Draw, plan: SessionPlan) -> dict[str, str]:
    """The expression of each column of an event."""
    # Every busy session is moved, so that its last event falls on the first second of its half.
    moment = (
        f"CASE WHEN busy THEN {plan.origin} + {plan.seconds // 4} + "
        f"(i // {max(plan.number // 2, 1)}) * {plan.seconds // 2} - gap * (steps - 1 - k) "
        "ELSE start + gap * k END"
    )
    # A visitor who signs in is identified from then on. The first half stays anonymous.
    signed_in = "signs_in AND k * 2 >= steps"
    columns: dict[str, str] = {
        "timestamp": f"make_timestamp(({moment}) * 1000000)",
        "session_id": f"printf('%016x', hash(i, 'session', {quoted(str(site_id))}, "
        f"{draw.unit('i', 'id')}))",
        "user_id": f"CASE WHEN {signed_in} THEN 'member-' || visitor "
        "ELSE printf('u%015d', visitor) END",
        "identified_user_id": f"CASE WHEN {signed_in} THEN 'member-' || visitor ELSE '' END",
        "type": "kind",
        "hostname": "'shop.example.com'",
        "pathname": _column(PAGES, 0, "page"),
        "page_title": _column(PAGES, 1, "page"),
        "ip": "NULL",
        "tag": "''",
    }
    name = draw.index("(i, k)", "event", len(EVENT_NAMES), bias=2)
    names = f"[{', '.join(map(quoted, EVENT_NAMES))}][{name}]"
    columns["event_name"] = f"CASE kind WHEN 'custom_event' THEN {names} ELSE '' END"
    plan_name = draw.index("i", "plan", 3)
    quantity = draw.index("i", "quantity", 8, bias=2)
    columns["props"] = (
        "CASE WHEN kind <> 'custom_event' THEN '{}' "
        f"""ELSE '{{"plan":"' || ['free', 'pro', 'team'][{plan_name}] || """
        f"""'","quantity":"' || {quantity} || '"}}' END"""
    )
    places = ("country", "region", "city", "language", "timezone", "lat", "lon")
    for at, column in enumerate(places):
        columns[column] = _column(PLACES, at, "place")
    columns["lat"] = f"nullif({columns['lat']}, 0)"
    columns["lon"] = f"nullif({columns['lon']}, 0)"
    devices = (
        *("browser", "browser_version", "operating_system", "operating_system_version"),
        *("device_type", "screen_width", "screen_height"),
    )
    for at, column in enumerate(devices):
        columns[column] = _column(DEVICES, at, "device")
    utm = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
    for at, column in enumerate(("channel", "referrer", *utm)):
        columns[column] = _column(ORIGINS, at, "origin")
    columns["querystring"] = (
        f"CASE WHEN {columns['utm_source']} = '' THEN '' ELSE '?utm_source=' || "
        f"{columns['utm_source']} || '&utm_campaign=' || {columns['utm_campaign']} END"
    )
    return columns | _UNIFORM if plan.uniform else columns


_UNIFORM = {
    "user_id": "printf('u%015d', visitor)",
    "country": "'US'",
    "region": "'US-CA'",
    "city": "'San Francisco'",
    "page_title": "'Atlas — the map of your data'",
    "browser_version": "'120'",
    "operating_system_version": "'14'",
    "utm_source": "'newsletter'",
    "utm_medium": "'email'",
    "utm_campaign": "'2026'",
    "utm_term": "'analytics'",
    "utm_content": "'footer'",
    "lat": "37.77",
    "lon": "-122.42",
}


def _column(rows: Sequence[Sequence[object]], at: int, index: str) -> str:
    """The value in column `at` of the row with this index, which is an SQL expression."""
    values = [row[at] for row in rows]
    texts = [quoted(value) if isinstance(value, str) else repr(value) for value in values]
    return f"[{', '.join(texts)}][{index}]"
