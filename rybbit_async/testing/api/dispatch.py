"""From a request to a response: routing, authentication, and the check of what a caller may do."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

import attrs

from ..access import READ, WRITE, Caller, LimitExceededError
from ..releases import Release
from ..schema import Site
from ..windows import ParameterError
from ..wire import Response, coerced, error_response, json_response
from . import parameters
from .call import AccountCall, Call, RecordedRequest, ResponseError, Service
from .routes import ACCOUNT_ENDPOINTS, ENDPOINTS, Endpoint, endpoint_of
from .sign_in import sign_in

__all__ = ["path_of", "respond", "utc_now"]

_LONGEST_TARGET = 20_000
_STRING_ID = re.compile(r"[0-9a-f]{12}")
_FAILED_QUERY = (
    'Failed query: select "organization_id" from "sites" where "sites"."site_id" = $1 limit $2\n'
    "params: {},1"
)


def respond(service: Service, request: RecordedRequest, release: Release) -> Response:
    """The response of this release to a request."""
    if len(request.target) > _LONGEST_TARGET:
        return Response(431, b"", {"Connection": "close"})
    try:
        return _open_route(service, request, release) or _respond(service, request, release)
    except ResponseError as stop:
        return stop.response


def _open_route(service: Service, request: RecordedRequest, release: Release) -> Response | None:
    """The response of a route that needs no credentials. None for any other request."""
    if request.path == "/api/auth/sign-in/email" and request.method == "POST":
        return sign_in(service.access, request, release)
    if request.path == "/api/health":
        return json_response({"status": "OK"})
    if release.version and request.path == "/api/version" and request.method == "GET":
        return json_response({"version": release.version})
    return None


def _respond(service: Service, request: RecordedRequest, release: Release) -> Response:
    account = endpoint_of(ACCOUNT_ENDPOINTS, request, release)
    found = endpoint_of(ENDPOINTS, request, release)
    unknown = account is None and found is None
    if unknown and release.layout == "sites":
        return _not_found(request)
    if unknown and request.path.startswith("/api/sites/"):
        return error_response(404, "Site not found")
    caller = _caller(service, request, release)
    try:
        if account is not None:
            endpoint, params = account
            response = endpoint.handler(AccountCall(request, release, caller, params, service))
        elif found is not None:
            response = _call(service, request, release, caller, *found)
        else:
            # The older layout asks for credentials before it says that there is no such route.
            known = caller.user is not None or caller.anyone
            if caller.key is not None and not release.unknown_routes_forbidden:
                known = True
            response = _not_found(request) if known else _forbidden(release)
    except ResponseError as stop:
        response = stop.response
    if caller.headers:
        response = attrs.evolve(response, headers={**response.headers, **caller.headers})
    return response


def _call(
    service: Service,
    request: RecordedRequest,
    release: Release,
    caller: Caller,
    endpoint: Endpoint[Call],
    params: dict[str, str],
) -> Response:
    site = _site(service, params["site"], release, caller)
    _check_access(service, request, release, caller, site)
    try:
        return endpoint.handler(Call(request, release, caller, params, service, site))
    except ParameterError as error:
        return error_response(400, str(error))


def _caller(service: Service, request: RecordedRequest, release: Release) -> Caller:
    if release.health_skips_authentication and "/api/health" in request.target:
        return Caller(anyone=True)
    try:
        return service.access.caller(
            release,
            authorization=request.headers.get("Authorization"),
            api_key=request.query.get("api_key"),
            cookies=request.headers.getall("Cookie", []),
        )
    except LimitExceededError as error:
        if error.scope == "key":
            return Caller()
        if error.scope == "told":
            raise ResponseError(error_response(429, "Rate limit exceeded")) from None
        raise ResponseError(
            json_response(
                {
                    "error": "Rate limit exceeded",
                    "scope": error.scope,
                    "limit": error.limit,
                    "retryAfter": error.retry_after,
                },
                429,
                {**error.headers, "Retry-After": str(error.retry_after)},
            )
        ) from None


def _site(service: Service, text: str, release: Release, caller: Caller) -> Site:
    """The site with this number, in any notation, or with this string identifier."""
    if _STRING_ID.fullmatch(text) and not text.isdecimal():
        site = service.store.find_site(text)
        if site is None:
            raise ResponseError(error_response(404, "Site not found"))
        return site
    number = coerced(text)
    site = service.store.find_site(number) if isinstance(number, int) else None
    if site is not None:
        return site
    if isinstance(number, int) or not release.unreadable_site_fails or caller == Caller():
        raise ResponseError(_forbidden(release))
    shown = number if isinstance(number, float) else "NaN"
    raise ResponseError(parameters.internal_error(_FAILED_QUERY.format(shown)))


def _check_access(
    service: Service, request: RecordedRequest, release: Release, caller: Caller, site: Site
) -> None:
    """Raise `ResponseError` unless the caller may send this request to the site."""
    writes = request.method != "GET"
    may_use = caller.owns if writes else caller.may_read
    if not may_use(site, service.access.organisation):
        raise ResponseError(_forbidden(release))
    if writes and release.checks_origin:
        origin = request.headers.get("Origin")
        if origin is not None and origin.rstrip("/") != service.origin:
            raise ResponseError(error_response(403, "Origin not allowed"))
    if release.keys_write and caller.user is None and caller.key is not None:
        scope = WRITE if writes else READ
        if scope not in caller.key.scopes and not (site.public and not writes):
            raise ResponseError(error_response(403, "Insufficient scope", required=scope))


def _forbidden(release: Release) -> Response:
    return error_response(release.forbidden_status, release.forbidden_message)


def _not_found(request: RecordedRequest) -> Response:
    message = f"Route {request.method}:{request.target} not found"
    return json_response({"message": message, "error": "Not Found", "statusCode": 404}, 404)


def utc_now() -> datetime:
    """The current time, the default clock of a server."""
    return datetime.now(UTC)


def path_of(target: str) -> str:
    """The path of a request target, still percent-encoded."""
    return urlsplit(target).path if target.startswith("http") else target.partition("?")[0]
