"""What this package relies on in others although their documentation does not promise it.

Each test fails when a new version of Python, attrs, msgspec, cattrs or aiohttp changes it. `nox -s
tests` runs them with the newest versions that are allowed, `nox -s lowest` with the lowest.
"""

from __future__ import annotations

import json
import pickle
from asyncio import proactor_events, sslproto
from typing import Any

import aiohttp
import attrs
import msgspec
import pytest
from attrs import frozen
from cattrs import ClassValidationError, Converter
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from rybbit_async import RybbitClient, Session
from rybbit_async.testing import RybbitServer
from rybbit_async.wire.row_decoder import _draft

# --- Python and attrs: an object's class can be changed -----------------------------------------


def test_an_object_can_change_to_a_frozen_class_of_the_same_layout() -> None:
    draft = _draft(Session)
    assert draft.__basicsize__ == Session.__basicsize__
    row = draft()
    for field in attrs.fields(Session):
        setattr(row, field.name, field.name)
    row.__class__ = Session
    assert type(row) is Session
    assert row == Session(**{field.name: field.name for field in attrs.fields(Session)})
    assert pickle.loads(pickle.dumps(row)) == row
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        row.country = "DE"


# --- msgspec ------------------------------------------------------------------------------------


def struct(*fields: Any, **options: Any) -> Any:
    return msgspec.defstruct("Row", fields, kw_only=True, gc=False, **options)


@pytest.mark.parametrize("digits", [15, 19, 20, 30, 308, 309, 1000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_keep_all_of_their_digits(digits: int, sign: str) -> None:
    # So a float was sent as one, and its text is what the server had.
    number = int(sign + "9" * digits)
    row = struct(("text", str | int | float | None), ("any", Any), ("number", int))
    text = json.dumps({"text": number, "any": {"a": [number]}, "number": number})
    found = msgspec.json.decode(text, type=row)
    assert (found.text, found.any, found.number) == (number, {"a": [number]}, number)
    assert type(found.text) is int


@pytest.mark.parametrize("value", ["1", "1.5", "true", "[]", "{}", "null"])
def test_a_struct_refuses_values_of_other_types_and_unknown_fields(value: str) -> None:
    row = struct(("text", str), forbid_unknown_fields=True)
    for wrong in (f'{{"text":{value}}}', f'{{"text":"a","new":{value}}}', "{}"):
        with pytest.raises(msgspec.MsgspecError):
            msgspec.json.decode(wrong, type=row)


def test_names_that_a_struct_can_have() -> None:
    names = ["", "a b", "Straße", "日本", "a`b'c", "$.data[0]", "class", "__init__", "x" * 100]
    fields = [(f"unknown_{n}", Any, msgspec.UNSET) for n in range(len(names))]
    row = struct(*fields, rename={f"unknown_{n}": name for n, name in enumerate(names)})
    found = msgspec.json.decode(json.dumps({name: name for name in names}), type=row)
    assert [getattr(found, f"unknown_{n}") for n in range(len(names))] == names
    assert msgspec.json.decode("{}", type=row).unknown_0 is msgspec.UNSET


def test_the_text_of_a_row_can_be_kept() -> None:
    rows = msgspec.json.decode(b' [ {"a":[1, "]"]} ,2]', type=list[msgspec.Raw])
    assert [bytes(row) for row in rows] == [b'{"a":[1, "]"]}', b"2"]


# --- cattrs: where an error is ------------------------------------------------------------------


@frozen
class Inner:
    number: int


@frozen
class Outer:
    inners: list[Inner]


def test_errors_say_where_they_are() -> None:
    converter = Converter(detailed_validation=True)
    renamed = make_dict_structure_fn(Outer, converter, inners=override(rename="in"))
    converter.register_structure_hook(Outer, renamed)
    with pytest.raises(ClassValidationError) as caught:
        converter.structure({"in": [{"number": 1}, {"number": "x"}]}, Outer)
    error: Any = caught.value
    steps: list[object] = []
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                steps.append(note.name)
            elif isinstance(note, IterableValidationNote):
                steps.append(note.index)
    assert steps == ["inners", 1, "number"]
    with pytest.raises(ClassValidationError) as caught:
        converter.structure({}, Outer)
    assert isinstance(caught.value.exceptions[0], KeyError)


# --- asyncio and aiohttp: connections of an event loop that is closed ----------------------------


async def test_what_closes_a_connection_without_its_loop() -> None:
    # That it works is tested in tests/client/test_affinity.py; here, also for TLS and Windows.
    async with RybbitServer() as server, aiohttp.ClientSession() as session:
        connector: Any = session.connector
        async with session.get(server.url + "/api/version"):
            pass
        ((protocol, *_),) = (entry for entries in connector._conns.values() for entry in entries)
        assert callable(protocol.transport._call_connection_lost)
        assert connector._acquired == set()
    tls: Any = sslproto
    assert "_ssl_protocol" in tls._SSLProtocolTransport.__init__.__code__.co_names
    assert "_transport" in tls.SSLProtocol.__init__.__code__.co_names
    transport: Any = proactor_events._ProactorBasePipeTransport  # type: ignore[attr-defined]
    assert callable(transport._call_connection_lost)


# --- aiohttp: the middlewares of a session that is passed in -------------------------------------


async def test_the_middlewares_of_a_session_that_is_passed_in() -> None:
    # A request's own middlewares replace those of its session, and only this attribute tells
    # which ones the session has.
    called: list[str] = []

    async def theirs(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        called.append(request.method)
        return await handler(request)  # type: ignore[no-any-return]  # a plain handler

    async with (
        RybbitServer() as server,
        aiohttp.ClientSession(middlewares=(theirs,)) as session,
        RybbitClient(server.api_key, base_url=server.url, session=session) as client,
    ):
        assert session._middlewares == (theirs,)
        await client.request("GET", "/api/version")
        assert called == ["GET"]
    async with aiohttp.ClientSession() as session:
        assert session._middlewares == ()
