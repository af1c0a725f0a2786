"""The panels of the help."""

from __future__ import annotations

from typing import Final

from cyclopts import Group

__all__ = ["CONNECTION", "FILTERS", "OUTPUT", "TIME"]

TIME: Final = Group("Time", sort_key=2)
FILTERS: Final = Group("Filters", sort_key=3)
OUTPUT: Final = Group("Output", sort_key=4)
CONNECTION: Final = Group("Connection", sort_key=5)
