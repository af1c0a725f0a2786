"""The file with profiles: servers and keys, by name."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from attrs import field, fields, frozen

from .exits import CommandError, Exit

__all__ = ["SECRETS", "Profile", "Profiles", "load", "path_of_profiles"]

SECRETS: Final = frozenset({"api_key", "password"})


@frozen
class Profile:
    """One server, and how to sign in there.

    Attributes:
        base_url: its address.
        api_key: the key; ``api_key_command`` is a command that prints it.
        email: to sign in with a password, which ``password_command`` prints.
        time_zone: the time zone in which days begin and end.
        allow_http, proxy, ca, timeout, rate_limit: as the options of these names.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_key_command: str | None = None
    email: str | None = None
    password: str | None = field(default=None, repr=False)
    password_command: str | None = None
    time_zone: str | None = None
    allow_http: bool | None = None
    proxy: str | None = field(default=None, repr=False)
    ca: str | None = None
    timeout: float | None = None
    rate_limit: str | None = None

    @property
    def has_credentials(self) -> bool:
        """Whether it says how to sign in."""
        return bool(self.api_key or self.api_key_command or self.email)


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    f.name: {"allow_http": (bool,), "timeout": (int, float)}.get(f.name, (str,))
    for f in fields(Profile)
}
_WORDS: Final = {str: "text", bool: "true or false", int: "a number"}


@frozen
class Profiles:
    """What the file holds.

    Attributes:
        path: the file; it need not exist.
        default: the name of the profile that is used if none is named.
        profiles: all of them, by name.
    """

    path: Path
    default: str | None = None
    profiles: Mapping[str, Profile] = field(factory=dict[str, Profile])

    def get(self, name: str | None) -> Profile:
        """A profile by name; without one the default, or an empty one if there is none.

        Raises:
            CommandError: there is none of this name.
        """
        wanted = name or self.default
        if wanted is None:
            return Profile()
        if wanted not in self.profiles:
            known = ", ".join(sorted(self.profiles)) or "none"
            raise CommandError(
                f"the profile must be one of {self.path} ({known}), got {wanted!r}", Exit.USAGE
            )
        return self.profiles[wanted]

    def problem(self) -> str | None:
        """What to warn of: a file with secrets that other users can read."""
        if os.name != "posix" or not any(
            getattr(profile, name) for profile in self.profiles.values() for name in SECRETS
        ):
            return None
        if stat.S_IMODE(self.path.stat().st_mode) & 0o077 == 0:
            return None
        return f"other users can read the keys in {self.path}: run chmod 600 '{self.path}'"


def path_of_profiles() -> Path:
    """Where the file is: in the folder for settings of the system, or where RYBBIT_CONFIG says."""
    given = os.environ.get("RYBBIT_CONFIG")
    if given:
        with suppress(RuntimeError):  # ~somebody, who is not known here
            return Path(given).expanduser()
        return Path(given)
    from platformdirs import user_config_path

    return user_config_path("rybbit-async") / "config.toml"


def load() -> Profiles:
    """Read the file; no file has no profiles.

    Raises:
        CommandError: it cannot be read.
    """
    path = path_of_profiles()
    try:
        document = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return Profiles(path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} must be TOML: {error}", Exit.USAGE) from None
    return parse(path, document)


def parse(path: Path, document: Mapping[str, Any]) -> Profiles:
    """What a document holds.

    Raises:
        CommandError: it has what no profile has.
    """
    unknown = sorted({*document} - {"default", "profiles"})
    if unknown:
        raise CommandError(
            f"{path} must have only default and [profiles.NAME], got {unknown[0]!r}", Exit.USAGE
        )
    default, found = document.get("default"), document.get("profiles", {})
    if not isinstance(found, dict):
        raise CommandError(f"{path} must have profiles as [profiles.NAME]", Exit.USAGE)
    profiles = {
        name: _profile(f"[profiles.{name}] in {path}", settings)
        for name, settings in cast("dict[str, Any]", found).items()
    }
    if default is not None and default not in profiles:
        raise CommandError(
            f"default in {path} must be the name of a profile in it, got {default!r}", Exit.USAGE
        )
    return Profiles(path, default, profiles)


def _profile(where: str, settings: Any) -> Profile:
    if not isinstance(settings, dict):
        raise CommandError(f"{where} must be a table of settings", Exit.USAGE)
    settings = cast("dict[str, Any]", settings)
    for name, value in settings.items():
        check_setting(where, name, value)
    return Profile(**settings)


def check_setting(where: str, name: str, value: object) -> None:
    """Refuse a setting that no profile has, or a value of another type; ``None`` is of every type.

    Raises:
        CommandError: it is refused.
    """
    if name not in _TYPES:
        raise CommandError(f"{where} must have only {', '.join(_TYPES)}, got {name!r}", Exit.USAGE)
    kinds = _TYPES[name]
    if value is None:
        return
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise CommandError(f"{name} of {where} must be {_WORDS[kinds[0]]}", Exit.USAGE)
