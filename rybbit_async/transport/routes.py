"""Routes: where the endpoints are in the two layouts of the API's URLs.

Servers up to December 2025 (2.2) have the documented layout, ``goals``. Newer ones have ``sites``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from attrs import frozen

from .paths import fill_path

__all__ = ["LAYOUTS", "Layout", "Route", "other_layout"]

Layout = Literal["goals", "sites"]
LAYOUTS: Final[tuple[Layout, Layout]] = ("goals", "sites")


@frozen
class Route:
    """The templates of an endpoint's path in the two layouts.

    A template has its parameters in braces: ``/api/sites/{site}/goals``. It is ``None`` where no
    server with that layout has the endpoint.
    """

    goals: str | None
    sites: str | None

    @property
    def is_common(self) -> bool:
        """Whether the path is the same in both layouts."""
        return self.goals == self.sites

    @property
    def is_in_both(self) -> bool:
        """Whether both layouts have the endpoint."""
        return self.goals is not None and self.sites is not None

    def template(self, layout: Layout) -> str | None:
        """The template in a layout, or ``None`` if the layout lacks the endpoint."""
        return self.goals if layout == "goals" else self.sites

    def path(self, layout: Layout, params: Mapping[str, str | int]) -> str:
        """The path in a layout that has the endpoint, its parameters percent-encoded."""
        template = self.template(layout)
        assert template is not None
        return fill_path(template, params)


def other_layout(layout: Layout) -> Layout:
    """The layout that is not ``layout``."""
    return "sites" if layout == "goals" else "goals"
