"""The arguments that several commands have."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

__all__ = ["GoalId", "Site", "Sites", "site_of"]

_SITE = "Its number, or its identifier of 12 hexadecimal characters."

Site = Annotated[str, Parameter(help=f"The site. {_SITE}")]
Sites = Annotated[
    tuple[str, ...],
    Parameter(help=f"The sites; every site that the key can read if none is named. {_SITE}"),
]
GoalId = Annotated[int, Parameter(name="GOAL", help="The number of the goal.")]


def site_of(text: str) -> int | str:
    """A site as the client takes it."""
    return int(text) if text.isascii() and text.isdigit() else text


def sites_of(texts: tuple[str, ...]) -> list[int | str] | str:
    """Several sites as the client takes them; none stand for all."""
    return [site_of(text) for text in texts] or "all"
