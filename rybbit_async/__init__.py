"""The asyncio SDK for the Goals API of Rybbit web analytics."""

from ._converter import to_dict, to_json
from ._transport import Timeout
from ._version import __version__
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
from .paging import Page, PageMeta, Paginator, Report
from .params import Filter

__all__ = [
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
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
    "RateLimitError",
    "RawResponse",
    "Report",
    "RybbitClient",
    "RybbitError",
    "RybbitWarning",
    "ServerError",
    "Session",
    "Timeout",
    "__version__",
    "to_dict",
    "to_json",
]
