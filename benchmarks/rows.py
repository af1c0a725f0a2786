"""What is measured, and why. Each function gives the rows of one comparison."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from statistics import median
from typing import Any, Final

import aiohttp
import polars
from attrs import frozen

from rybbit_async import Paginator, RybbitClient, Session, to_dict
from rybbit_async.wire.json import Body
from rybbit_async.wire.page_reader import DATA, page_reader

from . import baselines
from .baselines import Fetch
from .measure import Pair, Row, Timed, Took, milliseconds, pairs, ratios, speeds, timed
from .servers import PAST, Site, Target, live_window, serving, stretches

PAGES: Final = 200
PAGE: Final = 100
SESSIONS: Final = PAGES * PAGE
AT_ONCE: Final = 8
LATENCY: Final = 0.05  # seconds, roughly a server on the same continent
FAR_AT_ONCE: Final = 16
GOALS_PAGE: Final = 5
ODD_PAGE: Final = 1000
FEW: Final = 10_000
MEMORY_PAGE: Final = 250  # many pages of the few sessions, too, so that both fill the window
LIBRARIES: Final = ("httpx2", "httpx")  # httpx2 has taken the place of httpx
EXTRAS: Final = frozenset(
    {
        *("duckdb", "httpx", "httpx2", "orjson", "pandas", "polars", "pyarrow", "pydantic"),
        *("pytest", "pytest_asyncio", "rich"),
    }
)


@frozen
class Effort:
    """How many pairs of each kind are measured, and how many sessions a long walk has."""

    walks: int
    far_walks: int
    memory: int
    imports: int
    calls: int
    exports: int
    dlt: int
    many: int


FULL: Final = Effort(40, 20, memory=3, imports=25, calls=500, exports=20, dlt=5, many=1_000_000)
QUICK: Final = Effort(5, 3, memory=1, imports=5, calls=100, exports=5, dlt=1, many=100_000)


@asynccontextmanager
async def client_of(target: Target) -> AsyncGenerator[RybbitClient, None]:
    """This package's client, which knows the server's routes by now."""
    async with RybbitClient(target.api_key, base_url=target.url) as client:
        await client.goals.list(target.site.site_id)
        yield client


@asynccontextmanager
async def _both(target: Target) -> AsyncGenerator[tuple[RybbitClient, Fetch], None]:
    """This package's client, and the raw one."""
    async with client_of(target) as client, baselines.raw(target) as fetch:
        yield client, fetch


async def count(items: Paginator[Any]) -> int:
    number = 0
    async for _ in items:
        number += 1
    return number


def giving(rows: int, job: Callable[[], Awaitable[int]]) -> Timed:
    """``job``, which is not worth comparing unless it gives so many rows."""

    async def checked() -> None:
        given = await job()
        if given != rows:
            raise AssertionError(f"{given} rows instead of {rows}")

    return checked


def _by_hand(fetch: Fetch, url: str, query: Mapping[str, Any], *, rows: int, at_once: int) -> Timed:
    """All pages of a list, by a client that knows beforehand how many there are."""
    return giving(rows, baselines.walk(fetch, url, pages=PAGES, query=query, concurrency=at_once))


async def typed_walk(effort: Effort) -> AsyncGenerator[Row, None]:
    """Items a second of a walk whose time goes into the client, not into waiting."""
    with serving([SESSIONS]) as target:
        site, url = target.site, target.sessions_url(target.site)
        query = {"limit": str(PAGE), **PAST}
        async with _both(target) as (client, fetch):
            sessions = client.goals.sessions.iter(
                site.site_id, site.goal_id, page_size=PAGE, concurrency=AT_ONCE, **PAST
            )
            ours = giving(SESSIONS, lambda: count(sessions))
            raw = _by_hand(fetch, url, query, rows=SESSIONS, at_once=AT_ONCE)
            measured = await pairs(ours, raw, effort.walks)
            what = f"typed walk of {SESSIONS:,} sessions: items/s"
            yield Row(
                f"{what} against aiohttp + orjson, no types",
                "x", speeds(measured), 0.8, at_least=True, note=_speeds(measured),
            )  # fmt: skip
            for library in LIBRARIES:
                for from_bytes, how in ((False, "response.json()"), (True, "model_validate_json")):
                    async with baselines.pydantic(target, library, from_bytes=from_bytes) as typed:
                        theirs = _by_hand(typed, url, query, rows=SESSIONS, at_once=AT_ONCE)
                        measured = await pairs(ours, theirs, effort.walks)
                    yield Row(
                        f"{what} against {library} + pydantic, {how}",
                        "x", speeds(measured), 4.0, at_least=True, note=_speeds(measured),
                    )  # fmt: skip


