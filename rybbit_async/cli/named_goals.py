"""Goals by their number or their name, as a user gives them."""

from __future__ import annotations

from collections.abc import Sequence

from .. import Goal
from .exits import CommandError, Exit
from .output.values import goal_name
from .run import Job

__all__ = ["one_goal", "several_goals"]

_SHOWN = 10


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
                f"{option} must be the number or the name of a goal of site {site}: "
                f"{_listed(there)}, got {name!r}",
                Exit.NOT_FOUND,
            )
        numbers |= same
    return numbers


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _listed(goals: Sequence[Goal]) -> str:
    names = [f"{goal.goal_id} ({goal_name(goal)})" for goal in goals[:_SHOWN]]
    more = f", and {len(goals) - _SHOWN} more" if len(goals) > _SHOWN else ""
    return f"{', '.join(names) or 'it has none'}{more}"
