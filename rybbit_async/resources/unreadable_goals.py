"""Pages of goals that a server fails over because of single goals on them.

Some releases answer 500 for every page with a goal that they cannot count: one whose property value
is a number or a boolean, where events hold values of another type. Such a page is read again in
smaller pages, down to single goals, so that all others come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

from attrs import define, evolve, field, frozen

from ..errors import APIConnectionError, APIStatusError, RybbitError, ServerError
from ..models import Goal
from ..pages import Page, PageMeta, RawPage, Skipped
from ..walks.walk import PageRequest

__all__ = ["GoalList", "read_in_parts", "unreadable"]

_CURE: Final = (
    "Probably its property value is a number or a boolean, which the server cannot compare with "
    "what events hold: give it text, by an update with both name and config, or delete the goal"
)
# At most so many ids are tried in order to find out that of a goal.
_TRIES: Final = 20
# About so many single goals are read to find out whether the server can send any.
_SAMPLES: Final = 4
# A list that changes while it is read in parts is read so many times at most.
_READINGS: Final = 3


@frozen
class GoalList:
    """A site's list of goals.

    Attributes:
        site: its number or its identifier.
        sorting: the query parameters that say how the list is sorted.
        fetch: requests a page, and does not repeat a request that was answered 500.
        owns: whether a goal of some id is one of the site's.
    """

    site: str
    sorting: Mapping[str, str]
    fetch: Callable[[PageRequest], Awaitable[RawPage[Goal]]]
    owns: Callable[[int], Awaitable[bool]]


@frozen
class _ReadPage:
    """A page of goals that is decoded already; see ``RawPage``."""

    page: Page[Goal]

    def decode(self) -> Page[Goal]:
        """The page."""
        return self.page


def unreadable(
    error: RybbitError,
    site: int | str,
    goal: int | None,
    place: int | None = None,
    why: str = "",
) -> ServerError:
    """The error for a goal that the server cannot send.

    Args:
        error: the server's response to a request for this goal, or what was made of it here.
        goal: its id, or ``None`` if it is not known.
        place: where it stands in the list, counted from 1, if its id is not known.
        why: what else cannot be done because of that.
    """
    assert isinstance(error, ServerError)
    name = f"the goal at place {place} of the list" if goal is None else f"goal {goal}"
    answer = f"{error.status} ({error.message})"
    return ServerError(
        f"{f'{why}: ' if why else ''}{name} of site {site} cannot be read: the server answers "
        f"{answer} for each page of goals that it is on. {_CURE}",
        status=error.status,
        message=error.message,
        method=error.method,
        url=error.url,
        body=error.body,
    )


async def read_in_parts(goals: GoalList, request: PageRequest, error: ServerError) -> RawPage[Goal]:
    """The page that the server failed over, without the goals that cannot be read.

    Number, size and totals of the page are as if the server had sent it.

    Raises:
        ServerError: ``error``, if the server fails over everything.
    """
    readings = 0
    while True:
        parts = _Parts(goals, request, error)
        await parts.read()
        readings += 1
        if len(parts.totals) == 1 or readings == _READINGS:
            return _ReadPage(await parts.page())


@define(eq=False)
class _Parts:
    """What is known of a part of a list, by ranks counted from 0."""

    goals: GoalList
    request: PageRequest
    error: ServerError
    found: dict[int, Goal] = field(factory=dict[int, Goal])
    failed: dict[int, ServerError] = field(factory=dict[int, ServerError])
    total: int | None = None  # as the server said last
    totals: set[int] = field(factory=set[int])

    @property
    def first(self) -> int:
        """The rank of the first goal of the page."""
        return (self.request.number - 1) * self.request.size

    @property
    def end(self) -> int:
        """The rank after that of the last goal of the page."""
        end = self.first + self.request.size
        return end if self.total is None else min(end, self.total)

    # --- reading ------------------------------------------------------------------------------

    async def read(self) -> None:
        """Read everything that can be read."""
        failed = deque[tuple[int, int]]()
        if self.request.size == 1:
            self.failed[self.first] = self.error
        else:
            await self._halve(self.first, self.end, failed)
        if not self.found and not await self._answers():
            raise self.error
        while failed:
            await self._halve(*failed.popleft(), failed)

    async def _halve(self, first: int, end: int, failed: deque[tuple[int, int]]) -> None:
        """Read the ranks from ``first`` to before ``end``, in pages of half of that size."""
        size = -(-(end - first) // 2)
        for index in range(first // size, -(-end // size)):
            low, high = max(first, index * size), min(end, (index + 1) * size, self.end)
            known = self.found.keys() | self.failed.keys()
            if known.issuperset(range(low, high)):  # or it is empty: beyond the end of the list
                continue
            if not await self._fetch(index + 1, size) and size > 1:
                failed.append((low, high))

    async def _fetch(self, number: int, size: int) -> bool:
        """Read a page. Whether the server sent it."""
        first = (number - 1) * size
        try:
            page = (await self.goals.fetch(evolve(self.request, number=number, size=size))).decode()
        except ServerError as error:
            if error.status != 500:
                raise
            if size == 1:
                self.failed[first] = error
            return False
        if page.meta is None or page.meta.page_size != size:
            raise self.error  # it decides itself how large a page is, so there are no smaller ones
        self.total = page.meta.total
        self.totals.add(self.total)
        self.found.update(enumerate(page.items, first))
        return True

    async def _answers(self) -> bool:
        """Whether the server can send any goal at all.

        A few single goals show it: there are few that it cannot send, but it may be down.
        """
        tried = set(self.failed)
        for rank in self._samples():
            if rank in tried or (self.total is not None and rank >= self.total):
                continue
            if await self._fetch(rank + 1, 1) and rank in self.found:
                return True
            tried.add(rank)
            if len(tried) > _SAMPLES:
                break
        return False

    def _samples(self) -> Iterator[int]:
        """Ranks on the page, before it, and after it."""
        first = self.first
        yield first
        yield max(first, self.end - 1)  # the end is known better after each request
        yield (first + max(first, self.end - 1)) // 2
        yield max(0, first - 1)
        yield first // 2
        for distance in (0, 1, 3, 7):
            yield first + self.request.size + distance

    # --- the page -----------------------------------------------------------------------------

    async def page(self) -> Page[Goal]:
        """The page, with what is known of the goals that cannot be read."""
        size, total, names = self.request.size, self.total, _Names(self)
        assert total is not None
        ranks = range(self.first, self.end)
        return Page(
            tuple(self.found[rank] for rank in ranks if rank in self.found),
            PageMeta(total, self.request.number, size, -(-total // size)),
            skipped=tuple(
                [await self._skipped(rank, names) for rank in ranks if rank in self.failed]
            ),
            model=Goal,
        )

    async def _skipped(self, rank: int, names: _Names) -> Skipped:
        site, goal = self.goals.site, await names.of(rank)
        place = rank + 1 if goal is None else None
        error = unreadable(self.failed[rank], site, goal, place)
        return Skipped(int(site) if site.isdigit() else site, goal, place, error=error)


class _Names:
    """Finds out the ids of goals that cannot be read, from those of their neighbours.

    In the order of the ids, such a goal has an id between those of its neighbours. Which of these
    are goals of the site can be asked.
    """

    def __init__(self, parts: _Parts) -> None:
        sorting, stable = parts.goals.sorting, parts.request.stable
        self._goals = parts.goals
        self._total = parts.total or 0
        self._sort = "goalId" if stable else sorting.get("sort", "createdAt")
        self._rising = stable or sorting.get("order") == "asc"
        # By ranks in the order of the ids; None if it cannot be read.
        self._ids: dict[int, int | None] = {}
        if self._sort == "goalId":
            self._ids |= {self._rank(rank): goal.goal_id for rank, goal in parts.found.items()}
            self._ids |= dict.fromkeys(map(self._rank, parts.failed))
        self._owned: dict[int, bool] = {}

    async def of(self, rank: int) -> int | None:
        """The id of the goal at a rank of the list, or ``None`` where it cannot be told."""
        # In order of their creation goals stand nearly always as by their ids, but it is checked.
        if self._sort not in ("goalId", "createdAt"):
            return None
        try:
            return await self._of(self._rank(rank))
        except (APIConnectionError, APIStatusError):
            return None  # that the name is missing is no reason to fail

    def _rank(self, rank: int) -> int:
        return rank if self._rising else self._total - 1 - rank

    async def _of(self, rank: int) -> int | None:
        if await self._at(rank) is not None:
            return None
        below, above = rank - 1, rank + 1
        while below >= 0 and await self._at(below) is None:
            below -= 1
        while above < self._total and await self._at(above) is None:
            above += 1
        low = await self._at(below) if below >= 0 else None
        high = await self._at(above) if above < self._total else None
        if -1 in (low, high):
            return None
        if low is not None and high is not None and high - low == above - below:
            return low + rank - below  # the ids have no gaps
        if low is not None:
            end = low + _TRIES + 1
            ids = range(low + 1, end if high is None else min(end, high))
            return await self._nth(rank - below, ids)
        return None if high is None else await self._nth(above - rank, range(high - 1, 0, -1))

    async def _at(self, rank: int) -> int | None:
        """The id of the goal at a rank; ``None`` if it cannot be read."""
        if rank not in self._ids:
            request = PageRequest(rank + 1, 1, stable=True)
            try:
                page = (await self._goals.fetch(request)).decode()
                # -1 matches nothing: the list has become shorter.
                self._ids[rank] = page.items[0].goal_id if page.items else -1
            except ServerError as error:
                if error.status != 500:
                    raise
                self._ids[rank] = None
        return self._ids[rank]

    async def _nth(self, number: int, ids: range) -> int | None:
        """The id that is the ``number``-th goal of the site among ``ids``, as far as is tried."""
        for goal in ids[:_TRIES]:
            if goal not in self._owned:
                self._owned[goal] = await self._goals.owns(goal)
            number -= self._owned[goal]
            if number == 0:
                return goal
        return None
