"""What a goal counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

__all__ = ["GoalOptions"]

_COUNTS = Group("What it counts", sort_key=1)


@Parameter(name="*", group=_COUNTS)
@dataclass(frozen=True)
class GoalOptions:
    """What a goal counts; see the help of each field."""

    path: Annotated[
        str | None,
        Parameter(
            metavar="PATTERN",
            help="Page views with this path; `*` is anything within a segment, `**` across them.",
        ),
    ] = None
    event: Annotated[str | None, Parameter(metavar="NAME", help="Custom events of this name.")] = (
        None
    )
    outbound: Annotated[
        str | None,
        Parameter(metavar="PATTERN", help="Clicks on links to other sites; `*` for all of them."),
    ] = None
    button_click: Annotated[
        str | None, Parameter(metavar="PATTERN", help="Clicks on buttons with this text.")
    ] = None
    form_submit: Annotated[
        str | None, Parameter(metavar="PATTERN", help="Forms with this name, id or action.")
    ] = None
    copy: Annotated[str | None, Parameter(metavar="PATTERN", help="Text that is copied.")] = None
    property: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="NAME=VALUE",
            help="Only with this property; several must all hold. `name=value` is text, and "
            "`name:=5` or `name:=true` a number or a boolean.",
        ),
    ] = ()
    no_property: Annotated[
        bool, Parameter(help="Without the properties that the goal has had so far.")
    ] = False
