"""What the server can do, and what time it is there."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from attrs import frozen

from ..errors import APIResponseError, APIStatusError
from ..wire.converter import read
from ..wire.json import Body
from ..wire.messages import Request, Response, decode
from .options import Options
from .single_flight import SingleFlight
from .transport import Transport

__all__ = ["Capabilities"]

_TEN_YEARS: Final = timedelta(days=3650)


@frozen
class _Version:
    version: str


class Capabilities:
    """Asks for the server's release once, when something depends on it (``GET /api/version``)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ahead = timedelta()  # how far the server's clock is ahead of ours
        self._release: SingleFlight[tuple[int, ...]] = SingleFlight()

    def now(self) -> datetime:
        """The date and time of day, by the server's clock as far as it is known."""
        return self._transport.timer.now() + self._ahead

    async def takes_exact_times(self, options: Options) -> bool:
        """Whether the server knows ``start_datetime`` and ``end_datetime``: 2.6 and newer."""
        return await self._release.get(lambda: self._ask(options)) >= (2, 6)

    async def _ask(self, options: Options) -> tuple[int, ...]:
        try:
            response = await self._transport.send(Request("GET", "/api/version"), options)
            self._set_clock(response)
            return decode(response, _release)
        except APIStatusError as error:
            if error.status >= 500 or error.status == 429:
                raise
            return ()  # the releases that do not have the endpoint are older
        except APIResponseError:
            return ()

    def _set_clock(self, response: Response) -> None:
        date = response.headers.get("Date")
        if date:
            try:
                ahead = parsedate_to_datetime(date) - self._transport.timer.now()
            except (TypeError, ValueError):
                return
            if abs(ahead) < _TEN_YEARS:  # otherwise the server's clock is not set
                self._ahead = ahead


def _release(body: Body) -> tuple[int, ...]:
    text = read(body, _Version).version
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else ()
