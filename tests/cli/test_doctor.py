from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from rybbit_async.cli.doctor.certificate import expires
from rybbit_async.cli.doctor.machine import proxies
from rybbit_async.cli.settings import Settings
from rybbit_async.testing import RybbitServer, faults

from ..certificate import CERTIFICATE

Cli = Callable[..., Any]
SECRET = "hunter2-in-a-url"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def changed(server: RybbitServer) -> Iterator[RybbitServer]:
    """The shared server, which has its settings again after the test."""
    clock = server.clock
    yield server
    server.release, server.rate_limit, server.clock = "2.8", None, clock
    server.clear_faults()


def checks(result: Any) -> dict[str, Any]:
    """The checks by name."""
    told = json.loads(result.out)
    assert told["exit"] == result.code
    return {check["name"]: check for check in told["checks"]}


def test_all_is_well(cli: Cli, server: RybbitServer) -> None:
    result = cli("doctor", width=60)
    assert result.code == 0
    assert result.err == ""
    assert "release                   2.8.0\n" in result.out
    assert "key                       set (RYBBIT_API_KEY)\n" in result.out
    assert "sites                     the key can read 1, of 1" in result.out
    assert "FAILED" not in result.out
    assert server.api_key not in result.out
    assert all(len(line) <= 60 and line == line.rstrip() for line in result.out.splitlines())


def test_as_json(cli: Cli, server: RybbitServer) -> None:
    result = cli("doctor", 1, "--json")
    found = checks(result)
    assert {check["state"] for check in found.values()} <= {"ok", "skipped"}
    assert found["site"]["text"].startswith("1 can be read: ")
    assert found["exact times"]["text"] == "yes"
    assert found["rate limit"]["text"].startswith("the server tells none")
    assert server.url in found["server"]["text"]
    assert server.api_key not in result.out


def test_a_wrong_key_stops_no_other_check(cli: Cli) -> None:
    result = cli("doctor", "--json", key="rb_wrong")
    found = checks(result)
    assert result.code == 3
    assert found["sites"]["state"] == "failed"
    assert found["clock"]["state"] == found["latency"]["state"] == "ok"
    assert found["site"]["text"] == "name one to learn more: rybbit-async doctor SITE"
    assert "rb_wrong" not in result.out


def test_a_site_that_cannot_be_read(cli: Cli) -> None:
    result = cli("doctor", 999, "--json")
    assert result.code == 3
    assert checks(result)["site"]["state"] == checks(result)["capabilities"]["state"] == "failed"


def test_no_key(cli: Cli) -> None:
    result = cli("doctor", "--json", key="")
    assert result.code == 0
    assert checks(result)["key"]["state"] == "warning"
    assert checks(result)["sites"]["text"] == "not listed without a key"


def test_no_server(cli: Cli) -> None:
    result = cli("doctor", url="http://127.0.0.1:9")
    assert result.code == 6
    assert "FAILED: GET http://127.0.0.1:9/api/version: no" in result.out
    assert "check the address" in result.out
    assert result.out.count("not asked, since the server does not answer") == 6


@pytest.mark.parametrize("url", [f"https://me:{SECRET}@analytics.example.com", "no address"])
def test_settings_that_are_wrong(cli: Cli, url: str) -> None:
    result = cli("doctor", url=url)
    assert result.code == 2
    assert "settings                  FAILED: RYBBIT_BASE_URL must be" in result.out or (
        "settings                  FAILED: base_url must be" in result.out
    )
    assert "Python" in result.out
    assert SECRET not in result.out + result.err


def test_a_proxy_is_shown_without_its_password(cli: Cli) -> None:
    proxy = f"http://me:{SECRET}@127.0.0.1:9"
    result = cli("doctor", env={"http_proxy": proxy, "HTTPS_PROXY": proxy})
    assert result.code == 6
    out = " ".join(result.out.split())
    hidden = "http://127.0.0.1:9, user and password hidden"
    assert f"{hidden} (http_proxy) is used" in out
    assert f"{hidden} (HTTPS_PROXY) is not used for this server" in out
    assert SECRET not in result.out + result.err
    result = cli("doctor", env={"HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1"})
    assert result.code == 0
    assert "NO_PROXY excepts 127.0.0.1" in result.out
    result = cli("doctor", "--proxy", proxy)
    assert result.code == 2
    assert "--proxy must not have a password" in " ".join(result.out.split())
    assert SECRET not in result.out + result.err
    result = cli("doctor", "--proxy", "http://127.0.0.1:9")
    assert result.code == 6
    assert "(--proxy)\n" in result.out


