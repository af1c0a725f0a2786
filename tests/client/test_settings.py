"""What a client is created with: environment, addresses, keys, options."""

from __future__ import annotations

from typing import Any

import pytest

from rybbit_async import (
    APITimeoutError,
    InvalidParameterError,
    RybbitClient,
    Timeout,
)
from rybbit_async.testing import faults

from .conftest import Connect, Serve
from .helpers import (
    ONCE,
)


async def test_environment(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await serve("2.8")
    monkeypatch.setenv("RYBBIT_API_KEY", f" {server.api_key}\n")
    monkeypatch.setenv("RYBBIT_BASE_URL", server.url + "/")
    async with RybbitClient() as client:
        assert len(await client.goals.list(1)) == 10
    other = server.add_key()
    async with RybbitClient(other) as client:
        await client.goals.list(1)
    assert server.requests[-1].headers["Authorization"] == f"Bearer {other}"
    monkeypatch.setenv("RYBBIT_BASE_URL", "http://127.0.0.1:1")
    async with RybbitClient(base_url=server.url) as client:
        assert len(await client.goals.list(1)) == 10


def test_without_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert repr(RybbitClient()) == "<RybbitClient https://api.rybbit.io>"
    monkeypatch.setenv("RYBBIT_BASE_URL", " ")
    assert repr(RybbitClient()) == "<RybbitClient https://api.rybbit.io>"
    monkeypatch.setenv("RYBBIT_BASE_URL", "analytics.example.com")
    with pytest.raises(InvalidParameterError, match="RYBBIT_BASE_URL"):
        RybbitClient()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "analytics.example.com",
        "/api",
        "ftp://analytics.example.com",
        "https://",
        "https:///api",
        "https://user:password@analytics.example.com",
        "https://rb_key@analytics.example.com",
        "https://analytics.example.com?site=1",
        "https://analytics.example.com#top",
        "https://analytics.example.com:port",
        "https://analytics.example.com:99999",
        "https://analytics example.com",
        "https://analytics.example.com\r\n",
        " https://analytics.example.com",
        "https://münchen\N{ZERO WIDTH SPACE}.example",
        "https://mün chen.example",
        "https://exa\N{FULLWIDTH SOLIDUS}mple.com",
        5,
        b"https://analytics.example.com",
    ],
)
def test_bad_base_urls(url: Any) -> None:
    with pytest.raises(InvalidParameterError, match="base_url") as caught:
        RybbitClient("rb_key", base_url=url)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "url",
    [
        "http://analytics.example.com",
        "http://10.0.0.1:3001",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://[2001:db8::1]",
    ],
)
def test_plain_http_to_another_machine(url: str) -> None:
    with pytest.raises(InvalidParameterError, match="allow_http=True"):
        RybbitClient("rb_key", base_url=url)
    assert url in repr(RybbitClient("rb_key", base_url=url, allow_http=True))


@pytest.mark.parametrize(
    "url",
    ["http://localhost:3001", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:3001",
     "http://rybbit.localhost", "https://analytics.example.com/base", "HTTPS://EXAMPLE.COM"],
)  # fmt: skip
def test_good_base_urls(url: str) -> None:
    assert url.lower() in repr(RybbitClient("rb_key", base_url=url)).lower()


@pytest.mark.parametrize(
    "key",
    ["", " ", "Bearer rb_key", "rb_key\n", "rb_key\r\nX: y", "rb_ключ", "rb\0key", 5, b"rb_key"],
)
def test_bad_keys(key: Any) -> None:
    with pytest.raises(InvalidParameterError, match="api_key") as caught:
        RybbitClient(key)
    assert "rb_key" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("'rb_key'", "must not be in quotes"),
        ('"rb_key"', "must not be in quotes"),
        ("\u201crb_key\u201d", "must not be in quotes"),
        ('rb_key"', "must not be in quotes"),
        ("Bearer rb_key", "must be the key by itself, without 'Bearer'"),
        ("RYBBIT_API_KEY=rb_key", "must be the value by itself, without 'RYBBIT_API_KEY='"),
        ("export RYBBIT_API_KEY=rb_key", "must be the value by itself, without 'RYBBIT_API_KEY='"),
    ],
)
def test_keys_with_what_is_around_them(
    monkeypatch: pytest.MonkeyPatch, key: str, text: str
) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        RybbitClient(key)
    assert str(caught.value) == f"api_key {text}"
    monkeypatch.setenv("RYBBIT_API_KEY", f"{key}\n")
    with pytest.raises(InvalidParameterError) as caught:
        RybbitClient()
    assert str(caught.value) == f"RYBBIT_API_KEY {text}"


def test_a_key_with_a_line_break() -> None:
    with pytest.raises(InvalidParameterError, match=r"line break: use \.strip\(\)$"):
        RybbitClient("rb_key\n")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ('"https://a.example"', "must not be in quotes"),
        ("'https://a.example", "must not be in quotes"),
        (
            "RYBBIT_BASE_URL=https://a.example",
            "must be the value by itself, without 'RYBBIT_BASE_URL='",
        ),
    ],
)
def test_addresses_with_what_is_around_them(
    monkeypatch: pytest.MonkeyPatch, url: str, text: str
) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        RybbitClient(base_url=url)
    assert str(caught.value) == f"base_url {text}"
    monkeypatch.setenv("RYBBIT_BASE_URL", url)
    with pytest.raises(InvalidParameterError) as caught:
        RybbitClient()
    assert str(caught.value) == f"RYBBIT_BASE_URL {text}"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("https://MÜNCHEN.Example:8443/Süd", "https://xn--mnchen-3ya.example:8443/S%C3%BCd"),
        ("https://аналитика.example", "https://xn--80aaa5aameo2c.example"),
        ("HTTPS://Analytics.Example.COM/Base", "https://analytics.example.com/Base"),
    ],
)
def test_hosts_are_encoded(url: str, sent: str) -> None:
    assert repr(RybbitClient(base_url=url)) == f"<RybbitClient {sent}>"


def test_an_address_that_cannot_be_encoded_does_not_show_a_password() -> None:
    with pytest.raises(InvalidParameterError, match="base_url must be an address") as caught:
        RybbitClient(base_url="https://me:hunter2@exa\N{FULLWIDTH SOLIDUS}mple.com")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"concurrency": True},
                                     {"max_connections": 0}, {"max_connections": "9"},
                                     {"max_response_bytes": 0}, {"max_depth": 0},
                                     {"retry": 5}, {"rate_limit": 500}])  # fmt: skip
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        RybbitClient("rb_key", **options)


async def test_with_options(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    client = connect(server, routes="sites", concurrency=8)
    view = client.with_options(concurrency=2)
    assert type(view) is RybbitClient
    await view.goals.iter(1, page_size=1).collect()
    assert server.peak_in_flight <= 2
    server.inject(faults.Stall())
    with pytest.raises(APITimeoutError):
        await client.with_options(timeout=Timeout(total=0.05), retry=ONCE).goals.list(1)
    for wrong in ({"concurrency": 0}, {"timeout": -1}, {"retry": 3}):
        with pytest.raises(InvalidParameterError):
            client.with_options(**wrong)
