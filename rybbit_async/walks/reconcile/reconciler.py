"""What a strategy is given, and what it decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Generic, TypeVar

from attrs import frozen

from ...errors import APIResponseError
from ...pages import Page

__all__ = [
    "CONTINUE",
    "MAX_PASSES",
    "Continue",
    "Decision",
    "Done",
    "LoopGuard",
    "NewPass",
    "ReadAgain",
    "ReadPage",
    "Reconciler",
    "Span",
    "repeated_pages",
    "wrong_total",
]

T = TypeVar("T")

# How many times a list that changes while it is read is read in all.
MAX_PASSES: Final = 10


@frozen
class Span:
    """A part of a list: the ranks ``first`` to ``last``, both included, counted from 0."""

    first: int
    last: int


@frozen
class ReadPage(Generic[T]):
    """A page as it was read.

    Attributes:
        page: the rows, and the totals if the server sent any.
        number: the number of the page, from 1.
        size: how many rows a full page has.
        span: the part of the list that was read again with this page; ``None`` for a page of the
            pass itself.
    """

    page: Page[T]
    number: int
    size: int
    span: Span | None = None

    @property
    def rows(self) -> tuple[T, ...]:
        """The rows of the page."""
        return self.page.items

    @property
    def first(self) -> int:
        """The rank of the first row, counted from 0."""
        return (self.number - 1) * self.size


# --- decisions ---------------------------------------------------------------------------------


@frozen
class Continue:
    """Read the next page."""


@frozen
class ReadAgain:
    """Read a part of the list again, with a single request."""

    span: Span


@frozen(eq=False)
class NewPass(Generic[T]):
    """Read the list from its beginning, with another reconciler.

    Attributes:
        reconciler: what takes the pages of that pass.
        counts: whether the report counts the pass. It does not if nothing was taken before.
        stable: whether to request the order in which the list can be made whole, in place of the
            order that the caller wants.
        sequential: whether to read page after page, never two at once.
        size: how many rows to request per page; ``None`` for as many as before.
    """

    reconciler: Reconciler[T]
    counts: bool = True
    stable: bool = False
    sequential: bool = False
    size: int | None = None


@frozen
class Done:
    """Stop: the result is as complete as it will be.

    Attributes:
        note: what else there is to know.
        doubt: why rows may be missing; ``None`` if none are.
    """

    note: str | None = None
    doubt: str | None = None


Decision = Continue | ReadAgain | NewPass[T] | Done
CONTINUE: Final = Continue()


# --- strategies --------------------------------------------------------------------------------


class Reconciler(ABC, Generic[T]):
    """A strategy that decides which rows of a list are new, and what is to be read next.

    The walk hands over every page with ``take`` and then asks what to ``decide``.

    Attributes:
        sequential: whether a first pass reads page after page, never two at once.
    """

    sequential: ClassVar[bool] = False

    @abstractmethod
    def take(self, page: ReadPage[T]) -> list[T]:
        """The rows of a page that are to be given to the caller.

        Raises:
            APIResponseError: the server repeats its pages, so the walk would never end.
        """

    @abstractmethod
    def decide(self, *, at_end: bool) -> Decision[T]:
        """What to read next. Asking again without another page in between changes nothing.

        Args:
            at_end: whether every page of this pass has been taken; then the answer is never
                ``Continue``.
        """

    def position(self) -> Mapping[str, Any] | None:
        """Where a later walk can go on after the last page: JSON, or ``None`` where it cannot."""
        return None


class LoopGuard:
    """Detects a server that sends the same pages for ever.

    Args:
        concurrency: how many pages are read at once. A few more than that may bring nothing new.
    """

    def __init__(self, concurrency: int) -> None:
        self._patience = concurrency + 3
        self._pages = 0  # pages in a row without anything new

    def check(self, *, nothing_new: bool) -> None:
        """Count a page that brought nothing new, or start counting again.

        Raises:
            APIResponseError: there were too many of them in a row.
        """
        self._pages = self._pages + 1 if nothing_new else 0
        if self._pages > self._patience:
            raise repeated_pages()


def wrong_total(totals: Iterable[int], rows: int) -> str:
    """Why rows may be missing where the server's totals are not the number of rows that came."""
    said = " or ".join(str(total) for total in sorted(totals))
    return f"the server's total is {said}, but the number of rows that came is {rows}"


def repeated_pages() -> APIResponseError:
    """The error for a list whose pages repeat."""
    return APIResponseError(
        "data: the server repeats its pages, so a walk over them would never end", path="data"
    )
