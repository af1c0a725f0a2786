"""Removing secrets from text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

__all__ = ["without_secrets"]


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """``text`` with ``***`` in place of each secret, however it is encoded."""
    for secret in secrets:
        for form in _forms(str(secret)):
            text = text.replace(form, "***")
    return text


@lru_cache(maxsize=64)
def _forms(secret: str) -> list[str]:
    """A secret as text may repeat it: plain, in JSON, a URL, HTML, a repr. Longest form first."""
    in_urls = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    in_urls.add(quote(secret, safe="!'()*"))  # JavaScript's encodeURIComponent
    in_urls |= {re.sub("%..", lambda found: found[0].lower(), form) for form in in_urls}
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    in_html = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    in_html = in_html.replace('"', "&quot;").replace("'", "&#x27;")  # ``html`` imports slowly
    forms = {secret, repr(str(secret))[1:-1], in_html, *in_urls, *in_json}
    return sorted(forms, key=len, reverse=True)
