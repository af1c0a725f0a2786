"""``RybbitClient(api_key=function)``: a key that is replaced while the client is used."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rybbit_async import (
    ClientClosedError,
    InvalidParameterError,
    PathGoal,
    PermissionDeniedError,
    RybbitClient,
    RybbitError,
)
from rybbit_async.testing import RecordedRequest, Store, faults

from .conftest import Connect, Serve
from .helpers import lines, settled, turns, until


class Keys:
    """Returns these keys, each once and the last one for ever, and counts how often it is asked."""

    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        return self.keys.pop(0) if len(self.keys) > 1 else self.keys[0]


class LaterKeys(Keys):
    """The same, asynchronously, once ``ready`` is set."""

    def __init__(self, *keys: Any) -> None:
        super().__init__(*keys)
        self.ready = asyncio.Event()
        self.ready.set()

    async def __call__(self) -> Any:
        key = super().__call__()
        await self.ready.wait()
        return key


def keys_of(requests: list[RecordedRequest]) -> Iterator[str]:
    return (request.headers["Authorization"].removeprefix("Bearer ") for request in requests)


@pytest.mark.parametrize("kind", [Keys, LaterKeys])
async def test_a_key_is_asked_for_once_and_again_when_it_is_refused(
    serve: Serve, connect: Connect, store: Store, kind: type[Keys]
) -> None:
    server = await serve("2.8", store)
    first, second = server.add_key(), server.add_key()
    keys = kind(first, second)
    client = connect(server, keys, routes="sites")
    assert keys.asked == 0
    await client.goals.list(1)
    await client.goals.list(1)
    assert keys.asked == 1
    server.disable_key(first)
    made = await client.goals.create(1, PathGoal("/a"))
    assert made.success
    assert len(store.goals(1)) == 1
    await client.goals.list(1)
    assert keys.asked == 2
    assert [*keys_of(server.requests)] == [first, first, first, second, second]
    assert lines(server)[2:4] == ["POST /api/sites/1/goals"] * 2


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_the_same_key_again_is_not_sent_again(
    serve: Serve, connect: Connect, release: str
) -> None:
    server = await serve(release)
    keys = Keys(server.api_key)
    client = connect(server, keys)
    await client.goals.list(1)
    before = len(server.requests)
    for time in (1, 2):
        with pytest.raises(RybbitError, match="another organisation"):
            await client.goals.list(999_999)
        assert len(server.requests) == before + time
        assert keys.asked == 1 + time


async def test_all_calls_share_one_question_at_a_time(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    first, second = server.add_key(), server.add_key()
    keys = LaterKeys(first, second)
    client = connect(server, keys)
    keys.ready.clear()
    calls = [asyncio.create_task(client.goals.list(1)) for _ in range(20)]
    await until(lambda: keys.asked)
    await turns()
    calls[0].cancel()  # the first to have asked
    keys.ready.set()
    assert sum(isinstance(page, BaseException) for page in await settled(*calls)) == 1
    assert keys.asked == 1
    server.disable_key(first)
    await asyncio.gather(*(client.goals.list(1) for _ in range(20)))
    assert keys.asked == 2


async def test_a_key_that_was_replaced_during_a_request(serve: Serve, connect: Connect) -> None:
    """A request that is refused late uses the key that another one has asked for."""
    server = await serve("2.8")
    first, second = server.add_key(), server.add_key()
    keys = Keys(first, second)
    client = connect(server, keys)
    await client.goals.list(1)
    server.disable_key(first)
    with server.hold(lambda request: request.query.get("page") == "2") as held:
        late = asyncio.create_task(client.goals.list(1, page=2))
        await held.reached(1)
        await client.goals.list(1)
    await late
    assert keys.asked == 2


async def test_a_second_refusal_is_raised(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    keys = Keys("rb_one", "rb_two", server.api_key)
    client = connect(server, keys, routes="sites")
    with pytest.raises(PermissionDeniedError):
        await client.goals.list(1)
    assert [*keys_of(server.requests)] == ["rb_one", "rb_two"]
    await client.goals.list(1)
    assert keys.asked == 3


async def test_no_other_failure_asks_again(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    keys = Keys(server.api_key)
    client = connect(server, keys)
    await client.goals.list(1)
    for fault in (faults.Status(404), faults.Status(500), faults.Status(429), faults.Reset()):
        server.inject(fault)
        await settled(client.goals.list(1))
    assert keys.asked == 1


async def test_an_exception_of_the_function(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")

    def broken() -> str:
        raise OSError("the vault is sealed")

    client = connect(server, broken)
    for error in await settled(client.goals.list(1), client.goals.list(1)):
        assert type(error) is OSError
        assert "passed to RybbitClient as api_key" in "".join(error.__notes__)
    assert not server.requests


BAD: list[tuple[Any, str]] = [
    (None, "must be a str, got None"),
    (5, "must be a str, got int"),
    ("", "must not be empty"),
    ("'rb_secret'", "must not be in quotes"),
    ("rb_secret\n", "use .strip()"),
]


@pytest.mark.parametrize(("key", "text"), BAD)
@pytest.mark.parametrize("kind", [Keys, LaterKeys])
async def test_what_cannot_be_a_key(
    serve: Serve, connect: Connect, kind: type[Keys], key: Any, text: str
) -> None:
    server = await serve("2.8")
    client = connect(server, kind(key, server.api_key))
    with pytest.raises(InvalidParameterError) as caught:
        await client.goals.list(1)
    assert str(caught.value).startswith("the result of api_key() ")
    assert text in str(caught.value)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in shown.stack if frame.filename != __file__]
    assert "_obtain" in {frame.name for frame in frames}
    assert all("rb_secret" not in f"{frame.locals}" for frame in frames)
    assert "rb_secret" not in str(caught.value)
    assert len(await client.goals.list(1)) == 10  # the next call asks again


async def test_the_client_is_closed_while_the_function_is_running(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.8")
    keys = LaterKeys(server.api_key)
    keys.ready.clear()
    client = connect(server, keys)
    calls = [asyncio.create_task(client.goals.list(1)) for _ in range(3)]
    await until(lambda: keys.asked)
    await client.close()
    assert {type(error) for error in await settled(*calls)} == {ClientClosedError}
    assert not server.requests


async def test_the_client_is_closed_while_a_request_is_refused(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.8")
    closing = asyncio.Event()

    async def function() -> str:
        if asked:
            closing.set()
            await asyncio.Event().wait()
        asked.append(1)
        return "rb_old"

    asked: list[int] = []
    client = connect(server, function)
    call = asyncio.create_task(client.goals.list(1))
    await closing.wait()
    await client.close()
    with pytest.raises(ClientClosedError):
        await call


async def test_a_function_that_is_cancelled_does_not_cancel_the_call(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("2.8")

    async def function() -> str:
        raise asyncio.CancelledError

    with pytest.raises(RybbitError, match="the function that was passed as api_key was cancelled"):
        await connect(server, function).goals.list(1)


@pytest.mark.echoes_key
async def test_keys_that_were_replaced_are_not_shown(serve: Serve, connect: Connect) -> None:
    server = await serve("2.8")
    first = server.add_key()
    client = connect(server, Keys(first, server.api_key))
    await client.goals.list(1)
    server.disable_key(first)
    await client.goals.list(1)
    server.inject(faults.Status(400, {"error": f"not {first} nor {server.api_key}"}))
    with pytest.raises(RybbitError, match=r"not \*\*\* nor \*\*\*"):
        await client.goals.list(1)


def test_what_cannot_be_called() -> None:
    function: Callable[..., Any] = Keys("rb_key")
    assert "rb_key" not in repr(RybbitClient(function))
    wrong: Any = 5
    with pytest.raises(
        InvalidParameterError, match=r"^api_key must be a str or a function that returns one"
    ):
        RybbitClient(wrong)
