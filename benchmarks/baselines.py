"""What this package is measured against: the same requests, made by hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final, Literal

import aiohttp
import httpx
import httpx2
import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict

from .servers import Target

CONNECTIONS: Final = 100  # as many as a RybbitClient allows itself

Fetch = Callable[[str, Mapping[str, str]], Awaitable[int]]
"""Reads one page, and gives the number of its rows."""
Read = Callable[[str, Mapping[str, str]], Awaitable[Any]]
"""Reads one page, and gives its body, decoded."""


@asynccontextmanager
async def raw_bodies(target: Target) -> AsyncGenerator[Read, None]:
    """aiohttp and orjson, without types: the lower limit of what a page costs."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    headers = {"Authorization": f"Bearer {target.api_key}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def read(url: str, query: Mapping[str, str]) -> Any:
            async with session.get(url, params=query) as response:
                body = await response.read()
            return orjson.loads(body)

        yield read


@asynccontextmanager
async def raw(target: Target) -> AsyncGenerator[Fetch, None]:
    """The same, for the number of rows alone."""
    async with raw_bodies(target) as read:

        async def fetch(url: str, query: Mapping[str, str]) -> int:
            return len((await read(url, query))["data"])

        yield fetch


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _country(code: str | None) -> str | None:
    return "" if code == "\0\0" else code


Moment = Annotated[datetime, AfterValidator(_aware)]


class SessionModel(BaseModel):
    """A session as somebody who knows the server would write it down for pydantic.

    What a row gives is the same: text that came as a number is text again, times are aware, an
    unknown country is empty, and what a newer server sends besides is kept.
    """

    model_config = ConfigDict(frozen=True, extra="allow", coerce_numbers_to_str=True)

    session_id: str
    user_id: str | None = None
    country: Annotated[str | None, AfterValidator(_country)] = None
    region: str | None = None
    city: str | None = None
    language: str | None = None
    device_type: str | None = None
    browser: str | None = None
    browser_version: str | None = None
    operating_system: str | None = None
    operating_system_version: str | None = None
    screen_width: int | None = None
    screen_height: int | None = None
    referrer: str | None = None
    channel: str | None = None
    hostname: str | None = None
    page_title: str | None = None
    querystring: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    session_end: Moment | None = None
    session_start: Moment | None = None
    session_duration: int | None = None
    entry_page: str | None = None
    exit_page: str | None = None
    pageviews: int | None = None
    events: int | None = None
    errors: int | None = None
    outbound: int | None = None
    ip: str | None = None
    lat: float | None = None
    lon: float | None = None
    tag: str | None = None


class PageModel(BaseModel):
    data: list[SessionModel]


@asynccontextmanager
async def pydantic(
    target: Target, library: Literal["httpx", "httpx2"], *, from_bytes: bool
) -> AsyncGenerator[Fetch, None]:
    """pydantic: as it is usually written, or straight from the bytes, which is faster."""
    http: Any = {"httpx": httpx, "httpx2": httpx2}[library]
    limits = http.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    headers = {"Authorization": f"Bearer {target.api_key}"}
    async with http.AsyncClient(limits=limits, headers=headers) as client:

        async def fetch(url: str, query: Mapping[str, str]) -> int:
            response = await client.get(url, params=query)
            if from_bytes:
                return len(PageModel.model_validate_json(response.content).data)
            return len(PageModel.model_validate(response.json()).data)

        yield fetch


def walk(
    fetch: Fetch, url: str, *, pages: int, query: Mapping[str, str], concurrency: int
) -> Callable[[], Awaitable[int]]:
    """Every page of a list whose length is known, always ``concurrency`` of them at once."""

    async def job() -> int:
        numbers = iter(range(1, pages + 1))

        async def worker() -> int:
            rows = 0
            for number in numbers:
                rows += await fetch(url, {"page": str(number), **query})
            return rows

        return sum(await asyncio.gather(*(worker() for _ in range(concurrency))))

    return job


def walk_by_cursor(
    read: Read, url: str, *, query: Mapping[str, str], stretches: Sequence[Mapping[str, str]]
) -> Callable[[], Awaitable[int]]:
    """Every row of a list that is read by a cursor, all of the stretches at once.

    It follows the cursor as the documentation says, which loses no row as long as no two of them
    are from the same second.
    """

    async def follow(stretch: Mapping[str, str]) -> int:
        rows, before = 0, dict[str, str]()
        cursor: dict[str, Any] = {"hasMore": True}
        while cursor["hasMore"]:
            body = await read(url, {**query, **stretch, **before})
            rows, cursor = rows + len(body["data"]), body["cursor"]
            before = {"before_timestamp": cursor["oldestTimestamp"]}
        return rows

    async def job() -> int:
        return sum(await asyncio.gather(*map(follow, stretches)))

    return job


@contextmanager
def dlt_parquet(
    target: Target, url: str, query: Mapping[str, str]
) -> Generator[Callable[[], Awaitable[int]], None, None]:
    """dlt: its ``rest_api`` source to its ``filesystem`` destination, as Parquet.

    It writes to a new folder each time. What it keeps of its pipelines is in a temporary folder.
    """
    with TemporaryDirectory() as home:
        os.environ["DLT_DATA_DIR"] = home
        os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
        import dlt
        import pyarrow.parquet as pq
        from dlt.destinations import filesystem
        from dlt.sources.rest_api import rest_api_source

        base, _, path = url.rpartition("/")
        config: Any = {
            "client": {
                "base_url": base,
                "auth": {"type": "bearer", "token": target.api_key},
                "paginator": {"type": "page_number", "base_page": 1, "total_path": None},
            },
            "resources": [
                {
                    "name": "sessions",
                    "endpoint": {"path": path, "params": {**query}, "data_selector": "data"},
                }
            ],
        }

        def run() -> int:
            with TemporaryDirectory() as folder:
                pipeline: Any = dlt.pipeline(
                    f"bench_{Path(folder).name}",
                    pipelines_dir=home,
                    destination=filesystem(bucket_url=Path(folder).as_uri()),
                    dataset_name="bench",
                )
                pipeline.run(rest_api_source(config), loader_file_format="parquet")
                files = Path(folder).glob("bench/sessions/*.parquet")
                return sum(pq.read_metadata(file).num_rows for file in files)

        async def job() -> int:
            return await asyncio.to_thread(run)

        yield job
