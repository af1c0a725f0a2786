"""The embedded server answers as real servers did, exchange by exchange.

`recordings` is a sample of what was recorded of five releases; `tests/replay.py` compares.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ..replay import Exchange, Recording, difference, recordings, replay

FOLDER = Path(__file__).with_name("recordings")
RECORDED = {recording.release: recording for recording in recordings(FOLDER)}

KNOWN_DIFFERENCES: dict[str, dict[str, str]] = {}
"""By release: exchanges whose answers differ, as the replay prints them, each with the reason.

There are none. An exchange that is listed and agrees fails the test as well.
"""


def test_five_releases_are_recorded_in_two_megabytes() -> None:
    assert sorted(RECORDED) == ["2.2", "2.3", "2.4", "2.6", "2.8"]
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.xz")) < 2_000_000


@pytest.mark.parametrize("release", RECORDED)
async def test_every_answer_is_that_of_the_real_server(release: str) -> None:
    outcome = await replay(RECORDED[release])
    assert outcome.total.exchanges > 380
    assert {route.split()[0] for route in outcome.routes} == {"GET", "POST", "PUT", "DELETE"}
    differences = {str(exchange): found for exchange, found in outcome.differences}
    assert differences.keys() == KNOWN_DIFFERENCES.get(release, {}).keys(), differences
    for route, tally in outcome.routes.items():
        known = sum(exchange.route == route for exchange, _ in outcome.differences)
        assert (tally.statuses, tally.bodies) == (tally.exchanges, tally.exchanges - known)


async def test_the_replay_finds_what_another_release_answers() -> None:
    outcome = await replay(RECORDED["2.4"], only="not_contains|/1/goals/abc$", release="2.8")
    statuses = [exchange for exchange, found in outcome.differences if "status" in found]
    assert [exchange.method for exchange in statuses] == ["DELETE"]
    assert len(outcome.differences) > len(statuses)
    assert outcome.total.statuses == outcome.total.exchanges - 1
    assert outcome.total.bodies == outcome.total.exchanges - len(outcome.differences)


# How answers are compared


def sessions(*rows: tuple[str, int]) -> str:
    data = [{"session_id": name, "user_id": "u", "session_end": end} for name, end in rows]
    return json.dumps({"data": data})


def exchange(body: str, status: int = 200, target: str = "/api/goals/1/sessions/1") -> Exchange:
    return Exchange("GET", target, "key", datetime(2026, 11, 25, tzinfo=UTC), status, body)


@pytest.mark.parametrize(
    ("got", "same"),
    [
        (sessions(("a", 9), ("b", 7), ("c", 7), ("d", 5)), True),
        (sessions(("a", 9), ("c", 7), ("b", 7), ("d", 5)), True),  # equal in the order
        (sessions(("a", 9), ("c", 7), ("b", 7), ("e", 5)), True),  # perhaps on the next page
        (sessions(("a", 9), ("b", 7), ("e", 7), ("d", 5)), False),  # not at an edge
        (sessions(("b", 7), ("a", 9), ("c", 7), ("d", 5)), False),
        (sessions(("a", 9), ("b", 7), ("c", 7)), False),
        (sessions(("a", 9), ("b", 7), ("c", 7), ("d", 4)), False),
    ],
)
def test_rows_that_are_equal_in_the_order_may_be_swapped(got: str, same: bool) -> None:
    recorded = exchange(sessions(("a", 9), ("b", 7), ("c", 7), ("d", 5)))
    assert (difference(recorded, 200, got, set()) is None) == same


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ({"goalId": 7, "createdAt": "1"}, {"goalId": 7, "createdAt": "2"}, False),
        ({"goalId": 8, "createdAt": "1"}, {"goalId": 8, "createdAt": "2"}, True),
        ({"error": "e", "details": [1]}, {"error": "e", "details": [2]}, True),
        ({"error": "e", "details": [1]}, {"error": "e"}, False),
        ({"statusCode": 400, "message": "a"}, {"statusCode": 400, "message": "b"}, True),
        ({"statusCode": 500, "message": "a"}, {"statusCode": 500, "message": "b"}, False),
    ],
)
def test_what_is_not_compared(
    expected: dict[str, object], got: dict[str, object], same: bool
) -> None:
    found = difference(exchange(json.dumps(expected)), 200, json.dumps(got), {7})
    assert (found is None) == same


def test_another_status() -> None:
    found = difference(exchange("{}", 200), 500, "{}", set())
    assert found == "status 200 expected, got 500: {} / {}"


@pytest.mark.parametrize(
    ("method", "target", "route"),
    [
        ("GET", "/api/goals/1?page=1", "GET /api/goals/N"),
        ("GET", "/api/goals/2/sessions/1", "GET /api/goals/N/sessions/N"),
        ("PUT", "/api/sites/main/goals/7", "PUT /api/sites/N/goals/N"),
        ("GET", "/api/sites/1/goals/abc/sessions", "GET /api/sites/N/goals/abc/sessions"),
    ],
)
def test_the_route_of_an_exchange(method: str, target: str, route: str) -> None:
    moment = datetime(2026, 11, 25, tzinfo=UTC)
    assert Exchange(method, target, "key", moment, 200, "").route == route


def test_a_folder_without_a_recording(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"must contain exchanges\.jsonl"):
        Recording("2.8", tmp_path).exchanges()
