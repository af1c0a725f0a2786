"""Tables for people: as many columns as fit, each line as wide as the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from attrs import define, frozen
from rich.cells import cell_len, get_character_cell_size
from rich.text import Text

from ...models import Change
from . import values
from .columns import Column, Kind, View
from .sparkline import bar, sparkline
from .text import visible

__all__ = ["Look", "Table", "pairs_of", "render", "render_pairs"]

_GAP: Final = "  "
_BAR: Final = 10  # cells
_SPARK: Final = 31  # cells, at most: the days of a month
_STYLES: Final[Mapping[Kind, str]] = {"bar": "cyan", "spark": "cyan", "id": "dim", "time": "dim"}
_SOFT: Final[frozenset[Kind]] = frozenset({"text", "spark"})
_UP, _DOWN = "green", "red"
_NARROWEST: Final = 3  # cells, where nothing else helps


@frozen
class Look:
    """How values are drawn.

    Attributes:
        zone: in which times are shown; ``None`` for the zone that they have.
        encoding: of the stream. What it cannot have is drawn with ASCII, or written as an escape.
    """

    zone: tzinfo | None = None
    encoding: str = "utf-8"

    @property
    def plain(self) -> bool:
        """Whether bars and lines are of ASCII."""
        try:
            "▁█─…".encode(self.encoding)
        except UnicodeEncodeError:
            return True
        return False

    def text(self, value: str) -> str:
        """Text in a cell. Terminals disagree on how wide a selected variant is, so none is."""
        shown = visible(value).replace("\ufe0e", "").replace("\ufe0f", "")
        return shown.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def any(self, value: object) -> str:
        """A value of any type, as where nothing says how it is meant."""
        if value is None:
            return "-"
        if isinstance(value, datetime):
            return values.moment(value, self.zone)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, (Mapping, list, tuple)):
            return self.text(json.dumps(value, ensure_ascii=False, default=str)) if value else ""
        return self.text(str(value))


@frozen
class Table:
    """A table that was drawn.

    Attributes:
        lines: each of them exactly as wide as the others.
        left_out: the titles of the columns for which there was no room.
    """

    lines: list[Text]
    left_out: list[str]


def render(view: View[Any], rows: Sequence[Any], width: int, look: Look) -> Table:
    """Draw a table of at most ``width`` cells, if its most important columns have room there."""
    columns = [_Drawn.of(column, rows, look) for column in view.columns]
    wanted = [one for one in columns if one.has_values or not one.rank]
    # Some terminals break a line that ends at their edge.
    columns = _fitting(wanted, width - 1)
    for one in columns:
        one.draw(look)
    rule = "-" if look.plain else "─"
    lines = [
        _line([(_fit(one.title, one.width, one.is_left, look), "bold") for one in columns]),
        _line([(rule * one.width, "dim") for one in columns]),
    ]
    for at in range(len(rows)):
        cells = [_fit(one.cells[at], one.width, one.is_left, look) for one in columns]
        styles = [one.styles[at] for one in columns]
        lines.append(_line([*zip(cells, styles, strict=True)]))
    return Table(lines, [one.title for one in wanted if one not in columns])


def pairs_of(view: View[Any], row: Any, look: Look) -> list[tuple[str, str]]:
    """One row as the titles of columns and their values."""
    drawn = [(column, column.value(row)) for column in view.columns if column.kind != "bar"]
    return [
        (column.title, _cells(column.kind, [value], look)[0])
        for column, value in drawn
        if value is not None and value != ""
    ]


def render_pairs(pairs: Sequence[tuple[str, str]], width: int, look: Look) -> list[Text]:
    """The lines of names and values, one pair on each; long values go on in the next line."""
    names = max((cell_len(name) for name, _ in pairs), default=0)
    room = max(_NARROWEST, width - 1 - names - len(_GAP))
    lines: list[Text] = []
    for name, value in pairs:
        for at, part in enumerate(_wrapped(value, room)):
            lines.append(
                _line(
                    [
                        (_fit("" if at else name, names, True, look), "bold"),
                        (part, ""),
                    ]
                )
            )
    return lines


def _line(cells: Sequence[tuple[str, str]]) -> Text:
    line = Text(no_wrap=True, overflow="ignore", end="")
    for at, (text, style) in enumerate(cells):
        line.append(_GAP if at else "")
        line.append(text, style)
    return line


# --- columns -----------------------------------------------------------------------------------


@define(eq=False)
class _Drawn:
    """A column with the text of its cells."""

    column: Column[Any]
    raw: list[Any]
    cells: list[str]
    width: int  # cells
    least: int  # cells to which it may be shortened

    @classmethod
    def of(cls, column: Column[Any], rows: Sequence[Any], look: Look) -> _Drawn:
        raw = [column.value(row) for row in rows]
        cells = _cells(column.kind, raw, look)
        widest = max(map(cell_len, (*cells, column.title)))
        least = min(widest, max(column.least, cell_len(column.title)))
        return cls(column, raw, cells, widest, least if column.kind in _SOFT else widest)

    @property
    def title(self) -> str:
        return self.column.title

    @property
    def is_soft(self) -> bool:
        return self.column.kind in _SOFT

    @property
    def is_left(self) -> bool:
        return self.column.is_left

    @property
    def rank(self) -> int:
        return self.column.rank

    @property
    def has_values(self) -> bool:
        if self.column.kind == "bar":
            return any(self.raw)
        return not self.raw or any(value is not None for value in self.raw)

    @property
    def styles(self) -> list[str]:
        return [_style(self.column.kind, value) for value in self.raw]

    def draw(self, look: Look) -> None:
        """Draw what depends on the width, once that is known."""
        if self.column.kind == "spark":
            self.cells = [sparkline(one, self.width, plain=look.plain) for one in self.raw]


def _style(kind: Kind, value: Any) -> str:
    if isinstance(value, Change) and value.absolute:
        return _UP if value.absolute > 0 else _DOWN
    return _STYLES.get(kind, "")


def _cells(kind: Kind, raw: Sequence[Any], look: Look) -> list[str]:
    if kind == "bar":
        most = max((value for value in raw if value), default=1)
        return [bar((value or 0) / most, _BAR, plain=look.plain) for value in raw]
    return ["-" if value is None else _cell(kind, value, look) for value in raw]


def _cell(kind: Kind, value: Any, look: Look) -> str:
    match kind:
        case "count":
            return values.number(value)
        case "percent":
            return values.percent(value)
        case "time":
            return values.moment(value, look.zone)
        case "day":
            return values.day(value, look.zone)
        case "duration":
            return values.duration(value)
        case "spark":
            return sparkline(value, _SPARK, plain=look.plain)
        case "change":
            return values.change(value)
        case "points":
            return values.points(value)
        case _:
            return look.any(value)


def _fitting(columns: Sequence[_Drawn], width: int) -> list[_Drawn]:
    """The columns that fit, with their widths."""
    kept = [*columns]

    def over(widths: Iterable[int]) -> int:
        return sum(widths) + len(_GAP) * (len(kept) - 1) - width

    while over(one.least for one in kept) > 0 and any(one.rank for one in kept):
        last = max(one.rank for one in kept)
        # The rightmost of these.
        kept.remove(next(one for one in reversed(kept) if one.rank == last))
    bounds: list[Callable[[_Drawn], int]] = [
        lambda one: one.width if one.column.kind == "spark" else one.least,
        lambda one: one.least,
        # Where nothing else is left: titles stay whole, and figures even then.
        lambda one: min(one.least, cell_len(one.title)) if one.is_soft else one.width,
        lambda one: min(one.least, _NARROWEST),
    ]
    for bound in bounds:
        while (excess := over(one.width for one in kept)) > 0:
            soft = [one for one in kept if one.width > bound(one)]
            if not soft:
                break
            widest = max(soft, key=lambda one: one.width)
            others = [one.width for one in soft if one.width < widest.width]
            step = widest.width - max(others) if others else excess
            widest.width = max(bound(widest), widest.width - max(1, min(step, excess)))
    return kept


# --- cells -------------------------------------------------------------------------------------


def _fit(text: str, width: int, is_left: bool, look: Look) -> str:
    """Text as wide as its column, and shortened where it is longer."""
    size = cell_len(text)
    if size > width:
        mark = "~" if look.plain else "…"
        text = _head(text, width - 1) + mark
        size = cell_len(text)
    blanks = " " * (width - size)
    return text + blanks if is_left else blanks + text


def _head(text: str, width: int) -> str:
    """The beginning of a text, with the marks that combine with its last character."""
    size = 0
    for at, char in enumerate(text):
        size += get_character_cell_size(char)
        if size > width:
            return text[:at]
    return text


def _wrapped(text: str, width: int) -> list[str]:
    parts: list[str] = []
    while cell_len(text) > width:
        part = _head(text, width)
        at = part.rfind(" ")
        part = part[:at] if at > width // 2 else part
        parts.append(part)
        text = text[len(part) :].removeprefix(" ")
    return [*parts, text]
