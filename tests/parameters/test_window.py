"""Windows in time: what a caller may pass, the query that says it, and exact times."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rybbit_async import InvalidParameterError
from rybbit_async.parameters import window as window_module
from rybbit_async.parameters.checks import query_string
from rybbit_async.parameters.window import (
    LATENESS,
    SETTLED_AFTER,
    Days,
    ExactTimes,
    MinutesAgo,
    Window,
    check_settled_after,
    parse_window,
)

from ..strategies import day_ranges
from .helpers import error_of, is_about

NOW = datetime(2026, 3, 10, 12, 0, 30, 250_000, tzinfo=UTC)
ZONES = sorted(available_timezones() - {"Factory", "localtime"})


def parsed(**common: Any) -> Window:
    return parse_window(common)


def query(**common: Any) -> dict[str, str]:
    return parsed(**common).query()


# --- dates -------------------------------------------------------------------------------------


def test_nothing_given_is_all_of_time() -> None:
    assert query() == {}
    assert query(start_date=None, end_date=None, time_zone=None, past_minutes_start=None) == {}
    assert parsed() == Window()


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2024-01-01", "2024-01-31"),
        (date(2024, 1, 1), date(2024, 1, 31)),
        (date(2024, 1, 1), "2024-01-31"),
    ],
)
def test_dates_are_always_sent_with_a_zone(first: object, last: object) -> None:
    assert parsed(start_date=first, end_date=last).value == Days(
        date(2024, 1, 1), date(2024, 1, 31)
    )
    assert query(start_date=first, end_date=last) == {
        "start_date": "2024-01-01",
        "end_date": "2024-01-31",
        "time_zone": "UTC",
    }
    assert query(start_date=first, end_date=last, time_zone="Asia/Tokyo")["time_zone"] == (
        "Asia/Tokyo"
    )


def test_a_date_of_numpy_is_refused_with_the_cure() -> None:
    day = type("datetime64", (), {})()
    text = error_of(query, start_date=day, end_date="2024-01-31")
    assert text.endswith(": use value.astype('datetime64[D]').item()")


def test_one_day_is_a_range() -> None:
    assert query(start_date="2024-02-29", end_date="2024-02-29")["end_date"] == "2024-02-29"


@pytest.mark.parametrize(
    "day",
    [
        "2024-02-30",
        "2023-02-29",
        "2024-11-31",
        "2024-11-32",
        "2024-13-01",
        "0000-01-01",
        "2024-1-1",
        "20240101",
        "2024-W01-1",
        " 2024-01-01",
        "2024-01-01\n",
        "2024-01-01T00:00:00",
        "\u0662\u0660\u0662\u0664-01-01",
        "today",
        "",
        20240101,
        0,
        True,
        datetime(2024, 1, 1, 12),  # noqa: DTZ001
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_invalid_days(name: str, day: object) -> None:
    text = error_of(query, **{"start_date": "2024-01-01", "end_date": "2024-12-01", name: day})
    assert is_about(text, name, day)
    allowed = ('a date such as "2024-01-31"', "a day that exists in the calendar", "date or str")
    assert any(words in text for words in allowed)


@pytest.mark.parametrize(
    ("day", "text"),
    [
        ("today", "start_date must be a date such as \"2024-01-31\", got 'today'"),
        ("2024-02-30", "start_date must be a day that exists in the calendar, got '2024-02-30'"),
        (20240101, 'start_date: expected date or str such as "2024-01-31", got int (20240101)'),
    ],
)
def test_the_words_about_a_day(day: object, text: str) -> None:
    assert error_of(query, start_date=day, end_date="2024-12-01") == text


def test_the_error_for_a_datetime_says_what_to_do() -> None:
    moment = datetime(2024, 1, 1)  # noqa: DTZ001
    assert ".date()" in error_of(query, start_date=moment, end_date="2024-01-02")


@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_one_date_without_the_other(name: str) -> None:
    text = error_of(query, **{name: "2024-01-01"}, time_zone="UTC")
    assert text.startswith(f"start_date and end_date must be given together, got only {name} ")


def test_the_end_before_the_start() -> None:
    text = error_of(query, start_date="2024-01-02", end_date="2024-01-01")
    assert text == (
        "start_date must not be after end_date, got start_date=2024-01-02 and end_date=2024-01-01"
    )


@given(day_ranges(), st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))
def test_dates_parse_back(days: tuple[date, date], zone: str) -> None:
    got = query(start_date=days[0], end_date=days[1].isoformat(), time_zone=zone)
    assert date.fromisoformat(got.pop("start_date")) == days[0]
    assert date.fromisoformat(got.pop("end_date")) == days[1]
    assert got == {"time_zone": zone}


@given(day_ranges())
def test_dates_the_wrong_way_round(days: tuple[date, date]) -> None:
    first, last = days
    if first < last:
        error_of(query, start_date=last, end_date=first)
    else:
        query(start_date=last, end_date=first)


# --- zones -------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_zones(zone: str) -> None:
    assert query(time_zone=zone) == {"time_zone": zone}


@pytest.mark.parametrize(
    "zone", ["Mars/Base", "", "+02:00", "CEST", "Europe/Berlin ", "../etc/passwd", 2, True, b"UTC"]
)
def test_invalid_zones(zone: object) -> None:
    text = error_of(query, time_zone=zone)
    assert is_about(text, "time_zone", zone)
    assert "IANA" in text


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("utc", "UTC"),
        ("america/new_york", "America/New_York"),
        ("EUROPE/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
    ],
)
def test_a_misspelt_zone_is_corrected(wrong: str, right: str) -> None:
    text = error_of(query, time_zone=wrong)
    assert f"did you mean {right!r}" in text


def test_a_zone_that_the_machine_may_lack() -> None:
    assert error_of(query, time_zone="Europe/Kyjiv").endswith(
        ", got 'Europe/Kyjiv' (did you mean 'Europe/Kyiv'?). If it is spelt right, the time zone "
        "data of this machine is too old for it: python -m pip install -U tzdata"
    )
    for other in ("Mars/Base", "Europe", "europe/kyjiv", "Europe/Ky jiv"):  # no zone is so written
        assert "tzdata" not in error_of(query, time_zone=other)


@given(st.sampled_from(ZONES))
def test_every_zone_of_this_machine(zone: str) -> None:
    assert parse_qsl(query_string(query(time_zone=zone))) == [("time_zone", zone)]
    for other in {zone.lower(), zone.upper()} - available_timezones():
        assert f"did you mean {zone!r}" in error_of(query, time_zone=other)


def test_a_machine_without_time_zone_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "_zones", lambda: frozenset[str]())
    assert query(time_zone="UTC") == {"time_zone": "UTC"}
    text = error_of(query, time_zone="Europe/Berlin")
    assert text.startswith("time_zone='Europe/Berlin' cannot be checked")
    assert "pip install tzdata" in text


# --- minutes -----------------------------------------------------------------------------------


def test_minutes() -> None:
    assert parsed(past_minutes_start=30, past_minutes_end=0) == Window(MinutesAgo(30, 0))
    assert query(past_minutes_start=30, past_minutes_end=0) == {
        "past_minutes_start": "30",
        "past_minutes_end": "0",
    }


def test_minutes_with_a_zone() -> None:
    assert query(past_minutes_start=30, past_minutes_end=0, time_zone="Asia/Tokyo") == {
        "past_minutes_start": "30",
        "past_minutes_end": "0",
        "time_zone": "Asia/Tokyo",
    }


@pytest.mark.parametrize("name", ["past_minutes_start", "past_minutes_end"])
@pytest.mark.parametrize("value", [-1, 1.5, "30", True, timedelta(minutes=30)], ids=repr)
def test_invalid_minutes(name: str, value: object) -> None:
    text = error_of(query, **{"past_minutes_start": 60, "past_minutes_end": 0, name: value})
    assert is_about(text, name, value)
    assert "0 or more" in text


@pytest.mark.parametrize(("start", "end"), [(30, 30), (0, 30), (0, 0)])
def test_minutes_count_back_from_now(start: int, end: int) -> None:
    text = error_of(query, past_minutes_start=start, past_minutes_end=end)
    assert text.startswith("past_minutes_start must be more than past_minutes_end")
    assert text.endswith(f"got past_minutes_start={start} and past_minutes_end={end}")


@pytest.mark.parametrize("name", ["past_minutes_start", "past_minutes_end"])
def test_one_of_the_minutes_without_the_other(name: str) -> None:
    text = error_of(query, **{name: 5})
    assert text.startswith(
        f"past_minutes_start and past_minutes_end must be given together, got only {name} "
    )


@pytest.mark.parametrize(
    ("dates", "name"),
    [
        ({"start_date": "2024-01-01", "end_date": "2024-01-02"}, "start_date"),
        ({"end_date": "2024-01-02"}, "end_date"),
    ],
)
def test_dates_and_minutes_are_not_combined(dates: dict[str, str], name: str) -> None:
    text = error_of(query, **dates, past_minutes_start=30, past_minutes_end=0)
    assert text.startswith(
        f"dates and minutes must not be combined, got {name} and past_minutes_start "
    )


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_minutes_parse_back(start: int, end: int) -> None:
    if start > end:
        got = query(past_minutes_start=start, past_minutes_end=end)
        assert (int(got["past_minutes_start"]), int(got["past_minutes_end"])) == (start, end)
    else:
        error_of(query, past_minutes_start=start, past_minutes_end=end)


# --- exact times --------------------------------------------------------------------------------

HOUR = Window(MinutesAgo(60, 0), "Asia/Tokyo")
PINNED = HOUR.pin(NOW)
MARCH = Window(Days(date(2026, 3, 1), date(2026, 3, 31)))


def test_what_a_window_says_of_itself() -> None:
    assert [w.is_relative for w in (Window(), MARCH, HOUR, PINNED)] == [False, False, True, False]
    assert [w.is_pinned for w in (Window(), MARCH, HOUR, PINNED)] == [False, False, False, True]


def test_a_pinned_window() -> None:
    """Later than an hour ago, up to now; of exact times the start is included, the end is not."""
    assert PINNED.value == ExactTimes(
        datetime(2026, 3, 10, 11, 0, 31, tzinfo=UTC), datetime(2026, 3, 10, 12, 0, 31, tzinfo=UTC)
    )
    assert PINNED.query() == {
        "start_datetime": "2026-03-10T11:00:31Z",
        "end_datetime": "2026-03-10T12:00:31Z",
        "time_zone": "Asia/Tokyo",
    }


def test_only_a_relative_window_is_pinned() -> None:
    for window in (Window(), MARCH, PINNED):
        assert window.pin(NOW + timedelta(hours=1)) is window


def test_the_clock_may_be_in_any_zone() -> None:
    assert HOUR.pin(NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))) == PINNED


@pytest.mark.parametrize("minutes", [10**8, 10**9, 10**15, 2**53 - 1])
def test_no_exact_time_is_before_1970(minutes: int) -> None:
    window = Window(MinutesAgo(minutes, 5)).pin(NOW)
    assert window.query() == {
        "start_datetime": "1970-01-01T00:00:00Z",
        "end_datetime": "2026-03-10T11:55:31Z",
    }


@given(
    st.integers(1, 10**7),
    st.integers(0, 10**7),
    st.datetimes(datetime(2000, 1, 1), datetime(9000, 1, 1)),  # noqa: DTZ001
)
def test_a_position_keeps_the_exact_times(start: int, end: int, now: datetime) -> None:
    window = Window(MinutesAgo(start + end, end), "Europe/Berlin")
    pinned = window.pin(now.replace(tzinfo=UTC))
    assert window.restore(pinned.state()) == pinned
    assert isinstance(pinned.value, ExactTimes)
    assert pinned.value.end - pinned.value.start <= timedelta(minutes=start)


@pytest.mark.parametrize("window", [Window(), MARCH, HOUR])
def test_a_window_without_exact_times_has_no_state(window: Window) -> None:
    assert window.state() == {}
    assert window.restore({}) is window


STATE = {"start_datetime": "2026-03-10T11:00:31Z", "end_datetime": "2026-03-10T12:00:31Z"}


def test_the_state_of_a_pinned_window() -> None:
    assert PINNED.state() == STATE
    assert Window(MinutesAgo(60, 0), "Asia/Tokyo").restore(STATE) == PINNED


@pytest.mark.parametrize(
    "state",
    [
        {"start_datetime": "x", "page": "9"},
        {"start_datetime": STATE["start_datetime"]},
        {"page": "9"},
        {**STATE, "page": "9"},
        *(
            {**STATE, "start_datetime": text}
            for text in (
                "",
                "x",
                5,
                None,
                "2026-03-10",
                "2026-03-10T11:00:30",
                "2026-03-10 11:00:30Z",
                "2026-03-10T11:00:30+00:00",
                "2026-03-10T11:00:30+01:00",
                "2026-03-10T11:00:30.5Z",
                "2026-03-10T11:00Z",
                "2026-02-30T11:00:30Z",
                "2026-03-10T24:00:00Z",
                "2026-03-10T11:00:30Z\n",
                "2026-03-10T11:00:30Z&page=2",
                "\u0662026-03-10T11:00:30Z",
                "2026-03-10T12:00:32Z",  # after the end
            )
        ),
    ],
    ids=repr,
)
def test_a_state_that_no_window_stored(state: dict[str, str]) -> None:
    assert error_of(HOUR.restore, state) == "start must be the position of a page of the same walk"


@pytest.mark.parametrize("window", [Window(), MARCH, PINNED])
def test_exact_times_do_not_fit_other_windows(window: Window) -> None:
    with pytest.raises(InvalidParameterError, match="position of a page"):
        window.restore(STATE)


# --- settled windows ----------------------------------------------------------------------------

FIVE = timedelta(minutes=5)
SECOND = timedelta(seconds=1)


def test_windows_that_end_now_are_never_settled() -> None:
    for after in (timedelta(), FIVE):
        assert not Window().is_settled(NOW, after)
        assert not HOUR.is_settled(NOW, after)
        assert not Window(MinutesAgo(600, 300)).is_settled(NOW, after)


@pytest.mark.parametrize("after", [timedelta(), timedelta(seconds=10), FIVE])
def test_a_pinned_window_is_settled_some_time_after_its_end(after: timedelta) -> None:
    assert isinstance(PINNED.value, ExactTimes)
    end = PINNED.value.end
    assert not PINNED.is_settled(end + after - SECOND, after)
    assert PINNED.is_settled(end + after, after)
    assert not HOUR.pin(NOW).is_settled(NOW, after)
    assert Window(MinutesAgo(60, 6)).pin(NOW).is_settled(NOW, FIVE)


@pytest.mark.parametrize("after", [timedelta(), timedelta(seconds=10), FIVE])
@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        (None, datetime(2026, 4, 1, tzinfo=UTC)),
        ("UTC", datetime(2026, 4, 1, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 3, 31, 15, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 4, 1, 4, tzinfo=UTC)),
    ],
)
def test_days_are_settled_some_time_after_their_last_midnight(
    zone: str | None, midnight: datetime, after: timedelta
) -> None:
    window = Window(MARCH.value, zone)
    assert not window.is_settled(midnight + after - SECOND, after)
    assert window.is_settled(midnight + after, after)
    assert window.is_settled(midnight + after + SECOND, after)


@given(day_ranges(), st.sampled_from(ZONES), st.datetimes(timezones=st.just(UTC)))
@example((date(2024, 1, 1), date.max), "UTC", NOW)
@example((date(2024, 1, 1), date.max), "Pacific/Kiritimati", NOW)
@example((date(2024, 1, 1), date.max - timedelta(days=1)), "Pacific/Pago_Pago", NOW)
def test_a_window_is_settled_when_its_last_day_is_past(
    days: tuple[date, date], zone: str, now: datetime
) -> None:
    settled = Window(Days(*days), zone).is_settled(now, FIVE)
    if now.year > 1:  # earlier than that, no zone west of UTC has a local time
        local = (now - FIVE).astimezone(ZoneInfo(zone))
        if abs(local.date() - days[1]) > timedelta(days=1):  # zones have skipped whole days
            assert settled is (local.date() > days[1])


def test_what_a_pinned_window_holds() -> None:
    assert isinstance(PINNED.value, ExactTimes)
    start, end = PINNED.value
    held = [PINNED.holds(at) for at in (start - SECOND, start, end - SECOND, end)]
    assert held == [False, True, True, False]
    assert HOUR.holds(start - SECOND)


# --- settled_after ------------------------------------------------------------------------------


def test_how_long_a_window_takes_to_settle() -> None:
    assert timedelta(minutes=5) == SETTLED_AFTER
    assert timedelta(seconds=30) == LATENESS
    assert check_settled_after(None, FIVE) == FIVE
    assert check_settled_after(timedelta(hours=1), FIVE) == timedelta(hours=1)
    assert check_settled_after(0, FIVE) == timedelta()
    assert check_settled_after(1.5, FIVE) == timedelta(seconds=1.5)


@pytest.mark.parametrize("wrong", [-1, 1e9, math.nan, math.inf, timedelta(seconds=-1)])
def test_a_figure_that_cannot_be(wrong: object) -> None:
    with pytest.raises(InvalidParameterError, match=r"^settled_after must be 0 seconds or more"):
        check_settled_after(wrong, FIVE)


@pytest.mark.parametrize("wrong", [True, "5", []])
def test_a_figure_of_another_type(wrong: object) -> None:
    with pytest.raises(InvalidParameterError, match=r"^settled_after: expected timedelta, int or"):
        check_settled_after(wrong, FIVE)
