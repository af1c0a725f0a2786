"""The asyncio SDK for the Goals API of Rybbit web analytics."""

from ._converter import to_dict, to_json
from ._transport import Stats
from ._version import __version__
from ._wire import Timeout
from .auth import PasswordLogin
from .client import RybbitClient
from .errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    IncompleteWalkError,
    InvalidParameterError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RybbitError,
    RybbitWarning,
    ServerError,
)
from .models import EventGoal, Goal, GoalResult, GoalSession, PathGoal, RawResponse, Session
from .pacing import Allowance, RateLimit, RateLimitStatus
from .paging import Page, PageMeta, Paginator, Report
from .params import CommonParameters, Filter
from .retry import Retry

__all__ = [
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "Allowance",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
    "CommonParameters",
    "EventGoal",
    "Filter",
    "Goal",
    "GoalResult",
    "GoalSession",
    "IncompleteWalkError",
    "InvalidParameterError",
    "NotFoundError",
    "Page",
    "PageMeta",
    "Paginator",
    "PasswordLogin",
    "PathGoal",
    "PermissionDeniedError",
    "RateLimit",
    "RateLimitError",
    "RateLimitStatus",
    "RawResponse",
    "Report",
    "Retry",
    "RybbitClient",
    "RybbitError",
    "RybbitWarning",
    "ServerError",
    "Session",
    "Stats",
    "Timeout",
    "__version__",
    "to_dict",
    "to_json",
]
