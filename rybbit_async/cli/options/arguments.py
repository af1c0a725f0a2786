"""The arguments that several commands have."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

__all__ = ["AnySites", "GoalOf", "Site", "site_of"]

_SITE = "Its number, its domain, or its identifier of 12 hexadecimal characters."

Site = Annotated[str, Parameter(help=f"The site. {_SITE}")]
AnySites = Annotated[
    str,
    Parameter(
        name="SITE", help=f"A site; every site that the key can read if none is named. {_SITE}"
    ),
]
GoalOf = Annotated[str, Parameter(name="GOAL", help="The goal, by its number or its name.")]


def site_of(text: str) -> int | str:
    """A site as the client takes it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text
