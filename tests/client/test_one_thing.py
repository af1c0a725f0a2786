"""One session with its events, and one user."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from rybbit_async import (
    EndpointNotFoundError,
    InvalidParameterError,
    NotFoundError,
    SessionDetails,
    SessionEvent,
    UserDetails,
)
from rybbit_async.testing import Store, faults
from rybbit_async.testing.wire import Response

from .conftest import Connect, Serve
from .helpers import END, LAYOUT, lines

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SESSION: dict[str, Any] = {
    "session_id": "s|1", "user_id": "u1", "country": "\0\0", "region": "", "city": 1770,
    "language": "fr", "device_type": "Mobile", "browser": "Chrome", "browser_version": 120,
    "operating_system": "Android", "operating_system_version": 14, "screen_width": 390,
    "screen_height": 844, "referrer": "google.com", "channel": "Organic Search",
    "session_start": "2026-03-01 12:00:00", "session_end": "2026-03-01 12:00:24",
    "session_duration": 24, "pageviews": 125, "events": 250, "entry_page": "/", "exit_page": "/x",
    "ip": "10.0.0.7",
}  # fmt: skip
USER: dict[str, Any] = {
    "sessions": 2, "duration": 10, "user_id": "u1", "identified_user_id": "auth0|42",
    "country": "AU", "region": "", "city": 1770, "language": "fr", "device_type": "Mobile",
    "browser": "Opera", "browser_version": "", "operating_system": "Android",
    "operating_system_version": 14, "screen_height": 844, "screen_width": 390,
    "last_seen": "2026-03-01 12:00:00", "first_seen": "2026-02-01 09:00:22", "pageviews": 4,
    "events": 1, "ip": None, "traits": {"plan": "pro"}, "linked_devices": [],
}  # fmt: skip
SINCE_2_8: dict[str, Any] = {
    "first_referrer": "x.example", "first_channel": "Referral", "first_entry_page": "/404",
    "first_utm_source": "x", "first_utm_medium": "m", "first_utm_campaign": 2024,
    "last_referrer": "", "last_channel": "Social", "timezone": "Australia/Brisbane",
    "vitals": None,
    "locations": [{"country": "\0\0", "region": "", "city": 1770, "sessions": 1,
                   "last_seen": "2026-03-01 12:00:00"}],
    "devices": [{"device_type": "Desktop", "browser": "Safari", "operating_system": "macOS",
                 "browser_version": 17.1, "operating_system_version": 10.15, "screen_width": 1920,
                 "screen_height": 1080, "sessions": 1, "last_seen": "2026-03-01 12:00:00"}],
}  # fmt: skip
NOBODY = {**USER, "user_id": "", "sessions": 0, "duration": None, "traits": None,
          "last_seen": "1970-01-01 00:00:00", "first_seen": "1970-01-01 00:00:00"}  # fmt: skip


@attrs.frozen
class Answer(faults.Fault):
    """A body."""

    data: Any
    status: int = 200

    async def __call__(self, exchange: Any, proceed: Any) -> Response:
        body = json.dumps({"data": self.data} if self.status == 200 else self.data).encode()
        return Response(self.status, body, {"Content-Type": "application/json"})


@attrs.frozen
class Events(faults.Fault):
    """The session, with a page of its events by offset; ten of them in each second."""

    events: list[dict[str, Any]] = attrs.field(
        factory=lambda: [
            {
                "timestamp": f"{START + timedelta(seconds=at // 10):%F %T}", "pathname": "/",
                "hostname": "a.example", "querystring": "", "page_title": 404, "referrer": "",
                "type": "custom_event" if at % 2 else "pageview", "event_name": "",
                "props": {"n": at // 2},
            }
            for at in range(250)
        ]
    )  # fmt: skip

    async def __call__(self, exchange: Any, proceed: Any) -> Response | None:
        query = exchange._request.query
        limit, offset = int(query["limit"]), int(query["offset"])
        page, total = self.events[offset : offset + limit], len(self.events)
        figures = {
            "total": total, "limit": limit, "offset": offset, "hasMore": offset + limit < total,
        }  # fmt: skip
        data = {"session": SESSION, "events": page, "pagination": figures}
        return await Answer(data)(exchange, proceed)


@pytest.mark.parametrize("release", ["2.2", "2.8"])
@pytest.mark.parametrize("size", [10, 100, 1000])
async def test_a_session_and_its_events(
    serve: Serve, connect: Connect, release: str, size: int
) -> None:
    server = await serve(release)
    server.inject(Events(), times=None)
    client = connect(server, routes=LAYOUT[release])
    found = await client.sessions.get(1, "s|1", page_size=size)
    assert len(server.requests) == 1
    path = "/api/sessions/s%7C1/1" if release == "2.2" else "/api/sites/1/sessions/s%7C1"
    assert server.requests[0].target == f"{path}?limit={size}&offset=0"
    session = found.session
    assert isinstance(session, SessionDetails)
    assert (session.session_id, session.country, session.city) == ("s|1", "", "1770")
    assert (session.session_start, session.session_duration) == (START, 24)
    assert (session.events, session.browser_version, session.extra) == (250, "120", {})

    events = await found.events.collect()
    pages = -(-250 // size)
    assert len(server.requests) == pages  # the first one came with the session
    assert [event.properties["n"] for event in events] == [at // 2 for at in range(250)]
    first = events[0]
    assert isinstance(first, SessionEvent)
    assert (first.timestamp, first.type, first.page_title) == (START, "pageview", "404")
    assert first.extra == {}
    report = found.events.report
    assert (report.complete, report.reason, report.duplicates) == (True, None, 0)
    assert await found.events.collect() == events  # read again
    assert len(server.requests) == 2 * pages


async def test_a_walk_over_events_goes_on_at_every_position(serve: Serve, connect: Connect) -> None:
    server = await serve()
    server.inject(Events(), times=None)
    found = await connect(server).sessions.get(1, "s|1", page_size=45)
    given = 0
    async for page in found.events.pages():
        given += len(page)
        if page.position is not None:
            rest = [
                event async for more in found.events.pages(start=page.position) for event in more
            ]
            assert [event.properties["n"] for event in rest] == [n // 2 for n in range(given, 250)]
    assert given == 250


async def test_an_event_that_comes_meanwhile_makes_the_walk_doubtful(
    serve: Serve, connect: Connect
) -> None:
    server, events = await serve(), Events()
    server.inject(events, times=None)
    found = await connect(server).sessions.get(1, "s|1", page_size=100)
    events.events.insert(0, events.events[0])
    with pytest.warns(match="total is 251, but the number of rows that came is 250"):
        await found.events.collect()


async def test_a_session_that_is_not_there(serve: Serve, connect: Connect) -> None:
    server = await serve()
    server.inject(Answer({"error": "Session not found"}, 404), times=None)
    client = connect(server)
    with pytest.raises(NotFoundError, match="Session not found") as caught:
        await client.sessions.get(1, "nope")
    assert not isinstance(caught.value, EndpointNotFoundError)
    for wrong in ("", None, "a\0"):
        with pytest.raises(InvalidParameterError, match=r"^session_id"):
            await client.sessions.get(1, wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="page_size must be 1 or more, got 0"):
        await client.sessions.get(1, "s", page_size=0)


@pytest.mark.parametrize("release", ["2.2", "2.8"])
async def test_a_user(serve: Serve, connect: Connect, release: str) -> None:
    server = await serve(release)
    server.inject(Answer(USER if release == "2.2" else {**USER, **SINCE_2_8}), times=None)
    user = await connect(server, routes=LAYOUT[release]).users.get(1, "auth0|42")
    path = "/api/users/auth0%7C42/1" if release == "2.2" else "/api/sites/1/users/auth0%7C42"
    assert lines(server) == [f"GET {path}"]
    assert isinstance(user, UserDetails)
    assert (user.user_id, user.identified_user_id, user.sessions) == ("u1", "auth0|42", 2)
    assert (user.last_seen, user.duration, user.city) == (START, 10.0, "1770")
    assert (user.traits, user.linked_devices, user.extra) == ({"plan": "pro"}, (), {})
    if release == "2.2":
        assert user.locations is user.devices is user.timezone is None
    else:
        assert user.locations is not None
        assert (user.locations[0].country, user.locations[0].city) == ("", "1770")
        assert user.devices is not None
        assert (user.devices[0].browser_version, user.devices[0].last_seen) == ("17.1", START)
        assert (user.first_utm_campaign, user.timezone) == ("2024", "Australia/Brisbane")


async def test_a_user_that_is_not_there(serve: Serve, connect: Connect) -> None:
    """The server answers 200, with nothing in it."""
    server = await serve()
    server.inject(Answer(NOBODY), times=None)
    client = connect(server)
    with pytest.raises(
        NotFoundError, match=r"^user a\|b is not among the users of site 1$"
    ) as caught:
        await client.users.get(1, "a|b")
    assert caught.value.status == 404
    with pytest.raises(InvalidParameterError, match=r"^user_id must not be empty"):
        await client.users.get(1, "")


@pytest.mark.parametrize("release", ["2.2", "2.4", "2.8"])
async def test_one_thing_of_the_embedded_server(
    serve: Serve, connect: Connect, store: Store, release: str
) -> None:
    for at in range(25):  # in one session, many in the same second
        store.add_session(
            1, end=END - timedelta(seconds=at // 10), session_id="s", user_id="u", pages=["/"]
        )
    client = connect(await serve(release, store))
    found = await client.sessions.get(1, "s", page_size=10)
    assert (found.session.session_id, found.session.pageviews, found.session.events) == (
        "s",
        25,
        25,
    )
    events = await found.events.collect()
    assert len(events) == 25
    assert [event.timestamp for event in events] == sorted(event.timestamp for event in events)
    assert found.events.report.complete
    user = await client.users.get(1, "u")
    assert (user.user_id, user.sessions, user.last_seen) == ("u", 1, END)
    with pytest.raises(NotFoundError):
        await client.sessions.get(1, "nobody's")
    with pytest.raises(NotFoundError):
        await client.users.get(1, "nobody")
