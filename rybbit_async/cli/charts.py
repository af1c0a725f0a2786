"""Charts of goals: their conversions as bars, and over time; described in Vega-Lite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ..models import Goal, GoalBucket
from .drawing import THEMES, Colors, check_chart, draw
from .options.output import ChartOptions
from .output.text import visible
from .output.values import goal_name, number, percent

__all__ = ["check_chart", "goal_chart", "series_chart"]

_WIDTH: Final = 720  # pixels of the panels, without the names beside them
_NAME: Final = 280  # pixels that a name may have
_LINES: Final = 5  # goals that one panel can have before its lines cannot be told apart
_PANELS: Final = 12
_NAMED: Final = 4  # goals without a panel that are named
_POINTS: Final = 40  # times that a panel shows as points, too; a single one has no line


def goal_chart(
    chart: ChartOptions, goals: Sequence[Goal], *, title: str, caption: str = ""
) -> None:
    """Draw the conversions of goals as bars, the most first, each with its conversion rate.

    Args:
        chart: where to write, and in which colors; see ``check_chart``.
        goals: with their conversions.
        title, caption: such as the site, and the window.
    """
    ranked = sorted(goals, key=lambda goal: -(goal.total_conversions or 0))
    rows: list[dict[str, Any]] = []
    for at, goal in enumerate(ranked):
        name = visible(goal_name(goal))
        conversions, rate = goal.total_conversions or 0, percent(goal.conversion_rate or 0)
        rows.append(
            {
                "key": _key(at, name),
                "Goal": name,
                "Conversions": conversions,
                "Rate": rate,
                "label": f"{number(conversions)} · {rate}",
            }
        )
    most = max((goal.total_conversions or 0 for goal in goals), default=0)
    colors = THEMES[chart.theme]
    y = {
        "field": "key",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {
            "labelExpr": _NAME_OF_KEY,
            "labelLimit": _NAME,
            "labelColor": colors.text,
            "domain": False,
            "ticks": False,
            "labelPadding": 8,
        },
    }
    x = {
        "field": "Conversions",
        "type": "quantitative",
        "axis": None,
        # Room for the figures at the right of the longest bar.
        "scale": {"domain": [0, (most or 1) * 1.25]},
    }
    tooltip = [{"field": name, "type": "nominal"} for name in ("Goal", "Conversions", "Rate")]
    draw(
        chart,
        {
            "data": {"values": rows},
            "width": _WIDTH,
            "height": {"step": 28 if len(rows) <= 40 else 20},
            "encoding": {"y": y, "x": x, "tooltip": tooltip},
            "layer": [
                {
                    "mark": {
                        "type": "bar",
                        "color": colors.bar,
                        "cornerRadiusEnd": 3,
                        "height": {"band": 0.7},
                    }
                },
                {
                    "mark": {
                        "type": "text",
                        "align": "left",
                        "dx": 6,
                        "color": colors.muted,
                        "fontSize": 12,
                    },
                    "encoding": {"text": {"field": "label"}},
                },
            ],
        },
        title,
        [caption, _FIGURES if rows else "There are no goals."],
    )


def series_chart(
    chart: ChartOptions,
    buckets: Sequence[GoalBucket],
    names: Mapping[int, str],
    *,
    title: str,
    caption: str = "",
) -> None:
    """Draw the conversions of goals over time.

    A few goals are lines in one panel. More of them have a panel each, with a scale of its own, and
    of many those with most conversions; the others are named.

    Args:
        chart: where to write, and in which colors; see ``check_chart``.
        buckets: of all goals.
        names: of the goals, by their ids.
        title, caption: such as the site, and the window.
    """
    counts = dict.fromkeys((bucket.goal_id for bucket in buckets), 0)
    for bucket in buckets:
        counts[bucket.goal_id] += bucket.conversions
    ranked = sorted(counts, key=lambda goal: -counts[goal])
    shown = {goal: visible(names.get(goal) or f"goal {goal}") for goal in ranked}
    drawn = ranked if len(ranked) <= _LINES else [g for g in ranked if counts[g]][:_PANELS]
    keys = {goal: _key(at, shown[goal]) for at, goal in enumerate(drawn)}
    rows = [
        {
            "key": keys[bucket.goal_id],
            "Goal": shown[bucket.goal_id],
            "time": _clock(bucket.time),
            "Time": f"{bucket.time:%Y-%m-%d %H:%M}".removesuffix(" 00:00"),
            "Conversions": bucket.conversions,
            "Rate": percent(bucket.conversion_rate),
        }
        for bucket in buckets
        if bucket.goal_id in keys
    ]
    colors = THEMES[chart.theme]
    times = sorted({bucket.time for bucket in buckets})
    most = max(counts.values(), default=0)
    notes = [caption]
    if len(drawn) > _LINES:
        spec = _panels(times, keys, colors)
        notes.append("Each goal has a scale of its own.")
    else:
        spec = _lines(times, keys, colors, is_empty=not most)
    if not most:
        notes.append("There are no conversions in this time.")
    elif rest := [shown[goal] for goal in ranked if goal not in keys]:
        notes.append(_others(rest))
    draw(chart, {"data": {"values": rows}, **spec}, title, notes)


def _lines(
    times: Sequence[datetime], keys: Mapping[int, str], colors: Colors, *, is_empty: bool
) -> dict[str, Any]:
    color = {
        "field": "key",
        "type": "nominal",
        "sort": None,
        "scale": {"domain": [*keys.values()], "range": colors.lines[: len(keys)]},
        "legend": {
            "title": None,
            "orient": "bottom",
            "direction": "vertical",
            "labelExpr": _NAME_OF_KEY,
            "labelLimit": _WIDTH,
            "symbolType": "stroke",
            "symbolStrokeWidth": 3,
            "symbolSize": 300,
        },
    }
    over_time = _over_time(times, 8, 5)
    if is_empty:  # otherwise zero would be in the middle
        over_time["y"]["scale"] = {"domain": [0, 1]}
        over_time["y"]["axis"]["values"] = [0, 1]
    return {
        "width": _WIDTH,
        "height": 300,
        "mark": _line_mark(times),
        "encoding": {**over_time, "tooltip": _TOOLTIP, **({"color": color} if keys else {})},
    }


def _panels(times: Sequence[datetime], keys: Mapping[int, str], colors: Colors) -> dict[str, Any]:
    header = {
        "title": None,
        "labelExpr": _NAME_OF_KEY,
        "labelLimit": 260,
        "labelAnchor": "start",
        "labelColor": colors.text,
        "labelFontSize": 12,
        "labelFontWeight": "bold",
        "labelPadding": 4,
    }
    return {
        "facet": {"field": "key", "type": "nominal", "sort": [*keys.values()], "header": header},
        "columns": 3,
        "spacing": 24,
        "spec": {
            "width": 260,
            "height": 110,
            "mark": _line_mark(times, colors.bar),
            "encoding": {**_over_time(times, 4, 3), "tooltip": _TOOLTIP},
        },
        "resolve": {"scale": {"y": "independent"}, "axis": {"x": "independent"}},
    }


def _line_mark(times: Sequence[datetime], color: str | None = None) -> dict[str, Any]:
    colored = {} if color is None else {"color": color}
    return {
        "type": "line",
        "strokeWidth": 2,
        "strokeJoin": "round",
        "point": {"size": 36, **colored} if len(times) <= _POINTS else False,
        **colored,
    }


def _over_time(times: Sequence[datetime], labels: int, steps: int) -> dict[str, Any]:
    """The axes: at most so many labels of time, and about so many steps of conversions."""
    has_hours = any(time.hour or time.minute for time in times)
    if has_hours:
        labels //= 2
    years = len({time.year for time in times}) > 1
    pattern = f"%b %d{', %Y' if years else ''}{' %H:%M' if has_hours else ''}"
    values = [_clock(time) for time in times[:: -(-len(times) // labels) or 1]]
    return {
        "x": {
            "field": "time",
            "type": "temporal",
            "title": None,
            "scale": {"type": "utc"},
            "axis": {
                "grid": False,
                "values": values,
                "labelExpr": f"utcFormat(datum.value, '{pattern}')",
                "labelOverlap": True,
                "labelFlush": False,
            },
        },
        "y": {
            "field": "Conversions",
            "type": "quantitative",
            "title": None,
            "axis": {
                "tickCount": steps,
                "tickMinStep": 1,
                "domain": False,
                "ticks": False,
                "labelPadding": 8,
                "minExtent": 44,  # so that the panels of a column are in line
            },
            "scale": {"zero": True, "nice": steps},
        },
    }


def _clock(time: datetime) -> str:
    """What a clock shows there, as if it were UTC, so that it is drawn the same everywhere."""
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"


_FIGURES: Final = "Conversions, and their share of all sessions"

_TOOLTIP: Final = [
    {"field": name, "type": "nominal"} for name in ("Goal", "Time", "Conversions", "Rate")
]


def _others(names: Sequence[str]) -> str:
    """Names the goals that have no panel."""
    named = ", ".join(map(_short, names[:_NAMED]))
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"Not shown (fewer conversions): {named}{more}"


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


# --- keys --------------------------------------------------------------------------------------

# Two goals may have one name, so what tells them apart stands before it, and is not shown.
_NAME_OF_KEY: Final = "slice(datum.label, 6)"


def _key(at: int, name: str) -> str:
    return f"{at:05} {name}"
