"""A key is in the ``Authorization`` header and nowhere else."""

from __future__ import annotations

import asyncio
import copy
import gc
import html
import io
import json
import logging
import os
import pickle
import re
import shutil
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import aiohttp
import pytest

import rybbit_async
from rybbit_async import (
    APIResponseError,
    EndpointNotFoundError,
    Filter,
    InvalidParameterError,
    PasswordLogin,
    PathGoal,
    RawResponse,
    RybbitClient,
    RybbitError,
)
from rybbit_async.testing import KeyLimit, RybbitServer, faults
from rybbit_async.transport.auth import ApiKey, Secret, find_session
from rybbit_async.transport.redaction import without_secrets

from ..conftest import KEY
from .conftest import Connect, Serve
from .helpers import ONCE, World, login, settled

BAD = "rb_" + "0123456789abcdef" * 2  # it has the shape of a key, but no server knows it
CONFTEST = Path(__file__).parent.parent / "conftest.py"


def with_locals(error: BaseException) -> str:
    """A traceback with the local variables of each frame, as error reporters write it."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def below(text: str) -> str:
    """Such a traceback without the frames of this file, which contain the key."""
    return "\n".join(part for part in text.split('  File "') if not part.startswith(__file__))


def everything(error: BaseException) -> str:
    """Everything about an error that could be logged."""
    clone = pickle.loads(pickle.dumps(error))
    texts = [str(error), repr(error), repr(vars(error)), repr(error.args), str(copy.copy(error))]
    texts += [str(clone), repr(vars(clone)), pickle.dumps(error, 0).decode("latin1")]
    texts.append(below(with_locals(error)))
    return "\n".join(texts)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged, at every level."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(message)s %(args)s"))
    names = ("", "rybbit_async", "aiohttp", "aiohttp.client", "aiohttp.internal", "asyncio")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(handler)
    yield text
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


# --- reprs --------------------------------------------------------------------------------------


async def test_reprs(serve: Serve, connect: Connect) -> None:
    server = await serve()
    client = connect(server)
    await client.goals.list(1)
    transport = client._transport
    for thing in (client, client.goals, transport, transport._auth, transport._auth.headers(),
                  transport._auth.secrets, transport.http, transport.http._options,
                  client.with_options(timeout=3), client.stats, client.rate_limit,
                  client.goals.iter(1)):  # fmt: skip
        assert server.api_key not in repr(thing)
        assert server.api_key not in f"{vars(thing) if hasattr(thing, '__dict__') else thing!r}"


def test_the_repr_of_a_secret_does_not_show_it() -> None:
    secret = Secret("rb_abc")
    assert secret == "rb_abc"
    assert repr(secret) == repr([secret])[1:-1] == "'***'"
    assert "rb_abc" not in f"{ {'Authorization': secret} } {secret!r}"
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(RybbitClient("rb_abc"))


def test_a_login_does_not_show_its_password() -> None:
    one = PasswordLogin("me@example.com", "hunter2")
    assert "hunter2" not in f"{one} {one!r} {vars(one) if hasattr(one, '__dict__') else ''}"
    assert one == PasswordLogin("me@example.com", "hunter2")


# --- errors -------------------------------------------------------------------------------------

FAULTS = [
    faults.Reset(),
    faults.Drop(),
    faults.ResetInBody(),
    faults.DropInBody(),
    faults.Stall(),
    faults.Status(401),
    faults.Status(403),
    faults.Status(404),
    faults.Status(429),
    faults.Status(500),
    faults.Html(502),
    faults.TruncatedJSON(),
    faults.ErrorBody(),
    faults.DeepNesting(),
    faults.GzipBomb(1 << 20),
    faults.Redirect("https://other.example/"),
    faults.CloseIdle(late=True),
]


@pytest.mark.parametrize("way", ["key", "login"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: repr(fault).split(", body")[0])
async def test_errors_and_their_tracebacks(
    serve: Serve, connect: Connect, fault: faults.Fault, way: str
) -> None:
    """Including the local variables of every frame, ours and aiohttp's."""
    server = await serve()
    more: dict[str, Any] = {} if way == "key" else {"auth": login(server)}
    client = connect(
        server, routes="sites", timeout=0.05, retry=ONCE, max_response_bytes=100_000, **more
    )
    if way == "login":
        await client.with_options(timeout=5).goals.list(1)
    server.inject(fault, times=2)
    found = await settled(
        client.goals.list(1), client.goals.sessions.iter(1, 101).collect(), client.goals.list(1)
    )
    errors = [error for error in found if isinstance(error, BaseException)]
    assert errors
    for error in errors:
        assert isinstance(error, RybbitError)
        text = everything(error)
        assert "rybbit_async" in text
        for secret in (server.api_key, server.password):
            assert secret not in text
        for hidden in client._transport._auth.secrets:
            assert hidden not in text


