"""Every comparison with the same work done by hand, as a table and a JSON file."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rybbit_async import __version__

from . import exports, rows
from .measure import Row
from .rows import FULL, QUICK, Effort

COMPARISONS = (*rows.COMPARISONS, *exports.COMPARISONS)
PACKAGES = (
    *("aiohttp", "attrs", "cattrs", "dlt", "httpx", "httpx2", "msgspec", "orjson", "polars"),
    *("pyarrow", "pydantic"),
)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    names = [comparison.__name__ for comparison in COMPARISONS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pairs: a first impression")
    parser.add_argument("--only", action="append", choices=names, help="this comparison; repeat")
    parser.add_argument(
        "--json", type=Path, default=Path("build/bench.json"), help="default: %(default)s"
    )
    return parser.parse_args(argv)


async def _measured(effort: Effort, only: Sequence[str] | None, console: Console) -> list[Row]:
    measured: list[Row] = []
    for comparison in COMPARISONS:
        if only and comparison.__name__ not in only:
            continue
        with console.status(f"{comparison.__name__} ..."):
            measured += [row async for row in comparison(effort)]
    return measured


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title="Medians of pairs; in brackets the quartiles")
    table.add_column("what")
    for heading in ("figure", "reach", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        low, high = row.spread
        table.add_row(
            f"{row.what}\n[dim]{row.note}[/dim]" if row.note else row.what,
            f"{_number(row.figure)} {row.unit}\n"
            f"[dim]{_number(low)} … {_number(high)}, {len(row.figures)} pairs[/dim]",
            f"{'≥' if row.at_least else '≤'} {row.reach:g} {row.unit}",
            "[green]met[/green]" if row.met else "[red]missed[/red]",
        )
    return table


def _as_json(rows: Sequence[Row], *, quick: bool) -> str:
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "rybbit_async": __version__,
        **{name: version(name) for name in PACKAGES},
    }
    listed = [
        {
            "what": row.what,
            "unit": row.unit,
            "figure": row.figure,
            "quartiles": row.spread,
            "reach": row.reach,
            "at_least": row.at_least,
            "met": row.met,
            "note": row.note,
            "pairs": row.figures,
        }
        for row in rows
    ]
    return json.dumps({"about": about, "rows": listed}, indent=1, ensure_ascii=False) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write. What was missed is said and is no failure: machines differ."""
    options = _arguments(argv)
    console = Console()
    effort = QUICK if options.quick else FULL
    measured = asyncio.run(_measured(effort, options.only, console))
    console.print(_table(measured))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(_as_json(measured, quick=options.quick), encoding="utf-8")
    total, missed = len(measured), sum(not row.met for row in measured)
    noise = "; on a busy machine, measure again" if missed else ""
    console.print(f"{total - missed} of {total} within reach{noise}. {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
