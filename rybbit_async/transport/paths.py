"""Paths of requests: templates, and the values that are filled into them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from ..errors import InvalidParameterError
from ..parameters.checks import check_text, integer_text, invalid, type_name
from ..plain import plain

__all__ = ["check_template", "fill_path", "parameters_of"]

_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Segments of unreserved characters, of some that need no encoding, and of percent-escapes.
_TEMPLATE: Final = re.compile(
    rf"(?:/(?:(?:[A-Za-z0-9._~@:+=,-]|%[0-9A-Fa-f]{{2}})+|{_PARAMETER.pattern}))+"
)
_DOTS: Final = frozenset({".", ".."})


def check_template(path: object) -> str:
    """A path for ``client.request()``, in which ``{name}`` may take the place of a segment.

    Percent-escapes are sent as they are.

    Raises:
        InvalidParameterError: the path has an empty segment, one of ``.`` or ``..`` (escaped or
            not), a query, a character that must be escaped, or an escaped NUL.
    """
    path = plain(path)
    if isinstance(path, str) and _TEMPLATE.fullmatch(path) and not _has_dots(unquote(path)):
        check_text("path", unquote(path))
        return path
    raise invalid(
        "path",
        path,
        "be a path such as /api/sites/1/goals or /api/sites/{site}/goals, where a parameter in "
        "braces is a whole segment, without a host, a query (use params), '.' or '..', a slash at "
        "its end, or characters that must be escaped (use path_params)",
    )


def parameters_of(template: str) -> frozenset[str]:
    """The names of the parameters in a template."""
    return frozenset(_PARAMETER.findall(template))


def fill_path(template: str, params: Mapping[str, str | int]) -> str:
    """The path, with each ``{name}`` replaced by its value, percent-encoded.

    Raises:
        InvalidParameterError: a value is missing, or cannot be one segment of a path.
    """

    def encoded(found: re.Match[str]) -> str:
        name = found[1]
        if name not in params:
            raise InvalidParameterError(f"path parameter {name} must be given for {template}")
        return _encoded(name, _text(name, params[name]))

    return _PARAMETER.sub(encoded, template)


def _text(name: str, value: object) -> str:
    value = plain(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidParameterError(
            f"path parameter {name} must be a str or an int, got {type_name(value)}"
        )
    return integer_text(f"path parameter {name}", value)


@lru_cache(maxsize=256)
def _encoded(name: str, text: str) -> str:
    if not text or _has_dots(text):
        # Encoding does not help: servers and proxies decode a path before they resolve its dots.
        raise invalid(
            f"path parameter {name}",
            text,
            "not be empty and must not contain '.' or '..' as a segment",
        )
    return quote(check_text(f"path parameter {name}", text), safe="")


def _has_dots(text: str) -> bool:
    return not _DOTS.isdisjoint(re.split(r"[/\\]", text))
