"""The common parameters as a whole."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Unpack

import pytest

from rybbit_async import CommonParameters, Filter, InvalidParameterError, RybbitClient
from rybbit_async.parameters.common import Common, parse_common
from rybbit_async.parameters.window import MinutesAgo, Window

from .helpers import error_of, is_about

PARAMETERS = (
    "start_date, end_date, time_zone, past_minutes_start, past_minutes_end, filters, segment_id"
)


def parsed(**common: Any) -> Common:
    return parse_common(common)  # type: ignore[arg-type]  # pyright: ignore


def method(*, page: int = 1, page_size: int = 10, **common: Unpack[CommonParameters]) -> Common:
    """A method of a resource, which has helpers between itself and the check."""

    def helper(given: CommonParameters) -> Common:
        return parse_common(given)

    assert page + page_size
    return helper(common)


def test_nothing_given() -> None:
    assert parsed() == Common()
    assert parsed(start_date=None, time_zone=None, filters=None) == Common()
    assert parsed(filters=[]) == Common()
    assert Common().query() == {}


def test_everything_given() -> None:
    common = parsed(
        past_minutes_start=60,
        past_minutes_end=0,
        time_zone="Europe/Berlin",
        filters=(Filter.equals("country", "US"),),
        segment_id=7,
    )
    filters = '[{"parameter":"country","type":"equals","value":["US"]}]'
    assert common == Common(Window(MinutesAgo(60, 0), "Europe/Berlin"), filters, "7")
    assert common.query() == {
        "past_minutes_start": "60",
        "past_minutes_end": "0",
        "time_zone": "Europe/Berlin",
        "filters": filters,
        "segment_id": "7",
    }


@pytest.mark.parametrize(
    ("segment", "text"), [(1, "1"), ("1", "1"), ("late & große", "late & große")]
)
def test_segments(segment: int | str, text: str) -> None:
    assert parsed(segment_id=segment).query() == {"segment_id": text}


@pytest.mark.parametrize("segment", [0, -1, True, 1.0, "", "\0", "\ud800", ["a"], b"a"])
def test_invalid_segments(segment: object) -> None:
    assert is_about(error_of(parsed, segment_id=segment), "segment_id", segment)


def test_an_unknown_parameter() -> None:
    assert error_of(parsed, start="2024-01-01") == (
        f"unknown parameter 'start' (did you mean 'start_date'?), expected one of {PARAMETERS}"
    )
    assert error_of(parsed, colour="red") == (
        f"unknown parameter 'colour', expected one of {PARAMETERS}"
    )


def test_an_unknown_parameter_is_one_even_if_it_is_none() -> None:
    assert error_of(parsed, colour=None).startswith("unknown parameter 'colour'")


def test_the_keywords_of_the_method_are_suggested_too() -> None:
    wrong: Any = {"page_sise": 5}
    assert error_of(method, **wrong) == (
        "unknown parameter 'page_sise' (did you mean 'page_size'?), "
        f"expected one of page, page_size, {PARAMETERS}"
    )


async def test_words_of_other_lists_are_translated(client: RybbitClient) -> None:
    wrong: Any = {"page_size": 5}
    for call in (client.sessions.list(1, **wrong), client.goals.sessions.list(1, 7, **wrong)):
        with pytest.raises(InvalidParameterError, match=r"'page_size' \(did you mean 'limit'\?\)"):
            await call
    wrong = {"limit": 5}
    with pytest.raises(InvalidParameterError, match=r"'limit' \(did you mean 'page_size'\?\)"):
        await client.goals.list(1, **wrong)
    assert "(did you mean 'start_date'?)" in error_of(parsed, since="2024-01-01")


def test_outside_of_a_method_only_the_common_parameters_are_known() -> None:
    wrong: Any = {"page_sise": 5}
    with ThreadPoolExecutor(1) as pool:  # so that no caller has keywords of its own
        error = pool.submit(parse_common, wrong).exception()
    assert str(error) == f"unknown parameter 'page_sise', expected one of {PARAMETERS}"


CALLS: list[tuple[Callable[[RybbitClient, Any], Any], str, str]] = [
    (lambda client, wrong: client.goals.iter(1, **wrong), "concurency", "concurrency"),
    (lambda client, wrong: client.goals.iter(1, **wrong), "Sort", "sort"),
    (lambda client, wrong: client.goals.sessions.iter(1, 7, **wrong), "maxpages", "max_pages"),
    (lambda client, wrong: client.goals.sessions.iter_all(1, **wrong), "goal", "goals"),
    (lambda client, wrong: client.goals.sessions.iter_all(1, **wrong), "timezone", "time_zone"),
]


@pytest.mark.parametrize(("call", "wrong", "meant"), CALLS)
def test_a_misspelt_keyword_of_a_call(
    client: RybbitClient, call: Callable[[RybbitClient, Any], Any], wrong: str, meant: str
) -> None:
    text = error_of(call, client, {wrong: 1})
    assert text.startswith(f"unknown parameter {wrong!r} (did you mean {meant!r}?)")


def test_what_the_method_does_not_take_is_not_suggested(client: RybbitClient) -> None:
    wrong: Any = {"verify": True}
    text = error_of(client.goals.sessions.iter, 1, 7, **wrong)
    assert text.startswith("unknown parameter 'verify', expected one of page_size, concurrency, ")
