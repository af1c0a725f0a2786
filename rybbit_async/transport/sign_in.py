"""Signing in, and signing in again when the session has expired."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

from ..errors import APIResponseError, APIStatusError
from ..wire.messages import Request, Response
from .auth import LoginSession, PasswordLogin, find_session
from .clock import Timer
from .options import Options
from .single_flight import SingleFlight

__all__ = ["SIGN_IN", "SignIn"]

SIGN_IN: Final = "/api/auth/sign-in/email"


class SignIn:
    """Keeps the session of one ``PasswordLogin``.

    Args:
        login: the credentials.
        post: sends the request of a sign-in, without credentials.
        timer: for the expiry of the session.
    """

    def __init__(
        self,
        login: PasswordLogin,
        post: Callable[[Request, Options], Awaitable[Response]],
        timer: Timer,
    ) -> None:
        self._login = login
        self._post = post
        self._timer = timer
        self.session: LoginSession | None = None
        self._signing_in: SingleFlight[LoginSession] = SingleFlight()
        # Requests that were refused right after a sign-in; another sign-in would not help them.
        self._refused: set[tuple[str, str]] = set()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The text that must not be shown anywhere."""
        session = () if self.session is None else self.session.secrets
        return (self._login.password, *session)

    async def attempt(
        self,
        request: Request,
        options: Options,
        send: Callable[[LoginSession], Awaitable[Response]],
    ) -> Response:
        """Send a request once in a session, and again in a new one if the first has expired."""
        session = await self._current(options)
        try:
            return await send(session)
        except APIStatusError as error:
            key = (request.method, request.path)
            if not _may_have_expired(error) or key in self._refused:
                raise
        # Servers refuse an expired session in the same words as anything else.
        if self.session is session:
            self.session = None
        session = await self._current(options)
        try:
            response = await send(session)
        except APIStatusError as error:
            if _may_have_expired(error):
                self._refused.add(key)
            raise
        self._refused.clear()
        return response

    async def _current(self, options: Options) -> LoginSession:
        if self.session is not None and self._timer.time() < self.session.expires:
            return self.session
        self._signing_in.forget()
        return await self._signing_in.get(lambda: self._sign_in(options))

    async def _sign_in(self, options: Options) -> LoginSession:
        response = await self._post(_request(self._login), options)
        session = find_session(response.set_cookies, self._timer.time())
        if session is None:
            raise APIResponseError(
                f"{response.what}: the sign-in succeeded, but the response has no session cookie",
                method=response.request.method,
                url=response.url,
                status=response.status,
            )
        self.session = session
        return session

    async def settle(self) -> None:
        """Wait until no sign-in is running."""
        await self._signing_in.settle()


def _request(login: PasswordLogin) -> Request:
    # A function of its own: no frame that an error may show has the body among its variables.
    body = json.dumps({"email": login.email, "password": login.password}).encode()
    return Request("POST", SIGN_IN, body=body, signs_in=True)


def _may_have_expired(error: APIStatusError) -> bool:
    # Other refusals say more: "Goal does not belong to this site", "Origin not allowed".
    return error.status == 401 or (error.status == 403 and error.message == "Forbidden")
