"""What ``doctor`` says of this machine: versions, settings and proxies. Nothing is sent."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from ... import __version__
from ...transport.connection_settings import proxy_in_environment
from ..settings import Settings
from ..terminal import Terminal
from .check import Check

__all__ = ["proxies", "settings_lines", "versions"]

_LIBRARIES: Final = ("aiohttp", "attrs", "cattrs", "msgspec", "yarl")
_EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "cli": ("cyclopts", "rich", "platformdirs", "tomlkit", "ruamel.yaml", "filelock"),
    "arrow": ("pyarrow",),
    "export": ("fsspec",),
    "duckdb": ("duckdb",),
    "chart": ("vl-convert-python",),
    "dask": ("distributed",),
}
_OTHERS: Final = ("brotli", "backports.zstd", "orjson", "pandas", "polars", "s3fs", "uvloop")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def versions(terminal: Terminal) -> Iterator[Check]:
    """The versions of everything that takes part, and the terminal."""
    yield Check("rybbit_async", __version__)
    yield Check("Python", f"{platform.python_version()}, {platform.python_implementation()}")
    yield Check("platform", f"{platform.system()} {platform.release()}, {platform.machine()}")
    yield Check("libraries", _listed(_LIBRARIES) or "none")
    found = {extra: _listed(names) for extra, names in _EXTRAS.items()}
    text = "; ".join(f"{extra}: {names}" for extra, names in found.items() if names)
    if absent := [extra for extra, names in found.items() if not names]:
        text += f"; not installed: {', '.join(absent)}"
    yield Check("extras", text)
    if others := _listed(_OTHERS):
        yield Check("besides", others)
    encoding = getattr(terminal.out, "encoding", None) or "unknown"
    what = f"{terminal.width} columns" if terminal.out_is_terminal else "none, the output is a file"
    color = "colors" if terminal.colored(terminal.out) else "no colors"
    yield Check("terminal", f"{what}, {color}, {encoding}")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {found}" for name in names if (found := _version(name)))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def settings_lines(settings: Settings, base_url: str) -> Iterator[Check]:
    """How the server is reached, and where each setting comes from; of secrets only that."""
    sources = settings.sources
    where = sources.get("base_url", "the address of the cloud, since none is set")
    yield Check("server", f"{base_url} ({where})")
    if settings.login is not None:
        yield Check("key", f"none; signs in with a password ({sources.get('email', 'set')})")
    elif settings.api_key is not None:
        yield Check("key", f"set ({sources.get('api_key', 'set')})")
    else:
        yield Check(
            "key",
            "none, so that only public sites can be read",
            "warning",
            "set RYBBIT_API_KEY, or run rybbit-async config",
        )
    yield Check("time zone", settings.time_zone)
    others = [
        f"{name} ({source})"
        for name, source in sources.items()
        if name not in ("base_url", "api_key", "email")
    ]
    if others:
        yield Check("further settings", ", ".join(others))


def proxies(settings: Settings, base_url: str) -> Iterator[Check]:
    """The proxies that are set, and the one that is used."""
    given = settings.options.get("proxy")
    if given is not None:
        where = settings.sources.get("proxy", "set")
        yield Check("proxy", f"{_shown(str(given))} ({where}) is used")
    in_environment = proxy_in_environment(base_url)
    found = False
    for name in (both for one in _PROXIES for both in (one.lower(), one)):
        value = os.environ.get(name)
        if not value or (os.name == "nt" and name.islower()):
            continue
        found = True
        if name.lower() == "no_proxy":
            yield Check("proxy", f"{name} excepts {value}")
        else:
            is_used = given is None and in_environment is not None and in_environment[0] == name
            use = "is used" if is_used else "is not used for this server"
            yield Check("proxy", f"{_shown(value)} ({name}) {use}")
    if given is None and not found:
        yield Check("proxy", "none")


# An address without anything that could be a part of a password which is not written as it must be.
_ADDRESS: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<user>[^@/?#\\\s]*@)?"
    r"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?P<port>:[0-9]{1,5})?/?",
    re.ASCII | re.IGNORECASE,
)


def _shown(proxy: str) -> str:
    """The address of a proxy without a user and a password."""
    address = _ADDRESS.fullmatch(proxy)
    if address is None:
        return "set"
    hidden = ", user and password hidden" if address["user"] else ""
    return f"{address['scheme'] or 'http'}://{address['host']}{address['port'] or ''}{hidden}"
