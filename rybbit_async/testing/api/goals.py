"""Goals: the list, the time series, and the writes."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ..conversions import conversion
from ..database import DatabaseError
from ..queries.buckets import BUCKETS, bucket_of
from ..queries.goals import conversions_by_bucket, count_sessions, has_mixed_values
from ..schema import Goal
from ..validation import GoalBody, InvalidBodyError, check_matching, goal_body, has_nul
from ..wire import Response, coerced, error_response, json_response, plain_number, timestamp
from . import parameters
from .call import Call, ResponseError
from .json_body import json_body

__all__ = [
    "condition_of_goal",
    "create_goal",
    "delete_goal",
    "goal_of_call",
    "goal_time_series",
    "list_goals",
    "update_goal",
]

_LARGEST_ID = 2**31 - 1
_FAILURE = "Failed to fetch goals data"


# Reading


def list_goals(call: Call) -> Response:
    """A page of a site's goals with their conversions. The total is text."""
    page = parameters.parse_int(call, "page", 1)
    size = parameters.parse_int(call, call.release.page_size_parameter, 10)
    if page is None or page < 1:
        return error_response(400, "Invalid page number")
    if size is None or not 1 <= size <= 100:
        return error_response(400, "Invalid page size, must be between 1 and 100")
    size = min(size, call.service.cap_page_size or size)
    within = parameters.within(call, _FAILURE)
    goals = _sorted(call, call.service.store.goals(call.site), page, size)
    chosen = goals[(page - 1) * size : page * size]
    meta = {
        "total": str(len(goals)),
        "page": page,
        "pageSize": size,
        "totalPages": -(-len(goals) // size),
    }
    if not chosen:
        return json_response({"data": [], "meta": meta})
    failed = error_response(500, _FAILURE)
    if any(_cannot_be_counted(call, goal, within) for goal in chosen):
        return failed
    passing = _passing(call, within, _FAILURE)
    try:
        conditions = [condition_of_goal(call, goal) for goal in chosen]
        total, conversions = count_sessions(call.queries, within, passing, conditions)
    except DatabaseError:
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
    return json_response({"data": data, "meta": meta})


def _cannot_be_counted(call: Call, goal: Goal, within: str) -> bool:
    """Whether the release fails over a goal, because of the types of values that events hold."""
    typed = isinstance(goal.config.get("eventPropertyValue"), bool | int | float)
    if not typed or not call.site.events_native_numbers:
        return False
    if call.release.native_numbers_fail:
        return True
    key = str(goal.config.get("eventPropertyKey"))
    name = str(goal.config.get("eventName", ""))
    return call.release.mixed_values_fail and has_mixed_values(call.queries, within, name, key)


def _passing(call: Call, within: str, failure: str) -> str:
    """The condition of the events that pass the filters."""
    chosen = parameters.filters(call, failure, of_goals=True)
    return parameters.condition(call, chosen, within, failure)


def _sorted(call: Call, goals: list[Goal], page: int, size: int) -> list[Goal]:
    def shuffled(goal: Goal) -> bytes:
        if not call.service.shuffle_ties:
            return b""
        return hashlib.sha256(f"{goal.goal_id} {page} {size}".encode()).digest()

    descending = call.query.get("order") != "asc"
    sort = call.query.get("sort")
    if sort == "goalId":
        return sorted(goals, key=lambda goal: goal.goal_id, reverse=descending)
    if sort in {"name", "goalType"}:
        goals = sorted(goals, key=shuffled)
        if sort == "goalType":
            return sorted(goals, key=lambda goal: goal.goal_type, reverse=descending)
        # Postgres sorts a missing name after all names.
        return sorted(
            goals, key=lambda goal: (goal.name is None, goal.name or ""), reverse=descending
        )
    return sorted(goals, key=lambda goal: (goal.created_at, goal.goal_id), reverse=descending)


def goal_time_series(call: Call) -> Response:
    """Conversions of goals in buckets of local time.

    Each goal has a row for each bucket that has sessions, whether they convert or not.
    """
    failure = "Failed to fetch goal time series"
    bucket = call.query.get("bucket", "hour")
    if bucket not in BUCKETS:
        return error_response(400, f"Invalid bucket value: {bucket}")
    within = parameters.within(call, failure)
    passing = _passing(call, within, failure)
    wanted = set(re.findall(r"[0-9]+", call.query.get("goal_ids", "")))
    goals = call.service.store.goals(call.site)
    zone = call.query.get("time_zone") or "UTC"
    data: list[dict[str, Any]] = []
    try:
        for goal in goals:
            if str(goal.goal_id) not in wanted:
                continue
            condition = condition_of_goal(call, goal)
            series = conversions_by_bucket(
                call.queries, within, passing, condition, bucket_of(bucket, zone)
            )
            data += [
                {
                    "time": timestamp(moment),
                    "goal_id": goal.goal_id,
                    "conversions": converted,
                    "total_sessions": total,
                    "conversion_rate": plain_number(converted / total),
                }
                for moment, converted, total in series
            ]
    except DatabaseError:
        return error_response(500, failure)
    return json_response({"data": sorted(data, key=lambda row: (row["time"], row["goal_id"]))})


# The goal of a request


def condition_of_goal(call: Call, goal: Goal) -> str:
    """The SQL condition of the events that convert a goal, on the release of the call."""
    if goal.goal_type == "path" and not call.release.property_filters:
        return conversion("path", {"pathPattern": goal.config.get("pathPattern", "")})
    return goal.condition


def goal_of_call(call: Call, elsewhere: str, failed: Response) -> Goal:
    """The goal whose id is in the path.

    Ends the call with `failed` for what is no number, and with 403 and the message `elsewhere` for
    a goal of another site.
    """
    return _goal(call, _goal_id(call, failed), call.site.site_id, elsewhere)


def _goal_id(call: Call, failed: Response) -> int:
    # White space around the number does not count.
    goal_id = coerced(call.params["goal"])
    if not isinstance(goal_id, int) or abs(goal_id) > _LARGEST_ID:
        raise ResponseError(failed)
    return goal_id


def _goal(call: Call, goal_id: int, site_id: int | None, elsewhere: str) -> Goal:
    goal = call.service.store.find_goal(goal_id)
    if goal is None:
        raise ResponseError(error_response(404, "Goal not found"))
    if site_id is not None and goal.site_id != site_id:
        raise ResponseError(error_response(403, elsewhere))
    return goal


# Writing

_ELSEWHERE = "Goal does not belong to the specified site"


def create_goal(call: Call) -> Response:
    """Create a goal: 201 with its id."""
    body = _goal_body(call, error_response(500, "Failed to create goal"), update=False)
    goal_id = call.service.store.add_goal(
        call.site, body.goal_type, body.config, name=body.name, created_at=call.service.clock()
    )
    return json_response({"success": True, "goalId": goal_id}, 201)


def update_goal(call: Call) -> Response:
    """Replace a goal: what the body leaves out is lost."""
    failed = error_response(500, "Failed to update goal")
    body = _goal_body(call, failed, update=True)
    if call.release.url_ids_ignored and body.goal_id is not None:
        goal = _goal(call, body.goal_id, body.site_id, _ELSEWHERE)
        _check_owner(call, goal)
    else:
        goal = goal_of_call(call, _ELSEWHERE, failed)
    call.service.store.update_goal(
        goal.goal_id, goal_type=body.goal_type, config=body.config, name=body.name
    )
    return json_response({"success": True, "goalId": goal.goal_id})


def delete_goal(call: Call) -> Response:
    """Delete a goal. If it does not exist, that is a 404."""
    json_body(call.request, call.release)
    _check_may_write(call)
    failed = error_response(500, "Failed to delete goal")
    if call.release.invalid_goal_id_is_400:
        failed = error_response(400, "Invalid goal ID")
    if call.release.url_ids_ignored:
        goal = _goal(call, _goal_id(call, failed), None, "")
        _check_owner(call, goal)
    else:
        goal = goal_of_call(call, _ELSEWHERE, failed)
    call.service.store.delete_goal(goal.goal_id)
    return json_response({"success": True})


def _goal_body(call: Call, failed: Response, *, update: bool) -> GoalBody:
    """The checked body of a write, by a caller who may write."""
    body = json_body(call.request, call.release)
    try:
        valid = goal_body(body, call.release, update=update)
        _check_may_write(call)
        check_matching(valid)
    except InvalidBodyError as error:
        if call.release.validation_crashes:
            raise ResponseError(parameters.crash()) from None
        response = error_response(400, "Validation error", details=error.details)
        raise ResponseError(response) from None
    if has_nul(valid.name) or has_nul(valid.config):
        raise ResponseError(failed)
    return valid


def _check_may_write(call: Call) -> None:
    if not (call.release.keys_write or call.caller.user or call.caller.anyone):
        raise ResponseError(error_response(403, "Forbidden"))


def _check_owner(call: Call, goal: Goal) -> None:
    """Where the ids in the URL are ignored, the goal's own site must still be the caller's."""
    site = call.service.store.find_site(goal.site_id)
    if site is None or not call.caller.owns(site, call.service.access.organisation):
        raise ResponseError(error_response(403, "Forbidden"))
