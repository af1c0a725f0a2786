"""The contract's table "Authentication", through the client."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
import pytest
from yarl import URL

from rybbit_async import (
    APIResponseError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    InvalidParameterError,
    NotFoundError,
    PasswordLogin,
    PathGoal,
    PermissionDeniedError,
    RateLimitError,
    Retry,
    RybbitClient,
)
from rybbit_async.testing import BucketLimit, KeyLimit, RybbitServer, Store, faults

from ..clock import FakeClock
from .conftest import Connect, Serve
from .helpers import (
    END,
    ONCE,
    RELEASES,
    UNKNOWN_ID,
    World,
    login,
    settled,
    sign_in_requests,
    until,
    writes,
)

REFUSED: dict[str, tuple[type[APIStatusError], str]] = {
    "2025.06": (AuthenticationError, "Unauthorized"),
    "2.2": (AuthenticationError, "Unauthorized"),
    "2.4": (PermissionDeniedError, "Forbidden"),
    "2.8": (PermissionDeniedError, "Forbidden"),
}
every_release = pytest.mark.parametrize("release", RELEASES)


# --- an API key ---------------------------------------------------------------------------------


@every_release
async def test_bearer_key_reads(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    page = await connect(server).goals.list(1)
    assert len(page) == 10
    assert server.requests[-1].headers["Authorization"] == f"Bearer {server.api_key}"


@every_release
async def test_the_key_is_in_that_header_and_nowhere_else(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    server = await serve(release, store)
    client = connect(server)
    goal = store.add_goal(1, "path", {"pathPattern": "/"})
    await client.goals.list(1, start_date="2026-01-01", end_date="2026-01-31")
    await client.goals.sessions.iter(1, goal).collect()
    await settled(
        client.goals.create(1, PathGoal("/a")),
        client.goals.update(1, goal, name="a"),
        client.goals.delete(1, goal),
        client.request("GET", "/api/version", params={"a": "b"}),
    )
    assert len(server.requests) >= 6
    for request in server.requests:
        assert server.api_key not in request.target
        assert server.api_key.encode() not in request.body
        carriers = [name for name, value in request.headers.items() if server.api_key in value]
        assert carriers == ["Authorization"]


async def test_an_organisation_key_reads(serve: Serve, connect: Connect) -> None:
    server = await serve()
    key = server.add_key(organisation_key=True)
    assert key.startswith("rb_org_")
    assert len(await connect(server, key).goals.list(1)) == 10


@every_release
@pytest.mark.parametrize("case", ["none", "bad", "expired", "disabled", "limited to another site"])
async def test_a_key_that_is_refused(
    serve: Serve, connect: Connect, release: str, case: str
) -> None:
    server = await serve(release)
    key = {
        "none": None,
        "bad": "rb_bad",
        "expired": server.add_key(expires=END - timedelta(days=1)),
        "disabled": server.add_key(disabled=True),
        "limited to another site": server.add_key(sites=[2]),
    }[case]
    client = connect(server, key, auth=None) if key is None else connect(server, key)
    error, message = REFUSED[release]
    with pytest.raises(error) as caught:
        await client.goals.list(1)
    assert caught.value.message == message


@every_release
async def test_another_organisations_site_and_an_unknown_number(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    server = await serve(release)
    client = connect(server)
    error, message = REFUSED[release]
    for site in (world.foreign.site_id, world.foreign.string_id, 999_999):
        with pytest.raises(error) as caught:
            await client.goals.list(site)
        assert caught.value.message == message


@every_release
async def test_an_unknown_string_identifier(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    with pytest.raises(NotFoundError) as caught:
        await connect(server).goals.list(UNKNOWN_ID)
    assert caught.value.message == "Site not found"


@pytest.mark.parametrize("release", ["2.2", "2.4"])
async def test_a_refused_write_with_a_key_mentions_password_login(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    goal = store.add_goal(1, "path", {"pathPattern": "/"}, name="kept")
    server = await serve(release, store)
    client = connect(server)
    for write in (
        client.goals.create(1, PathGoal("/a")),
        client.goals.update(1, goal, name="changed"),
        client.goals.delete(1, goal),
    ):
        with pytest.raises(PermissionDeniedError, match="PasswordLogin") as caught:
            await write
        assert (caught.value.status, caught.value.message) == (403, "Forbidden")
    assert [goal.name for goal in store.goals(1)] == ["kept"]
    assert len(writes(server)) == 3


async def test_a_write_with_a_key_of_2_8(serve: Serve, connect: Connect, store: Store) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    made = await client.goals.create(1, PathGoal("/a"))
    await client.goals.update(1, made.goal_id, name="changed")
    assert [goal.name for goal in store.goals(1)] == ["changed"]
    await client.goals.delete(1, made.goal_id)
    assert store.goals(1) == []


async def test_a_write_beyond_the_scope_mentions_the_scope(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.8", store)
    client = connect(server, server.read_only_key)
    assert len(await client.goals.list(1)) == 0
    with pytest.raises(PermissionDeniedError, match="goals:write") as caught:
        await client.goals.create(1, PathGoal("/a"))
    assert caught.value.message == "Insufficient scope"
    assert '"required":"goals:write"' in caught.value.body
    assert "PasswordLogin" in str(caught.value)


async def test_a_refused_read_does_not_mention_writing(
    serve: Serve, connect: Connect, world: World
) -> None:
    server = await serve("2.8")
    with pytest.raises(PermissionDeniedError) as caught:
        await connect(server).goals.list(world.foreign.site_id)
    assert "PasswordLogin" not in str(caught.value)


@every_release
async def test_a_used_up_key(serve: Serve, connect: Connect, release: str) -> None:
    limit = BucketLimit(burst=2, refill=1) if release == "2.8" else KeyLimit(requests=2)
    server = await serve(release)
    client = connect(server, retry=ONCE)
    await client.goals.list(1)
    server.rate_limit = limit
    await client.goals.list(1)
    await client.goals.list(1)
    with pytest.raises(APIStatusError) as caught:
        await client.goals.list(1)
    if release == "2.8":
        assert isinstance(caught.value, RateLimitError)
        assert (caught.value.retry_after, caught.value.scope) == (1, "burst")
        assert caught.value.message == "Rate limit exceeded"
    else:
        error, message = REFUSED[release]
        assert type(caught.value) is error
        assert caught.value.message == message
        assert "worked 0 s ago, so it is probably used up" in str(caught.value)


async def test_the_daily_quota(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8", rate_limit=BucketLimit(daily=2))
    client = connect(server)
    await client.goals.list(1)
    await client.goals.list(1)
    with pytest.raises(RateLimitError) as caught:
        await client.goals.list(1)
    assert (caught.value.retry_after, caught.value.scope) == (43_200, "daily")  # END is at noon


@every_release
async def test_a_public_site_is_read_without_a_key(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    server = await serve(release)
    client = connect(server, auth=None)
    (goal,) = await client.goals.list(world.public.site_id)
    sessions = await client.goals.sessions.iter(world.public.site_id, goal).collect()
    assert len(sessions) == goal.total_conversions == 3
    for request in server.requests:
        assert "Authorization" not in request.headers
        assert "Cookie" not in request.headers


async def test_origin_is_never_sent(serve: Serve, connect: Connect, store: Store) -> None:
    server = await serve("2.8", store)
    client = connect(server)
    made = await client.goals.create(1, PathGoal("/a"))
    await client.goals.update(1, made.goal_id, name="b")
    await client.goals.delete(1, made.goal_id)
    assert len(writes(server)) == 3
    assert all("Origin" not in request.headers for request in server.requests)


# --- a session ----------------------------------------------------------------------------------


async def test_the_sign_in_happens_with_the_first_request(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = connect(server, auth=login(server))
    client.goals.iter(1)
    with pytest.raises(InvalidParameterError):
        await client.goals.list(1, page=0)
    assert not server.requests
    await client.goals.list(1)
    await client.goals.list(1)
    assert server.sign_ins == 1
    assert "Cookie" not in server.requests[0].headers
    assert all("Authorization" not in request.headers for request in server.requests)


@every_release
async def test_a_session_reads_and_writes(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    server = await serve(release, store)
    client = connect(server, auth=login(server))
    made = await client.goals.create(1, PathGoal("/a"))
    await client.goals.update(1, made.goal_id, name="b")
    assert [goal.name async for goal in client.goals.iter(1)] == ["b"]
    await client.goals.delete(1, made.goal_id)
    assert store.goals(1) == []
    assert server.sign_ins == 1


async def test_concurrent_calls_share_one_sign_in(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = connect(server, auth=login(server))
    with server.hold(lambda request: request.path.startswith("/api/auth/")) as held:
        calls = [asyncio.create_task(client.goals.list(1)) for _ in range(20)]
        await held.reached(1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(server.requests) == 1
    await asyncio.gather(*calls)
    assert sign_in_requests(server) == 1


async def test_the_call_that_started_the_sign_in_may_be_cancelled(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.2")
    client = connect(server, auth=login(server))
    with server.hold(lambda request: request.path.startswith("/api/auth/")) as held:
        first = asyncio.create_task(client.goals.list(1))
        await held.reached(1)
        second = asyncio.create_task(client.goals.list(1))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
    assert len(await second) == 10
    assert sign_in_requests(server) == 1


@every_release
async def test_a_new_sign_in_after_the_session_has_expired(
    serve: Serve, connect: Connect, release: str
) -> None:
    server = await serve(release)
    client = connect(server, auth=login(server))
    await client.goals.list(1)
    server.expire_sessions()
    assert len(await client.goals.list(1)) == 10
    assert server.sign_ins == 2
    server.expire_sessions()
    await asyncio.gather(*(client.goals.list(1) for _ in range(10)))
    assert server.sign_ins == 3
    await client.goals.list(1)
    assert server.sign_ins == 3


async def test_a_write_in_an_expired_session_is_made_once(
    serve: Serve, connect: Connect, store: Store
) -> None:
    server = await serve("2.4", store)
    client = connect(server, auth=login(server))
    await client.goals.list(1)
    server.expire_sessions()
    await client.goals.create(1, PathGoal("/a"))
    assert len(store.goals(1)) == 1
    assert server.sign_ins == 2


async def test_a_walk_continues_after_the_session_has_expired(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.2")
    client = connect(server, auth=login(server))
    found = []
    async for goal in client.goals.iter(1, page_size=3):
        found.append(goal.goal_id)
        if len(found) == 4:
            server.expire_sessions()
    assert len(set(found)) == 14


async def test_a_wrong_password(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = connect(server, auth=PasswordLogin(server.email, "hunter2"), routes="goals")
    results = await settled(*(client.goals.list(1) for _ in range(3)))
    assert {type(result) for result in results} == {AuthenticationError}
    assert all("password" in result.message for result in results)
    assert all("hunter2" not in str(result) + repr(result) for result in results)
    assert [request.path for request in server.requests] == ["/api/auth/sign-in/email"]


async def test_the_limit_on_sign_ins(serve: Serve, connect: Connect, clock: FakeClock) -> None:
    server = await serve("2.2", clock=clock.now)
    client = connect(server, auth=PasswordLogin(server.email, "hunter2"), retry=ONCE)
    for _ in range(5):
        with pytest.raises(AuthenticationError):
            await client.goals.list(1)
    with pytest.raises(RateLimitError) as caught:
        await client.goals.list(1)
    assert (caught.value.status, caught.value.method) == (429, "POST")
    assert caught.value.url == f"{server.url}/api/auth/sign-in/email"
    assert caught.value.retry_after == 10
    assert clock.time() == 0
    with pytest.raises(AuthenticationError):
        await client.with_options(retry=Retry()).goals.list(1)
    assert clock.time() == 10
    assert client.stats.pauses == 0  # the limit on sign-ins stops no other request


async def test_a_sign_in_without_a_session_cookie(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    server.inject(faults.Status(200, {"redirect": False}))
    with pytest.raises(APIResponseError, match="no session cookie"):
        await connect(server, auth=login(server)).goals.list(1)


async def test_the_password_is_in_no_error_even_if_the_server_echoes_it(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.2")
    server.inject(
        faults.Status(400, {"error": f"{server.password} is not it", "p": server.password})
    )
    client = connect(server, auth=login(server))
    with pytest.raises(BadRequestError) as caught:
        await client.goals.list(1)
    assert server.password not in repr(vars(caught.value)) + str(caught.value)
    assert "***" in caught.value.body
    assert server.password not in repr(login(server)) + repr(client)


@pytest.mark.parametrize(
    "name", ["better-auth.session_token", "__Secure-better-auth.session_token"]
)
async def test_a_secure_cookie_is_sent_over_plain_http_to_the_local_machine(
    serve: Serve, connect: Connect, name: str
) -> None:
    server = await serve("2.2")
    server.cookie_name = name
    client = connect(server, auth=login(server))
    await client.goals.list(1)
    assert server.requests[-1].headers["Cookie"].startswith(f"{name}=")
    assert server.url.startswith("http://127.0.0.1")


async def test_the_cookie_stays_out_of_the_jar_of_a_session_passed_in(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.2")
    jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=None)
    jar.update_cookies({"theirs": "1"}, response_url=URL(server.url))
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        client = connect(server, auth=login(server), session=session)
        assert len(await client.goals.list(1)) == 10
        server.expire_sessions()
        assert len(await client.goals.list(1)) == 10
        assert [cookie.key for cookie in session.cookie_jar] == ["theirs"]
        await client.close()


async def test_two_clients_on_one_session_do_not_share_a_sign_in(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.2")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        signed_in = connect(server, auth=login(server), session=session)
        stranger = connect(server, auth=None, session=session)
        await signed_in.goals.list(1)
        with pytest.raises(AuthenticationError):
            await stranger.goals.list(1)


@every_release
async def test_a_site_that_is_always_refused_costs_one_sign_in(
    serve: Serve, connect: Connect, world: World, release: str
) -> None:
    server = await serve(release)
    client = connect(server, auth=login(server))
    for _ in range(10):
        with pytest.raises(REFUSED[release][0]):
            await client.goals.list(world.foreign.site_id)
    assert server.sign_ins <= 2
    assert len(await client.goals.list(1)) == 10


async def test_two_sites_that_are_always_refused_cost_one_sign_in_each(
    serve: Serve, connect: Connect, world: World
) -> None:
    server = await serve("2.4")
    client = connect(server, auth=login(server))
    for _ in range(5):
        for site in (world.foreign.site_id, world.foreign.string_id):
            with pytest.raises(PermissionDeniedError):
                await client.goals.list(site)
    assert server.sign_ins <= 3


async def test_many_refusals_do_not_use_up_the_sign_ins(
    serve: Serve, connect: Connect, world: World
) -> None:
    """Goals of another site are refused one by one, for reasons other than the session."""
    server = await serve("2.4")
    client = connect(server, auth=login(server))
    for goal in world.store.goals(world.site)[:10]:
        with pytest.raises(PermissionDeniedError, match="does not belong"):
            await client.goals.sessions.list(world.second.site_id, goal.goal_id)
    assert server.sign_ins <= 2


async def test_an_expired_session_is_noticed_after_a_refusal(
    serve: Serve, connect: Connect, world: World
) -> None:
    server = await serve("2.2")
    client = connect(server, auth=login(server))
    with pytest.raises(AuthenticationError):
        await client.goals.list(world.foreign.site_id)
    server.expire_sessions()
    assert len(await client.goals.list(1)) == 10


async def test_closing_during_a_sign_in(serve: Serve, connect: Connect) -> None:
    server = await serve("2.2")
    client = connect(server, auth=login(server))
    with server.hold() as held:
        calls = [asyncio.create_task(client.goals.list(1)) for _ in range(3)]
        await held.reached(1)
        await client.close()
        results = await settled(*calls)
    assert {type(result) for result in results} == {ClientClosedError}
    await until(lambda: server.connections == 0)


def test_a_key_and_a_login_exclude_each_other(world: World) -> None:
    server = RybbitServer(store=world.store)
    with pytest.raises(InvalidParameterError, match="api_key and auth"):
        RybbitClient("rb_key", auth=login(server), base_url="http://localhost")
    with pytest.raises(InvalidParameterError, match="must be a PasswordLogin, got str"):
        RybbitClient(auth="rb_key", base_url="http://localhost")  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match=r"PasswordLogin\.password must not be empty"):
        PasswordLogin("me@example.com", "")


async def test_a_login_takes_precedence_over_the_key_in_the_environment(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve("2.2")
    monkeypatch.setenv("RYBBIT_API_KEY", server.api_key)
    await connect(server, auth=login(server)).goals.list(1)
    assert all("Authorization" not in request.headers for request in server.requests)
