"""A short run of ``late.py``; ``python -m tests.late`` is the long one."""

from __future__ import annotations

import pytest

from .late import Kind, measure


@pytest.mark.parametrize(("release", "kind"), [("2.2", "live"), ("2.6", "relative")])
async def test_no_row_is_lost_in_silence(release: str, kind: Kind) -> None:
    for outcome in await measure(release, kind, 1, minutes=1):
        assert not outcome.is_wrong
        assert outcome.whole
