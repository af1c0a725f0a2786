"""Replay recorded exchanges of real servers against the embedded server, and compare the answers.

    python tests/replay.py FOLDER [RELEASE ...] [--only REGEX] [--differences N]

A folder of recordings has a folder for each release, with three files. Each may be compressed with
gzip or xz, which its suffix says.

`events.jsonl`
    An event a line, as the server stored it: `timestamp` in UTC, `url_parameters` with the
    `utm_*`, `props` as an object or JSON text.
`goals.json`
    The goals of site 1 before the first exchange, as listed, sorted by `goalId`.
`exchanges.jsonl`
    An exchange a line, in the order in which they happened: `method`, `target`, `as` (`key`,
    `user`, `none`, `bad-key`, `lower-case-bearer`, or `query` for `?api_key={key}`),
    `content_type_sent`, `sent` (the body), `at` (UTC), and the answer's `status`, `type`, `body`.

`--sample FOLDER` writes a sample of the recordings to another folder: the exchanges of the goal
routes, without the largest pages and every second one of the many that try filters, and every
second exchange of the other routes, without large pages. This is how tests/server/recordings was
made.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import lzma
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
import attrs
from yarl import URL

from rybbit_async.testing import EVENT_COLUMNS, RELEASES, Release, RybbitServer, Store

SITES = (("main", "default"), ("empty", "default"), ("second", "default"), ("foreign", "other"))
"""Name and organisation of the sites 1 to 4."""
UTM = [column for column in EVENT_COLUMNS if column.startswith("utm_")]
_LARGEST_IN_SAMPLE = 250_000
_LARGEST_OF_OTHERS = 40_000
_LEFT_OUT = "parameter=page_title"
"""Which of the pages with a title is shown with it is left to chance."""
_OF_SITES = re.compile(r"^/api/organizations|^/api/sites/[^/]+$")
GOAL_ROUTES = r"^/api/(goals/|sites/[^/?]+/goals)"


# Reading a folder


def read_lines(folder: Path, name: str) -> Iterator[str]:
    """The lines of a file, whichever way it is compressed."""
    for path in sorted(folder.glob(f"{name}*")):
        opened = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
        with opened(path, "rt", encoding="utf-8") as file:
            yield from file
        return
    raise SystemExit(f"{folder} must contain {name}, perhaps compressed")


@attrs.frozen
class Exchange:
    """A recorded request and its answer."""

    method: str
    target: str
    caller: str
    at: datetime
    status: int
    body: str
    content_type: str | None = None
    sent: str | None = None

    @classmethod
    def of(cls, line: str) -> Exchange:
        held = json.loads(line)
        sent = held.get("sent")
        return cls(
            held["method"],
            held["target"],
            held["as"],
            datetime.fromisoformat(held["at"]),
            held["status"],
            held["body"] if isinstance(held["body"], str) else json.dumps(held["body"]),
            held.get("content_type_sent"),
            sent if sent is None or isinstance(sent, str) else json.dumps(sent),
        )

    @property
    def route(self) -> str:
        """The method and the path, with `N` in place of each id."""
        path = re.sub(r"^/api/sites/[^/]+/", "/api/sites/N/", urlsplit(self.target).path)
        return f"{self.method} {re.sub('/[^/]*[0-9][^/]*', '/N', path)}"

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def created_goal(self) -> int | None:
        """The id of the goal that the exchange created."""
        created = self.method == "POST" and self.status == 201
        return json.loads(self.body)["goalId"] if created else None

    def __str__(self) -> str:
        sent = f" <- {self.sent}" if self.sent else ""
        return f"{self.method} {unquote(self.target)} ({self.caller}){sent}"


@attrs.frozen
class Recording:
    """What was recorded of one release."""

    release: str
    folder: Path

    def exchanges(self) -> list[Exchange]:
        return [Exchange.of(line) for line in read_lines(self.folder, "exchanges.jsonl")]

    def goals(self) -> list[dict[str, Any]]:
        held = json.loads("".join(read_lines(self.folder, "goals.json")))
        return held["data"] if isinstance(held, dict) else held

    def _sites(self, exchanges: Sequence[Exchange]) -> dict[int, dict[str, Any]]:
        """What was told of each site: arguments of `Store.add_site`."""
        known: dict[int, dict[str, Any]] = defaultdict(dict)
        for exchange in exchanges:
            if exchange.status != 200 or exchange.method != "GET":
                continue
            shown: list[dict[str, Any]] = []
            if re.fullmatch("/api/organizations", exchange.target):
                shown = json.loads(exchange.body)[0]["sites"]
            elif re.fullmatch("/api/organizations/[^/]+/sites", exchange.target):
                shown = json.loads(exchange.body)["sites"]
            elif re.fullmatch("/api/sites/[0-9]+", exchange.target):
                shown = [json.loads(exchange.body)]
            for site in shown:
                about = known[int(site.get("siteId", site["id"]))]
                created = datetime.fromisoformat(site["createdAt"])
                about["created_at"] = created.replace(tzinfo=UTC)
                about["block_bots"] = site["blockBots"]
                if "siteId" in site:
                    about["string_id"] = site["id"]
        return known

    def fill(self, store: Store) -> None:
        """Write the events and goals to an empty store."""
        exchanges = self.exchanges()
        known = self._sites(exchanges)
        for number, (name, organisation) in enumerate(SITES, 1):
            store.add_site(name, organisation=organisation, **known[number])
        events: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for line in read_lines(self.folder, "events.jsonl"):
            held = json.loads(line)
            site, utm = held.pop("site_id"), held.pop("url_parameters")
            row = {name: value for name, value in held.items() if value is not None}
            row.update({name: utm.get(name, "") for name in UTM})
            row["timestamp"] = datetime.fromisoformat(held["timestamp"]).replace(tzinfo=UTC)
            if isinstance(held["props"], dict):
                row["props"] = json.dumps(held["props"], ensure_ascii=False)
            events[site].append(row)
        for site, rows in events.items():
            store.add_events(site, rows)
        goals = self.goals()
        following = None
        for goal in goals:
            created = datetime.fromisoformat(goal["createdAt"].removesuffix("Z"))
            goal_id = goal["goalId"]
            added = store.add_goal(
                goal["siteId"],
                goal["goalType"],
                goal["config"],
                name=goal["name"],
                created_at=created.replace(tzinfo=UTC),
                # Only where ids were left out, since it takes three times as long with an id.
                goal_id=None if goal_id == following else goal_id,
            )
            assert added == goal_id
            following = goal_id + 1
        created_ids = [goal_id for one in exchanges if (goal_id := one.created_goal)]
        if created_ids and min(created_ids) > goals[-1]["goalId"] + 1:
            # Goals were deleted before the recording: the ids go on where they did then.
            store.delete_goal(store.add_goal(1, "path", {}, goal_id=min(created_ids) - 1))


def recordings(folder: Path, releases: Sequence[str] = ()) -> list[Recording]:
    """The recordings in a folder, of these releases or of all."""
    names = releases or sorted(path.name for path in folder.iterdir() if path.name in RELEASES)
    return [Recording(name, folder / name) for name in names]


# Comparing


# The columns that lists are sorted by. Rows that are equal in them come in any order.
_TIES = ("session_end", "last_seen", "timestamp", "count")


def difference(exchange: Exchange, status: int, body: str, known_goals: set[int]) -> str | None:
    """What is different in an answer. None if it is right."""
    if status != exchange.status:
        return f"status {exchange.status} expected, got {status}: {exchange.body[:100]} / {body}"
    try:
        expected, got = json.loads(exchange.body), json.loads(body)
    except ValueError:
        return None if exchange.body == body else f"{exchange.body!r} expected, got {body!r}"
    if isinstance(expected, dict) and str(expected.get("message")).startswith("["):
        expected["message"] = "..."  # it quotes the validator
        got = {**got, **({"message": "..."} if "message" in got else {})}
    expected, got = _comparable(expected, known_goals), _comparable(got, known_goals)
    if expected == got:
        return None
    rows, others = _rows(expected), _rows(got)
    if rows is None or others is None or not rows or len(rows) != len(others):
        return _first(expected, got)
    return _of_lists(exchange, rows, others) or _first(_around(expected), _around(got))


def _comparable(value: Any, known_goals: set[int]) -> Any:
    """The value without what differs from one server to the next."""
    if isinstance(value, list):
        return [_comparable(one, known_goals) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _comparable(one, known_goals) for key, one in value.items()}
    if "goalId" in kept and kept["goalId"] not in known_goals:
        kept.pop("createdAt", None)
    for name in ("createdBy", "organizationId", "userId"):
        kept.pop(name, None)
    if kept.keys() & {"slug", "email"} or "userId" in value:  # an organisation, a user, a member
        for name in ("id", "name", "slug", "email", "createdAt"):
            kept.pop(name, None)
    if "details" in kept:
        kept["details"] = "..."
    if kept.get("statusCode") == 400:  # the message of the JSON parser
        kept["message"] = "..."
    return kept


def _rows(body: Any) -> list[Any] | None:
    rows = body.get("data") if isinstance(body, dict) else None
    if isinstance(rows, dict):  # of a metric
        rows = rows.get("data")
    return rows if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else None


def _around(body: dict[str, Any]) -> dict[str, Any]:
    """A list without its rows."""
    held = body["data"]
    return {**body, "data": {**held, "data": 0} if isinstance(held, dict) else 0}


def _first(expected: Any, got: Any, path: str = "") -> str | None:
    """The first place where two values differ."""
    if expected == got:
        return None
    if isinstance(expected, dict) and isinstance(got, dict):
        if list(expected) != list(got):
            return f"{path}: keys {list(expected)} expected, got {list(got)}: {expected} / {got}"
        found = (_first(expected[key], got[key], f"{path}.{key}") for key in expected)
        return next(text for text in found if text)
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        pairs = enumerate(zip(expected, got, strict=True))
        found = (_first(one, other, f"{path}[{at}]") for at, (one, other) in pairs)
        return next(text for text in found if text)
    if isinstance(expected, list) and isinstance(got, list):
        return f"{path}: {len(expected)} rows expected, got {len(got)}"
    return f"{path}: {expected!r} expected, got {got!r}"


def _of_lists(
    exchange: Exchange, expected: list[dict[str, Any]], got: list[dict[str, Any]]
) -> str | None:
    """The first difference between two lists of as many rows, whose equal rows may be swapped."""
    columns = [column for column in _TIES if column in expected[0]][:1]
    sort = exchange.query.get("sort", exchange.query.get("sort_by", [""]))[0]
    if sort in {"name", "goalType", "pageviews", "sessions", "events", "first_seen"}:
        columns = [sort]
    if not columns:
        return _first(expected, got, "data")
    (column,) = columns
    expected_order = [row[column] for row in expected]
    order = [row.get(column) for row in got]
    if expected_order != order:
        return _first(expected_order, order, f"data[].{column}")
    # Which of the rows that share the time at an edge are on the page is left to chance.
    edges = {str(order[0]), str(order[-1])}
    others = defaultdict(list)
    for row in got:
        others[_identity(row)].append(row)
    for row in expected:
        same = others[_identity(row)]
        if row in same:
            same.remove(row)
        elif same:
            return _first(row, same[0], f"data[{_identity(row)}]")
        elif str(row[column]) not in edges:
            return f"data: {row} is missing"
    return None


def _identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    for names in (
        ("goalId",),
        ("session_id", "user_id"),
        ("effective_user_id",),
        ("session_id", "timestamp", "type", "pathname", "event_name"),
    ):
        if all(name in row for name in names):
            return tuple(row[name] for name in names)
    return (row.get("value"), row.get("pathname"), row.get("timestamp"), row.get("user_id"))


# Replaying


@attrs.define
class Tally:
    """How many exchanges of a route agree."""

    exchanges: int = 0
    statuses: int = 0
    bodies: int = 0


@attrs.define
class Outcome:
    """What the replay of a recording showed."""

    release: str
    routes: dict[str, Tally] = attrs.field(factory=lambda: defaultdict(Tally))
    differences: list[tuple[Exchange, str]] = attrs.field(factory=list)

    @property
    def total(self) -> Tally:
        tallies = self.routes.values()
        return Tally(*(sum(column) for column in zip(*map(attrs.astuple, tallies), strict=True)))

    def table(self) -> str:
        lines = [f"{self.release:<58} exchanges  statuses    bodies"]
        for route, tally in [*sorted(self.routes.items()), ("all", self.total)]:
            numbers = "".join(f"{number:>10}" for number in attrs.astuple(tally))
            lines.append(f"  {route:<55} {numbers}")
        return "\n".join(lines)


async def replay(
    recording: Recording, only: str = "", release: str | Release | None = None
) -> Outcome:
    """Send the exchanges of a recording to the embedded server, and compare the answers.

    The server is of the same release, unless another one is given.
    """
    exchanges = recording.exchanges()
    now = exchanges[0].at
    outcome = Outcome(recording.release)
    with Store() as store:
        recording.fill(store)
        known_goals = {goal["goalId"] for goal in recording.goals()}
        jar = aiohttp.DummyCookieJar()
        async with (
            RybbitServer(
                release or recording.release, store, clock=lambda: now, record=False
            ) as server,
            aiohttp.ClientSession(cookie_jar=jar, skip_auto_headers=["Content-Type"]) as http,
        ):
            cookie = await _sign_in(server, http)
            ids: dict[str, str] = {}  # of organisations: recorded, and those of the server
            for exchange in exchanges:
                if not re.search(only, exchange.target):
                    continue
                now = exchange.at
                target = re.sub("[^/?]+", lambda part: ids.get(part[0], part[0]), exchange.target)
                sent = attrs.evolve(exchange, target=target)
                status, body = await _send(server, http, cookie, sent)
                if exchange.target == "/api/organizations" and status == exchange.status == 200:
                    ids[json.loads(exchange.body)[0]["id"]] = json.loads(body)[0]["id"]
                found = difference(exchange, status, body, known_goals)
                tally = outcome.routes[exchange.route]
                tally.exchanges += 1
                tally.statuses += status == exchange.status
                tally.bodies += found is None
                if found:
                    outcome.differences.append((exchange, found))
    return outcome


async def _sign_in(server: RybbitServer, http: aiohttp.ClientSession) -> str:
    """The cookie of the user, as a header value. It is valid for seven days."""
    url = f"{server.url}/api/auth/sign-in/email"
    credentials = {"email": server.email, "password": server.password}
    headers = {"Content-Type": "application/json"}  # not sent by itself, see `replay`
    async with http.post(url, json=credentials, headers=headers) as response:
        return response.headers["Set-Cookie"].partition(";")[0]


async def _send(
    server: RybbitServer, http: aiohttp.ClientSession, cookie: str, exchange: Exchange
) -> tuple[int, str]:
    headers: dict[str, str] = {}
    if exchange.content_type:
        headers["Content-Type"] = exchange.content_type
    if exchange.caller == "user":
        headers["Cookie"] = cookie
    credentials = {
        "key": f"Bearer {server.api_key}",
        "lower-case-bearer": f"bearer {server.api_key}",
        "bad-key": "Bearer nope",
    }
    if exchange.caller in credentials:
        headers["Authorization"] = credentials[exchange.caller]
    target = re.sub(r"\{key\}|%7Bkey%7D", server.api_key, exchange.target)
    url = URL(server.url + target, encoded=True)
    body = exchange.sent.encode() if exchange.sent is not None else None
    async with http.request(exchange.method, url, headers=headers, data=body) as response:
        text = await response.text()
        return response.status, text.replace(server.api_key, "{key}")


# Making a sample


def write_sample(recording: Recording, folder: Path) -> None:
    """Write a sample of the exchanges, and all events, compressed with xz."""
    columns = [*(name for name in EVENT_COLUMNS if name not in UTM), "site_id", "url_parameters"]
    folder.mkdir(parents=True, exist_ok=True)
    events = (
        {name: held[name] for name in columns if name in held}
        for held in map(json.loads, read_lines(recording.folder, "events.jsonl"))
    )
    exchanges: list[dict[str, Any]] = []
    filtered = others = 0
    for line in read_lines(recording.folder, "exchanges.jsonl"):
        held = json.loads(line)
        target, size = held["target"], len(held["body"])
        if re.search(GOAL_ROUTES, target):
            filtered += "filters=" in target
            kept = "filters=" not in target or filtered % 2 == 1
            kept = kept and size <= _LARGEST_IN_SAMPLE
        else:
            others += 1
            kept = others % 2 == 1 and size <= _LARGEST_OF_OTHERS
            kept = (kept or _OF_SITES.search(target) is not None) and _LEFT_OUT not in target
        if kept:
            exchanges.append(held)
    for name, lines in (
        ("events.jsonl", events),
        ("goals.json", [recording.goals()]),
        ("exchanges.jsonl", exchanges),
    ):
        text = "\n".join(
            json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines
        )
        packed = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
        (folder / f"{name}.xz").write_bytes(packed)


def main() -> int:
    parser = argparse.ArgumentParser(description="Replay recorded exchanges of real servers.")
    parser.add_argument("folder", type=Path, help="the folder of recordings")
    parser.add_argument("releases", nargs="*", help="which releases; default: all in the folder")
    parser.add_argument("--only", default="", metavar="REGEX", help="only these targets")
    parser.add_argument("--goals", action="store_true", help="only the goal routes")
    parser.add_argument("--differences", type=int, default=5, metavar="N", help="how many to show")
    parser.add_argument("--sample", type=Path, metavar="FOLDER", help="write a sample instead")
    options = parser.parse_args()
    only = GOAL_ROUTES if options.goals else options.only
    for recording in recordings(options.folder, options.releases):
        if options.sample:
            write_sample(recording, options.sample / recording.release)
            continue
        outcome = asyncio.run(replay(recording, only))
        sys.stdout.write(outcome.table() + "\n")
        shown: Counter[str] = Counter()
        for exchange, found in outcome.differences:
            if shown[exchange.route] < options.differences:
                shown[exchange.route] += 1
                sys.stdout.write(f"    {str(exchange)[:300]}\n        {found[:400]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
