"""What a server can do, asked for by a caller."""

from __future__ import annotations

import pytest

from rybbit_async import PermissionDeniedError, ServerCapabilities
from rybbit_async.testing import Store

from .conftest import Connect, Serve
from .helpers import World

BUCKETED = "/api/sites/{site}/overview-bucketed"
SERIES = "/api/sites/{site}/overview/time-series"


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (
            "2.2",
            ServerCapabilities(
                "goals", False, False, False, False, "/api/overview-bucketed/{site}"
            ),
        ),
        ("2.4", ServerCapabilities("sites", False, False, True, False, BUCKETED)),
        ("2.6", ServerCapabilities("sites", True, False, True, False, BUCKETED)),
        ("2.8", ServerCapabilities("sites", True, False, True, True, SERIES)),
        ("2.9", ServerCapabilities("sites", True, True, True, True, SERIES)),
    ],
)
async def test_what_each_release_can_do(
    serve: Serve, connect: Connect, world: World, release: str, expected: ServerCapabilities
) -> None:
    server = await serve(release)
    client = connect(server)
    assert await client.capabilities(world.site.site_id) == expected
    assert len(server.requests) <= 13
    server.requests.clear()
    assert await client.capabilities(world.site.site_id) == expected
    assert len(server.requests) <= 5


async def test_a_site_that_shows_nothing(serve: Serve, connect: Connect, store: Store) -> None:
    client = connect(await serve("2.6", store=store))
    assert await client.capabilities(1) == ServerCapabilities(
        "sites", None, None, None, False, BUCKETED
    )
    with pytest.raises(PermissionDeniedError):
        await client.capabilities(7)
