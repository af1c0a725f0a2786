"""What is new among the events of a site, and among the sessions that reach its goals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar, cast

from attrs import define, evolve, field

from ..models import Event, Goal, Session, WatchedSession
from ..pages import Report
from ..parameters.common import Common
from ..parameters.window import LATENESS, Days, ExactTimes, Window
from ..walks.cursor import CursorPage, StretchWalk, too_small
from ..walks.options import WalkOptions
from ..walks.reconcile.fingerprints import mark
from ..walks.reconcile.positions import invalid_position, is_sane
from ..walks.walk import PagedWalk, PageRequest, Walk
from ..wire.converter import to_json
from .context import Context
from .endpoints import GOAL_SESSIONS, GOALS, ListEndpoint
from .event_source import EventSource, time_of
from .goal_owner import no_goal
from .list_source import ListSource, applied

__all__ = ["EventPoller", "SessionPoller"]

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_LARGER: Final = 4
# The sessions of a goal are read at least this often: a visitor who signs in gives a further row,
# which the number of conversions does not show.
_REREAD: Final = timedelta(minutes=5)

T = TypeVar("T")

_NEVER: Final = datetime.min.replace(tzinfo=UTC)

Key = tuple[str, str]  # session_id and user_id


# --- events --------------------------------------------------------------------------------------


class EventPoller:
    """What is new among the events of one site; see ``Poller``.

    Events have no identity. So it counts how often each one is there, from the earliest moment on
    at which one may still appear, and gives those that are there more often than before.
    """

    def __init__(
        self, context: Context, source: EventSource, position: Mapping[str, Any] | None
    ) -> None:
        self._context = context
        self._source = source
        self._floor: datetime | None = None
        self._next_floor: datetime | None = None
        self._seen: Counter[tuple[str, str]] = Counter()  # of (time, fingerprint)
        if position is not None:
            self._floor = _moment(position.get("floor"))
            self._seen.update(_counts(position.get("seen")))

    async def poll(self) -> list[Event]:
        """See ``Poller``."""
        if self._floor is None:
            await self._begin()
            return []
        events, now = await self._read(self._floor)
        self._next_floor = max(self._floor, now - LATENESS)
        keys = [_fingerprint(event) for event in events]
        fresh = Counter(keys)
        fresh.subtract(self._seen)
        new: list[Event] = []
        for event, key in zip(reversed(events), reversed(keys), strict=True):  # oldest first
            if fresh[key] > 0:
                fresh[key] -= 1
                new.append(event)
        return new

    async def _begin(self) -> None:
        """Take everything that is there as seen."""
        now = await self._context.capabilities.time(self._source.site, self._context.options)
        floor = _whole(now - LATENESS)
        events, _ = await self._read(floor)
        self._floor = floor
        self._seen.update(_fingerprint(event) for event in events)

    async def _read(self, floor: datetime) -> tuple[list[Event], datetime]:
        """Every event since ``floor``, newest first, and the time at which reading began."""
        now = await self._context.capabilities.time(self._source.site, self._context.options)
        window = Window(ExactTimes(floor, _whole(now + _DAY)))
        source = evolve(self._source, common=self._source.common._replace(window=window))
        report, size = Report(), source.page_size
        while True:
            request = CursorPage(source.stretch, size, lambda: False)
            page = (await source.fetch(request)).decode()
            if page.has_more is not None:
                break
            total = 0 if page.meta is None else page.meta.total
            if len(page) >= total or (page.items and page.items[-1].timestamp < floor):
                return [event for event in page if event.timestamp >= floor], now
            if len(page) < size:
                raise too_small(len(page))
            size *= _LARGER  # pages that are numbered shift while they are read, so one has to do
        walk = StretchWalk(source, source.stretch, time_of, report, WalkOptions(1), page)
        return await _all_rows(walk), now

    def given(self, row: Event) -> None:
        """See ``Poller``."""
        self._seen[_fingerprint(row)] += 1
        if self._next_floor is not None:  # all rows from before this one were given
            self._advance(min(row.timestamp, self._next_floor))

    def done(self) -> None:
        """See ``Poller``."""
        if self._next_floor is not None:
            self._advance(self._next_floor)
            self._next_floor = None

    def _advance(self, to: datetime) -> None:
        """Forget the events from before a moment, since no further ones will be given."""
        floor = _whole(to)
        if self._floor is None or floor <= self._floor:
            return
        self._floor, text = floor, floor.isoformat()
        for key in [key for key in self._seen if key[0] < text]:
            del self._seen[key]

    def position(self) -> Mapping[str, Any] | None:
        """See ``Poller``."""
        if self._floor is None:
            return None
        seen = [[*key, n] for key, n in sorted(self._seen.items())]
        return {"floor": self._floor.isoformat(), "seen": seen}


def _fingerprint(event: Event) -> tuple[str, str]:
    # The traits of a user may become known when the event was given already.
    return event.timestamp.isoformat(), mark(to_json(evolve(event, traits=None)))


# --- sessions that reach goals -------------------------------------------------------------------


@define(eq=False)
class _GoalState:
    """What is known of the sessions of one goal.

    Attributes:
        floor: every session that ended before this was given, if it was to be; ``None`` before the
            list was read.
        ends: session -> when it ended, as far as it is known, for those that may come again.
        settled: those of them that were given for the last time.
        signs: what the list of goals showed when the sessions were read last.
        read_at: when that was.
    """

    floor: datetime | None = None
    ends: dict[Key, datetime] = field(factory=dict[Key, datetime])
    settled: set[Key] = field(factory=set[Key])
    signs: object = None
    read_at: datetime = _NEVER
    next_floor: datetime | None = None

    @property
    def growing(self) -> list[datetime]:
        """When those sessions ended that are to be given once more."""
        return [end for key, end in self.ends.items() if key not in self.settled]

    def earliest(self, now: datetime) -> datetime:
        """When a session ended at the earliest that is to be given yet."""
        return min([self.floor or now, *self.growing])

    def settle_vanished(self, floor: datetime, present: set[Key]) -> None:
        """Expect no more of sessions that should be there by now, such as deleted ones."""
        for key, end in self.ends.items():
            if end >= floor and key not in present:
                self.settled.add(key)

    def advance(self) -> None:
        """Forget what cannot come again, once all rows were given."""
        if self.next_floor is None:
            return
        self.floor, self.next_floor = self.next_floor, None
        first = self.earliest(self.floor)
        for key in [key for key in self.settled if self.ends[key] < first]:
            self.settled.discard(key)
            del self.ends[key]


class SessionPoller:
    """What is new among the sessions that reach the goals of one site; see ``Poller``.

    A session is given when it is first seen, and once more when its visitor has been idle for so
    long that it cannot grow any more. The list has the session that ended last first, so only its
    head is read, and that only if the list of goals shows a new conversion or a session may have
    ended.

    Args:
        goals: the ids of the goals; ``None`` for all that the site has at the time.
        idle: how long a visitor has to be idle for a session to have ended.
    """

    def __init__(
        self,
        context: Context,
        site: int | str,
        key: str,
        goals: frozenset[int] | None,
        common: Common,
        idle: timedelta,
        warn: Callable[[str], None],
        position: Mapping[str, Any] | None,
    ) -> None:
        self._context = context
        self._site = site
        self._key = key
        self._goals = goals
        self._common = common
        self._over = idle + LATENESS
        self._warn = warn
        self._states = {} if position is None else _goal_states(position.get("goals"))
        self._begun = position is not None

    async def poll(self) -> list[WatchedSession]:
        """See ``Poller``."""
        common = await self._applied()
        goals, is_whole = await self._list(common)
        if is_whole:
            self._forget_all_but({goal.goal_id for goal in goals})
        now, news = self._context.capabilities.now(), list[WatchedSession]()
        read: list[tuple[_GoalState, tuple[int | None, date], datetime]] = []
        for goal in goals:
            state = self._states.setdefault(goal.goal_id, _GoalState())
            signs = goal.total_conversions, now.date()
            due = [end for end in state.growing if now - end >= self._over]
            if state.signs == signs and not due and now - state.read_at < _REREAD:
                continue
            was_there = state.floor is None and not self._begun
            # A goal that was made meanwhile counts what was there before, too.
            start = state.floor or _whole(now - LATENESS)
            floor = now - self._over if was_there else min([start, *due])
            sessions = await self._head(goal.goal_id, floor, common)
            state.settle_vanished(floor, {_key(one) for one in sessions})
            if was_there:
                state.ends.update({_key(one): _end(one) for one in sessions})
            else:
                news += self._news(goal, state, sessions, now)
            read.append((state, signs, start))
        # Not before all goals were read: if one fails, the rows of the others are given by the next
        # poll, which has to read them again.
        for state, signs, start in read:
            state.signs, state.read_at = signs, now
            state.floor, state.next_floor = start, _whole(now - LATENESS)
        self._begun = True
        return sorted(news, key=lambda one: _end(one.session))

    def _news(
        self, goal: Goal, state: _GoalState, sessions: list[Session], now: datetime
    ) -> list[WatchedSession]:
        news: list[WatchedSession] = []
        for session in sessions:
            key, end = _key(session), _end(session)
            is_over = now - end >= self._over
            if key in state.settled:
                continue
            if key in state.ends:
                state.ends[key] = max(end, state.ends[key])
                if not is_over:
                    continue
            is_new = key not in state.ends
            news.append(WatchedSession(self._site, goal, session, settled=is_over, is_new=is_new))
        return news

    async def _applied(self) -> Common:
        params: dict[str, str | int] = {"site": self._key}
        if self._goals:
            params["goal"] = min(self._goals)
        return await applied(self._context, GOAL_SESSIONS, [params], self._common, self._warn)

    def _forget_all_but(self, listed: set[int]) -> None:
        if self._goals is not None and not self._goals & listed:
            raise no_goal(self._context, min(self._goals), self._key)
        for deleted in self._states.keys() - listed:
            del self._states[deleted]

    async def _list(self, common: Common) -> tuple[list[Goal], bool]:
        """The goals that are watched, with their conversions in the days that are read.

        And whether these are all: the server may fail over some.
        """
        report, wanted = Report(), self._goals
        source = self._source(GOALS, {}, common, GOALS.max_page_size or 100, GOALS.stable_query)
        goals = await _all_rows(PagedWalk(source, GOALS.order, report, WalkOptions(1)))
        whole = not (report.doubtful or report.skipped)
        return [goal for goal in goals if wanted is None or goal.goal_id in wanted], whole

    async def _head(self, goal: int, floor: datetime, common: Common) -> list[Session]:
        """The sessions of a goal that ended at ``floor`` or later, newest first."""
        size = 100
        while True:
            source = self._source(GOAL_SESSIONS, {"goal": goal}, common, size, {})
            page = (await source.fetch(PageRequest(1, size))).decode()
            rows = [row for row in page.items if row.session_end is not None]
            if len(page) < size or (rows and _end(rows[-1]) < floor):
                return [row for row in rows if _end(row) >= floor]
            size *= _LARGER  # rows move from page to page meanwhile, so one page has to do

    def _source(
        self,
        endpoint: ListEndpoint[T],
        params: Mapping[str, str | int],
        common: Common,
        size: int,
        sorting: Mapping[str, str],
    ) -> ListSource[T]:
        now = self._context.capabilities.now().astimezone(UTC)
        earliest = min((state.earliest(now) for state in self._states.values()), default=now)
        # The day before as well, for the events before midnight of sessions that go on after it.
        first = min(earliest, now).astimezone(UTC).date() - _DAY
        window = Window(Days(first, now.date()))
        return ListSource(
            self._context,
            endpoint,
            {"site": self._key, **params},
            common._replace(window=window),
            {},
            sorting,
            size,
            self._warn,
        )

    def given(self, row: WatchedSession) -> None:
        """See ``Poller``."""
        state = self._states[row.goal.goal_id]
        state.ends[_key(row.session)] = _end(row.session)
        if row.settled:
            state.settled.add(_key(row.session))

    def done(self) -> None:
        """See ``Poller``."""
        for state in self._states.values():
            state.advance()

    def position(self) -> Mapping[str, Any] | None:
        """See ``Poller``."""
        if not self._begun:
            return None
        return {
            "goals": {
                str(goal): {
                    "floor": None if state.floor is None else state.floor.isoformat(),
                    "sessions": [
                        [*key, end.isoformat(), key in state.settled]
                        for key, end in sorted(state.ends.items())
                    ],
                }
                for goal, state in self._states.items()
            }
        }


def _key(session: Session) -> Key:
    return session.session_id, session.user_id or ""


def _end(session: Session) -> datetime:
    assert session.session_end is not None
    return session.session_end


async def _all_rows(walk: Walk[T]) -> list[T]:
    found: list[T] = []
    try:
        while (rows := await walk.step()) is not None:
            found += rows
    finally:
        await walk.close()
    return found


# --- positions, which come from outside ----------------------------------------------------------


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(cast("str", value))
    except (TypeError, ValueError):
        raise invalid_position("a watch") from None
    if not is_sane(moment):
        raise invalid_position("a watch")
    return moment


def _counts(value: object) -> dict[tuple[str, str], int]:
    try:
        counts = {(str(time), str(name)): n for time, name, n in cast("list[Any]", value)}
    except (TypeError, ValueError):
        raise invalid_position("a watch") from None
    if not all(type(n) is int and n > 0 for n in counts.values()):
        raise invalid_position("a watch")
    return counts


def _goal_states(value: object) -> dict[int, _GoalState]:
    try:
        states: dict[int, _GoalState] = {}
        for goal, stored in cast("dict[str, Any]", value).items():
            state = states[int(goal)] = _GoalState(_moment(stored["floor"]))
            for session, user, end, settled in stored["sessions"]:
                key = str(session), str(user)
                moment = _moment(end)
                if moment is None:
                    raise TypeError(end)
                state.ends[key] = moment
                if settled:
                    state.settled.add(key)
        return states
    except (AttributeError, KeyError, TypeError, ValueError):
        raise invalid_position("a watch") from None
