"""Removing secrets from text."""

from __future__ import annotations

import json
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


@lru_cache(maxsize=8)
def _forms(secret: str) -> list[str]:
    """A secret as a server may repeat it: plain, in JSON, in a URL. The longest form is first."""
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return sorted(forms, key=len, reverse=True)
