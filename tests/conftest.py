"""What every test shares: how Hypothesis runs."""

from __future__ import annotations

from hypothesis import settings

# No deadline: a busy machine is not a failure.
settings.register_profile("rybbit", deadline=None)
settings.load_profile("rybbit")
