"""Who is told what a client does, and which walk it does it for.

What a walk sends is sent by tasks of its own, of its sub-walks, or of whoever finds something out
for several callers. All of them are started while a step of the walk runs, and tasks inherit the
context that they are started in. So the context says which walk a request belongs to.
"""

from __future__ import annotations

import inspect
import itertools
import logging
from asyncio import CancelledError
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from traceback import walk_tb
from types import BuiltinMethodType, MethodType
from typing import Final
from weakref import WeakSet

from attrs import define, field, frozen

from .activity import Activity
from .parameters.checks import wrong_type

__all__ = ["ObservedWalk", "Observers", "OnEvent", "Shared", "check_on_event"]

log = logging.getLogger("rybbit_async")

OnEvent = Callable[[Activity], object]

_walk: Final[ContextVar[ObservedWalk | None]] = ContextVar("rybbit_async.walk", default=None)


def check_on_event(on_event: OnEvent | None) -> OnEvent | None:
    """A function that can be called with an ``Activity``, or ``None``.

    Raises:
        InvalidParameterError: it is something else, or asynchronous.
    """
    if on_event is None:
        return None
    if not callable(on_event):
        raise wrong_type("on_event", on_event, "a function of one argument, or None")
    for function in (on_event, type(on_event).__call__):
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            must = "a function that is not asynchronous, because nothing would await its result"
            raise wrong_type("on_event", on_event, must)
    return on_event


@define(eq=False)
class Shared:
    """What all views of one client have in common.

    Attributes:
        redact: removes the client's secrets from a text.
        walks_under_way: those that are observed.
        has_failed: whether an exception of an observer was logged.
    """

    redact: Callable[[str], str]
    requests: Iterator[int] = field(factory=lambda: itertools.count(1))
    walks: Iterator[int] = field(factory=lambda: itertools.count(1))
    walks_under_way: WeakSet[ObservedWalk] = field(factory=WeakSet["ObservedWalk"])
    has_failed: bool = False


@frozen(eq=False)
class Observers:
    """The callables that are told what one view of a client does, or one walk.

    It is false where there is none: then nothing is to be made that could be told.
    """

    shared: Shared
    calls: tuple[OnEvent, ...] = ()

    def also(self, on_event: OnEvent | None) -> Observers:
        """These observers and another one."""
        if on_event is None:
            return self
        return Observers(self.shared, _with(self.calls, on_event))

    def __bool__(self) -> bool:
        return bool(self.calls)

    @property
    def hears_of_pauses(self) -> bool:
        """Whether ``tell_all`` would tell anyone."""
        return bool(self.calls) or bool(self.shared.walks_under_way)

    def tell(self, activity: Activity) -> None:
        """Call every observer. An exception of one disturbs neither the client nor the others."""
        self._tell(activity, self.calls)

    def tell_all(self, activity: Activity) -> None:
        """Call every observer, and also those of all walks that are under way."""
        calls = self.calls
        for walk in [*self.shared.walks_under_way]:
            for call in walk.observers.calls:
                calls = _with(calls, call)
        self._tell(activity, calls)

    def _tell(self, activity: Activity, calls: tuple[OnEvent, ...]) -> None:
        with _within(None):  # the tasks that an observer may start do not belong to the walk
            for call in calls:
                try:
                    result = call(activity)
                    if inspect.iscoroutine(result):
                        result.close()
                        raise TypeError("it returned a coroutine, which nothing would await")
                # Whatever it is, the work goes on. A task is not cancelled while it runs, so a
                # CancelledError is that of a future which the observer has asked.
                except (Exception, CancelledError) as error:
                    self._log(error)

    def _log(self, error: BaseException) -> None:
        if self.shared.has_failed:
            return
        self.shared.has_failed = True
        *_, (frame, line) = walk_tb(error.__traceback__)
        place = f"{Path(frame.f_code.co_filename).name}:{line}"
        # Its text is not shown: nobody knows what is in it.
        log.error(
            "on_event raised %s (%s). It is called for what follows all the same, and further "
            "exceptions are not logged",
            type(error).__name__,
            place,
        )

    def redact(self, text: str) -> str:
        """``text`` without the client's secrets."""
        return self.shared.redact(text)

    def next_request(self) -> int:
        """The number of a request that begins."""
        return next(self.shared.requests)

    def walk(self, name: str) -> ObservedWalk | None:
        """A walk or a watch that begins; ``None`` if nobody is to be told of it."""
        if not self:
            return None
        walk = ObservedWalk(self, next(self.shared.walks), self.redact(name))
        self.shared.walks_under_way.add(walk)
        return walk

    def current_walk(self) -> ObservedWalk | None:
        """The walk that the running task works for, if it is one of the same client."""
        walk = _walk.get()
        return walk if walk is not None and walk.observers.shared is self.shared else None


def _with(calls: tuple[OnEvent, ...], one: OnEvent) -> tuple[OnEvent, ...]:
    """``calls`` and another one, unless it is among them."""
    # A method is another object each time it is read. Of other objects, equal ones may differ.
    is_method = isinstance(one, (MethodType, BuiltinMethodType))
    for call in calls:
        if call is one or (is_method and type(call) is type(one) and call == one):
            return calls
    return (*calls, one)


@frozen(eq=False)
class ObservedWalk:
    """A walk or a watch of which someone is told.

    Attributes:
        observers: those of the view of the client that it began with, and its own.
    """

    observers: Observers
    number: int
    name: str

    @contextmanager
    def current(self) -> Generator[None]:
        """A block in which all that is started belongs to this walk."""
        with _within(self):
            yield

    def ended(self) -> None:
        """Take note that it is over."""
        self.observers.shared.walks_under_way.discard(self)


@contextmanager
def _within(walk: ObservedWalk | None) -> Generator[None]:
    outer = _walk.get()
    _walk.set(walk)
    try:
        yield
    finally:
        # Not by the token, which fails where a coroutine is closed in another context.
        _walk.set(outer)
