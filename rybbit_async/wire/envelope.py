"""Envelopes: where in a body the rows of a page are, and the figures that come with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from attrs import frozen

from ..pages import Page, PageMeta
from .values import MisfitError, to_bool, to_int

__all__ = [
    "DATA", "DATA_CURSOR", "DATA_DATA", "DATA_EVENTS", "DATA_META", "DATA_PAGINATION",
    "DATA_TOTAL_COUNT", "Envelope",
]  # fmt: skip

T = TypeVar("T")


@frozen
class Envelope:
    """Where in a body the rows are, and the figures of ``PageMeta``: paths such as ``meta.total``.

    Attributes:
        rows: the path of the rows.
        total: that of the number of rows of the whole list; without it, a page has no ``meta``.
        page, page_size, total_pages: those of the other figures, where the server sends them.
            Otherwise they follow from the request and from the total.
        has_more: that of the flag that says whether rows follow, where the server sends one.
    """

    rows: str = "data"
    total: str | None = None
    page: str | None = None
    page_size: str | None = None
    total_pages: str | None = None
    has_more: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path of a page beside that of the rows."""
        flag = () if self.has_more is None else (self.has_more,)
        return (*self.figures.values(), *flag)

    def page_of(
        self, model: type[T], items: tuple[T, ...], find: Callable[[str], object]
    ) -> Page[T]:
        """A page of these rows, which are a ``model``; ``find`` gives the value at a path.

        Raises:
            MisfitError: a figure is not an integer, or the flag not a boolean.
        """
        more: bool | None = None
        if self.has_more is not None:
            try:
                more = to_bool(find(self.has_more))
            except MisfitError as error:
                raise error.at(self.has_more) from None
        return Page(items, self.meta(find), has_more=more, model=model)

    @property
    def figures(self) -> Mapping[str, str]:
        """Attribute of ``PageMeta`` -> path."""
        if self.total is None:
            return {}
        names = ("total", "page", "page_size", "total_pages")
        paths = (self.total, self.page, self.page_size, self.total_pages)
        return {name: path for name, path in zip(names, paths, strict=True) if path is not None}

    def meta(self, find: Callable[[str], object]) -> PageMeta | None:
        """The figures; ``find`` gives the value at a path. One that was not sent is 0.

        Raises:
            MisfitError: one of them is not an integer.
        """
        values: dict[str, int] = {}
        for name, path in self.figures.items():
            value = find(path)
            try:
                values[name] = to_int(value)
            except MisfitError as error:
                raise error.at(path) from None
        if not values:
            return None
        size = values.setdefault("page_size", 0)
        values.setdefault("total_pages", -(-values["total"] // size) if size > 0 else 0)
        return PageMeta(**{"page": 0, **values})


DATA: Final = Envelope()
"""``{"data": [...]}``"""
DATA_META: Final = Envelope(
    total="meta.total", page="meta.page", page_size="meta.pageSize", total_pages="meta.totalPages"
)
"""``{"data": [...], "meta": {"total", "page", "pageSize", "totalPages"}}``"""
DATA_CURSOR: Final = Envelope(has_more="cursor.hasMore")
"""``{"data": [...], "cursor": {"hasMore", "oldestTimestamp"}}``"""
DATA_DATA: Final = Envelope(rows="data.data", total="data.totalCount")
"""``{"data": {"data": [...], "totalCount"}}``"""
DATA_EVENTS: Final = Envelope(
    rows="data.events", total="data.pagination.total", page_size="data.pagination.limit"
)
"""``{"data": {"session", "events": [...], "pagination": {"total", "limit", "offset", ...}}}``"""
DATA_PAGINATION: Final = Envelope(
    total="pagination.total",
    page="pagination.page",
    page_size="pagination.pageSize",
    total_pages="pagination.totalPages",
)
"""``{"data": [...], "pagination": {"total", "page", "pageSize", "totalPages"}}``"""
DATA_TOTAL_COUNT: Final = Envelope(total="totalCount", page="page", page_size="pageSize")
"""``{"data": [...], "totalCount", "page", "pageSize"}``"""
