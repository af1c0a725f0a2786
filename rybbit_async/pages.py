"""Pages of a list, and the report of a walk over them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from attrs import define, frozen

__all__ = ["Page", "PageMeta", "RawPage", "Report"]

T_co = TypeVar("T_co", covariant=True)


@frozen
class PageMeta:
    """What a server says of a list: ``total`` items on ``total_pages`` pages of ``page_size``."""

    total: int
    page: int
    page_size: int
    total_pages: int


@frozen
class Page(Generic[T_co]):
    """One page; ``len()`` and iteration are those of ``items``.

    ``meta`` is ``None`` where the endpoint sends none: goal sessions have no total. ``position``
    is where a walk in order can be taken up after this page, see ``Paginator.pages``.
    """

    items: tuple[T_co, ...]
    meta: PageMeta | None = None
    position: str | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T_co]:
        return iter(self.items)


class RawPage(Protocol[T_co]):
    """A page that has arrived but is not decoded yet."""

    def decode(self) -> Page[T_co]:
        """Turn the bytes into rows; called only when it is this page's turn."""
        ...


@define
class Report:
    """What a walk has done so far, and whether its result is whole.

    Attributes:
        pages: pages that were read.
        requests: requests that were begun, for pages and for stretches that were read again.
        items: items that were yielded.
        duplicates: rows that were dropped because they had come before.
        passes: times that the list was read through, or from its head.
        complete: ``True`` when the walk reached the end of the list and nothing is missing,
            ``False`` when it stopped before or something may be, ``None`` while it runs.
        doubtful: whether the walk could not be made whole, for other reasons than the caller's
            own ``limit`` or ``max_pages``.
        reason: why it is not complete, or what else there is to know.
    """

    pages: int = 0
    requests: int = 0
    items: int = 0
    duplicates: int = 0
    passes: int = 1
    complete: bool | None = None
    doubtful: bool = False
    reason: str | None = None

    def note(self, text: str) -> None:
        """Add to ``reason`` what the reader should know."""
        self.reason = text if self.reason is None else f"{self.reason}; {text}"

    def doubt(self, text: str) -> None:
        """Something may be missing that the caller did not renounce, and this is why."""
        self.complete = False
        self.doubtful = True
        self.note(text)
