"""What a client tells while it works, as values: see ``RybbitClient(on_event=...)``.

    Activity                    .walk_id .walk
    ├── WalkBegun               a walk has been started
    ├── PageRead                a walk has read a page
    ├── WalkEnded               a walk is over, in whatever way; .report
    ├── Polled                  a watch has asked for what is new
    ├── Paused                  a rate limit holds up all requests of the client
    └── RequestActivity         .request_id .method .route .url
        ├── RequestBegun        a request is to be sent
        ├── AttemptEnded        one attempt was answered, or failed
        ├── RetryPlanned        there will be another attempt
        └── RequestEnded        the request is over, in whatever way

None of them contains a key, a password, a cookie, a header or a body.
"""

from __future__ import annotations

from attrs import field, frozen

from .pages import Report

__all__ = [
    "Activity",
    "Allowance",
    "AttemptEnded",
    "PageRead",
    "Paused",
    "Polled",
    "RateLimitStatus",
    "RequestActivity",
    "RequestBegun",
    "RequestEnded",
    "RetryPlanned",
    "WalkBegun",
    "WalkEnded",
]


@frozen
class Allowance:
    """The state of one limit.

    Attributes:
        limit: how many requests it allows.
        remaining: how many of them are left.
        reset: after how many seconds all of them are available again.
    """

    limit: int
    remaining: int
    reset: float


@frozen
class RateLimitStatus:
    """What is known of the server's limits; ``None`` for a limit that it has not announced.

    Attributes:
        burst: the bucket that refills continuously.
        daily: the quota of the day, which ends at 00:00 UTC.
        paused: for how many seconds no request will be sent, because the server asked for it.
    """

    burst: Allowance | None = None
    daily: Allowance | None = None
    paused: float = 0.0


@frozen(kw_only=True)
class Activity:
    """Something that a client has done. Each kind is a class of its own.

    Attributes:
        walk_id: the number of the walk or the watch that it belongs to, unique within the client;
            ``None`` for a call that is not part of one. All lists of a merged walk, such as
            ``iter_all``, belong to that one walk.
        walk: the name of that walk, such as ``"users of site 123"``.
    """

    walk_id: int | None = None
    walk: str | None = None


# --- walks ---------------------------------------------------------------------------------------


@frozen(kw_only=True)
class WalkBegun(Activity):
    """A walk has been started. Nothing of it was sent yet.

    Calls that read a list page by page, such as ``goals.get``, are walks here, too.
    """


@frozen(kw_only=True)
class PageRead(Activity):
    """A walk has read a page, and is about to give the rows of it that are new.

    Attributes:
        rows: how many that are. It may be 0, for example where a page beyond the end was empty.
        items: how many rows the walk has given, together with these.
        pages: how many pages it has read.
        requests: how many requests for pages it has started.
        total: how many rows the list has, where the server says so.
    """

    rows: int
    items: int
    pages: int
    requests: int
    total: int | None = None


@frozen(kw_only=True)
class WalkEnded(Activity):
    """A walk is over. This comes exactly once for each ``WalkBegun``, in whatever way it ends.

    After a mere ``break`` it comes when the iterator is collected, and when the client is closed
    at the latest.

    Attributes:
        report: a copy of the walk's report.
        error: the name of the exception that ended it, such as ``"ServerError"`` or
            ``"CancelledError"``; ``None`` if it came to its end, or if the caller left the loop.
    """

    report: Report = field(hash=False)
    error: str | None = None


@frozen(kw_only=True)
class Polled(Activity):
    """A watch has asked for what is new.

    Attributes:
        rows: how many rows are new.
        wait: after how many seconds it asks again, once these rows were given.
        error: the name of the exception, if the server is away or refuses for now.
    """

    rows: int
    wait: float
    error: str | None = None


# --- requests ------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Paused(Activity):
    """A rate limit holds up all requests of the client.

    All walks that are under way are told, besides whoever sent the request that met the limit.

    Attributes:
        request_id: the number of that request, if it was told.
        scope: the limit: ``"burst"`` or ``"daily"`` where the server says so, ``"rate_limit"`` for
            the client's own ``rate_limit=``, or ``None``.
        seconds: how long the pause is.
    """

    request_id: int | None = None
    scope: str | None
    seconds: float


@frozen(kw_only=True)
class RequestActivity(Activity):
    """Something about one request. A request takes one attempt, or more of them.

    Attributes:
        request_id: the number of the request, unique within the client.
        method: such as ``"GET"``.
        route: the path with its parameters in braces, such as ``"/api/sites/{site}/goals"``.
        url: the whole URL, without secrets.
    """

    request_id: int
    method: str
    route: str
    url: str


@frozen(kw_only=True)
class RequestBegun(RequestActivity):
    """A request is to be sent, as soon as its rate limit allows.

    If credentials had to be obtained for it first, by a sign-in for example, that has been done.
    """


@frozen(kw_only=True)
class AttemptEnded(RequestActivity):
    """One attempt was answered, or failed.

    Attributes:
        attempt: its number, from 1.
        status: the status of the response; ``None`` if none arrived, or it could not be read.
        error: the name of the exception that the attempt ended with, such as ``"ServerError"``,
            ``"APITimeoutError"`` or ``"CancelledError"``; ``None`` after a success.
        seconds: how long it took, from its turn on until the body was read.
        bytes: the size of the body, after decompression.
        waited: how many seconds it had waited before that for its turn under a rate limit.
        rate_limit: what is known of the server's limits after it.
    """

    attempt: int
    status: int | None
    error: str | None
    seconds: float
    bytes: int
    waited: float
    rate_limit: RateLimitStatus


@frozen(kw_only=True)
class RetryPlanned(RequestActivity):
    """An attempt has failed, and there will be another one.

    An attempt with new credentials, after the old ones were refused, follows at once and without
    this.

    Attributes:
        attempt: the number of the attempt that failed.
        wait: how many seconds there are at least until the next one. ``None`` if the request waits
            until the server is back, for up to ``Retry.timeout``.
        cause: the name of the exception that it failed with, such as ``"RateLimitError"``.
        status: the status of the response, if one arrived.
    """

    attempt: int
    wait: float | None
    cause: str
    status: int | None


@frozen(kw_only=True)
class RequestEnded(RequestActivity):
    """A request is over. This comes exactly once for each ``RequestBegun``.

    Attributes:
        attempts: how many attempts it took.
        status: the status of the last response, if one arrived.
        error: the name of the exception that is raised, or ``None`` after a success.
        seconds: how long it took since ``RequestBegun``, with all attempts and all waits.
    """

    attempts: int
    status: int | None
    error: str | None
    seconds: float
