"""The options that choose how rows are written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ..exits import CommandError, Exit
from .groups import OUTPUT

__all__ = ["ChartOptions", "Format", "OneOutput", "OutputOptions", "Theme"]

Format = Literal["table", "json", "jsonl", "csv", "parquet"]
Theme = Literal["light", "dark"]


_FORMATS: Final[tuple[Format, ...]] = ("table", "json", "jsonl", "csv", "parquet")


def _flag(help: str) -> Parameter:
    return Parameter(negative="", group=OUTPUT, help=help)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OneOutput:
    """How one thing is written."""

    json: Annotated[
        bool,
        _flag("Write JSON. This is the default where stdout is no terminal."),
    ] = False

    def format(self, is_terminal: bool) -> Format:
        """The format, by the flags and by whether stdout is a terminal."""
        return "json" if self.json or not is_terminal else "table"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """How the rows of a list are written."""

    table: Annotated[
        bool,
        _flag("Write a table. This is the default on a terminal."),
    ] = False
    json: Annotated[bool, _flag("Write JSON: one array.")] = False
    jsonl: Annotated[
        bool,
        _flag(
            "Write JSON Lines: one object for each row. "
            "This is the default where stdout is no terminal."
        ),
    ] = False
    csv: Annotated[
        bool,
        _flag(
            "Write CSV. Text that a spreadsheet would run as a formula has a ' before it, and a "
            "file (> FILE) begins with a byte order mark, by which spreadsheets know UTF-8; "
            "neither with --raw."
        ),
    ] = False
    parquet: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            group=OUTPUT,
            help="Write a Parquet file, which is there only once it is whole.",
        ),
    ] = None
    columns: Annotated[
        str | None,
        Parameter(
            group=OUTPUT,
            metavar="NAMES",
            help="Which columns to write, such as session_id,country. "
            "They are those of CSV; JSON then has them, too, in place of its objects.",
        ),
    ] = None
    limit: Annotated[
        int | None,
        Parameter(
            group=OUTPUT,
            metavar="N",
            validator=Number(gte=0),
            help="How many rows to write; 0 for all. A table of a long list has 50 by default, "
            "and everything else has all.",
        ),
    ] = None
    raw: Annotated[
        bool,
        Parameter(
            negative="",
            group=OUTPUT,
            help="Leave the text in CSV exactly as it is, and add no mark.",
        ),
    ] = False

    def __post_init__(self) -> None:
        """Refuse two formats.

        Raises:
            CommandError: more than one was given.
        """
        given = [f"--{name}" for name in _FORMATS if getattr(self, name)]
        if len(given) > 1:
            known = ", ".join(f"--{name}" for name in _FORMATS)
            raise CommandError(
                f"at most one of {known} must be given, got {' and '.join(given)}", Exit.USAGE
            )

    def format(self, is_terminal: bool) -> Format:
        """The format, by the flags and by whether stdout is a terminal."""
        for name in _FORMATS:
            if getattr(self, name):
                return name
        return "table" if is_terminal else "jsonl"

    @property
    def is_chosen(self) -> bool:
        """Whether a format was asked for."""
        return any(getattr(self, name) for name in _FORMATS)

    def most(self, is_terminal: bool, usual: int | None) -> int | None:
        """How many rows to write at most; ``None`` for all.

        Args:
            is_terminal: whether stdout is a terminal.
            usual: how many rows a table has by default.
        """
        if self.limit is not None:
            return self.limit or None
        return usual if self.format(is_terminal) == "table" else None

    def page_size(self, is_terminal: bool, usual: int | None = 50, largest: int = 1000) -> int:
        """How many rows a request should ask for: those shown, and one that tells of more."""
        most = self.most(is_terminal, usual)
        return largest if most is None else min(largest, most + 1)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ChartOptions:
    """Whether a picture is drawn."""

    chart: Annotated[
        Path | None,
        Parameter(
            group=OUTPUT,
            metavar="FILE",
            help="Draw a picture into this file, by its suffix .svg, .png or .html. PNG has the "
            'fonts of this machine, the others those of who looks. Needs the extra "chart".',
        ),
    ] = None
    theme: Annotated[
        Theme,
        Parameter(group=OUTPUT, help="The colors of the picture."),
    ] = "light"