async def site_lists(effort: Effort) -> AsyncGenerator[Row, None]:
    """The same for the sessions and the users of a whole site."""
    with serving([SESSIONS]) as target:
        site = f"{target.url}/api/sites/{target.site.site_id}"
        async with _both(target) as (client, fetch):
            for what, size_parameter, walk in (
                ("sessions", "limit", client.sessions.iter),
                ("users", "page_size", client.users.iter),
            ):
                items: Paginator[Any] = walk(
                    target.site.site_id, page_size=PAGE, concurrency=AT_ONCE, **PAST
                )
                rows = await count(items)
                query, pages = {size_parameter: str(PAGE), **PAST}, -(-rows // PAGE)
                raw = baselines.walk(
                    fetch, f"{site}/{what}", pages=pages, query=query, concurrency=AT_ONCE
                )
                measured = await pairs(
                    giving(rows, partial(count, items)), giving(rows, raw), effort.walks
                )
                own = median(theirs.processor / ours.processor for ours, theirs in measured)
                yield Row(
                    f"typed walk of {rows:,} {what} of a site: items/s against aiohttp + orjson",
                    "x", speeds(measured), 0.65, at_least=True,
                    note=f"{own:.2f} x by the processor's time; {items.report.requests} requests "
                    f"for {pages} pages",
                )  # fmt: skip


async def events(effort: Effort) -> AsyncGenerator[Row, None]:
    """The events of a site, whose pages have to be read one after another within a stretch of days.

    By hand there are as many stretches as this package has requests in flight.
    """
    with serving([SESSIONS]) as target:
        url = f"{target.url}/api/sites/{target.site.site_id}/events"
        (window,) = stretches(1)
        async with client_of(target) as client, baselines.raw_bodies(target) as read:
            raw = baselines.walk_by_cursor(
                read, url, query={"page_size": str(PAGE)}, stretches=stretches(AT_ONCE)
            )
            for ordered, how in ((False, "in any order"), (True, "in order, theirs not")):
                items = client.events.iter(
                    target.site.site_id,
                    page_size=PAGE,
                    concurrency=AT_ONCE,
                    ordered=ordered,
                    **window,
                )
                measured = await pairs(
                    giving(SESSIONS, partial(count, items)), giving(SESSIONS, raw), effort.walks
                )
                yield Row(
                    f"typed walk of {SESSIONS:,} events of a site, {how}: items/s against aiohttp "
                    "+ orjson",
                    "x", speeds(measured), 0.6, at_least=True,
                    note=f"{_speeds(measured)}; {items.report.requests} requests for {PAGES} pages",
                )  # fmt: skip


def speeds_of(rows: int, measured: Sequence[Pair]) -> str:
    """What both did in a second, in words."""
    ours, theirs = (
        rows / median(took.clock for took in side) for side in zip(*measured, strict=True)
    )
    # What other programs do on the machine does not count here.
    own = median(theirs.processor / ours.processor for ours, theirs in measured)
    return f"{ours:,.0f} and {theirs:,.0f} rows/s; {own:.2f} x by the processor's time"


_speeds: Final = partial(speeds_of, SESSIONS)


async def far_server(effort: Effort) -> AsyncGenerator[Row, None]:
    """Whether the window is kept full where the time goes into waiting."""
    goals = PAGES * GOALS_PAGE
    what = f"{PAGES} pages, server 50 ms away, {FAR_AT_ONCE} at once: wall against aiohttp + orjson"
    with serving([SESSIONS], goals=goals, latency=LATENCY) as target:
        site = target.site
        async with _both(target) as (client, fetch):
            listed = client.goals.iter(
                site.site_id, page_size=GOALS_PAGE, concurrency=FAR_AT_ONCE, **PAST
            )
            by_id = {"page_size": str(GOALS_PAGE), "sort": "goalId", "order": "asc", **PAST}
            measured = await pairs(
                giving(goals, lambda: count(listed)),
                _by_hand(fetch, target.goals_url(site), by_id, rows=goals, at_once=FAR_AT_ONCE),
                effort.far_walks,
            )
            yield Row(f"{what}, with a total (goals)", "x", ratios(measured), 1.15)
            sessions = client.goals.sessions.iter(
                site.site_id, site.goal_id, page_size=PAGE, concurrency=FAR_AT_ONCE, **PAST
            )
            query = {"limit": str(PAGE), **PAST}
            url = target.sessions_url(site)
            measured = await pairs(
                giving(SESSIONS, lambda: count(sessions)),
                _by_hand(fetch, url, query, rows=SESSIONS, at_once=FAR_AT_ONCE),
                effort.far_walks,
            )
            yield Row(f"{what}, without (sessions)", "x", ratios(measured), 1.30)


async def first_item(effort: Effort) -> AsyncGenerator[Row, None]:
    """What a walk adds to the round trip before its first session is there.

    With the pages of the other rows, and with the large ones that a walk has by default.
    """
    for latency in (0.0, LATENCY):
        with serving([SESSIONS], latency=latency) as target:
            async with _both(target) as (client, fetch):
                for size in (PAGE, 1000):
                    rounds = effort.far_walks if latency else effort.walks
                    measured = await _first_pairs(target, client, fetch, size, rounds)
                    what = f"first session of a page of {size}, server {latency * 1000:.0f} ms away"
                    yield Row(f"{what}, over one raw request", "ms", milliseconds(measured), 2.0)


async def _first_pairs(
    target: Target, client: RybbitClient, fetch: Fetch, size: int, rounds: int
) -> list[Pair]:
    """Until the first item is there: ending the walk is not counted."""
    site, url = target.site, target.sessions_url(target.site)
    sessions = client.goals.sessions.iter(site.site_id, site.goal_id, page_size=size, **PAST)
    query = {"page": "1", "limit": str(size), **PAST}
    measured: list[Pair] = []
    for _ in range(rounds + 1):
        async with sessions:
            ours = await timed(aiter(sessions).__anext__)
        measured.append((ours, await timed(lambda: fetch(url, query))))
    return measured[1:]


async def one_call(effort: Effort) -> AsyncGenerator[Row, None]:
    """What a single call adds to its request: parameters, checks, errors, types."""
    with serving([FEW], goals=10) as target:
        url = target.goals_url(target.site)
        async with _both(target) as (client, fetch):
            measured = await pairs(
                lambda: client.goals.list(target.site.site_id, page_size=10, **PAST),
                lambda: fetch(url, {"page": "1", "page_size": "10", **PAST}),
                effort.calls,
                tidy=False,
            )
            yield Row("one goals.list over the same raw call", "x", ratios(measured), 1.25)


async def memory(effort: Effort) -> AsyncGenerator[Row, None]:
    """What a walk remembers of the rows that went by. Each is walked by a fresh process."""
    with serving([FEW, effort.many], cache=1024) as target:
        few, many = target.sites
        what = f"peak memory, {effort.many:,} sessions over {FEW:,}, "

        def growths(window: Mapping[str, Any]) -> list[int]:
            return [
                _peak(target, many, window) - _peak(target, few, window)
                for _ in range(effort.memory)
            ]

        past = tuple(growth / 1e6 for growth in growths(PAST))
        yield Row(f"{what}window wholly past", "MB", past, 5.0)
        live = tuple(growth / (effort.many - FEW) for growth in growths(live_window()))
        yield Row(f"{what}live window, for each session", "bytes", live, 100.0)


def _peak(target: Target, site: Site, window: Mapping[str, Any]) -> int:
    options = {"page_size": MEMORY_PAGE, "concurrency": AT_ONCE, **window}
    told = {
        "url": target.url,
        "api_key": target.api_key,
        "site": site.site_id,
        "goal": site.goal_id,
        "options": options,
    }
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(told)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    said = json.loads(done.stdout)
    if said["items"] != site.sessions:
        raise AssertionError(f"{said['items']} rows instead of {site.sessions}")
    return int(said["peak"])


async def tables(effort: Effort) -> AsyncGenerator[Row, None]:
    """Record batches, against the same walk without a table, and against what people write."""
    with serving([SESSIONS]) as target:
        site = target.site
        async with client_of(target) as client:
            for size in (PAGE, 1000):
                sessions = client.goals.sessions.iter(
                    site.site_id, site.goal_id, page_size=size, concurrency=AT_ONCE, **PAST
                )

                async def batches(walk: Paginator[Session] = sessions) -> int:
                    return sum([batch.num_rows async for batch in walk.record_batches()])

                async def by_hand(walk: Paginator[Session] = sessions) -> int:
                    rows = [to_dict(row) async for row in walk]
                    for row in rows:
                        row["extra"] = row["extra"] or None  # Polars has no empty structs
                    return polars.DataFrame(rows, infer_schema_length=None).height

                ours, walked = giving(SESSIONS, batches), partial(count, sessions)
                what = f"record batches of {SESSIONS:,} sessions, pages of {size}: rows/s against"
                for other, name, reach in (
                    (walked, "the typed walk", 1.0),
                    (by_hand, "polars.DataFrame([to_dict(...), ...])", 3.0),
                ):
                    measured = await pairs(ours, giving(SESSIONS, other), effort.walks)
                    yield Row(
                        f"{what} {name}",
                        "x", speeds(measured), reach, at_least=True, note=_speeds(measured),
                    )  # fmt: skip


async def odd_rows(effort: Effort) -> AsyncGenerator[Row, None]:
    """What it costs to read a page whose rows are not as the model has them.

    Each page is compared with the same page without what is odd about it, by a reader of its own,
    after both have read it once.
    """
    with serving([ODD_PAGE]) as target:
        body = await _body(target, ODD_PAGE)
    rows: list[dict[str, Any]] = json.loads(body)["data"]
    what = f"reading {ODD_PAGE:,} sessions against the same without it: "
    for odd, many, changes, reach in (
        ("an unknown field in every row", True, {"is_bot": False}, 0.75),
        ("an unknown field in one row", False, {"is_bot": False}, 0.95),
        ("'lat' sent as text in one row", False, {"lat": "37.77"}, 0.95),
        ("one row that is read the lenient way each time", False, {'"': 1}, 0.4),
    ):
        changed = [{**row, **changes} if many or at == 700 else row for at, row in enumerate(rows)]
        text = json.dumps({"data": changed}, separators=(",", ":"), ensure_ascii=False)
        if "\ud83d" in text:  # half of a character, which JSON can only have as an escape
            text = text.replace("\ud83d", r"\ud83d")
        measured = await pairs(_reading(text.encode()), _reading(body), effort.calls, tidy=False)
        yield Row(f"{what}{odd}", "x", speeds(measured), reach, at_least=True)


def _reading(data: bytes) -> Timed:
    """A reader of its own that reads one page."""
    read, body = page_reader(Session, DATA), Body(data)

    async def job() -> None:
        if len(read(body)) != ODD_PAGE:
            raise AssertionError("rows are missing")

    return job


async def _body(target: Target, size: int) -> bytes:
    headers = {"Authorization": f"Bearer {target.api_key}"}
    query = {"page": "1", "limit": str(size), **PAST}
    url = target.sessions_url(target.site)
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(url, params=query) as response,
    ):
        return await response.read()


