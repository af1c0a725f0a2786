"""Malicious or careless arguments, positions and responses."""

from __future__ import annotations

import asyncio
import enum
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from rybbit_async import (
    Goal,
    InvalidParameterError,
    PasswordLogin,
    PathGoal,
    RateLimitError,
    RawResponse,
    RybbitClient,
    Timeout,
)
from rybbit_async.testing import Store, faults

from .conftest import Connect, Serve
from .helpers import ONCE

PAST: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-01-31"}


def busy_second(store: Store) -> int:
    """A goal whose sessions end in three seconds, so that ties straddle every page."""
    goal = store.add_goal(1, "path", {"pathPattern": "/"})
    store.add_events(
        1,
        [
            {
                "timestamp": datetime(2024, 1, 10, 12, 0, at // 12, tzinfo=UTC),
                "session_id": f"s{at:02}",
                "user_id": "u",
            }
            for at in range(30)
        ],
    )
    return goal


@pytest.mark.parametrize("max_pages", [2, 3, 4, 5, 6, 7])
async def test_pages_end_if_max_pages_leaves_no_request_to_read_again(
    serve: Serve, connect: Connect, store: Store, max_pages: int
) -> None:
    goal = busy_second(store)
    client = connect(await serve("2.8", store), routes="sites")
    sessions = client.goals.sessions.iter(
        1, goal, page_size=4, max_pages=max_pages, concurrency=1, **PAST
    )
    pages = [page async for page in sessions.pages()]
    assert sessions.report.requests <= max_pages
    assert len(pages) <= max_pages
    assert sessions.report.reason == f"max_pages={max_pages} was reached"


@pytest.mark.parametrize("size", [1, 3, 4, 7, 8])
async def test_pages_respect_a_limit_and_can_be_resumed(
    serve: Serve, connect: Connect, store: Store, size: int
) -> None:
    goal = busy_second(store)
    client = connect(await serve("2.8", store), routes="sites")
    # Within a page and at its end, and where the ties begin and end: after 6, 18 and 30 rows.
    for limit in sorted({1, size, size + 1, 6, 7, 12, 17, 18, 19, 29, 30}):
        whole = client.goals.sessions.iter(1, goal, page_size=size, limit=limit, **PAST)
        limited = [s.session_id async for page in whole.pages() for s in page]
        assert len(limited) == len(set(limited)) == limit

        got: list[str] = []
        position: str | None = None
        async for page in whole.pages():
            if page.position is None:
                break
            got += [session.session_id for session in page]
            position = page.position
        rest = client.goals.sessions.iter(1, goal, page_size=size, **PAST).pages(start=position)
        got += [s.session_id async for page in rest for s in page]
        assert sorted(got) == [f"s{at:02}" for at in range(30)]


async def test_manipulated_positions(serve: Serve, connect: Connect, store: Store) -> None:
    goal = busy_second(store)
    server = await serve("2.8", store)
    sessions = connect(server, routes="sites").goals.sessions.iter(1, goal, page_size=4, **PAST)
    pages = sessions.pages()
    position = json.loads((await anext(pages)).position or "")
    await pages.aclose()
    server.requests.clear()
    stored = position["strategy"]
    changes: list[dict[str, Any]] = [
        *({"strategy": wrong} for wrong in (None, [], {}, {"time": 5}, {"after": "x"})),
        *({"strategy": {**stored, **wrong}} for wrong in (
            *({"rank": wrong} for wrong in ("x", None, 1.5, -5, True, 10**400)),
            {"time": "x"}, {"time": "2024-01-10T12:00:00"}, {"given": 5}, {"given": [{}]},
            {"given": "x"}, {"head": 3}, {"head": stored["time"]},
            {"head": stored["time"], "head_rows": [5]},
        )),
        *({"source": wrong} for wrong in (5, [1], {"end_date": 4})),
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(InvalidParameterError, match="start"):
            sessions.pages(start=json.dumps({**position, **change}))
    with pytest.raises(InvalidParameterError, match="start"):
        sessions.pages(start="[" * 100_000)
    window = {"start_datetime": "x", "page": "9"}
    with pytest.raises(InvalidParameterError, match="start"):
        await anext(sessions.pages(start=json.dumps({**position, "source": window})))
    assert server.requests == []


@pytest.mark.parametrize("write", [json.dumps, lambda text: json.dumps(text, ensure_ascii=False)])
async def test_a_password_that_the_server_sends_back_is_redacted(
    serve: Serve, connect: Connect, write: Any
) -> None:
    server = await serve()
    password = 'pa"ss\\wörd/ %'
    echo = f'{{"error": {write("bad " + password)}}}'
    server.inject(faults.Status(401, echo), times=None)
    client = connect(server, auth=PasswordLogin("me@example.com", password), retry=ONCE)
    with pytest.raises(Exception, match="of PasswordLogin is wrong") as caught:
        await client.goals.list(1)
    for shown in (str(caught.value), repr(vars(caught.value)), repr(pickle.dumps(caught.value))):
        assert "wörd" not in shown
        assert "w\\u00f6rd" not in shown


async def test_a_total_without_any_rows(serve: Serve, connect: Connect) -> None:
    server = await serve()
    meta = {"total": "5", "page": 1, "pageSize": 100, "totalPages": 10**9}
    server.inject(faults.Status(200, {"data": [], "meta": meta}), times=None)
    with pytest.warns(Warning, match="total is 5, but the number of rows that came is 0"):
        assert await connect(server, routes="sites").goals.iter(1).collect() == []
    assert len(server.requests) == 2


class Word(str, enum.Enum):  # noqa: UP042  # str() of a member is its name, not its value
    NAME = "name"


class Number(enum.IntEnum):
    ONE = 1


async def test_enum_members_are_sent_as_their_values(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    await client.goals.list(Number.ONE, page=Number.ONE, sort=Word.NAME)  # type: ignore[arg-type]
    assert server.requests[-1].target == "/api/sites/1/goals?page=1&page_size=10&sort=name"


async def test_duplicate_sites_are_walked_once(
    serve: Serve, connect: Connect, store: Store
) -> None:
    busy_second(store)
    client = connect(await serve("2.8", store), routes="sites")
    for sites in ([1, 1], (1, "1"), iter([1])):
        walk = client.goals.sessions.iter_all(sites, **PAST)
        assert len(await walk.collect()) == len(await walk.collect()) == 30
    for wrong in (b"12", None, 5.5, {1: 2}):
        with pytest.raises(InvalidParameterError):
            client.goals.sessions.iter_all(wrong)  # type: ignore[arg-type]


async def test_invalid_values_are_rejected(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    goal = (await client.goals.list(1)).items[:1]
    server.requests.clear()
    goals = [attrs.evolve(one, goal_id="../../x?y=") for one in goal] or [
        Goal("../../x?y=", 1, None, "path", PathGoal("/"))  # type: ignore[arg-type]
    ]
    calls: list[Any] = [
        lambda: client.goals.sessions.list(1, goals[0]),
        lambda: client.goals.list(10**5000),
        lambda: client.goals.list(1, page=10**5000),
        lambda: client.goals.create(1, PathGoal("/", extra={"a": {1}})),
        lambda: client.request("GET", "/api/x", params={1: 2}),  # type: ignore[dict-item]
        lambda: client.request("GET", "/api/x", params={"a": "\ud800"}),
        lambda: client.request("GET", "/api/x", params={"API_KEY": "k"}),
        lambda: client.request("GET", "/api/x", params=[1]),  # type: ignore[call-overload]
    ]
    for call in calls:
        with pytest.raises(InvalidParameterError):
            await call()
    assert server.requests == []
    constructors: list[Any] = [
        lambda: PasswordLogin("a", None),  # type: ignore[arg-type]
        lambda: PasswordLogin("a", b"x"),  # type: ignore[arg-type]
        lambda: Timeout(connect=float("inf")),
        lambda: Timeout(total=10**400),
        lambda: RybbitClient("rb_x", base_url="https://:@example.com"),
        lambda: RybbitClient("rb_x", base_url="https://example.com/api"),
        lambda: RybbitClient("rb_x", headers=[("a", "b")]),  # type: ignore[arg-type]
        lambda: RybbitClient("rb_x", headers={"X": "\x01"}),
        lambda: RybbitClient("rb_x", concurrency=10**9),
    ]
    for construct in constructors:
        with pytest.raises(InvalidParameterError):
            construct()


@pytest.mark.parametrize("value", [10**400, -1, float("inf"), "soon", True, None, [1]])
async def test_invalid_retry_after_values(serve: Serve, connect: Connect, value: Any) -> None:
    server = await serve()
    body = json.dumps({"error": "Rate limit exceeded", "retryAfter": value})
    server.inject(faults.Status(429, body))
    with pytest.raises(RateLimitError):
        await connect(server, retry=ONCE).goals.list(1)


async def test_invalid_rate_limit_headers(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server, routes="sites")
    for name, value in (("Limit", "9" * 400), ("Reset", "1e300")):
        headers = {"RateLimit-Limit": "50", "RateLimit-Remaining": "0", "RateLimit-Reset": "1"}
        server.inject(faults.Status(404, {"error": "x"}, {**headers, f"RateLimit-{name}": value}))
        with pytest.raises(Exception, match="404"):
            await client.goals.list(1)
        await asyncio.wait_for(client.request("GET", "/api/version"), 5)


async def test_a_raw_response_pickles(serve: Serve, connect: Connect) -> None:
    client = connect(await serve())
    raw = await client.request("GET", "/api/version", cast_to=RawResponse)
    again = pickle.loads(pickle.dumps(raw))
    assert again == raw
    assert again.headers["content-type"] == raw.headers["Content-Type"]
