"""Exports into a folder: what is there, what a second run does, and what is left after a failure."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rybbit_async import InvalidParameterError, PermissionDeniedError, RybbitClient, ServerError
from rybbit_async.export import (
    Export,
    ExportEnded,
    ExportLockedError,
    ExportMismatchError,
    ExportStoreError,
    Manifest,
    PartWritten,
    RowsWritten,
    UnitEnded,
    export,
)
from rybbit_async.export.lists import MODELS
from rybbit_async.export.store import open_store
from rybbit_async.export.units import LISTS
from rybbit_async.testing import Store, faults

from ..client.conftest import Connect, Serve
from ..client.helpers import END, ONCE
from ..clock import FakeClock
from .helpers import RANGE, listed, parts, rows_of, rows_of_walks

pytest.importorskip("pyarrow")


async def everything(client: RybbitClient, folder: Path) -> dict[str, Counter[str]]:
    """What the units of the folder's manifest hold, by walks."""
    maker = Export(client, to=folder, **RANGE)
    units = [record.unit for record in Manifest.load(open_store(folder)).records.values()]
    return {
        name: await rows_of_walks(client, units, maker._settings, name)  # noqa: SLF001
        for name in LISTS
    }


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_every_list_of_every_site(
    serve: Serve, connect: Connect, small: Store, tmp_path: Path, release: str
) -> None:
    client = connect(await serve(release, small))
    sites: Any = "all" if release == "2.8" else [1, 2, 3]
    report = await export(client, to=tmp_path, sites=sites, **RANGE)
    assert report.complete, report
    # Three lists of three sites and the sessions of two goals of each, in two months.
    assert report.done == (4 * 3 + 6) * 2
    assert parts(tmp_path) == listed(tmp_path)
    walked = await everything(client, tmp_path)
    assert sum(walked["goal_sessions"].values()) > 90
    for name in LISTS:
        assert rows_of(tmp_path, name) == walked[name], name
    assert report.rows == sum(sum(rows.values()) for rows in walked.values())
