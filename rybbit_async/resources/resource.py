"""What all resources have in common: one page of a list, and a walk over all of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Final, NoReturn, TypeVar, cast

from attrs import evolve

from ..observers import OnEvent, check_on_event
from ..pages import Page, Report
from ..parameters.callers import warning_here
from ..parameters.checks import check_bool, check_int, check_seconds, query_string
from ..parameters.common import Common, CommonParameters, parse_common
from ..parameters.walk import WALK_DEFAULTS, WalkParameters
from ..transport.routes import Route
from ..walks.options import WalkOptions
from ..walks.paginator import Paginator
from ..walks.walk import Order, PagedWalk, PageRequest, Position, ResizableWalk, Walk
from ..walks.watch import Poller, Watch
from ..wire.json import Body
from ..wire.messages import decode
from .context import Context
from .endpoints import ListEndpoint
from .list_source import ListSource

__all__ = ["MAX_CONCURRENCY", "Resource", "walk_options"]

T = TypeVar("T")

MAX_CONCURRENCY: Final = 1000
NOTHING: Final[Mapping[str, str]] = {}


class Resource:
    """Something that hangs on the client, such as ``client.goals``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} belongs to a RybbitClient, which holds connections and a key "
            "and does not pickle: make a client in each process"
        )

    async def _get(
        self,
        route: Route,
        params: Mapping[str, str | int],
        read: Callable[[Body], T],
        query: Mapping[str, str] = NOTHING,
    ) -> T:
        """What one ``GET`` request answers, as ``read`` reads it."""
        context, text = self._context, query_string(query)
        response = await context.router.send(
            route, "GET", params, query=text, options=context.options
        )
        return decode(response, read)

    async def _page(
        self,
        endpoint: ListEndpoint[T],
        params: Mapping[str, str | int],
        page: int,
        size: int,
        common: CommonParameters,
        *,
        sorting: Mapping[str, str] = NOTHING,
        query: Mapping[str, str] = NOTHING,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> Page[T]:
        """One page of a list."""
        self._context.router.check_usable()
        parsed = parse_common(common)
        size = check_int(endpoint.size_parameter, size, maximum=endpoint.max_page_size)
        request = PageRequest(check_int("page", page), size)
        source = self._source(endpoint, params, size, parsed, sorting, query, before=before)
        raw = await (await source.applied()).fetch(request)
        result = raw.decode()
        for skipped in result.skipped:
            source.warn(str(skipped.error))
        return result

    def _walk(
        self,
        endpoint: ListEndpoint[T],
        params: Mapping[str, str | int],
        page_size: int,
        walk: WalkParameters,
        *,
        order: Order[T] | None = None,
        sorting: Mapping[str, str] = NOTHING,
        query: Mapping[str, str] = NOTHING,
        expected: int | None = None,
        before: Callable[[], Awaitable[None]] | None = None,
        choose: Callable[[ResizableWalk[T]], Walk[T]] | None = None,
        body: bytes | None = None,
        is_call: bool = False,
    ) -> Paginator[T]:
        """A walk over all of a list.

        Args:
            before, body: see ``ListSource``.
            choose: makes of the walk one that leaves out rows.
            is_call: as a part of a single call.
        """
        options, common = walk_options(self._context, walk)
        page_size = check_int("page_size", page_size, maximum=endpoint.max_page_size)
        source = self._source(
            endpoint, params, page_size, common, sorting, query, expected, before=before, body=body
        )
        options = evolve(options, thrifty=endpoint.thrifty, is_call=is_call)
        lean = (endpoint if order is None else evolve(endpoint, order=order)).lean()

        def begin(report: Report, position: Position | None) -> Walk[T]:
            walk = PagedWalk(source, order or endpoint.order, report, options, position)
            return walk if choose is None else choose(walk)

        def begin_lean(report: Report, position: Position | None) -> Walk[Any]:
            over = evolve(source, endpoint=lean)
            walk = PagedWalk(over, lean.order, report, options, position)
            return walk if choose is None else choose(walk)

        name = endpoint.name.format_map(params)
        sent = None if body is None else body.decode()
        return self._paginator(
            begin,
            options,
            endpoint.model,
            name,
            *(common.query(), query, sorting, params, sent),
            begin_lean=begin_lean,
        )

    def _source(
        self,
        endpoint: ListEndpoint[T],
        params: Mapping[str, str | int],
        size: int,
        common: Common,
        sorting: Mapping[str, str] = NOTHING,
        query: Mapping[str, str] = NOTHING,
        expected: int | None = None,
        agreed: Callable[[], Awaitable[Common]] | None = None,
        before: Callable[[], Awaitable[None]] | None = None,
        body: bytes | None = None,
    ) -> ListSource[T]:
        return ListSource(
            self._context,
            endpoint,
            params,
            common,
            query,
            sorting,
            size,
            warning_here(),
            expected,
            agreed,
            before,
            body,
        )

    def _paginator(
        self,
        begin: Callable[[Report, Position | None], Walk[T]],
        options: WalkOptions,
        model: type[T],
        name: str,
        *query: object,
        begin_lean: Callable[[Report, Position | None], Walk[Any]] | None = None,
    ) -> Paginator[T]:
        """A paginator over the walks that ``begin`` begins, whose items are a ``model``.

        Args:
            query: all that was asked for.
            begin_lean: begins the same walk with lean rows, where it can; see ``row_decoder``.
        """
        return Paginator(
            begin,
            begin_lean=begin_lean,
            model=model,
            name=name,
            query=_hash(name, *query),
            walks=self._context.walks,
            options=options,
        )

    def _watch(
        self,
        make: Callable[[Mapping[str, Any] | None], Poller[T]],
        start: str | None,
        interval: float,
        on_event: OnEvent | None,
        name: str,
        *query: object,
    ) -> Watch[T]:
        """A watch; ``query`` is all that was asked for."""
        router = self._context.router

        def least_wait() -> float:
            """Seconds between polls with which the daily quota of the server lasts."""
            daily = router.rate_limit.daily
            return 0.0 if daily is None else daily.reset / max(1, daily.remaining)

        async def sleep(seconds: float) -> None:
            router.check_usable()
            await self._context.timer.sleep(seconds)

        return Watch(
            make,
            start,
            name=name,
            query=_hash(name, *query),
            interval=check_seconds("interval", interval),
            sleep=sleep,
            least_wait=least_wait,
            observers=self._context.options.observers.also(check_on_event(on_event)),
        )


def _hash(*query: object) -> str:
    return sha256(json.dumps(query).encode()).hexdigest()[:16]


def walk_options(context: Context, walk: WalkParameters) -> tuple[WalkOptions, Common]:
    """The options of a walk, and the common parameters that were passed along with them.

    Raises:
        InvalidParameterError: one of them cannot be.
    """
    given: dict[str, Any] = {**WALK_DEFAULTS, **walk}
    concurrency = given.pop("concurrency", None)
    limit, max_pages = given.pop("limit", None), given.pop("max_pages", None)
    on_event = check_on_event(given.pop("on_event", None))
    options = WalkOptions(
        concurrency=context.concurrency
        if concurrency is None
        else check_int("concurrency", concurrency, maximum=MAX_CONCURRENCY),
        ordered=check_bool("ordered", given.pop("ordered")),
        limit=None if limit is None else check_int("limit", limit, minimum=0),
        strict=check_bool("strict", given.pop("strict")),
        max_pages=None if max_pages is None else check_int("max_pages", max_pages),
        observers=context.options.observers.also(on_event),
    )
    own = WalkParameters.__annotations__.keys() - CommonParameters.__annotations__.keys()
    return options, parse_common(cast("CommonParameters", given), also=sorted(own))
