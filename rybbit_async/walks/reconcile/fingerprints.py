"""How a walk remembers rows without keeping them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Generic, TypeVar

__all__ = ["Fingerprints", "mark", "row_mark"]

T = TypeVar("T")


class Fingerprints(Generic[T]):
    """The rows that a walk has seen: 64 bits for each, since a long walk sees many."""

    def __init__(self, identity: Callable[[T], Hashable]) -> None:
        self._identity = identity
        self._seen: set[int] = set()

    def __len__(self) -> int:
        return len(self._seen)

    def unseen(self, rows: Sequence[T]) -> list[T]:
        """The rows that were not seen before; from now on they are."""
        identity, seen = self._identity, self._seen
        fresh: list[T] = []
        for row in rows:
            fingerprint = hash(identity(row))
            if fingerprint not in seen:
                seen.add(fingerprint)
                fresh.append(row)
        return fresh

    def unseen_on(self, page: Sequence[T]) -> list[T]:
        """The same for the rows of one page. Equal rows on a page are different rows.

        So there are as many rows of each kind as there were on the page that had most of them.
        """
        identity, seen = self._identity, self._seen
        times: dict[int, int] = {}
        fresh: list[T] = []
        for row in page:
            kind = hash(identity(row))
            number = times[kind] = times.get(kind, 0) + 1
            fingerprint = kind if number == 1 else hash((kind, number))
            if fingerprint not in seen:
                seen.add(fingerprint)
                fresh.append(row)
        return fresh


def mark(identity: Hashable) -> str:
    """A fingerprint that is the same in every process, so that a position can hold it."""
    return blake2b(repr(identity).encode(errors="surrogatepass"), digest_size=8).hexdigest()


def row_mark(time: datetime, identity: Hashable) -> str:
    """A fingerprint of a row at its place in a list by time: a row that moves has another one."""
    return mark((time.timestamp(), identity))
