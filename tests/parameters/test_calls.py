"""Every call checks what it is given, and sends nothing if a check fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rybbit_async import (
    EventGoal,
    Filter,
    InvalidParameterError,
    PathGoal,
    RybbitClient,
    RybbitWarning,
)

from .helpers import GOAL, error_of, is_about

BAD_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("page_size", {"page_size": 0}, "between 1 and 100"),
    ("page_size", {"page_size": 101}, "between 1 and 100"),
    ("page_size", {"page_size": "10"}, "int ("),
    ("sort", {"sort": "id"}, "'createdAt', 'goalId', 'goalType' or 'name'"),
    ("sort", {"sort": "goalid"}, "goalId"),
    ("sort", {"sort": 1}, "goalId"),
    ("order", {"order": "ASC"}, "'asc' or 'desc'"),
    ("order", {"order": "down"}, "'asc' or 'desc'"),
    ("order", {"sort": "name", "order": ""}, "'asc' or 'desc'"),
    ("start_date", {"start_date": "x", "end_date": "2024-01-01"}, "2024-01-31"),
    ("time_zone", {"time_zone": "utc"}, "'UTC'"),
    ("filters", {"filters": "x"}, "Filter"),
]
WALK_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("concurrency", {"concurrency": 0}, "between 1 and 1000"),
    ("concurrency", {"concurrency": 1.5}, "int ("),
    ("limit", {"limit": -1}, "0 or more"),
    ("limit", {"limit": True}, "int ("),
    ("max_pages", {"max_pages": 0}, "1 or more"),
    ("ordered", {"ordered": "yes"}, "True"),
]


@pytest.mark.parametrize(("name", "kwargs", "allowed"), BAD_CALLS + WALK_CALLS)
def test_goals_iter_raises_at_once(
    client: RybbitClient, name: str, kwargs: dict[str, Any], allowed: str
) -> None:
    text = error_of(client.goals.iter, 1, **kwargs)
    assert is_about(text, name, kwargs[name])
    assert allowed in text


@pytest.mark.parametrize(
    ("name", "kwargs", "allowed"), [*WALK_CALLS, ("page_size", {"page_size": 0}, "1 or more")]
)
def test_sessions_iter_raises_at_once(
    client: RybbitClient, name: str, kwargs: dict[str, Any], allowed: str
) -> None:
    text = error_of(client.goals.sessions.iter, 1, 7, **kwargs)
    assert is_about(text, name, kwargs[name])
    assert allowed in text


@pytest.mark.parametrize(("name", "kwargs", "allowed"), [*BAD_CALLS, ("page", {"page": 0}, "1")])
async def test_goals_list_sends_nothing(
    client: RybbitClient, name: str, kwargs: dict[str, Any], allowed: str
) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        await client.goals.list(1, **kwargs)
    assert is_about(str(caught.value), name, kwargs[name])
    assert allowed in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("page", {"page": 0}),
        ("page", {"page": "1"}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": -1}),
        ("time_zone", {"time_zone": "Nowhere"}),
    ],
)
async def test_sessions_list_sends_nothing(
    client: RybbitClient, name: str, kwargs: dict[str, Any]
) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        await client.goals.sessions.list(1, GOAL, **kwargs)
    assert is_about(str(caught.value), name, kwargs[name])


BAD_SITE = "1/../2"


def _calls(client: RybbitClient) -> Iterator[tuple[str, Any]]:
    goals = client.goals
    yield "list", lambda: goals.list(BAD_SITE)
    yield "get", lambda: goals.get(BAD_SITE, 1)
    yield "create", lambda: goals.create(BAD_SITE, PathGoal("/"))
    yield "update", lambda: goals.update(BAD_SITE, 1, name="a")
    yield "delete", lambda: goals.delete(BAD_SITE, 1)
    yield "sessions.list", lambda: goals.sessions.list(BAD_SITE, 1)


async def test_every_call_checks_its_site(client: RybbitClient) -> None:
    for name, call in _calls(client):
        with pytest.raises(InvalidParameterError, match=r"^site must be .*, got '1/\.\./2'$"):
            await call()
        assert name
    assert error_of(client.goals.iter, BAD_SITE).startswith("site must be ")
    assert error_of(client.goals.sessions.iter, BAD_SITE, 1).startswith("site must be ")


async def test_every_call_checks_its_goal(client: RybbitClient) -> None:
    goals = client.goals
    bad: Any = "1"
    for call in (
        lambda: goals.get(1, bad),
        lambda: goals.update(1, bad, name="a"),
        lambda: goals.delete(1, bad),
        lambda: goals.sessions.list(1, bad),
    ):
        with pytest.raises(InvalidParameterError, match=r"^goal: expected .*, got str \('1'\)$"):
            await call()
    assert error_of(goals.sessions.iter, 1, bad).startswith("goal: expected Goal or int")


async def test_writes_check_what_they_would_send(client: RybbitClient) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"^config\.path_pattern must not be empty, got ''$"
    ):
        await client.goals.create(1, PathGoal(""))
    with pytest.raises(InvalidParameterError, match=r"^name: expected str or None, got int \(7\)$"):
        await client.goals.create(1, PathGoal("/"), name=7)  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(InvalidParameterError, match=r"name.*config"):
        await client.goals.update(1, GOAL)
    with pytest.raises(
        InvalidParameterError, match=r"^config\.event_name must not be empty, got ''$"
    ):
        await client.goals.update(1, GOAL, config=EventGoal(""))
    with pytest.raises(InvalidParameterError, match=r"^name: expected str or None, got int \(7\)$"):
        await client.goals.update(1, GOAL, name=7)  # type: ignore[arg-type]  # pyright: ignore


async def test_filters_of_sessions_send_nothing_if_another_value_is_wrong(
    client: RybbitClient,
) -> None:
    with pytest.raises(InvalidParameterError, match=r"^limit must be 1 or more, got 0$"):
        await client.goals.sessions.list(1, 7, limit=0, filters=[Filter.equals("country", "US")])


def test_user_id_contains_points_at_the_caller(client: RybbitClient) -> None:
    with pytest.warns(RybbitWarning, match="user_id") as caught:
        client.goals.iter(1, filters=[Filter.contains("user_id", "a")])
    assert caught[0].filename == __file__
