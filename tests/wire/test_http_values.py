"""Dates, and how long to wait, as headers say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rybbit_async.transport.clock import Clock, ServerClock, Timer
from rybbit_async.wire.html import first_words
from rybbit_async.wire.http_values import http_date, seconds_to_wait

NOW = datetime(1994, 11, 6, 8, 49, 30, tzinfo=UTC)

DATES = [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "Sun, 06 Nov 1994 08:49:37 -0000",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 09:49:37 +0100",
    "06 Nov 1994 08:49:37 GMT",
]


@pytest.mark.parametrize("text", DATES)
def test_each_form_of_a_date(text: str) -> None:
    assert http_date(text) == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert seconds_to_wait(text, NOW) == 7
    assert seconds_to_wait(text, NOW + timedelta(days=1)) == 0
    clock = ServerClock(Timer(Clock(time=lambda: 5.0, now=lambda: NOW)))
    clock.learn({"Date": text})
    assert clock.now() == NOW + timedelta(seconds=7)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0), ("7", 7), (" 7\t", 7), ("007", 7), ("1.5", 1.5), (7, 7), (1.5, 1.5),
        ("1_0", None), ("+5", None), ("-5", None), ("1e3", None), ("0x5", None), (".5", None),
        ("5.", None), ("5 6", None), ("\u0663", None), ("", None), ("soon", None), ("inf", None),
        ("nan", None), ("9" * 400, None), ("7, 8", None), ("2024-01-01T00:00:00Z", None),
        (-1, None), (float("inf"), None), (float("nan"), None), (10**400, None), (True, None),
        (None, None), ([1], None), ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)  # fmt: skip
def test_seconds_to_wait(value: Any, seconds: float | None) -> None:
    assert seconds_to_wait(value, NOW) == seconds


@given(st.text(st.sampled_from("SunNov06 19:4,-+GMT\t_.\0"), max_size=50))
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert http_date(text) is None or http_date(text).tzinfo is not None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("  busy \n later", "busy"),
        ("<html><head><title>\n 502 Bad\n Gateway </title></head><body>x", "502 Bad Gateway"),
        ("<!DOCTYPE html><TITLE lang=en>A &amp; B &#x27;C&#39;</TITLE>", "A & B 'C'"),
        ("<p>Access<br/>denied</p>", "Access denied"),
        ("<style>p{}</style><script>if(a<b)</script><!-- no --><p>Words", "Words"),
        ("<title></title><h1>Words</h1>", "Words"),
        ("< 5", "< 5"),
        ("<", "<"),
        ("<a", ""),
        ("<script>" * 2_000, ""),
    ],
)
def test_the_first_words_of_a_page(text: str, words: str) -> None:
    assert first_words(text) == words
