"""The options of a walk, as a plain value."""

from __future__ import annotations

from attrs import frozen

__all__ = ["WalkOptions"]


@frozen
class WalkOptions:
    """What the caller wants of a walk. The values are checked before they get here.

    Attributes:
        concurrency: how many pages may be in flight or buffered, at least 1.
        ordered: whether rows come in the order of the list, or as their pages arrive.
        limit: how many items to give at most; ``None`` for all.
        strict: whether to raise ``IncompleteWalkError`` if the walk cannot be completed.
        max_pages: how many requests to start at most; ``None`` for as many as it takes.
        is_call: whether it is part of a single call, which waits neither behind other walks nor for
            a server that is away.
    """

    concurrency: int
    ordered: bool = True
    limit: int | None = None
    strict: bool = False
    max_pages: int | None = None
    is_call: bool = False