@pytest.mark.parametrize(
    "fault",
    [faults.Reset(), faults.Stall(), faults.Status(401), faults.Status(200, b"x"), faults.Drop()],
    ids=repr,
)
async def test_the_password_in_errors_of_a_sign_in(
    serve: Serve, connect: Connect, fault: faults.Fault
) -> None:
    server = await serve()
    server.inject(fault, times=None)
    client = connect(server, auth=login(server), timeout=0.05, retry=ONCE)
    with pytest.raises(RybbitError) as caught:
        await client.goals.list(1)
    text = everything(caught.value)
    assert "sign_in.py" in text
    assert server.password not in text


async def test_a_connection_that_closes_while_the_headers_are_written(
    serve: Serve, connect: Connect
) -> None:
    """The frame of aiohttp that fails contains the headers as bytes."""
    server = await serve()

    async def cut(_: Any, context: Any, params: Any) -> None:
        for connections in session.connector._conns.values():  # type: ignore[union-attr]
            assert not connections
        for connection in session.connector._acquired:  # type: ignore[union-attr]
            connection.transport.abort()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(cut)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        client = connect(server, session=session, routes="sites", retry=ONCE)
        with pytest.raises(RybbitError) as caught:
            await client.goals.list(1)
        await client.close()
    assert "the connection was lost before a response arrived" in str(caught.value)
    assert server.api_key not in everything(caught.value)


def failing_to_make(**options: Any) -> str:
    with pytest.raises(InvalidParameterError) as caught:
        RybbitClient(BAD, **options)
    return everything(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "http://analytics.example.com"},
        {"base_url": "nowhere"},
        {"auth": PasswordLogin("me@example.com", "x")},
        {"timeout": -1},
        {"headers": {"X": "\n"}},
        {"session": 5},
    ],
)
def test_a_failed_constructor_does_not_show_the_key(options: dict[str, Any]) -> None:
    text = failing_to_make(**options)
    assert "api_key" in text  # the frame of the constructor is there
    assert BAD not in text


# --- what a server sends back -------------------------------------------------------------------


def goals_with(goal_id: str) -> faults.Status:
    goal = {"goalId": goal_id, "siteId": 1, "name": "x", "goalType": "path", "config": {}}
    return faults.Status(200, {"data": [goal], "meta": {"total": 1, "page": 1, "pageSize": 10}})


@pytest.mark.echoes_key
@pytest.mark.parametrize("padding", range(0, 60, 6))
async def test_text_is_redacted_before_it_is_shortened(
    serve: Serve, connect: Connect, padding: int
) -> None:
    server = await serve()
    client = connect(server, routes="sites", retry=ONCE)
    half = server.api_key[:16]
    text = "." * padding + server.api_key + "y" * 40
    for fault in (
        goals_with(text),
        faults.Status(200, {"error": text}),
        faults.Status(200, {"data": [], "meta": {"total": text, "page": 1, "pageSize": 1}}),
        faults.Status(200, b"x", {"Content-Type": "." * 45 + text}),
        faults.Status(404, "." * (440 + padding) + server.api_key),
        faults.Redirect("https://other.example/" + "." * (440 + padding) + server.api_key),
    ):
        server.inject(fault)
        with pytest.raises(RybbitError) as caught:
            await client.goals.list(1)
        assert half not in everything(caught.value)


async def test_a_long_secret_that_fills_a_body(serve: Serve, connect: Connect) -> None:
    """Redacting shortens the text, so the part that is shown comes from far behind."""
    server = await serve()
    key = "long_key_" + "0123456789abcdef" * 12
    client = connect(server, key, retry=ONCE)
    server.inject(faults.Status(404, key * 1000))
    with pytest.raises(RybbitError) as caught:
        await client.request("GET", "/api/version")
    assert "long_key" not in everything(caught.value)


