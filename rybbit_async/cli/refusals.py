"""What a refusal means, as far as one more request tells.

Servers answer 403 alike for a wrong key, for an unknown site and for a site of somebody else, so
the client can only name the possible causes. Whoever runs one command can wait for another answer.
"""

from __future__ import annotations

import re
from typing import Final

from .. import APIStatusError, AuthenticationError, PermissionDeniedError, RybbitClient, RybbitError
from .exits import CommandError, Exit

__all__ = ["REFUSED", "explained"]

REFUSED: Final = (AuthenticationError, PermissionDeniedError)
_SITE: Final = re.compile(r"/api/(?:sites|goals)/(\w+)(?:[/?]|$)")
_KEY: Final = (
    "the server does not accept the key: it is wrong, expired or disabled, or it has used up its "
    "requests"
)


async def explained(client: RybbitClient, error: APIStatusError) -> RybbitError | CommandError:
    """The cause of a refusal, or the same error if it cannot be told."""
    text = str(error)
    if "No key was sent" in text:
        return CommandError(
            "no key was sent: set RYBBIT_API_KEY, or run rybbit-async config set api_key -; only "
            "public sites can be read without one",
            Exit.AUTHENTICATION,
        )
    # 401 is of servers that let no key list its sites.
    if error.status != 403 or error.method != "GET" or "Possible causes" not in text:
        return error
    site = _SITE.search(error.url)
    if site is None:
        return CommandError(_KEY, Exit.AUTHENTICATION)
    try:
        sites = await client.sites.list()
    except REFUSED:
        return CommandError(_KEY, Exit.AUTHENTICATION)
    except RybbitError:
        return error
    if any(site[1] in (str(one.site_id), one.identifier) for one in sites):
        return error
    return CommandError(
        f"there is no site {site[1]} that the key can read; rybbit-async sites lists them",
        Exit.NOT_FOUND,
    )
