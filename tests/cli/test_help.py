"""The help, what it imports, and completion."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cyclopts import App

from rybbit_async import Filter
from rybbit_async.cli.app import app_for
from rybbit_async.cli.exits import MEANINGS, CommandError, Exit
from rybbit_async.cli.options.filters import FORMS, NAMES, FilterOptions, parse_filter
from rybbit_async.parameters.filters import FILTER_PARAMETERS, FILTER_TYPES
from rybbit_async.testing import RybbitServer
from rybbit_async.version import __version__

from .conftest import Result

Cli = Callable[..., Result]


def commands(of: App, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    for name, command in of.resolved_commands().items():
        if not name.startswith("-"):
            inner = [*commands(command, *path, name)]
            if command.default_command is not None or not inner:
                yield (*path, name)
            yield from inner


COMMANDS = sorted(commands(app_for()))


def test_the_commands_are_found() -> None:
    assert {("sites",), ("goals", "list"), ("export",), ("export", "plan"), ("config", "set")} <= {
        *COMMANDS
    }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_with_an_example(cli: Cli, command: tuple[str, ...]) -> None:
    result = cli(*command, "--help", width=80)
    assert result.code == 0
    assert f"rybbit-async {' '.join(command)}" in result.out.partition("\n")[2]
    assert all(len(line) <= 80 for line in result.out.splitlines())


def test_every_argument_is_explained() -> None:
    for command in COMMANDS:
        inner = app_for()
        for word in command:
            inner = inner[word]
        arguments = inner.assemble_argument_collection(parse_docstring=True)
        for argument in arguments.filter_by(show=True):
            assert argument.parameter.help, (command, argument.name)


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"{__version__}\n"


def test_every_operator_has_a_form() -> None:
    assert {*FORMS.values(), "is_null", "is_not_null"} == {*FILTER_TYPES}
    assert {*NAMES} == FILTER_PARAMETERS
    assert list(NAMES) == sorted(NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("country=US,CA", Filter.equals("country", "US", "CA")),
        (r"page_title=a\,b,c\\", Filter.equals("page_title", "a,b", "c\\")),
        ("country=", Filter.equals("country", "")),
        ("country != US", Filter.not_equals("country", "US")),
        ("pathname~blog", Filter.contains("pathname", "blog")),
        ("pathname!~blog", Filter.not_contains("pathname", "blog")),
        ("pathname=~^/a{1,3}$", Filter.regex("pathname", "^/a{1,3}$")),
        ("pathname!=~x", Filter.not_regex("pathname", "x")),
        ("pathname^=/a", Filter.starts_with("pathname", "/a")),
        ("pathname$=/a", Filter.ends_with("pathname", "/a")),
        ("lat>5.5", Filter.greater_than("lat", 5.5)),
        ("lat<-5", Filter.less_than("lat", -5)),
        ("lat>=5", Filter.greater_than_or_equal("lat", 5)),
        ("lat<=5", Filter.less_than_or_equal("lat", 5)),
        ("referrer is null", Filter.is_null("referrer")),
        ("Referrer IS NOT NULL", Filter.is_not_null("referrer")),
        ("page_title=a is null", Filter.equals("page_title", "a is null")),
    ],
)
def test_filters(text: str, expected: Filter) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["country"], "must be a name, an operator and values, such as 'country=US,CA', got"),
        (["contry=US"], "got 'contry=US', did you mean country?"),
        (["foo=US"], "got 'foo=US': it is one of browser, browser_version,"),
        (["country==US"], "must have one =, as in 'country=US', got 'country==US'"),
        (["country=us"], "must have countries as two capital letters, such as 'country=DE'"),
        (["country!=Germany"], "must have countries as two capital letters"),
        (["device_type=mobile"], "must have devices that are Desktop, Mobile, Tablet"),
        (["lat>x"], "Filter.value must be a number for lat, got 'x'"),
        (["country=US", "country=DE"], "for either of them write --filter 'country=US,DE'"),
    ],
)
def test_filters_that_match_nothing(texts: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)) as caught:
        FilterOptions(tuple(texts)).resolve()
    assert caught.value.exit is Exit.USAGE
    assert FilterOptions(("country=US,DE", "country=DE", "country~D")).resolve()


def _loaded(*arguments: str, env: dict[str, str] | None = None) -> set[str]:
    """The modules that a command imports, in a process of its own."""
    code = (
        "import json, sys; from rybbit_async.cli import main; code = main(sys.argv[1:]); "
        "sys.stderr.write(json.dumps(sorted(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=None if env is None else {"PYTHONPATH": ":".join(sys.path), **env},
        check=True,
    )
    return {*json.loads(done.stderr)}


def test_help_imports_little() -> None:
    for arguments in (["--help"], ["sessions", "--help"], ["goals", "apply", "--help"]):
        loaded = _loaded(*arguments)
        names = {"aiohttp", "asyncio", "cattrs", "pyarrow", "altair", "duckdb", "ruamel.yaml"}
        assert not loaded & {*names, "rich.progress", "rybbit_async.client"}, arguments


def test_a_command_imports_no_extra_that_it_does_not_need(
    server: RybbitServer, tmp_path: Path
) -> None:
    env = {
        "RYBBIT_BASE_URL": server.url,
        "RYBBIT_API_KEY": server.api_key,
        "RYBBIT_CONFIG": str(tmp_path / "none.toml"),
    }
    loaded = _loaded("sessions", "1", "--csv", env=env)
    extras = {"pyarrow", "altair", "vl_convert", "duckdb", "fsspec", "ruamel.yaml", "tomlkit"}
    assert "aiohttp" in loaded
    assert not loaded & {*extras, "rybbit_async.export", "rybbit_async.testing"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(cli: Cli, shell: str) -> None:
    script = cli("completion", shell).out
    for word in ("sessions", "compare", "apply", "--last"):
        assert word in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(cli: Cli, tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(cli("completion", "bash").out)

    def completed(*words: str) -> set[str]:
        program = (
            f"source {script}; COMP_WORDS=({' '.join(words)!s} ''); "
            f"COMP_CWORD={len(words)}; $(complete -p rybbit-async | "
            "sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
        return {*done.stdout.split()}

    assert {"goals", "sessions", "export"} <= completed("rybbit-async")
    assert {"list", "compare", "plan"} <= completed("rybbit-async", "goals")


# --- documentation -----------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def samples() -> Iterator[tuple[str, str]]:
    """Every line of a document that runs a command."""
    for path in DOCUMENTS:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            for line in block.splitlines():
                if line.startswith("rybbit-async "):
                    yield path.name, line


SAMPLES = [*samples()]


def test_there_are_samples() -> None:
    assert {"README.md", "command-line.md"} <= {name for name, _ in SAMPLES}


@pytest.mark.parametrize(("document", "line"), SAMPLES)
def test_every_command_in_the_documents_is_one(document: str, line: str) -> None:
    words = shlex.split(line.partition(" | ")[0].partition(" > ")[0], comments=True)[1:]
    command, _, ignored = app_for().parse_args(words, exit_on_error=False, print_error=False)
    assert not ignored
    assert command.__module__.startswith("rybbit_async.cli.commands") or "--help" in words


def test_the_documents_have_all_exit_codes() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    for code, meaning in MEANINGS.items():
        assert f"| {code.value} | {meaning} |\n" in text


def test_the_documents_have_all_operators() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    table = text.partition("| filter | holds if |")[2].partition("\n\n")[0]
    filters = [parse_filter(one) for row in table.splitlines()
               for one in re.findall(r"`(.*?)`", row.split(" | ")[0])]  # fmt: skip
    assert {one.type for one in filters} == {*FILTER_TYPES}
