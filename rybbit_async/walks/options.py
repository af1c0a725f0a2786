"""The options of a walk, as a plain value."""

from __future__ import annotations

from attrs import frozen

from ..observers import Observers
from ..pages import Report

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
        thrifty: whether to request few pages beyond the end of a list that tells no total, though
            a short list is then read page after page; see ``Extent``. The list decides this.
        is_call: whether it is part of a single call, which waits neither behind other walks nor for
            a server that is away.
        observers: who is told what the walk does.
    """

    concurrency: int
    ordered: bool = True
    limit: int | None = None
    strict: bool = False
    max_pages: int | None = None
    thrifty: bool = False
    is_call: bool = False
    observers: Observers | None = None

    def has_had_all_requests(self, report: Report) -> bool:
        """Whether the walk with that report has started as many requests as it may."""
        return self.max_pages is not None and report.requests >= self.max_pages

    def note_stop(self, report: Report) -> None:
        """Note that a walk has stopped because of that. The caller wished it: it is no doubt."""
        report.complete = False
        report.note(f"max_pages={self.max_pages} was reached")
