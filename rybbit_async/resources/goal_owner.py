"""Whether a goal is one of a site's, also if the server cannot list it."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from ..errors import NotFoundError, PermissionDeniedError, ServerError
from ..parameters.checks import query_string
from ..parameters.common import NO_EVENTS, parse_common
from .context import Context
from .endpoints import GOAL_SESSIONS, GOALS

__all__ = ["no_goal", "owns_goal"]

# The smallest page, of a day in which no site has sessions.
_QUERY: Final = {
    "page": "1",
    GOAL_SESSIONS.size_parameter: "1",
    **parse_common(NO_EVENTS).query(),
}
_NO_GOAL: Final = 2**31 - 1  # the largest id that there can be


async def owns_goal(context: Context, site: str, goal: int) -> bool:
    """Whether the goal is one of the site's, by the answer to a request for its sessions.

    It is 403 or 404 for any other goal, whether the server can count this one or not.

    Raises:
        APIStatusError, APIConnectionError: the server does not tell.
    """
    try:
        return await _is_found(context, site, goal)
    except ServerError as error:
        # It may fail over the sessions themselves, which it looks for after it has found the goal.
        # If it fails over any id, it has found nothing.
        if error.status != 500 or await _is_found(context, site, _NO_GOAL):
            raise
        return True


async def _is_found(context: Context, site: str, goal: int) -> bool:
    try:
        await context.router.send(
            GOAL_SESSIONS.route,
            "GET",
            {"site": site, "goal": goal},
            query=query_string(_QUERY),
            options=evolve(context.options, repeats_500=False),
        )
    except (NotFoundError, PermissionDeniedError):
        return False
    return True


def no_goal(context: Context, goal: int, *sites: str) -> NotFoundError:
    """The error for a goal that is not among those of one site, or of several."""
    return NotFoundError(
        f"goal {goal} is not among the goals of site {', '.join(sites)}",
        status=404,
        message="Goal not found",
        method="GET",
        url=context.router.url(GOALS.route, {"site": sites[0]}),
    )
