"""Traffic that goes on while a server runs: visits that reach the goals of its sites."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from .schema import Goal, Site
from .store import Store
from .traffic_data import DEVICES, NOWHERE, ORIGINS, PAGES, PLACES

__all__ = ["Visits"]

_STEP = 0.25  # seconds between two writes: each makes the server compute its lists anew


class Visits:
    """Adds visits to the sites of a store, each of which reaches one of their goals.

    Args:
        store: The store. Goals that are created meanwhile are reached, too.
        clock: Returns the current time as an aware datetime.
        seed: The same seed gives the same visits.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime], seed: int = 1) -> None:
        self._store = store
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - no secrets

    async def keep_coming(self, per_second: float) -> None:
        """Add so many visits each second, until the task is cancelled."""
        due = 0.0
        while True:
            await asyncio.sleep(_STEP)
            due += per_second * _STEP
            # In a thread, so that requests are answered while the database writes.
            await asyncio.to_thread(self.add, int(due))
            due -= int(due)

    def add(self, number: int) -> None:
        """Add so many visits, which end now."""
        for _ in range(number):
            sites = self._store.sites()
            if sites:
                self._visit(self._random.choice(sites))

    def _visit(self, site: Site) -> None:
        chance = self._random
        goals = [goal for goal in self._store.goals(site) if _page_of(goal) != NOWHERE]
        landing, _ = chance.choice(PAGES)
        pages, events = [landing], list[tuple[str, Mapping[str, Any]]]()
        columns: dict[str, Any] = {}
        if goals:
            goal = chance.choice(goals)
            properties = _properties(goal)
            if goal.goal_type == "path":
                pages.append(self._page(_page_of(goal)))
                columns["querystring"] = "&".join(f"{k}={v}" for k, v in properties.items())
            elif goal.goal_type == "event":
                events.append((str(goal.config.get("eventName", "")), properties))
        self._store.add_session(
            site,
            end=self._clock(),
            session_id=f"live{chance.getrandbits(64):016x}",
            user_id=f"v{chance.getrandbits(40):010x}",
            pages=pages,
            events=events,
            seconds_between=2,
            **columns,
            **self._visitor(),
        )

    def _page(self, pattern: str) -> str:
        """A page that a pattern matches; `fnmatch` also lets `*` match a slash, but no page has
        one more than the patterns of the traffic expect.
        """
        known = [path for path, _ in PAGES if fnmatchcase(path, pattern)]
        return self._random.choice(known) if known else pattern.replace("*", "x")

    def _visitor(self) -> dict[str, Any]:
        chance = self._random
        country, region, city, language, zone, lat, lon = chance.choice(PLACES)
        browser, version, system, system_version, device, width, height = chance.choice(DEVICES)
        channel, referrer, source, medium, campaign, term, content = chance.choice(ORIGINS)
        return {
            "country": country,
            "region": region,
            "city": city,
            "language": language,
            "timezone": zone,
            "lat": lat,
            "lon": lon,
            "browser": browser,
            "browser_version": version,
            "operating_system": system,
            "operating_system_version": system_version,
            "device_type": device,
            "screen_width": width,
            "screen_height": height,
            "channel": channel,
            "referrer": referrer,
            "utm_source": source,
            "utm_medium": medium,
            "utm_campaign": campaign,
            "utm_term": term,
            "utm_content": content,
        }


def _page_of(goal: Goal) -> str:
    return str(goal.config.get("pathPattern", ""))


def _properties(goal: Goal) -> dict[str, Any]:
    """What the properties of an event must be for a goal."""
    filters = goal.config.get("propertyFilters")
    if filters:
        return {str(one["key"]): one["value"] for one in filters}
    key = goal.config.get("eventPropertyKey")
    return {} if key is None else {str(key): goal.config.get("eventPropertyValue")}
