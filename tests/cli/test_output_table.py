"""Tables for people: aligned at any width, whatever text is in them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from rybbit_async import (
    Change,
    EventGoal,
    Goal,
    GoalComparison,
    GoalSession,
    MetricRow,
    PathGoal,
    Session,
    SiteSession,
)
from rybbit_async.cli.output.columns import Column, Kind, View
from rybbit_async.cli.output.rows import GoalInTwoTimes, SiteSummary
from rybbit_async.cli.output.sparkline import bar, sparkline
from rybbit_async.cli.output.table import Look, pairs_of, render, render_pairs
from rybbit_async.cli.output.values import change, counted, duration, number, percent, points
from rybbit_async.cli.output.views import (
    COMPARISONS,
    GOAL_SESSIONS,
    GOALS,
    METRICS,
    SITE_SESSIONS,
    trends_view,
)

TEXT = st.one_of(
    st.text(max_size=60),
    st.text(st.sampled_from("日本語 🗞👨\u200d👩❤\ufe0fe\u0301\x1b[0m\u202e\nabc"), max_size=60),
)
TIME = datetime(2024, 1, 31, 12, 5, tzinfo=UTC)
PLAIN, WIDE = Look(encoding="ascii"), Look()


def a_goal(name: str | None, conversions: int | None = 3, id: int = 1) -> Goal:
    return Goal(
        id, 1, name, "event", EventGoal("signup", "plan", "pro"), TIME, conversions, 10, 0.3
    )


def a_session(text: str) -> SiteSession:
    return SiteSession(
        session_id=text,
        entry_page=text,
        country=text[:2],
        city=text,
        session_end=TIME,
        session_duration=192,
        pageviews=1234,
        identified_user_id=text,
    )


def lines(view: View[Any], rows: list[Any], width: int, look: Look = WIDE) -> list[str]:
    return [line.plain for line in render(view, rows, width, look).lines]


# --- alignment ---------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.lists(TEXT, min_size=1, max_size=4), st.integers(20, 200), st.sampled_from([PLAIN, WIDE]))
def test_every_line_of_a_table_is_equally_wide_and_fits(
    texts: list[str], width: int, look: Look
) -> None:
    goals = [a_goal(text, at * 7) for at, text in enumerate(texts)]
    sessions = [a_session(text) for text in texts]
    for view, rows in ((trends_view({1: [1, 2]}), goals), (SITE_SESSIONS, sessions)):
        found = lines(view, rows, width, look)
        assert len(found) == len(rows) + 2
        assert len({cell_len(line) for line in found}) == 1
        assert cell_len(found[0]) <= max(width, 25)
        for line in found:
            assert line.encode(look.encoding).decode(look.encoding) == line
            assert "\n" not in line


@given(TEXT, st.integers(30, 120))
def test_long_values_of_one_thing_go_on_in_the_next_line(text: str, width: int) -> None:
    found = [line.plain for line in render_pairs([("Name", WIDE.text(text))], width, WIDE)]
    assert all(cell_len(line) < width for line in found)
    assert WIDE.text(text).replace(" ", "") in "".join(line[6:] for line in found).replace(" ", "")


def test_less_important_columns_are_left_out_where_it_is_narrow() -> None:
    titles = {
        width: lines(SITE_SESSIONS, [a_session("/a/long/path/of/a/page")], width)[0].split()
        for width in (60, 80, 200)
    }
    assert titles[60][0] == titles[80][0] == titles[200][0] == "Ended"
    assert "Length" in titles[60]
    assert "Browser" not in titles[80]
    assert "Session" in titles[200]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_titles_are_whole_and_a_name_has_room_before_there_is_a_bar(width: int) -> None:
    name = "A goal with quite a long name"
    goals = [a_goal(name, 1234567), a_goal("b")]
    sessions = [a_session("/a/long/path/of/a/page/of/a/site")]
    views = (GOALS, goals), (trends_view({1: [1] * 30}), goals), (SITE_SESSIONS, sessions)
    for view, rows in views:
        title, _, first, *_ = lines(view, rows, width)
        assert {*re.split(r"  +", title.strip())} <= {column.title for column in view.columns}
        assert view is SITE_SESSIONS or name[:19] in first


def test_a_trend_has_a_cell_for_each_day_of_a_month_where_it_fits() -> None:
    view, name = trends_view({1: [*range(31)]}), "A goal with a long name"
    for width, cells in ((100, 31), (80, 31), (60, 16)):
        assert len(lines(view, [a_goal(name)], width)[2].split("%")[1].strip()) == cells
    assert "Trend" in lines(view, [a_goal(name)], 40)[0]


def test_a_column_without_any_value_is_left_out() -> None:
    row = MetricRow("US", 5, 50.0)
    assert lines(METRICS, [row], 100)[0].split() == ["Value", "Count", "Share"]
    page = MetricRow("/", 5, time_on_page_seconds=3.0)
    assert "Time on page" in lines(METRICS, [row, page], 100)[0]
    assert "█" not in "".join(lines(GOALS, [a_goal("a", 0)], 100))


def test_text_is_shortened_and_figures_are_not() -> None:
    found = lines(GOALS, [a_goal("a very long name of a goal", 1234567)], 40)
    assert "…" in found[2]
    assert "1,234,567" in found[2]
    assert (
        "a very long name of a goal" in lines(GOALS, [a_goal("a very long name of a goal")], 200)[2]
    )


def test_a_terminal_without_these_characters_has_others() -> None:
    found = "\n".join(lines(trends_view({1: [0, 1, 5]}), [a_goal("日本" * 20)], 90, PLAIN))
    assert "_.#" in found
    found += "\n".join(lines(GOALS, [a_goal("日本" * 20)], 90, PLAIN))
    assert found.isascii()
    assert "\\u65e5" in found
    assert "##########" in found


# --- values ------------------------------------------------------------------------------------


def values_in(kind: Kind, value: Any, look: Look = WIDE) -> str:
    view: View[Any] = View("rows", Goal, (Column("T", lambda row: row, kind),))
    return lines(view, [value], 80, look)[2].strip()


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("count", 1234567, "1,234,567"),
        ("count", None, "-"),
        ("percent", 0.1234, "12.3 %"),
        ("percent", 0.0001, "<0.1 %"),
        ("percent", 0, "0.0 %"),
        ("duration", 45, "45s"),
        ("duration", 192, "3m 12s"),
        ("duration", 3780, "1h 03m"),
        ("duration", 187200, "2d 04h"),
        ("time", TIME, "2024-01-31 12:05"),
        ("day", TIME, "2024-01-31"),
        ("text", None, "-"),
        ("text", "", ""),
        ("text", True, "yes"),
        ("text", {"a": "\x1b"}, '{"a": "\\u001b"}'),
        ("change", Change(12, 0.0811), "+12 (+8.1 %)"),
        ("change", Change(-3, -0.5), "-3 (-50.0 %)"),
        ("change", Change(5, None), "+5 (new)"),
        ("change", Change(0, 0.0), "0"),
        ("points", Change(0.0123, 0.5), "+1.2 pts"),
        ("points", Change(-0.0001, -0.1), "0"),
    ],
)
def test_how_values_are_written(kind: Kind, value: Any, text: str) -> None:
    assert values_in(kind, value) == text


def test_times_are_shown_in_a_zone() -> None:
    assert values_in("time", TIME, Look(ZoneInfo("Asia/Tokyo"))) == "2024-01-31 21:05"
    assert values_in("day", TIME, Look(ZoneInfo("Pacific/Kiritimati"))) == "2024-02-01"


def test_a_change_has_its_sign_and_not_only_a_color() -> None:
    up = GoalComparison(
        a_goal("a"), a_goal("a"), Change(2, 0.5), Change(0, 0.0), Change(-0.1, None)
    )
    (*_, line) = render(COMPARISONS, [GoalInTwoTimes.of(up)], 120, WIDE).lines
    styles = {line.plain[span.start : span.end].strip(): str(span.style) for span in line.spans}
    assert styles["+2 (+50.0 %)"] == "green"
    assert styles["-10.0 pts"] == "red"


def test_bars_are_shares_of_the_largest() -> None:
    found = lines(GOALS, [a_goal("a", 10), a_goal("b", 5), a_goal("c", 0), a_goal("d", None)], 90)
    assert [line.count("█") for line in found[2:]] == [10, 5, 0, 0]


@given(st.floats(0, 2), st.integers(1, 40), st.booleans())
def test_a_bar_is_never_longer_than_its_column(share: float, width: int, plain: bool) -> None:
    assert len(bar(share, width, plain=plain)) <= width
    assert bool(bar(share, width, plain=plain)) is (share > 0)


@given(st.lists(st.floats(0, 1e9), max_size=100), st.integers(1, 30), st.booleans())
def test_a_sparkline_fits_and_only_zero_is_lowest(
    values: list[float], width: int, plain: bool
) -> None:
    line = sparkline(values, width, plain=plain)
    assert len(values) / width <= len(values) / (len(line) or 1) < len(values) / width + 1
    if len(values) <= width:
        lowest = "_" if plain else "▁"
        assert [char == lowest for char in line] == [value <= 0 for value in values]


def test_figures_of_other_kinds() -> None:
    assert number(1234.5) == "1,234.5"
    goals = [counted(count, "goals") for count in (0, 1, 1234)]
    assert goals == ["0 goals", "1 goal", "1,234 goals"]
    assert percent(1) == "100.0 %"
    assert duration(-1) == "0s"
    assert change(Change(-1234, -0.25)) == "-1,234 (-25.0 %)"
    assert points(Change(1, None)) == "+100.0 pts"


# --- views -------------------------------------------------------------------------------------


def test_a_goal_without_a_name_is_called_by_what_it_counts() -> None:
    assert 'signup plan="pro"' in lines(GOALS, [a_goal(None)], 80)[2]


def test_sessions_of_goals_have_the_goal() -> None:
    row = GoalSession(1, a_goal("Sign up"), Session(session_id="s", session_end=TIME))
    assert "Sign up" in lines(GOAL_SESSIONS, [row], 80)[2]


def test_one_row_below_the_other() -> None:
    pairs = dict(pairs_of(GOALS, a_goal("Sign up"), WIDE))
    assert pairs["Goal"] == "Sign up"
    assert pairs["Rate"] == "30.0 %"


def test_a_summary_of_a_site() -> None:
    from rybbit_async import Site

    goals = [a_goal("a", 3), a_goal("b", 5), Goal(3, 1, "c", "path", PathGoal("/"))]
    found = SiteSummary.of(Site(1, domain="example.com"), goals)
    assert (found.goals, found.reached, found.conversions, found.best_goal) == (3, 2, 8, "b")
    assert SiteSummary.of(Site(1), []).best_goal is None
    assert SiteSummary.of(Site(1), [a_goal("a", 0)]).best_goal is None
