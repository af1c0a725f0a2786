"""Text of servers on a terminal: nothing in it can control the terminal or hide."""

from __future__ import annotations

import json
import os
import termios
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rybbit_async.cli.output.text import visible, visible_json, wrapped
from rybbit_async.cli.terminal import Terminal

from .streams import Stream, job, told

ANY = st.text(st.characters(exclude_categories=()))  # halves of characters, too


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Sign up", "Sign up"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("one\ntwo\tthree\r", r"one\ntwo\tthree\r"),
        ("\x9b2J \x7f", r"\x9b2J \x7f"),
        ("abc\u202efdp.exe", r"abc\u202efdp.exe"),
        ("a\u200bb\u2066c\ufeff\u00ad", r"a\u200bb\u2066c\ufeff\xad"),
        ("\U000e0041\U000e0101\ue000\ud800", r"\U000e0041\U000e0101\ue000\ud800"),
        ("\u3164\u115f\u034f", r"\u3164\u115f\u034f"),
        (
            "日本語 ñ e\u0301 🗞\ufe0f \u00a0 \u3000 القاهرة",
            "日本語 ñ e\u0301 🗞\ufe0f \u00a0 \u3000 القاهرة",
        ),
        ("", ""),
    ],
)
def test_what_a_terminal_does_not_simply_show_is_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY)
def test_what_is_shown_is_harmless_and_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    bad = {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Co", "Cn"}
    assert not bad
    assert not {"Zl", "Zp"} & {unicodedata.category(char) for char in shown}
    assert visible(shown) == shown
    shown.encode()


@given(ANY)
def test_json_on_a_terminal_says_the_same(text: str) -> None:
    written = json.dumps({"name": text}, ensure_ascii=False)
    shown = visible_json(written)
    assert json.loads(shown) == {"name": text}
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("one two", ["one two"]),
        ("one two three", ["one two", "three"]),
        ("日本 日本", ["日本", "日本"]),
        ("see https://example.com/a now", ["see", "https://example.com/a", "now"]),
        ("  7  a b c d", ["  7  a b", "c d"]),
    ],
)
def test_lines_end_at_words_and_long_words_stay_whole(text: str, lines: list[str]) -> None:
    assert wrapped(text, 8) == lines


def test_messages_are_wrapped_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    text = "values must be written as the server has them"
    for tty, lines in ((True, 3), (False, 1)):
        of = job(tty=tty)
        of.terminal.warn(text)
        found = told(of).splitlines()
        assert len(found) == lines
        assert " ".join(found) == f"warning: {text}"


def test_the_width_is_that_of_the_terminal_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert job().terminal.width == 80
    main, second = os.openpty()
    termios.tcsetwinsize(second, (24, 61))
    with os.fdopen(main, "wb"), os.fdopen(second, "w") as err:
        assert Terminal(Stream(), err).width == 61
