"""Realistic traffic: the same seed and end give the same data again.

Everything is drawn by the database itself from hashes of (seed, site, row), so that a million
sessions take seconds and no draw depends on another.
"""

# ruff: noqa: RUF001, S608 - titles in many scripts; DuckDB on the tester's own data; texts go through `quoted` or parameters.

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from .schema import EVENT_COLUMNS, Site
from .sql import quoted
from .store import Store
from .wire import utc_naive

__all__ = ["Traffic", "generate"]


@attrs.frozen
class Traffic:
    """What `generate` made. `start` and `end` (aware UTC) enclose every event."""

    seed: int
    sites: tuple[Site, ...]
    goals: dict[int, tuple[int, ...]]
    """Goal ids by site id, in the order of their creation."""
    sessions: int
    events: int
    start: datetime
    end: datetime

    @property
    def site(self) -> Site:
        """The first site."""
        return self.sites[0]


# (path, title): titles in many scripts, and some that look like numbers.
_PAGES = (
    ("/", "Home"),
    ("/pricing", "Pricing"),
    ("/product/atlas", "Atlas — the map of your data"),
    ("/product/borealis", "Βόρεια: ανάλυση για όλους"),
    ("/product/cedar", "الأرز: تحليلات بسيطة"),
    ("/blog", "Blog"),
    ("/blog/launch", "发布公告：新版本上线"),
    ("/blog/privacy", "गोपनीयता पहले"),
    ("/blog/2026/spring", "Весеннее обновление"),
    ("/blog/2026/summer", "夏のアップデート 🌻"),
    ("/docs", "Documentation"),
    ("/docs/install", "התקנה"),
    ("/docs/api/goals", "Ziele & Zählungen"),
    ("/docs/api/goals/list", "목표 목록 조회"),
    ("/404", "404"),
    ("/neg", "-7"),
    ("/sale", "00123"),
    ("/checkout", "Checkout"),
    ("/checkout/complete", "Thank you 🎉"),
    ("/about", "เกี่ยวกับเรา"),
)
# (country, region, city, language, time zone, latitude, longitude); a country that nobody knows
# is two NULs, and a few places are called by a number.
_PLACES = (
    ("US", "US-CA", "San Francisco", "en-US", "America/Los_Angeles", 37.77, -122.42),
    ("US", "US-NY", "New York", "en-US", "America/New_York", 40.71, -74.01),
    ("GB", "GB-ENG", "London", "en-GB", "Europe/London", 51.51, -0.13),
    ("DE", "DE-BE", "Berlin", "de-DE", "Europe/Berlin", 52.52, 13.4),
    ("GR", "GR-I", "Αθήνα", "el-GR", "Europe/Athens", 37.98, 23.73),
    ("IN", "IN-MH", "मुंबई", "hi-IN", "Asia/Kolkata", 19.08, 72.88),
    ("CN", "CN-SH", "上海", "zh-CN", "Asia/Shanghai", 31.23, 121.47),
    ("JP", "JP-13", "東京", "ja-JP", "Asia/Tokyo", 35.68, 139.69),
    ("EG", "EG-C", "القاهرة", "ar-EG", "Africa/Cairo", 30.04, 31.24),
    ("BR", "BR-SP", "São Paulo", "pt-BR", "America/Sao_Paulo", -23.55, -46.63),
    ("AU", "AU-QLD", "1770", "en-AU", "Australia/Brisbane", -24.16, 151.88),
    ("\0\0", "", "", "", "UTC", 0.0, 0.0),
)
# (browser, version, system, version, device, width, height)
_DEVICES = (
    ("Chrome", "120", "Windows", "10", "Desktop", 1920, 1080),
    ("Chrome", "121", "macOS", "10.15.7", "Desktop", 1440, 900),
    ("Safari", "17.4", "macOS", "14.0", "Desktop", 1512, 982),
    ("Mobile Safari", "17", "iOS", "17.4.1", "Mobile", 390, 844),
    ("Chrome Mobile", "120", "Android", "14", "Mobile", 412, 915),
    ("Firefox", "122", "Linux", "", "Desktop", 2560, 1440),
    ("Edge", "120.0", "Windows", "11", "Desktop", 1366, 768),
    ("Safari", "16.6", "iOS", "16", "Tablet", 820, 1180),
)
# (channel, referrer, source, medium, campaign, term, content): campaigns as people name them.
_ORIGINS = (
    ("Direct", "", "", "", "", "", ""),
    ("Direct", "", "", "", "", "", ""),
    ("Organic Search", "https://www.google.com/", "", "", "", "", ""),
    ("Organic Search", "https://duckduckgo.com/", "", "", "", "", ""),
    ("Referral", "https://news.example.org/item?id=1", "", "", "", "", ""),
    ("Organic Social", "https://www.reddit.com/r/analytics", "", "", "", "", ""),
    ("Paid Search", "https://www.google.com/", "google", "cpc", "0012", "web analytics", "a"),
    ("Paid Search", "https://www.bing.com/", "bing", "cpc", "1e5", "0x1F", "b"),
    ("Email", "", "newsletter", "email", "spring", "", "14.0"),
    ("Email", "", "newsletter", "email", "12345678901234567890", "NaN", "   "),
    ("Paid Social", "https://www.facebook.com/", "facebook", "paid", "Infinity", "", "10.15.7"),
)
_GOALS: tuple[tuple[str | None, str, dict[str, Any]], ...] = (
    ("Pricing seen", "path", {"pathPattern": "/pricing"}),
    ("Any product", "path", {"pathPattern": "/product/*"}),
    ("Signed up", "event", {"eventName": "signup"}),
    (
        "Signed up for pro",
        "event",
        {"eventName": "signup", "eventPropertyKey": "plan", "eventPropertyValue": "pro"},
    ),
    ("Docs, any depth", "path", {"pathPattern": "/docs/**"}),
    ("Order complete", "path", {"pathPattern": "/checkout/complete"}),
    ("Purchase", "event", {"eventName": "purchase"}),
    ("Blog post", "path", {"pathPattern": "/blog/*"}),
    (None, "path", {"pathPattern": "/404"}),
    ("Never reached", "path", {"pathPattern": "/not/linked/anywhere"}),
    ("Newsletter 🗞️", "event", {"eventName": "newsletter"}),
    (
        "Bought five",
        "event",
        {"eventName": "purchase", "eventPropertyKey": "quantity", "eventPropertyValue": 5},
    ),
    ("κατάλογος", "path", {"pathPattern": "/product/borealis"}),
    (None, "event", {"eventName": "download"}),
)
_EVENT_NAMES = ("signup", "newsletter", "download", "purchase")
_ALL: tuple[str | None, str, dict[str, Any]] = ("Any page", "path", {"pathPattern": "/**"})


