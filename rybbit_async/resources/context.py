"""What every resource works with."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from ..transport.clock import Timer
from ..transport.options import Options
from ..transport.routing import Router
from ..walks.paginator import WalkRegistry
from .capabilities import Capabilities

__all__ = ["Context"]


@frozen
class Context:
    """The server, and the options of one view of the client.

    Attributes:
        router: sends requests to the server's endpoints.
        capabilities: what the server is able to do, and what time it is there.
        walks: the walks of the client that have not ended.
        timer: the clock of the client.
        options: timeouts and retries of this view.
        settled_after: how far back the end of a window must be for nothing in it to change.
        concurrency: how many pages a walk may have in flight or buffered, unless it says so itself.
    """

    router: Router
    capabilities: Capabilities
    walks: WalkRegistry
    timer: Timer
    options: Options
    settled_after: timedelta
    concurrency: int
