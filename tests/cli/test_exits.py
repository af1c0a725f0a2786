"""Errors: one line, and the exit code."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rybbit_async
from rybbit_async.cli import failures, lists, main
from rybbit_async.cli.exits import MEANINGS, Exit
from rybbit_async.testing import RybbitServer, faults, generate

from .conftest import Result

Cli = Callable[..., Result]


@pytest.fixture
def failing(server: RybbitServer) -> Iterator[RybbitServer]:
    yield server
    server.clear_faults()
    server.release = "2.8"


def test_the_help_has_all_exit_codes(cli: Cli) -> None:
    text = " ".join(cli("--help", width=200).out.split())
    assert set(MEANINGS) == set(Exit)
    for code, meaning in MEANINGS.items():
        assert f"• {code.value} {meaning.replace('`', '')}" in text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["sites"], Exit.OK),
        (["sites", "--frobnicate"], Exit.USAGE),
        (["frobnicate"], Exit.USAGE),
        (["goals", "list"], Exit.USAGE),
        (["goals", "list", "1", "2"], Exit.USAGE),
        (["goals", "get", "1", "x"], Exit.NOT_FOUND),
        (["goals", "list", "not a site"], Exit.NOT_FOUND),
        (["sessions", "1", "--json", "--csv"], Exit.USAGE),
        (["sessions", "1", "--filter", "country"], Exit.USAGE),
        (["sessions", "99"], Exit.NOT_FOUND),
        (["goals", "get", "1", "9999"], Exit.NOT_FOUND),
        (["sites", "--base-url", "http://127.0.0.1:9"], Exit.NETWORK),
    ],
)
def test_codes(cli: Cli, arguments: list[str], code: Exit) -> None:
    result = cli(*arguments)
    assert result.code == code
    if code:
        assert result.out == ""
        (line,) = result.err.splitlines()
        assert line.startswith("rybbit-async: ")
        assert "Traceback" not in line


def test_a_server_that_fails(cli: Cli, failing: RybbitServer) -> None:
    failing.inject(faults.Status(429, headers={"Retry-After": "86400"}), times=1)
    limited = cli("sites")
    assert limited.code == Exit.RATE_LIMIT
    failing.inject(faults.TruncatedJSON(), times=1)
    assert cli("sites").code == Exit.NETWORK


def test_the_cause_of_a_refusal(cli: Cli) -> None:
    for command in (["sites"], ["sessions", 1], ["goals", "list", 99]):
        wrong = cli(*command, key="rb_0123456789")
        assert wrong.code == Exit.AUTHENTICATION
        assert "the server does not accept the key: it is wrong, expired or" in wrong.err
        assert "0123456789" not in wrong.err
        none = cli(*command, key="")
        assert none.code == Exit.AUTHENTICATION
        assert "no key was sent: set RYBBIT_API_KEY, or run rybbit-async config set" in none.err
    unknown = cli("goals", "get", 99, 103)
    assert unknown.code == Exit.NOT_FOUND
    assert "there is no site 99 that the key can read; rybbit-async sites lists" in unknown.err


def test_older_servers_do_not_tell_the_cause(cli: Cli) -> None:
    with RybbitServer(release="2.2") as older:
        result = cli("goals", "list", 99, url=older.url, key="rb_0123456789")
    assert result.code == Exit.AUTHENTICATION
    assert "Possible causes: the site does not exist" in result.err
    assert "--rate-limit 500/10m" in result.err


def test_no_error_names_an_argument_of_python() -> None:
    package = Path(rybbit_async.__file__).parent
    sources = " ".join(
        " ".join(path.read_text("utf-8").split()).replace('" "', "").replace('" f"', "")
        for path in package.rglob("*.py")
        if "cli" not in path.parts
    )
    for python in failures.WORDS:
        assert python in sources, python


def test_a_fault_of_the_program_is_one_line_and_a_traceback_with_debug(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise LookupError("on line 1\nand 2")

    monkeypatch.setattr(lists, "list_sites", broken)
    result = cli("sites")
    assert result.code == Exit.ERROR
    assert result.err == (
        "rybbit-async: LookupError: on line 1 and 2 (this is a fault of rybbit-async: run it with "
        "--debug, and report what it says)\n"
    )
    assert "Traceback" in cli("sites", "--debug").err


EVIL = "\x1b[31m\x9b\x07\u202e\u2028 2026-11-25 INFO forged"


def test_debug_shows_no_control_characters(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        logging.getLogger("rybbit_async.test").warning("one\r\n%s", EVIL)
        raise LookupError(EVIL)

    monkeypatch.setattr(lists, "list_sites", broken)
    err = cli("sites", "--debug").err
    assert not {*EVIL[:1], *"\x9b\x07\u202e\u2028\r"} & {*err}
    shown = r"\x1b[31m\x9b\x07\u202e\u2028 2026-11-25 INFO forged"
    assert f"WARNING one\\r\\n{shown}\n" in err
    assert f"\nLookupError: {shown}\n" in err


@pytest.mark.parametrize("key", ["rb_topsecretkey", "abcdefghij0123456789AB"])
@pytest.mark.parametrize("given", ["{}", "--{}", "--api-key={}", "--limit={}"])
def test_a_key_in_a_wrong_place_is_not_shown(cli: Cli, key: str, given: str) -> None:
    result = cli("sites", given.format(key), "--debug")
    assert result.code == Exit.USAGE
    assert "Traceback" in result.err
    assert key not in result.out + result.err


def test_debug_tells_requests_and_no_key(cli: Cli, server: RybbitServer) -> None:
    result = cli("sites", "--debug")
    assert "GET " in result.err
    assert "/api/organizations: 200 in" in result.err
    assert server.api_key not in result.err
    logger = logging.getLogger("rybbit_async")
    assert (logger.handlers, logger.level, logger.propagate) == ([], logging.NOTSET, True)


def test_ctrl_c_says_so(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    async def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    monkeypatch.setattr(lists, "list_sites", interrupted)
    result = cli("sites")
    assert (result.code, result.err) == (Exit.INTERRUPTED, "rybbit-async: interrupted\n")
    assert ended


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_the_work_as_ctrl_c_does(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    ended = []
    before = signal.signal(number, signal.SIG_DFL)  # nohup, for one, has it ignored

    async def interrupted(*_: object) -> None:
        signal.raise_signal(number)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    monkeypatch.setattr(lists, "list_sites", interrupted)
    try:
        result = cli("sites")
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert (result.code, result.err) == (128 + number, f"rybbit-async: ended by {number.name}\n")
    assert ended


def test_warnings_are_lines(cli: Cli, failing: RybbitServer) -> None:
    result = cli("sessions", 1, "--filter", "city!=Berlin")
    assert result.code == Exit.OK
    (line,) = result.err.splitlines()
    assert line.startswith("warning: ")
    assert "city" in line


def test_what_a_server_ignores_is_refused(cli: Cli) -> None:
    with RybbitServer(release="2.2") as older:
        generate(older.store, seed=1, sessions=50)
        use = {"url": older.url, "key": older.api_key}
        for command in (
            ["sessions", 1, "--goal", 103, "--filter", "country=US"],
            ["watch", 1, "--filter", "country=US", "--for", "1s"],
            ["users", 1, "--search", "x"],
        ):
            result = cli(*command, **use)
            assert (result.code, result.out) == (Exit.USAGE, "")
            assert "ignores" in result.err


MISSING = """
import sys
from rybbit_async.cli import main
for name, *command in (
    ["cyclopts", "sites"],
    ["rich", "--help"],
    ["tomlkit", "config", "set", "time_zone", "UTC"],
    ["ruamel", "goals", "plan", "-"],
):
    loaded = [one for one in sys.modules if one.startswith(("rybbit_async.cli.", name))]
    for module in loaded:
        del sys.modules[module]
    sys.modules[name] = None
    assert main(command) == 1, command
    del sys.modules[name]
"""


def test_without_the_extra() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MISSING], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    said = "rybbit-async: rybbit-async needs {}, which is not installed: pip install"
    expected = [
        f'{said.format(name)} "rybbit_async[cli]"'
        for name in ("cyclopts", "rich", "tomlkit", "ruamel")
    ]
    assert (done.returncode, done.stderr.splitlines()) == (0, expected)


@pytest.mark.parametrize(("closed", "code"), [("stdout", Exit.ERROR), ("stderr", Exit.OK)])
def test_a_stream_that_is_closed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], closed: str, code: Exit
) -> None:
    monkeypatch.setattr(sys, closed, None)
    assert main(["--version"]) == code
    out, err = capfd.readouterr()
    assert "standard output must be open" in err if closed == "stdout" else out
    if closed == "stderr":
        sys.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "rybbit_async", "config", "path"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (1, "rybbit-async: No space left on device\n")
