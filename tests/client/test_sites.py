"""The organizations and sites that a key can read, and walks over all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rybbit_async import (
    AuthenticationError,
    InvalidParameterError,
    NotFoundError,
    Organization,
    PermissionDeniedError,
    RybbitError,
    Site,
)
from rybbit_async.testing import RybbitServer
from rybbit_async.testing.wire import error_response

from .conftest import Connect, Serve
from .helpers import World, answer, lines

CREATED = "2026-11-25 00:34:13.287066"
MOMENT = datetime(2026, 11, 25, 0, 34, 13, 287066, tzinfo=UTC)
SITE: dict[str, Any] = {
    "id": "298511347aec", "siteId": 1, "name": "main", "type": "web", "domain": "main.example.com",
    "createdAt": CREATED, "updatedAt": CREATED, "createdBy": "UcUp", "organizationId": "zz7",
    "public": False, "blockBots": True, "apiKey": "rb_secret",
}  # fmt: skip
OTHER = {**SITE, "id": "9ec0fac7a6f8", "siteId": 2, "sessionsLast24Hours": 401}
MEMBER = {"id": "hv2", "role": "owner", "userId": "Ht3"}


def in_organization(number: int) -> dict[str, Any]:
    """A site as the list of organizations has it."""
    return {"id": str(number), "domain": "main.example.com", "name": "main",
            "organizationId": "zz7", "createdBy": "UcUp", "public": False,
            "saltUserIds": False, "createdAt": CREATED}  # fmt: skip


ORGANIZATIONS: list[dict[str, Any]] = [
    {"id": "zz7", "name": "Org anna", "slug": "org-anna", "logo": None, "createdAt": CREATED,
     "role": "owner", "members": [MEMBER], "sites": [in_organization(1), in_organization(2)]},
    {"id": "a/b", "name": "Other", "slug": "other", "logo": None, "createdAt": CREATED,
     "role": "member", "members": [], "sites": [in_organization(2)]},
]  # fmt: skip


async def listing(serve: Serve, organizations: Any = ORGANIZATIONS) -> RybbitServer:
    """A server that lists organizations and their sites."""
    server = await serve("2.8")
    of_two = {"organization": {}, "sites": [OTHER], "subscription": None}
    bodies = {
        "/api/organizations": organizations,
        "/api/organizations/zz7/sites": {**of_two, "sites": [SITE, OTHER]},
        "/api/organizations/a%2Fb/sites": of_two,
        "/api/sites/1": SITE,
        "/api/sites/298511347aec": SITE,
    }
    for path, body in bodies.items():
        answer(server, path, body)
    return server


async def test_organizations(serve: Serve, connect: Connect) -> None:
    server = await listing(serve)
    page = await connect(server).organizations.list()
    first, second = page
    assert isinstance(first, Organization)
    assert (first.organization_id, first.name, first.role) == ("zz7", "Org anna", "owner")
    assert (first.created_at, first.members) == (MOMENT, (MEMBER,))
    assert first.sites[0] == Site(
        1, None, "main", None, "main.example.com", MOMENT, None, "UcUp", "zz7", False,
        extra={"saltUserIds": False},
    )  # fmt: skip
    assert [site.site_id for site in second.sites] == [2]
    assert page.meta is None
    assert lines(server) == ["GET /api/organizations"]


async def test_sites(serve: Serve, connect: Connect) -> None:
    server = await listing(serve)
    sites = await connect(server).sites.list()
    assert [(site.site_id, site.identifier) for site in sites] == [
        (1, "298511347aec"),
        (2, "9ec0fac7a6f8"),
    ]
    assert sites.items[1].sessions_last_24_hours == 401
    assert sites.items[0].extra == {"blockBots": True, "apiKey": "rb_secret"}
    assert "rb_secret" not in repr(sites)
    assert len(server.requests) == 3


async def test_sites_of_an_organization(serve: Serve, connect: Connect) -> None:
    server = await listing(serve)
    client = connect(server)
    second = (await client.organizations.list()).items[1]
    server.requests.clear()
    for one in (second, "a/b"):
        assert [site.site_id for site in await client.sites.list(one)] == [2]
    assert len(server.requests) == 2
    for wrong in ("", 5):
        with pytest.raises(InvalidParameterError, match="organization"):
            await client.sites.list(wrong)  # type: ignore[arg-type]


async def test_one_site(serve: Serve, connect: Connect, world: World) -> None:
    server = await listing(serve)
    client = connect(server)
    for key in (1, "298511347aec"):
        site = await client.sites.get(key)
        assert (site.site_id, site.identifier, site.updated_at) == (1, "298511347aec", MOMENT)
    answer(server, "/api/sites/7", error_response(403, "Forbidden"))
    with pytest.raises(PermissionDeniedError):
        await client.sites.get(7)
    answer(server, "/api/sites/aaaaaaaaaaaa", error_response(404, "Site not found"))
    with pytest.raises(NotFoundError, match="Site not found"):
        await client.sites.get("aaaaaaaaaaaa")


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError),
                                               (403, PermissionDeniedError)])  # fmt: skip
async def test_a_server_that_lets_a_key_list_nothing(
    serve: Serve, connect: Connect, status: int, error: type[RybbitError]
) -> None:
    server = await serve("2.2")
    answer(server, "/api/organizations", error_response(status, "Unauthorized"))
    client = connect(server)
    for call in (
        client.organizations.list(),
        client.sites.list(),
        client.sessions.iter_all("all").collect(),
    ):
        with pytest.raises(error, match="name each site instead: its number, or its identifier"):
            await call


async def test_an_organization_whose_sites_the_key_may_not_list(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.2")
    path = "/api/organizations/nope/sites"
    answer(server, path, error_response(401, "Unauthorized"))
    with pytest.raises(AuthenticationError, match="name each site instead"):
        await connect(server).sites.list("nope")


async def test_a_walk_over_all_sites(serve: Serve, connect: Connect, world: World) -> None:
    mine = [world.site.site_id, world.second.site_id]
    sites = [*map(in_organization, mine)]
    server = await listing(serve, [{**ORGANIZATIONS[0], "sites": sites}])
    rows = await connect(server).sessions.iter_all("all").collect()
    assert {row.site for row in rows} == {*mine}
    by_number = await connect(server).sessions.iter_all(mine).collect()
    assert [(row.site, row.session.session_id) for row in rows] == [
        (row.site, row.session.session_id) for row in by_number
    ]


async def test_a_walk_over_all_sites_where_there_are_none(serve: Serve, connect: Connect) -> None:
    server = await listing(serve, [])
    client = connect(server)
    assert len(await client.sites.list()) == 0
    with pytest.raises(RybbitError, match="lists no site that the key can read; name each site"):
        await client.goals.iter_all("all").collect()


# --- against what the embedded server holds -------------------------------------------------------


@pytest.mark.parametrize("release", ["2.4", "2.8"])
async def test_the_sites_of_a_server(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    client = connect(await serve(release))
    (organization,) = await client.organizations.list()
    mine = {(site.site_id, site.string_id) for site in (world.site, world.second)}
    assert {site.site_id for site in organization.sites} == {number for number, _ in mine}
    sites = await client.sites.list()
    assert {(site.site_id, site.identifier) for site in sites} == mine
    for site in sites:
        assert site.organization_id == organization.organization_id
        assert site.created_at is not None
        assert site.sessions_last_24_hours is not None
        alone = await client.sites.get(site.identifier or "")
        assert (alone.site_id, alone.domain) == (site.site_id, site.domain)
    with pytest.raises(PermissionDeniedError):
        await client.sites.get(world.foreign.site_id)


async def test_a_server_of_2_2_lists_nothing(serve: Serve, connect: Connect) -> None:
    client = connect(await serve("2.2"))
    with pytest.raises(AuthenticationError, match=r"older layout of URLs \(2\.2\)"):
        await client.sites.list()
    assert (await client.sites.get(1)).site_id == 1
