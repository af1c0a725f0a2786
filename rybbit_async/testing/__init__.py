"""A Rybbit-compatible server for tests, demos and benchmarks.

`RybbitServer` listens on a real loopback socket and computes its responses from events in DuckDB.
It shares no code with the client except the exceptions, because with shared models a mistake in
one would hide a mistake in the other.

    from rybbit_async.testing import RybbitServer, generate

    async with RybbitServer(release="2.8") as server:
        traffic = generate(server.store, sessions=1_000)
        ...  # server.url, server.api_key, traffic.site

It needs the extra `testing`. With the extra `cli`, `rybbit-async serve` runs it as a program.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .extra import missing_extra

if TYPE_CHECKING:
    from . import faults
    from .access import BucketLimit, KeyLimit
    from .api.call import RecordedRequest
    from .faults import Injection
    from .held import HeldRequests
    from .releases import RELEASES, Release
    from .server import RybbitServer
    from .store import EVENT_COLUMNS, Goal, Site, Store
    from .traffic import Traffic, generate

__all__ = [
    "EVENT_COLUMNS",
    "RELEASES",
    "BucketLimit",
    "Goal",
    "HeldRequests",
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

# Imported when first used, because the pytest plugin must load without DuckDB.
_MODULES = {
    "EVENT_COLUMNS": "store",
    "RELEASES": "releases",
    "BucketLimit": "access",
    "Goal": "store",
    "HeldRequests": "held",
    "Injection": "faults",
    "KeyLimit": "access",
    "RecordedRequest": "api.call",
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
    if name in _MODULES:
        try:
            module = import_module(f"{__name__}.{_MODULES[name]}")
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
