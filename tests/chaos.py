"""Chaos: walks and writes through every kind of fault at once, compared with the store's data.

Run it with ``python tests/chaos.py --requests 100000`` or ``nox -s chaos``; a short run is one of
the tests. Server and client share one event loop, so that a leaked task, connection or file is
detected.

Each of these is checked: a walk that finished has every item once; a walk that was ended early has
no duplicates and no items of another list; each goal is created at most once; every error is a
``RybbitError``; no error says of a response that came that the connection was lost; no task,
connection or file is left after a client is closed; nothing hangs; memory does not grow; no log
line and no error contains the key.
"""

# ruff: noqa: T201 - it prints a summary

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import random
import resource
import socket
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import attrs

import rybbit_async
from rybbit_async import (
    APIResponseError,
    APIStatusError,
    ClientClosedError,
    Goal,
    GoalSession,
    Paginator,
    PasswordLogin,
    PathGoal,
    Retry,
    RybbitClient,
    RybbitError,
    Session,
    Timeout,
)
from rybbit_async.testing import RybbitServer, Site, Store, faults, generate
from rybbit_async.testing.faults import Exchange, Fault, Proceed
from rybbit_async.testing.queries.cache import PageOf
from rybbit_async.testing.queries.sessions import GOAL_SESSION_KEYS, goal_sessions_page
from rybbit_async.testing.windows import ALL_TIME, Window
from rybbit_async.testing.wire import Response

PACKAGE = str(Path(rybbit_async.__file__).parent)
END = datetime(2025, 6, 30, 12, tzinfo=UTC)
RELEASES = ("2.8", "2.8", "2.4", "2.2")
TIMEOUT = Timeout(connect=1.0, read=0.4, total=1.5)
RETRY = Retry(attempts=8, timeout=10, wait_initial=0.001, wait_max=0.02)
LARGEST = 2 << 20  # bytes; the gzip bombs are larger
PAGE_SIZES = (15, 60)
HANG = 90.0  # the longest time in seconds for a walk or the end of an epoch, pauses included


# --- faults --------------------------------------------------------------------------------------


@attrs.frozen
class RedirectHome(Fault):
    """A redirect to the same URL; the next request to it succeeds."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        target: str = exchange._request.raw_path  # type: ignore[attr-defined]
        return Response(307, b"", {"Location": target})


@attrs.frozen
class RetryAfterDate(Fault):
    """429 with ``Retry-After`` as a date, at most one second in the future."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
        return Response(429, b'{"error":"Rate limit exceeded"}', {"Retry-After": soon})