async def imports(effort: Effort) -> AsyncGenerator[Row, None]:
    """What importing this package adds to importing aiohttp, each in a fresh interpreter."""
    measured = [
        (_imported("rybbit_async.api"), _imported("aiohttp")) for _ in range(effort.imports + 1)
    ][1:]
    extras = sorted(EXTRAS & set(_import("rybbit_async.api")["modules"]))
    added = median(milliseconds(measured))
    yield Row(
        "from rybbit_async import RybbitClient: what it adds to import aiohttp",
        "x", tuple(ratio - 1 for ratio in ratios(measured)), 0.3, also=not extras,
        note=f"{added:.0f} ms; "
        + (f"imports {', '.join(extras)}" if extras else "nothing of the extras"),
    )  # fmt: skip


async def help_starts(effort: Effort) -> AsyncGenerator[Row, None]:
    """The help of the command line, as a whole process, against one that imports aiohttp."""
    ours = ["-m", "rybbit_async", "--help"], ["-m", "rybbit_async", "sessions", "--help"]
    theirs = ["-c", "import aiohttp"]
    for arguments in ours:
        measured = [(_process(arguments), _process(theirs)) for _ in range(effort.imports + 1)][1:]
        yield Row(
            f"rybbit-async {' '.join(arguments[2:])}: whole process, relative to import aiohttp",
            "x", ratios(measured), 1.6, note=f"{median(milliseconds(measured)):+.0f} ms",
        )  # fmt: skip


def _process(arguments: Sequence[str]) -> Took:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=_bytecode())
    return Took(time.perf_counter() - begun, 0)


def _imported(module: str) -> Took:
    said = _import(module)
    return Took(said["clock"], said["processor"])


def _import(module: str) -> Any:
    code = (
        "import json, sys, time\n"
        "clock, processor = time.perf_counter(), time.process_time()\n"
        f"import {module}\n"
        "clock, processor = time.perf_counter() - clock, time.process_time() - processor\n"
        "print(json.dumps(dict(clock=clock, processor=processor, modules=list(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env=_bytecode()
    )
    return json.loads(done.stdout)


def _bytecode() -> dict[str, str]:
    """As an installed package is imported: from bytecode, not compiled anew each time."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


COMPARISONS: Final = (
    typed_walk, site_lists, events, tables, odd_rows,
    far_server, first_item, memory, imports, help_starts, one_call,
)  # fmt: skip
