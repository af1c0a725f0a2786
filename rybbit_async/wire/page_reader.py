"""Pages of rows: which part of a body holds what, and the reader of a list's pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from attrs import frozen

from ..errors import APIResponseError
from ..pages import Page, PageMeta
from .converter import structure
from .json import Body
from .values import MisfitError, describe, to_int, to_list, to_mapping

if TYPE_CHECKING:
    from .row_decoder import PageDecoder

__all__ = ["DATA", "DATA_META", "DATA_TOTAL_COUNT", "Envelope", "page_reader"]

T = TypeVar("T")


@frozen
class Envelope:
    """Where in a body the rows are, and the figures of ``PageMeta``: paths such as ``meta.total``.

    Without ``total`` a page has no ``meta``. Without ``total_pages`` it is computed.
    """

    rows: str = "data"
    total: str | None = None
    page: str = "page"
    page_size: str = "pageSize"
    total_pages: str | None = None

    @property
    def figures(self) -> Mapping[str, str]:
        """Attribute of ``PageMeta`` -> path."""
        if self.total is None:
            return {}
        figures = {"total": self.total, "page": self.page, "page_size": self.page_size}
        return figures if self.total_pages is None else {**figures, "total_pages": self.total_pages}

    def meta(self, find: Callable[[str], object]) -> PageMeta | None:
        """The figures; ``find`` gives the value at a path.

        Raises:
            MisfitError: one of them is not an integer.
        """
        values: dict[str, int] = {}
        for name, path in self.figures.items():
            try:
                values[name] = to_int(find(path))
            except MisfitError as error:
                raise MisfitError(str(error), error.path or path) from None
        if not values:
            return None
        size = values["page_size"]
        values.setdefault("total_pages", -(-values["total"] // size) if size > 0 else 0)
        return PageMeta(**values)


DATA: Final = Envelope()
"""``{"data": [...]}``"""
DATA_META: Final = Envelope(
    total="meta.total", page="meta.page", page_size="meta.pageSize", total_pages="meta.totalPages"
)
"""``{"data": [...], "meta": {"total", "page", "pageSize", "totalPages"}}``"""
DATA_TOTAL_COUNT: Final = Envelope(total="totalCount")
"""``{"data": [...], "totalCount", "page", "pageSize"}``"""


def page_reader(model: type[T], envelope: Envelope) -> Callable[[Body], Page[T]]:
    """A function that reads a body as a page of ``model``.

    ``model`` is an attrs class. Its fields may have any type that cattrs can structure; text,
    numbers, booleans, times and ``Mapping[str, Any]`` are fast.

    The function raises ``APIResponseError`` for a body that does not fit, with ``path`` in the
    body, and ``BadJSONError``. Nothing is built or imported before the first page is read.
    """
    return _PageReader(model, envelope)


class _PageReader(Generic[T]):
    def __init__(self, model: type[T], envelope: Envelope) -> None:
        self._model = model
        self._envelope = envelope
        self._decoder: PageDecoder[T] | None = None

    def __call__(self, body: Body) -> Page[T]:
        """Read a page the fast way, or if anything does not fit, the lenient way."""
        if self._decoder is None:
            from .row_decoder import PageDecoder

            self._decoder = PageDecoder(self._model, self._envelope)
        page = self._decoder.decode(body)
        return read_leniently(body.json(), self._model, self._envelope) if page is None else page


def read_leniently(body: object, model: type[T], envelope: Envelope) -> Page[T]:
    """A page from decoded JSON, by cattrs.

    Raises:
        APIResponseError: the body does not fit; ``path`` says where.
    """
    try:
        rows = to_list(_find(body, envelope.rows))
    except MisfitError as error:
        raise _error(error, envelope.rows, _hint(body)) from None
    items = structure(rows, cast("type[list[T]]", list[model]), at=envelope.rows)  # type: ignore[valid-type]  # made at run time
    try:
        return Page(tuple(items), envelope.meta(lambda path: _find(body, path)))
    except MisfitError as error:
        raise _error(error, "") from None


def _find(body: object, path: str) -> object:
    """The value at ``path``."""
    at, value = "", body
    for step in path.split("."):
        try:
            inside = to_mapping(value)
        except MisfitError as error:
            raise MisfitError(str(error), at or "the body") from None
        at = f"{at}.{step}".lstrip(".")
        if step not in inside:
            raise MisfitError("is missing", at)
        value = inside[step]
    return value


def _hint(body: object) -> str:
    """The server's own error message, where it sent one in place of the rows."""
    said = cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None
    return "" if said is None else f" (the server says: {describe(said)})"


def _error(error: MisfitError, at: str, hint: str = "") -> APIResponseError:
    place = error.path or at
    return APIResponseError(f"{place}: {error}{hint}", path="" if place == "the body" else place)
