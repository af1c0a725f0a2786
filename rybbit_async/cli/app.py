"""The commands of ``rybbit-async``, each imported when it is first run or its help is shown."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any, Final

from cyclopts import App, Group, Parameter

from ..version import __version__
from .exits import MEANINGS

__all__ = ["COMMANDS", "app_for"]

READ: Final = Group("Read", sort_key=1)
WRITE: Final = Group("Change", sort_key=2)
FILES: Final = Group("Goals as a file", sort_key=3)
OTHER: Final = Group("Other", sort_key=4)

COMMANDS: Final = (
    ("", "sites", "lists:sites", READ, "The sites that the key can read."),
    (
        "",
        "sessions",
        "lists:sessions",
        READ,
        "The sessions of a site, or those that reached a goal.",
    ),
    ("", "users", "lists:users", READ, "The users of a site."),
    ("", "events", "lists:events", READ, "The events of a site."),
    ("", "values", "lists:values", READ, "The values of a parameter, such as countries or pages."),
    ("", "watch", "watch:watch", READ, "Conversions as they come."),
    ("goals", "list", "goals:list_goals", READ, "The goals of a site, with their conversions."),
    ("goals", "get", "goals:get", READ, "One goal."),
    ("goals", "summary", "figures:summary", READ, "One line for each site: its goals in figures."),
    ("goals", "series", "figures:series", READ, "The conversions of goals by day."),
    ("goals", "compare", "figures:compare", READ, "Compare two times: each goal, and the change."),
    ("goals", "create", "goals:create", WRITE, "Create a goal."),
    ("goals", "update", "goals:update", WRITE, "Change a goal."),
    ("goals", "delete", "goals:delete", WRITE, "Delete a goal."),
    ("goals", "dump", "goal_file:dump", FILES, "Write the goals of sites as a file."),
    ("goals", "plan", "goal_file:plan", FILES, "What a file of goals would change."),
    ("goals", "apply", "goal_file:apply", FILES, "Make the goals as a file says."),
    ("export", "plan", "export:plan", None, "What an export would do and cost."),
    ("export", "status", "export:status", None, "What a folder holds."),
    ("config", "set", "config:set_", None, "Set a setting of a profile."),
    ("config", "unset", "config:unset", None, "Remove a setting of a profile."),
    ("config", "use", "config:use", None, "Choose the default profile."),
    ("config", "remove", "config:remove", None, "Remove a profile."),
    ("config", "path", "config:path", None, "Where the file is."),
    ("", "doctor", "doctor:doctor", OTHER, "Find out what is wrong, and what a bug report needs."),
    ("", "serve", "serve:serve", OTHER, "A server with made-up traffic, to try things out."),
    ("", "demo", "demo:demo", OTHER, "See the package at work."),
    ("", "completion", "completion:completion", OTHER, "Completion for bash, zsh and fish."),
)
"""The parent of each command, its name, where it is, its panel of the help, and what it does."""

PARENTS: Final = (
    ("goals", "", READ, "The goals of a site: list, compare, change."),
    ("export", "export:export", READ, "Write every list of every site into files."),
    ("config", "config:show", OTHER, "Servers and keys, in a file."),
)
"""The commands that have commands, and what each does without one."""

_COMMANDS: Final = "rybbit_async.cli.commands"
_EXIT_CODES: Final = "Exit codes:\n\n" + "\n".join(
    f"- `{code.value}` {meaning}" for code, meaning in MEANINGS.items()
)

_HELP: Final = """Rybbit web analytics: the goals, sessions, users and events of your sites.

Set `RYBBIT_BASE_URL` and `RYBBIT_API_KEY`, or run `rybbit-async config set`. Then:

```text
rybbit-async sites
rybbit-async goals list 123 --last 30d
rybbit-async goals list 123 --csv > goals.csv
rybbit-async export --to folder --last 90d
```

Without a server of your own, `rybbit-async serve` starts one with made-up traffic.
"""

_DEFAULTS: Final = Parameter(negative="", show_default=False, allow_repeating=None)


def app_for(arguments: Collection[str] | None = None) -> App:
    """The program, for one command line.

    The help that a command is registered with takes the place of its docstring. So the commands
    that are in the command line are registered without, and the others with the line that lists of
    commands have. Without a command line every command has its docstring.
    """
    app = App(
        name="rybbit-async",
        help=_HELP,
        version=__version__,
        version_flags=("--version", "-V"),
        help_format="markdown",
        help_epilogue=_EXIT_CODES,
        default_parameter=_DEFAULTS,
    )
    of = {"": app}
    for name, where, group, summary in PARENTS:
        # What such a command does without another one is only imported when it is needed.
        is_used = arguments is None or name in arguments
        own = _imported(where) if where and is_used else None
        of[name] = App(
            name=name,
            group=group,
            help=None if own else summary,
            help_epilogue="",
            default_command=own,
        )
        app.command(of[name])
    for parent, name, where, panel, summary in COMMANDS:
        of[parent].command(
            f"{_COMMANDS}.{where}",
            name=name,
            group=panel,
            help=None if arguments is None or name in arguments else summary,
            help_epilogue="",
        )
    return app


def _imported(where: str) -> Callable[..., Any]:
    module, _, name = where.partition(":")
    command: Callable[..., Any] = getattr(import_module(f"{_COMMANDS}.{module}"), name)
    return command
