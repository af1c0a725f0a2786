"""Typed examples of every public call: type-checked in strict mode, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, assert_type
from zoneinfo import ZoneInfo

import aiohttp
import attrs
import pandas as pd
import polars as pl
import pyarrow as pa

from rybbit_async import (
    Activity,
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AttemptEnded,
    AuthenticationError,
    BadRequestError,
    ButtonClickGoal,
    ByKey,
    ByRank,
    ByTime,
    Change,
    CommonParameters,
    CopyGoal,
    Envelope,
    Event,
    EventGoal,
    EventName,
    EventOfSite,
    Filter,
    FormSubmitGoal,
    Goal,
    GoalBucket,
    GoalComparison,
    GoalConfig,
    GoalOfSite,
    GoalResult,
    GoalSession,
    IncompleteWalkError,
    InvalidParameterError,
    MetricRow,
    NotFoundError,
    Organization,
    OutboundGoal,
    Overview,
    OverviewBucket,
    Page,
    PageMeta,
    PageRead,
    Paginator,
    PasswordLogin,
    PathGoal,
    PermissionDeniedError,
    PropertyFilter,
    RateLimitError,
    RateLimitStatus,
    RawResponse,
    Report,
    RybbitClient,
    RybbitError,
    ServerCapabilities,
    ServerError,
    Session,
    SessionDetails,
    SessionEvent,
    SessionOfSite,
    SessionWithEvents,
    Site,
    SiteSession,
    Skipped,
    Timeout,
    User,
    UserDetails,
    UserDevice,
    UserLocation,
    UserSort,
    WalkEnded,
    Watch,
    WatchedSession,
    __version__,
    to_dict,
    to_json,
)
from rybbit_async.tables import SCHEMA_VERSION, flat_rows, record_batch, schema


@attrs.frozen
class Point:
    """A class of a user's own."""

    time: datetime
    goal_id: int
    conversions: int


def _told(activity: Activity) -> None:
    """A callable for ``on_event``."""
    assert_type(activity.walk, str | None)
    match activity:
        case AttemptEnded():
            assert_type(activity.status, int | None)
            assert_type(activity.rate_limit, RateLimitStatus)
        case PageRead(rows=rows):
            assert_type(rows, int)
        case WalkEnded():
            assert_type(activity.report, Report)
        case _:
            pass


@attrs.frozen
class Series:
    """Another, of the first."""

    data: list[Point]


