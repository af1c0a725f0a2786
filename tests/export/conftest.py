from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from rybbit_async.testing import Store

from ..client.conftest import (
    clock,
    connect,
    no_environment,
    no_task_is_left,
    serve,
    stack,
    store,
    world,
)
from ..client.helpers import END

__all__ = [
    "clock",
    "connect",
    "no_environment",
    "no_task_is_left",
    "serve",
    "stack",
    "store",
    "world",
]


@pytest.fixture(scope="session")
def small() -> Iterator[Store]:
    """Three sites with sessions in February and March, some of them over midnight, and goals."""
    with Store() as made:
        for number, sessions in ((1, 90), (2, 25), (3, 0)):
            site = made.add_site(f"site {number}")
            rows = [
                {
                    "timestamp": _midnight(at) + timedelta(seconds=100 * page),
                    "session_id": f"s{number}-{at}",
                    "user_id": f"u{at % 40}",
                    "pathname": pathname,
                    "country": "GR" if at % 3 else "",
                }
                for at in range(sessions)
                for page, pathname in enumerate(("/", "/00123", f"/{at}"))
            ]
            if rows:
                made.add_events(site, rows)
            made.add_goal(site, "path", {"pathPattern": "/"}, name="Home", created_at=END)
            made.add_goal(site, "path", {"pathPattern": "/no"}, name="None", created_at=END)
        yield made


def _midnight(at: int) -> datetime:
    """A time shortly before midnight for every fourth session, so that it goes on after that."""
    moment = END - timedelta(days=at * 0.55 + 1, minutes=at)
    return moment.replace(hour=23, minute=58, second=at % 60) if at % 4 == 0 else moment