@pytest.mark.echoes_key
async def test_the_names_in_a_path_are_redacted(serve: Serve, connect: Connect) -> None:
    server = await serve()
    server.inject(faults.Status(200, {"." * 490 + server.api_key: "x"}))
    with pytest.raises(APIResponseError) as caught:
        await connect(server).request("GET", "/api/x", cast_to=dict[str, int])
    assert server.api_key[:16] not in everything(caught.value)
    assert len(str(caught.value)) < 1200


@pytest.mark.echoes_key
@pytest.mark.parametrize(
    "fault",
    [
        faults.Status(404, {"error": "Goal not found"}),
        faults.Status(200, b"not JSON"),
        faults.Status(200, b"x" * 200_000),
        faults.Reset(),
        faults.Stall(),
        faults.Status(429),
        faults.Redirect("https://other.example/"),
    ],
    ids=lambda fault: repr(fault)[:40],
)
async def test_a_redirect_to_a_url_with_the_key(
    serve: Serve, connect: Connect, logged: io.StringIO, fault: faults.Fault
) -> None:
    server = await serve()
    client = connect(server, retry=ONCE, timeout=0.2, max_response_bytes=100_000)
    server.inject(faults.Redirect(f"/api/x?k={server.api_key}"))
    server.inject(fault)
    with pytest.raises(RybbitError) as caught:
        await client.request("GET", "/api/version")
    assert server.requests[-1].query == {"k": server.api_key}
    assert server.api_key not in everything(caught.value)
    assert getattr(caught.value, "url", "").endswith("/api/x?k=***")
    assert server.api_key not in logged.getvalue().replace("GET /api/x?k=", "")


async def test_a_url_in_which_the_caller_put_the_key(
    serve: Serve, connect: Connect, logged: io.StringIO
) -> None:
    server = await serve()
    client = connect(server, retry=ONCE)
    with pytest.raises(RybbitError) as caught:
        await client.request("GET", "/api/{x}", path_params={"x": server.api_key})
    assert caught.value.url.endswith("/api/***")  # type: ignore[attr-defined]
    with pytest.raises(EndpointNotFoundError) as missing:
        await client.request("GET", f"/api/{server.api_key}")
    assert missing.value.route == "/api/***"
    assert server.api_key not in f"{caught.value} {missing.value} {logged.getvalue()}"


@pytest.mark.echoes_key
async def test_the_words_of_aiohttp_about_a_response(connect: Connect, serve: Serve) -> None:
    """A line that is not HTTP is repeated in the message of aiohttp's own exception."""
    key = BAD

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nX-Echo {key}: \0\r\n\r\n".encode())
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with RybbitClient(key, base_url=url, retry=ONCE) as client:
            with pytest.raises(RybbitError) as caught:
                await client.request("GET", "/api/x")
    assert key not in everything(caught.value)


@pytest.mark.parametrize("password", ['it\'s "x" & é%2B', "!(p)*~ w/+", "p\\q<r>"])
def test_every_form_of_a_secret_is_removed(password: str) -> None:
    for form in (
        password,
        repr(password)[1:-1],
        json.dumps(password)[1:-1],
        json.dumps(password, ensure_ascii=False)[1:-1],
        quote(password),
        quote(password, safe=""),
        quote(password, safe="!'()*"),
        re.sub("%..", lambda found: found[0].lower(), quote(password, safe="")),
        quote_plus(password),
        html.escape(password),
    ):
        assert without_secrets(f"<{form}>", [password]) == "<***>"


def test_a_cookie_that_a_server_decodes_is_removed() -> None:
    session = find_session(["better-auth.session_token=abc.d%2Fe%3D; Path=/"], 0)
    assert session is not None
    for form in ("abc.d%2Fe%3D", "abc.d%2fe%3d", "abc.d/e="):
        assert without_secrets(f"<{form}>", session.secrets) == "<***>"


async def test_the_headers_of_a_raw_response_are_not_shown(serve: Serve, connect: Connect) -> None:
    server = await serve()
    cookie = "better-auth.session_token=hidden"
    server.inject(faults.Status(200, {}, {"Set-Cookie": cookie, "X-Echo": server.api_key}))
    raw = await connect(server).request("GET", "/api/version", cast_to=RawResponse)
    assert raw.headers["x-echo"] == server.api_key
    assert "hidden" not in repr(raw)
    assert server.api_key not in repr(raw)
    assert "Set-Cookie, X-Echo" in repr(raw)


