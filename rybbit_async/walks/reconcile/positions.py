"""The positions that the strategies store, and their checks: positions come from outside."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from attrs import frozen

from ...errors import InvalidParameterError
from .fingerprints import mark, row_mark
from .tie_groups import TieGroup

__all__ = [
    "EarlierWalk",
    "Head",
    "KeyPosition",
    "TimePosition",
    "invalid_position",
    "is_sane",
    "rank_of",
    "time_position",
    "total_of",
]

T = TypeVar("T")


def invalid_position(of: str = "a page of the same walk") -> InvalidParameterError:
    """The error for a position that no walk of this list, or no watch, can have stored."""
    return InvalidParameterError(f"start must be the position of {of}")


# --- lists sorted by time ----------------------------------------------------------------------


@frozen
class Head:
    """Where a list began, and the rows that were there.

    Attributes:
        time: the newest time of the list.
        marks: the rows that were seen at the head and up to so many seconds below it, by their
            times and identities, see ``row_mark``.
    """

    time: datetime
    marks: frozenset[str]


@frozen
class TimePosition:
    """Where a walk over a list sorted by time stopped: at the first row of a group of equal times.

    Attributes:
        rank: the rank of that row, counted from 0.
        time: the time of that group.
        given: the marks of the rows of that group that were given already.
        head: where the list began when the first of the walks started; ``None`` if the list was
            settled.
    """

    rank: int
    time: datetime
    given: frozenset[str]
    head: Head | None

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> TimePosition:
        """Read what ``to_json`` returned.

        Raises:
            InvalidParameterError: it is something else.
        """
        head = None
        if "head" in stored:
            head = Head(_time(stored["head"]), _marks(stored.get("head_rows")))
        return cls(
            _rank(stored.get("rank")), _time(stored.get("time")), _marks(stored.get("given")), head
        )

    def to_json(self) -> dict[str, Any]:
        """The position as JSON."""
        stored: dict[str, Any] = {
            "rank": self.rank,
            "time": self.time.isoformat(),
            "given": sorted(self.given),
        }
        if self.head is not None:
            stored["head"] = self.head.time.isoformat()
            stored["head_rows"] = sorted(self.head.marks)
        return stored


@frozen
class EarlierWalk(Generic[T]):
    """What the walks before a resumed one gave."""

    position: TimePosition
    key: Callable[[T], datetime | None]
    identity: Callable[[T], Hashable]
    lateness: timedelta

    def gave(self, row: T) -> bool:
        """Whether they gave this row, as far as its place in the list shows."""
        time, until, head = self.key(row), self.position.time, self.position.head
        if time is None:
            return False
        if time == until:
            return mark(self.identity(row)) in self.position.given
        if time < until or head is None:
            return time > until
        # What is about as new as the head was may have come there after those walks had passed.
        return time < head.time - self.lateness or row_mark(time, self.identity(row)) in head.marks

    def marks_given(self, time: datetime) -> frozenset[str]:
        """The marks of the rows of ``time`` that they gave, as far as that is known."""
        return self.position.given if time == self.position.time else frozenset()


def time_position(
    group: TieGroup, earlier: EarlierWalk[T] | None, head: Head | None
) -> dict[str, Any]:
    """The position at the first row of a group, as JSON; ``earlier`` if the walk was resumed."""
    given = frozenset(mark(identity) for identity in group.seen)
    if earlier is not None:
        given |= earlier.marks_given(group.time)
    return TimePosition(group.first, group.time, given, head).to_json()


# --- lists with keys ---------------------------------------------------------------------------


@frozen
class KeyPosition:
    """Where a walk over a list sorted by a key stopped.

    Attributes:
        rank: the rank of the last row that was read, counted from 0.
        after: the highest key that was read: a number, a text, or a tuple of those.
    """

    rank: int
    after: Any

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> KeyPosition:
        """Read what ``to_json`` returned.

        Raises:
            InvalidParameterError: it is something else.
        """
        return cls(_rank(stored.get("rank")), _key(stored.get("after")))

    def is_before(self, key: Any) -> bool:
        """Whether a row with this key comes after the position.

        Raises:
            InvalidParameterError: the two keys cannot be compared.
        """
        try:
            return bool(key > self.after)
        except TypeError:
            raise invalid_position() from None

    def to_json(self) -> dict[str, Any]:
        """The position as JSON, in which tuples become lists."""
        return {"rank": self.rank, "after": self.after}


# --- checks ------------------------------------------------------------------------------------


def rank_of(stored: Mapping[str, Any]) -> int:
    """The rank that a position stores."""
    return _rank(stored.get("rank"))


def total_of(stored: Mapping[str, Any]) -> int | None:
    """The number of rows of the list that a position stores, if it does."""
    total = stored.get("total")
    return None if total is None else _rank(total)


def is_sane(moment: datetime) -> bool:
    """Whether a moment of a position is aware, whole seconds, and one that servers can have."""
    return moment.tzinfo is not None and not moment.microsecond and 1970 <= moment.year <= 2100


def _rank(value: object) -> int:
    if type(value) is int and 0 <= value < 2**53:
        return value
    raise invalid_position()


def _time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(cast("str", value))
    except (TypeError, ValueError):
        raise invalid_position() from None
    if time.tzinfo is None:
        raise invalid_position()
    return time


def _marks(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        raise invalid_position()
    marks: list[object] = [*value]  # pyright: ignore[reportUnknownArgumentType]  # checked below
    if not all(isinstance(one, str) for one in marks):
        raise invalid_position()
    return frozenset(cast("list[str]", marks))


def _key(value: object) -> Any:
    if isinstance(value, list):
        many: list[object] = [*value]  # pyright: ignore[reportUnknownArgumentType]  # checked below
        return tuple(_simple_key(one) for one in many)
    return _simple_key(value)


def _simple_key(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise invalid_position()
    return value
