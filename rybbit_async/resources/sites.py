"""``client.organizations`` and ``client.sites``: what a key can read."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any, Final

from ..errors import AuthenticationError, PermissionDeniedError, RybbitError
from ..models import Organization, Site
from ..pages import Page
from ..parameters.checks import check_site
from ..parameters.rows import check_id
from ..transport.not_found import with_hint
from ..wire.converter import read, structure
from ..wire.json import Body
from ..wire.messages import decode
from ..wire.page_reader import read_at
from .context import Context
from .endpoints import ORGANIZATION_SITES, ORGANIZATIONS, SITE
from .resource import Resource

__all__ = ["Organizations", "Sites", "all_sites"]

_NAME_SITES: Final = (
    "name each site instead: its number, or its identifier of 12 hexadecimal characters, is in the "
    "address of its pages and in its tracking script"
)
_NO_LIST: Final = (
    "Servers with the older layout of URLs (2.2) do not let a key list its organizations and sites:"
    f" if the key is right, {_NAME_SITES}"
)


class Organizations(Resource):
    """The organizations that the key belongs to."""

    async def list(self) -> Page[Organization]:
        """All of them, with their sites, which have a number and no identifier here.

        Raises:
            AuthenticationError, PermissionDeniedError: the key is wrong, or the server does not let
                a key list them, as 2.2.
        """
        return Page(await _organizations(self._context), model=Organization)


class Sites(Resource):
    """The sites that the key can read."""

    async def list(self, organization: Organization | str | None = None) -> Page[Site]:
        """All of them, each with its number and its identifier.

        Args:
            organization: only the sites of this one, by its id or as an ``Organization``. Without
                it, one request finds the organizations, and one for each its sites.

        Raises:
            AuthenticationError, PermissionDeniedError: the key is wrong, or the server does not let
                a key list them, as 2.2; or it cannot read that organization.
        """
        if isinstance(organization, Organization):
            organization = organization.organization_id
        if organization is not None:
            return Page(await self._of(check_id("organization", organization)), model=Site)
        found: dict[int, Site] = {}
        for one in await _organizations(self._context):
            found |= {site.site_id: site for site in await self._of(one.organization_id)}
        return Page(tuple(found.values()), model=Site)

    async def get(self, site: int | str) -> Site:
        """One site, by its number or its identifier.

        Raises:
            PermissionDeniedError, AuthenticationError: there is none that the key can read.
            NotFoundError: no site has this identifier.
        """
        return await self._get(SITE, {"site": check_site(site)}, lambda body: read(body, Site))

    async def _of(self, organization: str) -> tuple[Site, ...]:
        try:
            return await self._get(
                ORGANIZATION_SITES,
                {"organization": organization},
                lambda body: read_at(body, "sites", tuple[Site, ...]),
            )
        except AuthenticationError as error:
            refused = error
        raise with_hint(refused, _NO_LIST)


async def all_sites(context: Context) -> builtins.list[int]:
    """The numbers of all sites that the key can read.

    Raises:
        AuthenticationError, PermissionDeniedError: see ``Organizations.list``.
        RybbitError: the server lists no site.
    """
    organizations = await _organizations(context)
    numbers = dict.fromkeys(site.site_id for one in organizations for site in one.sites)
    if not numbers:
        raise RybbitError(f"the server lists no site that the key can read; {_NAME_SITES}")
    return [*numbers]


async def _organizations(context: Context) -> tuple[Organization, ...]:
    try:
        response = await context.router.send(ORGANIZATIONS, "GET", {}, options=context.options)
    except (AuthenticationError, PermissionDeniedError) as error:
        refused = error
    else:
        return decode(response, _read_organizations)
    raise with_hint(refused, _NO_LIST)


def _read_organizations(body: Body) -> tuple[Organization, ...]:
    data = body.json()
    for one in _objects(data):
        for site in _objects(one.get("sites")):
            if "siteId" not in site:
                # The number stands where the identifier does elsewhere.
                site["siteId"] = site.pop("id", None)
    return structure(data, tuple[Organization, ...])


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """The objects in a list of a body. What is none is left to the error."""
    if isinstance(value, list):
        many: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # JSON
        yield from (one for one in many if isinstance(one, dict))
