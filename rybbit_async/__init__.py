"""The asyncio SDK for Rybbit web analytics: goals, sessions and users."""

from .client import RybbitClient
from .errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    EndpointNotFoundError,
    IncompleteWalkError,
    InvalidParameterError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RybbitError,
    RybbitWarning,
    ServerError,
)
from .models import (
    ButtonClickGoal,
    CopyGoal,
    EventGoal,
    FormSubmitGoal,
    Goal,
    GoalConfig,
    GoalResult,
    GoalSession,
    OutboundGoal,
    PathGoal,
    PropertyFilter,
    RawResponse,
    Session,
    SiteSession,
    User,
)
from .pages import Page, PageMeta, Report, Skipped
from .parameters.common import CommonParameters
from .parameters.filters import Filter
from .parameters.walk import WalkParameters
from .resources.goal_sessions import GoalSessions
from .resources.goals import Goals, NotGiven, Order, Sort
from .resources.sessions import Sessions
from .resources.users import Users
from .transport.auth import PasswordLogin
from .transport.options import Timeout
from .transport.pacing import Allowance, RateLimit, RateLimitStatus
from .transport.retry import Retry
from .transport.transport import Stats
from .version import __version__
from .walks.paginator import Paginator
from .wire.converter import to_dict, to_json

__all__ = [
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "Allowance",
    "AuthenticationError",
    "BadRequestError",
    "ButtonClickGoal",
    "ClientClosedError",
    "CommonParameters",
    "CopyGoal",
    "EndpointNotFoundError",
    "EventGoal",
    "Filter",
    "FormSubmitGoal",
    "Goal",
    "GoalConfig",
    "GoalResult",
    "GoalSession",
    "GoalSessions",
    "Goals",
    "IncompleteWalkError",
    "InvalidParameterError",
    "NotFoundError",
    "NotGiven",
    "Order",
    "OutboundGoal",
    "Page",
    "PageMeta",
    "Paginator",
    "PasswordLogin",
    "PathGoal",
    "PermissionDeniedError",
    "PropertyFilter",
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
    "Sessions",
    "SiteSession",
    "Skipped",
    "Sort",
    "Stats",
    "Timeout",
    "User",
    "Users",
    "WalkParameters",
    "__version__",
    "to_dict",
    "to_json",
]
