"""Sites and goals by their numbers or their names, as a user gives them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final

from .. import Goal, Site
from .exits import CommandError, Exit
from .output.values import goal_name
from .run import Job

__all__ = ["find_site", "find_sites", "one_goal", "several_goals"]

_SHOWN: Final = 20
_DIGITS: Final = 18  # no number of a server has more
_IDENTIFIER: Final = re.compile(r"[0-9a-f]{12}", re.IGNORECASE)


async def find_site(job: Job, text: str) -> int | str:
    """A site as the client takes it.

    Args:
        text: its number or its identifier, which are taken as they are; or its domain or its name,
            for which the list of sites is read.

    Raises:
        CommandError: the key can read no such site, or several.
    """
    return (await find_sites(job, [text]))[0]


async def find_sites(job: Job, texts: Sequence[str]) -> list[int | str]:
    """Several sites; see ``find_site``. The list of sites is read once at most."""
    found = [_as_it_is(text) for text in texts]
    sites: Sequence[Site] = await job.client.sites.list() if None in found else ()
    return [
        _named(sites, text) if site is None else site
        for text, site in zip(texts, found, strict=True)
    ]


def _as_it_is(text: str) -> int | str | None:
    """A number or an identifier; ``None`` for a name.

    Raises:
        CommandError: it is a number that no site has.
    """
    if _IDENTIFIER.fullmatch(text):  # also of digits alone
        return text
    if _is_number(text):
        return int(text)
    if text.isascii() and text.isdigit():
        must = f"the number of a site must have {_DIGITS} digits at most"
        raise CommandError(f"{must}, got {len(text):,}", Exit.USAGE)
    return None


def _named(sites: Sequence[Site], text: str) -> int:
    wanted = text.casefold()
    found = [one for one in sites if wanted in ((one.domain or "").casefold(), one.name)]
    if len(found) == 1:
        return found[0].site_id
    if found:
        numbers = ", ".join(str(one.site_id) for one in found)
        must = "SITE must be the number of one site where several have the same domain"
        raise CommandError(f"{must}: {numbers}, got {text!r}", Exit.USAGE)
    known = [f"{one.site_id} ({one.domain or one.name})" for one in sites]
    raise CommandError(
        f"SITE must be the number, the identifier or the domain of a site, got {text!r}: "
        f"{_some(known)}",
        Exit.NOT_FOUND,
    )


async def one_goal(job: Job, site: int | str, wanted: str, option: str = "GOAL") -> int:
    """The number of a goal.

    Args:
        site: which it is of.
        wanted: its number, which is taken as it is, or its name.
        option: where it was given, for the error.

    Raises:
        CommandError: there is none of that name, or several.
    """
    found = sorted(await several_goals(job, site, [wanted], option))
    if len(found) > 1:
        numbers = ", ".join(map(str, found))
        raise CommandError(
            f"{option} must be the number of one goal where several have the same name: goals "
            f"{numbers} of site {site} are all called {wanted!r}",
            Exit.USAGE,
        )
    return found[0]


async def several_goals(
    job: Job, site: int | str, wanted: Sequence[str], option: str = "--goal"
) -> set[int]:
    """The numbers of all goals of these numbers and names. Only for names is the list read.

    Raises:
        CommandError: there is none of that name.
    """
    numbers = {int(one) for one in wanted if _is_number(one)}
    names = [one for one in wanted if not _is_number(one)]
    if not names:
        return numbers
    there = await job.client.goals.iter(site).collect()
    for name in names:
        same = {goal.goal_id for goal in there if goal.name == name}
        if not same:
            raise CommandError(
                f"{option} must be the number or the name of a goal of site {site}, got {name!r}: "
                f"{_listed(there, name)}",
                Exit.NOT_FOUND,
            )
        numbers |= same
    return numbers


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def _listed(goals: Sequence[Goal], name: str) -> str:
    """Goals to choose from: those that are probably meant, or else the first of them."""
    names = {goal.name.casefold(): goal for goal in goals if goal.name}
    close = difflib.get_close_matches(name.casefold(), names, 3, 0.6)
    if close:
        meant = " or ".join(f"{names[one].goal_id} ({names[one].name})" for one in close)
        return f"did you mean {meant}"
    return _some([f"{goal.goal_id} ({goal_name(goal)})" for goal in goals])


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN]) or 'there is none'}{more}"
