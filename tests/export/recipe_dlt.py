"""The recipe for dlt of docs/export.md, as it stands; `nox -s export_stores`.

Not in the suite: dlt takes its time to import and to load.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rybbit_async.testing import RybbitServer, Store

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text("utf-8")
(RECIPE,) = re.findall(r"## With dlt.*?```python\n(.*?)```", PAGE, re.DOTALL)


def test_dlt_loads_and_merges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    (tmp_path / "recipe.py").write_text(RECIPE.replace("(123)", "(1)"))
    now = datetime.now(UTC)
    with Store() as store:
        store.add_site("one")
        for at in range(30):
            end = now - timedelta(hours=at * 7 + 1)
            store.add_session(1, end=end, session_id=f"s{at}", pages=["/00123"])
        with RybbitServer(store=store) as server:
            env = {**os.environ, "RYBBIT_API_KEY": server.api_key, "RYBBIT_BASE_URL": server.url}
            for number in (30, 31):
                subprocess.run([sys.executable, "recipe.py"], env=env, check=True)
                assert _loaded() == (number, number, "/00123")
                store.add_session(1, end=now, session_id="new", pages=["/00123"])


def _loaded() -> tuple[Any, ...]:
    with duckdb.connect("rybbit.duckdb") as db:
        question = "SELECT count(*), count(DISTINCT session_id), any_value(entry_page) FROM "
        return tuple(db.sql(f"{question} web.sessions").fetchall()[0])
