"""Helpers for the tests of exports."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from rybbit_async import RybbitClient
from rybbit_async.export import Manifest
from rybbit_async.export.lists import MODELS, walk_over
from rybbit_async.export.settings import Settings
from rybbit_async.export.store import open_store
from rybbit_async.export.units import ListName, Unit
from rybbit_async.tables import flat_rows

RANGE: dict[str, Any] = {"since": "2026-02-01", "until": "2026-03-28"}


def parts(folder: Path) -> set[str]:
    """The files that a plain glob finds."""
    return {str(path.relative_to(folder)) for path in folder.glob("*/**/*.*") if is_part(path)}


def is_part(path: Path) -> bool:
    return "_manifest" not in path.parts and not path.name.startswith(".")


def temporary(folder: Path) -> list[Path]:
    """Files that no reader sees."""
    return [path for path in folder.glob("**/*") if path.name.endswith(".tmp")]


def listed(folder: Path) -> set[str]:
    """The files that the manifest lists."""
    manifest = Manifest.load(open_store(folder))
    return {part.path for record in manifest.records.values() for part in record.parts}


def rows_of(folder: Path, name: str) -> Counter[str]:
    """The rows of a list as a plain glob finds them, with the columns of their paths."""
    paths = sorted(path for path in (folder / name).glob("**/*.parquet") if is_part(path))
    rows: Counter[str] = Counter()
    for path in paths:
        place = dict(step.split("=") for step in path.relative_to(folder / name).parts[:-1])
        rows.update(_text({**place, **row}) for row in pq.read_table(path).to_pylist())
    return rows


async def rows_of_walks(
    client: RybbitClient, units: Iterable[Unit], settings: Settings, name: ListName
) -> Counter[str]:
    """The same rows, by walks over the units."""
    rows: Counter[str] = Counter()
    for unit in units:
        if unit.list == name:
            place = dict(step.split("=") for step in unit.folder.split("/")[1:])
            items = await walk_over(client, unit, settings, 8).collect()
            flat = flat_rows(MODELS[name], items, times="datetime")
            rows.update(_text({**place, **row}) for row in flat)
    return rows


def _text(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, default=str)


def table(folder: Path, name: str) -> Any:
    return ds.dataset(folder / name, format="parquet", partitioning="hive").to_table()
