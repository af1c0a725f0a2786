"""Profiles, and where settings come from."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from rybbit_async.cli.exits import Exit
from rybbit_async.testing import RybbitServer

from .conftest import Result

Cli = Callable[..., Result]

NOT_THERE = "http://127.0.0.1:9"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_a_profile_in_place_of_the_environment(
    cli: Cli, config: Path, server: RybbitServer
) -> None:
    assert cli("config", "set", "base_url", server.url).code == Exit.OK
    assert cli("config", "set", "api_key", "-", stdin=f"{server.api_key}\n").code == Exit.OK
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert tomllib.loads(config.read_text()) == {
        "default": "default",
        "profiles": {"default": {"base_url": server.url, "api_key": server.api_key}},
    }
    assert cli("sites", url="", key="").code == Exit.OK
    shown = cli("config")
    assert json.loads(shown.out)["profiles"]["default"]["api_key"] == "(set)"
    people = cli("config", tty=True)
    assert server.api_key not in shown.out + people.out
    assert "default  (default)" in people.out


def test_options_over_the_environment_over_the_default_profile(
    cli: Cli, config: Path, server: RybbitServer
) -> None:
    config.write_text(
        f'default = "a"\n[profiles.a]\nbase_url = "{server.url}"\napi_key = "wrong-key"\n'
    )
    config.chmod(0o600)
    good, bad = f"{server.api_key}\n", Exit.AUTHENTICATION
    assert cli("sites", url="", key="").code == bad
    assert cli("sites").code == Exit.OK  # the environment
    assert cli("sites", env={"RYBBIT_PROFILE": "a"}).code == Exit.OK
    assert cli("sites", "--profile", "a").code == bad
    assert cli("sites", "--profile", "a", "--api-key", "-", stdin=good).code == Exit.OK
    assert cli("sites", "--api-key", "-", stdin="wrong-key\n").code == bad


def test_the_key_of_a_profile_is_for_its_server(
    cli: Cli, config: Path, server: RybbitServer
) -> None:
    config.write_text(
        f'default = "a"\n[profiles.a]\nbase_url = "{NOT_THERE}"\napi_key = "{server.api_key}"\n'
    )
    for options in (["--base-url", server.url], ["--profile", "a", "--base-url", server.url]):
        result = cli("sites", *options, key="")
        assert result.code == Exit.AUTHENTICATION
        assert "no key was sent" in result.err


def test_a_key_from_a_command(cli: Cli, config: Path, server: RybbitServer) -> None:
    config.write_text(f'default = "a"\n[profiles.a]\nbase_url = "{server.url}"\n')
    script = config.with_name("key.py")
    script.write_text(f"print({server.api_key!r})")
    command = f"{sys.executable} {script}"
    assert cli("config", "set", "api_key_command", command).code == Exit.OK
    assert cli("sites", url="", key="").code == Exit.OK
    script.write_text("raise SystemExit(3)")
    failed = cli("sites", url="", key="")
    assert failed.code == Exit.AUTHENTICATION
    assert "api_key_command must print one line and exit with 0, got exit code 3" in failed.err
    assert cli("config", "set", "api_key_command", "no-such-command").code == Exit.OK
    missing = cli("sites", url="", key="")
    assert missing.code == Exit.USAGE
    assert "api_key_command cannot be run" in missing.err


def test_a_key_from_standard_input(cli: Cli, server: RybbitServer) -> None:
    assert cli("sites", "--api-key", "-", key="", stdin=f"{server.api_key}\n").code == Exit.OK
    assert cli("sites", "--api-key", "-", stdin="wrong-key\n").code == Exit.AUTHENTICATION
    nothing = cli("sites", "--api-key", "-", key="")
    assert nothing.code == Exit.USAGE
    assert "standard input must have the API key, got nothing" in nothing.err


def test_a_key_as_an_argument_is_refused_and_not_repeated(cli: Cli) -> None:
    for arguments in (
        ["sites", "--api-key", "rb_0123456789abcdef"],
        ["sites", "--api-key=rb_0123456789abcdef"],
        ["sites", "rb_0123456789abcdef"],
        ["config", "set", "api_key", "rb_0123456789abcdef"],
    ):
        result = cli(*arguments)
        assert result.code == Exit.USAGE
        assert "0123456789abcdef" not in result.out + result.err
    assert "set RYBBIT_API_KEY, or run rybbit-async config" in cli("sites", "--api-key=x").err


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_file_that_others_can_read_is_warned_of(cli: Cli, config: Path) -> None:
    config.write_text('[profiles.a]\napi_key = "rb_0123456789abcdef"\n')
    config.chmod(0o644)
    warned = cli("sites")
    assert warned.code == Exit.OK
    said = f"warning: other users can read the keys in {config}: run chmod 600 '{config}'\n"
    assert warned.err == said
    config.chmod(0o600)
    assert cli("sites").err == ""


def test_changing_profiles(cli: Cli, config: Path) -> None:
    config.write_text(
        '# mine\ndefault = "a"\n[profiles.a]\nproxy = "http://u:pw@p" # why\n[profiles.b]\n'
    )
    shown = cli("config")
    assert "pw" not in shown.out
    assert cli("config", "set", "time_zone", "Europe/Berlin", "--profile", "b").code == Exit.OK
    assert cli("config", "set", "allow_http", "true", "--profile", "b").code == Exit.OK
    assert cli("config", "set", "timeout", "5", "--profile", "b").code == Exit.OK
    assert cli("config", "use", "b").code == Exit.OK
    assert cli("config", "unset", "proxy", "--profile", "a").code == Exit.OK
    assert config.read_text().startswith('# mine\ndefault = "b"\n')
    assert tomllib.loads(config.read_text())["profiles"] == {
        "a": {},
        "b": {"time_zone": "Europe/Berlin", "allow_http": True, "timeout": 5.0},
    }
    assert ", Europe/Berlin\n" in cli("goals", "list", 1, "--today", "--table").out
    assert cli("config", "remove", "b").code == Exit.OK
    assert tomllib.loads(config.read_text()) == {"profiles": {"a": {}}}
    assert cli("config", "path").out == f"{config}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "colour", "red"], "SETTING must be base_url, api_key, api_key_command,"),
        (["set", "base_url", "not a url"], "base_url must"),
        (["set", "time_zone", "Berlin"], "time_zone must be the IANA name of a time zone"),
        (["set", "allow_http", "maybe"], "must be true or false"),
        (["set", "timeout", "long"], "must be a number"),
        (["set", "rate_limit", "500"], "must be a number of requests and a time, such as 500/10m"),
        (["use", "home"], "must be one of"),
    ],
)
def test_what_no_profile_has(cli: Cli, config: Path, arguments: list[str], said: str) -> None:
    result = cli("config", *arguments)
    assert result.code == Exit.USAGE
    assert said in result.err
    assert not config.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[profiles", "must be TOML"),
        ("key = 1", "must have only default and [profiles.NAME], got 'key'"),
        ('default = "x"', "must be the name of a profile in it, got 'x'"),
        ("profiles = 1", "must have profiles as [profiles.NAME]"),
        ("[profiles]\na = 1", "must be a table of settings"),
        ("[profiles.a]\nkey = 1", "got 'key'"),
        ("[profiles.a]\ntimeout = true", "timeout of [profiles.a]"),
    ],
)
def test_a_file_that_is_wrong(cli: Cli, config: Path, text: str, said: str) -> None:
    config.write_text(text)
    for command in ("sites", "config"):
        result = cli(command)
        assert result.code == Exit.USAGE
        assert said in result.err
        assert str(config) in result.err


def test_other_settings(cli: Cli) -> None:
    assert cli("sites", "--rate-limit", "500/10m", "--timeout", 5).code == Exit.OK
    wrong = cli("sites", "--rate-limit", "500/soon")
    assert wrong.code == Exit.USAGE
    assert "the time of --rate-limit must be a number of seconds" in wrong.err
    no_file = cli("sites", "--ca", "no-such-file.pem")
    assert no_file.code == Exit.USAGE
    no_password = cli("sites", "--email", "a@example.com")
    assert no_password.code == Exit.USAGE
    assert "--email needs a password: set RYBBIT_PASSWORD" in no_password.err
    plain = cli("sites", "--base-url", "http://10.255.255.1")
    assert plain.code == Exit.USAGE
    assert "--allow-http allows it" in plain.err


def test_two_changes_at_once_lose_nothing(cli: Cli, config: Path) -> None:
    settings = {"time_zone": "Europe/Berlin", "email": "a@example.com", "ca": "ca.pem"}
    env = {**os.environ, "RYBBIT_CONFIG": str(config)}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "rybbit_async", "config", "set", name, value],
            env=env,
            stderr=subprocess.DEVNULL,
        )
        for name, value in settings.items()
    ]
    assert [one.wait(30) for one in running] == [0, 0, 0]
    assert tomllib.loads(config.read_text())["profiles"]["default"] == settings


def test_plain_http_is_allowed_for_the_server_of_the_profile(cli: Cli, config: Path) -> None:
    config.write_text(
        'default = "a"\n[profiles.a]\nbase_url = "http://10.255.255.1"\nallow_http = true\n'
    )
    elsewhere = cli("sites", "--base-url", "http://10.255.255.2")
    assert elsewhere.code == Exit.USAGE
    assert "--allow-http allows it" in elsewhere.err


def test_passwords_are_no_arguments(cli: Cli, config: Path) -> None:
    for arguments in (
        ["sites", "--proxy", "http://me:hunter2@proxy.example:3128"],
        ["config", "set", "proxy", "http://me:hunter2@proxy.example:3128"],
    ):
        result = cli(*arguments)
        assert result.code == Exit.USAGE
        assert "hunter2" not in result.err
    stored = cli("config", "set", "proxy", "-", stdin="http://me:hunter2@proxy.example:3128\n")
    assert stored.code == Exit.OK
    assert "hunter2" not in cli("config").out
    assert cli("config", "set", "email", "").code == Exit.USAGE
    assert cli("config", "set", "timeout", "-1").code == Exit.USAGE