@attrs.frozen
class HalfClose(Fault):
    """Respond, then close the server's half of the connection without ``Connection: close``."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        transport: asyncio.Transport | None = exchange._request.transport  # type: ignore[attr-defined]

        async def close() -> None:
            with contextlib.suppress(OSError):  # the client may have disconnected
                if transport is not None and not transport.is_closing():
                    transport.write_eof()
                    # Another request on this connection cannot be answered.
                    exchange.close_at_next_request()

        exchange.after.append(close)
        return await proceed()


def _limited(seconds: float) -> Fault:
    body = {"error": "Rate limit exceeded", "scope": "burst", "limit": 50, "retryAfter": seconds}
    return faults.Status(429, body)


# How many of 100,000 requests meet each fault. Slow faults are rare, to keep the run short.
KINDS: tuple[tuple[int, str, Fault], ...] = (
    (1000, "reset before the body", faults.Reset()),
    (500, "reset after the request was handled", faults.Reset(handled=True)),
    (800, "closed before the body", faults.Drop()),
    (400, "closed after the request was handled", faults.Drop(handled=True)),
    (400, "reset at the start of the body", faults.ResetInBody(0)),
    (500, "reset in the body", faults.ResetInBody(5000)),
    (500, "closed in the body", faults.DropInBody(300)),
    (300, "stalled forever", faults.Stall()),
    (150, "stalled after the request was handled", faults.Stall(handled=True)),
    (1000, "keep-alive closed", faults.CloseIdle()),
    (1000, "keep-alive closed at the next request", faults.CloseIdle(late=True)),
    (600, "keep-alive half-closed", HalfClose()),
    (250, "truncated JSON", faults.TruncatedJSON()),
    (800, "wrong content type", faults.WrongContentType()),
    (500, "HTML 502 of a proxy", faults.Html(502)),
    (150, "HTML 200 of a proxy", faults.Html(200)),
    (500, "429 without Retry-After", faults.Status(429)),
    (500, "429 Retry-After: 0", faults.Status(429, headers={"Retry-After": "0"})),
    (20, "429 Retry-After: 1", faults.Status(429, headers={"Retry-After": "1"})),
    (20, "429 Retry-After: a date", RetryAfterDate()),
    (300, "429 retryAfter in the body", _limited(0.03)),
    (300, "408", faults.Status(408)),
    (500, "500", faults.Status(500)),
    (500, "502", faults.Status(502)),
    (500, "503", faults.Status(503)),
    (500, "504", faults.Status(504)),
    (500, "slow trickle", faults.Trickle(4096, 0.002)),
    (40, "slow trickle beyond the timeout", faults.Trickle(64, 0.05)),
    (250, "200 with an error body", faults.ErrorBody()),
    (100, "gzip bomb of 64 MiB", faults.GzipBomb(64 << 20)),
    (100, "nested 100,000 deep", faults.DeepNesting()),
    (800, "gzip", faults.Gzip()),
    (1000, "latency", faults.Latency(0.01)),
    (200, "redirect to another host", faults.Redirect("http://127.0.0.2:9/api/goals/1")),
    (800, "redirect to the same URL", RedirectHome()),
    (300, "a header of 60 KB", faults.MoreHeaders(1, 60_000)),
    *((40, f"unreadable: {fault}"[:60], fault) for fault in faults.unreadable()),
)


@attrs.frozen(eq=False)
class Mix(Fault):
    """Choose one of ``KINDS``, or no fault, for each request, with the frequencies given there."""

    passes_on: ClassVar[bool] = True
    chance: random.Random
    counts: Counter[str] = attrs.field(factory=Counter[str])
    _weights: list[int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        weights = [weight for weight, _, _ in KINDS]
        object.__setattr__(self, "_weights", [*weights, 100_000 - sum(weights)])

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Response | None:
        ((_, name, fault),) = self.chance.choices((*KINDS, (0, "none", None)), self._weights)
        self.counts[name] += 1
        return await (proceed() if fault is None else fault(exchange, proceed))


# --- expected data -------------------------------------------------------------------------------


Facts = Mapping[Hashable, object]


@attrs.frozen
class Truth:
    """Sites with traffic, a site for writes, and the expected content of each list."""

    sites: tuple[Site, ...]
    writable: Site
    windows: tuple[dict[str, Any], ...]
    goals: Mapping[int, Facts]  # by site
    sessions: Mapping[tuple[int, int, int], Facts]  # by site, goal and window
    hints: Mapping[tuple[int, int], list[Goal]]  # as read from the server; by site and window

    @classmethod
    def of(cls, store: Store, seed: int) -> Truth:
        """Fill the store, and compute the content of each list from it."""
        traffic = generate(store, seed=seed, sites=3, sessions=1_200, goals=14, end=END, days=20)
        many = store.add_site("many goals")
        for at in range(60):
            path = {"pathPattern": f"/{at % 7}"}
            store.add_goal(many, "path", path, name=f"{at % 9}", created_at=END)
        days = date(2025, 6, 13), date(2025, 6, 28)
        dates = {"start_date": days[0], "end_date": days[1]}
        start, end = (datetime(day.year, day.month, day.day) for day in days)  # noqa: DTZ001
        spans = (ALL_TIME, Window(start, end + timedelta(days=1)), ALL_TIME)
        return cls(
            (*traffic.sites, many),
            store.add_site("writable"),
            ({}, dates, {"past_minutes_start": 10_000_000, "past_minutes_end": 0}),
            {
                site.site_id: {goal.goal_id: goal.name for goal in store.goals(site)}
                for site in (*traffic.sites, many)
            },
            {
                (site.site_id, goal.goal_id, at): {
                    row[:2]: row[GOAL_SESSION_KEYS.index("session_end")]
                    for row in goal_sessions_page(
                        store.queries,
                        store.queries.within(site, span),
                        goal.condition,
                        PageOf(1, 1 << 30),
                    )
                }
                for site in (*traffic.sites, many)
                for goal in store.goals(site)
                for at, span in enumerate(spans)
            },
            {},
        )


def _fact(item: Goal | Session | GoalSession) -> tuple[Hashable, object]:
    """The identity of an item, and another value of it to compare."""
    if isinstance(item, Goal):
        return item.goal_id, item.name
    if isinstance(item, GoalSession):
        key, end = _fact(item.session)
        return (item.site, item.goal.goal_id, key), end
    end = item.session_end
    return (item.session_id, item.user_id), None if end is None else f"{end:%Y-%m-%d %H:%M:%S}"


# --- the run -------------------------------------------------------------------------------------


@attrs.define
class Plan:
    """A walk, and the items that it must yield."""

    name: str
    paginator: Paginator[Any]
    facts: Facts
    limit: int | None
    resumable: bool
    exactly: bool  # whether a resumed walk has each row exactly once, not only at least once
    may_be_incomplete: bool = False
    window_moves: bool = False  # where it is not pinned, the report says so; no row leaves it here


class Chaos:
    """One run; ``await run()`` and read ``violations``."""

    def __init__(
        self, requests: int, *, seed: int = 1, actors: int = 40, epoch: int = 2_500
    ) -> None:
        self.requests = requests
        self.epoch = epoch  # number of requests per client
        self.seed = seed
        self.actors = actors
        self.violations: list[str] = []
        self.errors: Counter[str] = Counter()
        self.walks: Counter[tuple[str, str]] = Counter()  # by kind, by outcome
        self.writes: Counter[str] = Counter()
        self.noted: Counter[str] = Counter()
        self.items = 0
        self.restarts = 0
        self.epochs = 0
        self.seconds = 0.0
        self.cpu = 0.0
        self.memory: dict[str, int] = {}
        self.peak = 0
        self._done = 0  # number of requests of the closed clients
        self._retries = 0
        self._pauses = 0
        self._client: RybbitClient | None = None
        self._serial = count(1)
        self._store = Store()
        self._truth = Truth.of(self._store, seed)
        self._mix = Mix(random.Random(f"{seed} faults"))
        self._server = RybbitServer(store=self._store, port=_free_port(), record=False)
        self._server.inject(self._mix, times=None)
        self._own_tasks: set[asyncio.Task[Any]] = set()

    @property
    def attempts(self) -> int:
        """The number of requests that were started, including refused connections."""
        under_way = 0 if self._client is None else self._client.stats.requests
        return self._done + under_way

    def violate(self, text: str) -> None:
        """Record a violation."""
        if len(self.violations) < 50:
            self.violations.append(text)

    async def run(self) -> None:
        """Run until the requests are used up or there is a violation."""
        self._own_tasks.add(_this_task())
        began, cpu = time.monotonic(), time.process_time()
        chance = random.Random(f"{self.seed} run")
        with self._watching():
            async with self._server:
                await self._read_hints()
                jobs = [asyncio.create_task(self._restart(chance))]
                jobs.append(asyncio.create_task(self._measure()))
                self._own_tasks.update(jobs)
                files = 0
                try:
                    while self.attempts < self.requests and not self.violations:
                        await self._epoch()
                        await self._read_unreadable()
                        files = await self._check_nothing_left(files)
                        part = 20 if self.attempts * 5 >= self.requests else 0
                        self.memory.setdefault(f"{part} %", _memory())
                finally:
                    for job in jobs:
                        job.cancel()
                    await asyncio.gather(*jobs, return_exceptions=True)
            gc.collect()
            await asyncio.sleep(0.05)
        self._store.close()
        self.memory["100 %"] = _memory()
        early, late = self.memory.get("20 %", 0), self.memory["100 %"]
        if self.epochs >= 10 and late > early * 1.1 + (8 << 20):
            self.violate(f"memory grew from {early >> 20} to {late >> 20} MiB")
        self.seconds, self.cpu = time.monotonic() - began, time.process_time() - cpu

    async def _read_hints(self) -> None:
        self._server.clear_faults()
        async with self._client_of(random.Random(0)) as client:
            for site in self._truth.sites:
                for at, window in enumerate(self._truth.windows):
                    goals = await client.goals.iter(site.site_id, **window).collect()
                    self._truth.hints[site.site_id, at] = goals  # type: ignore[index]
        self._server.inject(self._mix, times=None)

    async def _read_unreadable(self) -> None:
        """Read from a server whose only faults are responses that come but cannot be read.

        So nothing is lost here, and nothing may be retried.
        """
        site = self._truth.sites[0].site_id
        async with RybbitServer(store=self._store, record=False) as server:
            server.inject(
                faults.Chaos(seed=self.epochs, rate=0.6, kinds=faults.unreadable()), times=None
            )
            # Without a short timeout, which would be retried.
            client = RybbitClient(
                server.api_key, base_url=server.url, routes="sites", timeout=HANG, retry=RETRY
            )

            async def read() -> None:
                try:
                    page = await client.goals.list(site, sort="goalId")
                except APIResponseError as error:
                    self.noted["responses that could not be read"] += 1
                    text = str(error)
                    if "lost" in text or "cannot be read" not in text:
                        self.violate(f"a response that came: {text}")
                    self._check_secrets(f"{error!r} {error.__dict__}", server)
                except RybbitError as error:
                    self.violate(f"a response that came: {error!r}")
                else:
                    if not {goal.goal_id for goal in page} <= self._truth.goals[site].keys():
                        self.violate(f"wrong goals in {page}")

            async with client:
                for _ in range(4):
                    await asyncio.gather(*(read() for _ in range(15)))
            if client.stats.retries:
                self.violate("a response that cannot be read was asked for again")

    async def _restart(self, chance: random.Random) -> None:
        """Restart the server again and again, after a short break and as a random release."""
        while True:
            await asyncio.sleep(chance.uniform(0.5, 2.5))
            await self._server.restart(chance.choice(RELEASES), chance.uniform(0, 0.05))
            self.restarts += 1

    async def _measure(self) -> None:
        while True:
            self.peak = max(self.peak, _memory())
            await asyncio.sleep(0.05)

    # One client

    def _client_of(
        self, chance: random.Random, session: aiohttp.ClientSession | None = None
    ) -> RybbitClient:
        server = self._server
        signs_in = self.epochs % 5 == 4
        return RybbitClient(
            None if signs_in else server.api_key,
            auth=PasswordLogin(server.email, server.password) if signs_in else None,
            base_url=server.url,
            session=session,
            timeout=TIMEOUT,
            retry=RETRY,
            max_connections=chance.choice((10, 30, 100)),
            max_response_bytes=LARGEST,
        )

    async def _epoch(self) -> None:
        """Create a client, use it from many tasks at once, and close it."""
        chance = random.Random(f"{self.seed} {self.epochs}")
        stop_at = min(self.attempts + self.epoch, self.requests)
        session = aiohttp.ClientSession() if self.epochs % 4 == 3 else None
        client = self._client = self._client_of(chance, session)
        over = asyncio.Event()
        actors = [
            asyncio.create_task(
                self._act(
                    client, random.Random(f"{self.seed} {self.epochs} {actor}"), over, stop_at
                ),
                name=f"actor {actor}",
            )
            for actor in range(self.actors)
        ]
        self._own_tasks.update(actors)
        try:
            async with asyncio.timeout(HANG * 2):
                await over.wait()
                if self.epochs % 2:  # the client is closed while walks are under way
                    await self._close(client, chance)
                await asyncio.gather(*actors)
                if not client.closed:
                    await self._close(client, chance)
        except TimeoutError:
            self._hang([actor for actor in actors if not actor.done()])
            raise SystemExit("the chaos run hangs") from None
        finally:
            self._own_tasks.difference_update(actors)
        if session is not None:
            if session.closed:
                self.violate("the client closed a session that was passed in")
            await session.close()
        left = [task for task in asyncio.all_tasks() if _is_ours(task)]
        if left:
            self.violate(f"tasks of the client are left after close(): {left}")
        self._done += client.stats.requests
        self._retries += client.stats.retries
        self._pauses += client.stats.pauses
        self._client = None
        self.epochs += 1
        self._check_created_once()

    async def _close(self, client: RybbitClient, chance: random.Random) -> None:
        """Close the client: sometimes twice at once, sometimes with the close itself cancelled."""
        match chance.randrange(4):
            case 0:
                await asyncio.gather(client.close(), client.close())
            case 1:
                closing = asyncio.create_task(client.close())
                for _ in range(1 + chance.randrange(4)):
                    await asyncio.sleep(0)
                closing.cancel()
                await asyncio.gather(closing, return_exceptions=True)
            case _:
                await client.close()

    async def _act(
        self, client: RybbitClient, chance: random.Random, over: asyncio.Event, stop_at: int
    ) -> None:
        while not over.is_set():
            try:
                async with asyncio.timeout(HANG):
                    if chance.random() < 0.06:
                        await self._write(client, chance)
                    else:
                        await self._walk(client, chance)
            except TimeoutError as error:
                self._hang([_this_task()])
                self.violate(f"a walk took more than {HANG} s: {error!r}")
            except Exception as error:
                self.violate(f"not a RybbitError: {error!r}\n{traceback.format_exc()}")
            if self.attempts >= stop_at or client.closed or self.violations:
                over.set()
            await asyncio.sleep(0)

    # Walks

    def _plan(self, client: RybbitClient, chance: random.Random) -> Plan:
        truth, goals = self._truth, client.goals
        site = chance.choice(truth.sites).site_id
        at = chance.randrange(len(truth.windows))
        window, hints = truth.windows[at], truth.hints[site, at]
        options: dict[str, Any] = {
            "concurrency": chance.choice((1, 2, 3, 8)),
            "ordered": chance.random() < 0.6,
            "limit": chance.choice((None, None, None, chance.randint(0, 100))),
        }
        limit, options = options["limit"], {**options, **window}
        resumable = options["ordered"] and limit is None
        kind = chance.choices(("goals", "sessions", "iter_all"), (30, 50, 20))[0]
        if kind == "goals":
            sort = chance.choice((None, None, None, "createdAt", "name"))
            paginator: Paginator[Any] = goals.iter(
                site, page_size=chance.choice((3, 7, 25)), sort=sort, **options
            )
            # Goals with equal names may be missed because of faults, and then the report says so.
            return Plan(
                "goals.iter", paginator, truth.goals[site], limit,
                resumable and sort is None, True, sort == "name",
            )  # fmt: skip
        size = chance.choice(PAGE_SIZES)
        if kind == "sessions":
            goal = chance.choice(hints)
            paginator = goals.sessions.iter(
                site, chance.choice((goal, goal.goal_id)), page_size=size, **options
            )
            facts = truth.sessions[site, goal.goal_id, at]
            return Plan(
                "sessions.iter", paginator, facts, limit, resumable, at == 1, window_moves=at == 2
            )
        sites = chance.sample([one.site_id for one in truth.sites[:3]], chance.randint(1, 2))
        picked = None
        if chance.random() < 0.7:
            owned = [(one, goal) for one in sites for goal in truth.goals[one]]
            picked = [goal for _, goal in chance.sample(owned, 4)]
        paginator = goals.sessions.iter_all(sites, goals=picked, page_size=size, **options)
        wanted = {
            (one, goal, key): end
            for one in sites
            for goal in truth.goals[one]
            if picked is None or goal in picked
            for key, end in truth.sessions[one, goal, at].items()
        }
        return Plan(
            "sessions.iter_all", paginator, wanted, limit, False, True, window_moves=at == 2
        )

    async def _walk(self, client: RybbitClient, chance: random.Random) -> None:
        plan = self._plan(client, chance)
        ends = {"end": 40, "collect": 6, "pages": 10, "break": 12, "leave": 8, "timeout": 8,
                "cancel": 8, "first": 2, "resume": 20 if plan.resumable else 0}  # fmt: skip
        how = chance.choices(list(ends), list(ends.values()))[0]
        seen: list[Any] = []
        walk = self._take(plan, how, chance, seen)
        try:
            if how == "timeout":
                async with asyncio.timeout(chance.expovariate(30)):
                    outcome = await walk
            elif how == "cancel":
                outcome = await self._cancel(walk, chance)
            else:
                outcome = await walk
        except TimeoutError:
            outcome = "timed out"
        except RybbitError as error:
            outcome = "failed"
            self._check_error(error, client)
        name = f"{plan.name}, resumed" if how == "resume" else plan.name
        self.walks[name, outcome] += 1
        self._check(plan, how, outcome, seen)

    async def _cancel(self, walk: Any, chance: random.Random) -> str:
        task = asyncio.create_task(walk)
        self._own_tasks.add(task)
        try:
            await asyncio.wait((task,), timeout=chance.expovariate(30))
            for _ in range(chance.choice((1, 1, 2, 3))):  # cancel up to three times
                task.cancel()
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
            return str(await task)
        except asyncio.CancelledError:
            if _this_task().cancelling():
                raise
            return "cancelled"
        finally:
            self._own_tasks.discard(task)

    async def _take(self, plan: Plan, how: str, chance: random.Random, seen: list[Any]) -> str:
        """Consume the walk in one of several ways, and return its outcome."""
        paginator = plan.paginator
        stop = chance.randint(1, max(2, len(plan.facts)))
        match how:
            case "collect":
                seen += await paginator.collect()
            case "first":
                item = await paginator.first()
                seen += [] if item is None else [item]
                return "ended early"
            case "pages":
                async for page in paginator.pages():
                    seen += page
                    await self._pause_sometimes(chance)
            case "resume":
                await self._resume(plan, chance, seen)
            case "leave":
                async with paginator:
                    async for item in paginator:
                        seen.append(item)
                        if len(seen) >= stop:
                            return "ended early"
            case _:
                async for item in paginator:
                    seen.append(item)
                    if how == "break" and len(seen) >= stop:
                        return "ended early"
                    if len(seen) % 64 == 0:
                        await self._pause_sometimes(chance)
        return "finished"

    async def _pause_sometimes(self, chance: random.Random) -> None:
        if chance.random() < 0.2:
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.01)))

    async def _resume(self, plan: Plan, chance: random.Random, seen: list[Any]) -> None:
        """Walk in pieces, each from the last position, also after errors."""
        start: str | None = None
        for _ in range(60):
            left = chance.randint(1, 5)
            try:
                async with contextlib.aclosing(plan.paginator.pages(start)) as pages:
                    async for page in pages:
                        if page.position is None:
                            # The last page has no position, and may be read again.
                            plan.exactly = False
                        else:
                            start = page.position
                        seen += page
                        left -= 1
                        if not left:
                            break
                    else:
                        return
            except ClientClosedError:
                raise
            except RybbitError as error:
                self.errors[f"{type(error).__name__}, then resumed"] += 1
                await asyncio.sleep(0.01)
        raise RybbitError("a walk did not end after it was resumed 60 times")

    def _check(self, plan: Plan, how: str, outcome: str, seen: list[Any]) -> None:
        self.items += len(seen)
        facts, name = plan.facts, f"{plan.paginator!r} ({how}, {outcome})"
        taken = Counter(map(_fact, seen))
        for key, fact in taken:
            if key not in facts or facts[key] != fact:
                self.violate(f"{name}: wrong item {key} {fact}, expected {facts.get(key)}")
        resumed = how == "resume"
        if len(taken) != len(seen) and not (resumed and not plan.exactly):
            self.violate(f"{name}: {len(seen) - len(taken)} duplicate items")
        if outcome != "finished":
            return
        report = plan.paginator.report
        wanted = len(facts) if plan.limit is None else min(plan.limit, len(facts))
        if report.doubtful:
            self.noted["walks that reported to be incomplete"] += 1
            if not (plan.may_be_incomplete or plan.window_moves):
                self.violate(f"{name}: {report}")
        if len(taken) != wanted and not (report.doubtful and plan.may_be_incomplete):
            self.violate(f"{name}: got {len(taken)} of {wanted} items; {report}")
        self.noted["duplicates dropped"] += report.duplicates

    # Writes

    async def _write(self, client: RybbitClient, chance: random.Random) -> None:
        """Create, update and delete a goal that only this task uses."""
        site, store = self._truth.writable, self._store
        pattern = f"/written/{next(self._serial)}"

        def made() -> list[Any]:
            return [one for one in store.goals(site) if one.config["pathPattern"] == pattern]

        def check(what: str, ids: list[int] | None) -> None:
            there = [one.goal_id for one in made()]
            if len(there) > 1 or (ids is not None and there != ids):
                self.violate(f"{what} of {pattern}: expected goals {ids}, got {there}")
            self.writes[f"{what}, {'failed' if ids is None else 'done'}"] += 1

        async def attempt(what: str, job: Any, ids: Callable[[Any], list[int] | None]) -> bool:
            try:
                result = await job
            except RybbitError as error:
                self._check_error(error, client)
                check(what, None)
                return False
            check(what, ids(result))
            return True

        goals, config = client.goals, PathGoal(pattern)
        if chance.random() < 0.5:
            await attempt("create", goals.create(site.site_id, config), lambda r: [r.goal_id])
        else:
            for _ in range(3):
                job = goals.ensure(site.site_id, config)
                if await attempt("ensure", job, lambda r: [r.goal_id]):
                    break
        for goal in made():
            job = goals.update(site.site_id, goal.goal_id, name=pattern)
            done = await attempt("update", job, lambda result: [result.goal_id])
            if done and (names := [one.name for one in made()]) != [pattern]:
                self.violate(f"update of {pattern}: expected that name, got {names}")
            await attempt("delete", goals.delete(site.site_id, goal.goal_id), lambda _: [])
        for goal in made():
            store.delete_goal(goal.goal_id)

    def _check_created_once(self) -> None:
        """Check that no goal was created twice, and delete those that were created late.

        A goal may be created after its task has given up.
        """
        late = self._store.goals(self._truth.writable)
        for pattern, times in Counter(goal.config["pathPattern"] for goal in late).items():
            if times > 1:
                self.violate(f"{pattern} was created {times} times")
        for goal in late:
            self._store.delete_goal(goal.goal_id)

    # Checks

    def _check_error(self, error: RybbitError, client: RybbitClient) -> None:
        name = type(error).__name__
        self.errors[f"{name} {error.status}" if isinstance(error, APIStatusError) else name] += 1
        if isinstance(error, ClientClosedError) and not client.closed:
            self.violate(f"the client is not closed, but: {error!r}")
        self._check_secrets(f"{error!r} {error.__dict__}")

    def _check_secrets(self, text: str, server: RybbitServer | None = None) -> None:
        server = server or self._server
        if server.api_key in text or server.password in text:
            self.violate(f"a secret was shown: {text[:300]}")

    def _hang(self, tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks[:3]:
            task.print_stack(file=sys.stderr)
            self.violate(f"hangs: {task!r}")

    async def _check_nothing_left(self, files: int) -> int:
        """Check for connections, tasks and files that are left; return the number of open files."""
        gc.collect()
        for _ in range(200):
            tasks = asyncio.all_tasks() - self._own_tasks
            if not self._server.connections and not tasks:
                break
            await asyncio.sleep(0.01)
        else:
            self.violate(f"left: {self._server.connections} connections, tasks {tasks}")
        while not self._server.running:  # noqa: ASYNC110 - it is restarting
            await asyncio.sleep(0.01)
        now = len(os.listdir("/dev/fd"))
        if files and now > files:
            self.violate(f"{now} files are open, {files} before")
        return now

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        """Count every warning, log message and unhandled exception as a violation."""
        loop = asyncio.get_running_loop()
        log, handler = logging.getLogger(), _Log(self)
        ours = logging.getLogger("rybbit_async")
        level, propagates = ours.level, ours.propagate
        before = loop.get_exception_handler()
        unraisable = sys.unraisablehook
        loop.set_exception_handler(
            lambda _, context: self.violate(f"unhandled in the event loop: {context}")
        )
        sys.unraisablehook = lambda what: self.violate(f"unraisable: {what}")
        log.addHandler(handler)
        ours.addHandler(handler)
        ours.setLevel(logging.DEBUG)
        ours.propagate = False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.showwarning = self._warned
                yield
                gc.collect()
        finally:
            loop.set_exception_handler(before)
            sys.unraisablehook = unraisable
            log.removeHandler(handler)
            ours.removeHandler(handler)
            ours.setLevel(level)
            ours.propagate = propagates

    def _warned(self, message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, rybbit_async.RybbitWarning):
            self.noted["RybbitWarning"] += 1
        else:
            self.violate(f"warning: {category.__name__}: {message} {where}")

    # Output

    def summary(self) -> str:
        """The results as text."""
        counts = self._mix.counts
        reached = f"{sum(counts.values()):,} reached the server, {self._retries:,} were retries"
        lines = ["", f"chaos, seed {self.seed}: {self.attempts:,} requests", f"  {reached}"]
        lines.append(f"  {self._pauses:,} pauses, {self.restarts} restarts, {self.epochs} clients")
        lines += ["", "faults"]
        lines += [f"  {counts[name]:>7,}  {name}" for _, name, _ in KINDS]
        lines.append(f"  {self.restarts:>7,}  server restarted, connections refused")
        lines += ["", "errors that callers saw"]
        lines += [f"  {times:>7,}  {name}" for name, times in self.errors.most_common()]
        outcomes = ("finished", "failed", "ended early", "cancelled", "timed out")
        lines += ["", f"{'walks':<28}" + "".join(f"{outcome:>12}" for outcome in outcomes)]
        for name in sorted({name for name, _ in self.walks}):
            row = "".join(f"{self.walks[name, outcome]:>12,}" for outcome in outcomes)
            lines.append(f"  {name:<26}{row}")
        lines += ["", "writes"]
        lines += [f"  {times:>7,}  {name}" for name, times in sorted(self.writes.items())]
        lines += ["", f"{self.items:,} items checked"]
        lines += [f"{times:,} {name}" for name, times in self.noted.items()]
        memory = ", ".join(f"{size >> 20} MiB at {when}" for when, size in self.memory.items())
        lines.append(f"memory: {memory}, {self.peak >> 20} MiB at the peak")
        lines.append(f"{self.seconds:.1f} s, {self.cpu:.1f} s of CPU")
        lines += ["", *(f"VIOLATION: {text}" for text in self.violations)]
        lines.append("failed" if self.violations else "nothing lost, duplicated, leaked or hung")
        return "\n".join(lines)


class _Log(logging.Handler):
    """Check every log line for secrets, and count warnings and errors as violations."""

    def __init__(self, run: Chaos) -> None:
        super().__init__()
        self._run = run

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self._run._check_secrets(text)
        if record.levelno >= logging.WARNING:
            self._run.violate(f"logged by {record.name}: {text}")


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _is_ours(task: asyncio.Task[Any]) -> bool:
    """Whether a task runs the client's code."""
    code = getattr(task.get_coro(), "cr_code", None)
    path = "" if code is None else code.co_filename
    return path.startswith(PACKAGE) and not path.startswith(os.path.join(PACKAGE, "testing"))


def _memory() -> int:
    """The resident memory in bytes, or its peak if the system does not report it."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _free_port() -> int:
    """A free port below the ephemeral range.

    While the server is down, the system could assign an ephemeral port to the client's own socket,
    and the client would connect to itself.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--actors", type=int, default=40, help="number of concurrent consumers")
    chosen = parser.parse_args()
    run = Chaos(chosen.requests, seed=chosen.seed, actors=chosen.actors)
    # In case the event loop itself hangs.
    faulthandler.dump_traceback_later(120 + chosen.requests / 50, exit=True)
    try:
        asyncio.run(run.run())
    finally:
        print(run.summary())
    return 1 if run.violations else 0


if __name__ == "__main__":
    sys.exit(main())
