"""Generated traffic: the same seed and the same end give the same data.

The database draws everything from hashes of seed, site and row, so that a million sessions take
seconds and no draw depends on another one.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import attrs

from .schema import Site
from .store import Store
from .traffic_data import ANY_PAGE, GOALS, PAGES
from .traffic_sql import Draw, SessionPlan, insert_sessions, insert_traits
from .wire import utc_naive

__all__ = ["Traffic", "generate"]

_FIRST_DAY = datetime(1970, 1, 2)  # noqa: DTZ001 - in UTC; no event can be before 1970


@attrs.frozen
class Traffic:
    """What `generate` created. All events lie between `start` and `end` (aware UTC)."""

    seed: int
    sites: tuple[Site, ...]
    goals: dict[int, tuple[int, ...]]
    """Goal ids by site id, in the order of their creation."""
    sessions: int
    events: int
    start: datetime
    end: datetime

    @property
    def site(self) -> Site:
        """The first site."""
        return self.sites[0]


def generate(
    store: Store,
    *,
    seed: int = 1,
    sites: int = 1,
    sessions: int = 50_000,
    days: float = 30,
    end: datetime | None = None,
    goals: int = 12,
    uniform: bool = False,
    distinct_ends: bool = False,
    organisation: str = "default",
) -> Traffic:
    """Fill a store with new sites, their goals, and sessions.

    Visitors return, and arrive through many channels from many places. Some sign in during a
    session, and are identified users with traits from then on. In each of two busy seconds,
    hundreds of sessions end. There are path goals and event goals, some without a name, and one
    that no session reaches.

    Args:
        store: The store to fill.
        seed: The same `seed` and `end` give the same data with the same version of DuckDB, except
            that the ids of sites and goals continue those of the store.
        sites: How many sites to add.
        sessions: How many sessions all sites have together.
        days: The length of the traffic in days.
        end: The end of the traffic, as an aware datetime. Now by default.
        goals: How many goals each site has.
        uniform: For benchmarks: each session is one page view that converts the first goal. Exactly
            three of its text fields arrive as numbers (`browser_version`,
            `operating_system_version`, `utm_campaign`).
        distinct_ends: For benchmarks: no two sessions of a site end in the same second, and nobody
            signs in during a session, so that each session is one row.
        organisation: The organisation of the sites.

    Raises:
        ValueError: A number is too small, or the sessions do not fit into the days.
    """
    for name, value, minimum in (
        ("sites", sites, 1),
        ("sessions", sessions, 0),
        ("goals", goals, 0),
    ):
        if value < minimum:
            raise ValueError(f"{name} must be at least {minimum}, got {value}")
    until = utc_naive(end or datetime.now(UTC), "end").replace(microsecond=0)
    most = (until - _FIRST_DAY).days
    if not 0 < days <= most:
        raise ValueError(f"days must be greater than 0 and at most {most}, got {days}")
    seconds = int(days * 86_400)
    shares = [sessions // sites + (at < sessions % sites) for at in range(sites)]
    if distinct_ends and shares[0] > seconds:
        raise ValueError(
            f"days must be long enough: {shares[0]} sessions with distinct ends need "
            f"{shares[0]} seconds, got {seconds}"
        )
    begin = until - timedelta(seconds=seconds)
    added: list[Site] = []
    goal_ids: dict[int, tuple[int, ...]] = {}
    events = 0
    for at, share in enumerate(shares):
        digest = hashlib.sha256(f"{seed} {at} {len(store.sites())}".encode()).hexdigest()
        site = store.add_site(
            f"site {at + 1}", organisation=organisation, string_id="a" + digest[:11]
        )
        added.append(site)
        goal_ids[site.site_id] = _add_goals(store, site, goals, uniform=uniform, until=begin)
        origin = int(begin.replace(tzinfo=UTC).timestamp())
        plan = SessionPlan(share, origin, seconds, uniform, distinct_ends)
        store.insert(insert_sessions(site.site_id, Draw(f"{seed} {at}"), plan))
        store.insert(insert_traits(site.site_id))
        events += store.count_events(site)
    return Traffic(
        seed,
        tuple(added),
        goal_ids,
        sessions,
        events,
        begin.replace(tzinfo=UTC),
        until.replace(tzinfo=UTC),
    )


def _add_goals(
    store: Store, site: Site, number: int, *, uniform: bool, until: datetime
) -> tuple[int, ...]:
    """Add the first `number` goals of the list. After its end, there is one for each page."""
    specs = [ANY_PAGE, *GOALS] if uniform else list(GOALS)
    for at in range(len(specs), number):
        path, _ = PAGES[at % len(PAGES)]
        specs.append((f"Page {at}", "path", {"pathPattern": path}))
    ids: list[int] = []
    for at, (name, kind, config) in enumerate(specs[:number]):
        # Timestamps of every length: from no fraction digit to six.
        created = until - timedelta(days=1, seconds=-60 * at, microseconds=-(10 ** (at % 7)))
        created = created.replace(tzinfo=UTC)
        ids.append(store.add_goal(site, kind, config, name=name, created_at=created))
    return tuple(ids)
