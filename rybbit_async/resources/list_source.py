"""A list of the API as a walk sees it: numbered pages of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from attrs import evolve, frozen

from ..pages import RawPage
from ..parameters.checks import query_string
from ..parameters.window import Window
from ..walks.walk import PageRequest
from ..wire.messages import ResponsePage
from .context import Context
from .endpoints import ListEndpoint

__all__ = ["ListSource"]

T = TypeVar("T")


@frozen
class ListSource(Generic[T]):
    """One list with the parameters of one call.

    Attributes:
        params: those of the route, such as the site.
        window: the window in time that the rows are from.
        query: the other query parameters, such as filters and search.
        sorting: the query parameters that say how the rows are sorted.
        page_size: how many rows a request asks for.
        expected: how many rows there may be, where that is known beforehand; a hint.
        settled: whether nothing in the list can change any more.
    """

    context: Context
    endpoint: ListEndpoint[T]
    params: Mapping[str, str | int]
    window: Window
    query: Mapping[str, str]
    sorting: Mapping[str, str]
    page_size: int
    expected: int | None = None
    settled: bool = False

    @property
    def state(self) -> Mapping[str, str]:
        """What a position has to store: the exact times of a window that was pinned."""
        return self.window.state()

    @property
    def note(self) -> str | None:
        """What a report should say of this list."""
        if not self.window.is_relative:
            return None
        return (
            "the server resolves past_minutes at each request and takes no exact times, so each "
            "page had a window of its own"
        )

    async def prepare(self, state: Mapping[str, str] | None) -> ListSource[T]:
        """The list for one walk: a relative window is pinned where the server takes exact times.

        Raises:
            InvalidParameterError: ``state`` is not what ``state`` of such a list was.
        """
        capabilities, window = self.context.capabilities, self.window
        if state:
            window = window.restore(state)
        elif window.is_relative and await capabilities.takes_exact_times(self.context.options):
            window = window.pin(capabilities.now())
        return evolve(self, window=window, settled=window.is_past(capabilities.now()))

    async def fetch(self, request: PageRequest) -> RawPage[T]:
        """One page of the list (``GET`` the endpoint's route)."""
        query = {
            "page": str(request.number),
            self.endpoint.size_parameter: str(request.size),
            **(self.endpoint.stable_query if request.stable else self.sorting),
            **self.window.query(),
            **self.query,
        }
        response = await self.context.router.send(
            self.endpoint.route,
            "GET",
            self.params,
            query=query_string(query),
            options=self.context.options,
        )
        return ResponsePage(response, self.endpoint.read)
