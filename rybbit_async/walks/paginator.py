"""A walk over every item of a list, as a value."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, cast

from ..errors import IncompleteWalkError, InvalidParameterError, RybbitError
from ..pages import Page, Report
from ..parameters.callers import warning_here
from ..parameters.checks import shown
from .options import WalkOptions
from .reconcile.positions import invalid_position
from .running import RunningWalk
from .tasks import close_all
from .walk import Position, Walk

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from ..tables.batches import BatchBuilder

__all__ = ["Paginator", "WalkRegistry", "lean_pages"]

T = TypeVar("T")
F = TypeVar("F")
Warn = Callable[[str], None]


class WalkRegistry:
    """The walks in progress, so that their owner can end them.

    Args:
        check: raises an error where a walk cannot start, such as in another event loop.
    """

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self._walks: set[RunningWalk[Any]] = set()
        self.check = check

    def add(self, walk: RunningWalk[Any]) -> None:
        """Register a walk that starts."""
        self.check()
        self._walks.add(walk)

    def discard(self, walk: RunningWalk[Any]) -> None:
        """Remove a walk that has ended."""
        self._walks.discard(walk)

    async def close(self, error: type[RybbitError], reason: str) -> None:
        """End every walk. A consumer that asks for more gets ``error(reason)`` raised."""
        await close_all(*(walk.close(error, reason) for walk in tuple(self._walks)))


class Paginator(Generic[T]):
    """A walk over every item of a list, as a value: making one sends nothing.

    Each ``async for`` starts a new walk. ``async with`` ends the walks that were started from
    this paginator, with all of their tasks, when the block ends. After a mere ``break`` they are
    cancelled when the iterator is collected, and by ``client.close()`` at the latest.

    If a walk cannot be completed, its ``report`` says so, and one ``RybbitWarning`` is given. With
    ``strict=True`` it raises ``IncompleteWalkError`` instead, after its last item.
    """

    def __init__(
        self,
        begin: Callable[[Report, Position | None], Walk[T]],
        *,
        name: str,
        query: str,
        model: type[Any] = dict,
        begin_lean: Callable[[Report, Position | None], Walk[Any]] | None = None,
        walks: WalkRegistry,
        options: WalkOptions,
    ) -> None:
        self._begin = begin  # makes a walk, which sends nothing before its first step
        self._begin_lean = begin_lean or begin  # the same with rows that need only have values
        self._name = name
        self._model = model  # the class of the items
        self._query = query  # a hash of what the walk asks for
        self._all_walks = walks
        self._own_walks = WalkRegistry()
        self._limit = options.limit
        self._ordered = options.ordered
        self._strict = options.strict
        self._observers = options.observers
        self._report = Report()

    def __repr__(self) -> str:
        return f"<Paginator: {self._name}>"

    @property
    def report(self) -> Report:
        """What the latest walk has done so far; see ``Report``."""
        return self._report

    # Here and below, a warning at the end of the walk is to show the line at which it began, also
    # if a task of its own runs it. So that line is noted at once.

    def __aiter__(self) -> AsyncIterator[T]:
        return self._items(warning_here())

    def __iter__(self) -> NoReturn:
        raise TypeError("a Paginator is asynchronous: use 'async for', or 'await .collect()'")

    def collect(self) -> Coroutine[Any, Any, list[T]]:
        """Every item, in a list."""
        return self._collect(warning_here())

    def first(self) -> Coroutine[Any, Any, T | None]:
        """The first item, or ``None`` if there is none."""
        return self._first(warning_here())

    async def _collect(self, warn: Warn) -> list[T]:
        return [item async for item in self._items(warn)]

    async def _first(self, warn: Warn) -> T | None:
        async with self._start(self._begin(Report(), None)) as walk:
            report = walk.report
            one = 1 if self._limit is None else min(1, self._limit)
            while not report.items and (rows := await walk.step(one)) is not None:
                report.items = len(rows)
                for item in rows:
                    self._judge_doubts(report, warn)
                    return item
            self._judge_doubts(report, warn)
            return None

    def pages(self, start: str | None = None) -> AsyncGenerator[Page[T], None]:
        """The items page by page: without repeated rows, and with rows that had been missing.

        Args:
            start: the ``position`` of a page of an earlier walk over the same query, in this or
                in another process; the walk goes on after that page. It is a string, to be stored
                as it is. If the window was settled when the first of the walks began, every row
                comes exactly once; otherwise at least once, and the report says so. Pages of walks
                with ``ordered=False`` have no positions, nor have lists in an order that shuffles
                rows.

        Raises:
            InvalidParameterError: ``start`` is not a position, or is one of another query, or
                this walk has ``ordered=False``.
            IncompleteWalkError: the walk has ``strict=True``, and its rows may come twice. Nothing
                is sent, and ``start`` stays valid.
        """
        return self._pages_from(self._begin, start, warning_here())

    def _pages_from(
        self, begin: Callable[[Report, Position | None], Walk[T]], start: str | None, warn: Warn
    ) -> AsyncGenerator[Page[T], None]:
        # The walk checks the position at once, and not when the first page is asked for.
        if start is None:
            return self._pages(begin(Report(), None), warn)
        if not self._ordered:
            raise InvalidParameterError(
                "start must not be given to a walk with ordered=False, whose pages come in any "
                f"order and have no positions, got {shown(start)}"
            )
        position = self._position(start)
        try:
            walk = begin(Report(), position)
        except InvalidParameterError as error:
            raise _with_value(error, start) from None
        if self._strict and walk.repeats is not None:
            self._report = walk.report
            walk.report.complete = False
            walk.report.note(walk.repeats)
            raise IncompleteWalkError(f"{self._name}: {walk.repeats}", report=walk.report)
        return self._pages(walk, warn)

    # --- tables -------------------------------------------------------------------------------

    def record_batches(self, rows: int = 50_000) -> AsyncGenerator[pa.RecordBatch, None]:
        """The items as batches of a table, of which no more than one is in memory.

        If there are no items, there is one batch without rows, which has the schema all the same.
        Closing the iterator ends the walk. In its report, ``items`` are those of the batches.

        Args:
            rows: how many each batch has, but for the last one, which may have fewer.

        Raises:
            InvalidParameterError: ``rows`` is not 1 or more, or the items are dicts: give
                ``client.iter`` a ``model``.
            ModuleNotFoundError: pyarrow is not installed.
        """
        from ..tables.batches import BatchBuilder

        return self._record_batches(BatchBuilder(self._model, rows), warning_here())

    def to_arrow(self) -> Coroutine[Any, Any, pa.Table]:
        """Every item, as a ``pyarrow.Table``; see ``rybbit_async.tables.schema`` for its columns.

        Raises:
            InvalidParameterError, ModuleNotFoundError: see ``record_batches``.
        """
        return self._to_arrow(self.record_batches())

    def to_polars(self) -> Coroutine[Any, Any, pl.DataFrame]:
        """Every item, as a ``polars.DataFrame``; see ``to_arrow``."""
        from ..tables.extra import import_table_library
        from ..tables.frames import to_polars

        import_table_library("polars")  # before anything is read
        return self._to_frame(self.record_batches(), to_polars)

    def to_pandas(self) -> Coroutine[Any, Any, pd.DataFrame]:
        """Every item, as a ``pandas.DataFrame`` with types of Arrow; see ``to_arrow``."""
        from ..tables.extra import import_table_library
        from ..tables.frames import to_pandas

        import_table_library("pandas")  # before anything is read
        return self._to_frame(self.record_batches(), to_pandas)

    async def _to_arrow(self, batches: AsyncGenerator[pa.RecordBatch, None]) -> pa.Table:
        from ..tables.frames import table

        return table(self._model, [batch async for batch in batches])

    async def _to_frame(
        self, batches: AsyncGenerator[pa.RecordBatch, None], make: Callable[[pa.Table], F]
    ) -> F:
        return make(await self._to_arrow(batches))

    async def _record_batches(
        self, builder: BatchBuilder, warn: Warn
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        given = 0
        async with self._start(self._begin_lean(Report(), None)) as walk:
            report = walk.report
            try:
                while (rows := await walk.step()) is not None:
                    report.items += len(rows)
                    for making in builder.add(rows):
                        batch = await making
                        given += batch.num_rows
                        yield batch
                for making in builder.rest():
                    batch = await making
                    given += batch.num_rows
                    yield batch
                self._judge(report, warn)
            finally:
                report.items = given

    # --- steps --------------------------------------------------------------------------------

    async def _items(self, warn: Warn) -> AsyncGenerator[T, None]:
        # This does not use ``pages``: of two nested generators, either may be finalised first
        # when an event loop shuts down.
        async with self._start(self._begin(Report(), None)) as walk:
            report = walk.report
            while (rows := await walk.step()) is not None:
                for item in rows:
                    report.items += 1
                    yield item
            self._judge(report, warn)

    async def _pages(self, walk: Walk[T], warn: Warn) -> AsyncGenerator[Page[T], None]:
        report = walk.report
        async with self._start(walk) as running:
            while (rows := await running.step()) is not None:
                meta = walk.meta
                report.items += len(rows)
                more: list[T] | None = []
                while walk.page_incomplete and more is not None and report.items != self._limit:
                    more = await running.step()
                    rows += more or []
                    report.items += len(more or [])
                if rows:
                    # If the limit has cut a page, or rows of it are still missing, a walk that
                    # goes on after it would lose those rows.
                    complete = report.items != self._limit and not walk.page_incomplete
                    position = self._position_of(walk) if complete else None
                    yield Page(tuple(rows), meta, position, model=self._model)
                if more is None:
                    break
            self._judge(report, warn)

    def _start(self, walk: Walk[T]) -> RunningWalk[T]:
        observed = None if self._observers is None else self._observers.walk(self._name)
        running = RunningWalk(walk, observed, self._limit, self._end)
        self._all_walks.add(running)
        self._own_walks.add(running)
        self._report = walk.report
        return running

    def _end(self, walk: RunningWalk[T]) -> None:
        self._all_walks.discard(walk)
        self._own_walks.discard(walk)

    def _judge(self, report: Report, warn: Warn) -> None:
        """Say at the end of a walk whether it is complete."""
        if self._limit is not None and report.items >= self._limit:
            report.complete = False
            report.note(f"limit={self._limit} was reached")
            return
        if report.complete is None:
            report.complete = True
        if self._strict and not report.complete:
            raise IncompleteWalkError(self._incomplete(report), report=report)
        self._judge_doubts(report, warn)

    def _judge_doubts(self, report: Report, warn: Warn) -> None:
        if report.doubtful and self._strict:
            raise IncompleteWalkError(self._incomplete(report), report=report)
        if report.doubtful:
            warn(self._incomplete(report))

    def _incomplete(self, report: Report) -> str:
        return f"{self._name}: the walk is not complete: {report.reason}"

    # --- positions ----------------------------------------------------------------------------

    def _position_of(self, walk: Walk[T]) -> str | None:
        at = walk.position()
        if at is None:
            return None
        position = {"query": self._query, "strategy": at.strategy, "source": {**at.source}}
        return json.dumps(position, separators=(",", ":"))

    def _position(self, start: object) -> Position:
        """The position that a string stores. What the strategy stored is left to the strategy."""
        try:
            stored = json.loads(cast("str", start))
            query = stored["query"]
            position = Position(_mapping(stored["strategy"]), _texts(stored["source"]))
        except (KeyError, RecursionError, TypeError, ValueError):
            raise _with_value(invalid_position(), start) from None
        if query != self._query:
            raise InvalidParameterError(
                f"start must be a position of {self._name} with the same parameters, "
                "got one of another query"
            )
        return position

    # --- the end of a block -------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        # In another event loop, the end of the block must not end the walks of this one.
        self._all_walks.check()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._own_walks.close(RybbitError, "this walk ended with its 'async with' block")


def lean_pages(walk: Paginator[Any], start: str | None) -> AsyncGenerator[Page[Any], None]:
    """The same as ``walk.pages(start)``, with lean rows where the list can be read so.

    They have the values of the model and are not of its class, see ``row_decoder``: enough for
    those who write the values down.
    """
    # These are no public methods, since programs want rows of the model.
    begin = walk._begin_lean  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    pages = walk._pages_from  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return pages(begin, start, warning_here())


def _with_value(error: InvalidParameterError, start: object) -> InvalidParameterError:
    return InvalidParameterError(f"{error}, got {shown(start)}")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return cast("dict[str, Any]", value)


def _texts(value: object) -> Mapping[str, str]:
    texts = _mapping(value)
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError(value)
    return texts
