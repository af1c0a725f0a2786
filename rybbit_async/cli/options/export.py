"""The options of an export and of its plan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from cyclopts import Group, Parameter

from ..durations import seconds_of
from ..exits import CommandError, Exit
from .filters import FilterOptions
from .groups import TIME
from .window import TimeZone, WindowOptions, now, zone_of

__all__ = ["ExportOptions", "parse_storage_options"]

ListName = Literal["goals", "goal_sessions", "sessions", "users", "events"]

_FILES: Final = Group("Files", sort_key=4)
_SECRET: Final = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)


@Parameter(name="*", group=TIME)
@dataclass(frozen=True, kw_only=True)
class ExportWindow:
    """The days of an export, which ends yesterday unless it is told otherwise.

    Today is not over, so its files would be written again the next time.
    """

    last: Annotated[
        str | None,
        Parameter(
            metavar="N",
            help="The last days, weeks, months or years, up to yesterday: `30d`, `4w`, `6mo`.",
        ),
    ] = None
    since: Annotated[
        str | None, Parameter(metavar="DAY", help="The first day, such as `2024-01-01`.")
    ] = None
    until: Annotated[
        str | None, Parameter(metavar="DAY", help="The last day; yesterday if not given.")
    ] = None
    today: Annotated[bool, Parameter(help="Today, as far as it has come.")] = False
    month: Annotated[
        str | None,
        Parameter(metavar="MONTH", help="A month, such as `2024-01`, up to yesterday at most."),
    ] = None
    tz: TimeZone = None

    def days(self, zone: str) -> tuple[date, date]:
        """The first and the last day.

        Raises:
            CommandError: none is given, or one is wrong.
        """
        options = WindowOptions(self.last, self.since, self.until, self.today, self.month)
        found = options.resolve(zone)
        if found.first is None or found.last is None:
            raise CommandError(
                "the time must be given: --last 30d for the 30 days up to yesterday, "
                "--month 2024-01, or --since 2024-01-01 with or without --until",
                Exit.USAGE,
            )
        today = now().astimezone(zone_of(zone)).date()
        yesterday = today - timedelta(days=1)
        if self.last is not None:
            return found.first - timedelta(days=1), yesterday
        if self.month is not None and found.first < today:
            return found.first, min(found.last, yesterday)
        if self.since is not None and self.until is None:
            if found.first > yesterday:
                raise CommandError(
                    "--since must not be after yesterday, when the export ends if --until is not "
                    f"given, got {found.first}",
                    Exit.USAGE,
                )
            return found.first, yesterday
        return found.first, found.last


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What is exported, and how; see ``rybbit_async.export.Export``."""

    to: Annotated[
        str,
        Parameter(
            metavar="URL",
            help="A folder, or a URL that fsspec can write to, such as `s3://bucket/rybbit`.",
        ),
    ]
    site: Annotated[
        tuple[str, ...],
        Parameter(
            consume_multiple=True,
            metavar="SITE",
            help="The sites; every site that the key can read if none is named.",
        ),
    ] = ()
    what: Annotated[
        tuple[ListName, ...],
        Parameter(consume_multiple=True, metavar="LIST", help="The lists; all if none is named."),
    ] = ()
    format: Annotated[
        Literal["parquet", "jsonl", "csv"],
        Parameter(group=_FILES, show_default=True, help="The format of the files."),
    ] = "parquet"
    partition: Annotated[
        Literal["day", "month", "none"],
        Parameter(
            group=_FILES,
            show_default=True,
            help="The windows: a file for each day or month, or one for all of the time. The "
            "figures of goals and users are those of one window each.",
        ),
    ] = "month"
    compression: Annotated[
        Literal["none", "gzip", "zstd"] | None,
        Parameter(group=_FILES, help="Parquet has zstd, and other formats none, if not given."),
    ] = None
    raw: Annotated[
        bool,
        Parameter(group=_FILES, help="Write CSV for programs, without what spreadsheets need."),
    ] = False
    part_rows: Annotated[
        int,
        Parameter(group=_FILES, metavar="N", help="About how many rows a file has at most."),
    ] = 250_000
    storage_option: Annotated[
        tuple[str, ...],
        Parameter(
            group=_FILES,
            consume_multiple=False,
            metavar="NAME=VALUE",
            help="An option of fsspec for the URL, such as `endpoint_url=https://...`; several "
            "can be given.",
        ),
    ] = ()
    force: Annotated[
        bool,
        Parameter(group=_FILES, help="Throw away what another export has written to the folder."),
    ] = False
    lookback: Annotated[
        str,
        Parameter(
            metavar="TIME",
            show_default=True,
            help="How long after its end a window is read again by each run.",
        ),
    ] = "2d"
    page_size: Annotated[
        int, Parameter(metavar="N", help="How many rows a request asks for.", show_default=True)
    ] = 1000
    window: ExportWindow = ExportWindow()
    filters: FilterOptions = FilterOptions()

    def arguments(self, zone: str) -> dict[str, Any]:
        """The arguments of ``Export``.

        Args:
            zone: the time zone if ``--tz`` does not say it.

        Raises:
            CommandError: an option is wrong.
        """
        zone = self.window.tz or zone
        first, last = self.window.days(zone)
        return {
            "to": self.to,
            "since": first,
            "until": last,
            "sites": self.site,
            "format": self.format,
            "partition": self.partition,
            "time_zone": zone,
            "filters": self.filters.resolve(),
            "compression": self.compression,
            "raw": self.raw,
            "lookback": seconds_of("--lookback", self.lookback),
            "part_rows": self.part_rows,
            "page_size": self.page_size,
            "storage_options": parse_storage_options(self.storage_option),
            "force": self.force,
            **({"what": self.what} if self.what else {}),
        }


def parse_storage_options(texts: Sequence[str]) -> dict[str, str] | None:
    """The options of fsspec; ``None`` if there are none.

    Raises:
        CommandError: one has no name, or looks like a secret.
    """
    options: dict[str, str] = {}
    for text in texts:
        name, is_one, value = text.partition("=")
        if not is_one or not name.strip():
            raise CommandError(
                "--storage-option must be a name and a value, such as "
                "endpoint_url=https://storage.example.com",
                Exit.USAGE,
            )
        if _SECRET.search(name):
            raise CommandError(
                f"--storage-option must not be {name.strip()}, since other users of this machine "
                "can see the arguments of a command: set it in the environment, or in the file of "
                "the store, such as AWS_SECRET_ACCESS_KEY or ~/.aws/credentials",
                Exit.USAGE,
            )
        options[name.strip()] = value
    return options or None
