"""`python -m tests.tables.document` writes the columns of each class into docs/tables.md."""

from __future__ import annotations

from pathlib import Path

from rybbit_async import models
from rybbit_async.tables.columns import columns

DOCUMENT = Path(__file__).parents[2] / "docs" / "tables.md"
BEGIN = "<!-- columns: written by python -m tests.tables.document -->\n"

LISTS = {
    models.Goal: "`goals.list`, `goals.iter`",
    models.GoalOfSite: "`goals.iter_all`",
    models.Session: "`goals.sessions.list`, `goals.sessions.iter`",
    models.GoalSession: "`goals.sessions.iter_all`",
    models.WatchedSession: "`goals.sessions.watch`",
    models.SiteSession: "`sessions.list`, `sessions.iter`",
    models.SessionOfSite: "`sessions.iter_all`",
    models.SessionEvent: "`sessions.get(...).events`",
    models.User: "`users.list`, `users.iter`",
    models.Event: "`events.iter`, `events.watch`",
    models.EventOfSite: "`events.iter_all`",
    models.MetricRow: "`metric`",
    models.Site: "`sites.list`",
    models.Organization: "`organizations.list`",
    models.OverviewBucket: "`overview.series`",
    models.GoalBucket: "`goals.series`",
    models.GoalComparison: "`goals.compare`",
}
TYPES = {
    "text": "text",
    "repeated": "coded text",
    "int": "int64",
    "float": "float64",
    "bool": "bool",
    "time": "timestamp",
    "json": "JSON text",
}


def tables() -> str:
    """The part of the document that follows from the code."""
    lines: list[str] = []
    for model, calls in LISTS.items():
        lines += ["", f"### {model.__name__}", "", f"From {calls}.", ""]
        kinds: dict[str, list[str]] = {}
        for column in columns(model):
            kinds.setdefault(TYPES[column.kind], []).append(f"`{column.name}`")
        lines += ["| type | columns |", "|---|---|"]
        lines += [f"| {kind} | {', '.join(names)} |" for kind, names in kinds.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    written = DOCUMENT.read_text("utf-8").partition(BEGIN)[0]
    DOCUMENT.write_text(written + BEGIN + tables(), "utf-8")
