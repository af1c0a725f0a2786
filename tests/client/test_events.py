"""The events of a site: by cursor, and by numbered pages on servers before 2.4."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rybbit_async import (
    Event,
    EventOfSite,
    InvalidParameterError,
    PermissionDeniedError,
    RybbitWarning,
    Watch,
)
from rybbit_async.testing import RybbitServer, Store

from ..clock import START, FakeClock
from .conftest import Connect, Serve
from .helpers import END, client_tasks, take, until

MARCH: dict[str, Any] = {"start_date": "2026-03-20", "end_date": "2026-03-30"}
BUSY = datetime(2026, 3, 27, 8, 30, tzinfo=UTC)

Known = Counter[tuple[datetime, str | None]]


def add(store: Store, site: int, times: Iterable[datetime]) -> None:
    """Page views at these times; those of one time are equal to each other."""
    store.add_events(
        site,
        [
            {"timestamp": at, "session_id": "s", "user_id": "u", "pathname": f"/{at:%d/%H:%M}"}
            for at in times
        ],
    )


def known(events: Iterable[Event]) -> Known:
    """How many equal events there are of each time and page."""
    return Counter((event.timestamp, event.pathname) for event in events)


def of(times: Iterable[datetime]) -> Known:
    return Counter((at, f"/{at:%d/%H:%M}") for at in times)


@pytest.fixture(scope="module")
def times() -> list[datetime]:
    """Two equal events every half hour of ten days, and 620 in one second."""
    start = datetime(2026, 3, 20, 0, 15, tzinfo=UTC)
    halves = [start + timedelta(minutes=30 * n) for n in range(48 * 10)]
    return [*halves, *halves, *[BUSY] * 620]


@pytest.fixture(scope="module")
def busy(times: list[datetime]) -> Iterator[Store]:
    """Sites 1 and 3 with events, 2 without, and 4 with few."""
    with Store() as made:
        for number in range(1, 5):
            made.add_site(f"site {number}")
        add(made, 1, times)
        add(made, 3, times[100:350])
        add(made, 4, times[:3])
        yield made


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("release", ["2.2", "2.4", "2.8"])
async def test_every_event_comes_as_often_as_it_is_there(
    serve: Serve, connect: Connect, busy: Store, times: list[datetime], release: str, ordered: bool
) -> None:
    client = connect(await serve(release, busy))
    for size, concurrency in ((50, 8), (1000, 1)):
        walk = client.events.iter(
            1, page_size=size, concurrency=concurrency, ordered=ordered, **MARCH
        )
        events = await walk.collect()
        assert known(events) == of(times)
        assert walk.report.complete
        if ordered:
            assert [e.timestamp for e in events] == sorted(times, reverse=True)
    few = client.events.iter(
        1, start_date="2026-03-27", end_date="2026-03-27", time_zone="Asia/Tokyo", ordered=ordered
    )
    first = datetime(2026, 3, 26, 15, tzinfo=UTC)
    assert known(await few.collect()) == of(
        at for at in times if first <= at < first + timedelta(days=1)
    )
    assert not client_tasks()


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_a_walk_goes_on_at_every_position(
    serve: Serve, connect: Connect, busy: Store, times: list[datetime], release: str
) -> None:
    client = connect(await serve(release, busy))
    walk = client.events.iter(1, page_size=150, concurrency=2, **MARCH)
    position, events, stops = None, list[Event](), 0
    while True:
        page = await anext(walk.pages(start=position), None)
        if page is None or not page.items:
            break
        events += page.items
        if page.position is None:
            break
        position, stops = page.position, stops + 1
    assert known(events) == of(times)
    assert stops > 5


async def test_minutes_are_those_of_the_server(
    serve: Serve, connect: Connect, busy: Store, times: list[datetime]
) -> None:
    """Servers ignore minutes here, so the client resolves them, by the clock of the server."""
    now = BUSY + timedelta(minutes=20)
    for release in ("2.2", "2.4", "2.8"):
        server = await serve(release, busy, clock=lambda: now)
        client = connect(server)
        walk = client.events.iter(1, past_minutes_start=60, past_minutes_end=10)
        after, until = now - timedelta(minutes=60), now - timedelta(minutes=10)
        assert known(await walk.collect()) == of(at for at in times if after < at <= until)
        many = client.events.iter_all([4, 1], past_minutes_start=60, past_minutes_end=10)
        assert len(await many.collect()) == len(await walk.collect()) > 620
        latest = client.events.iter(1, past_minutes_start=10, past_minutes_end=0, strict=True)
        assert known(await latest.collect()) == of([BUSY + timedelta(minutes=15)] * 2)


@pytest.mark.parametrize("resumed", [False, True])
async def test_an_event_that_comes_meanwhile_shifts_numbered_pages(
    serve: Serve, connect: Connect, store: Store, resumed: bool
) -> None:
    add(store, 1, [END - timedelta(minutes=n) for n in range(60)])
    client = connect(await serve("2.2", store))
    today: dict[str, Any] = {"start_date": END.date(), "end_date": END.date()}
    walk = client.events.iter(1, page_size=20, concurrency=1, **today)
    pages = walk.pages()
    page = await anext(pages)
    add(store, 1, [END])
    if resumed:
        await pages.aclose()
        pages = walk.pages(start=page.position)
    with pytest.warns(RybbitWarning, match="the server's total is 6"):
        async for _ in pages:
            pass
    assert walk.report.doubtful


async def test_windows_and_positions_of_any_kind(
    serve: Serve, connect: Connect, store: Store
) -> None:
    times = [END - timedelta(minutes=n) for n in range(60)]
    add(store, 1, times)
    client = connect(await serve("2.4", store))
    for first, last in (("0001-01-01", "2026-12-31"), ("2026-03-01", "9999-12-31")):
        walk = client.events.iter(1, page_size=20, start_date=first, end_date=last)
        assert known(await walk.collect()) == of(times)
        assert "the window was not settled" in (walk.report.reason or "")
    page = await anext(walk.pages())
    older = connect(await serve("2.2", store))
    with pytest.raises(InvalidParameterError, match="start must be the position of a page"):
        await anext(
            older.events.iter(1, page_size=20, start_date=first, end_date=last).pages(
                start=page.position
            )
        )
    page = await anext(older.events.iter(1, page_size=20).pages())
    with pytest.raises(InvalidParameterError, match="start must be the position of a page"):
        await anext(client.events.iter(1, page_size=20).pages(start=page.position))


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_the_events_of_many_sites(
    serve: Serve, connect: Connect, busy: Store, times: list[datetime], release: str, ordered: bool
) -> None:
    client = connect(await serve(release, busy))
    for sites in ([4, 1, 2, 3], "all"):
        if sites == "all" and release == "2.2":
            continue  # it does not let a key list its sites
        walk = client.events.iter_all(sites, page_size=100, concurrency=5, ordered=ordered, **MARCH)
        rows = await walk.collect()
        assert {type(row) for row in rows} == {EventOfSite}
        by_site = {site: known(r.event for r in rows if r.site == site) for site in (1, 2, 3, 4)}
        assert by_site == {1: of(times), 2: of([]), 3: of(times[100:350]), 4: of(times[:3])}
        assert walk.report.complete
        if ordered:
            order = [1, 3, 4] if sites == "all" else [4, 1, 3]
            assert [*dict.fromkeys(row.site for row in rows)] == order


async def test_one_limit_for_many_sites(serve: Serve, connect: Connect, busy: Store) -> None:
    server = await serve("2.8", busy)
    client = connect(server, routes="sites")
    walk = client.events.iter_all([2, 4, 1, 3], limit=40, page_size=20, **MARCH)
    assert len(await walk.collect()) == 40
    assert (walk.report.reason or "").endswith("limit=40 was reached")
    for ordered in (True, False):
        server.requests.clear()
        few = client.events.iter_all(
            [4, 3, 1, 2], max_pages=3, page_size=20, ordered=ordered, **MARCH
        )
        rows = await few.collect()
        assert 0 < len(rows) <= 60
        assert len(server.requests) == 3
        assert few.report.reason == "max_pages=3 was reached"
        if ordered:
            assert [*dict.fromkeys(row.site for row in rows)] == [4, 3]
    assert not client_tasks()


async def test_a_site_that_cannot_be_read(serve: Serve, connect: Connect, busy: Store) -> None:
    client = connect(await serve("2.8", busy))
    with pytest.raises(PermissionDeniedError):
        await client.events.iter_all([4, 99], **MARCH).collect()
    for window in (MARCH, {"past_minutes_start": 60 * 24 * 20, "past_minutes_end": 0}):
        many = client.events.iter_all([99, 4], on_error="skip", **window)
        with pytest.warns(RybbitWarning, match="site 99 was skipped: 403"):
            assert {row.site for row in await many.collect()} == {4}


# --- watching ------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["2.2", "2.4"])
async def test_a_watch_gives_each_event_once(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store, release: str
) -> None:
    """An hour of late events, equal ones among them, over two restarts and three processes."""
    server: RybbitServer = await serve(
        release, store=store, clock=clock.now, store_delay=lambda event: event["lat"]
    )
    before = [START - timedelta(seconds=n) for n in range(0, 60, 7)]
    coming = [START + timedelta(seconds=20 + 60 * (n // 3)) for n in range(36)]
    store.add_events(
        1,
        [
            {
                "timestamp": at,
                "session_id": "s",
                "user_id": "u",
                "pathname": "/",
                "lat": 0.5 + number * 7 % 20 if at > START else 0.0,
            }
            for number, at in enumerate([*before, *coming])
        ],
    )
    for down, up in ((310, 335), (500, 550)):
        clock.at(down, server.stop)
        clock.at(up, server.start)
    seen, position = list[Event](), None
    for end in (400, 600, 3_600):
        watch = connect(server).events.watch(1, start=position)
        await clock.run_until(end, take(watch, seen))
        position = watch.position
    assert Counter(event.timestamp for event in seen) == Counter(coming)
    assert not client_tasks()


async def begin(watch: Watch[Event]) -> None:
    """Take what is there as seen."""
    task = asyncio.create_task(anext(watch))
    await until(lambda: watch.position)
    task.cancel()
    await asyncio.wait((task,))


async def test_a_watch_with_another_clock(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store
) -> None:
    """What has come and may still come is judged by the clock of the server."""
    behind = timedelta(minutes=10)
    server = await serve(store=store, clock=lambda: clock.now() - behind)
    first = connect(server).events.watch(1)
    add(store, 1, [START - behind + timedelta(seconds=5)])
    clock.at(5, lambda: add(store, 1, [START - behind + timedelta(seconds=4)]))
    await anext(first)
    later = connect(server).events.watch(1, start=first.position)
    for seconds in (clock.time() + 1, clock.time() + 40):
        coming = START - behind + timedelta(seconds=seconds)
        clock.at(seconds, lambda coming=coming: add(store, 1, [coming]))
        assert (await anext(later)).timestamp == coming


async def test_traits_that_become_known_are_no_event(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store
) -> None:
    client = connect(await serve(store=store, clock=clock.now), routes="sites")
    row = {"timestamp": START, "session_id": "s", "user_id": "u", "identified_user_id": "bob"}
    watch = client.events.watch(1)
    await begin(watch)
    store.add_events(1, [row])
    assert (await anext(watch)).traits is None
    store.set_traits(1, "bob", {"plan": "pro"})
    store.add_events(1, [{**row, "timestamp": START + timedelta(seconds=9)}])
    second = asyncio.create_task(anext(watch))
    with pytest.raises(RuntimeError, match="one row at a time"):
        await asyncio.gather(anext(watch))
    assert (await second).timestamp == START + timedelta(seconds=9)


async def test_a_position_in_the_middle_of_many_events(
    serve: Serve, connect: Connect, clock: FakeClock, store: Store
) -> None:
    """It holds what may still change, and not all that was given."""
    server = await serve(store=store, clock=clock.now)
    watch = connect(server).events.watch(1)
    await begin(watch)
    clock.move(3_600)
    coming = [START + timedelta(seconds=n // 2) for n in range(1_000)]
    add(store, 1, coming)
    seen = [(await anext(watch)).timestamp for _ in range(501)]
    assert watch.position
    assert len(watch.position) < 500
    later = connect(server).events.watch(1, start=watch.position)
    seen += [(await anext(later)).timestamp for _ in range(499)]
    assert seen == coming


@pytest.mark.parametrize(
    "floor", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-03-31T12:00:00", 5]
)
async def test_positions_that_no_watch_has(
    serve: Serve, connect: Connect, store: Store, floor: Any
) -> None:
    client = connect(await serve(store=store))
    watch = client.events.watch(1)
    await begin(watch)
    held = json.loads(watch.position or "")
    held["watch"]["floor"] = floor
    with pytest.raises(InvalidParameterError, match="start must be the position of a watch"):
        client.events.watch(1, start=json.dumps(held))
    held["watch"] = {"floor": None, "seen": [["x", "y", -1]]}
    with pytest.raises(InvalidParameterError, match="start must be the position of a watch"):
        client.events.watch(1, start=json.dumps(held))


async def test_a_watch_of_other_events(serve: Serve, connect: Connect, store: Store) -> None:
    client = connect(await serve(store=store))
    watch = client.events.watch(1)
    assert watch.position is None
    await begin(watch)
    assert repr(watch) == "<Watch: new events of site 1>"
    with pytest.raises(InvalidParameterError, match="start must be a position of new events of si"):
        client.events.watch(2, start=watch.position)
    with pytest.raises(InvalidParameterError, match="start must be the position of a watch"):
        client.events.watch(1, start="x")
    with pytest.raises(InvalidParameterError, match="interval must be"):
        client.events.watch(1, interval=-1)
