"""Walks over the lists of many sites as one: under one window and one limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Literal, TypeVar, cast

from attrs import evolve, field, frozen

from ..errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    InvalidParameterError,
    RateLimitError,
    RybbitError,
    without_traceback,
)
from ..pages import Report, Skipped
from ..parameters.callers import warning_here
from ..parameters.checks import check_choice, check_many, check_site, is_list
from ..parameters.common import Common
from ..parameters.walk import WalkParameters
from ..plain import plain
from ..transport.single_flight import SingleFlight
from ..walks.multi_walk import Listing, MultiWalk, SubWalk
from ..walks.options import WalkOptions
from ..walks.paginator import Paginator
from ..walks.pending import KnownItems, PendingWalk
from ..walks.walk import PagedWalk, Position, ResizableWalk, Walk
from .context import Context
from .endpoints import ListEndpoint
from .list_source import applied, pinned, pinned_here
from .resource import NOTHING, Resource, walk_options
from .sites import all_sites

__all__ = ["ManySites", "ManySitesResource"]

# Errors that another list may be spared.
_OF_ONE_LIST: Final = (APIConnectionError, APIResponseError, APIStatusError)

T = TypeVar("T")
Row = TypeVar("Row")


@frozen(eq=False)
class ManySites:
    """The sites of one walk, and what their lists have in common.

    Attributes:
        by_key: the sites as the caller passed them, by how they are written in a path.
        endpoint: a list that the filters are for.
        common: the window in time and the filters, as they were passed.
        skips: whether to go on without a list that cannot be read.
        lean: whether the rows of the lists may be lean; see ``row_decoder``.
    """

    context: Context
    by_key: Mapping[str, int | str]
    endpoint: ListEndpoint[Any]
    common: Common
    report: Report
    options: WalkOptions
    warn: Callable[[str], None]
    skips: bool
    lean: bool = False
    _agreement: SingleFlight[Common] = field(factory=SingleFlight[Common], init=False)

    def over(self, endpoint: ListEndpoint[T]) -> ListEndpoint[T]:
        """A list of one of the sites."""
        return endpoint.lean() if self.lean else endpoint

    async def agreed(self) -> Common:
        """The window and the filters of all lists: the sites have one server, and one window."""
        return await self._agreement.get(self._agree)

    async def _agree(self) -> Common:
        lost = [one.site for one in self.report.skipped if one.goal is None]
        keys = [key for key, site in self.by_key.items() if site not in lost]
        places = [{"site": key} for key in keys]
        ready = await applied(self.context, self.endpoint, places, self.common, self.warn)
        pin = pinned if self.endpoint.takes_exact_times else pinned_here
        window = await pin(self.context, keys, ready.window)
        return ready._replace(window=window)

    def skip(self, site: int | str, goal: int | None, error: RybbitError) -> bool:
        """Whether to go on after an error without the rest of a list; notes that in the report.

        Args:
            goal: whose sessions could not be read; ``None`` for a list of the site itself.
        """
        if not self.skips or not isinstance(error, _OF_ONE_LIST):
            return False
        if isinstance(error, RateLimitError):
            return False
        name = f"site {site}" if goal is None else f"goal {goal} of site {site}"
        skipped = Skipped(site, goal, error=without_traceback(error))
        self.report.skip(skipped, f"{name} was skipped: {error}")
        return True


class ManySitesResource(Resource):
    """Something whose lists can be walked for many sites at once."""

    def _walk_many(
        self,
        sites: int | str | Iterable[int | str],
        walk: WalkParameters,
        endpoint: ListEndpoint[Any],
        model: type[Row],
        name: str,
        begin: Callable[[ManySites], Walk[Row]],
        *query: object,
        on_error: Literal["raise", "skip"],
    ) -> Paginator[Row]:
        """A walk over many sites; ``begin`` makes it when the sites are known.

        Args:
            sites: a site or several, or ``"all"`` for every site that the key can read.
            endpoint: a list that the filters are for.
            model: the class of the rows of the whole walk.
            name: what is walked, such as ``"goals"``.
            query: what else was asked for.
        """
        context = self._context
        options, common = walk_options(context, walk)
        known = None if isinstance(sites, str) and sites == "all" else _by_key(sites)
        skips = check_choice("on_error", on_error, ("raise", "skip")) == "skip"
        warn = warning_here()

        def begin_walk(report: Report, _: Position | None, *, lean: bool = False) -> Walk[Row]:
            def over(by_key: Mapping[str, int | str]) -> Walk[Row]:
                return begin(
                    ManySites(context, by_key, endpoint, common, report, options, warn, skips, lean)
                )

            async def find() -> Walk[Row]:
                return over({str(site): site for site in await all_sites(context)})

            return PendingWalk(find, report) if known is None else over(known)

        which = "all" if known is None else [*known]
        name = f"{name} of {'all' if known is None else len(known)} sites"
        return self._paginator(
            begin_walk,
            options,
            model,
            name,
            *(which, common.query(), *query),
            begin_lean=partial(begin_walk, lean=True),
        )

    def _walk_sites(
        self,
        sites: int | str | Iterable[int | str],
        page_size: int,
        walk: WalkParameters,
        endpoint: ListEndpoint[T],
        name: str,
        model: type[Row],
        *,
        on_error: Literal["raise", "skip"],
        sorting: Mapping[str, str] = NOTHING,
        query: Mapping[str, str] = NOTHING,
        choose: Callable[[ResizableWalk[T]], ResizableWalk[T]] | None = None,
    ) -> Paginator[Row]:
        """A walk over one list of each of many sites; see ``_walk_many`` and ``_walk``.

        Args:
            model: the class of the rows of the whole walk; made of a site, as the caller passed it,
                and a row.
        """
        combine: Callable[[int | str, T], Row] = cast("Any", model)

        def begin(many: ManySites) -> MultiWalk[str, T, Row]:
            def open_site(key: str) -> SubWalk[T, Row]:
                over = many.over(endpoint)
                source = self._source(
                    over,
                    {"site": key},
                    page_size,
                    many.common,
                    sorting,
                    query,
                    agreed=many.agreed,
                )
                options = evolve(many.options, thrifty=endpoint.thrifty)
                one = PagedWalk(source, over.order, many.report, options)
                rows = one if choose is None else choose(one)
                site = many.by_key[key]
                return SubWalk(
                    rows,
                    lambda row: combine(site, row),
                    1,
                    partial(many.skip, site, None),
                    reach=lambda: one.reach,
                )

            listing = Listing(KnownItems([*many.by_key], many.report), open_site)
            return MultiWalk(iter([listing]), many.report, many.options, page_size=page_size)

        return self._walk_many(
            sites, walk, endpoint, model, name, begin, query, sorting, on_error=on_error
        )


def _by_key(sites: int | str | Iterable[int | str]) -> dict[str, int | str]:
    """The sites as they were passed, by how they are written in a path, each once."""
    many: list[Any] = check_many("sites", sites) if is_list(sites) else [sites]
    try:
        return {check_site(site): plain(site) for site in many}
    except InvalidParameterError as error:
        text = str(error)
    raise InvalidParameterError(f'{text}; sites must be a site, a list of sites, or "all"')
