"""Signing in with a password."""

from __future__ import annotations

from urllib.parse import unquote

from ..access import COOKIE_SECONDS, Access, LimitExceededError
from ..releases import Release
from ..validation import as_object
from ..wire import Response, json_response
from .call import RecordedRequest
from .json_body import json_body

__all__ = ["sign_in"]


def sign_in(access: Access, request: RecordedRequest, release: Release) -> Response:
    """A response with a session cookie, if e-mail and password are right."""
    body = as_object(json_body(request, release))
    if body is None:
        return json_response({"code": "VALIDATION_ERROR", "message": "Invalid body"}, 400)
    try:
        value = access.sign_in(body.get("email"), body.get("password"))
    except LimitExceededError as error:
        return json_response(
            {"message": "Too many requests. Please try again later."},
            429,
            {"X-Retry-After": str(error.retry_after)},
        )
    if value is None:
        wrong = {"code": "INVALID_EMAIL_OR_PASSWORD", "message": "Invalid email or password"}
        return json_response(wrong, 401)
    cookie = (
        f"{access.cookie}={value}; Max-Age={COOKIE_SECONDS}; Path=/; HttpOnly; "
        "Secure; SameSite=None"
    )
    user = {"email": access.email, "name": "Owner"}
    return json_response(
        {"redirect": False, "token": unquote(value).split(".")[0], "user": user},
        200,
        {"Set-Cookie": cookie},
    )
