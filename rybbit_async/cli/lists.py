"""What ``sites``, ``sessions``, ``users`` and ``events`` do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from .. import Paginator
from .exits import CommandError, Exit
from .names import find_site, one_goal
from .options.filters import FilterOptions
from .options.output import OutputOptions
from .options.window import Window, WindowOptions, zone_of
from .output.columns import View
from .output.show import show
from .output.views import EVENTS, METRICS, SESSIONS, SITE_SESSIONS, SITES, USERS
from .run import Job

__all__ = ["list_events", "list_sessions", "list_sites", "list_users", "list_values"]

_IGNORED: Final = (
    "--filter must come without --goal here, since this server (Rybbit before 2.9) ignores filters "
    "for the sessions of a goal: leave it out, and filter the rows"
)

T = TypeVar("T")


async def list_sites(job: Job, output: OutputOptions) -> int | None:
    """The sites that the key can read."""
    sites = sorted((await job.client.sites.list()).items, key=lambda site: site.site_id)
    return await show(job, sites, SITES, output)


async def list_sessions(
    job: Job,
    site: str,
    goal: str | None,
    choice: Mapping[str, Any],
    window: WindowOptions,
    filters: FilterOptions,
    output: OutputOptions,
) -> int | None:
    """The sessions of a site, or those that reached a goal.

    Args:
        choice: of the list of all sessions; what is ``None`` was not chosen.
    """
    options = {name: value for name, value in choice.items() if value is not None}
    when, query = _query(job, window, filters, output)
    if goal is None:
        walk: Any = job.client.sessions.iter(await find_site(job, site), **options, **query)
        return await _show(job, walk, SITE_SESSIONS, output, when, query)
    if options:
        flag = f"--{next(iter(options)).removesuffix('_id').removesuffix('_only')}"
        raise CommandError(
            f"{flag.replace('_', '-')} must come without --goal, since servers know it only for "
            "the list of all sessions",
            Exit.USAGE,
        )
    key = await find_site(job, site)
    number = await one_goal(job, key, goal, "--goal")
    if filters.filter and await job.client.goals.sessions.applies_filters(key, number) is False:
        raise CommandError(_IGNORED, Exit.USAGE)
    walk = job.client.goals.sessions.iter(key, number, **query)
    caption = f"goal {goal}, {when}"
    return await _show(job, walk, SESSIONS, output, when, query, caption)


async def list_users(
    job: Job,
    site: str,
    search: str | None,
    identified: bool,
    window: WindowOptions,
    filters: FilterOptions,
    output: OutputOptions,
) -> int | None:
    """The users of a site."""
    when, query = _query(job, window, filters, output)
    key = await find_site(job, site)
    if search is not None and (await job.client.capabilities(key)).user_search is False:
        raise CommandError(
            "--search must not be given here, since this server ignores it: search in the rows",
            Exit.USAGE,
        )
    walk = job.client.users.iter(key, search=search, identified_only=identified, **query)
    return await _show(job, walk, USERS, output, when, query)


async def list_events(
    job: Job, site: str, window: WindowOptions, filters: FilterOptions, output: OutputOptions
) -> int | None:
    """The events of a site."""
    when, query = _query(job, window, filters, output)
    walk = job.client.events.iter(await find_site(job, site), **query)
    return await _show(job, walk, EVENTS, output, when, query)


async def list_values(
    job: Job,
    site: str,
    name: str,
    window: WindowOptions,
    filters: FilterOptions,
    output: OutputOptions,
) -> int | None:
    """The values of a parameter, the most frequent first."""
    when, query = _query(job, window, filters, output)
    walk = job.client.metric(await find_site(job, site), name, **query)
    return await _show(job, walk, METRICS, output, when, query, f"{name}, {when}")


async def _show(
    job: Job,
    walk: Paginator[T],
    view: View[T],
    output: OutputOptions,
    when: Window,
    query: Mapping[str, Any],
    caption: str = "",
) -> int | None:
    return await show(
        job,
        walk,
        view,
        output,
        caption=caption or str(when),
        zone=zone_of(when.zone),
        filtered=query["filters"],
    )


def _query(
    job: Job, window: WindowOptions, filters: FilterOptions, output: OutputOptions
) -> tuple[Window, dict[str, Any]]:
    """The window, and what the walk is asked with: no more rows than are shown."""
    when = window.resolve(job.time_zone)
    size = output.page_size(job.terminal.out_is_terminal)
    return when, {**when.common(), "filters": filters.resolve(), "page_size": size}
