"""``config``: profiles with servers and keys."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

__all__ = ["path", "remove", "set_", "show", "unset", "use"]


Profile = Annotated[
    str | None,
    Parameter(name="--profile", metavar="NAME", help="The profile; the default one if not given."),
]
Setting = Annotated[
    Literal[
        "base_url", "api_key", "api_key_command", "email", "password", "password_command",
        "time_zone", "allow_http", "proxy", "ca", "timeout", "rate_limit",
    ],
    Parameter(name="SETTING", help="What to set."),
]  # fmt: skip


def show(
    *,
    json: Annotated[bool, Parameter(help="Write JSON.")] = False,
) -> int:
    """Servers and keys, in a file.

    A profile is a server with its key. Options come before the environment, and that before the
    default profile; a profile that `--profile` names comes before the environment. The key of a
    profile is only sent to the server of the profile.

    Without a command this shows the profiles; keys are not shown.

    ```text
    rybbit-async config set base_url https://analytics.example.com
    rybbit-async config set api_key -
    rybbit-async config set api_key_command "pass show rybbit" --profile work
    rybbit-async config use work
    ```
    """
    from ..configuring import show_profiles

    return show_profiles(as_json=json)


def set_(
    setting: Setting,
    value: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="The value. A key or a password must be `-`: it is asked for, or read from "
            "standard input.",
        ),
    ],
    /,
    *,
    profile: Profile = None,
) -> int:
    """Set a setting of a profile, which is made if there is none.

    ```text
    rybbit-async config set base_url https://analytics.example.com
    rybbit-async config set api_key -
    rybbit-async config set time_zone Europe/Berlin --profile work
    ```
    """
    from ..configuring import change

    return change(profile, setting, value)


def unset(setting: Setting, /, *, profile: Profile = None) -> int:
    """Remove a setting of a profile.

    ```text
    rybbit-async config unset proxy --profile work
    ```
    """
    from ..configuring import change

    return change(profile, setting, None)


def use(profile: Annotated[str, Parameter(name="NAME", help="The profile.")], /) -> int:
    """Choose the default profile.

    ```text
    rybbit-async config use work
    ```
    """
    from ..configuring import choose

    return choose(profile)


def remove(profile: Annotated[str, Parameter(name="NAME", help="The profile.")], /) -> int:
    """Remove a profile.

    ```text
    rybbit-async config remove work
    ```
    """
    from ..configuring import drop

    return drop(profile)


def path() -> int:
    """Where the file is; RYBBIT_CONFIG names another one.

    ```text
    rybbit-async config path
    ```
    """
    from ..profiles import path_of_profiles
    from ..terminal import Terminal

    Terminal().write(f"{path_of_profiles()}\n")
    return 0
