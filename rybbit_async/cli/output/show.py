"""Showing what a command has read: ``show`` for lists, ``show_one`` for one thing.

    return await show(job, job.client.sessions.iter(site, **window), SITE_SESSIONS, output)

On a terminal that is a table, and otherwise JSON for programs; flags choose another format. Rows
for programs are written as they come, page by page.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from rich.text import Text

from ... import Activity, Paginator, to_dict
from ...tables import flat_rows
from ..exits import Exit
from ..options.output import Format, OneOutput, OutputOptions
from ..terminal import Terminal
from .columns import Column, View
from .files import check_file, whole_file
from .progress import Progress, may_draw
from .stream import Outlet, is_new_file
from .table import Look, pairs_of, render, render_pairs
from .text import visible_json
from .writers import CsvText, JsonLinesText, JsonText, ParquetRows, Rows, chosen, json_text

__all__ = ["Job", "print_table", "show", "show_one"]

T = TypeVar("T")

AnyRows = AsyncIterable[T] | Sequence[T]


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
    with _progress(job, kind, view.name, total) as progress:
        async with aclosing(_counted(_pages(rows), progress)) as pages:
            if kind == "table":
                found, has_more = await _collected(pages, most)
                progress.close()
                shown = view if names is None else _view_of(view, names)
                count = f"{len(found):,} {_counted_as(view.name, len(found))}"
                print_table(terminal, shown, found, caption=_joined(count, caption), zone=zone)
                if has_more and output.limit is None:
                    terminal.message(
                        f"these are the first {len(found):,} {view.name}; --limit 0 shows all"
                    )
            elif output.parquet is not None:
                await _write_parquet(
                    output.parquet, _first(pages, most), ParquetRows(view.model, names)
                )
            else:
                await _write_text(
                    Outlet(terminal.out, is_terminal=terminal.out_is_terminal),
                    _first(pages, most),
                    _text(kind, view, names, output.raw, terminal),
                )
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
    _print(terminal, render_pairs(pairs, terminal.width, look))


def print_table(
    terminal: Terminal,
    view: View[T],
    rows: Sequence[T],
    *,
    caption: str = "",
    zone: tzinfo | None = None,
) -> None:
    """Print a table for people, with a line below that says what it is."""
    look = _look(terminal, zone)
    lines = render(view, rows, terminal.width, look) if rows else []
    if caption:
        lines.append(Text(look.text(caption), "dim"))
    _print(terminal, lines)


# --- tables ------------------------------------------------------------------------------------


def _look(terminal: Terminal, zone: tzinfo | None) -> Look:
    return Look(zone, terminal.out.encoding or "utf-8")


def _print(terminal: Terminal, lines: Sequence[Text]) -> None:
    # Rich would end the process with an exit code of its own when nobody reads any more.
    with terminal.console.capture() as drawn:
        for line in lines:
            terminal.console.print(line, soft_wrap=True, end="\n")
    terminal.write(drawn.get())
    terminal.out.flush()


def _counted_as(plural: str, number: int) -> str:
    return plural.removesuffix("s") if number == 1 else plural


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _view_of(view: View[Any], names: Sequence[str]) -> View[Any]:
    """A view of columns that were chosen by their names."""

    def column(name: str) -> Column[Any]:
        def value(row: Any) -> Any:
            return flat_rows(view.model, [row])[0][name]

        return Column(name, value, "text")

    return View(view.name, view.model, tuple(map(column, names)), view.most)


async def _collected(
    pages: AsyncGenerator[Sequence[T], None], most: int | None
) -> tuple[list[T], bool]:
    """The first rows, and whether there are more."""
    found: list[T] = []
    async for page in pages:
        found += page
        if most is not None and len(found) > most:
            return found[:most], True
    return found, False


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


# --- rows --------------------------------------------------------------------------------------


async def _pages(rows: AnyRows[T]) -> AsyncGenerator[Sequence[T], None]:
    """The rows as they come, some at a time and at least one."""
    if isinstance(rows, Paginator):
        async with aclosing(rows.pages()) as pages:
            async for page in pages:
                yield page
    elif isinstance(rows, Sequence):
        if rows:
            yield rows
    else:
        async for row in rows:
            yield [row]


async def _first(
    pages: AsyncGenerator[Sequence[T], None], most: int | None
) -> AsyncGenerator[Sequence[T], None]:
    left = most
    async for page in pages:
        if left is None:
            yield page
            continue
        yield page[:left]
        left -= len(page)
        if left <= 0:
            return


async def _counted(
    pages: AsyncGenerator[Sequence[T], None], progress: Progress
) -> AsyncGenerator[Sequence[T], None]:
    number = 0
    async with aclosing(pages):
        async for page in pages:
            number += len(page)
            progress.rows(number)
            yield page


def _progress(job: Job, format: Format, name: str, total: int | None) -> Progress:
    progress = Progress(job.terminal, name, total, draw=may_draw(job.terminal, format))
    job.listen(progress.tell)
    return progress
