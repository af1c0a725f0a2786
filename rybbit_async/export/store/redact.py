"""URLs and messages of other packages without what is secret in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import unquote

__all__ = ["redacted", "shown_url", "user_of"]

# Options of file systems that say where something is, and are needed to understand an error.
_PLACES: Final = frozenset({"endpoint_url", "host", "region", "region_name", "project", "profile"})
_USER: Final = re.compile(r"(?<=://)[^\s\"'/@]*@")
_QUERY: Final = re.compile(r"(?<=[^\s\"'(])\?[^\s\"')]+=[^\s\"')]*")
_MAX: Final = 300


def shown_url(url: str) -> str:
    """A URL without user, password, query and fragment."""
    scheme, mark, rest = url.partition("://")
    rest = _split(rest)[0]
    return f"{scheme}{mark}{rest[len(user_of(url)) :]}"


def user_of(url: str) -> str:
    """User and password as they stand in a URL, with the ``@``; or nothing."""
    address = _split(url.partition("://")[2])[0]
    server, _, path = address.partition("/")
    if "@" in server:
        return f"{server.rpartition('@')[0]}@"
    if "@" in path and re.search(r":(?!\d*$)", server):
        # A password with a slash, which should have been written as %2F.
        return f"{address.rpartition('@')[0]}@"
    return ""


def redacted(text: str, url: str, options: Mapping[str, Any]) -> str:
    """The beginning of a message, without the values of options and the credentials of URLs."""
    for secret in sorted({*_texts(options), *_credentials(url)}, key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _QUERY.sub("?***", _USER.sub("***@", text))
    text = " ".join(text.split())
    return text if len(text) <= _MAX else f"{text[: _MAX - 3]}..."


def _texts(options: Mapping[str, Any]) -> Iterator[str]:
    """The texts in options at any depth, without those that only say where something is."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _texts(cast("Mapping[str, Any]", value))
        elif isinstance(value, str) and name not in _PLACES and len(value) > 2:
            yield value


def _credentials(url: str) -> Iterator[str]:
    """What `shown_url` leaves out of a URL, as it is written and decoded."""
    query = _split(url.partition("://")[2])[1]
    for text in (*re.split("[:@]", user_of(url)), *re.split("[&=#]", query)):
        if len(text) > 2:
            yield from {text, unquote(text)}


def _split(rest: str) -> tuple[str, str]:
    """What stands before the query or fragment of a URL, and these."""
    address, *after = re.split(r"[?#]", rest, maxsplit=1)
    return address, "".join(after)
