"""An API key that a function of the caller returns, so that it can be replaced by another."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

from ..errors import APIStatusError, RybbitError
from ..wire.messages import Request
from .auth import ApiKey, hidden
from .options import Options
from .renewal import Renewal

__all__ = ["KeyFunction"]


class KeyFunction(Renewal[ApiKey]):
    """Asks for the key before the first request, and again after a 401 or 403.

    Args:
        function: what returns the key, or an awaitable of it.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__()
        self._function = function

    async def _obtain(self, options: Options) -> ApiKey:
        try:
            return ApiKey(await self._answer(), "the result of api_key()")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Whoever waits for the key was not cancelled, and must not seem to be.
            raise RybbitError("the function that was passed as api_key was cancelled") from None

    async def _answer(self) -> object:
        try:
            answer = self._function()
            return hidden(await answer if inspect.isawaitable(answer) else answer)
        except Exception as error:
            error.add_note("raised by the function that was passed to RybbitClient as api_key")
            raise

    def _may_help(self, request: Request, refusal: APIStatusError) -> bool:
        return refusal.status in (401, 403)
