"""The keywords that every walk takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..activity import Activity
from .common import CommonParameters

__all__ = ["WALK_DEFAULTS", "WalkParameters"]


class WalkParameters(CommonParameters, total=False):
    """The keywords that every walk takes, besides those of ``CommonParameters``.

    Attributes:
        concurrency: how many pages may be in flight or buffered, 1 to 1,000; the client's
            ``concurrency`` if not given.
        ordered: whether items come in the order of the list (the default), or as their pages
            arrive.
        limit: how many items to give in all; all of them if not given.
        strict: raise ``IncompleteWalkError`` after the last item if the walk could not be
            completed. Without it the report says so, and a ``RybbitWarning`` is given.
        max_pages: how many requests to send at most; as many as it takes if not given.
        on_event: called for what happens in this walk, besides the client's ``on_event``; see
            ``Activity``.
    """

    concurrency: int | None
    ordered: bool
    limit: int | None
    strict: bool
    max_pages: int | None
    on_event: Callable[[Activity], object] | None


# All others are None.
WALK_DEFAULTS: Final[Mapping[str, Any]] = {"ordered": True, "strict": False}
