"""What the package exports, and what its files may import."""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
import tomllib
import types
import typing
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import rybbit_async
from rybbit_async.parameters import common
from rybbit_async.walks.walk import Order

PACKAGE = Path(rybbit_async.__file__).parent
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
# Rooms, and the single files beside them: each imports only from those above it in this list.
ROOMS = [
    *("version", "plain", "extras", "errors", "models", "tables", "pages", "activity"),
    "parameters",
    "observers",
    "walks",
    "wire",
    "transport",
    "resources",
    "client",
    "api",
    "__init__",
    "export",
    "cli",
    "__main__",
]
# Walks know no HTTP, and HTTP knows no walks.
APART = {"walks": {"wire", "transport"}, "wire": {"walks"}, "transport": {"walks"}}
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "testing" not in path.parts)
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in SOURCES
    if path.stem not in ("__init__", "__main__")
)
PUBLIC = [getattr(rybbit_async, name) for name in rybbit_async.__all__ if name != "__version__"]
# An alias such as ``Order = Literal["asc", "desc"]`` has no docstring.
DOCUMENTED = [thing for thing in PUBLIC if typing.get_origin(thing) is not typing.Literal]


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


def _room(name: str) -> str | None:
    """The room of a module's or a name's full name; "__init__" for the package itself."""
    parts = name.split(".")
    if parts[0] != "rybbit_async":
        return None
    known = len(parts) > 1 and (parts[1] in ROOMS or parts[1] == "testing")
    return parts[1] if known else "__init__"


def _rooms(path: Path) -> set[str]:
    """The rooms that a file imports from, its own left out."""
    return {room for name in _imports(path) if (room := _room(name))} - {_room_of(path)}


def _room_of(path: Path) -> str:
    first, *_ = path.relative_to(PACKAGE).with_suffix("").parts
    return first


# --- names -------------------------------------------------------------------------------------


def test_all_is_sorted_and_without_doubles() -> None:
    assert rybbit_async.__all__ == sorted(set(rybbit_async.__all__))


def test_every_name_is_there() -> None:
    namespace: dict[str, object] = {}
    exec("from rybbit_async import *", namespace)
    assert set(rybbit_async.__all__) <= namespace.keys()


def test_nothing_public_is_left_out() -> None:
    api = vars(importlib.import_module("rybbit_async.api"))
    public = {name for name in api if name[0].isalpha()}
    assert public == set(rybbit_async.__all__) - {"__version__"} == {*dir(rybbit_async)} & public


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'rybbit_async' has no attribute 'Gaols'"):
        rybbit_async.Gaols  # type: ignore[attr-defined]  # noqa: B018  # the error is what is tested


def test_every_module_exports_what_it_says() -> None:
    for module in MODULES:
        imported = importlib.import_module(f"rybbit_async.{module}")
        names = getattr(imported, "__all__", ["__version__"])
        assert len(set(names)) == len(names), module
        for name in names:
            assert hasattr(imported, name), (module, name)


def test_everything_public_is_documented() -> None:
    for thing in DOCUMENTED:
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


# --- signatures --------------------------------------------------------------------------------


def _resources(thing: object) -> Iterator[type]:
    """The classes of the resources that hang on a client, or on one of its resources."""
    for name, value in vars(thing).items():
        if not name.startswith("_") and type(value).__module__.startswith("rybbit_async."):
            yield type(value)
            yield from _resources(value)


RESOURCES = [*_resources(rybbit_async.RybbitClient(base_url="https://analytics.example.com"))]


def _methods(cls: type) -> Iterator[types.FunctionType]:
    """The public methods of a class, its properties and the overloads of both."""
    for name, member in vars(cls).items():
        for inner in ("fget", "__func__"):  # of a property, of a class or static method
            member = getattr(member, inner, member)
        if issubclass(cls, Order) and name in vars(Order):
            continue  # how a walk uses an order; a caller only makes one
        if isinstance(member, types.FunctionType) and not name.startswith("_"):
            yield member
            yield from typing.cast("list[types.FunctionType]", typing.get_overloads(member))


METHODS: list[typing.Any] = [
    rybbit_async.RybbitClient.__init__,
    *(
        method
        for cls in [*(thing for thing in PUBLIC if inspect.isclass(thing)), *RESOURCES]
        for method in _methods(cls)
    ),
]


def _names(method: types.FunctionType) -> Iterator[str]:
    """The names in the annotations of a method."""
    signature = inspect.signature(method)
    for annotation in (
        signature.return_annotation,
        *(parameter.annotation for parameter in signature.parameters.values()),
    ):
        if annotation is not inspect.Signature.empty:
            for node in ast.walk(ast.parse(annotation, mode="eval")):
                if isinstance(node, ast.Name):
                    yield node.id


