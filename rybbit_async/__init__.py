"""The asyncio SDK for Rybbit web analytics: goals, sessions and users.

The names below are imported when the first of them is used, so that ``rybbit-async --help``, which
uses none of them, does not wait for the HTTP library.
"""

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
    from .api import *  # noqa: F403  # its names, all of them
    from .api import __all__ as __all__
    from .api import __version__ as __version__


def __getattr__(name: str) -> _typing.Any:
    api = _importlib.import_module(".api", __name__)
    if name != "__all__" and name not in api.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals().update({known: getattr(api, known) for known in (*api.__all__, "__all__")})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