async def make(own: aiohttp.ClientSession) -> None:
    """Clients."""
    async with RybbitClient("rb_0") as client:
        assert_type(client, RybbitClient)
        assert_type(client.closed, bool)
    RybbitClient()
    RybbitClient(None, base_url="https://analytics.example.com", routes="sites")
    RybbitClient(auth=PasswordLogin("me@example.com", "secret"), routes="goals")
    RybbitClient("rb_0", session=own, timeout=30, concurrency=4, max_connections=10)
    RybbitClient("rb_0", ssl="ca.pem", trust_env=True)
    RybbitClient("rb_0", ssl=Path("ca.pem"), trace_configs=[])
    RybbitClient("rb_0", timeout=Timeout(connect=5, read=None, total=60.5), allow_http=True)
    other = RybbitClient("rb_0").with_options(timeout=Timeout(total=5), concurrency=16)
    assert_type(other, RybbitClient)
    assert_type(await other.close(), None)

    async def later() -> str:
        return "rb_0"

    RybbitClient(lambda: "rb_0")
    told: list[Activity] = []
    RybbitClient("rb_0", on_event=told.append).with_options(on_event=print)
    RybbitClient(api_key=later)
    RybbitClient(lambda: 1)  # type: ignore[arg-type, return-value]  # pyright: ignore[reportArgumentType]
    RybbitClient("rb_0", routes="routes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    RybbitClient(api_key=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def goals(client: RybbitClient) -> None:
    """Lists of goals, and walks over them."""
    page = await client.goals.list(
        123,
        page=2,
        page_size=50,
        sort="createdAt",
        order="desc",
        start_date="2024-01-01",
        end_date=date(2024, 1, 31),
        time_zone="Europe/Berlin",
        filters=[Filter.equals("country", "US", "CA"), Filter("lat", "greater_than", [48.5])],
        segment_id=7,
    )
    assert_type(page, Page[Goal])
    assert_type(page.items, tuple[Goal, ...])
    assert_type(page.meta, PageMeta | None)
    assert_type(len(page), int)
    assert_type(page[0], Goal)
    assert_type(page[1:], tuple[Goal, ...])
    await client.goals.list(123, time_zone=ZoneInfo("Europe/Berlin"))
    for goal in page:
        assert_type(goal, Goal)
    if page.meta is not None:
        assert_type(page.meta.total + page.meta.page_size + page.meta.total_pages, int)

    walk = client.goals.iter(
        "0123456789ab",
        page_size=100,
        sort="goalId",
        order="asc",
        concurrency=4,
        ordered=False,
        limit=1000,
        strict=True,
        max_pages=10,
        verify=True,
        past_minutes_start=60,
        past_minutes_end=0,
    )
    assert_type(walk, Paginator[Goal])
    async for goal in walk:
        assert_type(goal, Goal)
    assert_type(await walk.collect(), list[Goal])
    assert_type(await walk.first(), Goal | None)
    assert_type(walk.pages(), AsyncGenerator[Page[Goal], None])
    async for page in walk.pages():
        assert_type(page, Page[Goal])
        assert_type(page.position, str | None)
    async for later in walk.pages(start=page.position):
        assert_type(later, Page[Goal])
    async with walk as begun:
        assert_type(begun, Paginator[Goal])
    assert_type(walk.report, Report)
    report = walk.report
    assert_type(report.complete, bool | None)
    assert_type(report.doubtful, bool)
    assert_type(report.reason, str | None)
    assert_type(report.items + report.pages + report.requests, int)
    assert_type(report.duplicates + report.passes, int)
    assert_type(report.skipped, list[Skipped])
    assert_type(page.skipped, tuple[Skipped, ...])
    for skipped in report.skipped:
        assert_type(skipped.site, int | str)
        assert_type(skipped.goal, int | None)
        assert_type(skipped.error, RybbitError)
    assert_type(
        await client.wait_until_settled(
            123, start_date="2024-01-01", end_date="2024-01-31", time_zone="Europe/Berlin"
        ),
        None,
    )

    assert_type(await client.goals.get(123, 7, past_minutes_start=60, past_minutes_end=0), Goal)

    client.goals.iter(123, sort="id")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.goals.iter(123, start="2024-01-01")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.goals.iter(123, verify=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.goals.iter(1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def fields(goal: Goal, session: Session, pair: GoalSession) -> None:
    """What the models hold."""
    assert_type(goal.goal_id, int)
    assert_type(goal.site_id, int | None)
    assert_type(goal.name, str | None)
    assert_type(goal.goal_type, str)
    assert_type(goal.created_at, datetime | None)
    assert_type(goal.total_conversions, int | None)
    assert_type(goal.total_sessions, int | None)
    assert_type(goal.conversion_rate, float | None)
    assert_type(goal.extra, Mapping[str, Any])
    if isinstance(goal.config, PathGoal):
        assert_type(goal.config.path_pattern, str)
        assert_type(goal.config.extra, Mapping[str, Any])
    elif isinstance(goal.config, EventGoal):
        assert_type(goal.config.event_name, str)
        assert_type(goal.config.property_key, str | None)
        assert_type(goal.config.property_filters, tuple[PropertyFilter, ...] | None)
    elif isinstance(goal.config, (OutboundGoal, ButtonClickGoal, FormSubmitGoal, CopyGoal)):
        assert_type(goal.config.value_pattern, str | None)
        assert_type(goal.config.extra, Mapping[str, Any])
    elif isinstance(goal.config, Mapping):
        assert_type(goal.config, Mapping[str, Any])
    assert_type(session.session_id, str)
    assert_type(session.user_id, str | None)
    assert_type(session.city, str | None)
    assert_type(session.session_end, datetime | None)
    assert_type(session.session_duration, int | None)
    assert_type(session.lat, float | None)
    assert_type(session.tag, str | None)
    assert_type(pair.site, int | str)
    assert_type(pair.goal, Goal)
    assert_type(pair.session, Session)
    goal.name = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def sessions(client: RybbitClient, goal: Goal) -> None:
    """Lists of sessions, and walks over them."""
    page = await client.goals.sessions.list(123, goal, page=1, limit=25)
    assert_type(page, Page[Session])
    assert_type(await client.goals.sessions.list("0123456789ab", 7), Page[Session])
    walk = client.goals.sessions.iter(
        123,
        goal,
        page_size=1000,
        concurrency=8,
        ordered=True,
        limit=None,
        strict=False,
        max_pages=None,
        start_date="2024-01-01",
        end_date="2024-01-31",
    )
    assert_type(walk, Paginator[Session])
    async for session in walk:
        assert_type(session, Session)
    assert_type(await client.goals.sessions.iter(123, 7).collect(), list[Session])
    client.goals.sessions.iter(123, "7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.goals.sessions.iter(123, 7, verify=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    async for some in walk.pages(start='{"query": "0"}'):
        assert_type(some, Page[Session])


async def all_sessions(client: RybbitClient, goal: Goal) -> None:
    """Walks over the sessions of many goals."""
    walk = client.goals.sessions.iter_all(
        [123, "0123456789ab"],
        goals=[goal, 7],
        page_size=1000,
        on_error="skip",
        concurrency=8,
        ordered=False,
        limit=10_000,
        strict=True,
        max_pages=100,
        past_minutes_start=60,
        past_minutes_end=0,
    )
    assert_type(walk, Paginator[GoalSession])
    async for pair in walk:
        assert_type(pair, GoalSession)
    assert_type(await client.goals.sessions.iter_all(123).collect(), list[GoalSession])
    client.goals.sessions.iter_all((site for site in (1, "0123456789ab")), goals={7})
    client.goals.sessions.iter_all(1, on_error="warn")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.goals.sessions.iter_all(1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def site_lists(client: RybbitClient) -> None:
    """The sessions and users of a site, and of many."""
    sessions = client.sessions.iter(
        123,
        page_size=500,
        user_id="u",
        identified_only=True,
        min_pageviews=2,
        min_events=1,
        min_duration=60,
        ordered=False,
        start_date="2024-01-01",
        end_date="2024-01-31",
    )
    assert_type(sessions, Paginator[SiteSession])
    assert_type(await client.sessions.list(123, limit=5, min_duration=60), Page[SiteSession])
    found = await client.sessions.get(123, "s", page_size=100)
    assert_type(found, SessionWithEvents)
    assert_type(found.session, SessionDetails)
    assert_type(found.session.session_end, datetime | None)
    assert_type(found.events, Paginator[SessionEvent])
    async for event in found.events:
        assert_type(event.timestamp, datetime)
        assert_type(event.properties, Mapping[str, Any])
    async for row in client.sessions.iter_all([1, "0123456789ab"], min_pageviews=2, limit=10):
        assert_type(row, SessionOfSite)
        assert_type(row.site, int | str)
        assert_type(row.session, SiteSession)
    assert_type(client.sessions.iter_all("all"), Paginator[SessionOfSite])
    async for one in client.events.iter_all([1, 2], limit=10, on_error="skip", ordered=False):
        assert_type(one, EventOfSite)
    assert_type(client.events.iter(1, page_size=10, strict=True), Paginator[Event])
    watch = client.events.watch(1, start=None, interval=2, filters=[], on_event=_told)
    assert_type(watch, Watch[Event])
    assert_type(watch.position, str | None)
    async for watched in client.goals.sessions.watch(1, 2, idle=600):
        assert_type(watched, WatchedSession)
        assert_type(watched.settled, bool)
        assert_type(watched.is_new, bool)
    async for goal in client.goals.iter_all("all", page_size=50, concurrency=2):
        assert_type(goal, GoalOfSite)
        assert_type(goal.goal, Goal)

    users = client.users.iter(123, sort="sessions", order="asc", search="x", identified_only=True)
    assert_type(users, Paginator[User])
    assert_type(await client.users.list(123, page_size=5, sort="last_seen"), Page[User])
    user = await client.users.get(123, "auth0|42")
    assert_type(user, UserDetails)
    assert_type(user.devices, tuple[UserDevice, ...] | None)
    assert_type(user.locations, tuple[UserLocation, ...] | None)
    sort: UserSort = "first_seen"
    client.users.iter(123, sort=sort)
    client.users.iter(123, sort="name")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.sessions.iter(123, min_events="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def any_list(client: RybbitClient) -> None:
    """Lists without a method."""
    path = "/api/sites/{site}/errors/names"
    by_goal: ByKey[Point] = ByKey(lambda point: point.goal_id, rising=True, stable=True)
    points = client.iter(
        path,
        path_params={"site": 1},
        params={"search": "x"},
        model=Point,
        order=by_goal,
        envelope=Envelope("data.data", "data.totalCount"),
        offset_parameter="offset",
        size_parameter="limit",
        page_size=100,
        limit=5,
        start_date="2024-01-01",
        end_date="2024-01-31",
    )
    assert_type(points, Paginator[Point])
    by_time: ByTime[Point] = ByTime(lambda point: point.time, lambda point: point.goal_id)
    assert_type(client.iter(path, model=Point, order=by_time, json={"steps": []}), Paginator[Point])
    by_rank: ByRank[dict[str, Any]] = ByRank(lambda row: row["value"])
    assert_type(client.iter(path, order=by_rank), Paginator[dict[str, Any]])
    client.iter(path)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def figures(client: RybbitClient, goal: Goal) -> None:
    """Sites, and the figures of a site."""
    organizations = await client.organizations.list()
    assert_type(organizations, Page[Organization])
    assert_type(await client.sites.list(), Page[Site])
    for organization in organizations:
        assert_type(organization.sites, tuple[Site, ...])
        await client.sites.list(organization)
    site = await client.sites.get("0123456789ab")
    assert_type(site.site_id, int)
    assert_type(site.identifier, str | None)
    january = CommonParameters(start_date="2024-01-01", end_date=date(2024, 1, 31))
    overview = await client.overview(123, **january)
    assert_type(overview, Overview)
    assert_type(overview.sessions, int)
    assert_type(overview.bounce_rate, float | None)
    buckets = await client.overview.series(123, bucket="day", time_zone="Europe/Berlin")
    assert_type(buckets, list[OverviewBucket])
    assert_type(buckets[0].time, datetime)
    await client.overview.series(123, bucket="days")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    walk = client.metric(123, "entry_page", page_size=100, limit=10, **january)
    assert_type(walk, Paginator[MetricRow])
    async for row in walk:
        assert_type(row.value, str | None)
        assert_type(row.count, int)
    assert_type(await client.events.names(123, **january), list[EventName])
    assert_type(await client.live_users(123, minutes=30), int)
    capabilities = await client.capabilities(123)
    assert_type(capabilities, ServerCapabilities)
    assert_type(capabilities.exact_times, bool | None)
    series = await client.goals.series(123, [goal, 7], bucket="week", compute=True, **january)
    assert_type(series, list[GoalBucket])
    await client.goals.series(123, goal)
    (compared,) = await client.goals.compare(123, january, {"past_minutes_start": 60})
    assert_type(compared, GoalComparison)
    assert_type(compared.conversions, Change)
    assert_type(compared.rate.relative, float | None)
    await client.goals.compare(123, january, {"start": "2024"})  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportArgumentType]


async def writes(client: RybbitClient, goal: Goal) -> None:
    """Creating, updating, deleting."""
    result = await client.goals.create(123, PathGoal("/thanks"), name="Thanks")
    assert_type(result, GoalResult)
    assert_type(result.success, bool)
    assert_type(result.goal_id, int)
    assert_type(result.created, bool)
    await client.goals.create(123, EventGoal("signup", "plan", "pro"))
    await client.goals.create(123, EventGoal("signup", property_key="seats", property_value=3))
    plan = PropertyFilter("plan", "pro")
    assert_type(plan.value, str | int | float | bool)
    await client.goals.create(123, EventGoal("signup", property_filters=[plan]))
    await client.goals.ensure(123, PathGoal("/thanks", property_filters=(plan,)))
    configs: list[GoalConfig] = [OutboundGoal(), ButtonClickGoal("Buy*"), FormSubmitGoal()]
    await client.goals.create(123, configs[0])
    await client.goals.create(123, CopyGoal(value_pattern="*", property_filters=[plan]))
    assert_type(await client.goals.update(123, goal, name="New name"), GoalResult)
    await client.goals.update(123, 7, name=None, config=PathGoal("/new"))
    await client.goals.update(123, goal, config={"valuePattern": "*"})
    assert_type(await client.goals.delete(123, goal), GoalResult)
    await client.goals.delete("0123456789ab", 7)
    await client.goals.create(123, {"pathPattern": "/"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def anything(client: RybbitClient) -> None:
    """Other endpoints."""
    path = "/api/sites/1/goals/time-series"
    assert_type(await client.request("GET", path, params={"goal_ids": "1,2", "limit": 3}), Any)
    assert_type(await client.request("POST", path, json={"a": [1]}), Any)
    assert_type(await client.request("GET", path, cast_to=Series), Series)
    assert_type(await client.request("GET", path, cast_to=list[Point]), list[Point])
    params: dict[str, str | int] = {"user": "auth0|42", "site": 1}
    users = "/api/users/{user}/{site}"
    assert_type(await client.request("GET", users, path_params=params), Any)
    assert_type(await client.request("GET", users, path_params=params, cast_to=Point), Point)
    raw = await client.request("GET", path, cast_to=RawResponse)
    assert_type(raw, RawResponse)
    assert_type(raw.status, int)
    assert_type(raw.headers, Mapping[str, str])
    assert_type(raw.body, bytes)


def store(goal: Goal) -> None:
    """What a program keeps."""
    to_dict(goal)["goal_id"]
    to_dict([goal], flat=True, times="datetime")
    assert_type(to_json([goal]), str)
    version: str = __version__
    del version


async def tables(client: RybbitClient) -> None:
    """Every kind of table."""
    walk = client.goals.sessions.iter(1, 2)
    assert_type(await walk.to_arrow(), pa.Table)
    assert_type(await walk.to_polars(), pl.DataFrame)
    assert_type(await walk.to_pandas(), pd.DataFrame)
    async for batch in walk.record_batches(rows=1_000):
        assert_type(batch, pa.RecordBatch)
    page = await client.goals.list(1)
    assert_type(page.to_arrow(), pa.Table)
    assert_type(page.to_polars(), pl.DataFrame)
    assert_type(page.to_pandas(), pd.DataFrame)
    assert_type(schema(Goal), pa.Schema)
    assert_type(record_batch(Goal, page), pa.RecordBatch)
    assert_type(flat_rows(Goal, page.items, times="text"), list[dict[str, Any]])
    assert_type(SCHEMA_VERSION, int)


def filters() -> list[Filter]:
    """Every kind of filter."""
    return [
        Filter.equals("country", "US", "CA"),
        Filter.not_equals("country", "US"),
        Filter.contains("pathname", "/blog"),
        Filter.not_contains("pathname", "/blog"),
        Filter.regex("pathname", "^/blog/"),
        Filter.not_regex("pathname", "^/blog/"),
        Filter.greater_than("lat", 48.5),
        Filter.less_than("lat", 60),
        Filter.greater_than_or_equal("lon", "-1.5"),
        Filter.less_than_or_equal("entry_page", "/m"),
        Filter.is_null("utm_source"),
        Filter.is_not_null("utm_source"),
        Filter("tag", "is_null"),
        Filter.starts_with("pathname", "/blog"),
        Filter.ends_with("pathname", ".html"),
        Filter("city", "equals", ("GB-ENG-London", 7)),
    ]


async def errors(client: RybbitClient) -> None:
    """What may be caught."""
    try:
        await client.goals.list(1)
    except InvalidParameterError as error:
        also: ValueError = error
        del also
    except IncompleteWalkError as error:
        assert_type(error.report, Any)
    except APITimeoutError as error:
        assert_type(error.sent, bool)
    except APIConnectionError as error:
        assert_type(error.method + error.url, str)
    except APIResponseError as error:
        assert_type(error.path, str)
        assert_type(error.status, int | None)
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.scope, str | None)
    except (
        BadRequestError,
        AuthenticationError,
        PermissionDeniedError,
        NotFoundError,
        ServerError,
    ) as error:
        assert_type(error.message, str)
    except APIStatusError as error:
        assert_type(error.status, int)
        assert_type(error.details, Any)
    except RybbitError as error:
        assert_type(error, RybbitError)
