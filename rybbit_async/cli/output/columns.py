"""What a table shows of its rows, as values; ``views`` has the tables themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, Literal, TypeVar

from attrs import frozen

__all__ = ["Column", "Kind", "View", "within"]

T = TypeVar("T")
Outer = TypeVar("Outer")

Kind = Literal[
    "text", "id", "count", "percent", "time", "day", "duration", "bar", "spark", "change", "points"
]
_LEFT: Final = frozenset({"text", "time", "day", "bar", "spark"})


@frozen
class Column(Generic[T]):
    """One column of a table for people.

    Attributes:
        title: its heading.
        value: what is shown of a row. ``None`` is a dash.
        kind: how it is written: ``"percent"`` takes a ratio of 0 to 1, ``"duration"`` seconds,
            ``"bar"`` a figure that is compared with the largest one, ``"spark"`` a sequence of
            figures, ``"change"`` and ``"points"`` a ``Change``. Where it is narrow, ``"text"`` is
            shortened and ``"spark"`` drawn smaller; the others are written whole.
        rank: in a narrow terminal the columns with the highest ranks are left out first; those of
            rank 0 stay. Others are left out, too, where no row has a value.
        least: how many cells text and lines have before other columns are left out for them.
    """

    title: str
    value: Callable[[T], Any]
    kind: Kind = "text"
    rank: int = 0
    least: int = 12

    @property
    def is_left(self) -> bool:
        """Whether values stand at the left of the column."""
        return self.kind in _LEFT


@frozen
class View(Generic[T]):
    """How the rows of a class are shown.

    Attributes:
        name: what the rows are, in the plural.
        model: the class of the rows, whose columns CSV and Parquet have.
        columns: of the table, from left to right.
        most: how many rows a table has unless a user asks for more; ``None`` for all.
        figure: what is 0 or unknown in every row if filters let nothing through; without it a row
            is something.
    """

    name: str
    model: type[T]
    columns: tuple[Column[T], ...]
    most: int | None = None
    figure: Callable[[T], float | None] | None = None


def within(
    model: type[Outer], get: Callable[[Outer], T], view: View[T], *first: Column[Outer]
) -> View[Outer]:
    """A view of rows that hold the rows of another view.

    Args:
        model: the class of the rows.
        get: what each of them holds.
        first: columns of their own, which come first.
    """

    def reaching(column: Column[T]) -> Column[Outer]:
        value = column.value
        return Column(
            column.title, lambda row: value(get(row)), column.kind, column.rank, column.least
        )

    inner = view.figure
    figure: Callable[[Outer], float | None] | None = None
    if inner is not None:
        figure = lambda row: inner(get(row))  # noqa: E731  # as one of the fields
    return View(view.name, model, (*first, *map(reaching, view.columns)), view.most, figure)
