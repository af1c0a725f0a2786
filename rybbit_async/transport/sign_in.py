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
from .renewal import Renewal

__all__ = ["SIGN_IN", "SignIn"]

SIGN_IN: Final = "/api/auth/sign-in/email"


class SignIn(Renewal[LoginSession]):
    """Keeps the session of one ``PasswordLogin``, and signs in again when it has expired.

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
        super().__init__()
        self._login = login
        self._post = post
        self._timer = timer
        # Requests that were refused right after a sign-in; another sign-in would not help them.
        self._refused: set[tuple[str, str]] = set()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The text that must not be shown anywhere."""
        return (self._login.password, *super().secrets)

    def _is_valid(self, credentials: LoginSession) -> bool:
        return self._timer.time() < credentials.expires

    def _may_help(self, request: Request, refusal: APIStatusError) -> bool:
        # Servers refuse an expired session in the same words as anything else.
        return _may_have_expired(refusal) and (request.method, request.path) not in self._refused

    def _learn(self, request: Request, refusal: APIStatusError | None) -> None:
        if refusal is None:
            self._refused.clear()
        elif _may_have_expired(refusal):
            self._refused.add((request.method, request.path))

    async def _obtain(self, options: Options) -> LoginSession:
        response = await self._post(_request(self._login), options)
        session = find_session(response.set_cookies, self._timer.time())
        if session is None:
            raise APIResponseError(
                f"{response.what}: the sign-in succeeded, but the response has no session cookie",
                method=response.request.method,
                url=response.url,
                status=response.status,
            )
        return session


def _request(login: PasswordLogin) -> Request:
    # A function of its own: no frame that an error may show has the body among its variables.
    body = json.dumps({"email": login.email, "password": login.password}).encode()
    return Request("POST", SIGN_IN, body=body, signs_in=True)


def _may_have_expired(error: APIStatusError) -> bool:
    # Other refusals say more: "Goal does not belong to this site", "Origin not allowed".
    return error.status == 401 or (error.status == 403 and error.message == "Forbidden")
