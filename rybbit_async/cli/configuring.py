"""Changing the file with profiles; its comments stay."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import tomlkit
from attrs import asdict
from filelock import FileLock
from tomlkit.exceptions import TOMLKitError

from ..parameters.checks import check_text
from ..transport.connection_settings import check_proxy
from ..transport.options import Timeout
from ..transport.settings import check_base_url, check_timeout
from .exits import CommandError, Exit
from .options.window import zone_of
from .profiles import SECRETS, Profiles, check_setting, load, parse, path_of_profiles
from .settings import asked, rate_limit_of
from .terminal import Terminal

__all__ = ["change", "choose", "drop", "show_profiles"]

# A command may have a secret in it, and the address of a proxy a password.
_HIDDEN: Final = SECRETS | {"api_key_command", "password_command", "proxy"}
_FIRST: Final = "default"  # the name of the first profile, if none is given


def show_profiles(*, as_json: bool) -> int:
    """Show what the file holds, without secrets."""
    terminal, profiles = Terminal(), load()
    problem = profiles.problem()
    if problem:
        terminal.warn(problem)
    shown = {name: _shown(asdict(profile)) for name, profile in profiles.profiles.items()}
    if as_json or not terminal.out_is_terminal:
        document = {"path": str(profiles.path), "default": profiles.default, "profiles": shown}
        terminal.write_json(json.dumps(document, ensure_ascii=False, indent=2))
        return Exit.OK
    terminal.write(f"{profiles.path}\n")
    if not shown:
        terminal.message("There are no profiles: rybbit-async config set base_url URL makes one.")
    for name, settings in shown.items():
        mark = "  (default)" if name == profiles.default else ""
        terminal.write(f"\n{name}{mark}\n")
        for key, value in settings.items():
            terminal.write(f"  {key:<18} {value}\n")
    return Exit.OK


def _shown(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        name: "(set)" if name in _HIDDEN else value
        for name, value in settings.items()
        if value is not None
    }


def change(profile: str | None, setting: str, text: str | None) -> int:
    """Set a setting of a profile, or remove it."""
    with _alone():
        return _change(profile, setting, text)


def _change(profile: str | None, setting: str, text: str | None) -> int:
    terminal, profiles = Terminal(), load()
    name = profile or profiles.default or _FIRST
    where = f"[profiles.{name}] in {profiles.path}"
    if text is None:
        check_setting(where, setting, None)
        value = None
    else:
        value = _value(where, setting, text, terminal)
    document = _read(profiles)
    if document.setdefault("default", name) != name and name not in profiles.profiles:
        terminal.message(f"rybbit-async config use {name} makes this profile the default.")
    settings: Any = document.setdefault("profiles", tomlkit.table(True)).setdefault(
        name, tomlkit.table()
    )
    if value is not None:
        settings[setting] = value
    elif settings.pop(setting, None) is None:
        raise CommandError(f"{where} has no {setting}", Exit.NOT_FOUND)
    _write(profiles.path, document)
    terminal.message(f"{setting} of profile {name} was {'set' if text else 'removed'}.")
    if "base_url" not in settings:
        terminal.warn(
            f"profile {name} has no base_url, so it is for Rybbit's cloud: for a server of your "
            f"own run rybbit-async config set base_url URL --profile {name}"
        )
    return Exit.OK


def _value(where: str, setting: str, text: str, terminal: Terminal) -> Any:
    check_setting(where, setting, None)
    if setting in SECRETS:
        if text != "-":
            raise CommandError(
                f"{setting} must be given as -, and then on standard input, since other users of "
                "this machine can see the arguments of a command",
                Exit.USAGE,
            )
        return check_text(setting, asked(setting, terminal))
    if setting == "proxy":
        if "@" in text:
            raise CommandError(
                "proxy must be given as -, and then on standard input, where it has a password, "
                "since other users of this machine can see the arguments of a command",
                Exit.USAGE,
            )
        text = asked(setting, terminal) if text == "-" else text
        check_proxy(text)
    if not text.strip():
        raise CommandError(
            f"{setting} must not be empty: rybbit-async config unset {setting} removes it",
            Exit.USAGE,
        )
    value: Any = text
    match setting:
        case "base_url":
            check_base_url(text, True)
        case "time_zone":
            zone_of(text, "time_zone")
        case "rate_limit":
            rate_limit_of(text)
        case "allow_http":
            value = {"true": True, "false": False}.get(text.lower(), text)
        case "timeout":
            with suppress(ValueError):
                value = float(text)
            if isinstance(value, float):
                check_timeout(value, Timeout())
        case _:
            pass
    check_setting(where, setting, value)
    return value


def choose(profile: str) -> int:
    """Make a profile the default."""
    with _alone():
        profiles = load()
        profiles.get(profile)
        document = _read(profiles)
        document["default"] = profile
        _write(profiles.path, document)
    Terminal().message(f"profile {profile} is the default now.")
    return Exit.OK


def drop(profile: str) -> int:
    """Remove a profile."""
    with _alone():
        profiles = load()
        profiles.get(profile)
        document = _read(profiles)
        table: Any = document["profiles"]
        del table[profile]
        if profiles.default == profile:
            del document["default"]
        _write(profiles.path, document)
    Terminal().message(f"profile {profile} was removed.")
    return Exit.OK


def _alone() -> FileLock:
    """Held while the file is read and written, so that nothing is lost where two change it."""
    path = path_of_profiles()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return FileLock(path.with_name(f".{path.name}.lock"))


def _read(profiles: Profiles) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(profiles.path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return tomlkit.document()
    except TOMLKitError as error:
        raise CommandError(f"{profiles.path} must be TOML: {error}", Exit.USAGE) from None


def _write(path: Path, document: tomlkit.TOMLDocument) -> None:
    """Replace the file by one that only this user can read."""
    parse(path, document.unwrap())
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Made so that only its owner can read it. A link stays, and what it leads to is replaced.
    target = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".config-", suffix=".toml")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(tomlkit.dumps(document))
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
