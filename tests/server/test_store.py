"""The store and the generated traffic."""

# ruff: noqa: RUF001 - titles in many scripts.

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rybbit_async.testing import Store, Traffic, generate
from rybbit_async.testing.queries.cache import PageOf
from rybbit_async.testing.queries.goals import count_sessions
from rybbit_async.testing.queries.sessions import GOAL_SESSION_KEYS, goal_sessions_page
from rybbit_async.testing.windows import ALL_TIME, Window

from .conftest import NOW


def sessions(store: Store, traffic: Traffic, condition: str = "TRUE") -> list[dict[str, Any]]:
    within = store.queries.within(traffic.site, ALL_TIME)
    rows = goal_sessions_page(store.queries, within, condition, PageOf(1, 10**6))
    return [dict(zip(GOAL_SESSION_KEYS, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def filled() -> Any:
    with Store() as store:
        yield store, generate(store, sessions=20_000, days=30, end=NOW)


def test_the_same_seed_gives_the_same_data(filled: tuple[Store, Traffic]) -> None:
    store, traffic = filled
    with Store() as again:
        other = generate(again, sessions=20_000, days=30, end=NOW)
        assert other == traffic
        assert sessions(again, other) == sessions(store, traffic)
        for goal, same in zip(again.goals(1), store.goals(1), strict=True):
            assert goal == same
    with Store() as different:
        other = generate(different, sessions=20_000, days=30, end=NOW, seed=2)
        assert other.site.string_id != traffic.site.string_id
        assert sessions(different, other) != sessions(store, traffic)


def test_traffic_is_realistic(filled: tuple[Store, Traffic]) -> None:
    store, traffic = filled
    rows = sessions(store, traffic)
    assert len({row["session_id"] for row in rows}) == traffic.sessions == 20_000
    # Some sign in during a session: two rows with one session_id.
    assert 50 < len(rows) - 20_000 < 400
    # Visitors return.
    assert len({row["user_id"] for row in rows}) < 15_000
    # Two busy seconds.
    ends = Counter(row["session_end"] for row in rows).most_common(3)
    assert ends[0][1] >= 100 <= ends[1][1]
    assert ends[2][1] < 10
    for key, minimum in (("channel", 6), ("device_type", 3), ("country", 8), ("referrer", 5)):
        assert len({row[key] for row in rows}) >= minimum, key
    assert "\0\0" in {row["country"] for row in rows}
    titles = "".join({row["page_title"] for row in rows})
    for script in ("α-ω", "ا-ي", "一-龥", "अ-ह", "а-я", "가-힣", "🌀-🙏"):
        assert re.search(f"[{script}]", titles), script
    texts = {row[key] for row in rows for key in GOAL_SESSION_KEYS if isinstance(row[key], str)}
    numeric = {"404", "00123", "-7", "0x1F", "1e5", "   ", "14.0", "12345678901234567890"}
    assert numeric | {"Infinity", "NaN", "10.15.7", "", "1770"} <= texts
    inside = (traffic.start, traffic.end)
    for row in rows:
        for key in ("session_start", "session_end"):
            moment = datetime.fromisoformat(row[key]).replace(tzinfo=UTC)
            assert inside[0] <= moment <= inside[1]


def test_goals_of_the_traffic(filled: tuple[Store, Traffic]) -> None:
    store, traffic = filled
    goals = store.goals(traffic.site)
    assert [goal.goal_id for goal in goals] == list(traffic.goals[traffic.site.site_id])
    assert len(goals) == 12
    within = store.queries.within(traffic.site, ALL_TIME)
    conditions = [goal.condition for goal in goals]
    total, counts = count_sessions(store.queries, within, "TRUE", conditions)
    assert total == 20_000
    assert counts.count(0) == 1
    assert max(counts) < total
    assert None in {goal.name for goal in goals}
    assert {goal.goal_type for goal in goals} == {"path", "event"}
    assert len({goal.created_at for goal in goals}) == 12
    # The counts are those of the lists.
    for goal, number in zip(goals, counts, strict=True):
        rows = sessions(store, traffic, goal.condition)
        assert len({row["session_id"] for row in rows}) == number


def test_sites_share_the_sessions() -> None:
    with Store() as store:
        traffic = generate(store, sites=3, sessions=100, goals=20, end=NOW)
        numbers = [
            count_sessions(store.queries, store.queries.within(site, ALL_TIME), "TRUE", [])[0]
            for site in traffic.sites
        ]
        assert numbers == [34, 33, 33]
        assert sum(map(store.count_events, traffic.sites)) == traffic.events
        assert all(len(ids) == 20 for ids in traffic.goals.values())


def test_distinct_ends() -> None:
    with Store() as store:
        traffic = generate(store, sessions=5000, days=0.1, end=NOW, distinct_ends=True)
        rows = sessions(store, traffic)
        assert len({row["session_end"] for row in rows}) == 5000
        with pytest.raises(ValueError, match="distinct ends need 20000 seconds"):
            generate(store, sessions=20_000, days=0.1, distinct_ends=True)


def test_uniform_sessions_have_exactly_three_numeric_texts() -> None:
    with Store() as store:
        traffic = generate(store, sessions=2000, end=NOW, uniform=True, distinct_ends=True)
        goal = store.goals(traffic.site)[0]
        rows = sessions(store, traffic, goal.condition)
        assert len(rows) == len({row["session_end"] for row in rows}) == 2000
        for row in rows:
            texts = [row[key] for key in GOAL_SESSION_KEYS[2:] if isinstance(row[key], str)]
            assert [text for text in texts if text.replace(".", "").isdigit()] == [
                row["browser_version"],
                row["operating_system_version"],
                row["utm_campaign"],
            ]


@pytest.mark.parametrize(
    "wrong", [{"sites": 0}, {"sessions": -1}, {"goals": -1}, {"days": 0}, {"days": 1e9}]
)
def test_invalid_numbers_for_the_traffic(wrong: dict[str, Any]) -> None:
    with Store() as store, pytest.raises(ValueError, match=r"(sites|sessions|goals|days) must be "):
        generate(store, **wrong)


def test_traffic_of_many_years() -> None:
    with Store() as store:
        traffic = generate(store, sessions=50, days=9000, end=NOW)
        assert traffic.start == NOW - timedelta(days=9000)
        assert traffic.events > 50


def test_no_sessions_at_all() -> None:
    with Store() as store:
        traffic = generate(store, sessions=0, end=NOW)
        assert (traffic.events, sessions(store, traffic)) == (0, [])


# The store


def test_a_file_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    with Store(path) as store:
        site = store.add_site("kept", public=True)
        first = store.add_goal(site, "path", {"pathPattern": "/"}, created_at=NOW)
        store.delete_goal(first)
        second = store.add_goal(site, "path", {"pathPattern": "/"}, created_at=NOW)
        store.add_session(site, start=NOW)
    with Store(path) as store:
        assert store.sites() == [site]
        assert store.count_events(site) == 1
        assert [goal.goal_id for goal in store.goals(site)] == [second]
        assert store.add_goal(site, "path", {"pathPattern": "/"}) == second + 1
        assert store.add_site().site_id == site.site_id + 1


def test_goal_ids_are_not_site_ids() -> None:
    with Store() as store:
        site = store.add_site()
        assert store.add_goal(site, "path", {}) > 100 > site.site_id
        assert store.find_goal(7) is None


def test_updates_and_deletes_of_missing_goals() -> None:
    with Store() as store:
        with pytest.raises(ValueError, match="goal_id must be the id of a goal, got 7"):
            store.update_goal(7, goal_type="path", config={}, name=None)
        with pytest.raises(ValueError, match="goal_id must be the id of a goal, got 7"):
            store.delete_goal(7)
        with pytest.raises(ValueError, match="site must be one of the store's sites, got 7"):
            store.goals(7)
        site = store.add_site(string_id="abcdefabcdef")
        with pytest.raises(ValueError, match="another site has 'abcdefabcdef'"):
            store.add_site(string_id="abcdefabcdef")
        goal = store.add_goal("abcdefabcdef", "path", {"pathPattern": "/"}, name="a")
        store.update_goal(goal, goal_type="event", config={"eventName": "x"}, name="b")
        (held,) = store.goals(site)
        assert (held.goal_type, held.name, held.config) == ("event", "b", {"eventName": "x"})


def test_invalid_events() -> None:
    with Store() as store:
        site = store.add_site()
        row = {"timestamp": NOW, "session_id": "s", "user_id": "u"}
        with pytest.raises(ValueError, match=r"must be in EVENT_COLUMNS, got .*colour"):
            store.add_events(site, [{**row, "colour": "red"}])
        with pytest.raises(ValueError, match="must be an aware datetime"):
            store.add_events(site, [{**row, "timestamp": NOW.replace(tzinfo=None)}])
        with pytest.raises(ValueError, match="must be an aware datetime"):
            store.add_events(site, [{**row, "timestamp": "yesterday"}])
        with pytest.raises(ValueError, match="must not be before 1970"):
            store.add_events(site, [{**row, "timestamp": datetime(1969, 1, 1, tzinfo=UTC)}])
        with pytest.raises(ValueError, match="must be a mapping or JSON text, got 5"):
            store.add_events(site, [{**row, "props": 5}])
        with pytest.raises(ValueError, match="either start or end"):
            store.add_session(site, start=NOW, end=NOW)
        with pytest.raises(ValueError, match="at least one page or event"):
            store.add_session(site, start=NOW, pages=())
        assert store.add_events(site, []) == 0
        assert store.count_events(site) == 0


def test_use_of_a_closed_store() -> None:
    store = Store()
    store.close()
    store.close()
    with pytest.raises(ValueError, match="is closed"):
        store.add_site()


def test_a_session_by_its_end() -> None:
    with Store() as store:
        site = store.add_site()
        store.add_session(site, end=NOW, pages=("/", "/b"), events=("x",), seconds_between=5)
        within = store.queries.within(site, Window())
        (row,) = goal_sessions_page(store.queries, within, "TRUE", PageOf(1, 9))
        session = dict(zip(GOAL_SESSION_KEYS, row, strict=True))
        assert session["session_end"] == "2026-11-24 12:00:00"
        assert session["session_duration"] == 10


def test_many_rankings_are_bounded() -> None:
    with Store() as store:
        site = store.add_site()
        store.add_session(site, start=NOW)
        for at in range(230):
            window = Window(end=(NOW - timedelta(days=1, seconds=at)).replace(tzinfo=None))
            within = store.queries.within(site, window)
            condition = f"pathname = '/{at}'"
            assert goal_sessions_page(store.queries, within, condition, PageOf(1, 1, True)) == []
        ((tables,),) = store.queries.rows("SELECT count(*) FROM duckdb_tables() WHERE temporary")
        assert tables <= 200


def test_pages_far_in_and_far_beyond(filled: tuple[Store, Traffic]) -> None:
    store, traffic = filled
    within = store.queries.within(traffic.site, ALL_TIME)
    condition = "type = 'pageview'"
    assert goal_sessions_page(store.queries, within, condition, PageOf(10**9, 25, True)) == []
    assert len(goal_sessions_page(store.queries, within, condition, PageOf(500, 25, True))) == 25
