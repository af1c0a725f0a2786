"""Making sure that one attempt is one request on the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import aiohttp

__all__ = ["ConnectionDroppedError", "SingleAttemptMiddleware"]


class ConnectionDroppedError(Exception):
    """The connection was lost; stands for an error that aiohttp would act on by itself."""


class SingleAttemptMiddleware:
    """Adds the credentials to a request, and keeps aiohttp from sending it twice.

    aiohttp silently repeats a GET, PUT or DELETE if a connection drops with one of the two
    exceptions below. A middleware is the public way to replace them, also in a session that was
    passed in. Headers that are added here are not shown to tracing when a request starts.

    Args:
        credentials: headers.
        ignores_netrc: whether an ``Authorization`` header that is not among the credentials comes
            from the file ``.netrc``, and must be removed.
    """

    def __init__(self, credentials: Mapping[str, str], *, ignores_netrc: bool = False) -> None:
        self.credentials = credentials
        self._ignores_netrc = ignores_netrc

    async def __call__(
        self,
        request: aiohttp.ClientRequest,
        handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
    ) -> aiohttp.ClientResponse:
        """Send the request, once."""
        if self._ignores_netrc:
            request.headers.popall("Authorization", None)
        request.headers.update(self.credentials)
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise ConnectionDroppedError from error