@pytest.mark.parametrize(
    "proxy",
    [
        "http://u:12#3@127.0.0.1:9",
        "http://u:12?3@127.0.0.1:9",
        "http://u:12/3@127.0.0.1:9",
        "http://12#x@h",
        "12@x@h",
        "http://h:9/12",
        "http://h:9?12",
    ],
)
def test_a_proxy_that_is_not_written_as_it_must_be_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    settings = Settings(None, None, None, "UTC", {}, {})
    (check,) = proxies(settings, "https://a.example")
    assert check.text == "set (HTTP_PROXY) is not used for this server"
    (check, _) = proxies(evolve(settings, options={"proxy": proxy}), "https://a.example")
    assert check.text == "set (set) is used"


def test_json_that_is_nested_deeply(cli: Cli, changed: RybbitServer) -> None:
    changed.inject(faults.Status(200, "[" * 100_000), times=None)
    result = cli("doctor", "--json")
    assert result.code == 4
    assert "fault" not in result.out + result.err


def test_an_old_server(cli: Cli, changed: RybbitServer) -> None:
    changed.release = "2.2"
    found = checks(cli("doctor", 1, "--json"))
    assert found["release"]["text"] == "not told, as by servers up to 2.3"
    assert found["sites"]["state"] == "skipped"
    assert found["site"]["state"] == "ok"
    assert found["layout of URLs"]["text"] == "goals"
    assert found["writing"]["text"] == "no, this server lets a key only read"


def test_limits_and_clocks(cli: Cli, changed: RybbitServer) -> None:
    changed.rate_limit = True
    changed.clock = lambda: datetime.now(UTC) + timedelta(hours=1)
    found = checks(cli("doctor", "--json"))
    assert found["rate limit"]["text"].startswith("burst: ")
    assert "daily: " in found["rate limit"]["text"]
    assert found["clock"]["state"] == "warning"
    assert found["clock"]["text"].startswith("this machine is 3,")
    assert found["clock"]["text"].endswith("s behind the server")


def test_another_web_site(cli: Cli, changed: RybbitServer) -> None:
    changed.inject(faults.Status(200, "<html>\x1b[31m"), times=None)
    result = cli("doctor", "--json")
    assert result.code == 4
    assert checks(result)["release"]["text"].endswith("is not Rybbit")


def test_a_server_that_fails(cli: Cli, changed: RybbitServer) -> None:
    changed.inject(faults.Status(503), times=None)
    result = cli("doctor", "--json")
    assert result.code == 6
    assert checks(result)["answers"]["cure"] == "look into the log of the server"


def test_a_password_in_place_of_a_key(cli: Cli, server: RybbitServer) -> None:
    env = {"RYBBIT_EMAIL": server.email, "RYBBIT_PASSWORD": server.password}
    result = cli("doctor", "--json", env=env)
    assert checks(result)["key"]["text"] == "none; signs in with a password (RYBBIT_EMAIL)"
    assert checks(result)["writing"]["text"].startswith("yes")
    assert server.password not in result.out


async def test_a_certificate(tmp_path: Path) -> None:
    import asyncio

    path = tmp_path / "server.pem"
    path.write_text(CERTIFICATE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", ssl=context)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        trusting = Settings(None, None, None, "UTC", {"ssl": str(path)}, {})
        assert (await expires(url, trusting)).text.startswith("until 2126-10-31, ")
        distrusting = Settings(None, None, None, "UTC", {}, {})
        assert (await expires(url, distrusting)).text == "cannot be read"
        behind = Settings(None, None, None, "UTC", {"proxy": "http://127.0.0.1:9"}, {})
        assert (await expires(url, behind)).text == "not looked at behind a proxy"
