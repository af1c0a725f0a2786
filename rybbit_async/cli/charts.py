"""Charts of goals as files: SVG, PNG or HTML, by the suffix of the file.

The charts are described in Vega-Lite, and drawn by vl-convert, which needs no browser and no other
program. HTML holds everything that it needs, so that it works without a network, and text of the
server is only ever data in it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from ..extras import import_extra
from ..models import Goal, GoalBucket
from .options.output import Theme
from .output.files import check_file, whole_file
from .output.text import visible
from .output.values import number, percent
from .output.views import goal_name

__all__ = ["check_chart", "goal_chart", "series_chart"]

SUFFIXES: Final = (".svg", ".png", ".html")

_WIDTH: Final = 720  # pixels of the panels, without the names beside them
_NAME: Final = 280  # pixels that a name may have
_LINES: Final = 5  # goals that one panel can have before its lines cannot be told apart
_PANELS: Final = 12
_NAMED: Final = 4  # goals without a panel that are named
_POINTS: Final = 40  # times that a panel shows as points, too; a single one has no line
_SCALE: Final = 2  # pixels of PNG for each pixel of the chart


@frozen
class _Colors:
    background: str
    text: str
    muted: str
    grid: str
    bar: str
    lines: tuple[str, ...]


# The lines are those of Okabe and Ito, which the color-blind can tell apart; lighter on dark.
_THEMES: Final[Mapping[Theme, _Colors]] = {
    "light": _Colors(
        "#ffffff",
        "#1f2328",
        "#59636e",
        "#e4e7eb",
        "#2f6fb4",
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900"),
    ),
    "dark": _Colors(
        "#0d1117",
        "#e6edf3",
        "#9aa4af",
        "#262c36",
        "#58a6ff",
        ("#56b4e9", "#ff8c42", "#2bc796", "#e59ac6", "#f0e442"),
    ),
}


def check_chart(path: Path) -> None:
    """Refuse a chart that cannot be drawn, before anything is sent.

    Raises:
        CommandError: ``--chart`` must end in another suffix, or cannot be a file.
        ModuleNotFoundError: the extra is not installed; the message has the line to install it.
    """
    check_file("--chart", path, SUFFIXES)
    _vl_convert()


def goal_chart(
    goals: Sequence[Goal], path: Path, *, theme: Theme = "light", title: str, subtitle: str = ""
) -> None:
    """Draw the conversions of goals as bars, the most first, each with its conversion rate.

    Args:
        goals: with their conversions.
        path: where to write; its suffix is one of ``SUFFIXES``.
        theme: the colors.
        title, subtitle: such as the site, and the window.
    """
    ranked = sorted(goals, key=lambda goal: -(goal.total_conversions or 0))
    rows: list[dict[str, Any]] = []
    for at, goal in enumerate(ranked):
        conversions, rate = goal.total_conversions or 0, percent(goal.conversion_rate or 0)
        rows.append(
            {
                "key": _key(at, goal),
                "Goal": visible(goal_name(goal)),
                "Conversions": conversions,
                "Rate": rate,
                "label": f"{number(conversions)} · {rate}",
            }
        )
    most = max((goal.total_conversions or 0 for goal in goals), default=0)
    colors = _THEMES[theme]
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
    _draw(
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
        path,
        colors,
        title,
        [subtitle, "" if rows else "There are no goals."],
    )


def series_chart(
    buckets: Sequence[GoalBucket],
    goals: Sequence[Goal],
    path: Path,
    *,
    theme: Theme = "light",
    title: str,
    subtitle: str = "",
) -> None:
    """Draw the conversions of goals over time.

    A few goals are lines in one panel. More of them have a panel each, with a scale of its own, and
    of many those with most conversions; the others are named.

    Args:
        buckets: of all goals.
        goals: with their names.
        path: where to write; its suffix is one of ``SUFFIXES``.
        theme: the colors.
        title, subtitle: such as the site, and the window.
    """
    counts: defaultdict[int, int] = defaultdict(int)
    for bucket in buckets:
        counts[bucket.goal_id] += bucket.conversions
    ranked = sorted(goals, key=lambda goal: -counts[goal.goal_id])
    drawn = ranked if len(ranked) <= _LINES else [g for g in ranked if counts[g.goal_id]][:_PANELS]
    keys = {goal.goal_id: _key(at, goal) for at, goal in enumerate(drawn)}
    names = {goal.goal_id: visible(goal_name(goal)) for goal in drawn}
    rows = [
        {
            "key": keys[bucket.goal_id],
            "Goal": names[bucket.goal_id],
            "time": _clock(bucket.time),
            "Time": f"{bucket.time:%Y-%m-%d %H:%M}".removesuffix(" 00:00"),
            "Conversions": bucket.conversions,
            "Rate": percent(bucket.conversion_rate),
        }
        for bucket in buckets
        if bucket.goal_id in keys
    ]
    colors = _THEMES[theme]
    times = sorted({bucket.time for bucket in buckets})
    panels = _panels if len(drawn) > _LINES else _lines
    notes = [subtitle, _others(ranked[len(drawn) :])]
    if not any(counts.values()):
        notes.append("There are no conversions in this time.")
    spec = {
        "data": {"values": rows},
        **panels(times, keys, colors, max(counts.values(), default=0)),
    }
    _draw(spec, path, colors, title, notes)


def _lines(
    times: Sequence[datetime], keys: Mapping[int, str], colors: _Colors, most: int
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
    if not most:  # otherwise zero would be in the middle
        over_time["y"]["scale"] = {"domain": [0, 1]}
    return {
        "width": _WIDTH,
        "height": 300,
        "mark": _line_mark(times),
        "encoding": {**over_time, "color": color, "tooltip": _TOOLTIP},
    }


def _panels(
    times: Sequence[datetime], keys: Mapping[int, str], colors: _Colors, _most: int
) -> dict[str, Any]:
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
                "minExtent": 40,  # so that the panels of a column are in line
            },
            "scale": {"zero": True, "nice": steps},
        },
    }


def _clock(time: datetime) -> str:
    """What a clock shows there, as if it were UTC, so that it is drawn the same everywhere."""
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"


_TOOLTIP: Final = [
    {"field": name, "type": "nominal"} for name in ("Goal", "Time", "Conversions", "Rate")
]


def _others(goals: Sequence[Goal]) -> str:
    """Names the goals that have no panel."""
    if not goals:
        return ""
    named = ", ".join(_short(visible(goal_name(goal))) for goal in goals[:_NAMED])
    more = f" and {len(goals) - _NAMED:,} more" if len(goals) > _NAMED else ""
    return f"Not shown, since others have more conversions: {named}{more}"


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


# --- keys --------------------------------------------------------------------------------------

# Two goals may have one name, so what tells them apart stands before it, and is not shown.
_NAME_OF_KEY: Final = "slice(datum.label, 6)"


def _key(at: int, goal: Goal) -> str:
    return f"{at:05} {visible(goal_name(goal))}"


# --- files -------------------------------------------------------------------------------------


def _draw(
    spec: Mapping[str, Any],
    path: Path,
    colors: _Colors,
    title: str,
    subtitles: Sequence[str],
) -> None:
    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {
            "text": visible(title),
            "subtitle": [visible(text) for text in subtitles if text],
            "anchor": "start",
        },
        "config": _config(colors),
        "padding": 20,
        "background": colors.background,
        **spec,
    }
    converter = _vl_convert()
    kind = path.suffix.lower()
    with whole_file(path) as part:
        if kind == ".png":
            part.write_bytes(converter.vegalite_to_png(whole, scale=_SCALE))
        elif kind == ".svg":
            part.write_text(converter.vegalite_to_svg(whole), "utf-8")
        else:
            part.write_text(_html(whole, converter.javascript_bundle(), colors, title), "utf-8")


def _config(colors: _Colors) -> dict[str, Any]:
    labels = {"labelColor": colors.muted, "titleColor": colors.muted, "labelFontSize": 12}
    return {
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            **labels,
            "gridColor": colors.grid,
            "domainColor": colors.grid,
            "tickColor": colors.grid,
        },
        "legend": {**labels, "labelColor": colors.text},
        "title": {
            "color": colors.text,
            "subtitleColor": colors.muted,
            "fontSize": 18,
            "subtitleFontSize": 13,
            "subtitlePadding": 6,
            "offset": 18,
        },
    }


_FONT: Final = "Helvetica Neue, Arial, Noto Sans, DejaVu Sans, sans-serif"


def _html(spec: Mapping[str, Any], libraries: str, colors: _Colors, title: str) -> str:
    # In a script no text of the data may look like its end.
    data = json.dumps(spec, ensure_ascii=True).replace("<", "\\u003c")
    options = json.dumps({"renderer": "svg", "actions": {"export": True, "editor": False}})
    return _PAGE.format(
        title=escape(visible(title)),
        background=colors.background,
        libraries=libraries.replace("</script", "<\\/script"),
        spec=data,
        options=options,
    )


_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ margin: 0; background: {background}; }}</style>
</head>
<body>
<div id="chart"></div>
<script>{libraries}</script>
<script>vegaEmbed("#chart", {spec}, {options}).catch(console.error);</script>
</body>
</html>
"""


def _vl_convert() -> Any:
    return import_extra("vl_convert", "charts", '"rybbit_async[chart]"')
