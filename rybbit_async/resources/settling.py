"""Waiting until nothing in a window can change any more."""

from __future__ import annotations

import logging
from typing import Final

from attrs import evolve

from ..errors import InvalidParameterError
from ..parameters.checks import query_string
from ..parameters.window import Window
from ..transport.clock import Timer
from .context import Context
from .endpoints import GOALS, NO_GOALS

__all__ = ["wait_until_settled"]

log = logging.getLogger("rybbit_async")

_QUERY: Final = query_string(NO_GOALS)


async def wait_until_settled(context: Context, timer: Timer, site: str, window: Window) -> None:
    """Wait until a window is settled, by the clock of the server.

    Raises:
        InvalidParameterError: it never is.
    """
    moment = window.settles_at(context.settled_after)
    if moment is None:
        raise InvalidParameterError(
            "start_date and end_date must be given, since a window without an end, or whose end "
            "moves on, is never settled"
        )
    options = context.options
    while True:
        # It is asked again after each wait: the clock of this machine may stop while it sleeps.
        await context.router.send(GOALS.route, "GET", {"site": site}, query=_QUERY, options=options)
        seconds = (moment - context.capabilities.now()).total_seconds()
        if seconds <= 0:
            return
        log.info("waiting %.0f s, until the window is settled", seconds)
        await timer.sleep(seconds)
        # From now on, it outlasts a server that is away.
        options = evolve(options, has_begun=lambda: True)
