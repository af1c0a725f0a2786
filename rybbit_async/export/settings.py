"""What a caller wants exported, checked. A value that pickles and has no secrets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final

from attrs import frozen

from ..errors import InvalidParameterError
from ..parameters.checks import check_bool, check_choice, check_int, check_site, invalid, is_list
from ..parameters.common import parse_common
from ..parameters.filters import Filter
from ..parameters.window import Window, check_settled_after, zone_of
from ..tables import SCHEMA_VERSION
from .formats import Compression, Format, check_format, suffix
from .manifest import Identity
from .units import LISTS, PARTITIONS, ListName, Partition

__all__ = ["Settings", "check_settings"]

_DAYS_AGO: Final = {"today": 0, "yesterday": 1}
LOOKBACK: Final = timedelta(days=2)


@frozen
class Settings:
    """What is exported and how; see ``Export``, whose arguments these are."""

    sites: tuple[str, ...] | None
    what: tuple[ListName, ...]
    since: date | str
    until: date | str
    time_zone: str
    partition: Partition
    format: Format
    compression: Compression | None
    raw: bool
    filters: tuple[Filter, ...] | None
    filters_sent: str | None
    segment_id: str | None
    lookback: timedelta
    part_rows: int
    page_size: int

    @property
    def suffix(self) -> str:
        """How the names of parts end."""
        return suffix(self.format, self.compression)

    def days(self, now: datetime) -> tuple[date, date]:
        """The first and the last day, as of a moment.

        Raises:
            InvalidParameterError: the first is after the last.
        """
        today = now.astimezone(zone_of(Window(None, self.time_zone))).date()
        first, last = (_day(value, today) for value in (self.since, self.until))
        if first > last:
            raise InvalidParameterError(
                f"since must not be after until, got since={first} and until={last}"
            )
        if last > today:
            raise InvalidParameterError(
                f"until must not be after today, which is {today} in {self.time_zone}, got {last}"
            )
        return first, last

    def identity(self) -> Identity:
        """What makes another run the same export."""
        return Identity(
            lists=tuple(name for name in LISTS if name in self.what),
            filters=self.filters_sent,
            segment_id=self.segment_id,
            time_zone=self.time_zone,
            partition=self.partition,
            format=self.format,
            compression=self.compression,
            raw=self.raw,
            schema_version=SCHEMA_VERSION,
        )


def check_settings(
    *,
    sites: object,
    what: object,
    since: object,
    until: object,
    time_zone: str | tzinfo | None,
    partition: Partition,
    format: Format,
    compression: Compression | None,
    raw: object,
    filters: Sequence[Filter] | None,
    segment_id: int | str | None,
    lookback: object,
    part_rows: object,
    page_size: object,
) -> Settings:
    """The settings that a caller passed.

    Raises:
        InvalidParameterError: one of them cannot be.
    """
    first, last = _check_day("since", since), _check_day("until", until)
    common = parse_common(
        {"filters": filters, "segment_id": segment_id, "time_zone": time_zone or "UTC"}
    )
    chosen = [check_choice("what", name, LISTS) for name in _several(what)]
    if not chosen:
        raise invalid("what", what, f"name at least one list of {', '.join(LISTS)}")
    settings = Settings(
        sites=None if sites == "all" else tuple(dict.fromkeys(_sites(sites))),
        what=tuple(dict.fromkeys(chosen)),
        since=first,
        until=last,
        time_zone=common.window.zone or "UTC",
        partition=check_choice("partition", partition, PARTITIONS),
        format=format,
        compression=compression,
        raw=check_bool("raw", raw),
        filters=None if filters is None else tuple(filters),
        filters_sent=common.filters,
        segment_id=common.segment_id,
        lookback=check_settled_after(lookback, LOOKBACK, "lookback"),
        part_rows=check_int("part_rows", part_rows),
        page_size=check_int("page_size", page_size),
    )
    check_format(settings.format, settings.compression, raw=settings.raw)
    if isinstance(first, date) and isinstance(last, date) and first > last:
        raise InvalidParameterError(
            f"since must not be after until, got since={first} and until={last}"
        )
    return settings


def _several(value: Any) -> list[Any]:
    """One value or several, as a list."""
    return list(value) if is_list(value) else [value]


def _sites(sites: Any) -> list[str]:
    many = [check_site(site) for site in _several(sites)]
    if not many:
        raise invalid("sites", sites, 'name at least one site, or be "all"')
    return many


def _check_day(name: str, value: Any) -> date | str:
    if isinstance(value, str) and value in _DAYS_AGO:
        return value
    window: Any
    try:
        window = parse_common({"start_date": value, "end_date": value}).window.value
    except InvalidParameterError as error:
        text = str(error).replace("start_date", name)
        raise InvalidParameterError(f'{text}; or "today" or "yesterday"') from None
    if window is None:
        raise invalid(name, value, 'be a day such as "2024-01-31", "today" or "yesterday"')
    first: date = window.first
    return first


def _day(value: date | str, today: date) -> date:
    return today - timedelta(days=_DAYS_AGO[value]) if isinstance(value, str) else value
