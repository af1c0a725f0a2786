"""``client.iter``: a walk over a list that has no method of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from attrs import frozen

from ..errors import InvalidParameterError
from ..pages import Page
from ..parameters.checks import check_int, type_name, wrong_type
from ..parameters.common import CommonParameters
from ..parameters.walk import WalkParameters
from ..transport.routes import Route
from ..walks.orders import ByKey, ByRank, ByTime
from ..walks.paginator import Paginator
from ..wire.json import Body
from ..wire.page_reader import Envelope, page_reader
from .endpoints import ListEndpoint
from .resource import Resource

__all__ = ["AnyList"]

T = TypeVar("T")
AnyOrder = ByTime[T] | ByKey[T] | ByRank[T]


@frozen
class _Reader:
    """Reads a page, and checks that the order fits its rows."""

    read: Any
    order: AnyOrder[Any]

    def __call__(self, body: Body) -> Page[Any]:
        page: Page[Any] = self.read(body)
        for row in page.items[:1]:
            if isinstance(self.order, ByTime):
                _check_time(self.order.key(row))
            named = self.order.key if isinstance(self.order, ByKey) else self.order.identity
            _check_name("key" if isinstance(self.order, ByKey) else "identity", named(row))
        return page


class AnyList(Resource):
    """Any list of the server."""

    def walk(
        self,
        path: str,
        path_params: Mapping[str, str | int],
        params: Mapping[str, str],
        body: bytes | None,
        model: type[Any],
        order: AnyOrder[Any],
        envelope: Envelope,
        size_parameter: str,
        offset_parameter: str | None,
        page_size: int,
        walk: WalkParameters,
    ) -> Paginator[Any]:
        """See ``RybbitClient.iter``; path, parameters and body are checked."""
        _check_order(order)
        if not isinstance(envelope, Envelope):
            raise wrong_type("envelope", envelope, "Envelope")
        names = {"size_parameter": size_parameter}
        if offset_parameter is not None:
            names["offset_parameter"] = offset_parameter
        for name, value in names.items():
            if not isinstance(value, str) or not value:
                raise wrong_type(name, value, "str (the name of a query parameter)")
        _check_params(params, {offset_parameter or "page", size_parameter})
        endpoint = ListEndpoint[Any](
            f"rows of {path}",
            Route(path, path),
            model,
            _Reader(page_reader(model, envelope), order),
            order,
            size_parameter=size_parameter,
            offset_parameter=offset_parameter,
            takes_exact_times=False,
        )
        size = check_int("page_size", page_size)
        return self._walk(endpoint, path_params, size, walk, query=params, body=body)


def _check_order(order: AnyOrder[Any]) -> None:
    if not isinstance(order, (ByTime, ByKey, ByRank)):
        raise wrong_type("order", order, "ByTime, ByKey or ByRank")
    if not isinstance(order, ByKey) and order.completed_by is not None:
        raise InvalidParameterError(
            "order.completed_by must be None, because a walk over any list knows one order of it, "
            f"got {type_name(order.completed_by)}"
        )


def _check_params(params: Mapping[str, str], set_by_walk: set[str]) -> None:
    for name in params:
        if name in set_by_walk:
            raise InvalidParameterError(
                f"params must not contain {name!r}, which the walk sets: use page_size and limit"
            )
        if name in CommonParameters.__annotations__:
            raise InvalidParameterError(
                f"params must not contain {name!r}: pass {name}=... to iter itself, so that the "
                "walk knows whether the window still changes"
            )


def _check_time(time: object) -> None:
    if time is not None and not (isinstance(time, datetime) and time.tzinfo is not None):
        raise wrong_type("order.key of a row", time, "an aware datetime, or None")


def _check_name(name: str, value: object) -> None:
    try:
        hash(value)
    except TypeError:
        expected = "a text, a number, or a tuple of those"
        raise wrong_type(f"order.{name} of a row", value, expected) from None
