"""The body of a write, read as the server's framework reads it."""

from __future__ import annotations

import json
from typing import Any

from ..releases import Release
from ..wire import Response, json_response
from .call import RecordedRequest, ResponseError

__all__ = ["json_body"]


def json_body(request: RecordedRequest, release: Release) -> Any:
    """The JSON value of a body. `...` if there is no body.

    Raises `ResponseError` for a body that is not JSON or has another content type.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        if not request.body:
            raise ResponseError(
                _bad_request(
                    "Body cannot be empty when content-type is set to 'application/json'",
                    code="FST_ERR_CTP_EMPTY_JSON_BODY",
                )
            )
        try:
            return json.loads(request.body, parse_constant=_reject_constant)
        except (ValueError, RecursionError) as error:
            raise ResponseError(_not_json(error, release)) from None
    if not request.body:
        return ...
    if kind == "text/plain":
        return request.body.decode("utf-8", "replace")
    message = f"Unsupported Media Type: {kind}" if kind else "Unsupported Media Type"
    raise ResponseError(
        json_response(
            {
                "statusCode": 415,
                "code": "FST_ERR_CTP_INVALID_MEDIA_TYPE",
                "error": "Unsupported Media Type",
                "message": message,
            },
            415,
        )
    )


def _not_json(error: Exception, release: Release) -> Response:
    if release.json_error_code:
        return _bad_request(
            "Body is not valid JSON but content-type is set to 'application/json'",
            code="FST_ERR_CTP_INVALID_JSON_BODY",
        )
    return _bad_request(f"Unexpected token in JSON: {error}")


def _bad_request(message: str, **more: str) -> Response:
    body = {"statusCode": 400, **more, "error": "Bad Request", "message": message}
    return json_response(body, 400)


def _reject_constant(name: str) -> object:
    raise ValueError(f"Unexpected token {name}")
