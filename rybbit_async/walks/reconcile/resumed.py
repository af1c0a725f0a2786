"""Walks that go on where another one stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from .reconciler import Decision, NewPass, ReadPage, Reconciler

__all__ = ["Resumed"]

T = TypeVar("T")


class Resumed(Reconciler[T], Generic[T]):
    """Checks that the list is where it was, and then leaves everything to another reconciler.

    If the first page is not what the position says, the list is read from its beginning.

    Args:
        begin: makes the reconciler for a walk from the rank of the position, or from rank 0.
        rank: the rank of the position.
        still_matches: whether the walk can go on from the first page that it reads.
    """

    def __init__(
        self,
        begin: Callable[[int], Reconciler[T]],
        rank: int,
        still_matches: Callable[[ReadPage[T]], bool],
    ) -> None:
        self._begin = begin
        self._reconciler = begin(rank)
        self._still_matches = still_matches
        self._matches: bool | None = None  # None until the first page has been read

    def take(self, page: ReadPage[T]) -> list[T]:
        """See ``Reconciler``."""
        if self._matches is None:
            self._matches = page.number == 1 or self._still_matches(page)
        return self._reconciler.take(page) if self._matches else []

    def decide(self, *, at_end: bool) -> Decision[T]:
        """See ``Reconciler``."""
        if self._matches is False:
            return NewPass(self._begin(0), counts=False)
        return self._reconciler.decide(at_end=at_end)

    def position(self) -> Mapping[str, Any] | None:
        """See ``Reconciler``."""
        return self._reconciler.position()