def _from_elsewhere(thing: object) -> bool:
    """Whether a thing is of the standard library, of aiohttp, of yarl, or of a table library."""
    module = thing.__name__ if inspect.ismodule(thing) else getattr(thing, "__module__", "")
    return module.partition(".")[0] in {*sys.stdlib_module_names, "aiohttp", "yarl"}


TABLE_LIBRARIES = {"pa", "pd", "pl"}


def test_the_resources_are_found() -> None:
    assert {"Goals", "GoalSessions"} <= {cls.__name__ for cls in RESOURCES}
    names = {method.__qualname__ for method in METHODS}
    assert {"Goals.list", "RybbitClient.stats", "Filter.equals", "Paginator.pages"} <= names


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda cls: cls.__name__)
def test_every_resource_is_exported(resource: type) -> None:
    assert resource in PUBLIC


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__qualname__)
def test_every_type_in_a_signature_can_be_imported(method: types.FunctionType) -> None:
    known = vars(builtins) | vars(common) | method.__globals__
    for name in {*_names(method)} - {*rybbit_async.__all__}:
        if name in TABLE_LIBRARIES:  # imported when they are first needed
            continue
        thing = known[name]
        assert isinstance(thing, typing.TypeVar) or _from_elsewhere(thing), name


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda cls: cls.__name__)
def test_every_call_of_a_resource_is_documented(resource: type) -> None:
    calls = [*_methods(resource)]
    assert calls
    for call in calls:
        assert call.__doc__, call
        kinds = {parameter.kind for parameter in inspect.signature(call).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, f"{call}: see expand_parameters"


def test_version() -> None:
    declared = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["version"]
    assert rybbit_async.__version__ == declared
    assert importlib.metadata.version("rybbit_async") == declared


def test_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


# --- imports -----------------------------------------------------------------------------------


def test_every_room_has_its_place() -> None:
    assert {_room_of(path) for path in SOURCES} == set(ROOMS)


def test_imports_go_one_way() -> None:
    for path in SOURCES:
        room = _room_of(path)
        above = set(ROOMS[: ROOMS.index(room)]) - APART.get(room, set())
        if room == "cli":  # which runs the embedded server
            above |= {"testing"}
        assert _rooms(path) <= above, path


def test_no_two_files_import_each_other() -> None:
    graph = {
        ".".join(("rybbit_async", *path.relative_to(PACKAGE).with_suffix("").parts)): {
            *_imports(path)
        }
        for path in SOURCES
    }
    needs = {
        module: {other for other in graph if any(f"{n}.".startswith(f"{other}.") for n in names)}
        for module, names in graph.items()
    }
    TopologicalSorter(needs).prepare()  # raises CycleError, which names the files


def test_the_check_of_imports_sees_them() -> None:
    assert {"models", "walks", "wire"} <= _rooms(PACKAGE / "resources" / "goals.py")
    assert "aiohttp" in set(_imports(PACKAGE / "client.py"))


def test_the_test_server_shares_nothing_with_the_client() -> None:
    paths = [*(PACKAGE / "testing").rglob("*.py")]
    assert len(paths) > 20
    for path in paths:
        # The plugin's fixture hands out a client, so it takes the package as a user does.
        allowed = {"errors"} | ({"__init__"} if path.stem == "plugin" else set[str]())
        assert _rooms(path) <= allowed, path


def test_only_what_sends_and_the_client_know_aiohttp() -> None:
    know = {
        _room_of(path)
        for path in SOURCES
        if any(re.match(r"aiohttp\b", name) for name in _imports(path))
    }
    assert know == {"transport", "client"}


def _loaded(statement: str) -> set[str]:
    """The modules that a statement imports, in a process of its own."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return set(json.loads(done.stdout))


def test_importing_the_package_alone_imports_nothing() -> None:
    assert not _loaded("import rybbit_async") & {"aiohttp", "asyncio", "attrs", "yarl"}


def test_importing_the_client_imports_no_extra() -> None:
    loaded = _loaded("from rybbit_async import RybbitClient")
    assert {"rybbit_async", "aiohttp", "attrs"} <= loaded
    assert not loaded & {"cattrs", "msgspec"}  # imported when they are first needed
    extras = {"duckdb", "rich", "pytest", "_pytest", "pytest_asyncio", "hypothesis", "numpy"}
    extras |= {"pyarrow", "polars", "pandas", "rybbit_async.tables"}
    assert not loaded & {*extras, "rybbit_async.testing"}
