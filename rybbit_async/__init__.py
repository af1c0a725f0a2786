"""The asyncio SDK for the Goals API of Rybbit web analytics."""

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
from .pages import Page, PageMeta, Report
from .parameters.common import CommonParameters
from .parameters.filters import Filter
from .transport.auth import PasswordLogin
from .transport.pacing import Allowance, RateLimit, RateLimitStatus
from .transport.retry import Retry
from .transport.transport import Stats
from .version import __version__
from .walks.paginator import Paginator
from .wire.converter import to_dict, to_json
from .wire.messages import Timeout

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
