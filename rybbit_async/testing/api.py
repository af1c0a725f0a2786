"""The API itself: a request in, an answer out, no socket.

Routes of both layouts, authentication, parameters, and the five endpoints with their quirks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
from multidict import CIMultiDictProxy, MultiDict

from .access import COOKIE_SECONDS, READ, WRITE, Access, Caller, RefusedError
from .releases import Release
from .sql import FilterError, filter_condition
from .store import SESSION_KEYS, Goal, Site, Store, StoreError
from .validation import GoalBody, InvalidBodyError, as_object, goal_body, has_nul
from .windows import ParameterError, ZoneError, resolve
from .wire import (
    Answer,
    error,
    integer_prefix,
    json_answer,
    json_text,
    plain_number,
    session_template,
    text_fragment,
    timestamp,
)

__all__ = ["Api", "RecordedRequest"]

_INTEGER = re.compile(r"-?[0-9]+", re.ASCII)
_BUCKETS = {
    "minute": "date_trunc('minute', {0})",
    "five_minutes": "time_bucket(INTERVAL 5 MINUTE, {0})",
    "ten_minutes": "time_bucket(INTERVAL 10 MINUTE, {0})",
    "fifteen_minutes": "time_bucket(INTERVAL 15 MINUTE, {0})",
    **{
        unit: f"date_trunc('{unit}', {{0}})::TIMESTAMP"
        for unit in ("hour", "day", "week", "month", "year")
    },
}
_LONGEST_TARGET = 20_000
# Fields of a session that are never made numbers, though they are text.
_VERBATIM = frozenset({"session_id", "user_id", "session_end", "session_start"})


@attrs.define
class RecordedRequest:
    """A request as it came over the wire."""

    method: str
    target: str
    """Path and query, raw."""
    path: str
    """The raw path alone."""
    query: MultiDict[str]
    headers: CIMultiDictProxy[str]
    body: bytes = b""
    status: int | None = None
    """Status of the answer; None while there is none, or when there never was."""


class _AnsweredError(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


@attrs.frozen
class _Call:
    """A request whose route is known."""

    request: RecordedRequest
    release: Release
    caller: Caller
    site: Site
    goal: str = ""


_Endpoint = Callable[["Api", _Call], Answer]


class Api:
    """Answers requests from a store. `origin` is the server's own, for the check of writes."""

    def __init__(self, store: Store, access: Access, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.access = access
        self.clock = clock
        self.origin = ""
        self.shuffle_ties = True
        self.cap_page_size: int | None = None
        self.cache_bytes = 0
        self._cached: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._cached_size = 0

    def answer(self, request: RecordedRequest, release: Release) -> Answer:
        """The answer that this release gives."""
        if len(request.target) > _LONGEST_TARGET:
            return Answer(431, b"", {"Connection": "close"})
        try:
            return self._answer(request, release)
        except _AnsweredError as stop:
            return stop.answer

    def _answer(self, request: RecordedRequest, release: Release) -> Answer:
        if request.path == "/api/auth/sign-in/email" and request.method == "POST":
            return self._sign_in(request)
        if request.path == "/api/health":
            return json_answer({"status": "OK"})
        if release.version and request.path == "/api/version" and request.method == "GET":
            return json_answer({"version": release.version})
        found = _route(request, release)
        if found is None and release.layout == "sites":
            return _no_route(request)
        if found is None and request.path.startswith("/api/sites/"):
            return error(404, "Site not found")
        caller = self._caller(request, release)
        try:
            if found is None:
                if caller == Caller():
                    return error(release.refusal_status, release.refusal)
                return _no_route(request)
            endpoint, site_text, goal = found
            answer = self._endpoint(request, release, caller, endpoint, site_text, goal)
        except _AnsweredError as stop:
            answer = stop.answer
        if caller.headers:
            answer = attrs.evolve(answer, headers={**answer.headers, **caller.headers})
        return answer

    def _endpoint(
        self,
        request: RecordedRequest,
        release: Release,
        caller: Caller,
        endpoint: _Endpoint,
        site_text: str,
        goal: str,
    ) -> Answer:
        writes = request.method != "GET"
        site = self._site(site_text, release)
        if not (caller.owns if writes else caller.reads)(site, self.access.organisation):
            raise _AnsweredError(error(release.refusal_status, release.refusal))
        if writes and release.checks_origin:
            origin = request.headers.get("Origin")
            if origin is not None and origin.rstrip("/") != self.origin:
                return error(403, "Origin not allowed")
        if release.keys_write and caller.user is None and caller.key is not None:
            scope = WRITE if writes else READ
            if scope not in caller.key.scopes and not (site.public and not writes):
                return error(403, "Insufficient scope", required=scope)
        try:
            return endpoint(self, _Call(request, release, caller, site, goal))
        except ParameterError as wrong:
            return error(400, str(wrong))

    # Who and where

    def _caller(self, request: RecordedRequest, release: Release) -> Caller:
        if release.health_skips_authentication and "/api/health" in request.target:
            return Caller(anyone=True)
        try:
            return self.access.caller(
                release,
                authorization=request.headers.get("Authorization"),
                api_key=request.query.get("api_key"),
                cookies=request.headers.getall("Cookie", []),
            )
        except RefusedError as refused:
            if refused.scope == "key":
                return Caller()
            raise _AnsweredError(
                json_answer(
                    {
                        "error": "Rate limit exceeded",
                        "scope": refused.scope,
                        "limit": refused.limit,
                        "retryAfter": refused.retry_after,
                    },
                    429,
                    {**refused.headers, "Retry-After": str(refused.retry_after)},
                )
            ) from None

    def _site(self, text: str, release: Release) -> Site:
        if re.fullmatch(r"[0-9]+", text, re.ASCII):
            site = self.store.find_site(int(text))
            if site is None:
                raise _AnsweredError(error(release.refusal_status, release.refusal))
            return site
        site = self.store.find_site(text)
        if site is None:
            raise _AnsweredError(error(404, "Site not found"))
        return site

    def _sign_in(self, request: RecordedRequest) -> Answer:
        body = as_object(_json_body(request))
        if body is None:
            return json_answer({"code": "VALIDATION_ERROR", "message": "Invalid body"}, 400)
        try:
            value = self.access.sign_in(body.get("email"), body.get("password"))
        except RefusedError as refused:
            return json_answer(
                {"message": "Too many requests. Please try again later."},
                429,
                {"X-Retry-After": str(refused.retry_after)},
            )
        if value is None:
            wrong = {
                "code": "INVALID_EMAIL_OR_PASSWORD",
                "message": "Invalid email or password",
            }
            return json_answer(wrong, 401)
        cookie = (
            f"{self.access.cookie}={value}; Max-Age={COOKIE_SECONDS}; Path=/; HttpOnly; "
            "Secure; SameSite=None"
        )
        user = {"email": self.access.email, "name": "Owner"}
        return json_answer(
            {"redirect": False, "token": unquote(value).split(".")[0], "user": user},
            200,
            {"Set-Cookie": cookie},
        )

    # Reading

    def list_goals(self, call: _Call) -> Answer:
        """A page of a site's goals with their conversions, and the totals as text."""
        query, release = call.request.query, call.release
        page = _parsed(query, "page", 1)
        size = _parsed(query, release.page_size_parameter, 10)
        if page is None or page < 1:
            return error(400, "Invalid page number")
        if size is None or not 1 <= size <= 100:
            return error(400, "Invalid page size, must be between 1 and 100")
        size = min(size, self.cap_page_size or size)
        window = _window(call, self.clock(), "Failed to fetch goals data")
        goals = self._sorted(self.store.goals(call.site), query, page, size)
        chosen = goals[(page - 1) * size : page * size]
        meta = {
            "total": str(len(goals)),
            "page": page,
            "pageSize": size,
            "totalPages": -(-len(goals) // size),
        }
        if not chosen:
            return json_answer({"data": [], "meta": meta})
        failed = error(500, "Failed to fetch goals data")
        if release.native_numbers_fail and call.site.events_native_numbers:
            values = (goal.config.get("eventPropertyValue") for goal in chosen)
            if any(isinstance(value, bool | int | float) for value in values):
                return failed
        try:
            within = self.store.within(call.site, window)
            passing = filter_condition(query.getall("filters", []), release, within)
            conditions = [goal.condition for goal in chosen]
            total, conversions = self.store.count_sessions(within, passing, conditions)
        except (FilterError, StoreError):
            return failed
        data = [
            {
                "goalId": goal.goal_id,
                "siteId": goal.site_id,
                "name": goal.name,
                "goalType": goal.goal_type,
                "config": dict(goal.config),
                "createdAt": timestamp(goal.created_at),
                "total_conversions": converted,
                "total_sessions": total,
                "conversion_rate": plain_number(converted / total) if total else 0,
            }
            for goal, converted in zip(chosen, conversions, strict=True)
        ]
        return json_answer({"data": data, "meta": meta})

    def _sorted(self, goals: list[Goal], query: MultiDict[str], page: int, size: int) -> list[Goal]:
        def shuffled(goal: Goal) -> bytes:
            if not self.shuffle_ties:
                return b""
            return hashlib.sha256(f"{goal.goal_id} {page} {size}".encode()).digest()

        descending = query.get("order") != "asc"
        sort = query.get("sort")
        if sort == "goalId":
            return sorted(goals, key=lambda goal: goal.goal_id, reverse=descending)
        if sort in {"name", "goalType"}:
            goals = sorted(goals, key=shuffled)
            if sort == "goalType":
                return sorted(goals, key=lambda goal: goal.goal_type, reverse=descending)
            # Postgres: no name sorts after every name.
            return sorted(
                goals, key=lambda goal: (goal.name is None, goal.name or ""), reverse=descending
            )
        return sorted(goals, key=lambda goal: (goal.created_at, goal.goal_id), reverse=descending)

    def goal_sessions(self, call: _Call) -> Answer:
        """A page of the sessions that reached a goal, filters ignored and no total."""
        query, release = call.request.query, call.release
        failed = error(500, "Failed to fetch goal sessions")
        goal = self._goal_of(call, "Goal does not belong to this site", failed)
        numbers: dict[str, int] = {}
        for name, default in (("page", None if release.page_required else 1), ("limit", 25)):
            given = query.getall(name, [])
            if not given and default is not None:
                numbers[name] = default
            elif len(given) == 1 and _INTEGER.fullmatch(given[0]) and len(given[0]) < 16:
                numbers[name] = int(given[0])
            else:
                return failed
        page, limit = numbers["page"], numbers["limit"]
        window = _window(call, self.clock(), "Failed to fetch goal sessions")
        if page < 1 or limit < 0:
            return failed
        limit = min(limit, self.cap_page_size or limit)
        within = self.store.within(call.site, window)
        key = (
            *(self.store.events_version, within, goal.condition, limit, page),
            *(self.shuffle_ties, release.session_tag),
        )
        body = self._cached.get(key)
        if body is None:
            try:
                rows = self.store.sessions_page(
                    within,
                    goal.condition,
                    limit=limit,
                    page=page,
                    shuffle_ties=self.shuffle_ties,
                )
            except StoreError:
                return failed
            body = _sessions_body(rows, tag=release.session_tag)
            self._keep(key, body)
        return Answer(200, body, {"Content-Type": "application/json; charset=utf-8"})

    def _keep(self, key: tuple[Any, ...], body: bytes) -> None:
        if self._cached and next(iter(self._cached))[0] != self.store.events_version:
            self._cached.clear()
            self._cached_size = 0
        if len(body) > self.cache_bytes:
            return
        self._cached[key] = body
        self._cached_size += len(body)
        while self._cached_size > self.cache_bytes:
            _, dropped = self._cached.popitem(last=False)
            self._cached_size -= len(dropped)

    def time_series(self, call: _Call) -> Answer:
        """Conversions per bucket of local time; empty buckets are left out."""
        query = call.request.query
        bucket = query.get("bucket", "hour")
        if bucket not in _BUCKETS:
            return error(400, f"Invalid bucket value: {bucket}")
        failed = error(500, "Failed to fetch goals data")
        window = _window(call, self.clock(), "Failed to fetch goals data")
        wanted = set(re.findall(r"[0-9]+", query.get("goal_ids", "")))
        goals = [goal for goal in self.store.goals(call.site) if str(goal.goal_id) in wanted]
        zone = query.get("time_zone") or "UTC"
        data: list[dict[str, Any]] = []
        try:
            within = self.store.within(call.site, window)
            passing = filter_condition(query.getall("filters", []), call.release, within)
            for goal in goals:
                series = self.store.series(within, passing, goal.condition, _BUCKETS[bucket], zone)
                data += [
                    {
                        "time": timestamp(moment),
                        "goal_id": goal.goal_id,
                        "conversions": converted,
                        "total_sessions": total,
                        "conversion_rate": plain_number(converted / total),
                    }
                    for moment, converted, total in series
                    if converted
                ]
        except (FilterError, StoreError):
            return failed
        return json_answer({"data": sorted(data, key=lambda row: (row["time"], row["goal_id"]))})

    # Writing

    def _goal_of(self, call: _Call, elsewhere: str, not_a_number: Answer) -> Goal:
        if not _INTEGER.fullmatch(call.goal) or len(call.goal) > 10:
            raise _AnsweredError(not_a_number)
        return self._goal(int(call.goal), call.site.site_id, elsewhere)

    def _goal(self, goal_id: int, site_id: int | None, elsewhere: str) -> Goal:
        goal = self.store.find_goal(goal_id)
        if goal is None:
            raise _AnsweredError(error(404, "Goal not found"))
        if site_id is not None and goal.site_id != site_id:
            raise _AnsweredError(error(403, elsewhere))
        return goal

    def _writable(self, call: _Call) -> None:
        if not (call.release.keys_write or call.caller.user or call.caller.anyone):
            raise _AnsweredError(error(403, "Forbidden"))

    def _goal_body(self, call: _Call, failed: Answer, *, update: bool) -> GoalBody:
        body = _json_body(call.request)
        try:
            valid = goal_body(body, call.release, update=update)
        except InvalidBodyError as wrong:
            if call.release.validation_crashes:
                raise _AnsweredError(_crash()) from None
            answer = error(400, "Validation error", details=wrong.details)
            raise _AnsweredError(answer) from None
        self._writable(call)
        if has_nul(valid.name) or has_nul(valid.config):
            raise _AnsweredError(failed)
        return valid

    def create_goal(self, call: _Call) -> Answer:
        """A new goal; 201 with its id."""
        body = self._goal_body(call, error(500, "Failed to create goal"), update=False)
        goal_id = self.store.add_goal(
            call.site, body.goal_type, body.config, name=body.name, created_at=self.clock()
        )
        return json_answer({"success": True, "goalId": goal_id}, 201)

    def update_goal(self, call: _Call) -> Answer:
        """A full replacement: what the body leaves out is gone."""
        failed = error(500, "Failed to update goal")
        body = self._goal_body(call, failed, update=True)
        elsewhere = "Goal does not belong to the specified site"
        if call.release.url_ids_ignored and body.goal_id is not None:
            goal = self._goal(body.goal_id, body.site_id, elsewhere)
            self._owned(call, goal)
        else:
            goal = self._goal_of(call, elsewhere, failed)
        self.store.update_goal(
            goal.goal_id, goal_type=body.goal_type, config=body.config, name=body.name
        )
        return json_answer({"success": True, "goalId": goal.goal_id})

    def delete_goal(self, call: _Call) -> Answer:
        """Deletes a goal, whose absence is 404 and not success."""
        _json_body(call.request)
        self._writable(call)
        failed = error(500, "Failed to delete goal")
        if call.release.url_ids_ignored:
            if not _INTEGER.fullmatch(call.goal) or len(call.goal) > 10:
                return failed
            goal = self._goal(int(call.goal), None, "")
            self._owned(call, goal)
        else:
            goal = self._goal_of(call, "Goal does not belong to the specified site", failed)
        self.store.delete_goal(goal.goal_id)
        return json_answer({"success": True})

    def _owned(self, call: _Call, goal: Goal) -> None:
        """Where the URL's ids are not looked at, the goal's own site still must be the caller's."""
        site = self.store.find_site(goal.site_id)
        if site is None or not call.caller.owns(site, self.access.organisation):
            raise _AnsweredError(error(403, "Forbidden"))


# Routes

_S = "([^/]+)"
_GOALS_ROUTES: list[tuple[re.Pattern[str], tuple[int, int], Mapping[str, _Endpoint]]] = [
    (
        re.compile(f"/api/goals/{_S}"),
        (1, 0),
        {"GET": Api.list_goals, "POST": Api.create_goal},
    ),
    (re.compile(f"/api/goals/{_S}/sessions/{_S}"), (2, 1), {"GET": Api.goal_sessions}),
    (
        re.compile(f"/api/goals/{_S}/{_S}"),
        (2, 1),
        {"PUT": Api.update_goal, "DELETE": Api.delete_goal},
    ),
]
_SITES_ROUTES: list[tuple[re.Pattern[str], tuple[int, int], Mapping[str, _Endpoint]]] = [
    (
        re.compile(f"/api/sites/{_S}/goals"),
        (1, 0),
        {"GET": Api.list_goals, "POST": Api.create_goal},
    ),
    (re.compile(f"/api/sites/{_S}/goals/time-series"), (1, 0), {"GET": Api.time_series}),
    (re.compile(f"/api/sites/{_S}/goals/{_S}/sessions"), (1, 2), {"GET": Api.goal_sessions}),
    (
        re.compile(f"/api/sites/{_S}/goals/{_S}"),
        (1, 2),
        {"PUT": Api.update_goal, "DELETE": Api.delete_goal},
    ),
]


def _route(request: RecordedRequest, release: Release) -> tuple[_Endpoint, str, str] | None:
    """The endpoint of a request, its site and its goal, as text."""
    if release.percent_breaks_route and "%" in request.path:
        return None
    for pattern, (site, goal), methods in (
        _GOALS_ROUTES if release.layout == "goals" else _SITES_ROUTES
    ):
        found = pattern.fullmatch(request.path)
        endpoint = methods.get(request.method) if found else None
        if found is None or endpoint is None:
            continue
        if endpoint is Api.time_series and not release.time_series:
            continue
        return endpoint, unquote(found[site]), unquote(found[goal]) if goal else ""
    return None


def _no_route(request: RecordedRequest) -> Answer:
    message = f"Route {request.method}:{request.target} not found"
    return json_answer({"message": message, "error": "Not Found", "statusCode": 404}, 404)


# Pieces of requests and answers


def _crash() -> Answer:
    return json_answer(
        {
            "statusCode": 500,
            "error": "Internal Server Error",
            "message": "Cannot set property errors of [object Object] which has only a getter",
        },
        500,
    )


def _bad_request(message: str, **more: str) -> Answer:
    return json_answer({"statusCode": 400, **more, "error": "Bad Request", "message": message}, 400)


def _no_constant(name: str) -> object:
    raise ValueError(f"Unexpected token {name}")


def _json_body(request: RecordedRequest) -> Any:
    """The body of a write; `...` for none."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        if not request.body:
            raise _AnsweredError(
                _bad_request(
                    "Body cannot be empty when content-type is set to 'application/json'",
                    code="FST_ERR_CTP_EMPTY_JSON_BODY",
                )
            )
        try:
            return json.loads(request.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as broken:
            raise _AnsweredError(_bad_request(f"Unexpected token in JSON: {broken}")) from None
    if not request.body:
        return ...
    if kind == "text/plain":
        return request.body.decode("utf-8", "replace")
    message = f"Unsupported Media Type: {kind}" if kind else "Unsupported Media Type"
    raise _AnsweredError(
        json_answer(
            {
                "statusCode": 415,
                "code": "FST_ERR_CTP_INVALID_MEDIA_TYPE",
                "error": "Unsupported Media Type",
                "message": message,
            },
            415,
        )
    )


def _parsed(query: MultiDict[str], name: str, default: int) -> int | None:
    given = query.getall(name, [])
    return integer_prefix(",".join(given)) if given else default


def _window(call: _Call, now: datetime, failure: str) -> Any:
    try:
        return resolve(call.request.query, call.release, now)
    except ZoneError:
        raise _AnsweredError(error(500, failure)) from None


def _number_text(value: float | None) -> str:
    if value is None:
        return "null"
    plain = plain_number(value)
    return "null" if plain is None else repr(plain)


def _sessions_body(rows: list[tuple[Any, ...]], *, tag: bool) -> bytes:
    keys = tuple(SESSION_KEYS if tag else SESSION_KEYS[:-1])
    template = session_template(keys)
    as_text = [json_text if key in _VERBATIM else text_fragment for key in keys]
    texts = [
        template
        % tuple(
            [
                text(value) if isinstance(value, str) else _number_text(value)
                for text, value in zip(as_text, row, strict=False)
            ]
        )
        for row in rows
    ]
    return ('{"data":[' + ",".join(texts) + "]}").encode()


def utc_now() -> datetime:
    """The time of day, unless a server is given another clock."""
    return datetime.now(UTC)


def split_target(target: str) -> str:
    """The raw path of a request target."""
    return urlsplit(target).path if target.startswith("http") else target.partition("?")[0]
