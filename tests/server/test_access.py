"""Authentication, sign-in and rate limits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rybbit_async.testing import BucketLimit, KeyLimit

from .conftest import Rig, Serve

REFUSALS = {
    "2.2": (401, {"error": "Unauthorized"}),
    "2.4": (403, {"error": "Forbidden"}),
    "2.8": (403, {"error": "Forbidden"}),
}
GOAL = {"goalType": "path", "config": {"pathPattern": "/"}}


def forbidden(rig: Rig) -> tuple[int, object]:
    return REFUSALS[rig.server.release]


async def test_a_bearer_key_reads(rig: Rig) -> None:
    assert rig.server.api_key.startswith("rb_")
    assert (await rig.get(rig.goals())).status == 200


async def test_organisation_keys_begin_with_rb_org(rig: Rig) -> None:
    rig.key = rig.server.add_key(organisation_key=True)
    assert rig.key.startswith("rb_org_")
    assert (await rig.get(rig.goals())).status == 200


async def test_a_key_in_the_query_reads_but_a_bad_bearer_key_wins(rig: Rig) -> None:
    query = {"api_key": rig.server.api_key}
    rig.key = None
    assert (await rig.get(rig.goals(), query)).status == 200
    rig.key = "rb_wrong"
    reply = await rig.get(rig.goals(), query)
    assert (reply.status, reply.json) == forbidden(rig)


async def test_a_session_cookie_reads_and_writes(rig: Rig) -> None:
    cookie = await rig.as_user()
    assert (await rig.get(rig.goals(), headers=cookie)).status == 200
    assert (await rig.send("POST", rig.goals(), json=GOAL, headers=cookie)).status == 201


async def test_no_valid_key_is_forbidden(rig: Rig) -> None:
    server = rig.server
    other = rig.store.add_site("second")
    keys = {
        "none": None,
        "bad": "rb_0123",
        "expired": server.add_key(expires=rig.clock.now + timedelta(seconds=5)),
        "disabled": server.add_key(),
        "foreign": server.add_key(organisation="elsewhere"),
        "other site": server.add_key(sites=[other]),
    }
    for case in ("expired", "disabled"):
        rig.key = keys[case]
        assert (await rig.get(rig.goals())).status == 200, case
    rig.clock.move(seconds=5)
    server.disable_key(str(keys["disabled"]))
    requests = (("GET", rig.goals()), ("POST", rig.goals()), ("DELETE", rig.goal(101)))
    for case, rig.key in keys.items():
        for method, path in requests:
            reply = await rig.send(method, path)
            assert (reply.status, reply.json) == forbidden(rig), (case, method)


async def test_an_unknown_numeric_site_is_forbidden(rig: Rig) -> None:
    reply = await rig.get(rig.goals(9999))
    assert (reply.status, reply.json) == forbidden(rig)


async def test_a_site_of_another_organisation_is_forbidden(rig: Rig) -> None:
    site = rig.store.add_site("theirs", organisation="theirs")
    for identifier in (site.site_id, site.string_id):
        reply = await rig.get(rig.goals(identifier))
        assert (reply.status, reply.json) == forbidden(rig)


async def test_an_unknown_string_identifier_is_404(rig: Rig) -> None:
    reply = await rig.get(rig.goals("0a1b2c3d4e5f"))
    assert (reply.status, reply.json) == (404, {"error": "Site not found"})


@pytest.mark.parametrize("release", ["2.2", "2.4"])
async def test_a_write_with_a_key_is_forbidden_after_validation(serve: Serve, release: str) -> None:
    rig = await serve(release)
    goal = rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    assert (await rig.send("POST", rig.goals(), json={})).status == 400
    ids = {"goalId": goal, "siteId": rig.site.site_id}
    for method, path, body in (
        ("POST", rig.goals(), GOAL),
        ("PUT", rig.goal(goal), {**ids, **GOAL}),
        ("DELETE", rig.goal(goal), None),
    ):
        reply = await rig.send(method, path, json=body)
        assert (reply.status, reply.json) == (403, {"error": "Forbidden"})
    assert len(rig.store.goals(rig.site)) == 1


async def test_2_8_keys_write_by_scope(serve: Serve) -> None:
    rig = await serve("2.8")
    created = await rig.send("POST", rig.goals(), json=GOAL)
    assert created.status == 201
    goal = created.json["goalId"]
    assert (await rig.send("PUT", rig.goal(goal), json=GOAL)).status == 200
    rig.key = rig.server.read_only_key
    assert (await rig.get(rig.goals())).status == 200
    for method, path in (
        ("POST", rig.goals()),
        ("PUT", rig.goal(goal)),
        ("DELETE", rig.goal(goal)),
    ):
        reply = await rig.send(method, path, json=GOAL)
        assert reply.status == 403
        assert reply.json == {"error": "Insufficient scope", "required": "goals:write"}
    rig.key = None
    query = {"api_key": rig.server.api_key}
    assert (await rig.send("DELETE", rig.goal(goal), query)).status == 200


async def test_a_public_site_is_read_without_a_key(rig: Rig) -> None:
    site = rig.store.add_site("public", public=True, organisation="theirs")
    rig.key = None
    assert (await rig.get(rig.goals(site.site_id))).status == 200
    reply = await rig.send("POST", rig.goals(site.site_id), json=GOAL)
    assert (reply.status, reply.json) == forbidden(rig)


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "{}", "Token {}"])
async def test_bearer_is_case_sensitive(rig: Rig, header: str) -> None:
    value = header.format(rig.server.api_key)
    reply = await rig.get(rig.goals(), headers={"Authorization": value})
    assert (reply.status, reply.json) == forbidden(rig)


async def test_x_api_key_is_not_read(rig: Rig) -> None:
    key, rig.key = rig.server.api_key, None
    reply = await rig.get(rig.goals(), headers={"x-api-key": key})
    assert (reply.status, reply.json) == forbidden(rig)


async def test_api_health_in_a_query_value_skips_authentication_on_2_2(rig: Rig) -> None:
    rig.key = None
    raw = await rig.get(rig.goals(), "x=/api/health")
    assert raw.status == (200 if rig.server.release == "2.2" else 403)
    encoded = await rig.get(rig.goals(), "x=%2Fapi%2Fhealth")
    assert (encoded.status, encoded.json) == forbidden(rig)


# Sign-in


async def test_sign_in_sets_a_secure_cookie(rig: Rig) -> None:
    credentials = {"email": rig.server.email, "password": rig.server.password}
    reply = await rig.send("POST", "/api/auth/sign-in/email", json=credentials)
    assert reply.status == 200
    cookie, *attributes = reply.headers["Set-Cookie"].split("; ")
    assert cookie.startswith("better-auth.session_token=")
    assert {"Max-Age=604800", "HttpOnly", "Secure", "SameSite=None"} <= set(attributes)
    assert rig.server.sign_ins == 1


async def test_the_cookie_may_have_the_secure_prefix(rig: Rig) -> None:
    rig.server.cookie_name = "__Secure-better-auth.session_token"
    cookie = await rig.as_user()
    assert cookie["Cookie"].startswith("__Secure-better-auth.session_token=")
    assert (await rig.get(rig.goals(), headers=cookie)).status == 200


async def test_a_wrong_password_is_401(rig: Rig) -> None:
    credentials = {"email": rig.server.email, "password": "guess"}
    reply = await rig.send("POST", "/api/auth/sign-in/email", json=credentials)
    assert reply.status == 401
    assert "Set-Cookie" not in reply.headers
    assert rig.server.sign_ins == 0


async def test_sign_ins_are_limited_to_a_few_in_ten_seconds(rig: Rig) -> None:
    for _ in range(5):
        await rig.sign_in()
    credentials = {"email": rig.server.email, "password": rig.server.password}
    assert (await rig.send("POST", "/api/auth/sign-in/email", json=credentials)).status == 429
    rig.clock.move(seconds=10)
    await rig.sign_in()
    assert rig.server.sign_ins == 6


@pytest.mark.parametrize("how", ["expire_sessions", "a week"])
async def test_a_session_expires(rig: Rig, how: str) -> None:
    cookie = await rig.as_user()
    if how == "a week":
        rig.clock.move(seconds=604_799)
        assert (await rig.get(rig.goals(), headers=cookie)).status == 200
        rig.clock.move(seconds=1)
    else:
        rig.server.expire_sessions()
    reply = await rig.get(rig.goals(), headers=cookie)
    assert (reply.status, reply.json) == forbidden(rig)


async def test_a_write_from_another_origin_is_forbidden_on_2_8(rig: Rig) -> None:
    cookie = await rig.as_user()
    foreign = {**cookie, "Origin": "https://elsewhere.example"}
    reply = await rig.send("POST", rig.goals(), json=GOAL, headers=foreign)
    if rig.server.release == "2.8":
        assert (reply.status, reply.json) == (403, {"error": "Origin not allowed"})
    else:
        assert reply.status == 201
    assert (await rig.get(rig.goals(), headers=foreign)).status == 200
    own = {**cookie, "Origin": rig.server.url}
    assert (await rig.send("POST", rig.goals(), json=GOAL, headers=own)).status == 201


# Limits


async def test_self_hosted_has_no_limit_and_no_headers(rig: Rig) -> None:
    for _ in range(60):
        reply = await rig.get(rig.goals())
        assert reply.status == 200
    assert not [name for name in reply.headers if "ratelimit" in name.lower()]


@pytest.mark.parametrize("release", ["2.2", "2.4"])
async def test_the_older_limit_answers_a_used_up_key_like_a_bad_key(
    serve: Serve, release: str
) -> None:
    rig = await serve(release, rate_limit=KeyLimit(requests=3, seconds=600))
    for _ in range(3):
        rig.clock.move(seconds=100)
        assert (await rig.get(rig.goals())).status == 200
    reply = await rig.get(rig.goals())
    assert (reply.status, reply.json) == forbidden(rig)
    assert not [name for name in reply.headers if "rate" in name.lower() or name == "Retry-After"]
    # It works again ten minutes after the last success. Requests that failed do not count.
    rig.clock.move(seconds=599)
    assert (await rig.get(rig.goals())).status == reply.status
    rig.clock.move(seconds=1)
    assert (await rig.get(rig.goals())).status == 200


async def test_the_older_limit_is_500_and_per_key(serve: Serve) -> None:
    rig = await serve("2.2", rate_limit=True)
    for _ in range(500):
        assert (await rig.get(rig.goals())).status == 200
    assert (await rig.get(rig.goals())).status == 401
    rig.key = rig.server.read_only_key
    assert (await rig.get(rig.goals())).status == 200


async def test_the_bucket_is_used_up_and_refills_five_a_second(serve: Serve) -> None:
    rig = await serve("2.8", rate_limit=True)
    for left in range(49, -1, -1):
        reply = await rig.get(rig.goals())
        assert reply.status == 200
        assert reply.headers["X-RateLimit-Burst-Remaining"] == str(left)
    reply = await rig.get(rig.goals())
    assert reply.status == 429
    assert reply.headers["Retry-After"] == "1"
    body = {"error": "Rate limit exceeded", "scope": "burst", "limit": 50, "retryAfter": 1}
    assert reply.json == body
    rig.clock.move(seconds=1)
    replies = [(await rig.get(rig.goals())).status for _ in range(6)]
    assert replies == [200] * 5 + [429]


async def test_the_bucket_is_per_owner_shared_by_all_its_keys(serve: Serve) -> None:
    rig = await serve("2.8", rate_limit=BucketLimit(burst=2))
    theirs = rig.store.add_site(organisation="theirs")
    assert (await rig.get(rig.goals())).status == 200
    rig.key = rig.server.read_only_key
    assert (await rig.get(rig.goals())).status == 200
    assert (await rig.get(rig.goals())).status == 429
    rig.key = rig.server.add_key(organisation="theirs")
    assert (await rig.get(rig.goals(theirs.site_id))).status == 200


async def test_every_response_to_a_key_has_the_headers(serve: Serve) -> None:
    rig = await serve("2.8", rate_limit=True)
    for path in (rig.goals(), rig.sessions(999), rig.goals(999)):
        reply = await rig.get(path)
        for prefix in ("X-RateLimit-Burst", "X-RateLimit-Daily", "RateLimit"):
            for word in ("Limit", "Remaining", "Reset"):
                assert reply.headers[f"{prefix}-{word}"].isdigit()
    assert reply.headers["X-RateLimit-Burst-Limit"] == "50"
    assert reply.headers["X-RateLimit-Daily-Limit"] == "5000"
    # RateLimit-* is the limit that is used up first.
    assert reply.headers["RateLimit-Limit"] == "50"
    assert reply.headers["RateLimit-Remaining"] == "47"
    assert reply.headers["X-RateLimit-Daily-Reset"] == str(12 * 3600)
    cookie = await rig.as_user()
    reply = await rig.get(rig.goals(), headers=cookie)
    assert not [name for name in reply.headers if "ratelimit" in name.lower()]


async def test_the_daily_quota_resets_at_midnight_utc(serve: Serve) -> None:
    rig = await serve("2.8", rate_limit=BucketLimit(daily=2))
    assert (await rig.get(rig.goals())).headers["RateLimit-Limit"] == "2"
    await rig.get(rig.goals())
    rig.clock.move(hours=2)
    reply = await rig.get(rig.goals())
    assert reply.status == 429
    wait = 10 * 3600
    assert reply.headers["Retry-After"] == str(wait)
    body = {"error": "Rate limit exceeded", "scope": "daily", "limit": 2, "retryAfter": wait}
    assert reply.json == body
    rig.clock.move(seconds=wait - 1)
    assert (await rig.get(rig.goals())).status == 429
    rig.clock.move(seconds=1)
    assert (await rig.get(rig.goals())).status == 200
