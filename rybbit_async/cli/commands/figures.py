"""``goals summary``, ``goals series`` and ``goals compare``."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from ..options.arguments import AnySites, Site
from ..options.connection import Connection
from ..options.filters import FilterOptions
from ..options.groups import TIME
from ..options.output import ChartOptions, OutputOptions
from ..options.window import WindowOptions

__all__ = ["compare", "series", "summary"]


def summary(
    *sites: AnySites,
    window: WindowOptions = WindowOptions(),
    filters: FilterOptions = FilterOptions(),
    output: OutputOptions = OutputOptions(),
    connection: Connection = Connection(),
) -> int:
    """One line for each site: its goals in figures.

    Without a time, the figures are those of all time.

    ```text
    rybbit-async goals summary --last 30d
    rybbit-async goals summary 123 124 --month 2024-01 --csv
    ```
    """
    from ..figures import summarize
    from ..run import run

    return run(lambda job: summarize(job, sites, window, filters, output), connection)


def series(
    site: Site,
    /,
    *,
    goal: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="GOAL",
            consume_multiple=False,
            help="Only this goal, by its number or its name; can be given several times.",
        ),
    ] = (),
    by: Annotated[
        Literal["hour", "day", "week", "month"], Parameter(help="How long a bucket of time is.")
    ] = "day",
    window: WindowOptions = WindowOptions(),
    filters: FilterOptions = FilterOptions(),
    output: OutputOptions = OutputOptions(),
    chart: ChartOptions = ChartOptions(),
    connection: Connection = Connection(),
) -> int:
    """The conversions of goals by day; of the last 30 days unless told otherwise.

    The table has a line for each goal; the other formats have a row for each goal and day.

    ```text
    rybbit-async goals series 123 --last 90d --by week
    rybbit-async goals series 123 --goal 7 --chart series.png
    rybbit-async goals series 123 --month 2024-01 --csv > series.csv
    ```
    """
    from ..figures import show_series
    from ..run import run

    return run(
        lambda job: show_series(job, site, goal, by, window, filters, output, chart), connection
    )


def compare(
    *sites: AnySites,
    against: Annotated[
        str,
        Parameter(
            group=TIME,
            metavar="TIME",
            help="What to compare with: `before` (as many days, just before), `year` (the "
            "same days a year before), a month such as `2024-01`, or `2024-01-01..2024-01-31`.",
        ),
    ] = "before",
    window: WindowOptions = WindowOptions(),
    filters: FilterOptions = FilterOptions(),
    output: OutputOptions = OutputOptions(),
    connection: Connection = Connection(),
) -> int:
    """Each goal in two times, and the change; of the last 30 days unless told otherwise.

    ```text
    rybbit-async goals compare 123 --last 30d
    rybbit-async goals compare --month 2024-02 --against 2024-01
    rybbit-async goals compare 123 --last 7d --against year --json
    ```
    """
    from ..figures import compare_goals
    from ..run import run

    return run(lambda job: compare_goals(job, sites, against, window, filters, output), connection)
