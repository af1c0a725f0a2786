"""The query parameters that most endpoints take: the window in time, and the filters."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from datetime import date, tzinfo
from typing import Final, NamedTuple, TypedDict

from ..errors import InvalidParameterError
from .checks import check_segment, did_you_mean
from .filters import Filter, filters_json
from .window import Window, parse_window

__all__ = ["NO_EVENTS", "Common", "CommonParameters", "check_conditions", "parse_common"]


class CommonParameters(TypedDict, total=False):
    """The query parameters that most methods take. Absent and ``None`` mean the same.

    The window in time is given as dates or as minutes before now, not as both. Without either it
    is all of time. Whatever a server would reject, or ignore and then answer with data of all
    time, raises ``InvalidParameterError`` before anything is sent.

    Attributes:
        start_date: the first day of the window, a ``date`` or text such as ``"2024-01-31"``.
            It goes together with ``end_date``.
        end_date: the last day of the window, which is part of it. If it is today, the window
            ends now.
        time_zone: the IANA time zone in which the days begin and end, such as
            ``"Europe/Berlin"``, or a ``ZoneInfo``; ``"UTC"`` if not given. It makes no difference
            without dates.
        past_minutes_start: where the window begins, in minutes before now, 1 or more. It goes
            together with ``past_minutes_end``.
        past_minutes_end: where the window ends, in minutes before now: 0 or more, and less than
            ``past_minutes_start``.
        filters: conditions on the sessions that are counted. All of them must hold; see
            ``Filter``.
        segment_id: the id of a segment that is stored on the server, whose filters must hold as
            well. Servers up to 2.8 ignore it.
    """

    start_date: date | str | None
    end_date: date | str | None
    time_zone: str | tzinfo | None
    past_minutes_start: int | None
    past_minutes_end: int | None
    filters: Sequence[Filter] | None
    segment_id: int | str | None


# Where conversions do not matter. No site has events on this day, so that a server has little to
# count, and no values of events to fail over. It lists every goal all the same.
NO_EVENTS: Final = CommonParameters(start_date="1970-01-01", end_date="1970-01-01", time_zone="UTC")


class Common(NamedTuple):
    """The common parameters, checked: the window in time, the filters as JSON, and a segment."""

    window: Window = Window()
    filters: str | None = None
    segment_id: str | None = None

    def query(self) -> dict[str, str]:
        """The query parameters that say this."""
        return {**self.window.query(), **self.conditions()}

    def conditions(self) -> dict[str, str]:
        """The query parameters that choose sessions inside the window."""
        conditions = {"filters": self.filters, "segment_id": self.segment_id}
        return {name: value for name, value in conditions.items() if value is not None}


def check_conditions(filters: Sequence[Filter] | None, segment_id: int | str | None) -> Common:
    """The common parameters of a method that has a window of its own.

    Raises:
        InvalidParameterError: see ``parse_common``.
    """
    return parse_common({"filters": filters, "segment_id": segment_id})


def parse_common(common: CommonParameters, *, also: Iterable[str] = ()) -> Common:
    """Check what a method was given as ``**common``, and make values of it.

    Args:
        common: the parameters that the method does not name itself.
        also: names that the method takes besides, for the text of an error.

    Raises:
        InvalidParameterError: for unknown names, and for values and combinations that a server
            would reject or silently answer with data of all time.
    """
    known = CommonParameters.__annotations__
    unknown = common.keys() - known.keys()
    if unknown:
        raise _unknown_parameter(min(unknown), [*_keywords_of_method(), *also, *known])
    filters, segment = common.get("filters"), common.get("segment_id")
    return Common(
        parse_window(common),
        None if filters is None else filters_json(filters),
        None if segment is None else check_segment(segment),
    )


# Words for parameters that some lists of the API, or other programs, have. In lower case.
_SYNONYMS: Final = {
    **dict.fromkeys(("page_size", "per_page", "pagesize", "size", "limit"), ("limit", "page_size")),
    **dict.fromkeys(("tz", "timezone"), ("time_zone",)),
    **dict.fromkeys(("since", "from", "start"), ("start_date",)),
    **dict.fromkeys(("until", "to", "end"), ("end_date",)),
}


def _unknown_parameter(name: str, known: list[str]) -> InvalidParameterError:
    hint = did_you_mean(name, known, _SYNONYMS)
    return InvalidParameterError(
        f"unknown parameter {name!r}{hint}, expected one of {', '.join(known)}"
    )


def _keywords_of_method() -> list[str]:
    """The keywords that the method with ``**common`` names itself; only errors need them."""
    frame = inspect.currentframe()
    while frame is not None:
        code = frame.f_code
        if code.co_flags & inspect.CO_VARKEYWORDS:
            first = code.co_argcount
            return [*code.co_varnames[first : first + code.co_kwonlyargcount]]
        frame = frame.f_back
    return []
