"""What the package exports, and what its files may import."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import rybbit_async

PACKAGE = Path(rybbit_async.__file__).parent
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
# Each file imports only from those before it.
ORDER = [
    *("_version", "errors", "models", "params"),
    # Walks, without HTTP.
    *("_pages", "_walking", "_mending", "_merging", "paging"),
    # HTTP, without walks.
    *("routes", "_shared", "_json", "_wire", "_clock", "_fast", "_converter"),
    *("retry", "pacing", "auth", "_http", "_settings", "_transport", "_server", "_routing"),
    # Both.
    *("_sources", "goals", "client", "__init__", "_demo"),
]
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
PUBLIC = [getattr(rybbit_async, name) for name in rybbit_async.__all__ if name != "__version__"]


def _imports(path: Path) -> Iterator[str]:
    """The full name of everything that a file imports, wherever in the file it does so."""
    package = ("rybbit_async", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            # "from . import errors" imports a module, "from .errors import X" a name of one.
            yield from (f"{whole}.{alias.name}" for alias in node.names)


def _siblings(path: Path) -> set[str]:
    """The modules of the package that a file imports; "__init__" for the package itself."""
    found: set[str] = set()
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "rybbit_async":
            known = len(parts) > 1 and (parts[1] in MODULES or parts[1] == "testing")
            found.add(parts[1] if known else "__init__")
    return found


# --- names -------------------------------------------------------------------------------------


def test_all_is_sorted_and_without_doubles() -> None:
    assert rybbit_async.__all__ == sorted(set(rybbit_async.__all__))


def test_every_name_is_there() -> None:
    namespace: dict[str, object] = {}
    exec("from rybbit_async import *", namespace)
    assert set(rybbit_async.__all__) <= namespace.keys()


def test_nothing_public_is_left_out() -> None:
    modules = {name for name in vars(rybbit_async) if inspect.ismodule(getattr(rybbit_async, name))}
    public = {name for name in vars(rybbit_async) if not name.startswith("_")} - modules
    assert public == set(rybbit_async.__all__) - {"__version__"}


@pytest.mark.parametrize("module", sorted({*MODULES} & {*ORDER[: ORDER.index("__init__")]}))
def test_every_module_exports_what_it_says(module: str) -> None:
    imported = sys.modules[f"rybbit_async.{module}"]
    names = getattr(imported, "__all__", ["__version__"])
    assert len(set(names)) == len(names)
    for name in names:
        assert hasattr(imported, name), name


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__name__)
def test_everything_public_is_documented(thing: object) -> None:
    # Its own words: an inherited docstring, or the signature that attrs and dataclasses
    # put in its place, is none.
    own = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    assert own, thing
    assert len(own) > 20, thing
    if inspect.isclass(thing):
        for name, member in inspect.getmembers(thing):
            if name.startswith("_") or not (inspect.isroutine(member) or _is_property(member)):
                continue
            if (getattr(member, "__module__", "rybbit_async") or "").startswith("rybbit_async"):
                assert member.__doc__, f"{thing.__name__}.{name}"


def _is_property(member: object) -> bool:
    return isinstance(member, property)


@pytest.mark.parametrize("resource", ["Goals", "GoalSessions"])
def test_every_call_of_a_resource_is_documented(resource: str) -> None:
    cls = getattr(sys.modules["rybbit_async.goals"], resource)
    calls = [name for name in vars(cls) if not name.startswith("_")]
    assert calls
    for name in calls:
        assert getattr(cls, name).__doc__, name


def test_version() -> None:
    declared = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["version"]
    assert rybbit_async.__version__ == declared
    assert importlib.metadata.version("rybbit_async") == declared


def test_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


# --- imports -----------------------------------------------------------------------------------


def test_every_module_has_its_place() -> None:
    assert set(MODULES) <= set(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_import_direction(module: str) -> None:
    before = set(ORDER[: ORDER.index(module)])
    assert _siblings(PACKAGE / f"{module}.py") <= before


def test_the_check_of_imports_sees_them() -> None:
    assert {"models", "paging", "_sources"} <= _siblings(PACKAGE / "goals.py")
    assert "aiohttp" in set(_imports(PACKAGE / "client.py"))


def test_walks_know_no_http_and_http_knows_no_walks() -> None:
    walks = {"_walking", "_mending", "_merging", "paging"}
    for module in walks:
        assert _siblings(PACKAGE / f"{module}.py") <= {*walks, "_pages", "errors"}, module
    for module in ("_transport", "_server", "_routing", "_converter"):
        assert not _siblings(PACKAGE / f"{module}.py") & walks, module


@pytest.mark.parametrize("path", sorted((PACKAGE / "testing").rglob("*.py")), ids=lambda p: p.stem)
def test_the_test_server_shares_nothing_with_the_client(path: Path) -> None:
    # The plugin's fixture hands out a client, so it takes the package as a user does.
    allowed = {"testing", "errors"} | ({"__init__"} if path.stem == "plugin" else set[str]())
    assert _siblings(path) <= allowed


def test_only_what_sends_and_the_client_know_aiohttp() -> None:
    know = {
        module
        for module in MODULES
        if any(re.match(r"aiohttp\b", name) for name in _imports(PACKAGE / f"{module}.py"))
    }
    assert know == {"_http", "_settings", "_transport", "client"}


def test_importing_the_package_imports_none_of_its_extras() -> None:
    code = "import json, sys, rybbit_async; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert {"rybbit_async", "aiohttp", "attrs", "cattrs"} <= loaded
    extras = {"duckdb", "rich", "pytest", "_pytest", "pytest_asyncio", "hypothesis", "numpy"}
    assert not loaded & {*extras, "rybbit_async.testing"}
    assert not done.stderr