# --- pickles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    lambda: RybbitClient("rb_key"),
    lambda: RybbitClient(auth=PasswordLogin("me@example.com", "rb_key")),
    lambda: RybbitClient(headers={"X-Token": "rb_key"}),
    lambda: RybbitClient(proxy="http://me:rb_key@proxy.example"),
    RybbitClient,
])  # fmt: skip
async def test_nothing_that_holds_a_secret_pickles(make: Callable[[], RybbitClient]) -> None:
    client = make()
    held = [client, client.goals, client.users, client.sessions, client.goals.sessions,
            client._context, client._context.router, client._context.capabilities,
            client._transport, client._transport.http, client.with_options().goals]  # fmt: skip
    for thing in held:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="pickle"):
                pickle.dumps(thing, protocol)
        with pytest.raises(TypeError, match="pickle"):
            copy.deepcopy(thing)
    with pytest.raises(TypeError, match=r"^Goals belongs to a RybbitClient, .* does not pickle:"):
        pickle.dumps(client.goals)


def test_credentials_do_not_pickle_but_can_be_copied() -> None:
    for held in (PasswordLogin("me@example.com", "rb_key"), ApiKey("rb_key"), Secret("rb_key"),
                 find_session(["better-auth.session_token=rb_key"], 0)):  # fmt: skip
        with pytest.raises(TypeError, match="passwords and cookies do not pickle"):
            pickle.dumps(held)
        assert "rb_key" not in repr(copy.deepcopy(held))
        assert "rb_key" not in repr(copy.copy(held))
    login = PasswordLogin("me@example.com", "rb_key")
    assert copy.deepcopy(login) == login


# --- invalid values -----------------------------------------------------------------------------

STRAY = ["\r", "\n", "\0", "\r\nX-Evil: 1", " ", "\t", "\x7f", "é"]


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("place", ["{key}{stray}", "{stray}{key}", "rb_{stray}{key}"])
def test_keys_that_would_break_a_header(place: str, stray: str) -> None:
    key = place.format(key=BAD, stray=stray)
    with pytest.raises(InvalidParameterError, match="api_key") as caught:
        RybbitClient(key)
    assert BAD not in everything(caught.value)


@pytest.mark.parametrize("stray", [*STRAY[:-1], "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}"])
@pytest.mark.parametrize("place", ["https://a.example{}", "{}https://a.example", "https://a{}b.ex"])
def test_base_urls_that_would_break_a_request(place: str, stray: str) -> None:
    with pytest.raises(InvalidParameterError, match="base_url"):
        RybbitClient(BAD, base_url=place.format(stray))


@pytest.mark.parametrize("stray", ["\r", "\n", "\0", "a\r\nX-Evil: 1"])
def test_headers_that_would_break_a_request(stray: str) -> None:
    with pytest.raises(InvalidParameterError, match="headers"):
        RybbitClient(BAD, headers={"X-Mine": stray})
    with pytest.raises(InvalidParameterError, match="headers"):
        RybbitClient(BAD, headers={f"X{stray}": "mine"})


