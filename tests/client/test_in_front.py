"""Refusals that are not Rybbit's own, but those of a proxy or a firewall in front of it."""

from __future__ import annotations

from typing import Any

import pytest

from rybbit_async import (
    APIStatusError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RybbitError,
    ServerError,
)
from rybbit_async.testing import faults

from .conftest import Connect, Serve
from .helpers import ONCE, login

CLOUDFLARE = """<!DOCTYPE html>
<html lang="en-US"><head><title>Attention Required! | Cloudflare</title><style>p {}</style></head>
<body><h1>Sorry, you have been blocked</h1></body></html>"""
NGINX = "<html>\r\n<head><title>{}</title></head>\r\n<body>\r\n<center>nginx</center></body></html>"


def html(status: int, body: str, **headers: str) -> faults.Status:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return faults.Status(status, body, {"Content-Type": "text/html", **names})


@pytest.mark.parametrize(
    ("fault", "cls", "words"),
    [
        (html(403, CLOUDFLARE), PermissionDeniedError,
         r"403 for .*: Attention Required! \| Cloudflare\. .*a proxy or a firewall in front of it"),
        (html(403, NGINX.format("403 Forbidden")), PermissionDeniedError,
         r": 403 Forbidden\. .*a proxy or a firewall"),
        (html(403, "Access denied by rule 7\nmore"), PermissionDeniedError,
         r": Access denied by rule 7\. .*a proxy or a firewall"),
        (html(403, ""), PermissionDeniedError, r": no text\. .*a proxy or a firewall"),
        (html(401, "<p>Log in", ), AuthenticationError, r": Log in\. .*a proxy or a firewall"),
        (html(401, NGINX.format("401 Authorization Required"), WWW_Authenticate='Basic realm="x"'),
         AuthenticationError, r"401 Authorization Required\. .*credentials of its own \(Basic\)"),
        (faults.Status(401, {"error": "x"}, {"WWW-Authenticate": "Bearer"}), AuthenticationError,
         r"credentials of its own \(Bearer\)"),
        (html(404, NGINX.format("404 Not Found")), NotFoundError,
         r": 404 Not Found\. This is not a response of Rybbit's API"),
        (html(405, NGINX.format("405 Not Allowed")), APIStatusError, r"a proxy or a firewall"),
        (html(407, ""), APIStatusError, r"pass them as proxy='http://user:password@"),
        (html(429, "error code: 1015"), RateLimitError, r"1015\. This limit is not Rybbit's"),
        (html(502, NGINX.format("502 Bad Gateway")), ServerError, r": 502 Bad Gateway$"),
    ],
)  # fmt: skip
async def test_a_refusal_of_a_proxy(
    serve: Serve, connect: Connect, fault: Any, cls: type[APIStatusError], words: str
) -> None:
    server = await serve()
    more: dict[str, Any]
    for more in ({}, {"auth": login(server)}):
        client = connect(server, routes="sites", retry=ONCE, **more)
        await client.goals.list(1)  # otherwise the hint of a wrong key may say that it worked
        server.inject(fault, times=2)  # a sign-in is repeated once
        with pytest.raises(cls, match=words) as caught:
            await client.goals.list(1)
        server.clear_faults()
        assert type(caught.value) is cls
        for word in ("the key is wrong", "The key worked", "used up", "ten requests a day"):
            assert word not in str(caught.value)


async def test_a_refusal_of_a_write(serve: Serve, connect: Connect) -> None:
    server = await serve()
    server.inject(html(403, CLOUDFLARE))
    with pytest.raises(PermissionDeniedError, match="a proxy or a firewall") as caught:
        await connect(server).request("POST", "/api/sites/1/goals", json={})
    assert "goals:write" not in str(caught.value)


async def test_rybbits_own_refusals(serve: Serve, connect: Connect) -> None:
    server = await serve()
    with pytest.raises(PermissionDeniedError, match=r"Possible causes: .*the key is wrong") as own:
        await connect(server, "rb_wrong", routes="sites").goals.list(1)
    assert "proxy" not in str(own.value)


@pytest.mark.echoes_key
async def test_the_key_in_a_page_of_html(serve: Serve, connect: Connect) -> None:
    server = await serve()
    encoded = "".join(f"&#{ord(one)};" for one in server.api_key)
    for page in (f"<title>{server.api_key}</title>", f"<p>{'x' * 100}{encoded}"):
        server.inject(html(403, page))
        with pytest.raises(RybbitError) as caught:
            await connect(server, routes="sites").goals.list(1)
        assert server.api_key[:16] not in str(caught.value)
        assert server.api_key[:16] not in caught.value.message  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (304, r"304, which says that nothing has changed, .*a proxy or a cache in front"),
        (302, r"302, a redirect without a Location, .*a proxy or a cache in front"),
        (300, r"300, a redirect without a Location"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_to_nowhere(
    serve: Serve, connect: Connect, status: int, words: str, method: str
) -> None:
    server = await serve()
    server.inject(faults.Status(status, b""))
    with pytest.raises(APIStatusError, match=words) as caught:
        await connect(server).request(method, "/api/version")
    assert (caught.value.status, caught.value.message) == (status, "redirect to nowhere")
    assert "credentials" not in str(caught.value)
    assert len(server.requests) == 1


async def test_too_many_redirects(serve: Serve, connect: Connect) -> None:
    server = await serve()
    server.inject(faults.Redirect("/api/version"), times=None)
    with pytest.raises(APIStatusError, match="one of more than 3 in a row"):
        await connect(server).request("GET", "/api/version")
    assert len(server.requests) == 4
