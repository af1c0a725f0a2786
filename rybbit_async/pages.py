"""Pages of a list, and the report of a walk over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, SupportsIndex, TypeVar, overload

from attrs import define, field, frozen

from .errors import RybbitError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["Page", "PageMeta", "RawPage", "Report", "Skipped"]

T_co = TypeVar("T_co", covariant=True)

# So many things that were left out are named in the reason of a report.
_NAMED: Final = 5


@frozen
class PageMeta:
    """What a server says of a list: ``total`` items, on ``total_pages`` pages of ``page_size``."""

    total: int
    page: int
    page_size: int
    total_pages: int


@frozen
class Skipped:
    """Something that is missing in a page or a walk, because the server fails over it.

    Attributes:
        site: the site, by its number or its identifier.
        goal: the id of the goal; ``None`` if it is not known, and for a whole site.
        place: where the goal stands in the list, counted from 1, if its id is not known.
        error: what went wrong. It has no traceback, so that nothing else is kept alive.
    """

    site: int | str
    goal: int | None
    place: int | None = None
    error: RybbitError = field(kw_only=True, eq=False)


@frozen
class Page(Sequence[T_co]):
    """One page of a list: a sequence of its ``items``, so that ``page[0]`` is the first of them.

    Attributes:
        items: the rows.
        meta: the totals that the server sent with the page, ``None`` where the endpoint sends
            none (the sessions of a goal have no total).
        position: where a later walk can go on after this page, see ``Paginator.pages``; ``None``
            where it cannot.
        has_more: whether rows follow, where the server says so (events, from 2.4 on).
        skipped: the goals of the page that the server cannot send, each with the error. A walk
            tells them in its report.
        model: the class of the rows, which says what columns a table of them has.
    """

    items: tuple[T_co, ...]
    meta: PageMeta | None = None
    position: str | None = None
    has_more: bool | None = None
    skipped: tuple[Skipped, ...] = ()
    model: type[Any] | None = field(default=None, kw_only=True, eq=False, repr=False)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T_co]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: SupportsIndex) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T_co, ...]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> T_co | tuple[T_co, ...]:
        return self.items[index]

    def to_arrow(self) -> pa.Table:
        """The rows as a ``pyarrow.Table``; see ``rybbit_async.tables.schema`` for its columns.

        Raises:
            InvalidParameterError: the rows are dicts: give ``client.iter`` a ``model``.
            ModuleNotFoundError: pyarrow is not installed.
        """
        from .tables.frames import table_of

        return table_of(self._model(), self.items)

    def to_polars(self) -> pl.DataFrame:
        """The rows as a ``polars.DataFrame``; see ``to_arrow``."""
        from .tables.frames import to_polars

        return to_polars(self.to_arrow())

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a ``pandas.DataFrame`` with types of Arrow; see ``to_arrow``."""
        from .tables.frames import to_pandas

        return to_pandas(self.to_arrow())

    def _model(self) -> type[Any]:
        """The class of the rows; of a page that a program made itself, that of the first one."""
        return self.model or (type(self.items[0]) if self.items else dict)


class RawPage(Protocol[T_co]):
    """A page that has arrived and is not decoded yet.

    Pages that were read ahead wait as the bytes that came over the wire: decoded rows would take
    more memory than bytes, and the garbage collector would look at them again and again.
    """

    def decode(self) -> Page[T_co]:
        """The page, with its rows.

        Raises:
            APIResponseError: the body is not what the API promises.
        """
        ...


@define
class Report:
    """What a walk has done so far, and whether its result is complete.

    Attributes:
        pages: pages that were read.
        requests: requests that were started, including those that read a part of the list again.
        items: items that were given to the caller.
        duplicates: rows that were dropped because they had come before.
        passes: how many times the list was read, each further time from its beginning.
        complete: ``True`` when the walk reached the end of the list and nothing is missing,
            ``False`` when it stopped early or something may be missing, ``None`` while it runs.
        doubtful: whether something may be missing for another reason than the caller's own
            ``limit`` or ``max_pages``.
        reason: why the walk is not complete, or what else there is to know about it.
        skipped: the sites and goals that are missing because the server failed over them; then
            the walk is not complete, and doubtful.
    """

    pages: int = 0
    requests: int = 0
    items: int = 0
    duplicates: int = 0
    passes: int = 1
    complete: bool | None = None
    doubtful: bool = False
    reason: str | None = None
    skipped: list[Skipped] = field(factory=list[Skipped])

    def note(self, text: str) -> None:
        """Add something that the reader should know to ``reason``."""
        if self.reason is None:
            self.reason = text
        elif text not in self.reason.split("; "):
            self.reason += f"; {text}"

    def doubt(self, text: str) -> None:
        """Note that something may be missing against the caller's wish, and why."""
        self.complete = False
        self.doubtful = True
        self.note(text)

    def skip(self, skipped: Skipped, text: str) -> None:
        """Note what was left out against the caller's wish, and why."""
        if skipped in self.skipped:
            return
        self.skipped.append(skipped)
        self.doubt(text if len(self.skipped) <= _NAMED else "more was left out, see skipped")
