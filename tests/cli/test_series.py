"""Buckets of time: each of a window has a row, also where nothing happened."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from rybbit_async import GoalBucket
from rybbit_async.cli.options.window import Window
from rybbit_async.cli.series import By, filled, of_calendar

NOW = datetime(2024, 4, 3, 12, 30, tzinfo=UTC)  # a Wednesday


def window(first: str, last: str, zone: str = "UTC") -> Window:
    return Window(date.fromisoformat(first), date.fromisoformat(last), zone=zone)


def texts(rows: list[GoalBucket]) -> list[str]:
    return [f"{row.time:%m-%d %H:%M %z}" for row in rows]


def test_every_goal_has_every_day_up_to_today() -> None:
    zone = ZoneInfo("Europe/Berlin")
    there = GoalBucket(datetime(2024, 3, 31, tzinfo=zone), 7, 2, 4, 0.5)
    rows = filled([there], [8, 7], "day", window("2024-03-30", "2024-04-30", zone.key), NOW)
    assert texts(rows[::2]) == [
        "03-30 00:00 +0100",
        "03-31 00:00 +0100",  # the clocks are set forward on this day
        "04-01 00:00 +0200",
        "04-02 00:00 +0200",
        "04-03 00:00 +0200",
    ]
    assert [row.goal_id for row in rows] == [7, 8] * 5
    assert rows[2] is there
    assert {(row.conversions, row.total_sessions, row.conversion_rate) for row in rows} == {
        (0, 0, 0.0),
        (2, 4, 0.5),
    }


def test_a_day_that_begins_after_midnight_is_not_there_twice() -> None:
    zone = ZoneInfo("Africa/Cairo")  # where clocks go from 23:59 to 01:00
    there = GoalBucket(datetime(2024, 4, 26, 1, tzinfo=zone), 7, 2, 4, 0.5)
    now = datetime(2024, 4, 27, tzinfo=UTC)
    rows = filled([there], [7], "day", window("2024-04-25", "2024-04-27", zone.key), now)
    assert [row.conversions for row in rows] == [0, 2, 0]


@pytest.mark.parametrize(
    ("by", "when", "begins"),
    [
        ("week", window("2024-03-20", "2024-04-03"), ["03-17", "03-24", "03-31"]),
        ("month", window("2024-01-31", "2024-12-31"), ["01-01", "02-01", "03-01", "04-01"]),
        ("day", Window(minutes=1440), ["04-02", "04-03"]),
        ("month", window("2024-05-01", "2024-05-31"), []),
    ],
)
def test_weeks_and_months_begin_with_their_first_day(
    by: By, when: Window, begins: list[str]
) -> None:
    rows = filled([], [7], by, when, NOW)
    assert texts(rows) == [f"{begin} 00:00 +0000" for begin in begins]


def test_hours_that_come_twice_and_hours_that_are_not_over() -> None:
    zone = ZoneInfo("Europe/Berlin")
    second = GoalBucket(datetime(2024, 10, 27, 2, tzinfo=zone, fold=1), 7, 2, 4, 0.5)
    now = datetime(2024, 10, 27, 3, 30, tzinfo=UTC)
    when = window("2024-10-27", "2024-10-27", zone.key)
    rows = filled([second], [7], "hour", when, now)
    assert [text[6:] for text in texts(rows)] == [
        *("00:00 +0200", "01:00 +0200", "02:00 +0200"),
        *("02:00 +0100", "03:00 +0100", "04:00 +0100"),
    ]
    assert [row.conversions for row in rows] == [0, 0, 0, 2, 0, 0]
    assert len(filled([], [7], "hour", Window(minutes=180), NOW)) == 4
    kolkata = filled([], [7], "hour", Window(minutes=60, zone="Asia/Kolkata"), NOW)
    assert texts(kolkata) == ["04-03 17:00 +0530"]


@pytest.mark.parametrize(
    ("by", "when", "words"),
    [
        ("day", window("2024-03-20", "2024-04-03"), ""),
        (
            "week",
            window("2024-03-20", "2024-04-03"),
            "weeks begin on Sunday, and the first and the last are shorter",
        ),
        ("week", window("2024-03-17", "2024-03-30"), "weeks begin on Sunday"),
        (
            "week",
            window("2024-03-20", "2024-03-30"),
            "weeks begin on Sunday, and the first is shorter",
        ),
        ("month", window("2024-01-01", "2024-03-31"), ""),
        ("month", window("2024-01-01", "2024-12-31"), "the last is shorter"),
        ("month", window("2024-04-01", "2024-04-30"), "this month is not whole"),
        ("month", window("2024-05-01", "2024-05-31"), ""),
    ],
)
def test_what_is_to_be_known_of_weeks_and_months(by: By, when: Window, words: str) -> None:
    assert of_calendar(by, when, NOW) == words
