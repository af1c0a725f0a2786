"""How to reach the server: options, before the environment, before the profile file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from .groups import CONNECTION

__all__ = ["Connection"]


@Parameter(name="*", group=CONNECTION)
@dataclass(frozen=True)
class Connection:
    """See the help of each field."""

    base_url: Annotated[
        str | None,
        Parameter(metavar="URL", help="The address of the server; or RYBBIT_BASE_URL."),
    ] = None
    profile: Annotated[
        str | None,
        Parameter(
            metavar="NAME",
            help="The profile with the server and the key, see `rybbit-async config`; "
            "or RYBBIT_PROFILE.",
        ),
    ] = None
    api_key: Annotated[
        str | None,
        Parameter(
            metavar="-",
            allow_leading_hyphen=True,
            help="`-` reads the key from standard input; or RYBBIT_API_KEY.",
        ),
    ] = None
    email: Annotated[
        str | None,
        Parameter(
            help="Sign in with a password instead of a key, as servers before 2.7 need for "
            "writing. The password is that of RYBBIT_PASSWORD or of the profile, or is asked for."
        ),
    ] = None
    allow_http: Annotated[
        bool, Parameter(help="Allow plain HTTP to another host; the key can be read on the way.")
    ] = False
    proxy: Annotated[
        str | None,
        Parameter(
            metavar="URL", help="A proxy; or HTTPS_PROXY, unless NO_PROXY excepts the server."
        ),
    ] = None
    ca: Annotated[
        str | None,
        Parameter(
            metavar="FILE", help="Certificates to trust in place of the system's, in PEM format."
        ),
    ] = None
    timeout: Annotated[
        float | None, Parameter(metavar="SECONDS", help="How long one attempt may take.")
    ] = None
    rate_limit: Annotated[
        str | None,
        Parameter(
            metavar="N/TIME",
            help="A limit that the server does not tell, such as `500/10m` for servers up to 2.4.",
        ),
    ] = None
    debug: Annotated[
        bool, Parameter(help="Tell each request, and the traceback of an error, on stderr.")
    ] = False
