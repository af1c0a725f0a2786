"""Bodies of pages: rendered as the server renders them, and kept until events are written."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..wire import (
    JSON_TYPE,
    Response,
    coerced,
    json_text,
    object_template,
    plain_number,
    text_fragment,
)

__all__ = ["BodyCache", "body_response", "page_body", "plain_object"]

# Text that is never made a number, even if it looks like one.
_VERBATIM = frozenset(
    {
        *("session_id", "user_id", "identified_user_id", "effective_user_id"),
        *("session_start", "session_end", "first_seen", "last_seen", "timestamp", "properties"),
    }
)
# Text that is JSON already.
_JSON = frozenset({"props", "traits"})


class BodyCache:
    """Bodies of the pages sent last, up to `limit` bytes."""

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self._version = 0
        self._bodies: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._size = 0

    def get(self, version: int, key: tuple[Any, ...], render: Callable[[], bytes]) -> bytes:
        """The body with this key, rendered unless it is kept. `version` is that of the store."""
        if version != self._version:
            self._bodies.clear()
            self._version, self._size = version, 0
        body = self._bodies.get(key)
        if body is None:
            body = render()
            self._keep(key, body)
        return body

    def _keep(self, key: tuple[Any, ...], body: bytes) -> None:
        if len(body) > self.limit:
            return
        self._bodies[key] = body
        self._size += len(body)
        while self._size > self.limit:
            _, dropped = self._bodies.popitem(last=False)
            self._size -= len(dropped)


def body_response(body: bytes) -> Response:
    """A response with this JSON."""
    return Response(200, body, {"Content-Type": JSON_TYPE})


def page_body(
    keys: Sequence[str], rows: Iterable[Sequence[Any]], more: Mapping[str, Any] | None = None
) -> bytes:
    """`{"data": [...]}` of objects with these keys, and after it the keys of `more`.

    Text that looks numeric becomes a number. `traits` is JSON text already.
    """
    template = object_template(keys)
    as_text = [_renderer(key) for key in keys]
    objects = [
        template
        % tuple(
            [
                text(value) if isinstance(value, str) else _number_text(value)
                for text, value in zip(as_text, row, strict=True)
            ]
        )
        for row in rows
    ]
    rest = "," + json_text(dict(more))[1:] if more else "}"
    return ('{"data":[' + ",".join(objects) + "]" + rest).encode()


def plain_object(keys: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    """An object with these keys, whose values are as `page_body` renders them.

    `props` and `traits` are JSON text already.
    """
    return {key: _plain(key, value) for key, value in zip(keys, row, strict=True)}


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, str):
        if key in _JSON:
            return json.loads(value)
        return value if key in _VERBATIM else coerced(value)
    return value if value is None else plain_number(value)


def _renderer(key: str) -> Callable[[str], str]:
    if key in _JSON:
        return str
    return json_text if key in _VERBATIM else text_fragment


def _number_text(value: float | None) -> str:
    if value is None:
        return "null"
    plain = plain_number(value)
    return "null" if plain is None else repr(plain)
