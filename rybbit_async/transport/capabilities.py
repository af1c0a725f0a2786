"""What is known of the server beyond its routes: whether it takes exact times, and its clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from attrs import frozen

from ..errors import APIResponseError, APIStatusError
from ..wire.converter import read
from ..wire.json import Body
from ..wire.messages import Request, Response, decode
from .single_flight import SingleFlight
from .transport import Options, Transport

__all__ = ["Capabilities"]


@frozen
class _Version:
    version: str


class Capabilities:
    """Asks for the release once, and only when something depends on it (``GET /api/version``)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ahead = timedelta()  # of our clock
        self._release: SingleFlight[tuple[int, ...]] = SingleFlight()

    def now(self) -> datetime:
        """The time of day, by the server's clock as far as it is known."""
        return self._transport.clock.now() + self._ahead

    async def takes_exact_times(self, options: Options) -> bool:
        """Whether ``start_datetime`` and ``end_datetime`` are known there: 2.14 and newer."""
        return await self._release.get(lambda: self._ask(options)) >= (2, 14)

    async def _ask(self, options: Options) -> tuple[int, ...]:
        try:
            answer = await self._transport.send(Request("GET", "/api/version"), options)
            self._set_clock(answer)
            return decode(answer, _release)
        except APIStatusError as error:
            if error.status >= 500 or error.status == 429:
                raise
            return ()  # releases that keep it to themselves are older ones
        except APIResponseError:
            return ()

    def _set_clock(self, answer: Response) -> None:
        date = answer.headers.get("Date")
        if date:
            try:
                ahead = parsedate_to_datetime(date) - self._transport.clock.now()
            except (TypeError, ValueError):
                return
            if abs(ahead) < timedelta(days=3650):  # more than that is no clock
                self._ahead = ahead


def _release(body: Body) -> tuple[int, ...]:
    text = read(body, _Version).version
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else ()
