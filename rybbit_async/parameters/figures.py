"""What the figures of a site are asked for by: buckets of time, and the parameters of a metric."""

from __future__ import annotations

from typing import Final, Literal, get_args

from attrs import evolve

from .checks import check_choice
from .common import Common
from .filters import FILTER_PARAMETERS

__all__ = ["Bucket", "check_bucket", "check_metric", "with_zone"]

Bucket = Literal[
    "minute",
    "five_minutes",
    "ten_minutes",
    "fifteen_minutes",
    "hour",
    "day",
    "week",
    "month",
    "year",
]
_BUCKETS: Final[tuple[Bucket, ...]] = get_args(Bucket)


def check_bucket(bucket: Bucket) -> Bucket:
    """The length of a bucket; servers answer 500 to others."""
    return check_choice("bucket", bucket, _BUCKETS)


def check_metric(parameter: str) -> str:
    """The parameter of a metric, which is one of those of filters."""
    return check_choice("parameter", parameter, FILTER_PARAMETERS)


def with_zone(common: Common) -> Common:
    """The same window with a time zone, in which the buckets begin; UTC unless there is one."""
    window = common.window
    return common._replace(window=evolve(window, zone=window.zone or "UTC"))
