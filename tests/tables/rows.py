"""Rows as servers send them, and a server that sends pages of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from rybbit_async import RybbitClient

MONTH: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-01-31"}


def session(number: int, **changes: Any) -> dict[str, Any]:
    """A session of a goal on the wire, with text that looks like numbers."""
    minute, second = divmod(number, 60)
    return {
        "session_id": f"s{number:05}",
        "user_id": f"u{number % 7}",
        "country": ["US", "DE", "\0\0", ""][number % 4],
        "browser": ["Chrome", "Firefox"][number % 2],
        "browser_version": 100 + number % 3,
        "page_title": [404, "Home", "007", None][number % 4],
        "session_end": f"2024-01-05 10:{59 - minute:02}:{59 - second:02}",
        "session_start": "2024-01-05 08:00:00",
        "pageviews": [1, None, 3][number % 3],
        "lat": [52.5, None][number % 2],
        "ip": None,
        **changes,
    }


class Served:
    """What the server answers with, and how many requests there were."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows
        self.goals: Sequence[dict[str, Any]] = ()
        self.requests = 0

    async def answer(self, request: web.Request) -> web.Response:
        """A page of the goals, or for any other path of the rows."""
        self.requests += 1
        query = request.query
        size = int(query.get("limit") or query.get("page_size") or 100)
        page = int(query.get("page", 1))
        is_goals = request.path.endswith("/goals")
        rows = self.goals if is_goals else self.rows
        body: dict[str, Any] = {"data": rows[(page - 1) * size : page * size]}
        if is_goals:
            pages = -(-len(rows) // size)
            body["meta"] = {
                "total": len(rows), "page": page, "pageSize": size, "totalPages": pages
            }  # fmt: skip
        return web.Response(text=json.dumps(body), content_type="application/json")


@asynccontextmanager
async def serving(rows: Sequence[dict[str, Any]]) -> AsyncIterator[tuple[RybbitClient, Served]]:
    """A client of a server that answers every request with pages of ``rows``."""
    served = Served(rows)
    app = web.Application()
    app.router.add_get("/{path:.*}", served.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with RybbitClient("rb_key", base_url=url, routes="sites") as client:
            yield client, served
    finally:
        await runner.cleanup()
