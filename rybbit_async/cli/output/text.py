r"""Text of servers, made harmless for a terminal.

Paths, titles of pages and names of events come from visitors in the end. Written to a terminal as
they are, they could move the cursor, change what was printed before, or hide a part of themselves.
So whatever is not simply shown is written as an escape, such as ``\x1b``.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["visible", "visible_json", "wrapped"]

# Shown as nothing, although they count as printable. Selectors of a variant that emoji have
# (U+FE0E, U+FE0F) are left as they are.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\uffa0\ufe00-\ufe0d\U000e0100-\U000e01ef]"
)
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""Text on one line, with an escape for each character that a terminal does not simply show.

    These are control characters (line breaks and tabs too), characters that change the direction
    of text, such as U+202E, characters without a width or a meaning, and halves of characters.
    Everything else stays as it is, spaces of all kinds and combining marks included.
    """
    if text.isprintable() and not _UNSEEN.search(text):
        return text
    return "".join([char if _is_shown(char) else _escape(char) for char in text])


def wrapped(text: str, width: int) -> list[str]:
    """Text in lines of at most so many cells, broken at spaces.

    A word that is longer, such as a URL, stays whole, so that it can be copied. Blanks at the
    beginning stay.
    """
    lines, line, size = list[str](), "", 0
    for word in re.findall(r" *[^ ]+", text):
        cells = sum(map(_cells, word))
        if size + cells > width and line:
            lines.append(line)
            word = word.lstrip(" ")  # the blanks are where the line ends
            line, size = "", 0
            cells = sum(map(_cells, word))
        line, size = line + word, size + cells
    return [*lines, line]


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def visible_json(text: str) -> str:
    """JSON that says the same, with such characters as escapes of JSON; line breaks stay."""
    if text.isascii() and "\x7f" not in text:  # the control characters below are escaped by now
        return text
    return "".join(
        [char if char == "\n" or _is_shown(char) else json_escape(char) for char in text]
    )


def json_escape(char: str) -> str:
    """A character as JSON writes it in ASCII: one unit of UTF-16, or two."""
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in range(0, len(units), 2))


def _is_shown(char: str) -> bool:
    if char.isprintable():
        return not _UNSEEN.match(char)
    return unicodedata.category(char) == "Zs"  # spaces of other widths


def _escape(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    number = ord(char)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