def generate(
    store: Store,
    *,
    seed: int = 1,
    sites: int = 1,
    sessions: int = 50_000,
    days: float = 30,
    end: datetime | None = None,
    goals: int = 12,
    uniform: bool = False,
    distinct_ends: bool = False,
    organisation: str = "default",
) -> Traffic:
    """Fill a store with `sites` new sites that share `sessions` over the `days` before `end`.

    Visitors come back, and come by many channels from many places; some sign in mid-session;
    hundreds of sessions end in each of two busy seconds. There are path and event goals, some
    without a name, and one that nobody reaches. The same `seed` and `end` (aware; now by default)
    give the same data in the same DuckDB; identifiers of sites and goals follow what the store
    held before.

    For benchmarks: `distinct_ends` gives each session of a site a `session_end` of its own (and
    nobody signs in midway, so that sessions are rows), and
    with `uniform` each session is one page view that converts the first goal, of which exactly
    three text fields arrive as numbers (`browser_version`, `operating_system_version`,
    `utm_campaign`).

    Raises `ValueError` where the numbers do not fit one another.
    """
    if sites < 1 or sessions < 0 or goals < 0 or days <= 0:
        raise ValueError(
            f"generate: sites={sites}, sessions={sessions}, goals={goals}, days={days}: "
            "one site, no negative number and some time are needed"
        )
    until = utc_naive(end or datetime.now(UTC), "end").replace(microsecond=0)
    seconds = int(days * 86_400)
    shares = [sessions // sites + (at < sessions % sites) for at in range(sites)]
    if distinct_ends and shares[0] > seconds:
        raise ValueError(
            f"generate: {shares[0]} sessions with distinct ends need {shares[0]} seconds, "
            f"days={days} has {seconds}"
        )
    begin = until - timedelta(seconds=seconds)
    made: list[Site] = []
    ids: dict[int, tuple[int, ...]] = {}
    events = 0
    for at, share in enumerate(shares):
        digest = hashlib.sha256(f"{seed} {at} {len(store.sites())}".encode()).hexdigest()
        site = store.add_site(
            f"site {at + 1}", organisation=organisation, string_id="a" + digest[:11]
        )
        made.append(site)
        ids[site.site_id] = _add_goals(store, site, goals, uniform=uniform, until=begin)
        draw = _Draw(f"{seed} {at}")
        events += _add_sessions(
            store, site, draw, share, begin, seconds, uniform=uniform, distinct=distinct_ends
        )
    return Traffic(
        seed,
        tuple(made),
        ids,
        sessions,
        events,
        begin.replace(tzinfo=UTC),
        until.replace(tzinfo=UTC),
    )


def _add_goals(
    store: Store, site: Site, number: int, *, uniform: bool, until: datetime
) -> tuple[int, ...]:
    """The first `number` goals of the list, and past its end one for each of many paths."""
    specs = [_ALL, *_GOALS] if uniform else list(_GOALS)
    for at in range(len(specs), number):
        pages = _PAGES[at % len(_PAGES)][0]
        specs.append((f"Page {at}", "path", {"pathPattern": pages}))
    ids: list[int] = []
    for at, (name, kind, config) in enumerate(specs[:number]):
        # Of every length: from no digit to six after the second.
        created = until - timedelta(days=1, seconds=-60 * at, microseconds=-(10 ** (at % 7)))
        created = created.replace(tzinfo=UTC)
        ids.append(store.add_goal(site, kind, config, name=name, created_at=created))
    return tuple(ids)


class _Draw:
    """SQL that draws at random, and the same each time."""

    def __init__(self, salt: str) -> None:
        self._salt = quoted(salt)

    def unit(self, row: str, what: str) -> str:
        """Uniform in [0, 1), by the row and by what it is for."""
        return f"((hash({row}, {quoted(what)}, {self._salt}) >> 11) / 9007199254740992.0)"

    def index(self, row: str, what: str, size: int, *, bias: int = 1) -> str:
        """From 1 to `size`; with a bias above 1 the first ones are likelier."""
        power = " * ".join([self.unit(row, what)] * bias)
        return f"(1 + floor({power} * {size})::INTEGER)"


def _column(rows: Sequence[Sequence[object]], at: int, index: str) -> str:
    """The value in column `at` of the row with this (SQL) index."""
    values = [row[at] for row in rows]
    texts = [quoted(value) if isinstance(value, str) else repr(value) for value in values]
    return f"[{', '.join(texts)}][{index}]"


def _add_sessions(
    store: Store,
    site: Site,
    draw: _Draw,
    number: int,
    begin: datetime,
    seconds: int,
    *,
    uniform: bool,
    distinct: bool,
) -> int:
    """Insert the events of `number` sessions, and return how many these are.

    Sessions begin in the order of their rows, so that those of one page lie together.
    """
    origin = int(begin.replace(tzinfo=UTC).timestamp())
    # Sessions last a quarter of an hour at most, and less where the whole span is short.
    step = 1 if uniform or distinct else max(1, min(40, seconds // 200))
    room = seconds - (2 if uniform or distinct else min(seconds // 2, 12 * step + 2))
    if uniform:
        steps, gap = "1", "0"
    elif distinct:
        steps, gap = "2", "1"
    else:
        steps = f"{draw.index('i', 'pages', 6, bias=2)} + {draw.index('i', 'extra', 4, bias=3)} - 1"
        gap = draw.index("i", "gap", step)
    if uniform or distinct:
        start = f"{origin} + (i * {max(room, number)} // {max(number, 1)})"
    else:
        # A day's rhythm: the slope of x - 0.8 sin(2πdx) / 2πd is never negative, so order holds.
        cycles = f"(6.283185307179586 * {max(1, seconds // 86_400)})"
        x = f"((i + {draw.unit('i', 'start')}) / {max(number, 1)})"
        start = f"{origin} + floor({room} * ({x} - 0.8 * sin({x} * {cycles}) / {cycles}))::BIGINT"
    # Two busy seconds: sessions of two short stretches all end in the same one.
    busy = "FALSE" if uniform or distinct else f"i % {max(number // 2, 1)} < {number // 200}"
    visitors = max(1, int(number * 0.6))
    visitor = f"floor({draw.unit('i', 'visitor')} ** 1.3 * {visitors})::BIGINT"
    sessions = f"""
        SELECT i, {visitor} AS visitor, {steps} AS steps, {gap} AS gap, {start} AS start,
               {busy} AS busy FROM range({number}) t(i)"""
    place = draw.index("visitor", "place", len(_PLACES), bias=2)
    device = draw.index("visitor", "device", len(_DEVICES), bias=2)
    source = draw.index("i", "origin", len(_ORIGINS))
    page = draw.index("(i, k)", "page", len(_PAGES), bias=2)
    pages = f"greatest(1, steps - {draw.index('i', 'extra', 4, bias=3)} + 1)"
    signs_in = "FALSE" if uniform or distinct else f"{draw.unit('i', 'member')} < 0.01"
    name = draw.index("(i, k)", "event", len(_EVENT_NAMES), bias=2)
    kind = (
        "CASE WHEN k < pages THEN 'pageview' "
        f"WHEN {draw.unit('(i, k)', 'kind')} < 0.85 THEN 'custom_event' "
        f"WHEN {draw.unit('(i, k)', 'kind')} < 0.95 THEN 'outbound' ELSE 'error' END"
    )
    # Every busy session is moved so that its last event falls on the first second of its half.
    moment = (
        f"CASE WHEN busy THEN {origin} + {seconds // 4} + (i // {max(number // 2, 1)}) * "
        f"{seconds // 2} - gap * (steps - 1 - k) ELSE start + gap * k END"
    )
    columns: dict[str, str] = {
        "timestamp": f"make_timestamp(({moment}) * 1000000)",
        "session_id": f"printf('%016x', hash(i, 'session', {quoted(str(site.site_id))}, "
        f"{draw.unit('i', 'id')}))",
        "user_id": "CASE WHEN signs_in AND k * 2 >= steps THEN 'member-' || visitor "
        "ELSE printf('u%015d', visitor) END",
        "type": "kind",
        "hostname": "'shop.example.com'",
        "pathname": _column(_PAGES, 0, "page"),
        "page_title": _column(_PAGES, 1, "page"),
    }
    names = f"[{', '.join(map(quoted, _EVENT_NAMES))}][{name}]"
    columns["event_name"] = f"CASE kind WHEN 'custom_event' THEN {names} ELSE '' END"
    plan = draw.index("i", "plan", 3)
    quantity = draw.index("i", "quantity", 8, bias=2)
    columns["props"] = (
        "CASE WHEN kind <> 'custom_event' THEN '{}' "
        f"""ELSE '{{"plan":"' || ['free', 'pro', 'team'][{plan}] || """
        f"""'","quantity":"' || {quantity} || '"}}' END"""
    )
    for at, column in enumerate(
        ("country", "region", "city", "language", "timezone", "lat", "lon")
    ):
        columns[column] = _column(_PLACES, at, "place")
    columns["lat"] = f"nullif({columns['lat']}, 0)"
    columns["lon"] = f"nullif({columns['lon']}, 0)"
    for at, column in enumerate(
        (
            *("browser", "browser_version", "operating_system", "operating_system_version"),
            *("device_type", "screen_width", "screen_height"),
        )
    ):
        columns[column] = _column(_DEVICES, at, "device")
    utm = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
    for at, column in enumerate(("channel", "referrer", *utm)):
        columns[column] = _column(_ORIGINS, at, "origin")
    columns["querystring"] = (
        f"CASE WHEN {columns['utm_source']} = '' THEN '' ELSE '?utm_source=' || "
        f"{columns['utm_source']} || '&utm_campaign=' || {columns['utm_campaign']} END"
    )
    if uniform:
        columns |= {
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
    # Who signs in is identified, and the anonymous id of the first half stays as it was.
    columns["identified_user_id"] = (
        "CASE WHEN signs_in AND k * 2 >= steps THEN 'member-' || visitor ELSE '' END"
    )
    columns["ip"] = "NULL"
    columns["tag"] = "''"
    assert columns.keys() == EVENT_COLUMNS.keys(), EVENT_COLUMNS.keys() ^ columns.keys()
    before = store.count_events(site)
    store.insert(
        f"""
        INSERT INTO events (site_id, {", ".join(columns)})
        SELECT {site.site_id}, {", ".join(columns.values())}
        FROM (
            SELECT *, {page} AS page, {kind} AS kind FROM (
                SELECT *, {pages} AS pages, {place} AS place, {device} AS device,
                    {source} AS origin, {signs_in} AS signs_in,
                    unnest(range(steps)) AS k
                FROM ({sessions})
            )
        )"""
    )
    store.insert(
        f"""
        INSERT OR IGNORE INTO traits
        SELECT DISTINCT {site.site_id}, identified_user_id, json_object(
            'username', identified_user_id, 'email', identified_user_id || '@example.com')
        FROM events WHERE site_id = {site.site_id} AND identified_user_id <> ''"""
    )
    return store.count_events(site) - before
