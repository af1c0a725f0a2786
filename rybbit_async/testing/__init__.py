"""A Rybbit-compatible server for tests, demos and benchmarks.

`RybbitServer` listens on a real loopback socket, and answers from events in DuckDB. It shares
nothing with the client: if the two shared models, they would share mistakes.

    from rybbit_async.testing import RybbitServer, generate

    async with RybbitServer(release="2.14") as server:
        traffic = generate(server.store, sessions=1_000)
        ...  # server.url, server.api_key, traffic.site

Needs the extra `testing`. By hand: `python -m rybbit_async.testing`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import faults
    from .access import BucketLimit, KeyLimit
    from .api import RecordedRequest
    from .faults import Injection
    from .releases import RELEASES, Release
    from .server import Holding, RybbitServer
    from .store import EVENT_COLUMNS, Goal, Site, Store
    from .traffic import Traffic, generate

__all__ = [
    "EVENT_COLUMNS",
    "RELEASES",
    "BucketLimit",
    "Goal",
    "Holding",
    "Injection",
    "KeyLimit",
    "RecordedRequest",
    "Release",
    "RybbitServer",
    "Site",
    "Store",
    "Traffic",
    "faults",
    "generate",
]

# Imported when first used: the pytest plugin lives here too, and must load without DuckDB.
_HOMES = {
    "EVENT_COLUMNS": "store",
    "RELEASES": "releases",
    "BucketLimit": "access",
    "Goal": "store",
    "Holding": "server",
    "Injection": "faults",
    "KeyLimit": "access",
    "RecordedRequest": "api",
    "Release": "releases",
    "RybbitServer": "server",
    "Site": "store",
    "Store": "store",
    "Traffic": "traffic",
    "generate": "traffic",
}


def __getattr__(name: str) -> Any:
    if name == "faults":
        return import_module(f"{__name__}.faults")
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
