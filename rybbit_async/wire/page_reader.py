"""The reader of a list's pages: the fast way where it can be, else the lenient one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ..pages import Page
from .converter import structure
from .envelope import (
    DATA,
    DATA_CURSOR,
    DATA_DATA,
    DATA_EVENTS,
    DATA_META,
    DATA_PAGINATION,
    DATA_TOTAL_COUNT,
    Envelope,
)
from .json import Body
from .values import MisfitError, Sent, to_list, to_mapping

if TYPE_CHECKING:
    from .row_decoder import PageDecoder

__all__ = [
    "DATA",
    "DATA_CURSOR",
    "DATA_DATA",
    "DATA_EVENTS",
    "DATA_META",
    "DATA_PAGINATION",
    "DATA_TOTAL_COUNT",
    "Envelope",
    "PageReader",
    "page_reader",
    "read_at",
]

T = TypeVar("T")


def page_reader(model: type[T], envelope: Envelope) -> PageReader[T]:
    """A function that reads a body as a page of ``model``.

    ``model`` is an attrs class, whose fields may have any type that cattrs can structure; text,
    numbers, booleans, times and ``Mapping[str, Any]`` are fast. Any other class that cattrs can
    structure is read the lenient way alone, and ``dict`` leaves the rows as they were sent.

    The function raises ``MisfitError`` for a body that does not fit, with ``path`` in the body,
    and ``BadJSONError``. Nothing is built or imported before the first page is read.
    """
    return PageReader(model, envelope)


class PageReader(Generic[T]):
    """Reads the pages of a list; see ``page_reader``."""

    def __init__(self, model: type[T], envelope: Envelope) -> None:
        self._model = model
        self._envelope = envelope
        self._decoder: PageDecoder[T] | None = None
        self._is_ready = False

    def __call__(self, body: Body) -> Page[T]:
        """Read a page the fast way, or if anything does not fit, the lenient way."""
        if not self._is_ready:
            self._make_ready()
        page = None if self._decoder is None else self._decoder.decode(body)
        return read_leniently(body.json(), self._model, self._envelope) if page is None else page

    def lean(self, body: Body) -> Page[Any]:
        """Read a page whose rows may be lean; see ``row_decoder``."""
        if not self._is_ready:
            self._make_ready()
        page = None if self._decoder is None else self._decoder.decode_lean(body)
        return read_leniently(body.json(), self._model, self._envelope) if page is None else page

    def _make_ready(self) -> None:
        from .fields import is_plain
        from .row_decoder import PageDecoder

        if is_plain(self._model):
            self._decoder = PageDecoder(self._model, self._envelope)
        self._is_ready = True


def read_leniently(body: object, model: type[T], envelope: Envelope) -> Page[T]:
    """A page from decoded JSON, by cattrs.

    Raises:
        MisfitError: the body does not fit; ``path`` says where.
    """
    try:
        rows = _as(to_list, _find(body, envelope.rows), envelope.rows)
    except MisfitError as error:
        raise MisfitError(*error.parts, *_hint(body), path=error.path) from None
    kind: Any = dict[str, Any] if model is dict else model
    items = structure(rows, cast("type[list[T]]", list[kind]), at=envelope.rows)
    return envelope.page_of(kind, tuple(items), lambda path: _find(body, path))


def read_at(body: Body, path: str, kind: type[T]) -> T:
    """The object at a path of a body.

    Raises:
        MisfitError, BadJSONError: there is none, or it does not fit.
    """
    return structure(_find(body.json(), path), kind, at=path)


def _find(body: object, path: str) -> object:
    """The value at ``path``."""
    at, value = "", body
    for step in path.split("."):
        inside = _as(to_mapping, value, at)
        at = f"{at}.{step}".lstrip(".")
        if step not in inside:
            raise MisfitError("is missing", path=at)
        value = inside[step]
    return value


def _as(convert: Callable[[object], T], value: object, at: str) -> T:
    try:
        return convert(value)
    except MisfitError as error:
        raise error.at(at) from None


def _hint(body: object) -> tuple[str | Sent, ...]:
    """The server's own error message, where it sent one in place of the rows."""
    said = cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None
    return () if said is None else (" (the server says: ", Sent(said), ")")
