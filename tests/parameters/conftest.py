"""Fixtures of this folder."""

from __future__ import annotations

import pytest

from rybbit_async import RybbitClient


@pytest.fixture
def client() -> RybbitClient:
    """A client of a server that does not exist, so that whatever is sent fails."""
    return RybbitClient(None, base_url="http://127.0.0.1:9")
