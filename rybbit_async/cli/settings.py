"""How to reach the server, decided: options over the environment over a profile."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Coroutine
from getpass import getpass
from typing import Any, Final

from attrs import field, frozen

from .. import PasswordLogin, RateLimit, RybbitClient
from .durations import seconds_of
from .exits import CommandError, Exit
from .options.connection import Connection
from .profiles import Profile, Profiles, load
from .terminal import Terminal

__all__ = ["Settings", "asked", "rate_limit_of", "settle"]

KeyCommand = Callable[[], Coroutine[Any, Any, str]]

_IN_ARGUMENTS: Final = (
    "--api-key must be -, which reads the key from standard input, since other users of this "
    "machine can see the arguments of a command: set RYBBIT_API_KEY, or run rybbit-async config"
)


@frozen
class Settings:
    """How to reach the server.

    Attributes:
        base_url: its address; ``None`` for the cloud's.
        api_key: the key, or a function that has a command print it; ``None`` for public sites.
        login: in place of a key.
        time_zone: in which days begin and end.
        options: further arguments of the client.
        sources: by the name of a setting, where it comes from: ``"--base-url"``,
            ``"RYBBIT_BASE_URL"`` or ``"profile work"``.
    """

    base_url: str | None
    api_key: str | KeyCommand | None = field(repr=False)
    login: PasswordLogin | None
    time_zone: str
    options: dict[str, Any] = field(repr=False)
    sources: dict[str, str]

    def client(self) -> RybbitClient:
        """A client with these settings."""
        # With a login there is no key; else an empty one would be taken from the environment.
        return RybbitClient(
            self.api_key, auth=self.login, base_url=self.base_url, trust_env=True, **self.options
        )


class _Sources:
    """Looks a setting up in the options, the environment and the profile."""

    def __init__(self, connection: Connection, terminal: Terminal) -> None:
        self._connection = connection
        self._profiles: Profiles = load()
        problem = self._profiles.problem()
        if problem:
            terminal.warn(problem)
        named = connection.profile or os.environ.get("RYBBIT_PROFILE") or None
        self.profile: Profile = self._profiles.get(named)
        self._profile_name = named or self._profiles.default
        self.sources: dict[str, str] = {}

    def get(self, name: str, variable: str | None = None) -> Any:
        """A setting; a profile that an option names comes before the environment."""
        option = getattr(self._connection, name, None)
        if option is not None and option is not False:
            self.sources[name] = f"--{name.replace('_', '-')}"
            return option
        in_environment = os.environ.get(variable or "", "").strip() or None
        in_profile = getattr(self.profile, name, None)
        if in_profile is not None and (self._connection.profile or in_environment is None):
            self.sources[name] = f"profile {self._profile_name}"
            return in_profile
        if in_environment is not None:
            self.sources[name] = variable or ""
        return in_environment


def settle(connection: Connection, terminal: Terminal) -> Settings:
    """Decide how to reach the server. Nothing is sent.

    Raises:
        CommandError: a setting is wrong.
        InvalidParameterError: a setting is none that a client takes.
    """
    if connection.api_key not in (None, "-"):
        raise CommandError(_IN_ARGUMENTS, Exit.USAGE)
    if connection.proxy is not None and "@" in connection.proxy:
        raise CommandError(
            "--proxy must not have a password, since other users of this machine can see the "
            "arguments of a command: set HTTPS_PROXY, or run rybbit-async config set proxy -",
            Exit.USAGE,
        )
    found = _Sources(connection, terminal)
    base_url = found.get("base_url", "RYBBIT_BASE_URL")
    # The key of a profile is for the server of the profile, and for no other.
    is_elsewhere = base_url is not None and not _same(base_url, found.profile.base_url)
    if is_elsewhere and found.profile.has_credentials and found.profile.base_url:
        terminal.message(
            f"the key of the profile is not used, since it is for {found.profile.base_url}"
        )
    limit = found.get("rate_limit")
    options = {
        "allow_http": connection.allow_http
        or (bool(found.profile.allow_http) and not is_elsewhere),
        "proxy": found.get("proxy"),
        "timeout": found.get("timeout"),
        "rate_limit": None if limit is None else rate_limit_of(limit),
    }
    ca = found.get("ca")
    if ca is not None:
        options["ssl"] = ca
    login = _login(found, is_elsewhere)
    key = None if login else _key(found, connection, is_elsewhere, terminal)
    zone = os.environ.get("RYBBIT_TIME_ZONE") or found.profile.time_zone or "UTC"
    return Settings(base_url, key, login, zone, options, found.sources)


def _same(url: str, other: str | None) -> bool:
    """Whether two addresses are of one server."""
    return other is not None and url.rstrip("/").casefold() == other.rstrip("/").casefold()


def _key(
    found: _Sources, connection: Connection, is_elsewhere: bool, terminal: Terminal
) -> str | KeyCommand | None:
    if connection.api_key == "-":
        found.sources["api_key"] = "standard input"
        return asked("the API key", terminal)
    in_environment = os.environ.get("RYBBIT_API_KEY", "").strip()
    profile = found.profile
    if not is_elsewhere and (connection.profile or not in_environment):
        if profile.api_key_command is not None:
            found.sources["api_key"] = "api_key_command of the profile"
            return _printed_by("api_key_command", profile.api_key_command)
        if profile.api_key is not None:
            found.get("api_key")
            return profile.api_key
    if in_environment:
        found.sources["api_key"] = "RYBBIT_API_KEY"
    return in_environment or None


def _login(found: _Sources, is_elsewhere: bool) -> PasswordLogin | None:
    email = found.get("email", "RYBBIT_EMAIL")
    if email is None or (is_elsewhere and found.sources["email"].startswith("profile")):
        return None
    password = os.environ.get("RYBBIT_PASSWORD") or None
    if password is None and not is_elsewhere:
        password = found.profile.password
        command = found.profile.password_command
        if password is None and command is not None:
            password = asyncio.run(_printed_by("password_command", command)())
    if password is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise CommandError(
                "--email needs a password: set RYBBIT_PASSWORD, or password_command in a profile",
                Exit.USAGE,
            )
        password = getpass(f"Password of {email}: ")
    return PasswordLogin(email, password)


def asked(what: str, terminal: Terminal) -> str:
    """A line of standard input, which a terminal does not show.

    Raises:
        CommandError: there is none.
    """
    line = getpass(f"Enter {what}: ") if terminal.in_is_terminal else _line()
    if not line.strip():
        raise CommandError(f"standard input must have {what}, got nothing", Exit.USAGE)
    return line.strip()


def _line() -> str:
    return "" if sys.stdin is None else sys.stdin.readline()


def _printed_by(name: str, command: str) -> KeyCommand:
    """A function that runs a command and returns the first line that it prints."""

    async def run() -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                *shlex.split(command), stdout=asyncio.subprocess.PIPE
            )
        except (OSError, ValueError) as error:
            raise CommandError(f"{name} cannot be run: {error}", Exit.USAGE) from None
        output, _ = await process.communicate()
        line = output.decode("utf-8", "replace").partition("\n")[0].strip()
        if process.returncode or not line:
            raise CommandError(
                f"{name} must print one line and exit with 0, got "
                + (f"exit code {process.returncode}" if process.returncode else "nothing"),
                Exit.AUTHENTICATION,
            )
        return line

    return run


def rate_limit_of(text: str) -> RateLimit:
    """A rate limit such as ``500/10m``.

    Raises:
        CommandError: it is none.
    """
    number, slash, time = text.partition("/")
    if not slash or not number.strip().isdecimal() or not int(number):
        raise CommandError(
            f"--rate-limit must be a number of requests and a time, such as 500/10m, got {text!r}",
            Exit.USAGE,
        )
    return RateLimit(int(number), per=seconds_of("the time of --rate-limit", time))