def test_a_key_in_the_environment_with_stray_white_space(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (f"{BAD}\n", f" {BAD}", f"\t{BAD}\r\n"):
        monkeypatch.setenv("RYBBIT_API_KEY", text)
        auth = RybbitClient()._transport._auth
        assert isinstance(auth, ApiKey)
        assert auth.headers() == {"Authorization": f"Bearer {BAD}"}
    monkeypatch.setenv("RYBBIT_API_KEY", f"{BAD} {BAD}")
    with pytest.raises(InvalidParameterError) as caught:
        RybbitClient()
    assert BAD not in everything(caught.value)


# --- logs, tracing, warnings --------------------------------------------------------------------


async def work(server: RybbitServer, client: RybbitClient, world: World) -> None:
    """Calls of every kind, with successes and failures."""
    goal = world.goal("Pricing seen")
    await client.goals.iter(1, page_size=5).collect()
    await client.goals.sessions.iter_all(1, page_size=500, limit=900).collect()
    for fault in (faults.Reset(), faults.Status(429), faults.Status(503), faults.DropInBody()):
        server.inject(fault)
        await client.goals.list(1)
    for fault in (faults.TruncatedJSON(), faults.Status(400), faults.Redirect("https://x.example")):
        server.inject(fault)
        await settled(client.goals.list(1))
    await settled(
        client.goals.list(world.foreign.site_id),
        client.goals.sessions.list(1, goal, filters=[Filter.equals("country", "GR")]),
        client.request("POST", "/api/sites/1/goals", json={}),
        client.goals.update(world.second.site_id, goal, name="x"),
        client.goals.create(world.foreign.site_id, PathGoal("/")),
    )


async def test_logs_at_debug(
    serve: Serve, connect: Connect, world: World, logged: io.StringIO
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0  # so that asyncio logs every callback
    server = await serve()
    client = connect(server)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        await work(server, client, world)
        asyncio.create_task(client.goals.list(1)).cancel()
        await client.close()
        RybbitClient(server.api_key, base_url=server.url)
        gc.collect()
    text = logged.getvalue()
    assert text.count("GET http://127.0.0.1") > 20
    assert "Executing <" in text
    assert server.api_key not in text
    assert any("filters" in str(one.message) for one in warned)
    assert all(server.api_key not in f"{one} {one.message!r}" for one in warned)


async def test_logs_of_a_login(
    serve: Serve, connect: Connect, world: World, logged: io.StringIO
) -> None:
    server = await serve("2.4")
    client = connect(server, auth=login(server))
    await work(server, client, world)
    password, cookie, *_ = client._transport._auth.secrets
    assert password == server.password
    text = logged.getvalue()
    assert "sign-in" in text
    assert server.password not in text
    assert cookie not in text


HOOKS = [name for name in dir(aiohttp.TraceConfig) if name.startswith("on_")]


async def test_trace_hooks(serve: Serve, connect: Connect, world: World) -> None:
    server = await serve()
    seen: dict[str, list[Any]] = {name: [] for name in HOOKS}

    def watch(name: str) -> Callable[..., Any]:
        async def hook(session: object, context: object, params: Any) -> None:
            seen[name].append(params)

        return hook

    trace = aiohttp.TraceConfig()
    for name in HOOKS:
        getattr(trace, name).append(watch(name))
    client = connect(server, trace_configs=[trace])
    await work(server, client, world)
    assert len(seen["on_request_start"]) > 20
    assert seen["on_request_exception"]
    for name, params in seen.items():
        for one in params:
            assert server.api_key not in repr(one), name
            headers = getattr(one, "headers", {})
            assert server.api_key not in repr(headers), name
            assert server.api_key not in f"{dict(headers)}", name
            if name in ("on_request_start", "on_request_end", "on_request_exception"):
                assert "Authorization" not in headers, name
    assert all("Authorization" in one.headers for one in seen["on_request_headers_sent"])


# --- the test suite itself ----------------------------------------------------------------------


SHOWN = """
import logging
from rybbit_async import RybbitError
key = "rb_" + "01" * 16
def test_print(): print(key)
def test_log(): logging.getLogger("aiohttp").debug("%s", key)
def test_fail(): assert not key
def test_error(): RybbitError(f"no {key}")
def test_attribute(): RybbitError("no").body = key
def test_fine(): print("rb_key", "rb_org_"), RybbitError("rb_***")
"""


def test_a_test_that_shows_a_key_fails(tmp_path: Path) -> None:
    """The hook in ``tests/conftest.py``, which checks every test of the suite."""
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text(SHOWN)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(Path(rybbit_async.__file__).parent.parent),
        },
    )
    failed = re.findall(r"FAILED test_it.py::(\w+)", run.stdout)
    assert failed == ["test_print", "test_log", "test_fail", "test_error", "test_attribute"]
    assert re.findall(r"PASSED test_it.py::(\w+)", run.stdout) == ["test_fine"]
    assert KEY.search(run.stdout + run.stderr) is None


async def test_every_key_has_the_shape_that_is_looked_for(serve: Serve) -> None:
    server = await serve(rate_limit=KeyLimit())
    for key in (server.api_key, server.read_only_key, server.add_key(organisation_key=True)):
        assert KEY.fullmatch(key)


@pytest.mark.parametrize("key", ["rb_" + "f" * 32, "f" * 64])
def test_a_key_that_was_passed_as_the_address(key: str) -> None:
    with pytest.raises(InvalidParameterError, match="base_url must be an address") as caught:
        RybbitClient(base_url=key)
    assert key not in str(caught.value)
