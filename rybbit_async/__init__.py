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
    Change,
    CopyGoal,
    Event,
    EventGoal,
    EventName,
    FormSubmitGoal,
    Goal,
    GoalBucket,
    GoalComparison,
    GoalConfig,
    GoalOfSite,
    GoalResult,
    GoalSession,
    MetricRow,
    Organization,
    OutboundGoal,
    Overview,
    OverviewBucket,
    PathGoal,
    PropertyFilter,
    RawResponse,
    Session,
    SessionDetails,
    SessionEvent,
    SessionOfSite,
    Site,
    SiteSession,
    User,
    UserDetails,
    UserDevice,
    UserLocation,
    WatchedSession,
)
from .pages import Page, PageMeta, Report, Skipped
from .parameters.common import CommonParameters
from .parameters.figures import Bucket
from .parameters.filters import Filter
from .parameters.walk import WalkParameters
from .resources.events import Events
from .resources.goal_sessions import GoalSessions
from .resources.goals import Goals, NotGiven, Order, Sort
from .resources.overview import SiteOverview
from .resources.sessions import Sessions, SessionWithEvents
from .resources.sites import Organizations, Sites
from .resources.users import Users, UserSort
from .transport.auth import PasswordLogin
from .transport.options import Timeout
from .transport.pacing import Allowance, RateLimit, RateLimitStatus
from .transport.retry import Retry
from .transport.transport import Stats
from .version import __version__
from .walks.orders import ByKey, ByRank, ByTime
from .walks.paginator import Paginator
from .walks.watch import Watch
from .wire.converter import to_dict, to_json
from .wire.envelope import Envelope

__all__ = [
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "Allowance",
    "AuthenticationError",
    "BadRequestError",
    "Bucket",
    "ButtonClickGoal",
    "ByKey",
    "ByRank",
    "ByTime",
    "Change",
    "ClientClosedError",
    "CommonParameters",
    "CopyGoal",
    "EndpointNotFoundError",
    "Envelope",
    "Event",
    "EventGoal",
    "EventName",
    "Events",
    "Filter",
    "FormSubmitGoal",
    "Goal",
    "GoalBucket",
    "GoalComparison",
    "GoalConfig",
    "GoalOfSite",
    "GoalResult",
    "GoalSession",
    "GoalSessions",
    "Goals",
    "IncompleteWalkError",
    "InvalidParameterError",
    "MetricRow",
    "NotFoundError",
    "NotGiven",
    "Order",
    "Organization",
    "Organizations",
    "OutboundGoal",
    "Overview",
    "OverviewBucket",
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
    "SessionDetails",
    "SessionEvent",
    "SessionOfSite",
    "SessionWithEvents",
    "Sessions",
    "Site",
    "SiteOverview",
    "SiteSession",
    "Sites",
    "Skipped",
    "Sort",
    "Stats",
    "Timeout",
    "User",
    "UserDetails",
    "UserDevice",
    "UserLocation",
    "UserSort",
    "Users",
    "WalkParameters",
    "Watch",
    "WatchedSession",
    "__version__",
    "to_dict",
    "to_json",
]
