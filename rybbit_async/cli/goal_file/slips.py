"""What is wrong in YAML that cannot be read, for people who do not know YAML.

The parser says what it expected, and where it noticed. Often that is the line after the one with
the slip. So the lines at that place are searched for the slips that people make.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen

from ..exits import CommandError, Exit

__all__ = ["shortened", "unreadable"]

_COLON: Final = "put a colon and a space after the key, as in name: Signup"
_DASH: Final = "put a space after the -"
_TABS: Final = "use spaces, not tabs"
_WITH_COLON: Final = "put text with ': ' in quotes"
_CLOSE_QUOTE: Final = "close the quote"
_QUOTES: Final = "put the whole text in quotes, in \" if it has a ' in it"
_INDENT: Final = "indent the lines of one goal alike, and the - of all goals alike"
_ESCAPE: Final = "put text with \\ in single quotes"
_ONE: Final = "remove this line, since a file is one document"

_MAX_SHOWN: Final = 80
_TAB: Final = re.compile(r"[ ]*(-[ ]*)*\t|[^'\"#]*:[ ]*\t")
_START: Final = re.compile(r"\s*(?:-\s+)*")
_ENTRY: Final = re.compile(
    r"""(?:"[^"]*"|'[^']*'|(?:[^:"'\[\]{}]|:(?=\S))+)\s*:(?:\s+(?P<value>.*))?$"""
)
# What text must not begin with: - and ? only before a space, | and > with more text behind them.
_SPECIAL: Final = re.compile(r"[*&!%@`,\]}]|[-?](?=\s)|[|>](?=[+0-9-]*[^+0-9-])")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^']|'')*'")
_CLOSED_BY: Final = {"[": "]", "{": "}"}


def shortened(text: str) -> str:
    """Text of at most 80 characters."""
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def unreadable(text: str, name: str, error: Any) -> CommandError:
    """The error for a document that the parser cannot read.

    Args:
        name: of the file.
        error: the ``MarkedYAMLError`` of ruamel.yaml.
    """
    mark = error.problem_mark or error.context_mark
    said = error.problem or error.context or "it is not YAML"
    lines = text.splitlines()
    if mark is None or not lines:
        return CommandError(f"{name}: this is not YAML: {said}", Exit.USAGE)
    begun = min((error.context_mark or mark).line, len(lines) - 1)
    slip = _slip(lines, mark.line, begun, said)
    line = lines[slip.line].rstrip()
    shown = shortened(line if slip.cure in (_INDENT, _TABS) else line.lstrip())
    place = f"{name}, line {slip.line + 1}"
    return CommandError(f"{place}: {shown!r} cannot be read as YAML: {slip.cure}", Exit.USAGE)


@frozen
class _Slip:
    """The number of a line, counted from 0, and what to do there."""

    line: int
    cure: str


def _slip(lines: Sequence[str], noticed: int, begun: int, said: str) -> _Slip:
    """The likely slip.

    Args:
        noticed: the line where the parser failed.
        begun: the line where what it was reading begins, such as a list or text in quotes.
        said: what it says.
    """
    used = [number for number in range(min(noticed + 1, len(lines))) if _has_content(lines[number])]
    at = used[-1] if used else 0
    if r"\t" in said:
        return _Slip(min(noticed, len(lines) - 1), _TABS)
    if "alias" in said:
        return _Slip(at, _begins_with("*"))
    if "unknown escape" in said:
        return _Slip(at, _ESCAPE)
    if "another document" in said:
        return _Slip(at, _ONE)
    # In brackets and in quotes the slip is often where these begin.
    first = [begun] if "expected ','" in said or "end of stream" in said else []
    for number in (*first, at, *used[-2:-1]):
        cure = _cure(lines[number], is_noticed=number == at)
        if cure is not None:
            return _Slip(number, cure)
    for number in used:
        if _cure(lines[number]) == _CLOSE_QUOTE:
            return _Slip(number, _CLOSE_QUOTE)
    if said.endswith("got ':'"):
        return _Slip(at, _WITH_COLON)
    if "mapping values" in said or ("expected <block end>" in said and "scalar" not in said):
        return _Slip(at, _INDENT if re.match(r"\s*[\w\"'-]", lines[at]) else said)
    if "<document start>" in said and used and lines[used[0]].startswith(" "):
        return _Slip(used[0], _INDENT)
    return _Slip(at, said)


def _has_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _begins_with(character: str) -> str:
    return f"put text that begins with {character} in quotes"


def _cure(line: str, *, is_noticed: bool = False) -> str | None:
    """What to do in a line, or ``None`` if nothing is wrong with the line alone.

    Args:
        is_noticed: whether the parser failed here. Elsewhere ``*`` and the like may be right.
    """
    if _TAB.match(line):
        return _TABS
    rest = _without_comment(line[_START.match(line).end() :])  # type: ignore[union-attr]  # it matches everything
    if re.match(r"-[^\s\d.-]", rest):
        return _DASH
    entry = _ENTRY.fullmatch(rest)
    if entry is None:
        is_text = rest and rest[0] not in "[]{}\"'" and rest not in ("-", "---", "...")
        return _COLON if is_text else None
    value = entry["value"] or ""
    if is_noticed and (special := _SPECIAL.match(value)):
        return _begins_with(special[0])
    if value[:1] in ("'", '"'):
        quoted = _QUOTED.match(value)
        if quoted is None:
            return _CLOSE_QUOTE
        return _QUOTES if value[quoted.end() :].strip() else None
    if value[:1] in _CLOSED_BY:
        return _cure_of_brackets(value)
    return _WITH_COLON if re.search(r":(\s|$)", value) else None


def _cure_of_brackets(value: str) -> str | None:
    opening = value[0]
    closing = _CLOSED_BY[opening]
    bare = _QUOTED.sub("", value)
    if bare.count(opening) > bare.count(closing):
        return f"close the {opening} with a {closing}"
    return None if bare.rstrip().endswith(closing) else _begins_with(opening)


def _without_comment(text: str) -> str:
    before, sign, after = text.partition(" #")
    is_quoted = sign and any(quote in before and quote in after for quote in "'\"")
    return (text if is_quoted else before).rstrip()
