"""The sites that a key can read."""

from __future__ import annotations

from .context import Context

__all__ = ["all_sites"]


async def all_sites(context: Context) -> list[int]:
    """The numbers of all sites that the key can read."""
    raise NotImplementedError(context)
