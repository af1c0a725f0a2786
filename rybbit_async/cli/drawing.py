"""How charts become files: their colors, and SVG, PNG or HTML by the suffix of the file.

They are drawn by vl-convert, which needs no browser and no other program. HTML holds everything
that it needs, so that it works without a network, and text of the server is only ever data in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from ..extras import import_extra
from .options.output import ChartOptions, Theme
from .output.files import check_file, whole_file
from .output.text import visible

__all__ = ["THEMES", "Colors", "check_chart", "draw"]

SUFFIXES: Final = (".svg", ".png", ".html")

_SCALE: Final = 2  # pixels of PNG for each pixel of the chart


@frozen
class Colors:
    """The colors of a theme; ``lines`` are for lines in one panel."""

    background: str
    text: str
    muted: str
    grid: str
    bar: str
    lines: tuple[str, ...]


# The lines are those of Okabe and Ito, which the color-blind can tell apart; lighter on dark.
THEMES: Final[Mapping[Theme, Colors]] = {
    "light": Colors(
        "#ffffff",
        "#1f2328",
        "#59636e",
        "#e4e7eb",
        "#2f6fb4",
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900"),
    ),
    "dark": Colors(
        "#0d1117",
        "#e6edf3",
        "#9aa4af",
        "#262c36",
        "#58a6ff",
        ("#56b4e9", "#ff8c42", "#2bc796", "#e59ac6", "#f0e442"),
    ),
}


def check_chart(chart: ChartOptions) -> None:
    """Refuse a chart that cannot be drawn, before anything is sent.

    Raises:
        CommandError: ``--chart`` must end in another suffix, or cannot be a file.
        ModuleNotFoundError: the extra is not installed; the message has the line to install it.
    """
    check_file("--chart", _path(chart), SUFFIXES)
    _vl_convert()


def _path(chart: ChartOptions) -> Path:
    assert chart.chart is not None
    return chart.chart


def draw(chart: ChartOptions, spec: Mapping[str, Any], title: str, notes: Sequence[str]) -> None:
    """Draw a chart into its file.

    Args:
        chart: where to write, and in which colors; see ``check_chart``.
        spec: of Vega-Lite.
        title: of the chart.
        notes: lines below the title; those without text are left out.

    Raises:
        OSError: the file cannot be written; one that was there before is as it was.
    """
    path, colors = _path(chart), THEMES[chart.theme]
    whole = {
        "title": {
            "text": visible(title),
            "subtitle": [visible(note) for note in notes if note],
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


def _config(colors: Colors) -> dict[str, Any]:
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


def _html(spec: Mapping[str, Any], libraries: str, colors: Colors, title: str) -> str:
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
