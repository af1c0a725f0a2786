"""Showing what a command has read: ``show`` for lists, ``show_one`` for one thing.

    return await show(job, job.client.sessions.iter(site, **window), SITE_SESSIONS, output)

On a terminal that is a table, and otherwise JSON for programs; flags choose another format. Rows
for programs are written as they come, page by page.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import tzinfo
from itertools import starmap
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from attrs import define, evolve
from rich.text import Text

from ... import Activity, Filter, Paginator, to_dict
from ...tables import flat_rows
from ..exits import Exit
from ..options.output import Format, OneOutput, OutputOptions
from ..terminal import Terminal, interruptible
from .columns import Column, View
from .files import check_file, whole_file
from .paging import AnyRows, collected, first_of, pages_of, watched
from .progress import Progress, may_draw
from .stream import Outlet, is_new_file
from .table import Look, Table, pairs_of, render, render_pairs
from .text import visible_json, wrapped
from .values import counted
from .writers import CsvText, JsonLinesText, JsonText, ParquetRows, Rows, chosen, json_text

__all__ = ["Job", "print_table", "show", "show_one", "tell_unmatched"]

T = TypeVar("T")


class Job(Protocol):
    """What is needed of the job of a command."""

    @property
    def terminal(self) -> Terminal:
        """Where to write."""
        ...

    def listen(self, callback: Callable[[Activity], object], /) -> object:
        """Tell what the client does from now on."""
        ...


async def show(
    job: Job,
    rows: AnyRows[T],
    view: View[T],
    output: OutputOptions,
    *,
    total: int | None = None,
    caption: str = "",
    zone: tzinfo | None = None,
    filtered: Sequence[Filter] | None = None,
) -> int | None:
    """Write rows in the format that the user wants.

    Args:
        job: of the command.
        rows: a walk, another asynchronous source, or the rows themselves.
        view: how they are shown.
        output: what the user wants.
        total: how many rows there are, for the progress; else what the server says.
        caption: what the rows are of, such as ``"2024-01-01 to 2024-01-31, UTC"``.
        zone: in which a table shows times; ``None`` for the one that they have.
        filtered: the filters that the user gave. If nothing matches them, that is told.

    Returns:
        ``Exit.PARTIAL`` if rows may be missing against the user's wish; the walk has warned of it.

    Raises:
        CommandError: a flag is wrong. Nothing was sent then, as long as ``rows`` is a walk.
        OSError: stdout or the file cannot be written.
    """
    terminal = job.terminal
    kind = output.format(terminal.out_is_terminal)
    names = chosen(view.model, output.columns)
    most = output.most(terminal.out_is_terminal, view.most)
    if output.parquet is not None:
        check_file("--parquet", output.parquet)
    with Progress(terminal, view.name, total, draw=may_draw(terminal, kind)) as progress:
        job.listen(progress.tell)
        seen = _Seen(progress, view.figure)
        async with aclosing(watched(pages_of(rows), seen.add)) as pages:
            if kind == "table":
                found, has_more = await collected(pages, most)
                progress.close()
                shown = view if names is None else _view_of(view, names)
                count = counted(len(found), view.name)
                if has_more:
                    count = f"the first {count.removeprefix('1 ')}"
                left_out = print_table(
                    terminal, shown, found, caption=_joined(count, caption), zone=zone
                )
                if left_out and names is not None:
                    terminal.message(f"there is no room for {', '.join(left_out)}")
                if has_more and output.limit is None:
                    terminal.message(f"these are {count}; --limit 0 shows all")
            elif output.parquet is not None:
                await _write_parquet(
                    output.parquet, first_of(pages, most), ParquetRows(view.model, names)
                )
            else:
                await _write_text(
                    Outlet(terminal.out, is_terminal=terminal.out_is_terminal),
                    first_of(pages, most),
                    _text(kind, view, names, output.raw, terminal),
                )
    if filtered and not seen.any:
        tell_unmatched(terminal, filtered)
    if isinstance(rows, Paginator) and rows.report.doubtful:
        return Exit.PARTIAL
    return None


async def show_one(
    job: Job,
    thing: T | Mapping[str, Any],
    output: OneOutput | OutputOptions,
    *,
    view: View[T] | None = None,
    zone: tzinfo | None = None,
) -> None:
    """Write one thing: one JSON object, or what people want to see of it, one below the other.

    Args:
        job: of the command.
        thing: an object of a class of the package, or a mapping of names.
        output: what the user wants.
        view: what people see of it; else it is all that there is.
        zone: in which times are shown.
    """
    terminal = job.terminal
    is_terminal = terminal.out_is_terminal
    if output.format(is_terminal) != "table":
        text = json_text(to_dict(thing), indent=2)
        await Outlet(terminal.out, is_terminal=is_terminal).write(
            f"{visible_json(text) if is_terminal else text}\n"
        )
        return
    look = _look(terminal, zone)
    if view is not None:
        pairs = pairs_of(view, thing, look)
    else:
        fields = (
            cast("Mapping[str, Any]", thing)
            if isinstance(thing, Mapping)
            else to_dict(thing, flat=True, times="datetime")
        )
        pairs = [
            (name.replace("_", " ").capitalize(), look.any(value))
            for name, value in fields.items()
            if value is not None and value != ""
        ]
    terminal.print(*render_pairs(pairs, terminal.width, look))


def tell_unmatched(terminal: Terminal, filters: Sequence[Filter] | None) -> None:
    """Tell that nothing matches the filters, if there are any, and what may be the cause."""
    if filters:
        terminal.message(
            "nothing matches these filters; values must be written as the server has them, and "
            f"case matters: rybbit-async values SITE {filters[0].parameter} shows them"
        )


@define
class _Seen:
    """The rows that were read: how many, and whether there is anything in them."""

    progress: Progress
    figure: Callable[[Any], float | None] | None
    count: int = 0
    any: bool = False

    def add(self, page: Sequence[Any]) -> None:
        """Take some rows, at least one."""
        self.count += len(page)
        self.progress.rows(self.count)
        self.any = self.any or self.figure is None or any(map(self.figure, page))


def print_table(
    terminal: Terminal,
    view: View[T],
    rows: Sequence[T],
    *,
    caption: str = "",
    zone: tzinfo | None = None,
) -> list[str]:
    """Print a table for people, with a line below that says what it is.

    Returns:
        The titles of the columns for which there was no room.
    """
    look = _look(terminal, zone)
    with interruptible():
        table = render(view, rows, terminal.width, look) if rows else Table([], [])
    below = [look.text(caption)] if caption else []
    if terminal.out_is_terminal:
        below = [line for text in below for line in wrapped(text, terminal.width - 1)]
    terminal.print(*table.lines, *(Text(line, "dim") for line in below))
    return table.left_out


# --- tables ------------------------------------------------------------------------------------


def _look(terminal: Terminal, zone: tzinfo | None) -> Look:
    return Look(zone, terminal.out.encoding or "utf-8")


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _view_of(view: View[Any], names: Sequence[str]) -> View[Any]:
    """A view of columns that were chosen by their names."""

    def column(at: int, name: str) -> Column[Any]:
        def value(row: Any) -> Any:
            found = flat_rows(view.model, [row])[0][name]
            return "-" if found is None else found  # a column that was chosen is there in any case

        return Column(name, value, rank=at)  # where it is narrow, the last one goes first

    return evolve(view, columns=tuple(starmap(column, enumerate(names))))


# --- programs ----------------------------------------------------------------------------------


def _text(
    format: Format, view: View[Any], names: Sequence[str] | None, raw: bool, terminal: Terminal
) -> Rows:
    is_terminal = terminal.out_is_terminal
    if format == "csv":
        mark = not raw and is_new_file(terminal.out)
        return CsvText(view.model, names, is_terminal=is_terminal, raw=raw, mark=mark)
    kind = JsonText if format == "json" else JsonLinesText
    return kind(view.model, names, is_terminal=is_terminal)


async def _write_text(
    outlet: Outlet, pages: AsyncGenerator[Sequence[Any], None], text: Rows
) -> None:
    async with aclosing(pages):
        head = text.head()
        async for page in pages:
            await outlet.write(head + text.page(page))
            head = ""
        await outlet.write(head + text.tail())


async def _write_parquet(
    path: Path, pages: AsyncGenerator[Sequence[Any], None], file: ParquetRows
) -> None:
    with whole_file(path) as part:
        try:
            async with aclosing(pages):
                async for page in pages:
                    await file.write(part, page)
            await file.close(part)
        finally:
            file.drop()
