"""Which goal of a file is which goal of a server. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from attrs import define, field, frozen

from ...models import Goal
from ...wire.converter import config_to_wire
from ..output.values import counted
from .content import Content
from .entry import FileGoal

__all__ = ["Double", "Matching", "Problem", "StoredGoal", "match"]

T = TypeVar("T")


@frozen
class StoredGoal:
    """A goal as a server has it."""

    goal_id: int
    name: str | None
    content: Content

    @classmethod
    def of(cls, goal: Goal) -> StoredGoal:
        """The same of a goal that the client has read."""
        content = Content.of(goal.goal_type, config_to_wire(goal.config))
        return cls(goal.goal_id, goal.name or None, content)


@frozen
class Double:
    """A goal that a server has twice, with one name and what it counts; ``kept`` is the oldest."""

    kept: StoredGoal
    surplus: tuple[StoredGoal, ...]


@frozen
class Problem:
    """A goal of the file for which it cannot be told which goal of the server it is."""

    goal: FileGoal
    text: str


@define
class Matching:
    """What belongs together.

    Attributes:
        pairs: goals of the file with those of the server that they are.
        new: goals that only the file has.
        left: goals that only the server has.
        doubles: goals of the file that the server has several times.
        problems: what is ambiguous.
    """

    pairs: list[tuple[FileGoal, StoredGoal]] = field(factory=list[tuple[FileGoal, StoredGoal]])
    new: list[FileGoal] = field(factory=list[FileGoal])
    left: list[StoredGoal] = field(factory=list[StoredGoal])
    doubles: list[Double] = field(factory=list[Double])
    problems: list[Problem] = field(factory=list[Problem])


def match(wanted: Sequence[FileGoal], stored: Sequence[StoredGoal]) -> Matching:
    """Match goals by id, then by name, then by what they count.

    Among goals of one name those that also count the same come first. What is ambiguous by name is
    not matched by what it counts.
    """
    return _Matcher(list(wanted), sorted(stored, key=lambda goal: goal.goal_id)).run()


@define
class _Matcher:
    wanted: list[FileGoal]  # those that have no goal of the server yet
    stored: list[StoredGoal]  # and the other way round
    found: Matching = field(factory=Matching)

    def run(self) -> Matching:
        by_id = {goal.goal_id: goal for goal in self.stored}
        for goal in list(self.wanted):
            if goal.goal_id in by_id:
                self._pair(goal, by_id[goal.goal_id])
        self._match_equal()
        self._match_by("named", lambda goal: goal.name)
        self._match_by("that count the same", lambda goal: goal.content.key)
        self.found.new, self.found.left = self.wanted, self.stored
        return self.found

    def _match_equal(self) -> None:
        for goals, stored in self._groups(lambda goal: (goal.name, goal.content.key)):
            if len(goals) > 1:  # they have ids, and the server has not
                self._refuse(goals, stored, f"named {goals[0].name!r} that count the same")
                continue
            self._pair(goals[0], stored[0])
            if len(stored) > 1:
                self.found.doubles.append(Double(stored[0], tuple(stored[1:])))
                self._drop(stored[1:])

    def _match_by(self, words: str, key: Callable[[FileGoal | StoredGoal], Hashable]) -> None:
        for goals, stored in self._groups(key):
            if len(goals) == len(stored) == 1:
                self._pair(goals[0], stored[0])
            else:
                named = f"named {goals[0].name!r}" if words == "named" else words
                self._refuse(goals, stored, named)

    def _groups(
        self, key: Callable[[FileGoal | StoredGoal], Hashable]
    ) -> list[tuple[list[FileGoal], list[StoredGoal]]]:
        """Goals of both sides that share a key; those whose key is ``None`` share none."""
        stored = _grouped(self.stored, key)
        wanted = _grouped(self.wanted, key)
        return [(goals, stored[one]) for one, goals in wanted.items() if one in stored]

    def _pair(self, goal: FileGoal, stored: StoredGoal) -> None:
        self.found.pairs.append((goal, stored))
        self.wanted = [one for one in self.wanted if one is not goal]
        self._drop([stored])

    def _drop(self, stored: Sequence[StoredGoal]) -> None:
        self.stored = [one for one in self.stored if one not in stored]

    def _refuse(self, goals: list[FileGoal], stored: list[StoredGoal], words: str) -> None:
        ids = ", ".join(str(one.goal_id) for one in stored)
        example = f"id: {stored[0].goal_id}"
        have = f"the site has {counted(len(stored), 'goals')} {words} (id {ids})"
        if len(goals) > 1:
            have = f"the file has {counted(len(goals), 'goals')} {words}, and {have}"
        for goal in goals:
            text = f"{have}: write the id of the one that is meant into the file, as in {example}"
            self.found.problems.append(Problem(goal, text))
        self.wanted = [one for one in self.wanted if not any(one is goal for goal in goals)]
        self._drop(stored)


def _grouped(many: Iterable[T], key: Callable[[T], Hashable]) -> dict[Hashable, list[T]]:
    groups = defaultdict[Hashable, "list[T]"](list)
    for one in many:
        if (value := key(one)) is not None:
            groups[value].append(one)
    return groups
