"""Credentials that are obtained when they are first needed, and again when they are refused."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Generic, TypeVar

from ..errors import APIStatusError
from ..wire.messages import Request, Response
from .auth import ApiKey, LoginSession
from .clock import closed_error
from .options import Options
from .single_flight import SingleFlight

__all__ = ["Renewal"]

C = TypeVar("C", ApiKey, LoginSession)

# Servers and logs may still show credentials that have been replaced.
REMEMBERED: Final = 8


class Renewal(ABC, Generic[C]):
    """Keeps the credentials of one client. All calls that need new ones wait for the same."""

    def __init__(self) -> None:
        self._kept: C | None = None
        self._seen: deque[C] = deque(maxlen=REMEMBERED)
        self._obtaining: SingleFlight[C] = SingleFlight()
        self._closed = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The text that must not be shown anywhere."""
        return tuple(secret for credentials in self._seen for secret in credentials.secrets)

    @abstractmethod
    async def _obtain(self, options: Options) -> C:
        """New credentials."""

    @abstractmethod
    def _may_help(self, request: Request, refusal: APIStatusError) -> bool:
        """Whether a request that was refused may succeed with new credentials."""

    def _is_valid(self, credentials: C) -> bool:
        """Whether credentials that worked may work again, as far as can be known."""
        return True

    def _learn(self, request: Request, refusal: APIStatusError | None) -> None:
        """What came of a request with new credentials after the old ones were refused."""

    async def attempt(
        self, request: Request, options: Options, send: Callable[[C], Awaitable[Response]]
    ) -> Response:
        """Send a request once, and if it is refused, once more with new credentials.

        A request that was refused was not carried out, so a write is repeated too.
        """
        old = await self._current(options)
        try:
            return await send(old)
        except APIStatusError as error:
            if not self._may_help(request, error):
                raise
            refusal = error
        # Unless another call, which was refused earlier, has already replaced them.
        if self._kept is not None and _same(self._kept, old):
            self._kept = None
        new = await self._current(options)
        if _same(new, old):
            raise refusal
        try:
            response = await send(new)
        except APIStatusError as error:
            self._learn(request, error)
            raise
        self._learn(request, None)
        return response

    async def _current(self, options: Options) -> C:
        if self._kept is not None and self._is_valid(self._kept):
            return self._kept
        if self._closed:
            raise closed_error()
        self._obtaining.forget()
        try:
            return await self._obtaining.get(partial(self._renew, options))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise closed_error() from None
            raise

    async def _renew(self, options: Options) -> C:
        self._kept = credentials = await self._obtain(options)
        if not any(_same(seen, credentials) for seen in self._seen):
            self._seen.append(credentials)
        return credentials

    async def close(self) -> None:
        """End what is under way; those who wait for it get ``ClientClosedError``."""
        self._closed = True
        await self._obtaining.cancel()


def _same(one: C, other: C) -> bool:
    return one.headers() == other.headers()
