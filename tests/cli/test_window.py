"""Times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rybbit_async.cli.exits import CommandError, Exit
from rybbit_async.cli.options import window
from rybbit_async.cli.options.window import WindowOptions, days_before


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    # 31 March, 23:30 in UTC: already 1 April in Berlin.
    monkeypatch.setattr(window, "now", lambda: datetime(2024, 3, 31, 23, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "all time"),
        ({"last": "1d"}, "2024-03-31, UTC"),
        ({"last": "30d"}, "2024-03-02 to 2024-03-31, UTC"),
        ({"last": "30d", "tz": "Europe/Berlin"}, "2024-03-03 to 2024-04-01, Europe/Berlin"),
        ({"last": "2w"}, "2024-03-18 to 2024-03-31, UTC"),
        ({"last": "1mo"}, "2024-03-01 to 2024-03-31, UTC"),
        ({"last": "1y"}, "2023-04-01 to 2024-03-31, UTC"),
        ({"today": True}, "2024-03-31, UTC"),
        ({"month": "2024-02"}, "2024-02-01 to 2024-02-29, UTC"),
        ({"since": "2024-01-01"}, "2024-01-01 to 2024-03-31, UTC"),
        ({"since": "2024-01-01", "until": "yesterday"}, "2024-01-01 to 2024-03-30, UTC"),
        ({"past": "1m"}, "the past minute"),
        ({"past": "60m"}, "the past hour"),
        ({"past": "90m"}, "the past 90 minutes"),
        ({"past": "3h"}, "the past 3 hours"),
        ({"past": "1d"}, "the past 24 hours"),
        ({"past": "48h"}, "the past 2 days"),
    ],
)
def test_words(options: dict[str, object], words: str) -> None:
    assert str(WindowOptions(**options).resolve()) == words  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"last": "30"}, "--last must be a number of days, weeks, months or years, such as 30d"),
        ({"last": "0d"}, "--last must be"),
        ({"last": "60m"}, "for months use 60mo, and for minutes up to now --past 60m"),
        ({"last": "24h"}, "for the time up to now use --past 24h"),
        ({"last": "9999y"}, "--last must not go back before the year 1"),
        ({"month": "2024-13"}, "--month must be a month such as 2024-01, got '2024-13'"),
        ({"since": "2024-02-30"}, "--since must be a day such as 2024-01-31, today or yesterday"),
        ({"until": "2024-01-01"}, "--until must come with --since"),
        ({"since": "2024-02-01", "until": "2024-01-01"}, "--since must not be after --until"),
        ({"past": "90s"}, "--past must be whole minutes"),
        ({"past": "2 hours"}, "--past must be a number of seconds, minutes, hours"),
        ({"today": True, "last": "1d"}, "in one way, got --last and --today"),
        ({"today": True, "tz": "Berlin"}, "--tz must be the IANA name of a time zone"),
    ],
)
def test_what_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(CommandError, match="^.*" + said.replace("(", "\\(")) as caught:
        WindowOptions(**options).resolve()  # type: ignore[arg-type]  # by name
    assert caught.value.exit is Exit.USAGE


def test_the_days_before() -> None:
    assert str(days_before(WindowOptions(last="30d").resolve())) == "2024-02-01 to 2024-03-01, UTC"
    with pytest.raises(CommandError, match="got all time"):
        days_before(WindowOptions().resolve())
