"""Charts: files that open anywhere, whatever the names of goals are."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rybbit_async import Goal, GoalBucket, PathGoal
from rybbit_async.cli import drawing
from rybbit_async.cli.charts import check_chart, goal_chart, series_chart
from rybbit_async.cli.exits import CommandError, Exit
from rybbit_async.cli.options.output import ChartOptions, Theme

MARKUP = "</script><script>alert(1)</script><b onload=x>&amp;"
NAMES = ["Sign up", MARKUP, "日本語 🗞", "\x1b[31m\u202e", "Sign up", "long " * 40]


def goals(names: Sequence[str], conversions: int = 100) -> list[Goal]:
    return [
        Goal(at, 1, name, "path", PathGoal("/"), None, conversions // (at + 1), 200, 0.5)
        for at, name in enumerate(names)
    ]


def buckets(count: int, days: int, conversions: int = 5) -> list[GoalBucket]:
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        GoalBucket(begin + timedelta(day), goal, conversions + goal, 50, 0.1)
        for day in range(days)
        for goal in range(count)
    ]


def texts(path: Path) -> list[str]:
    """What an SVG shows."""
    return ["".join(e.itertext()) for e in ElementTree.parse(path).iter() if e.tag.endswith("text")]


# --- what is drawn -----------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_have_every_name_as_text_and_their_figures(tmp_path: Path, theme: Theme) -> None:
    path = tmp_path / "goals.svg"
    goal_chart(
        ChartOptions(chart=path, theme=theme), goals(NAMES), title="T\x07", caption="in 2024"
    )
    found = texts(path)
    assert found.count("Sign up") == 2
    assert {MARKUP[:20], "日本語 🗞", r"\x1b[31m\u202e"} <= {*found, *(t[:20] for t in found)}
    assert {r"T\x07", "100 · 50.0 %"} <= {*found}
    assert any(text.endswith("…") for text in found)
    assert any(text.startswith("in 2024") for text in found)
    assert drawing.THEMES[theme].background in path.read_text()
    assert {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()} <= {
        *("svg", "g", "path", "rect", "text", "line", "tspan", "defs", "clipPath")
    }


def test_a_few_goals_are_lines_in_one_panel(tmp_path: Path) -> None:
    path = tmp_path / "series.svg"
    names = dict(enumerate(["First", "Second"]))
    series_chart(ChartOptions(chart=path), buckets(2, 30), names, title="T")
    found = texts(path)
    assert {"First", "Second", "Jan 01", "Jan 29"} <= {*found}


def test_many_goals_have_panels_and_the_rest_is_named(tmp_path: Path) -> None:
    path = tmp_path / "series.svg"
    names = {at: f"Goal {at}" for at in range(100)}
    series_chart(ChartOptions(chart=path), buckets(100, 3), names, title="T")
    found = texts(path)
    assert len([text for text in found if re.fullmatch(r"Goal \d+", text)]) == 12
    rest = "Not shown (fewer conversions): Goal 87, Goal 86, Goal 85, Goal 84 and 84"
    assert any(rest in text for text in found)


@pytest.mark.parametrize(("count", "days", "conversions"), [(0, 0, 0), (2, 1, 0), (7, 1, -99)])
def test_nothing_to_draw_is_said(tmp_path: Path, count: int, days: int, conversions: int) -> None:
    path = tmp_path / "series.svg"
    rows = [
        GoalBucket(one.time, one.goal_id, 0, 0, 0.0) for one in buckets(count, days, conversions)
    ]
    series_chart(ChartOptions(chart=path), rows, {}, title="T")
    assert any("There are no conversions in this time." in text for text in texts(path))
    goal_chart(ChartOptions(chart=path), [], title="T")
    assert "There are no goals." in texts(path)
    goal_chart(ChartOptions(chart=path), goals(["a"], 0), title="T")
    assert "0 · 50.0 %" in texts(path)


def test_times_are_drawn_as_a_clock_shows_them_there(tmp_path: Path) -> None:
    from zoneinfo import ZoneInfo

    begin = datetime(2024, 1, 1, 9, tzinfo=ZoneInfo("Asia/Tokyo"))
    rows = [GoalBucket(begin + timedelta(hours=at), 1, at, 5, 0.1) for at in range(3)]
    path = tmp_path / "series.svg"
    series_chart(ChartOptions(chart=path), rows, {1: "a"}, title="T")
    assert {"Jan 01 09:00", "Jan 01 11:00"} <= {*texts(path)}


# --- files -------------------------------------------------------------------------------------


def test_html_works_offline_and_runs_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Quick:  # the libraries take a second
        def javascript_bundle(self) -> str:
            return "const vegaEmbed = '</script>';"

    monkeypatch.setattr(drawing, "_vl_convert", Quick)
    path = tmp_path / "goals.html"
    goal_chart(ChartOptions(chart=path, theme="dark"), goals(NAMES), title=MARKUP)
    page = path.read_text("utf-8")
    assert page.count("<script") == page.count("</script>") == 2  # the libraries, and the chart
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=", page)
    spec: Any = json.JSONDecoder().raw_decode(page[page.index('vegaEmbed("#chart", ') + 20 :])[0]
    assert MARKUP in [row["Goal"] for row in spec["data"]["values"]]
    assert f"background: {drawing.THEMES['dark'].background}" in page


def test_png(tmp_path: Path) -> None:
    path = tmp_path / "GOALS.PNG"
    goal_chart(ChartOptions(chart=path), goals(NAMES), title="T")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_chart_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "goals.svg"
    path.write_text("old")

    class Broken:
        def vegalite_to_svg(self, spec: object) -> str:
            raise ValueError("broken")

    monkeypatch.setattr(drawing, "_vl_convert", Broken)
    with pytest.raises(ValueError, match="broken"):
        goal_chart(ChartOptions(chart=path), goals(NAMES), title="T")
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("name", ["goals", "goals.pdf", "goals.jpg"])
def test_another_suffix_is_refused_before_anything_is_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=r"--chart must be a file that ends in \.svg or") as e:
        check_chart(ChartOptions(chart=tmp_path / name))
    assert e.value.exit is Exit.USAGE
    check_chart(ChartOptions(chart=tmp_path / "goals.svg"))
