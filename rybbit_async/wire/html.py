"""The first words of a page that is meant for people, such as the error page of a proxy."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["first_words"]

# What is worth showing is near the beginning; longer texts only take time to search.
_SEARCHED: Final = 5_000
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_INVISIBLE = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[!/?a-z][^>]*>?", re.IGNORECASE)


def first_words(text: str) -> str:
    """The title of an HTML page or its first text, or the first line of any other text."""
    text = text.strip()[:_SEARCHED]
    if text.startswith("<"):
        from html import unescape  # it imports slowly, and is seldom needed

        title = _TITLE.search(text)
        found = title[1].strip() if title else ""
        text = unescape(found or _TAG.sub(" ", _INVISIBLE.sub(" ", text)))
        text = " ".join(text.split())
    return text.partition("\n")[0].rstrip()
